//! The order of things in a run.
//!
//! 1. Look at the mirror's refs and its fence, while the source is fetched and the other aspects are read: nothing is
//!    written before all of it is known.
//! 2. End what an earlier run left open (Actions switched off), here or on another machine.
//! 3. Plan: refs first, since the workflows that a push would bring depend on them. A mirror that may be a stranger's ends
//!    the run here, in all aspects, until a person has confirmed it.
//! 4. Apply, side by side: secrets; variables; and in this order Actions off where the push needs it, code, workflows
//!    held, Actions restored.
//!
//! An aspect that fails does not stop the others. What stops all is an unreachable mirror or a fence that says that
//! somebody else is master: then nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use standin_state::config::MirrorConfig;
use standin_state::model::{Aspect, AspectReport, AspectStatus, RunId};
use tokio_util::sync::CancellationToken;

use super::look::{Looked, look_and_read, plan_with, read};
use super::{BACKOFF, CLEAN_UP, RunRequest};
use crate::code::{self, Snapshot};
use crate::context::MirrorContext;
use crate::event::Event;
use crate::github::ActionsSettings;
use crate::mirror::{MirrorView, contact};
use crate::plan::{ActionsGuardPlan, CodePlan, GuardReason, Plan, Planned, SecretsPlan, VariablesPlan, WorkflowsPlan};
use crate::source::{ATTEMPTS, SharedSource};
use crate::totals::Totals;
use crate::workflows::switch::{self, Mended};
use crate::{Code, Error, Result, secrets, variables, workflows};

/// How the tries of a run ended.
pub(super) struct Tried {
    /// The aspects that were tried, with their results.
    pub reports: BTreeMap<Aspect, AspectReport>,
    /// Why the run ended before its aspects.
    pub error: Option<Error>,
    /// Whether the user stopped it.
    pub cancelled: bool,
}

