//! Triggers left by programs that have no time to open a database: the git hook may cost its user's git 10 ms at most.
//!
//! One tiny file each, in a folder of the state folder that nobody else can enter. That it is there is the message; its name says
//! what it is and for which repository (`hook.<repository>`), so that many of one kind are one, and a flood of them is bounded. A
//! hook that finds it there leaves it: whoever takes it away looks at the repository after that.
//! What stands in it are words for a person, and may be missing. It is made by one system call, is never run, and is moved away
//! before it is read: whoever leaves it anew at that moment is found by the next sweep.
//!
//! What is none of this is put aside (`refused`) and told, once.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::crash_hook;
use crate::error::{Code, Error, Result};
use crate::lock;
use crate::model::RepositoryId;
use crate::private;

/// The room of the triggers in the state folder. No repository's folder has a name that begins so.
const ROOM: &str = ".triggers";
/// How long the words in a file may be, in bytes.
const WORDS_LIMIT: u64 = 4096;
/// What the names of the git hook's files begin with.
const HOOK: &str = "hook.";

/// What a git hook left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The repository that it is for.
    pub repository: RepositoryId,
    /// When it was left.
    pub at: Timestamp,
    /// What the hook said about it; may be empty.
    pub words: String,
}

/// What belongs to triggers in the state folder.
pub fn room(state_dir: &Path) -> PathBuf {
    state_dir.join(ROOM)
}

/// Where they are left, made where it is missing.
///
/// # Errors
/// [`Code::Storage`] when it cannot be made or is not the user's alone.
pub fn folder(state_dir: &Path) -> Result<PathBuf> {
    private::create_folder(&room(state_dir))?;
    let folder = room(state_dir).join("drops");
    private::create_folder(&folder)?;
    Ok(folder)
}

/// The file that the git hook of a repository leaves.
///
/// # Errors
/// As [`folder`].
pub fn of_hook(state_dir: &Path, repository: &RepositoryId) -> Result<PathBuf> {
    Ok(folder(state_dir)?.join(format!("{HOOK}{repository}")))
}

/// Hands over what was left, each once: it is gone when `receive` said that it is kept elsewhere, and stays for the next sweep
/// when not. With it comes what was refused, and why.
///
/// # Errors
/// [`Code::Storage`] when the folder cannot be used; else those of `receive`.
pub fn sweep(state_dir: &Path, mut receive: impl FnMut(&Dropped) -> Result<()>) -> Result<Vec<Error>> {
    let folder = folder(state_dir)?;
    let taken = room(state_dir).join("taken");
    private::create_folder(&taken)?;
    if is_empty(&folder) && is_empty(&taken) {
        return Ok(Vec::new());
    }
    let _alone = lock::exclusive(&room(state_dir), "sweep")?;
    let mut refused = Vec::new();
    for entry in entries(&folder)?.into_iter().filter(|entry| !is_of_a_test(entry)) {
        // One that an earlier sweep could not hand over is joined by this one.
        match fs::rename(&entry, taken.join(entry.file_name().unwrap_or_default())) {
            Ok(()) => crash_hook::point("drops", "taken", "after"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => refused.push(unusable(&entry, &error)),
        }
    }
    for path in entries(&taken)? {
        match read(&path) {
            Ok(dropped) => {
                receive(&dropped)?;
                crash_hook::point("drops", "received", "after");
                fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
            }
            Err(why) => {
                let aside = put_aside(state_dir, &path)?;
                refused.push(told(&path, &why, &aside));
            }
        }
    }
    Ok(refused)
}

/// What a file says, or why it says nothing.
fn read(path: &Path) -> Result<Dropped, String> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("its name is no text")?;
    let repository = name.strip_prefix(HOOK).ok_or("nothing of that name is left by a hook of Standin's")?;
    let repository = repository.parse().map_err(|_| "its name names no repository that could be")?;
    let file = private::open_left(path).map_err(|error| error.to_string())?;
    let data = file.metadata().map_err(|error| error.to_string())?;
    if data.len() > WORDS_LIMIT {
        return Err(format!("it has {} bytes, and a hook leaves {WORDS_LIMIT} at most", data.len()));
    }
    let mut words = Vec::new();
    file.take(WORDS_LIMIT).read_to_end(&mut words).map_err(|error| error.to_string())?;
    let left = data.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
    let now = Timestamp::now();
    let words = String::from_utf8_lossy(&words);
    Ok(Dropped {
        repository,
        at: left.map_or(now, |left| left.min(now)),
        words: words.lines().next().unwrap_or_default().trim().to_owned(),
    })
}

/// Puts what is none of ours where no sweep meets it again: the folder that it is in now.
fn put_aside(state_dir: &Path, path: &Path) -> Result<PathBuf> {
    let refused = room(state_dir).join("refused");
    private::create_folder(&refused)?;
    let place = tempfile::Builder::new().prefix("").tempdir_in(&refused);
    let place = place.map_err(|error| unusable(&refused, &error))?.keep();
    let aside = place.join(path.file_name().unwrap_or_default());
    fs::rename(path, &aside).map_err(|error| unusable(path, &error))?;
    Ok(place)
}

fn told(path: &Path, why: &str, aside: &Path) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy().escape_debug().to_string();
    Error::new(
        Code::Storage,
        format!("`{name}` in the folder of triggers was refused: {why}"),
        format!("It was put aside unread, in {}. Find out what made it, then remove it.", aside.display()),
    )
}

/// Whether the hook left it when it was only tested.
fn is_of_a_test(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(HOOK) && name.ends_with('~'))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| unusable(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("{} could not be used: {error}", path.display()),
        "Check that you may write in the state folder, and that the disk is not full.",
    )
}
