//! The master is gone: a standby stands in, and when the master is back everything of both sides comes together.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;
use standin_sandbox::{Effect, Fault, FaultMatcher, Protection, RepositoryState};
use standin_tests::cli::{BACKUP, NAME, OWNER, STANDBY, branch, commit_in, refs, set, settings};
use standin_tests::stage::{Stage, at, fence, has, run, standing_in};

fn stage() -> Stage {
    Stage::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn status(status: u16) -> Effect {
    Effect::Status { status, retry_after: None }
}

/// A fail-over while the master answers nothing well, then the master is back.
fn stand_in(stage: &Stage) {
    let faults = stage.fail(OWNER, &status(503));
    stage.promote();
    stage.heal(faults);
    stage.check(&stage.machine, standing_in(2));
}

/// After a hand-back that brought everything together: one master, all equal, nothing to decide.
fn check_handed_back(stage: &Stage, epoch: u64) {
    stage.check(&stage.machine, at(OWNER, epoch));
    stage.sync(0);
    stage.check(&stage.machine, at(OWNER, epoch));
    stage.check_same(&stage.primary(), &stage.standby());
    stage.check_same(&stage.primary(), &stage.archive());
}

#[test]
fn the_preview_says_what_would_be_missing() {
    let mut stage = stage();
    let late = stage.commit_on(OWNER, "main", "late.txt");
    stage.commit_on(OWNER, "new-branch", "other.txt");
    run(&stage.machine, 0, &["plan"]);
    stage.world.set("MIRROR_SECRETS", Some("RESEND_API_KEY,TWILIO_*,DATABASE_URL,NEVER_SENT"));
    stage.world.set("NEVER_SENT", Some("a value that is not there yet"));
    stage.sandbox.remove_variable(BACKUP, NAME, "DEPLOY_MODE");
    stage.fail(OWNER, &status(503));
    let shown = stage.run(0, &["promote", STANDBY, "--dry-run"]);
    settings().bind(|| assert_snapshot!("preview", shown.stdout));
    let plan = stage.machine.json(&["promote", STANDBY, "--dry-run"]);
    assert_eq!(plan["kind"], "failover");
    assert_eq!(plan["missing_commits"], 1, "of the default branch: {plan}");
    assert!(plan["missing_secrets"].as_array().unwrap().contains(&"NEVER_SENT".into()), "{plan}");
    assert!(plan["missing_variables"].as_array().unwrap().contains(&"DEPLOY_MODE".into()), "{plan}");
    assert!(plan["never_travels"].as_array().unwrap().len() > 3);
    assert!(plan["last_sync_iso"].is_string());
    assert_ne!(refs(&stage.standby())[&branch("main")], late);
    assert_eq!(fence(&stage.standby()).unwrap()["epoch"], 1, "nothing was changed");
}

/// A portal in the way, git that fails where the API is well: the master may be as well as can be.
#[test]
fn what_says_nothing_of_the_master_is_no_reason_to_stand_in_for_it() {
    let stage = stage();
    let git = || FaultMatcher::git(&format!("/{OWNER}/{NAME}.git/**"));
    let rest = || FaultMatcher::rest("GET", &format!("/repos/{OWNER}/{NAME}"));
    for (what, matcher, code) in
        [("git", git(), 404), ("git", git(), 503), ("the API", rest(), 200), ("the API", rest(), 418)]
    {
        let fault = stage.sandbox.add_fault(Fault::always(matcher, status(code)));
        let refused = stage.machine.standin(&["promote", STANDBY, "--yes"]);
        assert_ne!(refused.code(), 0, "{what} answers {code}: {}", refused.all());
        assert!(refused.all().contains("cannot be told from here"), "{what} answers {code}: {}", refused.all());
        stage.sandbox.remove_fault(fault);
        stage.check(&stage.machine, at(OWNER, 1));
    }
}

#[test]
fn each_way_of_being_gone_makes_the_standby_a_temporary_master() {
    for (what, state) in [
        ("taken down", Some(RepositoryState::TakenDown)),
        ("blocked", Some(RepositoryState::Blocked)),
        ("hidden", Some(RepositoryState::Hidden)),
        ("no answer", None),
    ] {
        let stage = stage();
        let faults = match state {
            Some(state) => {
                assert!(stage.sandbox.set_repository_state(OWNER, NAME, state));
                None
            }
            None => Some(stage.fail(OWNER, &Effect::CutBefore)),
        };
        let ran = stage.machine.standin(&["promote", STANDBY, "--yes"]);
        assert_eq!(ran.code(), 0, "{what}: {}", ran.all());
        stage.check(&stage.machine, standing_in(2));
        let tip = stage.commit_on(BACKUP, "main", "next.txt");
        let synced = stage.sync(0);
        assert!(!synced.stdout.contains("[source]"), "{what}: {}", synced.all());
        assert_eq!(refs(&stage.archive())[&branch("main")], tip, "{what}: the others follow");
        match faults {
            Some(faults) => stage.heal(faults),
            None => _ = stage.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Live),
        }
        let refused = stage.run(1, &["sync", "--mirror", "source"]);
        assert!(refused.all().contains("waits for the hand-back"), "{what}: {}", refused.all());
        stage.demote();
        assert_eq!(refs(&stage.primary())[&branch("main")], tip, "{what}: it came home");
        check_handed_back(&stage, 3);
    }
}

