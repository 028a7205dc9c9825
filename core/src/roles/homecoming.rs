//! Bringing home what a repository committed while it was master, after it lost that without a hand-back. The sentinel
//! steps back by itself: it parks the commits there, where its tokens may write, and they wait for somebody who may write
//! to the source. And a master that was gone may come back when the source has long taken over.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::BoxFuture;
use standin_state::model::{MirrorStatus, Oid, RefName, Role};

use super::change::RoleOutcome;
use super::handback::{self, HandBack, HandedBack};
use super::parties::Parties;
use super::preview::{self, Master, RolePlan};
use super::{prepare, site_fence};
use crate::context::MirrorContext;
use crate::event::{Event, RoleChangeEnd};
use crate::fence::Fence;
use crate::mastership::direction::Direction;
use crate::mastership::machine::{Change, Kind};
use crate::mirror::{self, fence_move};
use crate::run::{self, RunRequest};
use crate::{Code, Error, Result, mastership};

/// What waits on a standby that has stepped back; `None` where a request to hand back means something else.
///
/// # Errors
/// [`Code::RoleChangeOpen`]; what keeps the two from being compared.
pub(crate) async fn waiting(parties: &mut Parties) -> Result<Option<HandBack>> {
    let seen = prepare::look_at_both(parties).await;
    if !matches!((seen.standby, seen.source), (Master::Here, Master::Here)) {
        return Ok(None);
    }
    parties.direction = Direction::of(&parties.home.context.store, &parties.direction.home)?;
    let direction = &parties.direction;
    let is_slave = direction.who.as_ref().is_some_and(|who| who.rivals.is_empty()) && direction.master().is_none();
    if !direction.home.enabled || !is_slave {
        return Ok(None);
    }
    prepare::refuse_open(parties)?;
    look(parties).await
}

/// What waits on a standby that is no longer master; `None` where nothing does. The fences of both were just read.
///
/// # Errors
/// What keeps the two from being compared.
async fn look(parties: &Parties) -> Result<Option<HandBack>> {
    let (standby, source) = (parties.site(&parties.standby_site())?, parties.site(&parties.source_site())?);
    let now = parties.direction.who.as_ref().map_or(1, |who| who.epoch);
    let fence = site_fence::read(standby).await?.1.map(|fence| fence.document);
    let unreturned = fence.and_then(|document| document.lost_mastership(&parties.standby_site(), now));
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
async fn bring(parties: &Parties, plan: &HandBack) -> Result<HandedBack> {
    let (standby, source) = (parties.site(&parties.standby_site())?, parties.site(&parties.source_site())?);
    let guard = || -> BoxFuture<'_, Result<Option<Fence>>> { Box::pin(guard(parties, standby, source)) };
    handback::apply(standby, source, plan, &guard).await
}

/// The source must still be master, and nobody about to change that.
async fn guard(parties: &Parties, standby: &MirrorContext, source: &MirrorContext) -> Result<Option<Fence>> {
    let fence = site_fence::read(source).await?.1;
    let there = site_fence::read(standby).await?.1;
    let epoch = fence.iter().chain(&there).map(|fence| fence.document.epoch).max();
    // A fence of an older epoch has not heard yet who is master.
    for fence in fence.iter().chain(&there).filter(|fence| Some(fence.document.epoch) == epoch) {
        mastership::check_open(source, &fence.document)?;
        if fence.document.master != parties.source_site() {
            return Err(Error::new(
                Code::FencedOff,
                format!("{} is master now; nothing is brought to {}", fence.document.master, parties.source_site()),
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
async fn release(parties: &Parties, plan: &HandBack) -> Result<()> {
    let (standby, source) = (parties.site(&parties.standby_site())?, parties.site(&parties.source_site())?);
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

/// The preview of it.
pub(crate) fn preview(parties: &Parties, hand_back: HandBack) -> RolePlan {
    let (old, new) = (parties.standby_site(), parties.source_site());
    let change = Change::new(preview::new_id(), Kind::Demote, old.clone(), new.clone(), hand_back.epoch);
    let epoch = parties.direction.who.as_ref().map_or(hand_back.epoch + 1, |who| who.epoch);
    RolePlan {
        headline: headline(parties),
        steps: vec![format!("bring the commits of {old} to {new}"), format!("bring {old} in step with {new}")],
        epoch,
        epoch_after: epoch,
        hand_back: Some(hand_back),
        never_travels: Vec::new(),
        ..RolePlan::begin(parties, &change)
    }
}

/// Brings it home, then brings the standby in step.
///
/// # Errors
/// What keeps it from being brought home. That the standby is not in step is in the outcome.
pub(crate) async fn carry_out(parties: &Parties, plan: &HandBack, yes: bool, actor: &str) -> Result<RoleOutcome> {
    let begun = Instant::now();
    let handed = bring(parties, plan).await?;
    let context = &parties.home.context;
    for notice in handed.notices {
        context.outside.progress.event(&Event::Notice {
            repository: context.repository.id.clone(),
            mirror: None,
            notice,
        });
    }
    release(parties, plan).await?;
    let sync = RunRequest::of_all(&parties.standby, yes, actor);
    let synced = run::execute_held(parties.home.clone(), parties.standby.clone(), sync).await;
    let error = match synced.status {
        MirrorStatus::Success => None,
        _ => Some(synced.error.unwrap_or_else(|| {
            Error::new(
                Code::Diverged,
                format!("the commits are home; {} is not in step yet", parties.standby.id),
                "`standin status` shows what it waits for.",
            )
        })),
    };
    Ok(RoleOutcome {
        repository: context.repository.id.clone(),
        mirror: parties.standby.id.clone(),
        headline: headline(parties),
        end: RoleChangeEnd::Done,
        error,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

fn headline(parties: &Parties) -> String {
    format!("bring home to {} what {} committed as master", parties.source_site(), parties.standby_site())
}
