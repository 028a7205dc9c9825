//! Both sides at one moment, with all their commits in the cache.

use std::collections::{BTreeMap, BTreeSet};

use git2::Sort;
use standin_state::model::{Oid, RefName};

use super::Tips;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::git::{Cache, Listing};
use crate::mirror::{cache, fence_read, git_failed, mirror_remote, travelling_prefixes};
use crate::{Code, Error, Result};

/// Where the cache keeps what it has of both sides for as long as the hand-back takes, by object: so no name is in the way of
/// another.
const FOLDER: &str = "refs/standin/handback/";
/// How often a side that moves while it is read is listed again.
const TRIES: usize = 4;

/// Both sides.
pub(super) struct Sides {
    pub cache: Cache,
    /// The standby's branches, tags and, where asked for, notes.
    pub standby: Tips,
    /// The source's.
    pub source: Tips,
    /// The source's default branch.
    pub default_branch: Option<RefName>,
    /// What was pushed to the standby, by its fence.
    pub pushed: Tips,
    /// What to know about both.
    pub notices: Vec<Notice>,
}

/// A commit, for a person.
pub(super) struct Shown {
    pub oid: Oid,
    pub subject: String,
}

/// Lists both sides and fetches what is new.
pub(super) async fn look(old: &MirrorContext, new: &MirrorContext) -> Result<Sides> {
    let cache = cache(&old.source)?;
    let (standby, source) = tokio::try_join!(list(old, &cache, "old"), list(new, &cache, "new"))?;
    let mut notices = Vec::new();
    for (site, listing) in [(old, &standby), (new, &source)] {
        if !listing.unusable.is_empty() {
            notices.push(Notice {
                message: format!(
                    "{} has refs with names that git does not accept; they do not travel: {}",
                    site.mirror.target.display(),
                    listing.unusable.join(", ")
                ),
                hint: "Rename them there.".to_owned(),
            });
        }
    }
    let pushed = match standby.refs.get(&RefName::fence()) {
        // A fence that cannot be read only costs knowledge about what was deleted on purpose.
        Some(oid) => fence_read::read_commit(&cache, oid).map(|document| document.refs).unwrap_or_default(),
        None => Tips::new(),
    };
    let without_fence = |mut refs: Tips| {
        refs.remove(&RefName::fence());
        refs
    };
    let default_branch = source.head.filter(|name| source.refs.contains_key(name));
    let (standby, source) = (without_fence(standby.refs), without_fence(source.refs));
    Ok(Sides { cache, standby, source, default_branch, pushed, notices })
}

/// Lists one side; everything that it lists is in the cache then.
async fn list(site: &MirrorContext, cache: &Cache, side: &str) -> Result<Listing> {
    let remote = mirror_remote(site, "git.handback")?;
    let shown = site.mirror.target.display();
    let fence = RefName::fence();
    let mut prefixes = travelling_prefixes(site.repository());
    prefixes.push(fence.as_str());
    for _ in 0..TRIES {
        let listing =
            remote.list(&prefixes).await.map_err(|error| error.during(format!("Reading the refs of {shown}")))?;
        let here: BTreeSet<Oid> = cache.refs("refs/")?.into_values().collect();
        let new: BTreeMap<&Oid, &RefName> =
            listing.refs.iter().filter(|(_, oid)| !here.contains(oid)).map(|(name, oid)| (oid, name)).collect();
        if new.is_empty() {
            return Ok(listing);
        }
        let mut refspecs = Vec::with_capacity(new.len());
        for (oid, name) in &new {
            refspecs.push(format!("+{name}:{}", kept_at(side, oid)?));
        }
        // A ref that is gone meanwhile makes git fail as a whole; the next listing shows it.
        let fetched = remote.fetch(cache, &refspecs).await;
        let mut came = true;
        for oid in new.keys() {
            let kept_at = kept_at(side, oid)?;
            match cache.ref_tip(&kept_at)? {
                Some(there) if there == **oid => {}
                Some(_) => {
                    cache.delete_ref(&kept_at)?;
                    came = false;
                }
                None => came = false,
            }
        }
        if came {
            return Ok(listing);
        }
        if let Err(error) = fetched
            && remote.list(&prefixes).await?.refs == listing.refs
        {
            return Err(error.during(format!("Fetching what is new of {shown}")));
        }
    }
    Err(Error::passing(
        Code::Raced,
        format!("{shown} moved each time while it was read"),
        "Somebody pushes to it; go on when it is quiet.",
    ))
}

fn kept_at(side: &str, oid: &Oid) -> Result<RefName> {
    format!("{FOLDER}{side}/{oid}").parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))
}

impl Sides {
    /// Keeps these objects in the cache until [`Sides::unpin`].
    pub fn pin<'a>(&self, oids: impl Iterator<Item = &'a Oid>) -> Result<()> {
        let kept: BTreeSet<Oid> = self.cache.refs(FOLDER)?.into_values().collect();
        for oid in oids.collect::<BTreeSet<_>>() {
            if !kept.contains(oid) {
                self.cache.set_ref(&kept_at("old", oid)?, oid)?;
            }
        }
        Ok(())
    }

    /// Lets go of what was kept.
    pub fn unpin(&self) -> Result<()> {
        for name in self.cache.refs(FOLDER)?.keys() {
            self.cache.delete_ref(name)?;
        }
        Ok(())
    }

    /// Whether the history of `tip` holds the commit `other`, or is it.
    pub fn holds(&self, tip: &Oid, other: &Oid) -> Result<bool> {
        self.cache.is_ancestor(other, tip)
    }

    /// Commits that `tips` lead to and none of `among`, newest first. Objects that are no commits count as missing by
    /// themselves, where none of `among` is the same.
    pub fn missing<'a>(
        &self,
        tips: impl IntoIterator<Item = &'a Oid>,
        among: impl IntoIterator<Item = &'a Oid>,
    ) -> Result<Vec<Oid>> {
        let among: BTreeSet<&Oid> = among.into_iter().collect();
        let tips: Vec<&Oid> = tips.into_iter().filter(|tip| !among.contains(tip)).collect();
        if tips.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        let repository = self.cache.repository()?;
        let mut walk = repository.revwalk().map_err(git_failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(git_failed)?;
        let id = |oid: &Oid| git2::Oid::from_str(oid.as_str()).map_err(git_failed);
        for tip in tips {
            match self.cache.commit_of(tip)? {
                Some(commit) => walk.push(id(&commit)?).map_err(git_failed)?,
                None => missing.push(tip.clone()),
            }
        }
        for tip in among {
            if let Some(commit) = self.cache.commit_of(tip)? {
                walk.hide(id(&commit)?).map_err(git_failed)?;
            }
        }
        for oid in walk {
            let oid = oid.map_err(git_failed)?.to_string();
            missing.push(oid.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))?);
        }
        Ok(missing)
    }

    /// The subjects of commits.
    pub fn shown(&self, commits: &[Oid]) -> Result<Vec<Shown>> {
        let repository = self.cache.repository()?;
        let mut shown = Vec::with_capacity(commits.len());
        for oid in commits {
            let id = git2::Oid::from_str(oid.as_str()).map_err(git_failed)?;
            let Ok(commit) = repository.find_commit(id) else { continue };
            let message = String::from_utf8_lossy(commit.message_bytes());
            let subject = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
            shown.push(Shown { oid: oid.clone(), subject });
        }
        Ok(shown)
    }
}
