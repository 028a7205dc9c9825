//! What is left by a hook is handed over once, whatever happens meanwhile; what is none of ours is put aside and told.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use standin_state::drops::{self, Dropped};
use standin_state::error::{Code, Error};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = drops::folder(dir.path()).unwrap();
    (dir, folder)
}

fn swept(state_dir: &Path) -> (Vec<Dropped>, Vec<Error>) {
    let mut found = Vec::new();
    let refused = drops::sweep(state_dir, |dropped| {
        found.push(dropped.clone());
        Ok(())
    });
    (found, refused.unwrap())
}

fn told(found: &[Dropped]) -> Vec<(&str, &str)> {
    found.iter().map(|dropped| (dropped.repository.as_str(), dropped.words.as_str())).collect()
}

#[test]
fn what_is_left_is_handed_over_once() {
    let (dir, folder) = place();
    assert_eq!(swept(dir.path()), (vec![], vec![]));
    fs::write(folder.join("hook.site"), "refs/heads/main\nmore").unwrap();
    fs::write(folder.join("hook.a.b_c-1"), "").unwrap();
    // With the umask that a hook may run under; nobody else can enter the folder.
    fs::set_permissions(folder.join("hook.site"), fs::Permissions::from_mode(0o666)).unwrap();
    let (found, refused) = swept(dir.path());
    assert_eq!(told(&found), [("a.b_c-1", ""), ("site", "refs/heads/main")]);
    assert_eq!(refused, vec![]);
    assert_eq!(swept(dir.path()), (vec![], vec![]));
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_could_not_be_kept_is_handed_over_again_and_joined_by_what_came_since() {
    let (dir, folder) = place();
    fs::write(folder.join("hook.site"), "refs/heads/one").unwrap();
    let full = Error::new(Code::Storage, "full", "");
    assert_eq!(drops::sweep(dir.path(), |_| Err(full.clone())).unwrap_err(), full);
    fs::write(folder.join("hook.site"), "refs/heads/two").unwrap();
    assert_eq!(told(&swept(dir.path()).0), [("site", "refs/heads/two")]);
}

#[test]
fn what_is_left_while_one_is_being_kept_is_found_by_the_next_sweep() {
    let (dir, folder) = place();
    fs::write(folder.join("hook.site"), "refs/heads/one").unwrap();
    let mut first = Vec::new();
    drops::sweep(dir.path(), |dropped| {
        first.push(dropped.words.clone());
        fs::write(folder.join("hook.site"), "refs/heads/two").unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(first, ["refs/heads/one"]);
    assert_eq!(told(&swept(dir.path()).0), [("site", "refs/heads/two")]);
}

#[test]
fn what_is_none_of_ours_is_put_aside_unread_told_once_and_stops_nothing() {
    let (dir, folder) = place();
    let canary = dir.path().join("canary");
    fs::write(&canary, "CANARY").unwrap();
    let ran = dir.path().join("ran");
    fs::write(folder.join("run-me.sh"), format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    fs::set_permissions(folder.join("run-me.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink(&canary, folder.join("hook.link")).unwrap();
    fs::write(folder.join("hook.big"), vec![b'x'; 5000]).unwrap();
    fs::write(folder.join("hook...evil"), "").unwrap();
    fs::write(folder.join("hook.\u{1b}[31m"), "").unwrap();
    fs::create_dir(folder.join("hook.dir")).unwrap();
    nix_mkfifo(&folder.join("hook.pipe"));
    fs::write(folder.join("hook.site"), "refs/heads/main").unwrap();
    let (found, refused) = swept(dir.path());
    let names: Vec<&str> = found.iter().map(|dropped| dropped.repository.as_str()).collect();
    assert!(names.contains(&"site"), "{names:?}");
    let messages: String = refused.iter().map(|error| format!("{} | {}\n", error.message, error.hint)).collect();
    for (name, why) in [
        ("run-me.sh", "nothing of that name"),
        ("hook.link", "it is a link"),
        ("hook.big", "5000 bytes"),
        ("hook...evil", "names no repository"),
        ("hook.\\u{1b}[31m", "names no repository"),
        ("hook.dir", "it is no file"),
        ("hook.pipe", "it is no file"),
    ] {
        let line = messages.lines().find(|line| line.contains(&format!("`{name}`")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {messages}");
    }
    assert!(!messages.contains("CANARY") && !found.iter().any(|dropped| dropped.words.contains("CANARY")));
    assert!(!messages.contains('\u{1b}'));
    assert!(!ran.exists());
    assert_eq!(fs::read_to_string(&canary).unwrap(), "CANARY");
    assert_eq!(swept(dir.path()), (vec![], vec![]), "told once");
    assert_eq!(fs::read_dir(dir.path().join(".triggers/refused")).unwrap().count(), 7);
}

fn nix_mkfifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let (dir, folder) = place();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let error = drops::sweep(dir.path(), |_| Ok(())).unwrap_err();
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains("others may write"), "{}", error.message);
}
