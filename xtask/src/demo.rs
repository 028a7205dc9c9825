//! `cargo xtask demo`: Standin at work in a sandbox, from nothing to a checked result.

use std::process::ExitCode;

use crate::desktop;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report, say, seconds};
use crate::setup::{self, For};

/// Installs what is missing, builds, and runs the command line's own demo; with a display, its window too.
pub fn run(place: &Place) -> Result<ExitCode, Failure> {
    let display = desktop::has_display();
    let mut report = Report::start();
    let purpose = if display { For::Window } else { For::Terminal };
    let tools = report.must("Setup", || setup::prepare(place, purpose))?;
    if display {
        report.must("Build", || {
            desktop::build_frontend(place)?;
            Program::cargo(place).args(["build", "--locked", "-p", "standin-cli", "-p", "standin-desktop"]).run()
        })?;
    } else {
        report.must("Build", || Program::cargo(place).args(["build", "--locked", "-p", "standin-cli"]).run())?;
    }
    let outcome = report.step("Demo", || {
        let demo = Program::named(place, place.built("debug/standin")).arg("demo").envs(&tools.environment());
        if display { demo.arg("--window").arg(place.built("debug/standin-desktop")).run() } else { demo.run() }
    });
    say(&format!("\n{}\n", report.table()));
    let time = seconds(report.elapsed());
    if outcome.is_some() {
        say(&format!("The demo passed: everything that it claims was checked ({time})."));
        Ok(ExitCode::SUCCESS)
    } else {
        say(&format!("The demo FAILED ({time})."));
        Ok(ExitCode::FAILURE)
    }
}
