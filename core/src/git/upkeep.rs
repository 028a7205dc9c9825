//! Packing the cache, so that it stays small and quick. Every ref keeps its objects, rescues as well.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::child::Input;
use super::{Cache, GitProgram};
use crate::{Result, crash};

/// From how many refs in files of their own on they are packed into one.
const LOOSE_REFS: usize = 256;
/// How long packing may take without a word.
const SILENT_LIMIT: Duration = Duration::from_secs(30 * 60);
/// When git itself thinks that packing is worth while; objects that nothing names stay two weeks, so that none
/// of a push or rescue under way is lost.
const PACKING: &[&str] = &[
    "-c",
    "gc.auto=2000",
    "-c",
    "gc.autoPackLimit=40",
    "-c",
    "gc.autoDetach=false",
    "-c",
    "gc.writeCommitGraph=true",
    "-c",
    "gc.cruftPacks=false",
    "gc",
    "--auto",
    "--quiet",
    "--prune=2.weeks.ago",
];

impl Cache {
    /// Packs refs and objects where that is worth while; to be called after a run. Does nothing when somebody else is
    /// at it, or writes to the cache: an old object that nothing names is removed, also if a rescue is about to name it.
    ///
    /// # Errors
    /// [`crate::Code::GitFailed`] or [`crate::Code::Cancelled`]; the cache is whole in any case.
    pub async fn maintain(&self, git: &GitProgram, cancel: &CancellationToken) -> Result<()> {
        let Some(_alone) = self.try_lock("cache-upkeep")? else { return Ok(()) };
        crash::point("cache.maintain.before");
        if self.loose_refs() >= LOOSE_REFS {
            let pack_refs = ["pack-refs", "--all", "--prune"];
            self.run_alone(git, "packing the cache's refs", &pack_refs, cancel).await?;
        }
        self.run_alone(git, "packing the cache", PACKING, cancel).await?;
        crash::point("cache.maintain.after");
        Ok(())
    }

    /// Runs git where no writer is at work, and keeps them away until it ends. Git itself holds the lock, and it alone: so
    /// it is held when Standin dies first, and let go even while this program's threads wait for it.
    async fn run_alone(
        &self,
        git: &GitProgram,
        what: &str,
        arguments: &[&str],
        cancel: &CancellationToken,
    ) -> Result<()> {
        let Some(alone) = self.alone()? else { return Ok(()) };
        git.run_local(what, self.path(), arguments, Input::Held(alone), SILENT_LIMIT, cancel).await?;
        Ok(())
    }

    /// How many refs stand in files of their own, counted up to the limit.
    fn loose_refs(&self) -> usize {
        let mut folders = vec![self.path().join("refs")];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => count += 1,
                }
                if count >= LOOSE_REFS {
                    return count;
                }
            }
        }
        count
    }
}
