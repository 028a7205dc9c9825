//! What is to be held and released, and whether the push needs Actions off.

use std::collections::{BTreeMap, BTreeSet};

use super::{States, held, is_allowed, is_file, read, switch};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::{ActionsSettings, Workflow};
use crate::plan::{ActionsGuardPlan, CodePlan, WorkflowState, WorkflowsPlan};
use crate::{Code, Result};

/// Plans the workflows. `code` is the plan of the push, where there will be one. The settings of Actions are read only
/// if the push brings a file that is not held yet; they come beside the plan, as those to restore after the push.
///
/// # Errors
/// What keeps the settings from being read, and what the store reports.
pub async fn plan(
    ctx: &MirrorContext,
    states: &States,
    code: Option<&CodePlan>,
) -> Result<(WorkflowsPlan, Option<ActionsSettings>)> {
    let pushed: Vec<&String> = code
        .filter(|code| !code.refs.changes.is_empty())
        .map(|code| code.workflow_files.iter().collect())
        .unwrap_or_default();
    plan_files(ctx, states, &pushed).await
}

/// Whether a push that brings these workflow files needs Actions off. Where that cannot be done, a notice names the risk.
///
/// # Errors
/// As [`plan`].
pub(super) async fn guard_files(ctx: &MirrorContext, files: &BTreeSet<String>) -> Result<ActionsGuardPlan> {
    if files.is_empty() {
        return Ok(ActionsGuardPlan::NotNeeded);
    }
    let states = States { notices: Vec::new(), ..read(ctx).await? };
    let (plan, _) = plan_files(ctx, &states, &files.iter().collect::<Vec<_>>()).await?;
    for notice in plan.notices {
        ctx.notice(notice.message, notice.hint);
    }
    Ok(plan.guard)
}

async fn plan_files(
    ctx: &MirrorContext,
    states: &States,
    pushed: &[&String],
) -> Result<(WorkflowsPlan, Option<ActionsSettings>)> {
    let held = held(ctx)?;
    let listed = classify(&states.mirror, &held, &ctx.repository().keep_active);
    let known: BTreeSet<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    let pushed: Vec<&String> = pushed.iter().copied().filter(|path| is_file(path)).collect();
    let (allowed, expected): (Vec<String>, Vec<String>) = pushed
        .iter()
        .filter(|path| !known.contains(path.as_str()))
        .map(|path| (*path).clone())
        .partition(|path| is_allowed(&ctx.repository().keep_active, path));
    let brings_running = listed.iter().any(|(path, state)| *state == WorkflowState::ToHold && pushed.contains(&path));
    let mut notices = states.notices.clone();
    let (guard, settings) = if expected.is_empty() && !brings_running {
        (ActionsGuardPlan::NotNeeded, None)
    } else {
        guard(ctx, states, &mut notices).await?
    };
    Ok((WorkflowsPlan { listed, expected, allowed, guard, notices }, settings))
}

/// How the push is guarded, and the settings of Actions that say so.
async fn guard(
    ctx: &MirrorContext,
    states: &States,
    notices: &mut Vec<Notice>,
) -> Result<(ActionsGuardPlan, Option<ActionsSettings>)> {
    let (slug, client) = ctx.github()?;
    let settings = match states.settings.clone() {
        Some(read) => read,
        None => client.actions_settings(slug).await,
    };
    match settings {
        // What we switched off ourselves is ours to switch on again.
        Ok(settings) if settings.enabled() || switch::is_journaled(ctx)? => {
            Ok((ActionsGuardPlan::SwitchOff, Some(settings)))
        }
        Ok(_) => Ok((ActionsGuardPlan::AlreadyOff, None)),
        Err(error) if matches!(error.code, Code::Forbidden | Code::RepositoryNotFound) => {
            notices.push(Notice {
                message: format!(
                    "the token may not switch Actions off on {slug}: a workflow may start there between the push and its being held"
                ),
                hint: "Give the token the permission Administration (write), or its account the admin role.".to_owned(),
            });
            Ok((ActionsGuardPlan::NotAllowed, None))
        }
        Err(error) => Err(error),
    }
}

/// Where each listed workflow stands.
pub(super) fn classify(
    workflows: &[Workflow],
    held: &BTreeMap<String, String>,
    keep_active: &BTreeSet<String>,
) -> Vec<(String, WorkflowState)> {
    let mut states: Vec<(String, WorkflowState)> = workflows
        .iter()
        .map(|workflow| {
            let allowed = is_allowed(keep_active, &workflow.path);
            let state = match (workflow.state.is_active(), held.contains_key(&workflow.path)) {
                (true, _) if allowed => WorkflowState::Active,
                (true, _) => WorkflowState::ToHold,
                (false, true) if allowed => WorkflowState::ToRelease,
                (false, true) => WorkflowState::Held,
                (false, false) => WorkflowState::DisabledByOthers,
            };
            (workflow.path.clone(), state)
        })
        .collect();
    states.sort_by(|(one, _), (other, _)| one.cmp(other));
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::WorkflowStateWord;

    #[test]
    fn what_others_switched_off_stays_so_and_what_we_held_is_released_when_allowed() {
        let workflow = |id, name: &str, state: &str| Workflow {
            id,
            path: format!(".github/workflows/{name}.yml"),
            state: WorkflowStateWord(state.to_owned()),
        };
        let workflows = [
            workflow(1, "sentinel", "active"),
            workflow(2, "cron", "active"),
            workflow(3, "held", "disabled_manually"),
            workflow(4, "theirs", "disabled_manually"),
            workflow(5, "stale", "disabled_inactivity"),
            workflow(6, "test", "disabled_manually"),
        ];
        let held = ["held", "test"].map(|name| (format!(".github/workflows/{name}.yml"), "active".to_owned()));
        let states = classify(&workflows, &BTreeMap::from(held), &BTreeSet::from(["test.yml".to_owned()]));
        let state = |name: &str| states.iter().find(|(path, _)| path.ends_with(&format!("/{name}.yml"))).unwrap().1;
        assert_eq!(state("sentinel"), WorkflowState::Active);
        assert_eq!(state("cron"), WorkflowState::ToHold);
        assert_eq!(state("held"), WorkflowState::Held);
        assert_eq!(state("theirs"), WorkflowState::DisabledByOthers);
        assert_eq!(state("stale"), WorkflowState::DisabledByOthers);
        assert_eq!(state("test"), WorkflowState::ToRelease);
    }
}
