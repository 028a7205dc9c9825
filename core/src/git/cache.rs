//! The repository's own cache: one bare repository for a source and all its mirrors, owned by Standin.
//!
//! The source's refs stand in it under their own names; everything of Standin's own below `refs/standin/`. It is made for
//! being killed: packs and refs are fsynced before they are named, and what a killed git leaves behind (`*.lock`,
//! `tmp_pack_*`) is swept away by the next one to open it.
//!
//! A copy of an upstream that others may clone (`copy`) is such a repository too, made and opened in another way.
//!
//! **Locks**, files beside the cache, since several processes and several mirrors of one run use it at once:
//!
//! - `cache.lock`, shared by everyone who writes. A git that fetches holds it itself, as its standard input, so that it
//!   stays held when Standin dies first. Sweeping, remaking, packing and the removal of old rescues want it alone; they
//!   never wait for it.
//! - `cache-source.lock`, held alone by the one that fetches the source.
//! - `cache-upkeep.lock`, held by the one that packs, so that others need not try.
//!
//! Readers hold nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use standin_state::private;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::packed_refs;
use crate::{Code, Error, Result, crash};

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(25);
/// Where rescues live.
const RESCUES: &str = "refs/standin/rescue/";
/// Settings for libgit2 alone; git itself knows better ones.
pub(super) const LIBGIT2_SETTINGS: &str = "libgit2.config";

/// The cache. Cheap to clone; opens the repository anew at each use, so it can go to any thread.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) path: PathBuf,
    /// The folder of its locks.
    pub(super) locks: PathBuf,
    /// What it is of, where it is a copy that others may read: see `copy`.
    pub(super) owner: Option<Arc<str>>,
}

impl Cache {
    /// Opens the cache at `path`, and makes it where there is none. What killed processes left is swept away.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be made, and when it is damaged and holds rescues: these may be the only copy of
    /// somebody's commits, so it is never replaced by itself then.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let cache = Self { path: path.to_owned(), locks: folder.to_owned(), owner: None };
        private::create_folder(folder)?;
        if path.exists() || path.is_symlink() {
            private::check_folder(path)?;
            private::check_inside(
                path,
                &["objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"],
            )?;
        }
        if let Some(alone) = cache.try_lock("cache")? {
            if cache.looks_whole() {
                cache.sweep();
            } else {
                cache.make_anew()?;
            }
            drop(alone);
        } else if !cache.looks_whole() {
            // Somebody is making it at this moment, or a fetch works on a damaged one: wait for the first.
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while !cache.looks_whole() {
                if std::time::Instant::now() > deadline {
                    return Err(cache.damaged());
                }
                std::thread::sleep(RETRY);
            }
        }
        Ok(cache)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The repository, for reading. Writing goes through the methods of the cache, which take its locks.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be opened.
    pub fn repository(&self) -> Result<git2::Repository> {
        let open = || {
            let repository = git2::Repository::open_bare(&self.path)?;
            // libgit2 has no `core.fsync`; this older setting makes it fsync refs and objects.
            repository.config()?.add_file(&self.path.join(LIBGIT2_SETTINGS), git2::ConfigLevel::App, true)?;
            Ok(repository)
        };
        open().map_err(|error: git2::Error| self.failed("open", &error))
    }

    pub(super) fn looks_whole(&self) -> bool {
        let has_settings = self.path.join(LIBGIT2_SETTINGS).is_file();
        let has_head = std::fs::read(self.path.join("HEAD")).is_ok_and(|head| self.is_head(&head));
        // Opening says nothing of the refs, and having libgit2 read them costs as much as all else together.
        let opens = || git2::Repository::open_bare(&self.path).is_ok() && packed_refs::is_whole(&self.path);
        has_settings && has_head && self.path.join("objects/pack").is_dir() && opens()
    }

    /// Whether `HEAD` may say this. Only that of a copy is ever detached, as its upstream's.
    fn is_head(&self, head: &[u8]) -> bool {
        head.starts_with(b"ref: refs/") || (self.owner.is_some() && head.trim_ascii_end().len() == 40)
    }

