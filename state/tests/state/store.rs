//! What is remembered comes back, also after reopening, and what must not change does not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use standin_state::error::{Code, Error};
use standin_state::model::{
    Action, Aspect, AspectReport, AspectStatus, Health, MirrorId, Oid, RepositoryId, RunId, RunStatus, SentinelStatus,
    Trigger, Verb,
};
use standin_state::store::{
    AuditEntry, AuditFilter, Change, ChangeAction, ChangeOutcome, Decision, DecisionChoice, Fact, FenceMemory,
    HeldWorkflow, JournalKind, RecordedChange, Rescue, RescueReason, RunFilter, RunRecord, RunTotals, SentSecret,
    Store,
};
use tempfile::TempDir;

pub(crate) struct Memory {
    dir: TempDir,
    pub store: Store,
    pub site: RepositoryId,
    pub backup: MirrorId,
    archive: MirrorId,
}

impl Memory {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let id = |text: &str| text.parse().unwrap();
        Self { dir, store, site: "site".parse().unwrap(), backup: id("backup"), archive: id("archive") }
    }

    pub fn reopened(&self) -> Store {
        Store::open(self.dir.path()).unwrap()
    }

    pub fn raw(&self) -> Connection {
        Connection::open(self.dir.path().join("standin.db")).unwrap()
    }

    pub fn run(&self, id: &str, mirror: &MirrorId, started: &str) -> RunRecord {
        RunRecord {
            id: id.parse().unwrap(),
            job: None,
            repository: self.site.clone(),
            mirror: mirror.clone(),
            trigger: Trigger::Schedule,
            status: RunStatus::Running,
            started_iso: at(started),
            finished_iso: None,
            error: None,
            totals: RunTotals::default(),
            changes: Vec::new(),
        }
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().unwrap()
}

fn change(name: &str) -> Change {
    Change {
        aspect: Aspect::Code,
        action: ChangeAction::FastForward,
        name: name.to_owned(),
        before: Some("a".to_owned()),
        after: None,
    }
}

/// What the mirrors' ids name.
pub(crate) const SITE: &str = "backup/site";

pub(crate) const TOTALS: RunTotals =
    RunTotals { changes: 1, api_requests: 2, gh_calls: 3, git_calls: 4, bytes_sent: 5, bytes_received: u64::MAX >> 1 };

#[test]
fn a_run_comes_back_with_its_changes_in_order_and_to_the_nanosecond() {
    let memory = Memory::new();
    let mut run = memory.run("r1", &memory.backup, "2026-02-07T18:01:07.123456789Z");
    memory.store.begin_run(&run, SITE).unwrap();
    let failed = ChangeOutcome::Failed { error: Error::new(Code::RefRefused, "refused", "mend it") };
    memory
        .store
        .record_change(&run.id, &change("refs/heads/a"), &ChangeOutcome::Done, at("2026-02-07T18:01:08Z"))
        .unwrap();
    let more = [("refs/heads/b", failed.clone()), ("refs/heads/c", ChangeOutcome::Done)]
        .map(|(name, outcome)| RecordedChange { change: change(name), outcome, at_iso: at("2026-02-07T18:01:09Z") });
    memory.store.record_changes(&run.id, &more).unwrap();
    let error = Error::passing(Code::RateLimited, "slow down", "wait").retry_after(std::time::Duration::from_secs(9));
    memory.store.finish_run(&run.id, RunStatus::Failed, Some(&error), &TOTALS, at("2026-02-07T18:02:00Z")).unwrap();

    run.status = RunStatus::Failed;
    run.finished_iso = Some(at("2026-02-07T18:02:00Z"));
    run.error = Some(error);
    run.totals = TOTALS;
    let first = RecordedChange {
        change: change("refs/heads/a"),
        outcome: ChangeOutcome::Done,
        at_iso: at("2026-02-07T18:01:08Z"),
    };
    run.changes = [vec![first], more.to_vec()].concat();
    assert_eq!(memory.reopened().run(&run.id).unwrap(), Some(run));
    assert_eq!(memory.store.run(&"r2".parse().unwrap()).unwrap(), None);
}

