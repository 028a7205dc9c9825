//! Mirrors and sources that are folders: nothing of theirs runs, unless the user said so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use standin_tests::cli::{ARCHIVE, Machine, NAME, OWNER, World, branch, refs, set};
use standin_tests::git::{bare, write_hook};

/// Hooks that a push runs in a bare repository.
const PUSH_HOOKS: [&str; 5] = ["pre-receive", "update", "reference-transaction", "post-receive", "post-update"];

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// A program in `folder` that leaves its name in `canaries` when it runs; its path.
fn program(folder: &Path, canaries: &Path, name: &str) -> String {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\ntouch '{}'\n", canaries.join(name).display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").arg("-C").arg(folder).args(identity).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What was planted and ran.
fn ran(canaries: &Path) -> BTreeSet<String> {
    fs::read_dir(canaries).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Plants whatever can name a program into the repository whose folder is `folder` and whose git data is in `git_dir`.
fn plant(world: &World, folder: &Path, git_dir: &Path) -> PathBuf {
    let canaries = world.folder().join("canaries");
    fs::create_dir_all(&canaries).unwrap();
    let programs = world.folder().join("programs");
    for hook in PUSH_HOOKS.into_iter().chain(["proc-receive", "push-to-checkout", "pre-auto-gc", "post-index-change"]) {
        let canary = canaries.join(hook);
        write_hook(git_dir, hook, &format!("touch '{}'", canary.display()));
    }
    // Other objects beside it make git ask which refs they have.
    let beside = world.folder().join("beside.git");
    if !beside.exists() {
        bare(&beside);
    }
    fs::create_dir_all(git_dir.join("objects/info")).unwrap();
    fs::write(git_dir.join("objects/info/alternates"), format!("{}/objects\n", beside.display())).unwrap();
    for key in [
        "core.alternateRefsCommand",
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.editor",
        "core.pager",
        "core.askPass",
        "diff.external",
        "gc.recentObjectsHook",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "filter.planted.smudge",
        "filter.planted.clean",
        "filter.planted.process",
        "hook.planted.command",
    ] {
        let program = program(&programs, &canaries, key);
        let value = if key == "credential.helper" { format!("!{program}") } else { program };
        git(folder, &["config", key, &value]);
    }
    for event in PUSH_HOOKS {
        git(folder, &["config", "--add", "hook.planted.event", event]);
    }
    for (key, value) in [("gc.auto", "1"), ("receive.autogc", "true"), ("gc.autoDetach", "false")] {
        git(folder, &["config", key, value]);
    }
    canaries
}

/// All that a user does with a mirror, with changes and without.
fn use_it(world: &World, machine: &Machine, mirror: &Path) {
    let run = |arguments: &[&str], codes: &[i32]| {
        let ran = machine.standin(arguments);
        assert!(codes.contains(&ran.code()), "{arguments:?}: {}", ran.all());
        ran
    };
    run(&["mirror", "test", ARCHIVE], &[0]);
    run(&["plan", "--mirror", ARCHIVE], &[0]);
    run(&["sync", "--mirror", ARCHIVE], &[0]);
    assert_eq!(refs(mirror)[&branch("main")], refs(&world.primary())[&branch("main")]);
    run(&["sync", "--mirror", ARCHIVE], &[0]);
    let topic = refs(&world.primary())[&branch("topic")];
    world.publish(&branch("topic"), Some(world.commit(None, &[(".gitattributes", "* filter=planted\n")])));
    world.publish(&branch("old"), None);
    run(&["sync", "--mirror", ARCHIVE], &[0]);
    world.intrude(mirror, &branch("main"));
    world.publish(
        &branch("main"),
        Some(world.commit(Some(refs(&world.primary())[&branch("main")]), &[("m.md", "m\n")])),
    );
    run(&["sync", "--mirror", ARCHIVE], &[3]);
    run(&["resolve", ARCHIVE, "main", "overwrite"], &[0, 1, 3]);
    run(&["sync", "--mirror", ARCHIVE], &[0]);
    let rescues = machine.json(&["rescue", "list"]);
    let id = rescues.as_array().unwrap().iter().find(|rescue| rescue["oid"] == topic.to_string().as_str()).unwrap();
    run(&["rescue", "restore", id["id"].as_str().unwrap(), "--to", "refs/heads/again"], &[0]);
    run(&["health"], &[0, 1, 3]);
    run(&["drill", "--check"], &[0, 1, 3]);
}

#[test]
fn nothing_that_a_bare_folder_says_runs() {
    let world = world();
    let archive = world.archive();
    let canaries = plant(&world, &archive, &archive);
    use_it(&world, &world.machine(), &archive);
    assert_eq!(ran(&canaries), BTreeSet::new());
}

#[test]
fn nothing_that_a_folder_with_a_work_tree_says_runs_and_its_branch_in_work_stays() {
    let mut world = world();
    let folder = world.folder().join("work");
    fs::create_dir(&folder).unwrap();
    git(&folder, &["init", "-q", "-b", "in-work"]);
    git(&folder, &["config", "receive.denyCurrentBranch", "updateInstead"]);
    git(&folder, &["fetch", "-q", world.primary().to_str().unwrap(), "main"]);
    git(&folder, &["checkout", "-q", "-b", "main", "FETCH_HEAD"]);
    git(&folder, &["checkout", "-q", "-b", "elsewhere"]);
    let git_dir = folder.join(".git");
    world.set("MIRROR_2_URL", Some(folder.to_str().unwrap()));
    let canaries = plant(&world, &folder, &git_dir);
    let machine = world.machine();
    use_it(&world, &machine, &git_dir);
    assert_eq!(ran(&canaries), BTreeSet::new());

    fs::write(git_dir.join("HEAD"), "ref: refs/heads/topic\n").unwrap();
    let before = refs(&git_dir)[&branch("topic")];
    world.publish(&branch("topic"), Some(world.commit(Some(before), &[("t.md", "t\n")])));
    let refused = machine.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.all().contains("hooks = true"), "{}", refused.all());
    assert_eq!((refs(&git_dir)[&branch("topic")], ran(&canaries)), (before, BTreeSet::new()));
}

