//! Folders are watched, and what really changed in them sets off a sync: the bytes of a `.env`, where branches and tags stand.
//!
//! An event only says where to look: editors save by several steps, git writes a ref by a lock, and reading is an event as well. So it
//! is waited until nothing came for a moment, and then what is there is compared with what was there before. Where the
//! system has no watches left, and on file systems that do not tell what others change, it is looked from time to time
//! instead, and said once. Folders that go and come back, or are put in the place of others, are found by their identity.
//!
//! One task and one watcher serve all; both are gone when [`SourceWatch::stop`] has returned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use sha2::{Digest as _, Sha256};
use standin_state::config;
use standin_state::model::{RepositoryId, Trigger};
use standin_state::store::NewTrigger;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::places::{self, Places};
use super::touched::Touched;
use crate::event::Notice;
use crate::git::GitProgram;

/// A `.env` that is larger is none; what is read of it.
const ENV_LIMIT: u64 = 16 * 1024 * 1024;
/// What was seen and is not yet taken; whoever does not take it only sees later what came meanwhile.
const WAITING: usize = 64;

/// What is to be watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// The `.env` of a repository.
    EnvFile {
        /// The repository.
        repository: RepositoryId,
        /// The file, which need not be there.
        path: PathBuf,
    },
    /// Where the branches and tags of a repository stand.
    Refs {
        /// The repository.
        repository: RepositoryId,
        /// The repository, as the user names it; it need not be there.
        named: PathBuf,
    },
    /// Where git hooks leave what they saw.
    Drops {
        /// The folder.
        folder: PathBuf,
    },
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A sync is asked for.
    Trigger(NewTrigger),
    /// A git hook left something, which is to be swept into the queue.
    Drops,
    /// Something that a person should know.
    Notice(Notice),
}

/// How patiently it is watched.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// For so long nothing must have come before it is looked.
    pub quiet: Duration,
    /// After so long it is looked all the same.
    pub most: Duration,
    /// How often it is looked where no events come.
    pub look: Duration,
    /// How often it is seen to that the folders watched are still those.
    pub upkeep: Duration,
    /// Whether the system is asked for events at all.
    pub events: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(300),
            most: Duration::from_secs(2),
            look: Duration::from_secs(30),
            upkeep: Duration::from_secs(5),
            events: true,
        }
    }
}

/// A watch that goes on until it is stopped or dropped.
pub struct SourceWatch {
    seen: mpsc::Receiver<Seen>,
    cancel: CancellationToken,
    task: JoinHandle<Known>,
    has_ended: bool,
}

/// What was there at the last look of a watch that has ended, for the one that goes on.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<Watched, Content>);

impl SourceWatch {
    /// Begins to watch. What is there is compared with what the watch before knew, by the first look of what it did not know. Must
    /// be called inside a tokio runtime.
    pub fn begin(git: GitProgram, watched: impl IntoIterator<Item = Watched>, pace: Pace, known: &Known) -> Self {
        let (sender, seen) = mpsc::channel(WAITING);
        let cancel = CancellationToken::new();
        let watched: BTreeSet<Watched> = watched.into_iter().collect();
        let targets: Vec<Target> = watched.into_iter().map(|watched| Target::new(watched, known)).collect();
        let touched = Arc::new(Touched::new(targets.len()));
        let work =
            Work { git, pace, targets, touched, watcher: None, told: BTreeSet::new(), sender, cancel: cancel.clone() };
        Self { seen, cancel, task: tokio::spawn(work.run()), has_ended: false }
    }

    /// The next thing that is seen. `None` when the watch has ended, which it does only by a fault of its own.
    pub async fn next(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }

    /// Ends it: when this returns, nothing is watched any more.
    pub async fn stop(mut self) {
        self.end().await;
    }

