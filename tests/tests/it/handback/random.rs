//! Random histories on both sides: whatever was done there, not one commit is lost, and all of the standby comes home.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use standin_core::state::model::Oid;
use standin_sandbox::Protection;
use standin_tests::pair::Repo;
use standin_tests::standby::PRIMARY;

use super::{World, plain};

/// Something that somebody does to a repository.
#[derive(Clone, Debug)]
enum Deed {
    /// A commit on a branch, which is made where there is none.
    Commit(usize),
    /// A branch set to the tip of another.
    Set(usize, usize),
    /// Two branches merged into the first.
    Merge(usize, usize),
    /// A branch set some commits back, and one put on top.
    Rewrite(usize, usize),
    /// A history of its own put in a branch's place.
    Unrelated(usize),
    Delete(usize),
    /// A tag set to the tip of a branch, annotated or not.
    Tag(usize, usize, bool),
    Untag(usize),
}

const BRANCHES: [&str; 5] = ["main", "topic", "deep/er", "deep", "standin/handback-1/topic"];
const TAGS: [&str; 3] = ["v1", "v2", "standin/handback-1/v1"];

fn deeds(most: usize) -> impl Strategy<Value = Vec<Deed>> {
    let branch = || 0..BRANCHES.len();
    let deed = prop_oneof![
        4 => branch().prop_map(Deed::Commit),
        1 => (branch(), branch()).prop_map(|(one, other)| Deed::Set(one, other)),
        1 => (branch(), branch()).prop_map(|(one, other)| Deed::Merge(one, other)),
        2 => (branch(), 1..3_usize).prop_map(|(one, back)| Deed::Rewrite(one, back)),
        1 => branch().prop_map(Deed::Unrelated),
        1 => branch().prop_map(Deed::Delete),
        2 => (0..TAGS.len(), branch(), any::<bool>()).prop_map(|(tag, one, heavy)| Deed::Tag(tag, one, heavy)),
        1 => (0..TAGS.len()).prop_map(Deed::Untag),
    ];
    proptest::collection::vec(deed, 0..most)
}

fn carry_out(repo: &Repo, deeds: &[Deed], who: &str) {
    let branch = |index: &usize| format!("refs/heads/{}", BRANCHES[*index]);
    let is_free = |name: &str| {
        repo.refs()
            .keys()
            .all(|other| !other.starts_with(&format!("{name}/")) && !name.starts_with(&format!("{other}/")))
    };
    for (number, deed) in deeds.iter().enumerate() {
        let text = format!("{who} {number}");
        match deed {
            Deed::Commit(one) => {
                if is_free(&branch(one)) {
                    repo.commit_on(BRANCHES[*one], &text);
                }
            }
            Deed::Set(one, other) => {
                if let Some(tip) = repo.tip(&branch(other)).filter(|_| is_free(&branch(one))) {
                    repo.set(&branch(one), &tip);
                }
            }
            Deed::Merge(one, other) => {
                if let (Some(mine), Some(theirs)) = (repo.tip(&branch(one)), repo.tip(&branch(other))) {
                    repo.set(&branch(one), &merge(repo, &mine, &theirs, &text));
                }
            }
            Deed::Rewrite(one, back) => {
                if let Some(tip) = repo.tip(&branch(one)) {
                    let history = repo.git(&["rev-list", "--first-parent", tip.as_str()]);
                    let base: Option<Oid> = history.lines().nth(*back).map(|oid| oid.parse().unwrap());
                    repo.set(&branch(one), &repo.commit(&text, base.as_ref()));
                }
            }
            Deed::Unrelated(one) => {
                if is_free(&branch(one)) {
                    repo.set(&branch(one), &repo.commit(&text, None));
                }
            }
            // The default branch cannot be deleted on a host.
            Deed::Delete(one) if *one > 0 && repo.tip(&branch(one)).is_some() => repo.delete(&branch(one)),
            Deed::Delete(_) => {}
            Deed::Tag(tag, one, heavy) => {
                let Some(tip) = repo.tip(&branch(one)) else { continue };
                match heavy {
                    true => drop(repo.annotated_tag(TAGS[*tag], &tip)),
                    false => repo.set(&format!("refs/tags/{}", TAGS[*tag]), &tip),
                }
            }
            Deed::Untag(tag) => {
                let name = format!("refs/tags/{}", TAGS[*tag]);
                if repo.tip(&name).is_some() {
                    repo.delete(&name);
                }
            }
        }
    }
}

