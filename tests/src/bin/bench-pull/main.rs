//! Measures the pull of an upstream beside what plain git takes for the same. Started by `cargo xtask bench pull`.
//!
//! Two upstreams, served by git itself through the `file` transport: many objects behind few refs, and many refs. Of each: the first
//! pull beside `git clone --mirror`, then one with nothing to do beside `git fetch --prune` in that clone. After each it is
//! checked that the copy has every ref; otherwise the measurement counts for nothing.

mod upstream;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Why a measurement is void.
type Failure = Box<dyn std::error::Error>;

/// How often each is measured; the best counts, since what else runs only ever adds.
const TIMES: usize = 3;

/// The command line, understood.
struct Options {
    objects: usize,
    refs: usize,
    standin: PathBuf,
}

impl Options {
    /// Reads `--objects 80000`, `--refs 20000` and `--standin PROGRAM`.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { objects: 80_000, refs: 20_000, standin: PathBuf::new() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument.as_str() {
                "--objects" => options.objects = value()?.parse()?,
                "--refs" => options.refs = value()?.parse()?,
                "--standin" => options.standin = value()?.into(),
                other => return Err(format!("`bench pull` does not know `{other}`").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-pull: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    println!("{:<16} |    clone  standin   ratio |    fetch unchanged  ratio   (seconds)", "upstream");
    for (name, objects, refs) in [("many objects", options.objects, 20), ("many refs", options.refs / 4, options.refs)]
    {
        let folder = tempfile::Builder::new().prefix("standin-bench-").tempdir()?;
        let upstream = folder.path().join("upstream.git");
        upstream::create(&upstream, objects, refs)?;
        let mut best: Option<[f64; 4]> = None;
        for time in 0..TIMES {
            let taken = measure(&options.standin, folder.path(), &upstream, time)?.map(|took| took.as_secs_f64());
            best = Some(best.map_or(taken, |best| std::array::from_fn(|column| best[column].min(taken[column]))));
        }
        let [clone, first, fetch, unchanged] = best.unwrap_or_default();
        println!(
            "{name:<16} | {clone:>8.3} {first:>8.3} {:>5.2}x | {fetch:>8.3} {unchanged:>9.3} {:>5.2}x",
            first / clone,
            unchanged / fetch
        );
    }
    Ok(())
}

/// `git clone --mirror`, the first pull, `git fetch --prune`, a pull with nothing to do.
fn measure(program: &Path, folder: &Path, upstream: &Path, time: usize) -> Result<[Duration; 4], Failure> {
    let round = folder.join(format!("round-{time}"));
    std::fs::create_dir(&round)?;
    let (plain, state, home) = (round.join("plain.git"), round.join("state"), round.join("home"));
    std::fs::create_dir(&home)?;
    // As from another machine: no hard links of objects.
    let url = format!("file://{}", upstream.display());
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments);
        timed(command, &home)
    };
    let config = round.join("standin.toml");
    std::fs::write(
        &config,
        format!(
            "[[repository]]\nid = \"bench\"\nsource = \"{}\"\n[[repository.mirror]]\nid = \"copy\"\ntype = \"pull\"\n",
            upstream.display()
        ),
    )?;
    let standin = || {
        let mut command = Command::new(program);
        command.arg("--state-dir").arg(&state).arg("--config").arg(&config).arg("sync").current_dir(&home);
        timed(command, &home)
    };
    let text = plain.to_string_lossy();
    // What git waits for at the end of each is the disk, as Standin does.
    let durable = ["-c", "core.fsync=all", "-c", "gc.auto=0"];
    let clone = git(&[&durable[..], &["clone", "--quiet", "--mirror", &url, &text]].concat())?;
    let first = standin()?;
    let fetch = git(&[&["-C", &text], &durable[..], &["fetch", "--quiet", "--prune"]].concat())?;
    let unchanged = standin()?;
    let count =
        |path: &Path| -> Result<usize, Failure> { Ok(git2::Repository::open_bare(path)?.references()?.count()) };
    let (kept, expected) = (count(&state.join("bench/pull/copy.git"))?, count(upstream)?);
    if kept != expected {
        return Err(format!("the copy has {kept} refs, not {expected}").into());
    }
    std::fs::remove_dir_all(&round)?;
    Ok([clone, first, fetch, unchanged])
}

/// Runs a program to its end: how long it took.
fn timed(mut command: Command, home: &Path) -> Result<Duration, Failure> {
    command.env_clear().env("HOME", home).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let output = command.output().map_err(|error| format!("`{name}` could not be started: {error}"))?;
    let took = began.elapsed();
    match output.status.success() {
        true => Ok(took),
        false => Err(format!(
            "`{name}` failed ({}) after {took:?}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
        .into()),
    }
}