#[test]
fn runs_are_listed_newest_first_whatever_the_clock_said_and_filtered() {
    let memory = Memory::new();
    for (id, mirror, started) in [
        ("r1", &memory.backup, "2026-01-01T00:00:00Z"),
        ("r2", &memory.archive, "2026-01-03T00:00:00Z"),
        ("r3", &memory.backup, "2026-01-02T00:00:00Z"),
        ("r4", &memory.backup, "2026-01-02T00:00:00Z"),
    ] {
        memory.store.begin_run(&memory.run(id, mirror, started), SITE).unwrap();
    }
    memory
        .store
        .finish_run(&"r3".parse().unwrap(), RunStatus::Success, None, &TOTALS, at("2026-01-02T00:01:00Z"))
        .unwrap();
    let ids = |filter: RunFilter| -> Vec<String> {
        memory.store.runs(&filter).unwrap().iter().map(|run| run.id.to_string()).collect()
    };
    assert_eq!(ids(RunFilter::default()), ["r4", "r3", "r2", "r1"]);
    assert_eq!(ids(RunFilter { limit: 2, ..RunFilter::default() }), ["r4", "r3"]);
    assert_eq!(ids(RunFilter { mirror: Some(memory.archive.clone()), ..RunFilter::default() }), ["r2"]);
    assert_eq!(ids(RunFilter { status: Some(RunStatus::Success), ..RunFilter::default() }), ["r3"]);
    let mut hooked = memory.run("r5", &memory.backup, "2026-01-02T00:00:00Z");
    hooked.trigger = Trigger::Hook;
    memory.store.begin_run(&hooked, SITE).unwrap();
    assert_eq!(ids(RunFilter { trigger: Some(Trigger::Hook), ..RunFilter::default() }), ["r5"]);
    assert_eq!(ids(RunFilter { trigger: Some(Trigger::Webhook), ..RunFilter::default() }), Vec::<String>::new());
    memory
        .store
        .record_change(
            &"r2".parse().unwrap(),
            &change("refs/heads/Feature%_1"),
            &ChangeOutcome::Done,
            at("2026-01-02T00:00:01Z"),
        )
        .unwrap();
    let refused = Error::new(Code::RefRefused, "GitHub refused it", "a hint with feature in it");
    memory
        .store
        .finish_run(&"r4".parse().unwrap(), RunStatus::Failed, Some(&refused), &TOTALS, at("2026-01-02T00:01:00Z"))
        .unwrap();
    let with = |text: &str| ids(RunFilter { text: Some(text.to_owned()), ..RunFilter::default() });
    assert_eq!(with("feature"), ["r2"], "what is to do about an error is not searched");
    assert_eq!(with("e%_1"), ["r2"], "as it stands, no pattern");
    assert_eq!(with("GITHUB REFUSED"), ["r4"]);
    assert_eq!(with("nothing of this"), Vec::<String>::new());
    assert_eq!(
        ids(RunFilter { repository: Some("other".parse().unwrap()), ..RunFilter::default() }),
        Vec::<String>::new()
    );
}

#[test]
fn a_run_is_begun_once_and_finished_once() {
    let memory = Memory::new();
    let run = memory.run("r1", &memory.backup, "2026-01-01T00:00:00Z");
    let finish = |id: &str, status| {
        memory.store.finish_run(&id.parse().unwrap(), status, None, &TOTALS, at("2026-01-01T00:01:00Z"))
    };
    memory.store.begin_run(&run, SITE).unwrap();
    assert_eq!(memory.store.begin_run(&run, SITE).unwrap_err().code, Code::Storage);
    finish("r1", RunStatus::Success).unwrap();
    assert_eq!(finish("r1", RunStatus::Failed).unwrap_err().code, Code::Internal);
    assert_eq!(finish("r9", RunStatus::Failed).unwrap_err().code, Code::Internal);
    assert_eq!(memory.store.run(&run.id).unwrap().unwrap().status, RunStatus::Success);
}

