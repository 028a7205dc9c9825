//! What a sync would do to a copy, and whether it may go at once.

use std::collections::{BTreeMap, BTreeSet};

use standin_state::config::PullTarget;
use standin_state::model::{Oid, RefName};

use super::compare::{self, Wanted, is_made_by_host};
use super::{lfs, standing};
use crate::Result;
use crate::code::guard::{self, Guarded};
use crate::code::ref_of;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::git::{Cache, Head, Listing, Refs};
use crate::kinds::{self, Ways};
use crate::mirror::{copy, copy_path, upstream_remote};
use crate::plan::{CodePlan, FencePlan, GuardReason, Plan, RefChange, RefsPlan, Section, counted};
use crate::tokens::Place;

/// How many names one notice lists.
const LISTED: usize = 10;

/// A plan, with all that carrying it out needs.
pub(super) struct Ready {
    pub plan: CodePlan,
    pub wanted: Wanted,
    /// The copy, where there is one.
    pub copy: Option<Cache>,
    /// The copy's refs as they were compared.
    pub standing: Refs,
    /// Whether all objects are here already.
    pub is_fetched: bool,
}

/// Compares the upstream with the copy. Where something would be lost, what is new is brought first: it says what that is.
pub(super) async fn ready(ctx: &MirrorContext, pull: &PullTarget, listing: &Listing) -> Result<Ready> {
    let wanted = Wanted::of(listing, &pull.refs)?;
    let copy = match copy_path(&ctx.source.folder, &ctx.mirror.id, pull).exists() {
        true => Some(copy(&ctx.source, &ctx.mirror.id, pull)?),
        // A plan makes nothing.
        false => None,
    };
    let (standing, head) = match &copy {
        Some(copy) => (standing(copy)?, copy.head()?),
        None => (Refs::new(), None),
    };
    let decisions = ctx.store().decisions(&ctx.repository().id, &ctx.mirror.id)?;
    let decisions: Vec<_> = decisions.into_iter().filter(|decision| ref_of(&decision.ask).is_some()).collect();
    let left = compare::left(&wanted.refs, &standing, &decisions);
    let moves = compare::moves(&wanted.refs, &standing);
    let goes = |name: &&RefName| !wanted.refs.contains_key(*name) && !left.contains_key(name);
    let loses = !moves.is_empty() || standing.keys().any(|name| goes(&name));
    let new = new_tips(&wanted, &standing);
    let is_fetched = new.is_empty() || (loses && copy.is_some());
    if let Some(copy) = copy.as_ref().filter(|_| loses) {
        fetch(ctx, pull, copy, &new).await?;
    }
    let forward = match &copy {
        Some(copy) => forward(copy, &moves)?,
        None => BTreeSet::new(),
    };
    let refs = compare::compare(&wanted, &standing, &left, &forward);
    let guard = held_back(copy.as_ref(), &wanted, &standing, head.as_ref(), &refs)?;
    let behind = behind(copy.as_ref(), &wanted, &standing, head.as_ref())?;
    let large_files = lfs::behind(ctx)?;
    let mut notices = notices(ctx, listing, &refs);
    notices.extend(large_files.as_ref().map(lfs::notice));
    let plan = CodePlan {
        default_branch: behind.and(wanted.default_branch()).cloned(),
        source_tip: wanted.tip().cloned(),
        behind: behind.unwrap_or(0),
        set_default_branch: copy.is_some() && wanted.default_branch().is_some() && head != wanted.head,
        fence: no_fence(),
        guard,
        workflow_files: Vec::new(),
        lfs: large_files,
        notices,
        refs,
    };
    Ok(Ready { plan, wanted, copy, standing, is_fetched })
}

/// The plan as it is told.
pub(super) fn told(ctx: &MirrorContext, pull: &PullTarget, code: Option<&CodePlan>) -> Result<Plan> {
    let ways = Ways {
        from: pull.upstream.display(),
        to: copy_path(&ctx.source.folder, &ctx.mirror.id, pull).display().to_string(),
    };
    let section = code.map(|plan| Section::told(&ctx.mirror.id, plan));
    kinds::told(ctx, ways, &[], section.into_iter().collect(), token_notices(ctx))
}

/// Brings objects of the upstream.
pub(super) async fn fetch(ctx: &MirrorContext, pull: &PullTarget, copy: &Cache, tips: &BTreeSet<&Oid>) -> Result<()> {
    let fetched = Box::pin(upstream_remote(ctx, pull)?.fetch_objects(copy, tips)).await;
    fetched.map_err(|error| error.during(format!("Fetching the upstream `{}`", pull.upstream.display())))
}

/// The tips that no ref of the copy has.
pub(super) fn new_tips<'a>(wanted: &'a Wanted, standing: &Refs) -> BTreeSet<&'a Oid> {
    let known: BTreeSet<&Oid> = standing.values().collect();
    wanted.refs.values().chain(wanted.tip()).filter(|oid| !known.contains(oid)).collect()
}

