//! The fence: `refs/standin/fence` on each mirror, a chain of small commits that says who is master.
//!
//! Every push moves it in the same atomic push, with a lease on its old value, so that a writer who did not see the
//! last move is refused by the server. What stands in it ([`Document`]) makes a second machine, or a lost database,
//! know what was pushed and by whom. [`read`](read()) fetches and checks it, [`check_master`] refuses to write
//! against another master, [`amend`](amend()) moves it alone,
//! [`overwrite`] settles by the user's word who holds a mirror. Pushes that move it together with branches live in
//! [`crate::code`].

mod amend;
mod document;
mod read;
mod settle;
mod writer;

pub use amend::amend;
pub(crate) use amend::{commit, offer_again, push, remember, remember_source};
pub use document::{Document, OpenChange, ROLE_CHANGE, Summary, VERSION, same_master};
pub use read::{check_master, read};
pub(crate) use read::{is_kept_there, read_commit};
pub use settle::overwrite;
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