#[test]
fn a_change_of_an_unknown_run_is_refused_and_leaves_nothing() {
    let memory = Memory::new();
    let unknown: RunId = "r9".parse().unwrap();
    let result = memory.store.record_change(&unknown, &change("x"), &ChangeOutcome::Done, at("2026-01-01T00:00:00Z"));
    assert_eq!(result.unwrap_err().code, Code::Storage);
    let rows: i64 = memory.raw().query_row("SELECT count(*) FROM run_changes", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn runs_whose_process_died_become_failed_as_interrupted() {
    let memory = Memory::new();
    let now = at("2026-01-02T00:00:00Z");
    let started = "2026-01-01T00:00:00Z";
    memory.store.begin_run(&memory.run("r1", &memory.backup, started), SITE).unwrap();
    memory.store.begin_run(&memory.run("r2", &memory.archive, started), SITE).unwrap();
    let running = memory.store.running(&memory.site, &memory.backup).unwrap();
    assert_eq!(running.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["r1"]);

    let marked = memory.store.mark_interrupted(&memory.site, &memory.backup, now).unwrap();
    assert_eq!(marked, [running[0].interrupted(now)]);
    let run = memory.reopened().run(&"r1".parse().unwrap()).unwrap().unwrap();
    assert_eq!((run.status, run.finished_iso), (RunStatus::Failed, Some(now)));
    let error = run.error.unwrap();
    assert_eq!(error.code, Code::Interrupted);
    assert!(error.message.starts_with("interrupted"));
    assert!(memory.store.mark_interrupted(&memory.site, &memory.backup, now).unwrap().is_empty());
    let other = memory.store.running(&memory.site, &memory.archive).unwrap();
    assert_eq!(other.len(), 1, "another mirror's run is left alone");
}

#[test]
fn a_mirror_is_remembered_as_it_was_last_and_a_new_one_is_unknown() {
    let memory = Memory::new();
    let empty = memory.store.mirror_memory(&memory.site, &memory.backup, SITE).unwrap();
    assert_eq!((empty.last_run, empty.aspects.len(), empty.health), (None, 0, Health::Unknown));

    let run = memory.run("r1", &memory.backup, "2026-01-01T00:00:00Z");
    memory.store.begin_run(&run, SITE).unwrap();
    let full = AspectReport {
        status: AspectStatus::Failed,
        last_sync_iso: Some(at("2026-01-01T00:00:01Z")),
        detail: Some("4/5".to_owned()),
        error: Some("e".to_owned()),
        hint: Some("h".to_owned()),
        action: Some(Box::new(Action::new(Verb::SetToken, Some(&memory.backup)))),
        last_commit: Some("c".to_owned()),
        last_try_iso: Some(at("2026-01-01T00:00:02Z")),
        at_source: true,
        behind: Some(7),
        apart: Some(1),
        synced_count: Some(4),
        total: Some(5),
    };
    let finish = |aspect, report: &AspectReport| {
        memory.store.finish_aspect(&run.id, &memory.site, &memory.backup, aspect, report).unwrap();
    };
    finish(Aspect::Secrets, &AspectReport::new(AspectStatus::Ok));
    finish(Aspect::Secrets, &full);
    finish(Aspect::Code, &AspectReport::new(AspectStatus::Ok));
    memory
        .store
        .set_health(&memory.site, &memory.backup, Health::Warning, Some("why"), at("2026-01-01T00:00:02Z"))
        .unwrap();

    let store = memory.reopened();
    let known = store.mirror_memory(&memory.site, &memory.backup, SITE).unwrap();
    assert_eq!((known.last_run, known.last_ended), (Some(run), None));
    assert_eq!(
        known.aspects,
        BTreeMap::from([(Aspect::Secrets, full.clone()), (Aspect::Code, AspectReport::new(AspectStatus::Ok))])
    );
    assert_eq!((known.health, known.health_detail.as_deref()), (Health::Warning, Some("why")));
    assert_eq!(known.last_health_check, Some(at("2026-01-01T00:00:02Z")));
    assert_eq!(store.aspect_report(&memory.site, &memory.backup, Aspect::Secrets).unwrap(), Some(full));
    assert_eq!(store.aspect_report(&memory.site, &memory.archive, Aspect::Secrets).unwrap(), None);

    assert_eq!(store.last_full_sync(&memory.site).unwrap(), None);
    store.set_last_full_sync(&memory.site, at("2026-01-01T00:00:03Z")).unwrap();
    assert_eq!(store.last_full_sync(&memory.site).unwrap(), Some(at("2026-01-01T00:00:03Z")));
}

fn audit_entry(action: &str, mirror: Option<MirrorId>) -> AuditEntry {
    AuditEntry {
        at_iso: at("2026-01-01T00:00:00Z"),
        actor: "ann@laptop cli".to_owned(),
        action: action.to_owned(),
        repository: Some("site".parse().unwrap()),
        mirror,
        detail: "d".to_owned(),
        outcome: "ok".to_owned(),
    }
}

#[test]
fn the_audit_trail_is_listed_newest_first_and_filtered() {
    let memory = Memory::new();
    let (one, two) = (audit_entry("one", Some(memory.backup.clone())), audit_entry("two", None));
    memory.store.append_audit(&one).unwrap();
    memory.store.append_audit(&two).unwrap();
    assert_eq!(memory.reopened().audit(&AuditFilter::default()).unwrap(), [two.clone(), one.clone()]);
    let of_mirror = AuditFilter { mirror: Some(memory.backup.clone()), ..AuditFilter::default() };
    assert_eq!(memory.store.audit(&of_mirror).unwrap(), [one]);
    assert_eq!(memory.store.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).unwrap(), [two]);
}

#[test]
fn the_database_itself_refuses_to_change_the_audit_trail() {
    let memory = Memory::new();
    memory.store.append_audit(&audit_entry("one", None)).unwrap();
    let raw = memory.raw();
    for attempt in [
        "UPDATE audit SET outcome = 'changed'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, 2, 'a', 'b', NULL, NULL, 'c', 'd')",
        "INSERT INTO audit VALUES (1, 2, 'a', 'b', NULL, NULL, 'c', 'd') ON CONFLICT (id) DO UPDATE SET outcome = 'x'",
    ] {
        let error = raw.execute(attempt, []).expect_err(attempt);
        assert!(error.to_string().contains("append-only"), "{attempt}: {error}");
    }
    assert_eq!(memory.store.audit(&AuditFilter::default()).unwrap(), [audit_entry("one", None)]);
}

fn fence(epoch: u64, sequence: u64, digit: char) -> FenceMemory {
    FenceMemory { oid: oid(digit), epoch, sequence, document: "{}".to_owned() }
}

#[test]
fn what_is_known_of_a_fence_only_rises() {
    let memory = Memory::new();
    let set = |fence: &FenceMemory| memory.store.set_fence_memory(&memory.site, &memory.backup, fence);
    let known = || memory.store.fence_memory(&memory.site, &memory.backup).unwrap();
    assert_eq!(known(), None);
    for higher in [fence(1, 5, 'a'), fence(1, 6, 'b'), fence(2, 1, 'c'), fence(2, 1, 'c')] {
        set(&higher).unwrap();
        assert_eq!(known(), Some(higher));
    }
    for lower in [fence(1, 9, 'd'), fence(2, 0, 'd'), fence(2, 1, 'd')] {
        let error = set(&lower).unwrap_err();
        assert_eq!((error.code, known()), (Code::Internal, Some(fence(2, 1, 'c'))), "{}", error.message);
    }
    let other = memory.store.fence_memory(&memory.site, &memory.archive).unwrap();
    assert_eq!(other, None, "another mirror has its own");
    memory.store.forget_fence(&memory.site, &memory.backup).unwrap();
    set(&fence(1, 1, 'e')).unwrap();
}

#[test]
fn of_secrets_only_fingerprints_and_names_are_remembered() {
    let memory = Memory::new();
    let (store, site, backup) = (&memory.store, &memory.site, &memory.backup);
    let sent =
        |text: &str, time: Option<&str>| SentSecret { fingerprint: text.to_owned(), remote_updated_at: time.map(at) };
    let (a, b) = (sent("f1", None), sent("f2", Some("2026-01-01T00:00:00Z")));
    store.set_sent_secret(site, backup, "A", &b).unwrap();
    store.set_sent_secrets(site, backup, [("A", &a), ("B", &b), ("C", &b)]).unwrap();
    store.forget_sent_secret(site, backup, "C").unwrap();
    assert_eq!(
        memory.reopened().sent_secrets(site, backup).unwrap(),
        BTreeMap::from([("A".to_owned(), a), ("B".to_owned(), b)])
    );
    store.approve_secrets(site, backup, ["A", "B"]).unwrap();
    store.approve_secrets(site, backup, BTreeSet::from(["B".to_owned(), "C".to_owned()])).unwrap();
    let approved: Vec<String> = store.approved_secrets(site, backup).unwrap().into_iter().collect();
    assert_eq!(approved, ["A", "B", "C"]);
    assert!(store.approved_secrets(site, &memory.archive).unwrap().is_empty());
}

#[test]
fn the_fingerprint_key_is_random_and_stays_the_same_for_all() {
    let memory = Memory::new();
    let keys: BTreeSet<[u8; 32]> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| memory.reopened().fingerprint_key().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), 1);
    assert!(!keys.contains(&Memory::new().store.fingerprint_key().unwrap()));
    std::fs::write(memory.dir.path().join("fingerprint.key"), "short").unwrap();
    let error = memory.store.fingerprint_key().unwrap_err();
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains("5 bytes instead of 32"), "{}", error.message);
}

