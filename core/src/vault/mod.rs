//! The vault: values of secrets that stand in no `.env`, in one encrypted file of the data folder.
//!
//! Keychains hold only small items, and a secret may have 48 KB: so the keychain keeps one key, and the file the values,
//! sealed with it ([`sealed`]). The names stand in the file in the clear, as they do in the database, so that a sync that
//! needs nothing of the vault never asks for the key. Whoever changes the file or its names without the key is found out
//! when it is opened; nothing is ever written over a vault that cannot be opened.
//!
//! Two processes that write at once wait for each other by an operating-system lock. The file is replaced whole: after a
//! crash it is the old one or the new one.

mod sealed;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use standin_state::model::RepositoryId;
use standin_state::{files, lock, private};
use zeroize::Zeroizing;

use crate::github::VALUE_LIMIT;
use crate::outside::Keychain;
use crate::{Code, Error, Result, crash};

use sealed::{KEY_BYTES, Sealed};

/// The file in the state folder.
pub const FILE: &str = "standin.vault";
/// The account of the key in the keychain; accounts of tokens have a `/`.
pub const ACCOUNT: &str = "vault";

/// The names that a vault holds, by repository.
pub type Names = BTreeMap<RepositoryId, BTreeSet<String>>;
/// Values by name.
pub type Values = BTreeMap<String, SecretString>;

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The vault of one state folder. Holds nothing but its whereabouts.
#[derive(Clone)]
pub struct Vault {
    folder: PathBuf,
    keychain: Arc<dyn Keychain>,
}

impl Vault {
    /// The vault in `state_dir`; nothing is read yet.
    pub fn new(state_dir: &Path, keychain: Arc<dyn Keychain>) -> Self {
        Self { folder: state_dir.to_owned(), keychain }
    }

    /// Where the file is, or would be.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// The names that the vault holds of a repository. Asks for no key, and so cannot say whether the file is sound.
    ///
    /// # Errors
    /// [`Code::Storage`] for a file that cannot be read or is none of ours.
    pub fn names(&self, repository: &RepositoryId) -> Result<BTreeSet<String>> {
        Ok(self.read()?.and_then(|mut sealed| sealed.names.remove(repository)).unwrap_or_default())
    }

    /// The values of a repository's secrets. The key is asked for only where there are some.
    ///
    /// # Errors
    /// [`Code::KeychainUnavailable`] without the key, those of [`Keychain::get`]; [`Code::Storage`] for a file that cannot be opened with it.
    pub async fn values(&self, repository: &RepositoryId) -> Result<Values> {
        match self.read()? {
            Some(sealed) if sealed.names.contains_key(repository) => {
                let key = self.key_of_the_file().await?;
                Ok(self.open(sealed, &key)?.remove(repository).unwrap_or_default())
            }
            Some(_) | None => Ok(Values::new()),
        }
    }

    /// Keeps a value, in the place of the one that was there.
    ///
    /// # Errors
    /// [`Code::Usage`] for a value that no secret can have; those of [`Keychain::set`] for the key;
    /// [`Code::Storage`] for a vault that cannot be opened or written. Then the file is as it was.
    pub async fn set(&self, repository: &RepositoryId, name: &str, value: &SecretString) -> Result<()> {
        check_value(name, value)?;
        let _alone = self.alone().await?;
        let sealed = self.read()?;
        let key = match &sealed {
            Some(_) => self.key_of_the_file().await?,
            None => self.key_for_a_new_file().await?,
        };
        let mut all = match sealed {
            Some(sealed) => self.open(sealed, &key)?,
            None => BTreeMap::new(),
        };
        all.entry(repository.clone()).or_default().insert(name.to_owned(), value.clone());
        self.write(&all, &key)
    }

    /// Removes a value; `false` where there was none.
    ///
    /// # Errors
    /// As [`Vault::set`].
    pub async fn remove(&self, repository: &RepositoryId, name: &str) -> Result<bool> {
        let _alone = self.alone().await?;
        let Some(sealed) = self.read()? else { return Ok(false) };
        if !sealed.names.get(repository).is_some_and(|names| names.contains(name)) {
            return Ok(false);
        }
        let key = self.key_of_the_file().await?;
        let mut all = self.open(sealed, &key)?;
        let removed = all.get_mut(repository).is_some_and(|values| values.remove(name).is_some());
        all.retain(|_, values| !values.is_empty());
        self.write(&all, &key)?;
        Ok(removed)
    }

    /// Waits until no other process works on the vault.
    async fn alone(&self) -> Result<impl Drop + use<>> {
        let folder = self.folder.clone();
        let taken = tokio::task::spawn_blocking(move || lock::exclusive(&folder, "vault")).await;
        taken.map_err(|_| Error::new(Code::Internal, "the vault's lock ended by a bug", "Please report it."))?
    }

