//! Workflows that Standin switched off on a standby, and the states that the source's workflows had.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{HeldWorkflow, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

impl Store {
    /// The workflows that we switched off on this mirror, by path.
    pub fn held_workflows(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Vec<HeldWorkflow>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT path, state_before FROM held_workflows WHERE repository = ?1 AND mirror = ?2 ORDER BY path",
                )?
                .query_map(params![repository, mirror], |row| {
                    Ok(HeldWorkflow { path: row.get(0)?, state_before: row.get(1)? })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers that we switched a workflow off, and the state it had; a later call for the same path replaces it.
    pub fn set_held_workflow(&self, repository: &RepositoryId, mirror: &MirrorId, held: &HeldWorkflow) -> Result<()> {
        self.write("set_held_workflow", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO held_workflows (repository, mirror, path, state_before)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![repository, mirror, held.path, held.state_before])?;
            Ok(())
        })
    }

    /// Forgets a workflow that is not held any more.
    pub fn forget_held_workflow(&self, repository: &RepositoryId, mirror: &MirrorId, path: &str) -> Result<()> {
        self.write("forget_held_workflow", |transaction| {
            transaction
                .prepare_cached("DELETE FROM held_workflows WHERE repository = ?1 AND mirror = ?2 AND path = ?3")?
                .execute(params![repository, mirror, path])?;
            Ok(())
        })
    }

    /// The states of the source's workflows when they were last read: path → state, as GitHub names it.
    pub fn source_workflows(&self, repository: &RepositoryId) -> Result<BTreeMap<String, String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT path, state FROM source_workflows WHERE repository = ?1")?
                .query_map([repository], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers the states of all of the source's workflows, in place of those known before.
    pub fn set_source_workflows(&self, repository: &RepositoryId, states: &BTreeMap<String, String>) -> Result<()> {
        self.write("set_source_workflows", |transaction| {
            transaction.prepare_cached("DELETE FROM source_workflows WHERE repository = ?1")?.execute([repository])?;
            let mut statement = transaction
                .prepare_cached("INSERT INTO source_workflows (repository, path, state) VALUES (?1, ?2, ?3)")?;
            for (path, state) in states {
                statement.execute(params![repository, path, state])?;
            }
            Ok(())
        })
    }
}
