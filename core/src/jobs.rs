//! Many runs side by side: a bounded number at once, one per mirror at a time.
//!
//! A second request for a mirror that waits joins the one that waits already; one that came after the start waits
//! for its turn. Mirrors do not wait for each other, and one that fails or hangs does not stop the rest. Other
//! processes are kept out by the operating-system lock that each run takes (see [`crate::run`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use standin_state::model::{Aspect, MirrorId, RepositoryId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::run::MirrorOutcome;

/// What makes two requests the same: joining one then gives the other's result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobKey {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What is asked for.
    pub aspects: BTreeSet<Aspect>,
    /// Whether guards are confirmed.
    pub yes: bool,
    /// The seal of the plan that is to be carried out.
    pub seal: Option<String>,
}

/// A run's result, for everyone who waits for it.
type Waiting = Shared<BoxFuture<'static, MirrorOutcome>>;

/// Runs jobs. Cheap to clone; all clones share their places and turns.
#[derive(Clone)]
pub struct Jobs {
    places: Arc<Semaphore>,
    queues: Arc<Mutex<Queues>>,
}

/// What a request for a run led to.
enum Begun {
    /// A run of its own.
    Own(Waiting),
    /// The run of an earlier request that waits still.
    Joined(Waiting),
}

#[derive(Default)]
struct Queues {
    turns: HashMap<(RepositoryId, MirrorId), Arc<tokio::sync::Mutex<()>>>,
    waiting: HashMap<JobKey, Waiting>,
}

