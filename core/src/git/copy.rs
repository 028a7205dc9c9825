//! The copy of an upstream: a cache that stands where the user wants it, and that plain git can clone and serve.
//!
//! Its settings hide what is Standin's own (`refs/standin/`, where rescues are) from whoever clones it, and say whose copy it
//! is: a folder that says nothing of the kind is somebody else's, and is never written to.

use std::path::Path;
use std::sync::Arc;

use standin_state::model::{Oid, RefName};
use standin_state::private;

use super::Cache;
use super::cache::{make_at, sync_folder};
use crate::{Code, Error, Result, crash};

/// The setting that says whose copy a repository is.
const OWNER: &str = "standin.copy";
/// What `HEAD` names before the upstream was ever read: what git itself would name.
const FIRST_HEAD: &str = "refs/heads/main";

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
    /// killed processes left is swept away.
    ///
    /// # Errors
    /// [`Code::Configuration`] for a folder that is no copy, or another one; [`Code::Storage`] when it cannot be made, or is
    /// damaged: it may hold the only copy of somebody's commits, so it is never replaced.
    pub fn open_copy(path: &Path, locks: &Path, owner: &str) -> Result<Self> {
        private::create_folder(locks)?;
        let copy = Self { path: path.to_owned(), locks: locks.to_owned(), owner: Some(Arc::from(owner)) };
        let alone = copy.try_lock("cache")?;
        if path.exists() || path.is_symlink() {
            copy.check_owner(owner)?;
            private::check_folder(path)?;
            private::refuse_links(path, &["objects", "objects/info", "objects/pack"])?;
            if !copy.looks_whole() {
                return Err(copy.damaged());
            }
            if alone.is_some() {
                copy.sweep();
            }
            return Ok(copy);
        }
        if alone.is_none() {
            return Err(Error::passing(
                Code::Busy,
                format!("another process makes the copy `{}` at this moment", path.display()),
                "Try again in a moment.",
            ));
        }
        copy.make_copy(owner)?;
        Ok(copy)
    }

    fn make_copy(&self, owner: &str) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        if !folder.is_dir() {
            return Err(Error::new(
                Code::Configuration,
                format!("the copy `{}` cannot be made: there is no folder `{}`", self.path.display(), folder.display()),
                "Make that folder, or bring its disk in; or name another `path` for the mirror.",
            ));
        }
        let beside = folder.join(format!(".{name}.standin-new"));
        match std::fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.failed("make", &error)),
            _ => {}
        }
        crash::point("copy.make.before");
        let settings = [(OWNER, owner), ("transfer.hideRefs", "refs/standin")];
        make_at(&beside, FIRST_HEAD, &settings).map_err(|error| self.failed("make", &*error))?;
        crash::point("copy.make.made");
        std::fs::rename(&beside, &self.path).map_err(|error| self.failed("make", &error))?;
        sync_folder(folder).map_err(|error| self.failed("make", &error))?;
        crash::point("copy.make.after");
        Ok(())
    }

    /// Refuses a folder that is not this very copy.
    fn check_owner(&self, owner: &str) -> Result<()> {
        let file = self.path.join("config");
        let found = match file.symlink_metadata() {
            Ok(data) if data.is_file() => git2::Config::open(&file).and_then(|config| config.get_string(OWNER)).ok(),
            _ => None,
        };
        match found {
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
