//! One file of the default branch, read and committed without a clone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use octocrab::models::git::GitBlob;
use reqwest::Method;
use serde_json::{Value, json};
use standin_state::model::{Oid, Slug};

use super::{found, in_url, repo};
use crate::Result;
use crate::github::{Call, Client};

/// What stands at a path of the default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file.
    File(FileContents),
    /// A folder, a link or a submodule.
    Other,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContents {
    /// The id of its content, which a commit on top of it must name.
    pub blob: Oid,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Client {
    /// What stands at `path` on the default branch; `None` where there is nothing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn contents(&self, slug: &Slug, path: &str) -> Result<Option<Contents>> {
        let what = format!("reading {path} of {slug}");
        // octocrab's model takes a folder of one file for that file.
        let call = Call::get("get_contents", &what, contents(slug, path));
        let Some(there) = found(self.read::<Value>(&call).await)? else { return Ok(None) };
        if there["type"] != "file" {
            return Ok(Some(Contents::Other));
        }
        let text = |name: &str| there[name].as_str().unwrap_or_default();
        let blob: Oid = text("sha").parse().map_err(|error| self.shared.odd(&what, error))?;
        let mut content = text("content").to_owned();
        if text("encoding") != "base64" {
            // Large files come as blobs only.
            let call = Call::get("get_blob", &what, repo(slug, &format!("/git/blobs/{blob}")));
            content = self.read::<GitBlob>(&call).await?.content;
        }
        content.retain(|character| !character.is_ascii_whitespace());
        let bytes = STANDARD.decode(&content).map_err(|error| self.shared.odd(&what, error))?;
        Ok(Some(Contents::File(FileContents { blob, bytes })))
    }

    /// Commits a file onto the default branch, if its content there is still `before`.
    ///
    /// # Errors
    /// The host's refusal, also where the file was changed meanwhile; an unknown outcome was read back.
    pub async fn commit_file(&self, slug: &Slug, path: &str, before: &Oid, bytes: &[u8], message: &str) -> Result<()> {
        let what = format!("committing {path} of {slug}");
        let body = json!({ "message": message, "content": STANDARD.encode(bytes), "sha": before.as_str() });
        let call = Call::write("put_contents", what, Method::PUT, contents(slug, path), Some(body));
        let arrived = || async {
            Ok(matches!(self.contents(slug, path).await?, Some(Contents::File(file)) if file.bytes == bytes))
        };
        self.write(&call, || Box::pin(arrived())).await.map(drop)
    }
}

fn contents(slug: &Slug, path: &str) -> String {
    repo(slug, &format!("/contents/{}", in_url(path)))
}
