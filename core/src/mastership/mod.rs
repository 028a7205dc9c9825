//! Who is master, and what follows from it: the part of a change of master that asks nobody and moves nothing.
//!
//! | file | what lives there |
//! |---|---|
//! | [`machine`], `moves` | the steps of a change, what each makes of a fence, when to stop |
//! | [`who`], [`direction`] | who is master by the fences that are known, and which way syncs therefore go |
//! | `open` | the change that stands open in a fence |
//! | `parked` | the names of refs that a hand-back parks |
//! | [`words`] | what changes and steps are called before a person |
//!
//! How the master changes is the business of [`crate::roles`].

pub mod direction;
pub mod machine;
mod moves;
mod open;
pub(crate) mod parked;
pub mod who;
pub mod words;

pub(crate) use open::check_open;
pub use open::{open_in, seen};
