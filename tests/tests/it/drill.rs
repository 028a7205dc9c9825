//! `standin drill`: a fail-over of the user's own configuration, rehearsed in a sandbox of its own, and a look at whether
//! the real thing is ready. Neither touches the real thing.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use standin_sandbox::{ActionsPermissions, TokenSpec};
use standin_tests::canary::Watch;
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, OWNER, STANDBY, World, branch, refs};
use standin_tests::watch::Watched;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

fn drill(machine: &Machine, arguments: &[&str]) -> (i32, Value) {
    let all: Vec<&str> = ["drill", "--json"].iter().chain(arguments).copied().collect();
    let ran = machine.standin(&all);
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    (ran.code(), report)
}

/// The findings as `severity place: message`.
fn findings(list: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = list.as_array().unwrap();
    list.iter()
        .map(|one| format!("{} {}: {}", text(&one["severity"]), text(&one["place"]), text(&one["message"])))
        .collect()
}

fn assert_finding(list: &Value, start: &str, says: &str) {
    let found = findings(list);
    assert!(found.iter().any(|line| line.starts_with(start) && line.contains(says)), "{start} … {says}: {found:#?}");
}

#[test]
fn a_drill_plays_the_whole_story_and_the_real_thing_hears_nothing_of_it() {
    let world = World::new(PROGRAM);
    let mut machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--yes"]).code(), 0);
    let watch = Watch::over(&world, &mut machine, &[]);
    let before = (refs(&world.primary()), refs(&world.standby()), refs(&world.archive()));
    world.sandbox.clear_requests();
    let running = machine.start(&["drill", "--json"]);
    let looking = watch.look(&world, running.id());
    let ran = running.wait();
    drop(looking);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    assert_eq!((ran.code(), &report["passed"]), (0, &json!(true)), "{report:#}");
    assert!(watch.starts("/git") > 0 && watch.starts("/gh") > 0, "programs were recorded");
    assert_eq!(watch.findings(&world), Vec::<String>::new(), "no token and no value of the real thing went along");
    assert_eq!(world.sandbox.requests().len(), 0, "{:?}", world.sandbox.requests());
    assert_eq!(before, (refs(&world.primary()), refs(&world.standby()), refs(&world.archive())));

    assert_eq!(report["mirror"], STANDBY);
    let phases: Vec<&str> =
        report["phases"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(
        phases,
        [
            "built the rehearsal",
            "brought the standby in step, the sentinel watching",
            "took the master down: the sentinel made the standby TEMPORARY_MASTER",
            "worked on both sides",
            "the master returned: handed back",
            "compared both sides",
        ]
    );
    assert_eq!(report["phases"][2]["minutes_on_the_day"], 90.0);
    let built = report["phases"][0]["detail"].as_str().unwrap();
    assert_eq!(built, "5 branches and tags, 3 secrets and 2 variables with made-up values");
    assert!(!report["never_travels"].as_array().unwrap().is_empty());
    assert!(report["seconds"].as_f64().unwrap() > 0.0);

    let kept = machine.json(&["drill", "--list"]);
    assert_eq!(kept, json!([report]), "it is kept");
    let audit = machine.json(&["history", "--audit", "--limit", "1"]);
    assert_eq!((&audit[0]["action"], &audit[0]["outcome"]), (&json!("drill"), &json!("ok")));
}

#[test]
fn a_drill_tells_what_would_have_been_missing() {
    let mut world = World::new(PROGRAM);
    world.set("MIRROR_SECRETS", Some("RESEND_API_KEY,NOBODY_HAS_IT"));
    let machine = world.machine();
    let (code, report) = drill(&machine, &[]);
    assert_eq!(code, 2, "there is no code on this machine: {report:#}");
    assert!(report["error"]["hint"].as_str().unwrap().contains("`standin sync`"), "{report:#}");
    machine.standin(&["sync", "--yes"]);
    let ran = machine.standin(&["drill"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    let report = machine.json(&["drill", "--list"])[0].clone();
    assert_finding(&report["missing"], "failed -:", "the secret NOBODY_HAS_IT has no value here");
    assert_finding(&report["missing"], "warning mirror-1:", "nobody has looked yet");
    for words in
        ["Would have been missing:", "NOBODY_HAS_IT", "Never travels", "Drill passed in", "90 minutes on the day"]
    {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
}

#[test]
fn without_a_sync_the_code_is_the_clones_and_a_heartbeat_of_long_ago_is_made_fresh() {
    let world = World::new(PROGRAM);
    let tip = refs(&world.primary())[&branch("main")];
    let old = json!({"meta": {"updated_at_iso": "2026-01-01T00:00:00Z"}}).to_string();
    world.publish(&branch("main"), Some(world.commit(Some(tip), &[("state/current.json", &old)])));
    let clone = git2::Repository::open(world.clone_path()).unwrap();
    let mut from = clone.remote_anonymous(world.primary().to_str().unwrap()).unwrap();
    from.fetch(&["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"], None, None).unwrap();
    clone.reference_symbolic("refs/remotes/origin/HEAD", "refs/remotes/origin/main", true, "").unwrap();
    let config = world.folder().join("standin.toml");
    let heartbeat = r#"heartbeat = { path = "state/current.json", field = "meta.updated_at_iso", max_age = "2h" }"#;
    let text = format!("[[repository]]\nid = \"orchestrator\"\nsource = \"{OWNER}/{NAME}\"\n{heartbeat}\n");
    std::fs::write(&config, text).unwrap();
    let machine = world.machine().with("STANDIN_CONFIG", config.display().to_string());
    let (code, report) = drill(&machine, &[]);
    assert_eq!((code, &report["passed"]), (0, &json!(true)), "{report:#}");
    assert!(report["phases"][0]["detail"].as_str().unwrap().starts_with("5 branches and tags"), "{report:#}");
    let watching = report["phases"][1]["detail"].as_str().unwrap();
    assert!(watching.contains("its heartbeat is"), "{watching}");
    assert_finding(&report["missing"], "failed mirror-1:", "it was never synced");
}

#[test]
fn what_cannot_be_rehearsed_gets_a_clear_answer() {
    let mut world = World::new(PROGRAM);
    let machine = world.machine();
    let (code, report) = drill(&machine, &["--mirror", ARCHIVE]);
    assert_eq!((code, &report["error"]["code"]), (2, &json!("not_found")), "{report:#}");
    for name in ["MIRROR_1_TYPE", "MIRROR_1_REPO", "MIRROR_1_TOKEN"] {
        world.set(name, None);
    }
    for arguments in [&[][..], &["--check"]] {
        let (code, report) = drill(&machine, arguments);
        assert_eq!((code, &report["error"]["code"]), (2, &json!("usage")), "{report:#}");
        assert!(report["error"]["message"].as_str().unwrap().contains("no standby on GitHub"), "{report:#}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let elsewhere = Machine { folder: nowhere.path().to_owned(), ..machine };
    for arguments in [&[][..], &["--check"]] {
        let (code, report) = drill(&elsewhere, arguments);
        assert_eq!((code, &report["error"]["code"]), (2, &json!("configuration")), "{report:#}");
    }
}

#[test]
fn a_drill_that_does_not_pass_says_so_and_is_kept() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--yes"]).code(), 0);
    // A program that cannot set secrets stands in the place of gh.
    let broken = world.folder().join("gh-broken");
    std::fs::write(&broken, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (code, report) = drill(&machine.with("STANDIN_GH", broken.display().to_string()), &[]);
    assert_eq!((code, &report["passed"]), (1, &json!(false)), "{report:#}");
    assert!(report["error"]["message"].is_string());
    let kept = machine.json(&["drill", "--list"]);
    assert_eq!(kept[0]["passed"], false);
    let audit = machine.json(&["history", "--audit", "--limit", "1"]);
    assert_eq!(audit[0]["action"], "drill");
    assert_ne!(audit[0]["outcome"], "ok");
}

#[test]
fn a_standby_with_all_that_it_needs_is_ready_and_looking_changes_nothing() {
    let watched = Watched::new(PROGRAM);
    watched.check();
    watched.world.sandbox.clear_requests();
    let before = (watched.refs(), watched.fence());
    let (code, ready) = drill(&watched.machine, &["--check"]);
    assert_eq!((code, &ready["ready"]), (0, &json!(true)), "{ready:#}");
    let standby = &ready["standbys"][0];
    assert_eq!((&standby["mirror"], &standby["ready"]), (&json!(STANDBY), &json!(true)));
    assert_eq!(standby["missing_commits"], 0);
    assert_eq!(standby["enables"].as_array().unwrap().len(), 3, "{standby}");
    let writes: Vec<String> = watched
        .world
        .sandbox
        .requests()
        .iter()
        .filter(|request| request.method != "GET" && !request.path.ends_with("git-upload-pack"))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(before, (watched.refs(), watched.fence()));
    watched.assert_slave();
}

#[test]
fn what_stands_in_the_way_is_found_with_its_mend() {
    let mut watched = Watched::new(PROGRAM);
    watched.check();
    let look = |watched: &Watched| {
        let (code, ready) = drill(&watched.machine, &["--check"]);
        assert_eq!(
            (code, &ready["ready"], &ready["standbys"][0]["ready"]),
            (1, &json!(false), &json!(false)),
            "{ready:#}"
        );
        for finding in ready["findings"].as_array().unwrap() {
            assert!(finding["severity"] == "warning" || finding["hint"] != "", "{finding}");
        }
        ready["findings"].clone()
    };
    let tip = refs(&watched.world.primary())[&branch("main")];
    let (path, text) = watched.world.new_workflow("nightly");
    let commit = watched.world.commit(Some(tip), &[(&path, &text)]);
    watched.world.publish(&branch("main"), Some(commit));
    assert_finding(&look(&watched), "failed mirror-1:", "it lacks branches and tags: refs/heads/main");
    watched.sync();

    watched.world.sandbox.remove_secret(BACKUP, NAME, "STANDIN_TOKEN");
    assert_finding(&look(&watched), "failed mirror-1:", "the secret STANDIN_TOKEN is not set");
    watched.world.sandbox.set_secret(BACKUP, NAME, "STANDIN_TOKEN", watched.standin_token.as_bytes());

    let settings = watched.world.sandbox.actions_permissions(BACKUP, NAME).unwrap();
    let off = ActionsPermissions { enabled: false, ..settings.clone() };
    watched.world.sandbox.set_actions_permissions(BACKUP, NAME, off);
    assert_finding(&look(&watched), "failed mirror-1:", "Actions are off on ada-backup/orchestrator");
    watched.world.sandbox.set_actions_permissions(BACKUP, NAME, settings);

    watched.world.set("MIRROR_SECRETS", Some("RESEND_API_KEY,NOBODY_HAS_IT"));
    assert_finding(&look(&watched), "failed mirror-1:", "it lacks secrets: NOBODY_HAS_IT");
    watched.world.set("MIRROR_SECRETS", Some("RESEND_API_KEY,TWILIO_*,DATABASE_URL"));

    let soon = jiff::Timestamp::now() + Duration::from_secs(60 * 60 * 24 * 3);
    let weak = TokenSpec::classic(&["public_repo"]).expiring(soon);
    let weak = watched.world.sandbox.create_token(BACKUP, weak);
    watched.world.set("MIRROR_1_TOKEN", Some(&weak));
    let found = look(&watched);
    assert_finding(&found, "failed mirror-1:", "");
    let good = watched.world.token.clone();
    watched.world.set("MIRROR_1_TOKEN", Some(&good));

    watched.master_down();
    let (code, ready) = drill(&watched.machine, &["--check"]);
    assert_eq!((code, &ready["ready"]), (1, &json!(false)), "{ready:#}");
    assert_eq!(ready["standbys"][0]["ready"], true, "the standby itself could take over: {ready:#}");
    assert_finding(&ready["findings"], "failed source:", "502");
    watched.master_back();
    let (code, ready) = drill(&watched.machine, &["--check"]);
    assert_eq!(code, 0, "{ready:#}");

    watched.world.sandbox.delete_repository(OWNER, NAME);
    assert_eq!(drill(&watched.machine, &["--check"]).0, 1);
}