#[test]
fn a_bad_token_or_a_limit_says_nothing_about_the_master() {
    for (code, name) in [(401, "unauthorized"), (429, "limited")] {
        let stage = stage();
        let faults = stage.fail(OWNER, &Effect::Status { status: code, retry_after: Some(Duration::from_secs(1)) });
        let machine = stage.machine.with("STANDIN_REQUEST_LIMIT", "2s");
        let refused = run(&machine, 1, &["promote", STANDBY, "--yes"]);
        settings().bind(|| assert_snapshot!(format!("cannot_tell_{name}"), refused.all()));
        assert_eq!(fence(&stage.standby()).unwrap()["epoch"], 1);
        assert_eq!(stage.role(BACKUP).as_deref(), Some("SLAVE"));
        run(&machine, 0, &["promote", STANDBY, "--yes", "--gone"]);
        stage.check(&stage.machine, standing_in(2));
        stage.heal(faults);
    }
}

#[test]
fn what_only_the_cache_had_of_the_master_is_kept_and_can_be_restored() {
    let stage = stage();
    let seen = stage.commit_on(OWNER, "main", "seen.txt");
    run(&stage.machine, 0, &["plan"]);
    // The master never comes back.
    assert!(stage.sandbox.delete_repository(OWNER, NAME));
    stage.promote();
    stage.sync(0);
    let rescues = stage.machine.json(&["rescue", "list"]);
    let kept = rescues.as_array().unwrap().iter().find(|rescue| rescue["oid"] == seen.to_string());
    let kept = kept.unwrap_or_else(|| panic!("{seen} is not kept: {rescues}"));
    assert_eq!((&kept["reason"], &kept["mirror"]), (&"turned".into(), &"source".into()), "{kept}");
    assert!(!has(&stage.standby(), seen));
    stage.run(0, &["rescue", "restore", kept["id"].as_str().unwrap()]);
    assert!(has(&stage.standby(), seen), "the new master has it under a name of its own: {:?}", refs(&stage.standby()));
}

#[test]
fn a_master_that_did_not_move_gets_everything_by_fast_forward() {
    let stage = stage();
    stand_in(&stage);
    let main = stage.commit_on(BACKUP, "main", "next.txt");
    let topic = stage.commit_on(BACKUP, "topic", "other.txt");
    let fresh = stage.commit_on(BACKUP, "fresh", "fresh.txt");
    set(&stage.standby(), "refs/tags/v2.0", main);
    stage.sync(0);
    stage.demote();
    let home = refs(&stage.primary());
    assert_eq!((home[&branch("main")], home[&branch("topic")]), (main, topic));
    assert_eq!((home[&branch("fresh")], home["refs/tags/v2.0"]), (fresh, main));
    assert!(!home.keys().any(|name| name.contains("handback")), "{home:?}");
    check_handed_back(&stage, 3);
}

