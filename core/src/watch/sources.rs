//! What asks for a sync from outside: folders and git hooks.

use crate::Result;
use crate::engine::Engine;
use crate::triggers::watch::{Pace, Seen, SourceWatch};

/// All that is watched.
pub(super) struct Sources {
    folders: SourceWatch,
}

impl Sources {
    /// Begins to watch what the configuration names.
    ///
    /// # Errors
    /// [`crate::Code::GitMissing`]; [`crate::Code::Storage`].
    pub async fn begin(engine: &Engine) -> Result<Self> {
        for notice in engine.sweep_drops()? {
            tracing::warn!("{} {}", notice.message, notice.hint);
        }
        Ok(Self { folders: engine.watch_sources(Pace::default()).await? })
    }

    /// Begins anew, with another configuration.
    ///
    /// # Errors
    /// As [`Sources::begin`].
    pub async fn anew(&mut self, engine: &Engine) -> Result<()> {
        let folders = engine.watch_sources(Pace::default()).await?;
        std::mem::replace(&mut self.folders, folders).stop().await;
        Ok(())
    }

    /// The next thing that is seen.
    pub async fn next(&mut self) -> Seen {
        match self.folders.next().await {
            Some(seen) => seen,
            // It ended by a fault of its own: the schedule goes on without it.
            None => std::future::pending().await,
        }
    }

    /// Ends all of it.
    pub async fn stop(self) {
        self.folders.stop().await;
    }
}
