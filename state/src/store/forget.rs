//! What the history no longer holds: runs that are old. What somebody may still ask for stays.

use jiff::Timestamp;
use rusqlite::params;

use super::Store;
use super::columns::At;
use crate::error::Result;
use crate::model::RunStatus;

/// How many runs go at once: others wait for the memory meanwhile.
const AT_ONCE: usize = 1_000;
/// How many runs of one mirror that changed nothing are kept, however young.
const UNCHANGED_OF_A_MIRROR: usize = 2_000;

impl Store {
    /// Forgets runs that began before `kept_since`, those that found nothing to do and began before `unchanged_since`, and the
    /// oldest of more than 2,000 of one mirror that changed nothing. Returns how many; at most 1,000 at once.
    ///
    /// What stays in any case: the newest run of each mirror towards each place and the newest of them that has ended, what is
    /// going on, and what an aspect's last result or a rescue names.
    pub fn forget_runs(&self, kept_since: Timestamp, unchanged_since: Timestamp) -> Result<usize> {
        let find = "
            WITH
                unchanged AS (
                    SELECT id, row_number() OVER (PARTITION BY repository, mirror ORDER BY rowid DESC) AS place
                    FROM runs WHERE changes = 0
                ),
                newest AS (
                    SELECT max(rowid) AS row FROM runs GROUP BY repository, mirror, target
                    UNION
                    SELECT max(rowid) FROM runs WHERE status IS NOT ?4 GROUP BY repository, mirror, target
                )
            SELECT id FROM runs
            WHERE (
                    started_ns < ?1
                    OR (status = ?3 AND changes = 0 AND started_ns < ?2)
                    OR id IN (SELECT id FROM unchanged WHERE place > ?5)
                )
                AND status IS NOT ?4
                AND rowid NOT IN (SELECT row FROM newest)
                AND id NOT IN (SELECT run FROM aspect_results)
                AND id NOT IN (SELECT run FROM rescues WHERE run IS NOT NULL)
            LIMIT ?6";
        let (done, going) = (RunStatus::Success, RunStatus::Running);
        let bounds = params![At(kept_since), At(unchanged_since), done, going, UNCHANGED_OF_A_MIRROR, AT_ONCE];
        // Mostly there is nothing, and looking disturbs nobody.
        let old: Vec<String> = self.read(|transaction| {
            Ok(transaction
                .prepare_cached(find)?
                .query_map(bounds, |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?)
        })?;
        if old.is_empty() {
            return Ok(0);
        }
        self.write("forget_runs", |transaction| {
            // A rescue or result that came between the look and now names a run that is young.
            let mut delete = transaction.prepare_cached("DELETE FROM runs WHERE id = ?1")?;
            let mut gone = 0;
            for id in &old {
                gone += delete.execute([id])?;
            }
            Ok(gone)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Aspect, RunId, Trigger};
    use crate::store::{Change, ChangeAction, ChangeOutcome, RunFilter, RunRecord, RunTotals};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    fn begin(store: &Store, id: &str, mirror: &str, days: u32) {
        let run = RunRecord {
            id: id.parse::<RunId>().unwrap(),
            job: None,
            repository: "site".parse().unwrap(),
            mirror: mirror.parse().unwrap(),
            trigger: Trigger::Schedule,
            status: RunStatus::Running,
            started_iso: now() - DAY * days,
            finished_iso: None,
            error: None,
            totals: RunTotals::default(),
            changes: Vec::new(),
        };
        store.begin_run(&run, "place").unwrap();
    }

    fn end(store: &Store, id: &str, changes: u64) {
        let (id, totals) = (id.parse::<RunId>().unwrap(), RunTotals { changes, ..RunTotals::default() });
        if changes > 0 {
            let change = Change {
                aspect: Aspect::Code,
                action: ChangeAction::Create,
                name: "refs/heads/main".to_owned(),
                before: None,
                after: None,
            };
            store.record_change(&id, &change, &ChangeOutcome::Done, now()).unwrap();
        }
        store.finish_run(&id, RunStatus::Success, None, &totals, now()).unwrap();
    }

    fn left(store: &Store) -> Vec<String> {
        let mut ids: Vec<String> =
            store.runs(&RunFilter::default()).unwrap().into_iter().map(|run| run.id.to_string()).collect();
        ids.sort();
        ids
    }

    #[test]
    fn old_runs_go_and_what_may_still_be_asked_for_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for (id, mirror, days, changes) in [
            ("a1-years-old", "a", 500, 1),
            ("a2-changed", "a", 40, 1),
            ("a3-unchanged", "a", 39, 0),
            ("a4-unchanged-young", "a", 2, 0),
            ("b1-only-one", "b", 900, 0),
            ("c1-last-that-ended", "c", 700, 0),
        ] {
            begin(&store, id, mirror, days);
            end(&store, id, changes);
        }
        begin(&store, "c2-going-on", "c", 600);

        assert_eq!(store.forget_runs(now() - DAY * 365, now() - DAY * 30).unwrap(), 2);

        let stay = ["a2-changed", "a4-unchanged-young", "b1-only-one", "c1-last-that-ended", "c2-going-on"];
        assert_eq!(left(&store), stay);
        assert_eq!(store.forget_runs(now() - DAY * 365, now() - DAY * 30).unwrap(), 0);
        assert_eq!(store.run(&"a2-changed".parse().unwrap()).unwrap().unwrap().changes.len(), 1);
    }

    #[test]
    fn a_mirror_that_is_looked_at_every_minute_does_not_fill_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store
            .write("many", |transaction| {
                let mut insert = transaction.prepare(
                    "INSERT INTO runs (id, repository, mirror, set_off_by, status, started_ns, finished_ns, changes,
                         api_requests, gh_calls, git_calls, bytes_sent, bytes_received)
                     VALUES (?1, 'site', ?2, ?3, ?4, ?5, ?5, ?6, 0, 0, 0, 0, 0)",
                )?;
                for number in 0..3_500_u32 {
                    let at = At(now() - Duration::from_secs(u64::from(4_000 - number)));
                    let changes = u32::from(number % 100 == 0);
                    let (mirror, id) = (["a", "b"][usize::from(number >= 3_400)], format!("run-{number:05}"));
                    insert.execute(params![id, mirror, Trigger::Schedule, RunStatus::Success, at, changes])?;
                }
                Ok(())
            })
            .unwrap();

        assert_eq!(store.forget_runs(now() - DAY * 365, now() - DAY * 30).unwrap(), AT_ONCE);
        let rest = 3_366 - UNCHANGED_OF_A_MIRROR - AT_ONCE;
        assert_eq!(store.forget_runs(now() - DAY * 365, now() - DAY * 30).unwrap(), rest);

        let left = left(&store);
        assert_eq!(left.iter().filter(|id| id.ends_with("00")).count(), 35, "what changed something stays");
        assert!(left.contains(&"run-03499".to_owned()), "the other mirror's stay");
        assert_eq!(left.len(), UNCHANGED_OF_A_MIRROR + 34 + 100);
    }
}
