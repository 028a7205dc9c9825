//! How the sentinel judges its master: what counts, how often and how long, and what never counts.

use std::time::Duration;

use serde_json::json;
use standin_sandbox::{Barred, Conclusion, Effect, Fault, FaultMatcher, Kind, Level, RepositoryState, TokenSpec};
use standin_tests::cli::{BACKUP, NAME, OWNER};
use standin_tests::watch::{Checked, INTERVAL, Watched};

const HEARTBEAT: &str = r#"heartbeat = { path = "state/current.json", field = "meta.updated_at_iso", max_age = "2h" }"#;

fn watched() -> Watched {
    Watched::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn with(settings: &str) -> Watched {
    Watched::with(env!("CARGO_BIN_EXE_standin-under-test"), settings)
}

fn status(status: u16) -> Effect {
    Effect::Status { status, retry_after: None }
}

fn failures(watched: &Watched) -> (u64, u64) {
    let memory = watched.memory();
    (memory["failures"].as_u64().unwrap(), memory["down"].as_u64().unwrap())
}

/// So many checks are made of a master that is as `how` says, and nothing changes but what was counted.
fn never_promotes(watched: &Watched, checks: usize, how: &str, counted: (u64, u64)) -> Vec<Checked> {
    let made = watched.checks(checks);
    for check in &made {
        assert_eq!(check.conclusion, Some(Conclusion::Success), "{how}: {}", check.log);
        assert!(check.log.contains("##[warning]"), "{how}: {}", check.log);
    }
    watched.assert_slave();
    assert_eq!(watched.fence().epoch, 1, "{how}");
    assert_eq!(failures(watched), counted, "{how}");
    made
}

#[test]
fn a_master_that_is_down_for_three_checks_is_replaced_and_for_two_it_is_not() {
    let watched = watched();
    assert_eq!(watched.check().conclusion, Some(Conclusion::Success));
    assert_eq!((failures(&watched), watched.memory()["last_verdict"].clone()), ((0, 0), json!("well")));
    watched.master_down();
    for count in 1..=2 {
        assert_eq!(watched.check().conclusion, Some(Conclusion::Success));
        assert_eq!(failures(&watched), (count, count));
        watched.assert_slave();
    }
    let third = watched.check();
    assert_eq!(third.conclusion, Some(Conclusion::Success), "{}", third.log);
    watched.assert_temporary();
    let fence = watched.fence();
    assert_eq!(fence.epoch, 2);
    assert!(fence.writer.starts_with("sentinel@ada-backup/orchestrator (run "), "{}", fence.writer);
    assert_eq!(watched.memory()["last_verdict"], "promoted");
    watched.check();
    watched.assert_temporary();
}

#[test]
fn no_answer_at_all_counts_like_an_error() {
    let watched = watched();
    watched.master(Effect::CutBefore);
    watched.checks(3);
    watched.assert_temporary();
}

#[test]
fn a_master_that_flaps_is_left_alone() {
    let watched = watched();
    for _ in 0..3 {
        watched.master_down();
        watched.checks(2);
        watched.master_back();
        watched.check();
        assert_eq!(failures(&watched), (0, 0));
    }
    watched.assert_slave();
}

#[test]
fn a_master_that_was_renamed_is_well() {
    let watched = watched();
    // A token of all the owner's repositories, since the sandbox knows those of one by its name.
    let all = TokenSpec::fine_grained(OWNER, &[], &[("contents", Level::Read)]);
    let token = watched.world.sandbox.create_token(OWNER, all);
    watched.world.sandbox.set_secret(BACKUP, NAME, "MASTER_TOKEN", token.as_bytes());
    assert!(watched.world.sandbox.rename_repository(OWNER, NAME, "renamed"));
    let check = watched.check();
    assert_eq!(watched.memory()["last_verdict"], "well", "{}", check.log);
}

#[test]
fn when_all_of_github_is_ill_nothing_counts() {
    let watched = watched();
    watched.check();
    let memory = watched.memory();
    for effect in [status(503), Effect::CutBefore] {
        watched.world.sandbox.add_fault(Fault::always(FaultMatcher::any(), effect));
        for check in watched.checks(4) {
            assert_eq!(check.conclusion, Some(Conclusion::Success), "{}", check.log);
            assert!(check.log.contains("This check counts for nothing"), "{}", check.log);
        }
        watched.master_back();
        assert_eq!(watched.memory(), memory);
    }
    watched.assert_slave();
}

#[test]
fn a_refused_token_and_a_limit_never_count() {
    let watched = watched();
    watched.check();
    let limited = Effect::Status { status: 403, retry_after: Some(Duration::from_secs(60)) };
    for (how, effect) in [
        ("401", status(401)),
        ("429", status(429)),
        ("403 with retry-after", limited),
        ("secondary limit", Effect::SecondaryLimit { retry_after: None }),
    ] {
        watched.master(effect);
        never_promotes(&watched, 4, how, (0, 0));
        watched.master_back();
    }
    watched.world.sandbox.revoke_token(&watched.master_token);
    never_promotes(&watched, 7, "revoked", (0, 0));
}

#[test]
fn a_spent_hourly_limit_of_the_master_never_counts() {
    let watched = watched();
    watched.check();
    for _ in 0..4 {
        watched.world.sandbox.set_rate_limit_used(OWNER, 1_000_000);
        watched.check();
    }
    watched.assert_slave();
    assert_eq!(failures(&watched), (0, 0));
}

#[test]
fn an_own_token_that_is_refused_fails_the_run_and_counts_nothing() {
    let watched = watched();
    watched.check();
    let memory = watched.memory();
    watched.master_down();
    watched.world.sandbox.revoke_token(&watched.standin_token);
    for check in watched.checks(4) {
        assert_eq!(check.conclusion, Some(Conclusion::Failure));
        assert!(check.log.contains("STANDIN_TOKEN cannot read ada-backup/orchestrator"), "{}", check.log);
    }
    watched.assert_slave();
    assert_eq!(watched.memory(), memory);
}

#[test]
fn a_master_that_is_gone_counts_to_twice_the_threshold_where_its_token_is_proven() {
    for state in [RepositoryState::Hidden, RepositoryState::Blocked, RepositoryState::TakenDown] {
        let watched = watched();
        watched.world.sandbox.set_repository_state(OWNER, NAME, state);
        let checks = watched.checks(5);
        assert!(checks[0].log.contains("is gone"), "{state:?}: {}", checks[0].log);
        watched.assert_slave();
        assert_eq!((failures(&watched), watched.memory()["kind"].clone()), ((5, 0), json!("gone")));
        watched.check();
        watched.assert_temporary();
    }
}

#[test]
fn a_master_that_is_gone_for_a_token_without_proof_never_counts() {
    let watched = watched();
    let repository = FaultMatcher::rest("GET", &format!("/repos/{OWNER}/{NAME}"));
    let user = FaultMatcher::rest("GET", "/user");
    for gone in [404, 403, 451] {
        for unproven in [401, 403, 404, 500] {
            watched.world.sandbox.add_fault(Fault::always(repository.clone(), status(gone)));
            watched.world.sandbox.add_fault(Fault::always(user.clone(), status(unproven)));
            never_promotes(&watched, 1, &format!("{gone}, {unproven}"), (0, 0));
            watched.master_back();
        }
    }
    watched.world.sandbox.set_account_suspended(OWNER, true);
    never_promotes(&watched, 7, "suspended", (0, 0));
}

/// Whatever is asked of a repository by REST is refused like this; `part` as in a path below it.
fn bar(watched: &Watched, owner: &str, part: &str, how: Barred) {
    let path = format!("/repos/{owner}/{NAME}{part}");
    let matcher = FaultMatcher { path: Some(path), ..FaultMatcher::any().only(Kind::Rest) };
    watched.world.sandbox.add_fault(Fault::always(matcher, Effect::Barred(how)));
}

#[test]
fn a_policy_that_keeps_the_token_out_never_counts_and_is_told_in_the_hosts_words() {
    let watched = watched();
    watched.check();
    for (how, checks, words) in [
        (Barred::SingleSignOn, 7, "Resource protected by organization SAML enforcement."),
        (Barred::AddressList, 2, "the `ada` organization has an IP allow list enabled"),
        (Barred::ClassicToken, 2, "`ada` forbids access via a personal access token (classic)."),
        (Barred::TokenLifetime, 2, "at the following URL: https://github.com/settings/personal-access-tokens/12345678"),
        (Barred::Permission, 2, "Resource not accessible by personal access token"),
        (Barred::MigrationLock, 2, "Repository has been locked for migration."),
        (Barred::Abuse, 2, "the host limits MASTER_TOKEN's requests (HTTP 403 You have triggered an abuse detection"),
    ] {
        bar(&watched, OWNER, "", how);
        for check in never_promotes(&watched, checks, words, (0, 0)) {
            assert!(
                check.log.contains("##[warning]It cannot be told whether the master is well: "),
                "{how:?}: {}",
                check.log
            );
            assert!(check.log.contains(words), "{how:?}: {}", check.log);
            let address = "; open https://github.com/orgs/ada/sso?authorization_request=AZSC";
            assert_eq!(check.log.contains(address), how == Barred::SingleSignOn, "{how:?}: {}", check.log);
        }
        assert_eq!(watched.memory()["last_verdict"], "unknown");
        watched.master_back();
    }
    watched.check();
    assert_eq!(watched.memory()["last_verdict"], "well");
}

#[test]
fn a_policy_that_keeps_the_token_out_of_a_part_of_the_master_never_counts() {
    let watched = with(HEARTBEAT);
    beat(&watched, &heartbeat(watched.world.sandbox.now()));
    watched.check();
    assert_eq!(watched.memory()["last_verdict"], "well");
    // Stale by far: that alone counts as down.
    beat(&watched, &heartbeat("2026-01-01T00:00:00Z".parse().unwrap()));
    for (part, what) in [
        ("/git/ref/heads/main", "the branch main of ada/orchestrator"),
        ("/git/commits/*", "the branch main of ada/orchestrator"),
        ("/contents/**", "state/current.json of ada/orchestrator"),
        ("/git/ref/standin/fence", "the fence of ada/orchestrator"),
    ] {
        bar(&watched, OWNER, part, Barred::SingleSignOn);
        for check in never_promotes(&watched, 2, part, (0, 0)) {
            assert!(
                check.log.contains(&format!("{what} could not be read, as the host keeps MASTER_TOKEN out")),
                "{part}: {}",
                check.log
            );
            assert!(check.log.contains("authorization_request="), "{part}: {}", check.log);
        }
        watched.master_back();
    }
    watched.check();
    assert_eq!(failures(&watched), (1, 1), "without a policy in the way it is stale");
}

#[test]
fn a_policy_that_keeps_the_standbys_own_token_out_fails_the_run_and_counts_nothing() {
    let watched = watched();
    watched.check();
    let memory = watched.memory();
    watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
    bar(&watched, BACKUP, "", Barred::SingleSignOn);
    for check in watched.checks(7) {
        assert_eq!(check.conclusion, Some(Conclusion::Failure));
        assert!(
            check.log.contains("STANDIN_TOKEN cannot read ada-backup/orchestrator (HTTP 403 Resource"),
            "{}",
            check.log
        );
        assert!(check.log.contains("; open https://github.com/orgs/ada-backup/sso?"), "{}", check.log);
    }
    watched.assert_slave();
    assert_eq!(watched.memory(), memory);
}

#[test]
fn what_the_first_rules_counted_as_gone_is_forgotten_with_them() {
    let watched = watched();
    watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
    watched.checks(5);
    let mut memory = watched.memory();
    assert_eq!((failures(&watched), memory["version"].clone()), ((5, 0), json!(2)));
    memory["version"] = json!(1);
    watched.set_memory(&memory);
    watched.check();
    assert_eq!(failures(&watched), (1, 0));
    watched.assert_slave();
    watched.checks(5);
    watched.assert_temporary();
}

#[test]
fn the_end_of_the_api_is_told_once_and_is_no_fault() {
    let watched = watched();
    watched.check();
    assert_eq!(watched.memory()["api_sunset"], json!(null));
    watched.world.sandbox.announce_sunset(true);
    let told = "The host ends version 2022-11-28 of its API, which this sentinel speaks, at 2028-03-10T00:00:00Z.";
    for is_first in [true, false] {
        let check = watched.check();
        assert_eq!(check.conclusion, Some(Conclusion::Success), "{}", check.log);
        assert_eq!(check.log.contains(told), is_first, "{}", check.log);
        assert!(!check.log.contains("##[warning]"), "{}", check.log);
    }
    assert_eq!(watched.memory()["last_verdict"], "well");
    assert_eq!(watched.memory()["api_sunset"], "2028-03-10T00:00:00Z");
}

#[test]
fn gone_can_be_left_to_a_person() {
    let watched = with("sentinel = { gone_counts = false }");
    watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
    let checks = watched.checks(8);
    assert!(checks[7].log.contains("decide with `standin promote MIRROR`"), "{}", checks[7].log);
    watched.assert_slave();
    assert_eq!(failures(&watched), (0, 0));
}

#[test]
fn down_and_gone_by_turns_count_together_to_twice_the_threshold() {
    let watched = watched();
    for _ in 0..2 {
        watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
        watched.checks(2);
        watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Live);
        watched.master_down();
        watched.check();
        watched.master_back();
    }
    assert_eq!(watched.memory()["last_verdict"], "promoted");
    watched.assert_temporary();
}

