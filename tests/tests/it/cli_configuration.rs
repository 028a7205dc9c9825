//! `.env` alone, `standin.toml` alone, both merged; what is switched off, missing or wrong; the exit status of each.

use std::fs;

use insta::assert_snapshot;
use standin_sandbox::Role;
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, OWNER, STANDBY, World, refs, settings};
use standin_tests::crash::check_values;

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn in_step(world: &World) {
    for (mirror, path) in world.mirrors() {
        assert_eq!(refs(&path), refs(&world.primary()), "{mirror}");
    }
}

/// A machine with a configuration file of this text.
fn with_file(world: &World, text: &str) -> Machine {
    let path = world.folder().join("standin.toml");
    fs::write(&path, text).unwrap();
    world.machine().with("STANDIN_CONFIG", path.display().to_string())
}

fn file(world: &World, mirror: &str) -> String {
    let archive = world.archive().display().to_string();
    format!(
        "[[repository]]\nid = \"orchestrator\"\nsource = \"{OWNER}/{NAME}\"\nvariables = [\"DEPLOY_MODE\", \"MASTER_REPO\"]\n\n\
         [[repository.mirror]]\nid = \"github-backup\"\ntype = \"github\"\nrepo = \"{BACKUP}/{NAME}\"\n{mirror}\n\
         [[repository.mirror]]\nid = \"attic\"\ntype = \"git\"\nurl = \"{archive}\"\n"
    )
}

