//! What asks for a sync from outside: folders and git hooks, webhooks, looks at sources on their hosts.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::event::Notice;
use crate::triggers::listen::Listener;
use crate::triggers::watch::{Known, Pace, Seen, SourceWatch};
use crate::{Error, Result};

/// All that is watched.
pub(super) struct Sources {
    folders: SourceWatch,
    /// What the watch before saw and nobody heard yet.
    seen: VecDeque<Seen>,
    ear: Option<Ear>,
    listen: Option<SocketAddr>,
    /// Why it could not be listened, so that it is told once.
    deaf: Option<Error>,
}

/// An open ear for webhooks.
struct Ear {
    task: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Sources {
    /// Begins to watch what the configuration names. Webhooks are listened for by [`Sources::listen`] or
    /// [`Sources::listen_again`].
    ///
    /// # Errors
    /// [`crate::Code::GitMissing`]; [`crate::Code::Storage`].
    pub async fn begin(engine: &Engine, listen: Option<SocketAddr>) -> Result<Self> {
        for notice in engine.sweep_drops()? {
            tracing::warn!("{} {}", notice.message, notice.hint);
        }
        let folders = engine.watch_sources(Pace::default(), &Known::default()).await?;
        Ok(Self { folders, seen: VecDeque::new(), ear: None, listen, deaf: None })
    }

    /// Listens for webhooks where that is wished.
    ///
    /// # Errors
    /// What keeps it from being listened.
    pub async fn listen(&mut self, engine: &Engine) -> Result<()> {
        if let Some(address) = self.listen {
            self.ear = Some(Ear::open(engine, address).await?);
        }
        Ok(())
    }

    /// Whether webhooks could be listened for, as far as that can be told while another process does.
    ///
    /// # Errors
    /// As [`Sources::begin`].
    pub async fn check(engine: &Engine, listen: Option<SocketAddr>) -> Result<()> {
        match listen {
            Some(address) => Listener::check(address).and(engine.webhooks().await).map(drop),
            None => Ok(()),
        }
    }

    /// Begins anew, with another configuration. Where webhooks cannot be listened for any more, that is said, and all else goes on.
    ///
    /// # Errors
    /// As [`Sources::begin`], but for webhooks.
    pub async fn anew(&mut self, engine: &Engine) -> Result<()> {
        // What is watched by both has its past: what changed meanwhile is seen by one of them.
        let (seen, known) = self.folders.end().await;
        self.seen.extend(seen);
        self.folders = engine.watch_sources(Pace::default(), &known).await?;
        if let Some(ear) = self.ear.take() {
            ear.close().await;
        }
        self.listen_again(engine).await;
        Ok(())
    }

    /// Listens for webhooks where that is wished and nobody does. Why not, where it cannot be, is given once.
    pub async fn listen_again(&mut self, engine: &Engine) {
        let Some(address) = self.listen.filter(|_| self.ear.is_none()) else { return };
        match Ear::open(engine, address).await {
            Ok(ear) => {
                self.ear = Some(ear);
                self.deaf = None;
            }
            Err(error) => {
                if self.deaf.as_ref() != Some(&error) {
                    let message = format!("webhooks are not listened for: {}", error.message);
                    self.seen.push_back(Seen::Notice(Notice { message, hint: error.advice() }));
                }
                self.deaf = Some(error);
            }
        }
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
