//! Who asks, and what repository it is.

use jiff::Timestamp;
use octocrab::models::repos::{Object, Ref};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use standin_state::model::{Oid, RefName, Slug};

use super::{found, in_url, repo};
use crate::Result;
use crate::github::{Answer, Call, Client};

/// A repository as the host describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RepositoryInfo {
    /// Number of the repository; it survives renames.
    pub id: u64,
    /// `owner/name` as it is now; another name than asked for means that it was renamed.
    pub full_name: String,
    /// Seen by its collaborators alone.
    pub private: bool,
    /// Read-only.
    #[serde(default)]
    pub archived: bool,
    /// Switched off by the host.
    #[serde(default)]
    pub disabled: bool,
    /// The default branch; there may be no commit on it yet.
    pub default_branch: String,
    /// When somebody last pushed to it.
    #[serde(default)]
    pub pushed_at: Option<Timestamp>,
    /// What the token's account may do here.
    #[serde(default)]
    pub permissions: RepositoryRights,
}

/// What an account may do in a repository, whatever its token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RepositoryRights {
    /// Everything.
    pub admin: bool,
    /// Push, and manage secrets, variables and workflows.
    pub push: bool,
    /// Read.
    pub pull: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Its number.
    pub id: u64,
    /// Its login.
    pub login: String,
}

/// What the host says about the token with an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Scopes of a classic token; `None` for a fine-grained one, whose rights cannot be listed.
    pub scopes: Option<Vec<String>>,
    /// When it expires; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl TokenFacts {
    fn of(answer: &Answer) -> Self {
        let scopes = answer
            .header("x-oauth-scopes")
            .map(|text| text.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect());
        Self { scopes, expires_at: answer.token_expires().and_then(expiry) }
    }
}

/// `2026-12-31 23:59:59 UTC`, or with an offset such as `-0800`.
pub(in crate::github) fn expiry(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(plain) = text.strip_suffix(" UTC") {
        return format!("{}Z", plain.replacen(' ', "T", 1)).parse().ok();
    }
    jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).ok()?.to_timestamp().ok().or_else(|| text.parse().ok())
}

impl Client {
    /// The repository.
    ///
    /// # Errors
    /// [`crate::Code::RepositoryNotFound`] where it does not exist or the token cannot see it; else as
    /// [`Client::get`].
    pub async fn repository(&self, slug: &Slug) -> Result<RepositoryInfo> {
        let what = format!("reading the repository {slug}");
        self.read(&Call::get("get_repository", what, repo(slug, ""))).await
    }

    /// Where a ref stands. `None` where there is no such ref, and where the token cannot see the repository: the host does
    /// not tell the two apart.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn ref_tip(&self, slug: &Slug, name: &RefName) -> Result<Option<Oid>> {
        let what = format!("reading {name} of {slug}");
        let short = name.as_str().strip_prefix("refs/").unwrap_or(name.as_str());
        let call = Call::get("get_ref", what, repo(slug, &format!("/git/ref/{}", in_url(short))));
        let found = found(self.read::<Ref>(&call).await)?.filter(|found| found.ref_field == name.as_str());
        Ok(found.and_then(|found| match found.object {
            Object::Commit { sha, .. } | Object::Tag { sha, .. } => sha.parse().ok(),
            _ => None,
        }))
    }

    /// The account that the token stands for, and what the host says about the token.
    ///
    /// # Errors
    /// [`crate::Code::Unauthorized`] for a token that is not accepted; else as [`Client::get`].
    pub async fn user(&self) -> Result<(User, TokenFacts)> {
        let what = format!("asking {} whom the token stands for", self.host());
        let answer = self.get(&Call::get("get_user", &what, "user")).await?;
        Ok((answer.json(&what)?, TokenFacts::of(&answer)))
    }

    /// Makes a private repository with nothing in it: of the token's own account, or of an organisation.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn create_repository(&self, slug: &Slug, of_own: bool) -> Result<()> {
        let what = format!("making the repository {slug}");
        let body = json!({ "name": slug.name, "private": true, "auto_init": false });
        let path = if of_own { "user/repos".to_owned() } else { format!("orgs/{}/repos", slug.owner) };
        let call = Call::write("post_repository", what, Method::POST, path, Some(body));
        let is_there = || async { Ok(found(self.repository(slug).await)?.is_some()) };
        self.write(&call, || Box::pin(is_there())).await.map(drop)
    }

    /// Makes `branch` the default branch, where it is not yet: the first branch of an empty repository may be it by
    /// itself, and changing it takes rights that a token may lack.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn set_default_branch(&self, slug: &Slug, branch: &str) -> Result<()> {
        if self.repository(slug).await?.default_branch == branch {
            return Ok(());
        }
        let what = format!("making {branch} the default branch of {slug}");
        let body = json!({ "default_branch": branch });
        let call = Call::write("patch_repository", what, Method::PATCH, repo(slug, ""), Some(body));
        let is_default = || async { Ok(self.repository(slug).await?.default_branch == branch) };
        self.write(&call, || Box::pin(is_default())).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_expiry_header_are_read() {
        let moment = "2026-12-31T23:59:59Z".parse::<Timestamp>().unwrap();
        assert_eq!(expiry("2026-12-31 23:59:59 UTC"), Some(moment));
        assert_eq!(expiry("2026-12-31 15:59:59 -0800"), Some(moment));
        assert_eq!(expiry("soon"), None);
    }
}
