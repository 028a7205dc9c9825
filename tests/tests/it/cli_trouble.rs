//! Mirrors that refuse or hang, two processes at once, Ctrl-C: the others go on, nothing stays off, all of it is told.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use standin_core::event::{Event, Stamped};
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{
    ARCHIVE, BACKUP, Machine, NAME, Running, STANDBY, World, branch, chronicle, finish, refs, settings,
};
use standin_tests::crash::{Before, check_in_step, check_values};

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// A port that takes connections and never says a word.
fn tarpit() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The push of the refs to the standby takes so long. The one before it moves the fence alone.
fn slow_push(world: &World, wait: Duration) {
    let pushes = FaultMatcher::git(&format!("/{BACKUP}/{NAME}.git/git-receive-pack"));
    world.sandbox.add_fault(Fault::nth(pushes, 2, Effect::Latency(wait)));
}

fn actions_are_on(world: &World) -> bool {
    world.sandbox.actions_permissions(BACKUP, NAME).unwrap().enabled
}

/// Waits until a push to the standby is under way, with Actions off around it.
fn wait_for_the_push(world: &World, running: &mut Running) {
    let pushes = |world: &World| {
        let requests = world.sandbox.requests();
        requests.iter().any(|request| request.path.ends_with("receive-pack") && request.duration.is_none())
    };
    finish("the push", Duration::from_secs(30), || {
        assert!(!running.has_ended(), "it ended early: {}", running.stdout());
        !actions_are_on(world) && pushes(world)
    });
}

#[test]
fn a_token_that_is_refused_fails_its_mirror_only() {
    let mut world = world();
    world.set("MIRROR_1_TOKEN", Some("ghp_0123456789abcdefghijABCDEFGHIJ012345"));
    let machine = world.machine();
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 1);
    assert_eq!(refs(&world.archive()), refs(&world.primary()), "the other goes on");
    assert!(!ran.all().contains("ghp_0123"), "the token is not shown");
    let one = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(one.code(), 1);
    settings().bind(|| {
        assert_snapshot!("refused_token_sync", one.all());
        assert_snapshot!("refused_token_status", machine.standin(&["status"]).stdout);
        assert_snapshot!("refused_token_chronicle", chronicle(&machine).join("\n"));
    });
    world.set("MIRROR_1_TOKEN", Some(&world.token.clone()));
    assert_eq!(machine.standin(&["sync"]).code(), 0, "with a good one it goes on");
    check_values(&world);
}

#[test]
fn mirrors_that_hang_end_by_their_time_limit_and_hold_up_nobody() {
    let mut world = world();
    let ((_http, http), (_ssh, ssh)) = (tarpit(), tarpit());
    world.set("MIRROR_3_TYPE", Some("git"));
    world.set("MIRROR_3_URL", Some(&format!("http://127.0.0.1:{http}/a/b.git")));
    world.set("MIRROR_4_TYPE", Some("git"));
    world.set("MIRROR_4_URL", Some(&format!("ssh://git@127.0.0.1:{ssh}/a/b.git")));
    let machine = world.machine().with("STANDIN_REQUEST_LIMIT", "30s").with("STANDIN_RUN_LIMIT", "15s");
    let begun = Instant::now();
    let ran = machine.standin(&["sync", "--json"]);
    let took = begun.elapsed();
    assert_eq!(ran.code(), 1);
    assert!(took < Duration::from_secs(60), "it took {took:?}");
    let ended: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Stamped>(line).unwrap().event)
        .filter_map(|event| match event {
            Event::RunFinished { mirror, status, error, .. } => {
                Some(format!("{mirror} {status} {}", error.map_or("-".to_owned(), |error| format!("{:?}", error.code))))
            }
            _ => None,
        })
        .collect();
    let mut quick = ended[..2].to_vec();
    quick.sort();
    assert_eq!(quick, ["mirror-1 success -", "mirror-2 success -"], "{ended:?}");
    let mut hung = ended[2..].to_vec();
    hung.sort();
    assert_eq!(hung, ["mirror-3 failed TimedOut", "mirror-4 failed TimedOut"], "{ended:?}");
    settings().bind(|| {
        assert_snapshot!("hanging_status", machine.standin(&["status"]).stdout);
        assert_snapshot!("hanging_chronicle", chronicle(&machine).join("\n"));
    });
    assert!(machine.standin(&["status"]).stdout.contains("❌ failed"));
}

#[test]
fn requests_that_hang_fail_their_aspect_and_the_others_go_on() {
    let world = world();
    let hang = FaultMatcher::rest("GET", &format!("/repos/{BACKUP}/{NAME}/actions/variables"));
    let fault = world.sandbox.add_fault(Fault::always(hang, Effect::Hang));
    let machine = world.machine().with("STANDIN_REQUEST_LIMIT", "1s").with("STANDIN_RUN_LIMIT", "60s");
    let ran = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert_eq!(refs(&world.standby()), refs(&world.primary()));
    assert!(actions_are_on(&world));
    settings().bind(|| assert_snapshot!("hanging_request", ran.all()));
    world.sandbox.remove_fault(fault);
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    check_values(&world);
}

