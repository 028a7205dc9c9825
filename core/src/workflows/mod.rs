//! Which workflows run on a standby: only the sentinel and what the user allows.
//!
//! Everything else is **held**: switched off by us, and recorded here and in the fence with its state before, so that
//! what a person or GitHub switched off stays off. A push can start workflows before they can be held; around a push
//! that brings such files, Actions are off for the whole repository ([`switch`]).

mod apply;
pub mod guarded_push;
mod hold;
mod plan;
mod read;
mod remembered;
pub mod switch;

pub use apply::apply;
pub use plan::plan;
pub use read::{States, read};

use std::collections::{BTreeMap, BTreeSet};

use standin_state::model::Aspect;

use crate::context::MirrorContext;
use crate::fence;
use crate::plan::ActionsGuardPlan;
use crate::{Code, Result, variables};

/// The file name of the sentinel's workflow, the one that runs on a standby.
pub const SENTINEL: &str = "sentinel.yml";

/// The folder of workflow files.
const FOLDER: &str = ".github/workflows/";

/// The files that we hold on the mirror, with their states before: what we remember, and what the fence says.
///
/// # Errors
/// What the store reports.
pub fn held(ctx: &MirrorContext) -> Result<BTreeMap<String, String>> {
    let mut held = match ctx.store().fence_memory(&ctx.repository().id, &ctx.mirror.id)? {
        Some(memory) => fence::Summary::summary(memory.document.as_bytes())?.held,
        None => BTreeMap::new(),
    };
    for workflow in ctx.store().held_workflows(&ctx.repository().id, &ctx.mirror.id)? {
        held.insert(workflow.path, workflow.state_before);
    }
    Ok(held)
}

/// Sets `MIRROR_ROLE` where variables are not kept in step and so do not bring it. That it cannot be set is no failure
/// of the workflows.
async fn tell_role(ctx: &MirrorContext) -> Result<()> {
    if ctx.mirror.sync.contains(&Aspect::Variables) {
        return Ok(());
    }
    match variables::ensure_role(ctx).await {
        Err(error) if error.code != Code::Cancelled => {
            let role = variables::ROLE;
            ctx.notice(
                format!("{role} could not be set on mirror {}: {}", ctx.mirror.id, error.message),
                error.advice(),
            );
            Ok(())
        }
        set => set,
    }
}

/// Whether a workflow file may run on a standby.
fn is_allowed(keep_active: &BTreeSet<String>, path: &str) -> bool {
    let name = path.strip_prefix(FOLDER).unwrap_or(path);
    name == SENTINEL || keep_active.contains(name) || keep_active.contains(path)
}

/// Holds everything there that a standby may not run, outside of a sync.
///
/// # Errors
/// What stops all of it, else the first that could not be switched off.
pub(crate) async fn hold_all(ctx: &MirrorContext) -> Result<String> {
    let round = switch::settle_all(ctx, ActionsGuardPlan::NotAllowed).await?;
    if let Some((path, error)) = round.failures.iter().next() {
        return Err(error.clone().during(format!("{path} could not be switched off")));
    }
    Ok(hold::report(&round).detail.unwrap_or_default())
}

/// Whether it is the sentinel's workflow file.
pub(crate) fn is_sentinel(path: &str) -> bool {
    path.strip_prefix(FOLDER) == Some(SENTINEL)
}

/// Whether it is a file of the repository; GitHub lists workflows of its own too, below `dynamic/`.
pub(crate) fn is_file(path: &str) -> bool {
    path.starts_with(FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentinel_and_what_the_user_names_may_run() {
        let keep_active = BTreeSet::from(["test.yml".to_owned()]);
        assert!(is_allowed(&keep_active, ".github/workflows/sentinel.yml"));
        assert!(is_allowed(&keep_active, ".github/workflows/test.yml"));
        assert!(!is_allowed(&keep_active, ".github/workflows/cron.yml"));
        assert!(!is_allowed(&keep_active, "other/sentinel.yml"));
        assert!(!is_file("dynamic/pages/pages-build-deployment"));
    }
}
