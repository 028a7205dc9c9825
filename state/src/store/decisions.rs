//! The user's answers to what plans asked.

use rusqlite::params;

use super::columns::{At, Word};
use super::{Decision, Store};
use crate::error::Result;
use crate::model::{AskId, MirrorId, RepositoryId};

impl Store {
    /// The choices made for this mirror.
    pub fn decisions(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Vec<Decision>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT ask, seen, choice, decided_ns FROM decisions
                     WHERE repository = ?1 AND mirror = ?2 ORDER BY ask",
                )?
                .query_map(params![repository, mirror], |row| {
                    Ok(Decision {
                        ask: row.get(0)?,
                        seen: row.get(1)?,
                        choice: row.get::<_, Word<_>>(2)?.0,
                        decided_iso: row.get::<_, At>(3)?.0,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers a choice, in place of an earlier one to the same ask.
    pub fn set_decision(&self, repository: &RepositoryId, mirror: &MirrorId, decision: &Decision) -> Result<()> {
        self.write("set_decision", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO decisions (repository, mirror, ask, seen, choice, decided_ns)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    repository,
                    mirror,
                    decision.ask,
                    decision.seen,
                    Word(decision.choice),
                    At(decision.decided_iso)
                ])?;
            Ok(())
        })
    }

    /// Forgets a choice.
    pub fn clear_decision(&self, repository: &RepositoryId, mirror: &MirrorId, ask: &AskId) -> Result<()> {
        self.write("clear_decision", |transaction| {
            transaction
                .prepare_cached("DELETE FROM decisions WHERE repository = ?1 AND mirror = ?2 AND ask = ?3")?
                .execute(params![repository, mirror, ask])?;
            Ok(())
        })
    }
}