#[test]
fn an_env_file_alone_is_enough() {
    let world = world();
    let ran = world.machine().standin(&["sync"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    in_step(&world);
    check_values(&world);
}

#[test]
fn a_toml_file_alone_is_enough_with_the_token_of_gh() {
    let mut world = world();
    world.sandbox.add_collaborator(BACKUP, NAME, OWNER, Role::Admin);
    fs::remove_file(world.clone_path().join(".env")).unwrap();
    world.sandbox.set_variable(OWNER, NAME, "DEPLOY_MODE", "full");
    world.secrets.clear();
    let mut machine = with_file(&world, &file(&world, "sync = [\"code\", \"variables\", \"workflows\"]"));
    machine.folder = world.folder().to_owned();
    let machine = machine.with("GH_TOKEN", &world.source_token);
    let plan = machine.standin(&["plan", "--mirror", "github-backup"]);
    let ran = machine.standin(&["sync"]);
    assert_eq!((plan.code(), ran.code()), (0, 0), "{}", ran.all());
    in_step(&world);
    check_values(&world);
    settings().bind(|| assert_snapshot!("toml_alone_plan", plan.all()));
}

#[test]
fn gh_is_not_asked_for_a_token_that_may_not_push_there() {
    let world = world();
    fs::remove_file(world.clone_path().join(".env")).unwrap();
    let machine = with_file(&world, &file(&world, "")).with("GH_TOKEN", &world.source_token);
    let ran = machine.standin(&["sync", "--mirror", "github-backup"]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    settings().bind(|| assert_snapshot!("gh_token_of_another", ran.all()));
}

#[test]
fn both_files_speak_of_one_repository_field_by_field() {
    let world = world();
    let machine = with_file(&world, &file(&world, "sync = [\"code\", \"secrets\", \"variables\", \"workflows\"]"));
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    in_step(&world);
    check_values(&world);
    let listed = machine.standin(&["mirror", "list"]).stdout;
    settings().bind(|| assert_snapshot!("merged_mirrors", listed));
}

#[test]
fn what_is_switched_off_is_not_synced_by_hand_either() {
    let mut world = world();
    world.set("MIRROR_ENABLED", Some("false"));
    let machine = world.machine();
    world.sandbox.clear_requests();
    let sync = machine.standin(&["sync"]);
    let plan = machine.standin(&["plan"]);
    let status = machine.standin(&["status"]);
    assert_eq!([sync.code(), plan.code(), status.code()], [2, 2, 0]);
    assert!(world.sandbox.requests().is_empty(), "nobody is asked");
    assert_eq!(machine.json(&["status"])["enabled"], false);
    settings().bind(|| {
        assert_snapshot!("switched_off_sync", sync.all());
        assert_snapshot!("switched_off_status", status.stdout);
    });
    world.set("MIRROR_ENABLED", Some("true"));
    world.set("MIRROR_1_ENABLED", Some("false"));
    let one = machine.standin(&["sync", "--mirror", STANDBY]);
    let rest = machine.standin(&["sync"]);
    assert_eq!((one.code(), rest.code()), (2, 0));
    assert!(refs(&world.standby()).is_empty());
    assert_eq!(refs(&world.archive()), refs(&world.primary()));
    settings().bind(|| {
        assert_snapshot!("switched_off_mirror", one.all());
        assert_snapshot!("switched_off_mirror_status", machine.standin(&["status"]).stdout);
    });
}

#[test]
fn a_missing_token_fails_its_mirror_and_says_where_to_put_one() {
    let mut world = world();
    world.set("MIRROR_1_TOKEN", None);
    let machine = world.machine();
    let ran = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    let both = machine.standin(&["sync"]);
    assert_eq!(both.code(), 1);
    assert_eq!(refs(&world.archive()), refs(&world.primary()), "the other goes on");
    settings().bind(|| {
        assert_snapshot!("missing_token_sync", ran.all());
        assert_snapshot!("missing_token_status", machine.standin(&["status", "--mirror", STANDBY]).stdout);
    });
}

#[test]
fn usage_and_configuration_end_with_2_and_say_what_to_mend() {
    let mut world = world();
    let machine = world.machine();
    let said = |arguments: &[&str]| {
        let ran = machine.standin(arguments);
        assert_eq!(ran.code(), 2, "{arguments:?}: {}", ran.all());
        assert_eq!(ran.stdout, "", "{arguments:?}");
        ran.stderr
    };
    let mirror = said(&["sync", "--mirror", "mirror-9"]);
    let option = said(&["sync", "--code-only", "--secrets-only"]);
    let aspect = said(&["sync", "--only", "cod"]);
    let run = said(&["history", "no-such-run"]);
    let rescue = said(&["rescue", "restore", "abc"]);
    let json = machine.standin(&["sync", "--mirror", "mirror-9", "--json"]);
    assert_eq!(json.code(), 2);
    let error: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(error["error"]["code"], "not_found");
    settings().bind(|| {
        assert_snapshot!("usage_unknown_mirror", mirror);
        assert_snapshot!("usage_conflict", option);
        assert_snapshot!("usage_unknown_aspect", aspect);
        assert_snapshot!("usage_unknown_run", run);
        assert_snapshot!("usage_unknown_rescue", rescue);
    });
    world.set("MIRROR_2_TYPE", Some("gti"));
    let mistake = said(&["status"]);
    let mut nowhere = machine.clone();
    nowhere.folder = world.folder().to_owned();
    let none = nowhere.standin(&["sync"]);
    assert_eq!(none.code(), 2);
    settings().bind(|| {
        assert_snapshot!("usage_mistake", mistake);
        assert_snapshot!("usage_no_repository", none.all());
    });
}

#[test]
fn only_what_is_asked_for_is_synced() {
    let world = world();
    let machine = world.machine();
    let aspects = |arguments: &[&str]| -> Vec<String> {
        let ran = machine.standin(arguments);
        assert_eq!(ran.code(), 0, "{}", ran.all());
        let lines = ran
            .stdout
            .lines()
            .filter(|line| !line.starts_with('['))
            .filter_map(|line| line.trim_start().split_once("..."));
        lines.map(|(aspect, _)| aspect.to_owned()).collect()
    };
    let standby = ["--mirror", STANDBY];
    assert_eq!(aspects(&[&["sync", "--secrets-only"], &standby[..]].concat()), ["🔐 Secrets sync"]);
    assert!(refs(&world.standby()).is_empty(), "no code went");
    assert_eq!(aspects(&[&["sync", "--vars-only"], &standby[..]].concat()), ["📋 Variables sync"]);
    assert_eq!(aspects(&[&["sync", "--only", "secrets,variables"], &standby[..]].concat()).len(), 2);
    // A push can start workflows: they go with the code.
    assert_eq!(aspects(&[&["sync", "--code-only"], &standby[..]].concat()), ["📦 Code push", "🚦 Workflows"]);
    assert_eq!(aspects(&["sync", "--code-only", "--mirror", ARCHIVE]), ["📦 Code push"]);
    check_values(&world);
    in_step(&world);
}
