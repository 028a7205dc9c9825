//! What a run as a whole promises: nothing goes unguarded, memory is true of one place, and the status says what is.

use serde_json::Value;
use standin_sandbox::{Effect, Fault, FaultMatcher, RepositorySpec};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, World, refs};
use standin_tests::local::Local;

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn status(machine: &Machine) -> Value {
    machine.json(&["status"])
}

#[test]
fn a_push_that_brings_workflows_does_not_go_while_nobody_can_hold_them() {
    let world = world();
    let machine = world.machine();
    let path = format!("/repos/{BACKUP}/{NAME}/actions/permissions");
    world
        .sandbox
        .add_fault(Fault::always(FaultMatcher::rest("GET", &path), Effect::Status { status: 502, retry_after: None }));
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(refs(&world.standby()).keys().all(|name| !name.starts_with("refs/heads/")), "{:?}", refs(&world.standby()));
    assert!(ran.stdout.contains("nothing was pushed"), "{}", ran.stdout);
    world.sandbox.clear_faults();
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0);
    assert_eq!(refs(&world.standby())["refs/heads/main"], refs(&world.primary())["refs/heads/main"]);
}

#[test]
fn code_alone_is_guarded_as_well() {
    let world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--code-only"]).code(), 0);
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0);
}

#[test]
fn a_mirror_id_that_names_another_place_starts_with_nothing_approved() {
    let mut world = world();
    let machine = world.machine();
    world.set("MIRROR_SECRETS", None);
    world.write_env();
    assert_eq!(machine.standin(&["sync", "--mirror", "mirror-1", "--yes"]).code(), 0);
    assert_eq!(machine.standin(&["sync", "--mirror", "mirror-1"]).code(), 0, "approved once, for this place");

    world.sandbox.create_repository_blocking(BACKUP, "elsewhere", RepositorySpec::default()).unwrap();
    world.set("MIRROR_1_REPO", Some(&format!("{BACKUP}/elsewhere")));
    world.write_env();
    let ran = machine.standin(&["sync", "--mirror", "mirror-1"]);
    assert_eq!(ran.code(), 3, "{ran:?}");
    for name in world.secrets.keys() {
        assert_eq!(world.sandbox.secret_value(BACKUP, "elsewhere", name), None, "{name} went without a yes");
    }
    assert_eq!(refs(&world.sandbox.repository_path(BACKUP, "elsewhere")), refs(&world.primary()));
}

#[test]
fn a_mirror_id_that_names_another_place_begins_at_never_and_a_slip_forgets_nothing() {
    let mut world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--yes"]).code(), 0);
    let before = status(&machine)["mirrors"].clone();
    assert_eq!(before[0]["code"]["status"], "ok", "{before}");

    world.sandbox.create_repository_blocking(BACKUP, "elsewhere", RepositorySpec::default()).unwrap();
    world.set("MIRROR_1_REPO", Some(&format!("{BACKUP}/elsewhere")));
    world.write_env();
    let never = |when: &str| {
        let mirror = status(&machine)["mirrors"][0].clone();
        assert_eq!((&mirror["status"], &mirror["health"]), (&"idle".into(), &"unknown".into()), "{when}: {mirror}");
        for aspect in ["code", "secrets", "variables", "workflows"] {
            assert_eq!(mirror[aspect]["status"], "unknown", "{when}: {mirror}");
            assert_eq!(mirror[aspect]["last_sync_iso"], Value::Null, "{when}: {mirror}");
        }
        let shown = machine.standin(&["status"]).stdout;
        let of_mirror = shown.split("[mirror-1]").nth(1).unwrap().split("[mirror-2]").next().unwrap();
        assert!(of_mirror.contains("never") && !of_mirror.contains('✅'), "{when}: {shown}");
    };
    never("before anything looked");
    machine.standin(&["plan", "--mirror", "mirror-1"]);
    never("after a look");

    world.set("MIRROR_1_REPO", Some(&format!("{BACKUP}/{NAME}")));
    world.write_env();
    assert_eq!(status(&machine)["mirrors"], before, "nothing of the first place was forgotten");
    world.sandbox.clear_requests();
    assert_eq!(machine.standin(&["sync"]).code(), 0, "no name is asked about again");
    let written = world.sandbox.requests().into_iter().filter(|request| request.method == "PUT").count();
    assert_eq!(written, 0, "the values that were sent are known");
}

