//! The one error contract, from here to the terminal and the window: what failed, with which value, and what
//! to do about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of failure it is. A code exists when someone reacts to it: a hint, an exit status, a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Code {
    /// The configuration has a mistake; nothing was started.
    Configuration,
    /// The command or call does not make sense as given.
    Usage,
    /// The named repository, mirror, rescue or run does not exist.
    NotFound,
    /// `MIRROR_ENABLED=false` or a mirror switched off.
    Disabled,
    /// Another run holds the mirror.
    Busy,
    /// The user stopped it.
    Cancelled,
    /// The time limit ran out; what the other side did is unknown until it is read back.
    TimedOut,
    /// The host could not be reached, or the connection broke.
    Network,
    /// Nobody has accepted the key of the ssh host yet.
    HostKeyUnknown,
    /// The ssh host shows another key than the accepted one.
    HostKeyChanged,
    /// The host answered with a server error (5xx).
    HostFailed,
    /// The host's limits: wait and try again.
    RateLimited,
    /// The host does not accept the token (401).
    Unauthorized,
    /// The token is valid but lacks a right.
    Forbidden,
    /// The token is valid, and a policy keeps it out whatever its rights: single sign-on, a list of addresses, a rule for
    /// tokens. The repository is well.
    TokenBarred,
    /// The host blocked the repository or took it down, for everybody.
    RepositoryBlocked,
    /// The repository does not exist or the token cannot see it.
    RepositoryNotFound,
    /// No token was found for a place that needs one.
    TokenMissing,
    /// This session has no keychain.
    KeychainUnavailable,
    /// The keychain is locked, and was not unlocked when it asked or could not ask.
    KeychainLocked,
    /// The keychain is there and does not do what it was asked, or does not answer.
    KeychainFailed,
    /// The keychain has the entry and lost what was in it.
    KeychainEmpty,
    /// `git` is missing or too old.
    GitMissing,
    /// `gh` is missing or too old.
    GhMissing,
    /// git failed in a way that has no code of its own.
    GitFailed,
    /// gh failed in a way that has no code of its own.
    GhFailed,
    /// The host refused one or more refs.
    RefRefused,
    /// A ref on the mirror moved between plan and push.
    Raced,
    /// A ref on the mirror has commits that we did not push.
    Diverged,
    /// The `.env` of a clone, or what a token or value that is kept would be used for, waits for its owner's yes.
    ConsentNeeded,
    /// The plan waits for a confirmation.
    GuardHeld,
    /// New secret names wait for a yes.
    SecretNamesHeld,
    /// The plan that was to be carried out is not what a sync would do by now.
    PlanChanged,
    /// Somebody with a higher epoch is master.
    FencedOff,
    /// A fence that we remember is gone or does not continue what we remember.
    FenceLost,
    /// An earlier run ended without finishing.
    Interrupted,
    /// A change of master was begun and is not ended.
    RoleChangeOpen,
    /// Two repositories were made master without seeing each other.
    TwoMasters,
    /// Actions are switched off on the mirror and could not be switched on again yet.
    ActionsLeftOff,
    /// A file, database or lock on this machine failed.
    Storage,
    /// The host answered something that does not fit its documentation.
    UnexpectedAnswer,
    /// A bug in Standin.
    Internal,
}

impl Code {
    /// Whether it is no failure but waits for somebody's decision.
    pub fn waits(self) -> bool {
        match self {
            Self::ConsentNeeded
            | Self::Diverged
            | Self::GuardHeld
            | Self::SecretNamesHeld
            | Self::PlanChanged
            | Self::FenceLost => true,
            Self::Configuration
            | Self::Usage
            | Self::NotFound
            | Self::Disabled
            | Self::Busy
            | Self::Cancelled
            | Self::TimedOut
            | Self::Network
            | Self::HostKeyUnknown
            | Self::HostKeyChanged
            | Self::HostFailed
            | Self::RateLimited
            | Self::Unauthorized
            | Self::Forbidden
            | Self::TokenBarred
            | Self::RepositoryBlocked
            | Self::RepositoryNotFound
            | Self::TokenMissing
            | Self::KeychainUnavailable
            | Self::KeychainLocked
            | Self::KeychainFailed
            | Self::KeychainEmpty
            | Self::GitMissing
            | Self::GhMissing
            | Self::GitFailed
            | Self::GhFailed
            | Self::RefRefused
            | Self::Raced
            | Self::FencedOff
            | Self::Interrupted
            | Self::RoleChangeOpen
            | Self::TwoMasters
            | Self::ActionsLeftOff
            | Self::Storage
            | Self::UnexpectedAnswer
            | Self::Internal => false,
        }
    }
}

/// An error as every face shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
#[ts(export)]
pub struct Error {
    /// What kind of failure it is.
    pub code: Code,
    /// What failed, and with which value; never a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Whether the same thing may work when tried again later.
    pub retryable: bool,
    /// How long the host asked us to wait before trying again, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_seconds: Option<u64>,
    /// Whether it is about the source or current master, which could not be read: no mirror is ill by that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub at_source: bool,
}

/// What a fallible function of Standin returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that trying again will not mend.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            retryable: false,
            retry_after_seconds: None,
            at_source: false,
        }
    }

    /// An error that may pass by itself.
    pub fn passing(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(code, message, hint) }
    }

    /// The same error with the wait that the host asked for.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retryable = true;
        self.retry_after_seconds = Some(wait.as_secs());
        self
    }

    /// The same error, of reading the source: its host's, its token's or its network's, unless this machine is what failed.
    #[must_use]
    pub fn at_source(mut self) -> Self {
        self.at_source = matches!(
            self.code,
            Code::TimedOut
                | Code::Network
                | Code::HostKeyUnknown
                | Code::HostKeyChanged
                | Code::HostFailed
                | Code::RateLimited
                | Code::Unauthorized
                | Code::Forbidden
                | Code::TokenBarred
                | Code::RepositoryBlocked
                | Code::RepositoryNotFound
                | Code::TokenMissing
                | Code::GitFailed
                | Code::UnexpectedAnswer
        );
        self
    }

    /// The same error with what was being done put before its message.
    #[must_use]
    pub fn during(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}