#[test]
fn workflows_rescues_decisions_and_facts_come_back() {
    let memory = Memory::new();
    let (store, site, backup) = (&memory.store, &memory.site, &memory.backup);
    let held = |path: &str, state: &str| HeldWorkflow { path: path.to_owned(), state_before: state.to_owned() };
    store.set_held_workflow(site, backup, &held("b.yml", "active")).unwrap();
    store.set_held_workflow(site, backup, &held("a.yml", "active")).unwrap();
    store.set_held_workflow(site, backup, &held("b.yml", "disabled_manually")).unwrap();
    assert_eq!(
        store.held_workflows(site, backup).unwrap(),
        [held("a.yml", "active"), held("b.yml", "disabled_manually")]
    );
    store.forget_held_workflow(site, backup, "a.yml").unwrap();
    assert_eq!(store.held_workflows(site, backup).unwrap().len(), 1);

    let states = |path: &str| BTreeMap::from([(path.to_owned(), "active".to_owned())]);
    store.set_source_workflows(site, &states("old.yml")).unwrap();
    store.set_source_workflows(site, &states("new.yml")).unwrap();
    assert_eq!(store.source_workflows(site).unwrap(), states("new.yml"));

    let rescue = |id: &str, mirror: &MirrorId| Rescue {
        id: id.to_owned(),
        repository: site.clone(),
        mirror: mirror.clone(),
        target: Some("/srv/backup.git".to_owned()),
        ref_name: "refs/heads/main".parse().unwrap(),
        oid: oid('1'),
        reason: RescueReason::Rewrite,
        created_iso: at("2026-01-01T00:00:00Z"),
        run: Some("r1".parse().unwrap()),
    };
    let (one, two) = (rescue("x1", backup), Rescue { run: None, ..rescue("x2", &memory.archive) });
    for rescue in [&one, &two, &one] {
        store.add_rescue(rescue).unwrap();
    }
    assert_eq!(memory.reopened().rescues(None, None).unwrap(), [two.clone(), one.clone()]);
    assert_eq!(store.rescues(Some(site), Some(backup)).unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.rescue("x1").unwrap(), Some(one));
    assert_eq!((store.drop_rescue("x1").unwrap(), store.drop_rescue("x1").unwrap()), (true, false));
    assert_eq!(store.rescue("x1").unwrap(), None);

    let decision = |choice, digit| Decision {
        ask: "refs/heads/main".parse().unwrap(),
        seen: oid(digit).to_string(),
        choice,
        decided_iso: at("2026-01-01T00:00:00Z"),
    };
    store.set_decision(site, backup, &decision(DecisionChoice::Take, '1')).unwrap();
    store.set_decision(site, backup, &decision(DecisionChoice::Leave, '2')).unwrap();
    assert_eq!(store.decisions(site, backup).unwrap(), [decision(DecisionChoice::Leave, '2')]);
    store.clear_decision(site, backup, &"refs/heads/main".parse().unwrap()).unwrap();
    assert!(store.decisions(site, backup).unwrap().is_empty());

    store.set_fact(site, None, Fact::Server, Some("1")).unwrap();
    store.set_fact(site, Some(backup), Fact::Server, Some("2")).unwrap();
    store.set_fact(site, Some(backup), Fact::Server, Some("3")).unwrap();
    assert_eq!(store.fact(site, None, Fact::Server).unwrap().as_deref(), Some("1"));
    assert_eq!(store.fact(site, Some(backup), Fact::Server).unwrap().as_deref(), Some("3"));
    store.set_fact(site, Some(backup), Fact::Server, None).unwrap();
    assert_eq!(store.fact(site, Some(backup), Fact::Server).unwrap(), None);
}