#[test]
fn a_burst_of_checks_by_hand_counts_as_one() {
    let watched = watched();
    watched.master_down();
    for _ in 0..5 {
        assert_eq!(watched.dispatch().conclusion, Some(Conclusion::Success));
    }
    assert_eq!(failures(&watched), (1, 1));
    watched.assert_slave();
    // Even a count that is full needs its time.
    let mut memory = watched.memory();
    memory["failures"] = json!(9);
    memory["down"] = json!(9);
    watched.set_memory(&memory);
    watched.dispatch();
    watched.assert_slave();
    watched.check();
    watched.assert_slave();
    // The first of these two comes 30 to 60 minutes after the first failure, and 45 is enough.
    watched.checks(2);
    watched.assert_temporary();
}

#[test]
fn schedules_that_are_missed_or_late_delay_and_do_not_hinder() {
    let watched = watched();
    watched.check();
    watched.master_down();
    watched.check();
    watched.world.sandbox.miss_schedules(BACKUP, NAME, 1);
    assert!(watched.pass(INTERVAL).is_empty());
    watched.check();
    assert_eq!(failures(&watched), (2, 2));
    watched.assert_slave();
    watched.world.sandbox.delay_schedules(BACKUP, NAME, Duration::from_secs(11 * 60));
    while watched.memory()["last_verdict"] != "promoted" {
        assert!(watched.pass(INTERVAL).len() <= 1);
        assert!(failures(&watched).0 <= 3);
    }
    watched.assert_temporary();
}

