//! `standin demo`: the main job and a whole fail-over, each claim checked, in a world of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use standin_tests::cli::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

#[test]
fn the_demo_tells_the_whole_story_and_checks_each_claim() {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    world.sandbox.clear_requests();
    // In the place of the window stands a program that asks what there would be to do in it.
    let (window, waiting) = (world.folder().join("window"), world.folder().join("waiting.json"));
    fs::write(&window, format!("#!/bin/sh\nexec '{PROGRAM}' plan --json >'{}'\n", waiting.display())).unwrap();
    fs::set_permissions(&window, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = machine.standin(&["demo", "--window", &window.display().to_string()]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    let mut rest = ran.stdout.as_str();
    for words in [
        "── First sync: everything goes",
        "✓ checked: all workflows of the standby are held",
        "── The sentinel: a workflow on the standby that watches the primary",
        "── The primary goes down, and nobody is there to act",
        "✓ checked: after 3 checks (90 minutes on the sandbox's clock) the standby is TEMPORARY_MASTER",
        "✓ checked: it runs what the primary ran: 3 workflows",
        "✓ checked: the archive has the standby's commit",
        "── The primary returns, with a commit that was never mirrored",
        "✓ checked: every commit of both sides is on a branch or tag of the primary",
        "✓ checked: the primary is MASTER and the standby SLAVE",
        "✓ checked: the archive has every branch and tag of the primary",
        "The window opens on the same sandbox",
        "Demo passed in",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} is not in its place:\n{}", ran.stdout));
        rest = &rest[at + words.len()..];
    }
    let waiting: serde_json::Value = serde_json::from_slice(&fs::read(waiting).unwrap()).unwrap();
    assert!(waiting.to_string().contains("\"refs/heads/main\""), "a commit waits: {waiting}");
    assert!(waiting.to_string().contains("RESEND_API_KEY"), "and a secret: {waiting}");
    assert!(world.sandbox.requests().is_empty(), "it has a sandbox of its own");
    assert!(!machine.state.exists(), "and a memory of its own");
}
