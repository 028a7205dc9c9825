//! The jobs that go on in this process: one list of them, for every face.
//!
//! What another process does is seen by the locks that it holds ([`crate::status`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use standin_state::model::{JobId, MirrorId, RepositoryId, Trigger};
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::context::new_run_id;
use crate::event::{Event, Job, JobEnd, JobKind};
use crate::outside::Progress;

/// The jobs that go on, by id; ids sort by time.
#[derive(Clone, Default)]
pub(super) struct Going(Arc<Mutex<BTreeMap<JobId, Entry>>>);

/// What is known of a job that goes on.
struct Entry {
    job: Job,
    cancel: CancellationToken,
    /// Those of its mirrors that are through, though others are not.
    through: BTreeSet<MirrorId>,
}

/// A job that goes on until this is dropped.
pub(super) struct Begun {
    /// What was told of it.
    pub job: Job,
    /// Asks it to stop.
    pub cancel: CancellationToken,
    end: JobEnd,
    all: Going,
    progress: Arc<dyn Progress>,
}

impl Going {
    /// Notes that a job goes on, and tells it.
    pub fn begin(&self, job: Job, cancel: CancellationToken, progress: &Arc<dyn Progress>) -> Begun {
        let progress = progress.clone();
        let entry = Entry { job: job.clone(), cancel: cancel.clone(), through: BTreeSet::new() };
        self.all().insert(job.id.clone(), entry);
        progress.event(&Event::JobStarted { job: job.clone() });
        Begun { job, cancel, end: JobEnd::Broken, all: self.clone(), progress }
    }

    /// Notes that a job is through with one of its mirrors.
    pub fn through(&self, job: &JobId, mirror: &MirrorId) {
        if let Some(entry) = self.all().get_mut(job) {
            entry.through.insert(mirror.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    /// Ends it with this.
    pub fn end(mut self, end: JobEnd) {
        self.end = end;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.all().remove(&self.job.id);
        self.progress.event(&Event::JobEnded { job: self.job.clone(), end: self.end.clone() });
    }
}

impl Engine {
    /// The jobs that go on in this process, the oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.shared.going.all().values().map(|entry| entry.job.clone()).collect()
    }

    /// Whether a job works on one of its mirrors still, or will.
    pub(crate) fn is_at_work(&self, job: &JobId, mirror: &MirrorId) -> bool {
        self.shared.going.all().get(job).is_some_and(|entry| !entry.through.contains(mirror))
    }

    /// Stops a job: it ends at the next safe point. A run that a sync shares with another one that asked for the same before
    /// goes on for that one. `false` when it has ended already.
    pub fn cancel(&self, job: &JobId) -> bool {
        let cancel = self.shared.going.all().get(job).map(|entry| entry.cancel.clone());
        if let Some(cancel) = &cancel {
            cancel.cancel();
        }
        cancel.is_some()
    }

    /// A job that begins now.
    pub(super) fn job(&self, what: JobKind, repository: &RepositoryId, mirrors: Vec<MirrorId>) -> Job {
        Job {
            id: new_job_id(),
            what,
            repository: repository.clone(),
            mirrors,
            of_all: false,
            trigger: Trigger::Manual,
            since_iso: self.shared.outside.clock.now(),
        }
    }
}

/// The id of a job, to be given out before it is started.
pub fn new_job_id() -> JobId {
    new_run_id().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<Event>>);

    impl Progress for Told {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    fn job(id: &str) -> Job {
        Job {
            id: id.parse().unwrap(),
            what: JobKind::Promote,
            repository: "r".parse().unwrap(),
            mirrors: vec!["mirror-1".parse().unwrap()],
            of_all: false,
            trigger: Trigger::Manual,
            since_iso: "2026-02-07T18:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_job_is_known_from_its_start_to_its_end_and_both_are_told_once() {
        let (going, told) = (Going::default(), Arc::new(Told::default()));
        let progress: Arc<dyn Progress> = told.clone();
        let first = going.begin(job("1"), CancellationToken::new(), &progress);
        let second = going.begin(job("2"), CancellationToken::new(), &progress);
        assert_eq!(going.all().keys().map(JobId::as_str).collect::<Vec<_>>(), ["1", "2"]);
        first.end(JobEnd::RoleChange { end: crate::event::RoleChangeEnd::Done, error: None });
        assert_eq!(going.all().len(), 1);
        let task = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _second = second;
            panic!("boom");
        }));
        assert!(task.is_err());
        assert!(going.all().is_empty(), "one that ends by a bug goes on no more");
        let told = told.0.lock().unwrap();
        let ends: Vec<_> = told
            .iter()
            .filter_map(|event| if let Event::JobEnded { end, .. } = event { Some(end) } else { None })
            .collect();
        assert!(matches!(ends[..], [JobEnd::RoleChange { .. }, JobEnd::Broken]), "{ends:?}");
        assert_eq!(told.len(), 4);
    }
}
