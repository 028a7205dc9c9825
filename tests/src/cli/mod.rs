//! Standin as a person uses it: the program, started in a clone with its `.env`, a primary and a standby in the sandbox,
//! an archive in a bare repository.
//!
//! [`World`] is what there is; [`Machine`] is where Standin runs: a state folder and an environment of its own. Every
//! token and every secret is random, so that a trace of one can be looked for anywhere.

mod beginning;
mod consent;
mod engine;
mod program;
mod words;
mod world;

pub use beginning::Beginning;
pub use program::{Machine, Ran, Running, finish};
pub use words::{chronicle, settings};
pub use world::{ARCHIVE, BACKUP, NAME, OWNER, Options, Refs, STANDBY, World, branch, commit_in, refs, set};
