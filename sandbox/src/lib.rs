//! GitHub on localhost, for demos, drills and tests: REST and GraphQL as far as gh and Standin use them, git over
//! smart HTTP through the real `git http-backend`, and faults on demand.
//!
//! It knows no other part of Standin, and asks nothing of the network but the loopback address. What it answers has
//! GitHub's field names, statuses, limits and words; the module `openapi` (a feature of that name) checks that against GitHub's own description.
//! It needs a Unix system and `git` with its `http-backend`; for workflows that really run, also bash.
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
//! # Workflows
//! Runs of workflows are counted; those that [`Options::execute`] or [`Sandbox::execute_workflows`] names are really
//! carried out: their `run` steps with bash, in an empty folder, with `GITHUB_TOKEN`, secrets, variables, expressions,
//! `needs` and `concurrency` as on GitHub. There are no actions: `uses:` and all else that cannot be evaluated makes the
//! run fail, and [`Run::problem`] says in which line; [`check_workflow`] says it before. Steps find the sandbox at
//! `$GITHUB_API_URL` and `$GITHUB_SERVER_URL`, gh finds it by itself, and nothing else can be reached.
//!
//! Time is the real time until a test moves it. Every time that the sandbox gives out follows: `Date`, commits made by
//! REST, ends of tokens, limits, `timeout-minutes`. Schedules fall due when the clock is moved, and only then:
//!
//! ```no_run
//! # async fn show(sandbox: standin_sandbox::Sandbox) {
//! use std::time::Duration;
//! use standin_sandbox::{Conclusion, Execute};
//!
//! sandbox.execute_workflows("alice", "standby", Execute::Only(vec!["sentinel.yml".to_owned()]));
//! // Each schedule of the next hour, one after the other, each at its time and waited for.
//! for id in sandbox.advance(Duration::from_secs(3_600)).await {
//!     let run = sandbox.run("alice", "standby", id).expect("it was just started");
//!     assert_eq!(run.conclusion, Some(Conclusion::Success), "{:?}", sandbox.run_log("alice", "standby", id));
//! }
//! # }
//! ```
//!
//! # Rooms
//! `world/` what exists · `access.rs` who may · `barred.rs` how a valid token is kept out · `rest/` endpoints · `git/` clone
//! and push · `pushed/` what a moved ref sets off · `actions/` workflows that run, and their schedules · `clock.rs` the time ·
//! `server/` listeners and connections · `library/` what the library does without HTTP · `faults.rs`, `limits.rs`,
//! `traffic.rs` · `openapi/` the check.
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
//! | `PUT /_sandbox/sunset` | `{"announced": true}`: answers tell when their version of the API ends |
//! | `GET`, `PUT /_sandbox/clock` | gives `{"now", "offset_seconds"}`; `{"now": "2026-02-07T18:00:00Z"}` sets it |
//! | `POST /_sandbox/clock/advance` | `{"seconds": 1800}`: from schedule to schedule, each run waited for; adds `{"runs"}` |
//! | `POST /_sandbox/clock/skip` | the same at once, nothing waited for |
//! | `POST /_sandbox/runs/wait` | `{"seconds": 60}`: until nothing is carried out any more, 422 if that takes longer |
//!
//! The others are below `/_sandbox/repositories/{owner}/{name}`:
//!
//! | request | does |
//! |---|---|
//! | `GET` itself | runs counted, names of secrets, variables, workflow states |
//! | `PUT …/state` | any of `{"state": "live"\|"blocked"\|"taken_down"\|"hidden", "archived", "private", "name"}` |
//! | `PUT …/push_limits` | any of `{"pack_bytes": 1000, "refs": 5}`: what one push may bring |
//! | `POST`, `DELETE …/refusals` | adds a [`PushRefusal`], removes all |
//! | `PUT …/execute` | `{"workflows": "all"\|"none"\|["sentinel.yml"]}`: which are carried out |
//! | `PUT …/schedules` | any of `{"miss": 1, "delay_seconds": 600}` |
//! | `PUT …/workflows/{file}/state` | `{"state": "active"\|"disabled_manually"\|"disabled_inactivity"}` |
//! | `POST …/dispatch` | `{"workflow": "sentinel.yml", "inputs": {}}`, gives `{"run"}` |
//! | `GET …/runs`, `GET …/runs/{id}` | runs with their jobs and steps ([`Run`]) |
//! | `GET …/runs/{id}/log` | `{"log"}`, masked |
//! | `POST …/runs/{id}/cancel` | gives `{"cancelled"}` |
//!
//! Opened secrets are given by the library alone.

// Answers are large JSON literals.
#![recursion_limit = "256"]

mod access;
mod actions;
mod barred;
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
pub use barred::Barred;
pub use faults::{Effect, Fault, FaultId, FaultMatcher, PushFailure};
pub use library::{SecretEntry, Snapshot, WorkflowEntry};
pub use options::{Options, SandboxError, SecondaryLimit};
pub use sandbox::Sandbox;
pub use traffic::{Exchange, Kind, RequestRecord, Transport};
pub use world::{
    ActionsPermissions, Annotation, AnnotationLevel, Conclusion, Execute, Issue, Job, Level, Listing, Protection,
    PushLimits, PushRefusal, RepositorySpec, RepositoryState, Role, Run, RunStatus, SelectedActions, Step, TokenKind,
    TokenSpec, Variable, WorkflowPermissions, WorkflowState,
};

/// Header that carries the control key.
pub const CONTROL_KEY_HEADER: &str = "x-sandbox-key";
