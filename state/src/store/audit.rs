//! The audit trail. The database itself refuses to change or remove a line of it.

use rusqlite::params;

use super::columns::At;
use super::{AuditEntry, Store, runs};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

/// Which lines of the audit trail to list; `None` is all. Newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of this repository.
    pub repository: Option<RepositoryId>,
    /// Only of this mirror.
    pub mirror: Option<MirrorId>,
    /// At most so many; 0 is no limit.
    pub limit: usize,
}

impl Store {
    /// Adds a line to the audit trail.
    pub fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        self.write("append_audit", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO audit (at_ns, actor, action, repository, mirror, detail, outcome)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    At(entry.at_iso),
                    entry.actor,
                    entry.action,
                    entry.repository,
                    entry.mirror,
                    entry.detail,
                    entry.outcome,
                ])?;
            Ok(())
        })
    }

    /// Lines of the audit trail, newest first.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT at_ns, actor, action, repository, mirror, detail, outcome FROM audit
                     WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR mirror = ?2)
                     ORDER BY id DESC LIMIT ?3",
                )?
                .query_map(params![filter.repository, filter.mirror, runs::limit(filter.limit)], |row| {
                    Ok(AuditEntry {
                        at_iso: row.get::<_, At>(0)?.0,
                        actor: row.get(1)?,
                        action: row.get(2)?,
                        repository: row.get(3)?,
                        mirror: row.get(4)?,
                        detail: row.get(5)?,
                        outcome: row.get(6)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}