#[test]
fn what_was_found_by_watching_comes_back_and_another_versions_shape_counts_as_never_found() {
    let Memory { store, site, backup, .. } = &Memory::new();
    let found = SentinelStatus {
        health: Health::Warning,
        detail: Some("asleep".to_owned()),
        hint: None,
        workflow: Some("active".to_owned()),
        last_check_iso: None,
        last_verdict: None,
        failures: 2,
        looked_at_iso: at("2026-01-01T00:00:00Z"),
    };
    store.set_sentinel_status(site, backup, &found).unwrap();
    assert_eq!(store.sentinel_status(site, backup).unwrap(), Some(found));
    assert_eq!(store.master_health(site).unwrap(), None);
    store.set_fact(site, None, Fact::MasterHealth, Some("[1]")).unwrap();
    assert_eq!(store.master_health(site).unwrap(), None);
}

#[test]
fn the_journal_holds_what_was_begun_until_it_is_closed() {
    let memory = Memory::new();
    let (store, site) = (&memory.store, &memory.site);
    let opened = at("2026-01-01T00:00:00Z");
    let first =
        store.open_journal(site, &memory.backup, JournalKind::ActionsOff, json!({"b": 1, "a": [2]}), opened).unwrap();
    let second = store.open_journal(site, &memory.archive, JournalKind::ActionsOff, json!(null), opened).unwrap();
    assert_eq!(memory.reopened().open_journals(None).unwrap(), [first.clone(), second.clone()]);
    store.update_journal(first.id, &json!({"later": true})).unwrap();
    store.close_journal(second.id).unwrap();
    store.close_journal(second.id).unwrap();
    let open = store.open_journals(Some(site)).unwrap();
    assert_eq!((open.len(), &open[0].payload), (1, &json!({"later": true})));
    assert!(store.open_journals(Some(&"other".parse().unwrap())).unwrap().is_empty());
    assert_eq!(store.update_journal(second.id, &json!(1)).unwrap_err().code, Code::Internal);
}

