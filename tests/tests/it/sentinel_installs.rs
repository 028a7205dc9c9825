//! The file: rendered, safe by zizmor, brought to the master; its tokens; what a check says of it all.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;
use standin_core::sentinel::{PATH, STATE};
use standin_sandbox::{Conclusion, Level, Protection, TokenSpec, WorkflowState};
use standin_tests::canary::Watch;
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, World, refs, settings};
use standin_tests::watch::Watched;
use standin_tests::zizmor;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

fn judged_by_zizmor(text: &str) -> Output {
    zizmor::judge(text, PATH)
}

fn rendered(machine: &Machine) -> String {
    let ran = machine.standin(&["sentinel", "render"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    ran.stdout
}

/// The file on a branch of the primary.
fn there(world: &World, name: &str) -> Option<String> {
    let repository = git2::Repository::open_bare(world.primary()).unwrap();
    let tree = repository.find_reference(name).ok()?.peel_to_tree().unwrap();
    let blob = repository.find_blob(tree.get_path(PATH.as_ref()).ok()?.id()).unwrap();
    Some(String::from_utf8(blob.content().to_vec()).unwrap())
}

fn put_there(world: &World, text: &str) {
    let tip = refs(&world.primary())["refs/heads/main"];
    let commit = world.commit(Some(tip), &[(PATH, text)]);
    world.publish("refs/heads/main", Some(commit));
}

fn state_on_master(world: &World) -> Option<WorkflowState> {
    let workflows = world.sandbox.workflows(OWNER, NAME);
    workflows.into_iter().find(|workflow| workflow.path == PATH).map(|workflow| workflow.state)
}

#[test]
fn zizmor_finds_nothing_in_it_and_finds_what_is_planted() {
    let world = World::new(PROGRAM);
    let text = rendered(&world.machine());
    let output = judged_by_zizmor(&text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for (good, bad) in [
        ("set -euo pipefail\n", "set -euo pipefail\n          echo ${{ github.event.issue.title }}\n"),
        ("permissions: {}\n", "permissions: write-all\n"),
    ] {
        assert!(text.contains(good));
        let output = judged_by_zizmor(&text.replacen(good, bad, 1));
        assert!(!output.status.success(), "{bad} was not found");
    }
}

#[test]
fn it_is_bash_that_parses_and_a_workflow_that_the_sandbox_knows() {
    let world = World::new(PROGRAM);
    let text = rendered(&world.machine());
    standin_sandbox::check_workflow(PATH, &text).unwrap();
    let (_, script) = text.split_once("        run: |\n").unwrap();
    let file = world.folder().join("script.sh");
    fs::write(&file, script).unwrap();
    let output = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn it_is_committed_to_the_master_once_and_switched_off_there() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    let first = machine.standin(&["sentinel", "install"]);
    assert_eq!(first.code(), 0, "{}", first.all());
    assert_eq!(there(&world, "refs/heads/main").as_deref(), Some(rendered(&machine).as_str()));
    assert_eq!(state_on_master(&world), Some(WorkflowState::DisabledManually));
    let tip = refs(&world.primary())["refs/heads/main"];
    let second = machine.standin(&["sentinel", "install"]);
    assert_eq!((second.code(), refs(&world.primary())["refs/heads/main"]), (0, tip));
    settings().bind(|| {
        assert_snapshot!("installed", first.all());
        assert_snapshot!("installed_already", second.all());
        assert_snapshot!("installed_check", machine.standin(&["sentinel", "check"]).all());
    });
}

#[test]
fn a_file_that_is_not_standins_is_replaced_only_when_told() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    let foreign = "name: Sentinel\non: workflow_dispatch\njobs: {}\n".to_owned();
    let edited = rendered(&machine).replace("timeout-minutes: 20", "timeout-minutes: 5");
    for (text, name) in [(foreign, "foreign"), (edited, "edited")] {
        put_there(&world, &text);
        let refused = machine.standin(&["sentinel", "install"]);
        assert_eq!((refused.code(), there(&world, "refs/heads/main")), (3, Some(text)));
        settings().bind(|| assert_snapshot!(format!("installed_over_{name}"), refused.all()));
        assert_eq!(machine.standin(&["sentinel", "install", "--yes"]).code(), 0);
        assert_eq!(there(&world, "refs/heads/main"), Some(rendered(&machine)));
    }
    // What an older configuration rendered is Standin's own.
    let config = world.folder().join("standin.toml");
    let text =
        format!("[[repository]]\nid = \"orchestrator\"\nsource = \"{OWNER}/{NAME}\"\nsentinel = {{ threshold = 4 }}\n");
    fs::write(&config, text).unwrap();
    let other = machine.with("STANDIN_CONFIG", config.display().to_string());
    let check: Value = serde_json::from_str(&other.standin(&["sentinel", "check", "--json"]).stdout).unwrap();
    assert_eq!(check["places"][0]["file"], "other_values");
    assert_eq!(other.standin(&["sentinel", "install"]).code(), 0);
    assert_eq!(there(&world, "refs/heads/main"), Some(rendered(&other)));
}

#[test]
fn a_protected_branch_gets_a_pull_request_and_only_one() {
    let world = World::new(PROGRAM);
    world.sandbox.protect_branch(OWNER, NAME, "main", Protection::PullRequestOnly);
    let machine = world.machine();
    let tip = refs(&world.primary())["refs/heads/main"];
    let first = machine.standin(&["sentinel", "install"]);
    assert_eq!(first.code(), 0, "{}", first.all());
    let second = machine.standin(&["sentinel", "install", "--pull-request"]);
    assert_eq!(second.code(), 0, "{}", second.all());
    assert_eq!(refs(&world.primary())["refs/heads/main"], tip);
    assert_eq!(there(&world, "refs/heads/standin/sentinel"), Some(rendered(&machine)));
    let url = |text: &str| text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(url(&first.stdout), url(&second.stdout));
    settings().bind(|| assert_snapshot!("installed_by_pull_request", first.all()));
}

#[test]
fn a_token_that_may_not_write_workflow_files_is_told_what_it_lacks() {
    let mut world = World::new(PROGRAM);
    let token = world.sandbox.create_token(OWNER, TokenSpec::classic(&["repo"]));
    world.set("MIRROR_SOURCE_TOKEN", Some(&token));
    let ran = world.machine().standin(&["sentinel", "install"]);
    assert_eq!((ran.code(), there(&world, "refs/heads/main")), (1, None));
    settings().bind(|| assert_snapshot!("installed_without_scope", ran.all()));
}

#[test]
fn tokens_that_do_not_do_are_refused_and_nothing_is_set() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    let reads = TokenSpec::fine_grained(BACKUP, &[NAME], &[("contents", Level::Read)]);
    let stranger = world.sandbox.create_token("eve", TokenSpec::classic(&["repo"]));
    let narrow = world.sandbox.create_token(BACKUP, reads);
    for (input, name) in [
        (String::new(), "no_tokens"),
        ("ghp_CANARY\n".to_owned(), "no_name"),
        ("MASTER_TOKEN=ghp_CANARYcanaryCANARYcanary0123456789\n".to_owned(), "unknown_token"),
        (format!("MASTER_TOKEN={stranger}\n"), "token_of_a_stranger"),
        (format!("STANDIN_TOKEN={narrow}\n"), "token_without_rights"),
    ] {
        let ran = machine.standin_with(&["sentinel", "install", "--tokens"], input.as_bytes());
        assert_ne!(ran.code(), 0, "{name}");
        for token in ["CANARY", &stranger, &narrow] {
            assert!(!ran.all().contains(token), "{name}");
        }
        settings().bind(|| assert_snapshot!(name, ran.stderr));
    }
    assert!(world.sandbox.secrets(BACKUP, NAME).is_empty());
}

#[test]
fn the_tokens_go_to_the_standby_and_are_seen_nowhere_else() {
    let world = World::new(PROGRAM);
    let mut machine = world.machine();
    let (standin, master) = (world.token.clone(), world.source_token.clone());
    let write = Level::Write;
    let rights = [("contents", write), ("actions", write), ("actions_variables", write)];
    let fine = world.sandbox.create_token(BACKUP, TokenSpec::fine_grained(BACKUP, &[NAME], &rights));
    let reading =
        world.sandbox.create_token(OWNER, TokenSpec::fine_grained(OWNER, &[NAME], &[("contents", Level::Read)]));
    let watch = Watch::over(&world, &mut machine, &[&standin, &master, &fine, &reading]);
    let input = format!("STANDIN_TOKEN={fine}\nMASTER_TOKEN={reading}\n");
    let running = machine.start_with(&["sentinel", "install", "--tokens", "--json"], input.as_bytes());
    let looking = watch.look(&world, running.id());
    let ran = running.wait();
    drop(looking);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    assert!(watch.starts("gh") > 0);
    assert_eq!(watch.findings(&world), Vec::<String>::new());
    for (name, token) in [("STANDIN_TOKEN", &fine), ("MASTER_TOKEN", &reading)] {
        assert_eq!(world.sandbox.secret_value(BACKUP, NAME, name).as_deref(), Some(token.as_bytes()));
    }
    let audit = machine.json(&["history", "--audit"]).to_string();
    assert!(audit.contains("sentinel_tokens") && audit.contains("sentinel_install"), "{audit}");
}

#[test]
fn what_is_the_sentinels_own_is_neither_sent_nor_removed_by_a_sync() {
    let mut world = World::new(PROGRAM);
    for name in ["STANDIN_TOKEN", "MASTER_TOKEN", "SENTINEL_X"] {
        world.set(name, Some("canary-of-the-env-file"));
    }
    world.set("MIRROR_SECRETS", None);
    world.set("MIRROR_VARS", Some("*"));
    for (name, value) in [(STATE, "{}"), ("SENTINEL_X", "1"), ("STANDIN_X", "1"), ("MIRROR_ROLE", "MASTER")] {
        world.sandbox.set_variable(OWNER, NAME, name, value);
    }
    world.sandbox.set_secret(BACKUP, NAME, "STANDIN_TOKEN", b"theirs");
    world.sandbox.set_secret(BACKUP, NAME, "MASTER_TOKEN", b"theirs");
    world.sandbox.set_variable(BACKUP, NAME, STATE, "{\"failures\":2}");
    let ran = world.machine().standin(&["sync", "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    for name in ["STANDIN_TOKEN", "MASTER_TOKEN"] {
        assert_eq!(world.sandbox.secret_value(BACKUP, NAME, name).as_deref(), Some(&b"theirs"[..]));
    }
    assert_eq!(world.sandbox.secret_value(BACKUP, NAME, "SENTINEL_X"), None);
    let variable = |name: &str| world.sandbox.variable(BACKUP, NAME, name);
    assert_eq!(variable(STATE).as_deref(), Some("{\"failures\":2}"));
    assert_eq!([variable("SENTINEL_X"), variable("STANDIN_X")], [None, None]);
    assert_eq!(variable("MIRROR_ROLE").as_deref(), Some("SLAVE"));
}

#[test]
fn a_check_says_what_is_well_and_what_is_not() {
    let watched = Watched::new(PROGRAM);
    let check = || watched.machine.standin(&["sentinel", "check"]);
    let fresh = check();
    assert_eq!(watched.dispatch().conclusion, Some(Conclusion::Success));
    let well = check();
    assert_eq!((fresh.code(), well.code()), (0, 0));
    let report = watched.machine.json(&["sentinel", "check"]);
    assert_eq!((&report["health"], &report["places"][1]["state"]["last_verdict"]), (&"ok".into(), &"well".into()));

    let sandbox = &watched.world.sandbox;
    sandbox.set_workflow_state(BACKUP, NAME, "sentinel.yml", WorkflowState::DisabledInactivity);
    let asleep = check();
    sandbox.set_workflow_state(BACKUP, NAME, "sentinel.yml", WorkflowState::Active);
    let soon = sandbox.now() + Duration::from_secs(3 * 24 * 3600 + 600);
    let rights = [("contents", Level::Write), ("actions", Level::Write), ("actions_variables", Level::Write)];
    let spec = TokenSpec::fine_grained(BACKUP, &[NAME], &rights).expiring(soon);
    sandbox.set_secret(BACKUP, NAME, "STANDIN_TOKEN", sandbox.create_token(BACKUP, spec).as_bytes());
    let warned = watched.dispatch();
    assert!(warned.log.contains("STANDIN_TOKEN ends at"), "{}", warned.log);
    let ending = check();
    sandbox.remove_secret(BACKUP, NAME, "MASTER_TOKEN");
    assert_eq!(watched.dispatch().conclusion, Some(Conclusion::Failure));
    let lacking = check();
    let mut memory = watched.memory();
    memory["last_check_iso"] = "2026-01-01T00:00:00Z".into();
    watched.set_memory(&memory);
    let late = check();
    assert_eq!((asleep.code(), ending.code(), lacking.code()), (1, 0, 1), "{}", ending.all());
    assert!(late.stdout.contains("the last check of the sentinel of ada-backup/orchestrator was"), "{}", late.stdout);
    let mut settings = settings();
    settings.add_filter(r"/actions/runs/\d+", "/actions/runs/[run]");
    settings.bind(|| {
        assert_snapshot!("check_fresh", fresh.all());
        assert_snapshot!("check_well", well.all());
        assert_snapshot!("check_asleep", asleep.all());
        assert_snapshot!("check_ending", ending.all());
        assert_snapshot!("check_lacking", lacking.all());
    });
}
