//! Real git servers, and what the tests of the git room need around them.

mod bench;
mod jgit;
mod processes;
mod recorder;
mod sshd;

pub use bench::{Bench, Over, bare, commit, refs, set_ref, update, write_hook};
pub use jgit::JGit;
pub use processes::{none_left, processes_naming};
pub use recorder::Recorder;
pub use sshd::Sshd;
