//! The git hook `reference-transaction`: put into its place, taken away again, looked at.
//!
//! It hears of each ref that moved, by whatever git command: a commit, a fetch, a push from elsewhere. [`script`] is its text; what it
//! leaves is swept into the queue (`standin_state::drops`). A hook that is there already stays in use: the new one hands on to
//! it. In its folder nothing else is touched, and taking it away leaves the folder as it was.

mod place;
mod script;
mod trial;

use std::path::{Path, PathBuf};

use serde::Serialize;
use standin_state::config::{RepositoryConfig, Source};
use standin_state::model::RepositoryId;
use standin_state::{drops, lock};

use crate::event::Notice;
use crate::git::{GitProgram, HookPlace};
use crate::{Code, Error, Result};
use place::{Site, Standing};
use script::{Entry, Script, Travels};

/// How a hook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// There is none of Standin's.
    Absent,
    /// It is there, as it was written.
    Installed,
    /// It was changed by hand, or another version of Standin wrote it.
    Changed,
    /// It is there, and git takes its hooks from another folder.
    PassedBy,
}

/// What is known of the hook of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookReport {
    /// The repository.
    pub repository: RepositoryId,
    /// How it stands.
    pub state: HookState,
    /// The file.
    pub file: PathBuf,
    /// Whether it hands on to a hook that was there before.
    pub keeps_another: bool,
    /// Whether it was seen to leave its file when it is run as git runs it; `None` where it is not there.
    pub works: Option<bool>,
    /// What a person should know about it.
    pub notices: Vec<Notice>,
}

/// The hook of one repository.
pub(crate) struct Hook<'a> {
    git: &'a GitProgram,
    state_dir: &'a Path,
    site: Site,
    entry: Entry,
}

impl<'a> Hook<'a> {
    /// Finds out where git takes the hooks of a repository from.
    ///
    /// # Errors
    /// [`Code::Usage`] where nothing of it is on this machine; [`Code::GitFailed`]; [`Code::Storage`].
    pub async fn of(git: &'a GitProgram, state_dir: &'a Path, repository: &RepositoryConfig) -> Result<Self> {
        if cfg!(windows) {
            return Err(Error::new(
                Code::Usage,
                "the git hook is not for Windows yet",
                "Standin sees changes of a local source there without a hook, as long as it runs.",
            ));
        }
        let (folder, travels) = folder_of(repository)?;
        let place = git.hook_place(folder).await?;
        let entry = Entry {
            repository: repository.id.clone(),
            travels,
            common: real(&place.common),
            drop: drops::of_hook(state_dir, &repository.id)?,
        };
        Ok(Self { git, state_dir, site: Site { place }, entry })
    }

    /// Puts it into its place; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`Code::Usage`] with what stands in the way, and how to mend it; [`Code::Storage`].
    pub async fn install(&self, in_work_tree: bool) -> Result<HookReport> {
        let _alone = lock::exclusive(&drops::room(self.state_dir), "hook")?;
        let mut notices = self.site.check_folder(self.git, in_work_tree).await?;
        let file = self.site.file();
        let mut script = match place::look(&file)? {
            Standing::Absent => Script { made_folder: self.site.make_folder()?, ..Script::default() },
            Standing::Ours(script) => script,
            Standing::Changed => return Err(changed(&file)),
            Standing::Foreign(hook) => {
                place::check_can_be_kept(&hook, &file, &self.entry.drop)?;
                self.site.keep(&file)?;
                Script { keeps: true, ..Script::default() }
            }
        };
        let before = script.clone();
        script.entries.retain(|entry| entry.drop != self.entry.drop);
        script.entries.push(self.entry.clone());
        script.entries.sort();
        if script != before {
            self.site.put(&script)?;
        }
        if script.keeps {
            notices.push(notice(
                format!("the hook that was there is kept, and is run as before ({})", place::kept(&file).display()),
                "",
            ));
        }
        let mut report = self.status().await?;
        notices.append(&mut report.notices);
        Ok(HookReport { notices, ..report })
    }

