//! Cutting one change in two, where its history is more than the host takes in one push.

use standin_state::store::ChangeAction;

use crate::Result;
use crate::git::{Cache, Refs};
use crate::mirror::git_failed;
use crate::plan::RefChange;

/// The same change in two steps: to a commit about half-way from what the mirror has, and on from there. `None` where nothing lies
/// between, or where each step in between would bring workflow files that the whole does not have: these could run there.
///
/// # Errors
/// [`crate::Code::Storage`] when the cache cannot be read.
pub(super) fn in_two(cache: &Cache, change: &RefChange, there: &Refs) -> Result<Option<(RefChange, RefChange)>> {
    let Some(new) = change.new.as_ref().filter(|_| change.name.is_branch()) else { return Ok(None) };
    let repository = cache.repository()?;
    let mut walk = repository.revwalk().map_err(git_failed)?;
    walk.simplify_first_parent().map_err(git_failed)?;
    walk.push(git2::Oid::from_str(new.as_str()).map_err(git_failed)?).map_err(git_failed)?;
    for tip in there.values() {
        let commit = git2::Oid::from_str(tip.as_str()).and_then(|oid| repository.find_object(oid, None));
        // What is not here hides nothing.
        if let Ok(commit) = commit.and_then(|object| object.peel_to_commit()) {
            walk.hide(commit.id()).map_err(git_failed)?;
        }
    }
    let between: Vec<git2::Oid> = walk.collect::<Result<_, _>>().map_err(git_failed)?;
    let files = cache.workflow_files(new)?;
    let forward = change.old.as_ref().filter(|_| change.action == ChangeAction::FastForward);
    // The newest is the tip itself. From the middle on, first towards it.
    let middle = between.len() / 2;
    let candidates = (1..=middle).rev().chain(middle + 1..between.len());
    for commit in candidates.filter_map(|index| between.get(index)) {
        let Ok(step) = commit.to_string().parse() else { continue };
        let brings_more = cache.workflow_files(&step)?.keys().any(|file| !files.contains_key(file));
        let keeps = match forward {
            Some(old) => cache.is_ancestor(old, &step)?,
            None => true,
        };
        if brings_more || !keeps {
            continue;
        }
        let first = RefChange { new: Some(step.clone()), ..change.clone() };
        let second = RefChange { action: ChangeAction::FastForward, old: Some(step), decision: None, ..change.clone() };
        return Ok(Some((first, second)));
    }
    Ok(None)
}
