//! What the end-to-end tests share: places to test in, real servers, and the programs under test.
//!
//! The tests themselves are in `tests/`; a promise that one crate can show alone is tested in that crate.

pub mod canary;
pub mod cli;
pub mod crash;
pub mod git;
pub mod keyring;
pub mod pair;
pub mod replay;
pub mod rooms;
pub mod stage;
pub mod standby;
pub mod turns;
pub mod watch;
pub mod window;
