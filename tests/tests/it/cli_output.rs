//! What `standin` prints and with which status it ends, kept as snapshots.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;
use standin_core::event::{Event, JobEnd, Stamped};
use standin_core::state::model::MirrorStatus;
use standin_tests::cli::{ARCHIVE, STANDBY, World, branch, refs, settings};

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

#[test]
fn a_mirror_that_was_never_synced_shows_in_status_and_plan() {
    let world = world();
    let machine = world.machine();
    let status = machine.standin(&["status"]);
    let plan = machine.standin(&["plan"]);
    assert_eq!((status.code(), plan.code()), (0, 0));
    settings().bind(|| {
        assert_snapshot!("never_synced_status", status.stdout);
        assert_snapshot!("never_synced_plan", plan.stdout);
        assert_snapshot!("never_synced_history", machine.standin(&["history"]).stdout);
    });
    let status = machine.json(&["status"]);
    for mirror in status["mirrors"].as_array().unwrap() {
        assert_eq!((&mirror["status"], &mirror["code"]["status"]), (&"idle".into(), &"unknown".into()));
    }
    let dry = machine.standin(&["sync", "--dry-run"]);
    assert_eq!((dry.code(), dry.stdout), (0, plan.stdout), "a dry run prints the plan");
    let there = world.mirrors().map(|(_, path)| refs(&path).len());
    assert_eq!(there, [0, 0], "neither changes anything");
    assert!(world.sandbox.secrets("ada-backup", "orchestrator").is_empty());
}

#[test]
fn a_ref_whose_name_is_taken_on_the_mirror_is_told_once() {
    let world = world();
    let archive = git2::Repository::open_bare(world.archive()).unwrap();
    let mut primary = archive.remote_anonymous(world.primary().to_str().unwrap()).unwrap();
    primary.fetch(&["refs/heads/old:refs/heads/old"], None, None).unwrap();
    let foreign = archive.blob(b"").unwrap();
    archive.reference("refs/tags/v1.0/notes", foreign, false, "").unwrap();
    let machine = world.machine();
    let plan = machine.standin(&["plan", "--mirror", ARCHIVE]);
    assert_eq!(
        plan.stdout.matches("Tag v1.0 cannot be made: tag v1.0/notes is in its way").count(),
        1,
        "{}",
        plan.stdout
    );
    let section = &machine.json(&["plan", "--mirror", ARCHIVE])[0]["plan"]["sections"][0];
    assert_eq!(section["details"]["code"]["refs"]["conflicts"][0]["name"], "refs/tags/v1.0");
    assert!(!section["notices"].to_string().contains("v1.0"), "{}", section["notices"]);
}

#[test]
fn a_sync_prints_exactly_the_promised_lines() {
    let mut world = world();
    world.set("MIRROR_1_SYNC_WORKFLOWS", Some("false"));
    let ran = world.machine().standin(&["sync", "--mirror", STANDBY]);
    let tip = &refs(&world.primary())[&branch("main")].to_string()[..12];
    let expected = format!(
        "[mirror] Syncing 1 mirror(s)...\n\
         [mirror-1] ada-backup/orchestrator\n  \
           📦 Code push... ✅ pushed {tip}\n  \
           🔐 Secrets sync... ✅ 3/3 synced\n  \
           📋 Variables sync... ✅ 2/2 synced\n\
         [mirror] Done. 1 mirror(s) synced.\n"
    );
    assert_eq!((ran.code(), ran.stdout.as_str(), ran.stderr.as_str()), (0, expected.as_str(), ""));
}

