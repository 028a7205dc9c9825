//! The programs by which a supervisor is asked: short calls, without input.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::outside::Outside;
use crate::processes::{Group, on_path, own_group};
use crate::{Code, Error, Result};

/// How long a call may take: a stop waits until syncs are at a safe point.
const LIMIT: Duration = Duration::from_secs(50);
/// How long a call may take after one that did not end: whoever hangs is not waited for again and again.
const LIMIT_AFTER: Duration = Duration::from_secs(2);
/// So much of what a program says is read, in bytes.
const READ: u64 = 64 * 1024;
/// So much of a complaint is told, in characters.
const TOLD: usize = 300;
/// What these programs need to find the session that they belong to.
const SESSION: [&str; 12] = [
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "SystemRoot",
    "TEMP",
    "USERNAME",
    "USERPROFILE",
    "USERDOMAIN",
];

/// Whoever asks.
pub(super) struct Asked<'a> {
    pub outside: &'a Outside,
    /// Whether a call did not end.
    hangs: AtomicBool,
}

/// What a program said.
pub(super) struct Said {
    pub is_well: bool,
    pub stdout: String,
    /// The first line of standard error that says something.
    pub complaint: String,
}

impl<'a> Asked<'a> {
    pub fn new(outside: &'a Outside) -> Self {
        Self { outside, hangs: AtomicBool::new(false) }
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// [`Code::Usage`] where it is not there; [`Code::TimedOut`].
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Result<Said> {
        let environment = &self.outside.environment;
        let path = environment.get("PATH").map_or("", String::as_str);
        let found = on_path(program, path.as_ref()).ok_or_else(|| {
            Error::new(
                Code::Usage,
                format!("there is no program `{program}` on PATH, so that nothing here keeps a service running"),
                "Have `standin watch` started by whatever starts programs on this machine (docs/operations.md).",
            )
        })?;
        let mut command = Command::new(found);
        command.args(arguments).env_clear().env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
        command.envs(SESSION.iter().filter_map(|name| environment.get_key_value(*name)));
        own_group(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(program, &error))?;
        let mut group = Group::of(child.id());
        let limit = if self.hangs.load(Ordering::Relaxed) { LIMIT_AFTER } else { LIMIT };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let listening = async { tokio::join!(child.wait(), heard(stdout), heard(stderr)) };
        let Ok((status, stdout, stderr)) = tokio::time::timeout(limit, listening).await else {
            self.hangs.store(true, Ordering::Relaxed);
            return Err(Error::passing(
                Code::TimedOut,
                format!("`{program} {}` did not end within {} seconds", arguments.join(" "), limit.as_secs()),
                "Try again later.",
            ));
        };
        group.leave();
        let status = status.map_err(|error| failed(program, &error))?;
        let complaint = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        Ok(Said { is_well: status.success(), complaint: complaint.chars().take(TOLD).collect(), stdout })
    }

    /// As [`Asked::run`], where anything but success is an error.
    ///
    /// # Errors
    /// As [`Asked::run`]; [`Code::Usage`] with what the program said.
    pub async fn must(&self, program: &str, arguments: &[&str]) -> Result<Said> {
        let said = self.run(program, arguments).await?;
        if said.is_well {
            return Ok(said);
        }
        let complaint = if said.complaint.is_empty() { "it gave no reason" } else { &said.complaint };
        Err(Error::new(
            Code::Usage,
            format!("`{program} {}` was refused: {complaint}", arguments.join(" ")),
            "Mend that, then try again; nothing was left behind.",
        ))
    }
}

/// The beginning of what a program says; the rest is let go by, so that it can end.
async fn heard(said: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut said) = said else { return String::new() };
    let mut kept = Vec::new();
    // What cannot be read is as if it were not said.
    let _ = (&mut said).take(READ).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut said, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

fn failed(program: &str, error: &std::io::Error) -> Error {
    Error::new(Code::Usage, format!("`{program}` could not be run: {error}"), "Check that program, then try again.")
}
