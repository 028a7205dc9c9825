//! What is remembered of a mirror is true of one place. When the mirror's id names another, the memory of the first is
//! put aside, not lost: it is there again when the id names that place again.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Fact, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

/// What is true of one place only. The history, the audit trail, rescues and open journals are not: they stay.
const TABLES: [&str; 8] = [
    "facts",
    "fences",
    "sent_secrets",
    "approved_secrets",
    "held_workflows",
    "decisions",
    "aspect_results",
    "mirror_health",
];

impl Store {
    /// The place that the memory of a mirror is about; `None` before anything looked at it.
    pub fn target(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Option<String>> {
        self.read(|transaction| Ok(target_of(transaction, repository, mirror)?))
    }

    /// From now on the memory of a mirror is about `target`: facts, fence, what was sent and approved, held workflows,
    /// decisions, results and health of another place are put aside, those of `target` come back.
    pub fn set_target(&self, repository: &RepositoryId, mirror: &MirrorId, target: &str) -> Result<()> {
        self.write("set_target", |transaction| {
            let before = target_of(transaction, repository, mirror)?;
            if before.as_deref() == Some(target) {
                return Ok(());
            }
            if let Some(before) = before {
                let (aside, back) = (aside(mirror, &before), aside(mirror, target));
                for table in TABLES {
                    let mut rename = transaction.prepare_cached(&format!(
                        "UPDATE {table} SET mirror = ?3 WHERE repository = ?1 AND mirror = ?2"
                    ))?;
                    rename.execute(params![repository, mirror, aside])?;
                    rename.execute(params![repository, back, mirror])?;
                }
            }
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO facts (repository, mirror, key, value) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![repository, mirror, Fact::Target, target])?;
            Ok(())
        })
    }

    /// Forgets what is remembered of a mirror, and of every place that its id named before: facts, fences, what was sent and
    /// approved, held workflows, decisions, results and health. The history, the audit trail, rescues and open journals stay.
    pub fn forget_mirror(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<()> {
        self.write("forget_mirror", |transaction| {
            for table in TABLES {
                transaction
                    .prepare_cached(&format!(
                        "DELETE FROM {table} WHERE repository = ?1 AND (mirror = ?2 OR substr(mirror, 1, length(?2) + 1) = ?2 || ' ')"
                    ))?
                    .execute(params![repository, mirror])?;
            }
            Ok(())
        })
    }
}

/// The key under which the memory of `target` stands: the mirror's own while its memory is about that place.
pub(super) fn key_of(
    transaction: &Transaction<'_>,
    repository: &RepositoryId,
    mirror: &MirrorId,
    target: &str,
) -> rusqlite::Result<String> {
    let known = target_of(transaction, repository, mirror)?;
    let is_other = known.is_some_and(|known| known != target);
    Ok(if is_other { aside(mirror, target) } else { mirror.as_str().to_owned() })
}

fn target_of(
    transaction: &Transaction<'_>,
    repository: &RepositoryId,
    mirror: &MirrorId,
) -> rusqlite::Result<Option<String>> {
    transaction
        .prepare_cached("SELECT value FROM facts WHERE repository = ?1 AND mirror = ?2 AND key = ?3")?
        .query_row(params![repository, mirror, Fact::Target], |row| row.get(0))
        .optional()
}

/// No id has a space.
fn aside(mirror: &MirrorId, target: &str) -> String {
    format!("{mirror} {target}")
}
