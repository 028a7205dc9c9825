//! Rescues: tips saved before they are moved or deleted, each restorable by one command.
//!
//! A rescue is a commit with all its history in the repository's cache, a ref that keeps it there, and a row in the
//! store; each is on disk before the next step is made. Its id follows from what it saves, so that saving the same tip
//! twice gives one rescue.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use standin_state::model::{MirrorId, Oid, RefName, RepositoryId};
use standin_state::store::{ChangeAction, DecisionChoice, Rescue, RescueReason, Store};

use super::Snapshot;
use crate::context::{MirrorContext, SourceContext};
use crate::git::{Cache, Refs, Remote};
use crate::mirror::{self, folder_remote, git_failed, rescues_of};
use crate::plan::RefChange;
use crate::{Code, Error, Result};

/// How long a rescue is kept at least.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Where the cache keeps the tips.
const FOLDER: &str = "refs/standin/rescue/";

/// A tip to be saved.
#[derive(Clone, Debug)]
pub(crate) struct Endangered<'a> {
    pub name: &'a RefName,
    pub oid: &'a Oid,
    pub reason: RescueReason,
}

impl<'a> Endangered<'a> {
    /// The tip that a change takes away.
    pub fn by(change: &'a RefChange) -> Option<Self> {
        let reason = match (change.action, &change.decision) {
            (ChangeAction::Rewrite | ChangeAction::Delete, Some(decision)) => {
                debug_assert_eq!(decision.choice, DecisionChoice::Overwrite, "no other choice moves a ref");
                RescueReason::Overwrite
            }
            (ChangeAction::Rewrite, None) => RescueReason::Rewrite,
            (ChangeAction::Delete, None) => RescueReason::Delete,
            _ => return None,
        };
        change.old.as_ref().map(|oid| Self { name: &change.name, oid, reason })
    }

    fn id(&self, ctx: &MirrorContext) -> String {
        rescue_id(&ctx.repository().id, &ctx.mirror.id, self.name, self.oid)
    }
}

