//! A push by hand that may bring workflows, such as a rescued branch: guarded as that of a run is.

use std::collections::BTreeSet;
use std::time::Duration;

use standin_state::model::{Aspect, AspectStatus};

use super::switch::{self, Engaged};
use super::{hold, plan};
use crate::context::MirrorContext;
use crate::mirror::MirrorView;
use crate::plan::ActionsGuardPlan;
use crate::{Code, Result};

/// How long the mirror may take to be left in order when the push was stopped.
const CLEAN_UP: Duration = Duration::from_secs(60);

/// What was done before the push; to be given to [`after`], however the push ends.
#[derive(Debug)]
#[must_use = "Actions may stay off until the push is told to be over"]
pub struct Guarded {
    guard: ActionsGuardPlan,
    engaged: Option<Engaged>,
}

/// Switches Actions off where one of these workflow files could run before it is held.
///
/// # Errors
/// What keeps it from being found out or done; then nothing may be pushed.
pub async fn before(ctx: &MirrorContext, view: &mut MirrorView, files: &BTreeSet<String>) -> Result<Guarded> {
    let in_our_care = ctx.mirror.slug().is_some() && ctx.mirror.sync.contains(&Aspect::Workflows);
    let guard = if in_our_care { plan::guard_files(ctx, files).await? } else { ActionsGuardPlan::NotNeeded };
    let engaged = match guard {
        ActionsGuardPlan::SwitchOff => Some(switch::engage(ctx, view).await?),
        ActionsGuardPlan::NotNeeded | ActionsGuardPlan::AlreadyOff | ActionsGuardPlan::NotAllowed => None,
    };
    Ok(Guarded { guard, engaged })
}

/// Holds what the push brought, and switches Actions on again. That a file could not be held is told as a notice.
///
/// # Errors
/// What stops it on the way; the next sync or health check ends it.
pub async fn after(ctx: &MirrorContext, view: &mut MirrorView, guarded: Guarded) -> Result<()> {
    let clean = ctx.for_clean_up(CLEAN_UP);
    let ctx = if ctx.cancel.is_cancelled() { &clean } else { ctx };
    let report = match (guarded.engaged, guarded.guard) {
        (Some(engaged), _) => match switch::release(ctx, engaged, view).await {
            Err(error) if error.code == Code::Cancelled => return switch::mend(&clean, view).await.and(Err(error)),
            released => released?,
        },
        (None, ActionsGuardPlan::NotAllowed) => {
            let round = switch::settle_all(ctx, ActionsGuardPlan::NotAllowed).await?;
            hold::tell_fence(ctx, view, &round, false).await?;
            hold::report(&round)
        }
        (None, _) => return Ok(()),
    };
    if report.status == AspectStatus::Failed {
        let advice = report.advice();
        ctx.notice(report.error.unwrap_or_default(), advice);
    }
    Ok(())
}
