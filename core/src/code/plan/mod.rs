//! The plan of branches and tags: what would change, whether it may go at once, what to know before.

pub(crate) mod guard;
mod notices;
mod refs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use standin_state::config::Target;
use standin_state::model::{Oid, RefName};
use standin_state::store::{ChangeAction, Fact};

use super::default_branch::unborn;
use super::{Snapshot, ref_of};
use crate::context::MirrorContext;
use crate::fence::{self, Fence};
use crate::git::address::Transport;
use crate::git::{Address, Cache, Refs, folder, foreign};
use crate::mastership::parked;
use crate::mirror::host_limits::HostLimit;
use crate::mirror::{MirrorView, git_failed, probe};
use crate::plan::{CodePlan, FencePlan, GuardReason, RefChange, RefsPlan};
use crate::{Code, Error, Result};

use refs::{Ancestry, Sides};

pub(super) use notices::{by_half, no_fence, not_atomic, one_a_push};
pub(crate) use refs::in_the_way;

/// The changes without rewrites that follow from a hand-back: the commits that a branch loses on the mirror are kept by a
/// branch of the source that was made to keep them.
fn unexplained(cache: &Cache, snapshot: &Snapshot, changes: &[RefChange]) -> Result<Vec<RefChange>> {
    let mut unexplained = Vec::new();
    let kept = parked::kept(&snapshot.refs);
    for change in changes {
        let mut is_kept = false;
        if let (ChangeAction::Rewrite, Some(old)) = (change.action, &change.old)
            && change.name.is_branch()
        {
            for tip in kept.get(change.name.short()).into_iter().flatten() {
                is_kept |= cache.oid_exists(old)? && cache.is_ancestor(old, tip)?;
            }
        }
        if !is_kept {
            unexplained.push(change.clone());
        }
    }
    Ok(unexplained)
}

/// Computes what a sync would do to the mirror's branches and tags. Nothing is changed on the mirror.
///
/// # Errors
/// [`Code::FencedOff`] when the source itself says that another is master; what git and the store report.
pub async fn plan(ctx: &MirrorContext, snapshot: &Arc<Snapshot>, view: &MirrorView) -> Result<CodePlan> {
    check_source_fence(ctx, snapshot)?;
    refuse_shallow(&ctx.mirror.target)?;
    let (atomic, private_to_public) =
        tokio::try_join!(probe_atomic(ctx, view), private_to_public(ctx, snapshot, view))?;
    let default_branch = snapshot.default_branch(view.head.as_ref());
    let pushed = view.pushed();
    let kept: BTreeSet<RefName> = pushed.keys().cloned().collect();
    let (refs, found) = compare(ctx, snapshot, view, pushed).await?;
    let source_id = ctx.memory().get(source_id(ctx))?;
    let unexplained = unexplained(&view.cache, snapshot, &refs.changes)?;
    let guard = guard::reasons(&guard::Guarded {
        source: &snapshot.refs,
        mirror: &view.refs,
        kept: &kept,
        changes: &unexplained,
        default_branches: [default_branch, view.head.as_ref()],
        source_ids: [source_id.as_deref(), snapshot.id.as_deref()],
        private_to_public,
        private_to_unknown: private_to_unknown(ctx, snapshot)?,
    });

    let first = view.fence.is_none() && !snapshot.refs.is_empty();
    let source_epoch = snapshot.fence.as_ref().map_or(0, |fence| fence.document.epoch);
    let epoch = view.least_epoch.max(source_epoch);
    let fence = FencePlan {
        current: view.fence.as_ref().map(|fence| fence.oid.clone()),
        epoch,
        sequence: view.fence.as_ref().map_or(0, |fence| fence.document.sequence),
        moves: !refs.changes.is_empty() || first || has_not_heard(view, epoch),
        supported: view.fence_supported,
        atomic,
    };
    // Of a folder it is only set where its HEAD names nothing.
    let is_ours_to_set = match &ctx.mirror.target {
        Target::GitHub(_) => true,
        Target::Pull(_) => false,
        Target::Git(_) => unborn(&ctx.mirror.target).is_some_and(|(_, named)| !will_exist(&named, view, &refs)),
    };
    let set_default_branch = is_ours_to_set
        && view.head.as_ref() != default_branch
        && default_branch.is_some_and(|name| will_exist(name, view, &refs));
    let mut plan = CodePlan {
        default_branch: default_branch.cloned(),
        source_tip: snapshot.default_tip(view.head.as_ref()).cloned(),
        behind: found.behind,
        refs,
        fence,
        guard,
        set_default_branch,
        workflow_files: found.workflow_files,
        lfs: found.lfs,
        notices: Vec::new(),
    };
    plan.notices = notices::of(ctx, snapshot, view, &plan)?;
    Ok(plan)
}

