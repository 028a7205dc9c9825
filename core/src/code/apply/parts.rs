//! Cutting what is to be pushed: into pieces that one push can carry, deletes that make room before the rest, and one change in two
//! where its history is more than the host takes.

use std::collections::BTreeSet;

use standin_state::model::RefName;
use standin_state::store::ChangeAction;

use crate::Result;
use crate::code::plan::in_the_way;
use crate::git::{Cache, Refs, Remote, Update};
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

/// Deletes of names that stand in the way of a name to be made, and the rest. Git does not do both in one step.
pub(super) fn making_room(changes: Vec<RefChange>) -> (Vec<RefChange>, Vec<RefChange>) {
    let deleted: Refs = changes
        .iter()
        .filter(|change| change.action == ChangeAction::Delete)
        .filter_map(|change| Some((change.name.clone(), change.old.clone()?)))
        .collect();
    let room: BTreeSet<RefName> = changes
        .iter()
        .filter(|change| change.action == ChangeAction::Create)
        .flat_map(|change| in_the_way(&deleted, &change.name))
        .cloned()
        .collect();
    changes.into_iter().partition(|change| room.contains(&change.name))
}

/// Cuts changes into pieces that fit into one push each, together with the fence. The mirror has `standing` refs.
pub(super) fn pieces(remote: &Remote, changes: Vec<RefChange>, standing: usize) -> Vec<Vec<RefChange>> {
    let updates: Vec<Update> = changes
        .iter()
        .map(|change| Update { name: change.name.clone(), old: change.old.clone(), new: change.new.clone() })
        .collect();
    let fence = Update { name: RefName::fence(), old: None, new: None };
    remote.pieces(&updates, &[fence], standing).into_iter().map(|range| changes[range].to_vec()).collect()
}
