//! A Chromium, for the gallery of the window's states. Where there is none and apt has none that needs no desktop, the gallery is left out.

use super::install_debian;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// As `ui/gallery/browser.ts` looks for them.
const NAMES: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
/// Debian's smallest.
const PACKAGE: &str = "chromium-headless-shell";

/// Whether there is one.
pub fn provide(place: &Place) -> Result<bool, Failure> {
    let is_there = || std::env::var_os("STANDIN_CHROMIUM").is_some() || NAMES.iter().any(|name| find(name).is_some());
    if !is_there() && Program::named(place, "apt-cache").args(["show", PACKAGE]).answer().is_some() {
        install_debian(place, &[PACKAGE])?;
    }
    say(if is_there() { "   it is there" } else { "   there is none: the gallery of the window's states is left out" });
    Ok(is_there())
}
