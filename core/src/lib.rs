//! Standin's verbs: **plan → apply → record**.
//!
//! [`engine::Engine`] is the door: each command of the command line and of the window is one call of it. Behind it, a sync
//! is computed first as a [`plan::Plan`] that changes nothing, then applied change by change, each reported as a
//! typed [`event::Event`], then recorded through `standin-state`.
//!
//! The rooms stand on floors. Here they are from the ground up, one floor after the other, and a room knows only rooms of
//! the floors below its own (`tests/tests/house.rs` checks it). Whoever is new reads [`plan`] and [`event`], then [`mirror`] and
//! [`code`], then [`run`] and [`engine`].
//!
//! | room | what lives there |
//! |---|---|
//! | [`crash`] | named points at which tests end the process |
//! | [`event`] | what happens: plain data for every face |
//! | [`listening`] | an address on which HTTP is answered, within bounds |
//! | [`processes`] | child processes: found, and ended with all that they started |
//! | `redact` | tokens and secrets taken out of words that come from outside |
//! | [`totals`] | what a run costs, counted |
//! | [`outside`] | the four traits through which the world is asked: gh, keychain, progress, clock |
//! | [`memory`] | what is remembered of one repository or mirror, and since when |
//! | [`plan`] | what will happen: plain data for every face |
//! | [`github`] | the REST client: octocrab, with limits and conditional requests below it |
//! | [`keychain`] | the operating system's keychain |
//! | [`gh`] | the gh program |
//! | [`git`] | running the git program, credentials over a socket, the repository's cache, refs |
//! | [`tokens`] | where a token comes from, what it was given for, and what it can do |
//! | [`vault`] | values of secrets that stand in no `.env`, in one encrypted file |
//! | [`context`] | what the rooms above are given: a source, and one mirror in one run |
//! | [`fence`] | what stands in the chain of commits on `refs/standin/fence`, and who writes it |
//! | [`mastership`] | who is master, and the steps by which that changes: all that moves nothing |
//! | [`secrets`], [`variables`] | the aspects that are values |
//! | [`mirror`] | one repository as a place: looked at, its fence read and moved, whose it is, what its host is like |
//! | [`workflows`] | which workflows run on a standby, and Actions switched off around a push |
//! | [`code`] | branches and tags: plan, guard, push, rescue, resolve |
//! | [`schedule`] | when a mirror is synced by itself |
//! | [`setup`] | a mirror that is added, changed or taken out: the edits, and what they would mean |
//! | [`source`] | the source of one sync, read once for all its mirrors |
//! | [`standing`] | how a mirror or repository stands, in one word |
//! | [`kinds`] | what a mirror can be, and what a sync of each kind does: the only list of them |
//! | [`status`] | what is known without asking anyone |
//! | [`activity`] | what happened, as a chart and as a table for other programs |
//! | [`metrics`] | what is known, as a page of OpenMetrics |
//! | [`notify`] | word of what changed: when it is told, to whom, and how it gets there |
//! | [`update`] | newer versions of the program itself |
//! | [`run`] | one run of one mirror: look, plan, apply, record |
//! | [`jobs`] | many runs side by side |
//! | [`roles`] | how the master changes |
//! | [`sentinel`] | the workflow that watches the master from a standby: rendered, installed, checked |
//! | [`service`] | `standin watch` kept running by systemd, launchd or the task scheduler |
//! | [`triggers`] | what sets a sync off by itself: watched folders, the git hook, the webhook |
//! | [`health`] | what is found by looking at a mirror |
//! | [`leaving`] | what of Standin stays when a mirror goes, and the cleaning of it |
//! | [`observer`] | the master judged from here, and the sentinel looked after |
//! | [`drill`] | what a rehearsal needs and what is kept of it; whether the real thing is ready |
//! | [`engine`] | the door |
//! | [`watch`] | working by itself: the schedule kept, the masters looked at |
//! | [`start`] | how a program opens it |
//!
//! No Tauri, no terminal, no window, no global state.

pub mod crash;
pub mod event;
pub mod listening;
pub mod processes;
mod redact;
pub mod totals;

pub mod outside;

pub mod memory;
pub mod plan;

pub mod github;
pub mod keychain;

pub mod gh;
pub mod git;
pub mod tokens;
pub mod vault;

pub mod context;

pub mod fence;

pub mod mastership;
pub mod secrets;
pub mod variables;

pub mod mirror;

pub mod workflows;

pub mod code;

pub mod schedule;
pub mod setup;
pub mod source;
pub mod standing;

pub mod kinds;

pub mod status;

pub mod activity;
pub mod metrics;
pub mod notify;
pub mod update;

pub mod run;

pub mod jobs;
pub mod roles;
pub mod sentinel;
pub mod service;
pub mod triggers;

pub mod health;
pub mod leaving;

pub mod observer;

pub mod drill;

pub mod engine;

pub mod watch;

pub mod start;

pub use standin_state as state;
pub use standin_state::error::{Code, Error, Result};
