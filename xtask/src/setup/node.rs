//! Node and the packages of the frontend and of the sandbox's checks.

use super::version_in;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, say};

/// The oldest Node that the frontend's tools run on.
const MINIMUM: [u64; 2] = [20, 19];

/// A copy of the lock file that `node_modules` was installed from. `npm ci` empties the folder first, so an
/// interrupted install leaves none.
const STAMP: &str = "node_modules/.installed-from.json";

/// Checks that Node is there and new enough.
pub fn check(place: &Place) -> Result<(), Failure> {
    let version = Program::named(place, "node").arg("--version").answer();
    match version.as_deref().and_then(version_in) {
        Some(found) if found.as_slice() >= MINIMUM.as_slice() => {
            say(&format!("   Node {}", version.unwrap_or_default()));
            Ok(())
        }
        _ => Err(Failure::new(
            format!(
                "Node {}.{} or later is needed; found: {}.",
                MINIMUM[0],
                MINIMUM[1],
                version.as_deref().unwrap_or("none")
            ),
            "Install it from https://nodejs.org or by your system's package manager.",
        )),
    }
}

/// Installs the packages of one folder if its lock file is not the one that they came from.
pub fn install(place: &Place, folder: &str) -> Result<(), Failure> {
    let lock = place.path(folder).join("package-lock.json");
    let wanted = std::fs::read(&lock).map_err(|error| Failure::io(&format!("read {}", lock.display()), error))?;
    let stamp = place.path(folder).join(STAMP);
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        say(&format!("   {folder}: up to date"));
        return Ok(());
    }
    Program::npm(place, folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).run()?;
    std::fs::write(&stamp, wanted).map_err(|error| Failure::io(&format!("write {}", stamp.display()), error))
}
