//! One source, synced by git and by Standin, and what each took.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::source::{self, Shape};

/// What was measured of one source.
pub struct Row {
    program: PathBuf,
    shape: Shape,
    tags: usize,
    git: Duration,
    standin: Duration,
    list: Duration,
    unchanged: Duration,
    peak: u64,
}

impl Row {
    /// The heads of the columns. Times are seconds; memory is the highest of Standin's own process, in MB.
    pub const HEAD: &str = "      tags shape      |      git  standin  ratio | ls-remote unchanged |  MB | program";
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [git, standin, list, unchanged] =
            [self.git, self.standin, self.list, self.unchanged].map(|time| time.as_secs_f64());
        write!(
            formatter,
            "{:>10} {:<10} | {git:>8.2} {standin:>8.2} {:>5.1}x | {list:>9.2} {unchanged:>9.2} | {:>3} | {}",
            self.tags,
            self.shape,
            standin / git,
            self.peak / 1_000_000,
            self.program.display()
        )
    }
}

/// Measures a first sync and one with nothing to do.
pub fn measure(program: &Path, shape: Shape, tags: usize) -> Result<Row, Failure> {
    let folder = tempfile::Builder::new().prefix("standin-bench-").tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let (project, mirror, plain) = (at("project"), at("mirror.git"), at("plain.git"));
    source::create(&project, shape, tags)?;
    std::fs::create_dir(at("home"))?;
    for bare in [&mirror, &plain] {
        git2::Repository::init_bare(bare)?;
    }
    let env = format!("MIRROR_ENABLED=true\nMIRROR_1_TYPE=git\nMIRROR_1_REPO={}\n", mirror.display());
    std::fs::write(project.join(".env"), env)?;

    let git = |arguments: &[&str], target: &Path| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&project).args(arguments).arg(target);
        timed(command, &at("home"))
    };
    let standin = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg("--state-dir").arg(at("state")).args(arguments).current_dir(&project);
        timed(command, &at("home"))
    };
    standin(&["allow", "--yes"])?;
    let (by_git, _) = git(&["push", "--quiet", "--mirror", "--atomic"], &plain)?;
    let (first, peak) = standin(&["sync"])?;
    let expected = tags + 2;
    let found = git2::Repository::open_bare(&mirror)?.references()?.count();
    if found != expected {
        return Err(format!("the mirror has {found} refs, not {expected}").into());
    }
    let (list, _) = git(&["ls-remote"], &mirror)?;
    let (unchanged, peak_unchanged) = standin(&["sync"])?;
    let peak = peak.max(peak_unchanged);
    Ok(Row { program: program.to_owned(), shape, tags, git: by_git, standin: first, list, unchanged, peak })
}

/// Runs a program to its end: how long it took, and its highest use of memory in bytes, without its children's.
fn timed(mut command: Command, home: &Path) -> Result<(Duration, u64), Failure> {
    command.env_clear().env("HOME", home).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = home.join("output.txt");
    let file = std::fs::File::create(&output)?;
    command.stdout(file.try_clone()?).stderr(file).process_group(0);
    let name = command.get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("`{name}` could not be started: {error}"))?;
    let mut peak = 0;
    let status = loop {
        // The kernel keeps the highest; it is gone with the process.
        peak = peak_of(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let took = began.elapsed();
    if status.success() {
        return Ok((took, peak));
    }
    Err(format!("`{name}` failed ({status}) after {took:?}. It said:\n{}", std::fs::read_to_string(output)?).into())
}

/// `VmHWM` of a process, in bytes; `None` where the system does not tell.
fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