    /// Whether something that the refs name is missing or cannot be read.
    pub(super) fn has_damage(&self) -> bool {
        let Ok(repository) = self.repository() else { return true };
        let Ok(references) = repository.references() else { return true };
        let Ok(odb) = repository.odb() else { return true };
        references.into_iter().any(|reference| match reference {
            Ok(reference) => reference.target().is_some_and(|oid| odb.read(oid).is_err()),
            Err(_) => true,
        })
    }

    /// Replaces a damaged cache by an empty one; the next fetch fills it.
    pub(super) async fn remake(&self, cancel: &CancellationToken) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(_alone) = self.try_lock("cache")? {
                return self.make_anew();
            }
            if Instant::now() > deadline || cancel.is_cancelled() {
                return Err(self.damaged());
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Makes an empty cache, in place of whatever is there. Needs `cache.lock` alone.
    fn make_anew(&self) -> Result<()> {
        // Neither what a copy holds nor its folder is ours to throw away.
        if self.owner.is_some() || self.may_hold_rescues() {
            return Err(self.damaged());
        }
        let beside = self.path.with_extension("git.new");
        for path in [&self.path, &beside] {
            match std::fs::remove_dir_all(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.failed("remove", &error)),
                _ => {}
            }
        }
        crash::point("cache.make.before");
        // Nobody works on a branch here: HEAD names one that no source has.
        make_at(&beside, "refs/standin/nothing", &[]).map_err(|error| self.failed("make", &*error))?;
        std::fs::rename(&beside, &self.path).map_err(|error| self.failed("make", &error))?;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder).map_err(|error| self.failed("make", &error))?;
        }
        crash::point("cache.make.after");
        Ok(())
    }

    /// Whether rescues are, or may be, in a cache that cannot be read as a repository any more.
    fn may_hold_rescues(&self) -> bool {
        let has_files = |folder: &Path| {
            let mut folders = vec![folder.to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                        _ => return true,
                    }
                }
            }
            false
        };
        let is_packed = match std::fs::read(self.path.join("packed-refs")) {
            Ok(packed) => packed.windows(RESCUES.len()).any(|window| window == RESCUES.as_bytes()),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        is_packed || has_files(&self.path.join(RESCUES))
    }

    /// Removes what killed processes left behind. Needs `cache.lock` alone: then no writer is alive.
    pub(super) fn sweep(&self) {
        let objects = self.path.join("objects");
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            // Below `refs/` files have the names of branches, of which none ends in `.lock`.
            let among_objects = folder.starts_with(&objects);
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let name = name.to_string_lossy();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && among_objects && (name.starts_with("incoming-") || name.starts_with("tmp_objdir-")) {
                    leave_note(&path, std::fs::remove_dir_all(&path));
                } else if is_folder {
                    folders.push(path);
                } else if name.ends_with(".lock")
                    || (among_objects && (name.starts_with("tmp_") || name.ends_with(".keep")))
                    || (folder == self.path && name == "gc.pid")
                {
                    leave_note(&path, std::fs::remove_file(&path));
                }
            }
        }
    }

    /// Shares the cache among writers, as long as the file lives.
    ///
    /// # Errors
    /// [`Code::Storage`] when it is not to be had, [`Code::Cancelled`].
    pub(crate) async fn hold(&self, cancel: &CancellationToken) -> Result<File> {
        let file = self.lock_file("cache")?;
        self.wait_for(file, File::try_lock_shared, cancel, Duration::from_secs(60)).await
    }

    /// Keeps every writer away as long as the file lives; `None` where one is at work. Writing through the cache's own
    /// methods would wait for itself meanwhile.
    ///
    /// # Errors
    /// [`Code::Storage`] when it is not to be had.
    pub(crate) fn alone(&self) -> Result<Option<File>> {
        self.try_lock("cache")
    }

    /// Shares the cache among writers, for a short write on this thread.
    pub(super) fn hold_now(&self) -> Result<File> {
        let file = self.lock_file("cache")?;
        file.lock_shared().map_err(|error| self.failed("lock", &error))?;
        Ok(file)
    }

    /// Waits until nobody else fetches the source into this cache.
    pub(super) async fn lock_source(&self, cancel: &CancellationToken, limit: Duration) -> Result<File> {
        let file = self.lock_file("cache-source")?;
        self.wait_for(file, File::try_lock, cancel, limit).await
    }

    async fn wait_for(
        &self,
        file: File,
        lock: fn(&File) -> Result<(), std::fs::TryLockError>,
        cancel: &CancellationToken,
        limit: Duration,
    ) -> Result<File> {
        let deadline = Instant::now() + limit;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(error)) => return Err(self.failed("lock", &error)),
                Err(std::fs::TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::passing(
                        Code::Busy,
                        format!(
                            "another process has been fetching into `{}` for {} s",
                            self.path.display(),
                            limit.as_secs()
                        ),
                        "Wait until it has finished, and try again.",
                    ));
                }
                Err(std::fs::TryLockError::WouldBlock) => {}
            }
            tokio::select! {
                () = cancel.cancelled() => {
                    return Err(Error::new(Code::Cancelled, "waiting for the cache: stopped", "Run it again when you like."));
                }
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// A lock of the cache alone, where nobody has it.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<File>> {
        let file = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(self.failed("lock", &error)),
        }
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.locks.join(format!("{name}.lock"));
        private::open(&path).map_err(|error| self.failed("lock", &error))
    }

    pub(super) fn failed(&self, verb: &str, error: &(impl std::fmt::Display + ?Sized)) -> Error {
        Error::new(
            Code::Storage,
            format!("cannot {verb} the {} `{}`: {error}", self.noun(), self.path.display()),
            match self.owner {
                None => "Check the disk and the rights of Standin's data folder.",
                Some(_) => "Check the disk and the rights of that folder.",
            },
        )
    }

    /// What it is, for people.
    pub(crate) fn noun(&self) -> &'static str {
        if self.owner.is_some() { "copy" } else { "cache" }
    }

    pub(super) fn damaged(&self) -> Error {
        Error::new(
            Code::Storage,
            format!(
                "the {} `{}` is damaged, and may hold rescued commits that are nowhere else",
                self.noun(),
                self.path.display()
            ),
            "Copy the folder to a safe place, try `git fsck` in it, and move it away; the next sync makes a new one.",
        )
    }
}

