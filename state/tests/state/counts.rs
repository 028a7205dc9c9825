//! Counts of runs rise with each run that ends, once, and by nothing else; not even a history that is cut short lowers them.

use rusqlite::Connection;
use standin_state::error::{Code, Error};
use standin_state::model::{RunStatus, Trigger};
use standin_state::store::{Fact, RunCount, RunTotals, Store};

use crate::store::{Memory, SITE, TOTALS, at};

const STARTED: &str = "2026-01-01T00:00:00Z";

fn ended(memory: &Memory, id: &str, status: RunStatus, error: Option<&Error>, totals: &RunTotals) {
    memory.store.begin_run(&memory.run(id, &memory.backup, STARTED), SITE).unwrap();
    memory.store.finish_run(&id.parse().unwrap(), status, error, totals, at("2026-01-01T00:01:00Z")).unwrap();
}

fn small() -> RunTotals {
    RunTotals { bytes_received: 7, ..TOTALS }
}

fn count(memory: &Memory, status: RunStatus, runs: u64) -> RunCount {
    let Memory { site, backup, .. } = memory;
    RunCount {
        repository: site.clone(),
        mirror: backup.clone(),
        trigger: Trigger::Schedule,
        status,
        runs,
        api_requests: 2 * runs,
        bytes_sent: 5 * runs,
        bytes_received: 7 * runs,
    }
}

fn in_a_row(memory: &Memory) -> u64 {
    let key = (memory.site.clone(), memory.backup.clone());
    memory.store.failures_in_a_row().unwrap().get(&key).copied().unwrap_or(0)
}

#[test]
fn each_run_is_counted_when_it_ends_and_stays_counted_without_the_history() {
    let memory = Memory::new();
    memory.store.begin_run(&memory.run("goes-on", &memory.backup, STARTED), SITE).unwrap();
    assert_eq!(memory.store.run_counts().unwrap(), [], "what goes on is not counted yet");
    for number in 0..3 {
        ended(&memory, &format!("r{number}"), RunStatus::Success, None, &small());
    }
    ended(&memory, "bad", RunStatus::Failed, None, &small());
    let expected = [count(&memory, RunStatus::Failed, 1), count(&memory, RunStatus::Success, 3)];
    assert_eq!(memory.store.run_counts().unwrap(), expected);

    let raw = memory.raw();
    raw.execute_batch("PRAGMA foreign_keys = on; DELETE FROM runs WHERE status <> 'running';").unwrap();
    assert_eq!(memory.reopened().run_counts().unwrap(), expected);

    // One that died counts when it is found, with what it had cost by then.
    memory.store.mark_interrupted(&memory.site, &memory.backup, at("2026-01-02T00:00:00Z")).unwrap();
    let failed = RunCount { runs: 2, ..expected[0].clone() };
    assert_eq!(memory.store.run_counts().unwrap(), [failed, expected[1].clone()]);
}

#[test]
fn counts_that_no_number_holds_stay_at_the_largest_and_hold_no_run_up() {
    let memory = Memory::new();
    for number in 0..3 {
        ended(&memory, &format!("r{number}"), RunStatus::Success, None, &TOTALS);
    }
    let counts = memory.store.run_counts().unwrap();
    assert_eq!((counts[0].runs, counts[0].bytes_received), (3, u64::MAX >> 1));
}

#[test]
fn failures_in_a_row_are_those_of_the_mirror_and_end_with_what_worked() {
    let memory = Memory::new();
    let own = Error::new(Code::RefRefused, "refused", "mend it");
    let of_source = Error::new(Code::Network, "the source does not answer", "wait").at_source();
    let mut number = 0;
    let mut end = |status, error: Option<&Error>| {
        number += 1;
        ended(&memory, &format!("r{number}"), status, error, &small());
        in_a_row(&memory)
    };
    assert_eq!(end(RunStatus::Failed, Some(&own)), 1);
    assert_eq!(end(RunStatus::Failed, None), 2);
    assert_eq!(end(RunStatus::Failed, Some(&of_source)), 2, "that is no fault of the mirror's");
    assert_eq!(end(RunStatus::Cancelled, None), 2);
    assert_eq!(end(RunStatus::Success, None), 0);
    assert_eq!(end(RunStatus::Failed, Some(&own)), 1);
    assert_eq!(end(RunStatus::Blocked, None), 0, "what waits did not fail");
    memory.store.begin_run(&memory.run("died", &memory.backup, STARTED), SITE).unwrap();
    memory.store.mark_interrupted(&memory.site, &memory.backup, at("2026-01-02T00:00:00Z")).unwrap();
    assert_eq!(in_a_row(&memory), 1);
}

