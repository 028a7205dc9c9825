//! The history: runs and their changes.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::columns::{At, Json, Word};
use super::failure::Failure;
use super::{Change, ChangeOutcome, RecordedChange, RunFilter, RunRecord, RunTotals, Store};
use crate::error::{Code, Error, Result};
use crate::model::{MirrorId, RepositoryId, RunId, RunStatus};

const RUN_COLUMNS: &str = "id, job, repository, mirror, set_off_by, status, started_ns, finished_ns, error, \
                           changes, api_requests, gh_calls, git_calls, bytes_sent, bytes_received";

impl Store {
    /// Records that a run towards `target` began. Call it while holding the mirror's lock.
    pub fn begin_run(&self, run: &RunRecord, target: &str) -> Result<()> {
        self.write("begin_run", |transaction| {
            transaction
                .prepare_cached(&format!(
                    "INSERT INTO runs ({RUN_COLUMNS}, target)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
                         ?16)"
                ))?
                .execute(params![
                    run.id,
                    run.job,
                    run.repository,
                    run.mirror,
                    run.trigger,
                    run.status,
                    At(run.started_iso),
                    run.finished_iso.map(At),
                    run.error.as_ref().map(Json),
                    run.totals.changes,
                    run.totals.api_requests,
                    run.totals.gh_calls,
                    run.totals.git_calls,
                    run.totals.bytes_sent,
                    run.totals.bytes_received,
                    target,
                ])?;
            insert_changes(transaction, &run.id, &run.changes)
        })
    }

    /// Records one change of a run with its outcome.
    pub fn record_change(&self, run: &RunId, change: &Change, outcome: &ChangeOutcome, at: Timestamp) -> Result<()> {
        let change = RecordedChange { change: change.clone(), outcome: outcome.clone(), at_iso: at };
        self.record_changes(run, &[change])
    }

    /// Records many changes of a run at the cost of one: each transaction waits for the disk.
    pub fn record_changes(&self, run: &RunId, changes: &[RecordedChange]) -> Result<()> {
        self.write("record_change", |transaction| insert_changes(transaction, run, changes))
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// [`Code::Internal`] when no run of this id is going on.
    pub fn finish_run(
        &self,
        run: &RunId,
        status: RunStatus,
        error: Option<&Error>,
        totals: &RunTotals,
        finished: Timestamp,
    ) -> Result<()> {
        self.write("finish_run", |transaction| {
            let rows = transaction
                .prepare_cached(
                    "UPDATE runs SET status = :status, finished_ns = :finished, error = :error, changes = :changes,
                         api_requests = :api_requests, gh_calls = :gh_calls, git_calls = :git_calls,
                         bytes_sent = :bytes_sent, bytes_received = :bytes_received
                     WHERE id = :id AND status = :running",
                )?
                .execute(named_params! {
                    ":status": status,
                    ":finished": At(finished),
                    ":error": error.map(Json),
                    ":changes": totals.changes,
                    ":api_requests": totals.api_requests,
                    ":gh_calls": totals.gh_calls,
                    ":git_calls": totals.git_calls,
                    ":bytes_sent": totals.bytes_sent,
                    ":bytes_received": totals.bytes_received,
                    ":id": run,
                    ":running": RunStatus::Running,
                })?;
            if rows == 0 {
                return Err(Failure::bug(format!("run {run} was finished, but it is not going on")));
            }
            Ok(())
        })
    }

    /// Records every run of this mirror that is still `running` as failed with [`Code::Interrupted`], and gives them
    /// back. Only for who holds the mirror's lock: then none of them can be alive.
    pub fn mark_interrupted(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        now: Timestamp,
    ) -> Result<Vec<RunRecord>> {
        if self.running(repository, mirror)?.is_empty() {
            return Ok(Vec::new());
        }
        self.write("mark_interrupted", |transaction| {
            let mut runs = select_running(transaction, repository, mirror)?;
            for run in &mut runs {
                *run = run.interrupted(now);
                transaction
                    .prepare_cached("UPDATE runs SET status = ?2, finished_ns = ?3, error = ?4 WHERE id = ?1")?
                    .execute(params![run.id, run.status, run.finished_iso.map(At), run.error.as_ref().map(Json)])?;
            }
            Ok(runs)
        })
    }

    /// One run with its changes.
    pub fn run(&self, id: &RunId) -> Result<Option<RunRecord>> {
        self.read(|transaction| {
            let run = transaction
                .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1"))?
                .query_row([id], run_from)
                .optional()?;
            let Some(mut run) = run else { return Ok(None) };
            run.changes = changes_of(transaction, id, 0)?;
            Ok(Some(run))
        })
    }

    /// Runs, newest first, with so many of their changes as are asked for.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>> {
        self.read(|transaction| {
            let mut runs = transaction
                .prepare_cached(&format!(
                    "SELECT {RUN_COLUMNS} FROM runs
                     WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR mirror = ?2)
                         AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR set_off_by = ?4)
                         AND (?5 IS NULL OR started_ns >= ?5) AND (?6 IS NULL OR started_ns < ?6)
                         AND (?8 IS NULL OR instr(lower(json_extract(error, '$.message')), ?8) > 0 OR EXISTS (
                             SELECT 1 FROM run_changes WHERE run = runs.id AND instr(lower(name), ?8) > 0))
                     ORDER BY rowid DESC LIMIT ?7"
                ))?
                .query_map(
                    params![
                        filter.repository,
                        filter.mirror,
                        filter.status,
                        filter.trigger,
                        filter.since.map(At),
                        filter.until.map(At),
                        limit(filter.limit),
                        filter.text.as_ref().map(|text| text.to_ascii_lowercase())
                    ],
                    run_from,
                )?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            if filter.changes > 0 {
                for run in &mut runs {
                    run.changes = changes_of(transaction, &run.id, filter.changes)?;
                }
            }
            Ok(runs)
        })
    }

    /// Runs of this mirror that have not ended, as far as the memory knows; one whose lock is free is interrupted
    /// (see [`RunRecord::interrupted`]).
    pub fn running(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Vec<RunRecord>> {
        self.read(|transaction| select_running(transaction, repository, mirror))
    }
}

