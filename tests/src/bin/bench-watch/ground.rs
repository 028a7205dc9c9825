//! A source and its mirrors in folders, and the programs that keep them in step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// The source, its mirrors, and the environment of all programs.
pub struct Ground {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    standin: PathBuf,
    mirrors: usize,
}

/// What a program cost.
pub struct Cost {
    /// Processor time, its own and that of what it started, as a share of a core.
    pub share: f64,
    /// The memory that is its own, in bytes.
    pub memory: u64,
}

/// A program that runs until it is ended.
pub struct Running {
    child: Child,
}

impl Ground {
    /// A source with two commits, and so many empty mirrors.
    pub fn new(standin: &Path, mirrors: usize) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("standin-bench-").tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut environment = BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("XDG_CONFIG_HOME".to_owned(), path("home/.config")),
            ("STANDIN_STATE_DIR".to_owned(), path("state")),
            ("PATH".to_owned(), std::env::var("PATH")?),
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()),
        ]);
        for who in ["AUTHOR", "COMMITTER"] {
            environment.insert(format!("GIT_{who}_NAME"), "Ada".to_owned());
            environment.insert(format!("GIT_{who}_EMAIL"), "ada@example.com".to_owned());
        }
        let ground = Self { folder, environment, standin: standin.to_owned(), mirrors };
        fs::create_dir_all(ground.path("home/.config/standin"))?;
        ground.git(".", &["init", "-q", "-b", "main", "source"])?;
        ground.commit()?;
        let mut text = format!("[[repository]]\nid = \"bench\"\nsource = {:?}\n", ground.path("source"));
        for mirror in ground.mirrors() {
            ground.git(".", &["init", "-q", "--bare", "-b", "main", &mirror])?;
            let url = ground.path(&mirror);
            text.push_str(&format!("[[repository.mirror]]\nid = \"{mirror}\"\ntype = \"git\"\nurl = {url:?}\n"));
        }
        fs::write(ground.path("home/.config/standin/standin.toml"), text)?;
        Ok(ground)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mirrors(&self) -> impl Iterator<Item = String> {
        (0..self.mirrors).map(|number| format!("m{number}"))
    }

    fn command(&self, program: &Path, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.path(folder)).stdin(Stdio::null());
        command
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.command(Path::new("git"), folder).args(arguments).output()?;
        if !output.status.success() {
            return Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A commit in the source.
    pub fn commit(&self) -> Result<(), Failure> {
        self.git("source", &["commit", "-q", "--allow-empty", "-m", "x"]).map(drop)
    }

    /// Waits until all mirrors have the source's `main`.
    pub fn in_step(&self, limit: Duration) -> Result<(), Failure> {
        let tip = self.git("source", &["rev-parse", "main"])?;
        let deadline = Instant::now() + limit;
        for mirror in self.mirrors() {
            let file = self.path(&mirror).join("refs/heads/main");
            while fs::read_to_string(&file).map_or(true, |there| there.trim() != tip) {
                if Instant::now() > deadline {
                    return Err(format!("{mirror} is not in step after {} s", limit.as_secs()).into());
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// How long the last sync took, from the start of its first run to the end of its last.
    pub fn longest_run(&self) -> Result<Duration, Failure> {
        let limit = self.mirrors.to_string();
        let output = self.command(&self.standin, ".").args(["history", "--json", "--limit", &limit]).output()?;
        let runs: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
        let time = |run: &serde_json::Value, key: &str| -> Option<jiff::Timestamp> { run[key].as_str()?.parse().ok() };
        let begun = runs.iter().filter_map(|run| time(run, "started_iso")).min().ok_or("there is no run")?;
        let ended = runs.iter().filter_map(|run| time(run, "finished_iso")).max().ok_or("no run ended")?;
        Ok(ended.duration_since(begun).unsigned_abs())
    }

    /// `standin watch`
    pub fn watch(&self) -> Result<Running, Failure> {
        let mut command = self.command(&self.standin, ".");
        command.arg("watch").stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Running { child: command.spawn()? })
    }

    /// What one would write instead.
    pub fn shell_loop(&self) -> Result<Running, Failure> {
        let mirrors: Vec<String> = self.mirrors().map(|mirror| format!("../{mirror}")).collect();
        let script = format!(
            "git clone -q --mirror ../source ../loop && cd ../loop\nwhile :; do\n  git fetch -q --prune\n  for m in {}; do git push -q --mirror $m; done\n  sleep 60\ndone\n",
            mirrors.join(" ")
        );
        let mut command = self.command(Path::new("sh"), "source");
        command.args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let running = Running { child: command.spawn()? };
        // Its first round is no rest.
        std::thread::sleep(Duration::from_secs(2));
        Ok(running)
    }
}

impl Running {
    /// Measures it, with all that it started and waited for.
    pub fn cost(&self, time: Duration) -> Result<Cost, Failure> {
        let (begun, before) = (Instant::now(), self.ticks()?);
        std::thread::sleep(time);
        let ticks = self.ticks()?.saturating_sub(before);
        let seconds = ticks as f64 / nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:")).ok_or("no memory is told")?;
        let memory: u64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
        Ok(Cost { share: seconds / begun.elapsed().as_secs_f64(), memory: memory * 1024 })
    }

    fn ticks(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        // utime, stime, and those of children that were waited for.
        Ok(fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum())
    }

    /// Its process.
    pub fn of(child: Child) -> Self {
        Self { child }
    }

    /// Ends it, as a service manager does.
    pub fn end(mut self) -> Result<(), Failure> {
        self.signal();
        let ended = self.child.wait()?;
        match ended.code() {
            Some(0) | None => Ok(()),
            Some(code) => Err(format!("it ended with {code}").into()),
        }
    }

    fn signal(&self) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let id = nix::unistd::Pid::from_raw(id);
            // The loop heads a group; of a program that does not there is none of this name.
            let _ = nix::sys::signal::killpg(id, nix::sys::signal::Signal::SIGTERM);
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal();
        let _ = self.child.wait();
    }
}
