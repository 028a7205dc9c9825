//! `standin watch` as something that the operating system starts and keeps running: a user unit of systemd, an agent of launchd, a
//! task of Windows.
//!
//! | file | what lives there |
//! |---|---|
//! | [`watcher`] | what is to be kept running: program, arguments, environment |
//! | [`text`] | the mark by which a file of ours is known, and whether it is as it was written |
//! | [`systemd`], [`launchd`], [`tasks`] | the file of each, and the calls that make it hold |
//! | [`ask`] | running their programs |
//!
//! What is written has no secret in it, and belongs to the user alone: nothing here needs an administrator.

mod ask;
pub mod launchd;
pub mod systemd;
pub mod tasks;
mod text;
pub mod watcher;

use std::path::{Path, PathBuf};

use serde::Serialize;
use standin_state::{files, lock};

use self::ask::Asked;
use self::text::Found;
use self::watcher::Watcher;
use crate::event::Notice;
use crate::outside::Outside;
use crate::{Code, Error, Result};

/// Who keeps it running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervisor {
    /// The user's own systemd.
    Systemd,
    /// launchd, as an agent of the user.
    Launchd,
    /// The task scheduler of Windows.
    TaskScheduler,
}

impl Supervisor {
    /// The one of this operating system.
    #[must_use]
    pub fn here() -> Self {
        if cfg!(windows) {
            Self::TaskScheduler
        } else if cfg!(target_os = "macos") {
            Self::Launchd
        } else {
            Self::Systemd
        }
    }

    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::TaskScheduler => "the task scheduler",
        }
    }

    /// The file that says what is to run.
    ///
    /// # Errors
    /// [`Code::Usage`] where the environment names no home.
    fn file(self, outside: &Outside, state_dir: &Path) -> Result<PathBuf> {
        match self {
            Self::Systemd => systemd::file(&outside.environment),
            Self::Launchd => launchd::file(&outside.environment),
            Self::TaskScheduler => Ok(state_dir.join(tasks::FILE)),
        }
    }

    fn rendered(self, watcher: &Watcher) -> Result<String> {
        match self {
            Self::Systemd => systemd::unit(watcher),
            Self::Launchd => launchd::agent(watcher),
            Self::TaskScheduler => tasks::task(watcher),
        }
    }

    async fn check(self, asked: &Asked<'_>) -> Result<()> {
        match self {
            Self::Systemd => systemd::check(asked).await,
            Self::Launchd => launchd::check(asked).await,
            Self::TaskScheduler => tasks::check(asked).await,
        }
    }

    async fn start(self, asked: &Asked<'_>, file: &Path) -> Result<()> {
        match self {
            Self::Systemd => systemd::start(asked).await,
            Self::Launchd => launchd::start(asked, file).await,
            Self::TaskScheduler => tasks::start(asked, file).await,
        }
    }

    async fn stop(self, asked: &Asked<'_>) -> Result<()> {
        match self {
            Self::Systemd => systemd::stop(asked).await,
            Self::Launchd => launchd::stop(asked).await,
            Self::TaskScheduler => tasks::stop(asked).await,
        }
    }

    async fn look(self, asked: &Asked<'_>) -> Seen {
        match self {
            Self::Systemd => systemd::look(asked).await,
            Self::Launchd => launchd::look(asked).await,
            Self::TaskScheduler => tasks::look(asked).await,
        }
    }

    /// Called when the file is gone, for those who remember what they read.
    async fn forget(self, asked: &Asked<'_>) {
        if self == Self::Systemd {
            systemd::forget(asked).await;
        }
    }
}

/// What a supervisor says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Whether it runs; `None` where that cannot be told.
    runs: Option<bool>,
    /// Whether it could be asked.
    is_heard: bool,
    /// What a person should know.
    notices: Vec<Notice>,
}

/// How the file of a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// There is none.
    Absent,
    /// It is there, as it was written.
    Installed,
    /// It was changed by hand since it was written, or is somebody else's.
    Changed,
}

/// What is known of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceReport {
    /// Who keeps it running.
    pub supervisor: Supervisor,
    /// How it stands.
    pub state: ServiceState,
    /// The file.
    pub file: PathBuf,
    /// Whether it runs; `None` where that cannot be told.
    pub runs: Option<bool>,
    /// Whether who keeps it running could be asked, where there was something to ask about.
    pub is_heard: bool,
    /// Who keeps the schedule of the state folder, if anyone: this service, a window, or somebody by hand.
    pub schedule_kept_by: Option<String>,
    /// What a person should know.
    pub notices: Vec<Notice>,
}

/// The service of one user.
pub(crate) struct Unit<'a> {
    supervisor: Supervisor,
    asked: Asked<'a>,
    state_dir: &'a Path,
}

impl<'a> Unit<'a> {
    /// The one that whoever keeps services on this operating system has, or would have.
    pub fn new(outside: &'a Outside, state_dir: &'a Path) -> Self {
        Self { supervisor: Supervisor::here(), asked: Asked::new(outside), state_dir }
    }

    fn file(&self) -> Result<PathBuf> {
        self.supervisor.file(self.asked.outside, self.state_dir)
    }

