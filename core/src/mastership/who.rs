//! Who is master, by the fences that are known.

use std::collections::BTreeMap;

use super::machine::{Open, Seen};
use standin_state::model::Site;

/// The current master of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its slug, URL or path.
    pub master: Site,
    /// The epoch in which it is master.
    pub epoch: u64,
    /// Whether it is only `TEMPORARY_MASTER`.
    pub is_temporary: bool,
    /// Others that were made master in the same epoch: two parties acted without seeing each other.
    pub rivals: Vec<Site>,
}

/// The master named by the highest epoch; `None` where no fence is known yet. In one epoch the master that its own fence
/// names goes before others, so that every machine that sees the same fences says the same.
pub fn master(fences: &BTreeMap<Site, Seen>) -> Option<Who> {
    let epoch = fences.values().map(|seen| seen.epoch).max()?;
    let mut named: Vec<(bool, &Seen)> = fences
        .iter()
        .filter(|(_, seen)| seen.epoch == epoch)
        .map(|(site, seen)| (*site != seen.master, seen))
        .collect();
    named.sort_by(|one, other| (one.0, &one.1.master).cmp(&(other.0, &other.1.master)));
    let (_, first) = *named.first()?;
    let mut rivals: Vec<Site> =
        named.iter().filter(|(_, seen)| seen.master != first.master).map(|(_, seen)| seen.master.clone()).collect();
    rivals.dedup();
    Some(Who { master: first.master.clone(), epoch, is_temporary: first.is_temporary, rivals })
}

/// The role change that must end before another may begin, with the repository in whose fence it stands. One that stands
/// in a fence of an older epoch than another fence has can go on no more, and the next change ends it.
pub fn open_change(fences: &BTreeMap<Site, Seen>) -> Option<(&Site, &Open)> {
    let epoch = fences.values().map(|seen| seen.epoch).max()?;
    fences
        .iter()
        .filter(|(_, seen)| seen.epoch == epoch)
        .filter_map(|(site, seen)| Some((site, seen.open.as_ref()?)))
        .find(|(_, open)| open.change.is_some())
}
