//! The standby that was made master is gone itself: the source takes over again, or another standby does; and when it
//! comes back, what it committed comes home.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use serde_json::Value;
use standin_sandbox::{Effect, RepositoryState};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, Ran, STANDBY, branch, refs};
use standin_tests::stage::{SECOND, Stage, THIRD, at, fence, has, run, wanted};

/// The signal by which a process ends itself.
const ABORTED: i32 = 6;

fn stage() -> Stage {
    Stage::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// Makes the source master again without the standby.
fn take_home(stage: &Stage) -> Ran {
    stage.run(0, &["demote", STANDBY, "--yes", "--gone"])
}

fn set_standby(stage: &Stage, state: RepositoryState) {
    assert!(stage.sandbox.set_repository_state(BACKUP, NAME, state));
}

/// The source is master, whatever the standby that is gone believes.
fn check_source(stage: &Stage, machine: &Machine, epoch: u64) {
    let there = fence(&stage.primary()).unwrap();
    assert_eq!((there["epoch"].as_u64(), &there["open_change"]), (Some(epoch), &Value::Null), "{there}");
    assert_eq!(there["master"], format!("{OWNER}/{NAME}"));
    assert_eq!(there["temporary"], Value::Null, "it is master for good");
    assert_eq!(stage.role(OWNER).as_deref(), Some("MASTER"));
    assert_eq!(stage.states(OWNER), wanted(true, false));
    let status = machine.json(&["status"]);
    assert_eq!(status["open_change"], Value::Null, "{status}");
    assert_eq!((&status["self_role"], status["epoch"].as_u64()), (&"MASTER".into(), Some(epoch)), "{status}");
}

#[test]
fn the_source_takes_over_and_what_the_standby_committed_comes_home() {
    let stage = stage();
    stage.promote();
    let synced = stage.commit_on(BACKUP, "main", "synced.txt");
    stage.sync(0);
    // These never come to the source while it is master.
    let only_there = stage.commit_on(BACKUP, "main", "only-there.txt");
    let new_branch = stage.commit_on(BACKUP, "topic", "topic.txt");
    set_standby(&stage, RepositoryState::Hidden);
    let health = stage.machine.standin(&["health"]);
    assert!(health.all().contains("`standin demote mirror-1 --gone`"), "it says what to type: {}", health.all());

    let asks = stage.run(1, &["demote", STANDBY, "--yes"]);
    assert!(
        asks.all().contains(
            "`standin demote mirror-1 --gone` makes ada/orchestrator master again without it; what was committed there \
             comes home when it is back."
        ),
        "{}",
        asks.all()
    );
    let plan = stage.machine.json(&["demote", STANDBY, "--dry-run", "--gone"]);
    assert_eq!((&plan["kind"], &plan["new"]), (&"failover".into(), &format!("{OWNER}/{NAME}").into()), "{plan}");
    assert_eq!(
        (plan["epoch"].as_u64(), plan["epoch_after"].as_u64()),
        (Some(2), Some(4)),
        "past whatever the standby may come to"
    );
    assert_eq!(plan["missing_commits"], 0, "{plan}");
    assert!(plan["last_sync_iso"].is_string(), "{plan}");
    assert!(plan["enables"].as_array().unwrap().contains(&".github/workflows/cron.yml".into()), "{plan}");
    assert_eq!(fence(&stage.primary()).unwrap()["epoch"], 2, "a preview changes nothing");
    let ran = take_home(&stage);
    assert!(ran.all().contains("master again, since"), "{}", ran.all());
    check_source(&stage, &stage.machine, 4);
    assert_eq!(refs(&stage.primary())[&branch("main")], synced);

    // Work goes on at the source; the archive follows, and the standby when it is back.
    let next = stage.commit_on(OWNER, "main", "next.txt");
    let alone = stage.sync(1);
    assert_eq!(refs(&stage.archive())[&branch("main")], next, "{}", alone.all());
    set_standby(&stage, RepositoryState::Live);
    let back = stage.sync(3);
    assert!(back.all().contains("was master in epoch 2 and has not handed back"), "{}", back.all());
    assert_eq!(refs(&stage.standby())[&branch("main")], only_there, "what is not home is not overwritten");
    let there = fence(&stage.standby()).unwrap();
    assert_eq!((there["epoch"].as_u64(), there["unreturned"].as_u64()), (Some(4), Some(2)), "{there}");
    assert_eq!(stage.role(BACKUP).as_deref(), Some("SLAVE"));
    assert_eq!(stage.states(BACKUP), wanted(false, false), "its workflows are held, and its sentinel is awake again");

    let plan = stage.machine.json(&["demote", STANDBY, "--dry-run"]);
    assert!(plan["headline"].as_str().unwrap().starts_with("bring home"), "{plan}");
    stage.demote();
    assert!(has(&stage.primary(), only_there), "it came home");
    assert_eq!(refs(&stage.primary())[&branch("standin/handback-2/main")], only_there, "both moved: beside the branch");
    assert_eq!(refs(&stage.primary())[&branch("topic")], new_branch);
    assert_eq!(refs(&stage.primary())[&branch("main")], next);
    stage.sync(0);
    assert_eq!(fence(&stage.standby()).unwrap()["unreturned"], Value::Null);
    stage.check(&stage.machine, at(OWNER, 4));
    stage.check_same(&stage.primary(), &stage.standby());
    let refused = stage.run(2, &["demote", STANDBY, "--yes"]);
    assert!(refused.all().contains("SLAVE"), "{}", refused.all());
    // And it can be master again.
    stage.promote();
    stage.check(&stage.machine, at(BACKUP, 5));
}

#[test]
fn what_it_committed_can_come_home_before_any_sync_and_from_another_machine() {
    let stage = stage();
    stage.promote();
    let only_there = stage.commit_on(BACKUP, "main", "only-there.txt");
    set_standby(&stage, RepositoryState::Hidden);
    take_home(&stage);
    set_standby(&stage, RepositoryState::Live);
    let other = stage.another();
    run(&other, 0, &["demote", STANDBY, "--yes"]);
    assert_eq!(refs(&stage.primary())[&branch("main")], only_there, "the source had not moved");
    run(&other, 0, &["sync"]);
    stage.sync(0);
    stage.check(&other, at(OWNER, 4));
    stage.check(&stage.machine, at(OWNER, 4));
}

#[test]
fn a_machine_that_heard_of_nothing_obeys_the_source() {
    let stage = stage();
    let other = stage.another();
    run(&other, 0, &["sync"]);
    stage.promote();
    // The first tells it who is master.
    run(&other, 1, &["sync"]);
    run(&other, 0, &["sync"]);
    set_standby(&stage, RepositoryState::Hidden);
    take_home(&stage);
    let next = stage.commit_on(OWNER, "main", "next.txt");
    let first = other.standin(&["sync"]);
    assert_ne!(first.code(), 0, "the standby is gone: {}", first.all());
    set_standby(&stage, RepositoryState::Live);
    // What it believed, it has read again by now.
    other.standin(&["sync"]);
    run(&other, 0, &["sync"]);
    assert_eq!(refs(&stage.standby())[&branch("main")], next);
    stage.check(&other, at(OWNER, 4));
}

#[test]
fn a_stand_in_that_dies_before_the_hand_back_is_taken_over_from() {
    let stage = stage();
    assert!(stage.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden));
    stage.promote();
    let only_there = stage.commit_on(BACKUP, "main", "only-there.txt");
    set_standby(&stage, RepositoryState::Hidden);
    let both = stage.run(1, &["demote", STANDBY, "--yes"]);
    assert!(both.all().contains("cannot be handed back to"), "{}", both.all());
    assert!(stage.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Live));
    let meanwhile = stage.commit_on(OWNER, "main", "meanwhile.txt");
    take_home(&stage);
    check_source(&stage, &stage.machine, 4);
    set_standby(&stage, RepositoryState::Live);
    stage.demote();
    stage.sync(0);
    assert!(has(&stage.primary(), only_there) && has(&stage.primary(), meanwhile));
    stage.check(&stage.machine, at(OWNER, 4));
}

