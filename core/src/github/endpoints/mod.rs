//! The endpoints that Standin uses, typed.

mod actions;
mod contents;
mod pulls;
mod repository;
mod runs;
mod values;

pub use actions::{ActionsSettings, Disabled, Workflow, WorkflowStateWord};
pub use contents::{Contents, FileContents};
pub use pulls::{NewPullRequest, PullRequest, PullRequestSide};
pub use repository::{Limit, RepositoryInfo, RepositoryRights, TokenFacts, User};
pub use runs::WorkflowRun;
pub use values::{SecretEntry, Variable};

use standin_state::model::Slug;

/// `repos/{owner}/{name}{rest}`.
fn repo(slug: &Slug, rest: &str) -> String {
    format!("repos/{}{rest}", slug.path())
}
