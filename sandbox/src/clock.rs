//! The world's time: the real time plus an offset that tests move; and the time that schedules have, which only moves
//! when a test moves it.
//!
//! Every time that the sandbox gives out is read here. Moving the clock does nothing else; which schedules then fall
//! due is decided in [`crate::actions`].

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A clock that runs with the real one, so far ahead of it or behind.
#[derive(Debug)]
pub(crate) struct Clock {
    offset: Mutex<SignedDuration>,
    scheduled: Mutex<Timestamp>,
    moved: watch::Sender<()>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset: Mutex::new(SignedDuration::ZERO),
            scheduled: Mutex::new(Timestamp::now()),
            moved: watch::Sender::new(()),
        }
    }
}

impl Clock {
    /// The world's time.
    pub(crate) fn now(&self) -> Timestamp {
        let real = Timestamp::now();
        real.checked_add(self.offset()).unwrap_or(real)
    }

    /// How far ahead of the real time it is.
    pub(crate) fn offset(&self) -> SignedDuration {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time; it goes on from there.
    pub(crate) fn set(&self, to: Timestamp) {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = to.duration_since(Timestamp::now());
        self.moved.send_replace(());
    }

    /// The time that schedules have; see [`crate::actions`].
    pub(crate) fn scheduled(&self) -> Timestamp {
        *self.scheduled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time that schedules have.
    pub(crate) fn set_scheduled(&self, to: Timestamp) {
        *self.scheduled.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Sets the time, unless it is later already.
    pub(crate) fn reach(&self, to: Timestamp) {
        if self.now() < to {
            self.set(to);
        }
    }

    /// Waits until this moment has come, by itself or because the clock was moved.
    pub(crate) async fn wait_until(&self, moment: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
            let left = moment.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // The sender lives as long as the clock.
                _ = moved.changed() => {}
            }
        }
    }
}

/// `Sat, 07 Feb 2026 18:01:07 GMT`, as in the header `Date`.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_on_from_where_it_was_set_and_reaches_only_forward() {
        let clock = Clock::default();
        let moment: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        clock.set(moment);
        let after = clock.now();
        assert!(after >= moment && after.duration_since(moment) < SignedDuration::from_secs(5));
        clock.reach("2029-01-01T00:00:00Z".parse().unwrap());
        assert!(clock.now() >= moment);
        assert_eq!(http_date(moment), "Tue, 01 Jan 2030 00:00:00 GMT");
    }

    #[tokio::test]
    async fn a_moment_comes_when_the_clock_is_moved_past_it() {
        let clock = std::sync::Arc::new(Clock::default());
        let moment = clock.now() + Duration::from_secs(3_600);
        let waiting = tokio::spawn({
            let clock = std::sync::Arc::clone(&clock);
            async move { clock.wait_until(moment).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        clock.set(moment);
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    }
}
