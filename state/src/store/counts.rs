//! What runs there were and what they cost, counted as each ends. The history may be cut short; these only rise.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::{Fact, RunCount, Store};
use crate::error::Result;
use crate::model::{MirrorId, NotifyName, RepositoryId};

impl Store {
    /// The runs that ended, of all mirrors that ever were, by what set them off and how they ended.
    pub fn run_counts(&self) -> Result<Vec<RunCount>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT repository, mirror, set_off_by, status, runs, api_requests, bytes_sent, bytes_received
                     FROM run_totals ORDER BY repository, mirror, set_off_by, status",
                )?
                .query_map([], count_from)?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many runs in a row failed, by the mirror's own fault. What was stopped says nothing.
    pub fn failures_in_a_row(&self) -> Result<BTreeMap<(RepositoryId, MirrorId), u64>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT repository, mirror, in_a_row FROM run_failures")?
                .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What is known in this respect of every repository (without a mirror) and of every mirror, at the place that its id named
    /// last.
    pub fn every(&self, fact: Fact<'_>) -> Result<BTreeMap<(RepositoryId, Option<MirrorId>), String>> {
        self.read(|transaction| {
            Ok(transaction
                // What is put aside for another place has a space in it.
                .prepare_cached(
                    "SELECT repository, nullif(mirror, ''), value FROM facts WHERE key = ?1 AND instr(mirror, ' ') = 0",
                )?
                .query_map([fact], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many messages wait to be sent, by place.
    pub fn outbox_waiting(&self) -> Result<BTreeMap<NotifyName, u64>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT target, count(*) FROM outbox GROUP BY target")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn count_from(row: &Row<'_>) -> rusqlite::Result<RunCount> {
    Ok(RunCount {
        repository: row.get("repository")?,
        mirror: row.get("mirror")?,
        trigger: row.get("set_off_by")?,
        status: row.get("status")?,
        runs: row.get("runs")?,
        api_requests: row.get("api_requests")?,
        bytes_sent: row.get("bytes_sent")?,
        bytes_received: row.get("bytes_received")?,
    })
}
