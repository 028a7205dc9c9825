//! The tries of one run: look, mend, plan, apply, each in the way of the mirror's kind; again where the fault may pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use standin_state::config::MirrorConfig;
use standin_state::model::{Aspect, AspectReport, AspectStatus, RunId};
use tokio_util::sync::CancellationToken;

use super::{BACKOFF, RunRequest};
use crate::context::MirrorContext;
use crate::event::Event;
use crate::kinds::{self, Asked};
use crate::source::{ATTEMPTS, SharedSource};
use crate::totals::Totals;
use crate::{Code, Error, Result};

/// How the tries of a run ended.
pub(super) struct Tried {
    /// The aspects that were tried, with their results.
    pub reports: BTreeMap<Aspect, AspectReport>,
    /// Why the run ended before its aspects.
    pub error: Option<Error>,
    /// Whether the user stopped it.
    pub cancelled: bool,
    /// How long a host asked to be left alone, in seconds.
    pub retry_after_seconds: Option<u64>,
}

impl Tried {
    fn ended(error: Error) -> Self {
        let (cancelled, retry_after_seconds) = (error.code == Code::Cancelled, error.retry_after_seconds);
        Self { reports: BTreeMap::new(), cancelled, error: Some(error), retry_after_seconds }
    }

    /// Marks the run as ended by its time limit.
    pub(super) fn timed_out(&mut self, limit: Duration) {
        self.cancelled = false;
        self.error = Some(Error::passing(
            Code::TimedOut,
            format!("the run did not finish within its limit of {} s", limit.as_secs()),
            "Sync again: what was done is kept. A slow link or a large first push may need a higher `[limits] run`.",
        ));
    }
}

/// Tries a run until it works, fails for good, or the attempts are used up.
pub(super) async fn with_retries(
    source: &Arc<SharedSource>,
    mirror: &Arc<MirrorConfig>,
    request: &RunRequest,
    run: &RunId,
    cancel: &CancellationToken,
    totals: &Arc<Totals>,
) -> Tried {
    let mut attempt = 0;
    loop {
        let context =
            source.mirror_context(mirror.clone(), run.clone(), cancel.clone(), totals.clone(), request.yes).await;
        let (tried, passing) = match context {
            Ok(context) => Box::pin(once(source, &context, request, attempt)).await,
            Err(error) => (Tried::ended(error.clone()), error.retryable.then_some(error)),
        };
        let Some(passing) = passing.filter(|_| attempt + 1 < ATTEMPTS && !cancel.is_cancelled()) else {
            return tried;
        };
        let wait = passing.retry_after_seconds.map_or(BACKOFF[attempt], Duration::from_secs);
        if wait > source.context.config.limits.run / 2 {
            return tried;
        }
        attempt += 1;
        source.context.outside.progress.event(&Event::RunRetrying {
            run: run.clone(),
            repository: source.context.repository.id.clone(),
            mirror: mirror.id.clone(),
            attempt: attempt + 1,
            of: ATTEMPTS,
            wait_seconds: wait.as_secs(),
            error: passing,
        });
        tokio::select! {
            () = cancel.cancelled() => return tried,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One attempt. The second value is the fault that is worth another.
async fn once(
    source: &SharedSource,
    context: &MirrorContext,
    request: &RunRequest,
    attempt: usize,
) -> (Tried, Option<Error>) {
    match Box::pin(look_and_apply(source, context, request, attempt)).await {
        Ok(results) => {
            let Results { reports, passing, cancelled } = Results::of(context, results);
            let retry_after_seconds = passing.as_ref().and_then(|error| error.retry_after_seconds);
            (Tried { reports, error: cancelled.then(stopped), cancelled, retry_after_seconds }, passing)
        }
        Err(error) => {
            let passing = error.retryable.then(|| error.clone());
            (Tried::ended(error), passing)
        }
    }
}

async fn look_and_apply(
    source: &SharedSource,
    context: &MirrorContext,
    request: &RunRequest,
    attempt: usize,
) -> Result<Vec<(Aspect, Result<AspectReport>)>> {
    let asked = Asked { aspects: request.aspects.clone(), attempt };
    let kind = kinds::of(&context.mirror.target);
    let mut looked = or_stopped(context, kind.look(context, source, asked)).await?;
    looked.mend(context).await?;
    let prepared = or_stopped(context, looked.prepare(context, source)).await?;
    // A later attempt goes on with what the first began.
    if let Some(seal) = request.seal.as_ref().filter(|_| attempt == 0)
        && !prepared.plan(context)?.writes_as(seal)
    {
        return Err(Error::new(
            Code::PlanChanged,
            format!("nothing was done: a sync of {} would not do what was planned any more", context.mirror.id),
            format!(
                "The source, the mirror or the configuration changed since, or the plan is of another installation. Look again: \
                 `standin plan --mirror {}`.",
                context.mirror.id
            ),
        ));
    }
    prepared.apply(context).await
}

/// Work that may be dropped at any moment, ended when the run is stopped.
async fn or_stopped<T>(context: &MirrorContext, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        () = context.cancel.cancelled() => Err(stopped()),
        result = work => result,
    }
}

fn stopped() -> Error {
    Error::new(Code::Cancelled, "the run was stopped", "Start it again when you want it: what was done is kept.")
}

/// Results by aspect, and the first passing fault among them.
#[derive(Default)]
struct Results {
    reports: BTreeMap<Aspect, AspectReport>,
    passing: Option<Error>,
    cancelled: bool,
}

impl Results {
    fn of(context: &MirrorContext, results: Vec<(Aspect, Result<AspectReport>)>) -> Self {
        let mut all = Self::default();
        for (aspect, result) in results {
            all.add(context, aspect, result);
        }
        all
    }

    fn add(&mut self, context: &MirrorContext, aspect: Aspect, result: Result<AspectReport>) {
        let report = result.unwrap_or_else(|error| {
            let error = error.about(Some(&context.mirror.id));
            self.cancelled |= error.code == Code::Cancelled;
            let status = if error.code.waits() { AspectStatus::Blocked } else { AspectStatus::Failed };
            let report = AspectReport::from_error(status, &error);
            if error.retryable && self.passing.is_none() {
                self.passing = Some(error);
            }
            report
        });
        let before = context.store().aspect_report(&context.repository().id, &context.mirror.id, aspect);
        let before = before.unwrap_or_else(|error| {
            tracing::warn!(error = %error.message, "what was known of an aspect cannot be read");
            None
        });
        let report = report.about(&context.mirror.id).tried(context.outside().clock.now(), before.as_ref());
        context.event(&Event::AspectFinished {
            run: context.run.clone(),
            repository: context.repository().id.clone(),
            mirror: context.mirror.id.clone(),
            aspect,
            report: report.clone(),
        });
        self.reports.insert(aspect, report);
    }
}