    /// Ends it, and gives what it saw and nobody took, and what it knew. Called again it gives nothing.
    pub async fn end(&mut self) -> (Vec<Seen>, Known) {
        if self.has_ended {
            return (Vec::new(), Known::default());
        }
        self.has_ended = true;
        self.cancel.cancel();
        // A task that panicked has ended as well, and knew nothing.
        let known = (&mut self.task).await.unwrap_or_default();
        let seen = std::iter::from_fn(|| self.seen.try_recv().ok()).collect();
        (seen, known)
    }
}

impl Drop for SourceWatch {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// One thing that is watched, and what is known of it.
struct Target {
    watched: Watched,
    places: Places,
    /// What was there at the last look; `None` before the first one.
    known: Option<Content>,
    /// Whether it has to be looked from time to time.
    silent: bool,
    /// How many looks one after the other could not tell what is there.
    failed: u32,
}

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Hash([u8; 32]),
}

/// It could not be told what is there.
struct Untold;

impl Target {
    /// Whether it is looked at without an event as well.
    fn is_looked_at(&self) -> bool {
        self.silent || self.failed > 0
    }

    fn new(watched: Watched, known: &Known) -> Self {
        let known = known.0.get(&watched).copied();
        Self { watched, places: Places::new(), known, silent: false, failed: 0 }
    }
}

impl Watched {
    fn places(&self) -> Places {
        match self {
            Self::EnvFile { path, .. } => places::of_file(path),
            Self::Refs { named, .. } => places::of_refs(named, config::common_git_folder(named).as_deref()),
            Self::Drops { folder } => places::of_folder(folder),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::EnvFile { path, .. } => path,
            Self::Refs { named, .. } => named,
            Self::Drops { folder } => folder,
        }
    }

    /// Whether it is worth a word that this is there now. What hooks left before anybody watched is; a folder that was swept
    /// is not.
    fn is_news(&self, known: Option<Content>, found: Content) -> bool {
        match self {
            Self::EnvFile { .. } | Self::Refs { .. } => known.is_some_and(|known| known != found),
            Self::Drops { .. } => found != Content::Nothing && known != Some(found),
        }
    }

    /// What a change of it asks for.
    fn seen(&self) -> Seen {
        match self {
            Self::EnvFile { repository, path } => {
                Seen::Trigger(NewTrigger::of_all(repository.clone(), Trigger::EnvFile, &path.display().to_string()))
            }
            Self::Refs { repository, named, .. } => {
                Seen::Trigger(NewTrigger::of_all(repository.clone(), Trigger::SourceRefs, &named.display().to_string()))
            }
            Self::Drops { .. } => Seen::Drops,
        }
    }
}

struct Work {
    git: GitProgram,
    pace: Pace,
    targets: Vec<Target>,
    touched: Arc<Touched>,
    watcher: Option<RecommendedWatcher>,
    /// What was said already.
    told: BTreeSet<&'static str>,
    sender: mpsc::Sender<Seen>,
    cancel: CancellationToken,
}

impl Work {
    async fn run(mut self) -> Known {
        let cancel = self.cancel.clone();
        // Dropping what it does ends a git under way.
        cancel.run_until_cancelled(self.watch()).await;
        // Its thread and its watches go with the watcher.
        drop(self.watcher.take());
        let known = |target: Target| target.known.map(|known| (target.watched, known));
        Known(self.targets.into_iter().filter_map(known).collect())
    }

    async fn watch(&mut self) {
        if self.pace.events {
            let touched = Arc::clone(&self.touched);
            match notify::recommended_watcher(move |event| touched.hear(event)) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => self.tell_none_left(&error.to_string()).await,
            }
        }
        let all: BTreeSet<usize> = (0..self.targets.len()).collect();
        self.keep_up().await;
        self.look(&all).await;
        let (mut upkeep, mut look) = (Instant::now() + self.pace.upkeep, Instant::now() + self.pace.look);
        loop {
            let due = self.touched.lock().due(&self.pace);
            let next = due.into_iter().chain([upkeep, look]).min().unwrap_or(upkeep);
            tokio::select! {
                () = self.touched.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
            let now = Instant::now();
            let is_lost = !self.touched.lock().lost.is_empty();
            let mut due = self.touched.lock().take_due(&self.pace);
            if now >= upkeep {
                due.extend((0..self.targets.len()).filter(|index| self.targets[*index].failed == 1));
            }
            if now >= upkeep || is_lost || !due.is_empty() {
                due.extend(self.keep_up().await);
                upkeep = Instant::now() + self.pace.upkeep;
            }
            if now >= look {
                due.extend((0..self.targets.len()).filter(|index| self.targets[*index].is_looked_at()));
                look = Instant::now() + self.pace.look;
            }
            self.look(&due).await;
        }
    }

