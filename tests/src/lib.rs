//! What the end-to-end tests share: places to test in, real servers, and the programs under test.
//!
//! The tests themselves are in `tests/`; a promise that one crate can show alone is tested in that crate.

pub mod canary;
pub mod cli;
pub mod contained;
pub mod crash;
pub mod git;
pub mod keyring;
pub mod local;
pub mod notifications;
pub mod pair;
pub mod reader;
pub mod replay;
pub mod rooms;
pub mod scrape;
pub mod screen;
pub mod stage;
pub mod standby;
pub mod tray;
pub mod turns;
pub mod upstream;
pub mod user_systemd;
pub mod watch;
pub mod window;
pub mod zizmor;

/// What the calling test program calls a test of this module, which is its caller's `module_path!()`: programs are told by
/// that name which of their tests to run again in a process of its own.
pub fn own_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, inner)) => format!("{inner}::{test}"),
        None => test.to_owned(),
    }
}