#[test]
fn all_commands_tell_of_a_sync_and_of_one_that_had_nothing_to_do() {
    let world = world();
    let machine = world.machine();
    let first = machine.standin(&["sync", "--mirror", STANDBY]);
    let run = machine.json(&["history"])[0]["id"].as_str().unwrap().to_owned();
    let archive = machine.standin(&["sync", "--mirror", ARCHIVE]);
    let again = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!([first.code(), archive.code(), again.code()], [0, 0, 0]);
    settings().bind(|| {
        assert_snapshot!("sync_first", first.stdout);
        assert_snapshot!("sync_archive", archive.stdout);
        assert_snapshot!("sync_nothing_to_do", again.stdout);
        assert_snapshot!("in_step_status", machine.standin(&["status"]).stdout);
        assert_snapshot!("in_step_status_of_one", machine.standin(&["status", "--mirror", ARCHIVE]).stdout);
        assert_snapshot!("in_step_plan", machine.standin(&["plan"]).stdout);
        assert_snapshot!("in_step_history", machine.standin(&["history"]).stdout);
        assert_snapshot!("in_step_audit", machine.standin(&["history", "--audit"]).stdout);
        let shown = machine.standin(&["history", &run]).stdout;
        // Refs, secrets and variables go side by side.
        let (head, mut changes): (Vec<&str>, Vec<&str>) = shown.lines().partition(|line| !line.starts_with("  "));
        changes.sort_unstable_by_key(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
        assert_snapshot!("in_step_run", [head, changes].concat().join("\n"));
        assert_snapshot!("in_step_mirrors", machine.standin(&["mirror", "list"]).stdout);
        assert_snapshot!("in_step_rescues", machine.standin(&["rescue", "list"]).stdout);
    });
    let totals = &machine.json(&["history", &run])["totals"];
    for counted in ["changes", "api_requests", "gh_calls", "git_calls", "bytes_sent"] {
        assert!(totals[counted].as_u64().is_some_and(|count| count > 0), "{counted}: {totals}");
    }
}

#[test]
fn a_diverged_ref_blocks_and_asks_and_each_choice_says_what_it_did() {
    let world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let foreign = world.intrude(&world.archive(), &branch("topic"));
    let blocked = machine.standin(&["sync", "--mirror", ARCHIVE]);
    let plan = machine.standin(&["plan", "--mirror", ARCHIVE]);
    assert_eq!((blocked.code(), plan.code()), (3, 3));
    settings().bind(|| {
        assert_snapshot!("diverged_sync", blocked.stdout);
        assert_snapshot!("diverged_plan", plan.stdout);
        assert_snapshot!("diverged_status", machine.standin(&["status", "--mirror", ARCHIVE]).stdout);
    });
    let taken = machine.standin(&["resolve", ARCHIVE, "topic", "take"]);
    let after_take = machine.standin(&["sync", "--mirror", ARCHIVE]);
    let left = machine.standin(&["resolve", ARCHIVE, "topic", "leave"]);
    let after_leave = machine.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(refs(&world.archive())[&branch("topic")], foreign, "neither moves it");
    assert_eq!(refs(&world.primary())["refs/heads/rescue/mirror-2/topic"], foreign, "it was brought home");
    let overwritten = machine.standin(&["resolve", ARCHIVE, "topic", "overwrite"]);
    assert_eq!(refs(&world.archive())[&branch("topic")], refs(&world.primary())[&branch("topic")]);
    let again = machine.standin(&["resolve", ARCHIVE, "topic", "overwrite"]);
    let codes = [&taken, &after_take, &left, &after_leave, &overwritten, &again].map(|ran| ran.code());
    assert_eq!(codes, [0, 0, 0, 0, 0, 2]);
    settings().bind(|| {
        assert_snapshot!("diverged_take", taken.all() + &after_take.all());
        assert_snapshot!("diverged_leave", left.all() + &after_leave.all());
        assert_snapshot!("diverged_overwrite", overwritten.all() + &again.all());
        assert_snapshot!("diverged_rescues", machine.standin(&["rescue", "list"]).stdout);
        let mut audit: Vec<String> =
            machine.standin(&["history", "--audit"]).stdout.lines().map(str::to_owned).collect();
        audit.retain(|line| line.contains("resolve"));
        assert_snapshot!("diverged_audit", audit.join("\n"));
    });
}

#[test]
fn a_guarded_sync_waits_for_yes() {
    let mut world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let rewritten = world.commit(None, &[("README.md", "# Begun anew\n")]);
    world.publish(&branch("main"), Some(rewritten));
    world.secrets.insert("NEW_ONE".to_owned(), "x".to_owned());
    world.set("MIRROR_SECRETS", None);
    let guarded = machine.standin(&["sync", "--mirror", STANDBY]);
    let plan = machine.standin(&["plan", "--mirror", STANDBY]);
    assert_eq!((guarded.code(), plan.code()), (3, 3));
    assert_ne!(refs(&world.standby())[&branch("main")], rewritten);
    let confirmed = machine.standin(&["sync", "--yes", "--mirror", STANDBY]);
    assert_eq!(confirmed.code(), 0, "{}", confirmed.all());
    assert_eq!(refs(&world.standby())[&branch("main")], rewritten);
    settings().bind(|| {
        assert_snapshot!("guarded_sync", guarded.stdout);
        assert_snapshot!("guarded_plan", plan.stdout);
        assert_snapshot!("guarded_confirmed", confirmed.stdout);
    });
}

#[test]
fn every_event_of_a_sync_is_one_line_of_json() {
    let world = world();
    let ran = world.machine().standin(&["sync", "--json"]);
    assert_eq!((ran.code(), ran.stderr.as_str()), (0, ""));
    let events: Vec<Stamped> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for (line, event) in ran.stdout.lines().zip(&events) {
        let again: Value = serde_json::to_value(event).unwrap();
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), again, "nothing is lost by reading it");
    }
    assert!(events.windows(2).all(|pair| pair[0].at_iso <= pair[1].at_iso), "in the order in which they happened");
    assert!(matches!(&events[0].event, Event::JobStarted { job } if job.of_all && job.mirrors.len() == 2));
    let last = &events[events.len() - 1].event;
    assert!(matches!(last, Event::JobEnded { end: JobEnd::Sync { synced: 2, failed: 0, blocked: 0 }, .. }), "{last:?}");
    for wanted in [STANDBY, ARCHIVE] {
        let of_mirror: Vec<&str> = events.iter().filter_map(|stamped| kind(&stamped.event, wanted)).collect();
        assert_eq!(of_mirror.first(), Some(&"started"), "{wanted}");
        assert_eq!(of_mirror.last(), Some(&"finished"), "{wanted}");
        let seen: BTreeSet<&str> = of_mirror.into_iter().collect();
        assert!(seen.is_superset(&BTreeSet::from(["aspect", "aspect finished", "change"])), "{wanted}: {seen:?}");
    }
}

