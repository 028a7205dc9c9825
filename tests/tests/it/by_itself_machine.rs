//! `standin watch` on a machine that changes under it: a laptop that is closed, programs that go and come back, a disk without locks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use standin_sandbox::{Effect, Fault, FaultMatcher, Role};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, Ran, Running, STANDBY, World, finish, refs};
use standin_tests::local::Local;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(40);

fn watch(machine: &Machine) -> Running {
    let watch = machine.start(&["watch"]);
    finish("somebody who keeps the schedule", PATIENCE, || watch.stdout().contains("keeps the schedule of this"));
    watch
}

/// Sends a signal to those of the processes that there still are.
fn send(signal: &str, ids: &[u32]) {
    for id in ids {
        Command::new("kill").args(["-s", signal, &id.to_string()]).output().unwrap();
    }
}

fn end(watch: Running) -> Ran {
    send("TERM", &[watch.id()]);
    watch.wait()
}

/// The process and all that it started.
fn family(id: u32) -> Vec<u32> {
    let mut all = vec![id];
    let mut at = 0;
    while at < all.len() {
        let children = fs::read_dir(format!("/proc/{}/task", all[at])).into_iter().flatten().flatten();
        let children = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        all.extend(
            children.flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>()),
        );
        at += 1;
    }
    all
}

/// How a mirror stands.
fn mirror(machine: &Machine, id: &str) -> Value {
    let status = machine.json(&["status"]);
    let mirrors = status["mirrors"].as_array().unwrap();
    mirrors.iter().find(|mirror| mirror["id"] == id).unwrap_or_else(|| panic!("{status}")).clone()
}

fn in_step(machine: &Machine, id: &str) {
    finish(&format!("{id} in step"), PATIENCE, || mirror(machine, id)["standing"]["word"] == "in_step");
}

/// Closed while the host takes the push in; it waits for nobody: the connection is gone when the laptop is opened.
fn closed_in_a_push(effect: Effect) {
    let world = World::new(PROGRAM);
    let machine = world.machine();
    let push = FaultMatcher::git(&format!("/{BACKUP}/{NAME}.git/git-receive-pack"));
    world.sandbox.add_fault(Fault::once(push.clone(), Effect::Latency(Duration::from_secs(3))));
    world.sandbox.add_fault(Fault::once(push, effect));
    let watch = watch(&machine);
    let pushes = |done: bool| {
        let requests = world.sandbox.requests();
        requests.iter().any(|one| one.path.ends_with("/git-receive-pack") && one.duration.is_some() == done)
    };
    finish("a push", PATIENCE, || pushes(false));
    let asleep = family(watch.id());
    send("STOP", &asleep);
    finish("the host's end of it", PATIENCE, || pushes(true));
    // What others read meanwhile is what was so; nobody takes the work away from who sleeps.
    let seen = mirror(&machine, STANDBY);
    assert_eq!(seen["status"], "syncing", "{seen}");
    send("CONT", &asleep);
    finish("the same refs", PATIENCE, || refs(&world.standby()) == refs(&world.primary()));
    in_step(&machine, STANDBY);
    end(watch);
    let runs = machine.json(&["history", "--mirror", STANDBY, "--limit", "0"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["status"] != "interrupted"), "{runs}");
}

#[test]
fn a_laptop_closed_in_the_middle_of_a_push_that_arrives_goes_on() {
    closed_in_a_push(Effect::CutAfter);
}

#[test]
fn a_laptop_closed_in_the_middle_of_a_push_that_is_lost_goes_on() {
    closed_in_a_push(Effect::CutBefore);
}

#[test]
fn a_git_that_is_taken_away_is_named_and_one_that_comes_back_is_used() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let git = local.folder().join("git");
    let found = Command::new("sh").args(["-c", "command -v git"]).output().unwrap();
    let real = std::env::var_os("STANDIN_GIT")
        .map_or_else(|| PathBuf::from(String::from_utf8(found.stdout).unwrap().trim()), PathBuf::from);
    symlink(&real, &git).unwrap();
    let machine = local.machine.with("STANDIN_GIT", git.display().to_string());
    let watch = watch(&machine);
    let tip = |name: &str| {
        let found = local.try_git(&local.folder().join("mirror.git"), &["rev-parse", "--verify", "-q", name]);
        String::from_utf8_lossy(&found.stdout).trim().to_owned()
    };
    let one = local.update("refs/heads/one", "one");
    finish("the first", PATIENCE, || tip("refs/heads/one") == one);
    in_step(&machine, "mirror");
    fs::remove_file(&git).unwrap();
    let two = local.update("refs/heads/two", "two");
    finish("a failure", PATIENCE, || mirror(&local.machine, "mirror")["standing"]["word"] == "failed");
    let said = local.machine.standin(&["status"]).stdout;
    assert!(said.contains(&git.display().to_string()) && said.contains("git"), "{said}");
    // Another version, as after an update: a script that starts it.
    fs::write(&git, format!("#!/bin/sh\nexec {real:?} \"$@\"\n")).unwrap();
    fs::set_permissions(&git, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // It is asked for by hand, or the minute of the next try is over.
    assert!(machine.standin(&["sync"]).status.success());
    assert_eq!(tip("refs/heads/two"), two);
    let three = local.update("refs/heads/three", "three");
    finish("the one that runs, with it", PATIENCE, || tip("refs/heads/three") == three);
    in_step(&machine, "mirror");
    end(watch);
}

