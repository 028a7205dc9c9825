//! Parts of the Rust toolchain beyond the compiler, and cargo-nextest.

use super::version_in;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// The oldest cargo-nextest that understands `.config/nextest.toml`.
const NEXTEST_MINIMUM: [u64; 3] = [0, 9, 90];

/// Checks the toolchain; for tests also rustfmt and clippy, which are installed where rustup can.
pub fn check(place: &Place, with_test_tools: bool) -> Result<(), Failure> {
    let version = Program::cargo(place).arg("--version").answer().unwrap_or_default();
    say(&format!("   {version}"));
    if !with_test_tools {
        return Ok(());
    }
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if Program::cargo(place).args([command, "--version"]).answer().is_some() {
            continue;
        }
        if find("rustup").is_none() {
            return Err(Failure::new(
                format!("`cargo {command}` is missing."),
                format!(
                    "Install {component} by the means that brought Rust (with rustup: rustup component add {component})."
                ),
            ));
        }
        Program::named(place, "rustup").args(["component", "add", component]).run()?;
    }
    Ok(())
}

/// Sees to it that `cargo nextest` works.
pub fn nextest(place: &Place) -> Result<(), Failure> {
    if let Some(version) = nextest_version(place) {
        if version.as_slice() >= NEXTEST_MINIMUM.as_slice() {
            say("   it is there");
            return Ok(());
        }
        say("   the installed cargo-nextest is too old");
    }
    // Without optimizations it is there in a third of the time, and tests are what takes time, not their runner.
    say("   it is compiled from crates.io, once for this checkout; that takes some minutes");
    Program::cargo(place)
        .args(["install", "cargo-nextest", "--version", "^0.9.90", "--locked", "--quiet"])
        .args(["--debug", "--config", "profile.dev.debug=false"])
        .args(["--no-default-features", "--features", "default-no-update", "--root"])
        .arg(place.tools())
        .run()
}

fn nextest_version(place: &Place) -> Option<Vec<u64>> {
    version_in(&Program::cargo(place).args(["nextest", "--version"]).answer()?)
}
