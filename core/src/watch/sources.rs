//! What asks for a sync from outside: folders and git hooks.

use std::collections::VecDeque;

use crate::Result;
use crate::engine::Engine;
use crate::triggers::watch::{Known, Pace, Seen, SourceWatch};

/// All that is watched.
pub(super) struct Sources {
    folders: SourceWatch,
    /// What the watch before saw and nobody heard yet.
    seen: VecDeque<Seen>,
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
        let folders = engine.watch_sources(Pace::default(), &Known::default()).await?;
        Ok(Self { folders, seen: VecDeque::new() })
    }

    /// Begins anew, with another configuration.
    ///
    /// # Errors
    /// As [`Sources::begin`].
    pub async fn anew(&mut self, engine: &Engine) -> Result<()> {
        // What is watched by both has its past: what changed meanwhile is seen by one of them.
        let (seen, known) = self.folders.end().await;
        self.seen.extend(seen);
        self.folders = engine.watch_sources(Pace::default(), &known).await?;
        Ok(())
    }

    /// The next thing that is seen.
    pub async fn next(&mut self) -> Seen {
        if let Some(seen) = self.seen.pop_front() {
            return seen;
        }
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
