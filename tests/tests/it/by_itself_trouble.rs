//! `standin watch` where something goes wrong beside it: nothing that asked for a sync is lost, and nothing is done that nobody asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use standin_tests::cli::{Ran, Running, finish};
use standin_tests::local::{Local, REPOSITORY};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(30);

fn place(local: &Local, mirror: &str) -> PathBuf {
    local.folder().join(format!("{mirror}.git"))
}

fn tip(local: &Local, folder: &Path, name: &str) -> String {
    let found = local.try_git(folder, &["rev-parse", "--verify", "-q", name]);
    String::from_utf8_lossy(&found.stdout).trim().to_owned()
}

/// Waits until a mirror has this at that ref.
fn arrives(local: &Local, mirror: &str, name: &str, wanted: &str) {
    finish(&format!("{name} at {mirror}"), PATIENCE, || tip(local, &place(local, mirror), name) == wanted);
}

fn watch(local: &Local) -> Running {
    let watch = local.machine.start(&["watch"]);
    finish("somebody who keeps the schedule", PATIENCE, || watch.stdout().contains("keeps the schedule of this"));
    watch
}

fn end(watch: Running) -> Ran {
    assert!(Command::new("kill").args(["-s", "TERM", &watch.id().to_string()]).status().unwrap().success());
    watch.wait()
}

fn runs(local: &Local, mirror: &str) -> Vec<Value> {
    local.machine.json(&["history", "--mirror", mirror, "--limit", "0"]).as_array().unwrap().clone()
}

#[test]
fn who_stood_by_takes_over_with_the_configuration_of_that_moment() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("kept", ""), ("removed", "")]);
    let first = watch(&local);
    let second = local.machine.start(&["watch"]);
    finish("the second, which stands by", PATIENCE, || second.stdout().contains("stands by"));
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "kept", "refs/heads/one", &one);
    arrives(&local, "removed", "refs/heads/one", &one);
    local.mirrors("", &[("kept", ""), ("new", "")]);
    finish("the first, which read it", PATIENCE, || first.stdout().contains("read the configuration again"));
    end(first);
    finish("the second, which keeps it", PATIENCE, || second.stdout().contains("keeps the schedule of this"));
    let two = local.update("refs/heads/two", "two");
    arrives(&local, "kept", "refs/heads/two", &two);
    arrives(&local, "new", "refs/heads/two", &two);
    assert_eq!(tip(&local, &place(&local, "removed"), "refs/heads/two"), "", "it is configured no more");
    end(second);
}

#[test]
fn a_commit_beside_a_change_of_the_configuration_is_not_lost() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let watch = watch(&local);
    for number in 0..8_u64 {
        local.mirrors(&format!("# change {number}"), &[("mirror", "")]);
        std::thread::sleep(Duration::from_millis(100 * number + 150));
        let name = format!("refs/heads/b{number}");
        let tip = local.update(&name, &name);
        arrives(&local, "mirror", &name, &tip);
    }
    end(watch);
}

#[test]
fn what_is_asked_for_while_a_repository_is_switched_off_is_done_when_it_is_switched_on() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "mirror", "refs/heads/one", &one);
    local.mirrors("enabled = false", &[("mirror", "")]);
    finish("the configuration read", PATIENCE, || watch.stdout().contains("read the configuration again"));
    let two = local.update("refs/heads/two", "two");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(tip(&local, &place(&local, "mirror"), "refs/heads/two"), "");
    local.mirrors("", &[("mirror", "")]);
    arrives(&local, "mirror", "refs/heads/two", &two);
    end(watch);
}

