//! A jq like that of GitHub's runners (1.7.1), for the tests of the sentinel: Debian 12 has 1.6, which takes eight times as long to
//! start, and a check starts it some twenty-five times.

use std::fs;
use std::path::{Path, PathBuf};

use super::debian::{self, NEWEST, Unpacked};
use super::version_in;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, say};

/// What GitHub's runners have at least.
const MINIMUM: [u64; 2] = [1, 7];

/// The folder of a `jq` that is new enough, to be put before `PATH`; `None` where the one on `PATH` is, or none can be had.
pub fn provide(place: &Place) -> Result<Option<PathBuf>, Failure> {
    if is_good(place, Path::new("jq")) {
        return Ok(None);
    }
    let folder = place.tools().join("newest-jq");
    let bin = folder.join("bin");
    let own = bin.join("jq");
    if is_good(place, &own) {
        return Ok(Some(bin));
    }
    let Some(mirror) = debian::mirror(place) else {
        say(
            "   there is no apt of Debian's here: the sentinel is tested with this machine's older jq, which is slower",
        );
        return Ok(None);
    };
    say(&format!("   the jq of Debian {NEWEST} goes into {}", folder.display()));
    let failed = |error| Failure::io("unpack the newest jq", error);
    let unpacked = Unpacked::fetch(place, &mirror, &folder, &["jq"], &[]).map_err(failed)??;
    fs::create_dir_all(&bin).map_err(failed)?;
    unpacked.script(&own, "", &unpacked.root.join("usr/bin/jq"), "").map_err(failed)?;
    if is_good(place, &own) {
        return Ok(Some(bin));
    }
    Err(Failure::new(
        format!("The jq of Debian {NEWEST} does not run here."),
        "Install jq 1.7 or later, and try again.",
    ))
}

fn is_good(place: &Place, jq: &Path) -> bool {
    let version = Program::named(place, jq).arg("--version").answer();
    version.and_then(|text| version_in(&text)).is_some_and(|version| version.as_slice() >= MINIMUM.as_slice())
}
