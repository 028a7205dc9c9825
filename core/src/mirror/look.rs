//! What a mirror holds.

use std::collections::{BTreeMap, BTreeSet};

use standin_state::model::{Aspect, MirrorId, Oid, RefName};

use super::places::{cache, listed_prefixes, mirror_remote};
use super::{fence_read, host_limits};
use crate::context::MirrorContext;
use crate::fence::{self, Document, Fence, Summary};
use crate::git::{Cache, Listing, Refs};
use crate::github::RepositoryInfo;
use crate::{Code, Error, Result, mastership};

/// How often the mirror is listed again when its fence moves between listing and reading.
const TRIES: usize = 4;

/// A mirror as it was last seen. Kept up to date by what we push.
#[derive(Clone, Debug)]
pub struct MirrorView {
    /// The repository's cache.
    pub cache: Cache,
    /// Branches, tags and, where asked for, notes.
    pub refs: Refs,
    /// The branch that HEAD names; `None` where it has no commit yet or is detached.
    pub head: Option<RefName>,
    /// The fence; `None` before the first sync.
    pub fence: Option<Fence>,
    /// Names that the mirror has and that git does not accept.
    pub unusable: Vec<String>,
    /// Whether it has refs that do not travel and are none of ours.
    pub has_others: bool,
    /// Whether the mirror's host takes the fence. Where it does not, `fence` is our own memory.
    pub fence_supported: bool,
    /// Whether the mirror's host moves several refs all or none.
    pub atomic: bool,
    /// Whether that is certain. Where it is not, tips stand in the fence as pending until they were seen to have arrived.
    pub(crate) keeps_word: bool,
    /// Why a change of ours that is open there could not be ended after this look, where that was tried.
    pub(crate) still_open: Option<Error>,
    /// What the host says of a repository on GitHub; read before the first push to it only.
    pub(crate) host: Option<RepositoryInfo>,
    /// The lowest epoch that a first fence may have: the highest known of this repository.
    pub(crate) least_epoch: u64,
}

impl MirrorView {
    /// The document that the next move of the fence begins with: the present one, one step on, in our name.
    ///
    /// # Errors
    /// What the store reports.
    pub fn next_document(&self, ctx: &MirrorContext) -> Result<Document> {
        let writer = fence::writer(&ctx.source)?;
        let now = ctx.outside().clock.now();
        let master = fence::master(&ctx.source)?;
        let mut document = match &self.fence {
            Some(fence) => fence.document.next(&writer, now),
            None => Document::before_first(self.least_epoch, &master, &writer, now).next(&writer, now),
        };
        document.follow(&master, self.least_epoch, &ctx.mirror.target.site());
        Ok(document)
    }

    /// The tips that we gave to refs of the mirror.
    pub fn pushed(&self) -> BTreeMap<RefName, BTreeSet<Oid>> {
        self.fence.as_ref().map(|fence| fence.document.pushed()).unwrap_or_default()
    }
}

/// Lists a mirror and reads its fence. Nothing is written there.
///
/// # Errors
/// [`Code::FencedOff`] when another master holds the mirror, [`Code::FenceLost`] when its fence is not the one that we
/// remember; whatever git and the store report.
pub async fn look(ctx: &MirrorContext) -> Result<MirrorView> {
    let cache = cache(&ctx.source)?;
    let remote = mirror_remote(ctx, "git.mirror")?;
    let mut tries = 1;
    let mut host = None;
    let (listing, fence) = loop {
        let listing;
        (listing, host) = tokio::try_join!(list(ctx), described(ctx, host))?;
        match fence_read::read(ctx, &remote, &cache, listing.refs.get(&RefName::fence())).await {
            Err(error) if error.code == Code::Raced && tries < TRIES => tries += 1,
            read => break (listing, read?),
        }
    };
    let view = MirrorView { host, ..view(ctx, cache, listing, fence)? };
    if let Some(fence) = &view.fence {
        // A fence of an older epoch has not heard yet that our source is master; the next push tells it.
        if fence.document.epoch >= view.least_epoch {
            mastership::check_open(ctx, &fence.document)?;
            fence_read::check_master(ctx, fence)?;
        }
    }
    Ok(view)
}

/// What the host says of a mirror that we never pushed to, whose refs do not tell its default branch. What cannot be
/// read now is asked for when it is needed.
async fn described(ctx: &MirrorContext, known: Option<RepositoryInfo>) -> Result<Option<RepositoryInfo>> {
    let (Some(slug), Some(client)) = (ctx.mirror.slug(), &ctx.github) else { return Ok(None) };
    let is_first = || Ok::<_, Error>(ctx.store().fence_memory(&ctx.repository().id, &ctx.mirror.id)?.is_none());
    if known.is_some() || !ctx.mirror.sync.contains(&Aspect::Code) || !is_first()? {
        return Ok(known);
    }
    Ok(client.repository(slug).await.ok())
}

/// Lists a mirror.
pub(crate) async fn list(ctx: &MirrorContext) -> Result<Listing> {
    mirror_remote(ctx, "git.mirror")?
        .list(&listed_prefixes(ctx.repository()))
        .await
        .map_err(|error| error.during(format!("Reading mirror `{}` ({})", ctx.mirror.id, ctx.mirror.target.display())))
}

/// The branches, tags and notes of a repository as they are now, whoever is master.
///
/// # Errors
/// What git reports.
pub(crate) async fn tips(ctx: &MirrorContext) -> Result<Refs> {
    let mut refs = list(ctx).await?.refs;
    refs.remove(&RefName::fence());
    Ok(refs)
}

/// What a listing and a fence say together.
pub(super) fn view(ctx: &MirrorContext, cache: Cache, listing: Listing, fence: Option<Fence>) -> Result<MirrorView> {
    let Listing { mut refs, head, unusable, has_others, .. } = listing;
    let memory = ctx.memory();
    refs.remove(&RefName::fence());
    Ok(MirrorView {
        cache,
        refs,
        head,
        least_epoch: least_epoch(ctx, fence.as_ref())?,
        fence,
        unusable,
        has_others,
        host: None,
        fence_supported: fence_read::is_kept_there(ctx)?,
        atomic: host_limits::is_atomic(&memory)?,
        keeps_word: host_limits::trusts_reports(&memory, &ctx.mirror)?,
        still_open: None,
    })
}

/// The highest epoch in which our source is known to be master, on this mirror or another of the repository.
fn least_epoch(ctx: &MirrorContext, fence: Option<&Fence>) -> Result<u64> {
    let ours = fence::master(&ctx.source)?;
    let mut epoch = fence.map_or(1, |fence| fence.document.epoch);
    let repository = ctx.repository();
    let source = repository.master.clone().unwrap_or_else(MirrorId::source);
    for place in repository.mirrors.iter().map(|mirror| &mirror.id).chain([&source]) {
        if let Some(memory) = ctx.store().fence_memory(&repository.id, place)?
            && memory.epoch > epoch
            && Summary::summary(memory.document.as_bytes()).is_ok_and(|document| document.master == ours)
        {
            epoch = memory.epoch;
        }
    }
    Ok(epoch)
}
