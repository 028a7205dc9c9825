//! Any host, any refusals, faults and races: what may never happen does not, and what the host takes arrives.

use std::collections::{BTreeMap, BTreeSet};

use git2::Repository;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use standin_core::state::model::Oid;
use standin_tests::git::refs;
use standin_tests::replay::presets::{SUNK_BY_GIT, SUNK_BY_GITHUB, SUNK_BY_JGIT};
use standin_tests::replay::words::without_mark;
use standin_tests::replay::{Family, Host, Mishap, RaceWords, Rule};

use super::scene::{FENCE, Scene, Synced};

/// Kinds of hosts: family, what is said of sunk refs, of lost races.
const HOSTS: [(Family, &str, RaceWords); 8] = [
    (Family::Atomic, SUNK_BY_GITHUB, RaceWords::InLine),
    (Family::Atomic, SUNK_BY_GIT, RaceWords::Git),
    (Family::Atomic, SUNK_BY_JGIT, RaceWords::Own("invalid old id sent")),
    // A host that nobody has met yet.
    (Family::Atomic, "rolled back with the rest", RaceWords::Own("{ref} is not what you think")),
    (Family::UpdateHook, SUNK_BY_GIT, RaceWords::Git),
    (Family::PreReceive, SUNK_BY_GIT, RaceWords::Git),
    (Family::ByHalf, SUNK_BY_JGIT, RaceWords::Own("failed to lock")),
    (Family::NoAtomic, SUNK_BY_GIT, RaceWords::Own("TF401028: The reference '{ref}' has already been updated")),
];

/// How refs are refused: the reason, and the line that goes with it.
const WORDS: [(&str, Option<&str>); 4] = [
    ("protected branch hook declined", Some("error: GH006: Protected branch update failed for {ref}.")),
    ("prohibited by Gerrit: not permitted: update", None),
    ("{ref} is not for you", None),
    ("hook declined", Some("nobody writes {short} here")),
];

/// What goes wrong with the first push of the first sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Report,
    Door,
    Cut,
}

/// What happens to a branch at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Keep,
    Advance,
    Rewrite,
    Delete,
}

#[derive(Clone, Copy, Debug)]
struct Branch {
    /// The mirror had it before.
    known: bool,
    deed: Deed,
    refused: bool,
}

#[derive(Clone, Debug)]
struct Case {
    host: usize,
    words: usize,
    /// The first is `main`, which only advances.
    branches: Vec<Branch>,
    fault: Option<Fault>,
    /// The branch that somebody moves on the mirror while it is pushed.
    raced: Option<usize>,
    /// Nothing was synced before.
    fresh: bool,
    /// A fresh host may not take it.
    takes_fence: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let deed = prop_oneof![
        1 => Just(Deed::Keep),
        4 => Just(Deed::Advance),
        2 => Just(Deed::Rewrite),
        1 => Just(Deed::Delete),
    ];
    let branch = (any::<bool>(), deed, proptest::bool::weighted(0.3));
    let branch = branch.prop_map(|(known, deed, refused)| Branch { known, deed, refused });
    let fault = proptest::option::weighted(0.3, prop_oneof![Just(Fault::Report), Just(Fault::Door), Just(Fault::Cut)]);
    (
        0..HOSTS.len(),
        0..WORDS.len(),
        proptest::collection::vec(branch, 2..6),
        fault,
        proptest::option::weighted(0.3, 1..5_usize),
        proptest::bool::weighted(0.3),
        proptest::bool::weighted(0.8),
    )
        .prop_map(|(host, words, mut branches, fault, raced, fresh, takes_fence)| {
            branches[0] = Branch { known: true, deed: Deed::Advance, refused: branches[0].refused };
            for branch in &mut branches {
                if fresh || !branch.known {
                    (branch.known, branch.deed) = (false, Deed::Advance);
                }
            }
            // Only what we move and the host would take can be lost to somebody else.
            let raced = raced.filter(|_| !fresh).filter(|index| {
                branches
                    .get(*index)
                    .is_some_and(|branch| branch.known && branch.deed == Deed::Advance && !branch.refused)
            });
            Case { host, words, branches, fault, raced, fresh, takes_fence: takes_fence || !fresh }
        })
}

fn short(index: usize) -> String {
    if index == 0 { "main".to_owned() } else { format!("b{index}") }
}

fn name(index: usize) -> String {
    format!("refs/heads/{}", short(index))
}

