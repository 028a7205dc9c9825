//! What is due or was asked for at a moment: syncs and looks, begun side by side, each mirror and master one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_state::config::{RepositoryConfig, Source};
use standin_state::lock::Presence;
use standin_state::model::{JobId, MirrorId, RepositoryId, Trigger};
use standin_state::store::QueuedTrigger;
use tokio::task::JoinSet;

use crate::engine::{Engine, SyncOutcome, SyncRequest};
use crate::event::{Event, Job, Notice};
use crate::{Code, Error, Result};

/// What is due so soon after another mirror of its repository goes with it: the source is read once for all.
const TOGETHER: Duration = Duration::from_secs(60);
/// How long something is left alone that could not even begin.
const REST: Duration = Duration::from_secs(60);
/// How long a mirror is left alone that another process works on.
const BUSY_REST: Duration = Duration::from_secs(10);

/// How long it is believed what is due when: what somebody syncs by hand meanwhile is only due later.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// A clock that differs by more from the time that passed was set.
const CLOCK_SET: Duration = Duration::from_secs(2);

/// What ended.
enum Ended {
    Sync {
        job: JobId,
        outcome: SyncOutcome,
    },
    Look {
        repository: RepositoryId,
        failure: Option<Error>,
    },
    /// A look at a source, on its host or in its folder, which puts what it finds into the queue.
    Upstream {
        repository: RepositoryId,
    },
}

/// What is through, for who tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// A sync.
    Round,
    /// A look.
    Look,
}

/// When it was asked what is due, by the clock and in truth, and when something is due next.
struct Asked {
    at: Instant,
    clock: Timestamp,
    next: Option<Timestamp>,
}

/// Whether what waits in the queue may begin.
enum Readiness {
    /// Not now.
    Waits,
    /// There is nothing any more that it could be for.
    Moot,
    /// For these mirrors, and not yet for those.
    Ready { free: BTreeSet<MirrorId>, busy: BTreeSet<MirrorId> },
}

/// A sync that goes on.
struct Syncing {
    repository: RepositoryId,
    mirrors: BTreeSet<MirrorId>,
    /// What asked for it, where that was not the clock.
    asked_by: Option<QueuedTrigger>,
}

/// The syncs and looks of one process that keeps a schedule.
pub(super) struct Rounds {
    engine: Engine,
    kept_since: Timestamp,
    tasks: JoinSet<Ended>,
    /// When it was last asked what is due; `None` where it is to be asked anew.
    asked: Option<Asked>,
    /// The mirrors of each sync that goes on.
    syncing: BTreeMap<JobId, Syncing>,
    looking: BTreeSet<RepositoryId>,
    /// Masters that could not be looked at, with the moment until which they are left alone.
    not_looked_at: BTreeMap<RepositoryId, Instant>,
    /// What is left alone until then.
    resting: BTreeMap<(RepositoryId, Option<MirrorId>), Instant>,
    /// When each source was looked at on its host, and those that are looked at now.
    upstream: BTreeMap<RepositoryId, Instant>,
    asking: BTreeSet<RepositoryId>,
    /// Sources in folders that were looked at since the configuration was read.
    looked_at_folders: BTreeSet<RepositoryId>,
    /// The sign of life of who takes from the queue.
    taker: Presence,
    /// What was told of a repository that could not begin, so that it is told once.
    told: BTreeMap<RepositoryId, Error>,
}

impl Rounds {
    /// # Errors
    /// [`Code::Storage`].
    pub fn new(engine: &Engine, kept_since: Timestamp) -> Result<Self> {
        Ok(Self {
            taker: engine.trigger_taker()?,
            upstream: BTreeMap::new(),
            asking: BTreeSet::new(),
            looked_at_folders: BTreeSet::new(),
            engine: engine.clone(),
            kept_since,
            tasks: JoinSet::new(),
            asked: None,
            syncing: BTreeMap::new(),
            looking: BTreeSet::new(),
            not_looked_at: BTreeMap::new(),
            resting: BTreeMap::new(),
            told: BTreeMap::new(),
        })
    }

