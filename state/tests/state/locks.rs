//! One run at a time on each mirror, across threads and processes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use standin_state::error::{Code, Error};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::MirrorId;

fn mirror() -> MirrorId {
    "backup".parse().unwrap()
}

fn held(folder: &Path) -> Option<String> {
    lock::is_held(folder, &mirror()).unwrap()
}

fn refusal(folder: &Path) -> Refusal {
    MirrorLock::try_acquire(folder, &mirror(), "bob").expect_err("somebody has it")
}

/// This test program again, to run one ignored test of it as another process.
pub fn this_program(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("STANDIN_TEST_FOLDER", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The other process of the next tests: takes the lock, says so, and holds it until it is killed.
#[test]
#[ignore = "another test runs it as a second process"]
fn other_process_holds_the_lock() {
    let folder = std::env::var_os("STANDIN_TEST_FOLDER").unwrap();
    let text = lock::holder("ann@laptop cli", "2026-02-07T18:01:07.9Z".parse().unwrap());
    let _lock = MirrorLock::try_acquire(folder.as_ref(), &mirror(), &text).unwrap();
    println!("\nholding");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::process::abort();
}

#[test]
fn a_lock_is_given_once_and_again_when_it_was_dropped() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(held(dir.path()), None);
    let lock = MirrorLock::try_acquire(dir.path(), &mirror(), "ann@laptop pid 1, since now").unwrap();
    assert_eq!(held(dir.path()).as_deref(), Some("ann@laptop pid 1, since now"));
    assert_eq!(refusal(dir.path()), Refusal::Held { holder: "ann@laptop pid 1, since now".to_owned() });
    let other: MirrorId = "archive".parse().unwrap();
    assert!(MirrorLock::try_acquire(dir.path(), &other, "x").is_ok(), "another mirror has its own lock");
    drop(lock);
    assert_eq!(held(dir.path()), None);
    let again = MirrorLock::try_acquire(dir.path(), &mirror(), "b").unwrap();
    assert_eq!(held(dir.path()).as_deref(), Some("b"), "a shorter text leaves nothing of a longer one");
    drop(again);
}

#[test]
fn another_process_is_refused_and_told_who_and_a_dead_one_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = this_program("locks::other_process_holds_the_lock", dir.path()).spawn().unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "holding"));
    let expected = format!("ann@laptop cli pid {}, since 2026-02-07T18:01:07Z", other.id());
    assert_eq!(held(dir.path()), Some(expected.clone()));
    assert_eq!(refusal(dir.path()), Refusal::Held { holder: expected });
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(held(dir.path()), None, "its text is still in the file, but nobody holds the lock");
    assert!(MirrorLock::try_acquire(dir.path(), &mirror(), "bob").is_ok());
}

#[test]
fn asking_who_holds_a_lock_never_makes_it_look_held() {
    let dir = tempfile::tempdir().unwrap();
    drop(MirrorLock::try_acquire(dir.path(), &mirror(), "first").unwrap());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    held(dir.path());
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            });
        }
        let refused = (0..100).filter(|_| MirrorLock::try_acquire(dir.path(), &mirror(), "x").is_err()).count();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
}

#[test]
fn of_many_that_ask_at_once_exactly_one_has_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let locks: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| MirrorLock::try_acquire(dir.path(), &mirror(), "x"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(locks.iter().filter(|lock| lock.is_ok()).count(), 1);
}

#[test]
fn a_refusal_reads_as_an_error_for_people() {
    let error = Error::from(Refusal::Held { holder: "ann@laptop pid 7, since 2026-02-07T18:01:07Z".to_owned() });
    assert_eq!((error.code, error.retryable), (Code::Busy, true));
    insta::assert_snapshot!(format!("{}\n{}", error.message, error.hint));
}

#[test]
fn a_lock_file_that_cannot_be_made_is_a_storage_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("locks"), "a file in the way").unwrap();
    let Refusal::Failed(error) = refusal(dir.path()) else { panic!("nobody holds it") };
    assert_eq!(error.code, Code::Storage);
}