#[test]
fn commits_of_both_sides_come_together_on_branches_of_their_own() {
    let stage = stage();
    let unseen = stage.commit_on(OWNER, "main", "unseen.txt");
    let before = stage.commit_on(OWNER, "topic", "before.txt");
    stand_in(&stage);
    let main = stage.commit_on(BACKUP, "main", "next.txt");
    let topic = stage.commit_on(BACKUP, "topic", "other.txt");
    let old = stage.commit_on(BACKUP, "old", "old.txt");
    let meanwhile = stage.commit_on(OWNER, "cooking", "meanwhile.txt");
    stage.sync(0);
    let shown = stage.run(0, &["demote", STANDBY, "--dry-run"]);
    settings().bind(|| assert_snapshot!("hand_back_of_both", shown.stdout));
    let ran = stage.demote();
    assert!(ran.all().contains("waits to be merged"), "{}", ran.all());
    let home = refs(&stage.primary());
    assert_eq!((home[&branch("main")], home[&branch("topic")]), (unseen, before), "the master's own stay");
    assert_eq!(home[&branch("cooking")], meanwhile);
    assert_eq!(home[&branch("old")], old, "what only the standby moved is moved");
    assert_eq!(home[&branch("standin/handback-2/main")], main);
    assert_eq!(home[&branch("standin/handback-2/topic")], topic);
    check_handed_back(&stage, 3);
    for commit in [unseen, before, main, topic, old, meanwhile] {
        assert!(has(&stage.primary(), commit), "{commit} is lost");
    }
}

#[test]
fn a_protected_branch_of_the_master_gets_a_pull_request() {
    let stage = stage();
    stand_in(&stage);
    let main = stage.commit_on(BACKUP, "main", "next.txt");
    stage.sandbox.protect_branch(OWNER, NAME, "main", Protection::PullRequestOnly);
    let before = refs(&stage.primary())[&branch("main")];
    stage.demote();
    let home = refs(&stage.primary());
    assert_eq!(home[&branch("main")], before);
    assert_eq!(home[&branch("standin/handback-2/main")], main);
    check_handed_back(&stage, 3);
}

#[test]
fn a_tag_that_both_moved_is_kept_beside() {
    let stage = stage();
    stand_in(&stage);
    let here = stage.commit_on(BACKUP, "main", "next.txt");
    set(&stage.standby(), "refs/tags/moving", here);
    let there = commit_in(&stage.primary(), Some(refs(&stage.primary())[&branch("topic")]), &[("t.txt", "t\n")]);
    set(&stage.primary(), "refs/tags/moving", there);
    stage.demote();
    let home = refs(&stage.primary());
    assert_eq!(home["refs/tags/moving"], there);
    assert!(has(&stage.primary(), here), "{home:?}");
    check_handed_back(&stage, 3);
}

#[test]
fn another_machine_sees_who_stands_in_and_hands_back() {
    let stage = stage();
    stand_in(&stage);
    let main = stage.commit_on(BACKUP, "main", "next.txt");
    let other = stage.another();
    other.standin(&["sync"]);
    let status = other.json(&["status"]);
    assert_eq!((&status["epoch"], &status["self_role"]), (&2.into(), &"SLAVE".into()), "{status}");
    assert_eq!(status["mirrors"][0]["role"], "TEMPORARY_MASTER", "{status}");
    run(&other, 0, &["demote", STANDBY, "--yes"]);
    stage.check(&other, at(OWNER, 3));
    assert_eq!(refs(&stage.primary())[&branch("main")], main);
    let first = stage.machine.standin(&["sync"]);
    assert!(first.code() == 0 || first.all().contains("master"), "{}", first.all());
    check_handed_back(&stage, 3);
    let value: Value = fence(&stage.standby()).unwrap();
    assert_eq!(value["open_change"], Value::Null);
}
