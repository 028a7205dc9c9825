//! What the sentinel does: promotion, hand-back, what it parks, and when it does nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use standin_core::fence::OpenChange;
use standin_core::mastership::machine::{Change, Kind, Way};
use standin_sandbox::{Conclusion, Effect, Fault, FaultMatcher, Level, TokenSpec, WorkflowState};
use standin_tests::cli::{BACKUP, NAME, OWNER, branch, refs};
use standin_tests::watch::{Watched, move_fence};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

fn promoted(watched: &Watched) {
    watched.master_down();
    watched.checks(3);
    watched.assert_temporary();
}

/// The master goes on by a commit of its own.
fn master_moves(watched: &Watched, path: &str) -> git2::Oid {
    let tip = refs(&watched.world.primary())["refs/heads/main"];
    let commit = watched.world.commit(Some(tip), &[(path, "more\n")]);
    watched.world.publish("refs/heads/main", Some(commit));
    commit
}

fn tips(watched: &Watched) -> BTreeSet<git2::Oid> {
    watched.refs().into_values().collect()
}

#[test]
fn the_whole_way_there_and_back_loses_nothing() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    let work = watched.work_on("main");
    let topic = watched.work_on("topic");
    let standby = git2::Repository::open_bare(watched.world.standby()).unwrap();
    standby.reference("refs/heads/new/branch", topic, false, "").unwrap();
    standby.reference("refs/tags/v2.0", work, false, "").unwrap();
    let before = tips(&watched);
    let moved = master_moves(&watched, "master.txt");
    let primary = refs(&watched.world.primary());
    watched.master_back();
    let first = watched.check();
    assert!(first.log.contains("one more such check"), "{}", first.log);
    watched.assert_temporary();
    let second = watched.check();
    assert_eq!(second.conclusion, Some(Conclusion::Success), "{}", second.log);
    watched.assert_slave();
    let fence = watched.fence();
    assert_eq!(fence.epoch, 3);
    let held: Vec<&str> = fence.held.keys().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(held, ["cron.yml", "deploy.yml", "test.yml"]);
    let after = watched.refs();
    for (name, tip) in [
        ("refs/heads/standin/handback-2/main", work),
        ("refs/heads/standin/handback-2/topic", topic),
        ("refs/heads/standin/handback-2/new/branch", topic),
        ("refs/tags/standin/handback-2/v2.0", work),
    ] {
        assert_eq!(after.get(name), Some(&tip), "{name}");
    }
    assert!(before.is_subset(&tips(&watched)), "no tip of the standby is lost");
    let parked = after.keys().filter(|name| name.contains("standin/handback-")).count();
    assert_eq!(parked, 4, "what the master has is not parked: {after:?}");
    assert_eq!(refs(&watched.world.primary()), primary, "nothing is written to the master");
    assert_eq!(primary["refs/heads/main"], moved);
    assert_eq!(watched.memory()["last_verdict"], "handed_back");
    watched.check();
    watched.assert_slave();
    assert_eq!(refs(&watched.world.standby()), after, "a watching sentinel writes nothing");
}

#[test]
fn what_it_kept_is_brought_home_from_a_machine() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    let work = watched.work_on("main");
    master_moves(&watched, "master.txt");
    watched.master_back();
    watched.checks(2);
    watched.assert_slave();
    let ran = watched.machine.standin(&["demote", "mirror-1", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    let home = refs(&watched.world.primary());
    assert_eq!(home.get("refs/heads/standin/handback-2/main"), Some(&work), "{}", ran.all());
}

#[test]
fn without_work_on_the_standby_nothing_is_parked_and_the_latest_is_pulled() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    let moved = master_moves(&watched, "master.txt");
    watched.master_back();
    let checks = watched.checks(2);
    assert!(checks[1].log.contains("Pulled the latest of ada/orchestrator"), "{}", checks[1].log);
    watched.assert_slave();
    assert_eq!(watched.refs(), refs(&watched.world.primary()));
    let fence = watched.fence();
    assert_eq!(fence.refs[&branch("main").parse().unwrap()].as_str(), moved.to_string());
    watched.sync();
    watched.assert_slave();
}

