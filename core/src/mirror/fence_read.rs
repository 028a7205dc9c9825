//! Reading a fence, and checking that it continues what we remember.

use standin_state::model::{MirrorId, Oid, RefName, Site};
use standin_state::store::{Fact, FenceMemory};

use super::fence_hidden::learn_if_hidden;
use super::fence_move::remember;
use super::host_limits;
use crate::context::MirrorContext;
use crate::fence::{Document, FILE, Fence, master};
use crate::git::{Cache, Remote};
use crate::mastership::direction;
use crate::{Code, Error, Result};

/// The fence of a mirror whose listing shows `listed` for it. Its commits are fetched into the cache where they are
/// new, and what was read is remembered.
///
/// A higher epoch is adopted; whether its master is ours is for [`check_master`] to say.
///
/// # Errors
/// [`Code::FenceLost`] when a fence that we remember is gone, does not continue what we remember, or holds no
/// document; [`Code::Raced`] when it moved since it was listed; what fetching and the store report.
pub async fn read(ctx: &MirrorContext, remote: &Remote, cache: &Cache, listed: Option<&Oid>) -> Result<Option<Fence>> {
    let remembered = memory(ctx)?;
    let Some(listed) = listed else {
        let Some(fence) = remembered else { return Ok(None) };
        if !is_kept_there(ctx)? || learn_if_hidden(ctx, cache).await? {
            return Ok(Some(fence));
        }
        return Err(lost(
            ctx,
            format!(
                "The fence `{}` of mirror `{}` is gone; epoch {}, sequence {} by {} was there before",
                RefName::fence(),
                ctx.mirror.id,
                fence.document.epoch,
                fence.document.sequence,
                fence.document.writer
            ),
        ));
    };
    if let Some(fence) = &remembered
        && fence.oid == *listed
        && cache.oid_exists(listed)?
    {
        return Ok(remembered);
    }
    fetch(ctx, remote, cache, listed).await?;
    let fence = Fence { oid: listed.clone(), document: read_document(ctx, cache, listed)? };
    if let Some(remembered) = &remembered
        && remembered.oid != fence.oid
    {
        continues(ctx, cache, remembered, &fence)?;
    }
    if !is_kept_there(ctx)? {
        ctx.memory().forget(Fact::Fence)?;
    }
    remember(ctx, cache, &fence)?;
    Ok(Some(fence))
}

/// Refuses to write to a mirror that another master holds.
///
/// # Errors
/// [`Code::FencedOff`], with who holds it, since when, and what to do.
pub fn check_master(ctx: &MirrorContext, fence: &Fence) -> Result<()> {
    let ours = master(&ctx.source)?;
    let Document { master, epoch, writer, time_iso, .. } = &fence.document;
    if *master == ours {
        return Ok(());
    }
    let mirror = &ctx.mirror.id;
    let follows = follows(ctx, master)
        .then(|| format!("Sync again: this machine knows now who is master, and syncs from `{master}`."));
    if *master == ctx.mirror.target.site() {
        return Err(Error::new(
            Code::FencedOff,
            format!(
                "Mirror `{mirror}` ({master}) is itself the master since epoch {epoch} ({writer}, {time_iso}); nothing is pushed to it"
            ),
            follows.unwrap_or_else(|| {
                format!(
                    "Sync from `{master}` instead: name it as source, and `{ours}` as its mirror if it shall be kept in step."
                )
            }),
        ));
    }
    Err(Error::new(
        Code::FencedOff,
        format!(
            "Mirror `{mirror}` belongs to the master `{master}` (epoch {epoch}, {writer}, {time_iso}), not to `{ours}`"
        ),
        follows.unwrap_or_else(|| {
            format!(
                "Sync it from `{master}`, or use another mirror. If `{master}` is no longer in use or was renamed, \
                 `standin resolve {mirror} {} overwrite` makes `{ours}` its master from epoch {} on.",
                RefName::fence(),
                epoch + 1
            )
        }),
    ))
}

/// Whether this master is the configured source or one of its mirrors, so that the next sync goes the right way by itself.
fn follows(ctx: &MirrorContext, master: &Site) -> bool {
    let home = ctx.repository().home.as_deref().unwrap_or(ctx.repository());
    *master == home.source.site() || direction::master_mirror(home, master).is_some()
}