impl Tried {
    fn ended(error: Error) -> Self {
        Self { reports: BTreeMap::new(), cancelled: error.code == Code::Cancelled, error: Some(error) }
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
    let aspects = &request.aspects;
    let looked = match or_stopped(context, look_and_read(source, context, aspects, attempt)).await {
        // Never dropped half-way: it switches Actions off again when it is stopped.
        Ok((mut view, known)) => match switch::mend(context, &mut view).await {
            Ok(mended) => {
                let planned = async {
                    let known = match mended {
                        Mended::Nothing => known,
                        // It held workflows and changed settings since they were read.
                        _ => read(source, context, aspects, attempt).await,
                    };
                    plan_with(source, context, attempt, (view, known)).await
                };
                or_stopped(context, planned).await
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match looked {
        Ok(looked) => Box::pin(apply(context, looked)).await,
        Err(error) => {
            let passing = error.retryable.then(|| error.clone());
            (Tried::ended(error), passing)
        }
    }
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
    fn add(&mut self, context: &MirrorContext, aspect: Aspect, result: Result<AspectReport>) {
        let report = result.unwrap_or_else(|error| {
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
        let report = report.tried(context.outside().clock.now(), before.as_ref());
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

async fn apply(context: &MirrorContext, looked: Looked) -> (Tried, Option<Error>) {
    let Looked { plan, mut view, snapshot, actions } = looked;
    // Before all aspects and for all of them, whichever there are.
    if !plan.guard.is_empty() {
        if !context.yes {
            return (Tried::ended(contact::held(context, &plan.guard)), None);
        }
        if let Err(error) = contact::remember(context, &view) {
            return (Tried::ended(error), None);
        }
    }
    let mut results = Results::default();
    let elsewhere = goes_elsewhere(context, &plan);
    let values = async {
        tokio::join!(
            apply_secrets(context, plan.secrets.as_ref(), elsewhere.as_ref()),
            apply_variables(context, plan.variables.as_ref(), elsewhere.as_ref()),
        )
    };
    let (CodeAndWorkflows { code, workflows }, (secrets, variables)) =
        tokio::join!(push_guarded(context, &plan, snapshot.as_ref(), actions.as_ref(), &mut view), values);
    for (aspect, result) in [
        (Aspect::Code, code),
        (Aspect::Secrets, secrets),
        (Aspect::Variables, variables),
        (Aspect::Workflows, workflows),
    ] {
        if let Some(result) = result {
            results.add(context, aspect, result);
        }
    }

    let Results { reports, passing, cancelled } = results;
    let error = cancelled.then(stopped);
    (Tried { reports, error, cancelled }, passing)
}

/// What became of the aspects that wait for each other.
struct CodeAndWorkflows {
    code: Option<Result<AspectReport>>,
    workflows: Option<Result<AspectReport>>,
}

/// The push, with what keeps its workflows from running: Actions off before it where need be; held, and Actions on again,
/// after it.
async fn push_guarded(
    context: &MirrorContext,
    plan: &Plan,
    snapshot: Option<&Arc<Snapshot>>,
    actions: Option<&ActionsSettings>,
    view: &mut MirrorView,
) -> CodeAndWorkflows {
    let engaged = match (&plan.workflows, &plan.code) {
        (Some(Planned::Ready(workflows)), Some(Planned::Ready(code)))
            if workflows.guard == ActionsGuardPlan::SwitchOff && pushes(context, code) =>
        {
            switch::engage_from(context, view, actions).await.map(Some)
        }
        _ => Ok(None),
    };
    let code = match unguarded(plan, engaged.as_ref().err()) {
        None => apply_code(context, plan.code.as_ref(), snapshot, view).await,
        Some(error) => plan.code.as_ref().map(|_| Err(error)),
    };
    let is_push_open = matches!(code, Some(Err(_)));
    let Some(workflows) = &plan.workflows else { return CodeAndWorkflows { code, workflows: None } };
    started(context, Aspect::Workflows);
    let workflows = match (workflows, engaged) {
        (Planned::Failed(error), _) => Err(error.clone()),
        (_, Err(error)) => Err(error),
        (Planned::Ready(workflows), Ok(engaged)) => {
            finish_workflows(context, workflows, engaged, is_push_open, view).await
        }
    };
    CodeAndWorkflows { code, workflows: Some(workflows) }
}

/// Why a push that brings workflows must not go: nobody would keep them from starting.
fn unguarded(plan: &Plan, switch: Option<&Error>) -> Option<Error> {
    if let Some(error) = switch {
        return Some(error.clone().during("nothing was pushed, since Actions could not be switched off before"));
    }
    match (&plan.workflows, &plan.code) {
        (Some(Planned::Failed(error)), Some(Planned::Ready(code))) if !code.workflow_files.is_empty() => {
            Some(error.clone().during("nothing was pushed, since the workflows that it brings could not be held"))
        }
        _ => None,
    }
}

/// Why secrets and variables wait too: the source may be another than the user thinks, or the mirror open to all.
fn goes_elsewhere(context: &MirrorContext, plan: &Plan) -> Option<Error> {
    let Some(Planned::Ready(code)) = &plan.code else { return None };
    let reasons: Vec<String> = code
        .guard
        .iter()
        .filter(|reason| matches!(reason, GuardReason::SourceReplaced { .. } | GuardReason::PrivateToPublic))
        .map(ToString::to_string)
        .collect();
    (!reasons.is_empty() && !context.yes).then(|| {
        Error::new(
            Code::GuardHeld,
            format!("waits for the same confirmation as the code: {}", reasons.join("; ")),
            format!("If it is meant, `standin sync --mirror {} --yes` does it.", context.mirror.id),
        )
    })
}

/// Whether the push goes at all: a plan that waits for a confirmation moves nothing.
fn pushes(context: &MirrorContext, code: &CodePlan) -> bool {
    !code.refs.changes.is_empty() && (code.guard.is_empty() || context.yes)
}

/// Holds what the push brought and restores Actions, also when the run was stopped in between. A push whose end is not
/// known is first kept from arriving later.
async fn finish_workflows(
    context: &MirrorContext,
    plan: &WorkflowsPlan,
    engaged: Option<switch::Engaged>,
    is_push_open: bool,
    view: &mut MirrorView,
) -> Result<AspectReport> {
    let Some(engaged) = engaged else {
        return workflows::apply(context, plan, view).await;
    };
    let clean = context.for_clean_up(CLEAN_UP);
    let context = if context.cancel.is_cancelled() { &clean } else { context };
    if is_push_open {
        switch::bar_late_pushes(context, view).await?;
    }
    match switch::release(context, engaged, view).await {
        Err(error) if error.code == Code::Cancelled => switch::mend(&clean, view).await.and(Err(error)),
        released => released,
    }
}

fn started(context: &MirrorContext, aspect: Aspect) {
    context.event(&Event::AspectStarted {
        run: context.run.clone(),
        repository: context.repository().id.clone(),
        mirror: context.mirror.id.clone(),
        aspect,
    });
}

async fn apply_code(
    context: &MirrorContext,
    plan: Option<&Planned<CodePlan>>,
    snapshot: Option<&Arc<Snapshot>>,
    view: &mut MirrorView,
) -> Option<Result<AspectReport>> {
    let plan = plan?;
    started(context, Aspect::Code);
    match (plan, snapshot) {
        (Planned::Failed(error), _) => Some(Err(error.clone())),
        (Planned::Ready(plan), Some(snapshot)) => Some(Box::pin(code::apply(context, snapshot, view, plan)).await),
        (Planned::Ready(_), None) => None,
    }
}

async fn apply_secrets(
    context: &MirrorContext,
    plan: Option<&Planned<SecretsPlan>>,
    waits: Option<&Error>,
) -> Option<Result<AspectReport>> {
    let plan = plan?;
    started(context, Aspect::Secrets);
    match plan {
        Planned::Failed(error) => Some(Err(error.clone())),
        Planned::Ready(plan) => match waits {
            Some(error) => Some(Err(error.clone())),
            None => Some(secrets::apply(context, plan).await),
        },
    }
}

async fn apply_variables(
    context: &MirrorContext,
    plan: Option<&Planned<VariablesPlan>>,
    waits: Option<&Error>,
) -> Option<Result<AspectReport>> {
    let plan = plan?;
    started(context, Aspect::Variables);
    match plan {
        Planned::Failed(error) => Some(Err(error.clone())),
        Planned::Ready(plan) => match waits {
            Some(error) => Some(Err(error.clone())),
            None => Some(variables::apply(context, plan).await),
        },
    }
}
