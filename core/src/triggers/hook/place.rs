//! The hook's place on the disk: whether it may be used, and each change of it. At no moment is a hook that was there out of
//! use, and a crash leaves the old state or the new.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::script::{Read, Script};
use super::{notice, real};
use crate::event::Notice;
use crate::git::{GitProgram, HookPlace};
use crate::{Code, Error, Result};

/// The name of the hook.
const HOOK: &str = "reference-transaction";
/// What the names of the hook that was there before, and of one being written, end with.
const KEPT: &str = ".standin-kept";
const NEW: &str = ".standin-new";
/// So much of a hook is read to see what it does.
const HOOK_LIMIT: u64 = 1024 * 1024;

/// Where the hooks of a repository are.
pub(super) struct Site {
    pub place: HookPlace,
}

/// What is in the place of the hook.
pub(super) enum Standing {
    Absent,
    Ours(Script),
    Changed,
    /// Somebody else's, with its first bytes.
    Foreign(Vec<u8>),
}

/// The file of the hook in a folder.
pub(super) fn file_in(folder: &Path) -> PathBuf {
    folder.join(HOOK)
}

/// Where the hook that was there before lies.
pub(super) fn kept(file: &Path) -> PathBuf {
    file.with_file_name(format!("{HOOK}{KEPT}"))
}

/// What is in the place of the hook.
///
/// # Errors
/// [`Code::Storage`] where it cannot be read, [`Code::Usage`] for what is no file.
pub(super) fn look(file: &Path) -> Result<Standing> {
    let data = match file.symlink_metadata() {
        Ok(data) => data,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Standing::Absent);
        }
        Err(error) => return Err(unusable(file, &error)),
    };
    if data.is_symlink() {
        return Ok(Standing::Foreign(Vec::new()));
    }
    if !data.is_file() {
        return Err(Error::new(
            Code::Usage,
            format!("{} is no file, and no hook", file.display()),
            "Move it away, then try again.",
        ));
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).and_then(|file| file.take(HOOK_LIMIT).read_to_end(&mut bytes));
    opened.map_err(|error| unusable(file, &error))?;
    Ok(match Script::read(&bytes) {
        Read::Ours(script) => Standing::Ours(script),
        Read::Changed => Standing::Changed,
        Read::Foreign => Standing::Foreign(bytes),
    })
}

/// Refuses a hook that may do something else when it is called by another name, as one that keeps it would.
///
/// # Errors
/// [`Code::Usage`] with what to do instead.
pub(super) fn check_can_be_kept(hook: &[u8], file: &Path, drop: &Path) -> Result<()> {
    let text = String::from_utf8_lossy(hook);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_link = file.is_symlink();
    let asks_its_name = has(&["$0", "${0", "argv", "ARGV", "__file__", "BASH_SOURCE", "PROGRAM_NAME"])
        && has(&["basename", "##*/", ".name", "rsplit", "split("]);
    let why = match (is_link, hook.starts_with(b"#!"), asks_its_name) {
        (true, ..) => "is a link to a program that may go by its name",
        (false, false, _) => "is a program that may go by its name",
        (false, true, true) => "goes by its own name",
        (false, true, false) => return Ok(()),
    };
    Err(Error::new(
        Code::Usage,
        format!("there is a hook {} already, which {why}: it cannot be kept under another", file.display()),
        format!(
            "Let that hook leave the file itself, when its first argument is `committed`: in a shell, `: >|{}`. Or rely on the watch of \
             the folder, which needs no hook.",
            shown(drop)
        ),
    ))
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Writes the hook, in one step.
///
/// # Errors
/// [`Code::Storage`].
pub(super) fn put(file: &Path, script: &Script) -> Result<()> {
    let new = file.with_file_name(format!("{HOOK}{NEW}"));
    let write = || {
        // Somebody died who wrote it.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut opened = fs::OpenOptions::new().write(true).create_new(true).open(&new)?;
        opened.write_all(&script.render())?;
        // Whoever may push here runs it.
        #[cfg(unix)]
        opened.set_permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755))?;
        opened.sync_all()?;
        fs::rename(&new, file)
    };
    write().map_err(|error| {
        // What is left of it says nothing to git.
        let _ = fs::remove_file(&new);
        unusable(file, &error)
    })
}

impl Site {
    /// The file of the hook, where git looks for it.
    pub fn file(&self) -> PathBuf {
        file_in(&self.place.folder)
    }

