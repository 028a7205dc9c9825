//! Roles: who is master, and how that changes.
//!
//! [`machine`] is the pure part: the steps of a role change and what each makes of a fence. [`who`] says who is master
//! by the fences that are known, [`direction`] which way a repository is therefore kept in step.

pub mod direction;
pub mod handback;
pub mod machine;
mod moves;
pub mod quiesce;
mod site;
pub mod state_file;
pub mod who;
pub mod words;

pub(crate) use site::check_open;
pub use site::{KIND, open_in, seen};
