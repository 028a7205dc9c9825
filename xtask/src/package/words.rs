//! What both kinds of package say.

use std::fs;

use crate::place::Place;
use crate::process::Program;
use crate::report::Failure;

/// Who answers for the packages.
pub const MAINTAINER: &str = "The Standin authors <packages@standin.app>";
/// Where Standin lives.
pub const HOMEPAGE: &str = "https://github.com/standin-app/standin";
/// The name under which desktops know Standin, as in `tauri.conf.json`.
pub const IDENTIFIER: &str = "app.standin.desktop";
/// The oldest git that Standin works with, as core checks it.
pub const GIT: &str = "2.36";
/// The oldest gh that Standin works with, as core checks it.
pub const GH: &str = "2.32.0";
/// Nothing links to it, so nothing finds out by itself that the tray needs it.
pub const TRAY_DEBIAN: &str = "libayatana-appindicator3-1";
/// The same, by the name that every distribution of .rpm knows.
pub const TRAY_LIBRARY: &str = "libayatana-appindicator3.so.1()(64bit)";

/// Debian's changelog, from which the packages have their version.
const CHANGELOG: &str = "packaging/linux/changelog";

/// One of the two packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    CommandLine,
    Desktop,
}

impl Which {
    pub const ALL: [Self; 2] = [Self::CommandLine, Self::Desktop];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "standin-cli",
            Self::Desktop => "standin",
        }
    }

    /// The program that it brings.
    pub fn program(self) -> &'static str {
        match self {
            Self::CommandLine => "standin",
            Self::Desktop => "standin-desktop",
        }
    }

    /// One line, without a full stop, as both kinds of package want it.
    pub fn summary(self) -> &'static str {
        match self {
            Self::CommandLine => "keeps standbys of a GitHub repository ready (command line)",
            Self::Desktop => "keeps standbys of a GitHub repository ready (desktop)",
        }
    }

    /// Paragraphs of lines.
    pub fn description(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::CommandLine => &[
                WHAT_IT_DOES,
                &["This is the command line, for terminals, servers, cron and", "containers. It needs no display."],
            ],
            Self::Desktop => &[
                WHAT_IT_DOES,
                &[
                    "This is the desktop application, with a window and an icon in the",
                    "tray. The command line comes with it.",
                ],
            ],
        }
    }
}

const WHAT_IT_DOES: &[&str] = &[
    "Standin keeps a standby of a GitHub repository ready to take over:",
    "branches and tags, Actions secrets, Actions variables, and workflows",
    "that stay switched off until they are needed. It makes a standby the",
    "master when the master is gone, and hands back when it returns.",
];

/// What is packed: which version, when.
pub struct Release {
    /// As the workspace has it: `0.1.0`.
    pub version: String,
    /// Which packing of it: `1`.
    pub revision: String,
    /// The time of the last commit, in seconds since 1970: the same checkout gives the same packages.
    pub seconds: String,
}

impl Release {
    /// Reads it from the changelog, and sees to it that all say the same version.
    pub fn read(place: &Place) -> Result<Self, Failure> {
        let read = |path: &str| {
            fs::read_to_string(place.path(path)).map_err(|error| Failure::io(&format!("read {path}"), error))
        };
        let (version, revision) = version_of(&read(CHANGELOG)?).ok_or_else(|| {
            Failure::new(
                format!("{CHANGELOG} does not begin with a version."),
                "Its first line is `standin (0.1.0-1) …`.",
            )
        })?;
        let quoted = format!("\"{version}\"");
        for (path, line) in [
            ("Cargo.toml", format!("\nversion = {quoted}\n")),
            ("tauri.conf.json", format!("\"version\": {quoted}")),
            ("packaging/linux/app.standin.desktop.metainfo.xml", format!("<release version={quoted}")),
        ] {
            if !read(path)?.contains(&line) {
                return Err(Failure::new(
                    format!("{path} does not say version {version}, which {CHANGELOG} begins with."),
                    "Write the same version into both.",
                ));
            }
        }
        let seconds = std::env::var("SOURCE_DATE_EPOCH").ok();
        let seconds = seconds.or_else(|| Program::named(place, "git").args(["log", "-1", "--format=%ct"]).answer());
        let seconds = seconds.filter(|text| text.parse::<u64>().is_ok()).ok_or_else(|| {
            Failure::new("The time of the last commit cannot be read.", "Set SOURCE_DATE_EPOCH to seconds since 1970.")
        })?;
        Ok(Self { version, revision, seconds })
    }

    /// `0.1.0-1`
    pub fn full(&self) -> String {
        format!("{}-{}", self.version, self.revision)
    }
}

fn version_of(changelog: &str) -> Option<(String, String)> {
    let (_, rest) = changelog.split_once('(')?;
    let (version, revision) = rest.split_once(')')?.0.split_once('-')?;
    Some((version.to_owned(), revision.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_begins_with_the_version() {
        let text = "standin (0.12.0-3) unstable; urgency=medium\n\n  * A (B-1).\n";
        assert_eq!(version_of(text), Some(("0.12.0".to_owned(), "3".to_owned())));
        assert_eq!(version_of("standin 0.12.0"), None);
    }

    #[test]
    fn this_checkout_says_one_version() {
        assert!(Release::read(&Place::find().unwrap()).is_ok());
    }

    #[test]
    fn descriptions_fit_into_a_terminal() {
        for which in Which::ALL {
            assert!(which.summary().len() <= 60, "{}", which.summary());
            assert!(which.description().iter().copied().flatten().all(|line| line.len() <= 74));
        }
    }
}
