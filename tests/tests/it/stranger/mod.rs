//! A clone that a stranger made decides nothing: before its owner's yes no request leaves, no program runs and no keychain
//! is asked, whatever stands in it and whatever is typed.

mod asked;
mod broken;
mod kept;
mod places;
mod rows;
mod scene;
mod witness;

use rows::ROWS;
use scene::{COMMANDS, LOOKS, Scene};

/// Every command in every clone.
fn all_commands_in(rows: std::ops::Range<usize>) {
    let scene = Scene::new();
    for row in &ROWS[rows] {
        let clone = scene.strangers_clone(row.env);
        for command in COMMANDS {
            let ran = scene.run(&clone, command);
            assert!([2, 3].contains(&ran.code()), "{}: {command:?}: {ran:?}", row.name);
            scene.nothing_happened(&format!("{}: {command:?}", row.name));
        }
        let mut told = String::new();
        for command in LOOKS {
            let ran = scene.run(&clone, command);
            assert!([0, 2, 3].contains(&ran.code()), "{}: {command:?}: {ran:?}", row.name);
            scene.nothing_happened(&format!("{}: {command:?}", row.name));
            told.push_str(&ran.all());
        }
        // What is wrong in it, or what waits.
        assert!(told.contains("waits for your yes") || told.contains("❌"), "{}: {told}", row.name);
        assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "{}: {told}", row.name);
    }
}

#[test]
fn no_clone_of_a_stranger_does_anything_whatever_is_typed_1() {
    all_commands_in(0..11);
}

#[test]
fn no_clone_of_a_stranger_does_anything_whatever_is_typed_2() {
    all_commands_in(11..22);
}

#[test]
fn no_clone_of_a_stranger_does_anything_whatever_is_typed_3() {
    all_commands_in(22..33);
}

#[test]
fn no_clone_of_a_stranger_does_anything_whatever_is_typed_4() {
    assert!(ROWS.len() >= 40);
    all_commands_in(33..ROWS.len());
}

/// That the witnesses see: with a yes the same clone does run, ask and send.
#[test]
fn with_a_yes_all_of_it_would_be_seen() {
    let scene = Scene::new();
    let clone = scene.strangers_clone("MIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\n");
    let allowed = scene.run(&clone, &["allow", "--yes"]);
    assert_eq!(allowed.code(), 0, "{allowed:?}");
    scene.nothing_happened("a yes alone does nothing");
    // A keychain that breaks off ends it; where there is none, it goes on.
    scene.run(&clone, &["sync"]);
    scene.run_with(&clone, &["sync"], &[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")]);
    let seen = scene.witness.seen().join("\n");
    for expected in ["ran git", "the keychain was asked", "GET /x.git"] {
        assert!(seen.contains(expected), "{expected}: {seen}");
    }
}
