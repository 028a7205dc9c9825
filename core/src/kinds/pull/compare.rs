//! What the upstream has beside what the copy has: pure, without git.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use standin_state::config::PulledRefs;
use standin_state::model::{Oid, RefName};
use standin_state::store::{ChangeAction, Decision};

use crate::code::in_the_way;
use crate::git::{Head, Listing, Refs};
use crate::plan::{LeftAlone, RefChange, RefsPlan};
use crate::{Code, Error, Result};

/// The refs that the copy is to have, and what its `HEAD` is to say; `None` where the upstream's says nothing that can be
/// kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub refs: Refs,
    pub head: Option<Head>,
}

impl Wanted {
    /// What `refs` keeps of an upstream.
    ///
    /// # Errors
    /// [`Code::Configuration`] where two of its refs would be kept under one name, or under names that exclude each other.
    pub fn of(listing: &Listing, refs: &PulledRefs) -> Result<Self> {
        let mut wanted: BTreeMap<RefName, (&RefName, &Oid)> = BTreeMap::new();
        for (name, oid) in &listing.refs {
            for kept in refs.names_of(name) {
                if let Some((other, at)) = wanted.insert(kept.clone(), (name, oid))
                    && at != oid
                {
                    return Err(clash(&kept, other, name));
                }
            }
        }
        // Names that an upstream has beside each other do not exclude each other.
        let renamed = if refs.keeps_names() { None } else { Some(&wanted) };
        let names: HashSet<&str> = renamed.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        for (name, (from, _)) in renamed.into_iter().flatten() {
            let mut folders = name.as_str().match_indices('/').map(|(end, _)| &name.as_str()[..end]);
            if let Some(folder) = folders.find(|folder| names.contains(folder)) {
                let other = wanted.iter().find(|(other, _)| other.as_str() == folder).map(|(_, (from, _))| *from);
                return Err(clash(name, from, other.unwrap_or(from)));
            }
        }
        let refs_of: Refs = wanted.into_iter().map(|(name, (_, oid))| (name, oid.clone())).collect();
        let head = match (&listing.head, &listing.head_oid) {
            (Some(branch), _) => refs.names_of(branch).find(|name| refs_of.contains_key(name)).map(Head::Branch),
            (None, Some(oid)) => Some(Head::Detached(oid.clone())),
            (None, None) => None,
        };
        Ok(Self { refs: refs_of, head })
    }

    /// The branch that `HEAD` is to name.
    pub fn default_branch(&self) -> Option<&RefName> {
        match &self.head {
            Some(Head::Branch(name)) => Some(name),
            Some(Head::Detached(_)) | None => None,
        }
    }

    /// The commit that `HEAD` is to lead to.
    pub fn tip(&self) -> Option<&Oid> {
        match &self.head {
            Some(Head::Branch(name)) => self.refs.get(name),
            Some(Head::Detached(oid)) => Some(oid),
            None => None,
        }
    }
}

fn clash(kept: &RefName, one: &RefName, other: &RefName) -> Error {
    Error::new(
        Code::Configuration,
        format!("`{one}` and `{other}` of the upstream cannot both be kept: their names clash at `{kept}`"),
        "Change `refs` of the mirror so that each ref has a name of its own, or leave one of the two out with `^`.",
    )
}

/// Whether a ref is made anew by its host whenever a branch moves: the trial merge of a pull request. It holds nobody's
/// commit that has no ref of its own.
pub(super) fn is_made_by_host(name: &RefName) -> bool {
    let of = |prefix| name.as_str().strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix("/merge"));
    of("refs/pull/").or_else(|| of("refs/merge-requests/")).is_some_and(|number| number.parse::<u64>().is_ok())
}

/// The refs that both sides have with other tips: name, tip in the copy, tip at the upstream.
pub(super) fn moves<'a>(wanted: &'a Refs, standing: &'a Refs) -> Vec<(&'a RefName, &'a Oid, &'a Oid)> {
    let both = wanted.iter().filter_map(|(name, new)| Some((name, standing.get(name)?, new)));
    both.filter(|(_, old, new)| old != new).collect()
}

