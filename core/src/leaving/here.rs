//! What stays on this machine.

use std::collections::BTreeSet;
use std::path::Path;

use standin_state::config::{MirrorConfig, RepositoryConfig, Target};
use standin_state::store::Store;

use super::{Cleaning, Left, LeftKind};
use crate::tokens::{self, Place};
use crate::{Result, mirror};

/// What is looked through.
pub(crate) struct Here<'a> {
    pub store: &'a Store,
    pub repository: &'a RepositoryConfig,
    pub mirror: &'a MirrorConfig,
    /// The names of the values in the vault.
    pub values: &'a BTreeSet<String>,
    /// `<state-dir>/<repository>`.
    pub folder: &'a Path,
}

/// What is kept for the mirror on this machine, or was. Asks no keychain.
///
/// # Errors
/// What the store reports.
pub(crate) fn here(looked: &Here<'_>) -> Result<Vec<Left>> {
    let Here { store, repository, mirror, .. } = looked;
    let (id, place) = (&mirror.id, Place::Mirror(mirror.id.clone()));
    let mut left = Vec::new();
    if let Target::Pull(pull) = &mirror.target {
        let path = mirror::copy_path(looked.folder, id, pull);
        if path.exists() {
            left.push(Left {
                what: LeftKind::Copy,
                detail: format!("the copy in {}", path.display()),
                cleaning: Cleaning::ByHand,
                hint: "It may be the only one there is. Remove the folder when you are sure.".to_owned(),
            });
        }
    }
    if !store.bound(&tokens::account(repository, &place))?.is_empty() {
        left.push(Left {
            what: LeftKind::Token,
            detail: format!("the token of {id} in the keychain"),
            cleaning: Cleaning::Offered,
            hint: "It stays good at its host: revoke it there where nothing else uses it.".to_owned(),
        });
    }
    let given = values_given(looked)?;
    if !given.is_empty() {
        left.push(Left {
            what: LeftKind::Values,
            detail: format!("your yes that these values of the vault may go there: {}", given.join(", ")),
            cleaning: Cleaning::Offered,
            hint: "The values stay in the vault; `standin secret remove NAME` removes one.".to_owned(),
        });
    }
    if store.target(&repository.id, id)?.is_some() {
        left.push(Left {
            what: LeftKind::Memory,
            detail: format!("what is remembered of {id}: its fence, what was sent, decided and found, its last try"),
            cleaning: Cleaning::Offered,
            hint: "The history and the audit trail stay.".to_owned(),
        });
    }
    let rescues = store.rescues(Some(&repository.id), Some(id))?.len();
    if rescues > 0 {
        left.push(Left {
            what: LeftKind::Rescues,
            detail: format!("{rescues} saved {}", if rescues == 1 { "tip" } else { "tips" }),
            cleaning: Cleaning::ByHand,
            hint: format!("`standin rescue list --mirror {id}` shows them, `standin rescue drop ID` removes one."),
        });
    }
    Ok(left)
}

/// The values of the vault that were given for the place that the mirror is.
///
/// # Errors
/// What the store reports.
pub(super) fn values_given(looked: &Here<'_>) -> Result<Vec<String>> {
    let Some(target) = tokens::of_target(&looked.mirror.target) else { return Ok(Vec::new()) };
    let mut given = Vec::new();
    for name in looked.values {
        let account = tokens::account_of_value(&looked.repository.id, name);
        if looked.store.bound(&account)?.contains(&target) {
            given.push(name.clone());
        }
    }
    Ok(given)
}

impl Here<'_> {
    /// Takes back that values of the vault may go there.
    ///
    /// # Errors
    /// What the store reports.
    pub fn take_values_back(&self) -> Result<()> {
        let Some(target) = tokens::of_target(&self.mirror.target) else { return Ok(()) };
        let given = values_given(self)?;
        let accounts: Vec<String> =
            given.iter().map(|name| tokens::account_of_value(&self.repository.id, name)).collect();
        self.store.unbind(accounts.iter().map(|account| (account.as_str(), target.as_str())))
    }
}