#[test]
fn a_second_process_waits_for_the_first_or_is_refused() {
    let world = world();
    slow_push(&world, Duration::from_secs(8));
    let machine = world.machine();
    let mut first = machine.start(&["sync", "--mirror", STANDBY]);
    wait_for_the_push(&world, &mut first);
    let holder = format!("pid {}", first.id());

    let status = machine.json(&["status", "--mirror", STANDBY]);
    assert_eq!(status["mirrors"][0]["status"], "syncing");
    let second = machine.start(&["sync", "--mirror", STANDBY]);
    let refused = machine.standin(&["sync", "--mirror", STANDBY, "--no-wait"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.stdout.contains(&holder), "{}", refused.all());
    let archive = machine.standin(&["sync", "--mirror", ARCHIVE, "--no-wait"]);
    assert_eq!(archive.code(), 0, "another mirror is free: {}", archive.all());
    assert!(!first.has_ended(), "all that while the first ran");

    let (first, second) = (first.wait(), second.wait());
    assert_eq!((first.code(), second.code()), (0, 0), "{}{}", first.all(), second.all());
    assert!(second.stdout.contains(&holder), "{}", second.all());
    let runs = machine.json(&["history", "--mirror", STANDBY]);
    let time = |run: usize, field: &str| -> jiff::Timestamp { runs[run][field].as_str().unwrap().parse().unwrap() };
    assert!(time(0, "started_iso") >= time(1, "finished_iso"), "one after the other: {runs}");
    assert_eq!(runs[0]["totals"]["changes"], 0, "the first had done it all");
    settings().bind(|| {
        assert_snapshot!("second_process_waits", second.all());
        assert_snapshot!("second_process_is_refused", refused.all());
        assert_snapshot!("second_process_chronicle", chronicle(&machine).join("\n"));
    });
}

#[test]
fn ctrl_c_during_a_push_leaves_all_in_order() {
    stopped_during_a_push("INT");
}

#[test]
fn sigterm_during_a_push_leaves_all_in_order() {
    stopped_during_a_push("TERM");
}

#[test]
fn sigterm_ends_a_look_with_its_programs_and_temporary_folders() {
    let mut world = world();
    let (_listener, port) = tarpit();
    world.set("MIRROR_2_URL", Some(&format!("ssh://git@127.0.0.1:{port}/a/b.git")));
    let machine = world.machine().with("STANDIN_REQUEST_LIMIT", "60s");
    let tmp = world.folder().join("tmp");
    let running = machine.start(&["health", "--mirror", ARCHIVE]);
    finish("a call of git", Duration::from_secs(30), || fs::read_dir(&tmp).unwrap().next().is_some());
    let begun = Instant::now();
    stop(&running, "TERM");
    let ran = running.wait();
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(ran.stderr.contains("stopped before it was through"), "{}", ran.stderr);
    assert!(begun.elapsed() < Duration::from_secs(10));
    world.settle();
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
}

/// The standby's host wants no request for two minutes.
fn limited(world: &World) {
    let effect = Effect::SecondaryLimit { retry_after: Some(Duration::from_secs(120)) };
    world.sandbox.add_fault(Fault::always(FaultMatcher::rest("GET", &format!("/repos/{BACKUP}/{NAME}")), effect));
}

#[test]
fn a_look_does_not_wait_for_a_hosts_limits_but_says_until_when_they_hold() {
    let world = world();
    let machine = world.machine();
    limited(&world);
    let begun = Instant::now();
    for command in [&["health"][..], &["mirror", "test", STANDBY]] {
        let ran = machine.standin(command);
        assert!(ran.all().contains("limits this token's requests; it may go on at 20"), "{command:?}: {}", ran.all());
        assert!(!ran.all().contains("gone"), "{}", ran.all());
    }
    assert!(begun.elapsed() < Duration::from_secs(90));
}

#[test]
fn a_sync_that_waits_for_a_hosts_limits_says_so_and_until_when() {
    let world = world();
    limited(&world);
    let mut running = world.machine().start(&["sync", "--vars-only", "--mirror", STANDBY]);
    finish("the word", Duration::from_secs(60), || {
        assert!(!running.has_ended(), "it ended early: {}", running.stdout());
        running.stdout().contains("which limits this token's requests until 20")
    });
    let begun = Instant::now();
    stop(&running, "TERM");
    let ran = running.wait();
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(begun.elapsed() < Duration::from_secs(30), "the wait is left at once");
    assert_eq!(ran.all().matches("waiting for").count(), 1, "{}", ran.all());
}

fn stopped_during_a_push(signal: &str) {
    let world = world();
    let before = Before::of(&world);
    slow_push(&world, Duration::from_secs(4));
    let machine = world.machine();
    let mut running = machine.start(&["sync", "--code-only", "--mirror", STANDBY]);
    wait_for_the_push(&world, &mut running);
    stop(&running, signal);
    let ran = running.wait();
    assert_eq!(ran.code(), 1, "{}", ran.all());
    world.settle();
    assert!(world.sandbox.actions_permissions(BACKUP, NAME) == before.actions.0, "Actions are as they were");
    assert_eq!(machine.json(&["status"])["open_change"], serde_json::Value::Null);
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0);
    settings().bind(|| {
        assert_snapshot!("ctrl_c_sync", ran.all());
        assert_snapshot!("ctrl_c_status", machine.standin(&["status", "--mirror", STANDBY]).stdout);
        assert_snapshot!("ctrl_c_chronicle", chronicle(&machine).join("\n"));
    });
    finishes(&world, &machine, &before);
}

