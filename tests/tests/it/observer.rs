//! The second observer: `standin health` judges the master by the sentinel's rules, looks after the sentinel, says what to
//! type, and never changes a role.

use std::time::Duration;

use serde_json::{Value, json};
use standin_sandbox::{Barred, Effect, Fault, FaultMatcher, Kind, RepositoryState, WorkflowState};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, STANDBY, World, branch, refs};
use standin_tests::watch::Watched;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const HEARTBEAT: &str = r#"heartbeat = { path = "state/current.json", field = "meta.updated_at_iso", max_age = "2h" }"#;

fn status(status: u16) -> Effect {
    Effect::Status { status, retry_after: None }
}

/// What `standin health` says, and its exit status.
fn health(machine: &Machine, arguments: &[&str]) -> (i32, Vec<Value>) {
    let all: Vec<&str> = ["health", "--json"].iter().chain(arguments).copied().collect();
    let ran = machine.standin(&all);
    let reports = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    (ran.code(), reports)
}

/// The look at the master alone: exit status, verdict, message and hint.
fn master(machine: &Machine) -> (i32, String, String, String) {
    let (code, reports) = health(machine, &["--mirror", "source"]);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["mirror"], "source");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let finding = &reports[0]["findings"][0];
    (code, text(&reports[0]["verdict"]), text(&finding["message"]), text(&finding["hint"]))
}

fn sentinel(machine: &Machine) -> (i32, Value) {
    let (code, reports) = health(machine, &["--mirror", STANDBY]);
    (code, reports[0]["sentinel"].clone())
}

fn of_standby(machine: &Machine) -> Value {
    machine.json(&["status", "--mirror", STANDBY])["mirrors"][0].clone()
}

#[test]
fn a_master_that_is_well_is_said_to_be_so_and_status_remembers_it() {
    let watched = Watched::new(PROGRAM);
    assert_eq!(watched.machine.json(&["status"]).get("master_health"), None, "nobody has looked yet");
    let (code, reports) = health(&watched.machine, &[]);
    assert_eq!(code, 0, "{reports:?}");
    let places: Vec<&Value> = reports.iter().map(|report| &report["mirror"]).collect();
    assert_eq!(places, ["source", STANDBY, "mirror-2"]);
    assert_eq!((&reports[0]["verdict"], &reports[0]["findings"]), (&json!("well"), &json!([])));
    let kept = watched.machine.json(&["status"])["master_health"].clone();
    assert_eq!((&kept["place"], &kept["verdict"], &kept["health"]), (&json!("source"), &json!("well"), &json!("ok")));
    assert_eq!((&kept["repo"], &kept["hint"]), (&json!("ada/orchestrator"), &json!("")));
    assert!(kept["last_health_check_iso"].as_str().unwrap() >= kept["since_iso"].as_str().unwrap());
    assert!(watched.machine.standin(&["status"]).stdout.contains("ada/orchestrator well"), "and it is shown");
}

#[test]
fn each_fault_gets_the_verdict_that_the_sentinel_gives_it() {
    let watched = Watched::new(PROGRAM);
    let limited = Effect::Status { status: 403, retry_after: Some(Duration::from_secs(60)) };
    for (how, effect, verdict, says) in [
        ("502", status(502), "down", "502"),
        ("no answer", Effect::CutBefore, "down", "ada/orchestrator"),
        ("401", status(401), "unknown", "not accepted"),
        ("429", status(429), "unknown", "limits"),
        ("403 with retry-after", limited, "unknown", "limits"),
    ] {
        let machine = watched.world.machine();
        watched.master(effect);
        let (code, found, message, _) = master(&machine);
        assert_eq!(found, verdict, "{how}: {message}");
        assert_eq!(code, i32::from(verdict == "down"), "{how}");
        assert!(message.contains(says), "{how}: {message}");
        watched.master_back();
    }
    for state in [RepositoryState::Hidden, RepositoryState::Blocked, RepositoryState::TakenDown] {
        watched.world.sandbox.set_repository_state(OWNER, NAME, state);
        let (code, verdict, message, _) = master(&watched.machine);
        assert_eq!((code, verdict.as_str()), (1, "gone"), "{state:?}: {message}");
        assert!(message.contains("and its token is valid"), "{message}");
        // The same with a token that proves nothing.
        watched.world.sandbox.add_fault(Fault::always(FaultMatcher::rest("GET", "/user"), status(401)));
        assert_eq!(master(&watched.machine).1, "unknown", "{state:?}");
        watched.master_back();
    }
}

