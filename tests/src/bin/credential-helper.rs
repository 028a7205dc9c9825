//! A program that is nothing but git's credential helper: what the first line of every `main` of Standin does.

use std::process::ExitCode;

fn main() -> ExitCode {
    standin_core::git::credential::answer_if_asked().unwrap_or(ExitCode::FAILURE)
}