#[test]
fn failures_from_before_a_long_silence_say_nothing() {
    let watched = watched();
    watched.master_down();
    watched.checks(2);
    watched.world.sandbox.miss_schedules(BACKUP, NAME, 24);
    assert!(watched.pass(INTERVAL * 24).is_empty());
    watched.check();
    assert_eq!(failures(&watched), (1, 1));
    watched.assert_slave();
}

#[test]
fn failures_from_before_a_long_time_in_which_nothing_could_be_told_say_nothing() {
    let watched = watched();
    watched.master_down();
    watched.checks(2);
    watched.master_back();
    // The master may be well all the while.
    bar(&watched, OWNER, "", Barred::SingleSignOn);
    never_promotes(&watched, 7, "single sign-on", (2, 2));
    watched.master_back();
    watched.master_down();
    watched.check();
    assert_eq!(failures(&watched), (1, 1));
    watched.assert_slave();
}

/// Commits the heartbeat's file on the master.
fn beat(watched: &Watched, text: &str) {
    let tip = standin_tests::cli::refs(&watched.world.primary())["refs/heads/main"];
    let commit = watched.world.commit(Some(tip), &[("state/current.json", text)]);
    watched.world.publish("refs/heads/main", Some(commit));
}

fn heartbeat(time: jiff::Timestamp) -> String {
    json!({"meta": {"updated_at_iso": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}}).to_string()
}