    /// Sees to it that the folders watched are those that are there. Gives the targets of which some were others.
    async fn keep_up(&mut self) -> BTreeSet<usize> {
        let watched: Vec<Watched> = self.targets.iter().map(|target| target.watched.clone()).collect();
        // A folder on a share may take its time.
        let found = tokio::task::spawn_blocking(move || {
            watched
                .iter()
                .map(|watched| {
                    let places = watched.places();
                    let is_silent = places.keys().any(|folder| places::is_silent(folder));
                    (places, is_silent)
                })
                .collect::<Vec<_>>()
        });
        let Ok(found) = found.await else { return BTreeSet::new() };
        let lost = std::mem::take(&mut self.touched.lock().lost);
        let mut changed = BTreeSet::new();
        for (index, (places, is_silent)) in found.into_iter().enumerate() {
            if is_silent && self.pace.events {
                self.targets[index].silent = true;
                let path = self.targets[index].watched.path().to_owned();
                self.tell_silent(&path).await;
            }
            let is_same = places == self.targets[index].places && !places.keys().any(|folder| lost.contains(folder));
            if is_same {
                continue;
            }
            self.move_watches(index, places, &lost).await;
            changed.insert(index);
        }
        if std::mem::take(&mut self.touched.lock().is_full) {
            self.tell_none_left("OS file watch limit reached").await;
        }
        if self.watcher.is_none() {
            self.targets.iter_mut().for_each(|target| target.silent = true);
        }
        changed
    }

    /// Watches other folders for a target than before.
    async fn move_watches(&mut self, index: usize, places: Places, lost: &BTreeSet<PathBuf>) {
        let old = std::mem::replace(&mut self.targets[index].places, places.clone());
        self.touched.lock().places[index] = places.clone();
        let is_wanted = |folder: &Path| self.targets.iter().any(|target| target.places.contains_key(folder));
        let mut failed = None;
        let Some(watcher) = &mut self.watcher else { return };
        for folder in old.keys().filter(|folder| !is_wanted(folder)) {
            // A folder that is gone took its watch with it.
            let _ = watcher.unwatch(folder);
        }
        for (folder, place) in &places {
            let known = old.get(folder);
            let is_watched = known.is_some_and(|known| known.identity == place.identity && known.deep == place.deep);
            if is_watched && !lost.contains(folder) {
                continue;
            }
            let deep = self.targets.iter().any(|target| target.places.get(folder).is_some_and(|place| place.deep));
            let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if known.is_some() {
                let _ = watcher.unwatch(folder);
            }
            match watcher.watch(folder, mode) {
                Ok(()) => {}
                // It is gone again: the next look finds what is there then.
                Err(error) if matches!(error.kind, ErrorKind::PathNotFound | ErrorKind::WatchNotFound) => {
                    self.targets[index].places.remove(folder);
                }
                Err(error) => failed = Some(error.to_string()),
            }
        }
        if let Some(why) = failed {
            self.targets[index].silent = true;
            self.tell_none_left(&why).await;
        }
    }

