//! The endpoints that Standin uses, typed.

mod actions;
mod contents;
mod pulls;
mod refs;
mod repository;
mod runs;
mod values;

pub use actions::{ActionsSettings, Disabled, Workflow, WorkflowStateWord};
pub use contents::{Contents, FileContents};
pub use pulls::{NewPullRequest, PullRequest, PullRequestSide};
pub use refs::LookedAt;
pub(super) use repository::expiry;
pub use repository::{RepositoryInfo, RepositoryRights, TokenFacts, User};
pub use runs::WorkflowRun;
pub use values::{SecretEntry, Variable};

use standin_state::model::Slug;

use crate::{Code, Result};

/// `repos/{owner}/{name}{rest}`.
fn repo(slug: &Slug, rest: &str) -> String {
    format!("repos/{}{rest}", slug.path())
}

/// What may not be there.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code == Code::RepositoryNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A path, a ref or a value as a URL takes it, its slashes kept.
pub(crate) fn in_url(text: &str) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => url.push(byte.into()),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_and_keep_their_slashes() {
        assert_eq!(in_url("state/a b/c?d#e&f+g.json"), "state/a%20b/c%3Fd%23e%26f%2Bg.json");
        assert_eq!(in_url("o:ä"), "o%3A%C3%A4");
    }
}
