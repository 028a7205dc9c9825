//! Starting the program, waiting for its end, hearing what it says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::consent;

/// How long a program may take before the test gives it up.
const PATIENCE: Duration = Duration::from_secs(90);

static RUNS: AtomicU32 = AtomicU32::new(0);

/// A machine with Standin on it. Clones are the same machine.
#[derive(Clone)]
pub struct Machine {
    /// The program.
    pub program: PathBuf,
    /// The current folder of what runs here.
    pub folder: PathBuf,
    /// The whole environment of what runs here.
    pub environment: BTreeMap<String, String>,
    /// Its state folder.
    pub state: PathBuf,
    /// Where the outputs of its programs are kept.
    pub said: PathBuf,
    /// Whether its user says yes to what the `.env` asks for, whatever that is.
    pub says_yes: bool,
}

/// A program that ended.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A program that runs. It is killed when dropped.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    what: String,
}

impl Machine {
    /// The same machine with another variable in its environment.
    #[must_use]
    pub fn with(&self, name: &str, value: impl AsRef<str>) -> Self {
        let mut machine = self.clone();
        machine.environment.insert(name.to_owned(), value.as_ref().to_owned());
        machine
    }

    /// The same machine, whose user said nothing yet.
    #[must_use]
    pub fn unasked(&self) -> Self {
        Self { says_yes: false, ..self.clone() }
    }

    /// The yes, where it is said.
    pub fn yes(&self, arguments: &[&str]) -> Option<(&'static str, String)> {
        if self.says_yes { consent::yes(&self.folder, &self.environment, arguments) } else { None }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).env_clear().envs(&self.environment).envs(self.yes(arguments));
        command
    }

    /// Starts `standin` with these arguments.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        Running::start(command, &self.said, &format!("standin {}", arguments.join(" ")))
    }

    /// Starts `standin` with these arguments, and gives it this on standard input.
    pub fn start_with(&self, arguments: &[&str], input: &[u8]) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command, &self.said, &format!("standin {}", arguments.join(" ")));
        // It may end before it has read everything.
        let _ = running.child.stdin.take().unwrap().write_all(input);
        running
    }

    /// Runs `standin` with these arguments and this on standard input to its end.
    pub fn standin_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        self.start_with(arguments, input).wait()
    }

    /// Runs `standin` with these arguments to its end.
    pub fn standin(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).wait()
    }

    /// Runs `standin … --json`, which must end well, and reads its one document. `status` ends as all stands and prints its
    /// document all the same.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let ran = self.standin(&all);
        let is_told = arguments.first() == Some(&"status") && matches!(ran.code(), 1 | 3);
        assert!(ran.status.success() || is_told, "standin {}: {ran:?}", all.join(" "));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }
}

impl Running {
    /// Starts a command; its outputs go to files in `folder`.
    pub fn start(mut command: Command, folder: &Path, what: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] = ["out", "err"].map(|end| folder.join(format!("{number:04}.{end}")));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        Self { child, stdout, stderr, what: what.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard output until now.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it said on standard error until now.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{} does not end:\n{}\n{}", self.what, self.stdout(), self.stderr());
            std::thread::sleep(Duration::from_millis(4));
        };
        Ran { status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

impl Ran {
    /// Its exit status; `-1` when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// All that it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Waits until `done`, or fails with `what`.
pub fn finish(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come within {} s", limit.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}
