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

    /// The same pause by a clock that was set back since: it is as long, from now on. `None` where the clock was not set back.
    pub fn set_back(&self, now: Timestamp) -> Option<Self> {
        let until = self.until_iso?;
        let length = until.duration_since(self.since_iso);
        let until_iso = Some(now.checked_add(length).unwrap_or(until));
        (now < self.since_iso).then(|| Self { since_iso: now, until_iso, actor: self.actor.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_was_asked_for_whatever_the_clock_does() {
        let at = |text: &str| -> Timestamp { format!("2026-02-07T{text}Z").parse().unwrap() };
        let pause = |until: Option<&str>| SchedulePause {
            since_iso: at("10:00:00"),
            until_iso: until.map(at),
            actor: "ann".to_owned(),
        };
        let ten = pause(Some("10:10:00"));
        assert_eq!(ten.set_back(at("10:00:00")), None, "the clock goes on");
        assert_eq!(ten.set_back(at("10:20:00")), None, "it is over");
        let again = ten.set_back(at("09:00:00")).unwrap();
        assert_eq!((again.since_iso, again.until_iso), (at("09:00:00"), Some(at("09:10:00"))));
        assert_eq!(again.set_back(at("09:00:00")), None, "once is enough");
        assert_eq!(pause(None).set_back(at("09:00:00")), None, "until somebody resumes");
    }
}
