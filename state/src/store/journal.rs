//! The journal: what was begun and must be ended, written before it begins.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use super::columns::{At, Json, Word};
use super::failure::Failure;
use super::{JournalEntry, JournalKind, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

impl Store {
    /// Writes down that something begins. Returns once that is on the disk.
    pub fn open_journal(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        kind: JournalKind,
        payload: Value,
        at: Timestamp,
    ) -> Result<JournalEntry> {
        self.write("open_journal", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO journal (repository, mirror, kind, payload, opened_ns) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![repository, mirror, Word(kind), Json(&payload), At(at)])?;
            Ok(JournalEntry {
                id: transaction.last_insert_rowid(),
                repository: repository.clone(),
                mirror: mirror.clone(),
                kind,
                payload,
                opened_at: at,
            })
        })
    }

    /// Replaces what is needed to end an open entry.
    ///
    /// # Errors
    /// [`crate::error::Code::Internal`] when the entry is not open.
    pub fn update_journal(&self, id: i64, payload: &Value) -> Result<()> {
        self.write("update_journal", |transaction| {
            let rows = transaction
                .prepare_cached("UPDATE journal SET payload = ?2 WHERE id = ?1")?
                .execute(params![id, Json(payload)])?;
            if rows == 0 {
                return Err(Failure::bug(format!("journal entry {id} is not open")));
            }
            Ok(())
        })
    }

    /// Writes down that an entry's matter has ended. Closing it again changes nothing.
    pub fn close_journal(&self, id: i64) -> Result<()> {
        self.write("close_journal", |transaction| {
            transaction.execute("DELETE FROM journal WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Open entries, oldest first; `None` is of all repositories.
    pub fn open_journals(&self, repository: Option<&RepositoryId>) -> Result<Vec<JournalEntry>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT id, repository, mirror, kind, payload, opened_ns FROM journal
                     WHERE ?1 IS NULL OR repository = ?1 ORDER BY id",
                )?
                .query_map([repository], |row| {
                    Ok(JournalEntry {
                        id: row.get(0)?,
                        repository: row.get(1)?,
                        mirror: row.get(2)?,
                        kind: row.get::<_, Word<_>>(3)?.0,
                        payload: row.get::<_, Json<_>>(4)?.0,
                        opened_at: row.get::<_, At>(5)?.0,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}
