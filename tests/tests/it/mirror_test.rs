//! `standin mirror test` against a real sshd whose key nobody has accepted yet.

use std::fs;

use standin_tests::cli::{ARCHIVE, World, refs};
use standin_tests::git::Sshd;

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_standin-under-test")
}

#[test]
fn an_unknown_host_key_is_shown_and_once_accepted_the_mirror_is_kept_in_step() {
    let mut world = World::new(program());
    let sshd = Sshd::start(&world.folder().join("sshd"));
    world.set("MIRROR_2_URL", Some(&sshd.url(&world.archive())));
    world.set("MIRROR_2_SSH_KEY_PATH", Some(&sshd.user_key.display().to_string()));
    let machine = world.machine();
    let shown = std::process::Command::new("ssh-keygen").arg("-lf").arg(sshd.host_key()).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let fingerprint = shown.split_whitespace().nth(1).unwrap();

    let ran = machine.standin(&["mirror", "test", ARCHIVE]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains(fingerprint) && ran.stdout.contains("--accept-host-key"), "{ran:?}");
    let ran = machine.standin(&["mirror", "test", ARCHIVE]);
    assert_eq!(ran.code(), 1, "looking accepts nothing: {ran:?}");

    let ran = machine.standin(&["mirror", "test", ARCHIVE, "--accept-host-key"]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert!(ran.stdout.contains(&format!("accepted the ssh-ed25519 key {fingerprint} of 127.0.0.1")), "{ran:?}");
    let known = fs::read_to_string(machine.state.join("known_hosts")).unwrap();
    assert_eq!(known, sshd.known_hosts_line());

    let ran = machine.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!(refs(&world.archive()), refs(&world.primary()));
}

#[test]
fn a_changed_host_key_is_shown_and_replaces_the_old_one_only_when_accepted() {
    let mut world = World::new(program());
    let mut sshd = Sshd::start(&world.folder().join("sshd"));
    world.set("MIRROR_2_URL", Some(&sshd.url(&world.archive())));
    world.set("MIRROR_2_SSH_KEY_PATH", Some(&sshd.user_key.display().to_string()));
    let machine = world.machine();
    let accept = ["mirror", "test", ARCHIVE, "--accept-host-key"];
    assert_eq!(machine.standin(&accept).code(), 0);
    sshd.change_host_key();
    let ran = machine.standin(&["mirror", "test", ARCHIVE]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains("is not the one that was accepted before"), "{ran:?}");
    assert_eq!(machine.standin(&accept).code(), 0);
    assert_eq!(fs::read_to_string(machine.state.join("known_hosts")).unwrap(), sshd.known_hosts_line());
}
