//! Answers kept for conditional requests: the ETag of a list with its body, so that an unchanged list costs a 304,
//! which the host does not count against its limits.
//!
//! Only names and states are kept, never what could be secret: a list of variables, which has their values, is asked
//! for anew each time.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LINK};
use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::Store;

use super::answer::Answer;
use crate::Result;

/// Where answers are kept.
#[derive(Clone)]
pub struct Memory {
    store: Store,
    repository: RepositoryId,
    mirror: Option<MirrorId>,
}

/// A kept answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub etag: String,
    /// Address of the next page.
    pub next: Option<String>,
    pub body: String,
}

impl Kept {
    /// The answer as it was.
    pub(super) fn into_answer(self) -> Answer {
        let link = self.next.and_then(|next| HeaderValue::try_from(format!(r#"<{next}>; rel="next""#)).ok());
        let headers = link.map(|link| (LINK, link)).into_iter().collect::<HeaderMap>();
        Answer { status: StatusCode::OK, headers, body: self.body.into_bytes() }
    }
}

impl Memory {
    /// The memory of one mirror, or with `None` of the source.
    pub fn new(store: &Store, repository: &RepositoryId, mirror: Option<&MirrorId>) -> Self {
        Self { store: store.clone(), repository: repository.clone(), mirror: mirror.cloned() }
    }

    fn key(address: &str) -> String {
        format!("etag:{address}")
    }

    /// The kept answer of this address. What cannot be read is as good as none: the list is then asked for.
    pub(super) fn get(&self, address: &str) -> Option<Kept> {
        let text = self.store.fact(&self.repository, self.mirror.as_ref(), &Self::key(address)).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Keeps an answer in place of an older one.
    pub(super) fn set(&self, address: &str, kept: &Kept) -> Result<()> {
        let text = serde_json::to_string(kept).unwrap_or_default();
        self.store.set_fact(&self.repository, self.mirror.as_ref(), &Self::key(address), Some(&text))
    }

    /// When the token with this short hash expires, as the host said in an earlier answer.
    pub(super) fn token_expiry(&self, token: &str) -> Option<String> {
        let text = self.store.fact(&self.repository, self.mirror.as_ref(), TOKEN_EXPIRES).ok()??;
        text.strip_prefix(token)?.strip_prefix(' ').map(str::to_owned)
    }

    /// Remembers when the token with this short hash expires.
    pub(super) fn set_token_expiry(&self, token: &str, expires: &str) -> Result<()> {
        if self.token_expiry(token).as_deref() == Some(expires) {
            return Ok(());
        }
        self.store.set_fact(&self.repository, self.mirror.as_ref(), TOKEN_EXPIRES, Some(&format!("{token} {expires}")))
    }
}

const TOKEN_EXPIRES: &str = "token_expires";
