//! The desktop application: building, opening, and its screenshots.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report, say, seconds};
use crate::setup::{self, For};

/// Where the screenshots of the README live.
const SCREENSHOTS: &str = "docs/screenshots";

/// True if a window can be opened here.
pub fn has_display() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Builds the frontend, which the desktop application embeds.
pub fn build_frontend(place: &Place) -> Result<(), Failure> {
    Program::npm(place, "ui").args(["run", "build"]).run()
}

/// What the end-to-end tests need to know.
pub fn test_environment(place: &Place) -> Vec<(&'static str, OsString)> {
    vec![("STANDIN_DESKTOP_BIN", place.built("debug/standin-desktop").into_os_string())]
}

/// Opens the window on the user's own configuration and waits until it is closed.
pub fn run(place: &Place, arguments: &[String]) -> Result<ExitCode, Failure> {
    let arguments = match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    };
    if !has_display() {
        return Err(Failure::new(
            "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "In a terminal, use `cargo run -p standin-cli -- status`.",
        ));
    }
    let mut report = Report::start();
    let tools = report.must("Setup", || setup::prepare(place, For::Window))?;
    report.must("Build", || {
        build_frontend(place)?;
        Program::cargo(place).args(["build", "--locked", "-p", "standin-desktop"]).run()
    })?;
    say(&format!("\nReady in {}. Opening Standin …", seconds(report.elapsed())));
    let window = Program::named(place, place.built("debug/standin-desktop")).args(arguments);
    let status = window.envs(&tools.environment()).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has the real-window test photograph the window in every size and theme.
pub fn screenshots(place: &Place) -> Result<ExitCode, Failure> {
    let folder = place.path(SCREENSHOTS);
    let mut report = Report::start();
    let tools = report.must("Setup", || setup::prepare(place, For::Test))?;
    report.must("Build", || {
        build_frontend(place)?;
        Program::cargo(place).args(["build", "--locked", "--workspace", "--all-targets"]).run()
    })?;
    report.must("Screenshots", || {
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io("make the folder for screenshots", error))?;
        Program::cargo(place)
            .args(["nextest", "run", "--locked", "--workspace", "--all-targets", "--profile", "ci"])
            .args(["-E", "package(standin-tests) and test(/^window.*screenshot/)"])
            .env("STANDIN_SCREENSHOTS", &folder)
            .envs(&tools.environment())
            .envs(&test_environment(place))
            .run()
    })?;
    say(&format!("\n{}\n", report.table()));
    for picture in files_of(&folder) {
        println!("{}", picture.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn files_of(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
