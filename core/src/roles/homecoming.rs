//! Bringing home what a repository committed while it was master, after it lost that without a hand-back. The sentinel
//! steps back by itself: it parks the commits there, where its tokens may write, and they wait for somebody who may write
//! to the source. And a master that was gone may come back when the source has long taken over.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use standin_state::model::{Oid, RefName, Role};

use super::handback::{self, HandBack, HandedBack};
use super::parts::Parts;
use super::site;
use crate::context::MirrorContext;
use crate::fence::{self, Fence};
use crate::mirror::{self, fence_move};
use crate::{Code, Error, Result, mastership};

/// What waits on a standby that is no longer master; `None` where nothing does. The fences of both were just read.
///
/// # Errors
/// What keeps the two from being compared.
pub(crate) async fn look(parts: &Parts) -> Result<Option<HandBack>> {
    let (standby, source) = (parts.site(&parts.standby_site())?, parts.site(&parts.source_site())?);
    let now = parts.direction.who.as_ref().map_or(1, |who| who.epoch);
    let fence = site::read(standby).await?.1.map(|fence| fence.document);
    let unreturned = fence.and_then(|document| document.lost_mastership(&parts.standby_site(), now));
    // What the sentinel parked is named by the epoch in which the standby was master: the one before this.
    let epoch = unreturned.unwrap_or_else(|| now.saturating_sub(1).max(1));
    let plan = handback::plan(standby, source, epoch).await?;
    let is_parked = |name: &RefName| name.as_str().contains("/standin/handback-");
    // Commits that a standby got by hand are a divergence, which people decide about; what it parked was master's work.
    let parked: BTreeSet<Oid> =
        mirror::tips(standby).await?.into_iter().filter(|(name, _)| is_parked(name)).map(|(_, oid)| oid).collect();
    let is_masters = |tip: &Oid| unreturned.is_some() || parked.contains(tip);
    let waits = plan.refs.iter().any(|home| home.is_to_be_pushed() && is_masters(&home.tip));
    Ok(waits.then_some(plan))
}

/// Brings it to the source.
///
/// # Errors
/// [`Code::RoleChangeOpen`] or [`Code::FencedOff`] where somebody changes the master meanwhile; else as
/// [`handback::apply`].
pub(crate) async fn bring(parts: &Parts, plan: &HandBack) -> Result<HandedBack> {
    let (standby, source) = (parts.site(&parts.standby_site())?, parts.site(&parts.source_site())?);
    let guard = || -> BoxFuture<'_, Result<Option<Fence>>> { Box::pin(guard(parts, standby, source)) };
    handback::apply(standby, source, plan, &guard).await
}

/// The source must still be master, and nobody about to change that.
async fn guard(parts: &Parts, standby: &MirrorContext, source: &MirrorContext) -> Result<Option<Fence>> {
    let fence = site::read(source).await?.1;
    let there = site::read(standby).await?.1;
    let epoch = fence.iter().chain(&there).map(|fence| fence.document.epoch).max();
    // A fence of an older epoch has not heard yet who is master.
    for fence in fence.iter().chain(&there).filter(|fence| Some(fence.document.epoch) == epoch) {
        mastership::check_open(source, &fence.document)?;
        if !fence::same_master(&fence.document.master, &parts.source_site()) {
            return Err(Error::new(
                Code::FencedOff,
                format!("{} is master now; nothing is brought to {}", fence.document.master, parts.source_site()),
                "`standin status` shows who is master and what to do.",
            ));
        }
    }
    Ok(fence)
}

/// Makes a standby of it again: says in its fence that what is safe at the source may be moved there like what we pushed
/// ourselves, and gives it the role. The next sync saves each tip before it moves it.
///
/// # Errors
/// What reading both, moving the fence and setting the role report.
pub(crate) async fn release(parts: &Parts, plan: &HandBack) -> Result<()> {
    let (standby, source) = (parts.site(&parts.standby_site())?, parts.site(&parts.source_site())?);
    let now = handback::plan(standby, source, plan.epoch).await?;
    let unsafe_yet: BTreeSet<&RefName> =
        now.refs.iter().filter(|home| home.is_to_be_pushed()).map(|home| &home.name).collect();
    let mut view = mirror::look(standby).await?;
    let mut safe = view.refs.clone();
    safe.retain(|name, _| !unsafe_yet.contains(name));
    fence_move::amend(standby, &mut view, |document| {
        document.refs.extend(safe);
        document.unreturned = None;
    })
    .await?;
    super::workflows::set_role(standby, Role::Slave).await.map(drop)
}
