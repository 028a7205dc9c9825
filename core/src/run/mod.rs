//! One run of one mirror: look, plan, apply, record.
//!
//! [`attempt`] holds the order of things; [`record`] what is written down about it. Who may run when, and how many at
//! once, is decided in [`crate::jobs`].

mod attempt;
mod record;

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use standin_state::config::MirrorConfig;
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{Aspect, JobId, MirrorId, MirrorStatus, RunId, Trigger};
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use crate::context::{MirrorContext, SourceContext};
use crate::event::Event;
use crate::kinds::{self, Asked};
use crate::plan::Plan;
use crate::source::{ATTEMPTS, SharedSource};
use crate::totals::Totals;
use crate::{Code, Error, Result};

pub(crate) use record::not_begun;

/// How long a run waits before its second and third attempt, unless the host says more.
const BACKOFF: [Duration; ATTEMPTS - 1] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// What to keep in step; aspects that the mirror does not have are left out.
    pub aspects: BTreeSet<Aspect>,
    /// Whether guards and new secret names are confirmed.
    pub yes: bool,
    /// What set it off.
    pub trigger: Trigger,
    /// Who or what that was, for the audit trail, where it is not the actor.
    pub set_off_by: Option<String>,
    /// Whether to wait while another process holds the mirror, instead of being refused.
    pub wait: bool,
    /// The seal of the plan that is to be carried out; `None` where it is whatever is found.
    pub seal: Option<String>,
    /// Who asks: `user@host`, for the lock and the audit trail.
    pub actor: String,
    /// The job that it is part of.
    pub job: Option<JobId>,
    /// The id of the run, where it was given out before.
    pub run: Option<RunId>,
}

impl RunRequest {
    /// All of a mirror, as a part of something that a person does by hand.
    pub fn of_all(mirror: &MirrorConfig, yes: bool, actor: impl Into<String>) -> Self {
        Self {
            aspects: mirror.sync.clone(),
            yes,
            trigger: Trigger::Manual,
            set_off_by: None,
            wait: true,
            seal: None,
            actor: actor.into(),
            job: None,
            run: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorOutcome {
    /// The mirror.
    pub mirror: MirrorId,
    /// Its status after the run.
    pub status: MirrorStatus,
    /// Why it ended before its aspects, where it did.
    pub error: Option<Error>,
    /// How long its host asked to be left alone, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_seconds: Option<u64>,
}

impl MirrorOutcome {
    fn failed(mirror: MirrorId, error: Error) -> Self {
        let retry_after_seconds = error.retry_after_seconds;
        Self { mirror, status: MirrorStatus::Failed, error: Some(error), retry_after_seconds }
    }

    /// The outcome for somebody who stopped waiting for a run that others still want.
    pub(crate) fn left(mirror: MirrorId) -> Self {
        let error = Error::new(
            Code::Cancelled,
            "the sync was stopped; another one that waits for the same mirror goes on",
            "Stop that one too if it is not wanted either.",
        );
        Self::failed(mirror, error)
    }

    /// Whether it did not work; what waits for a decision is no failure.
    pub(crate) fn has_failed(&self) -> bool {
        match self.status {
            MirrorStatus::Failed => !self.error.as_ref().is_some_and(|error| error.code.waits()),
            MirrorStatus::Idle | MirrorStatus::Syncing | MirrorStatus::Success | MirrorStatus::Blocked => false,
        }
    }

    /// Whether it was stopped.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == Code::Cancelled)
    }

    /// The outcome of a run whose task ended by a bug.
    pub(crate) fn panicked(mirror: MirrorId, panic: &tokio::task::JoinError) -> Self {
        Self::failed(mirror, ended_by_a_bug(&panic.to_string()))
    }
}

fn ended_by_a_bug(words: &str) -> Error {
    Error::new(
        Code::Internal,
        format!("the run ended by a bug in Standin: {words}"),
        "Please report it with what `standin history` shows. Running the sync again is safe.",
    )
}

/// What a panic was raised with, where that is text.
fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no words").to_owned()
}

/// Runs one mirror: takes its lock, tries, records. Never returns before the lock is free again, and never without a word: each
/// run ends with its event, one that ends by a bug too.
pub async fn execute(source: Arc<SharedSource>, mirror: Arc<MirrorConfig>, request: RunRequest) -> MirrorOutcome {
    let (progress, repository) = (source.context.outside.progress.clone(), source.context.repository.id.clone());
    let id = mirror.id.clone();
    match AssertUnwindSafe(Box::pin(execute_alone(source, mirror, request))).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => record::not_begun(progress.as_ref(), &repository, &id, ended_by_a_bug(&panic_words(&*panic))),
    }
}

