//! What stays at the mirror.

use standin_state::model::Oid;

use super::{Cleaning, Left, LeftKind};
use crate::context::MirrorContext;
use crate::github::{Client, Workflow};
use crate::sentinel::{PATH, SECRETS, STATE};
use crate::{Result, mirror, variables, workflows};

/// What of Standin is at the mirror. Nothing is changed there.
///
/// # Errors
/// Whatever stops the look: what another master holds is not looked through, either.
pub(crate) async fn there(ctx: &MirrorContext) -> Result<Vec<Left>> {
    let mut left = Vec::new();
    if ctx.mirror.target.pulled().is_some() {
        return Ok(left);
    }
    let fence = fence(ctx).await?;
    if ctx.mirror.slug().is_some() {
        on_github(ctx, &mut left).await?;
    }
    if let Some(oid) = fence {
        left.push(Left {
            what: LeftKind::Fence,
            detail: format!("the fence refs/standin/fence ({})", oid.short()),
            cleaning: Cleaning::Offered,
            hint: "It says whose mirror this is: while it is there, another repository that is to be mirrored here asks first."
                .to_owned(),
        });
    }
    left.push(Left {
        what: LeftKind::Contents,
        detail: contents(ctx)?,
        cleaning: Cleaning::ByHand,
        hint: "Nothing of it is touched. Delete the repository at its host when you are sure.".to_owned(),
    });
    Ok(left)
}

async fn on_github(ctx: &MirrorContext, left: &mut Vec<Left>) -> Result<()> {
    let (slug, client) = ctx.github()?;
    let (secrets, state, role) =
        tokio::try_join!(client.secrets(slug), client.variable(slug, STATE), client.variable(slug, variables::ROLE))?;
    let held = held(ctx, client).await?;
    if !held.is_empty() {
        let names: Vec<&str> = held.iter().map(|workflow| file_of(&workflow.path)).collect();
        left.push(Left {
            what: LeftKind::Workflows,
            detail: format!("workflows that Standin switched off: {}", names.join(", ")),
            cleaning: Cleaning::Named,
            hint: "They stay off. `--clean=workflows` switches them on: from then on they run there as in the source."
                .to_owned(),
        });
    }
    let mut of_sentinel: Vec<&str> =
        SECRETS.into_iter().filter(|name| secrets.iter().any(|secret| secret.name == *name)).collect();
    of_sentinel.extend(state.is_some().then_some(STATE));
    if !of_sentinel.is_empty() {
        left.push(Left {
            what: LeftKind::Sentinel,
            detail: format!("the sentinel's {}", of_sentinel.join(", ")),
            cleaning: Cleaning::Offered,
            hint: format!(
                "Without them it can watch nothing and promote nobody from there. The tokens stay good at their hosts: revoke \
                 them there. Its file {PATH} is one of the files."
            ),
        });
    }
    if let Some(role) = role {
        left.push(Left {
            what: LeftKind::Role,
            detail: format!("the variable {} = {}", variables::ROLE, role.value),
            cleaning: Cleaning::Offered,
            hint: "Workflows that ask for it take the repository for a standby while it is there.".to_owned(),
        });
    }
    Ok(())
}

/// The workflows that we hold and that are off now.
///
/// # Errors
/// The host's refusal.
pub(super) async fn held(ctx: &MirrorContext, client: &Client) -> Result<Vec<Workflow>> {
    let (slug, ours) = (ctx.github()?.0, workflows::held(ctx)?);
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let listed = client.workflows(slug).await?.into_iter();
    Ok(listed.filter(|workflow| ours.contains_key(&workflow.path) && workflow.state.0 == "disabled_manually").collect())
}

/// The fence as it stands there; `None` where there is none. Refuses that of another master.
///
/// # Errors
/// As [`mirror::look`].
pub(super) async fn fence(ctx: &MirrorContext) -> Result<Option<Oid>> {
    let listed = mirror::list(ctx).await?.refs.get(&standin_state::model::RefName::fence()).cloned();
    // One that is gone was taken away by an earlier try.
    if listed.is_some() {
        mirror::look(ctx).await?;
    }
    Ok(listed)
}

fn file_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn contents(ctx: &MirrorContext) -> Result<String> {
    let sent = ctx.store().sent_secrets(&ctx.repository().id, &ctx.mirror.id)?.len();
    Ok(match (ctx.mirror.slug(), sent) {
        (Some(_), 0) => "its branches, tags and variables".to_owned(),
        (Some(_), 1) => "its branches, tags and variables, and one secret".to_owned(),
        (Some(_), sent) => format!("its branches, tags and variables, and {sent} secrets"),
        (None, _) => "its branches and tags".to_owned(),
    })
}
