//! What happened, for a chart and for other programs: pure, made of the runs that are remembered.

mod csv;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, RunId, RunStatus};
use standin_state::store::RunRecord;
use ts_rs::TS;

pub use self::csv::csv;

/// Into so many slices a chart is cut: runs of one slice that ended alike are one dot.
const SLICES: i64 = 240;

/// The runs of some days, as a chart shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Activity {
    /// Where the chart begins.
    #[ts(type = "string")]
    pub from_iso: Timestamp,
    /// Where it ends: now.
    #[ts(type = "string")]
    pub to_iso: Timestamp,
    /// A line for each mirror, in the order of the configuration.
    pub tracks: Vec<Track>,
}

/// The runs of one mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Track {
    /// The mirror.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// When it was last in step before the chart begins, if that is known.
    #[ts(type = "string | null")]
    pub in_step_before_iso: Option<Timestamp>,
    /// Its runs, oldest first.
    pub dots: Vec<Dot>,
}

/// Runs of one mirror that lie close together and ended alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Dot {
    /// The last of them.
    pub run: RunId,
    /// When that began.
    #[ts(type = "string")]
    pub started_iso: Timestamp,
    /// When it ended; `None` while it goes on.
    #[ts(type = "string | null")]
    pub finished_iso: Option<Timestamp>,
    /// How each of them ended.
    pub status: RunStatus,
    /// How many they are.
    pub runs: u32,
    /// How many changes they made together.
    pub changes: u64,
}

/// The dots of one mirror's runs between two moments. The order of the runs does not matter.
pub(crate) fn dots<'a>(runs: impl IntoIterator<Item = &'a RunRecord>, (from, to): (Timestamp, Timestamp)) -> Vec<Dot> {
    let slice = (to.duration_since(from).as_secs() / SLICES).max(1);
    let mut dots: BTreeMap<(i64, &'static str), Dot> = BTreeMap::new();
    for run in runs.into_iter().filter(|run| (from..=to).contains(&run.started_iso)) {
        let place = run.started_iso.duration_since(from).as_secs() / slice;
        let dot = dots.entry((place, run.status.as_str())).or_insert_with(|| Dot {
            run: run.id.clone(),
            started_iso: run.started_iso,
            finished_iso: run.finished_iso,
            status: run.status,
            runs: 0,
            changes: 0,
        });
        dot.runs += 1;
        dot.changes += run.totals.changes;
        if run.started_iso > dot.started_iso {
            (dot.run, dot.started_iso, dot.finished_iso) = (run.id.clone(), run.started_iso, run.finished_iso);
        }
    }
    let mut dots: Vec<Dot> = dots.into_values().collect();
    dots.sort_by_key(|dot| dot.started_iso);
    dots
}

/// The moment so many days before another.
pub(crate) fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::UNIX_EPOCH)
}
