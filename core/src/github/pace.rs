//! How fast one token may make content, across the whole process.
//!
//! GitHub allows 80 content-making requests a minute and 500 an hour, and says how long to wait when that or another
//! limit is hit. Bursts up to the minute's amount pass at once. The counts belong to the token and not to a run, so
//! they live as long as the process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use standin_state::model::{MirrorId, RepositoryId};
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Notice};
use crate::outside::{Clock, Progress};
use crate::{Code, Error, Result};

/// Content-making requests in any minute, and in any hour.
const WINDOWS: [(usize, Duration); 2] = [(80, Duration::from_secs(60)), (500, Duration::from_secs(60 * 60))];
/// The most that may be taken at once.
pub(crate) const BURST: usize = WINDOWS[0].0;

static ALL: LazyLock<Mutex<HashMap<TokenHash, Arc<Pace>>>> = LazyLock::new(Mutex::default);

/// Names a token at a host without telling it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(base: &Url, token: &SecretString) -> Self {
        let mut hash = Sha256::new();
        hash.update(base.as_str());
        hash.update([0]);
        hash.update(token.expose_secret());
        Self(hash.finalize().into())
    }

    /// The first digits, enough to tell one token from the next.
    pub(super) fn short(&self) -> String {
        self.0[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// How one run waits for a host's limits: how long, until when it is stopped, and who hears of it.
#[derive(Clone)]
pub(super) struct Waits {
    pub host: String,
    pub clock: Arc<dyn Clock>,
    pub deadline: Instant,
    pub cancel: CancellationToken,
    /// Whom to tell that it waits, and of what.
    pub listener: Option<Listener>,
}

/// Who hears that a run waits.
#[derive(Clone)]
pub(super) struct Listener {
    pub progress: Arc<dyn Progress>,
    pub repository: RepositoryId,
    pub mirror: Option<MirrorId>,
    /// The end of the longest wait that was told; many requests wait for the same.
    pub told: Arc<Mutex<Option<Instant>>>,
}

/// A wait that is worth a word.
const TOLD_FROM: Duration = Duration::from_secs(5);

impl Waits {
    /// Waits for so long, if the run has the time.
    async fn sleep(&self, wait: Duration) -> Result<()> {
        if Instant::now() + wait > self.deadline {
            return Err(self.too_long(wait));
        }
        tracing::info!(seconds = wait.as_secs(), "waiting for the host's limits");
        if let Some(listener) = self.listener.as_ref().filter(|_| wait >= TOLD_FROM) {
            listener.hear(
                &format!("{}, which limits this token's requests {}", self.host, until(&*self.clock, wait)),
                wait,
            );
        }
        tokio::select! {
            () = self.cancel.cancelled() => Err(cancelled()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// The error of a wait for which there is no time.
    pub(super) fn too_long(&self, wait: Duration) -> Error {
        let message = format!(
            "{} limits this token's requests; it may go on {}",
            self.host,
            until(&*self.clock, wait).replacen("until", "at", 1)
        );
        Error::passing(Code::RateLimited, message, "Sync again then; the schedule does so by itself.")
            .retry_after(wait.max(Duration::from_secs(1)))
    }
}

impl Listener {
    fn hear(&self, what: &str, wait: Duration) {
        let end = Instant::now() + wait;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| end < told + TOLD_FROM) {
            return;
        }
        *told = Some(end);
        let repository = self.repository.clone();
        self.progress.event(&match &self.mirror {
            Some(mirror) => Event::RunWaiting { repository, mirror: mirror.clone(), holder: what.to_owned() },
            None => {
                let message = format!("waiting for {what}");
                let hint = "Nothing is lost by the wait, nor by stopping it.".to_owned();
                Event::Notice { repository, mirror: None, notice: Notice { message, hint } }
            }
        });
    }
}

/// When a wait is over, as people tell the time.
fn until(clock: &dyn Clock, wait: Duration) -> String {
    let end = jiff::SignedDuration::try_from(wait).ok().and_then(|wait| clock.now().checked_add(wait).ok());
    end.map_or_else(|| "until later".to_owned(), |end| format!("until {end:.0}"))
}

/// The pace of this token.
pub(super) fn of(token: &TokenHash) -> Arc<Pace> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(token.clone()).or_default())
}

/// What one token did lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When content was made in the last hour, oldest first.
    made: VecDeque<Instant>,
    /// The host asked for silence until then.
    silent_until: Option<Instant>,
}

impl State {
    /// How long to wait before `count` more may be made; zero counts them as made.
    fn take(&mut self, count: usize, now: Instant) -> Duration {
        let longest = WINDOWS[1].1;
        while self.made.front().is_some_and(|first| now.duration_since(*first) >= longest) {
            self.made.pop_front();
        }
        let mut wait = self.silence(now);
        for (limit, span) in WINDOWS {
            // Of the last `limit` made, the one that must have left the window before `count` more fit in.
            let Some(index) = (self.made.len() + count).checked_sub(limit + 1) else { continue };
            let Some(blocking) = self.made.get(index) else { continue };
            wait = wait.max(span.saturating_sub(now.duration_since(*blocking)));
        }
        if wait.is_zero() {
            self.made.extend(std::iter::repeat_n(now, count));
        }
        wait
    }

    fn silence(&self, now: Instant) -> Duration {
        self.silent_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

impl Pace {
    fn with_state<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `count` content-making requests may go, and counts them.
    pub(super) async fn writes(&self, count: usize, waits: &Waits) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let now_taken = left.min(BURST);
            self.wait(waits, |state, now| state.take(now_taken, now)).await?;
            left -= now_taken;
        }
        Ok(())
    }

    /// Waits while the host wants silence.
    pub(super) async fn reads(&self, waits: &Waits) -> Result<()> {
        self.wait(waits, |state, now| state.silence(now)).await
    }

    /// Takes note that the host wants silence for so long.
    pub(super) fn silence_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        self.with_state(|state| state.silent_until = Some(state.silent_until.map_or(until, |known| known.max(until))));
    }

    async fn wait(&self, waits: &Waits, next: impl Fn(&mut State, Instant) -> Duration) -> Result<()> {
        loop {
            let now = Instant::now();
            let wait = self.with_state(|state| next(state, now));
            if wait.is_zero() {
                return Ok(());
            }
            waits.sleep(wait).await?;
        }
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(Code::Cancelled, "stopped before it was finished", "Sync again to finish it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_first_sync_of_forty_writes_is_not_slowed() {
        let mut state = State::default();
        let start = Instant::now();
        for _ in 0..80 {
            assert_eq!(state.take(1, start), Duration::ZERO);
        }
        assert_eq!(state.take(1, start + SECOND), 59 * SECOND);
    }

    #[test]
    fn no_window_of_a_minute_or_an_hour_holds_more_than_the_host_allows() {
        let mut state = State::default();
        let start = Instant::now();
        let mut now = start;
        let mut made = Vec::new();
        while made.len() < 1_000 {
            let wait = state.take(1, now);
            if wait.is_zero() {
                made.push(now);
            } else {
                now += wait;
            }
        }
        for (limit, span) in WINDOWS {
            for (index, first) in made.iter().enumerate() {
                let inside = made[index..].iter().take_while(|other| other.duration_since(*first) < span).count();
                assert!(inside <= limit, "{inside} in {span:?}");
            }
        }
    }

    #[test]
    fn a_batch_waits_until_all_of_it_fits() {
        let mut state = State::default();
        let start = Instant::now();
        assert_eq!(state.take(50, start), Duration::ZERO);
        assert_eq!(state.take(30, start + 10 * SECOND), Duration::ZERO);
        assert_eq!(state.take(50, start + 20 * SECOND), 40 * SECOND);
        assert_eq!(state.take(51, start + 20 * SECOND), 50 * SECOND);
        assert_eq!(state.take(50, start + 60 * SECOND), Duration::ZERO);
    }

    fn waits(limit: Duration) -> Waits {
        Waits {
            host: "github.com".to_owned(),
            clock: Arc::new(crate::outside::SystemClock),
            deadline: Instant::now() + limit,
            cancel: CancellationToken::new(),
            listener: None,
        }
    }

    #[tokio::test]
    async fn a_wait_longer_than_the_run_is_an_error_that_names_the_time() {
        let pace = Pace::default();
        pace.silence_for(Duration::from_secs(120));
        let error = pace.reads(&waits(SECOND)).await.unwrap_err();
        assert_eq!(error.code, Code::RateLimited);
        assert!(error.retryable);
        assert!((119..=120).contains(&error.retry_after_seconds.unwrap()));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let pace = Pace::default();
        let waits = waits(300 * SECOND);
        pace.silence_for(Duration::from_secs(120));
        waits.cancel.cancel();
        let error = pace.writes(1, &waits).await.unwrap_err();
        assert_eq!(error.code, Code::Cancelled);
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Progress for Heard {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[tokio::test]
    async fn a_wait_is_told_once_however_many_requests_wait_for_the_same() {
        let heard = Arc::new(Heard::default());
        let listener = Listener {
            progress: heard.clone(),
            repository: "app".parse().unwrap(),
            mirror: None,
            told: Arc::default(),
        };
        let waits = Waits { listener: Some(listener), ..waits(300 * SECOND) };
        // A run that is stopped does not wait, but says so first.
        waits.cancel.cancel();
        for wait in [120 * SECOND, 121 * SECOND, SECOND] {
            assert_eq!(waits.sleep(wait).await.unwrap_err().code, Code::Cancelled);
        }
        let heard = heard.0.lock().unwrap();
        let [Event::Notice { notice, .. }] = heard.as_slice() else { panic!("{heard:?}") };
        assert!(
            notice.message.starts_with("waiting for github.com, which limits this token's requests until "),
            "{notice:?}"
        );
    }
}
