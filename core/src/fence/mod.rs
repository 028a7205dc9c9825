//! The fence: `refs/standin/fence` on each mirror, a chain of small commits that says who is master.
//!
//! Every push moves it in the same atomic push, with a lease on its old value, so that a writer who did not see the
//! last move is refused by the server. What stands in it ([`Document`]) makes a second machine, or a lost database,
//! know what was pushed and by whom. Reading and moving the fence of a mirror is the business of [`crate::mirror`], pushes
//! that move it together with branches that of [`crate::code`].

mod document;
mod writer;

pub use document::{Document, OpenChange, ROLE_CHANGE, Summary, VERSION};
pub use writer::{master, writer};

use standin_state::model::Oid;

/// The file that holds the document in a fence commit.
pub const FILE: &str = "fence.json";

/// A fence as it stands on a mirror.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    /// Its commit.
    pub oid: Oid,
    /// What stands in it.
    pub document: Document,
}