impl RunRecord {
    /// What a `running` run whose lock is free means: failed, because its process ended without a word.
    #[must_use]
    pub fn interrupted(&self, now: Timestamp) -> Self {
        let error = Error::passing(
            Code::Interrupted,
            "interrupted: the program ended before this run did",
            "Sync again: it finishes what was begun.",
        );
        Self { status: RunStatus::Failed, finished_iso: Some(now), error: Some(error), ..self.clone() }
    }
}

/// SQLite's `LIMIT`, where a negative number is none.
pub(super) fn limit(limit: usize) -> i64 {
    if limit == 0 { -1 } else { i64::try_from(limit).unwrap_or(-1) }
}

fn select_running(
    transaction: &Transaction<'_>,
    repository: &RepositoryId,
    mirror: &MirrorId,
) -> Result<Vec<RunRecord>, Failure> {
    Ok(transaction
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE repository = ?1 AND mirror = ?2 AND status = ?3
             ORDER BY rowid DESC"
        ))?
        .query_map(params![repository, mirror, RunStatus::Running], run_from)?
        .collect::<rusqlite::Result<_>>()?)
}

/// The newest run of a mirror towards `target`, and the newest of them that has ended. A run from before targets were
/// recorded counts for the place that is remembered, which is `target` when `is_known`.
pub(super) fn last_runs(
    transaction: &Transaction<'_>,
    repository: &RepositoryId,
    mirror: &MirrorId,
    target: &str,
    is_known: bool,
) -> rusqlite::Result<[Option<RunRecord>; 2]> {
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {RUN_COLUMNS} FROM runs
         WHERE repository = ?1 AND mirror = ?2 AND (target = ?3 OR (?4 AND target IS NULL)) AND status IS NOT ?5
         ORDER BY rowid DESC LIMIT 1"
    ))?;
    let mut last = |except: Option<RunStatus>| {
        select.query_row(params![repository, mirror, target, is_known, except], run_from).optional()
    };
    Ok([last(None)?, last(Some(RunStatus::Running))?])
}

fn insert_changes(transaction: &Transaction<'_>, run: &RunId, changes: &[RecordedChange]) -> Result<(), Failure> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO run_changes (run, position, aspect, action, name, tip_before, tip_after, error, at_ns)
         VALUES (?1, (SELECT coalesce(max(position) + 1, 0) FROM run_changes WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for RecordedChange { change, outcome, at_iso } in changes {
        let error = match outcome {
            ChangeOutcome::Done => None,
            ChangeOutcome::Failed { error } => Some(Json(error)),
        };
        statement.execute(params![
            run,
            change.aspect,
            Word(change.action),
            change.name,
            change.before,
            change.after,
            error,
            At(*at_iso)
        ])?;
    }
    Ok(())
}

/// The changes of a run in order; 0 is all of them.
fn changes_of(transaction: &Transaction<'_>, run: &RunId, count: usize) -> Result<Vec<RecordedChange>, Failure> {
    Ok(transaction
        .prepare_cached(
            "SELECT aspect, action, name, tip_before, tip_after, error, at_ns
             FROM run_changes WHERE run = ?1 ORDER BY position LIMIT ?2",
        )?
        .query_map(params![run, limit(count)], change_from)?
        .collect::<rusqlite::Result<_>>()?)
}

fn run_from(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: row.get("id")?,
        job: row.get("job")?,
        repository: row.get("repository")?,
        mirror: row.get("mirror")?,
        trigger: row.get("set_off_by")?,
        status: row.get("status")?,
        started_iso: row.get::<_, At>("started_ns")?.0,
        finished_iso: row.get::<_, Option<At>>("finished_ns")?.map(|at| at.0),
        error: row.get::<_, Option<Json<Error>>>("error")?.map(|error| error.0),
        totals: RunTotals {
            changes: row.get("changes")?,
            api_requests: row.get("api_requests")?,
            gh_calls: row.get("gh_calls")?,
            git_calls: row.get("git_calls")?,
            bytes_sent: row.get("bytes_sent")?,
            bytes_received: row.get("bytes_received")?,
        },
        changes: Vec::new(),
    })
}

fn change_from(row: &Row<'_>) -> rusqlite::Result<RecordedChange> {
    Ok(RecordedChange {
        change: Change {
            aspect: row.get("aspect")?,
            action: row.get::<_, Word<_>>("action")?.0,
            name: row.get("name")?,
            before: row.get("tip_before")?,
            after: row.get("tip_after")?,
        },
        outcome: match row.get::<_, Option<Json<Error>>>("error")? {
            None => ChangeOutcome::Done,
            Some(error) => ChangeOutcome::Failed { error: error.0 },
        },
        at_iso: row.get::<_, At>("at_ns")?.0,
    })
}
