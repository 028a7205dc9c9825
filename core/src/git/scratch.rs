//! A private folder for one call of git, gone when the call ends; and the sweeping of those whose process was killed.
//!
//! Whoever made a folder holds a lock on a file in it as long as it lives: a folder whose lock is free is nobody's. No
//! other folder is ever touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Code, Error, Result};

/// How the names begin.
const PREFIX: &str = "standin-";
/// The file that the owner holds locked.
const OWNER: &str = "owner";
/// The same before it is locked; a folder with this one is never swept.
const OWNER_TO_BE: &str = "owner.new";
/// The longest folder in which a Unix socket can be made: its whole path has about a hundred bytes.
#[cfg(unix)]
const MAX_SOCKET_FOLDER: usize = 70;

/// A folder that only we can enter, removed when dropped.
pub(crate) struct Scratch {
    // Closed first, since Windows removes no folder with open files.
    _owner: File,
    folder: TempDir,
}

impl Scratch {
    /// Makes one where the system keeps temporary files, or where that is too deep for a socket, in `/tmp`.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn make() -> Result<Self> {
        let place = place();
        make_in(&place).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("cannot make a temporary folder in `{}`: {error}", place.display()),
                "Check the folder for temporary files (TMPDIR).",
            )
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    #[cfg(unix)]
    if usual.as_os_str().len() > MAX_SOCKET_FOLDER {
        return PathBuf::from("/tmp");
    }
    usual
}

fn make_in(place: &Path) -> io::Result<Scratch> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    let folder = builder.tempdir_in(place)?;
    let owner = File::create(folder.path().join(OWNER_TO_BE))?;
    owner.lock()?;
    fs::rename(folder.path().join(OWNER_TO_BE), folder.path().join(OWNER))?;
    Ok(Scratch { _owner: owner, folder })
}

/// Removes the folders of processes that were killed. What cannot be removed is left to the next time.
pub(crate) fn sweep() {
    sweep_in(&place());
}

fn sweep_in(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(PREFIX) && is_nobodys(&entry.path()) {
            // The next start tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether its owner, who has to be this user, is gone.
fn is_nobodys(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if !folder.symlink_metadata().is_ok_and(|data| data.uid() == nix::unistd::geteuid().as_raw()) {
            return false;
        }
    }
    File::open(folder.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_ours_whose_owner_is_gone_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let living = make_in(place.path()).unwrap();
        let killed = place.path().join("standin-killed");
        let others = ["standin-without-owner", "other-tool", "standin-not-yet"].map(|name| place.path().join(name));
        for folder in others.iter().chain([&killed]) {
            fs::create_dir(folder).unwrap();
        }
        fs::write(killed.join(OWNER), "").unwrap();
        fs::write(killed.join("gitconfig"), "").unwrap();
        fs::write(others[1].join(OWNER), "").unwrap();
        fs::write(others[2].join(OWNER_TO_BE), "").unwrap();
        sweep_in(place.path());
        assert!(!killed.exists());
        assert!(living.path().exists() && others.iter().all(|folder| folder.exists()));
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
