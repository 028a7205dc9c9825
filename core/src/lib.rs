//! Standin's verbs: **plan → apply → record**.
//!
//! [`engine::Engine`] is the door: each command of the command line and of the window is one call of it. Behind it, a sync
//! is computed first as a [`plan::Plan`] that changes nothing, then applied change by change, each reported as a
//! typed [`event::Event`], then recorded through `standin-state`.
//!
//! | room | what lives there |
//! |---|---|
//! | [`totals`] | what a run costs, counted |
//! | [`context`] | what the rooms above are given: a source, and one mirror in one run |
//! | [`plan`], [`event`] | what will happen, what happens: plain data for every face |
//! | [`outside`] | the four traits through which the world is asked: gh, keychain, progress, clock |
//! | [`git`] | running the git program, credentials over a socket, the repository's cache, refs |
//! | [`fence`] | who is master: the chain of commits on `refs/standin/fence` |
//! | [`code`] | branches and tags: plan, guard, push, refusals, rescue, resolve |
//! | [`github`] | the REST client: limits, conditional requests, typed endpoints |
//! | [`secrets`], [`variables`], [`workflows`] | the other aspects |
//! | [`gh`], [`keychain`] | the gh program, the operating system's keychain |
//! | [`processes`] | child processes: found, and ended with all that they started |
//! | [`vault`] | values of secrets that stand in no `.env`, in one encrypted file |
//! | [`tokens`] | where a token comes from, and what it can do |
//! | [`roles`] | who is master, and how that changes |
//! | [`run`], [`jobs`] | one run of one mirror; many side by side |
//! | [`sentinel`] | the workflow that watches the master from a standby: rendered, installed, checked |
//! | [`engine`], [`start`] | the door, and how a program opens it |
//! | [`status`], [`health`] | what is known, what is found by looking |
//! | [`observer`] | the master judged from here, and the sentinel looked after |
//! | [`drill`] | what a rehearsal needs and what is kept of it; whether the real thing is ready |
//! | [`crash`] | named points at which tests end the process |
//!
//! No Tauri, no terminal, no window, no global state.

pub mod code;
pub mod context;
pub mod crash;
pub mod drill;
pub mod engine;
pub mod event;
pub mod fence;
pub mod gh;
pub mod git;
pub mod github;
pub mod health;
pub mod jobs;
pub mod keychain;
pub mod mastership;
pub mod mirror;
pub mod observer;
pub mod outside;
pub mod plan;
pub mod processes;
mod redact;
pub mod roles;
pub mod run;
pub mod secrets;
pub mod sentinel;
pub mod source;
pub mod start;
pub mod status;
pub mod tokens;
pub mod totals;
pub mod variables;
pub mod vault;
pub mod workflows;

pub use standin_state as state;
pub use standin_state::error::{Code, Error, Result};