    /// Takes it away, wherever git takes hooks from by now: the folder is as it was before.
    ///
    /// # Errors
    /// [`Code::Usage`] where it was changed by hand; [`Code::Storage`].
    pub async fn remove(&self) -> Result<HookReport> {
        let _alone = lock::exclusive(&drops::room(self.state_dir), "hook")?;
        let mut notices = Vec::new();
        for file in self.site.files() {
            match place::look(&file)? {
                Standing::Absent | Standing::Foreign(_) => self.site.forget_half_done(&file)?,
                Standing::Changed => return Err(changed(&file)),
                Standing::Ours(mut script) => {
                    let count = script.entries.len();
                    script.entries.retain(|entry| entry.drop != self.entry.drop);
                    if script.entries.len() == count {
                        continue;
                    }
                    if script.entries.is_empty() {
                        notices.extend(self.site.take_away(&file, &script)?);
                    } else {
                        place::put(&file, &script)?;
                        let message = format!("{} stays for the other repositories that it tells of", file.display());
                        notices.push(notice(message, ""));
                    }
                }
            }
        }
        // What it left and nobody took would set off one sync more.
        let _ = std::fs::remove_file(&self.entry.drop);
        Ok(HookReport { notices, ..self.status().await? })
    }

    /// Looks whether it is there, is as it was written, and works.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub async fn status(&self) -> Result<HookReport> {
        let mut report = HookReport {
            repository: self.entry.repository.clone(),
            state: HookState::Absent,
            file: self.site.file(),
            keeps_another: false,
            works: None,
            notices: Vec::new(),
        };
        for (index, file) in self.site.files().into_iter().enumerate() {
            let script = match place::look(&file)? {
                Standing::Absent | Standing::Foreign(_) => continue,
                Standing::Changed => {
                    let error = changed(&file);
                    report.notices.push(notice(error.message, error.hint));
                    return Ok(HookReport { state: HookState::Changed, file, works: Some(false), ..report });
                }
                Standing::Ours(script) => script,
            };
            let Some(entry) = script.entries.iter().find(|entry| entry.drop == self.entry.drop) else { continue };
            let is_passed_by = index > 0;
            report.state = if is_passed_by { HookState::PassedBy } else { HookState::Installed };
            report.keeps_another = script.keeps;
            report.file.clone_from(&file);
            let failed = match entry == &self.entry {
                false => Some((
                    format!(
                        "it was installed for {}, and the repository is at {} now",
                        entry.common.display(),
                        self.entry.common.display()
                    ),
                    "Install it anew: `standin hook install`.".to_owned(),
                )),
                true if is_passed_by => Some((
                    format!("git takes the hooks of this repository from {} by now", self.site.place.folder.display()),
                    "Run `standin hook install` to have it there, too; `standin hook remove` takes away both."
                        .to_owned(),
                )),
                true => trial::run(self.git, &file, &self.entry).await.err(),
            };
            report.works = Some(failed.is_none());
            report.notices.extend(failed.map(|(message, hint)| notice(message, hint)));
            return Ok(report);
        }
        Ok(report)
    }
}

/// The folder whose hook is meant, and what of it tells that the source moved.
fn folder_of(repository: &RepositoryConfig) -> Result<(&Path, Travels)> {
    match (&repository.source, &repository.clone) {
        (Source::Path(folder), _) => Ok((folder, Travels::Own)),
        (Source::GitHub(_) | Source::Url(_), Some(clone)) => Ok((clone, Travels::OfRemotes)),
        (Source::GitHub(_) | Source::Url(_), None) => Err(Error::new(
            Code::Usage,
            format!("{} has no clone on this machine that a hook could be in", repository.id),
            "Name the clone with `--repo PATH`. To hear of pushes to GitHub themselves, use a webhook (docs/triggers.md).",
        )),
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn changed(file: &Path) -> Error {
    Error::new(
        Code::Usage,
        format!("the hook {} was changed by hand, or written by another version of Standin", file.display()),
        "Standin leaves it as it is. Take out of it what you want to keep, delete the file (a hook that was there before lies beside \
         it, with `.standin-kept` at its end: rename it back), then run `standin hook install` again.",
    )
}

fn notice(message: impl Into<String>, hint: impl Into<String>) -> Notice {
    Notice { message: message.into(), hint: hint.into() }
}

impl Site {
    /// Where it may be: where git looks now, and where git looks by itself.
    fn files(&self) -> Vec<PathBuf> {
        let HookPlace { folder, .. } = &self.place;
        let mut files = vec![place::file_in(folder)];
        let own = self.place.own_folder();
        if real(&own) != real(folder) {
            files.push(place::file_in(&own));
        }
        files
    }
}
