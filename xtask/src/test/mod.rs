//! `cargo xtask test`: every check and every test, with real git, gh, sshd, keyring and WebKit.
//!
//! A step that fails does not keep the others from being tried, unless they build on it, so that one call shows
//! everything that is wrong. All Rust steps select the whole workspace: other selections would unify features
//! differently and build the dependencies again.

mod counts;
mod times;
mod worlds;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use crate::desktop;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report, say, seconds};
use crate::setup::{self, For, Tools};
use counts::Counts;
use times::Times;
use worlds::Worlds;

/// The parts that `--only` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Format,
    Ui,
    Clippy,
    Rust,
}

impl Part {
    const ALL: [(&'static str, Self); 4] =
        [("format", Self::Format), ("ui", Self::Ui), ("clippy", Self::Clippy), ("rust", Self::Rust)];
}

/// Runs the chosen steps; exit status 0 only if all of them passed.
pub fn run(place: &Place, arguments: &[String]) -> Result<ExitCode, Failure> {
    let Choice { parts, times, for_nextest } = choice(arguments)?;
    let mut report = Report::start();
    let tools = report.must("Setup", || setup::prepare(place, For::Test))?;
    let mut results = Results::default();

    if parts.contains(&Part::Format) {
        report.step("Formatting", || Program::cargo(place).args(["fmt", "--all", "--check"]).run());
    }
    if parts.contains(&Part::Ui) {
        report.step("Frontend: check", || Program::npm(place, "ui").args(["run", "check"]).run());
        report.step("Frontend: tests", || frontend_tests(place, &mut results));
    }
    if parts.contains(&Part::Ui) {
        let is_asked_for = std::env::var_os(EXTENT).is_some() || std::env::var_os("CI").is_none();
        match (is_asked_for, tools.has_chromium()) {
            (true, true) => drop(report.step("Frontend: gallery", || gallery(place, &mut results))),
            (true, false) => say("\n── Frontend: gallery\n   left out, since there is no browser for it"),
            (false, _) => {
                say("\n── Frontend: gallery\n   left out, since CI has no time for it; STANDIN_GALLERY asks for it")
            }
        }
    }
    if parts.contains(&Part::Ui) || !place.path("ui/dist/index.html").is_file() {
        // The desktop application embeds the result, so it cannot even be checked without it.
        report.step("Frontend: build", || desktop::build_frontend(place));
    }
    if parts.contains(&Part::Clippy) {
        report.step("Clippy", || clippy(place));
    }
    if parts.contains(&Part::Rust) {
        match report.step("Rust: build", || build(place)) {
            Some(()) => every_rust_test(place, &tools, &for_nextest, &mut report, &mut results),
            None => report.skip("Rust: tests", "since the build failed"),
        }
    }

    say(&format!("\n{}\n", report.table()));
    let well = report.is_well();
    if well {
        say(&format!("All is well ({}).", seconds(report.elapsed())));
    } else {
        say(&format!("Not well: {} failed ({}).", report.failed().join(", "), seconds(report.elapsed())));
    }
    if times {
        println!("{}", results.times);
    }
    println!("{}", results.counts);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the runners wrote.
#[derive(Default)]
struct Results {
    counts: Counts,
    times: Times,
}

impl Results {
    fn add_from(&mut self, results: &Path, outcome: Result<(), Failure>) -> Result<(), Failure> {
        self.times.add_from(results);
        self.counts.add_from(results, outcome)
    }
}

struct Choice {
    parts: BTreeSet<Part>,
    /// Whether the slowest tests are shown.
    times: bool,
    for_nextest: Vec<String>,
}

fn choice(arguments: &[String]) -> Result<Choice, Failure> {
    let (mut parts, mut times) = (BTreeSet::new(), false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => {
                let names = arguments.next().ok_or_else(|| Failure::usage("`--only` wants names of steps."))?;
                for name in names.split(',') {
                    let part = Part::ALL.iter().find(|(known, _)| *known == name);
                    let known = Part::ALL.map(|(known, _)| known).join(", ");
                    let (_, part) = part
                        .ok_or_else(|| Failure::usage(format!("There is no step `{name}`; the steps are {known}.")))?;
                    parts.insert(*part);
                }
            }
            "--times" => times = true,
            "--" => break,
            other => return Err(Failure::usage(format!("`test` does not know `{other}`."))),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL.map(|(_, part)| part));
    }
    Ok(Choice { parts, times, for_nextest: arguments.cloned().collect() })
}

/// How much of the gallery is shown: `sample`, or anything else for all of it.
const EXTENT: &str = "STANDIN_GALLERY";

/// The components, one by one and together.
fn frontend_tests(place: &Place, results: &mut Results) -> Result<(), Failure> {
    vitest(place, "test", results)
}

/// Every state of the window at six widths; two sizes of text, light and dark take turns, unless all are asked for.
fn gallery(place: &Place, results: &mut Results) -> Result<(), Failure> {
    vitest(place, "gallery", results)
}

fn vitest(place: &Place, script: &str, results: &mut Results) -> Result<(), Failure> {
    let written = place.scratch(&format!("xtask/{script}.xml"));
    forget(&written);
    let extent = std::env::var_os(EXTENT).unwrap_or_else(|| "sample".into());
    let outcome = Program::npm(place, "ui")
        .env(EXTENT, extent)
        .args(["run", script, "--", "--reporter=default", "--reporter=junit"])
        .arg(format!("--outputFile.junit={}", written.display()))
        .run();
    results.add_from(&written, outcome)
}

fn clippy(place: &Place) -> Result<(), Failure> {
    Program::cargo(place).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]).run()
}

