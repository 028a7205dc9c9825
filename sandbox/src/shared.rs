//! What every connection of one sandbox shares.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Faults;
use crate::limits::Limits;
use crate::options::Options;
use crate::traffic::Traffic;
use crate::world::World;

pub(crate) struct Shared {
    pub options: Options,
    /// `http://127.0.0.1:PORT`.
    pub root_url: String,
    /// Bare repositories, `<id>.git`.
    pub repositories_dir: PathBuf,
    /// One folder per push under way, with its hooks.
    pub pushes_dir: PathBuf,
    pub traffic: Traffic,
    pub faults: Faults,
    pub limits: Limits,
    world: Mutex<World>,
    latency: Mutex<Duration>,
    pub down: watch::Sender<bool>,
    /// Cancelled when the sandbox ends.
    pub shutdown: CancellationToken,
    /// Every task that may have a child process.
    pub tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        root_url: String,
        repositories_dir: PathBuf,
        pushes_dir: PathBuf,
    ) -> Self {
        Self {
            latency: Mutex::new(options.latency),
            options,
            root_url,
            repositories_dir,
            pushes_dir,
            traffic: Traffic::default(),
            faults: Faults::default(),
            limits: Limits::default(),
            world: Mutex::default(),
            down: watch::Sender::new(false),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The world, locked. Never hold it across an await or while git works.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn latency(&self) -> Duration {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// Base of git URLs.
    pub(crate) fn server_url(&self) -> String {
        format!("{}/git", self.root_url)
    }
}
