//! Accounts and what an account may do in a repository.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A user or an organization.
#[derive(Debug, Clone)]
pub struct Account {
    /// Number of the account.
    pub id: u64,
    /// Login, in the case it was made with.
    pub login: String,
    /// User or organization.
    pub kind: AccountKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// A suspended account is refused everywhere.
    pub suspended: bool,
    /// Members of an organization and what they may do in its repositories, by lower-case login.
    pub members: BTreeMap<String, Role>,
}

impl Account {
    pub(crate) fn new(id: u64, login: &str, kind: AccountKind, now: Timestamp) -> Self {
        Self { id, login: login.to_owned(), kind, created_at: now, suspended: false, members: BTreeMap::new() }
    }
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person.
    User,
    /// A group of people that owns repositories.
    Organization,
    /// An app that acts by itself, such as Actions.
    Bot,
}

impl AccountKind {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
            Self::Bot => "Bot",
        }
    }
}

/// What an account may do in a repository, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing but what everybody may.
    None,
    /// Read and clone.
    Read,
    /// Manage issues and pull requests.
    Triage,
    /// Push, and manage secrets, variables and workflows.
    Write,
    /// Manage some settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    /// GraphQL's `viewerPermission`.
    pub fn as_viewer_permission(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Read => Some("READ"),
            Self::Triage => Some("TRIAGE"),
            Self::Write => Some("WRITE"),
            Self::Maintain => Some("MAINTAIN"),
            Self::Admin => Some("ADMIN"),
        }
    }
}
