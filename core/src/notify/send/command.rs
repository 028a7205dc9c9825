//! A program that is given the message on standard input.
//!
//! It sees of our environment only what a program needs to start and to find its home, so that no token that Standin was
//! started with is in it. What it prints is nobody's; what it says on standard error is told where it fails.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use standin_state::config::NotifyCommand;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};

use super::silent;
use crate::notify::word::Word;
use crate::outside::Outside;
use crate::processes::{Group, on_path, own_group};
use crate::{Code, Error, Result};

/// Variables of ours that it sees.
const PASSED_ON: [&str; 13] = [
    "PATH",
    "HOME",
    "LANG",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "USERPROFILE",
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "TEMP",
    "TMP",
];
/// How long it may clean up once it was asked to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the last words of one that has ended are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What is kept of its standard error, in bytes.
const SAID: usize = 8 * 1024;
/// What is shown of it, in characters.
const SHOWN: usize = 200;

/// Runs the program to its end, or to its limit: then it is ended with all that it started.
pub(super) async fn run(outside: &Outside, command: &NotifyCommand, word: &Word, limit: Duration) -> Result<()> {
    let what = command.program.display().to_string();
    let message = serde_json::to_vec(word).map_err(|error| {
        Error::new(Code::Internal, format!("the message cannot be written: {error}"), "Please report this.")
    })?;
    let mut child = started(outside, command, word)?.spawn().map_err(|error| not_started(&what, &error))?;
    let mut group = Group::of(child.id());
    match heard(&mut child, &message, limit).await {
        Ok(Some((status, said))) => {
            group.leave();
            judged(&what, status, &said)
        }
        Ok(None) => {
            group.ask_to_end();
            // How it ended is of no interest; what is left of the group is ended in any case.
            let _ = tokio::time::timeout(FAREWELL, child.wait()).await;
            group.end();
            let _ = child.wait().await;
            Err(silent(&what, limit))
        }
        Err(error) => Err(lost(&what, &error)),
    }
}

/// The program with its environment, not started yet.
fn started(outside: &Outside, command: &NotifyCommand, word: &Word) -> Result<Command> {
    let mut started = Command::new(found(outside, command)?);
    started.args(&command.arguments).env_clear();
    for name in PASSED_ON {
        if let Some(value) = outside.environment.get(name) {
            started.env(name, value);
        }
    }
    started.env("STANDIN_EVENT", word.event_words()).env("STANDIN_TITLE", &word.title);
    started.env("STANDIN_REPOSITORY", word.repository.as_ref().map_or("", |repository| repository.as_str()));
    // Never the folder that Standin was started in, which may be a clone.
    let home = outside.environment.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && home.is_dir());
    started.current_dir(home.unwrap_or_else(std::env::temp_dir));
    started.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    own_group(&mut started);
    Ok(started)
}

/// A bare name is looked for on our `PATH`, and nowhere else.
fn found(outside: &Outside, command: &NotifyCommand) -> Result<PathBuf> {
    let program = &command.program;
    if program.components().count() > 1 || program.is_absolute() {
        return Ok(program.clone());
    }
    let path = outside.environment.get("PATH").map_or("", String::as_str);
    program.to_str().and_then(|name| on_path(name, path.as_ref())).ok_or_else(|| {
        Error::new(
            Code::Configuration,
            format!("there is no program `{}` on PATH", program.display()),
            "Write its whole path in standin.toml, or install it.",
        )
    })
}

/// Gives it the message, and hears it until it ends; `None` where it has not by the limit. What it started and left running
/// does not hold us up.
async fn heard(child: &mut Child, message: &[u8], limit: Duration) -> std::io::Result<Option<(ExitStatus, Vec<u8>)>> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // One that does not read it has no use for it.
            let _ = stdin.write_all(message).await;
        }
    };
    let mut said = Vec::new();
    let status = {
        let drain = drained(stderr, &mut said);
        let ends = async { tokio::join!(feed, child.wait()).1 };
        let limit = tokio::time::sleep(limit);
        tokio::pin!(drain, ends, limit);
        let mut is_drained = false;
        let status = loop {
            tokio::select! {
                biased;
                status = &mut ends => break status?,
                () = &mut drain, if !is_drained => is_drained = true,
                () = &mut limit => return Ok(None),
            }
        };
        if !is_drained {
            let _ = tokio::time::timeout(LAST_WORDS, &mut drain).await;
        }
        status
    };
    Ok(Some((status, said)))
}

/// Reads all that is said, and keeps its beginning.
async fn drained(stderr: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = [0; 4 * 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let room = SAID.saturating_sub(said.len());
        said.extend_from_slice(&buffer[..count.min(room)]);
    }
}

fn judged(what: &str, status: ExitStatus, said: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(said);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason");
    let line: String = line.chars().filter(|one| !one.is_control()).take(SHOWN).collect();
    let ended =
        status.code().map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with status {code}"));
    let hint = "It is tried again. Try it by hand with `standin notify test`.";
    Err(Error::passing(Code::UnexpectedAnswer, format!("{what} {ended}: {line}"), hint))
}

fn not_started(what: &str, error: &std::io::Error) -> Error {
    let hint = "Write the whole path of a program that may be run into standin.toml.";
    Error::new(Code::Configuration, format!("{what} cannot be started: {error}"), hint)
}

fn lost(what: &str, error: &std::io::Error) -> Error {
    Error::passing(Code::UnexpectedAnswer, format!("lost touch with {what}: {error}"), "It is tried again.")
}
