//! How the schedule stands, as every face shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{MirrorId, RepositoryId, time};

/// How the schedule of a state folder stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ScheduleReport {
    /// Who keeps it; `None` where no process does, so that nothing is synced by itself.
    pub kept_by: Option<String>,
    /// That it is paused.
    pub pause: Option<SchedulePause>,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<ScheduledMirror>,
}

/// A mirror in the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ScheduledMirror {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// When it is synced by itself, for a person: `every 1h`, `at \`0 3 * * *\``, `off`.
    pub rhythm: String,
    /// When it is synced next; `None` where nobody keeps the schedule, or it is never synced by itself.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub next_sync_iso: Option<Timestamp>,
}

/// That nothing is synced by itself for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SchedulePause {
    /// Since when.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub since_iso: Timestamp,
    /// Until when; `None` until it is resumed.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub until_iso: Option<Timestamp>,
    /// Who said so.
    pub actor: String,
}

impl SchedulePause {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until_iso.is_none_or(|until| now < until)
    }
}
