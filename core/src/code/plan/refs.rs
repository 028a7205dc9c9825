//! What happens to each ref: a pure function of what both sides hold, what we pushed and what the user decided.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use standin_state::model::{Oid, RefName};
use standin_state::store::{ChangeAction, Decision, DecisionChoice};

use crate::git::Refs;
use crate::plan::{Divergence, LeftAlone, NameConflict, RefChange, RefsPlan};

/// What the planner asks about commits.
pub trait Ancestry {
    /// Whether the history of `tip` contains the commit `other`, or is it. `false` where one of them is not here or
    /// is no commit.
    fn contains(&self, tip: &Oid, other: &Oid) -> bool;

    /// How many commits only `one` and only `other` have; `None` where one of them is not here or is no commit.
    fn ahead_behind(&self, one: &Oid, other: &Oid) -> Option<(u64, u64)>;
}

/// Both sides, as they were seen.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The source's refs.
    pub source: &'a Refs,
    /// The mirror's refs.
    pub mirror: &'a Refs,
    /// The tips that we gave to refs of the mirror.
    pub pushed: &'a BTreeMap<RefName, BTreeSet<Oid>>,
    /// The user's choices, by ref. A choice for another tip than the mirror's present one does not count.
    pub decisions: &'a BTreeMap<RefName, Decision>,
    /// The source's default branch.
    pub default_branch: Option<&'a RefName>,
}

/// Plans each ref by the rules of DESIGN.md §5.
///
/// A tip on the mirror that we did not push and that the source's tip of the same name does not contain is never
/// moved or deleted unless the user chose `overwrite` for that very tip.
pub fn plan_refs(sides: Sides<'_>, ancestry: &dyn Ancestry) -> RefsPlan {
    let names: BTreeSet<&RefName> = sides.source.keys().chain(sides.mirror.keys()).collect();
    let mut plan = RefsPlan::default();
    for name in names {
        match (sides.source.get(name), sides.mirror.get(name)) {
            (Some(source), None) => plan.changes.push(RefChange {
                name: name.clone(),
                action: ChangeAction::Create,
                old: None,
                new: Some(source.clone()),
                decision: None,
            }),
            (Some(source), Some(mirror)) if source == mirror => plan.unchanged += 1,
            (source, Some(mirror)) => present(sides, ancestry, &mut plan, name, source, mirror),
            (None, None) => {}
        }
    }
    take_out_conflicts(sides.mirror, &mut plan);
    plan.changes.sort_by(|one, other| order(sides, one).cmp(&order(sides, other)));
    debug_assert!(loses_nothing(sides, ancestry, &plan), "a plan would lose a tip that is neither ours nor contained");
    plan
}

/// A ref that the mirror has, and that differs from the source.
fn present(
    sides: Sides<'_>,
    ancestry: &dyn Ancestry,
    plan: &mut RefsPlan,
    name: &RefName,
    source: Option<&Oid>,
    mirror: &Oid,
) {
    let ever_pushed = sides.pushed.get(name);
    let ours = ever_pushed.is_some_and(|tips| tips.contains(mirror));
    let decision = sides.decisions.get(name).filter(|decision| decision.seen == mirror.as_str());
    let overwrite = decision.filter(|decision| decision.choice == DecisionChoice::Overwrite);
    let contained = source.is_some_and(|source| ancestry.contains(source, mirror));

    let action = match source {
        Some(_) if contained && !name.is_tag() => Some(ChangeAction::FastForward),
        Some(_) if contained || ours || overwrite.is_some() => Some(ChangeAction::Rewrite),
        None if ours || overwrite.is_some() => Some(ChangeAction::Delete),
        Some(_) | None => None,
    };
    if let Some(action) = action {
        let needs_the_choice = !ours && !contained;
        plan.changes.push(RefChange {
            name: name.clone(),
            action,
            old: Some(mirror.clone()),
            new: source.cloned(),
            decision: overwrite.filter(|_| needs_the_choice).cloned(),
        });
    } else if source.is_none() && ever_pushed.is_none() {
        plan.left_alone.push(LeftAlone { name: name.clone(), oid: mirror.clone() });
    } else {
        let counts = source.and_then(|source| ancestry.ahead_behind(mirror, source));
        plan.diverged.push(Divergence {
            name: name.clone(),
            mirror_tip: mirror.clone(),
            source_tip: source.cloned(),
            ahead: counts.map(|(ahead, _)| ahead),
            behind: counts.map(|(_, behind)| behind),
            decision: decision.cloned(),
        });
    }
}