impl Jobs {
    /// A runner with so many places.
    pub fn new(parallel: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(parallel.max(1))), queues: Arc::default() }
    }

    /// Runs what `job` makes when it is the mirror's turn and a place is free, or joins the same one that still waits.
    ///
    /// `cancel` is this request's own: where another request's job was joined it only stops the waiting. Where that other
    /// request is stopped, this one gets a job of its own.
    pub async fn run<J, F>(&self, key: JobKey, cancel: &CancellationToken, job: J) -> MirrorOutcome
    where
        J: Fn() -> F,
        F: Future<Output = MirrorOutcome> + Send + 'static,
    {
        loop {
            match self.start(key.clone(), &job) {
                Begun::Own(waiting) => return waiting.await,
                Begun::Joined(waiting) => tokio::select! {
                    outcome = waiting => {
                        if !outcome.is_cancelled() || cancel.is_cancelled() {
                            return outcome;
                        }
                    }
                    () = cancel.cancelled() => return MirrorOutcome::left(key.mirror),
                },
            }
        }
    }

    /// The place is taken after the turn, so that requests for one busy mirror never fill the places of others.
    fn start<F>(&self, key: JobKey, job: impl FnOnce() -> F) -> Begun
    where
        F: Future<Output = MirrorOutcome> + Send + 'static,
    {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = queues.waiting.get(&key) {
            return Begun::Joined(waiting.clone());
        }
        let job = job();
        let turn = queues.turns.entry((key.repository.clone(), key.mirror.clone())).or_default().clone();
        let places = self.places.clone();
        let all = self.queues.clone();
        let id = key.mirror.clone();
        let own = key.clone();
        let task = tokio::spawn(async move {
            let _turn = turn.lock_owned().await;
            // The semaphore is never closed, so that a place always comes.
            let _place = places.acquire_owned().await;
            all.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&own);
            job.await
        });
        let waiting =
            task.map(move |result| result.unwrap_or_else(|panic| MirrorOutcome::panicked(id, &panic))).boxed().shared();
        queues.waiting.insert(key, waiting.clone());
        Begun::Own(waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use standin_state::model::MirrorStatus;

    use super::*;

    fn key(mirror: &str) -> JobKey {
        JobKey {
            repository: "r".parse().expect("an id"),
            mirror: mirror.parse().expect("an id"),
            aspects: BTreeSet::new(),
            yes: false,
            seal: None,
        }
    }

    fn outcome(mirror: &str) -> MirrorOutcome {
        MirrorOutcome {
            mirror: mirror.parse().expect("an id"),
            status: MirrorStatus::Success,
            error: None,
            retry_after_seconds: None,
        }
    }

    #[tokio::test]
    async fn one_mirror_runs_once_at_a_time_and_requests_that_wait_are_joined() {
        let jobs = Jobs::new(8);
        let (running, most, started) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let begin = || {
            let (running, most, started, jobs) = (running.clone(), most.clone(), started.clone(), jobs.clone());
            tokio::spawn(async move {
                let job = || {
                    let (running, most, started) = (running.clone(), most.clone(), started.clone());
                    async move {
                        started.fetch_add(1, Ordering::SeqCst);
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        outcome("a")
                    }
                };
                jobs.run(key("a"), &CancellationToken::new(), job).await
            })
        };
        let first = begin();
        while started.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others = [begin(), begin(), begin()];
        first.await.expect("it ends");
        for other in others {
            assert_eq!(other.await.expect("it ends").status, MirrorStatus::Success);
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(started.load(Ordering::SeqCst), 2, "the first, and one for the three that came while it ran");
    }

    #[tokio::test]
    async fn a_mirror_that_hangs_leaves_the_places_of_others_free() {
        let jobs = Jobs::new(2);
        let hung: Vec<_> = (0..4)
            .map(|n| {
                let mut key = key("hung");
                key.yes = n % 2 == 0;
                key.aspects = if n < 2 { BTreeSet::new() } else { [Aspect::Code].into() };
                let jobs = jobs.clone();
                tokio::spawn(async move {
                    let job = || async {
                        tokio::time::sleep(Duration::from_secs(3600)).await;
                        outcome("hung")
                    };
                    jobs.run(key, &CancellationToken::new(), job).await
                })
            })
            .collect();
        let never = CancellationToken::new();
        let quick = jobs.run(key("quick"), &never, || async { outcome("quick") });
        let quick = tokio::time::timeout(Duration::from_secs(5), quick);
        assert_eq!(quick.await.expect("not held up").status, MirrorStatus::Success);
        drop(hung);
    }

    #[tokio::test]
    async fn a_run_that_panics_is_reported_as_failed() {
        let never = CancellationToken::new();
        let outcome = Jobs::new(1).run(key("a"), &never, || async { panic!("boom") }).await;
        assert_eq!(outcome.status, MirrorStatus::Failed);
        assert!(outcome.error.is_some());
    }

    /// A runner whose one place is taken until the answer is dropped.
    async fn held() -> (Jobs, tokio::sync::OwnedSemaphorePermit) {
        let jobs = Jobs::new(1);
        let place = jobs.places.clone().acquire_owned().await.expect("a place");
        (jobs, place)
    }

    /// A request; its job ends well, unless the request is stopped.
    fn request(jobs: &Jobs, cancel: &CancellationToken) -> tokio::task::JoinHandle<MirrorOutcome> {
        let (jobs, cancel) = (jobs.clone(), cancel.clone());
        tokio::spawn(async move {
            let job = || {
                let cancel = cancel.clone();
                async move {
                    if cancel.is_cancelled() { MirrorOutcome::left("a".parse().expect("an id")) } else { outcome("a") }
                }
            };
            jobs.run(key("a"), &cancel, job).await
        })
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn stopping_a_request_that_joined_leaves_the_first_one_alone() {
        let (jobs, place) = held().await;
        let [one, two] = [(); 2].map(|()| CancellationToken::new());
        let first = request(&jobs, &one);
        settle().await;
        let joined = request(&jobs, &two);
        settle().await;
        two.cancel();
        assert!(joined.await.expect("it ends").is_cancelled(), "at once, while the first still waits");
        drop(place);
        assert_eq!(first.await.expect("it ends").status, MirrorStatus::Success);
    }

    #[tokio::test]
    async fn stopping_the_first_request_does_not_stop_the_one_that_joined_it() {
        let (jobs, place) = held().await;
        let [one, two] = [(); 2].map(|()| CancellationToken::new());
        let first = request(&jobs, &one);
        settle().await;
        let joined = request(&jobs, &two);
        settle().await;
        one.cancel();
        drop(place);
        assert!(first.await.expect("it ends").is_cancelled());
        assert_eq!(joined.await.expect("it ends").status, MirrorStatus::Success);
    }
}
