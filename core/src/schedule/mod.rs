//! When a mirror is synced by itself: a pure function of the moment, the configuration and what is remembered.
//!
//! It is asked again and again, by whoever keeps the schedule ([`crate::watch`]) and by [`crate::status`], which shows the answer.
//! A time that was missed, because the machine slept or nobody kept the schedule, is made up once; a clock that jumps makes
//! nothing wait for ever and nothing run twice. One process keeps the schedule of a state folder: the one that holds its lock.

mod due;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use standin_state::config::{MirrorConfig, RepositoryConfig, Rhythm, Schedule};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{MasterHealth, MasterVerdict, MirrorId};
use standin_state::store::Store;

pub use due::{Past, due, early};

use crate::Result;

/// When a mirror is due next, with what the store remembers of it; `None` where it is never synced by itself. The schedule is
/// kept since the first of the two moments; the second is now.
///
/// # Errors
/// [`crate::Code::Storage`].
pub fn next(
    store: &Store,
    schedule: &Schedule,
    repository: &RepositoryConfig,
    mirror: &MirrorConfig,
    moments: (Timestamp, Timestamp),
) -> Result<Option<Timestamp>> {
    if !schedule.enabled || !repository.enabled || !mirror.enabled || mirror.sync.is_empty() {
        return Ok(None);
    }
    let past = Past::of(store, repository, mirror, moments.1)?;
    let rhythm = mirror.rhythm(schedule);
    let early = match &rhythm {
        Rhythm::Every(interval) => early(&repository.id, *interval),
        Rhythm::At(_) | Rhythm::Off => Duration::ZERO,
    };
    Ok(due(&rhythm, &past, early, moments))
}

/// The schedule of a state folder, as it stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Since when a process keeps it.
    pub since: Timestamp,
    /// Until when it is paused; the end of time where that was not said.
    pub paused_until: Option<Timestamp>,
}

/// Whether the schedule of a state folder is kept now; `None` where no process does.
///
/// # Errors
/// [`crate::Code::Storage`].
pub fn kept(store: &Store, state_dir: &Path, now: Timestamp) -> Result<Option<Kept>> {
    if lock::is_held(state_dir, &lock_name())?.is_none() {
        return Ok(None);
    }
    let pause = store.schedule_pause()?.filter(|pause| pause.holds(now));
    let since = store.schedule_kept_since()?.unwrap_or(now);
    Ok(Some(Kept { since, paused_until: pause.map(|pause| pause.until_iso.unwrap_or(Timestamp::MAX)) }))
}

impl Kept {
    /// When a mirror is synced next, as a person is told: not in the past, not during a pause.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn next(
        self,
        store: &Store,
        schedule: &Schedule,
        repository: &RepositoryConfig,
        mirror: &MirrorConfig,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let next = next(store, schedule, repository, mirror, (self.since, now))?;
        let earliest = self.paused_until.unwrap_or(now);
        Ok(next.map(|next| next.max(earliest)).filter(|next| *next < Timestamp::MAX))
    }
}

/// Who keeps the schedule of a state folder now.
///
/// # Errors
/// [`crate::Code::Storage`].
pub fn kept_by(state_dir: &Path) -> Result<Option<String>> {
    lock::is_held(state_dir, &lock_name())
}

/// How often the master is looked at while it is well, and while it is not.
const LOOK: Duration = Duration::from_secs(5 * 60);
const LOOK_WHILE_ILL: Duration = Duration::from_secs(60);

/// When the master is to be looked at next, by what the last look found. A look that lies ahead was dated by a clock that was
/// wrong.
pub fn next_look(seen: Option<&MasterHealth>, now: Timestamp) -> Timestamp {
    let Some(seen) = seen.filter(|seen| seen.last_health_check_iso <= now) else { return now };
    let wait = if seen.verdict == MasterVerdict::Well { LOOK } else { LOOK_WHILE_ILL };
    seen.last_health_check_iso.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Takes the lock of whoever keeps the schedule of a state folder.
///
/// # Errors
/// Who keeps it; or that the lock cannot be used.
pub fn take(state_dir: &Path, holder: &str) -> std::result::Result<MirrorLock, Refusal> {
    MirrorLock::try_acquire(state_dir, &lock_name(), holder)
}

fn lock_name() -> MirrorId {
    "schedule".parse().unwrap_or_else(|_| unreachable!("it is an id"))
}

#[cfg(test)]
mod tests {
    use standin_state::model::Health;

    use super::*;

    #[test]
    fn a_master_is_looked_at_every_five_minutes_and_every_minute_while_it_is_not_well() {
        let at = |text: &str| -> Timestamp { format!("2026-02-07T{text}Z").parse().unwrap() };
        let seen = |verdict, at| MasterHealth {
            place: MirrorId::source(),
            repo: "o/n".to_owned(),
            verdict,
            cause: standin_state::model::MasterCause::Unclear,
            health: Health::Ok,
            detail: String::new(),
            hint: String::new(),
            since_iso: at,
            last_health_check_iso: at,
        };
        let next = |verdict| next_look(Some(&seen(verdict, at("10:00:00"))), at("10:00:30"));
        assert_eq!(next(MasterVerdict::Well), at("10:05:00"));
        for ill in [MasterVerdict::Down, MasterVerdict::Gone, MasterVerdict::Unknown] {
            assert_eq!(next(ill), at("10:01:00"), "{ill:?}");
        }
        let now = at("10:00:30");
        assert_eq!(next_look(None, now), now, "nobody has looked");
        assert_eq!(next_look(Some(&seen(MasterVerdict::Well, at("23:00:00"))), now), now, "dated by a wrong clock");
    }
}