fn rescue_id(repository: &RepositoryId, mirror: &MirrorId, name: &RefName, oid: &Oid) -> String {
    let text = format!("{repository}\0{mirror}\0{name}\0{oid}");
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Saves tips that the cache has of a repository that is no longer master, before those of the new one take their names.
///
/// # Errors
/// What the cache and the store report.
pub(super) async fn save_turned(
    source: &SourceContext,
    cache: &Cache,
    place: &MirrorId,
    tips: &[(RefName, Oid)],
) -> Result<()> {
    let _held = cache.hold(&source.cancel).await?;
    let created_iso = source.outside.clock.now();
    let (mut rescues, mut refs) = (Vec::new(), BTreeMap::new());
    for (name, oid) in tips {
        let id = rescue_id(&source.repository.id, place, name, oid);
        refs.insert(kept_at(&id)?, Some(oid.clone()));
        rescues.push(Rescue {
            id,
            repository: source.repository.id.clone(),
            mirror: place.clone(),
            target: None,
            ref_name: name.clone(),
            oid: oid.clone(),
            reason: RescueReason::Turned,
            created_iso,
            run: None,
        });
    }
    Box::pin(cache.set_refs(&source.git, &refs, &source.cancel)).await?;
    source.store.add_rescues(&rescues)
}

/// Saves tips of the mirror; when this returns they are on disk. Those not in the cache are fetched first.
///
/// # Errors
/// [`Code::Raced`] when one of them is no longer the tip on the mirror; what git and the store report.
pub(crate) async fn save(ctx: &MirrorContext, remote: &Remote, cache: &Cache, tips: &[Endangered<'_>]) -> Result<()> {
    let lacking = cache.lacks(tips.iter().map(|tip| tip.oid))?;
    let mut missing = BTreeMap::new();
    for tip in tips.iter().filter(|tip| lacking.contains(tip.oid)) {
        missing.insert(kept_at(&tip.id(ctx))?, tip.oid.clone());
    }
    if !missing.is_empty()
        && let Err(error) = Box::pin(remote.fetch_all(cache, &missing, &[])).await
    {
        // A tip that is gone makes git fail as a whole.
        let listed = mirror::list(ctx).await?.refs;
        return Err(match tips.iter().find(|tip| listed.get(tip.name) != Some(tip.oid)) {
            Some(tip) => moved(ctx, tip.name),
            None => error.during("Saving tips before they are moved"),
        });
    }
    if tips.is_empty() {
        return Ok(());
    }
    // From here to the row, nobody may take an older rescue of the same tip for expired.
    let _held = cache.hold(&ctx.cancel).await?;
    let kept = cache.refs(FOLDER)?;
    let mut new = BTreeMap::new();
    for tip in tips {
        let kept_at = kept_at(&tip.id(ctx))?;
        if kept.get(&kept_at) != Some(tip.oid) {
            new.insert(kept_at, Some(tip.oid.clone()));
        }
    }
    Box::pin(cache.set_refs(&ctx.source.git, &new, &ctx.cancel)).await?;
    let created_iso = ctx.outside().clock.now();
    let rescues: Vec<Rescue> = tips
        .iter()
        .map(|tip| Rescue {
            id: tip.id(ctx),
            repository: ctx.repository().id.clone(),
            mirror: ctx.mirror.id.clone(),
            target: Some(ctx.mirror.target.display()),
            ref_name: tip.name.clone(),
            oid: tip.oid.clone(),
            reason: tip.reason,
            created_iso,
            run: ctx.in_history.then(|| ctx.run.clone()),
        })
        .collect();
    ctx.store().add_rescues(&rescues)
}

/// Brings a saved tip to `cache` where it is kept in another repository: a copy, or the cache.
///
/// # Errors
/// [`Code::Storage`] where it is in neither; what git reports.
pub(crate) async fn bring(ctx: &MirrorContext, rescue: &Rescue, cache: &Cache) -> Result<()> {
    if cache.oid_exists(&rescue.oid)? {
        return Ok(());
    }
    let kept = rescues_of(&ctx.source, &rescue.mirror)?;
    if kept.path() == cache.path() || !kept.oid_exists(&rescue.oid)? {
        return Err(Error::new(
            Code::Storage,
            format!("The commit {} of rescue `{}` is not in the {} any more", rescue.oid, rescue.id, kept.noun()),
            "That repository was deleted or damaged; look for the commit on other machines.",
        ));
    }
    folder_remote(ctx, kept.path())?.fetch_objects(cache, &[&rescue.oid].into()).await
}

fn moved(ctx: &MirrorContext, name: &RefName) -> Error {
    Error::passing(
        Code::Raced,
        format!("`{name}` moved on mirror `{}` while it was saved", ctx.mirror.id),
        "Somebody pushes to the mirror; sync again.",
    )
}

/// Whether every tip is saved: the promise that a push checks before it goes.
pub(crate) fn are_saved(ctx: &MirrorContext, cache: &Cache, tips: &[Endangered<'_>]) -> bool {
    let Ok(kept) = cache.refs(FOLDER) else { return false };
    tips.iter().all(|tip| {
        let id = tip.id(ctx);
        kept_at(&id).is_ok_and(|name| kept.get(&name) == Some(tip.oid))
            && ctx.store().rescue(&id).is_ok_and(|row| row.is_some())
    })
}

/// The rescues of a repository or mirror, newest first.
///
/// # Errors
/// [`Code::Storage`].
pub fn list(store: &Store, repository: Option<&RepositoryId>, mirror: Option<&MirrorId>) -> Result<Vec<Rescue>> {
    store.rescues(repository, mirror)
}

/// Removes a rescue for good.
///
/// # Errors
/// [`Code::NotFound`] for an unknown id; [`Code::Storage`].
pub fn drop(source: &SourceContext, id: &str) -> Result<Rescue> {
    let rescue = find(&source.store, id)?;
    remove(source, &rescues_of(source, &rescue.mirror)?, &rescue)?;
    Ok(rescue)
}

/// Removes rescues that are older than 90 days and whose commits the source holds too. Returns how many. While somebody
/// writes to the cache, who may be saving the same tip again, none is removed.
///
/// # Errors
/// What the cache and the store report.
pub fn expire(source: &SourceContext, snapshot: &Snapshot) -> Result<usize> {
    let is_pulled = |id: &MirrorId| {
        let mirror = source.repository.mirror(id);
        mirror.is_some_and(|mirror| mirror.target.pulled().is_some())
    };
    expire_in(source, &snapshot.cache, &snapshot.refs, |rescue| !is_pulled(&rescue.mirror))
}

/// The same for a mirror's copy of its upstream, which has `refs`.
///
/// # Errors
/// What the copy and the store report.
pub(crate) fn expire_of(ctx: &MirrorContext, copy: &Cache, refs: &Refs) -> Result<usize> {
    expire_in(&ctx.source, copy, refs, |rescue| rescue.mirror == ctx.mirror.id)
}

fn expire_in(source: &SourceContext, cache: &Cache, refs: &Refs, is_there: impl Fn(&Rescue) -> bool) -> Result<usize> {
    let limit = source.outside.clock.now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    let old: Vec<Rescue> = source
        .store
        .rescues(Some(&source.repository.id), None)?
        .into_iter()
        .filter(|rescue| rescue.created_iso < limit && is_there(rescue))
        .collect();
    if old.is_empty() {
        return Ok(0);
    }
    let held = Held::by(cache, refs)?;
    let mut removed = 0;
    for rescue in old {
        if !held.holds(&rescue.oid)? {
            continue;
        }
        let Some(_alone) = cache.alone()? else { break };
        if source.store.drop_rescue_before(&rescue.id, limit)? {
            held.forget(&kept_at(&rescue.id)?)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What the source, or a copy, holds.
struct Held {
    repository: git2::Repository,
    tips: HashSet<git2::Oid>,
}

impl Held {
    fn by(cache: &Cache, refs: &Refs) -> Result<Self> {
        let repository = cache.repository()?;
        let tips = refs.values().filter_map(|tip| git2::Oid::from_str(tip.as_str()).ok()).collect();
        Ok(Self { repository, tips })
    }

    /// Whether a tip there is this commit or has it in its history.
    fn holds(&self, oid: &Oid) -> Result<bool> {
        let oid = git2::Oid::from_str(oid.as_str()).map_err(git_failed)?;
        if self.tips.contains(&oid) {
            return Ok(true);
        }
        // An annotated tag, or a tag of a blob, is held only by a ref to itself.
        if self.repository.find_commit(oid).is_err() {
            return Ok(false);
        }
        let mut walk = self.repository.revwalk().map_err(git_failed)?;
        walk.push(oid).map_err(git_failed)?;
        for tip in &self.tips {
            let commit = self.repository.find_object(*tip, None).and_then(|object| object.peel_to_commit());
            if let Ok(commit) = commit {
                walk.hide(commit.id()).map_err(git_failed)?;
            }
        }
        Ok(walk.next().is_none())
    }

    /// Deletes a ref of the cache, which is held alone meanwhile.
    fn forget(&self, name: &RefName) -> Result<()> {
        match self.repository.find_reference(name.as_str()) {
            Ok(mut reference) => reference.delete().map_err(git_failed),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
            Err(error) => Err(git_failed(error)),
        }
    }
}

fn remove(source: &SourceContext, cache: &Cache, rescue: &Rescue) -> Result<()> {
    let name = kept_at(&rescue.id)?;
    if cache.refs(FOLDER)?.contains_key(&name) {
        cache.delete_ref(&name)?;
    }
    source.store.drop_rescue(&rescue.id)?;
    Ok(())
}

/// The rescue with this id.
///
/// # Errors
/// [`Code::NotFound`].
pub fn find(store: &Store, id: &str) -> Result<Rescue> {
    store.rescue(id)?.ok_or_else(|| {
        Error::new(Code::NotFound, format!("There is no rescue `{id}`"), "`standin rescue list` shows them.")
    })
}

fn kept_at(id: &str) -> Result<RefName> {
    format!("{FOLDER}{id}").parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))
}

/// The rescue of a tip, once it is saved.
pub(super) fn id_of(ctx: &MirrorContext, name: &RefName, oid: &Oid) -> String {
    Endangered { name, oid, reason: RescueReason::Take }.id(ctx)
}
