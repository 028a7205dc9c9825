//! The commits between two tips, for a person who decides about them.

use std::collections::BTreeSet;

use standin_state::model::{MirrorId, Oid, RepositoryId};

use super::Engine;
use crate::context::MirrorContext;
use crate::git::{Cache, CommitList};
use crate::mirror::{self, contact, look, mirror_remote, rescues_of};
use crate::source::named;
use crate::{Code, Error, Result};

/// So many commits, and so many files, are named.
const NAMED: usize = 100;

impl Engine {
    /// The commits that `tip` has and `without` has not. A tip that is not on this machine yet is fetched from the mirror that has
    /// it, where one is named; nothing is written elsewhere, and no ref moves.
    ///
    /// # Errors
    /// [`Code::NotFound`] where the tip is nowhere; what stops the look at the mirror.
    pub async fn commits(
        &self,
        repository: Option<&RepositoryId>,
        mirror: Option<&MirrorId>,
        tip: &Oid,
        without: Option<&Oid>,
    ) -> Result<CommitList> {
        let home = self.repository(repository)?;
        let tips: BTreeSet<&Oid> = [tip].into_iter().chain(without).collect();
        let own = self.folder(&home.id).join("cache.git");
        if own.is_dir() {
            let cache = Cache::open(&own)?;
            if cache.lacks(tips.iter().copied())?.is_empty() {
                return listed(cache, tip, without).await;
            }
        }
        let Some(mirror) = mirror.filter(|mirror| !mirror.is_source()) else { return Err(nowhere(tip)) };
        let direction = self.direction(Some(&home.id))?;
        let source = self.source_of_a_look(&direction.config).await?;
        let kept = rescues_of(&source.context, mirror)?;
        if kept.lacks(tips.iter().copied())?.is_empty() {
            return listed(kept, tip, without).await;
        }
        let context = source.context_by_hand(named(&direction.config, mirror)?).await?;
        let cache = mirror::cache(&source.context)?;
        fetch(&context, &cache, &tips).await?;
        listed(cache, tip, without).await
    }
}

/// Brings what is not here, from a mirror whose repository is no stranger's.
async fn fetch(ctx: &MirrorContext, cache: &Cache, tips: &BTreeSet<&Oid>) -> Result<()> {
    let missing = cache.lacks(tips.iter().copied())?;
    let view = look(ctx).await?;
    contact::refuse(ctx, &view).await?;
    let there: BTreeSet<&Oid> = view.refs.values().collect();
    if let Some(gone) = missing.iter().find(|oid| !there.contains(*oid)) {
        return Err(nowhere(gone));
    }
    mirror_remote(ctx, "git.mirror")?.fetch_objects(cache, &missing).await
}

async fn listed(cache: Cache, tip: &Oid, without: Option<&Oid>) -> Result<CommitList> {
    let (tip, without) = (tip.clone(), without.cloned());
    tokio::task::spawn_blocking(move || cache.commits(&tip, without.as_ref(), NAMED))
        .await
        .map_err(|error| Error::new(Code::Internal, format!("listing commits: {error}"), ""))?
}

fn nowhere(tip: &Oid) -> Error {
    Error::new(
        Code::NotFound,
        format!("the commit {} is neither on this machine nor at the mirror any more", tip.short()),
        "Somebody moved the ref meanwhile. Look again: what there is to decide may be something else.",
    )
}