#[test]
fn a_heartbeat_that_is_stale_counts_as_down() {
    let watched = with(HEARTBEAT);
    beat(&watched, &heartbeat(watched.world.sandbox.now()));
    let checks = watched.checks(3);
    assert!(checks[2].log.contains("its heartbeat is"), "{}", checks[2].log);
    assert_eq!(failures(&watched), (0, 0));
    while failures(&watched).0 < 1 {
        watched.check();
    }
    beat(&watched, &heartbeat(watched.world.sandbox.now()));
    watched.check();
    assert_eq!(failures(&watched), (0, 0), "one beat is enough");
    let checks = watched.checks(8);
    watched.assert_temporary();
    assert!(checks.iter().any(|check| check.log.contains("is stale")));
    // It answers all the time, so only a beat shows that it is well again.
    watched.checks(2);
    watched.assert_temporary();
    beat(&watched, &heartbeat(watched.world.sandbox.now()));
    watched.checks(2);
    assert_eq!(watched.role(), "SLAVE");
}

#[test]
fn a_heartbeat_that_was_never_one_says_nothing() {
    let watched = with(HEARTBEAT);
    for text in ["{", "[]", r#"{"meta": 1}"#, r#"{"meta": {"updated_at_iso": "tomorrow"}}"#, r#"{"meta": {}}"#] {
        beat(&watched, text);
        never_promotes(&watched, 5, text, (0, 0));
    }
    beat(&watched, &heartbeat(watched.world.sandbox.now() + Duration::from_secs(86_400)));
    never_promotes(&watched, 4, "in the future", (0, 0));
}

