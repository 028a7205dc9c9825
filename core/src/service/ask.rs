//! The programs by which a supervisor is asked: short calls, without input.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::outside::Outside;
use crate::processes::{Group, on_path, own_group};
use crate::{Code, Error, Result};

/// How long a call may take: a stop waits until syncs are at a safe point.
const LIMIT: Duration = Duration::from_secs(60);
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
}

/// What a program said.
pub(super) struct Said {
    pub is_well: bool,
    pub stdout: String,
    /// The first line of standard error that says something.
    pub complaint: String,
}

impl Asked<'_> {
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
        let child = command.spawn().map_err(|error| failed(program, &error))?;
        let mut group = Group::of(child.id());
        let Ok(ended) = tokio::time::timeout(LIMIT, child.wait_with_output()).await else {
            return Err(Error::passing(
                Code::TimedOut,
                format!("`{program} {}` did not end within {} seconds", arguments.join(" "), LIMIT.as_secs()),
                "Try again later.",
            ));
        };
        group.leave();
        let ended = ended.map_err(|error| failed(program, &error))?;
        let stderr = String::from_utf8_lossy(&ended.stderr);
        Ok(Said {
            is_well: ended.status.success(),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            complaint: stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned(),
        })
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

fn failed(program: &str, error: &std::io::Error) -> Error {
    Error::new(Code::Usage, format!("`{program}` could not be run: {error}"), "Check that program, then try again.")
}
