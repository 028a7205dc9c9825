//! One operating-system lock per mirror, so that two runs never work on one mirror at once.
//!
//! The lock is on the file `<folder>/locks/<mirror>.lock`, where `folder` is the repository's folder under the state
//! folder. The system frees it when the process ends, however it ends; a file that merely lies there means nothing.
//! Inside stands who holds it, for people. The file is never removed: a lock on a removed file would exclude nobody.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Code, Error};
use crate::model::MirrorId;
use crate::private;

/// How often, and with which pause, a lock is asked for before it counts as held: [`is_held`] takes it for an instant.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(4);

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct MirrorLock {
    file: File,
    path: PathBuf,
}

/// Why a lock was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody has it, in this process or another.
    Held {
        /// Who, as they wrote it; see [`holder`].
        holder: String,
    },
    /// The lock file could not be used.
    Failed(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Held { holder } => Self::passing(
                Code::Busy,
                format!("another run holds this mirror: {holder}"),
                "Wait until it has finished, or stop it there.",
            ),
            Refusal::Failed(error) => error,
        }
    }
}

/// The text that a holder leaves for others: `ann@laptop pid 4711, since 2026-02-07T18:01:07Z`.
pub fn holder(who: &str, since: Timestamp) -> String {
    format!("{who} pid {}, since {since:.0}", std::process::id())
}

/// Whether this process left that text.
pub fn is_own(holder: &str) -> bool {
    holder.contains(&format!(" pid {}, since ", std::process::id()))
}

impl MirrorLock {
    /// Takes the lock of a mirror without waiting. `holder` is what others are told meanwhile.
    ///
    /// # Errors
    /// [`Refusal::Held`] while somebody has it (this process too), [`Refusal::Failed`] when the file cannot be used.
    pub fn try_acquire(folder: &Path, mirror: &MirrorId, holder: &str) -> Result<Self, Refusal> {
        let path = path(folder, mirror);
        private::create_folder(&folder.join("locks")).map_err(Refusal::Failed)?;
        let failed = |error: io::Error| Refusal::Failed(unusable(&path, &error));
        let mut file = private::open(&path).map_err(failed)?;
        for attempt in 1..=TRIES {
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)
                        .and_then(|()| file.seek(SeekFrom::Start(0)).map(drop))
                        .and_then(|()| file.write_all(holder.as_bytes()))
                        .map_err(failed)?;
                    return Ok(Self { file, path });
                }
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(Refusal::Held { holder: read_holder(&mut file) })
    }

    /// Whether the lock's file is still where others look for it: somebody may have removed the folder.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        is_same(&self.file, &self.path)
    }
}

/// Whether a path leads to this file. What cannot be told now is believed.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), path.metadata()) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        (Err(_), Ok(_)) => true,
    }
}

/// A file that is open cannot be replaced here.
#[cfg(not(unix))]
fn is_same(_file: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for MirrorLock {
    fn drop(&mut self) {
        // Closing the file frees the lock even where these fail; the text is only for people.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Who holds a mirror now, in this process or another; `None` when nobody does.
///
/// # Errors
/// [`Code::Storage`] when the lock file cannot be used.
pub fn is_held(folder: &Path, mirror: &MirrorId) -> Result<Option<String>, Error> {
    let path = path(folder, mirror);
    let mut file = match private::open_to_read(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(&path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock().map_err(|error| unusable(&path, &error))?;
            Ok(None)
        }
        Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// Waits for the lock of a short piece of work on a repository's files, such as writing its status; kept until dropped.
///
/// # Errors
/// [`Code::Storage`] when the lock file cannot be used.
pub fn exclusive(folder: &Path, work: &str) -> Result<impl Drop + use<>, Error> {
    let folder = folder.join("locks");
    private::create_folder(&folder)?;
    let path = folder.join(format!("{work}.work"));
    let file = private::open(&path).map_err(|error| unusable(&path, &error))?;
    file.lock().map_err(|error| unusable(&path, &error))?;
    Ok(Exclusive { file })
}

struct Exclusive {
    file: File,
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // Closing the file frees the lock even where this fails.
        let _ = self.file.unlock();
    }
}

/// A sign that somebody lives who has taken something: a lock on a file of its own, which the system frees when the process
/// ends, however it ends. Unlike the other locks' files this one is removed: its name is used once.
#[derive(Debug)]
pub struct Presence {
    name: String,
    path: PathBuf,
    _file: File,
}

impl Presence {
    /// Begins to be there, under a name that nobody had before; until it is dropped.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be made.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        private::create_folder(folder)?;
        let failed = |error: io::Error| unusable(folder, &error);
        let new = tempfile::Builder::new().prefix("").rand_bytes(24).suffix(".alive").tempfile_in(folder);
        let (file, path) = new.map_err(failed)?.keep().map_err(|error| failed(error.error))?;
        // Its name stands nowhere yet, so that nobody else can have it.
        file.lock().map_err(failed)?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, path, _file: file })
    }

    /// The name, for those who ask [`is_present`].
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // A file that stays says nothing: its lock is free.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether who began to be there under this name still is.
///
/// # Errors
/// [`Code::Storage`] when the file is there and cannot be used.
pub fn is_present(folder: &Path, name: &str) -> Result<bool, Error> {
    let path = folder.join(format!("{name}.alive"));
    let file = match private::open_to_read(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unusable(&path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// How long the sign of somebody who is there no more lies at least: one that is being made is not locked yet.
const SIGN_KEPT: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// Removes the signs of those who were killed a while ago.
pub(crate) fn sweep_presences(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if let Some(name) = name.strip_suffix(".alive")
            && age.is_some_and(|age| age > SIGN_KEPT)
            && matches!(is_present(folder, name), Ok(false))
        {
            forget_presence(folder, name);
        }
    }
}

/// Removes what somebody left who is there no more.
pub(crate) fn forget_presence(folder: &Path, name: &str) {
    // What stays costs nothing but its place.
    let _ = std::fs::remove_file(folder.join(format!("{name}.alive")));
}

fn path(folder: &Path, mirror: &MirrorId) -> PathBuf {
    folder.join("locks").join(format!("{mirror}.lock"))
}

/// Where the system does not let others read a locked file (Windows), or the holder has not written yet, the answer
/// is a general one.
fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another run on this machine".to_owned(),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("the lock {} could not be used: {error}", path.display()),
        "Check that you may write in the state folder, and that it is on a disk that supports file locks.",
    )
}