    /// Compares what is there with what was there.
    async fn look(&mut self, due: &BTreeSet<usize>) {
        // One that hangs holds up the others no longer than its own question may take.
        let found = join_all(due.iter().map(|index| self.content(&self.targets[*index].watched))).await;
        for (index, found) in due.iter().zip(found) {
            let target = &self.targets[*index];
            let (is_asked_for, known, failed) = match found {
                Ok(None) => continue,
                Ok(Some(found)) => (target.watched.is_news(target.known, found), Some(found), 0),
                // It may have changed. The sync finds out, or says what is wrong; once is enough for that.
                Err(Untold) => (target.failed == 1, target.known, target.failed.saturating_add(1)),
            };
            if is_asked_for {
                self.send(target.watched.seen()).await;
            }
            // Only now: where it is stopped before, whoever goes on sees it.
            let target = &mut self.targets[*index];
            (target.known, target.failed) = (known, failed);
        }
    }

    /// What is there now. `None` where nothing can be there: nothing is known to be changed then.
    async fn content(&self, watched: &Watched) -> Result<Option<Content>, Untold> {
        Ok(match watched {
            Watched::EnvFile { path, .. } => {
                let path = path.clone();
                Some(tokio::task::spawn_blocking(move || of_file(&path)).await.ok().flatten().ok_or(Untold)?)
            }
            Watched::Refs { named, .. } => {
                let named = named.clone();
                // Of a linked work tree, in the repository that it belongs to.
                let common =
                    tokio::task::spawn_blocking(move || config::common_git_folder(&named)).await.ok().flatten();
                let Some(common) = common else { return Ok(None) };
                let found = self.git.fingerprint_of_refs(&common, &self.cancel).await;
                Some(Content::Hash(found.map_err(|error| {
                    tracing::debug!(error = %error.message, "refs cannot be read now");
                    Untold
                })?))
            }
            Watched::Drops { folder } => {
                let folder = folder.clone();
                tokio::task::spawn_blocking(move || of_folder(&folder)).await.ok().flatten()
            }
        })
    }

    async fn tell_none_left(&mut self, why: &str) {
        self.targets.iter_mut().for_each(|target| target.silent = true);
        let message = format!(
            "the system gives no more watches for folders ({why}): it is looked every {} seconds instead",
            self.pace.look.as_secs()
        );
        let hint = "Syncs begin a little later. On Linux, raise `fs.inotify.max_user_watches` and \
                    `fs.inotify.max_user_instances` by sysctl, then start Standin anew.";
        self.tell("none left", message, hint).await;
    }

    async fn tell_silent(&mut self, path: &Path) {
        let message = format!(
            "{} is on a file system that does not tell what other machines change there: it is looked every {} seconds as well",
            path.display(),
            self.pace.look.as_secs()
        );
        self.tell("silent", message, "Syncs begin a little later; nothing else is different.").await;
    }

    async fn tell(&mut self, what: &'static str, message: String, hint: &str) {
        if self.told.insert(what) {
            self.send(Seen::Notice(Notice { message, hint: hint.to_owned() })).await;
        }
    }

    async fn send(&self, seen: Seen) {
        // Nobody listens only where it is being stopped.
        let _ = self.sender.send(seen).await;
    }
}

/// The bytes of a file, as a hash; `None` where they cannot be read.
fn of_file(path: &Path) -> Option<Content> {
    // A pipe in its place must not make anybody wait.
    match path.metadata() {
        Ok(data) if !data.is_file() => return Some(Content::Nothing),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Content::Nothing),
        Err(_) => return None,
    }
    let mut hash = Sha256::new();
    let mut file = File::open(path).ok()?.take(ENV_LIMIT);
    let mut part = [0; 16 * 1024];
    loop {
        match file.read(&mut part).ok()? {
            0 => return Some(Content::Hash(hash.finalize().into())),
            read => hash.update(&part[..read]),
        }
    }
}

/// What lies in a folder, and since when.
fn of_folder(folder: &Path) -> Option<Content> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name(), entry.metadata().and_then(|data| data.modified()).ok())).collect();
    if files.is_empty() {
        return Some(Content::Nothing);
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(format!("{files:?}"));
    Some(Content::Hash(hash.finalize().into()))
}
