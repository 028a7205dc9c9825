//! GitHub on localhost, for demos, drills and tests: REST and GraphQL as far as gh and Standin use them, git over
//! smart HTTP through the real `git http-backend`, and faults on demand.
//!
//! It knows no other part of Standin, and asks nothing of the network but the loopback address. What it answers has
//! GitHub's field names, statuses, limits and words; the module `openapi` (a feature of that name) checks that against GitHub's own description.
//! Runs of workflows are counted here, not carried out. It needs a Unix system and `git` with its `http-backend`.
//!
//! ```no_run
//! # async fn show() -> Result<(), standin_sandbox::SandboxError> {
//! use standin_sandbox::{Options, RepositorySpec, Sandbox, TokenSpec};
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! sandbox.create_account("alice");
//! let token = sandbox.create_token("alice", TokenSpec::classic(&["repo", "workflow"]));
//! sandbox.create_repository("alice", "primary", RepositorySpec::default()).await?;
//! // REST at sandbox.api_url(), git at {sandbox.server_url()}/alice/primary.git, gh through sandbox.gh_socket().
//! # drop(token);
//! sandbox.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Rooms
//! `world/` what exists · `access.rs` who may · `rest/` endpoints · `git/` clone and push · `pushed/` what a moved ref
//! sets off · `server/` listeners and connections · `faults.rs`, `limits.rs`, `traffic.rs` · `openapi/` the check.
//!
//! # Control from another process
//! [`Sandbox::control_url`] is a port of its own that stays up while the host is "down". Each request carries
//! [`Sandbox::control_key`] in the header `X-Sandbox-Key`; bodies are JSON.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox` | addresses, number of requests, repositories, `down`, latency |
//! | `GET`, `DELETE /_sandbox/requests` | gives, forgets the request log ([`RequestRecord`]) |
//! | `POST /_sandbox/faults` | adds a [`Fault`], gives `{"id"}` |
//! | `GET`, `DELETE /_sandbox/faults/{id}` | gives `{"hits"}`, removes it |
//! | `DELETE /_sandbox/faults` | removes all faults |
//! | `PUT /_sandbox/down` | `{"down": true}`: connections are reset until `{"down": false}` |
//! | `PUT /_sandbox/latency` | `{"milliseconds": 40}` |
//! | `GET /_sandbox/repositories/{owner}/{name}` | runs counted, names of secrets, variables, workflow states |
//!
//! Opened secrets are given by the library alone.

// Answers are large JSON literals.
#![recursion_limit = "256"]

mod access;
mod actions;
mod clock;
mod faults;
mod git;
mod library;
mod limits;
#[cfg(feature = "openapi")]
pub mod openapi;
mod options;
mod pushed;
mod rest;
mod sandbox;
mod server;
mod shared;
mod traffic;
mod world;

pub use actions::check_workflow;
pub use faults::{Effect, Fault, FaultId, FaultMatcher};
pub use library::{SecretEntry, WorkflowEntry};
pub use options::{Options, SandboxError, SecondaryLimit};
pub use sandbox::Sandbox;
pub use traffic::{Exchange, Kind, RequestRecord, Transport};
pub use world::{
    ActionsPermissions, Annotation, AnnotationLevel, Conclusion, Execute, Issue, Job, Level, Listing, Protection,
    PushRefusal, RepositorySpec, RepositoryState, Role, Run, RunStatus, SelectedActions, Step, TokenKind, TokenSpec,
    Variable, WorkflowPermissions, WorkflowState,
};

/// Header that carries the control key.
pub const CONTROL_KEY_HEADER: &str = "x-sandbox-key";
