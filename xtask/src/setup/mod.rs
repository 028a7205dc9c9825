//! Finding out what is missing on this machine, and installing it.
//!
//! On Debian and its relatives packages come by apt ([`system`]); elsewhere the exact list is printed and the command
//! stops. What Debian has too old or not at all goes into `target/tools`, for this checkout alone: gh ([`gh`]) and
//! zizmor ([`zizmor`]) by PyPI ([`python`]), the newest git and jq ([`newest_git`], [`newest_jq`]) and the root folder of the
//! container ([`container_root`]) by way of [`debian`], cargo-nextest ([`rust`]). A Chromium shows the gallery ([`chromium`]). Frontend packages come by `npm ci` ([`node`]). What is there already costs a moment.

mod chromium;
mod container_root;
pub mod debian;
mod gh;
mod newest_git;
mod newest_jq;
mod node;
mod python;
mod rust;
mod system;
mod zizmor;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use system::install_debian;

use crate::place::Place;
use crate::report::{Failure, Report, say, seconds};

/// What the command that asks is about to do; each needs all that the ones before it need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    /// Build and use the command line.
    Terminal,
    /// Also build the desktop application.
    Window,
    /// Also run every test.
    Test,
}

/// What [`prepare`] found or installed, for the programs that need it.
pub struct Tools {
    gh: PathBuf,
    zizmor: Option<PathBuf>,
    newest_git: Option<PathBuf>,
    newest_jq: Option<PathBuf>,
    container_root: Option<PathBuf>,
    chromium: bool,
}

impl Tools {
    /// The folder of the newest git, for the tests of what git says; `None` where it cannot be had.
    pub fn newest_git(&self) -> Option<&Path> {
        self.newest_git.as_deref()
    }

    /// The folder of a jq like that of GitHub's runners, where this machine's is older.
    pub fn newest_jq(&self) -> Option<&Path> {
        self.newest_jq.as_deref()
    }

    /// Whether there is a browser for the gallery.
    pub fn has_chromium(&self) -> bool {
        self.chromium
    }

    /// Tells Standin which gh to use, and the tests which zizmor and which root folder of the container.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let gh = ("STANDIN_GH", self.gh.clone().into_os_string());
        let zizmor = self.zizmor.clone().map(|program| ("STANDIN_ZIZMOR", program.into_os_string()));
        let root = self.container_root.clone().map(|file| ("STANDIN_CONTAINER_ROOT", file.into_os_string()));
        [gh].into_iter().chain(zizmor).chain(root).collect()
    }
}

/// Sees to it that everything needed is there.
pub fn prepare(place: &Place, purpose: For) -> Result<Tools, Failure> {
    let mut report = Report::start();
    report.must("Rust", || rust::check(place, purpose == For::Test))?;
    report.must("System packages", || system::install(place, purpose))?;
    let gh = report.must("gh", || gh::provide(place))?;
    if purpose != For::Terminal {
        report.must("Node packages", || {
            node::check(place)?;
            node::install(place, "ui")?;
            if purpose == For::Test { node::install(place, "sandbox/openapi") } else { Ok(()) }
        })?;
    }
    let (mut zizmor, mut newest_git, mut newest_jq, mut container_root) = (None, None, None, None);
    let mut chromium = false;
    if purpose == For::Test {
        newest_git = report.must("The newest git", || newest_git::provide(place))?;
        newest_jq = report.must("A jq as on GitHub", || newest_jq::provide(place))?;
        container_root = report.must("The container's root folder", || container_root::provide(place))?;
        zizmor = Some(report.must("zizmor", || zizmor::provide(place))?);
        chromium = report.must("A browser for the gallery", || chromium::provide(place))?;
        report.must("cargo-nextest", || rust::nextest(place))?;
    }
    say(&format!("\nEverything needed is there ({}).", seconds(report.elapsed())));
    Ok(Tools { gh, zizmor, newest_git, newest_jq, container_root, chromium })
}

/// A version such as `2.103.3`, found anywhere in a program's answer to `--version`.
fn version_in(text: &str) -> Option<Vec<u64>> {
    text.split(|character: char| !(character.is_ascii_digit() || character == '.'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| word.contains('.'))
        .find_map(|word| word.split('.').map(|part| part.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(version_in("gh version 2.103.3 (2026-10-26)\nhttps://…"), Some(vec![2, 103, 3]));
        assert_eq!(version_in("v20.20.2"), Some(vec![20, 20, 2]));
        assert_eq!(version_in("git version 2.47.3"), Some(vec![2, 47, 3]));
        assert_eq!(version_in("nothing"), None);
        assert!(version_in("2.9.1") < version_in("2.23.0"));
    }
}
