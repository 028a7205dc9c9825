//! The last fence seen on each mirror. Its (epoch, sequence) only rises.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::failure::Failure;
use super::{FenceMemory, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

impl Store {
    /// The last fence that we saw on this mirror.
    pub fn fence_memory(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Option<FenceMemory>> {
        self.read(|transaction| select(transaction, repository, mirror))
    }

    /// Remembers a fence that we saw or wrote.
    ///
    /// # Errors
    /// [`crate::error::Code::Internal`] when its (epoch, sequence) is lower than the remembered one, or the same with
    /// another commit: the caller must have stopped before.
    pub fn set_fence_memory(&self, repository: &RepositoryId, mirror: &MirrorId, fence: &FenceMemory) -> Result<()> {
        self.write("set_fence_memory", |transaction| {
            if let Some(known) = select(transaction, repository, mirror)? {
                let order = (fence.epoch, fence.sequence).cmp(&(known.epoch, known.sequence));
                if order.is_lt() || (order.is_eq() && fence.oid != known.oid) {
                    return Err(Failure::bug(format!(
                        "the fence of {repository}/{mirror} would go from epoch {}, sequence {} ({}) to epoch {}, \
                         sequence {} ({})",
                        known.epoch,
                        known.sequence,
                        known.oid.short(),
                        fence.epoch,
                        fence.sequence,
                        fence.oid.short(),
                    )));
                }
            }
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO fences (repository, mirror, oid, epoch, sequence, document)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![repository, mirror, fence.oid, fence.epoch, fence.sequence, fence.document])?;
            Ok(())
        })
    }

    /// Forgets the fence of a mirror, where the user said that the mirror was made anew.
    pub fn forget_fence(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<()> {
        self.write("forget_fence", |transaction| {
            transaction
                .execute("DELETE FROM fences WHERE repository = ?1 AND mirror = ?2", params![repository, mirror])?;
            Ok(())
        })
    }
}

fn select(
    transaction: &Transaction<'_>,
    repository: &RepositoryId,
    mirror: &MirrorId,
) -> Result<Option<FenceMemory>, Failure> {
    Ok(transaction
        .prepare_cached("SELECT oid, epoch, sequence, document FROM fences WHERE repository = ?1 AND mirror = ?2")?
        .query_row(params![repository, mirror], |row| {
            Ok(FenceMemory { oid: row.get(0)?, epoch: row.get(1)?, sequence: row.get(2)?, document: row.get(3)? })
        })
        .optional()?)
}
