//! A fence that a host takes and does not show: it hides `refs/standin/` from whoever reads, and not from whoever pushes.
//!
//! Nobody else could read it there, so such a host counts as one that takes none. What stands there stays.

use standin_state::model::RefName;

use super::host_limits::HostLimit;
use super::places::mirror_remote;
use crate::Result;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::git::Cache;
use crate::{Code, Error};

/// Whether the host has a fence and does not show it. To be asked where a listing shows none that should be there. A host that
/// cannot be asked hides nothing, as far as is known.
///
/// # Errors
/// [`Code::Cancelled`]; [`Code::Raced`] where it shows one by now.
pub(super) async fn is_hidden(ctx: &MirrorContext, cache: &Cache) -> Result<bool> {
    let remote = mirror_remote(ctx, "git.mirror")?;
    match remote.probe_push(cache).await {
        Ok(found) if found.fence.is_some() => {}
        Err(error) if error.code == Code::Cancelled => return Err(error),
        Ok(_) | Err(_) => return Ok(false),
    }
    // Somebody may have made it in between.
    let listing = remote.list(&["refs/standin/"]).await?;
    if listing.refs.contains_key(&RefName::fence()) {
        return Err(Error::passing(
            Code::Raced,
            format!("The fence of mirror `{}` was made while it was looked at", ctx.mirror.id),
            "Another sync of this mirror is going on; sync again when it is through.",
        ));
    }
    Ok(true)
}

/// The same, remembered and told where it is so.
///
/// # Errors
/// As [`is_hidden`]; [`Code::Storage`].
pub(crate) async fn learn_if_hidden(ctx: &MirrorContext, cache: &Cache) -> Result<bool> {
    let is_hidden = is_hidden(ctx, cache).await?;
    if is_hidden {
        HostLimit::HiddenFence.remember(&ctx.memory())?;
        let Notice { message, hint } = notice();
        ctx.notice(message, hint);
    }
    Ok(is_hidden)
}

/// What to know of such a mirror.
pub(crate) fn notice() -> Notice {
    Notice {
        message: format!(
            "The mirror's host takes `{}` and does not show it: what we pushed is remembered on this machine only, and a second \
             machine or another master is noticed by its refs alone",
            RefName::fence()
        ),
        hint: "Sync this mirror from one machine, or let its server show the ref (its `transfer.hideRefs` or `uploadpack.hideRefs`)."
            .to_owned(),
    }
}