    /// Whether nothing of this process works on a mirror, and nothing keeps it from being begun.
    fn is_free(&self, repository: &RepositoryId, mirror: &MirrorId) -> bool {
        // One that is through waits for no other mirror of its sync.
        let is_syncing = self.syncing.iter().any(|(job, sync)| {
            sync.repository == *repository && sync.mirrors.contains(mirror) && self.engine.is_at_work(job, mirror)
        });
        !is_syncing && !self.resting.contains_key(&(repository.clone(), Some(mirror.clone())))
    }

    fn begin(&mut self, request: SyncRequest, asked_by: Option<QueuedTrigger>) -> Result<()> {
        let started = self.engine.sync(request)?;
        let Job { id, repository, mirrors, .. } = started.job.clone();
        self.told.remove(&repository);
        let mirrors = mirrors.into_iter().collect();
        self.syncing.insert(id.clone(), Syncing { repository, mirrors, asked_by });
        self.tasks.spawn(async move { Ended::Sync { job: id, outcome: started.finished().await } });
        Ok(())
    }

    /// Begins what waits in the queue, for those of its mirrors that are free. For the others it waits on, and all of it where
    /// nothing may be begun: a yes is waited for, the repository is switched off, its configuration has mistakes.
    pub fn begin_what_is_asked_for(&mut self) {
        // Looking costs no write; most of the time nothing waits, or what does cannot be begun yet.
        let begun = self.engine.queued().and_then(|waiting| {
            if waiting.iter().all(|trigger| matches!(self.readiness(trigger), Readiness::Waits)) {
                return Ok(());
            }
            for trigger in self.engine.take_triggers(&self.taker)? {
                match self.readiness(&trigger) {
                    Readiness::Waits => self.engine.trigger_back(&self.taker, &trigger)?,
                    Readiness::Moot => self.engine.trigger_done(&self.taker, &trigger)?,
                    Readiness::Ready { free, busy } => self.begin_asked(trigger, free, busy)?,
                }
            }
            Ok(())
        });
        if let Err(error) = begun {
            tracing::warn!(error = %error.message, "what waits in the queue is begun later");
        }
    }