#[test]
fn a_workflow_file_that_is_new_on_the_master_waits_for_a_sync() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    let tip = watched.refs()["refs/heads/main"];
    let (path, text) = watched.world.new_workflow("nightly");
    let commit =
        watched.world.commit(Some(refs(&watched.world.primary())["refs/heads/main"]), &[(path.as_str(), &text)]);
    watched.world.publish("refs/heads/main", Some(commit));
    watched.master_back();
    watched.checks(2);
    watched.assert_slave();
    assert_eq!(watched.refs()["refs/heads/main"], tip);
    watched.sync();
    assert_eq!(watched.refs()["refs/heads/main"], commit);
    watched.assert_slave();
}

#[test]
fn only_what_the_master_had_running_is_switched_on_and_only_what_may_stays_on() {
    let watched = Watched::with(PROGRAM, "keep_active = [\"test.yml\"]");
    watched.world.sandbox.set_workflow_state(OWNER, NAME, "deploy.yml", WorkflowState::DisabledManually);
    watched.sync();
    watched.master_down();
    watched.checks(3);
    assert_eq!(watched.active(), ["cron.yml", "sentinel.yml", "test.yml"]);
    assert_eq!(watched.role(), "TEMPORARY_MASTER");
    watched.master_back();
    watched.checks(2);
    assert_eq!(
        (watched.role().as_str(), watched.active()),
        ("SLAVE", ["sentinel.yml", "test.yml"].map(str::to_owned).to_vec())
    );
    watched.sync();
    assert_eq!(watched.active(), ["sentinel.yml", "test.yml"]);
}

#[test]
fn handing_back_can_be_left_to_a_person() {
    let watched = Watched::with(PROGRAM, "sentinel = { auto_demotion = false }");
    promoted(&watched);
    watched.master_back();
    for check in watched.checks(4) {
        assert!(check.log.contains("Hand back with `standin demote MIRROR`"), "{}", check.log);
    }
    watched.assert_temporary();
    assert_eq!(watched.memory()["good_checks"], 4);
}

#[test]
fn a_master_that_fails_again_is_not_handed_back_to() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    for _ in 0..2 {
        watched.master_back();
        watched.check();
        watched.master_down();
        watched.check();
    }
    watched.assert_temporary();
}

#[test]
fn the_heartbeat_is_not_asked_for_while_the_standby_has_its_cron() {
    let heartbeat = r#"heartbeat = { path = "state/current.json", field = "meta.updated_at_iso", max_age = "2h" }"#;
    let watched = Watched::with(PROGRAM, heartbeat);
    promoted(&watched);
    watched.master_back();
    watched.checks(2);
    assert_eq!(watched.role(), "SLAVE");
}

#[test]
fn commits_go_to_the_master_where_that_is_allowed() {
    let watched = Watched::with(PROGRAM, "sentinel = { write_to_master = true }");
    let token = watched
        .world
        .sandbox
        .create_token(OWNER, TokenSpec::fine_grained(OWNER, &[NAME], &[("contents", Level::Write)]));
    watched.world.sandbox.set_secret(BACKUP, NAME, "MASTER_TOKEN", token.as_bytes());
    promoted(&watched);
    let work = watched.work_on("topic");
    watched.master_back();
    let checks = watched.checks(2);
    assert!(!checks[1].log.contains(&token));
    assert_eq!(
        refs(&watched.world.primary()).get("refs/heads/standin/handback-2/topic"),
        Some(&work),
        "{}",
        checks[1].log
    );
    assert_eq!(watched.refs().get("refs/heads/standin/handback-2/topic"), Some(&work));
}

