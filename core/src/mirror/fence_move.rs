//! Writing the fence.

use standin_state::model::{MirrorId, Oid, RefName};
use standin_state::store::{Fact, FenceMemory};

use super::MirrorView;
use super::fence_hidden;
use super::fence_read::kept_at;
use super::host_limits::HostLimit;
use super::places::{cache, mirror_remote};
use super::refusal::explain;
use crate::context::{MirrorContext, SourceContext};
use crate::fence::{Document, FILE, Fence};
use crate::git::{Cache, PushOptions, PushResult, Update};
use crate::{Code, Error, Result};

/// How often a move whose outcome stayed unknown is tried again.
const TRIES: usize = 2;

/// Moves the fence alone, one step on, with what `change` makes of its document: for what must be seen by every
/// machine before it happens. Makes the first fence where there is none. On a mirror whose host refuses the fence
/// only our own memory changes.
///
/// # Errors
/// [`Code::Raced`] when somebody else moved it since it was read; [`Code::RefRefused`] when the host refuses the
/// move; what git and the store report. After an unknown outcome the mirror is read again before anything else.
pub async fn amend(ctx: &MirrorContext, view: &mut MirrorView, change: impl FnOnce(&mut Document)) -> Result<()> {
    let cache = view.cache.clone();
    let mut document = view.next_document(ctx)?;
    change(&mut document);
    let fence = commit(&cache, view.fence.as_ref(), document)?;
    if view.fence_supported {
        let old = view.fence.as_ref().map(|fence| fence.oid.clone());
        push(ctx, &cache, &fence, old.as_ref()).await?;
    }
    remember(ctx, &cache, &fence)?;
    view.fence = Some(fence);
    Ok(())
}

/// Offers the fence to a host that refused it a day ago or longer; `view` follows where it takes it now.
///
/// # Errors
/// [`Code::Raced`] when somebody else made one, [`Code::Cancelled`]; what the cache and the store report. Whatever else
/// keeps it from the host is left to the next sync.
pub(crate) async fn offer_again(ctx: &MirrorContext, view: &mut MirrorView) -> Result<()> {
    let memory = ctx.memory();
    if view.fence_supported
        || HostLimit::NoFence.is_believed(&memory)?
        || HostLimit::HiddenFence.is_believed(&memory)?
    {
        return Ok(());
    }
    let cache = view.cache.clone();
    let fence = commit(&cache, view.fence.as_ref(), view.next_document(ctx)?)?;
    match push(ctx, &cache, &fence, None).await {
        Ok(()) => {}
        Err(error) if error.code == Code::RefRefused => return HostLimit::NoFence.remember(&memory),
        // One that is hidden stands there still, and it is not where the listing says.
        Err(error) if error.code == Code::Raced => {
            return if fence_hidden::is_hidden(ctx, &cache).await? {
                HostLimit::HiddenFence.remember(&memory)
            } else {
                Err(error)
            };
        }
        Err(error) if error.code == Code::Cancelled => return Err(error),
        Err(error) => {
            tracing::info!(error = %error.message, "the fence could not be offered again");
            return Ok(());
        }
    }
    memory.forget(Fact::Fence)?;
    remember(ctx, &cache, &fence)?;
    view.fence = Some(fence);
    view.fence_supported = true;
    Ok(())
}

/// Moves the fence alone from `old` to `fence`.
pub(crate) async fn push(ctx: &MirrorContext, cache: &Cache, fence: &Fence, old: Option<&Oid>) -> Result<()> {
    update(ctx, cache, Update { name: RefName::fence(), old: old.cloned(), new: Some(fence.oid.clone()) }).await
}

/// Takes the fence away from a mirror that is one no more. What is remembered of it stays the caller's business.
///
/// # Errors
/// [`Code::Raced`] when it is not at `old`; [`Code::RefRefused`]; what git reports.
pub(crate) async fn remove(ctx: &MirrorContext, old: &Oid) -> Result<()> {
    let cache = cache(&ctx.source)?;
    update(ctx, &cache, Update { name: RefName::fence(), old: Some(old.clone()), new: None }).await
}