/// Refs of the copy that stay though the upstream has none of that name, because a person said so of that very tip.
pub(super) fn left<'a>(wanted: &Refs, standing: &'a Refs, decisions: &[Decision]) -> BTreeMap<&'a RefName, &'a Oid> {
    let is_left = |name: &RefName, oid: &Oid| {
        decisions.iter().any(|decision| decision.ask.as_str() == name.as_str() && decision.seen == oid.as_str())
    };
    standing
        .iter()
        .filter(|(name, oid)| !wanted.contains_key(*name) && is_left(name, oid))
        .filter(|(name, _)| in_the_way(wanted, name).next().is_none())
        .collect()
}

/// What has to change for the copy to have what is wanted, the default branch first. `forward` are the names of those
/// moves that lose nothing.
pub(super) fn compare(
    wanted: &Wanted,
    standing: &Refs,
    left: &BTreeMap<&RefName, &Oid>,
    forward: &BTreeSet<&RefName>,
) -> RefsPlan {
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for (name, new) in &wanted.refs {
        let action = match standing.get(name) {
            Some(old) if old == new => {
                unchanged += 1;
                continue;
            }
            Some(_) if forward.contains(name) => ChangeAction::FastForward,
            Some(_) => ChangeAction::Rewrite,
            None => ChangeAction::Create,
        };
        changes.push(change(name, action, standing.get(name), Some(new)));
    }
    let gone = standing.iter().filter(|(name, _)| !wanted.refs.contains_key(*name) && !left.contains_key(name));
    changes.extend(gone.map(|(name, old)| change(name, ChangeAction::Delete, Some(old), None)));
    let default_branch = wanted.default_branch();
    changes.sort_by_key(|change| (Some(&change.name) != default_branch, change.new.is_none()));
    let left_alone = left.iter().map(|(name, oid)| LeftAlone { name: (*name).clone(), oid: (*oid).clone() }).collect();
    RefsPlan { changes, left_alone, unchanged, ..RefsPlan::default() }
}

fn change(name: &RefName, action: ChangeAction, old: Option<&Oid>, new: Option<&Oid>) -> RefChange {
    RefChange { name: name.clone(), action, old: old.cloned(), new: new.cloned(), decision: None }
}

#[cfg(test)]
mod tests {
    use standin_state::store::DecisionChoice;

    use super::*;

    fn name(text: &str) -> RefName {
        text.parse().unwrap()
    }