/// Moves creates whose name is taken by a ref that stays on the mirror to `conflicts`.
fn take_out_conflicts(mirror: &Refs, plan: &mut RefsPlan) {
    let deleted: BTreeSet<&RefName> =
        plan.changes.iter().filter(|change| change.action == ChangeAction::Delete).map(|change| &change.name).collect();
    let mut conflicts = Vec::new();
    for change in &plan.changes {
        let (ChangeAction::Create, Some(tip)) = (change.action, &change.new) else { continue };
        let in_the_way: Vec<RefName> =
            in_the_way(mirror, &change.name).filter(|name| !deleted.contains(name)).cloned().collect();
        if !in_the_way.is_empty() {
            conflicts.push(NameConflict { name: change.name.clone(), source_tip: tip.clone(), in_the_way });
        }
    }
    let conflicting: BTreeSet<&RefName> = conflicts.iter().map(|conflict| &conflict.name).collect();
    plan.changes.retain(|change| !conflicting.contains(&change.name));
    plan.conflicts = conflicts;
}

/// The refs that exclude a ref `name`: those that are a folder of it, and those of which it is a folder.
pub fn in_the_way<'a>(refs: &'a Refs, name: &RefName) -> impl Iterator<Item = &'a RefName> {
    let text = name.as_str();
    let above = text
        .match_indices('/')
        .filter_map(|(end, _)| text[..end].parse::<RefName>().ok())
        .filter_map(|above| refs.get_key_value(&above).map(|(name, _)| name))
        .collect::<Vec<_>>();
    let folder = format!("{text}/");
    let below = refs
        .range::<RefName, _>((Bound::Excluded(name), Bound::Unbounded))
        .map(|(below, _)| below)
        // Between `a` and `a/b` only names that go on with a character below `/` can stand: `a-b`, `a.b`.
        .take_while({
            let text = text.to_owned();
            move |below| below.as_str().starts_with(&text)
        })
        .filter(move |below| below.as_str().starts_with(&folder));
    above.into_iter().chain(below)
}

/// The default branch first, then branches, tags and others; deletes last, so that commits that move from one name to
/// another stay reachable on the mirror.
fn order<'a>(sides: Sides<'_>, change: &'a RefChange) -> (bool, bool, u8, &'a RefName) {
    let kind = if change.name.is_branch() {
        0
    } else if change.name.is_tag() {
        1
    } else {
        2
    };
    (Some(&change.name) != sides.default_branch, change.action == ChangeAction::Delete, kind, &change.name)
}

/// Pairs of names that differ only in case, which some file systems and hosts cannot hold side by side.
pub fn case_twins<'a>(names: impl IntoIterator<Item = &'a RefName>) -> Vec<(&'a RefName, &'a RefName)> {
    let mut seen: BTreeMap<String, &RefName> = BTreeMap::new();
    let mut twins = Vec::new();
    for name in names {
        match seen.entry(name.as_str().to_lowercase()) {
            std::collections::btree_map::Entry::Occupied(first) if *first.get() != name => {
                twins.push((*first.get(), name));
            }
            std::collections::btree_map::Entry::Occupied(_) => {}
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(name);
            }
        }
    }
    twins
}

/// The promise of [`plan_refs`]: each tip that would go is ours, contained in what replaces it, or given up by the
/// user; whatever else is not a fast-forward is rescued by who applies the plan.
fn loses_nothing(sides: Sides<'_>, ancestry: &dyn Ancestry, plan: &RefsPlan) -> bool {
    plan.changes.iter().all(|change| {
        let Some(old) = &change.old else { return change.action == ChangeAction::Create };
        let ours = sides.pushed.get(&change.name).is_some_and(|tips| tips.contains(old));
        let contained = change.new.as_ref().is_some_and(|new| ancestry.contains(new, old));
        let given_up = change
            .decision
            .as_ref()
            .is_some_and(|decision| decision.seen == old.as_str() && decision.choice == DecisionChoice::Overwrite);
        match change.action {
            ChangeAction::FastForward => contained,
            ChangeAction::Rewrite | ChangeAction::Delete => ours || contained || given_up,
            _ => false,
        }
    })
}

#[cfg(test)]
#[path = "refs_tests.rs"]
mod tests;