#[test]
fn a_push_between_the_parking_and_the_end_is_parked_too() {
    let watched = Watched::new(PROGRAM);
    promoted(&watched);
    let work = watched.work_on("main");
    watched.master_back();
    watched.check();
    let role = FaultMatcher::rest("PATCH", &format!("/repos/{BACKUP}/{NAME}/actions/variables/MIRROR_ROLE"));
    let fault = watched.world.sandbox.add_fault(Fault::once(role, Effect::Latency(Duration::from_secs(3))));
    let late = std::thread::scope(|scope| {
        let late = scope.spawn(|| {
            standin_tests::cli::finish("the hand-back", Duration::from_secs(60), || {
                watched.world.sandbox.fault_hits(fault) > 0
            });
            watched.work_on("main")
        });
        watched.check();
        late.join().unwrap()
    });
    watched.assert_slave();
    let parked: BTreeSet<git2::Oid> =
        watched.refs().into_iter().filter(|(name, _)| name.contains("handback-2/main")).map(|(_, tip)| tip).collect();
    assert_eq!(parked, BTreeSet::from([work, late]));
}

#[test]
fn a_master_has_nobody_to_watch() {
    let watched = Watched::new(PROGRAM);
    watched.world.sandbox.set_variable(BACKUP, NAME, "MIRROR_ROLE", "MASTER");
    watched.master_down();
    for check in watched.checks(4) {
        assert_eq!(check.conclusion, Some(Conclusion::Skipped), "{}", check.log);
    }
    // Also where the variable was lost: the fence knows.
    watched.world.sandbox.remove_variable(BACKUP, NAME, "MIRROR_ROLE");
    watched.move_fence(|document| {
        document.epoch += 1;
        document.master = format!("{BACKUP}/{NAME}").into();
    });
    let fence = watched.fence();
    for check in watched.checks(4) {
        assert!(check.log.contains("there is nothing to watch"), "{}", check.log);
    }
    assert_eq!((watched.fence(), watched.active()), (fence, vec!["sentinel.yml".to_owned()]));
}

#[test]
fn another_master_in_the_fence_leaves_it_no_say() {
    let watched = Watched::new(PROGRAM);
    watched.move_fence(|document| {
        document.epoch += 1;
        document.master = "eve/elsewhere".into();
    });
    let fence = watched.fence();
    watched.master_down();
    for check in watched.checks(5) {
        assert!(check.log.contains("eve/elsewhere as master"), "{}", check.log);
    }
    assert_eq!((watched.fence(), watched.role().as_str()), (fence, "SLAVE"));
}

fn open_change(kind: &str, watched: &Watched) -> OpenChange {
    let settings = serde_json::json!({"id": "0123456789abcdef", "kind": kind, "old": format!("{OWNER}/{NAME}"),
        "new": format!("{BACKUP}/{NAME}"), "epoch": 1, "direction": "forward", "workflows": {}});
    let since_iso = watched.world.sandbox.now();
    OpenChange { kind: "role_change".to_owned(), writer: "eve@elsewhere".to_owned(), since_iso, settings }
}

#[test]
fn a_role_change_of_somebody_else_has_an_hour_and_is_then_overtaken() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.checks(2);
    watched.move_fence(|document| document.open_change = Some(open_change("switchover", &watched)));
    let fence = watched.fence();
    let checks = watched.checks(1);
    assert!(checks[0].log.contains("eve@elsewhere is changing the role"), "{}", checks[0].log);
    assert_eq!(watched.fence(), fence);
    watched.checks(3);
    watched.assert_temporary();
}

#[test]
fn a_failover_that_somebody_else_left_half_done_is_ended() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.check();
    watched.move_fence(|document| {
        document.epoch = 2;
        document.master = format!("{BACKUP}/{NAME}").into();
        document.temporary = true;
        document.open_change = Some(open_change("failover", &watched));
    });
    watched.check();
    assert_eq!(watched.active(), ["sentinel.yml"]);
    watched.checks(2);
    watched.assert_temporary();
    assert_eq!(watched.fence().epoch, 2);
}

