//! What sets a sync off by itself, besides the clock: a `.env` or the refs of a local source that changed, a git hook, a webhook
//! of GitHub's.
//!
//! [`watch`] looks at folders, [`hook`] is the git hook and what puts it into its place, [`webhook`] judges what GitHub
//! sends and [`ear`] hears it. All of them end in the queue of the store; none syncs, none blocks what set it off, and none
//! runs anything that came with a repository. When a sync is due, and who takes from the queue, is decided elsewhere; the look
//! at a source on its host is the engine's (`look_upstream`).

pub mod ear;
pub mod hook;
mod places;
mod touched;
pub mod watch;
pub mod webhook;
