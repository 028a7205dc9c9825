//! What is remembered of secrets: that they were sent, never what they are.

use std::collections::{BTreeMap, BTreeSet};

use rand::TryRng as _;
use rusqlite::params;

use super::columns::At;
use super::{SentSecret, Store};
use crate::error::{Code, Error, Result};
use crate::files;
use crate::model::{MirrorId, RepositoryId};
use crate::private;

/// The name of the fingerprint key's file in the state folder.
const FINGERPRINT_KEY: &str = "fingerprint.key";

impl Store {
    /// The key of the keyed hash that stands in [`SentSecret::fingerprint`]: random, made at the first call, kept in
    /// a file for its owner only beside the database, so that a copy of the database alone says nothing about values.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be made or does not hold a key.
    pub fn fingerprint_key(&self) -> Result<[u8; 32]> {
        let path = self.folder().join(FINGERPRINT_KEY);
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                Code::Storage,
                format!("the key {} could not be used: {error}", path.display()),
                "Make the file readable for you, or remove it: each secret is then sent once more.",
            )
        };
        if !path.exists() && !path.is_symlink() {
            let mut key = [0; 32];
            rand::rngs::SysRng.try_fill_bytes(&mut key).map_err(|error| failed(&error))?;
            // Another process may be faster; then its key counts.
            files::write_new(&path, &key).map_err(|error| failed(&error))?;
        }
        let key = private::read(&path).map_err(|error| failed(&error))?;
        let length = key.len();
        key.try_into().map_err(|_| failed(&format_args!("it holds {length} bytes instead of 32")))
    }

    /// The secrets that we sent to this mirror, by name.
    pub fn sent_secrets(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<BTreeMap<String, SentSecret>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT name, fingerprint, remote_updated_ns FROM sent_secrets
                     WHERE repository = ?1 AND mirror = ?2",
                )?
                .query_map(params![repository, mirror], |row| {
                    let remote_updated_at = row.get::<_, Option<At>>(2)?.map(|at| at.0);
                    Ok((row.get(0)?, SentSecret { fingerprint: row.get(1)?, remote_updated_at }))
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers that a secret was sent.
    pub fn set_sent_secret(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        name: &str,
        sent: &SentSecret,
    ) -> Result<()> {
        self.set_sent_secrets(repository, mirror, [(name, sent)])
    }

    /// Remembers that many secrets were sent, at the cost of one.
    pub fn set_sent_secrets<'a>(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        sent: impl IntoIterator<Item = (&'a str, &'a SentSecret)>,
    ) -> Result<()> {
        self.write("set_sent_secret", |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO sent_secrets (repository, mirror, name, fingerprint, remote_updated_ns)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (name, sent) in sent {
                let updated = sent.remote_updated_at.map(At);
                statement.execute(params![repository, mirror, name, sent.fingerprint, updated])?;
            }
            Ok(())
        })
    }

    /// Forgets that a secret was sent, so that the next sync sends it again.
    pub fn forget_sent_secret(&self, repository: &RepositoryId, mirror: &MirrorId, name: &str) -> Result<()> {
        self.write("forget_sent_secret", |transaction| {
            transaction
                .prepare_cached("DELETE FROM sent_secrets WHERE repository = ?1 AND mirror = ?2 AND name = ?3")?
                .execute(params![repository, mirror, name])?;
            Ok(())
        })
    }

    /// The names of candidates that the user let travel to this mirror.
    pub fn approved_secrets(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<BTreeSet<String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT name FROM approved_secrets WHERE repository = ?1 AND mirror = ?2")?
                .query_map(params![repository, mirror], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers that the user lets these names travel to this mirror.
    pub fn approve_secrets(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        names: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<()> {
        self.write("approve_secrets", |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR IGNORE INTO approved_secrets (repository, mirror, name) VALUES (?1, ?2, ?3)",
            )?;
            for name in names {
                statement.execute(params![repository, mirror, name.as_ref()])?;
            }
            Ok(())
        })
    }
}