    fn read(&self) -> Result<Option<Sealed>> {
        let path = self.path();
        let bytes = match private::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(
                    Code::Storage,
                    format!("the vault {} could not be read: {error}", path.display()),
                    "Make the file readable for you.",
                ));
            }
        };
        Sealed::parse(bytes).map(Some).ok_or_else(|| {
            Error::new(
                Code::Storage,
                format!("{} is no vault that this version of Standin can read", path.display()),
                "Update Standin, or restore the file from a backup. It was left as it is.",
            )
        })
    }

    fn open(&self, sealed: Sealed, key: &Key) -> Result<BTreeMap<RepositoryId, Values>> {
        sealed.open(key).ok_or_else(|| {
            Error::new(
                Code::Storage,
                format!(
                    "the vault {} cannot be opened: it was changed or damaged, or was sealed with another key than the \
                     one in the keychain",
                    self.path().display()
                ),
                "Restore the file, or the keychain's entry `vault` of the service `standin`, from a backup. If both are \
                 lost, move the file away and give its secrets again with `standin secret set NAME`. It was left as it is.",
            )
        })
    }

    fn write(&self, all: &BTreeMap<RepositoryId, Values>, key: &Key) -> Result<()> {
        let bytes = sealed::seal(all, key).ok_or_else(|| {
            Error::new(Code::Internal, "the vault could not be sealed: no random numbers, or it is too large", "")
        })?;
        crash::point("vault.write.before");
        files::write_atomically(&self.path(), &bytes)?;
        crash::point("vault.write.after");
        Ok(())
    }

    /// The key of a vault that exists.
    async fn key_of_the_file(&self) -> Result<Key> {
        let found = match self.keychain.get(ACCOUNT).await {
            Err(error) if error.code == Code::KeychainEmpty => Err(error.message),
            found => found.map_err(without_keychain)?.ok_or_else(|| "the keychain has no key".to_owned()),
        };
        match found {
            Ok(text) => self.decoded(&text),
            Err(why) => Err(Error::new(
                Code::KeychainUnavailable,
                format!("{why} for the vault {}", self.path().display()),
                "Unlock the keychain of the user who made it, or restore its entry `vault` of the service `standin`. If the \
                 key is lost, move the file away and give its secrets again with `standin secret set NAME`.",
            )),
        }
    }

    /// The key that is there already (other state folders use it too), else a new one. A new one counts only when it is
    /// found over a new connection, after the keychain has had the time to write it: one that answers before it has
    /// written, and is ended in between, is left with an empty entry, and what was sealed with the key would be lost.
    async fn key_for_a_new_file(&self) -> Result<Key> {
        match self.keychain.get(ACCOUNT).await {
            Ok(None) => {}
            Ok(Some(text)) => return self.decoded(&text),
            Err(error) if error.code == Code::KeychainEmpty => {}
            Err(error) => return Err(without_keychain(error)),
        }
        let key = sealed::random().ok_or_else(|| {
            Error::new(Code::Internal, "the operating system gave no random numbers for the vault's key", "Try again.")
        })?;
        let text = SecretString::from(BASE64.encode(*Key::new(key)));
        crash::point("vault.key.before");
        self.keychain.set(ACCOUNT, &text).await.map_err(without_keychain)?;
        crash::point("vault.key.after");
        tokio::time::sleep(self.keychain.settles_in().await).await;
        match self.keychain.get_afresh(ACCOUNT).await {
            Ok(Some(text)) => self.decoded(&text),
            Err(error) if error.code != Code::KeychainEmpty => Err(without_keychain(error)),
            Ok(None) | Err(_) => Err(without_keychain(Error::new(
                Code::KeychainFailed,
                "the keychain does not keep what it is given",
                "Look whether it was restarted, or cannot write its file; then try again.",
            ))),
        }
    }

    fn decoded(&self, text: &SecretString) -> Result<Key> {
        let bytes = BASE64.decode(text.expose_secret().trim()).map(Zeroizing::new).ok();
        bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()).map(Key::new).ok_or_else(|| {
            Error::new(
                Code::KeychainUnavailable,
                "the keychain's entry `vault` of the service `standin` is no key of ours",
                format!(
                    "Restore it from a backup, or remove it together with {}, and give the secrets again.",
                    self.path().display()
                ),
            )
        })
    }
}

/// What a vault without a keychain means to the user.
fn without_keychain(error: Error) -> Error {
    let env = "put the value into `.env` as NAME=value";
    let hint = match error.code {
        Code::KeychainUnavailable => format!(
            "Nothing was written. Unlock or install a keychain (on Linux a Secret Service such as gnome-keyring), or {env}."
        ),
        Code::KeychainLocked => format!("Nothing was written. Unlock the keychain and try again, or {env}."),
        Code::TimedOut => format!(
            "The vault is as it was; its key may yet be stored, and is used then. Unlock the keychain and try again, or {env}."
        ),
        Code::KeychainFailed => format!("The vault is as it was. {} Or {env}.", error.hint),
        _ => return error,
    };
    Error { hint, ..error.during("the vault's key could not be had") }
}

fn check_value(name: &str, value: &SecretString) -> Result<()> {
    match value.expose_secret().len() {
        0 => Err(Error::new(
            Code::Usage,
            format!("the value of {name} is empty, and GitHub takes no empty secret"),
            format!("Give it on standard input; `standin secret remove {name}` forgets it."),
        )),
        length if length > VALUE_LIMIT => Err(Error::new(
            Code::Usage,
            format!("the value of {name} has {length} bytes; a secret may have {VALUE_LIMIT}"),
            "Keep the large value elsewhere, and its key as the secret.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