/// Makes an empty repository with settings of ours, whose `HEAD` names `head`.
pub(super) fn make_at(path: &Path, head: &str, settings: &[(&str, &str)]) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir(path)?;
    only_for_owner(path)?;
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head(head);
    let repository = git2::Repository::init_opts(path, &options)?;
    let mut config = repository.config()?;
    let own = [
        ("core.fsync", "all"),
        ("core.fsyncMethod", "fsync"),
        ("core.logAllRefUpdates", "false"),
        ("core.hooksPath", "/dev/null"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
    ];
    for (key, value) in own.iter().chain(settings) {
        config.set_str(key, value)?;
    }
    std::fs::write(path.join(LIBGIT2_SETTINGS), "[core]\n\tfsyncObjectFiles = true\n")?;
    for file in ["config", "HEAD", LIBGIT2_SETTINGS] {
        File::open(path.join(file))?.sync_all()?;
    }
    sync_folder(path)?;
    Ok(())
}

fn leave_note(path: &Path, removed: std::io::Result<()>) {
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed what a killed process left in the cache"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove a leftover in the cache"),
    }
}

#[cfg(unix)]
fn only_for_owner(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// The data folder of a Windows user is the user's own already.
#[cfg(not(unix))]
fn only_for_owner(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows has no fsync for folders; its file system journals names.
#[cfg(not(unix))]
pub(super) fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
