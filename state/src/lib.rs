//! Standin's nouns and their memory.
//!
//! Here live the words that everything else speaks ([`model`]), the one error contract ([`error`]), the
//! configuration from `.env` and `standin.toml` ([`config`]), and what is remembered between runs
//! ([`store`], one SQLite file; [`lock`], one operating-system lock per mirror; [`files`], the JSON that
//! others may read; [`private`], what keeps others out of the state folder; [`reading`], of files that somebody else may have put there; [`drops`], what is left there by programs that have no time for a database). Nothing here talks to git, GitHub, a keychain or a terminal: that is `standin-core`,
//! the only crate that may import this one.

pub mod config;
pub mod crash_hook;
pub mod drops;
pub mod error;
pub mod files;
pub mod lock;
pub mod model;
pub mod private;
pub mod reading;
pub mod store;