    /// Puts the file into its place and has it run, now and at each login. Where the supervisor refuses, all is as before.
    ///
    /// # Errors
    /// [`Code::Usage`] for a file that is not ours, or where no supervisor answers; [`Code::Storage`].
    pub async fn install(&self, watcher: &Watcher) -> Result<ServiceReport> {
        let _alone = lock::exclusive(self.state_dir, "service")?;
        let (asked, file) = (&self.asked, self.file()?);
        let before = match text::look(&file)? {
            Found::Nothing => None,
            Found::Ours(text) => Some(text),
            Found::Changed | Found::Foreign => return Err(not_ours(&file)),
            Found::NoFile => return Err(no_file(&file)),
        };
        let rendered = self.supervisor.rendered(watcher)?;
        self.supervisor.check(asked).await?;
        write(&file, &rendered)?;
        if let Err(error) = self.supervisor.start(asked, &file).await {
            self.put_back(&file, before.as_deref()).await;
            return Err(error);
        }
        let mut report = self.status(Some(watcher)).await?;
        report.notices.extend(watcher.left_behind(&self.asked.outside.environment));
        Ok(report)
    }

    /// After a start that failed: what ran before runs again, as far as that can be.
    async fn put_back(&self, file: &Path, before: Option<&str>) {
        let asked = &self.asked;
        let undone = match before {
            Some(text) => match write(file, text) {
                Ok(()) => self.supervisor.start(asked, file).await,
                Err(error) => Err(error),
            },
            None => {
                // It may not have begun at all.
                let _ = self.supervisor.stop(asked).await;
                let removed = remove(file);
                self.supervisor.forget(asked).await;
                removed
            }
        };
        if let Err(error) = undone {
            tracing::warn!(error = %error.message, "what was there before could not be put back");
        }
    }

    /// Stops it and takes the file away.
    ///
    /// # Errors
    /// [`Code::Usage`] for a file that is not ours; [`Code::Storage`]; where it could not be stopped: all is as before then.
    pub async fn remove(&self) -> Result<ServiceReport> {
        let _alone = lock::exclusive(self.state_dir, "service")?;
        let (asked, file) = (&self.asked, self.file()?);
        match text::look(&file)? {
            Found::Nothing => return self.status(None).await,
            Found::Ours(_) => {}
            Found::Changed | Found::Foreign => return Err(not_ours(&file)),
            Found::NoFile => return Err(no_file(&file)),
        }
        // Without the file nobody could stop it by it any more.
        self.supervisor.stop(asked).await.map_err(|error| Error {
            message: format!(
                "{} did not say that it has stopped, so that nothing was taken away: {}",
                self.supervisor.words(),
                error.message
            ),
            hint: format!(
                "Run `standin service remove` again from a login session of the user. If there is none any more, delete {}: it is \
                 not started again then.",
                file.display()
            ),
            ..error
        })?;
        remove(&file)?;
        self.supervisor.forget(asked).await;
        self.status(None).await
    }

    /// Looks how it stands. `watcher` is what it would be installed with now, where that is known.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub async fn status(&self, watcher: Option<&Watcher>) -> Result<ServiceReport> {
        let file = self.file()?;
        let mut report = ServiceReport {
            supervisor: self.supervisor,
            state: ServiceState::Absent,
            file: file.clone(),
            runs: None,
            is_heard: true,
            schedule_kept_by: None,
            notices: Vec::new(),
        };
        let text = match text::look(&file)? {
            Found::Nothing => return Ok(report),
            Found::Ours(text) => {
                report.state = ServiceState::Installed;
                Some(text)
            }
            found @ (Found::Changed | Found::Foreign | Found::NoFile) => {
                report.state = ServiceState::Changed;
                let is_file = !matches!(found, Found::NoFile);
                let Error { message, hint, .. } = if is_file { not_ours(&file) } else { no_file(&file) };
                report.notices.push(Notice { message, hint });
                None
            }
        };
        if let (Some(text), Some(watcher)) = (text, watcher)
            && self.supervisor.rendered(watcher)? != text
        {
            report.notices.push(Notice {
                message: "it was installed by another version of Standin, for another place, or with other options"
                    .to_owned(),
                hint: "`standin service install` writes it anew, with the options that are given then.".to_owned(),
            });
        }
        let seen = self.supervisor.look(&self.asked).await;
        (report.runs, report.is_heard) = (seen.runs, seen.is_heard);
        report.notices.extend(seen.notices);
        Ok(report)
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
    }
    files::write_atomically(file, text.as_bytes())
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(file, &error)),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("{} cannot be used: {error}", path.display()),
        "Check that the folder is yours and that there is room, then try again.",
    )
}

fn no_file(file: &Path) -> Error {
    Error::new(
        Code::Usage,
        format!("{} is no file, and nothing that Standin put there", file.display()),
        "Move it away, then run `standin service install` again.",
    )
}

fn not_ours(file: &Path) -> Error {
    Error::new(
        Code::Usage,
        format!("{} was changed by hand, or is not Standin's", file.display()),
        "Standin leaves it as it is. Keep what you want of it, delete the file, then run `standin service install` again.",
    )
}
