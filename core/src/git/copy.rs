//! The copy of an upstream: a cache that stands where the user wants it, and that plain git can clone and serve.
//!
//! Its settings hide what is Standin's own (`refs/standin/`, where rescues are) from whoever clones it, and say whose copy it
//! is: a folder that says nothing of the kind is somebody else's, and is never written to.
//!
//! Git obeys the settings of the repository that it works in, and anybody can write whose copy a folder is. So a mark that nobody
//! can guess stands in the settings and beside the locks. Where they differ, another installation made the copy, or
//! somebody who wants to be taken for one: its commits are taken, and its settings are put aside and made anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use standin_state::config::own_setting;
use standin_state::model::{Oid, RefName};
use standin_state::{files, private};

use super::Cache;
use super::cache::{LIBGIT2_SETTINGS, make_at, sync_folder};
use crate::{Code, Error, Result, crash};

/// The setting that says whose copy a repository is.
const OWNER: &str = "standin.copy";
/// The setting with the mark, and the file with it among the locks.
const MARK: &str = "standin.mark";
const MARK_FILE: &str = "mark";
/// Where the settings of a copy are kept that this installation did not make.
const PUT_ASIDE: &str = "config.put-aside";
/// By what git takes a part of a repository from another place.
const ELSEWHERE: [&str; 4] =
    ["commondir", "config.worktree", "objects/info/alternates", "objects/info/http-alternates"];
/// Folders in which no link may lie.
const NO_LINKS: [&str; 8] =
    ["info", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags", "refs/standin"];
/// What `HEAD` names before the upstream was ever read: what git itself would name.
const FIRST_HEAD: &str = "refs/heads/main";

/// The settings of a copy.
fn settings<'a>(owner: &'a str, mark: &'a str) -> [(&'static str, &'a str); 3] {
    [(OWNER, owner), (MARK, mark), ("transfer.hideRefs", "refs/standin")]
}

/// What `HEAD` of a repository says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// The branch that it names, which need not exist.
    Branch(RefName),
    /// The commit that it is detached at.
    Detached(Oid),
}

impl Cache {
    /// Opens the copy of `owner` at `path`, and makes it where nothing is yet. `locks` is the folder of its locks. What
    /// killed processes left is swept away. With it comes whether another installation made it, whose settings were put aside
    /// now.
    ///
    /// # Errors
    /// [`Code::Configuration`] for a folder that is no copy, or another one; [`Code::Storage`] when it cannot be made, or is
    /// damaged: it may hold the only copy of somebody's commits, so it is never replaced.
    pub fn open_copy(path: &Path, locks: &Path, owner: &str) -> Result<(Self, bool)> {
        private::create_folder(locks)?;
        let copy = Self { path: path.to_owned(), locks: locks.to_owned(), owner: Some(Arc::from(owner)) };
        let alone = copy.try_lock("cache")?;
        if path.exists() || path.is_symlink() {
            private::check_folder(path)?;
            copy.check_owner(owner)?;
            private::check_inside(path, &NO_LINKS)?;
            let is_adopted = !copy.is_made_here();
            if is_adopted {
                let _alone = alone.as_ref().ok_or_else(|| copy.is_being_made())?;
                copy.adopt(owner)?;
            }
            if !copy.looks_whole() {
                return Err(copy.damaged());
            }
            if alone.is_some() {
                copy.beside()?;
                copy.sweep();
            }
            return Ok((copy, is_adopted));
        }
        if alone.is_none() {
            return Err(copy.is_being_made());
        }
        copy.make_copy(owner)?;
        Ok((copy, false))
    }

    fn is_being_made(&self) -> Error {
        Error::passing(
            Code::Busy,
            format!("another process makes the copy `{}` at this moment", self.path.display()),
            "Try again in a moment.",
        )
    }

    /// Whether the settings of the copy are those that this installation gave it, and what the user made of them.
    fn is_made_here(&self) -> bool {
        let known = private::read(&self.locks.join(MARK_FILE)).ok();
        let says = own_setting(&self.path.join("config"), "standin", "mark");
        let is_same =
            matches!((known, says), (Some(known), Some(says)) if !known.is_empty() && known == says.as_bytes());
        // Git would read the settings of another folder.
        is_same && !self.path.join(ELSEWHERE[0]).is_symlink() && !self.path.join(ELSEWHERE[0]).exists()
    }

    /// A new mark, known here before it stands anywhere else.
    fn new_mark(&self) -> Result<String> {
        let mark = format!("{:032x}", rand::random::<u128>());
        files::write_atomically(&self.locks.join(MARK_FILE), mark.as_bytes())?;
        Ok(mark)
    }

