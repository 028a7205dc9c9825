//! Where the window was and how large, from one time to the next.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use standin_core::state::{files, reading};
use tauri::{LogicalPosition, LogicalSize, WebviewWindow, Window};

/// The file, in the state folder.
const FILE: &str = "window.json";
/// Nothing of ours is larger, in bytes.
const LIMIT: usize = 4096;
/// Without a memory.
const FIRST: (f64, f64) = (1100.0, 760.0);
/// The smallest that is useful.
pub const SMALLEST: (f64, f64) = (480.0, 400.0);
/// No screen is larger; what was remembered beyond it was no size.
const LARGEST: f64 = 16_384.0;

/// In css pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    width: f64,
    height: f64,
    /// The upper left corner; the window manager finds a place where none is known.
    #[serde(default)]
    place: Option<(f64, f64)>,
    #[serde(default)]
    is_maximized: bool,
    /// Whether it was said that the program goes on in the tray.
    #[serde(default)]
    knows_the_tray: bool,
}

impl Default for Geometry {
    fn default() -> Self {
        Self { width: FIRST.0, height: FIRST.1, place: None, is_maximized: false, knows_the_tray: false }
    }
}

impl Geometry {
    /// As it was last; as at first where that is not known.
    pub fn read(state_dir: &Path) -> Self {
        let known = reading::read(&file(state_dir), LIMIT).ok();
        let known: Option<Self> = known.and_then(|text| serde_json::from_slice(&text).ok());
        known.filter(Self::is_sound).unwrap_or_default()
    }

    fn is_sound(&self) -> bool {
        let fits = |length: f64, least: f64| (least..LARGEST).contains(&length);
        let is_near = |at: f64| (-LARGEST..LARGEST).contains(&at);
        fits(self.width, SMALLEST.0)
            && fits(self.height, SMALLEST.1)
            && self.place.is_none_or(|(x, y)| is_near(x) && is_near(y))
    }

    /// How a window is now.
    fn of(window: &Window) -> tauri::Result<Self> {
        let scale = window.scale_factor()?;
        let size: LogicalSize<f64> = window.inner_size()?.to_logical(scale);
        let place: LogicalPosition<f64> = window.outer_position()?.to_logical(scale);
        let is_maximized = window.is_maximized()?;
        let (width, height, place) = (size.width, size.height, Some((place.x, place.y)));
        Ok(Self { width, height, place, is_maximized, knows_the_tray: false })
    }

    /// Remembers how a window is. A maximised one keeps the size that it had before.
    pub fn keep(state_dir: &Path, window: &Window) {
        let Ok(now) = Self::of(window) else { return };
        let known = Self::read(state_dir);
        let kept = if now.is_maximized { Self { is_maximized: true, ..known } } else { now };
        Self { knows_the_tray: known.knows_the_tray, ..kept }.write(state_dir);
    }

    fn write(&self, state_dir: &Path) {
        let Ok(text) = serde_json::to_vec(self) else { return };
        if let Err(error) = files::write_atomically(&file(state_dir), &text) {
            tracing::debug!(error = %error.message, "where the window was is not remembered");
        }
    }

    /// Whether this is the first time that the program goes on in the tray; remembered.
    pub fn is_first_in_tray(state_dir: &Path) -> bool {
        let known = Self::read(state_dir);
        if !known.knows_the_tray {
            Self { knows_the_tray: true, ..known }.write(state_dir);
        }
        !known.knows_the_tray
    }

    /// The size of its inside.
    pub fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// Puts a window where it was, as far as that is on a screen.
    pub fn put(&self, window: &WebviewWindow) -> tauri::Result<()> {
        if self.is_maximized {
            return window.maximize();
        }
        let Some((x, y)) = self.place else { return Ok(()) };
        let is_seen = window.available_monitors()?.iter().any(|monitor| {
            let scale = monitor.scale_factor();
            let at: LogicalPosition<f64> = monitor.position().to_logical(scale);
            let size: LogicalSize<f64> = monitor.size().to_logical(scale);
            // Enough of its upper edge that it can be taken hold of.
            (at.x - 50.0..at.x + size.width - 100.0).contains(&x) && (at.y..at.y + size.height - 50.0).contains(&y)
        });
        if is_seen { window.set_position(LogicalPosition::new(x, y)) } else { Ok(()) }
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_as_if_nothing_were_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(file(folder.path()), text).unwrap();
            Geometry::read(folder.path())
        };
        let known = read(r#"{"width": 900, "height": 640, "place": [20, 30], "is_maximized": false}"#);
        assert_eq!((known.size(), known.place), ((900.0, 640.0), Some((20.0, 30.0))));
        for odd in [
            "",
            "{",
            r#"{"width": 1, "height": 640}"#,
            r#"{"width": 900, "height": 1e300}"#,
            r#"{"width": 900, "height": 640, "place": [1e9, 0]}"#,
        ] {
            assert_eq!(read(odd), Geometry::default(), "{odd}");
        }
        read("{");
        assert!(Geometry::is_first_in_tray(folder.path()) && !Geometry::is_first_in_tray(folder.path()));
        std::fs::remove_file(file(folder.path())).unwrap();
        assert_eq!(Geometry::read(folder.path()), Geometry::default());
    }
}