fn merge(repo: &Repo, one: &Oid, other: &Oid, text: &str) -> Oid {
    let repository = repo.open();
    let find = |oid: &Oid| repository.find_commit(git2::Oid::from_str(oid.as_str()).unwrap()).unwrap();
    let (one, other) = (find(one), find(other));
    let author = git2::Signature::new("Tester", "tester@localhost", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let merged = repository.commit(None, &author, &author, text, &one.tree().unwrap(), &[&one, &other]).unwrap();
    merged.to_string().parse().unwrap()
}

/// Every commit that the branches and tags of a repository lead to.
fn commits(repo: &Repo) -> BTreeSet<String> {
    repo.git(&["rev-list", "--branches", "--tags"]).lines().map(str::to_owned).collect()
}

#[derive(Clone, Debug)]
struct Case {
    before: Vec<Deed>,
    at_source: Vec<Deed>,
    on_standby: Vec<Deed>,
    during: Vec<Deed>,
    protect: bool,
}

fn case() -> impl Strategy<Value = Case> {
    (deeds(8), deeds(7), deeds(9), prop_oneof![3 => Just(Vec::new()), 1 => deeds(4)], proptest::bool::weighted(0.3))
        .prop_map(|(before, at_source, on_standby, during, protect)| Case {
            before,
            at_source,
            on_standby,
            during,
            protect,
        })
}

async fn holds(case: &Case) {
    let world = World::start(|source| carry_out(source, &case.before, "before")).await;
    carry_out(&world.source, &case.at_source, "source");
    carry_out(&world.standby, &case.on_standby, "standby");
    if case.protect {
        world.hub.sandbox.protect_branch(PRIMARY.0, PRIMARY.1, "**", Protection::PullRequestOnly);
    }
    let source_before = plain(&world.source);
    let (at_source, on_standby) = (commits(&world.source), commits(&world.standby));
    let planned = world.plan().await;
    carry_out(&world.standby, &case.during, "during");
    let done = world.apply(&planned).await.unwrap();

    let now = commits(&world.source);
    let missing: Vec<_> =
        on_standby.union(&commits(&world.standby)).filter(|oid| !now.contains(*oid)).cloned().collect();
    assert!(missing.is_empty(), "of the standby: {missing:?}");
    let lost: Vec<_> = at_source.difference(&now).collect();
    assert!(lost.is_empty(), "of the source: {lost:?}");
    let source_now = plain(&world.source);
    for (name, tip) in &source_before {
        let at = source_now.get(name).unwrap_or_else(|| panic!("{name} was deleted at the source"));
        let goes_forward = world.source.git(&["rev-list", "-1", tip.as_str(), "--not", at.as_str()]).is_empty();
        assert!(goes_forward && (name.starts_with("refs/heads/") || at == tip), "{name} was rewritten");
    }
    // A tag that the standby has is at the source, too, by its own name or parked.
    for (name, tip) in plain(&world.standby).iter().filter(|(name, _)| name.starts_with("refs/tags/")) {
        assert!(source_now.values().any(|there| there == tip) || is_deleted_there(&planned, name), "{name}");
    }
    for home in done.refs.iter().filter(|home| home.at.is_some()) {
        assert!(source_now.contains_key(home.at.as_ref().unwrap().as_str()), "{home:?}");
    }

    // Again, nothing is left to do.
    let before = world.source.git(&["for-each-ref"]);
    let pulls = world.pulls().await.len();
    let planned = world.plan().await;
    world.apply(&planned).await.unwrap();
    assert_eq!(world.source.git(&["for-each-ref"]), before);
    assert_eq!(world.pulls().await.len(), pulls);
    world.hub.sandbox.stop().await;
}

/// Whether the tag came from the source, which deleted it and has its commits.
fn is_deleted_there(planned: &standin_core::roles::handback::HandBack, name: &str) -> bool {
    use standin_core::roles::handback::HandBackFate::Contained;
    planned.refs.iter().any(|home| home.name.as_str() == name && home.fate == Contained && home.source_tip.is_none())
}

fn random_histories(cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    TestRunner::new(config)
        .run(&case(), |case| {
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(holds(&case))));
            tried.map_err(|panic| {
                let said = panic.downcast_ref::<String>().cloned();
                TestCaseError::fail(said.unwrap_or_else(|| "it failed".to_owned()))
            })
        })
        .unwrap();
}

#[test]
fn not_one_commit_of_either_side_is_lost_and_all_of_the_standby_comes_home_1() {
    random_histories(20);
}

#[test]
fn not_one_commit_of_either_side_is_lost_and_all_of_the_standby_comes_home_2() {
    random_histories(20);
}
