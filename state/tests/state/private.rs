//! The state folder is the user's alone: links in it are not followed, and one that others may write is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use standin_state::error::{Code, Error};
use standin_state::lock::{self, MirrorLock};
use standin_state::private;
use standin_state::store::Store;
use tempfile::TempDir;

const OUTSIDE: &str = "somebody's own";

/// A state folder that was used, and a file outside of it.
fn used() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Store::open(&dir.path().join("state")).unwrap().fingerprint_key().unwrap();
    fs::write(dir.path().join("outside"), OUTSIDE).unwrap();
    fs::create_dir(dir.path().join("outside-folder")).unwrap();
    dir
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Nothing outside was changed.
fn untouched(dir: &TempDir) {
    assert_eq!(fs::read_to_string(dir.path().join("outside")).unwrap(), OUTSIDE);
    assert_eq!(fs::read_dir(dir.path().join("outside-folder")).unwrap().count(), 0);
}

fn refused<T>(result: Result<T, Error>, words: &str) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains(words), "{words}: {error:?}");
    assert!(!error.hint.is_empty(), "{error:?}");
}

#[test]
fn a_link_in_the_place_of_the_database_or_a_file_beside_it_is_refused() {
    for end in ["", "-wal", "-shm", "-journal"] {
        let dir = used();
        let path = dir.path().join(format!("state/standin.db{end}"));
        let _ = fs::remove_file(&path);
        symlink(dir.path().join("outside"), &path).unwrap();
        refused(Store::open(&dir.path().join("state")), "is a link");
        untouched(&dir);
        fs::remove_file(&path).unwrap();
        symlink(dir.path().join("not-there"), &path).unwrap();
        refused(Store::open(&dir.path().join("state")), "is a link");
        assert!(!dir.path().join("not-there").exists());
    }
}

#[test]
fn a_second_name_or_a_pipe_in_the_place_of_a_file_is_refused() {
    let dir = used();
    let locks = dir.path().join("site/locks");
    private::create_folder(&locks).unwrap();
    fs::hard_link(dir.path().join("outside"), locks.join("backup.lock")).unwrap();
    refused(
        MirrorLock::try_acquire(&dir.path().join("site"), &"backup".parse().unwrap(), "me").map_err(Error::from),
        "name",
    );
    untouched(&dir);
    let pipe = locks.join("pipe.lock");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(
        MirrorLock::try_acquire(&dir.path().join("site"), &"pipe".parse().unwrap(), "me").map_err(Error::from),
        "no file",
    );
    refused(lock::is_held(&dir.path().join("site"), &"pipe".parse().unwrap()), "no file");
}

#[test]
fn links_in_the_place_of_locks_and_their_folder_are_refused() {
    let dir = used();
    let site = dir.path().join("site");
    let mirror = "backup".parse().unwrap();
    private::create_folder(&site.join("locks")).unwrap();
    for (name, target) in [("backup.lock", "outside"), ("vault.work", "outside"), ("backup.lock", "not-there")] {
        let path = site.join("locks").join(name);
        symlink(dir.path().join(target), &path).unwrap();
        if name == "vault.work" {
            refused(lock::exclusive(&site, "vault"), "link");
        } else {
            refused(MirrorLock::try_acquire(&site, &mirror, "me").map_err(Error::from), "link");
        }
        untouched(&dir);
        assert!(!dir.path().join("not-there").exists());
        fs::remove_file(path).unwrap();
    }
    fs::remove_dir(site.join("locks")).unwrap();
    symlink(dir.path().join("outside-folder"), site.join("locks")).unwrap();
    refused(MirrorLock::try_acquire(&site, &mirror, "me").map_err(Error::from), "is a link");
    refused(lock::exclusive(&site, "vault"), "is a link");
    untouched(&dir);
}

#[test]
fn a_link_in_the_place_of_the_fingerprint_key_is_neither_read_nor_made_true() {
    for target in ["outside", "not-there"] {
        let dir = used();
        let store = Store::open(&dir.path().join("state")).unwrap();
        let key = dir.path().join("state/fingerprint.key");
        fs::remove_file(&key).unwrap();
        symlink(dir.path().join(target), &key).unwrap();
        refused(store.fingerprint_key(), "link");
        untouched(&dir);
        assert!(!dir.path().join("not-there").exists());
    }
}

#[test]
fn a_report_replaces_a_link_and_leaves_what_it_led_to() {
    let dir = used();
    let path = dir.path().join("state/mirror_status.json");
    symlink(dir.path().join("outside"), &path).unwrap();
    standin_state::files::write_atomically(&path, b"ours").unwrap();
    assert_eq!((fs::read(&path).unwrap(), path.is_symlink()), (b"ours".to_vec(), false));
    untouched(&dir);
}

#[test]
fn a_state_folder_that_others_may_write_is_refused_with_the_mend() {
    for open in [0o777, 0o770, 0o720, 0o702, 0o1777] {
        let dir = used();
        let state = dir.path().join("state");
        mode(&state, open);
        let error = Store::open(&state).expect_err("it is refused");
        assert!(error.message.contains(&format!("mode {open:o}")), "{error:?}");
        assert!(error.hint.contains(&format!("chmod go-w {}", state.display())), "{error:?}");
        mode(&state, 0o755);
        Store::open(&state).unwrap();
        let locks = state.join("site/locks");
        private::create_folder(&locks).unwrap();
        mode(&locks, open);
        refused(
            MirrorLock::try_acquire(&state.join("site"), &"a".parse().unwrap(), "me").map_err(Error::from),
            "others may write",
        );
        refused(private::create_folder(&locks), "others may write");
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let dir = used();
    let state = dir.path().join("state");
    // Only root can give things away; others have no folder of somebody else to try.
    if chown(&state, Some(12_345), None).is_ok() {
        refused(Store::open(&state), "belongs to another user (number 12345)");
        chown(&state, Some(0), None).unwrap();
        chown(state.join("standin.db"), Some(12_345), None).unwrap();
        refused(Store::open(&state), "another user");
    }
}

#[test]
fn the_state_folder_itself_may_be_reached_through_a_link() {
    let dir = used();
    symlink(dir.path().join("state"), dir.path().join("link")).unwrap();
    let store = Store::open(&dir.path().join("link")).unwrap();
    assert_eq!(store.folder(), dir.path().canonicalize().unwrap().join("state"));
    store.fingerprint_key().unwrap();
}

#[test]
fn a_state_folder_below_one_that_others_may_write_is_refused_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let above = dir.path().join("shared");
    let state = above.join("deep/state");
    Store::open(&state).unwrap();
    for open in [0o777, 0o775, 0o757, 0o720] {
        mode(&above, open);
        let Err(error) = Store::open(&state) else { panic!("{open:o} is refused") };
        assert!(error.message.contains("put another in the place of the state folder"), "{open:o}: {error:?}");
        assert!(error.hint.contains(&format!("chmod go-w {}`", above.canonicalize().unwrap().display())), "{error:?}");
        // By a link, too.
        let _ = symlink(&state, dir.path().join("link"));
        refused(Store::open(&dir.path().join("link")), "put another in the place");
    }
    // Others cannot move what is not theirs.
    for closed in [0o1777, 0o755, 0o700] {
        mode(&above, closed);
        Store::open(&state).unwrap();
    }
    // Only where this test may give a folder away.
    if chown(&above, Some(12_345), None).is_ok() {
        refused(Store::open(&state), "belongs to another user");
    }
}