/// Whose gh is signed in with a token that may write to both repositories.
fn signed_in(world: &World) -> PathBuf {
    world.sandbox.add_collaborator(BACKUP, NAME, OWNER, Role::Admin);
    let folder = world.folder().join("users-gh");
    fs::create_dir_all(&folder).unwrap();
    let hosts = format!("github.com:\n    oauth_token: {}\n    user: {OWNER}\n", world.source_token);
    fs::write(folder.join("hosts.yml"), hosts).unwrap();
    folder
}

#[test]
fn a_gh_that_is_taken_away_stops_no_sync_and_is_named_where_its_token_is_missed() {
    let mut world = World::new(PROGRAM);
    world.set("MIRROR_1_TOKEN", None);
    world.set("MIRROR_SOURCE_TOKEN", None);
    let gh = world.folder().join("gh-program");
    let real = PathBuf::from(std::env::var_os("STANDIN_GH").expect("STANDIN_GH"));
    symlink(&real, &gh).unwrap();
    let machine = world
        .machine()
        .with("STANDIN_GH", gh.display().to_string())
        .with("GH_CONFIG_DIR", signed_in(&world).display().to_string());
    let watch = watch(&machine);
    finish("the same refs", PATIENCE, || refs(&world.standby()) == refs(&world.primary()));
    in_step(&machine, STANDBY);
    fs::remove_file(&gh).unwrap();
    world.change_secret("DATABASE_URL");
    let status = |word: &str| mirror(&machine, STANDBY)["standing"]["word"] == word;
    finish("a failure", PATIENCE, || status("failed"));
    // What was known is kept, and who gave the token until now is named.
    let said = machine.standin(&["status"]).stdout;
    for words in [
        "gh gave its own until now",
        "`gh auth status`",
        "`standin token set mirror-1`",
        "`standin token set source`",
        "3/3",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    symlink(&real, &gh).unwrap();
    // By hand, as the next try is a minute away.
    assert!(machine.standin(&["sync"]).status.success());
    assert!(status("in_step"));
    end(watch);
}

/// A library that refuses a kind of lock, as a network share does whose locks are switched off.
fn refuses(folder: &Path, body: &str) -> PathBuf {
    let (source, library) = (folder.join("refuses.c"), folder.join("refuses.so"));
    fs::write(&source, body).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    library
}

#[test]
fn a_state_folder_on_a_disk_that_refuses_locks_is_refused_with_words() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let whole_files = "#include <errno.h>\nint flock(int file, int operation) { errno = ENOLCK; return -1; }\n";
    let ranges = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <fcntl.h>\n#include <stdarg.h>\n\
                  static int refused(int what) { return what == F_SETLK || what == F_SETLKW; }\n\
                  #define REFUSE(name) int name(int file, int what, ...) { va_list rest; va_start(rest, what); \\\n\
                  void *argument = va_arg(rest, void *); va_end(rest); \\\n\
                  if (refused(what)) { errno = ENOLCK; return -1; } \\\n\
                  return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name))(file, what, argument); }\n\
                  REFUSE(fcntl)\nREFUSE(fcntl64)\n";
    for (kind, body) in [("of whole files", whole_files), ("of ranges", ranges)] {
        let library = refuses(local.folder(), body);
        let machine = local.machine.with("LD_PRELOAD", library.display().to_string());
        for command in ["watch", "sync"] {
            let ran = machine.start(&[command]).wait();
            assert_eq!(ran.code(), 1, "{kind}, {command}: {ran:?}");
            for words in ["No locks available", "a disk that supports file locks"] {
                assert!(ran.all().contains(words), "{kind}, {command}: {ran:?}");
            }
            assert!(!ran.all().contains("another program"), "{kind}, {command}: {ran:?}");
        }
    }
    // Nothing is in the way where they work again.
    assert!(local.machine.standin(&["sync"]).status.success());
}
