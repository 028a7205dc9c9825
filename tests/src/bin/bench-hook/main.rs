//! Measures what the git hook costs the user's git. Started by `cargo xtask bench hook`.
//!
//! Three repositories that are alike but for the hook: none, one that ends at once, and Standin's. The same commands in all, turn by
//! turn, so that whatever else runs slows them down alike. The best of each counts. Afterwards it is checked that the hook was there and told; otherwise the measurement counts for
//! nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Why a measurement is void.
type Failure = Box<dyn std::error::Error>;

/// What a hook may cost a command.
const LIMIT: Duration = Duration::from_millis(10);

/// The command line, understood.
struct Options {
    commands: usize,
    standin: PathBuf,
}

impl Options {
    /// Reads `--commands 200` and `--standin PROGRAM`.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { commands: 200, standin: PathBuf::new() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument.as_str() {
                "--commands" => options.commands = value()?.parse()?,
                "--standin" => options.standin = value()?.into(),
                other => return Err(format!("`bench hook` does not know `{other}`").into()),
            }
        }
        Ok(options)
    }
}

/// A folder with both repositories, and the environment of all programs.
struct Ground {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("bench-hook: a command cost more than {} ms", LIMIT.as_millis());
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("bench-hook: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let ground = Ground::new(&options.standin)?;
    println!("milliseconds, the best of {} commands each, of 1000 refs a tenth", options.commands);
    println!("{:<25} |  no hook `exit 0`  Standin     cost  of it own", "command");
    let mut is_well = true;
    let update: &[&str] = &["update-ref", "--stdin"];
    let commit: &[&str] = &["commit", "-q", "--allow-empty", "-m", "x"];
    // Of how many refs, below what; and of how many commands one is measured.
    for (name, arguments, (count, below), share) in [
        ("update-ref, a branch", update, (1, "heads/one"), 1),
        ("update-ref, not a branch", update, (1, "aside/one"), 1),
        ("update-ref, 1000 branches", update, (1000, "heads/many"), 10),
        ("update-ref, 1000 others", update, (1000, "aside/many"), 10),
        ("commit", commit, (0, ""), 1),
    ] {
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for turn in 0..(options.commands / share).max(3) {
            let tip = ["HEAD", "HEAD^"][turn % 2];
            let input: String = (0..count).map(|number| format!("update refs/{below}/{number} {tip}\n")).collect();
            for (index, repository) in ["without", "empty", "with"].into_iter().enumerate() {
                times[index].push(ground.timed(repository, arguments, &input)?);
            }
        }
        let [without, empty, with] = times.map(best);
        // What git itself takes to start any hook is no cost of this one.
        let own = with.saturating_sub(empty);
        is_well &= own <= LIMIT;
        let shown = [without, empty, with, with.saturating_sub(without), own]
            .map(|time| format!("{:>8.2}", time.as_secs_f64() * 1000.0));
        println!("{name:<25} | {}", shown.join(" "));
    }
    ground.check()?;
    Ok(is_well)
}

/// What else runs only ever adds.
fn best(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap_or_default()
}

impl Ground {
    fn new(standin: &Path) -> Result<Self, Failure> {
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
        let ground = Self { folder, environment };
        std::fs::create_dir_all(ground.folder.path().join("home/.config/standin"))?;
        for repository in ["with", "without", "empty", "mirror"] {
            ground.git(".", &["init", "-q", "-b", "main", repository])?;
            for _ in 0..2 {
                ground.git(repository, &["commit", "-q", "--allow-empty", "-m", "x"])?;
            }
        }
        let empty = ground.folder.path().join("empty/.git/hooks/reference-transaction");
        std::fs::write(&empty, "#!/bin/sh\nexit 0\n")?;
        std::fs::set_permissions(&empty, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let text = format!(
            "[[repository]]\nid = \"bench\"\nsource = {:?}\n[[repository.mirror]]\nid = \"m\"\ntype = \"git\"\nurl = {:?}\n",
            ground.folder.path().join("with"),
            ground.folder.path().join("mirror/.git"),
        );
        std::fs::write(ground.folder.path().join("home/.config/standin/standin.toml"), text)?;
        let installed = ground.command(standin, ".").args(["hook", "install"]).output()?;
        if !installed.status.success() {
            return Err(format!("the hook was not installed: {}", String::from_utf8_lossy(&installed.stderr)).into());
        }
        Ok(ground)
    }

    fn command(&self, program: &Path, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.folder.path().join(folder)).stdin(Stdio::null());
        command
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> Result<(), Failure> {
        let output = self.command(Path::new("git"), folder).args(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    fn timed(&self, repository: &str, arguments: &[&str], input: &str) -> Result<Duration, Failure> {
        let list = self.folder.path().join("input");
        std::fs::write(&list, input)?;
        let mut command = self.command(Path::new("git"), repository);
        command.args(arguments).stdin(std::fs::File::open(list)?);
        let begin = Instant::now();
        let output = command.output()?;
        let taken = begin.elapsed();
        if output.status.success() && output.stderr.is_empty() {
            return Ok(taken);
        }
        Err(format!("git {arguments:?} in {repository}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Whether what was measured is what is used.
    fn check(&self) -> Result<(), Failure> {
        let told = std::fs::read_to_string(self.folder.path().join("state/.triggers/drops/hook.bench"))?;
        if told.trim() != "refs/heads/one/0" {
            return Err(format!("the hook told of {told:?}").into());
        }
        Ok(())
    }
}
