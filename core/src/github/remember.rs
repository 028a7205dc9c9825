//! Answers kept for conditional requests: the ETag of a list with its body, so that an unchanged list costs a 304,
//! which the host does not count against its limits.
//!
//! Only names and states are kept, never what could be secret: a list of variables, which has their values, is asked
//! for anew each time.

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LINK};
use serde::{Deserialize, Serialize};
use standin_state::store::Fact;

use super::answer::Answer;
use super::endpoints::expiry;
use crate::Result;
use crate::memory::Memory;

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

/// The kept answer of this address. What cannot be read is as good as none: the list is then asked for.
pub(super) fn kept(memory: &Memory, address: &str) -> Option<Kept> {
    let text = memory.get(Fact::Answer { address }).ok()??;
    serde_json::from_str(&text).ok()
}

/// Keeps an answer in place of an older one.
pub(super) fn keep(memory: &Memory, address: &str, kept: &Kept) -> Result<()> {
    let text = serde_json::to_string(kept).unwrap_or_default();
    memory.set(Fact::Answer { address }, &text)
}

/// When the token with this short hash expires, as the host said in an earlier answer.
pub(super) fn token_expiry(memory: &Memory, token: &str) -> Option<String> {
    let text = memory.get(Fact::TokenExpires).ok()??;
    text.strip_prefix(token)?.strip_prefix(' ').map(str::to_owned)
}

/// Remembers when the token with this short hash expires.
pub(super) fn keep_token_expiry(memory: &Memory, token: &str, expires: &str) -> Result<()> {
    memory.set(Fact::TokenExpires, &format!("{token} {expires}"))
}

/// When a token ends, as it was kept by [`keep_token_expiry`].
pub(crate) fn token_end(kept: &str) -> Option<Timestamp> {
    kept.split_once(' ').and_then(|(_, expires)| expiry(expires))
}

/// Forgets when another token than the one with this short hash expires: it is used no more.
pub(super) fn forget_other_token(memory: &Memory, token: &str) -> Result<()> {
    let kept = memory.get(Fact::TokenExpires)?;
    let is_other = kept.is_some_and(|kept| kept.split_once(' ').is_none_or(|(known, _)| known != token));
    if is_other { memory.forget(Fact::TokenExpires) } else { Ok(()) }
}
