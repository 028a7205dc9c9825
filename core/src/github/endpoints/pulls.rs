//! Pull requests: the open one of a branch, and making one.

use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;
use standin_state::model::Slug;

use super::repo;
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
        let query = query(&[("state", "open"), ("head", &format!("{}:{head}", slug.owner)), ("per_page", "100")])?;
        let call = Call::get("list_pulls", what, repo(slug, &format!("/pulls?{query}")));
        let pulls: Vec<PullRequest> = self.list(&call, "", false).await?;
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

/// A query with its values escaped.
fn query(pairs: &[(&str, &str)]) -> Result<String> {
    let mut url = Url::parse("http://localhost/").map_err(|error| Error::new(Code::Internal, error.to_string(), ""))?;
    url.query_pairs_mut().extend_pairs(pairs);
    Ok(url.query().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_branch_names_stay_whole_in_a_query() {
        assert_eq!(query(&[("head", "o:a#b&c+d/ü")]).unwrap(), "head=o%3Aa%23b%26c%2Bd%2F%C3%BC");
    }
}