    /// Takes a copy that this installation did not make, without its settings. Needs `cache.lock` alone.
    fn adopt(&self, owner: &str) -> Result<()> {
        if let Some(name) = ELSEWHERE.iter().find(|name| self.path.join(name).symlink_metadata().is_ok()) {
            return Err(Error::new(
                Code::Configuration,
                format!(
                    "`{}` calls itself the copy of the mirror {owner}, but was not made here, and its `{name}` takes a part of it \
                     from another place",
                    self.path.display()
                ),
                format!(
                    "If it is yours, make it whole (`git -C {0} repack -a -d`) and remove `{name}` there; else name another `path`.",
                    self.path.display()
                ),
            ));
        }
        let beside = self.beside()?;
        let own = beside.join("config");
        crash::point("copy.adopt.before");
        make_at(&beside, FIRST_HEAD, &settings(owner, &self.new_mark()?))
            .map_err(|error| self.failed("make", &*error))?;
        let moves = [
            (self.path.join("config"), self.path.join(PUT_ASIDE)),
            (beside.join(LIBGIT2_SETTINGS), self.path.join(LIBGIT2_SETTINGS)),
            (own, self.path.join("config")),
        ];
        // A crash may have come after the first.
        for (from, to) in moves.iter().filter(|(from, _)| from.exists()) {
            std::fs::rename(from, to).map_err(|error| self.failed("write", &error))?;
            crash::point("copy.adopt.moved");
        }
        sync_folder(&self.path).map_err(|error| self.failed("write", &error))?;
        std::fs::remove_dir_all(&beside).map_err(|error| self.failed("write", &error))?;
        crash::point("copy.adopt.after");
        Ok(())
    }

    /// The place beside it to make something in, with what a killed process left there removed.
    fn beside(&self) -> Result<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{name}.standin-new"));
        match std::fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed("make", &error)),
            _ => Ok(beside),
        }
    }

    fn make_copy(&self, owner: &str) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            return Err(Error::new(
                Code::Configuration,
                format!("the copy `{}` cannot be made: there is no folder `{}`", self.path.display(), folder.display()),
                "Make that folder, or bring its disk in; or name another `path` for the mirror.",
            ));
        }
        let beside = self.beside()?;
        crash::point("copy.make.before");
        make_at(&beside, FIRST_HEAD, &settings(owner, &self.new_mark()?))
            .map_err(|error| self.failed("make", &*error))?;
        crash::point("copy.make.made");
        std::fs::rename(&beside, &self.path).map_err(|error| self.failed("make", &error))?;
        sync_folder(folder).map_err(|error| self.failed("make", &error))?;
        crash::point("copy.make.after");
        Ok(())
    }

    /// Refuses a folder that is not this very copy.
    fn check_owner(&self, owner: &str) -> Result<()> {
        let file = self.path.join("config");
        let is_file = file.symlink_metadata().is_ok_and(|data| data.is_file());
        // A copy whose settings were being put aside.
        let is_between = !is_file && file.symlink_metadata().is_err();
        let file = if is_between { self.path.join(PUT_ASIDE) } else { file };
        match own_setting(&file, "standin", "copy").filter(|_| is_file || is_between) {
            Some(found) if found == owner => Ok(()),
            Some(found) => Err(Error::new(
                Code::Configuration,
                format!("`{}` is the copy of the mirror {found}, not of {owner}", self.path.display()),
                format!(
                    "Name another `path`. If the mirror was only renamed, say so in the copy: `git -C {} config {OWNER} {owner}`.",
                    self.path.display()
                ),
            )),
            None => Err(Error::new(
                Code::Configuration,
                format!(
                    "`{}` exists and is not a copy that Standin made, so nothing is written there",
                    self.path.display()
                ),
                "Name a folder as `path` that does not exist yet, or move this one away.",
            )),
        }
    }

    /// What its `HEAD` says.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn head(&self) -> Result<Option<Head>> {
        let text = std::fs::read_to_string(self.path.join("HEAD")).map_err(|error| self.failed("read", &error))?;
        Ok(match text.trim().strip_prefix("ref: ") {
            Some(name) => name.trim().parse().ok().map(Head::Branch),
            None => text.trim().parse().ok().map(Head::Detached),
        })
    }

    /// Has its `HEAD` say this; on disk before it returns.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn set_head(&self, head: &Head) -> Result<()> {
        self.write("copy.set_head", |repository| match head {
            Head::Branch(name) => repository.set_head(name.as_str()),
            Head::Detached(oid) => repository.set_head_detached(git2::Oid::from_str(oid.as_str())?),
        })
    }

    /// Of each move, whether it goes forward: all that the old tip leads to is in the history of the new one. Both must be
    /// here, and be commits.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn are_forward(&self, moves: &[(&Oid, &Oid)]) -> Result<Vec<bool>> {
        self.read(|repository| {
            let commit = |oid: &Oid| {
                let oid = git2::Oid::from_str(oid.as_str())?;
                // An annotated tag that is replaced is lost, wherever it leads.
                Ok::<_, git2::Error>(repository.find_commit(oid).is_ok().then_some(oid))
            };
            let is_forward = |(old, new): &(&Oid, &Oid)| match (commit(old)?, commit(new)?) {
                (Some(old), Some(new)) => repository.graph_descendant_of(new, old),
                _ => Ok(false),
            };
            moves.iter().map(is_forward).collect()
        })
    }

    /// Whether two commits share none of their history.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn are_strangers(&self, one: &Oid, other: &Oid) -> Result<bool> {
        let (Some(one), Some(other)) = (self.commit_of(one)?, self.commit_of(other)?) else { return Ok(false) };
        self.read(|repository| {
            let (one, other) = (git2::Oid::from_str(one.as_str())?, git2::Oid::from_str(other.as_str())?);
            match repository.merge_base(one, other) {
                Ok(_) => Ok(false),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(true),
                Err(error) => Err(error),
            }
        })
    }
}