#[test]
fn a_hook_that_git_calls_for_in_the_settings_refuses_its_refs_and_does_not_run() {
    let world = world();
    let archive = world.archive();
    let canaries = plant(&world, &archive, &archive);
    git(&archive, &["config", "receive.procReceiveRefs", "refs/heads"]);
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 1);
    assert_eq!(ran(&canaries), BTreeSet::new());
}

#[test]
fn with_hooks_in_the_configuration_file_they_run() {
    let world = world();
    let archive = world.archive();
    let canaries = plant(&world, &archive, &archive);
    let text = format!(
        "[[repository]]\nid = \"orchestrator\"\nsource = \"{OWNER}/{NAME}\"\n[[repository.mirror]]\nid = \"{ARCHIVE}\"\n\
         type = \"git\"\nurl = \"{}\"\nhooks = true\n",
        archive.display()
    );
    let file = world.folder().join("standin.toml");
    fs::write(&file, text).unwrap();
    let machine = world.machine().with("STANDIN_CONFIG", file.display().to_string());
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    let ran = ran(&canaries);
    for planted in PUSH_HOOKS.into_iter().chain(["core.alternateRefsCommand"]) {
        assert!(ran.contains(planted), "{planted}: {ran:?}");
    }
}

#[test]
fn nothing_that_a_source_in_a_folder_says_runs_when_it_is_read_or_given_something() {
    let mut world = world();
    let source = world.folder().join("source.git");
    bare(&source);
    git(&source, &["fetch", "-q", world.primary().to_str().unwrap(), "refs/heads/*:refs/heads/*"]);
    let canaries = plant(&world, &source, &source);
    for name in ["MIRROR_1_TYPE", "MIRROR_1_REPO", "MIRROR_1_TOKEN", "MIRROR_SOURCE_TOKEN"] {
        world.set(name, None);
    }
    let machine = world.machine().with("MIRROR_SOURCE", source.display().to_string());
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let theirs = world.intrude(&world.archive(), &branch("main"));
    set(
        &source,
        &branch("main"),
        standin_tests::cli::commit_in(&source, Some(refs(&source)[&branch("main")]), &[("s", "s")]),
    );
    assert_eq!(machine.standin(&["sync"]).code(), 3);
    let taken = machine.standin(&["resolve", ARCHIVE, "main", "take"]);
    assert_eq!(refs(&source)[&branch(&format!("rescue/{ARCHIVE}/main"))], theirs, "{}", taken.all());
    assert_eq!(ran(&canaries), BTreeSet::new());
}

#[test]
fn a_clone_cannot_make_a_folder_of_its_own_a_mirror() {
    let mut world = world();
    let inside = world.clone_path().join("tools/cache.git");
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    bare(&inside);
    let canaries = plant(&world, &inside, &inside);
    world.set("MIRROR_2_URL", Some("./tools/cache.git"));
    let machine = world.machine();
    for command in ["plan", "sync", "health"] {
        let refused = machine.standin(&[command]);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(refused.stderr.contains("inside the clone"), "{}", refused.stderr);
    }
    let own = machine.with("MIRROR_2_URL", inside.display().to_string());
    let synced = own.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(synced.code(), 0, "the process environment may name it: {}", synced.all());
    assert_eq!(ran(&canaries), BTreeSet::new());
}

/// A mirror's id may name another place by now. What was saved of the first is not the second's.
#[test]
fn a_tip_that_was_saved_of_one_place_goes_to_another_only_where_that_is_named() {
    let mut world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let rewritten = world.commit(None, &[("README.md", "# Begun anew\n")]);
    world.publish(&branch("topic"), Some(rewritten));
    assert_eq!(machine.standin(&["sync", "--yes", "--mirror", ARCHIVE]).code(), 0);
    let saved = machine.json(&["rescue", "list"])[0].clone();
    let (id, target) = (saved["id"].as_str().unwrap(), saved["target"].as_str().unwrap());
    assert_eq!(target, world.archive().display().to_string());

    let other = world.folder().join("other.git");
    bare(&other);
    world.set("MIRROR_2_URL", Some(&other.display().to_string()));
    let restore = ["rescue", "restore", id, "--to", "refs/heads/back"];
    let refused = machine.standin(&restore);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    for place in [target, &other.display().to_string()] {
        assert!(refused.all().contains(place), "{place}: {}", refused.all());
    }
    assert!(refs(&other).is_empty(), "nothing of the first is there");
    let named = machine.standin(&[&restore[..], &["--mirror", ARCHIVE]].concat());
    assert_eq!(named.code(), 0, "{}", named.all());
    assert_eq!(refs(&other)["refs/heads/back"].to_string(), saved["oid"].as_str().unwrap());
}
