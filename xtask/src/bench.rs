//! `cargo xtask bench …`: measuring. The measuring program itself is in the tests' package.

use std::process::ExitCode;

use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report};
use crate::setup::{self, For};

/// Builds both in release and measures; the options go to the measuring program.
pub fn run(place: &Place, arguments: &[String]) -> Result<ExitCode, Failure> {
    let (program, options) = match arguments.split_first().map(|(what, options)| (what.as_str(), options)) {
        Some(("sync", options)) => ("bench-sync", options),
        Some(("refs", options)) => ("bench-refs", options),
        Some(("pull", options)) => ("bench-pull", options),
        Some(("hook", options)) => ("bench-hook", options),
        Some(("watch", options)) => ("bench-watch", options),
        _ => {
            return Err(Failure::usage(
                "`bench` wants to know what to measure: `cargo xtask bench sync`, `refs`, `pull`, `hook` or `watch`.",
            ));
        }
    };
    let mut report = Report::start();
    let tools = report.must("Setup", || setup::prepare(place, For::Terminal))?;
    report.must("Build", || {
        // Apart from each other: what is measured is built as it is shipped, without the tests' features.
        Program::cargo(place).args(["build", "--locked", "--release", "-p", "standin-cli"]).run()?;
        let bench = ["-p", "standin-tests", "--bin", program];
        Program::cargo(place).args(["build", "--locked", "--release"]).args(bench).run()
    })?;
    let status = Program::named(place, place.built(&format!("release/{program}")))
        .arg("--standin")
        .arg(place.built("release/standin"))
        .args(options)
        .envs(&tools.environment())
        .status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
