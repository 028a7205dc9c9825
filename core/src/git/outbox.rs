//! The repository that a push goes from: one of its own for each push, with no object (those are the cache's) and no
//! refs but these:
//!
//! - below `refs/new/`, every ref that is to be made or moved, as it shall stand;
//! - below `refs/old/`, every ref that is to be moved, as it must stand at the remote.
//!
//! So one pattern says all that is pushed, and git finds every lease by itself where it keeps what it knows of a remote:
//! nothing is looked up in a list ref by ref, which costs git refspecs times refs. `--force-with-lease` without a value is
//! exact here, since nobody but us writes `refs/old/`, once, before git starts; a ref without an entry must not exist.
//! Deletes, which no pattern can name, have a refspec and a lease each on the command line, and so that it comes first
//! the first branch that is made has a refspec.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::push::Update;
use super::{Cache, address::Address};
use crate::{Code, Error, Result};

/// The remote's name in the repository.
const REMOTE: &str = "mirror";
/// Up to so many refs that have to stand somewhere are named to git one by one. Of more it is told by a pattern that
/// matches all refs; git then also notes of each pushed ref where it stands now, in a file.
const NAMED_LEASES: usize = 64;

/// The repository, in a private folder of the call.
pub(super) struct Outbox {
    /// Where it is.
    pub(super) git_dir: PathBuf,
    /// How `git push` is told what to push, behind its options.
    pub(super) arguments: Vec<String>,
}

impl Outbox {
    /// Makes it in `folder`.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be written, and for an object that is not in the cache.
    pub(super) fn make(folder: &Path, cache: &Cache, address: &Address, updates: &[Update]) -> Result<Self> {
        let git_dir = folder.join("outbox.git");
        let objects = objects_of(cache, updates)?;
        write(&git_dir, &objects, address, updates).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("cannot write `{}`: {error}", git_dir.display()),
                "Check the folder for temporary files (TMPDIR).",
            )
        })?;
        let mut arguments = vec!["--force-with-lease".to_owned()];
        let deleted: Vec<&Update> = updates.iter().filter(|update| update.new.is_none()).collect();
        arguments.extend(deleted.iter().map(|update| update.lease()));
        arguments.extend(["--".to_owned(), REMOTE.to_owned()]);
        // What is named goes first. An empty host makes the first branch that comes its default one, and a pattern's come
        // in order of name.
        let is_made = |update: &&Update| update.name.is_branch() && update.old.is_none() && update.new.is_some();
        arguments
            .extend(updates.iter().find(is_made).map(|update| format!("refs/new/{0}:refs/{0}", below_refs(update))));
        arguments.extend(deleted.iter().map(|update| format!(":{}", update.name)));
        if deleted.len() < updates.len() {
            arguments.push("refs/new/*:refs/*".to_owned());
        }
        Ok(Self { git_dir, arguments })
    }
}

/// The folder of the cache's objects, once it is certain that all that is to be pushed is there: git leaves out of a
/// pattern what is not.
fn objects_of(cache: &Cache, updates: &[Update]) -> Result<PathBuf> {
    if let Some(oid) = cache.lacks(updates.iter().filter_map(|update| update.new.as_ref()))?.first() {
        return Err(cache.failed("push from", &format!("the object {oid} is not there")));
    }
    let objects = cache.path().join("objects");
    std::path::absolute(&objects).map_err(|error| cache.failed("find", &error))
}

fn write(git_dir: &Path, objects: &Path, address: &Address, updates: &[Update]) -> io::Result<()> {
    for folder in ["objects/info", "refs"] {
        fs::create_dir_all(git_dir.join(folder))?;
    }
    fs::write(git_dir.join("HEAD"), "ref: refs/standin/nothing\n")?;
    fs::write(git_dir.join("objects/info/alternates"), alternate(objects))?;
    fs::write(git_dir.join("config"), config(address, updates))?;
    fs::write(git_dir.join("packed-refs"), packed_refs(updates))
}

/// The objects' folder as a line of the file of alternates. Only the end of a line needs care in an absolute path.
fn alternate(objects: &Path) -> Vec<u8> {
    let mut line = match objects.to_str() {
        Some(path) if path.contains('\n') => quoted(path).into_bytes(),
        _ => objects.as_os_str().as_encoded_bytes().to_vec(),
    };
    line.push(b'\n');
    line
}

fn config(address: &Address, updates: &[Update]) -> String {
    let mut text = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[remote \"{REMOTE}\"]\n\turl = {}\n",
        quoted(address.as_str())
    );
    let leased: Vec<&Update> = moved(updates).collect();
    let mut lease = |name: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\tfetch = {}", quoted(&format!("+refs/{name}:refs/old/{name}")));
    };
    if leased.len() > NAMED_LEASES {
        lease("*");
    } else {
        leased.iter().for_each(|update| lease(below_refs(update)));
    }
    text
}

/// The refs with their tips, sorted as the file has to be.
fn packed_refs(updates: &[Update]) -> String {
    let new =
        updates.iter().filter_map(|update| Some((format!("refs/new/{}", below_refs(update)), update.new.as_ref()?)));
    let old =
        moved(updates).filter_map(|update| Some((format!("refs/old/{}", below_refs(update)), update.old.as_ref()?)));
    let refs: BTreeMap<_, _> = new.chain(old).collect();
    let mut text = String::from("# pack-refs with: sorted \n");
    for (name, oid) in refs {
        let _ = writeln!(text, "{oid} {name}");
    }
    text
}

/// The updates of refs that are there and stay.
fn moved(updates: &[Update]) -> impl Iterator<Item = &Update> {
    updates.iter().filter(|update| update.old.is_some() && update.new.is_some())
}

/// A ref's name without `refs/`, with which every name begins.
fn below_refs(update: &Update) -> &str {
    let name = update.name.as_str();
    name.strip_prefix("refs/").unwrap_or(name)
}

/// A text as git's configuration and its file of alternates have it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str, old: Option<char>, new: Option<char>) -> Update {
        let oid = |digit: char| digit.to_string().repeat(40).parse().unwrap();
        Update { name: name.parse().unwrap(), old: old.map(oid), new: new.map(oid) }
    }

    #[test]
    fn refs_are_laid_out_as_they_shall_and_must_stand() {
        let updates = [
            update("refs/tags/made", None, Some('1')),
            update("refs/heads/moved", Some('2'), Some('3')),
            update("refs/heads/gone", Some('4'), None),
        ];
        let oid = |digit: &str| digit.repeat(40);
        assert_eq!(
            packed_refs(&updates),
            format!(
                "# pack-refs with: sorted \n{} refs/new/heads/moved\n{} refs/new/tags/made\n{} refs/old/heads/moved\n",
                oid("3"),
                oid("1"),
                oid("2")
            )
        );
    }

    #[test]
    fn few_leases_are_named_and_many_are_a_pattern() {
        let address = Address::parse("/srv/a \"b\" #c.git", None).unwrap();
        let of = |count: usize| {
            let updates: Vec<_> =
                (0..count).map(|number| update(&format!("refs/heads/b{number}"), Some('1'), Some('2'))).collect();
            config(&address, &updates)
        };
        let few = of(2);
        assert!(few.contains("url = \"/srv/a \\\"b\\\" #c.git\""), "{few}");
        assert!(few.contains("fetch = \"+refs/heads/b1:refs/old/heads/b1\""), "{few}");
        let many = of(NAMED_LEASES + 1);
        assert_eq!(many.matches("fetch").count(), 1);
        assert!(many.contains("fetch = \"+refs/*:refs/old/*\""), "{many}");
        assert!(!of(0).contains("fetch"));
    }
}
