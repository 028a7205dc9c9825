//! What was typed for a mirror that is being set up: tokens and values, in memory, until they are kept or forgotten. The page never
//! gets them back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use standin_core::engine::TypedTokens;
use standin_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use crate::wire::TypedPlace;

/// What was typed.
#[derive(Default)]
pub struct Typed(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    tokens: TypedTokens,
    values: BTreeMap<String, SecretString>,
    /// Ends the looks that go on, since nobody waits for them any more.
    left: CancellationToken,
}

impl Typed {
    /// Takes a token, or forgets the one that was typed.
    pub fn set_token(&self, place: TypedPlace, token: Option<SecretString>) {
        let mut inner = self.inner();
        match place {
            TypedPlace::Source => inner.tokens.source = token,
            TypedPlace::Mirror => inner.tokens.mirror = token,
        }
    }

    /// Takes the value of a secret, or forgets the one that was typed; gives the names of all that were.
    pub fn set_value(&self, name: String, value: Option<SecretString>) -> Vec<String> {
        let mut inner = self.inner();
        match value {
            Some(value) => drop(inner.values.insert(name, value)),
            None => drop(inner.values.remove(&name)),
        }
        inner.values.keys().cloned().collect()
    }

    /// Forgets everything, and ends the looks that go on with it.
    pub fn forget(&self) {
        std::mem::take(&mut *self.inner()).left.cancel();
    }

    /// A look that ends when what was typed is forgotten.
    ///
    /// # Errors
    /// [`Code::Cancelled`] then.
    pub async fn unless_left<T>(&self, look: impl Future<Output = Result<T>>) -> Result<T> {
        let left = self.inner().left.clone();
        tokio::select! {
            looked = look => looked,
            () = left.cancelled() => Err(Error::new(Code::Cancelled, "the setup was left", "Begin it again.")),
        }
    }

    /// The tokens.
    pub fn tokens(&self) -> TypedTokens {
        self.inner().tokens.clone()
    }

    /// The values, by the name of their secret.
    pub fn values(&self) -> BTreeMap<String, SecretString> {
        self.inner().values.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
