//! The endpoints that Standin uses, typed.

mod actions;
mod repository;
mod values;

pub use actions::{ActionsSettings, Workflow, WorkflowStateWord};
pub use repository::{Limit, RepositoryInfo, RepositoryRights, TokenFacts, User};
pub use values::{SecretEntry, Variable};

use standin_state::model::Slug;

/// `repos/{owner}/{name}{rest}`.
fn repo(slug: &Slug, rest: &str) -> String {
    format!("repos/{}{rest}", slug.path())
}
