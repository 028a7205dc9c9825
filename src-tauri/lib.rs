//! Standin's desktop application: an adapter between the window and `standin_core::Engine`.
//!
//! [`commands`] are what the page may ask, a few lines each; [`feed`] brings what happens to the page; [`gh`] runs the gh
//! program through Tauri; [`desktop`] holds the engine, or why there is none; [`wire`] are the types that only the
//! window needs; [`window`] is the window itself, and [`geometry`] where it was. [`resident`] is the program beside its window:
//! with the icon in the tray ([`tray`], [`tray_view`], [`tray_picture`], [`tray_host`]), [`notifications`] of what changed, and
//! alone for its state folder ([`single`]); [`updates`] brings newer versions where nobody else does. Nothing here decides anything: that is core's part.

mod arguments;
mod autostart;
#[cfg(test)]
mod bindings;
mod commands;
mod desktop;
mod dialogs;
mod feed;
mod geometry;
mod gh;
#[cfg(test)]
mod ipc_tests;
mod notifications;
mod rehearsal;
mod resident;
mod single;
mod tray;
mod tray_host;
mod tray_picture;
mod tray_view;
mod typed;
mod updates;
mod window;
pub mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use standin_core::outside::{self, Clock as _, SystemClock};
use standin_core::start::{self, StartOptions};
use standin_core::state::lock;

use arguments::Arguments;
use single::{First, Started};
use window::Start;

/// Runs the program with the arguments and the environment of this process.
///
/// Exit status: 0 when the window was closed; 1 without a display or when the window cannot be opened; 2 for arguments that
/// make no sense.
pub fn main() -> ExitCode {
    if let Some(code) = standin_core::git::credential::answer_if_asked() {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap knows, and prints each where it belongs.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Err(reason) = window::display() {
        eprintln!("standin-desktop: {reason}");
        eprintln!("The window needs a graphical session. In a terminal, use `standin`.");
        return ExitCode::FAILURE;
    }
    // What Tauri would make has too little stack.
    let runtime = match start::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("standin-desktop: no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    tauri::async_runtime::set(runtime.handle().clone());
    let hidden = arguments.hidden();
    let options = arguments.start();
    let (state_dir, first) = match alone(&options) {
        Ok(Place::Ours(state_dir, first)) => (state_dir, first),
        Ok(Place::Taken(state_dir)) => {
            eprintln!(
                "standin-desktop: the window for {} is open already, and is shown as it was started",
                state_dir.display()
            );
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprintln!("standin-desktop: {reason}");
            return ExitCode::FAILURE;
        }
    };
    match window::run(Start { options, hidden, state_dir, first }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin-desktop: the window could not be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether this is the only window for its state folder.
enum Place {
    Ours(PathBuf, Option<First>),
    /// Another one is shown.
    Taken(PathBuf),
}

/// Sees to it that there is one window for a state folder.
///
/// # Errors
/// Why there is none, for a person.
fn alone(options: &StartOptions) -> Result<Place, String> {
    let environment = start::environment();
    // What is wrong with it, the window says.
    let Ok((state_dir, _)) = start::prepare(options, &environment) else {
        return Ok(Place::Ours(std::env::temp_dir(), None));
    };
    let holder = lock::holder(&format!("{} (desktop)", outside::person(&environment)), SystemClock.now());
    match tauri::async_runtime::block_on(single::start(&state_dir, &holder)) {
        Ok(Started::First(first)) => Ok(Place::Ours(state_dir, Some(first))),
        Ok(Started::Shown) => Ok(Place::Taken(state_dir)),
        Ok(Started::Silent(who)) => Err(format!(
            "another window for {} is open and does not answer ({who})\nEnd it, then start this one again.",
            state_dir.display()
        )),
        // A folder that cannot be used is told in the window.
        Err(_) => Ok(Place::Ours(state_dir, None)),
    }
}