    /// Writes the hook.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn put(&self, script: &Script) -> Result<()> {
        put(&self.file(), script)
    }

    /// Refuses a folder in which no hook should be put; with what should be known about one that is used.
    ///
    /// # Errors
    /// [`Code::Usage`]; [`Code::GitFailed`].
    pub async fn check_folder(&self, git: &GitProgram, in_work_tree: bool) -> Result<Vec<Notice>> {
        let folder = &self.place.folder;
        let said =
            self.place.set_in.as_deref().map_or_else(String::new, |scope| format!(" (`core.hooksPath`, {scope})"));
        let can_be_made = folder.symlink_metadata().is_err() && folder.parent().is_some_and(Path::is_dir);
        if !folder.is_dir() && !can_be_made {
            return Err(Error::new(
                Code::Usage,
                format!("git takes the hooks of this repository from {}{said}, which is no folder", folder.display()),
                "Hooks are switched off by that: make the folder or take the setting away (`git config --show-origin --get-all \
                 core.hooksPath`), or rely on the watch of the folder, which needs no hook.",
            ));
        }
        let mut notices = Vec::new();
        if self.place.is_shared() {
            notices.push(notice(
                format!(
                    "all your repositories take their hooks from {}{said}: the hook is run in each",
                    folder.display()
                ),
                "It does nothing but in those that it was installed for.",
            ));
        }
        if let Some(work_tree) = self.work_tree_around(folder) {
            if git.ignores(&work_tree, &self.file()).await? {
                notices.push(notice(
                    format!("the hook is in the work tree, where git ignores it: {}{said}", folder.display()),
                    "What makes that folder anew (husky at each install of packages) may take it away: `standin hook status` tells.",
                ));
            } else if in_work_tree {
                notices.push(notice(
                    format!("the hook is a new file in the work tree: {}{said}", folder.display()),
                    "Do not commit it: it names folders of this machine.",
                ));
            } else {
                return Err(Error::new(
                    Code::Usage,
                    format!(
                        "git takes the hooks of this repository from {}{said}, in the work tree: the hook would be a new file of yours \
                         there, to be committed by mistake",
                        folder.display()
                    ),
                    "Say so with `standin hook install --in-work-tree`, add the file to `.git/info/exclude` first, or rely on the watch \
                     of the folder, which needs no hook.",
                ));
            }
        }
        Ok(notices)
    }

    /// The work tree that a folder is in, unless it is in the repository itself.
    fn work_tree_around(&self, folder: &Path) -> Option<PathBuf> {
        let tree = real(self.place.work_tree.as_ref()?);
        // It may be made yet.
        let folder = folder.parent().map(real)?.join(folder.file_name()?);
        let is_inside = |folder: &Path| folder.starts_with(&tree) && !folder.starts_with(real(&self.place.common));
        (is_inside(&folder) || is_inside(&real(&folder))).then_some(tree)
    }

    /// Makes the folder of the hooks, where it is missing: whether it was.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn make_folder(&self) -> Result<bool> {
        match fs::create_dir(&self.place.folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(unusable(&self.place.folder, &error)),
        }
    }

    /// Gives the hook that is there a second name, under which it stays.
    ///
    /// # Errors
    /// [`Code::Usage`] where something has that name; [`Code::Storage`].
    pub fn keep(&self, file: &Path) -> Result<()> {
        let kept = kept(file);
        if is_same_file(file, &kept) {
            return Ok(());
        }
        if kept.symlink_metadata().is_ok() {
            return Err(Error::new(
                Code::Usage,
                format!("{} is there already, beside a hook that is not Standin's", kept.display()),
                "One of the two came later. Move the one away that is not wanted, then try again.",
            ));
        }
        // Where there are no second names, the hook is out of use for an instant.
        fs::hard_link(file, &kept).or_else(|_| fs::rename(file, &kept)).map_err(|error| unusable(file, &error))
    }

    /// What an `install` left that was killed.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn forget_half_done(&self, file: &Path) -> Result<()> {
        let kept = kept(file);
        let done = if is_same_file(file, &kept) {
            fs::remove_file(&kept)
        } else if kept.symlink_metadata().is_ok() && file.symlink_metadata().is_err() {
            fs::rename(&kept, file)
        } else {
            Ok(())
        };
        done.map_err(|error| unusable(file, &error))
    }

    /// Takes the hook away, and puts the one back that was there before.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn take_away(&self, file: &Path, script: &Script) -> Result<Option<Notice>> {
        let kept = kept(file);
        let is_kept = kept.symlink_metadata().is_ok();
        let done = if script.keeps && is_kept { fs::rename(&kept, file) } else { fs::remove_file(file) };
        done.map_err(|error| unusable(file, &error))?;
        if script.made_folder
            && let Some(folder) = file.parent()
        {
            // Somebody else has put something there.
            let _ = fs::remove_dir(folder);
        }
        let is_lost = script.keeps && !is_kept;
        Ok(is_lost.then(|| notice(format!("the hook that was there before is gone: {}", kept.display()), "")))
    }
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path: &Path| path.symlink_metadata().ok().map(|data| (data.dev(), data.ino()));
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> bool {
    false
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("{} could not be used: {error}", path.display()),
        "Check whose the folder is, and that you may write there.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_goes_by_its_name_is_not_kept_under_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(HOOK);
        let can_be = |hook: &str| {
            fs::write(&file, hook).unwrap();
            check_can_be_kept(hook.as_bytes(), &file, Path::new("/it's/hook.a")).is_ok()
        };
        assert!(can_be("#!/bin/sh\nexit 1\n"));
        assert!(can_be("#!/bin/sh\n. \"$(dirname -- \"$0\")/common.sh\"\n"));
        for hook in ["#!/bin/sh\nexec run \"$(basename \"$0\")\"\n", "#!/bin/sh\nrun ${0##*/}\n", "\x7fELF", ""] {
            assert!(!can_be(hook), "{hook}");
        }
        fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("dispatch", &file).unwrap();
        let error = check_can_be_kept(b"", &file, Path::new("/it's/hook.a")).unwrap_err();
        assert!(error.hint.contains(r"`: >|'/it'\''s/hook.a'`"), "{}", error.hint);
    }
}