#[test]
fn a_history_from_before_is_counted_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("standin.db")).unwrap();
    for migration in [
        include_str!("../../migrations/0001_history.sql"),
        include_str!("../../migrations/0002_protection.sql"),
        include_str!("../../migrations/0003_consent.sql"),
        include_str!("../../migrations/0004_standing.sql"),
        include_str!("../../migrations/0005_asks.sql"),
        include_str!("../../migrations/0006_rescues.sql"),
        include_str!("../../migrations/0007_actions.sql"),
        include_str!("../../migrations/0008_schedule.sql"),
        include_str!("../../migrations/0009_triggers.sql"),
        include_str!("../../migrations/0010_outbox.sql"),
    ] {
        connection.execute_batch(migration).unwrap();
    }
    let huge = i64::MAX;
    let source = r#"'{"at_source": true}'"#;
    for (id, status, error) in [
        ("a", "failed", "NULL"),
        ("b", "success", "NULL"),
        ("c", "failed", "NULL"),
        ("d", "failed", source),
        ("e", "cancelled", "NULL"),
        ("f", "failed", "'no JSON'"),
        ("g", "running", "NULL"),
    ] {
        let insert = format!(
            "INSERT INTO runs (id, repository, mirror, set_off_by, status, started_ns, error, changes, api_requests, gh_calls,
                 git_calls, bytes_sent, bytes_received)
             VALUES ('{id}', 'site', 'backup', 'hook', '{status}', 1, {error}, 0, 1, 0, 0, 2, {huge})"
        );
        connection.execute_batch(&insert).unwrap();
    }
    connection.execute_batch("PRAGMA user_version = 10").unwrap();
    drop(connection);
    let store = Store::open(dir.path()).unwrap();
    let counts = store.run_counts().unwrap();
    let told: Vec<_> = counts.iter().map(|count| (count.status.as_str(), count.runs, count.bytes_sent)).collect();
    assert_eq!(told, [("cancelled", 1, 2), ("failed", 4, 8), ("success", 1, 2)]);
    assert_eq!(counts[1].bytes_received, u64::MAX >> 1);
    let in_a_row = store.failures_in_a_row().unwrap();
    assert_eq!(in_a_row[&("site".parse().unwrap(), "backup".parse().unwrap())], 2, "{in_a_row:?}");
}

#[test]
fn a_fact_of_all_is_told_by_repository_and_mirror_without_what_is_put_aside() {
    let memory = Memory::new();
    let Memory { store, site, backup, .. } = &memory;
    store.set_target(site, backup, "first/place").unwrap();
    store.set_fact(site, Some(backup), Fact::TokenExpires, Some("of the first")).unwrap();
    store.set_target(site, backup, "second/place").unwrap();
    assert!(store.every(Fact::TokenExpires).unwrap().is_empty());
    store.set_fact(site, Some(backup), Fact::TokenExpires, Some("of the second")).unwrap();
    store.set_fact(site, None, Fact::TokenExpires, Some("of the source")).unwrap();
    let every = store.every(Fact::TokenExpires).unwrap();
    let told: Vec<_> = every.iter().map(|((_, mirror), text)| (mirror.as_ref(), text.as_str())).collect();
    assert_eq!(told, [(None, "of the source"), (Some(backup), "of the second")]);
}

#[test]
fn the_newest_run_of_a_mirror_is_found_without_sorting_its_history() {
    let memory = Memory::new();
    let raw = memory.raw();
    let plan = "EXPLAIN QUERY PLAN SELECT id FROM runs
                WHERE repository = 'site' AND mirror = 'backup' AND (target = 'x' OR (1 AND target IS NULL)) AND status IS NOT NULL
                ORDER BY rowid DESC LIMIT 1";
    let mut statement = raw.prepare(plan).unwrap();
    let steps: Vec<String> = statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    assert!(steps.iter().any(|step| step.contains("runs_of_mirror")), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("B-TREE")), "{steps:?}");
}
