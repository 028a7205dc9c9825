//! Standin's desktop application: an adapter between the window and `standin_core::Engine`.
//!
//! [`commands`] are what the page may ask, a few lines each; [`feed`] brings what happens to the page; [`gh`] runs the gh
//! program through Tauri; [`desktop`] holds the engine, or why there is none; [`wire`] are the types that only the
//! window needs; [`window`] is the window itself. Nothing here decides anything: that is core's part.

mod arguments;
#[cfg(test)]
mod bindings;
mod commands;
mod desktop;
mod feed;
mod gh;
mod window;
pub mod wire;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;

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
    match window::run(arguments.start()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin-desktop: the window could not be opened: {error}");
            ExitCode::FAILURE
        }
    }
}