fn kind(event: &Event, wanted: &str) -> Option<&'static str> {
    let (mirror, kind) = match event {
        Event::RunStarted { mirror, .. } => (mirror, "started"),
        Event::AspectStarted { mirror, .. } => (mirror, "aspect"),
        Event::Change { mirror, .. } => (mirror, "change"),
        Event::AspectFinished { mirror, .. } => (mirror, "aspect finished"),
        Event::RunFinished { mirror, status: MirrorStatus::Success, .. } => (mirror, "finished"),
        _ => return None,
    };
    (mirror.as_str() == wanted).then_some(kind)
}

#[test]
fn status_as_json_is_what_stands_in_the_file_and_has_every_promised_field() {
    let world = world();
    let machine = world.machine();
    let never = machine.json(&["status"]);
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let status = machine.json(&["status"]);
    let file = machine.state.join("ada.orchestrator/mirror_status.json");
    let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(written, status);

    let promised = [
        "repository",
        "enabled",
        "standing",
        "self_role",
        "master",
        "epoch",
        "last_full_sync_iso",
        "seen",
        "open_change",
        "mirrors",
    ];
    assert_eq!(names(&status), promised);
    assert_eq!(names(&never), promised);
    assert_eq!((&status["self_role"], &status["epoch"]), (&"MASTER".into(), &1.into()));
    for mirror in status["mirrors"].as_array().unwrap() {
        let promised = [
            "id",
            "repo",
            "type",
            "role",
            "standing",
            "status",
            "code",
            "secrets",
            "variables",
            "workflows",
            "health",
            "last_health_check_iso",
            "next_sync_iso",
        ];
        let names = names(mirror);
        assert!(promised.iter().all(|name| names.contains(name)), "{names:?}");
    }
    let standby = &status["mirrors"][0];
    assert_eq!((&standby["role"], &standby["status"]), (&"SLAVE".into(), &"success".into()));
    assert_eq!(names(&standby["code"]), ["status", "last_sync_iso", "detail", "last_commit", "behind"]);
    assert_eq!(names(&standby["secrets"]), ["status", "last_sync_iso", "detail", "synced_count", "total"]);
    assert_eq!(names(&standby["variables"]), ["status", "last_sync_iso", "detail", "synced_count", "total"]);
    assert_eq!(names(&standby["workflows"]), ["status", "last_sync_iso", "detail"]);
    let archive = &status["mirrors"][1];
    assert_eq!((&archive["role"], &archive["secrets"]["status"]), (&Value::Null, &"skipped".into()));

    let all = machine.json(&["status", "--all"]);
    assert_eq!(all, serde_json::json!({ "repositories": [status] }));
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
