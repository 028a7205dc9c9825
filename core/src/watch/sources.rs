//! What asks for a sync from outside: folders and git hooks, webhooks, looks at sources on their hosts.

use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::engine::Engine;
use crate::triggers::listen::Listener;
use crate::triggers::watch::{Pace, Seen, SourceWatch};

/// All that is watched.
pub(super) struct Sources {
    folders: SourceWatch,
    ear: Option<Ear>,
    listen: Option<SocketAddr>,
}

/// An open ear for webhooks.
struct Ear {
    task: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Sources {
    /// Begins to watch what the configuration names.
    ///
    /// # Errors
    /// [`crate::Code::GitMissing`]; what keeps webhooks from being listened for.
    pub async fn begin(engine: &Engine, listen: Option<SocketAddr>) -> Result<Self> {
        let ear = match listen {
            Some(address) => Some(Ear::open(engine, address).await?),
            None => None,
        };
        for notice in engine.sweep_drops()? {
            tracing::warn!("{} {}", notice.message, notice.hint);
        }
        Ok(Self { folders: engine.watch_sources(Pace::default()).await?, ear, listen })
    }

    /// Begins anew, with another configuration. Where webhooks cannot be listened for any more, that is said, and all else goes on.
    ///
    /// # Errors
    /// As [`Sources::begin`], but for webhooks.
    pub async fn anew(&mut self, engine: &Engine) -> Result<()> {
        let folders = engine.watch_sources(Pace::default()).await?;
        std::mem::replace(&mut self.folders, folders).stop().await;
        if let Some(address) = self.listen {
            if let Some(ear) = self.ear.take() {
                ear.close().await;
            }
            match Ear::open(engine, address).await {
                Ok(ear) => self.ear = Some(ear),
                Err(error) => tracing::warn!(error = %error.message, "webhooks are not listened for"),
            }
        }
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
        if let Some(ear) = self.ear {
            ear.close().await;
        }
    }
}

impl Ear {
    async fn open(engine: &Engine, address: SocketAddr) -> Result<Self> {
        let (listener, webhooks) = (Listener::bind(address).await?, engine.webhooks().await?);
        let cancel = CancellationToken::new();
        let task = tokio::spawn(listener.run(webhooks.into(), engine.keeper(), cancel.clone()));
        Ok(Self { task, cancel })
    }

    async fn close(self) {
        self.cancel.cancel();
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}
