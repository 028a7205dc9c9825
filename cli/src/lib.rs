//! Standin on the command line: for terminals, cron and containers.
//!
//! An adapter and nothing more. [`arguments`] says what can be typed; each file in [`commands`] is one command, a few
//! lines around one call of `standin_core::Engine`; [`output`] turns results and events into text or JSON. Exit
//! status: 0 all well; 1 something failed; 2 usage or configuration; 3 a decision is needed.
//!
//! [`demo`] and [`drill`] have stories of their own, run against `standin-sandbox` in the room [`rehearsal`]: the main job
//! and a fail-over, and a fail-over of the user's own configuration.

// They panic where nobody reads any more; `output::lines` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod commands;
#[cfg(unix)]
mod demo;
mod drill;
#[cfg(test)]
mod hints;
mod output;
#[cfg(unix)]
mod rehearsal;
mod signals;
mod start;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use arguments::Arguments;
use output::Exit;

/// How long work on other threads may take to its end when the program ends.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs the program with the arguments and the environment of this process.
pub fn main() -> ExitCode {
    if let Some(code) = standin_core::git::credential::answer_if_asked() {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap knows, and prints each where it belongs.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Well.into() };
        }
    };
    start::log();
    let runtime = match standin_core::start::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::lines::complain(&format!("standin: the operating system gave no threads: {error}"));
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(commands::run(arguments));
    // Whatever waits on a thread of its own for somebody who does not answer is not waited for.
    runtime.shutdown_timeout(LAST_WORK);
    exit.into()
}