/// Whether the mirror's fence is of an epoch before the one in which our source is master.
pub(crate) fn has_not_heard(view: &MirrorView, epoch: u64) -> bool {
    view.fence.as_ref().is_some_and(|fence| fence.document.epoch < epoch)
}

/// A mirror that lacks history could not take over, though all its tips are in step. Of a folder it is seen.
fn refuse_shallow(target: &Target) -> Result<()> {
    let Some(git) = target.pushed_to() else { return Ok(()) };
    let address = Address::parse(&git.url, None)?;
    if address.transport != Transport::File
        || !foreign::open(&folder(address.as_str()))?.is_some_and(|repository| repository.is_shallow())
    {
        return Ok(());
    }
    Err(Error::new(
        Code::Configuration,
        format!("The mirror `{}` is a shallow repository: a part of the history is missing there", git.url),
        format!(
            "Complete it by `git -C {} fetch --unshallow` from where it was cloned, or name an empty repository.",
            git.url
        ),
    ))
}

/// Obeys the source's own fence: when it names another master, the source is none.
fn check_source_fence(ctx: &MirrorContext, snapshot: &Snapshot) -> Result<()> {
    let Some(Fence { document, .. }) = &snapshot.fence else { return Ok(()) };
    let ours = ctx.repository().source.site();
    if document.master == ours || document.master == fence::master(&ctx.source)? {
        return Ok(());
    }
    Err(Error::new(
        Code::FencedOff,
        format!(
            "The source `{ours}` says itself that `{}` is master since epoch {} ({}, {}); nothing is pushed from it",
            document.master, document.epoch, document.writer, document.time_iso
        ),
        format!("Sync from `{}`, or hand back to `{ours}` first.", document.master),
    ))
}

/// Whether the mirror's host moves several refs all or none. GitHub does; others are asked once,
/// and again a day after they did not.
async fn probe_atomic(ctx: &MirrorContext, view: &MirrorView) -> Result<bool> {
    let memory = ctx.memory();
    let is_asked = memory.get(Fact::Atomic)?.is_some()
        && memory.get(Fact::Server)?.is_some()
        && !HostLimit::NotAtomic.is_old(&memory)?
        && !HostLimit::ByHalf.is_old(&memory)?
        && !HostLimit::OneAPush.is_old(&memory)?;
    if ctx.mirror.slug().is_some() || is_asked {
        return Ok(view.atomic);
    }
    // A host that cannot be asked now is asked again by the next plan, and by itself refuses what it cannot do.
    Ok(probe(ctx).await.unwrap_or(view.atomic))
}

/// Whether a private source would become public here and nobody confirmed it yet.
async fn private_to_public(ctx: &MirrorContext, snapshot: &Snapshot, view: &MirrorView) -> Result<bool> {
    let (Some(true), Some(slug), Some(client)) = (snapshot.private, ctx.mirror.slug(), &ctx.github) else {
        return Ok(false);
    };
    let memory = ctx.memory();
    let confirmed = memory.get(Fact::PublicConfirmed)?;
    let private = match &view.host {
        Some(host) => host.private,
        None => client.repository(slug).await?.private,
    };
    let public = !private;
    if !public && confirmed.is_some() {
        memory.forget(Fact::PublicConfirmed)?;
    }
    Ok(public && (confirmed.is_none() || confirmed != snapshot.id))
}

/// The host of a plain git mirror that a private source would go to, where nobody confirmed it yet. Unlike GitHub it
/// cannot be asked who may read there. Folders and this machine itself are the user's own.
fn private_to_unknown(ctx: &MirrorContext, snapshot: &Snapshot) -> Result<Option<String>> {
    let (Some(true), Some(git)) = (snapshot.private, ctx.mirror.target.pushed_to()) else { return Ok(None) };
    let address = Address::parse(&git.url, None)?;
    if address.is_here() {
        return Ok(None);
    }
    let host = address.host_shown();
    let confirmed = ctx.memory().get(Fact::HostConfirmed)?;
    Ok((confirmed != Some(confirmed_host(snapshot, &host))).then_some(host))
}

/// For which source and host the user confirmed [`GuardReason::PrivateToUnknown`].
fn confirmed_host(snapshot: &Snapshot, host: &str) -> String {
    format!("{} {host}", snapshot.id.as_deref().unwrap_or_default())
}

/// Remembers what the user confirmed, or need not be asked: the source as it is, and that a public mirror or a host
/// that tells nothing is meant.
pub(super) fn remember_confirmed(ctx: &MirrorContext, snapshot: &Snapshot, plan: &CodePlan) -> Result<()> {
    let Some(id) = snapshot.id.as_deref() else { return Ok(()) };
    let memory = ctx.memory();
    memory.set(source_id(ctx), id)?;
    if plan.guard.contains(&GuardReason::PrivateToPublic) {
        memory.set(Fact::PublicConfirmed, id)?;
    }
    for reason in &plan.guard {
        if let GuardReason::PrivateToUnknown { host } = reason {
            memory.set(Fact::HostConfirmed, &confirmed_host(snapshot, host))?;
        }
    }
    Ok(())
}