#[test]
fn a_bad_token_or_a_limit_says_nothing_about_the_standby() {
    for code in [401, 429] {
        let stage = stage();
        stage.promote();
        let faults = stage.fail(BACKUP, &Effect::Status { status: code, retry_after: Some(Duration::from_secs(1)) });
        let machine = stage.machine.with("STANDIN_REQUEST_LIMIT", "2s");
        let refused = run(&machine, 1, &["demote", STANDBY, "--yes"]);
        assert!(refused.all().contains("`standin demote mirror-1 --gone` says so"), "{}", refused.all());
        assert_eq!(fence(&stage.primary()).unwrap()["epoch"], 2, "nothing was changed");
        assert_eq!(stage.role(OWNER).as_deref(), Some("SLAVE"));
        run(&machine, 0, &["demote", STANDBY, "--yes", "--gone"]);
        check_source(&stage, &stage.machine, 4);
        stage.heal(faults);
        stage.sync(0);
        stage.check(&stage.machine, at(OWNER, 4));
    }
}

#[test]
fn another_standby_takes_over_from_one_that_is_gone() {
    let mut stage = stage();
    stage.add_second();
    stage.promote();
    let well = stage.run(2, &["promote", SECOND, "--yes"]);
    assert!(well.all().contains("is the master now, and well"), "{}", well.all());
    let synced = stage.commit_on(BACKUP, "main", "synced.txt");
    stage.sync(0);
    set_standby(&stage, RepositoryState::Hidden);
    let ran = stage.run(0, &["promote", SECOND, "--yes"]);
    assert!(ran.all().contains("TEMPORARY_MASTER"), "{}", ran.all());
    assert_eq!(stage.role(THIRD).as_deref(), Some("TEMPORARY_MASTER"));
    assert_eq!(stage.states(THIRD), wanted(true, true));
    let there = fence(&stage.path(THIRD)).unwrap();
    assert_eq!((there["epoch"].as_u64(), &there["open_change"]), (Some(4), &Value::Null), "{there}");
    let next = stage.commit_on(THIRD, "main", "next.txt");
    set_standby(&stage, RepositoryState::Live);
    stage.sync(0);
    assert_eq!(refs(&stage.standby())[&branch("main")], next, "it follows the new master");
    assert_eq!(stage.role(BACKUP).as_deref(), Some("SLAVE"));
    stage.run(0, &["demote", SECOND, "--yes"]);
    stage.sync(0);
    assert_eq!(refs(&stage.primary())[&branch("main")], next);
    assert!(has(&stage.primary(), synced));
    stage.check(&stage.machine, at(OWNER, 5));
}

