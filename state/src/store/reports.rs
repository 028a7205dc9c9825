//! The last result of each aspect, health, and the last moment when all was in step.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::columns::{At, Json};
use super::{RunRecord, Store, runs, targets};
use crate::error::Result;
use crate::model::{Action, Aspect, AspectReport, Health, MirrorId, RepositoryId, RunId, SeenTip};

/// All that is remembered of one mirror's state, of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct MirrorMemory {
    /// Its newest run, without changes; `running` may mean interrupted (see [`RunRecord::interrupted`]).
    pub last_run: Option<RunRecord>,
    /// Its newest run that has ended, without changes.
    pub last_ended: Option<RunRecord>,
    /// The last result of each aspect that was ever tried.
    pub aspects: BTreeMap<Aspect, AspectReport>,
    /// What the last health check found.
    pub health: Health,
    /// Why, where it is not `ok`.
    pub health_detail: Option<String>,
    /// When health was last checked.
    pub last_health_check: Option<Timestamp>,
}

const REPORT_COLUMNS: &str = "aspect, status, last_sync_ns, detail, error, hint, last_commit, behind, synced_count, total, last_try_ns, \
     at_source, apart, action";

impl Store {
    /// Records the result of one aspect of a run as the last one of this mirror.
    pub fn finish_aspect(
        &self,
        run: &RunId,
        repository: &RepositoryId,
        mirror: &MirrorId,
        aspect: Aspect,
        report: &AspectReport,
    ) -> Result<()> {
        self.write("finish_aspect", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO aspect_results (repository, mirror, aspect, run, status, last_sync_ns,
                         detail, error, hint, last_commit, behind, synced_count, total, last_try_ns, at_source, apart, action)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                )?
                .execute(params![
                    repository,
                    mirror,
                    aspect,
                    run,
                    report.status,
                    report.last_sync_iso.map(At),
                    report.detail,
                    report.error,
                    report.hint,
                    report.last_commit,
                    report.behind,
                    report.synced_count,
                    report.total,
                    report.last_try_iso.map(At),
                    report.at_source,
                    report.apart,
                    report.action.as_ref().map(Json),
                ])?;
            Ok(())
        })
    }

    /// The last result of one aspect; `None` where it was never tried.
    pub fn aspect_report(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        aspect: Aspect,
    ) -> Result<Option<AspectReport>> {
        self.read(|transaction| {
            let report = transaction
                .prepare_cached(&format!(
                    "SELECT {REPORT_COLUMNS} FROM aspect_results WHERE repository = ?1 AND mirror = ?2 AND aspect = ?3"
                ))?
                .query_row(params![repository, mirror, aspect], report_from)
                .optional()?;
            Ok(report.map(|(_, report)| report))
        })
    }

    /// All that is remembered of one mirror's state at the place that its id names now. A mirror that was never seen there
    /// has an empty memory.
    pub fn mirror_memory(&self, repository: &RepositoryId, mirror: &MirrorId, target: &str) -> Result<MirrorMemory> {
        self.read(|transaction| {
            let key = targets::key_of(transaction, repository, mirror, target)?;
            let aspects = transaction
                .prepare_cached(&format!(
                    "SELECT {REPORT_COLUMNS} FROM aspect_results WHERE repository = ?1 AND mirror = ?2"
                ))?
                .query_map(params![repository, key], report_from)?
                .collect::<rusqlite::Result<_>>()?;
            let health = transaction
                .prepare_cached(
                    "SELECT health, detail, checked_ns FROM mirror_health WHERE repository = ?1 AND mirror = ?2",
                )?
                .query_row(params![repository, key], |row| Ok((row.get(0)?, row.get(1)?, Some(row.get::<_, At>(2)?.0))))
                .optional()?;
            let (health, health_detail, last_health_check) = health.unwrap_or((Health::Unknown, None, None));
            let [last_run, last_ended] =
                runs::last_runs(transaction, repository, mirror, target, key == mirror.as_str())?;
            Ok(MirrorMemory { last_run, last_ended, aspects, health, health_detail, last_health_check })
        })
    }

    /// The tip of the master's default branch that was seen last, whichever mirror was synced then and wherever that was.
    pub fn seen_tip(&self, repository: &RepositoryId) -> Result<Option<SeenTip>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT last_commit, last_sync_ns FROM aspect_results
                     WHERE repository = ?1 AND aspect = ?2 AND last_commit IS NOT NULL AND last_sync_ns IS NOT NULL
                     ORDER BY last_sync_ns DESC LIMIT 1",
                )?
                .query_row(params![repository, Aspect::Code], |row| {
                    Ok(SeenTip { commit: row.get(0)?, at_iso: row.get::<_, At>(1)?.0 })
                })
                .optional()?)
        })
    }

    /// Records what a health check found; `detail` says why, where it is not `ok`.
    pub fn set_health(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        health: Health,
        detail: Option<&str>,
        checked: Timestamp,
    ) -> Result<()> {
        self.write("set_health", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO mirror_health (repository, mirror, health, detail, checked_ns)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![repository, mirror, health, detail, At(checked)])?;
            Ok(())
        })
    }

    /// Records a moment when all enabled mirrors were in step in all their aspects.
    pub fn set_last_full_sync(&self, repository: &RepositoryId, at: Timestamp) -> Result<()> {
        self.write("set_last_full_sync", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO full_syncs (repository, at_ns) VALUES (?1, ?2)")?
                .execute(params![repository, At(at)])?;
            Ok(())
        })
    }

    /// The last moment when all enabled mirrors were in step in all their aspects.
    pub fn last_full_sync(&self, repository: &RepositoryId) -> Result<Option<Timestamp>> {
        self.read(|transaction| {
            let at = transaction
                .prepare_cached("SELECT at_ns FROM full_syncs WHERE repository = ?1")?
                .query_row([repository], |row| row.get::<_, At>(0))
                .optional()?;
            Ok(at.map(|at| at.0))
        })
    }
}

fn report_from(row: &Row<'_>) -> rusqlite::Result<(Aspect, AspectReport)> {
    let report = AspectReport {
        status: row.get("status")?,
        last_sync_iso: row.get::<_, Option<At>>("last_sync_ns")?.map(|at| at.0),
        detail: row.get("detail")?,
        error: row.get("error")?,
        hint: row.get("hint")?,
        last_commit: row.get("last_commit")?,
        behind: row.get("behind")?,
        synced_count: row.get("synced_count")?,
        total: row.get("total")?,
        last_try_iso: row.get::<_, Option<At>>("last_try_ns")?.map(|at| at.0),
        at_source: row.get("at_source")?,
        apart: row.get("apart")?,
        action: row.get::<_, Option<Json<Box<Action>>>>("action")?.map(|action| action.0),
    };
    Ok((row.get("aspect")?, report))
}
