//! The operating system's keychain, and the memory of a session for those who have none.
//!
//! A locked keychain may ask the user to unlock it, and one that is broken may never answer: each call has a time
//! limit, and whatever does not answer keeps nothing from ending ([`turns`]). Who runs where nobody sits looks first,
//! and raises no dialog ([`look`]). Nothing is ever written elsewhere when the keychain fails, and nothing is called
//! unwritten that may still come true ([`failure`]). docs/keychain.md says what each keychain does.

#[cfg(all(unix, not(target_os = "macos")))]
mod bus;
mod failure;
mod look;
mod session;
mod store;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config;
use tokio_util::sync::CancellationToken;

use crate::outside::Keychain;
use crate::{Code, Error, Result};
use failure::Failure;
use turns::{Answer, Question, Turns};

pub use session::SessionKeychain;

/// The service under which all entries stand.
const SERVICE: &str = "standin";
/// After how long a keychain of any kind has written what it was given: the laziest one takes 5 s.
const SETTLES_IN: Duration = Duration::from_secs(6);

/// Waits for what may have to ask the keychain, which may have to ask the user; until this is stopped.
///
/// # Errors
/// [`Code::Cancelled`].
pub(crate) async fn unless_stopped<T>(cancel: &CancellationToken, asking: impl Future<Output = T>) -> Result<T> {
    cancel.run_until_cancelled(asking).await.ok_or_else(|| {
        Error::new(Code::Cancelled, "asking the keychain: stopped", "Run it again when you like; nothing was begun.")
    })
}

/// Whether the keychain may ask the user to unlock it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Somebody sits there and waits for this.
    MayAsk,
    /// Nobody does: what is locked is reported, and no dialog raised.
    Quiet,
}

/// How long the keychain may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    may_ask: Duration,
    quiet: Duration,
}

impl Limits {
    fn of(self, manner: Manner) -> Duration {
        match manner {
            Manner::MayAsk => self.may_ask,
            Manner::Quiet => self.quiet,
        }
    }
}

/// The operating system's keychain. Clones stand in one line.
#[derive(Clone)]
pub struct OsKeychain {
    turns: Arc<Turns>,
    manner: Manner,
    limits: Limits,
}

impl OsKeychain {
    /// The keychain of this session. `STANDIN_KEYCHAIN_LIMIT` in the environment says how long it may take to answer;
    /// otherwise that is a minute where it may ask, and 20 seconds where it may not.
    pub fn new(manner: Manner, environment: &BTreeMap<String, String>) -> Self {
        let limit = environment.get("STANDIN_KEYCHAIN_LIMIT").and_then(|text| config::duration(text.trim()));
        let limits = Limits {
            may_ask: limit.unwrap_or(Duration::from_secs(60)),
            quiet: limit.unwrap_or(Duration::from_secs(20)),
        };
        Self { turns: Arc::default(), manner, limits }
    }

    /// The same keychain, for work that nobody waits for.
    #[must_use]
    pub fn quietly(&self) -> Self {
        Self { manner: Manner::Quiet, ..self.clone() }
    }

    async fn ask(&self, question: Question, account: &str) -> Result<Answer, Failure> {
        self.turns.ask(question, account, self.manner, self.limits).await
    }

    /// Whether the keychain has this value, as far as it tells without asking.
    async fn has(&self, account: &str, value: &SecretString) -> Option<bool> {
        let limits = Limits { quiet: self.limits.quiet.min(turns::GLANCE), ..self.limits };
        match self.turns.ask(Question::Get, account, Manner::Quiet, limits).await {
            Ok(Answer::Value(found)) => Some(found.expose_secret() == value.expose_secret()),
            Ok(Answer::Done | Answer::Nothing) => Some(false),
            Err(_) => None,
        }
    }
}

#[async_trait]
impl Keychain for OsKeychain {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        match self.ask(Question::Get, account).await {
            Ok(Answer::Value(value)) => Ok(Some(value)),
            Ok(Answer::Done | Answer::Nothing) => Ok(None),
            Err(failure) => Err(failure.told(&Question::Get, account)),
        }
    }

    async fn get_afresh(&self, account: &str) -> Result<Option<SecretString>> {
        self.turns.forget_store().await;
        self.get(account).await
    }

    async fn settles_in(&self) -> Duration {
        match turns::glance().await {
            Some(sight) if sight.writes_at_once => Duration::ZERO,
            Some(_) | None => SETTLES_IN,
        }
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        let question = Question::Set(value.clone());
        match self.ask(question.clone(), account).await {
            Ok(_) => Ok(()),
            Err(failure @ (Failure::Silent(_) | Failure::Lost(_))) => match self.has(account, value).await {
                Some(true) => Ok(()),
                Some(false) | None => Err(failure.told(&question, account)),
            },
            Err(failure) => Err(failure.told(&question, account)),
        }
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        match self.ask(Question::Remove, account).await {
            Ok(Answer::Value(_) | Answer::Done) => Ok(true),
            Ok(Answer::Nothing) => Ok(false),
            Err(failure) => Err(failure.told(&Question::Remove, account)),
        }
    }
}
