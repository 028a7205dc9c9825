//! One running program: started in a process group of its own, heard while it runs, and ended with all its
//! children when it is cancelled or says nothing for too long.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::processes::{Group, own_group};
use crate::{Code, Error, Result};

/// How much of standard output is kept at most; beyond it the other side is not sane.
pub(super) const MAX_OUTPUT: usize = 512 * 1024 * 1024;
/// How many lines of standard error are kept at most, the last ones.
const MAX_LINES: usize = 4_000;
/// How long a line of standard error may be, in bytes; the rest is dropped.
const MAX_LINE: usize = 8 * 1024;
/// How long a program has to clean up after being asked to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What standard input is.
pub(super) enum Input {
    /// Empty.
    Nothing,
    /// An empty file that the child holds open as long as it lives: a lock of ours, so that it outlives us if we
    /// die before the child does.
    Held(std::fs::File),
}

/// How a program ended by itself.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// Lines of standard error, without progress.
    pub(super) lines: Vec<String>,
}

/// One call of a program.
pub(super) struct Call<'a> {
    /// What the program is doing, for messages: `listing the refs of …`.
    pub(super) what: &'a str,
    pub(super) command: Command,
    pub(super) input: Input,
    /// How long it may go without a word.
    pub(super) silent_limit: Duration,
    pub(super) cancel: &'a CancellationToken,
    /// Hears each line of standard error; `true` when it was progress and need not be kept.
    pub(super) on_line: &'a mut (dyn FnMut(&str) -> bool + Send),
}

impl Call<'_> {
    /// Runs the program to its end.
    ///
    /// # Errors
    /// [`Code::Cancelled`], [`Code::TimedOut`], or [`Code::GitFailed`] when it could not be started. Then none of its
    /// processes is left.
    pub(super) async fn run(self) -> Result<Ended> {
        let Call { what, mut command, input, silent_limit, cancel, on_line } = self;
        if cancel.is_cancelled() {
            return Err(cancelled(what));
        }
        let stdin = match input {
            Input::Nothing => Stdio::null(),
            Input::Held(file) => Stdio::from(file),
        };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        own_group(&mut command);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| {
            Error::new(
                Code::GitFailed,
                format!("{what}: cannot start `{program}`: {error}"),
                "Check that the program is installed and may be run.",
            )
        })?;
        drop(command);
        let mut group = Group::of(child.id());

        let heard = hear(&mut child, silent_limit, cancel, on_line).await;
        let stopped = match heard {
            Ok(ended) => {
                group.leave();
                return Ok(ended);
            }
            Err(stopped) => stopped,
        };
        end(&mut group, &mut child).await;
        Err(match stopped {
            Stopped::Cancelled => cancelled(what),
            Stopped::Silent => silent(what, silent_limit),
            Stopped::TooMuch => Error::new(
                Code::UnexpectedAnswer,
                format!("{what}: the answer is longer than {} MiB", MAX_OUTPUT >> 20),
                "Check that the address belongs to a git repository.",
            ),
            Stopped::Broken(error) => Error::passing(
                Code::GitFailed,
                format!("{what}: lost touch with `{program}`: {error}"),
                "Try again; if it happens again, see whether this machine has enough memory and open files.",
            ),
        })
    }
}

/// Asks the child's whole group to end, which lets git remove its temporary files, and then makes it.
async fn end(group: &mut Group, child: &mut Child) {
    group.ask_to_end();
    if cfg!(unix) {
        // How it ended is of no interest; what is left of the group is ended in any case.
        let _ = tokio::time::timeout(FAREWELL, child.wait()).await;
    }
    group.end();
    let _ = child.wait().await;
}

pub(super) fn cancelled(what: &str) -> Error {
    Error::new(Code::Cancelled, format!("{what}: stopped"), "Run it again when you like; nothing is lost.")
}

/// Nothing was heard for as long as `limit`.
pub(super) fn silent(what: &str, limit: Duration) -> Error {
    Error::passing(
        Code::TimedOut,
        format!("{what}: no sign of life for {} s", limit.as_secs_f32()),
        "The host hangs or is very slow. Try again later, or raise `[limits] request`.",
    )
}

enum Stopped {
    Cancelled,
    Silent,
    TooMuch,
    Broken(std::io::Error),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}

async fn hear(
    child: &mut Child,
    silent_limit: Duration,
    cancel: &CancellationToken,
    on_line: &mut (dyn FnMut(&str) -> bool + Send),
) -> Result<Ended, Stopped> {
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Stopped::Broken(std::io::ErrorKind::BrokenPipe.into()));
    };
    let (mut out_open, mut err_open) = (true, true);
    let mut out = Vec::new();
    let mut lines = Lines::default();
    let mut status = None;
    let (mut out_buffer, mut err_buffer) = (vec![0; 64 * 1024], vec![0; 16 * 1024]);
    let mut deadline = Instant::now() + silent_limit;
    let status = loop {
        if let Some(status) = status.filter(|_| !out_open && !err_open) {
            break status;
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Stopped::Cancelled),
            read = stdout.read(&mut out_buffer), if out_open => {
                let read = read?;
                out_open = read > 0;
                if out.len() + read > MAX_OUTPUT {
                    return Err(Stopped::TooMuch);
                }
                out.extend_from_slice(&out_buffer[..read]);
                if status.is_none() { deadline = Instant::now() + silent_limit; }
            }
            read = stderr.read(&mut err_buffer), if err_open => {
                let read = read?;
                err_open = read > 0;
                lines.hear(&err_buffer[..read], on_line);
                if status.is_none() { deadline = Instant::now() + silent_limit; }
            }
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                // What it wrote is in the pipes by now; only a grandchild that lives on could hold them open.
                deadline = Instant::now() + FAREWELL;
            }
            () = tokio::time::sleep_until(deadline) => {
                match status {
                    Some(status) => break status,
                    None => return Err(Stopped::Silent),
                }
            }
        }
    };
    lines.end(on_line);
    Ok(Ended { status, stdout: out, lines: lines.kept.into() })
}

/// Cuts standard error into lines, at carriage returns too since progress is written with them.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    pub(super) kept: std::collections::VecDeque<String>,
}

impl Lines {
    pub(super) fn hear(&mut self, bytes: &[u8], on_line: &mut (dyn FnMut(&str) -> bool + Send)) {
        for &byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                self.end(on_line);
            } else if self.partial.len() < MAX_LINE {
                self.partial.push(byte);
            }
        }
    }

    pub(super) fn end(&mut self, on_line: &mut (dyn FnMut(&str) -> bool + Send)) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).replace("\u{1b}[K", "");
        let line = line.trim_end();
        if line.is_empty() || on_line(line) {
            return;
        }
        if self.kept.len() == MAX_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(line.to_owned());
    }
}
