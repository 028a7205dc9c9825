//! Types that only the window needs. All others come from core and state as they are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_core::Error;
use standin_core::engine::{RoleGoal, RoleRequest, Where};
use standin_core::event::{Job, Notice};
use standin_core::keychain::SessionKeychain;
use standin_core::state::model::{Aspect, MirrorId, RepositoryId, RepositoryReport, RunStatus, SchedulePause, Trigger};
use standin_core::state::store::RunFilter;
use standin_core::update::Offer;
use ts_rs::TS;

/// Everything that the window shows at first sight.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(export)]
pub struct Overview {
    /// The version of this program.
    pub version: String,
    /// The repositories with the state of their mirrors; empty while the configuration has mistakes.
    pub repositories: Vec<RepositoryReport>,
    /// Why nothing can be shown: every mistake of the configuration, with its mend.
    pub mistakes: Vec<Error>,
    /// What the configuration gave reason to say.
    pub notices: Vec<Notice>,
    /// The jobs of this program that go on.
    pub running: Vec<Job>,
    /// That nothing is synced by itself for a while.
    pub pause: Option<SchedulePause>,
    /// Where things are.
    pub places: Places,
    /// The repository that the user asked to see, outside of the window.
    pub wanted: Option<RepositoryId>,
    /// A newer version of this program that was found.
    pub newer: Option<Offer>,
    /// The repository whose drill is being played.
    pub drill: Option<RepositoryId>,
}

/// Where things are on this machine.
#[derive(Clone, Debug, Default, Serialize, TS)]
#[ts(export)]
pub struct Places {
    /// The `.env` file that is read, or would be.
    pub env_file: String,
    /// The `standin.toml` that is read, or would be.
    pub config_file: String,
}

/// A change of master to preview or to begin.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub struct RoleChoice {
    /// The repository.
    pub repository: RepositoryId,
    /// The standby.
    pub mirror: MirrorId,
    /// What is wanted of it.
    pub goal: RoleGoal,
    /// Whether the user says that the master is gone where that cannot be told from here.
    pub gone: bool,
    /// Whether the user confirmed guards and new secret names.
    pub yes: bool,
}

impl From<RoleChoice> for RoleRequest {
    fn from(choice: RoleChoice) -> Self {
        let RoleChoice { repository, mirror, goal, gone, yes } = choice;
        Self { repository: Some(repository), mirror, goal, gone, yes }
    }
}

/// What to sync or preview.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub struct SyncChoice {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirrors; empty for all that are switched on.
    pub mirrors: Vec<MirrorId>,
    /// Whether the user confirmed guards and new secret names.
    pub yes: bool,
    /// The seal of the plan that the user saw and that is to be carried out, by mirror.
    #[serde(default)]
    #[ts(as = "Option<BTreeMap<MirrorId, String>>", optional)]
    pub seals: BTreeMap<MirrorId, String>,
    /// The aspects; none named for all.
    #[serde(default)]
    #[ts(as = "Option<BTreeSet<Aspect>>", optional)]
    pub only: BTreeSet<Aspect>,
    /// Whether everything is asked for anew: no kept answer of a host counts. It confirms nothing.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub force: bool,
}

/// Which runs are listed or written into a file; what is not named is all of them.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub struct HistoryChoice {
    /// Only of this repository.
    pub repository: Option<RepositoryId>,
    /// Only of this mirror.
    pub mirror: Option<MirrorId>,
    /// Only in this state.
    pub status: Option<RunStatus>,
    /// Only those that this set off.
    pub trigger: Option<Trigger>,
    /// Only those that began before this time: for the page behind the last one.
    #[ts(type = "string | null")]
    pub until_iso: Option<Timestamp>,
    /// Only those whose error, or the name of a change, has this in it.
    pub text: Option<String>,
}

impl From<HistoryChoice> for RunFilter {
    fn from(choice: HistoryChoice) -> Self {
        let HistoryChoice { repository, mirror, status, trigger, until_iso, text } = choice;
        let text = text.filter(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned());
        Self { repository, mirror, status, trigger, until: until_iso, text, ..Self::default() }
    }
}

/// How a file is written for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ExportFormat {
    /// Comma-separated values, a line for each run.
    Csv,
    /// As `standin history --json`, with all changes.
    Json,
}

/// Whose token was typed while something is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum TypedPlace {
    /// The source's.
    Source,
    /// The mirror's.
    Mirror,
}

/// Where a token that was typed is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Keep {
    /// In the keychain of the operating system.
    Keychain,
    /// In the memory of this program, until it quits.
    Session,
}

impl Keep {
    /// The place that is meant.
    pub fn place(self, session: &SessionKeychain) -> Where<'_> {
        match self {
            Self::Keychain => Where::Keychain,
            Self::Session => Where::Session(session),
        }
    }
}
