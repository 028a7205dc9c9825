//! Cleaning at the mirror. Each piece can be done again: what is gone already is done.

use super::LeftKind;
use super::there::{fence, held};
use crate::context::MirrorContext;
use crate::mirror::fence_move;
use crate::sentinel::{SECRETS, STATE};
use crate::{Result, crash, variables};

/// Cleans one thing away at the mirror.
///
/// # Errors
/// The host's refusal; [`crate::Code::Raced`] where the fence moved meanwhile.
pub(crate) async fn clean_there(ctx: &MirrorContext, what: LeftKind) -> Result<()> {
    crash::point("leaving.clean.before");
    match what {
        LeftKind::Workflows => {
            let (slug, client) = ctx.github()?;
            for workflow in held(ctx, client).await? {
                client.enable_workflow(slug, &workflow).await?;
                ctx.store().forget_held_workflow(&ctx.repository().id, &ctx.mirror.id, &workflow.path)?;
            }
        }
        LeftKind::Sentinel => {
            let (slug, client) = ctx.github()?;
            for name in SECRETS {
                client.delete_secret(slug, name).await?;
            }
            client.delete_variable(slug, STATE).await?;
        }
        LeftKind::Role => {
            let (slug, client) = ctx.github()?;
            client.delete_variable(slug, variables::ROLE).await?;
        }
        LeftKind::Fence => {
            if let Some(oid) = fence(ctx).await? {
                fence_move::remove(ctx, &oid).await?;
            }
            ctx.store().forget_fence(&ctx.repository().id, &ctx.mirror.id)?;
        }
        LeftKind::Contents
        | LeftKind::Copy
        | LeftKind::Token
        | LeftKind::Values
        | LeftKind::Memory
        | LeftKind::Rescues => {}
    }
    crash::point("leaving.clean.after");
    Ok(())
}
