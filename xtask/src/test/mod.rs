//! `cargo xtask test`: every check and every test, with real git, gh, sshd, keyring and WebKit.
//!
//! A step that fails does not keep the others from being tried, unless they build on it, so that one call shows
//! everything that is wrong. All Rust steps select the whole workspace: other selections would unify features
//! differently and build the dependencies again.

mod counts;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use crate::desktop;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report, say, seconds};
use crate::setup::{self, For, Tools};
use counts::Counts;

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
    let Choice { parts, for_nextest } = choice(arguments)?;
    let mut report = Report::start();
    let tools = report.must("Setup", || setup::prepare(place, For::Test))?;
    let mut counts = Counts::default();

    if parts.contains(&Part::Format) {
        report.step("Formatting", || Program::cargo(place).args(["fmt", "--all", "--check"]).run());
    }
    if parts.contains(&Part::Ui) {
        report.step("Frontend: check", || Program::npm(place, "ui").args(["run", "check"]).run());
        report.step("Frontend: tests", || frontend_tests(place, &mut counts));
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
            Some(()) => {
                report.step("Rust: tests", || rust_tests(place, &tools, None, &for_nextest, &mut counts));
                match tools.newest_git() {
                    _ if !for_nextest.is_empty() => {}
                    Some(git) => {
                        let words = ["-E".to_owned(), OF_GITS_WORDS.to_owned()];
                        report.step("Rust: tests with the newest git", || {
                            rust_tests(place, &tools, Some(git), &words, &mut counts)
                        });
                    }
                    None => report.skip("Rust: tests with the newest git", "since it cannot be had here"),
                }
            }
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
    println!("{counts}");
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Choice {
    parts: BTreeSet<Part>,
    for_nextest: Vec<String>,
}

fn choice(arguments: &[String]) -> Result<Choice, Failure> {
    let mut parts = BTreeSet::new();
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
            "--" => break,
            other => return Err(Failure::usage(format!("`test` does not know `{other}`."))),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL.map(|(_, part)| part));
    }
    Ok(Choice { parts, for_nextest: arguments.cloned().collect() })
}

fn frontend_tests(place: &Place, counts: &mut Counts) -> Result<(), Failure> {
    let results = place.scratch("xtask/vitest.xml");
    forget(&results);
    let outcome = Program::npm(place, "ui")
        .args(["test", "--", "--reporter=default", "--reporter=junit"])
        .arg(format!("--outputFile.junit={}", results.display()))
        .run();
    counts.add_from(&results, outcome)
}

fn clippy(place: &Place) -> Result<(), Failure> {
    Program::cargo(place).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]).run()
}

/// Programs and tests in one go: the end-to-end tests start the programs.
fn build(place: &Place) -> Result<(), Failure> {
    Program::cargo(place).args(["build", "--locked", "--workspace", "--all-targets"]).run()
}

/// The tests that rest on what git says to a listing, a fetch or a push: run with this machine's git and with the newest.
const OF_GITS_WORDS: &str = "package(standin-tests) and binary(/^(git_push|git_push_http|git_trouble|git_cache|code_races|code_refused|\
                             code_fence|code_mended|code_jgit|code_default_branch|many_refs)$/)";

fn rust_tests(
    place: &Place,
    tools: &Tools,
    newest_git: Option<&Path>,
    extra: &[String],
    counts: &mut Counts,
) -> Result<(), Failure> {
    let results = place.scratch("nextest/ci/junit.xml");
    forget(&results);
    let cargo = Program::cargo(place);
    let cargo = match newest_git {
        Some(folder) => cargo.with_programs(folder),
        None => cargo,
    };
    let outcome = cargo
        .args(["nextest", "run", "--locked", "--workspace", "--all-targets", "--profile", "ci"])
        .args(extra)
        .envs(&tools.environment())
        .envs(&desktop::test_environment(place))
        .run();
    counts.add_from(&results, outcome)
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
    fn an_unknown_step_is_refused() {
        let failure = chosen(&["--only", "rusty"]).err().unwrap().to_string();
        assert!(failure.contains("`rusty`") && failure.contains("format, ui, clippy, rust"), "{failure}");
    }
}
