//! What every connection of one sandbox shares.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::Actions;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::limits::Limits;
use crate::options::{Options, SandboxError};
use crate::traffic::Traffic;
use crate::world::{Repository, RepositorySpec, World};

pub(crate) struct Shared {
    /// Itself, for tasks that outlive a request.
    me: Weak<Shared>,
    pub options: Options,
    /// `http://127.0.0.1:PORT`.
    pub root_url: String,
    /// Bare repositories, `<id>.git`.
    pub repositories_dir: PathBuf,
    /// The program `git-http-backend`.
    pub http_backend: PathBuf,
    /// One folder per push under way, with its hooks.
    pub pushes_dir: PathBuf,
    pub clock: Arc<Clock>,
    pub actions: Actions,
    pub traffic: Traffic,
    pub faults: Faults,
    pub limits: Limits,
    world: Mutex<World>,
    latency: Mutex<Duration>,
    announces_sunset: AtomicBool,
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
        http_backend: PathBuf,
        actions: Actions,
    ) -> Arc<Self> {
        let clock = Arc::new(Clock::default());
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            actions,
            latency: Mutex::new(options.latency),
            announces_sunset: AtomicBool::new(false),
            options,
            root_url,
            repositories_dir,
            pushes_dir,
            http_backend,
            traffic: Traffic::default(),
            faults: Faults::default(),
            limits: Limits::default(),
            world: Mutex::new(World::new(Arc::clone(&clock))),
            clock,
            down: watch::Sender::new(false),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// The world, locked. Never hold it across an await or while git works.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Itself, unless it is just going.
    pub(crate) fn handle(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// The world's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn latency(&self) -> Duration {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// Whether answers tell when their version of the API ends.
    pub(crate) fn announces_sunset(&self) -> bool {
        self.announces_sunset.load(Ordering::Relaxed)
    }

    pub(crate) fn announce_sunset(&self, announced: bool) {
        self.announces_sunset.store(announced, Ordering::Relaxed);
    }

    /// Base of git URLs.
    pub(crate) fn server_url(&self) -> String {
        format!("{}/git", self.root_url)
    }
}

impl Shared {
    /// Makes an empty repository on disk and in the world. Blocks on the disk.
    ///
    /// # Errors
    /// When the owner is unknown, the name is taken or not allowed, or the disk refuses.
    pub(crate) fn create_repository(&self, owner: &str, name: &str, spec: RepositorySpec) -> Result<u64, SandboxError> {
        let slug = format!("{owner}/{name}");
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 100 || !name.bytes().all(allowed) || name.ends_with(".git") {
            return Err(SandboxError::InvalidName(name.to_owned()));
        }
        let (id, owner) = {
            let mut world = self.world();
            let owner = world.account(owner).ok_or_else(|| SandboxError::NoAccount(owner.to_owned()))?.login.clone();
            (world.next_id(), owner)
        };
        let path = self.repositories_dir.join(format!("{id}.git"));
        crate::git::create_bare(&path, &spec.default_branch)
            .map_err(|source| SandboxError::Repository { repository: slug.clone(), source })?;
        let mut world = self.world();
        if world.repository_named(&owner, name).is_some() {
            drop(world);
            remove_folder(&path);
            return Err(SandboxError::RepositoryExists(slug));
        }
        let now = world.now();
        let mut repository = Repository::new(id, &owner, name, path, spec, now);
        repository.execute = self.options.execute.clone();
        world.insert_repository(repository);
        Ok(id)
    }

    /// Forgets a repository and removes its folder. Blocks on the disk.
    pub(crate) fn delete_repository(&self, id: u64) {
        let removed = self.world().remove_repository(id);
        if let Some(repository) = removed {
            remove_folder(&repository.path);
        }
    }
}

fn remove_folder(path: &std::path::Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(%error, path = %path.display(), "cannot remove a repository's folder");
    }
}
