//! Small things known about a repository or mirror that are no records of their own, such as `atomic` or
//! `source_repository_id`. Never a secret.

use rusqlite::{OptionalExtension as _, params};

use super::Store;
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

impl Store {
    /// What is known under `key`; without a mirror, about the repository itself.
    pub fn fact(&self, repository: &RepositoryId, mirror: Option<&MirrorId>, key: &str) -> Result<Option<String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT value FROM facts WHERE repository = ?1 AND mirror = ?2 AND key = ?3")?
                .query_row(params![repository, mirror_column(mirror), key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Remembers `value` under `key`, or forgets the key with `None`.
    pub fn set_fact(
        &self,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        self.write("set_fact", |transaction| {
            let mirror = mirror_column(mirror);
            match value {
                Some(value) => transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO facts (repository, mirror, key, value) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![repository, mirror, key, value])?,
                None => transaction
                    .prepare_cached("DELETE FROM facts WHERE repository = ?1 AND mirror = ?2 AND key = ?3")?
                    .execute(params![repository, mirror, key])?,
            };
            Ok(())
        })
    }
}

fn mirror_column(mirror: Option<&MirrorId>) -> &str {
    mirror.map_or("", MirrorId::as_str)
}