/// The points after each step of a switchover, when it is not written down yet that the step was taken.
fn steps() -> Vec<String> {
    let stage = stage();
    let log = stage.folder().join("points");
    let logging = stage.machine.with("STANDIN_CRASH_LOG", log.display().to_string());
    run(&logging, 0, &["promote", STANDBY, "--yes"]);
    let text = fs::read_to_string(log).unwrap();
    let steps = text.lines().filter(|line| {
        let number = line.strip_prefix("role.journal.before#").and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| number % 2 == 0)
    });
    steps.map(str::to_owned).collect()
}

/// The switchover is killed, and the standby is gone with it. `from_elsewhere`: another machine, which knows nothing but
/// the configuration, makes the source master again.
fn dies_in_a_switchover(points: &[String], from_elsewhere: bool) {
    for point in points {
        let stage = stage();
        let late = stage.commit_on(OWNER, "main", "late.txt");
        let killed = stage.machine.with("STANDIN_CRASH_AT", point).standin(&["promote", STANDBY, "--yes"]);
        assert_eq!(killed.status.signal(), Some(ABORTED), "{point}: {}", killed.all());
        stage.settle();
        set_standby(&stage, RepositoryState::Hidden);
        let machine = if from_elsewhere { stage.another() } else { stage.machine.clone() };
        let was_heard = fence(&stage.primary()).is_some_and(|fence| fence["open_change"] != Value::Null);
        for choice in ["--rollback", "--resume"] {
            let stuck = machine.standin(&["promote", STANDBY, choice]);
            assert_eq!(stuck.code(), 1, "{point}: {}", stuck.all());
            assert!(stuck.all().contains("`standin demote mirror-1 --gone`"), "{point}: {}", stuck.all());
        }
        let ran = machine.standin(&["demote", STANDBY, "--yes", "--gone"]);
        if !was_heard && ran.code() == 2 {
            // The change never came to the source, nor to this machine: nothing was taken from the source.
            assert!(from_elsewhere, "{point}: {}", ran.all());
            assert_eq!(stage.states(OWNER), wanted(true, false), "{point}");
        } else {
            assert_eq!(ran.code(), 0, "{point}: {}", ran.all());
            let epoch = fence(&stage.primary()).unwrap()["epoch"].as_u64().unwrap();
            assert!(epoch > 3, "{point}: later than whatever the standby may come to by itself: {epoch}");
            check_source(&stage, &machine, epoch);
        }
        set_standby(&stage, RepositoryState::Live);
        if !was_heard && ran.code() == 2 {
            machine.standin(&["promote", STANDBY, "--rollback"]);
        }
        // The machine that was killed comes back as well.
        for machine in [&machine, &stage.machine] {
            let first = machine.standin(&["sync"]);
            let again = machine.standin(&["sync"]);
            assert_eq!(again.code(), 0, "{point}: {}\n{}", first.all(), again.all());
        }
        assert!(has(&stage.primary(), late) && has(&stage.standby(), late), "{point}");
        stage.check_same(&stage.primary(), &stage.standby());
        let epoch = fence(&stage.standby()).unwrap()["epoch"].as_u64().unwrap();
        for machine in [&machine, &stage.machine] {
            stage.check(machine, at(OWNER, epoch));
        }
    }
}

