//! Rate limits: requests an hour, and how fast content may be made.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    made: VecDeque<Instant>,
}

#[derive(Debug)]
struct Window {
    used: u64,
    started: Instant,
    reset_at: Timestamp,
}

impl Window {
    fn new() -> Self {
        Self { used: 0, started: Instant::now(), reset_at: Timestamp::now() + HOUR }
    }

    fn roll(&mut self) {
        if self.started.elapsed() >= HOUR {
            *self = Self::new();
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
    fn usage<T>(&self, account: u64, use_it: impl FnOnce(&mut Usage) -> T) -> T {
        let mut accounts: MutexGuard<'_, _> = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = accounts.entry(account).or_insert_with(|| Usage {
            core: Window::new(),
            graphql: Window::new(),
            made: VecDeque::new(),
        });
        usage.core.roll();
        usage.graphql.roll();
        use_it(usage)
    }

    /// The state of a budget; with `count`, after this request was counted.
    pub(crate) fn quota(&self, account: u64, budget: Budget, per_hour: u64, count: bool) -> Quota {
        let limit = if account == 0 { per_hour.min(ANONYMOUS_PER_HOUR) } else { per_hour };
        self.usage(account, |usage| {
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
    pub(crate) fn set_used(&self, account: u64, used: u64) {
        self.usage(account, |usage| usage.core.used = used);
    }

    /// Counts a content-making request, or says how long to wait because there were too many.
    pub(crate) fn make_content(&self, account: u64, limit: &SecondaryLimit) -> Result<(), Duration> {
        let now = Instant::now();
        self.usage(account, |usage| {
            while usage.made.front().is_some_and(|first| now.duration_since(*first) >= HOUR) {
                usage.made.pop_front();
            }
            let wait_for = |count: usize, span: Duration| {
                let oldest = usage.made.len().checked_sub(count)?;
                let age = now.duration_since(*usage.made.get(oldest)?);
                span.checked_sub(age).filter(|wait| !wait.is_zero())
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
        let limits = Limits::default();
        let limit = SecondaryLimit { per_minute: 2, per_hour: 10, status: 403 };
        assert!(limits.make_content(1, &limit).is_ok());
        assert!(limits.make_content(1, &limit).is_ok());
        let wait = limits.make_content(1, &limit).unwrap_err();
        assert!(wait <= MINUTE && wait > Duration::from_secs(50));
        assert!(limits.make_content(2, &limit).is_ok());
    }

    #[test]
    fn only_counted_requests_use_up_the_budget() {
        let limits = Limits::default();
        assert_eq!(limits.quota(7, Budget::Core, 5_000, true).used, 1);
        assert_eq!(limits.quota(7, Budget::Core, 5_000, false).remaining(), 4_999);
        assert_eq!(limits.quota(0, Budget::Core, 5_000, false).limit, 60);
    }
}
