//! GitHub's REST and GraphQL interface, the part that gh and Standin use.
//!
//! One endpoint is one function that takes the [`Call`] and gives a [`Reply`] or a [`Refusal`]; `route.rs` says which.
//! They run on a thread where they may block, since git's objects are on disk. Git over HTTP is in [`crate::git`].

mod call;
mod present;
mod reply;
mod rights;
mod route;

mod account;
mod branches;
mod commits;
mod compare;
mod contents;
mod git_data;
mod graphql;
mod issues;
mod jobs;
mod permissions;
mod pulls;
mod refs;
mod repositories;
mod runs;
mod secrets;
mod variables;
mod workflows;

pub(crate) use call::Call;
#[cfg(feature = "openapi")]
pub(crate) use call::percent_decode;
pub(crate) use call::percent_encode;
pub(crate) use reply::{Refusal, Reply};
pub(crate) use route::answer;

/// What an endpoint gives.
pub(crate) type Answer = Result<Reply, Refusal>;
