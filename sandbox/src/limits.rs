//! Rate limits: requests an hour, and how fast content may be made.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::options::SecondaryLimit;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
/// What somebody who did not sign in may ask in an hour.
const ANONYMOUS_PER_HOUR: u64 = 60;

#[derive(Debug, Default)]
pub(crate) struct Limits {
    by_account: Mutex<HashMap<u64, Usage>>,
}

#[derive(Debug)]
struct Usage {
    core: Window,
    graphql: Window,
    made: VecDeque<Timestamp>,
}

#[derive(Debug)]
struct Window {
    used: u64,
    reset_at: Timestamp,
}

impl Window {
    fn new(now: Timestamp) -> Self {
        Self { used: 0, reset_at: now + HOUR }
    }

    /// A new window when its hour is over, or when the clock was set to before it.
    fn roll(&mut self, now: Timestamp) {
        if now >= self.reset_at || self.reset_at > now + HOUR {
            *self = Self::new(now);
        }
    }

    fn quota(&self, limit: u64, resource: &'static str) -> Quota {
        Quota { resource, limit, used: self.used, reset: self.reset_at.as_second() }
    }
}

/// The figures of the `X-RateLimit-*` headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    pub resource: &'static str,
    pub limit: u64,
    pub used: u64,
    /// Seconds since 1970.
    pub reset: i64,
}

impl Quota {
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Which hourly budget a request is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    Core,
    Graphql,
}

impl Limits {
    fn usage<T>(&self, account: u64, now: Timestamp, use_it: impl FnOnce(&mut Usage) -> T) -> T {
        let mut accounts: MutexGuard<'_, _> = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = accounts.entry(account).or_insert_with(|| Usage {
            core: Window::new(now),
            graphql: Window::new(now),
            made: VecDeque::new(),
        });
        usage.core.roll(now);
        usage.graphql.roll(now);
        use_it(usage)
    }

    /// The state of a budget; with `count`, after this request was counted.
    pub(crate) fn quota(&self, account: u64, budget: Budget, per_hour: u64, now: Timestamp, count: bool) -> Quota {
        let limit = if account == 0 { per_hour.min(ANONYMOUS_PER_HOUR) } else { per_hour };
        self.usage(account, now, |usage| {
            let (window, resource) = match budget {
                Budget::Core => (&mut usage.core, "core"),
                Budget::Graphql => (&mut usage.graphql, "graphql"),
            };
            if count && window.used < limit {
                window.used += 1;
            }
            window.quota(limit, resource)
        })
    }

    /// Sets how many requests of this hour an account has used, for tests of a nearly spent budget.
    pub(crate) fn set_used(&self, account: u64, used: u64, now: Timestamp) {
        self.usage(account, now, |usage| usage.core.used = used);
    }

    /// Nobody used up anything.
    pub(crate) fn clear(&self) {
        self.by_account.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts a content-making request, or says how long to wait because there were too many.
    pub(crate) fn make_content(&self, account: u64, limit: &SecondaryLimit, now: Timestamp) -> Result<(), Duration> {
        let age = |made: Timestamp| Duration::try_from(now.duration_since(made)).unwrap_or_default();
        self.usage(account, now, |usage| {
            while usage.made.front().is_some_and(|first| age(*first) >= HOUR) {
                usage.made.pop_front();
            }
            let wait_for = |count: usize, span: Duration| {
                let oldest = usage.made.len().checked_sub(count)?;
                span.checked_sub(age(*usage.made.get(oldest)?)).filter(|wait| !wait.is_zero())
            };
            let wait = wait_for(limit.per_minute, MINUTE).max(wait_for(limit.per_hour, HOUR));
            match wait {
                Some(wait) => Err(wait),
                None => {
                    usage.made.push_back(now);
                    Ok(())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_refused_beyond_the_limit_and_each_account_has_its_own() {
        let (limits, now) = (Limits::default(), Timestamp::now());
        let limit = SecondaryLimit { per_minute: 2, per_hour: 10, status: 403 };
        assert!(limits.make_content(1, &limit, now).is_ok());
        assert!(limits.make_content(1, &limit, now).is_ok());
        let wait = limits.make_content(1, &limit, now).unwrap_err();
        assert!(wait <= MINUTE && wait > Duration::from_secs(50));
        assert!(limits.make_content(2, &limit, now).is_ok());
        assert!(limits.make_content(1, &limit, now + MINUTE).is_ok(), "the minute is over when the clock says so");
    }

    #[test]
    fn only_counted_requests_use_up_the_budget() {
        let (limits, now) = (Limits::default(), Timestamp::now());
        assert_eq!(limits.quota(7, Budget::Core, 5_000, now, true).used, 1);
        assert_eq!(limits.quota(7, Budget::Core, 5_000, now, false).remaining(), 4_999);
        assert_eq!(limits.quota(0, Budget::Core, 5_000, now, false).limit, 60);
    }
}
