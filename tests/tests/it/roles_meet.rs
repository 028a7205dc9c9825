//! Several at once, and hosts that die in the middle: one change wins, and what is open is seen, resumed or taken back.

use std::process::Command;
use std::time::Duration;

use git2::Repository;
use standin_core::state::store::Store;
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, Running, STANDBY, branch, finish, refs};
use standin_tests::stage::{SECOND, Stage, THIRD, at, fence, run};

fn stage() -> Stage {
    Stage::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// Waits until what runs has made this request and waits for its answer.
fn wait_for(stage: &Stage, running: &mut Running, method: &str, end: &str) {
    finish("the request", Duration::from_secs(30), || {
        assert!(!running.has_ended(), "it ended early: {}", running.stdout());
        let requests = stage.sandbox.requests();
        requests.iter().any(|one| one.method == method && one.path.ends_with(end) && one.duration.is_none())
    });
}

/// The fault that holds the first setting of `MIRROR_ROLE` on the standby up, by so much.
fn slow_role(stage: &Stage, wait: Duration) {
    let role = FaultMatcher::rest("PATCH", &format!("/repos/{BACKUP}/{NAME}/actions/variables/MIRROR_ROLE"));
    stage.sandbox.clear_requests();
    stage.sandbox.add_fault(Fault::once(role, Effect::Latency(wait)));
}

fn open_of(machine: &Machine) -> serde_json::Value {
    machine.json(&["status"])["open_change"].clone()
}

#[test]
fn a_promotion_waits_for_the_sync_that_is_going_on() {
    let stage = stage();
    let late = stage.commit_on(OWNER, "main", "late.txt");
    stage.sandbox.clear_requests();
    let pushes = FaultMatcher::git(&format!("/{BACKUP}/{NAME}.git/git-receive-pack"));
    stage.sandbox.add_fault(Fault::once(pushes, Effect::Latency(Duration::from_secs(3))));
    let mut sync = stage.machine.start(&["sync"]);
    wait_for(&stage, &mut sync, "POST", "receive-pack");
    let promoted = stage.promote();
    assert!(promoted.stdout.contains("pid "), "it says for whom it waits: {}", promoted.all());
    let synced = sync.wait();
    assert_eq!(synced.code(), 0, "{}", synced.all());
    assert_eq!(refs(&stage.standby())[&branch("main")], late);
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn of_two_promotions_of_one_standby_one_wins() {
    let stage = stage();
    let other = stage.another();
    run(&other, 0, &["sync"]);
    let machines = [&stage.machine, &other];
    let running = machines.map(|machine| machine.start(&["promote", STANDBY, "--yes"]));
    let ended = running.map(Running::wait);
    let codes = ended.each_ref().map(|ran| ran.code());
    let said: String = ended.iter().map(standin_tests::cli::Ran::all).collect();
    assert!(codes.contains(&0), "{said}");
    let loser = &ended[usize::from(codes[0] == 0)];
    assert_ne!(loser.code(), 0, "{said}");
    assert!(loser.all().contains('→'), "it says what to do: {said}");
    for machine in machines {
        machine.standin(&["sync"]);
        stage.check(machine, at(BACKUP, 2));
    }
}

#[test]
fn of_two_promotions_of_two_standbys_at_most_one_wins_and_none_stays_open() {
    let mut stage = stage();
    stage.add_second();
    let other = stage.another();
    run(&other, 0, &["sync"]);
    slow_role(&stage, Duration::from_secs(4));
    let mut first = stage.machine.start(&["promote", STANDBY, "--yes"]);
    wait_for(&stage, &mut first, "PATCH", "MIRROR_ROLE");
    let second = other.standin(&["promote", SECOND, "--yes"]);
    assert_eq!(second.code(), 1, "{}", second.all());
    let first = first.wait();
    assert_eq!(first.code(), 0, "{}", first.all());
    stage.sync(0);
    stage.check(&stage.machine, at(BACKUP, 2));
    assert_eq!(fence(&stage.path(THIRD)).unwrap()["open_change"], serde_json::Value::Null, "{}", second.all());
    assert_eq!(stage.role(THIRD).as_deref(), Some("SLAVE"));
}

#[test]
fn a_host_that_dies_between_two_steps_leaves_a_change_that_goes_on_later() {
    let stage = stage();
    slow_role(&stage, Duration::from_secs(2));
    let mut running = stage.machine.start(&["promote", STANDBY, "--yes"]);
    wait_for(&stage, &mut running, "PATCH", "MIRROR_ROLE");
    let faults = stage.fail(BACKUP, &Effect::Status { status: 503, retry_after: None });
    let ran = running.wait();
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(ran.all().contains("open for every machine to see"), "{}", ran.all());
    let open = open_of(&stage.machine);
    assert_eq!(open["kind"], "role_change");
    assert!(open["detail"].as_str().unwrap().contains("--resume"), "{open}");
    let again = stage.machine.standin(&["promote", STANDBY, "--yes"]);
    assert_ne!(again.code(), 0, "{}", again.all());
    stage.heal(faults);
    let refused = stage.machine.standin(&["sync"]);
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.all().contains("a role change is open"), "{}", refused.all());
    stage.run(0, &["promote", STANDBY, "--resume"]);
    stage.check(&stage.machine, at(BACKUP, 2));
    stage.sync(0);
}

#[test]
fn a_health_check_hears_that_another_machine_ended_the_change() {
    let stage = stage();
    let other = stage.another();
    let killed =
        stage.machine.with("STANDIN_CRASH_AT", "role.journal.before#8").standin(&["promote", STANDBY, "--yes"]);
    assert_eq!(killed.code(), -1, "{}", killed.all());
    stage.settle();
    run(&other, 0, &["promote", STANDBY, "--resume"]);
    assert_eq!(open_of(&stage.machine)["kind"], "role_change", "it has not heard of it");
    stage.machine.standin(&["health"]);
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn ctrl_c_stops_between_two_steps() {
    let stage = stage();
    for (choice, standing) in [("--rollback", at(OWNER, 3)), ("--resume", at(BACKUP, 4))] {
        slow_role(&stage, Duration::from_secs(2));
        let mut running = stage.machine.start(&["promote", STANDBY, "--yes"]);
        wait_for(&stage, &mut running, "PATCH", "MIRROR_ROLE");
        let sent = Command::new("kill").args(["-s", "INT", &running.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ran = running.wait();
        assert_eq!(ran.code(), 1, "{}", ran.all());
        assert_eq!(open_of(&stage.machine)["kind"], "role_change", "{}", ran.all());
        stage.run(0, &["promote", STANDBY, choice]);
        stage.check(&stage.machine, standing);
    }
}

#[test]
fn a_promotion_that_takes_too_long_stops_in_a_known_state() {
    let stage = stage();
    slow_role(&stage, Duration::from_secs(31));
    let machine = stage.machine.with("STANDIN_REQUEST_LIMIT", "60s");
    let ran = run(&machine, 1, &["promote", STANDBY, "--yes"]);
    assert!(ran.all().contains("took longer than its limit"), "{}", ran.all());
    assert_eq!(open_of(&stage.machine)["kind"], "role_change");
    stage.run(0, &["promote", STANDBY, "--resume"]);
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn a_change_of_another_configuration_is_left_alone() {
    let mut stage = stage();
    slow_role(&stage, Duration::from_secs(2));
    let mut running = stage.machine.start(&["promote", STANDBY, "--yes"]);
    wait_for(&stage, &mut running, "PATCH", "MIRROR_ROLE");
    drop(running);
    let repo = format!("{BACKUP}/{NAME}");
    stage.world.set("MIRROR_1_REPO", Some("ada-backup/elsewhere"));
    for choice in ["--resume", "--rollback"] {
        let refused = stage.machine.standin(&["promote", STANDBY, choice]);
        assert_ne!(refused.code(), 0, "{}", refused.all());
        assert!(refused.all().contains("a role change of ada-backup/orchestrator is open"), "{}", refused.all());
    }
    stage.world.set("MIRROR_1_REPO", Some(&repo));
    stage.run(0, &["promote", STANDBY, "--resume"]);
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn a_fence_that_is_gone_stops_a_change_and_asks() {
    for owner in [BACKUP, OWNER] {
        let stage = stage();
        if owner == OWNER {
            stage.promote();
            stage.demote();
        }
        let epoch = fence(&stage.standby()).unwrap()["epoch"].as_u64().unwrap();
        Repository::open_bare(stage.path(BACKUP))
            .unwrap()
            .find_reference("refs/standin/fence")
            .unwrap()
            .delete()
            .unwrap();
        let refused = stage.machine.standin(&["promote", STANDBY, "--yes"]);
        assert_eq!(refused.code(), 3, "{}", refused.all());
        assert!(refused.all().contains("standin resolve"), "{}", refused.all());
        stage.run(0, &["resolve", STANDBY, "refs/standin/fence", "overwrite"]);
        stage.promote();
        stage.check(&stage.machine, at(BACKUP, epoch + 1));
    }
}

#[test]
fn a_master_whose_fence_is_gone_stops_the_sync_and_asks() {
    let stage = stage();
    stage.promote();
    Repository::open_bare(stage.standby()).unwrap().find_reference("refs/standin/fence").unwrap().delete().unwrap();
    let before = refs(&stage.primary());
    let tip = stage.commit_on(BACKUP, "main", "next.txt");
    let refused = stage.machine.standin(&["sync"]);
    assert_eq!(refused.code(), 3, "{}", refused.all());
    assert_eq!(refs(&stage.primary()), before);
    stage.run(0, &["resolve", STANDBY, "refs/standin/fence", "overwrite"]);
    stage.sync(0);
    stage.check(&stage.machine, at(BACKUP, 2));
    assert_eq!(refs(&stage.primary())[&branch("main")], tip);
    let store = Store::open(&stage.machine.state).unwrap();
    assert!(store.open_journals(None).unwrap().is_empty());
}
