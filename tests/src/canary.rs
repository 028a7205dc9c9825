//! Looking for secrets where they may not be: in arguments and environments of programs, in files, in git objects, in
//! what was said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::cli::{Machine, World};
use crate::git::Recorder;

/// The forms in which a secret is looked for.
struct Canary {
    plain: String,
    others: Vec<String>,
}

/// What must not be found, and what was recorded so far.
pub struct Watch {
    canaries: Vec<Canary>,
    recorder: Recorder,
    seen: Arc<Mutex<BTreeSet<Seen>>>,
}

/// A process as it stood in `/proc`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    arguments: String,
    environment: String,
}

/// Looks at processes until it is dropped.
pub struct Looking {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Canary {
    fn new(plain: &str) -> Self {
        let encoded = |text: &str| {
            let encoded = BASE64_STANDARD.encode(text);
            // The last letters depend on what follows.
            encoded.trim_end_matches('=').rsplit_once(|_| true).map_or(encoded.clone(), |(most, _)| most.to_owned())
        };
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        let others = vec![encoded(plain), encoded(&format!("x-access-token:{plain}")), hex];
        Self { plain: plain.to_owned(), others }
    }

    fn is_in(&self, text: &str) -> bool {
        text.contains(&self.plain) || self.others.iter().any(|form| text.contains(form.as_str()))
    }
}

impl Watch {
    /// Watches over a world: all programs that `machine` starts are recorded from now on. `more` are secrets beside those
    /// of the world.
    pub fn over(world: &World, machine: &mut Machine, more: &[&str]) -> Self {
        let recorder = Recorder::new(&world.folder().join("recorder"), &machine.program);
        recorder.add("gh", &gh());
        let path = format!("{}:{}", recorder.programs.display(), machine.environment["PATH"]);
        machine.environment.insert("PATH".to_owned(), path);
        machine.environment.remove("STANDIN_GH");
        machine.environment.remove("STANDIN_GIT");
        let all = world.canaries();
        let canaries = all.iter().map(String::as_str).chain(more.iter().copied()).map(Canary::new).collect();
        Self { canaries, recorder, seen: Arc::default() }
    }

    /// Takes another secret into account.
    pub fn add(&mut self, secret: &str) {
        self.canaries.push(Canary::new(secret));
    }

    /// How often programs whose names end so were recorded.
    pub fn starts(&self, name: &str) -> usize {
        self.recorder.starts(name)
    }

    /// Looks at the processes of the world, all but `except`, until the answer is dropped.
    pub fn look(&self, world: &World, except: u32) -> Looking {
        let (folder, seen) = (world.folder().display().to_string(), self.seen.clone());
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                seen.lock().unwrap().extend(processes(&folder, except));
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Looking { end, thread: Some(thread) }
    }

    /// How many different processes were looked at.
    pub fn looked_at(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Where secrets are found that may not be there.
    pub fn findings(&self, world: &World) -> Vec<String> {
        let mut findings = self.in_recorded();
        for seen in self.seen.lock().unwrap().iter() {
            if self.finds(&seen.arguments) {
                findings.push(format!("arguments of a process: {}", program(&seen.arguments)));
            }
            for variable in seen.environment.split('\0').filter(|variable| self.finds(variable)) {
                if !(may_have_a_token(program(&seen.arguments)) && variable.starts_with("GH_TOKEN=")) {
                    findings.push(format!("environment of a process: {}", program(&seen.arguments)));
                }
            }
        }
        findings.extend(self.in_files(world.folder(), &[world.clone_path(), world.folder().join("recorder")]));
        findings.extend(self.in_objects(world.folder()));
        findings.sort();
        findings.dedup();
        findings
    }

    /// In what the stand-in programs wrote down: allowed is the token of gh in its own variable, and no more.
    fn in_recorded(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for block in self.recorder.recorded().split("PROGRAM ").filter(|block| !block.is_empty()) {
            let name = block.lines().next().unwrap_or_default();
            for line in block.lines().filter(|line| self.finds(line)) {
                if !(name.ends_with("/gh") && line.starts_with("GH_TOKEN=")) {
                    let kind = if line.starts_with("ARG ") { "an argument" } else { "the environment" };
                    findings.push(format!("{kind} of {name}"));
                }
            }
        }
        findings
    }

    fn in_files(&self, folder: &Path, except: &[PathBuf]) -> Vec<String> {
        let files = files(folder, except).into_iter();
        files
            .filter(|path| fs::read(path).is_ok_and(|bytes| self.finds(&String::from_utf8_lossy(&bytes))))
            .map(|path| path.display().to_string())
            .collect()
    }

    /// In the objects of every git repository below a folder, which are compressed where they lie.
    fn in_objects(&self, folder: &Path) -> Vec<String> {
        let mut findings = Vec::new();
        for head in files(folder, &[]).into_iter().filter(|path| path.file_name().is_some_and(|name| name == "HEAD")) {
            let Ok(repository) = git2::Repository::open_bare(head.parent().unwrap()) else { continue };
            let odb = repository.odb().unwrap();
            odb.foreach(|oid| {
                let object = odb.read(*oid).unwrap();
                if self.finds(&String::from_utf8_lossy(object.data())) {
                    findings.push(format!("object {oid} of {}", repository.path().display()));
                }
                true
            })
            .unwrap();
        }
        findings
    }

    fn finds(&self, text: &str) -> bool {
        self.canaries.iter().any(|canary| canary.is_in(text))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there is shown by the test's own threads.
            let _ = thread.join();
        }
    }
}

/// The real gh.
fn gh() -> PathBuf {
    if let Some(named) = std::env::var_os("STANDIN_GH") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join("gh")).find(|program| program.is_file()).unwrap()
}

/// The program that a process runs; of a script (which the stand-ins are) the script.
fn program(arguments: &str) -> &str {
    let mut words = arguments.split('\0');
    match words.next() {
        Some("/bin/sh") => words.next().unwrap_or_default(),
        Some(program) => program,
        None => "",
    }
}

/// Whether it is gh, its stand-in, or the `env` by which a stand-in writes its environment down.
fn may_have_a_token(program: &str) -> bool {
    program.ends_with("/gh") || program == "env"
}

/// The processes that have the folder in their environment. A child that has not become its program yet still looks
/// like its parent, and counts as that.
fn processes(folder: &str, except: u32) -> Vec<Seen> {
    let own = std::process::id();
    let excepted = fs::read(format!("/proc/{except}/cmdline")).unwrap_or_default();
    let excepted = String::from_utf8_lossy(&excepted);
    let ids = fs::read_dir("/proc").unwrap().flatten();
    ids.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .filter(|(id, _)| *id != own && *id != except)
        .filter_map(|(_, path)| {
            let read = |name| Some(String::from_utf8_lossy(&fs::read(path.join(name)).ok()?).into_owned());
            let (arguments, environment) = (read("cmdline")?, read("environ")?);
            // One that became another program meanwhile is looked at the next time.
            (read("cmdline")? == arguments).then_some(Seen { arguments, environment })
        })
        // A process that is just becoming its program may show a part of its arguments.
        .filter(|seen| seen.arguments.ends_with('\0') && seen.arguments != excepted)
        .filter(|seen| seen.environment.contains(folder))
        .collect()
}

fn files(folder: &Path, except: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                _ if except.contains(&path) => {}
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found
}