fn forward<'a>(copy: &Cache, moves: &[(&'a RefName, &Oid, &Oid)]) -> Result<BTreeSet<&'a RefName>> {
    // A tag that moves is another one, wherever it goes.
    let moves: Vec<_> = moves.iter().filter(|(name, ..)| !name.is_tag()).collect();
    let tips: Vec<(&Oid, &Oid)> = moves.iter().map(|(_, old, new)| (*old, *new)).collect();
    let forward = copy.are_forward(&tips)?;
    Ok(moves.iter().zip(forward).filter(|(_, forward)| *forward).map(|((name, ..), _)| *name).collect())
}

/// Why the plan waits for a confirmation.
fn held_back(
    copy: Option<&Cache>,
    wanted: &Wanted,
    standing: &Refs,
    head: Option<&Head>,
    refs: &RefsPlan,
) -> Result<Vec<GuardReason>> {
    let Some(copy) = copy else { return Ok(Vec::new()) };
    let changes: Vec<RefChange> =
        refs.changes.iter().filter(|change| !is_made_by_host(&change.name)).cloned().collect();
    let left: BTreeSet<&RefName> = refs.left_alone.iter().map(|left| &left.name).collect();
    let kept = standing.keys().filter(|name| !left.contains(name) && !is_made_by_host(name)).cloned().collect();
    let head = match head {
        Some(Head::Branch(name)) => Some(name),
        Some(Head::Detached(_)) | None => None,
    };
    // Another history, where what was the default branch and what is it now have no commit in common.
    let before = head.and_then(|name| standing.get(name));
    let ids = match (before, wanted.tip()) {
        (Some(before), Some(now)) if before != now && copy.oid_exists(now)? && copy.are_strangers(before, now)? => {
            [Some(before), Some(now)].map(|oid| oid.map(|oid| format!("commit {}", oid.short())))
        }
        _ => [None, None],
    };
    let mut reasons = guard::reasons(&Guarded {
        source: &wanted.refs,
        mirror: standing,
        kept: &kept,
        changes: &changes,
        default_branches: [wanted.default_branch(), head],
        source_ids: [ids[0].as_deref(), ids[1].as_deref()],
        private_to_public: false,
        private_to_unknown: None,
    });
    // A mirror that keeps no branches by its configuration is not emptied.
    if !wanted.refs.is_empty() && !standing.keys().any(RefName::is_branch) {
        reasons.retain(|reason| *reason != GuardReason::SourceEmpty);
    }
    Ok(reasons)
}

/// How many commits of the default branch the copy lacks; `None` where they are not here to be counted.
fn behind(copy: Option<&Cache>, wanted: &Wanted, standing: &Refs, head: Option<&Head>) -> Result<Option<u64>> {
    let (Some(copy), Some(tip)) = (copy, wanted.tip()) else { return Ok(None) };
    let before = match head {
        Some(Head::Branch(name)) => standing.get(wanted.default_branch().unwrap_or(name)).or(standing.get(name)),
        Some(Head::Detached(oid)) => Some(oid),
        None => None,
    };
    match before {
        Some(before) if before == tip => Ok(Some(0)),
        Some(before) if copy.oid_exists(tip)? && copy.oid_exists(before)? => {
            Ok(Some(copy.ahead_behind(tip, before)?.0))
        }
        _ => Ok(None),
    }
}

/// A copy has none, and needs none: nobody but this mirror's syncs moves its refs.
fn no_fence() -> FencePlan {
    FencePlan { current: None, epoch: 0, sequence: 0, moves: false, supported: true, atomic: true }
}

fn notices(ctx: &MirrorContext, listing: &Listing, refs: &RefsPlan) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !listing.unusable.is_empty() {
        let shown: Vec<&str> = listing.unusable.iter().take(LISTED).map(String::as_str).collect();
        notices.push(Notice {
            message: format!(
                "The upstream has {} with names that cannot be kept; they stay behind: {}",
                counted(listing.unusable.len(), "ref"),
                shown.join(", ")
            ),
            hint: "Rename them at the upstream.".to_owned(),
        });
    }
    if listing.refs.is_empty() && refs.unchanged == 0 && refs.changes.is_empty() {
        let message = "The upstream has no commits yet; there is nothing to pull".to_owned();
        notices.push(Notice { message, hint: String::new() });
    }
    if !refs.left_alone.is_empty() {
        let names: BTreeMap<&str, &str> =
            refs.left_alone.iter().map(|left| (left.name.as_str(), left.oid.short())).collect();
        let names: Vec<String> = names.iter().take(LISTED).map(|(name, tip)| format!("{name} ({tip})")).collect();
        notices.push(Notice {
            message: format!("Put back here by hand, and not at the upstream: {}", names.join(", ")),
            hint: format!(
                "They stay until they are removed: `git -C … update-ref -d REF`, in the copy of {}.",
                ctx.mirror.id
            ),
        });
    }
    notices
}

fn token_notices(ctx: &MirrorContext) -> Vec<Notice> {
    let (repository, pull) = (ctx.repository(), ctx.mirror.target.pulled());
    let place = Place::Mirror(ctx.mirror.id.clone());
    let own = ctx.token.as_ref().map(|token| (token, place));
    let of_source = || {
        let token = ctx.source.token.as_ref().filter(|_| pull.is_some_and(|pull| pull.follows_source));
        token.map(|token| (token, Place::Source))
    };
    own.or_else(of_source).and_then(|(token, place)| token.notice(repository, &place)).into_iter().collect()
}
