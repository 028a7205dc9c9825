//! Tokens in memory, for those who have no keychain.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::outside::Keychain;
use crate::{Code, Result};

/// Keeps tokens in memory until the program quits, before those of another keychain.
#[derive(Clone)]
pub struct SessionKeychain {
    inner: Arc<dyn Keychain>,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

/// A token, and the place that it was given for.
#[derive(Clone)]
struct Kept {
    value: SecretString,
    target: String,
}

impl SessionKeychain {
    /// A memory in front of `inner`.
    pub fn over(inner: Arc<dyn Keychain>) -> Self {
        Self { inner, kept: Arc::default() }
    }

    /// Keeps a token in memory only, for this place.
    pub fn keep(&self, account: &str, target: &str, value: SecretString) {
        self.kept().insert(account.to_owned(), Kept { value, target: target.to_owned() });
    }

    /// Forgets a token that was kept in memory; `false` where there was none.
    pub fn forget(&self, account: &str) -> bool {
        self.kept().remove(account).is_some()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Keychain for SessionKeychain {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        let kept = self.kept().get(account).cloned();
        match kept {
            Some(kept) => Ok(Some(kept.value)),
            None => self.inner.get(account).await,
        }
    }

    async fn get_afresh(&self, account: &str) -> Result<Option<SecretString>> {
        self.inner.get_afresh(account).await
    }

    async fn settles_in(&self) -> Duration {
        self.inner.settles_in().await
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

    fn in_session(&self, account: &str) -> Option<String> {
        self.kept().get(account).map(|kept| kept.target.clone())
    }
}
