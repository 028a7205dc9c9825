//! The question on a terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::places::git;
use super::scene::Scene;

const ARCHIVE: &str = "MIRROR_1_TYPE=git\nMIRROR_1_URL=[user]/../asked.git\n";

/// Runs Standin on a terminal, answers, and gives its exit status and what stood on the screen.
fn answered(scene: &Scene, clone: &Path, arguments: &str, answer: &str) -> (i32, String) {
    let machine = &scene.machine;
    let mut child = Command::new("script")
        .args(["-q", "-e", "-E", "never", "-c", &format!("'{}' {arguments}", machine.program.display()), "/dev/null"])
        .current_dir(clone)
        .env_clear()
        .envs(&machine.environment)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("TERM", "dumb")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_person_is_asked_once_and_anything_but_a_yes_is_a_no() {
    let scene = Scene::new();
    git2::Repository::init_bare(scene.world.folder().join("asked.git")).unwrap();
    let clone = scene.strangers_clone(ARCHIVE);
    git2::Repository::open(&clone).unwrap().remote_delete("origin").unwrap();
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "one"]);
    for answer in ["n\n", "\n", "maybe\n", "yess\n"] {
        let (code, screen) = answered(&scene, &clone, "plan", answer);
        assert_eq!(code, 3, "{answer:?}: {screen}");
        assert!(screen.contains("waits for your yes") && screen.contains("Allow this? [y/N]"), "{screen}");
        assert!(screen.contains("nothing was done"), "{screen}");
        scene.nothing_happened("not a yes");
    }
    let (code, screen) = answered(&scene, &clone, "plan", "y\n");
    assert_eq!(code, 0, "{screen}");
    let (code, screen) = answered(&scene, &clone, "plan", "");
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("Allow this?"), "{screen}");
    // Who said no is not asked again and again.
    let (code, _) = answered(&scene, &clone, "deny", "");
    assert_eq!(code, 0);
    let (code, screen) = answered(&scene, &clone, "plan", "");
    assert_eq!(code, 3, "{screen}");
    assert!(!screen.contains("Allow this?") && screen.contains("You denied what"), "{screen}");
}