#[test]
fn the_moment_of_the_last_full_sync_rises_only_with_a_full_sync() {
    let world = world();
    let machine = world.machine();
    assert_eq!(status(&machine)["last_full_sync_iso"], Value::Null);
    assert_eq!(machine.standin(&["sync", "--mirror", "mirror-2"]).code(), 0);
    assert_eq!(status(&machine)["last_full_sync_iso"], Value::Null, "one mirror of two");
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let full = status(&machine)["last_full_sync_iso"].clone();
    assert!(full.is_string(), "{full}");

    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(machine.standin(&["sync", "--secrets-only"]).code(), 0);
    world.sandbox.set_down(true);
    assert_eq!(machine.standin(&["sync"]).code(), 1);
    assert_eq!(status(&machine)["last_full_sync_iso"], full, "unreachable mirrors are not in step");
}

#[test]
fn a_mirror_that_is_gone_is_not_in_step_beside_one_that_is() {
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &["--bare"]);
    let far = local.folder().join("far.git");
    local.mirrors("", &[("near", ""), ("far", "")]);
    let moment = || local.machine.json(&["status"])["last_full_sync_iso"].clone();
    assert_eq!(local.machine.standin(&["sync"]).code(), 0);
    let full = moment();
    assert!(full.is_string(), "{full}");
    std::fs::rename(&far, local.folder().join("aside.git")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(local.machine.standin(&["sync"]).code(), 1);
    assert_eq!(moment(), full, "one of two failed");
    assert_eq!(local.machine.standin(&["sync", "--mirror", "near"]).code(), 0);
    assert_eq!(moment(), full, "the other had failed before");
    std::fs::rename(local.folder().join("aside.git"), &far).unwrap();
    assert_eq!(local.machine.standin(&["sync", "--mirror", "far"]).code(), 0);
    assert_ne!(moment(), full, "both are in step");
}

#[test]
fn the_status_file_says_the_same_as_the_command_and_never_that_a_run_goes_on() {
    let world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let report = status(&machine);
    let folder = machine.state.join(report["repository"].as_str().unwrap());
    let file: Value = serde_json::from_slice(&std::fs::read(folder.join("mirror_status.json")).unwrap()).unwrap();
    assert_eq!(file, report);
    assert!(!file.to_string().contains("syncing"), "{file}");
}

#[test]
fn a_source_that_was_replaced_sends_neither_code_nor_values_unasked() {
    let mut world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    world.sandbox.create_repository_blocking(OWNER, "other", RepositorySpec::default()).unwrap();
    let (primary, other) = (world.primary(), world.sandbox.repository_path(OWNER, "other"));
    for (name, tip) in refs(&primary) {
        let target = git2::Repository::open_bare(&other).unwrap();
        let mut remote = target.remote_anonymous(primary.to_str().unwrap()).unwrap();
        remote.fetch(&[format!("{name}:{name}")], None, None).unwrap();
        assert!(target.find_object(tip, None).is_ok());
    }
    assert!(world.sandbox.delete_repository(OWNER, NAME));
    assert!(world.sandbox.rename_repository(OWNER, "other", NAME));
    world.sandbox.set_variable(OWNER, NAME, "MASTER_REPO", "somebody/else");
    world.change_secret("RESEND_API_KEY");
    world.write_env();

    let before = world.sandbox.secret_value(BACKUP, NAME, "RESEND_API_KEY");
    let ran = machine.standin(&["sync", "--mirror", "mirror-1"]);
    assert_eq!(ran.code(), 3, "{ran:?}");
    assert_eq!(world.sandbox.secret_value(BACKUP, NAME, "RESEND_API_KEY"), before);
    assert_eq!(world.sandbox.variable(BACKUP, NAME, "MASTER_REPO").as_deref(), Some(&*format!("{OWNER}/{NAME}")));
    assert_eq!(machine.standin(&["sync", "--mirror", "mirror-1", "--yes"]).code(), 0);
    assert_eq!(world.sandbox.variable(BACKUP, NAME, "MASTER_REPO").as_deref(), Some("somebody/else"));
}
