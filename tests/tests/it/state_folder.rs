//! What somebody else put into the state folder is neither read nor written, and said.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use standin_tests::cli::{ARCHIVE, Machine, STANDBY, World, refs};

/// The repository's folder in the state folder.
const FOLDER: &str = "ada.orchestrator";

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

fn in_step(world: &World) -> Machine {
    let machine = world.machine();
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    machine
}

/// Moves what is at `path` away and puts a link to it in its place; where it is now.
fn replace_by_link(path: &Path) -> PathBuf {
    let away = path.with_extension("elsewhere");
    fs::rename(path, &away).unwrap();
    symlink(&away, path).unwrap();
    away
}

#[test]
fn links_in_the_place_of_folders_and_locks_of_a_repository_stop_it() {
    let world = world();
    let machine = in_step(&world);
    for name in [
        FOLDER.to_owned(),
        format!("{FOLDER}/cache.git"),
        format!("{FOLDER}/cache.git/objects"),
        format!("{FOLDER}/cache.git/config"),
        format!("{FOLDER}/cache.git/refs"),
        format!("{FOLDER}/cache.git/refs/heads"),
        format!("{FOLDER}/cache.lock"),
        format!("{FOLDER}/locks"),
        format!("{FOLDER}/locks/{STANDBY}.lock"),
    ] {
        let path = machine.state.join(&name);
        let away = replace_by_link(&path);
        let before = listing(&away);
        let ran = machine.standin(&["sync"]);
        assert_eq!(ran.code(), 1, "{name}: {}", ran.all());
        assert!(ran.all().contains("link"), "{name}: {}", ran.all());
        assert_eq!(listing(&away), before, "{name}");
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
    }
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "all is in its place again: {}", ran.all());
}

/// Names, lengths and times of all below `path`.
fn listing(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let data = path.symlink_metadata().unwrap();
        found.push(format!("{} {} {:?}", path.display(), data.len(), data.modified().unwrap()));
        if data.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_state_folder_that_others_may_write_is_used_by_no_command() {
    let world = world();
    let machine = in_step(&world);
    for (path, commands) in [
        (machine.state.clone(), &[&["status"][..], &["plan"], &["sync"], &["health"], &["secret", "list"]][..]),
        (machine.state.join(FOLDER), &[&["plan"][..], &["sync"]]),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        for command in commands {
            let ran = machine.standin(command);
            assert_eq!(ran.code(), 1, "{command:?}: {}", ran.all());
            let mend = format!("chmod go-w {}", path.canonicalize().unwrap().display());
            assert!(ran.all().contains(&mend), "{command:?}: {}", ran.all());
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(machine.standin(&["sync"]).code(), 0);
}

#[test]
fn a_memory_or_a_cache_that_others_may_write_is_refused_with_the_mend() {
    let world = world();
    let machine = in_step(&world);
    let folder = machine.state.join(FOLDER);
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for opened in ["", FOLDER, &format!("{FOLDER}/cache.git")] {
        set(&machine.state.join(opened), 0o755);
    }
    for (path, mode, good) in [
        (machine.state.join("standin.db"), 0o666, 0o600),
        (folder.join("cache.git/objects"), 0o777, 0o755),
        (folder.join("cache.git/refs"), 0o775, 0o755),
    ] {
        set(&path, mode);
        let refused = machine.standin(&["sync"]);
        assert_eq!(refused.code(), 1, "{}: {}", path.display(), refused.all());
        assert!(refused.all().contains("chmod go-w"), "{}: {}", path.display(), refused.all());
        set(&path, good);
        assert_eq!(machine.standin(&["sync"]).code(), 0, "{}", path.display());
    }
}

#[test]
fn a_home_that_is_no_whole_path_is_no_home() {
    let world = world();
    let machine = world.machine();
    let there = machine.folder.join(".config/standin");
    fs::create_dir_all(&there).unwrap();
    fs::write(there.join("standin.toml"), "[[repository]]\nid = \"theirs\"\nsource = \"mallory/loot\"\n").unwrap();
    let mut machine = machine.with("HOME", ".");
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "STANDIN_STATE_DIR", "STANDIN_CONFIG"] {
        machine.environment.remove(name);
    }
    for command in ["status", "sync"] {
        let refused = machine.standin(&[command]);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(refused.all().contains("HOME is `.`"), "{}", refused.all());
    }
    assert!(!machine.folder.join(".local").exists(), "nothing is made there");
}

#[test]
fn every_file_and_folder_is_for_its_owner_only() {
    let world = world();
    let machine = in_step(&world);
    // What git and gh make stands in folders that nobody else may enter.
    let mut open = vec![machine.state.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let name = entry.file_name().to_string_lossy().into_owned();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
            if entry.metadata().unwrap().is_dir() && !["cache.git", "gh"].contains(&name.as_str()) {
                open.push(entry.path());
            }
        }
    }
}

#[test]
fn the_vault_is_not_read_through_a_link() {
    let world = world();
    let machine = in_step(&world);
    let outside = world.folder().join("outside");
    fs::write(&outside, "somebody's own").unwrap();
    symlink(&outside, machine.state.join("standin.vault")).unwrap();
    let ran = machine.standin(&["secret", "list"]);
    assert_eq!(ran.code(), 1, "{}", ran.all());
    assert!(ran.all().contains("link"), "{}", ran.all());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "somebody's own");
}

#[test]
fn a_state_folder_behind_a_link_of_the_user_is_used() {
    let world = world();
    let machine = in_step(&world);
    let link = world.folder().join("link");
    symlink(&machine.state, &link).unwrap();
    let machine = machine.with("STANDIN_STATE_DIR", link.display().to_string());
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    assert_eq!(refs(&world.archive()), refs(&world.primary()));
}