/// All that is asked of a repository by REST is refused like this.
fn bar(watched: &Watched, owner: &str, how: Barred) {
    let matcher = FaultMatcher::repository(owner, NAME).only(Kind::Rest);
    watched.world.sandbox.add_fault(Fault::always(matcher, Effect::Barred(how)));
}

#[test]
fn a_policy_that_keeps_the_token_out_says_nothing_about_the_master_and_is_told_with_what_to_do() {
    let watched = Watched::new(PROGRAM);
    const SSO: &str = "https://github.com/orgs/ada/sso?authorization_request=AZSC";
    for (how, words, advice) in [
        (Barred::SingleSignOn, "Resource protected by organization SAML enforcement.", SSO),
        (Barred::AddressList, "the `ada` organization has an IP allow list enabled", "to its IP allow list"),
        (
            Barred::ClassicToken,
            "`ada` forbids access via a personal access token (classic).",
            "that the organization takes",
        ),
        (Barred::TokenLifetime, "lifetime is greater than 366 days.", "that the organization takes"),
        (Barred::Permission, "Resource not accessible by personal access token", "lacks the right for this"),
        (Barred::MigrationLock, "Repository has been locked for migration.", "wait until that is through"),
    ] {
        bar(&watched, OWNER, how);
        let (code, verdict, message, hint) = master(&watched.machine);
        assert_eq!((code, verdict.as_str()), (0, "unknown"), "{how:?}: {message}");
        assert!(
            message.starts_with("ada/orchestrator could not be read, as the host keeps its token out (HTTP 403 "),
            "{message}"
        );
        assert!(message.contains(words), "{how:?}: {message}");
        assert!(hint.starts_with("This says nothing about the master. ") && hint.contains(advice), "{how:?}: {hint}");
        assert!(!hint.contains("promote") && !hint.contains("This needs one of"), "{how:?}: {hint}");
        assert_eq!(watched.machine.json(&["status"])["master_health"]["verdict"], "unknown");
        // Nor is it taken for gone by a promotion.
        let ran = watched.machine.standin(&["promote", STANDBY, "--yes"]);
        assert_eq!(ran.code(), 1, "{how:?}: {}", ran.all());
        assert!(ran.all().contains("whether the master is there cannot be told from here"), "{how:?}: {}", ran.all());
        assert!(ran.all().contains(advice) && ran.all().contains("`standin promote mirror-1 --gone`"), "{}", ran.all());
        watched.master_back();
    }
    bar(&watched, OWNER, Barred::Abuse);
    let (code, verdict, message, _) = master(&watched.machine);
    assert_eq!((code, verdict.as_str()), (0, "unknown"), "{message}");
    assert!(message.contains("limits"), "{message}");
    watched.master_back();
    watched.assert_slave();
    assert_eq!(watched.fence().epoch, 1);
}

#[test]
fn a_drill_that_looks_tells_of_a_policy_what_the_host_says() {
    let watched = Watched::new(PROGRAM);
    bar(&watched, OWNER, Barred::SingleSignOn);
    let ran = watched.machine.standin(&["drill", "--check"]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(ran.all().contains("Resource protected by organization SAML enforcement."), "{}", ran.all());
    assert!(ran.all().contains("open https://github.com/orgs/ada/sso?authorization_request="), "{}", ran.all());
    assert!(!ran.all().contains("is gone"), "{}", ran.all());
}

#[test]
fn a_standby_whose_token_is_kept_out_is_nothing_to_compare_with() {
    let watched = Watched::new(PROGRAM);
    watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
    bar(&watched, BACKUP, Barred::AddressList);
    let (code, verdict, message, hint) = master(&watched.machine);
    assert_eq!((code, verdict.as_str()), (0, "unknown"), "{message}");
    assert!(message.contains("but no standby could be read to compare with (HTTP 403 Although"), "{message}");
    assert!(hint.contains("IP allow list"), "{hint}");
}

#[test]
fn when_all_of_github_is_ill_nothing_is_said_about_the_master() {
    let watched = Watched::new(PROGRAM);
    watched.world.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Hidden);
    for (effect, words, cause) in [
        (status(503), "the host itself is ill", "host_ill"),
        (Effect::CutBefore, "the host itself is ill, or the network here", "no_network"),
    ] {
        watched.world.sandbox.add_fault(Fault::always(FaultMatcher::any(), effect));
        let (_, verdict, message, hint) = master(&watched.machine);
        assert_eq!(verdict, "unknown", "{message}");
        assert!(message.ends_with(words), "{message}");
        assert_eq!(watched.machine.json(&["status"])["master_health"]["cause"], cause);
        assert!(!hint.contains("promote"), "{hint}");
        watched.master_back();
    }
    let host = FaultMatcher { account: Some(BACKUP.to_owned()), ..FaultMatcher::any() };
    watched.world.sandbox.add_fault(Fault::always(host, status(401)));
    assert_eq!(master(&watched.machine).1, "unknown", "a standby that refuses its token is no proof either");
}