async fn update(ctx: &MirrorContext, cache: &Cache, update: Update) -> Result<()> {
    let remote = mirror_remote(ctx, "git.fence")?;
    let name = RefName::fence();
    let mut tries = 0;
    loop {
        let pushed =
            remote.push(cache, std::slice::from_ref(&update), PushOptions { atomic: false, dry_run: false }).await;
        match pushed {
            Ok(report) => {
                return match report.results.get(&name) {
                    Some(PushResult::Done) => Ok(()),
                    Some(PushResult::Refused { reason }) => Err(explain(&name, reason, &report.messages)),
                    Some(PushResult::Stale | PushResult::NotTried) | None => Err(moved(ctx)),
                };
            }
            // Pushing the same again is safe: a move that came through is found done.
            Err(error) => {
                tries += 1;
                if tries >= TRIES || !error.retryable {
                    return Err(error);
                }
            }
        }
    }
}

fn moved(ctx: &MirrorContext) -> Error {
    Error::passing(
        Code::Raced,
        format!("Somebody else moved the fence of mirror `{}` since it was read", ctx.mirror.id),
        "Another sync of this mirror is going on, perhaps on another machine; sync again when it is through.",
    )
}

/// Writes the commit of a document on top of `parent` into the cache. Nothing points to it yet.
pub(crate) fn commit(cache: &Cache, parent: Option<&Fence>, document: Document) -> Result<Fence> {
    debug_assert!(
        parent.is_none_or(|parent| document.position() > parent.document.position()),
        "(epoch, sequence) only rises"
    );
    let message = format!("Standin fence: epoch {}, sequence {}", document.epoch, document.sequence);
    let parent = match parent {
        // Where the host refuses the fence, the chain is only here, and may have gone with an earlier cache.
        Some(parent) if cache.oid_exists(&parent.oid)? => Some(&parent.oid),
        _ => None,
    };
    let oid = cache.commit_document(parent, FILE, &document.to_bytes()?, &message, document.time_iso)?;
    Ok(Fence { oid, document })
}

/// Remembers the fence that stands on the source, under the id of the place that the source is. The configured source
/// may lose its fence: as master it needs none. A mirror that is master may not: its fence is what says so.
///
/// # Errors
/// [`Code::FenceLost`] for the latter; what the store reports.
pub(crate) fn remember_source(source: &SourceContext, cache: &Cache, fence: Option<&Fence>) -> Result<()> {
    let (store, repository) = (&source.store, &source.repository.id);
    let place = source.repository.master.clone().unwrap_or_else(MirrorId::source);
    let known = store.fence_memory(repository, &place)?;
    let goes_on = match (&known, fence) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(known), Some(fence)) => {
            known.oid == fence.oid
                || (fence.document.position() > (known.epoch, known.sequence)
                    && cache.is_ancestor(&known.oid, &fence.oid)?)
        }
    };
    if !goes_on {
        if source.repository.master.is_some() {
            return Err(Error::new(
                Code::FenceLost,
                format!(
                    "The fence `{}` of the master {} is gone or does not continue what we remember",
                    RefName::fence(),
                    source.repository.source.display()
                ),
                format!(
                    "Nothing was changed. Find out who moved or removed it. Then `standin resolve {place} {} overwrite` puts \
                     back what we remember, one step on.",
                    RefName::fence()
                ),
            ));
        }
        store.forget_fence(repository, &place)?;
    }
    match fence {
        Some(fence) => store.set_fence_memory(repository, &place, &memory_of(fence)?),
        None => Ok(()),
    }
}

/// Remembers a fence as the last one seen, and keeps its commit in the cache. Both are on disk when this returns.
pub(crate) fn remember(ctx: &MirrorContext, cache: &Cache, fence: &Fence) -> Result<()> {
    cache.set_ref(&kept_at(&ctx.mirror.id)?, &fence.oid)?;
    ctx.store().set_fence_memory(&ctx.repository().id, &ctx.mirror.id, &memory_of(fence)?)
}

fn memory_of(fence: &Fence) -> Result<FenceMemory> {
    let document = String::from_utf8(fence.document.to_bytes()?)
        .map_err(|error| Error::new(Code::Internal, format!("a fence is not UTF-8: {error}"), ""))?;
    let Fence { oid, document: Document { epoch, sequence, .. } } = fence;
    Ok(FenceMemory { oid: oid.clone(), epoch: *epoch, sequence: *sequence, document })
}
