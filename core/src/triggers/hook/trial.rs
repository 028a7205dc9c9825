//! The hook is run as git runs it, to see that it does what it is for. It is byte for byte what Standin wrote; in a test it hands
//! on to no other hook, and leaves a file of another name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::script::{Entry, TEST, TEST_END, Travels};
use crate::git::{AT_WORK, GitProgram};

/// How long the hook may take in a test.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs it, and says what is wrong and what to do.
pub(super) async fn run(git: &GitProgram, file: &Path, entry: &Entry) -> Result<(), (String, String)> {
    let mut left: OsString = entry.drop.clone().into_os_string();
    left.push(TEST_END.to_string());
    let left = PathBuf::from(left);
    // Nothing of an earlier test may be taken for this one's.
    let _ = std::fs::remove_file(&left);
    let started = start(git, file, entry);
    let ended = match tokio::time::timeout(LIMIT, started).await {
        Ok(Ok(status)) if status.success() => None,
        Ok(Ok(status)) => Some(format!("it ended with {status}")),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("it took longer than {} seconds", LIMIT.as_secs())),
    };
    let is_left = std::fs::remove_file(&left).is_ok();
    let why = match (ended, is_left) {
        (None, true) => return Ok(()),
        (Some(why), _) => why,
        (None, false) => format!("it left no file at {}", entry.drop.display()),
    };
    Err((
        format!("the hook {} does not work: {why}", file.display()),
        "Check that it is executable, that its disk is not mounted `noexec`, and that `/bin/sh` is a POSIX shell."
            .to_owned(),
    ))
}

async fn start(git: &GitProgram, file: &Path, entry: &Entry) -> std::io::Result<std::process::ExitStatus> {
    let mut command = git.beside(file);
    command.env("GIT_DIR", &entry.common).env(AT_WORK, TEST).arg("committed").current_dir(&entry.common);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let name = match entry.travels {
            Travels::Own => "refs/heads/standin-test",
            Travels::OfRemotes => "refs/remotes/standin/test",
        };
        let zeros = "0".repeat(40);
        // It may have ended before it read all of it, as git lets it.
        let _ = input.write_all(format!("{zeros} {zeros} {name}\n").as_bytes()).await;
    }
    child.wait().await
}
