//! All refs of a repository, asked for once in a while.
//!
//! `git/matching-refs/` gives every ref in one answer: it takes no pages, unlike `branches` and `tags`, so that one ETag speaks for all
//! of them. `GET` of the repository would be smaller, but it is another one with each star, and two pushes of one second are one
//! `pushed_at`.

use reqwest::StatusCode;
use serde::Deserialize;
use standin_state::model::Slug;

use super::repo;
use crate::Result;
use crate::github::{Call, Client};

/// What a look at the refs found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedAt {
    /// The answer would be the one that is known.
    Same,
    /// Another one.
    Found {
        /// Its ETag, where the host gave one.
        etag: Option<String>,
        /// Each ref's name and tip.
        refs: Vec<(String, String)>,
    },
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "ref")]
    name: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

impl Client {
    /// All refs, unless the answer would be the one with this ETag: one request, which the host does not count then.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn look_at_refs(&self, slug: &Slug, etag: Option<String>) -> Result<LookedAt> {
        let what = format!("looking whether branches or tags of {slug} moved");
        let mut call = Call::get("list_refs", &what, repo(slug, "/git/matching-refs/"));
        call.etag = etag;
        let answer = self.ask(&call).await?;
        let refs = match answer.status {
            StatusCode::NOT_MODIFIED if call.etag.is_some() => return Ok(LookedAt::Same),
            // `Git Repository is empty.`
            StatusCode::CONFLICT => Vec::new(),
            status if status.is_success() => answer.json::<Vec<Entry>>(&what)?,
            _ => return Err(self.refused(&what, &answer)),
        };
        let etag = answer.header("etag").map(str::to_owned);
        Ok(LookedAt::Found { etag, refs: refs.into_iter().map(|entry| (entry.name, entry.object.sha)).collect() })
    }
}
