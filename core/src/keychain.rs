//! The operating system's keychain, and the memory of a session for those who have none.
//!
//! A locked keychain may ask the user to unlock it, and one that is broken may never answer: each call has a time
//! limit. Nothing is ever written elsewhere when the keychain fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keyring::v1::Entry;
use secrecy::{ExposeSecret as _, SecretString};

use crate::outside::Keychain;
use crate::{Code, Error, Result};

/// The service under which all entries stand.
const SERVICE: &str = "standin";
/// How long the keychain may take when it has to ask the user.
const LIMIT: Duration = Duration::from_secs(60);

/// The operating system's keychain.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsKeychain;

impl OsKeychain {
    async fn ask<T: Send + 'static>(
        account: &str,
        what: fn(&Entry, &str) -> keyring::v1::Result<T>,
        value: SecretString,
    ) -> Result<Option<T>> {
        let account = account.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let entry = Entry::new(SERVICE, &account)?;
            what(&entry, value.expose_secret())
        });
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(Ok(Ok(found))) => Ok(Some(found)),
            Ok(Ok(Err(keyring::v1::Error::NoEntry))) => Ok(None),
            Ok(Ok(Err(error))) => Err(unavailable(&reason(&error))),
            Ok(Err(_)) => Err(unavailable("it failed without a reason")),
            Err(_) => {
                Err(unavailable(&format!("it gave no answer within {} seconds; it may be locked", LIMIT.as_secs())))
            }
        }
    }
}

/// The keychain's words. Variants that hold an entry's content are not printed.
fn reason(error: &keyring::v1::Error) -> String {
    use keyring::v1::Error;
    match error {
        Error::NoDefaultStore => "this session has none".to_owned(),
        Error::NoStorageAccess(inner) | Error::PlatformFailure(inner) => inner.to_string(),
        Error::BadEncoding(_) => "the entry is not text".to_owned(),
        Error::TooLong(what, limit) => format!("{what} is longer than its limit of {limit}"),
        Error::Invalid(what, why) => format!("{what} is invalid: {why}"),
        Error::Ambiguous(_) => "there are several entries of the same name".to_owned(),
        _ => "it refused".to_owned(),
    }
}

fn unavailable(why: &str) -> Error {
    Error::new(
        Code::KeychainUnavailable,
        format!("the keychain cannot be used: {why}"),
        "Unlock or install a keychain (on Linux a Secret Service such as gnome-keyring), or give the token in the environment.",
    )
}

#[async_trait]
impl Keychain for OsKeychain {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        Self::ask(account, |entry, _| entry.get_password().map(SecretString::from), SecretString::default()).await
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        Self::ask(account, |entry, value| entry.set_password(value), value.clone()).await?;
        Ok(())
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        let removed = Self::ask(account, |entry, _| entry.delete_credential(), SecretString::default()).await?;
        Ok(removed.is_some())
    }
}

/// Keeps tokens in memory until the program quits, before those of another keychain.
#[derive(Clone)]
pub struct SessionKeychain {
    inner: Arc<dyn Keychain>,
    kept: Arc<Mutex<BTreeMap<String, SecretString>>>,
}

impl SessionKeychain {
    /// A memory in front of `inner`.
    pub fn over(inner: Arc<dyn Keychain>) -> Self {
        Self { inner, kept: Arc::default() }
    }

    /// Keeps a token in memory only.
    pub fn keep(&self, account: &str, value: SecretString) {
        self.kept().insert(account.to_owned(), value);
    }

    /// Forgets a token that was kept in memory; `false` where there was none.
    pub fn forget(&self, account: &str) -> bool {
        self.kept().remove(account).is_some()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, SecretString>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Keychain for SessionKeychain {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        let kept = self.kept().get(account).cloned();
        match kept {
            Some(value) => Ok(Some(value)),
            None => self.inner.get(account).await,
        }
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        self.inner.set(account, value).await?;
        self.forget(account);
        Ok(())
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        let forgotten = self.forget(account);
        match self.inner.remove(account).await {
            Err(error) if forgotten && error.code == Code::KeychainUnavailable => Ok(true),
            removed => Ok(removed? || forgotten),
        }
    }

    fn in_session(&self, account: &str) -> bool {
        self.kept().contains_key(account)
    }
}
