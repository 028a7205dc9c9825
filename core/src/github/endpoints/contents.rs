//! One file of the default branch, read and committed without a clone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use standin_state::model::{Oid, Slug};

use super::repo;
use crate::github::{Call, Client};
use crate::{Code, Error, Result};

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

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: String,
}

impl Client {
    /// What stands at `path` on the default branch; `None` where there is nothing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn contents(&self, slug: &Slug, path: &str) -> Result<Option<Contents>> {
        let what = format!("reading {path} of {slug}");
        let call = Call::get("get_contents", &what, contents_path(slug, path)?);
        let value: Value = match self.get(&call).await {
            Ok(answer) => answer.json(&what)?,
            Err(error) if error.code == Code::RepositoryNotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if value["type"] != "file" {
            return Ok(Some(Contents::Other));
        }
        let odd = |why: &dyn std::fmt::Display| {
            Error::new(
                Code::UnexpectedAnswer,
                format!("{what}: the host's answer does not fit its documentation: {why}"),
                "Check that `api_url` leads to GitHub's REST API and not to a web page or proxy.",
            )
        };
        let blob: Oid = value["sha"].as_str().unwrap_or_default().parse().map_err(|error| odd(&error))?;
        let mut body: Body = serde_json::from_value(value).map_err(|error| odd(&error))?;
        if body.encoding != "base64" {
            // Large files come as blobs only.
            let call = Call::get("get_blob", &what, repo(slug, &format!("/git/blobs/{blob}")));
            body = self.get(&call).await?.json(&what)?;
        }
        body.content.retain(|character| !character.is_ascii_whitespace());
        let bytes = STANDARD.decode(&body.content).map_err(|error| odd(&error))?;
        Ok(Some(Contents::File(FileContents { blob, bytes })))
    }

    /// Commits a file onto the default branch, if its content there is still `before`.
    ///
    /// # Errors
    /// The host's refusal, also where the file was changed meanwhile; an unknown outcome was read back.
    pub async fn commit_file(&self, slug: &Slug, path: &str, before: &Oid, bytes: &[u8], message: &str) -> Result<()> {
        let what = format!("committing {path} of {slug}");
        let body = json!({ "message": message, "content": STANDARD.encode(bytes), "sha": before.as_str() });
        let call = Call::write("put_contents", what, Method::PUT, contents_path(slug, path)?, Some(body));
        let arrived = || async {
            Ok(matches!(self.contents(slug, path).await?, Some(Contents::File(file)) if file.bytes == bytes))
        };
        self.write(&call, || Box::pin(arrived())).await?;
        Ok(())
    }
}

fn contents_path(slug: &Slug, path: &str) -> Result<String> {
    let mut url = Url::parse("http://localhost/").map_err(|error| Error::new(Code::Internal, error.to_string(), ""))?;
    url.path_segments_mut()
        .map_err(|()| Error::new(Code::Internal, format!("`{path}` is no path"), ""))?
        .clear()
        .extend(path.split('/'));
    Ok(repo(slug, &format!("/contents{}", url.path())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_part_by_part() {
        let slug: Slug = "o/n".parse().unwrap();
        assert_eq!(contents_path(&slug, "state/current.json").unwrap(), "repos/o/n/contents/state/current.json");
        assert_eq!(contents_path(&slug, "a b/c?d#e.json").unwrap(), "repos/o/n/contents/a%20b/c%3Fd%23e.json");
    }
}
