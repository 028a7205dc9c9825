//! Drills: what a rehearsal of a fail-over is made of, what it found, and whether the real thing is ready.
//!
//! The rehearsal itself is played in a sandbox by the command line; nothing of that is known here. [`Setup`] is what it
//! needs of the user's configuration, gathered without asking anybody; [`DrillReport`] is what is kept of it;
//! [`Readiness`] is a look at the real thing that changes nothing.

pub(crate) mod setup;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::{Health, MirrorId, RepositoryId};
use ts_rs::TS;

pub use setup::{CodeFrom, Setup, SetupMirror};

use crate::Error;

/// A drill that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DrillReport {
    /// The repository.
    pub repository: RepositoryId,
    /// The standby that took over.
    pub mirror: MirrorId,
    /// When it began.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// Whether it went through to its end and lost nothing.
    pub passed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<Error>,
    /// What was done, in order.
    pub phases: Vec<DrillPhase>,
    /// What would have been missing on the day.
    pub missing: Vec<DrillFinding>,
    /// What never travels, whoever is master.
    pub never_travels: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// One phase of a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DrillPhase {
    /// What was done.
    pub what: String,
    /// What came of it.
    pub detail: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How much time passed on the sandbox's clock meanwhile, in minutes: what it would have taken on the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub minutes_on_the_day: Option<f64>,
}

/// Something that is not as it should be on the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DrillFinding {
    /// `source`, or the mirror; absent where it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub place: Option<MirrorId>,
    /// `failed` stands in the way; `warning` is to be known.
    pub severity: Health,
    /// What it is.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl DrillFinding {
    pub(crate) fn failed(place: Option<&MirrorId>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: place.cloned(), severity: Health::Failed, message: message.into(), hint: hint.into() }
    }

    pub(crate) fn warning(place: Option<&MirrorId>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Health::Warning, ..Self::failed(place, message, hint) }
    }

    pub(crate) fn of_error(place: Option<&MirrorId>, error: &Error) -> Self {
        Self::failed(place, error.message.clone(), error.advice())
    }
}

/// Whether a standby could take over now, as far as that can be found out by looking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Readiness {
    /// The repository.
    pub repository: RepositoryId,
    /// When it was looked at.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// Whether every standby on GitHub could take over.
    pub ready: bool,
    /// Each standby on GitHub.
    pub standbys: Vec<StandbyReadiness>,
    /// What is not as it should be, what stands in the way first.
    pub findings: Vec<DrillFinding>,
    /// What never travels, whoever is master: to be set up by hand, before the day.
    pub never_travels: Vec<String>,
}

/// How ready one standby is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StandbyReadiness {
    /// The mirror.
    pub mirror: MirrorId,
    /// Its repository, as it is shown.
    pub repo: String,
    /// Whether it could take over.
    pub ready: bool,
    /// When its code was last brought in step.
    #[ts(type = "string | null")]
    pub last_sync_iso: Option<Timestamp>,
    /// Commits of the default branch that it lacks; `None` where it is not known.
    #[ts(type = "number | null")]
    pub missing_commits: Option<u64>,
    /// Workflows that would run there.
    pub enables: Vec<String>,
}