#[test]
fn a_master_that_is_down_names_what_to_type_and_how_old_the_standby_is_and_that_works() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    for _ in 0..4 {
        let (code, verdict, _, hint) = master(&watched.machine);
        assert_eq!((code, verdict.as_str()), (1, "down"));
        assert_eq!(
            hint,
            "If it stays so, a standby takes over with `standin promote mirror-1` (synced less than a minute ago)."
        );
    }
    let kept = watched.machine.json(&["status"])["master_health"].clone();
    assert!(kept["since_iso"].as_str().unwrap() <= kept["last_health_check_iso"].as_str().unwrap());
    watched.assert_slave();
    assert_eq!(watched.fence().epoch, 1, "looking promotes nobody");
    let ran = watched.machine.standin(&["promote", "mirror-1", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    watched.assert_temporary();
    let (code, verdict, _, hint) = master(&watched.machine);
    assert_eq!((code, verdict.as_str()), (1, "down"));
    assert_eq!(hint, "mirror-1 stands in for it. When it is well again: `standin demote mirror-1`.");
    watched.master_back();
    let (code, verdict, _, hint) = master(&watched.machine);
    assert_eq!((code, verdict.as_str()), (0, "well"));
    assert!(hint.contains("hand back with `standin demote mirror-1`"), "{hint}");
    watched.assert_temporary();
    let ran = watched.machine.standin(&["demote", "mirror-1", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    assert_eq!(master(&watched.machine).3, "");
}

#[test]
fn a_master_that_is_down_says_nothing_against_its_standbys() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    let (code, reports) = health(&watched.machine, &[]);
    assert_eq!((code, &reports[0]["health"]), (1, &json!("failed")), "{reports:?}");
    for mirror in &reports[1..] {
        assert_eq!(mirror["health"], "warning", "{mirror}");
        let message = mirror["findings"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("it cannot be compared now: Reading the source `ada/orchestrator`"), "{message}");
    }
    // Who watches the file, as the window does, sees it too.
    let file = watched.machine.state.join("orchestrator").join("mirror_status.json");
    let status: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(status["master_health"]["verdict"], "down", "{status}");
    assert_eq!(status["mirrors"][0]["health"], "warning", "{status}");
}

#[test]
fn what_the_sentinel_did_meanwhile_is_seen_at_the_next_look() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.checks(3);
    watched.assert_temporary();
    let (code, reports) = health(&watched.machine, &[]);
    assert_eq!(code, 1);
    assert_eq!((&reports[0]["mirror"], &reports[0]["verdict"]), (&json!("source"), &json!("down")));
    let hint = reports[0]["findings"][0]["hint"].as_str().unwrap();
    assert!(hint.starts_with("mirror-1 stands in for it."), "{hint}");
    let standby = reports.iter().find(|report| report["mirror"] == STANDBY).unwrap();
    assert_eq!((&standby["health"], &standby["sentinel"]["state"]["last_verdict"]), (&json!("ok"), &json!("promoted")));
    let report = watched.machine.json(&["status"]);
    assert_eq!((&report["master"], &report["epoch"]), (&json!("ada-backup/orchestrator"), &json!(2)));
    assert_eq!(report["master_health"]["place"], "source");
}

fn beat(watched: &Watched, text: &str) {
    let tip = refs(&watched.world.primary())[&branch("main")];
    let commit = watched.world.commit(Some(tip), &[("state/current.json", text)]);
    watched.world.publish(&branch("main"), Some(commit));
}

#[test]
fn the_heartbeat_is_read_as_the_sentinel_reads_it() {
    let watched = Watched::with(PROGRAM, HEARTBEAT);
    let now = watched.world.sandbox.now();
    let at = |time: jiff::Timestamp| format!(r#"{{"meta": {{"updated_at_iso": "{time:.0}"}}}}"#);
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let table = [
        ("not JSON, never one", "{".to_owned(), "unknown", "it is not JSON"),
        ("no field", r#"{"meta": 1}"#.to_owned(), "unknown", "it has no field meta.updated_at_iso"),
        ("no time", r#"{"meta": {"updated_at_iso": "soon"}}"#.to_owned(), "unknown", "is not a time (soon)"),
        ("ahead", at(now + minutes(180)), "unknown", "in the future"),
        ("fresh", at(now - minutes(30)), "well", ""),
        ("stale", at(now - minutes(150)), "down", "is stale"),
        // Its commits have the time of another day, and it was a heartbeat once.
        ("broken", "{".to_owned(), "down", "it is not JSON, and it was last committed"),
    ];
    for (how, text, verdict, says) in table {
        beat(&watched, &text);
        let (_, found, message, _) = master(&watched.machine);
        assert_eq!(found, verdict, "{how}: {message}");
        assert!(message.contains(says), "{how}: {message}");
    }
}

#[test]
fn a_heartbeat_is_not_asked_for_while_a_standby_holds_the_schedules() {
    let watched = Watched::with(PROGRAM, HEARTBEAT);
    watched.master_down();
    watched.checks(3);
    watched.assert_temporary();
    watched.master_back();
    beat(&watched, r#"{"meta": {"updated_at_iso": "2026-01-01T00:00:00Z"}}"#);
    let (code, verdict, _, hint) = master(&watched.machine);
    assert_eq!((code, verdict.as_str()), (0, "well"), "{hint}");
}

#[test]
fn a_repository_without_a_sentinel_is_warned_of_and_not_failed() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--yes"]).code(), 0);
    let (code, found) = sentinel(&machine);
    assert_eq!((code, &found["health"]), (0, &json!("warning")));
    let kept = of_standby(&machine)["sentinel"].clone();
    assert!(kept["detail"].as_str().unwrap().starts_with("no sentinel is installed"), "{kept}");
    assert!(kept["hint"].as_str().unwrap().contains("`standin sentinel install`"), "{kept}");
}

#[test]
fn a_sentinel_that_does_not_watch_is_found_out() {
    let watched = Watched::new(PROGRAM);
    watched.check();
    let (code, found) = sentinel(&watched.machine);
    assert_eq!((code, &found["health"], &found["findings"]), (0, &json!("ok"), &json!([])));
    let kept = of_standby(&watched.machine)["sentinel"].clone();
    assert_eq!((&kept["last_verdict"], &kept["failures"]), (&json!("well"), &json!(0)));
    assert!(kept["last_check_iso"].is_string(), "{kept}");

    let worst = |code: i32, health: &str, says: &str| {
        let (ended, found) = sentinel(&watched.machine);
        let findings = found["findings"].to_string();
        assert_eq!((ended, found["health"].as_str().unwrap()), (code, health), "{findings}");
        assert!(findings.contains(says), "{findings}");
        assert_eq!(of_standby(&watched.machine)["sentinel"]["health"], health);
    };
    let set = |state| watched.world.sandbox.set_workflow_state(BACKUP, NAME, "sentinel.yml", state);
    set(WorkflowState::DisabledInactivity);
    worst(1, "failed", "nothing happened there for 60 days");
    set(WorkflowState::DisabledManually);
    worst(1, "failed", "is switched off (disabled_manually)");
    set(WorkflowState::Active);

    let memory = watched.memory();
    let changed = |key: &str, value: String| {
        let mut changed = memory.clone();
        changed[key] = json!(value);
        watched.set_memory(&changed);
    };
    let from_now = |hours: i64| format!("{:.0}", jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours));
    changed("last_check_iso", from_now(-3));
    worst(0, "warning", "the last check of the sentinel of ada-backup/orchestrator was 180 minutes ago");
    changed("master_token_expires", from_now(24 * 5 + 1));
    worst(0, "warning", "MASTER_TOKEN of ada-backup/orchestrator ends in 5 days");
    changed("standin_token_expires", from_now(-1));
    worst(1, "failed", "STANDIN_TOKEN of ada-backup/orchestrator has ended");
    watched.set_memory(&memory);

    watched.world.sandbox.remove_secret(BACKUP, NAME, "MASTER_TOKEN");
    worst(1, "failed", "the secret MASTER_TOKEN is not set");
    watched.check();
    watched.world.sandbox.set_secret(BACKUP, NAME, "MASTER_TOKEN", watched.master_token.as_bytes());
    worst(0, "warning", "the last run of the sentinel of ada-backup/orchestrator failed");
    watched.check();
    worst(0, "ok", "[]");

    let path = ".github/workflows/sentinel.yml";
    let tip = refs(&watched.world.primary())[&branch("main")];
    let primary = git2::Repository::open_bare(watched.world.primary()).unwrap();
    let entry = primary.find_commit(tip).unwrap().tree().unwrap().get_path(path.as_ref()).unwrap();
    let text = String::from_utf8(primary.find_blob(entry.id()).unwrap().content().to_vec()).unwrap();
    let edited = watched.world.commit(Some(tip), &[(path, &format!("{text}# by hand\n"))]);
    watched.world.publish(&branch("main"), Some(edited));
    watched.sync();
    worst(0, "warning", "was changed by hand");
}

#[test]
fn a_sentinel_that_takes_a_policy_for_a_master_that_is_gone_is_found_and_renewed() {
    let watched = Watched::new(PROGRAM);
    watched.check();
    let outdated = include_str!("../../../core/src/sentinel/fixtures/outdated.yml");
    let tip = refs(&watched.world.primary())[&branch("main")];
    let commit = watched.world.commit(Some(tip), &[(".github/workflows/sentinel.yml", outdated)]);
    watched.world.publish(&branch("main"), Some(commit));
    watched.sync();
    for command in [&["health"][..], &["sentinel", "check"], &["drill", "--check"]] {
        let said = watched.machine.standin(command).all();
        assert!(said.contains("sentinel.yml is outdated: its rules are an older Standin's"), "{said}");
        assert!(said.contains("it takes a master that is well for gone, and takes over beside it"), "{said}");
        assert!(said.contains("Run `standin sentinel install`, then `standin sync`."), "{said}");
    }
    let (code, found) = sentinel(&watched.machine);
    assert_eq!((code, &found["health"], &found["file"]), (0, &json!("warning"), &json!("other_version")), "{found}");
    assert!(of_standby(&watched.machine)["sentinel"]["detail"].as_str().unwrap().contains("is outdated"));
    let ran = watched.machine.standin(&["sentinel", "install"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    watched.sync();
    assert_eq!(sentinel(&watched.machine).1["findings"], json!([]));
}

#[test]
fn the_end_of_the_api_is_noted_and_is_nothing_wrong() {
    let watched = Watched::new(PROGRAM);
    watched.check();
    assert_eq!(sentinel(&watched.machine).1.get("notes"), None);
    watched.world.sandbox.announce_sunset(true);
    let (code, found) = sentinel(&watched.machine);
    assert_eq!((code, &found["health"], &found["findings"]), (0, &json!("ok"), &json!([])), "{found}");
    let note = "github.com ends version 2022-11-28 of its API, which this sentinel speaks, on 10 March 2028";
    assert_eq!(found["notes"][0]["message"], note);
    for command in [&["health"][..], &["sentinel", "check"]] {
        let ran = watched.machine.standin(command);
        assert_eq!((ran.code(), ran.all().matches(note).count()), (0, 1), "{}", ran.all());
    }
}

#[test]
fn a_master_down_still_lets_the_sentinel_be_seen_counting() {
    let watched = Watched::new(PROGRAM);
    watched.master_down();
    watched.checks(2);
    let (_, found) = sentinel(&watched.machine);
    assert_eq!((&found["state"]["failures"], &found["state"]["kind"]), (&json!(2), &json!("down")));
    assert_eq!(of_standby(&watched.machine)["sentinel"]["failures"], 2);
}
