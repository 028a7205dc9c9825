//! Branches and tags: from the source's snapshot to each mirror.
//!
//! [`snapshot`](snapshot()) fetches the source once for all mirrors, [`look`](look()) lists a mirror and reads its
//! fence, [`plan`](plan()) compares the two without changing anything, [`apply`](apply()) carries the plan out. What a
//! plan may do to a ref is decided in `plan::refs`, a pure function; whether it may go at once in `plan::guard`.
//!
//! | file | what lives there |
//! |---|---|
//! | `places` | the cache and the remotes of a repository and its mirrors |
//! | `snapshot`, `look` | what both sides hold |
//! | `default_branch` | which branch of the source is its default one |
//! | `contact` | whether a mirror may be a stranger's |
//! | `learned` | what a host was found not to do |
//! | `plan` | the refs, the guard, LFS, notices |
//! | `apply` | rescue, push with the fence, refused refs, races, the default branch, the report |
//! | `refusal` | what a host's words mean and what to do |
//! | [`rescue`] | tips saved before they are moved or deleted |
//! | `resolve` | the user's choices for diverged refs and lost fences |
//!
//! Running git is the business of [`crate::git`]; the chain of fence commits that of [`crate::fence`].

mod apply;
pub(crate) mod contact;
mod default_branch;
pub(crate) mod learned;
mod lfs;
mod look;
pub(crate) mod offer;
mod places;
mod plan;
mod refusal;
pub mod rescue;
mod resolve;
mod snapshot;

pub use apply::apply;
pub use default_branch::DefaultBranch;
pub(crate) use look::tips;
pub use look::{MirrorView, look};
pub(crate) use places::{cache, git_failed, mirror_remote, travelling_prefixes};
pub use places::{probe, unknown_host_key};
pub(crate) use plan::in_the_way;
pub use plan::plan;
pub(crate) use refusal::{Refusal, explain as explain_refusal};
pub use resolve::{Resolved, resolve};
pub use snapshot::{Snapshot, snapshot};
