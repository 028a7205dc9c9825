//! Measures `standin watch`: what it costs while nothing happens, and how soon a commit is at its mirrors. Started by
//! `cargo xtask bench watch`.
//!
//! Beside it, in the same run, goes what one would write instead: a shell loop of `git fetch` and `git push --mirror` every minute.
//! How long the syncs themselves take is known from the history, and taken off: what is left is how long they waited to begin.

mod ground;
mod hosted;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ground::{Cost, Ground};

/// Why a measurement is void.
pub type Failure = Box<dyn std::error::Error>;

/// What it may cost at rest, as a share of a core, and in memory, with 50 mirrors.
const IDLE: f64 = 0.002;
const MEMORY: u64 = 40 * 1024 * 1024;
/// How long a sync may wait from a commit in a folder, and from a webhook.
const FROM_COMMIT: Duration = Duration::from_millis(1_000);
const FROM_WEBHOOK: Duration = Duration::from_millis(300);

/// The command line, understood.
struct Options {
    mirrors: Vec<usize>,
    seconds: u64,
    commits: usize,
    standin: PathBuf,
}

impl Options {
    /// Reads `--mirrors 1,50`, `--seconds 60`, `--commits 10` and `--standin PROGRAM`.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { mirrors: vec![1, 50], seconds: 65, commits: 10, standin: PathBuf::new() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument.as_str() {
                "--mirrors" => options.mirrors = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--seconds" => options.seconds = value()?.parse()?,
                "--commits" => options.commits = value()?.parse()?,
                "--standin" => options.standin = value()?.into(),
                other => return Err(format!("`bench watch` does not know `{other}`").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("bench-watch: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut is_well = true;
    println!("at rest for {} seconds; the loop wakes once a minute", options.seconds);
    println!(
        "{:<24} | {:>14} {:>9} | {:>21}",
        "mirrors in folders", "share of a core", "memory", "commit until in step"
    );
    for count in &options.mirrors {
        let ground = Ground::new(&options.standin, *count)?;
        let (watch, waits) = of_watch(&ground, &options)?;
        let looped = of_loop(&ground, &options)?;
        let worst = waits.iter().max().copied().unwrap_or_default();
        shown(&format!("{count}, standin watch"), &watch, &format!("{} ms beyond the sync", worst.as_millis()));
        shown(&format!("{count}, shell loop"), &looped, "up to 60 s beyond it");
        is_well &= worst <= FROM_COMMIT && (*count > 50 || watch.share <= IDLE && watch.memory <= MEMORY);
    }
    let hosted = hosted::measured(&options.standin, options.commits)?;
    println!(
        "from a webhook: {} ms beyond the sync; {} looks at a source on GitHub: {} of their {} requests counted",
        hosted.waited.as_millis(),
        hosted.looks,
        hosted.counted,
        hosted.requests
    );
    is_well &= hosted.waited <= FROM_WEBHOOK;
    if !is_well {
        eprintln!(
            "bench-watch: an aim is missed: {} % of a core, {} MB, {} ms from a commit, {} ms from a webhook",
            IDLE * 100.0,
            MEMORY / 1024 / 1024,
            FROM_COMMIT.as_millis(),
            FROM_WEBHOOK.as_millis()
        );
    }
    Ok(is_well)
}

fn shown(what: &str, cost: &Cost, until: &str) {
    let memory = format!("{:.1} MB", cost.memory as f64 / 1024.0 / 1024.0);
    println!("{what:<24} | {:>12.3} % {memory:>10} | {until:>22}", cost.share * 100.0);
}

/// The cost at rest, and how long each commit waited for its sync.
fn of_watch(ground: &Ground, options: &Options) -> Result<(Cost, Vec<Duration>), Failure> {
    let watch = ground.watch()?;
    ground.in_step(Duration::from_secs(300))?;
    // The looks that follow a start are no rest.
    std::thread::sleep(Duration::from_secs(5));
    let cost = watch.cost(Duration::from_secs(options.seconds))?;
    let mut waits = Vec::new();
    for _ in 0..options.commits {
        ground.commit()?;
        let begun = Instant::now();
        ground.in_step(Duration::from_secs(60))?;
        let whole = begun.elapsed();
        // Its runs are written down a moment after the refs moved.
        std::thread::sleep(Duration::from_millis(300));
        waits.push(whole.saturating_sub(ground.longest_run()?));
    }
    watch.end()?;
    Ok((cost, waits))
}

/// The cost of the loop: of one round a minute, and of the shell that sleeps in between.
fn of_loop(ground: &Ground, options: &Options) -> Result<Cost, Failure> {
    let running = ground.shell_loop()?;
    let cost = running.cost(Duration::from_secs(options.seconds.max(60)));
    running.end()?;
    cost
}
