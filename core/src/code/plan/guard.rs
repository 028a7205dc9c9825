//! Plans that wait for a confirmation, since a mistake at the source would look just like them.

use std::collections::BTreeSet;

use standin_state::model::{Oid, RefName};
use standin_state::store::ChangeAction;

use crate::git::Refs;
use crate::plan::{GuardReason, RefChange, counted, plural};

/// Up to so many refs may be rewritten or deleted at once.
pub const MANY_REFS: usize = 10;
/// Up to so many per cent of them.
pub const MANY_REFS_PERCENT: usize = 20;

/// What the guard looks at.
#[derive(Debug)]
pub struct Guarded<'a> {
    /// The source's refs.
    pub source: &'a Refs,
    /// The mirror's refs.
    pub mirror: &'a Refs,
    /// The refs that we keep on the mirror.
    pub kept: &'a BTreeSet<RefName>,
    /// What would change.
    pub changes: &'a [RefChange],
    /// The default branches of the source and of the mirror.
    pub default_branches: [Option<&'a RefName>; 2],
    /// The source's id at its host: the one confirmed last, and the one found.
    pub source_ids: [Option<&'a str>; 2],
    /// Whether a private source would go to a public mirror, not confirmed yet.
    pub private_to_public: bool,
    /// The host that a private source would go to without anybody knowing who may read there, not confirmed yet.
    pub private_to_unknown: Option<String>,
}

/// Why the plan waits; empty where it does not. What the user chose ref by ref is not asked again.
pub fn reasons(guarded: &Guarded<'_>) -> Vec<GuardReason> {
    let mut reasons = Vec::new();
    let undone: Vec<&RefChange> = guarded
        .changes
        .iter()
        .filter(|change| matches!(change.action, ChangeAction::Rewrite | ChangeAction::Delete))
        .filter(|change| change.decision.is_none())
        .collect();

    let kept: Vec<(&RefName, &Oid)> = guarded.mirror.iter().filter(|(name, _)| guarded.kept.contains(*name)).collect();
    let (affected, total) = (undone.len(), kept.len());
    if affected > MANY_REFS && affected * 100 > total * MANY_REFS_PERCENT {
        reasons.push(GuardReason::ManyRefs { affected, total });
    }

    let branches = kept.iter().filter(|(name, _)| name.is_branch()).count();
    let undone_branches = undone.iter().filter(|change| change.name.is_branch()).count();
    if branches > 0 && undone_branches >= branches {
        reasons.push(GuardReason::AllBranches { branches });
    }

    let mut defaults: Vec<&RefName> = guarded.default_branches.iter().copied().flatten().collect();
    defaults.dedup();
    for name in defaults {
        if undone.iter().any(|change| change.name == *name) {
            reasons.push(GuardReason::DefaultBranch { name: name.clone() });
        }
    }

    let empty = !guarded.source.keys().any(RefName::is_branch);
    if empty && !(guarded.mirror.is_empty() && guarded.kept.is_empty()) {
        reasons.push(GuardReason::SourceEmpty);
    }
    if let [Some(before), Some(now)] = guarded.source_ids
        && before != now
    {
        reasons.push(GuardReason::SourceReplaced { before: before.to_owned(), now: now.to_owned() });
    }
    if guarded.private_to_public {
        reasons.push(GuardReason::PrivateToPublic);
    }
    if let Some(host) = &guarded.private_to_unknown {
        reasons.push(GuardReason::PrivateToUnknown { host: host.clone() });
    }
    reasons
}

impl std::fmt::Display for GuardReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ManyRefs { affected, total } => {
                write!(formatter, "{affected} of {total} refs would be rewritten or deleted")
            }
            Self::AllBranches { branches: 1 } => formatter.write_str("the only branch would be rewritten or deleted"),
            Self::AllBranches { branches } => {
                write!(formatter, "all {branches} branches would be rewritten or deleted")
            }
            Self::DefaultBranch { name } => {
                write!(formatter, "the default branch `{}` would be rewritten or deleted", name.short())
            }
            Self::SourceEmpty => {
                formatter.write_str("the source has no branches any more, so that the mirror would be emptied")
            }
            Self::SourceReplaced { before, now } => {
                write!(formatter, "the source is another repository than before (id {now}, was {before})")
            }
            Self::PrivateToPublic => {
                formatter.write_str("the source is private, and the mirror is public: everyone could read the code")
            }
            Self::PrivateToUnknown { host } => {
                write!(formatter, "the source is private, and {host} does not tell who may read the mirror")
            }
            Self::FirstContact { owner, default_branch, branches, tags, workflows, last_push_iso } => {
                write!(
                    formatter,
                    "first contact with a repository of `{owner}` that shares no commit with the source: "
                )?;
                match default_branch {
                    Some(name) => write!(formatter, "default branch `{name}`, ")?,
                    None => formatter.write_str("no default branch, ")?,
                }
                let tags = if *tags == 0 { String::new() } else { format!(", {}", counted(*tags, "tag")) };
                write!(formatter, "{}{tags}, ", plural(*branches, "branch", "branches"))?;
                match workflows {
                    Some(count) => write!(formatter, "{}, ", counted(*count, "workflow"))?,
                    None => formatter.write_str("workflows not told, ")?,
                }
                match last_push_iso {
                    Some(at) => write!(formatter, "last push {at:.0}"),
                    None => formatter.write_str("last push not told"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RefName {
        text.parse().expect("a ref name")
    }

    fn oid(number: usize) -> Oid {
        format!("{number:040x}").parse().expect("an oid")
    }

    fn branches(count: usize) -> Refs {
        (0..count).map(|number| (name(&format!("refs/heads/b{number}")), oid(number + 1))).collect()
    }

    fn rewrites(refs: &Refs, count: usize) -> Vec<RefChange> {
        refs.iter()
            .take(count)
            .map(|(name, tip)| RefChange {
                name: name.clone(),
                action: ChangeAction::Rewrite,
                old: Some(tip.clone()),
                new: Some(oid(999)),
                decision: None,
            })
            .collect()
    }

    fn guard(refs: &Refs, changes: &[RefChange]) -> Vec<GuardReason> {
        let kept = refs.keys().cloned().collect();
        reasons(&Guarded {
            source: refs,
            mirror: refs,
            kept: &kept,
            changes,
            default_branches: [None, None],
            source_ids: [None, None],
            private_to_public: false,
            private_to_unknown: None,
        })
    }

    #[test]
    fn many_refs_wait_only_above_both_limits() {
        let refs = branches(50);
        assert_eq!(guard(&refs, &rewrites(&refs, 10)), []);
        assert_eq!(guard(&refs, &rewrites(&refs, 11)), [GuardReason::ManyRefs { affected: 11, total: 50 }]);
        let refs = branches(55);
        assert_eq!(guard(&refs, &rewrites(&refs, 11)), [], "11 of 55 are exactly 20 %");
    }

    #[test]
    fn all_branches_wait_even_when_they_are_few() {
        let refs = branches(2);
        assert_eq!(guard(&refs, &rewrites(&refs, 1)), []);
        assert_eq!(guard(&refs, &rewrites(&refs, 2)), [GuardReason::AllBranches { branches: 2 }]);
    }

    #[test]
    fn what_the_user_chose_for_a_ref_is_not_asked_again() {
        let refs = branches(1);
        let mut changes = rewrites(&refs, 1);
        assert_eq!(guard(&refs, &changes).len(), 1);
        changes[0].decision = Some(standin_state::store::Decision {
            ask: (&name("refs/heads/b0")).into(),
            seen: oid(1).to_string(),
            choice: standin_state::store::DecisionChoice::Overwrite,
            decided_iso: jiff::Timestamp::UNIX_EPOCH,
        });
        assert_eq!(guard(&refs, &changes), []);
    }

    #[test]
    fn the_default_branch_of_either_side_waits() {
        let refs = branches(3);
        let changes = rewrites(&refs, 1);
        let kept = refs.keys().cloned().collect();
        let (b0, b1) = (name("refs/heads/b0"), name("refs/heads/b1"));
        for default_branches in [[Some(&b0), Some(&b1)], [Some(&b1), Some(&b0)], [Some(&b0), Some(&b0)]] {
            let reasons = reasons(&Guarded {
                source: &refs,
                mirror: &refs,
                kept: &kept,
                changes: &changes,
                default_branches,
                source_ids: [None, None],
                private_to_public: false,
                private_to_unknown: None,
            });
            assert_eq!(reasons, [GuardReason::DefaultBranch { name: b0.clone() }]);
        }
    }

    #[test]
    fn an_emptied_a_replaced_and_a_private_source_wait() {
        let (tags, refs) = (Refs::from([(name("refs/tags/v1"), oid(1))]), branches(1));
        let nothing = BTreeSet::new();
        let guarded = |source, mirror, ids, private_to_public| {
            reasons(&Guarded {
                source,
                mirror,
                kept: &nothing,
                changes: &[],
                default_branches: [None, None],
                source_ids: ids,
                private_to_public,
                private_to_unknown: None,
            })
        };
        let empty = Refs::new();
        assert_eq!(guarded(&tags, &refs, [None, None], false), [GuardReason::SourceEmpty]);
        assert_eq!(guarded(&empty, &empty, [None, None], false), [], "a new pair of empty repositories is no danger");
        assert_eq!(
            guarded(&refs, &refs, [Some("1"), Some("2")], true),
            [GuardReason::SourceReplaced { before: "1".to_owned(), now: "2".to_owned() }, GuardReason::PrivateToPublic]
        );
        assert_eq!(guarded(&refs, &refs, [None, Some("2")], false), []);
    }
}
