//! Commands for one mirror at a time: what they mean for the whole, and for rescues of mirrors that are gone.

use serde_json::Value;
use standin_tests::cli::{ARCHIVE, Machine, STANDBY, World, branch, refs};

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn sync(machine: &Machine, mirror: &str) {
    let ran = machine.standin(&["sync", "--mirror", mirror]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
}

fn all_in_step(machine: &Machine) -> Option<String> {
    machine.json(&["status"])["last_full_sync_iso"].as_str().map(str::to_owned)
}

#[test]
fn the_last_mirror_that_was_missing_makes_it_all_in_step() {
    let mut world = world();
    let machine = world.machine();
    sync(&machine, STANDBY);
    assert_eq!(all_in_step(&machine), None, "the archive has nothing yet");
    sync(&machine, ARCHIVE);
    let first = all_in_step(&machine).expect("both are in step");

    let wait_for_the_next_second = || std::thread::sleep(std::time::Duration::from_millis(1100));
    wait_for_the_next_second();
    let before = refs(&world.primary());
    let ahead = world.commit(Some(before[&branch("main")]), &[("README.md", "# Ahead\n")]);
    world.publish(&branch("main"), Some(ahead));
    sync(&machine, ARCHIVE);
    assert_eq!(
        all_in_step(&machine).as_ref(),
        Some(&first),
        "the standby lacks a commit, though it was well last time"
    );
    world.change_secret("RESEND_API_KEY");
    let code = machine.standin(&["sync", "--mirror", STANDBY, "--code-only"]);
    assert_eq!(code.code(), 0, "{}", code.all());
    sync(&machine, ARCHIVE);
    assert_eq!(all_in_step(&machine).as_ref(), Some(&first), "the standby lacks the new value of a secret");
    sync(&machine, STANDBY);
    assert_ne!(all_in_step(&machine), Some(first));
}

#[test]
fn a_tip_of_a_mirror_that_is_gone_can_be_put_on_another() {
    let mut world = world();
    let machine = world.machine();
    sync(&machine, ARCHIVE);
    let saved = refs(&world.primary())[&branch("topic")];
    world.publish(&branch("topic"), None);
    sync(&machine, ARCHIVE);
    let id = machine.json(&["rescue", "list"])[0]["id"].as_str().unwrap().to_owned();

    let url = world.archive().display().to_string();
    for name in ["MIRROR_2_TYPE", "MIRROR_2_URL"] {
        world.set(name, None);
    }
    world.set("MIRROR_3_TYPE", Some("git"));
    world.set("MIRROR_3_URL", Some(&url));
    let refused = machine.standin(&["rescue", "restore", &id]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    let hint = format!("`standin rescue restore {id} --mirror MIRROR` puts it on another mirror");
    assert!(refused.stderr.contains(&hint) && refused.stderr.contains("mirror-3"), "{}", refused.stderr);
    let restored = machine.standin(&["rescue", "restore", &id, "--mirror", "mirror-3"]);
    assert_eq!(restored.code(), 0, "{}", restored.all());
    assert_eq!(refs(&world.archive())[&branch("topic")], saved);
}

#[test]
fn every_line_of_a_resolve_with_json_is_one_document() {
    let world = world();
    let machine = world.machine();
    sync(&machine, ARCHIVE);
    for choice in ["leave", "overwrite"] {
        world.intrude(&world.archive(), &branch("topic"));
        let before = refs(&world.primary())[&branch("topic")];
        world.publish(&branch("topic"), Some(world.commit(Some(before), &[("topic.txt", choice)])));
        assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 3);
        let ran = machine.standin(&["resolve", ARCHIVE, "topic", choice, "--json"]);
        assert_eq!(ran.code(), 0, "{}", ran.all());
        let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert!(lines[0]["detail"].is_string(), "{}", ran.stdout);
        assert_eq!(lines.len() > 1, choice == "overwrite", "{}", ran.stdout);
    }
    let failed = machine.standin(&["resolve", ARCHIVE, "nothing", "leave", "--json"]);
    let last: Value = serde_json::from_str(failed.stdout.lines().last().unwrap()).unwrap();
    assert!(last["error"]["message"].is_string());
}
