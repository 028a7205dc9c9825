//! Folders of a clone, which no mirror may be that the clone's own `.env` names: what came with a clone, somebody else made.
//!
//! To a clone belong the main work tree of a linked one and the repository that it is a submodule of, or lies in. But that many
//! keep their whole home folder in a repository makes no clone in it a part of that.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::git_folder;
use super::location::{Location, lossless, real_path};
use super::mistakes::Complaint;
use super::origin::Clone;
use super::values::lexical;

/// Refuses a place in the clone, however it is spelled, and a spelling that cannot be read with certainty.
pub(super) fn refuse(location: &Location, clone: &Clone, home: Option<&Path>) -> Result<(), Complaint> {
    let hint = "A clone's own `.env` cannot make a folder of the clone a mirror, since its hooks would be somebody else's. Name a \
                folder outside of it; or name this one in `standin.toml` or in the process environment.";
    match location {
        Location::Path(path) if clone.folders().any(|folder| is_inside(path, folder)) => {
            Err(Complaint::new(format!("`{}` is inside the clone {}", lossless(path), lossless(&clone.root)), hint))
        }
        Location::Path(path)
            if around(clone, home).iter().any(|folder| is_it(path, folder) || is_inside(path, folder)) =>
        {
            let message =
                format!("`{}` is in the repository around the clone {}", lossless(path), lossless(&clone.root));
            Err(Complaint::new(message, hint))
        }
        Location::Url(url) if url.to_ascii_lowercase().starts_with("file:") => Err(Complaint::new(
            format!("`{url}` does not say plainly which folder it is"),
            "Write the folder's path, such as `/srv/git/name.git`.",
        )),
        Location::Path(_) | Location::Url(_) | Location::GitHub(_) => Ok(()),
    }
}

/// The folders of other work trees that a clone is a part of.
fn around(clone: &Clone, home: Option<&Path>) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (root, home) = (real(&clone.root), home.map(real));
    let mut folders: Vec<PathBuf> = git_folder::work_trees_above(&real(clone.common())).map(real).collect();
    let mut above = root.parent().map(Path::to_owned);
    while let Some(outer) = above.and_then(|above| Clone::around(&above)) {
        folders.extend(outer.folders().map(real));
        above = outer.root.parent().map(Path::to_owned);
    }
    let is_home = |folder: &Path| home.as_ref().is_some_and(|home| home.starts_with(folder));
    folders.retain(|folder| *folder != root && !is_home(folder));
    folders
}

fn is_it(path: &Path, folder: &Path) -> bool {
    real_path(path) == *folder
}

/// Whether `path` is below `folder`: by its text, or by where its links lead. What does not exist yet counts by the folder
/// that it would be made in. The folder itself is another mistake.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let (text, folder_text) = (lexical(path), lexical(folder));
    if text.starts_with(&folder_text) {
        return text != folder_text;
    }
    let Ok(folder) = folder.canonicalize() else { return false };
    let Some(real) = path.ancestors().find_map(|above| above.canonicalize().ok()) else { return false };
    let identity = folder.metadata().ok();
    real.ancestors().any(|above| {
        above == folder
            || identity.as_ref().is_some_and(|folder| above.metadata().is_ok_and(|above| is_same(&above, folder)))
    })
}

/// Whether both are one folder, whatever it is called: a file system may not tell upper case from lower.
#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_one: &Metadata, _other: &Metadata) -> bool {
    false
}