async fn execute_alone(source: Arc<SharedSource>, mirror: Arc<MirrorConfig>, request: RunRequest) -> MirrorOutcome {
    let cancel = source.context.cancel.child_token();
    // What only waited for its turn leaves no trace.
    if cancel.is_cancelled() {
        let progress = source.context.outside.progress.as_ref();
        return record::not_begun(progress, &source.context.repository.id, &mirror.id, cancelled());
    }
    let lock = match take_lock(&source.context, &mirror.id, &request, &cancel).await {
        Ok(lock) => lock,
        Err(error) => return record::refused(&source.context, &mirror, &request, error),
    };
    let outcome = begin(source, mirror, request, cancel).await;
    drop(lock);
    outcome
}

/// Runs one mirror whose lock the caller holds.
pub(crate) async fn execute_held(
    source: Arc<SharedSource>,
    mirror: Arc<MirrorConfig>,
    request: RunRequest,
) -> MirrorOutcome {
    let cancel = source.context.cancel.child_token();
    begin(source, mirror, request, cancel).await
}

async fn begin(
    source: Arc<SharedSource>,
    mirror: Arc<MirrorConfig>,
    request: RunRequest,
    cancel: CancellationToken,
) -> MirrorOutcome {
    match record::begin(&source.context, &mirror, &request) {
        Ok(run) => execute_locked(source, mirror.clone(), request, run, cancel).await,
        Err(error) => {
            let progress = source.context.outside.progress.as_ref();
            record::not_begun(progress, &source.context.repository.id, &mirror.id, error)
        }
    }
}

async fn execute_locked(
    source: Arc<SharedSource>,
    mirror: Arc<MirrorConfig>,
    request: RunRequest,
    run: RunId,
    cancel: CancellationToken,
) -> MirrorOutcome {
    let own = mirror.target.pulled().and_then(|pull| pull.timeout);
    let limit = own.unwrap_or(source.context.config.limits.run);
    let totals = Arc::new(Totals::default());
    let timed_out = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let timer = {
        let (cancel, timed_out) = (cancel.clone(), timed_out.clone());
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            timed_out.store(true, std::sync::atomic::Ordering::SeqCst);
            cancel.cancel();
        })
    };
    let mut tried = attempt::with_retries(&source, &mirror, &request, &run, &cancel, &totals).await;
    timer.abort();
    if timed_out.load(std::sync::atomic::Ordering::SeqCst) {
        tried.timed_out(limit);
    }
    record::finish(&source, &mirror, &request, &run, tried, &totals)
}

/// Computes the plan of one mirror without the lock and without changing anything on the mirror.
///
/// # Errors
/// Whatever stops the look at the mirror: no token, not reachable, fenced off.
pub async fn plan(source: Arc<SharedSource>, mirror: Arc<MirrorConfig>, request: &RunRequest) -> Result<Plan> {
    let context = MirrorContext { yes: request.yes, ..source.context_by_hand(mirror).await? };
    let asked = Asked { aspects: request.aspects.clone(), attempt: 0 };
    let looked = kinds::of(&context.mirror.target).look(&context, &source, asked).await?;
    looked.prepare(&context, &source).await?.plan(&context)
}

async fn take_lock(
    source: &SourceContext,
    mirror: &MirrorId,
    request: &RunRequest,
    cancel: &CancellationToken,
) -> Result<MirrorLock> {
    let mut told = false;
    let deadline = tokio::time::Instant::now() + source.config.limits.run;
    loop {
        let text = lock::holder(&request.actor, source.outside.clock.now());
        let holder = match MirrorLock::try_acquire(&source.folder, mirror, &text) {
            Ok(lock) => return Ok(lock),
            Err(Refusal::Failed(error)) => return Err(error),
            Err(Refusal::Held { holder }) => holder,
        };
        if !request.wait || tokio::time::Instant::now() >= deadline {
            return Err(Error::passing(
                Code::Busy,
                format!("mirror {mirror} is being synced by {holder}"),
                "Sync again when that run is through; `standin status` shows it.",
            ));
        }
        if !told {
            told = true;
            source.outside.progress.event(&Event::RunWaiting {
                repository: source.repository.id.clone(),
                mirror: mirror.clone(),
                holder,
            });
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(cancelled()),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the run was stopped before it began", "Start it again when you want it.")
}