    fn oid(digit: char) -> Oid {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn refs(named: &[(&str, char)]) -> Refs {
        named.iter().map(|(text, digit)| (name(text), oid(*digit))).collect()
    }

    fn listing(named: &[(&str, char)], head: Option<&str>) -> Listing {
        Listing { refs: refs(named), head: head.map(name), ..Listing::default() }
    }

    #[test]
    fn each_ref_is_created_moved_or_goes_and_the_default_branch_is_first() {
        let upstream = listing(
            &[("refs/heads/a", '1'), ("refs/heads/main", '2'), ("refs/heads/same", '3'), ("refs/tags/v1", '4')],
            Some("refs/heads/main"),
        );
        let wanted = Wanted::of(&upstream, &PulledRefs::default()).unwrap();
        let standing = refs(&[
            ("refs/heads/gone", '5'),
            ("refs/heads/main", '1'),
            ("refs/heads/same", '3'),
            ("refs/tags/v1", '9'),
        ]);
        let main = name("refs/heads/main");
        assert_eq!(moves(&wanted.refs, &standing).len(), 2);
        let plan = compare(&wanted, &standing, &BTreeMap::new(), &BTreeSet::from([&main]));
        let actions: Vec<_> = plan.changes.iter().map(|change| (change.name.as_str(), change.action)).collect();
        assert_eq!(
            actions,
            [
                ("refs/heads/main", ChangeAction::FastForward),
                ("refs/heads/a", ChangeAction::Create),
                ("refs/tags/v1", ChangeAction::Rewrite),
                ("refs/heads/gone", ChangeAction::Delete),
            ]
        );
        assert_eq!(plan.unchanged, 1);
        assert_eq!(compare(&wanted, &wanted.refs, &BTreeMap::new(), &BTreeSet::new()).changes, []);
    }

    #[test]
    fn what_a_person_put_back_stays_until_it_moves_or_is_in_the_way() {
        let decision = |text: &str, digit| Decision {
            ask: (&name(text)).into(),
            seen: oid(digit).to_string(),
            choice: DecisionChoice::Leave,
            decided_iso: jiff::Timestamp::UNIX_EPOCH,
        };
        let standing = refs(&[("refs/heads/old", '1'), ("refs/heads/other", '2')]);
        let decisions = [decision("refs/heads/old", '1'), decision("refs/heads/other", '3')];
        let wanted = Wanted { refs: refs(&[("refs/heads/main", '4')]), head: None };
        let stays = left(&wanted.refs, &standing, &decisions);
        let plan = compare(&wanted, &standing, &stays, &BTreeSet::new());
        assert_eq!(plan.left_alone.len(), 1);
        let gone: Vec<_> =
            plan.changes.iter().filter(|change| change.new.is_none()).map(|change| &change.name).collect();
        assert_eq!(gone, [&name("refs/heads/other")]);
        for taken in ["refs/heads/old", "refs/heads/old/x"] {
            assert!(left(&refs(&[(taken, '4')]), &standing, &decisions).is_empty(), "{taken}");
        }
    }

    #[test]
    fn head_is_kept_under_the_name_of_its_branch() {
        let branches: PulledRefs = PulledRefs::default();
        let upstream = listing(&[("refs/heads/main", '1')], Some("refs/heads/main"));
        assert_eq!(Wanted::of(&upstream, &branches).unwrap().head, Some(Head::Branch(name("refs/heads/main"))));
        let unborn = listing(&[("refs/heads/main", '1')], Some("refs/heads/other"));
        assert_eq!(Wanted::of(&unborn, &branches).unwrap().head, None);
        let detached = Listing { head_oid: Some(oid('7')), ..listing(&[("refs/heads/main", '1')], None) };
        assert_eq!(Wanted::of(&detached, &branches).unwrap().tip(), Some(&oid('7')));
    }

    #[test]
    fn names_that_exclude_each_other_are_refused() {
        let refs: PulledRefs = "+refs/heads/*:refs/kept/* +refs/tags/*:refs/kept/a/*".parse().unwrap();
        let upstream = |names: &[(&str, char)]| Wanted::of(&listing(names, None), &refs);
        assert!(upstream(&[("refs/heads/b", '1'), ("refs/heads/a-b", '2'), ("refs/tags/b", '2')]).is_ok());
        for (names, clash) in [
            ([("refs/heads/a", '1'), ("refs/tags/b", '2')], "refs/kept/a/b"),
            ([("refs/heads/a/b", '1'), ("refs/tags/b", '2')], "refs/kept/a/b"),
        ] {
            let error = upstream(&names).unwrap_err();
            assert_eq!(error.code, Code::Configuration);
            assert!(error.message.contains(clash) && error.message.contains("`refs/tags/b`"), "{error:?}");
        }
        assert!(upstream(&[("refs/heads/a/b", '1'), ("refs/tags/b", '1')]).is_ok(), "the same tip under one name");
    }

    #[test]
    fn only_trial_merges_are_made_by_their_host() {
        for made in ["refs/pull/12/merge", "refs/merge-requests/3/merge"] {
            assert!(is_made_by_host(&name(made)), "{made}");
        }
        for other in ["refs/pull/12/head", "refs/heads/pull/12/merge", "refs/pull/x/merge"] {
            assert!(!is_made_by_host(&name(other)), "{other}");
        }
    }
}