/// Where the id of the source's repository is remembered.
fn source_id(ctx: &MirrorContext) -> Fact<'_> {
    Fact::SourceId { master: ctx.repository().master.as_ref() }
}

/// What was found by reading commits and trees.
struct Found {
    behind: u64,
    workflow_files: Vec<String>,
    lfs: Option<crate::plan::LfsReport>,
}

/// Plans the refs and reads what they bring, on a thread that may block.
async fn compare(
    ctx: &MirrorContext,
    snapshot: &Arc<Snapshot>,
    view: &MirrorView,
    pushed: BTreeMap<RefName, BTreeSet<Oid>>,
) -> Result<(RefsPlan, Found)> {
    let decisions = ctx.store().decisions(&ctx.repository().id, &ctx.mirror.id)?;
    let decisions: BTreeMap<_, _> =
        decisions.into_iter().filter_map(|decision| Some((ref_of(&decision.ask)?, decision))).collect();
    let (mirror, head, snapshot) = (view.refs.clone(), view.head.clone(), snapshot.clone());
    let compared = tokio::task::spawn_blocking(move || {
        let ancestry = Commits { cache: &snapshot.cache };
        let sides = Sides {
            source: &snapshot.refs,
            mirror: &mirror,
            pushed: &pushed,
            decisions: &decisions,
            default_branch: snapshot.default_branch(head.as_ref()),
        };
        let refs = refs::plan_refs(sides, &ancestry);
        let found = read_commits(&snapshot, (&mirror, head.as_ref()), &pushed, &refs)?;
        Ok((refs, found))
    });
    compared.await.map_err(|error| Error::new(Code::Internal, format!("planning the refs: {error}"), ""))?
}

/// Ancestry from the cache. What is not there is contained in nothing of the source.
struct Commits<'a> {
    cache: &'a Cache,
}

impl Ancestry for Commits<'_> {
    fn contains(&self, tip: &Oid, other: &Oid) -> bool {
        // An annotated tag is contained in nothing but itself, though its commit may be.
        let is_commit = || self.cache.commit_of(other).is_ok_and(|commit| commit.as_ref() == Some(other));
        tip == other || (is_commit() && self.cache.is_ancestor(other, tip).unwrap_or(false))
    }

    fn ahead_behind(&self, one: &Oid, other: &Oid) -> Option<(u64, u64)> {
        let here = |oid| self.cache.oid_exists(oid).unwrap_or(false);
        if here(one) && here(other) { self.cache.ahead_behind(one, other).ok() } else { None }
    }
}

fn read_commits(
    snapshot: &Snapshot,
    (mirror, head): (&Refs, Option<&RefName>),
    pushed: &BTreeMap<RefName, BTreeSet<Oid>>,
    refs: &RefsPlan,
) -> Result<Found> {
    let behind = match (snapshot.default_branch(head), snapshot.default_tip(head)) {
        (Some(name), Some(tip)) if mirror.get(name) != Some(tip) => {
            let has: Vec<&Oid> = mirror.get(name).into_iter().chain(pushed.get(name).into_iter().flatten()).collect();
            count_commits(&snapshot.cache, tip, &has)?
        }
        _ => 0,
    };
    let new: BTreeSet<Oid> = refs.changes.iter().filter_map(|change| change.new.clone()).collect();
    let workflow_files = snapshot.cache.all_workflow_files(new.iter())?;
    let known: BTreeSet<Oid> = mirror.values().cloned().collect();
    let lfs =
        if new.is_empty() { None } else { snapshot.lfs(new.into_iter().collect(), known.into_iter().collect())? };
    Ok(Found { behind, workflow_files: workflow_files.into_iter().collect(), lfs })
}

/// How many commits `tip` contains beyond those of `has`.
fn count_commits(cache: &Cache, tip: &Oid, has: &[&Oid]) -> Result<u64> {
    let repository = cache.repository()?;
    let mut walk = repository.revwalk().map_err(git_failed)?;
    let id = |oid: &Oid| git2::Oid::from_str(oid.as_str());
    walk.push(id(tip).map_err(git_failed)?).map_err(git_failed)?;
    for oid in has {
        // A tip that is not here, or is no commit, hides nothing.
        if id(oid).is_ok_and(|oid| repository.find_commit(oid).is_ok()) {
            walk.hide(id(oid).map_err(git_failed)?).map_err(git_failed)?;
        }
    }
    Ok(walk.count() as u64)
}

/// Whether the mirror has the ref once the changes are made.
fn will_exist(name: &RefName, view: &MirrorView, refs: &RefsPlan) -> bool {
    match refs.changes.iter().find(|change| change.name == *name) {
        Some(change) => change.action != ChangeAction::Delete,
        None => view.refs.contains_key(name),
    }
}
