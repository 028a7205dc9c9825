use proptest::prelude::*;

use super::*;

/// Commits are numbers; each has at most one parent.
#[derive(Debug)]
struct Line(BTreeMap<Oid, Option<Oid>>);

impl Ancestry for Line {
    fn contains(&self, tip: &Oid, other: &Oid) -> bool {
        let mut at = Some(tip);
        while let Some(commit) = at {
            if commit == other {
                return true;
            }
            at = self.0.get(commit).and_then(Option::as_ref);
        }
        false
    }

    fn ahead_behind(&self, one: &Oid, other: &Oid) -> Option<(u64, u64)> {
        self.0.contains_key(one).then(|| (u64::from(one != other), 0))
    }
}

fn oid(number: usize) -> Oid {
    format!("{number:040x}").parse().expect("an oid")
}

fn name(text: &str) -> RefName {
    text.parse().expect("a ref name")
}

/// Commits 1 ← 2 ← 3 and 1 ← 4.
fn line() -> Line {
    Line(BTreeMap::from([(oid(1), None), (oid(2), Some(oid(1))), (oid(3), Some(oid(2))), (oid(4), Some(oid(1)))]))
}

#[derive(Debug, Default)]
struct Case {
    source: Refs,
    mirror: Refs,
    pushed: BTreeMap<RefName, BTreeSet<Oid>>,
    decisions: BTreeMap<RefName, Decision>,
    default_branch: Option<RefName>,
}

impl Case {
    fn source(mut self, text: &str, tip: usize) -> Self {
        self.source.insert(name(text), oid(tip));
        self
    }

    fn mirror(mut self, text: &str, tip: usize) -> Self {
        self.mirror.insert(name(text), oid(tip));
        self
    }

    fn pushed(mut self, text: &str, tip: usize) -> Self {
        self.pushed.entry(name(text)).or_default().insert(oid(tip));
        self
    }

    fn decided(mut self, text: &str, tip: usize, choice: DecisionChoice) -> Self {
        let decision = Decision {
            ask: (&name(text)).into(),
            seen: oid(tip).to_string(),
            choice,
            decided_iso: jiff::Timestamp::UNIX_EPOCH,
        };
        self.decisions.insert(name(text), decision);
        self
    }

    fn sides(&self) -> Sides<'_> {
        Sides {
            source: &self.source,
            mirror: &self.mirror,
            pushed: &self.pushed,
            decisions: &self.decisions,
            default_branch: self.default_branch.as_ref(),
        }
    }

    fn plan(&self) -> RefsPlan {
        plan_refs(self.sides(), &line())
    }

    /// Action, old and new of the only change.
    fn change(&self) -> (ChangeAction, Option<Oid>, Option<Oid>) {
        let plan = self.plan();
        assert_eq!((plan.changes.len(), plan.diverged.len(), plan.left_alone.len()), (1, 0, 0), "{plan:?}");
        let change = &plan.changes[0];
        (change.action, change.old.clone(), change.new.clone())
    }

    /// Whether the only ref is diverged, and whether a decision stands.
    fn diverged(&self) -> Option<bool> {
        let plan = self.plan();
        assert!(plan.changes.is_empty(), "{plan:?}");
        plan.diverged.first().map(|divergence| divergence.decision.is_some())
    }
}

const MAIN: &str = "refs/heads/main";
const TAG: &str = "refs/tags/v1";

#[test]
fn a_ref_that_only_the_source_has_is_created() {
    assert_eq!(Case::default().source(MAIN, 1).change(), (ChangeAction::Create, None, Some(oid(1))));
    let deleted_by_others = Case::default().source(MAIN, 1).pushed(MAIN, 1);
    assert_eq!(deleted_by_others.change(), (ChangeAction::Create, None, Some(oid(1))));
}

#[test]
fn a_tip_that_the_source_contains_is_fast_forwarded_even_if_we_did_not_push_it() {
    let expected = (ChangeAction::FastForward, Some(oid(1)), Some(oid(3)));
    assert_eq!(Case::default().source(MAIN, 3).mirror(MAIN, 1).pushed(MAIN, 1).change(), expected);
    assert_eq!(Case::default().source(MAIN, 3).mirror(MAIN, 1).change(), expected);
    assert_eq!(Case::default().source(MAIN, 3).mirror(MAIN, 1).pushed(MAIN, 4).change(), expected);
}