    fn begin_asked(
        &mut self,
        trigger: QueuedTrigger,
        free: BTreeSet<MirrorId>,
        busy: BTreeSet<MirrorId>,
    ) -> Result<()> {
        let trigger = self.engine.trigger_for(&self.taker, trigger, free, busy)?;
        let request = SyncRequest { wait: false, ..self.engine.request_of(&trigger) };
        match self.begin(request, Some(trigger.clone())) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.could_not_begin(&trigger.repository, error);
                self.engine.trigger_back(&self.taker, &trigger)
            }
        }
    }

    fn readiness(&self, trigger: &QueuedTrigger) -> Readiness {
        let config = self.engine.config();
        let Some(repository) = config.repositories.iter().find(|known| known.id == trigger.repository) else {
            return Readiness::Moot;
        };
        if !repository.is_open() || self.resting.contains_key(&(repository.id.clone(), None)) {
            return Readiness::Waits;
        }
        let Ok(all) = self.engine.synced_by_itself(&repository.id) else { return Readiness::Waits };
        let asked = |mirror: &MirrorId| trigger.mirrors.is_empty() || trigger.mirrors.contains(mirror);
        let (free, busy): (BTreeSet<_>, BTreeSet<_>) =
            all.into_iter().filter(asked).partition(|mirror| self.is_free(&repository.id, mirror));
        match (free.is_empty(), busy.is_empty()) {
            (true, true) => Readiness::Moot,
            (true, false) => Readiness::Waits,
            (false, _) => Readiness::Ready { free, busy },
        }
    }

    /// Tries at once what was left alone: the configuration is another.
    pub fn forgive(&mut self) {
        self.asked = None;
        self.looked_at_folders.clear();
        self.resting.clear();
        self.told.clear();
    }

    /// Whether it may be another answer by now what is due: something ended, a time has come, the clock was set, or it was not
    /// asked for a while.
    fn may_have_changed(&mut self) -> bool {
        let (now, clock) = (Instant::now(), self.engine.now());
        let Some(asked) = &self.asked else { return true };
        let passed = now.duration_since(asked.at);
        let shown = clock.duration_since(asked.clock);
        let is_set = (shown.as_secs_f64() - passed.as_secs_f64()).abs() > CLOCK_SET.as_secs_f64();
        is_set || passed >= ASK_AGAIN || asked.next.is_some_and(|next| next <= clock)
    }

    /// Begins a sync of each repository of which a mirror is due.
    pub fn begin_what_is_due(&mut self) {
        let now = Instant::now();
        let rested = self.resting.len();
        self.resting.retain(|_, until| *until > now);
        if self.resting.len() == rested && !self.may_have_changed() {
            return;
        }
        self.asked = Some(Asked { at: now, clock: self.engine.now(), next: None });
        for repository in &self.engine.config().repositories {
            if self.resting.contains_key(&(repository.id.clone(), None)) {
                continue;
            }
            if let Err(error) = self.begin_sync(repository) {
                self.could_not_begin(&repository.id, error);
            }
        }
    }

    fn begin_sync(&mut self, repository: &RepositoryConfig) -> Result<()> {
        if !repository.is_open() {
            return Ok(());
        }
        let now = self.engine.now();
        let known = self.engine.due(repository, (self.kept_since, now))?;
        if let Some(asked) = &mut self.asked {
            // What is due and not free is asked for again when that changes.
            let next = known.iter().map(|(_, due)| *due).filter(|due| *due > now).min();
            asked.next = asked.next.into_iter().chain(next).min();
        }
        let free = |mirror: &MirrorId| self.is_free(&repository.id, mirror);
        if !known.iter().any(|(mirror, due)| *due <= now && free(mirror)) {
            return Ok(());
        }
        let soon = now.checked_add(TOGETHER).unwrap_or(now);
        let mirrors: Vec<MirrorId> =
            known.into_iter().filter(|(mirror, due)| *due <= soon && free(mirror)).map(|(mirror, _)| mirror).collect();
        let request = SyncRequest {
            repository: Some(repository.id.clone()),
            mirrors,
            trigger: Trigger::Schedule,
            wait: false,
            ..SyncRequest::default()
        };
        self.begin(request, None)
    }

    /// Begins a look at each source in a folder that may have moved while nobody watched it: at the start, and when another
    /// configuration was read.
    fn begin_looks_at_folders(&mut self) {
        for repository in &self.engine.config().repositories {
            let is_ready = repository.is_open() && matches!(repository.source, Source::Path(_));
            if is_ready && self.looked_at_folders.insert(repository.id.clone()) {
                let (engine, repository) = (self.engine.clone(), repository.id.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = engine.look_at_folder(&repository).await {
                        tracing::info!(error = %error.message, %repository, "the source could not be looked at");
                    }
                    Ended::Upstream { repository }
                });
            }
        }
    }

    /// Begins a look at each source on its host for which that is wished and due.
    fn begin_looks_upstream(&mut self) {
        let config = self.engine.config();
        let Some(wait) = config.schedule.look_at_source else { return };
        for repository in &config.repositories {
            let id = &repository.id;
            let is_ready = repository.is_open() && matches!(repository.source, Source::GitHub(_));
            let is_due = self.upstream.get(id).is_none_or(|looked| looked.elapsed() >= wait);
            if is_ready && is_due && self.asking.insert(id.clone()) {
                self.upstream.insert(id.clone(), Instant::now());
                let (engine, repository) = (self.engine.clone(), id.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = engine.look_upstream(&repository).await {
                        tracing::info!(error = %error.message, %repository, "the source could not be looked at");
                    }
                    Ended::Upstream { repository }
                });
            }
        }
    }

    /// Begins a look at each master that was not looked at for a while.
    pub fn begin_looks(&mut self) {
        self.begin_looks_at_folders();
        self.begin_looks_upstream();
        let now = self.engine.now();
        let moment = Instant::now();
        self.not_looked_at.retain(|_, until| *until > moment);
        for repository in &self.engine.config().repositories {
            let id = &repository.id;
            let is_ready = repository.consent.question().is_none() && repository.mistakes.is_empty();
            if !is_ready || self.looking.contains(id) || self.not_looked_at.contains_key(id) {
                continue;
            }
            match self.engine.next_look(repository, now) {
                Ok(Some(next)) if next <= now => {
                    self.looking.insert(id.clone());
                    let (engine, repository) = (self.engine.clone(), id.clone());
                    self.tasks.spawn(async move {
                        let failure = engine.look_at_master(&repository).await.err();
                        Ended::Look { repository, failure }
                    });
                }
                Ok(_) => {}
                Err(error) => self.could_not_begin(&repository.id, error),
            }
        }
    }

    /// Waits for the end of one of those that go on, and writes down how it was; for ever where none does.
    pub async fn one_ended(&mut self) -> Through {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return self.note(ended),
                // A bug in a task is told by the task itself; the frames around have nothing that could panic.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn note(&mut self, ended: Ended) -> Through {
        self.asked = None;
        match ended {
            Ended::Sync { job, outcome } => {
                let sync = self.syncing.remove(&job);
                let (begun, asked_by) = sync.map_or_else(Default::default, |sync| (sync.mirrors, sync.asked_by));
                let ended = |mirror: &MirrorId| outcome.mirrors.iter().any(|outcome| outcome.mirror == *mirror);
                for mirror in begun.into_iter().filter(|mirror| !ended(mirror)) {
                    // A bug in Standin ended it without a word.
                    self.resting.insert((outcome.repository.clone(), Some(mirror)), Instant::now() + REST);
                }
                for mirror in &outcome.mirrors {
                    if mirror.error.as_ref().is_some_and(|error| error.code == Code::Busy) {
                        let place = (outcome.repository.clone(), Some(mirror.mirror.clone()));
                        self.resting.insert(place, Instant::now() + BUSY_REST);
                    }
                    if mirror.error.as_ref().is_some_and(|error| error.code == Code::Storage) {
                        // Where a try cannot be remembered it would be due at once, again and again.
                        let place = (outcome.repository.clone(), Some(mirror.mirror.clone()));
                        self.resting.insert(place, Instant::now() + REST);
                    }
                }
                if let Some(trigger) = asked_by {
                    self.note_asked(trigger, &outcome);
                }
                Through::Round
            }
            Ended::Look { repository, failure } => {
                self.looking.remove(&repository);
                if let Some(error) = failure {
                    // What keeps it from being looked at keeps it from being synced, which tells it.
                    tracing::info!(error = %error.message, %repository, "the master could not be looked at");
                    self.not_looked_at.insert(repository, Instant::now() + REST);
                }
                Through::Look
            }
            Ended::Upstream { repository } => {
                self.asking.remove(&repository);
                Through::Look
            }
        }
    }

    /// What was asked for is carried out. A mirror whose sync was stopped, or found another process at work, waits again.
    fn note_asked(&self, trigger: QueuedTrigger, outcome: &SyncOutcome) {
        let is_open = |error: &Error| matches!(error.code, Code::Busy | Code::Cancelled);
        let open: BTreeSet<MirrorId> = outcome
            .mirrors
            .iter()
            .filter(|mirror| mirror.error.as_ref().is_some_and(is_open))
            .map(|mirror| mirror.mirror.clone())
            .collect();
        let noted = match open.is_empty() {
            true => self.engine.trigger_done(&self.taker, &trigger),
            false => self
                .engine
                .trigger_for(&self.taker, trigger, open, BTreeSet::new())
                .and_then(|trigger| self.engine.trigger_back(&self.taker, &trigger)),
        };
        if let Err(error) = noted {
            tracing::warn!(error = %error.message, "that a trigger was carried out could not be kept: it is, once more, by the next start");
        }
    }

    /// Leaves a repository alone for a while, and says why, once.
    fn could_not_begin(&mut self, repository: &RepositoryId, error: Error) {
        self.resting.insert((repository.clone(), None), Instant::now() + REST);
        if self.told.get(repository) != Some(&error) {
            let notice = Notice { message: error.message.clone(), hint: error.advice() };
            self.engine.tell(&Event::Notice { repository: repository.clone(), mirror: None, notice });
            self.told.insert(repository.clone(), error);
        }
    }

    /// Stops all syncs at their next safe point, and waits so long for it. What is not done by then is found and mended by the
    /// next start, as after a crash.
    pub async fn stop(mut self, limit: Duration) {
        for job in self.syncing.keys() {
            self.engine.cancel(job);
        }
        let all = async {
            while !self.syncing.is_empty() {
                self.one_ended().await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("a sync did not come to a safe point in time; the next start finds and mends what it left");
        }
    }
}
