//! Pull requests: the open one of a branch, and making one.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use standin_state::model::Slug;

use super::{in_url, repo};
use crate::github::{Call, Client, Wrote};
use crate::{Code, Error, Result};

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub html_url: String,
    /// The branch that it brings.
    pub head: PullRequestSide,
    /// The branch that it goes to.
    pub base: PullRequestSide,
}

/// One side of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PullRequestSide {
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// Its commit.
    pub sha: String,
}

/// What a new pull request says.
#[derive(Clone, Copy, Debug)]
pub struct NewPullRequest<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub body: &'a str,
    /// The branch of this repository that it brings.
    pub head: &'a str,
    /// The branch that it goes to.
    pub base: &'a str,
}

impl Client {
    /// The open pull request that brings this branch of the repository itself.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn open_pull_request(&self, slug: &Slug, head: &str) -> Result<Option<PullRequest>> {
        let what = format!("reading the pull requests of {slug}");
        let query = format!("/pulls?state=open&head={}:{}&per_page=100", slug.owner, in_url(head));
        let pulls: Vec<PullRequest> = self.list(&Call::get("list_pulls", what, repo(slug, &query))).await?;
        // A host that does not understand the filter gives them all.
        Ok(pulls.into_iter().find(|pull| pull.head.branch == head))
    }

    /// Makes a pull request.
    ///
    /// # Errors
    /// The host's refusal, also where there is nothing to bring or there is one already; an unknown outcome was read back.
    pub async fn create_pull_request(&self, slug: &Slug, new: NewPullRequest<'_>) -> Result<PullRequest> {
        let what = format!("making a pull request for {} at {slug}", new.head);
        let body = json!({ "title": new.title, "body": new.body, "head": new.head, "base": new.base });
        let call = Call::write("post_pull", &what, Method::POST, repo(slug, "/pulls"), Some(body));
        let made = || async { Ok(self.open_pull_request(slug, new.head).await?.is_some()) };
        match self.write(&call, || Box::pin(made())).await? {
            Wrote::Answered(answer) => answer.json(&what),
            Wrote::ReadBack => self.open_pull_request(slug, new.head).await?.ok_or_else(|| {
                Error::passing(Code::Raced, format!("{what}: it was made and is gone again"), "Try again.")
            }),
        }
    }
}
