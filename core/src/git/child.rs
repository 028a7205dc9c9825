//! One running program: started in a process group of its own, heard while it runs, and ended with all its
//! children when it is cancelled or says nothing for too long. How long is too long depends on who is at work: see
//! [`Patience`].

use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
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
    /// A file to be read. The lock that is to be held is standard output then, for programs that write nothing there.
    List {
        /// What the program reads.
        list: std::fs::File,
        /// The lock.
        held: std::fs::File,
    },
}

/// How long a program may go without a word. As long as it talks to a host, silence means that the host hangs. Work on
/// this machine, and that of a server on what it was sent whole, is often done without a word: it is no silence, and
/// only the limit of the whole run holds for it.
pub(super) struct Patience {
    /// While the host's next word is awaited.
    pub(super) silence: Duration,
    /// While somebody works.
    pub(super) work: Duration,
    works: AtomicBool,
}

impl Patience {
    /// At first the host's word is awaited.
    pub(super) fn new(silence: Duration, work: Duration) -> Self {
        Self { silence, work: work.max(silence), works: AtomicBool::new(false) }
    }

    /// The same limit for both.
    pub(super) fn only(limit: Duration) -> Self {
        Self::new(limit, limit)
    }

    /// From now on nothing more is awaited from a host but the end of its work.
    pub(super) fn begin_work(&self) {
        self.works.store(true, Ordering::Relaxed);
    }

    /// Whether nothing but work is awaited.
    pub(super) fn is_work(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    fn limit(&self) -> Duration {
        if self.is_work() { self.work } else { self.silence }
    }

    /// It was longer than that.
    fn is_over(&self, what: &str) -> Error {
        if self.is_work() { endless(what, self.work) } else { silent(what, self.silence) }
    }
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
    pub(super) patience: &'a Patience,
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
        let Call { what, mut command, input, patience, cancel, on_line } = self;
        if cancel.is_cancelled() {
            return Err(cancelled(what));
        }
        let (stdin, stdout) = match input {
            Input::Nothing => (Stdio::null(), Stdio::piped()),
            Input::Held(file) => (Stdio::from(file), Stdio::piped()),
            Input::List { list, held } => (Stdio::from(list), Stdio::from(held)),
        };
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
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

        let heard = hear(&mut child, patience, cancel, on_line).await;
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
            Stopped::Silent => patience.is_over(what),
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

/// Work was not done after as long as `limit`.
pub(super) fn endless(what: &str, limit: Duration) -> Error {
    Error::passing(
        Code::TimedOut,
        format!("{what}: still at work after {} s without a word", limit.as_secs_f32()),
        "What the server or this machine does with so much takes too long. Try again later, or raise `[limits] run`.",
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
    patience: &Patience,
    cancel: &CancellationToken,
    on_line: &mut (dyn FnMut(&str) -> bool + Send),
) -> Result<Ended, Stopped> {
    let Some(mut stderr) = child.stderr.take() else {
        return Err(Stopped::Broken(std::io::ErrorKind::BrokenPipe.into()));
    };
    let mut stdout = child.stdout.take();
    let (mut out_open, mut err_open) = (stdout.is_some(), true);
    let mut out = Vec::new();
    let mut lines = Lines::default();
    let mut status = None;
    let (mut out_buffer, mut err_buffer) = (vec![0; 64 * 1024], vec![0; 16 * 1024]);
    let mut deadline = Instant::now() + patience.limit();
    let status = loop {
        if let Some(status) = status.filter(|_| !out_open && !err_open) {
            break status;
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Stopped::Cancelled),
            read = read(&mut stdout, &mut out_buffer), if out_open => {
                let read = read?;
                out_open = read > 0;
                if out.len() + read > MAX_OUTPUT {
                    return Err(Stopped::TooMuch);
                }
                out.extend_from_slice(&out_buffer[..read]);
                if status.is_none() { deadline = Instant::now() + patience.limit(); }
            }
            read = stderr.read(&mut err_buffer), if err_open => {
                let read = read?;
                err_open = read > 0;
                lines.hear(&err_buffer[..read], on_line);
                if status.is_none() { deadline = Instant::now() + patience.limit(); }
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

/// Reads what comes next; the end where there is nothing to read from.
async fn read(pipe: &mut Option<ChildStdout>, buffer: &mut [u8]) -> std::io::Result<usize> {
    match pipe {
        Some(pipe) => pipe.read(buffer).await,
        None => Ok(0),
    }
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
