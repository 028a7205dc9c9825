//! One repository as a place: where it is, what it holds, whose it is, and what its host is like.
//!
//! [`look`](look()) lists a mirror and reads its fence; what was seen is a [`MirrorView`], which those who write keep up to
//! date. What is sent to it is decided above, in the rooms of the aspects.
//!
//! | file | what lives there |
//! |---|---|
//! | `places` | the cache and the remotes of a repository and its mirrors |
//! | `look` | what it holds |
//! | [`fence_read`] | its fence, and whether that continues what we remember |
//! | [`fence_move`] | moving its fence alone |
//! | `fence_hidden` | a fence that its host takes and does not show |
//! | [`fence_settle`] | settling by the user's word who holds it |
//! | `contact` | whether it may be a stranger's |
//! | `host_limits` | what its host was found not to do |
//! | `refusal` | what its host's words mean and what to do |
//!
//! What stands in a fence is the business of [`crate::fence`].

pub(crate) mod contact;
pub(crate) mod fence_hidden;
pub mod fence_move;
pub mod fence_read;
pub mod fence_settle;
pub(crate) mod host_limits;
mod look;
mod places;
mod refusal;

pub use look::{MirrorView, look};
pub(crate) use look::{list, tips};
pub(crate) use places::{
    cache, copy, copy_path, folder_remote, git_failed, listed_prefixes, mirror_remote, rescues_of, source_remote,
    travelling_prefixes, upstream_remote,
};
pub use places::{probe, unknown_host_key};
pub(crate) use refusal::{Refusal, explain as explain_refusal, with_standing_of_others};
