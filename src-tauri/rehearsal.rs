//! A drill, played by the command line beside this program: the sandbox is no part of the window.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use standin_core::drill::DrillReport;
use standin_core::processes::Group;
use standin_core::state::model::{MirrorId, RepositoryId};
use standin_core::{Code, Error, Result};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::desktop::Desktop;

/// How long the command line may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// The drill that is being played, at most one.
#[derive(Default)]
pub struct Rehearsal(Mutex<Option<(RepositoryId, CancellationToken)>>);

/// What the command line prints with `--json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    Refused { error: Error },
    Played(Box<DrillReport>),
}

impl Rehearsal {
    /// Plays a drill of this repository, with the standby that is named or the one that would be taken, and gives its report.
    ///
    /// # Errors
    /// [`Code::NotFound`] without a command line of this version; [`Code::Busy`] while another is played; [`Code::Cancelled`]; what
    /// the command line reports.
    pub async fn play(
        &self,
        desktop: &Desktop,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
    ) -> Result<DrillReport> {
        let stop = CancellationToken::new();
        let playing = Playing::begin(self, repository, &stop)?;
        let program = program(desktop).await?;
        let mut command = Command::new(&program);
        command.args(["drill", "--json", "--repository", repository.as_str()]);
        command.args(mirror.iter().flat_map(|mirror| ["--mirror", mirror.as_str()]));
        command.args(desktop.arguments()).env_clear().envs(desktop.environment());
        let printed = output(&program, command, &stop).await?;
        drop(playing);
        match serde_json::from_str(&printed) {
            Ok(Printed::Played(report)) => Ok(*report),
            Ok(Printed::Refused { error }) => Err(error),
            Err(_) => Err(Error::new(
                Code::Internal,
                format!("{} did not say how the drill went", program.display()),
                "Run `standin drill` in a terminal: it says what is in the way.",
            )),
        }
    }

    /// Asks the drill that is being played to end; `false` where there is none.
    pub fn stop(&self) -> bool {
        self.playing().as_ref().inspect(|(_, stop)| stop.cancel()).is_some()
    }

    /// The repository whose drill is being played.
    pub fn of(&self) -> Option<RepositoryId> {
        self.playing().as_ref().map(|(repository, _)| repository.clone())
    }

    fn playing(&self) -> MutexGuard<'_, Option<(RepositoryId, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds the one place that there is.
struct Playing<'a>(&'a Rehearsal);

impl<'a> Playing<'a> {
    fn begin(rehearsal: &'a Rehearsal, repository: &RepositoryId, stop: &CancellationToken) -> Result<Self> {
        let mut playing = rehearsal.playing();
        if playing.is_some() {
            return Err(Error::new(
                Code::Busy,
                "a drill is being played already",
                "Wait until it is through, or stop it.",
            ));
        }
        *playing = Some((repository.clone(), stop.clone()));
        Ok(Self(rehearsal))
    }
}

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        *self.0.playing() = None;
    }
}

/// Runs it to its end, or until it is stopped; what it printed.
async fn output(program: &Path, mut command: Command, stop: &CancellationToken) -> Result<String> {
    #[cfg(unix)]
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| not_started(program, &error))?;
    let mut group = Group::of(child.id());
    let mut ending = Box::pin(child.wait_with_output());
    let ended = tokio::select! {
        ended = &mut ending => Some(ended),
        () = stop.cancelled() => {
            group.ask_to_end();
            tokio::time::timeout(PATIENCE, ending).await.ok()
        }
    };
    let Some(ended) = ended else { return Err(stopped()) };
    group.leave();
    if stop.is_cancelled() {
        return Err(stopped());
    }
    let ended = ended.map_err(|error| not_started(program, &error))?;
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// The command line of this version: beside this program, or where the environment leads to it.
async fn program(desktop: &Desktop) -> Result<PathBuf> {
    let name = format!("standin{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let path = desktop.environment().get("PATH").map(String::as_str).unwrap_or_default();
    let on_path = std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name));
    let mut others = None;
    for program in beside.into_iter().chain(on_path).filter(|program| program.is_file()) {
        let mut command = Command::new(&program);
        command.arg("--version").env_clear().envs(desktop.environment());
        command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let said = tokio::time::timeout(PATIENCE, command.output()).await;
        let Ok(Ok(said)) = said else { continue };
        let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        if said == format!("standin {}", env!("CARGO_PKG_VERSION")) {
            return Ok(program);
        }
        others.get_or_insert(format!("{} is `{said}`", program.display()));
    }
    Err(Error::new(
        Code::NotFound,
        format!(
            "a drill is played by the command line `standin` {}, which is not on this machine{}",
            env!("CARGO_PKG_VERSION"),
            others.map(|other| format!(": {other}")).unwrap_or_default()
        ),
        "Install the package `standin-cli` of the same version, then try again.",
    ))
}

fn not_started(program: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::Internal,
        format!("{} cannot be run: {error}", program.display()),
        "Install the package `standin-cli` anew, then try again.",
    )
}

fn stopped() -> Error {
    Error::new(Code::Cancelled, "the drill was stopped", "Nothing real was touched. Start it again when you want it.")
}
