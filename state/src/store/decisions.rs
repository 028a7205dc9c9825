//! The user's choices for diverged refs.

use rusqlite::params;

use super::columns::{At, Word};
use super::{Decision, Store};
use crate::error::Result;
use crate::model::{MirrorId, RefName, RepositoryId};

impl Store {
    /// The choices made for this mirror, by ref.
    pub fn decisions(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Vec<Decision>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT ref_name, tip, choice, decided_ns FROM decisions
                     WHERE repository = ?1 AND mirror = ?2 ORDER BY ref_name",
                )?
                .query_map(params![repository, mirror], |row| {
                    Ok(Decision {
                        ref_name: row.get(0)?,
                        tip: row.get(1)?,
                        choice: row.get::<_, Word<_>>(2)?.0,
                        decided_iso: row.get::<_, At>(3)?.0,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers a choice, in place of an earlier one for the same ref.
    pub fn set_decision(&self, repository: &RepositoryId, mirror: &MirrorId, decision: &Decision) -> Result<()> {
        self.write("set_decision", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO decisions (repository, mirror, ref_name, tip, choice, decided_ns)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    repository,
                    mirror,
                    decision.ref_name,
                    decision.tip,
                    Word(decision.choice),
                    At(decision.decided_iso)
                ])?;
            Ok(())
        })
    }

    /// Forgets the choice for a ref.
    pub fn clear_decision(&self, repository: &RepositoryId, mirror: &MirrorId, ref_name: &RefName) -> Result<()> {
        self.write("clear_decision", |transaction| {
            transaction
                .prepare_cached("DELETE FROM decisions WHERE repository = ?1 AND mirror = ?2 AND ref_name = ?3")?
                .execute(params![repository, mirror, ref_name])?;
            Ok(())
        })
    }
}
