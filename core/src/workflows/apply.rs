//! Carrying the plan out where Actions are not switched off around a push.

use standin_state::model::{AspectReport, AspectStatus};

use super::{hold, switch, tell_role};
use crate::Result;
use crate::context::MirrorContext;
use crate::mirror::MirrorView;
use crate::plan::{ActionsGuardPlan, WorkflowState, WorkflowsPlan};

/// Holds and releases what the plan says, after the push.
///
/// # Errors
/// What stops all of it, and a passing fault that kept an earlier run's switch from being ended: the run is then worth
/// another attempt. Single workflows that fail are in the report.
pub async fn apply(ctx: &MirrorContext, plan: &WorkflowsPlan, view: &mut MirrorView) -> Result<AspectReport> {
    let left_off = switch::left_off(ctx, view)?;
    let nothing_to_do = plan.expected.is_empty()
        && plan.allowed.is_empty()
        && plan.listed.iter().all(|(_, state)| !matches!(state, WorkflowState::ToHold | WorkflowState::ToRelease));
    // Whether Actions are off may not even be known then, so what is listed is held all the same.
    let round = if nothing_to_do {
        hold::Round { states: plan.listed.iter().cloned().collect(), ..hold::Round::default() }
    } else if plan.guard == ActionsGuardPlan::NotAllowed || plan.guard == ActionsGuardPlan::AlreadyOff {
        switch::settle_all(ctx, plan.guard).await?
    } else {
        hold::settle(ctx).await?
    };
    hold::tell_fence(ctx, view, &round, false).await?;
    match left_off {
        Some(error) if error.retryable => return Err(error),
        Some(error) => return Ok(AspectReport::from_error(AspectStatus::Failed, &error)),
        None => {}
    }
    tell_role(ctx).await?;
    Ok(hold::report(&round))
}
