//! Values of secrets: which are known here, keeping them in the vault, and giving those of the vault to a sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_state::config::{RepositoryConfig, secret_name};
use standin_state::model::RepositoryId;
use ts_rs::TS;

use super::Engine;
use crate::plan::SecretSource;
use crate::tokens::{account_of_value, of_target, places_of_values};
use crate::vault::Vault;
use crate::{Error, Result};

/// Where the value of one secret is. Never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SecretPlace {
    /// Its name.
    pub name: String,
    /// Where the value comes from that a sync would send; `None` where there is none.
    pub source: Option<SecretSource>,
    /// Whether the vault has a value, be it used or not.
    pub in_vault: bool,
    /// Whether it is meant to travel: it is listed, or there is no list.
    pub travels: bool,
}

impl Engine {
    /// Keeps the value of a secret in the vault. Says where the value is that counts: a value in `.env` comes first.
    ///
    /// # Errors
    /// [`crate::Code::Usage`] for what GitHub would not take; those of the keychain, where the hint names
    /// `.env`; [`crate::Code::Storage`] for a vault that cannot be opened, which is left as it is.
    pub async fn secret_set(
        &self,
        repository: Option<&RepositoryId>,
        name: &str,
        value: &SecretString,
    ) -> Result<SecretPlace> {
        let known = self.repository(repository)?;
        let name = secret_name(name)?;
        let account = account_of_value(&known.id, &name);
        let targets: BTreeSet<String> = places_of_values(&known).iter().filter_map(of_target).collect();
        let (store, vault) = (&self.shared.store, self.vault());
        if store.bound(&account)? != targets {
            // A crash in between leaves the old value for nobody, and a new one for those that it is given for.
            let is_new = !vault.names(&known.id)?.contains(&name);
            store.rebind(&account, targets.iter().map(String::as_str).filter(|_| is_new))?;
        }
        let set = vault.set(&known.id, &name, value).await;
        let set = set.and_then(|()| store.rebind(&account, targets.iter().map(String::as_str)));
        self.audited("secret_set", Some(&known.id), None, name.clone(), set)?;
        Ok(place(&known, name, true, known.takes_from_vault()))
    }

    /// Removes a secret from the vault; `false` where it was not there. Mirrors keep what was sent to them.
    ///
    /// # Errors
    /// As [`Engine::secret_set`].
    pub async fn secret_remove(&self, repository: Option<&RepositoryId>, name: &str) -> Result<bool> {
        let known = self.repository(repository)?;
        let name = secret_name(name)?;
        let removed = self.vault().remove(&known.id, &name).await;
        let removed = removed.and_then(|removed| {
            self.shared.store.rebind(&account_of_value(&known.id, &name), [])?;
            Ok(removed)
        });
        self.audited("secret_remove", Some(&known.id), None, name, removed)
    }

    /// The secrets that are known here by name, in order, and where their values are. Asks for no key.
    ///
    /// # Errors
    /// [`crate::Code::Storage`] for a vault that cannot be read.
    pub fn secrets(&self, repository: Option<&RepositoryId>) -> Result<Vec<SecretPlace>> {
        let known = self.repository(repository)?;
        let kept = self.vault().names(&known.id)?;
        let is_kept = |name: &String| kept.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        let configured = known.secrets.values.keys().chain(&known.secrets.missing);
        let takes = known.takes_from_vault();
        let mut places: Vec<SecretPlace> =
            configured.map(|name| place(&known, name.clone(), is_kept(name), &takes)).collect();
        let is_placed =
            |places: &[SecretPlace], name: &str| places.iter().any(|place| place.name.eq_ignore_ascii_case(name));
        for name in &kept {
            if !is_placed(&places, name) {
                places.push(place(&known, name.clone(), true, &takes));
            }
        }
        places.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(places)
    }

    /// The repository with what it needs of the vault. A vault that is needed and cannot be opened fails the secrets
    /// alone, and says why there.
    pub(super) async fn with_vault(&self, repository: &Arc<RepositoryConfig>) -> Arc<RepositoryConfig> {
        let vault = self.vault();
        let names = match vault.names(&repository.id) {
            Ok(names) => {
                let takes = repository.takes_from_vault();
                if !names.iter().any(|name| takes(name)) {
                    return repository.clone();
                }
                Ok(names)
            }
            Err(error) => Err(error),
        };
        let values = match names {
            Ok(_) => vault.values(&repository.id).await,
            Err(error) => Err(error),
        };
        let mut repository = RepositoryConfig::clone(repository);
        match values {
            Ok(values) => {
                let known = repository.clone();
                let takes = known.takes_from_vault();
                for (name, value) in values.into_iter().filter(|(name, _)| takes(name)) {
                    repository.add_from_vault(&name, value);
                }
            }
            Err(error) => repository.secrets.vault_failure = Some(unopened(error)),
        }
        Arc::new(repository)
    }

    pub(super) fn vault(&self) -> Vault {
        Vault::new(&self.shared.state_dir, self.shared.outside.keychain.clone())
    }
}

fn unopened(error: Error) -> Error {
    error.during("secrets are kept in the vault, which could not be opened")
}

fn place(repository: &RepositoryConfig, name: String, in_vault: bool, takes: impl Fn(&str) -> bool) -> SecretPlace {
    let secrets = &repository.secrets;
    let is = |known: &String| known.eq_ignore_ascii_case(&name);
    let from_env = secrets.values.keys().any(is);
    let from_vault = in_vault && takes(&name);
    let travels = from_env || from_vault || secrets.missing.iter().any(is);
    let source = match (from_env, from_vault) {
        (true, _) => Some(SecretSource::Env),
        (false, true) => Some(SecretSource::Vault),
        (false, false) => None,
    };
    SecretPlace { name, source, in_vault, travels }
}
