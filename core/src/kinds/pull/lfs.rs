//! Large files of an upstream that git LFS keeps outside its repository.

use standin_state::config::PullTarget;
use standin_state::model::Oid;
use standin_state::store::Fact;

use crate::Result;
use crate::code::lfs::{count, shown_bytes};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::git::Cache;
use crate::mirror::upstream_remote;
use crate::plan::{LfsReport, counted};

use super::standing;

/// Brings the large files of all refs, where `new` tips have some or those of an earlier sync are missing. Without git-lfs
/// they stay behind, which is told.
///
/// # Errors
/// As the host of the large files refuses them.
pub(super) async fn bring(ctx: &MirrorContext, pull: &PullTarget, copy: &Cache, new: Vec<Oid>) -> Result<()> {
    let memory = ctx.memory();
    let is_open = memory.get(Fact::LargeFiles)?.is_some();
    if !is_open && (new.is_empty() || !copy.has_large_files(&new)?) {
        return Ok(());
    }
    if !is_open {
        memory.set(Fact::LargeFiles, "open")?;
    }
    let fetched = Box::pin(upstream_remote(ctx, pull)?.fetch_large_files(copy)).await;
    if fetched.map_err(|error| error.during("The branches and tags are in step, but large files are missing"))? {
        return memory.forget(Fact::LargeFiles);
    }
    let tips: Vec<Oid> = standing(copy)?.into_values().collect();
    let Some(behind) = count(copy, &tips, &[])? else { return memory.forget(Fact::LargeFiles) };
    let Notice { message, hint } = notice(&behind);
    ctx.notice(message, hint);
    memory.set(Fact::LargeFiles, &format!("{} {}", behind.objects, behind.bytes))
}

/// That large files stay behind, and the mend.
pub(super) fn notice(behind: &LfsReport) -> Notice {
    Notice {
        message: format!(
            "{} kept by git LFS ({}) {} behind: git-lfs is not installed here",
            counted(usize::try_from(behind.objects).unwrap_or(usize::MAX), "file"),
            shown_bytes(behind.bytes),
            if behind.objects == 1 { "stays" } else { "stay" }
        ),
        hint: "Install git-lfs, and sync again.".to_owned(),
    }
}

/// The large files that stayed behind at the last sync.
///
/// # Errors
/// [`crate::Code::Storage`].
pub(super) fn behind(ctx: &MirrorContext) -> Result<Option<LfsReport>> {
    let fact = ctx.memory().get(Fact::LargeFiles)?;
    let numbers = fact.as_deref().and_then(|fact| fact.split_once(' '));
    Ok(numbers
        .and_then(|(objects, bytes)| Some(LfsReport { objects: objects.parse().ok()?, bytes: bytes.parse().ok()? })))
}
