//! Whether this process is alive: the loop that keeps the schedule, or stands by, turns. About mirrors it says nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::StatusCode;

use crate::listening::{Answer, Asked, Said, only_read, said};

/// The path at which it is asked.
pub(super) const PATH: &str = "/healthz";
/// A loop that did not turn for so long hangs: it turns every second.
const LONGEST: Duration = Duration::from_secs(30);

/// The pulse of one process that keeps a schedule or stands by.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// Milliseconds from `began` to the last turn of the loop.
    turned: AtomicU64,
    is_kept: AtomicBool,
}

impl Pulse {
    pub fn new() -> Self {
        Self { began: Instant::now(), turned: AtomicU64::new(0), is_kept: AtomicBool::new(false) }
    }

    /// The loop has turned.
    pub fn beat(&self) {
        self.turned.store(milliseconds(self.began.elapsed()), Ordering::Relaxed);
    }

    /// From now on this process keeps the schedule, or no more.
    pub fn set_kept(&self, is_kept: bool) {
        self.is_kept.store(is_kept, Ordering::Relaxed);
    }

    /// Whether this process keeps the schedule.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    /// How long ago the loop turned.
    fn age(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.turned.load(Ordering::Relaxed)))
    }
}

/// No process lives so long that these do not fit.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The answer at [`PATH`].
pub(super) struct HealthAnswer {
    pub pulse: Arc<Pulse>,
}

#[async_trait]
impl Answer for HealthAnswer {
    async fn answer(&self, asked: Asked) -> Said {
        only_read(&asked).unwrap_or_else(|| health(self.pulse.age()))
    }
}

fn health(age: Duration) -> Said {
    if age <= LONGEST {
        return said(StatusCode::OK, "ok\n");
    }
    let words = format!("the loop that keeps the schedule has not turned for {} s\n", age.as_secs());
    said(StatusCode::SERVICE_UNAVAILABLE, words)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn told(age: Duration) -> (u16, String) {
        let answer = health(age);
        let status = answer.status().as_u16();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_loop_that_turned_is_well_and_one_that_hangs_is_told() {
        assert_eq!(told(Duration::ZERO).await, (200, "ok\n".to_owned()));
        assert_eq!(told(LONGEST).await, (200, "ok\n".to_owned()));
        let (status, words) = told(Duration::from_secs(45)).await;
        assert_eq!((status, words.as_str()), (503, "the loop that keeps the schedule has not turned for 45 s\n"));
    }

    #[test]
    fn each_turn_is_a_beat() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap_or_else(Instant::now);
        let pulse = Pulse { began: long_ago, ..Pulse::new() };
        assert!(pulse.age() > LONGEST || pulse.began.elapsed() < LONGEST, "it never turned");
        pulse.beat();
        assert!(pulse.age() < Duration::from_secs(10));
    }
}