#[test]
fn a_heartbeat_that_broke_counts_once_nobody_commits_it_any_more() {
    let watched = with(HEARTBEAT);
    beat(&watched, &heartbeat(watched.world.sandbox.now()));
    watched.check();
    beat(&watched, "{");
    // The commits of this test have the time of another day: the file is as old as that.
    let check = watched.check();
    assert!(check.log.contains("is no heartbeat: it is not JSON, and it was last committed"), "{}", check.log);
    watched.checks(2);
    watched.assert_temporary();
}

#[test]
fn a_master_that_handed_over_is_not_judged_by_its_heartbeat() {
    let watched = with(HEARTBEAT);
    let mut document = watched.fence();
    document.epoch = 7;
    document.master = "eve/elsewhere".into();
    let primary = git2::Repository::open_bare(watched.world.primary()).unwrap();
    let blob = primary.blob(&document.to_bytes().unwrap()).unwrap();
    let mut tree = primary.treebuilder(None).unwrap();
    tree.insert("fence.json", blob, 0o100_644).unwrap();
    let tree = primary.find_tree(tree.write().unwrap()).unwrap();
    let author = git2::Signature::now("Test", "test@example.com").unwrap();
    primary.commit(Some("refs/standin/fence"), &author, &author, "Move", &tree, &[]).unwrap();
    beat(&watched, &heartbeat("2026-01-01T00:00:00Z".parse().unwrap()));
    for check in watched.checks(5) {
        assert!(check.log.contains("is no longer the master: eve/elsewhere is (epoch 7)"), "{}", check.log);
    }
    watched.assert_slave();
}
