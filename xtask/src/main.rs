//! `cargo xtask …`: what a developer, a curious visitor and the build machine type.
//!
//! Each command first sees to it that what it needs is there ([`setup`]), says what it does, times it
//! ([`report`]), and ends with a clear result and exit status. Nothing here knows how Standin works inside; the
//! commands build the programs and run them as a user would.

mod bench;
mod demo;
mod desktop;
mod package;
mod place;
mod process;
mod report;
mod setup;
mod test;

use std::process::ExitCode;

use place::Place;
use report::Failure;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo                          install what is missing, build, and show Standin at work in a sandbox
  run [-- ARGUMENTS]            build the desktop application and open it on your own configuration
  test [--only STEPS] [--times] [-- …]
                                every check and test; STEPS: format, ui, clippy, rust (comma-separated);
                                --times shows the slowest tests; what follows `--` goes to cargo-nextest
  bench sync [OPTIONS]          Standin beside the shell script that one would write instead
  bench refs [--tags N,N]       Very many refs to a mirror in a folder, beside git's own push
  bench watch [--mirrors N,N]   What `standin watch` costs at rest, and how soon a commit is at its mirrors
  bench hook [--commands N]     What the git hook costs the user's git, with and without it side by side
                                  --mirrors 1,10,50   how many mirrors
                                  --repeat N          measure N times, keep the medians
                                  --json              one line of JSON instead of the table
  screenshots                   write docs/screenshots/*.png from the real window
  package [--check]             build the .deb and the .rpm of the command line and of the window;
                                --check has them judged, installed, started, upgraded and purged
  setup                         only install what is missing
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = Place::find().and_then(|place| dispatch(&place, &arguments));
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(place: &Place, arguments: &[String]) -> Result<ExitCode, Failure> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "demo" => without_arguments(rest).and_then(|()| demo::run(place)),
        "run" => desktop::run(place, rest),
        "test" => test::run(place, rest),
        "bench" => bench::run(place, rest),
        "screenshots" => without_arguments(rest).and_then(|()| desktop::screenshots(place)),
        "package" => package::run(place, rest),
        "setup" => without_arguments(rest).and_then(|()| {
            setup::prepare(place, setup::For::Test)?;
            Ok(ExitCode::SUCCESS)
        }),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::usage(format!("There is no command `{other}`."))),
    }
}

fn without_arguments(rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        Some(extra) => Err(Failure::usage(format!("`{extra}` is not expected here."))),
        None => Ok(()),
    }
}
