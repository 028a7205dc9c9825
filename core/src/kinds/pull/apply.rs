//! Carrying out the plan of a copy: rescue, objects, all refs in one step, `HEAD`, large files.

use std::collections::BTreeMap;

use standin_state::config::PullTarget;
use standin_state::model::{AspectReport, AspectStatus, Oid, RefName};
use standin_state::store::{Change, ChangeOutcome};

use super::compare::is_made_by_host;
use super::plan::{Ready, fetch, new_tips};
use super::{lfs, standing};
use crate::code::rescue::{self, Endangered};
use crate::context::MirrorContext;
use crate::git::{Cache, Head};
use crate::mirror::{copy, upstream_remote};
use crate::plan::CodePlan;
use crate::{Code, Error, Result, crash};

/// Brings the copy in step with what was seen of its upstream.
///
/// # Errors
/// [`Code::GuardHeld`] when the plan waits for a confirmation; [`Code::Raced`] when the copy or the upstream moved meanwhile;
/// what git and the store report. The refs are as before then, or all of them are new.
pub(super) async fn apply(ctx: &MirrorContext, pull: &PullTarget, ready: Ready) -> Result<AspectReport> {
    ready.plan.hold(&ctx.mirror.id, ctx.yes, "moved in the copy")?;
    for notice in &ready.plan.notices {
        ctx.notice(&notice.message, &notice.hint);
    }
    let copy = match &ready.copy {
        Some(copy) => copy.clone(),
        None => copy(&ctx.source, &ctx.mirror.id, pull)?,
    };
    let tip = ready.wanted.tip();
    let report = AspectReport {
        detail: Some(tip.map_or_else(|| "no commits yet".to_owned(), |tip| tip.short().to_owned())),
        last_commit: tip.map(ToString::to_string),
        behind: Some(0),
        ..AspectReport::new(AspectStatus::Ok)
    };
    if ready.plan.refs.changes.is_empty() && ready.is_fetched {
        follow_head(&copy, ready.wanted.head.as_ref())?;
        ctx.all_changed(done(&ready.plan))?;
        lfs::bring(ctx, pull, &copy, Vec::new()).await?;
        return Ok(report);
    }
    if standing(&copy)? != ready.standing {
        return Err(Error::passing(
            Code::Raced,
            format!("The copy `{}` was moved by somebody else", copy.path().display()),
            "Find out who pushes to it: it follows its upstream, and what is pushed there is rescued and goes. Sync again.",
        ));
    }
    let changes: BTreeMap<RefName, Option<Oid>> =
        ready.plan.refs.changes.iter().map(|change| (change.name.clone(), change.new.clone())).collect();
    save(ctx, pull, &copy, &ready.plan).await?;
    let new = new_tips(&ready.wanted, &ready.standing);
    if !ready.is_fetched {
        fetch(ctx, pull, &copy, &new).await?;
    }
    crash::point("pull.refs.before");
    Box::pin(copy.set_refs(&ctx.source.git, &changes, &ctx.cancel)).await?;
    crash::point("pull.refs.after");
    follow_head(&copy, ready.wanted.head.as_ref())?;
    crash::point("pull.head.after");
    ctx.all_changed(done(&ready.plan))?;
    forget_old_decisions(ctx, &copy)?;
    let files = lfs::bring(ctx, pull, &copy, new.into_iter().cloned().collect()).await;
    tidy(ctx, &copy).await;
    files.map(|()| report)
}

fn done(plan: &CodePlan) -> Vec<(Change, ChangeOutcome)> {
    plan.changes().into_iter().map(|change| (change, ChangeOutcome::Done)).collect()
}

/// Saves, in the copy, what moves other than forward, and what goes.
async fn save(ctx: &MirrorContext, pull: &PullTarget, copy: &Cache, plan: &CodePlan) -> Result<()> {
    let changes = plan.refs.changes.iter().filter(|change| !is_made_by_host(&change.name));
    let endangered: Vec<Endangered<'_>> = changes.filter_map(Endangered::by).collect();
    crash::point("pull.rescue.before");
    rescue::save(ctx, &upstream_remote(ctx, pull)?, copy, &endangered).await?;
    crash::point("pull.rescue.after");
    if rescue::are_saved(ctx, copy, &endangered) {
        return Ok(());
    }
    Err(Error::new(
        Code::Internal,
        format!("Tips of the copy `{}` would be lost that are not saved; nothing was moved", copy.path().display()),
        "Please report this.",
    ))
}

/// Has `HEAD` say what the upstream's says; it stays where that is nothing that the copy has.
fn follow_head(copy: &Cache, head: Option<&Head>) -> Result<()> {
    let Some(head) = head else { return Ok(()) };
    let is_there = match head {
        Head::Branch(_) => true,
        Head::Detached(oid) => copy.commit_of(oid)?.as_ref() == Some(oid),
    };
    if is_there && copy.head()?.as_ref() != Some(head) {
        copy.set_head(head)?;
    }
    Ok(())
}

/// What was left for a tip that is gone counts for nothing; it is removed.
fn forget_old_decisions(ctx: &MirrorContext, copy: &Cache) -> Result<()> {
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    let decisions = ctx.store().decisions(repository, mirror)?;
    if decisions.is_empty() {
        return Ok(());
    }
    let standing = standing(copy)?;
    for decision in decisions {
        let tip = crate::code::ref_of(&decision.ask).and_then(|name| standing.get(&name));
        if tip.is_none_or(|tip| decision.seen != tip.as_str()) {
            ctx.store().clear_decision(repository, mirror, &decision.ask)?;
        }
    }
    Ok(())
}

/// Old rescues, and packs. What cannot be done now is done after a later sync.
async fn tidy(ctx: &MirrorContext, copy: &Cache) {
    let expired = standing(copy).and_then(|refs| rescue::expire_of(ctx, copy, &refs));
    if let Err(error) = expired {
        tracing::warn!(error = %error.message, "old rescues stay for now");
    }
    if ctx.totals.snapshot().bytes_received > 0
        && let Err(error) = copy.maintain(&ctx.source.git, &ctx.cancel).await
    {
        tracing::warn!(error = %error.message, "the copy stays unpacked for now");
    }
}