/// A push to the standby that the host carries out only after a while, and a restoring of Actions that takes longer: the
/// push would come when they are on.
fn late_push(world: &World) {
    slow_push(world, Duration::from_secs(2));
    let restoring = FaultMatcher::rest("PUT", &format!("/repos/{BACKUP}/{NAME}/actions/permissions/selected-actions"));
    world.sandbox.add_fault(Fault::always(restoring, Effect::Latency(Duration::from_secs(4))));
}

#[test]
fn a_push_that_was_stopped_and_arrives_late_is_refused_by_the_fence() {
    let world = world();
    let before = Before::of(&world);
    late_push(&world);
    let machine = world.machine();
    let mut running = machine.start(&["sync", "--code-only", "--mirror", STANDBY]);
    wait_for_the_push(&world, &mut running);
    stop(&running, "INT");
    assert_eq!(running.wait().code(), 1);
    world.settle();
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0, "no workflow came when Actions were on");
    assert!(refs(&world.standby()).is_empty(), "it did not arrive");
    finishes(&world, &machine, &before);
}

#[test]
fn a_push_that_a_killed_standin_left_behind_and_arrives_late_is_refused_by_the_fence() {
    let world = world();
    let before = Before::of(&world);
    late_push(&world);
    let machine = world.machine();
    let mut running = machine.start(&["sync", "--mirror", STANDBY]);
    wait_for_the_push(&world, &mut running);
    drop(running);
    let ran = machine.standin(&["health", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 1, "its last sync did not end well: {}", ran.all());
    world.settle();
    assert!(world.sandbox.actions_permissions(BACKUP, NAME) == before.actions.0, "a health check mends it");
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0, "no workflow came when Actions were on");
    assert!(refs(&world.standby()).is_empty(), "it did not arrive");
    finishes(&world, &machine, &before);
}

#[test]
fn a_push_that_outlives_a_killed_standin_does_no_harm() {
    let world = world();
    let before = Before::of(&world);
    slow_push(&world, Duration::from_secs(3));
    let machine = world.machine();
    let mut running = machine.start(&["sync", "--mirror", STANDBY]);
    wait_for_the_push(&world, &mut running);
    drop(running);
    assert!(!actions_are_on(&world));
    assert_eq!(machine.json(&["status"])["open_change"]["mirror"], STANDBY);
    // No pause: git still pushes on its own.
    finishes(&world, &machine, &before);
}

fn stop(running: &Running, signal: &str) {
    let id = running.id().to_string();
    let sent = std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// The next sync, without faults, brings everything in step.
fn finishes(world: &World, machine: &Machine, before: &Before) {
    world.sandbox.clear_faults();
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    world.settle();
    check_in_step(world, &[machine], before);
    let left: Vec<_> = fs::read_dir(world.folder().join("tmp")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "temporary files are left: {left:?}");
}

#[test]
fn what_a_host_refuses_is_told_once_and_health_says_it_too() {
    let world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    git2::Repository::open(world.archive())
        .and_then(|repository| repository.config()?.set_str("receive.hideRefs", "refs/heads/no"))
        .unwrap();
    let tip = refs(&world.primary())[&branch("main")];
    for number in 0..30 {
        world.publish(&branch(&format!("no/{number:02}")), Some(tip));
    }
    let ran = machine.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    let told = |name: &str| ran.all().matches(&branch(name)).count();
    assert_eq!((told("no/00"), told("no/29")), (1, 0), "{}", ran.all());
    assert!(ran.all().contains("30 changes not done") && ran.all().contains("and 10 more"), "{}", ran.all());

    let health = machine.standin(&["health", "--mirror", ARCHIVE]);
    assert!(health.all().contains("deny updating a hidden ref"), "{}", health.all());
    assert!(!health.all().contains("Sync it;"), "{}", health.all());
}
