//! First contact: whether a mirror that is about to be written to may be a stranger's.
//!
//! A mirror that is not empty, has no fence and shares no commit with the source was named by a slip, or by a file that
//! somebody else wrote. Nothing at all is written there before a person said yes, in no aspect: [`judge`] is asked before a
//! run applies anything, [`refuse`] by what writes to a mirror outside of a run.
//!
//! Two histories that share a commit share one without parents as well. So nothing of a stranger's history is fetched:
//! first the mirror's tips are looked for in the source's history, which is in the cache; then the mirror is asked which
//! of the source's first commits it has (`git fetch --negotiate-only`). A host that cannot be asked so (no protocol 2, or
//! older than git 2.32) counts as one that has none: then a person looks, once.
//!
//! A yes is remembered for the repository that it was given for, as is a shared history where no fence will say it.

use std::collections::HashSet;

use standin_state::config::Target;
use standin_state::model::{Aspect, Oid, RefName};
use standin_state::store::Fact;

use super::MirrorView;
use super::look::list;
use super::places::{cache, git_failed, mirror_remote, travelling_prefixes};
use crate::context::MirrorContext;
use crate::git::{Address, Cache, Refs};
use crate::plan::GuardReason;
use crate::{Code, Error, Result};

/// Whether nothing says yet whose the mirror is: it is not empty, has no fence, and nobody was asked.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn is_open(ctx: &MirrorContext, view: &MirrorView) -> Result<bool> {
    if view.fence.is_some() || (view.refs.is_empty() && view.unusable.is_empty() && !view.has_others) {
        return Ok(false);
    }
    let known = ctx.memory().get(Fact::FirstContact)?;
    let id = view.host.as_ref().map(|host| host.id.to_string());
    Ok(match (known.as_deref(), &id) {
        (None, _) => true,
        (Some(known), Some(id)) => !known.is_empty() && known != id,
        (Some(_), None) => false,
    })
}

/// Looks whether the mirror shares a commit with the source, whose refs are `source`; where it shares none, what it is, for
/// the question. To be asked where it [`is_open`].
///
/// # Errors
/// What keeps the mirror from being asked.
pub(crate) async fn judge(ctx: &MirrorContext, view: &MirrorView, source: &Refs) -> Result<Option<GuardReason>> {
    if !shares(ctx, &view.cache, &view.refs, source).await? {
        return Ok(Some(described(ctx, view).await));
    }
    // The first push makes a fence, which says it from then on.
    if !ctx.mirror.sync.contains(&Aspect::Code) {
        remember(ctx, view)?;
    }
    Ok(None)
}

/// Remembers that the mirror is meant as it is.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn remember(ctx: &MirrorContext, view: &MirrorView) -> Result<()> {
    let id = view.host.as_ref().map(|host| host.id.to_string()).unwrap_or_default();
    ctx.memory().set(Fact::FirstContact, &id)
}

/// Forgets what was remembered: the mirror counts as a new one.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn forget(ctx: &MirrorContext) -> Result<()> {
    ctx.memory().forget(Fact::FirstContact)
}

/// The error of what waits for that confirmation.
pub(crate) fn held(ctx: &MirrorContext, reasons: &[GuardReason]) -> Error {
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let mirror = &ctx.mirror.id;
    Error::new(
        Code::GuardHeld,
        format!(
            "Nothing was changed on `{mirror}` ({}); this waits for your confirmation: {}",
            ctx.mirror.target.display(),
            reasons.join("; ")
        ),
        format!(
            "See `standin plan --mirror {mirror}`. If this is the repository that you mean, `standin sync --mirror {mirror} \
             --yes` goes on, and what is there stays until you decide; if not, mend the mirror's `REPO` or `URL`."
        ),
    )
}

/// Refuses to write by hand to a mirror that may be a stranger's. The source counts as it was last read.
///
/// # Errors
/// [`Code::GuardHeld`] where it waits for a confirmation; what keeps the mirror from being asked.
pub(crate) async fn refuse(ctx: &MirrorContext, view: &MirrorView) -> Result<()> {
    if !is_open(ctx, view)? {
        return Ok(());
    }
    let source = view.cache.refs_below(&travelling_prefixes(ctx.repository()))?;
    // On a new machine there is nothing to compare with yet; but the configured source is where the code came from.
    if source.is_empty() && ctx.mirror.id.is_source() {
        return Ok(());
    }
    match judge(ctx, view, &source).await? {
        Some(reason) => Err(held(ctx, &[reason])),
        None => Ok(()),
    }
}

