//! zizmor, which finds what is unsafe in workflow files: the tests run it over the sentinel.

use std::path::PathBuf;

use super::python::Tool;
use super::version_in;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// The oldest one that knows all that the sentinel is checked for.
const MINIMUM: [u64; 3] = [1, 20, 0];

const TOOL: Tool = Tool {
    name: "zizmor",
    package: "zizmor==1.32.0",
    by_hand: "Install zizmor from https://docs.zizmor.sh, name it in STANDIN_ZIZMOR, and try again.",
};

/// Gives the path of a zizmor that is new enough.
pub fn provide(place: &Place) -> Result<PathBuf, Failure> {
    let named = std::env::var_os("STANDIN_ZIZMOR").map(PathBuf::from);
    let own = TOOL.program(place);
    if let Some(found) = named.into_iter().chain(find("zizmor")).chain([own.clone()]).find(|one| is_good(place, one)) {
        say(&format!("   {}", found.display()));
        return Ok(found);
    }
    TOOL.install(place)?;
    if is_good(place, &own) {
        return Ok(own);
    }
    Err(Failure::new(format!("`{}` from PyPI brought no zizmor that works here.", TOOL.package), TOOL.by_hand))
}

fn is_good(place: &Place, program: &std::path::Path) -> bool {
    let version = Program::named(place, program).arg("--version").answer().and_then(|text| version_in(&text));
    version.is_some_and(|version| version.as_slice() >= MINIMUM.as_slice())
}