/// The fence that we remember of a mirror.
pub(super) fn memory(ctx: &MirrorContext) -> Result<Option<Fence>> {
    let Some(FenceMemory { oid, document, .. }) = ctx.store().fence_memory(&ctx.repository().id, &ctx.mirror.id)?
    else {
        return Ok(None);
    };
    let document = Document::parse(document.as_bytes())
        .map_err(|error| error.during(format!("The fence remembered of mirror `{}`", ctx.mirror.id)))?;
    Ok(Some(Fence { oid, document }))
}

/// Reads the document of a fence commit that is in the cache.
///
/// # Errors
/// [`Code::FenceLost`] when it is no commit, has no document, or one that cannot be read (without a hint).
pub(crate) fn read_commit(cache: &Cache, oid: &Oid) -> Result<Document> {
    match cache.read_document(oid, FILE) {
        Ok(Some(bytes)) => Document::parse(&bytes),
        Ok(None) => Err(Error::new(Code::FenceLost, format!("its commit {} has no `{FILE}`", oid.short()), "")),
        Err(error) => {
            Err(Error::new(Code::FenceLost, format!("{} is not a fence commit ({})", oid.short(), error.message), ""))
        }
    }
}

/// Whether the mirror takes the fence and shows it; `false` only after its host refused or hid it.
pub(crate) fn is_kept_there(ctx: &MirrorContext) -> Result<bool> {
    host_limits::keeps_fence(&ctx.memory())
}

/// Where the cache keeps the fence of a mirror. A dot, which a ref may not have everywhere, becomes `%`.
pub(super) fn kept_at(mirror: &MirrorId) -> Result<RefName> {
    cache_name(mirror, "fence")
}

fn cache_name(mirror: &MirrorId, what: &str) -> Result<RefName> {
    format!("refs/standin/mirror/{}/{what}", mirror.as_str().replace('.', "%"))
        .parse()
        .map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))
}

/// Fetches a fence beside the one that we remember, which stays until this one is found to continue it.
pub(super) async fn fetch(ctx: &MirrorContext, remote: &Remote, cache: &Cache, listed: &Oid) -> Result<()> {
    let name = RefName::fence();
    let here = cache_name(&ctx.mirror.id, "seen")?;
    remote.fetch(cache, &[format!("+{name}:{here}")]).await?;
    if cache.ref_tip(&here)?.as_ref() == Some(listed) {
        return Ok(());
    }
    Err(Error::passing(
        Code::Raced,
        format!("The fence of mirror `{}` moved while it was read", ctx.mirror.id),
        "Another sync of this mirror is going on; sync again when it is through.",
    ))
}

fn read_document(ctx: &MirrorContext, cache: &Cache, oid: &Oid) -> Result<Document> {
    read_commit(cache, oid).map_err(|error| match error.code {
        Code::FenceLost => lost(ctx, format!("The fence of mirror `{}` is not one: {}", ctx.mirror.id, error.message)),
        _ => error.during(format!("The fence of mirror `{}`", ctx.mirror.id)),
    })
}

fn continues(ctx: &MirrorContext, cache: &Cache, remembered: &Fence, found: &Fence) -> Result<()> {
    let (old, new) = (&remembered.document, &found.document);
    let rises = new.position() > old.position();
    if rises && cache.is_ancestor(&remembered.oid, &found.oid)? {
        return Ok(());
    }
    // A host that lists from copies may show one that is a moment old.
    let retryable = cache.is_ancestor(&found.oid, &remembered.oid)?;
    let error = lost(
        ctx,
        format!(
            "The fence of mirror `{}` does not continue what we remember: epoch {}, sequence {} ({}, by {}) is there, \
             epoch {}, sequence {} ({}, by {}) was",
            ctx.mirror.id,
            new.epoch,
            new.sequence,
            found.oid.short(),
            new.writer,
            old.epoch,
            old.sequence,
            remembered.oid.short(),
            old.writer
        ),
    );
    Err(Error { retryable, ..error })
}

fn lost(ctx: &MirrorContext, message: String) -> Error {
    let (mirror, fence) = (&ctx.mirror.id, RefName::fence());
    Error::new(
        Code::FenceLost,
        message,
        format!(
            "Nothing was changed. Find out who moved or removed it. Then `standin resolve {mirror} {fence} overwrite` \
             puts back what we remember, one step on; `standin resolve {mirror} {fence} take` accepts what is there now."
        ),
    )
}
