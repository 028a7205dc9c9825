//! Holding and releasing, one workflow at a time, recorded before it happens.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use standin_state::model::{Aspect, AspectReport, AspectStatus};
use standin_state::store::{Change, ChangeAction, ChangeOutcome, HeldWorkflow};

use super::{held, is_allowed, is_file, plan};
use crate::context::MirrorContext;
use crate::github::{Disabled, Workflow};
use crate::mirror::{MirrorView, fence_move};
use crate::plan::WorkflowState;
use crate::{Code, Error, Result};

/// Writes side by side.
const SIDE_BY_SIDE: usize = 8;

/// What one round of holding and releasing found and did.
#[derive(Default)]
pub(super) struct Round {
    /// Where each listed workflow stands now.
    pub states: BTreeMap<String, WorkflowState>,
    /// Why not, by file.
    pub failures: BTreeMap<String, Error>,
}

/// Lists the workflows as they are now; holds what must not run and releases what we held and may run.
///
/// # Errors
/// What stops all of it. Single workflows that fail are in the answer.
pub(super) async fn settle(ctx: &MirrorContext) -> Result<Round> {
    let (slug, client) = ctx.github()?;
    let workflows: Vec<Workflow> = client
        .workflows(slug)
        .await?
        .into_iter()
        .filter(|workflow| is_file(&workflow.path) && !workflow.state.is_deleted())
        .collect();
    let states = plan::classify(&workflows, &held(ctx)?, &ctx.repository().keep_active);
    let by_path: BTreeMap<&str, &Workflow> =
        workflows.iter().map(|workflow| (workflow.path.as_str(), workflow)).collect();
    let mut round = Round { states: states.into_iter().collect(), failures: BTreeMap::new() };
    let work: Vec<(&Workflow, ChangeAction)> = round
        .states
        .iter()
        .filter_map(|(path, state)| {
            let action = match state {
                WorkflowState::ToHold => ChangeAction::Hold,
                WorkflowState::ToRelease => ChangeAction::Release,
                WorkflowState::Active | WorkflowState::Held | WorkflowState::DisabledByOthers => return None,
            };
            by_path.get(path.as_str()).map(|workflow| (*workflow, action))
        })
        .collect();
    // A loop and not a closure: the compiler cannot prove such a closure Send for every lifetime.
    let mut changes = Vec::new();
    for (workflow, action) in work {
        changes.push(async move { (workflow, action, change_one(ctx, workflow, action).await) });
    }
    let mut work = futures_util::stream::iter(changes).buffer_unordered(SIDE_BY_SIDE);
    while let Some((workflow, action, outcome)) = work.next().await {
        let after = if action == ChangeAction::Hold { "disabled_manually" } else { "active" };
        let change = Change {
            aspect: Aspect::Workflows,
            action,
            name: workflow.path.clone(),
            before: Some(workflow.state.to_string()),
            after: Some(after.to_owned()),
        };
        match outcome {
            // Somebody switched it off since it was listed: nothing was changed by us.
            Ok(WorkflowState::DisabledByOthers) => {
                round.states.insert(workflow.path.clone(), WorkflowState::DisabledByOthers);
            }
            Ok(state) => {
                round.states.insert(workflow.path.clone(), state);
                ctx.changed(change, ChangeOutcome::Done)?;
            }
            Err(error) if error.code == Code::Cancelled => return Err(error),
            Err(error) => {
                round.failures.insert(workflow.path.clone(), error.clone());
                ctx.changed(change, ChangeOutcome::Failed { error })?;
            }
        }
    }
    Ok(round)
}

/// Where the workflow stands after it.
async fn change_one(ctx: &MirrorContext, workflow: &Workflow, action: ChangeAction) -> Result<WorkflowState> {
    let (slug, client) = ctx.github()?;
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    if action == ChangeAction::Release {
        client.enable_workflow(slug, workflow).await?;
        ctx.store().forget_held_workflow(repository, mirror, &workflow.path)?;
        return Ok(WorkflowState::Active);
    }
    let was_ours = ctx.store().held_workflows(repository, mirror)?.iter().any(|held| held.path == workflow.path);
    // Before it happens: a file that we switched off and did not record would look as if somebody else had.
    let held = HeldWorkflow { path: workflow.path.clone(), state_before: workflow.state.to_string() };
    ctx.store().set_held_workflow(repository, mirror, &held)?;
    match client.disable_workflow(slug, workflow).await {
        // A list may be older than what we did: what is recorded from before stays ours.
        Ok(Disabled::Already) if !was_ours => {
            ctx.store().forget_held_workflow(repository, mirror, &workflow.path)?;
            Ok(WorkflowState::DisabledByOthers)
        }
        Ok(Disabled::Now | Disabled::Already) => Ok(WorkflowState::Held),
        Err(error) => {
            if !error.retryable && error.code != Code::Cancelled {
                ctx.store().forget_held_workflow(repository, mirror, &workflow.path)?;
            }
            Err(error)
        }
    }
}

/// Makes the fence say what is held and what the source's states are; moves it only if that is new.
///
/// # Errors
/// What moving the fence and the store report.
pub(super) async fn tell_fence(ctx: &MirrorContext, view: &mut MirrorView, round: &Round, close: bool) -> Result<()> {
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    let ours = ctx.store().held_workflows(repository, mirror)?;
    let mut held = view.fence.as_ref().map(|fence| fence.document.held.clone()).unwrap_or_default();
    // A file that is gone from the list keeps its place: its state at the host stays what we made it.
    held.retain(|path, _| round.states.get(path).is_none_or(|state| *state == WorkflowState::Held));
    for workflow in ours {
        held.insert(workflow.path, workflow.state_before);
    }
    let sources = ctx.store().source_workflows(repository)?;
    let known = view.fence.as_ref().map(|fence| &fence.document);
    let says_so = known.is_some_and(|document| {
        document.held == held
            && (sources.is_empty() || document.master_workflows == sources)
            && !(close && document.open_change.is_some())
    });
    if says_so || (known.is_none() && !close) {
        return Ok(());
    }
    fence_move::amend(ctx, view, |document| {
        document.held = held;
        if !sources.is_empty() {
            document.master_workflows = sources;
        }
        if close {
            document.open_change = None;
        }
    })
    .await
}

/// Files among `paths` that must not run and are not listed yet.
pub(super) fn unlisted<'a>(round: &Round, paths: &'a BTreeSet<String>, keep_active: &BTreeSet<String>) -> Vec<&'a str> {
    paths
        .iter()
        .filter(|path| !round.states.contains_key(path.as_str()) && !is_allowed(keep_active, path))
        .map(String::as_str)
        .collect()
}

/// The result of a round.
pub(super) fn report(round: &Round) -> AspectReport {
    let count = |wanted: &[WorkflowState]| round.states.values().filter(|state| wanted.contains(state)).count();
    let active = count(&[WorkflowState::Active, WorkflowState::ToHold]);
    let held = count(&[WorkflowState::Held, WorkflowState::ToRelease]);
    let others = count(&[WorkflowState::DisabledByOthers]);
    let mut detail = format!("{active} active, {held} held");
    if others > 0 {
        detail = format!("{detail}, {others} off");
    }
    let figures = AspectReport { detail: Some(detail), ..AspectReport::new(AspectStatus::Ok) };
    let Some(first) = round.failures.values().next() else { return figures };
    let messages: Vec<&str> = round.failures.values().map(|error| error.message.as_str()).collect();
    AspectReport {
        status: AspectStatus::Failed,
        error: Some(messages.join("; ")),
        hint: Some(first.hint.clone()),
        ..figures
    }
}
