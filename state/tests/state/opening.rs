//! Opening the memory: private, whole, of this version, or a clear error.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;
use standin_state::error::{Code, Error};
use standin_state::store::{AuditFilter, RunFilter, Store};

fn open_fails(folder: &Path) -> Error {
    Store::open(folder).expect_err("it must not open")
}

fn told(folder: &Path, error: &Error) -> String {
    format!("{:?}\n{}\n{}", error.code, error.message, error.hint).replace(&folder.display().to_string(), "[dir]")
}

#[cfg(unix)]
#[test]
fn the_folder_and_all_files_in_it_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a/state");
    let store = Store::open(&folder).unwrap();
    store.set_last_full_sync(&"site".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
    store.fingerprint_key().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["fingerprint.key", "standin.db", "standin.db-shm", "standin.db-wal"]);
}

#[cfg(unix)]
#[test]
fn a_database_that_others_could_read_is_closed_to_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let path = dir.path().join("standin.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_database_is_wal_strict_and_of_the_newest_version() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join("standin.db")).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA journal_mode"), "wal");
    assert_eq!(number("PRAGMA user_version"), 13);
    let loose =
        "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'";
    assert_eq!(number(loose), 0);
    assert!(number("SELECT count(*) FROM pragma_table_list WHERE strict") > 10);
}

#[test]
fn a_database_of_version_1_is_brought_up_with_all_that_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("standin.db")).unwrap();
    connection.execute_batch(include_str!("../../migrations/0001_history.sql")).unwrap();
    connection
        .execute_batch(
            "PRAGMA user_version = 1;
             INSERT INTO runs VALUES ('r1', 'site', 'backup', 'manual', 'success', 1, 2, NULL, 3, 4, 5, 6, 7, 8);
             INSERT INTO audit (at_ns, actor, action, detail, outcome) VALUES (1, 'ann@laptop cli', 'sync', 'd', 'ok');",
        )
        .unwrap();
    drop(connection);
    let store = Store::open(dir.path()).unwrap();
    let runs = store.runs(&RunFilter::default()).unwrap();
    assert_eq!((runs.len(), runs[0].totals.bytes_received), (1, 8));
    assert_eq!(store.audit(&AuditFilter::default()).unwrap().len(), 1);
    assert!(store.rescues(None, None).unwrap().is_empty(), "the tables of version 2 are there");
    let counted = store.run_counts().unwrap();
    assert_eq!((counted.len(), counted[0].runs, counted[0].bytes_received), (1, 1, 8), "the history is counted");
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("standin.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE later (x); PRAGMA user_version = 99;").unwrap();
    let before = fs::read(&path).unwrap();
    let error = open_fails(dir.path());
    assert_eq!(fs::read(&path).unwrap(), before);
    insta::assert_snapshot!(told(dir.path(), &error));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("standin.db");
    fs::write(&path, "this was a database once, before the disk failed\n".repeat(100)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = open_fails(dir.path());
    assert_eq!(fs::read(&path).unwrap(), before);
    insta::assert_snapshot!(told(dir.path(), &error));
}

#[test]
fn a_database_with_overwritten_pages_is_told_to_be_damaged() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let path = dir.path().join("standin.db");
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 8192);
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = Store::open(dir.path())
        .and_then(|store| store.runs(&RunFilter::default()).map(drop))
        .expect_err("the damage must be noticed");
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains("is damaged"), "{}", error.message);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let folder = dir.path().join("file/state");
    insta::assert_snapshot!(told(dir.path(), &open_fails(&folder)));
}

#[test]
fn many_that_open_a_new_database_at_once_all_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let errors: Vec<Error> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(|| Store::open(&folder).map(drop))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(errors.is_empty(), "{errors:?}");
}
