//! Reading what is in the cache, and the few small writes of Standin's own, through libgit2.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, TreeWalkMode, TreeWalkResult};
use jiff::Timestamp;
use standin_state::model::{Oid, RefName};

use super::Cache;
use crate::{Result, crash};

/// Who writes fences.
const AUTHOR: (&str, &str) = ("Standin", "standin@localhost");
/// Where workflows live.
const WORKFLOWS: &str = ".github/workflows";

/// A file in a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// Its path from the root.
    pub path: String,
    /// Its content.
    pub blob: Oid,
    /// Its size in bytes.
    pub size: u64,
}

pub(super) fn to_git2(oid: &Oid) -> Result<git2::Oid, git2::Error> {
    git2::Oid::from_str(oid.as_str())
}

pub(super) fn from_git2(oid: git2::Oid) -> Result<Oid, git2::Error> {
    oid.to_string().parse().map_err(|error: standin_state::model::NameError| git2::Error::from_str(&error.to_string()))
}

fn found<T>(result: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder of a commit's workflows; `None` where there is none, and for what leads to no commit.
fn workflow_folder(repository: &git2::Repository, commit: &Oid) -> Result<Option<git2::Oid>, git2::Error> {
    let Ok(commit) = repository.find_object(to_git2(commit)?, None)?.peel_to_commit() else { return Ok(None) };
    let folder = found(commit.tree()?.get_path(std::path::Path::new(WORKFLOWS)))?;
    Ok(folder.filter(|folder| folder.kind() == Some(ObjectType::Tree)).map(|folder| folder.id()))
}

fn workflows_in(repository: &git2::Repository, folder: git2::Oid) -> Result<BTreeMap<String, Oid>, git2::Error> {
    let mut files = BTreeMap::new();
    for entry in &repository.find_tree(folder)? {
        let Ok(name) = entry.name() else { continue };
        if entry.kind() == Some(ObjectType::Blob) && (name.ends_with(".yml") || name.ends_with(".yaml")) {
            files.insert(format!("{WORKFLOWS}/{name}"), from_git2(entry.id())?);
        }
    }
    Ok(files)
}

impl Cache {
    pub(super) fn read<T>(&self, read: impl FnOnce(&git2::Repository) -> Result<T, git2::Error>) -> Result<T> {
        read(&self.repository()?).map_err(|error| self.failed("read", &error))
    }

    pub(super) fn write<T>(
        &self,
        point: &str,
        write: impl FnOnce(&git2::Repository) -> Result<T, git2::Error>,
    ) -> Result<T> {
        let _held = self.hold_now()?;
        let repository = self.repository()?;
        crash::point(&format!("{point}.before"));
        let written = write(&repository).map_err(|error| self.failed("write", &error))?;
        crash::point(&format!("{point}.after"));
        Ok(written)
    }

    /// Whether an object is here.
    ///
    /// # Errors
    /// [`crate::Code::Storage`] when the cache cannot be read, as for all of these.
    pub fn oid_exists(&self, oid: &Oid) -> Result<bool> {
        self.read(|repository| Ok(repository.odb()?.exists(to_git2(oid)?)))
    }

    /// Those of the objects that are not here.
    pub fn lacks<'a>(&self, oids: impl Iterator<Item = &'a Oid>) -> Result<BTreeSet<&'a Oid>> {
        self.read(|repository| {
            let odb = repository.odb()?;
            let mut missing = BTreeSet::new();
            for oid in oids {
                if !odb.exists(to_git2(oid)?) {
                    missing.insert(oid);
                }
            }
            Ok(missing)
        })
    }

    /// All refs whose names start with `prefix`, with their tips; symbolic refs left out.
    pub fn refs(&self, prefix: &str) -> Result<BTreeMap<RefName, Oid>> {
        self.refs_below(&[prefix])
    }

    /// The same for several beginnings; one reading for all of them.
    pub fn refs_below(&self, prefixes: &[&str]) -> Result<BTreeMap<RefName, Oid>> {
        self.read(|repository| {
            let mut refs = BTreeMap::new();
            for reference in repository.references()? {
                let reference = reference?;
                let (Ok(name), Some(target)) = (reference.name(), reference.target()) else { continue };
                if prefixes.iter().any(|prefix| name.starts_with(prefix))
                    && let Ok(name) = name.parse()
                {
                    refs.insert(name, from_git2(target)?);
                }
            }
            Ok(refs)
        })
    }

    /// The tip of one ref.
    pub fn ref_tip(&self, name: &RefName) -> Result<Option<Oid>> {
        self.read(|repository| found(repository.refname_to_id(name.as_str()))?.map(from_git2).transpose())
    }

    /// The commit that an object is or, for an annotated tag, leads to; `None` for a tag of a tree or file.
    pub fn commit_of(&self, oid: &Oid) -> Result<Option<Oid>> {
        self.read(|repository| match found(repository.find_object(to_git2(oid)?, None))? {
            Some(object) => object.peel_to_commit().ok().map(|commit| from_git2(commit.id())).transpose(),
            None => Ok(None),
        })
    }

    /// Whether everything that `ancestor` leads to is in the history of `descendant`. Anything is its own ancestor.
    /// `false` for objects that are not here and for those that are no commits.
    pub fn is_ancestor(&self, ancestor: &Oid, descendant: &Oid) -> Result<bool> {
        if ancestor == descendant {
            return Ok(true);
        }
        let (Some(ancestor), Some(descendant)) = (self.commit_of(ancestor)?, self.commit_of(descendant)?) else {
            return Ok(false);
        };
        self.read(|repository| {
            let (ancestor, descendant) = (to_git2(&ancestor)?, to_git2(&descendant)?);
            Ok(ancestor == descendant || repository.graph_descendant_of(descendant, ancestor)?)
        })
    }

    /// How many commits `a` has that `b` has not, and the other way round. Both must be here.
    pub fn ahead_behind(&self, a: &Oid, b: &Oid) -> Result<(u64, u64)> {
        self.read(|repository| {
            let (a, b) = (repository.find_object(to_git2(a)?, None)?, repository.find_object(to_git2(b)?, None)?);
            let (ahead, behind) = repository.graph_ahead_behind(a.peel_to_commit()?.id(), b.peel_to_commit()?.id())?;
            Ok((ahead as u64, behind as u64))
        })
    }

    /// Creates or moves a ref of the cache; on disk before it returns.
    pub fn set_ref(&self, name: &RefName, oid: &Oid) -> Result<()> {
        self.write("cache.set_ref", |repository| repository.reference(name.as_str(), to_git2(oid)?, true, "").map(drop))
    }

    /// Deletes a ref of the cache; `false` where there was none.
    pub fn delete_ref(&self, name: &RefName) -> Result<bool> {
        self.write("cache.delete_ref", |repository| match found(repository.find_reference(name.as_str()))? {
            Some(mut reference) => reference.delete().map(|()| true),
            None => Ok(false),
        })
    }

    /// Writes a commit with a single file, on top of `parent`; on disk before it returns. Nothing names it yet.
    pub fn commit_document(
        &self,
        parent: Option<&Oid>,
        file_name: &str,
        content: &[u8],
        message: &str,
        time: Timestamp,
    ) -> Result<Oid> {
        self.write("cache.commit_document", |repository| {
            let mut tree = repository.treebuilder(None)?;
            tree.insert(file_name, repository.blob(content)?, 0o100_644)?;
            let tree = repository.find_tree(tree.write()?)?;
            let author = git2::Signature::new(AUTHOR.0, AUTHOR.1, &git2::Time::new(time.as_second(), 0))?;
            let parent = parent.map(|parent| repository.find_commit(to_git2(parent)?)).transpose()?;
            let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
            from_git2(repository.commit(None, &author, &author, message, &tree, &parents)?)
        })
    }

    /// Writes a file's content; nothing names it.
    pub(super) fn write_blob(&self, content: &[u8]) -> Result<Oid> {
        self.write("cache.write_blob", |repository| from_git2(repository.blob(content)?))
    }

    /// A file at the root of a commit; `None` where there is none.
    pub fn read_document(&self, commit: &Oid, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.read(|repository| {
            let tree = repository.find_commit(to_git2(commit)?)?.tree()?;
            let Some(entry) = tree.get_name(file_name) else { return Ok(None) };
            if entry.kind() != Some(ObjectType::Blob) {
                return Ok(None);
            }
            Ok(Some(repository.find_blob(entry.id())?.content().to_vec()))
        })
    }

    /// The first parents of a commit in order, oldest last: the chain that a fence is. Stops after `limit`.
    pub fn chain(&self, commit: &Oid, limit: usize) -> Result<Vec<Oid>> {
        self.read(|repository| {
            let mut chain = Vec::new();
            let mut next = found(repository.find_commit(to_git2(commit)?))?;
            while let Some(commit) = next.filter(|_| chain.len() < limit) {
                chain.push(from_git2(commit.id())?);
                next = match commit.parent_count() {
                    0 => None,
                    _ => found(commit.parent(0))?,
                };
            }
            Ok(chain)
        })
    }

    /// The workflow files of a commit: path and content, for the files that GitHub takes for workflows.
    pub fn workflow_files(&self, commit: &Oid) -> Result<BTreeMap<String, Oid>> {
        self.read(|repository| {
            let Some(folder) = workflow_folder(repository, commit)? else { return Ok(BTreeMap::new()) };
            workflows_in(repository, folder)
        })
    }

    /// The paths of all workflow files of many commits; a folder that many of them have is read once.
    pub fn all_workflow_files<'a>(&self, commits: impl Iterator<Item = &'a Oid>) -> Result<BTreeSet<String>> {
        self.read(|repository| {
            let (mut read, mut files) = (BTreeSet::new(), BTreeSet::new());
            for commit in commits {
                if let Some(folder) = workflow_folder(repository, commit)?
                    && read.insert(folder)
                {
                    files.extend(workflows_in(repository, folder)?.into_keys());
                }
            }
            Ok(files)
        })
    }

    /// All files of a commit with their sizes; submodules and links left out, and names that are not UTF-8 shown as
    /// well as they can be.
    pub fn tree_files(&self, commit: &Oid) -> Result<Vec<TreeFile>> {
        self.read(|repository| {
            let tree = repository.find_object(to_git2(commit)?, None)?.peel_to_tree()?;
            let odb = repository.odb()?;
            let mut files = Vec::new();
            let mut failure = None;
            let walked = tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
                if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == 0o120_000 {
                    return TreeWalkResult::Ok;
                }
                let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
                match odb.read_header(entry.id()).and_then(|(size, _)| Ok((size, from_git2(entry.id())?))) {
                    Ok((size, blob)) => files.push(TreeFile { path, blob, size: size as u64 }),
                    Err(error) => {
                        failure = Some(error);
                        return TreeWalkResult::Abort;
                    }
                }
                TreeWalkResult::Ok
            });
            match failure {
                Some(error) => Err(error),
                None => walked.map(|()| files),
            }
        })
    }

    /// A file's content.
    pub fn blob(&self, oid: &Oid) -> Result<Vec<u8>> {
        self.read(|repository| Ok(repository.find_blob(to_git2(oid)?)?.content().to_vec()))
    }
}