/// What is followed from sync to sync.
struct Watch {
    /// Where refs of the mirror stand by our doing.
    ours: BTreeSet<String>,
    /// Where somebody else put one.
    theirs: Option<Oid>,
    epoch_and_sequence: (u64, u64),
}

async fn carry_out(case: &Case) {
    let (family, sunk, race) = HOSTS[case.host];
    let mut host = Host::new("a host", family, sunk);
    host.race = race;
    let mut scene = Scene::over_http(host);
    for (index, branch) in case.branches.iter().enumerate() {
        if branch.known {
            scene.pair.source.commit_on(&short(index), &format!("{index} before"));
        }
    }
    let mut watch = Watch { ours: BTreeSet::new(), theirs: None, epoch_and_sequence: (0, 0) };
    if !case.fresh {
        let synced = scene.sync().await;
        synced.result.as_ref().unwrap();
        scene.pair.assert_in_step();
        check(&scene, &mut watch, &BTreeMap::new(), &synced);
    }
    for (index, branch) in case.branches.iter().enumerate() {
        let text = format!("{index} after");
        match branch.deed {
            Deed::Keep => {}
            Deed::Advance => drop(scene.pair.source.commit_on(&short(index), &text)),
            Deed::Rewrite => scene.pair.source.set(&name(index), &scene.pair.source.commit(&text, None)),
            Deed::Delete => scene.pair.source.delete(&name(index)),
        }
    }
    set_up(case, &scene, &mut watch);
    let mut last = None;
    for number in 0..if family == Family::ByHalf { 3 } else { 2 } {
        let before = scene.pair.mirror.refs();
        let synced = scene.sync().await;
        check(&scene, &mut watch, &before, &synced);
        if number == 0 && case.fault == Some(Fault::Report) {
            let error = synced.result.as_ref().expect_err("the host failed");
            assert!(error.retryable, "{error:?}");
            assert!(synced.refused.is_empty(), "nothing is said of refs: {synced:?}");
        }
        // Who is sent away at the door once may have knocked again by itself.
        if let (0, Some(Fault::Door), Err(error)) = (number, case.fault, &synced.result) {
            assert!(error.retryable, "{error:?}");
        }
        last = Some(synced);
    }
    check_outcome(case, &scene, &watch, &last.unwrap());
}

/// Gives the host what it refuses, and what goes wrong.
fn set_up(case: &Case, scene: &Scene, watch: &mut Watch) {
    let (reason, line) = WORDS[case.words];
    let mut host = scene.replay.host();
    for (index, _) in case.branches.iter().enumerate().filter(|(_, branch)| branch.refused) {
        host.rules.push(Rule::new(&name(index), reason, &line.into_iter().collect::<Vec<_>>()));
    }
    if !case.takes_fence {
        host.rules.push(Rule::new(FENCE, "deny updating a hidden ref", &[]));
    }
    if let Some(fault) = case.fault {
        let lines = vec!["Internal Server Error".to_owned()];
        let mishap = match fault {
            Fault::Report => Mishap::Report { reason: "Internal Server Error".to_owned(), remarks: Vec::new() },
            Fault::Door => Mishap::Door { status: 503, lines, reads: false },
            Fault::Cut => Mishap::CutAfter,
        };
        host.fail(mishap, Some(1));
    }
    if let Some(index) = case.raced {
        let theirs = scene.pair.mirror.commit("theirs", scene.pair.mirror.tip(&name(index)).as_ref());
        host.races.push((name(index), git2::Oid::from_str(theirs.as_str()).ok()));
        watch.theirs = Some(theirs);
    }
}

/// What holds after every sync.
fn check(scene: &Scene, watch: &mut Watch, before: &BTreeMap<String, Oid>, synced: &Synced) {
    // The fence only rises.
    if let Some((_, document)) = scene.pair.mirror.fence() {
        let now = (document.epoch, document.sequence);
        assert!(now >= watch.epoch_and_sequence, "{now:?} after {:?}", watch.epoch_and_sequence);
        watch.epoch_and_sequence = now;
    }
    // What we moved stood where we had put it, and nowhere else.
    for push in &synced.pushes {
        for asked in push.asked.iter().filter(|asked| push.taken.contains(&asked.name)) {
            let old = asked.old.map(|old| old.to_string());
            assert!(old.as_ref().is_none_or(|old| watch.ours.contains(old)), "{asked:?} was not ours: {push:?}");
            watch.ours.extend(asked.new.map(|new| new.to_string()));
        }
    }
    // Each ref stands where it stood, where it shall stand, or where somebody else put it.
    let (now, wanted) = (scene.pair.mirror.refs(), scene.pair.source.refs());
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let stands = now.get(name);
        let is_theirs = stands.is_some() && stands == watch.theirs.as_ref();
        assert!(
            stands == before.get(name) || stands == wanted.get(name) || is_theirs,
            "{name} stands at {stands:?}, which nobody wanted"
        );
    }
    // No commit that the mirror had is lost.
    for (name, places) in scene.places().iter().filter(|(name, _)| *name != FENCE) {
        for place in places {
            assert!(is_kept(scene, place), "{place}, which was {name}, is lost");
        }
    }
}

