//! Tokens: kept, removed, checked.

use secrecy::SecretString;
use standin_state::model::{MirrorId, RepositoryId};

use super::Engine;
use crate::Result;
use crate::keychain::SessionKeychain;
use crate::tokens::{self, Place, TokenReport};

impl Engine {
    /// Stores a token in the keychain.
    ///
    /// # Errors
    /// As [`tokens::set`]; the hint names the variable to use instead.
    pub async fn token_set(
        &self,
        repository: Option<&RepositoryId>,
        place: &Place,
        value: &SecretString,
    ) -> Result<()> {
        let known = self.repository(repository)?;
        let set = tokens::set(&self.shared.outside, &self.shared.store, &known, place, value).await;
        self.audited("token_set", Some(&known.id), mirror_of(place), place.to_string(), set)
    }

    /// Keeps a token in memory until the program quits. `session` is the keychain that the engine was opened with.
    ///
    /// # Errors
    /// [`Code::Usage`] for what cannot be a token.
    pub fn token_keep(
        &self,
        session: &SessionKeychain,
        repository: Option<&RepositoryId>,
        place: &Place,
        value: &SecretString,
    ) -> Result<()> {
        let known = self.repository(repository)?;
        let kept = tokens::keep(session, &known, place, value);
        self.audited("token_set", Some(&known.id), mirror_of(place), format!("{place}, in memory only"), kept)
    }

    /// Removes a token from the keychain; `false` where there was none.
    ///
    /// # Errors
    /// As [`tokens::remove`].
    pub async fn token_remove(&self, repository: Option<&RepositoryId>, place: &Place) -> Result<bool> {
        let known = self.repository(repository)?;
        let removed = tokens::remove(&self.shared.outside, &self.shared.store, &known, place).await;
        self.audited("token_remove", Some(&known.id), mirror_of(place), place.to_string(), removed)
    }

    /// Whose a token is, what it may do, when it ends; `None` where there is no token or none is needed.
    ///
    /// # Errors
    /// Whatever the host answers to the questions.
    pub async fn token_check(&self, repository: Option<&RepositoryId>, place: &Place) -> Result<Option<TokenReport>> {
        let known = self.repository(repository)?;
        tokens::check(&self.shared.outside, &self.config(), &self.shared.store, &known, place).await
    }
}

fn mirror_of(place: &Place) -> Option<&MirrorId> {
    match place {
        Place::Source => None,
        Place::Mirror(id) => Some(id),
    }
}