#[test]
fn what_cannot_be_kept_is_kept_when_that_is_possible_again() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "mirror", "refs/heads/one", &one);
    // What was heard of the first may ask for a sync more.
    let runs = || local.machine.json(&["history"]).as_array().map(Vec::len);
    finish("that nothing goes on", PATIENCE, || {
        let before = runs();
        std::thread::sleep(Duration::from_secs(1));
        runs() == before && local.machine.json(&["status"])["mirrors"][0]["status"] != "syncing"
    });
    // As on a disk that is full: no trigger can be written.
    let store = rusqlite::Connection::open(local.machine.state.join("standin.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON triggers BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    store.execute_batch(full).unwrap();
    let two = local.update("refs/heads/two", "two");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(tip(&local, &place(&local, "mirror"), "refs/heads/two"), "");
    store.execute_batch("DROP TRIGGER full").unwrap();
    arrives(&local, "mirror", "refs/heads/two", &two);
    end(watch);
}

/// Gives a mirror a hook that is not through before a file is there; the file.
fn slow(local: &Local, mirror: &str) -> PathBuf {
    let (hook, go) = (place(local, mirror).join("hooks/pre-receive"), local.folder().join(format!("{mirror}-may")));
    let begun = local.folder().join(format!("{mirror}-begun"));
    let text = format!("#!/bin/sh\ntouch {begun:?}\nwhile [ ! -e {go:?} ] && [ -e {begun:?} ]; do sleep 0.05; done\n");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    go
}

#[test]
fn a_mirror_that_takes_long_holds_up_no_other() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("slow", "hooks = true"), ("fast", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "slow", "refs/heads/one", &one);
    let go = slow(&local, "slow");
    let two = local.update("refs/heads/two", "two");
    arrives(&local, "fast", "refs/heads/two", &two);
    finish("the hook", PATIENCE, || local.folder().join("slow-begun").exists());
    for name in ["refs/heads/three", "refs/heads/four"] {
        let tip = local.update(name, name);
        arrives(&local, "fast", name, &tip);
    }
    assert_eq!(tip(&local, &place(&local, "slow"), "refs/heads/two"), "", "it is at work still");
    let ended = |run: &&Value| !run["finished_iso"].is_null();
    let fast = || runs(&local, "fast").iter().filter(ended).count();
    let before = fast();
    fs::write(go, "").unwrap();
    let four = tip(&local, &local.source, "refs/heads/four");
    arrives(&local, "slow", "refs/heads/four", &four);
    assert!(fast() <= before + 1, "nothing is done again and again: {} after {before}", fast());
    end(watch);
}

#[test]
fn asked_to_stop_it_begins_nothing_more() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let mirrors: Vec<String> = (0..20).map(|number| format!("m{number:02}")).collect();
    let mirrors: Vec<(&str, &str)> =
        mirrors.iter().map(|id| (id.as_str(), if id == "m00" { "hooks = true" } else { "" })).collect();
    local.mirrors("", &mirrors);
    let machine = local.machine.with("STANDIN_PARALLEL", "1");
    let watch = machine.start(&["watch"]);
    let one = local.update("refs/heads/one", "one");
    mirrors.iter().for_each(|(mirror, _)| arrives(&local, mirror, "refs/heads/one", &one));
    let _go = slow(&local, "m00");
    local.update("refs/heads/two", "two");
    finish("the hook", PATIENCE, || local.folder().join("m00-begun").exists());
    let ran = end(watch);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    for (mirror, _) in &mirrors[1..] {
        let runs = runs(&local, mirror);
        let stopped = |run: &&Value| run["status"] == "cancelled" || run["status"] == "running";
        assert_eq!(runs.iter().filter(stopped).count(), 0, "{runs:?}");
    }
    assert!(!ran.all().contains("keychain"), "{}", ran.all());
}

#[test]
fn who_could_not_listen_does_not_stand_by() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let first = watch(&local);
    for (address, words) in
        [("127.0.0.1:18765", "no secret by which webhooks"), ("0.0.0.0:18765", "can be reached from other machines")]
    {
        let refused = local.machine.standin(&["watch", "--listen", address]);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(refused.stderr.contains(words), "{}", refused.all());
    }
    end(first);
}

#[test]
fn where_its_state_folder_is_removed_it_ends_with_words() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "mirror", "refs/heads/one", &one);
    fs::rename(&local.machine.state, local.folder().join("elsewhere")).unwrap();
    let ran = watch.wait();
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(ran.stderr.contains("the state folder was removed or replaced"), "{}", ran.all());
}

#[test]
fn off_is_off_for_everything_but_a_person() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("off", "schedule = \"off\""), ("on", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "on", "refs/heads/one", &one);
    std::thread::sleep(Duration::from_secs(2));
    assert!(runs(&local, "off").is_empty());
    assert!(local.machine.standin(&["sync", "--mirror", "off"]).status.success());
    assert_eq!(tip(&local, &place(&local, "off"), "refs/heads/one"), one);
    end(watch);
    let known = local.machine.json(&["history"]);
    assert_eq!(local.machine.json(&["--repository", REPOSITORY, "history"]), known);
}

#[test]
fn what_is_no_file_is_no_configuration_and_holds_nobody_up() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let watch = watch(&local);
    let one = local.update("refs/heads/one", "one");
    arrives(&local, "mirror", "refs/heads/one", &one);
    let file = local.folder().join("home/.config/standin/standin.toml");
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let refused = local.machine.standin(&["status"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("it is no file"), "{}", refused.all());
    finish("the word of it", PATIENCE, || watch.stdout().contains("it is no file"));
    let two = local.update("refs/heads/two", "two");
    arrives(&local, "mirror", "refs/heads/two", &two);
    assert_eq!(end(watch).code(), 0);
}
