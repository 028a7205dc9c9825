//! Tips that were saved before they were moved or deleted. Their commits are in the repository's cache.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::columns::{At, Word};
use super::{Rescue, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

const RESCUE_COLUMNS: &str = "id, repository, mirror, ref_name, oid, reason, created_ns, run, target";

impl Store {
    /// Records a rescue. Recording the same id again makes it as young as this one.
    pub fn add_rescue(&self, rescue: &Rescue) -> Result<()> {
        self.add_rescues(std::slice::from_ref(rescue))
    }

    /// Remembers many saved tips at the cost of one: each transaction waits for the disk.
    pub fn add_rescues(&self, rescues: &[Rescue]) -> Result<()> {
        self.write("add_rescue", |transaction| {
            let mut insert = transaction.prepare_cached(&format!(
                "INSERT INTO rescues ({RESCUE_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (id) DO UPDATE
                 SET created_ns = excluded.created_ns, run = excluded.run, reason = excluded.reason,
                     target = excluded.target"
            ))?;
            for rescue in rescues {
                insert.execute(params![
                    rescue.id,
                    rescue.repository,
                    rescue.mirror,
                    rescue.ref_name,
                    rescue.oid,
                    Word(rescue.reason),
                    At(rescue.created_iso),
                    rescue.run,
                    rescue.target,
                ])?;
            }
            Ok(())
        })
    }

    /// Rescues, newest first; `None` is all.
    pub fn rescues(&self, repository: Option<&RepositoryId>, mirror: Option<&MirrorId>) -> Result<Vec<Rescue>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(&format!(
                    "SELECT {RESCUE_COLUMNS} FROM rescues
                     WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR mirror = ?2)
                     ORDER BY created_ns DESC, rowid DESC"
                ))?
                .query_map(params![repository, mirror], rescue_from)?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One rescue.
    pub fn rescue(&self, id: &str) -> Result<Option<Rescue>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(&format!("SELECT {RESCUE_COLUMNS} FROM rescues WHERE id = ?1"))?
                .query_row([id], rescue_from)
                .optional()?)
        })
    }

    /// Removes the record of a rescue; `false` where there was none.
    pub fn drop_rescue(&self, id: &str) -> Result<bool> {
        self.write("drop_rescue", |transaction| Ok(transaction.execute("DELETE FROM rescues WHERE id = ?1", [id])? > 0))
    }

    /// Removes the record of a rescue if it is still older than `limit`; `false` where it was saved again, or is gone.
    pub fn drop_rescue_before(&self, id: &str, limit: Timestamp) -> Result<bool> {
        self.write("drop_rescue", |transaction| {
            Ok(transaction.execute("DELETE FROM rescues WHERE id = ?1 AND created_ns < ?2", params![id, At(limit)])?
                > 0)
        })
    }
}

fn rescue_from(row: &Row<'_>) -> rusqlite::Result<Rescue> {
    Ok(Rescue {
        id: row.get("id")?,
        repository: row.get("repository")?,
        mirror: row.get("mirror")?,
        ref_name: row.get("ref_name")?,
        oid: row.get("oid")?,
        reason: row.get::<_, Word<_>>("reason")?.0,
        created_iso: row.get::<_, At>("created_ns")?.0,
        run: row.get("run")?,
        target: row.get("target")?,
    })
}