#[test]
fn what_the_sentinel_left_open_is_seen_and_ended_from_a_machine() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.checks(2);
    let enabling = FaultMatcher::rest("PUT", &format!("/repos/{BACKUP}/{NAME}/actions/workflows/*/enable"));
    // The first proves the right; the second is the first of the promotion.
    let fault = Fault::nth(enabling, 2, Effect::Status { status: 502, retry_after: None });
    let fault = watched.world.sandbox.add_fault(fault);
    assert_eq!(watched.check().conclusion, Some(Conclusion::Failure));
    watched.world.sandbox.remove_fault(fault);
    let open = watched.fence().open_change.expect("it is open");
    let change: Change = serde_json::from_value(open.settings).unwrap();
    assert_eq!((change.kind, change.epoch, change.way), (Kind::Failover, 1, Way::Onward));
    assert_eq!((change.old, change.new), (format!("{OWNER}/{NAME}").into(), format!("{BACKUP}/{NAME}").into()));
    assert_eq!(change.workflows[&format!("{BACKUP}/{NAME}").into()].len(), 3);
    let health = watched.machine.standin(&["health"]);
    let status = watched.machine.standin(&["status"]);
    assert!(status.stdout.contains("sentinel@ada-backup/orchestrator"), "{}{}", health.all(), status.all());
    let ran = watched.machine.standin(&["promote", "mirror-1", "--resume", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    watched.assert_temporary();
    watched.check();
    watched.assert_temporary();
}

#[test]
fn a_failover_by_hand_is_handed_back_by_the_sentinel() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    let ran = watched.machine.standin(&["promote", "mirror-1", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    watched.assert_temporary();
    let work = watched.work_on("main");
    watched.master_back();
    watched.checks(2);
    watched.assert_slave();
    assert_eq!(watched.refs().get("refs/heads/standin/handback-2/main"), Some(&work));
}

#[test]
fn of_two_writers_at_the_same_moment_only_one_moves_the_fence() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.checks(2);
    let moving = FaultMatcher::rest("PATCH", &format!("/repos/{BACKUP}/{NAME}/git/refs/standin/fence"));
    let fault = watched.world.sandbox.add_fault(Fault::once(moving, Effect::Latency(Duration::from_secs(3))));
    let check = std::thread::scope(|scope| {
        let (path, sandbox) = (watched.world.standby(), watched.world.sandbox.clone());
        scope.spawn(move || {
            standin_tests::cli::finish("the promotion", Duration::from_secs(60), || sandbox.fault_hits(fault) > 0);
            move_fence(&path, sandbox.now(), |_| {});
        });
        watched.check()
    });
    assert!(check.log.contains("at the same moment"), "{}", check.log);
    let fence = watched.fence();
    assert_eq!((fence.writer.as_str(), fence.epoch), ("eve@elsewhere", 1));
    watched.assert_slave();
    watched.check();
    watched.assert_temporary();
}

#[test]
fn a_token_without_a_right_is_found_before_anything_is_changed() {
    for missing in ["actions", "contents", "actions_variables"] {
        let watched = Watched::new(PROGRAM);
        let rights: Vec<(&'static str, Level)> = ["actions", "contents", "actions_variables"]
            .into_iter()
            .map(|right| (right, if right == missing { Level::Read } else { Level::Write }))
            .collect();
        let token = watched.world.sandbox.create_token(BACKUP, TokenSpec::fine_grained(BACKUP, &[NAME], &rights));
        watched.world.sandbox.set_secret(BACKUP, NAME, "STANDIN_TOKEN", token.as_bytes());
        watched.master_down();
        let last = watched.checks(3).pop().unwrap();
        assert_eq!(last.conclusion, Some(Conclusion::Failure), "{missing}: {}", last.log);
        assert!(last.log.contains("needs the permission"), "{missing}: {}", last.log);
        watched.assert_slave();
        assert_eq!(watched.fence().epoch, 1);
    }
}
