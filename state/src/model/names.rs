//! Names that were checked once, where they came in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use ts_rs::TS;

/// A name that is not well formed: the text, and what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct NameError {
    /// What was given.
    pub text: String,
    /// What is expected.
    pub expected: String,
}

impl NameError {
    pub(crate) fn new(text: &str, expected: &str) -> Self {
        Self { text: text.to_owned(), expected: expected.trim_end().to_owned() }
    }
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $check:path, $expected:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        #[serde(try_from = "String", into = "String")]
        #[ts(export, type = "string")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) { Ok(Self(text.to_owned())) } else { Err(NameError::new(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if $check(&text) { Ok(Self(text)) } else { Err(NameError::new(&text, $expected)) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name!(
    /// The user's name of a repository; a folder name under the state folder.
    RepositoryId, is_id, "an id: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -, not ending with . or .lock"
);
name!(
    /// The user's name of a mirror, unique in its repository; `mirror-<n>` from `MIRROR_<n>_*`.
    MirrorId, is_id, "an id: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -, not ending with . or .lock"
);
name!(
    /// The user's name of a place that word is sent to (`[[notify]]`, `name`).
    NotifyName, is_id, "a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -, not ending with . or .lock"
);
name!(
    /// The id of one run in the history.
    RunId, is_id, "a run id"
);
name!(
    /// The id of one job: a sync, or a change of master.
    JobId, is_id, "the id of a job"
);
name!(
    /// A full ref name that git accepts, such as `refs/heads/main`.
    RefName, is_ref_name, "a full ref name such as `refs/heads/main`"
);
name!(
    /// What a plan asks a person, told from its other asks: of a ref that diverged, its full name.
    AskId, is_ask, "the id of something that a plan asks"
);
name!(
    /// A git object id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
    Oid, is_oid, "an object id of 40 or 64 lower-case hexadecimal digits"
);

fn is_ask(text: &str) -> bool {
    (1..=4_096).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl From<&RefName> for AskId {
    fn from(name: &RefName) -> Self {
        Self(name.0.clone())
    }
}

impl From<RunId> for JobId {
    fn from(id: RunId) -> Self {
        Self(id.0)
    }
}

impl From<JobId> for RunId {
    fn from(id: JobId) -> Self {
        Self(id.0)
    }
}

/// Ids are folder names, file names and parts of ref names at once.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.ends_with(".lock")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl MirrorId {
    /// The id that stands for the configured source where it is kept in step like a mirror, because another repository
    /// is master. No mirror of the configuration may have it.
    pub fn source() -> Self {
        Self("source".to_owned())
    }

    /// Whether it stands for the configured source.
    pub fn is_source(&self) -> bool {
        self.0 == "source"
    }
}

fn is_oid(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The rules of `git check-ref-format`, for names below `refs/`.
fn is_ref_name(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("refs/") else { return false };
    !rest.is_empty()
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.bytes().any(|byte| byte.is_ascii_control() || b" ~^:?*[\\".contains(&byte))
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

impl RefName {
    /// The fence: the chain of commits that says who is master.
    pub fn fence() -> Self {
        Self("refs/standin/fence".to_owned())
    }

    /// A branch by its short name.
    pub fn branch(short: &str) -> Result<Self, NameError> {
        format!("refs/heads/{short}").parse()
    }

    /// The name without `refs/heads/` or `refs/tags/`.
    pub fn short(&self) -> &str {
        self.0.strip_prefix("refs/heads/").or_else(|| self.0.strip_prefix("refs/tags/")).unwrap_or(&self.0)
    }

    /// Whether it is a branch.
    pub fn is_branch(&self) -> bool {
        self.0.starts_with("refs/heads/")
    }

    /// Whether it is a tag.
    pub fn is_tag(&self) -> bool {
        self.0.starts_with("refs/tags/")
    }
}

impl Oid {
    /// The first twelve digits, as Standin shows commits.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// A repository on GitHub: `owner/name`, or `host/owner/name` for GitHub Enterprise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(export, type = "string")]
pub struct Slug {
    /// The host; `None` is github.com.
    pub host: Option<String>,
    /// The account or organisation.
    pub owner: String,
    /// The repository's name.
    pub name: String,
}

impl Slug {
    /// `owner/name` without the host, as in API paths.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}/")?;
        }
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for Slug {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError::new(text, "a repository such as `owner/name` or `github.example.com/owner/name`");
        let parts: Vec<&str> = text.split('/').collect();
        let (host, owner, name) = match parts[..] {
            [owner, name] => (None, owner, name),
            [host, owner, name] => (Some(host), owner, name),
            _ => return Err(error()),
        };
        let is_owner = !owner.is_empty()
            && owner.len() <= 64
            && !owner.starts_with('-')
            && owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let is_name = !matches!(name, "" | "." | "..")
            && name.len() <= 100
            && !name.starts_with('-')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let is_host = host.is_none_or(|host| {
            host.contains(['.', ':'])
                && !host.starts_with(['-', '.'])
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':'))
        });
        if !(is_owner && is_name && is_host) {
            return Err(error());
        }
        let host = host.filter(|host| !host.eq_ignore_ascii_case("github.com")).map(str::to_ascii_lowercase);
        Ok(Self { host, owner: owner.to_owned(), name: name.strip_suffix(".git").unwrap_or(name).to_owned() })
    }
}

impl TryFrom<String> for Slug {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_names_follow_gits_rules() {
        for good in [
            "refs/heads/main",
            "refs/heads/a/b",
            "refs/tags/v1.0",
            "refs/heads/ümläut-日本",
            "refs/heads/-x",
            "refs/heads/@",
            "refs/heads/a@b",
            "refs/standin/fence",
        ] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        for bad in [
            "main",
            "refs/",
            "refs/heads/",
            "refs/heads/a..b",
            "refs/heads/a b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/a:b",
            "refs/heads/a@{b",
            "refs/heads/a\\b",
            "refs/heads//a",
            "refs/heads/a.",
            "refs/heads/a\nb",
        ] {
            assert!(bad.parse::<RefName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn slugs_keep_only_hosts_other_than_github_com() {
        assert_eq!("github.com/o/n.git".parse::<Slug>().map(|slug| slug.to_string()), Ok("o/n".to_owned()));
        assert_eq!(
            "GHE.example.com/o/n".parse::<Slug>().map(|slug| slug.to_string()),
            Ok("ghe.example.com/o/n".to_owned())
        );
        for bad in ["o", "o/", "/n", "a/b/c", "o/n/x/y", "o o/n", "-o/n", "o/..", "https://github.com/o/n"] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }
}
