//! The pure part: when something is due.

use std::time::Duration;

use jiff::Timestamp;
use standin_state::config::{MirrorConfig, RepositoryConfig, Rhythm};
use standin_state::model::{AspectReport, RepositoryId};
use standin_state::store::Store;

use crate::Result;

/// How long is waited after the first, second and third failure in a row; from then on it is the interval.
const AFTER_FAILURE: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(15 * 60)];
/// What was synced so short a time before the schedule is kept is not synced again at its start.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// No host is left alone for longer than this, whatever it asked for.
const LONGEST_REST: Duration = Duration::from_secs(24 * 60 * 60);
/// The syncs of different repositories are spread over so much of the interval, and over no more than this.
const SPREAD: u32 = 20;
const LONGEST_SPREAD: Duration = Duration::from_secs(2 * 60);

/// What is remembered of a mirror, as far as it decides when that is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// When all of it was last tried; `None` where some of it never was.
    pub tried: Option<Timestamp>,
    /// How many tries of the schedule in a row did not work.
    pub failures: u32,
    /// Until when the host asked to be left alone.
    pub not_before: Option<Timestamp>,
}

impl Past {
    /// What the store remembers: the last try of each aspect, by hand or not, and how the schedule's own tries ended. What lies
    /// ahead of `now` was dated by a clock that was wrong, and tells nothing: it must not hide what was dated by a right one.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn of(store: &Store, repository: &RepositoryConfig, mirror: &MirrorConfig, now: Timestamp) -> Result<Self> {
        let memory = store.mirror_memory(&repository.id, &mirror.id, &mirror.target.display())?;
        let is_over = |moment: &Timestamp| *moment <= now;
        let tried = |aspect| {
            let report: &AspectReport = memory.aspects.get(aspect)?;
            report.last_try_iso.into_iter().chain(report.last_sync_iso).filter(is_over).max()
        };
        let all = mirror.sync.iter().map(tried).min().flatten();
        let works = mirror.sync.iter().all(|aspect| {
            memory
                .aspects
                .get(aspect)
                .is_some_and(|report| report.last_sync_iso.is_some() && report.last_try_iso.is_none())
        });
        Ok(match store.scheduled_try(&repository.id, &mirror.id)?.filter(|own| is_over(&own.ended_iso)) {
            // A sync by hand that worked since then ends what failed before.
            Some(own) if works && all.is_some_and(|all| all > own.ended_iso) => Self { tried: all, ..Self::default() },
            Some(own) => Self {
                tried: Some(all.map_or(own.ended_iso, |all| all.max(own.ended_iso))),
                failures: own.failures,
                not_before: own.not_before_iso,
            },
            None => Self { tried: all, ..Self::default() },
        })
    }
}

/// When it is due; `None` for what is never synced by itself. A moment that is over means now. An interval is shorter by
/// `early`, which keeps repositories from going all at once; `kept_since` is when the schedule began to be kept, where
/// everything is synced first.
pub fn due(
    rhythm: &Rhythm,
    past: &Past,
    early: Duration,
    (kept_since, now): (Timestamp, Timestamp),
) -> Option<Timestamp> {
    if *rhythm == Rhythm::Off {
        return None;
    }
    // A try that lies ahead was dated by a clock that was wrong, so that nobody knows how old it is.
    let Some(tried) = past.tried.filter(|tried| *tried <= now) else { return Some(kept_since.min(now)) };
    let regular = match rhythm {
        Rhythm::Every(interval) => Some(plus(tried, interval.saturating_sub(early))),
        Rhythm::At(cron) => cron.after(tried),
        Rhythm::Off => None,
    };
    let due = match (past.failures, rhythm) {
        (0, Rhythm::Every(interval)) => {
            let at_start = (tried < kept_since).then(|| plus(tried, FRESH.min(*interval)).max(kept_since));
            regular.into_iter().chain(at_start).min()
        }
        (0, _) => regular,
        (failures, _) => {
            let again = usize::try_from(failures - 1).ok().and_then(|index| AFTER_FAILURE.get(index));
            regular.into_iter().chain(again.map(|wait| plus(tried, *wait))).min()
        }
    };
    let rest = past.not_before.map(|until| until.min(plus(tried, LONGEST_REST)));
    due.map(|due| rest.map_or(due, |rest| due.max(rest)))
}

/// By how much the mirrors of a repository are earlier than an interval has it: a small part of it, the same each time.
pub fn early(repository: &RepositoryId, interval: Duration) -> Duration {
    let widest = (interval / SPREAD).min(LONGEST_SPREAD).as_millis();
    // FNV-1a: the same on every machine and in every version.
    let hash = repository
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Duration::from_millis(u64::try_from(u128::from(hash) % widest.max(1)).unwrap_or_default())
}

/// A moment later; the end of time where there is none.
fn plus(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
