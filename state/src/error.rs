//! The one error contract, from here to the terminal and the window: what failed, with which value, and what
//! to do about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{Action, MirrorId, Verb};

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
    /// What offered itself as a newer version of Standin was not taken.
    UpdateRefused,
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
            | Self::UpdateRefused
            | Self::Internal => false,
        }
    }
}

impl Code {
    /// What a person does about it, where that is one thing whatever it was that failed.
    fn verb(self) -> Option<Verb> {
        match self {
            Self::TokenMissing | Self::Unauthorized | Self::KeychainEmpty => Some(Verb::SetToken),
            Self::HostKeyUnknown | Self::HostKeyChanged => Some(Verb::Test),
            Self::ConsentNeeded => Some(Verb::Allow),
            Self::Diverged | Self::GuardHeld | Self::SecretNamesHeld | Self::PlanChanged | Self::FenceLost => {
                Some(Verb::Decide)
            }
            Self::ActionsLeftOff => Some(Verb::Health),
            Self::Configuration
            | Self::Usage
            | Self::NotFound
            | Self::Disabled
            | Self::Busy
            | Self::Cancelled
            | Self::TimedOut
            | Self::Network
            | Self::HostFailed
            | Self::RateLimited
            | Self::Forbidden
            | Self::TokenBarred
            | Self::RepositoryBlocked
            | Self::RepositoryNotFound
            | Self::KeychainUnavailable
            | Self::KeychainLocked
            | Self::KeychainFailed
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
            | Self::Storage
            | Self::UnexpectedAnswer
            | Self::UpdateRefused
            | Self::Internal => None,
        }
    }
}

/// A hint for a terminal: with the command of its action, where it names none itself.
pub fn advice(hint: &str, action: Option<&Action>) -> String {
    let Some(Action { label, command, .. }) = action.filter(|_| !hint.contains("`standin ")) else {
        return hint.to_owned();
    };
    let space = if hint.is_empty() { "" } else { " " };
    format!("{hint}{space}{label}: `{command}`.")
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
    /// The same as something to click or to type, where it is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub action: Option<Box<Action>>,
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
            action: None,
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

    /// The same error with what to do about it, unless that is known better already.
    #[must_use]
    pub fn offering(mut self, verb: Verb, mirror: Option<&MirrorId>) -> Self {
        self.action.get_or_insert_with(|| Box::new(Action::new(verb, mirror)));
        self
    }

    /// The same error, known to be about a mirror or, with `None`, the source: with what its code calls for there.
    #[must_use]
    pub fn about(self, mirror: Option<&MirrorId>) -> Self {
        match self.code.verb() {
            Some(verb) => self.offering(verb, mirror),
            None => self,
        }
    }

    /// What to do about it, for a terminal: the hint, and the command where the hint names none.
    pub fn advice(&self) -> String {
        advice(&self.hint, self.action.as_deref())
    }

    /// The same error with what was being done put before its message.
    #[must_use]
    pub fn during(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror() -> MirrorId {
        "mirror-1".parse().unwrap()
    }

    #[test]
    fn an_error_about_a_place_names_the_command_for_that_place_once() {
        let error = Error::new(Code::Unauthorized, "401", "Make a new one and store it.");
        assert_eq!(error.advice(), "Make a new one and store it.", "nobody knows yet whose token it is");
        let at_mirror = error.clone().about(Some(&mirror()));
        assert_eq!(
            at_mirror.advice(),
            "Make a new one and store it. Store the token of mirror-1: `standin token set mirror-1`."
        );
        assert_eq!(at_mirror.clone().about(None), at_mirror, "who knew it first knew it best");
        assert!(error.about(None).advice().ends_with("`standin token set source`."));
        let named = Error::new(Code::GuardHeld, "held", "See `standin plan --mirror mirror-1`.").about(Some(&mirror()));
        assert_eq!(named.advice(), named.hint, "a hint that names a command says it better");
        assert_eq!(named.action.unwrap().verb, Verb::Decide);
    }

    #[test]
    fn what_passes_by_itself_or_is_mended_in_a_file_offers_nothing() {
        for code in [Code::Network, Code::HostFailed, Code::Configuration, Code::Storage, Code::Forbidden] {
            let error = Error::new(code, "m", "Look.").about(Some(&mirror()));
            assert_eq!((error.action.clone(), error.advice().as_str()), (None, "Look."), "{code:?}");
        }
    }

    #[test]
    fn an_error_without_a_hint_still_says_the_command() {
        let error = Error::new(Code::FenceLost, "m", "").about(Some(&mirror()));
        assert_eq!(error.advice(), "Decide: `standin plan --mirror mirror-1`.");
    }
}