#[test]
fn a_tip_that_we_pushed_is_rewritten_or_deleted_and_no_other() {
    let ours = Case::default().source(MAIN, 4).mirror(MAIN, 2).pushed(MAIN, 2);
    assert_eq!(ours.change(), (ChangeAction::Rewrite, Some(oid(2)), Some(oid(4))));
    assert_eq!(Case::default().source(MAIN, 4).mirror(MAIN, 2).pushed(MAIN, 1).diverged(), Some(false));
    assert_eq!(Case::default().source(MAIN, 4).mirror(MAIN, 2).diverged(), Some(false));

    let ours = Case::default().mirror(MAIN, 2).pushed(MAIN, 2);
    assert_eq!(ours.change(), (ChangeAction::Delete, Some(oid(2)), None));
    assert_eq!(Case::default().mirror(MAIN, 2).pushed(MAIN, 1).diverged(), Some(false));
}

#[test]
fn a_commit_that_only_the_mirror_has_is_diverged_also_on_top_of_ours() {
    assert_eq!(Case::default().source(MAIN, 2).mirror(MAIN, 3).pushed(MAIN, 2).diverged(), Some(false));
    assert_eq!(Case::default().source(MAIN, 2).mirror(MAIN, 99).pushed(MAIN, 2).diverged(), Some(false));
}

#[test]
fn a_name_that_only_the_mirror_has_is_left_alone() {
    let plan = Case::default().mirror(MAIN, 2).plan();
    assert_eq!(plan.left_alone, [LeftAlone { name: name(MAIN), oid: oid(2) }]);
    assert_eq!((plan.changes.len(), plan.diverged.len()), (0, 0));
}

#[test]
fn a_changed_tag_is_a_rewrite_where_the_old_one_was_ours_or_is_contained() {
    let ours = Case::default().source(TAG, 3).mirror(TAG, 1).pushed(TAG, 1);
    assert_eq!(ours.change(), (ChangeAction::Rewrite, Some(oid(1)), Some(oid(3))));
    let contained = Case::default().source(TAG, 3).mirror(TAG, 1);
    assert_eq!(contained.change(), (ChangeAction::Rewrite, Some(oid(1)), Some(oid(3))));
    assert_eq!(Case::default().source(TAG, 3).mirror(TAG, 4).diverged(), Some(false));
}

#[test]
fn a_choice_counts_for_its_tip_only() {
    let case = || Case::default().source(MAIN, 2).mirror(MAIN, 4);
    let overwrite = case().decided(MAIN, 4, DecisionChoice::Overwrite);
    assert_eq!(overwrite.change(), (ChangeAction::Rewrite, Some(oid(4)), Some(oid(2))));
    assert!(overwrite.plan().changes[0].decision.is_some());
    assert_eq!(case().decided(MAIN, 3, DecisionChoice::Overwrite).diverged(), Some(false));
    assert_eq!(case().decided(MAIN, 4, DecisionChoice::Leave).diverged(), Some(true));
    assert_eq!(case().decided(MAIN, 4, DecisionChoice::Take).diverged(), Some(true));
    assert_eq!(case().decided(MAIN, 3, DecisionChoice::Leave).diverged(), Some(false));
}

#[test]
fn overwriting_a_ref_that_only_the_mirror_has_deletes_it() {
    let left = Case::default().mirror(MAIN, 2).decided(MAIN, 2, DecisionChoice::Overwrite);
    assert_eq!(left.change(), (ChangeAction::Delete, Some(oid(2)), None));
    let moved = Case::default().mirror(MAIN, 2).pushed(MAIN, 1).decided(MAIN, 2, DecisionChoice::Overwrite);
    assert_eq!(moved.change(), (ChangeAction::Delete, Some(oid(2)), None));
}

