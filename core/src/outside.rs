//! The four traits through which the outside is asked, and what stands behind them in the real program.
//!
//! Files, SQLite, git and HTTP are used directly. Tests use the real implementations too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::event::Event;
use crate::{Code, Error, Result};

/// The outside, as one run sees it.
#[derive(Clone)]
pub struct Outside {
    /// Runs the gh program.
    pub gh: Arc<dyn Gh>,
    /// The operating system's keychain.
    pub keychain: Arc<dyn Keychain>,
    /// Hears what happens.
    pub progress: Arc<dyn Progress>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The program to be started as git's credential helper: this very program, which must call
    /// `git::credential::answer_if_asked` first thing in `main`.
    pub credential_helper: PathBuf,
    /// The environment that this program was started with, for the few variables that children may see.
    pub environment: Arc<BTreeMap<String, String>>,
}

/// One call of the gh program.
#[derive(Debug)]
pub struct GhCall {
    /// Arguments; never a secret.
    pub arguments: Vec<String>,
    /// What gh reads on standard input; the only way for a value to reach it.
    pub input: Option<SecretString>,
    /// Variables for gh on top of a cleared environment; `GH_TOKEN` is the only secret among them.
    pub environment: BTreeMap<String, SecretString>,
    /// How long it may take; then it is ended.
    pub time_limit: Duration,
}

/// How a call of gh ended.
#[derive(Debug)]
pub struct GhOutput {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs the gh program: by `tokio::process` here, by tauri-plugin-shell on the desktop.
#[async_trait]
pub trait Gh: Send + Sync {
    /// Runs gh once.
    ///
    /// # Errors
    /// [`Code::GhMissing`] when it cannot be started, [`Code::TimedOut`] when it was ended at the limit. A call
    /// that gh itself reports as failed is no error here.
    async fn run(&self, call: GhCall) -> Result<GhOutput>;
}

/// Keeps tokens. Entries are found by service `standin` and an account such as `orchestrator/source`.
#[async_trait]
pub trait Keychain: Send + Sync {
    /// The value of an entry, `None` where there is none.
    ///
    /// # Errors
    /// [`Code::KeychainUnavailable`] where there is no keychain; [`Code::KeychainLocked`]; [`Code::KeychainFailed`] for one
    /// that refuses or does not answer; [`Code::KeychainEmpty`] for an entry whose value the keychain has lost.
    async fn get(&self, account: &str) -> Result<Option<SecretString>>;
    /// The value as a program that starts now would find it: over a new connection.
    ///
    /// # Errors
    /// As [`Keychain::get`].
    async fn get_afresh(&self, account: &str) -> Result<Option<SecretString>> {
        self.get(account).await
    }
    /// After how long this keychain has written what it was given, though it answers at once.
    async fn settles_in(&self) -> Duration {
        Duration::ZERO
    }
    /// Stores a value.
    ///
    /// # Errors
    /// As [`Keychain::get`]: then nothing was written. [`Code::TimedOut`]: it may yet be.
    async fn set(&self, account: &str, value: &SecretString) -> Result<()>;
    /// Removes an entry, and all of the same name; `false` where there was none.
    ///
    /// # Errors
    /// As [`Keychain::set`].
    async fn remove(&self, account: &str) -> Result<bool>;
    /// Where the value of this account is kept in memory only, until the program quits: the place that it was given for.
    fn in_session(&self, _account: &str) -> Option<String> {
        None
    }
}

/// Hears what happens. Implementations return at once.
pub trait Progress: Send + Sync {
    /// Hears one event.
    fn event(&self, event: &Event);
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event) {}
}

impl GhOutput {
    /// The output of a call that worked.
    ///
    /// # Errors
    /// [`Code::GhFailed`] with gh's own words otherwise.
    pub fn succeeded(self, what: &str) -> Result<Self> {
        if self.status == Some(0) {
            return Ok(self);
        }
        let words = self.stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("gh gave no reason");
        Err(Error::new(Code::GhFailed, format!("{what}: {words}"), "Run `gh` by hand with the same token to see more."))
    }
}

/// `user@host` of whoever runs this program, from its environment and the system: for people and for the audit trail.
pub fn person(environment: &BTreeMap<String, String>) -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().filter_map(|name| environment.get(*name));
    let user = named.map(String::as_str).find(|value| !value.is_empty()).unwrap_or("somebody");
    format!("{user}@{}", gethostname::gethostname().to_string_lossy())
}
