//! A process that ends at a named point leaves the old state or the new, never half of one.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use standin_state::store::{JournalKind, Store};
use standin_state::{crash_hook, files};

use crate::locks::this_program;

thread_local! {
    static PASSED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn work(folder: &Path) {
    let store = Store::open(&folder.join("state")).unwrap();
    let (site, backup) = ("site".parse().unwrap(), "backup".parse().unwrap());
    store.open_journal(&site, &backup, JournalKind::ActionsOff, "new".into(), Timestamp::UNIX_EPOCH).unwrap();
    files::write_atomically(&folder.join("status.json"), b"new").unwrap();
}

#[test]
fn every_durable_write_stands_between_two_points() {
    crash_hook::set(|name| PASSED.with_borrow_mut(|passed| passed.push(name.to_owned())));
    let dir = tempfile::tempdir().unwrap();
    work(dir.path());
    let expected = [
        "store.migrate.before",
        "store.migrate.after",
        "store.open_journal.before",
        "store.open_journal.after",
        "files.write.before",
        "files.rename.before",
        "files.rename.after",
    ];
    PASSED.with_borrow(|passed| assert_eq!(passed[..], expected));
}

/// The other process of the next test: ends at the named point.
#[test]
#[ignore = "another test runs it as a second process"]
fn other_process_ends_at_a_point() {
    crash_hook::set(|name| {
        if std::env::var("STANDIN_TEST_POINT").is_ok_and(|point| point == name) {
            std::process::abort();
        }
    });
    work(&PathBuf::from(std::env::var_os("STANDIN_TEST_FOLDER").unwrap()));
}

#[test]
fn a_crash_leaves_the_old_state_or_the_new() {
    for (point, journaled, status) in [
        ("store.migrate.before", false, "old"),
        ("store.migrate.after", false, "old"),
        ("store.open_journal.before", false, "old"),
        ("store.open_journal.after", true, "old"),
        ("files.write.before", true, "old"),
        ("files.rename.before", true, "old"),
        ("files.rename.after", true, "new"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("status.json"), "old").unwrap();
        let mut other = this_program("crash_points::other_process_ends_at_a_point", dir.path());
        let output = other.env("STANDIN_TEST_POINT", point).output().unwrap();
        assert_eq!(output.status.code(), None, "it must end by the signal of abort, at {point}");
        let journals = Store::open(&dir.path().join("state")).unwrap().open_journals(None).unwrap();
        assert_eq!(journals.len(), usize::from(journaled), "{point}");
        assert_eq!(fs::read_to_string(dir.path().join("status.json")).unwrap(), status, "{point}");
    }
}