#[test]
fn the_default_branch_goes_first_and_deletes_go_last() {
    let mut case = Case::default()
        .source("refs/heads/a", 1)
        .source("refs/heads/main", 1)
        .source("refs/tags/a", 1)
        .source("refs/notes/commits", 1)
        .mirror("refs/heads/0", 1)
        .pushed("refs/heads/0", 1);
    case.default_branch = Some(name(MAIN));
    let names: Vec<String> = case.plan().changes.iter().map(|change| change.name.to_string()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/heads/a", "refs/tags/a", "refs/notes/commits", "refs/heads/0"]);
}

#[test]
fn names_that_exclude_each_other_are_explained() {
    for (there, wanted) in [("refs/heads/a", "refs/heads/a/b"), ("refs/heads/a/b/c", "refs/heads/a")] {
        let plan = Case::default().mirror(there, 1).mirror("refs/heads/a-b", 1).source(wanted, 2).plan();
        assert_eq!(
            plan.conflicts,
            [NameConflict { name: name(wanted), source_tip: oid(2), in_the_way: vec![name(there)] }]
        );
        assert_eq!(plan.changes, []);
    }
    let renamed =
        Case::default().mirror("refs/heads/a", 1).pushed("refs/heads/a", 1).source("refs/heads/a/b", 1).plan();
    assert_eq!((renamed.conflicts.len(), renamed.changes.len()), (0, 2), "our own ref is deleted first");
}

#[test]
fn names_that_differ_only_in_case_are_noticed() {
    let names = [name("refs/heads/Main"), name("refs/heads/main"), name("refs/heads/other")];
    assert_eq!(case_twins(&names), [(&names[0], &names[1])]);
}

fn refs(tips: std::ops::Range<usize>) -> impl Strategy<Value = Refs> {
    let names = prop::sample::select(vec![MAIN, "refs/heads/a", "refs/heads/a/b", "refs/heads/c", TAG, "refs/tags/v2"]);
    prop::collection::btree_map(names.prop_map(name), tips.prop_map(oid), 0..6)
}

/// A history in which the parent of a commit is an earlier one or none.
fn history() -> impl Strategy<Value = Line> {
    prop::collection::vec(any::<prop::sample::Index>(), 8).prop_map(|parents| {
        let commits = parents.iter().enumerate().map(|(number, parent)| {
            let parent = parent.index(number + 1);
            (oid(number + 1), (parent > 0).then(|| oid(parent)))
        });
        Line(commits.collect())
    })
}

fn case() -> impl Strategy<Value = Case> {
    let choice = prop::sample::select(vec![DecisionChoice::Overwrite, DecisionChoice::Take, DecisionChoice::Leave]);
    (refs(1..9), refs(1..12), refs(1..12), refs(1..12), choice).prop_map(|(source, mirror, pushed, chosen, choice)| {
        let mut case = Case { source, mirror, default_branch: Some(name(MAIN)), ..Case::default() };
        for (name, tip) in pushed {
            case.pushed.entry(name).or_default().insert(tip);
        }
        for (ref_name, tip) in chosen {
            let decision = Decision {
                ask: (&ref_name).into(),
                seen: tip.to_string(),
                choice,
                decided_iso: jiff::Timestamp::UNIX_EPOCH,
            };
            case.decisions.insert(ref_name, decision);
        }
        case
    })
}

proptest! {
    #[test]
    fn no_plan_moves_a_tip_that_is_neither_ours_nor_contained_nor_given_up(case in case(), line in history()) {
        let plan = plan_refs(case.sides(), &line);
        for change in &plan.changes {
            prop_assert_eq!(case.mirror.get(&change.name), change.old.as_ref(), "the lease is what was seen");
            prop_assert_eq!(case.source.get(&change.name), change.new.as_ref(), "the new tip is the source's");
            let Some(old) = &change.old else { continue };
            let ours = case.pushed.get(&change.name).is_some_and(|tips| tips.contains(old));
            let contained = change.new.as_ref().is_some_and(|new| line.contains(new, old));
            let given_up = case.decisions.get(&change.name)
                .is_some_and(|decision| decision.seen == old.as_str() && decision.choice == DecisionChoice::Overwrite);
            prop_assert!(ours || contained || given_up, "{change:?}");
            prop_assert!(contained || change.action != ChangeAction::FastForward, "{change:?}");
        }
    }

    #[test]
    fn every_ref_is_accounted_for_once(case in case(), line in history()) {
        let plan = plan_refs(case.sides(), &line);
        let mut names: Vec<&RefName> = plan.changes.iter().map(|change| &change.name)
            .chain(plan.diverged.iter().map(|divergence| &divergence.name))
            .chain(plan.left_alone.iter().map(|left| &left.name))
            .chain(plan.conflicts.iter().map(|conflict| &conflict.name))
            .collect();
        names.extend(case.source.iter().filter(|(name, tip)| case.mirror.get(*name) == Some(tip)).map(|(name, _)| name));
        names.sort();
        let all: BTreeSet<&RefName> = case.source.keys().chain(case.mirror.keys()).collect();
        prop_assert_eq!(names, all.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(case in case(), line in history()) {
        let plan = plan_refs(case.sides(), &line);
        let mut after = Case {
            source: case.source.clone(), mirror: case.mirror.clone(), pushed: case.pushed.clone(),
            decisions: case.decisions.clone(), default_branch: case.default_branch.clone(),
        };
        for change in &plan.changes {
            match &change.new {
                Some(new) => {
                    after.mirror.insert(change.name.clone(), new.clone());
                    after.pushed.entry(change.name.clone()).or_default().insert(new.clone());
                }
                None => { after.mirror.remove(&change.name); }
            }
        }
        prop_assert_eq!(plan_refs(after.sides(), &line).changes, vec![]);
    }
}
