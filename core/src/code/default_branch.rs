//! Which branch of the source is its default branch.
//!
//! Of a bare repository and of a host it is the one that HEAD names. The HEAD of a working clone is only where somebody works at
//! the moment: there it is the one that its `origin` has, else the mirror's own, else the name that git gives to first branches, else the
//! only branch. Where none of these is there, what is checked out counts after all, and that is said.

use std::path::Path;

use standin_state::config::{Source, Target};
use standin_state::model::RefName;

use crate::git::address::Transport;
use crate::git::{Address, Listing, Refs, folder, foreign};
use crate::{Code, Error, Result};

/// What is known of the source's default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultBranch {
    /// It is this one; none where HEAD names no commit.
    Known(Option<RefName>),
    /// Only guessed: the mirror's own, where the source has a branch of that name, else this one.
    Guessed(Option<RefName>),
    /// Nothing tells it: likewise, and else this one for want of a better.
    Assumed(RefName),
}

impl DefaultBranch {
    /// The default branch of a source that was listed. `first_branch` is the name that the user's git gives to first branches.
    pub(super) fn of(source: &Source, listing: &Listing, refs: &Refs, first_branch: Option<&str>) -> Self {
        let there = |name: &RefName| refs.contains_key(name);
        if !matches!(source, Source::Path(path) if is_worked_in(path)) {
            return Self::Known(listing.head.clone().filter(there));
        }
        if let Some(origin) = listing.origin_head.clone().filter(there) {
            return Self::Known(Some(origin));
        }
        let names = first_branch.into_iter().chain(["main", "master"]);
        let candidates = names.filter_map(|name| format!("refs/heads/{name}").parse::<RefName>().ok());
        // Where there is but one branch, it is that one.
        let mut branches = refs.keys().filter(|name| name.is_branch());
        let only = branches.next().filter(|_| branches.next().is_none()).cloned();
        let usual = candidates.chain(only).find(there);
        let head = || listing.head.clone().filter(there);
        let first = || refs.keys().find(|name| name.is_branch()).cloned();
        match usual {
            Some(name) => Self::Guessed(Some(name)),
            None => head().or_else(first).map_or(Self::Guessed(None), Self::Assumed),
        }
    }

    /// The default branch, seen from a mirror whose default branch is `mirror`.
    pub fn seen_from<'a>(&'a self, mirror: Option<&'a RefName>, refs: &Refs) -> Option<&'a RefName> {
        let name = match self {
            Self::Known(name) => return name.as_ref(),
            Self::Guessed(name) => name.as_ref(),
            Self::Assumed(name) => Some(name),
        };
        mirror.filter(|mirror| refs.contains_key(*mirror)).or(name)
    }

    /// Whether that is assumed for want of a better.
    pub fn is_assumed_from(&self, mirror: Option<&RefName>, refs: &Refs) -> bool {
        matches!(self, Self::Assumed(_)) && !mirror.is_some_and(|mirror| refs.contains_key(mirror))
    }
}

/// The branch that the HEAD of a bare repository in a folder of this machine names, where no such branch is there: whoever clones it
/// gets nothing.
pub(super) fn unborn(target: &Target) -> Option<(git2::Repository, RefName)> {
    let address =
        Address::parse(&target.pushed_to()?.url, None).ok().filter(|address| address.transport == Transport::File)?;
    let repository = foreign::open_bare(&folder(address.as_str())).ok().flatten()?;
    let is_unborn = matches!(repository.head(), Err(error) if error.code() == git2::ErrorCode::UnbornBranch);
    if !is_unborn || !repository.is_bare() {
        return None;
    }
    let named = repository.find_reference("HEAD").ok()?.symbolic_target().ok()??.parse().ok()?;
    Some((repository, named))
}

/// Lets such a HEAD name `branch`.
///
/// # Errors
/// [`Code::Storage`] where it cannot be written.
pub(super) fn name_default(target: &Target, branch: &RefName) -> Result<()> {
    let Some((repository, _)) = unborn(target) else { return Ok(()) };
    repository.set_head(branch.as_str()).map_err(|error| {
        Error::new(
            Code::Storage,
            format!("the HEAD of `{}` cannot be written: {}", repository.path().display(), error.message()),
            format!("Write it by hand: `git symbolic-ref HEAD {branch}` in that folder."),
        )
    })
}

/// Whether the repository has a working folder.
fn is_worked_in(path: &Path) -> bool {
    match foreign::open(path) {
        Ok(Some(repository)) => !repository.is_bare(),
        // One that only git itself can open.
        Ok(None) | Err(_) => path.join(".git").exists() || path.file_name().is_some_and(|name| name == ".git"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(short: &str) -> RefName {
        format!("refs/heads/{short}").parse().unwrap()
    }

    fn refs(names: &[&str]) -> Refs {
        names.iter().map(|short| (name(short), "1".repeat(40).parse().unwrap())).collect()
    }

    #[test]
    fn a_working_clone_is_not_judged_by_what_is_checked_out() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init(folder.path()).unwrap();
        let clone = Source::Path(folder.path().to_owned());
        let of = |origin: Option<&str>, first: Option<&str>, mirror: Option<&str>, names: &[&str]| {
            let listing = Listing { head: Some(name("topic")), origin_head: origin.map(name), ..Listing::default() };
            let refs = refs(names);
            let found = DefaultBranch::of(&clone, &listing, &refs, first);
            found.seen_from(mirror.map(name).as_ref(), &refs).map(|name| name.short().to_owned())
        };
        let all = ["dev", "main", "master", "topic"];
        assert_eq!(of(Some("dev"), Some("main"), Some("main"), &all).as_deref(), Some("dev"));
        // What is not here, is none.
        assert_eq!(of(Some("gone"), Some("master"), Some("dev"), &all).as_deref(), Some("dev"));
        assert_eq!(of(None, Some("master"), Some("gone"), &all).as_deref(), Some("master"));
        assert_eq!(of(None, Some("gone"), None, &all).as_deref(), Some("main"));
        assert_eq!(of(None, None, None, &["master", "topic"]).as_deref(), Some("master"));
        assert_eq!(of(None, None, None, &["topic"]).as_deref(), Some("topic"));
        // Where nothing tells, what is checked out counts after all, else the first.
        assert_eq!(of(None, None, None, &["one", "topic"]).as_deref(), Some("topic"));
        assert_eq!(of(None, None, Some("one"), &["one", "topic"]).as_deref(), Some("one"));
        assert_eq!(of(None, None, None, &["one", "two"]).as_deref(), Some("one"));
        assert_eq!(of(None, None, None, &[]), None);
    }

    #[test]
    fn a_bare_repository_and_a_host_say_it_by_their_head() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path()).unwrap();
        let refs = refs(&["main", "trunk"]);
        let listing = Listing { head: Some(name("trunk")), origin_head: Some(name("main")), ..Listing::default() };
        for source in [Source::Path(folder.path().to_owned()), Source::Url("https://host/o/n.git".to_owned())] {
            let found = DefaultBranch::of(&source, &listing, &refs, Some("main"));
            assert_eq!(found.seen_from(Some(&name("main")), &refs), Some(&name("trunk")));
            let unborn = Listing { head: Some(name("unborn")), ..listing.clone() };
            assert_eq!(DefaultBranch::of(&source, &unborn, &refs, None), DefaultBranch::Known(None));
        }
    }
}