/// Programs and tests in one go: the end-to-end tests start the programs.
fn build(place: &Place) -> Result<(), Failure> {
    Program::cargo(place).args(["build", "--locked", "--workspace", "--all-targets"]).run()
}

/// The tests that rest on what git says to a listing, a fetch or a push: run with this machine's git and with the newest.
const OF_GITS_WORDS: &str = "package(standin-tests) and test(/^(git_push|git_push_http|git_trouble|git_cache|code_races|code_refused|\
                             code_fence|code_mended|code_jgit|code_default_branch|many_refs)::/)";

/// What is tried with a jq that is older than that of GitHub's runners, as machines of one's own may have it: a master that goes and
/// comes back.
const OF_AN_OLDER_JQ: &str =
    "package(standin-tests) and test(=sentinel_acts::the_whole_way_there_and_back_loses_nothing)";

/// The tests that rest on what is written to a disk and read back: the store, its files and locks, the cache of git.
const OF_THE_DISK: &str = "package(standin-state) or (package(standin-tests) and test(/^git_cache::/))";

/// How many tests cargo-nextest runs side by side.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// All Rust tests: in memory where that can be, but for those of the disk. What is asked for by name is run as asked.
fn every_rust_test(place: &Place, tools: &Tools, asked: &[String], report: &mut Report, results: &mut Results) {
    let only = |filter: String| ["-E".to_owned(), filter];
    let mut step = |name: &str, worlds: Option<&Worlds>, programs: &[Option<&Path>], extra: &[String]| {
        let programs: Vec<&Path> = programs.iter().flatten().copied().collect();
        report.step(name, || rust_tests(place, tools, worlds, &programs, extra, results));
    };
    let worlds = Worlds::in_memory(place);
    let (worlds, jq) = (worlds.as_ref(), tools.newest_jq());
    if !asked.is_empty() || worlds.is_none() {
        step("Rust: tests", worlds, &[jq], asked);
    } else {
        step("Rust: tests", worlds, &[jq], &only(format!("not ({OF_THE_DISK})")));
        step("Rust: tests of the disk", None, &[jq], &only(OF_THE_DISK.to_owned()));
    }
    if !asked.is_empty() {
        return;
    }
    if jq.is_some() {
        step("Rust: the sentinel with this machine's jq", worlds, &[], &only(OF_AN_OLDER_JQ.to_owned()));
    }
    match tools.newest_git() {
        Some(git) => step("Rust: tests with the newest git", worlds, &[Some(git), jq], &only(OF_GITS_WORDS.to_owned())),
        None => say("\n── Rust: tests with the newest git\n   left out, since it cannot be had here"),
    }
}

fn rust_tests(
    place: &Place,
    tools: &Tools,
    worlds: Option<&Worlds>,
    programs: &[&Path],
    extra: &[String],
    results: &mut Results,
) -> Result<(), Failure> {
    let written = place.scratch("nextest/ci/junit.xml");
    forget(&written);
    let mut cargo = Program::cargo(place).with_programs(programs);
    if let Some(worlds) = worlds {
        cargo = cargo.env("TMPDIR", worlds.folder());
    }
    if std::env::var_os(THREADS).is_none() {
        // Half of what most tests do is to wait for programs that they started.
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        cargo = cargo.env(THREADS, (cpus + cpus.div_ceil(2)).to_string());
    }
    let outcome = cargo
        .args(["nextest", "run", "--locked", "--workspace", "--all-targets", "--profile", "ci"])
        .args(extra)
        .envs(&tools.environment())
        .envs(&desktop::test_environment(place))
        .run();
    results.add_from(&written, outcome)
}

/// Removes the results of an earlier run, so that they are never taken for this one's.
fn forget(results: &Path) {
    if let Err(error) = std::fs::remove_file(results)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        say(&format!("   cannot remove {}: {error}", results.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<Choice, Failure> {
        choice(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_choice_everything_is_run() {
        assert_eq!(chosen(&[]).unwrap().parts.len(), Part::ALL.len());
    }

    #[test]
    fn steps_can_be_chosen_and_the_rest_goes_to_nextest() {
        let choice = chosen(&["--only", "rust,ui", "--", "-E", "test(fence)"]).unwrap();
        assert_eq!(choice.parts, BTreeSet::from([Part::Ui, Part::Rust]));
        assert_eq!(choice.for_nextest, ["-E", "test(fence)"]);
    }

    #[test]
    fn the_slowest_tests_are_shown_on_request() {
        assert!(!chosen(&["--only", "rust"]).unwrap().times);
        assert!(chosen(&["--times"]).unwrap().times);
    }

    #[test]
    fn an_unknown_step_is_refused() {
        let failure = chosen(&["--only", "rusty"]).err().unwrap().to_string();
        assert!(failure.contains("`rusty`") && failure.contains("format, ui, clippy, rust"), "{failure}");
    }
}
