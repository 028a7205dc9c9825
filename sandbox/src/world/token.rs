//! Tokens: whom they stand for, what they may do, until when.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::{Repository, random_text};

/// What a new token shall be.
#[derive(Debug, Clone)]
pub struct TokenSpec {
    /// Classic with scopes, or fine-grained with permissions.
    pub kind: TokenKind,
    /// From this moment on it is refused; `None` never expires.
    pub expires_at: Option<Timestamp>,
}

impl TokenSpec {
    /// A classic token with these scopes that does not expire.
    pub fn classic(scopes: &[&str]) -> Self {
        Self {
            kind: TokenKind::Classic { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() },
            expires_at: None,
        }
    }

    /// A fine-grained token for these repositories of this owner (an empty list: all of them) with these permissions.
    pub fn fine_grained(owner: &str, repositories: &[&str], permissions: &[(&str, Level)]) -> Self {
        Self {
            kind: TokenKind::FineGrained {
                owner: owner.to_owned(),
                repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
                permissions: permissions.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect(),
            },
            expires_at: None,
        }
    }

    /// The same token, expiring at this moment.
    pub fn expiring(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

/// The two kinds of personal access token, and the token of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// `ghp_…`: acts for its account wherever the account may act, within its scopes.
    Classic {
        /// Such as `repo`, `workflow`, `delete_repo`.
        scopes: Vec<String>,
    },
    /// `github_pat_…`: acts in named repositories of one owner, within its permissions.
    FineGrained {
        /// Login of the resource owner.
        owner: String,
        /// Names of the owner's repositories; empty means all.
        repositories: Vec<String>,
        /// Permission names as in `X-Accepted-GitHub-Permissions`, such as `contents`, `secrets`, `actions_variables`
        /// (also `variables`), `actions`, `workflows`, `administration`.
        permissions: BTreeMap<String, Level>,
    },
    /// `ghs_…`: what a job of a workflow has as `GITHUB_TOKEN`; acts in the job's repository alone.
    Job {
        /// The repository.
        repository_id: u64,
        /// What `permissions:` gives, with names as for fine-grained tokens.
        permissions: BTreeMap<String, Level>,
    },
}

/// How far a fine-grained permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// An issued token, without its value.
#[derive(Debug, Clone)]
pub struct Token {
    /// Number of the token, for the records.
    pub id: u64,
    /// Whom it stands for.
    pub login: String,
    /// What it may do.
    pub kind: TokenKind,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// True once its last moment has come.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// True if a classic token has this scope, itself or through a wider one.
    pub fn has_scope(&self, wanted: &str) -> bool {
        match &self.kind {
            TokenKind::Classic { scopes } => {
                scopes.iter().any(|scope| scope == wanted || (scope == "repo" && wanted == "public_repo"))
            }
            TokenKind::FineGrained { .. } | TokenKind::Job { .. } => false,
        }
    }

    /// True if the token acts in this repository.
    pub fn covers(&self, repository: &Repository) -> bool {
        match &self.kind {
            TokenKind::Classic { .. } => true,
            TokenKind::FineGrained { owner: resource_owner, repositories, .. } => {
                resource_owner.eq_ignore_ascii_case(&repository.owner)
                    && (repositories.is_empty()
                        || repositories.iter().any(|covered| covered.eq_ignore_ascii_case(&repository.name)))
            }
            TokenKind::Job { repository_id, .. } => *repository_id == repository.id,
        }
    }

    /// The repository of a job's token; none for the tokens of people.
    pub fn job_repository(&self) -> Option<u64> {
        match &self.kind {
            TokenKind::Job { repository_id, .. } => Some(*repository_id),
            TokenKind::Classic { .. } | TokenKind::FineGrained { .. } => None,
        }
    }

    /// The level that a token with permissions has for this one.
    pub fn level(&self, permission: &str) -> Option<Level> {
        let permissions = match &self.kind {
            TokenKind::Classic { .. } => return None,
            TokenKind::FineGrained { permissions, .. } | TokenKind::Job { permissions, .. } => permissions,
        };
        let given = |name: &str| permissions.get(name).copied();
        match permission {
            "metadata" => Some(Level::Read),
            "actions_variables" => given("actions_variables").max(given("variables")),
            _ => given(permission),
        }
    }
}

pub(super) fn random_value(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Classic { .. } => format!("ghp_{}", random_text(36)),
        TokenKind::FineGrained { .. } => {
            format!("github_pat_{}_{}", random_text(22), random_text(59))
        }
        TokenKind::Job { .. } => format!("ghs_{}", random_text(36)),
    }
}
