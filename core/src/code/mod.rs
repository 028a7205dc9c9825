//! Branches and tags: from the source's snapshot to each mirror.
//!
//! [`snapshot`](snapshot()) fetches the source once for all mirrors, [`plan`](plan()) compares it with what was seen of a
//! mirror without changing anything, [`apply`](apply()) carries the plan out. What a plan may do to a ref is decided in
//! `plan::refs`, a pure function; whether it may go at once in `plan::guard`.
//!
//! | file | what lives there |
//! |---|---|
//! | `snapshot` | what the source holds |
//! | `default_branch` | which branch of the source is its default one |
//! | `plan` | the refs, the guard, LFS, notices |
//! | `apply` | rescue, push with the fence, refused refs, races, the default branch, the report |
//! | [`rescue`] | tips saved before they are moved or deleted |
//! | `restore` | a rescued tip put back |
//! | `resolve` | the user's choices for diverged refs and lost fences |
//!
//! Running git is the business of [`crate::git`]; looking at a mirror, and its fence, that of [`crate::mirror`].

mod apply;
mod default_branch;
pub(crate) mod lfs;
pub(crate) mod new_branch;
mod plan;
pub mod rescue;
mod resolve;
mod restore;
mod snapshot;

use standin_state::model::{AskId, RefName};

pub use apply::apply;
pub use default_branch::DefaultBranch;
pub use plan::plan;
pub(crate) use plan::{guard, in_the_way};
pub use resolve::{Resolved, resolve};
pub use restore::{Restored, restore};
pub use snapshot::{Snapshot, has_moved, listed, snapshot};

/// The ref that an ask is about; `None` where it is about something else.
pub(crate) fn ref_of(ask: &AskId) -> Option<RefName> {
    ask.as_str().parse().ok()
}