/// The same for a repository that was not looked at yet, whoever is master there.
///
/// # Errors
/// As [`refuse`], and what keeps it from being listed.
pub(crate) async fn look_and_refuse(ctx: &MirrorContext) -> Result<()> {
    let listing = list(ctx).await?;
    if listing.refs.contains_key(&RefName::fence()) {
        return Ok(());
    }
    refuse(ctx, &super::look::view(ctx, cache(&ctx.source)?, listing, None)?).await
}

async fn shares(ctx: &MirrorContext, cache: &Cache, mirror: &Refs, source: &Refs) -> Result<bool> {
    let (here, mirror, source) = (cache.clone(), mirror.clone(), source.clone());
    let found = tokio::task::spawn_blocking(move || first_commits(&here, &mirror, &source)).await;
    let first = found.map_err(|error| Error::new(Code::Internal, format!("reading the history: {error}"), ""))??;
    match first {
        None => Ok(true),
        Some(first) if first.is_empty() => Ok(false),
        Some(first) => mirror_remote(ctx, "git.mirror")?
            .has_any(cache, &first)
            .await
            .map_err(|error| error.during(format!("Asking mirror `{}` whether it knows the source", ctx.mirror.id))),
    }
}

/// The commits of the source without parents; `None` where a tip of the mirror is in its history.
fn first_commits(cache: &Cache, mirror: &Refs, source: &Refs) -> Result<Option<Vec<Oid>>> {
    let repository = cache.repository()?;
    let commit = |oid: &Oid| {
        let object = git2::Oid::from_str(oid.as_str()).and_then(|oid| repository.find_object(oid, None)).ok()?;
        Some(object.peel_to_commit().ok()?.id())
    };
    let tips: HashSet<git2::Oid> = mirror.values().filter_map(commit).collect();
    let mut walk = repository.revwalk().map_err(git_failed)?;
    for tip in source.values().filter_map(commit) {
        walk.push(tip).map_err(git_failed)?;
    }
    let mut first = Vec::new();
    for oid in walk {
        let oid = oid.map_err(git_failed)?;
        if tips.contains(&oid) {
            return Ok(None);
        }
        if repository.find_commit(oid).map_err(git_failed)?.parent_count() == 0 {
            let oid = oid.to_string().parse();
            first.push(oid.map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))?);
        }
    }
    Ok(Some(first))
}

/// What the mirror is. What its host does not tell now is left out: the question is asked all the same.
async fn described(ctx: &MirrorContext, view: &MirrorView) -> GuardReason {
    let branches = view.refs.keys().filter(|name| name.is_branch()).count();
    let tags = view.refs.keys().filter(|name| name.is_tag()).count();
    let mut owner = match &ctx.mirror.target {
        Target::GitHub(slug) => slug.owner.clone(),
        Target::Git(git) => match Address::parse(&git.url, None) {
            Ok(address) if address.host.is_some() => address.host_shown(),
            _ => git.url.clone(),
        },
        Target::Pull(pull) => pull.upstream.display(),
    };
    let mut default_branch = view.head.as_ref().map(RefName::short).map(str::to_owned);
    let (mut workflows, mut last_push_iso) = (None, None);
    if let (Some(slug), Some(client)) = (ctx.mirror.slug(), &ctx.github) {
        let (info, listed) = tokio::join!(client.repository(slug), client.workflows(slug));
        if let Ok(info) = info {
            owner = info.full_name.split('/').next().unwrap_or(&slug.owner).to_owned();
            default_branch = Some(info.default_branch);
            last_push_iso = info.pushed_at;
        }
        workflows = listed.ok().map(|listed| listed.iter().filter(|workflow| !workflow.state.is_deleted()).count());
    }
    GuardReason::FirstContact { owner, default_branch, branches, tags, workflows, last_push_iso }
}
