//! Carrying the plan of a standby out: secrets; variables; and, in their order, Actions off, the push, workflows held, Actions
//! restored.

use std::sync::Arc;
use std::time::Duration;

use standin_state::model::{Aspect, AspectReport};

use super::Ready;
use crate::code::{self, Snapshot};
use crate::context::MirrorContext;
use crate::event::Event;
use crate::mirror::MirrorView;
use crate::plan::{ActionsGuardPlan, CodePlan, GuardReason, WorkflowsPlan};
use crate::workflows::switch;
use crate::{Code, Error, Result, secrets, variables, workflows};

/// How long a run that was stopped may take to leave the mirror in order (Actions switched on again).
const CLEAN_UP: Duration = Duration::from_secs(45);

/// Does all of it, side by side where nothing waits for anything.
pub(super) async fn all(
    context: &MirrorContext,
    ready: Ready,
    mut view: MirrorView,
) -> Vec<(Aspect, Result<AspectReport>)> {
    let elsewhere = goes_elsewhere(context, &ready);
    let secrets = async {
        Some(match allowed(context, Aspect::Secrets, ready.secrets.as_ref(), elsewhere.as_ref())? {
            Ok(plan) => secrets::apply(context, plan).await,
            Err(error) => Err(error),
        })
    };
    let variables = async {
        Some(match allowed(context, Aspect::Variables, ready.variables.as_ref(), elsewhere.as_ref())? {
            Ok(plan) => variables::apply(context, plan).await,
            Err(error) => Err(error),
        })
    };
    let (CodeAndWorkflows { code, workflows }, secrets, variables) =
        tokio::join!(push_guarded(context, &ready, &mut view), secrets, variables);
    [(Aspect::Code, code), (Aspect::Secrets, secrets), (Aspect::Variables, variables), (Aspect::Workflows, workflows)]
        .into_iter()
        .filter_map(|(aspect, result)| Some((aspect, result?)))
        .collect()
}

/// What became of the aspects that wait for each other.
struct CodeAndWorkflows {
    code: Option<Result<AspectReport>>,
    workflows: Option<Result<AspectReport>>,
}

/// The push, with what keeps its workflows from running: Actions off before it where need be; held, and Actions on again,
/// after it.
async fn push_guarded(context: &MirrorContext, plan: &Ready, view: &mut MirrorView) -> CodeAndWorkflows {
    let engaged = match (&plan.workflows, &plan.code) {
        (Some(Ok(workflows)), Some(Ok(code)))
            if workflows.guard == ActionsGuardPlan::SwitchOff && pushes(context, code) =>
        {
            switch::engage_from(context, view, plan.actions.as_ref()).await.map(Some)
        }
        _ => Ok(None),
    };
    let code = match unguarded(plan, engaged.as_ref().err()) {
        None => apply_code(context, plan.code.as_ref(), plan.snapshot.as_ref(), view).await,
        Some(error) => plan.code.as_ref().map(|_| Err(error)),
    };
    let is_push_open = matches!(code, Some(Err(_)));
    let Some(workflows) = &plan.workflows else { return CodeAndWorkflows { code, workflows: None } };
    started(context, Aspect::Workflows);
    let workflows = match (workflows, engaged) {
        (Err(error), _) => Err(error.clone()),
        (_, Err(error)) => Err(error),
        (Ok(workflows), Ok(engaged)) => finish_workflows(context, workflows, engaged, is_push_open, view).await,
    };
    CodeAndWorkflows { code, workflows: Some(workflows) }
}

/// Why a push that brings workflows must not go: nobody would keep them from starting.
fn unguarded(plan: &Ready, switch: Option<&Error>) -> Option<Error> {
    if let Some(error) = switch {
        return Some(error.clone().during("nothing was pushed, since Actions could not be switched off before"));
    }
    match (&plan.workflows, &plan.code) {
        (Some(Err(error)), Some(Ok(code))) if !code.workflow_files.is_empty() => {
            Some(error.clone().during("nothing was pushed, since the workflows that it brings could not be held"))
        }
        _ => None,
    }
}

/// Why secrets and variables wait too: the source may be another than the user thinks, or the mirror open to all.
fn goes_elsewhere(context: &MirrorContext, plan: &Ready) -> Option<Error> {
    let Some(Ok(code)) = &plan.code else { return None };
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
    plan: Option<&Result<CodePlan>>,
    snapshot: Option<&Arc<Snapshot>>,
    view: &mut MirrorView,
) -> Option<Result<AspectReport>> {
    let plan = plan?;
    started(context, Aspect::Code);
    match (plan, snapshot) {
        (Err(error), _) => Some(Err(error.clone())),
        (Ok(plan), Some(snapshot)) => Some(Box::pin(code::apply(context, snapshot, view, plan)).await),
        (Ok(_), None) => None,
    }
}

/// The plan of secrets or variables that may be carried out, or what keeps it from that; `None` where they are not asked for.
fn allowed<'a, P>(
    context: &MirrorContext,
    aspect: Aspect,
    plan: Option<&'a Result<P>>,
    waits: Option<&Error>,
) -> Option<Result<&'a P>> {
    let plan = plan?;
    started(context, aspect);
    Some(match (plan, waits) {
        (Err(error), _) | (Ok(_), Some(error)) => Err(error.clone()),
        (Ok(plan), None) => Ok(plan),
    })
}