/// Whether a commit is below a ref of the mirror, of the source, or below a rescue.
fn is_kept(scene: &Scene, commit: &str) -> bool {
    let commit = git2::Oid::from_str(commit).unwrap();
    let cache = scene.machine.state().join("demo/cache.git");
    [(&scene.pair.mirror.path, "refs/"), (&scene.pair.source.path, "refs/"), (&cache, "refs/standin/rescue/")]
        .into_iter()
        .filter(|(path, _)| path.exists())
        .any(|(path, beginning)| {
            let repository = Repository::open_bare(path).unwrap();
            let tips = refs(path).into_iter().filter(|(name, _)| name.starts_with(beginning));
            let mut tips = tips.map(|(_, tip)| git2::Oid::from_str(tip.as_str()).unwrap());
            tips.any(|tip| tip == commit || repository.graph_descendant_of(tip, commit).unwrap_or(false))
        })
}

/// What holds at the end.
fn check_outcome(case: &Case, scene: &Scene, watch: &Watch, last: &Synced) {
    let (family, ..) = HOSTS[case.host];
    let (now, wanted) = (scene.pair.mirror.refs(), scene.pair.source.refs());
    let mut refused = BTreeSet::new();
    for (index, branch) in case.branches.iter().enumerate() {
        let name = name(index);
        if case.raced == Some(index) {
            assert_eq!(now.get(&name), watch.theirs.as_ref(), "somebody else's commit stays: {last:?}");
        } else if branch.refused {
            assert!(branch.deed == Deed::Keep || now.get(&name) != wanted.get(&name), "{name} was refused");
            if branch.deed != Deed::Keep {
                refused.insert(name);
            }
        } else {
            assert_eq!(now.get(&name), wanted.get(&name), "{name} would be taken: {last:?}");
        }
    }
    assert_eq!(last.refused.keys().cloned().collect::<BTreeSet<_>>(), refused, "{last:?}");
    let (reason, line) = WORDS[case.words];
    for (name, error) in &last.refused {
        let words = line.unwrap_or(if family == Family::PreReceive { "pre-receive hook declined" } else { reason });
        let words = words.replace("{ref}", name).replace("{short}", name.trim_start_matches("refs/heads/"));
        assert!(error.message.contains(without_mark(&words)), "{words}: {error:?}");
    }
    // Where nothing arrived a fence may stand that was asked for alone, to learn who was refused: it claims nothing then.
    let fence = scene.pair.mirror.fence();
    if now.is_empty() && case.fresh {
        assert!(case.takes_fence || fence.is_none(), "{last:?}");
        assert!(fence.is_none_or(|(_, document)| document.refs.is_empty()), "{last:?}");
    } else {
        assert_eq!(fence.is_some(), case.takes_fence, "{last:?}");
    }
}

/// Who is refused cannot be told apart at once here, so that the fence is asked for alone and stays.
#[test]
fn a_fence_without_branches_claims_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let branch = Branch { known: false, deed: Deed::Advance, refused: true };
    for fault in [None, Some(Fault::Report), Some(Fault::Door), Some(Fault::Cut)] {
        for host in 0..HOSTS.len() {
            let branches = vec![branch; 2];
            runtime.block_on(carry_out(&Case {
                host,
                words: 0,
                branches,
                fault,
                raced: None,
                fresh: true,
                takes_fence: true,
            }));
        }
    }
}

#[test]
fn whatever_a_host_refuses_nothing_is_lost_and_all_that_it_takes_arrives() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 30, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&case(), |case| {
            runtime.block_on(carry_out(&case));
            Ok(())
        })
        .unwrap();
}
