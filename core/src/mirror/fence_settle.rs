//! Settling who holds a mirror by the user's word, where the fence does not say what we remember.

use standin_state::model::{Oid, RefName};
use standin_state::store::Fact;

use super::fence_move::{commit, push, remember};
use super::fence_read::{fetch, memory, read_commit};
use super::places::mirror_remote;
use crate::context::MirrorContext;
use crate::fence::{Document, Fence, master, writer};
use crate::git::Cache;
use crate::{Code, Error, Result};

/// Makes our source the master of the mirror whose listing shows `there` for its fence, whatever stands in it now: a
/// fence that is gone or foreign is put back as we remember it, one step on; where another master holds the mirror, the
/// epoch rises.
///
/// What the other master pushed does not count as ours: where our source does not contain it, it will show as diverged.
///
/// # Errors
/// [`Code::Usage`] when there is nothing to settle, [`Code::Raced`] when the fence moves meanwhile.
pub async fn overwrite(ctx: &MirrorContext, cache: &Cache, there: Option<&Oid>) -> Result<Fence> {
    let remembered = memory(ctx)?;
    // A mirror that is itself master is no prey of the configured source: what was remembered is put back.
    let here = ctx.mirror.target.site();
    let ours = match &remembered {
        Some(fence) if fence.document.master == here => fence.document.master.clone(),
        _ => master(&ctx.source)?,
    };
    let found = match there {
        Some(oid) => {
            fetch(ctx, &mirror_remote(ctx, "git.fence")?, cache, oid).await?;
            read_commit(cache, oid).ok().map(|document| Fence { oid: oid.clone(), document })
        }
        None => None,
    };
    let continues = match (&found, &remembered) {
        (Some(found), Some(remembered)) => {
            found.document.position() >= remembered.document.position()
                && cache.is_ancestor(&remembered.oid, &found.oid)?
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    let is_ours = |fence: &&Fence| fence.document.master == ours;
    let parent = if continues { found.as_ref() } else { remembered.as_ref() };
    if (there.is_none() && remembered.is_none()) || (continues && parent.as_ref().is_some_and(is_ours)) {
        return Err(Error::new(
            Code::Usage,
            format!("The fence of mirror `{}` is in order; there is nothing to decide", ctx.mirror.id),
            format!("`standin sync --mirror {}` goes on with it.", ctx.mirror.id),
        ));
    }

    let (writer, now) = (writer(&ctx.source)?, ctx.outside().clock.now());
    let mut document = match parent {
        Some(parent) => parent.document.next(&writer, now),
        None => Document::before_first(1, &ours, &writer, now).next(&writer, now),
    };
    for known in found.iter().chain(&remembered) {
        document.epoch = document.epoch.max(known.document.epoch);
        document.sequence = document.sequence.max(known.document.sequence.saturating_add(1));
    }
    if document.master != ours {
        document.epoch = document.epoch.saturating_add(1);
    }
    let mine = remembered.as_ref().filter(is_ours);
    document.refs = mine.map(|fence| fence.document.refs.clone()).unwrap_or_default();
    document.pending = mine.map(|fence| fence.document.pending.clone()).unwrap_or_default();
    document.master = ours;

    let fence = commit(cache, parent, document)?;
    push(ctx, cache, &fence, there).await?;
    ctx.memory().forget(Fact::Fence)?;
    remember(ctx, cache, &fence)?;
    debug_assert_ne!(Some(&fence.oid), there, "the fence `{}` moved", RefName::fence());
    Ok(fence)
}