#[test]
fn a_row_that_this_version_cannot_read_is_an_error_and_no_panic() {
    let memory = Memory::new();
    memory.store.begin_run(&memory.run("r1", &memory.backup, "2026-01-01T00:00:00Z"), SITE).unwrap();
    memory.raw().execute("UPDATE runs SET status = 'sideways'", []).unwrap();
    let error = memory.store.run(&"r1".parse().unwrap()).unwrap_err();
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains("sideways"), "{}", error.message);
}

/// The other process of the next test.
#[test]
#[ignore = "another test runs it as a second process"]
fn other_process_records_changes() {
    let store = Store::open(std::env::var_os("STANDIN_TEST_FOLDER").unwrap().as_ref()).unwrap();
    for number in 0..50 {
        record_numbered(&store, "process", number);
    }
}

fn record_numbered(store: &Store, who: &str, number: u64) {
    let name = format!("{who}-{number}");
    store.record_change(&"r1".parse().unwrap(), &change(&name), &ChangeOutcome::Done, Timestamp::now()).unwrap();
}

#[test]
fn threads_and_processes_write_side_by_side_and_lose_nothing() {
    let memory = Memory::new();
    memory.store.begin_run(&memory.run("r1", &memory.backup, "2026-01-01T00:00:00Z"), SITE).unwrap();
    let mut other =
        crate::locks::this_program("store::other_process_records_changes", memory.dir.path()).spawn().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = if thread % 2 == 0 { memory.store.clone() } else { memory.reopened() };
            scope.spawn(move || (0..25).for_each(|number| record_numbered(&store, &format!("thread{thread}"), number)));
        }
    });
    assert!(other.wait().unwrap().success());
    let changes = memory.store.run(&"r1".parse().unwrap()).unwrap().unwrap().changes;
    let names: BTreeSet<_> = changes.iter().map(|change| change.change.name.clone()).collect();
    assert_eq!((changes.len(), names.len()), (150, 150));
    for who in ["process", "thread0", "thread3"] {
        let order: Vec<u64> = changes
            .iter()
            .filter_map(|change| change.change.name.strip_prefix(&format!("{who}-"))?.parse().ok())
            .collect();
        assert!(order.is_sorted(), "{who}: {order:?}");
    }
}
