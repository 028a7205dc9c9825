//! What the schedule remembers: how its last try of a mirror ended, and that it is paused.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::columns::At;
use super::{Fact, Store};
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId, SchedulePause};

/// How the last try that nobody made by hand ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledTry {
    /// When it ended.
    pub ended_iso: Timestamp,
    /// How many of these tries in a row did not work.
    pub failures: u32,
    /// Until when the host asked to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_iso: Option<Timestamp>,
}

impl Store {
    /// How the last try of the schedule ended; `None` where there was none.
    pub fn scheduled_try(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Option<ScheduledTry>> {
        self.found(repository, Some(mirror), Fact::ScheduledTry)
    }

    /// Remembers how a try of the schedule ended.
    pub fn set_scheduled_try(&self, repository: &RepositoryId, mirror: &MirrorId, tried: &ScheduledTry) -> Result<()> {
        self.set_found(repository, Some(mirror), Fact::ScheduledTry, Some(tried))
    }

    /// The pause that was said last and not taken back; it may be over ([`SchedulePause::holds`]).
    pub fn schedule_pause(&self) -> Result<Option<SchedulePause>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT paused_ns, paused_until_ns, paused_by FROM schedule WHERE paused_ns IS NOT NULL",
                )?
                .query_row([], |row| {
                    Ok(SchedulePause {
                        since_iso: row.get::<_, At>(0)?.0,
                        until_iso: row.get::<_, Option<At>>(1)?.map(|at| at.0),
                        actor: row.get(2)?,
                    })
                })
                .optional()?)
        })
    }

    /// Pauses the schedule, or with `None` lets it go on.
    pub fn set_schedule_pause(&self, pause: Option<&SchedulePause>) -> Result<()> {
        self.write("set_schedule_pause", |transaction| {
            transaction
                .prepare_cached("UPDATE schedule SET paused_ns = ?1, paused_until_ns = ?2, paused_by = ?3")?
                .execute(params![
                    pause.map(|pause| At(pause.since_iso)),
                    pause.and_then(|pause| pause.until_iso).map(At),
                    pause.map(|pause| &pause.actor),
                ])?;
            Ok(())
        })
    }

    /// Since when the schedule was last kept; whether it still is, its lock says.
    pub fn schedule_kept_since(&self) -> Result<Option<Timestamp>> {
        self.read(|transaction| {
            let since: Option<At> =
                transaction.prepare_cached("SELECT kept_since_ns FROM schedule")?.query_row([], |row| row.get(0))?;
            Ok(since.map(|at| at.0))
        })
    }

    /// Remembers since when the schedule is kept.
    pub fn set_schedule_kept_since(&self, since: Timestamp) -> Result<()> {
        self.write("set_schedule_kept_since", |transaction| {
            transaction.prepare_cached("UPDATE schedule SET kept_since_ns = ?1")?.execute([At(since)])?;
            Ok(())
        })
    }
}