fn every(of: usize, part: usize) -> Vec<String> {
    let steps = steps();
    assert!(steps.len() > 8, "{steps:?}");
    steps.into_iter().enumerate().filter(|(index, _)| index % of == part).map(|(_, point)| point).collect()
}

#[test]
fn a_standby_that_dies_in_a_switchover_is_taken_over_from() {
    dies_in_a_switchover(&every(2, 0), false);
}

#[test]
fn a_standby_that_dies_in_a_switchover_is_taken_over_from_elsewhere() {
    dies_in_a_switchover(&every(2, 1), true);
}

#[test]
fn the_takeover_killed_at_any_step_goes_on() {
    let stage = stage();
    let log = stage.folder().join("points");
    let mut epoch = 1;
    let switch = |stage: &Stage, epoch: &mut u64| {
        set_standby(stage, RepositoryState::Live);
        stage.machine.standin(&["sync"]);
        stage.sync(0);
        stage.promote();
        *epoch += 1;
        set_standby(stage, RepositoryState::Hidden);
    };
    switch(&stage, &mut epoch);
    run(
        &stage.machine.with("STANDIN_CRASH_LOG", log.display().to_string()),
        0,
        &["demote", STANDBY, "--yes", "--gone"],
    );
    epoch += 2;
    let points = fs::read_to_string(log).unwrap();
    let points: Vec<&str> = points.lines().filter(|line| line.starts_with("role.journal.")).collect();
    assert!(points.len() > 10, "{points:?}");
    for (index, point) in points.iter().enumerate() {
        switch(&stage, &mut epoch);
        let killed = stage.machine.with("STANDIN_CRASH_AT", *point).standin(&["demote", STANDBY, "--yes", "--gone"]);
        assert_eq!(killed.status.signal(), Some(ABORTED), "{point}: {}", killed.all());
        stage.settle();
        let other = stage.another();
        let mender = if index % 2 == 0 { &stage.machine } else { &other };
        if fence(&stage.primary()).unwrap()["open_change"] != Value::Null {
            let refused = run(mender, 2, &["demote", STANDBY, "--rollback"]);
            assert!(refused.all().contains("this change has no way back"), "{point}: {}", refused.all());
            run(mender, 0, &["demote", STANDBY, "--resume"]);
        } else if stage.role(OWNER).as_deref() == Some("SLAVE") {
            // It was never announced, and what the standby's fence carries cannot be read.
            let stuck = run(mender, 1, &["demote", STANDBY, "--resume"]);
            assert!(stuck.all().contains("`standin demote mirror-1 --gone`"), "{point}: {}", stuck.all());
            run(mender, 0, &["demote", STANDBY, "--yes", "--gone"]);
        }
        epoch += 2;
        // What it has in its journal and in no fence, it settles when it is next used.
        stage.machine.standin(&["sync"]);
        check_source(&stage, &stage.machine, epoch);
    }
    set_standby(&stage, RepositoryState::Live);
    stage.machine.standin(&["sync"]);
    stage.sync(0);
    stage.check(&stage.machine, at(OWNER, epoch));
}
