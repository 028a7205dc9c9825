//! Hosts that are played: what they refuse and whom they name. What counts is how many pushes it takes until what they take is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use standin_state::store::ChangeAction;

use super::super::refused::Refused;
use super::super::remembered::{Known, Refusals, Sorted};
use super::*;
use crate::Code;

/// Whom a host names when it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Nobody,
    /// The first that it refuses, in words.
    First,
    /// All that it refuses, in words.
    All,
    /// The first that it refuses, in the report.
    InReport,
    /// The first of the push, whichever it refuses.
    Wrong,
}

/// A mirror, and what is remembered of it from sync to sync.
struct Played {
    refuses: Box<dyn Fn(&str) -> bool>,
    names: Names,
    commit: u64,
    there: BTreeMap<RefName, RefChange>,
    memory: Refusals,
    /// Whether the time of the next run is over as it begins.
    is_late: bool,
}

/// What a sync did: its pushes, and in which of them what arrived did.
struct Run {
    pushes: usize,
    arrived_in: Vec<(String, usize)>,
}

impl Run {
    /// In which push a ref arrived.
    fn of(&self, name: &str) -> Option<usize> {
        self.arrived_in.iter().find(|(arrived, _)| arrived == name).map(|(_, push)| *push)
    }
}

const MAIN: &str = "refs/heads/main";

fn create(name: &str, commit: u64) -> RefChange {
    RefChange {
        name: name.parse().unwrap(),
        action: ChangeAction::Create,
        old: None,
        new: Some(format!("{commit:040x}").parse().unwrap()),
        decision: None,
    }
}

impl Played {
    fn new(names: Names, refuses: impl Fn(&str) -> bool + 'static) -> Self {
        let memory = Refusals::default();
        Self { refuses: Box::new(refuses), names, commit: 1, there: BTreeMap::new(), memory, is_late: false }
    }

    /// `main`, whose commit rises, and other refs.
    fn wanted(&self, others: &[String]) -> Vec<RefChange> {
        let others = others.iter().map(|name| create(name, 1));
        let wanted = [create(MAIN, self.commit)].into_iter().chain(others);
        wanted.filter(|change| self.there.get(&change.name) != Some(change)).collect()
    }

    fn told(&self, part: &Part) -> Told {
        let names = |refused: bool| {
            let names = part.changes.iter().map(|change| &change.name);
            names.filter(move |name| !refused || (self.refuses)(name.as_str())).cloned()
        };
        match self.names {
            Names::Nobody => Told::InWords(BTreeSet::new()),
            Names::First => Told::InWords(names(true).take(1).collect()),
            Names::All => Told::InWords(names(true).collect()),
            Names::InReport => Told::These(names(true).take(1).collect()),
            Names::Wrong => Told::InWords(names(false).take(1).collect()),
        }
    }

    /// As `push` does it.
    fn sync(&mut self, others: &[String]) -> Run {
        let Sorted { new, doubtful, again } = self.memory.sort(self.wanted(others));
        let is_vain = self.memory.is_vain() && new.len() < doubtful.len();
        let mut budget = Budget::of(new.len() + doubtful.len(), is_vain);
        if self.is_late {
            budget.until = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        }
        let mut search = Search::new(Doubt::Taken, budget, Some(MAIN.parse().unwrap()), is_vain);
        for (changes, is_again) in [(new, false), (doubtful, false), (again, true)] {
            if !changes.is_empty() {
                search.offer(changes, is_again);
            }
        }
        let mut run = Run { pushes: 0, arrived_in: Vec::new() };
        let refused = |change| Known::of(&Refused { change, error: Error::new(Code::RefRefused, "no", "") });
        while let Some(part) = search.next() {
            assert!(!part.changes.is_empty(), "nothing to push");
            run.pushes += 1;
            if part.changes.iter().any(|change| (self.refuses)(change.name.as_str())) {
                let told = self.told(&part);
                let found = search.refused(part, told).refused;
                assert!(found.iter().all(|change| (self.refuses)(change.name.as_str())), "{found:?}");
                self.memory.forget(&found);
                self.memory.add(found.into_iter().map(refused));
            } else {
                search.arrived(&part);
                run.arrived_in.extend(part.changes.iter().map(|change| (change.name.to_string(), run.pushes)));
                self.memory.forget(&part.changes);
                self.there.extend(part.changes.into_iter().map(|change| (change.name.clone(), change)));
            }
        }
        let is_vain = search.found_nothing();
        let left = search.left();
        self.memory.count(self.memory.is_open(&left.suspected), false, is_vain);
        self.memory.forget(&left.named);
        self.memory.add(left.named.into_iter().map(refused));
        let is_open = |change: &RefChange| self.memory.is_open(std::slice::from_ref(change));
        let open: Vec<RefChange> = left.suspected.into_iter().filter(is_open).collect();
        self.memory.forget(&open);
        self.memory.add(open.iter().map(Known::suspected));
        run
    }

    fn missing(&self, others: &[String]) -> usize {
        self.wanted(others).iter().filter(|change| !(self.refuses)(change.name.as_str())).count()
    }
}

fn tags(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("refs/tags/v{number:05}")).collect()
}

fn is_tag(name: &str) -> bool {
    name.starts_with("refs/tags/")
}

/// One of ten.
fn is_seventh(name: &str) -> bool {
    is_tag(name) && name.ends_with('7')
}

#[test]
fn the_default_branch_arrives_in_the_first_sync_and_each_new_commit_of_it_with_one_push() {
    for names in [Names::Nobody, Names::First, Names::All, Names::InReport] {
        for count in [20, 60, 300, 700] {
            let tags = tags(count);
            let mut host = Played::new(names, is_tag);
            let first = host.sync(&tags);
            assert!(first.of(MAIN).is_some_and(|push| push <= 3), "{names:?} {count}: {:?}", first.arrived_in);
            assert!(first.pushes < 210, "{names:?} {count}: {} pushes", first.pushes);
            for _ in 0..3 {
                host.commit += 1;
                let next = host.sync(&tags);
                assert_eq!(next.of(MAIN), Some(1), "{names:?} {count}");
                assert!(next.pushes < 210, "{names:?} {count}: {} pushes", next.pushes);
            }
        }
    }
}

#[test]
fn all_that_a_host_takes_arrives_however_it_says_whom_it_refuses() {
    type Refuses = fn(&str) -> bool;
    // How many refs, whom it refuses, in how many syncs, and how many pushes in the first.
    let cases: [(Names, usize, Refuses, usize, usize); 9] = [
        (Names::First, 1_000, is_seventh, 1, 120),
        (Names::First, 2_500, is_seventh, 1, 300),
        (Names::InReport, 1_000, is_seventh, 1, 120),
        (Names::All, 2_000, is_seventh, 1, 10),
        (Names::First, 300, is_tag, 1, 180),
        (Names::Nobody, 600, |name| name == "refs/tags/v00077", 1, 26),
        (Names::Nobody, 1_000, |name| is_tag(name) && name.ends_with("77"), 1, 170),
        (Names::Wrong, 1_000, |name| is_tag(name) && name.ends_with("77"), 1, 180),
        (Names::Nobody, 60, |name| is_tag(name) && !name.ends_with("59"), 2, 60),
    ];
    for (names, count, refuses, syncs, pushes) in cases {
        let tags = tags(count);
        let mut host = Played::new(names, refuses);
        let first = host.sync(&tags);
        assert!(first.pushes <= pushes, "{names:?} {count}: {} pushes, not {pushes}", first.pushes);
        for _ in 1..syncs {
            host.sync(&tags);
        }
        assert_eq!(host.missing(&tags), 0, "{names:?} {count}");
    }
}

#[test]
fn a_ref_that_the_host_names_costs_one_push() {
    for names in [Names::First, Names::InReport] {
        let tags = tags(100);
        let mut host = Played::new(names, is_seventh);
        let run = host.sync(&tags);
        // Ten refused, the default branch by itself, what is left; one that is looked at in the middle, and some at the end.
        assert!(run.pushes <= 10 + 2 + 1 + CHECKED, "{names:?}: {} pushes", run.pushes);
        assert_eq!(host.missing(&tags), 0, "{names:?}");
    }
}

#[test]
fn what_is_not_like_those_that_are_refused_goes_first() {
    let mut refs = Vec::new();
    for number in 0..200 {
        refs.push(format!("refs/tags/a/{number}"));
        refs.push(format!("refs/tags/release/{number}"));
        refs.push(format!("refs/tags/z/{number}"));
    }
    let mut host = Played::new(Names::First, |name| name.starts_with("refs/tags/release/"));
    let run = host.sync(&refs);
    assert!(run.of("refs/tags/z/7").is_some_and(|push| push <= 12), "{:?}", run.of("refs/tags/z/7"));
    assert!(run.of("refs/tags/a/7").is_some_and(|push| push <= 12), "{:?}", run.of("refs/tags/a/7"));
}

#[test]
fn branches_are_not_held_up_by_tags() {
    for names in [Names::Nobody, Names::First] {
        let mut refs = tags(500);
        refs.extend((0..20).map(|number| format!("refs/heads/b{number}")));
        let mut host = Played::new(names, is_tag);
        let run = host.sync(&refs);
        assert!(run.of("refs/heads/b7").is_some_and(|push| push <= 5), "{names:?}: {:?}", run.arrived_in);
    }
}

#[test]
fn a_host_that_takes_nothing_of_it_costs_less_each_time() {
    for count in [60, 300, 1_500] {
        let tags = tags(count);
        let mut host = Played::new(Names::Nobody, |_| true);
        let pushes: Vec<usize> = (0..4).map(|_| host.sync(&tags).pushes).collect();
        assert!(pushes[0] <= 75 && pushes[1] < pushes[0], "{count}: {pushes:?}");
        assert!(pushes[2] <= 12.max(pushes[1]) && pushes[3] <= 12, "{count}: {pushes:?}");
        // What it takes at last is there with the next sync.
        host.refuses = Box::new(|_| false);
        host.sync(&tags);
        assert_eq!(host.missing(&tags), 0, "{count}");
    }
}

#[test]
fn a_search_goes_on_from_where_it_ended() {
    for (names, count) in [(Names::First, 300), (Names::Nobody, 60)] {
        let tags = tags(count);
        let mut host = Played::new(names, is_tag);
        for _ in 0..3 {
            host.sync(&tags);
        }
        assert!(!host.memory.is_open(&host.wanted(&tags)), "{names:?}: each was looked at");
        assert!(host.sync(&tags).pushes <= 1 + LOOKED_AT_AGAIN, "{names:?}");
    }
}

#[test]
fn words_that_mean_another_hold_nothing_back() {
    // It names a ref that it would take, and keeps on naming it.
    let tags = tags(40);
    let mut host = Played::new(Names::Wrong, |name| name == "refs/tags/v00030");
    let run = host.sync(&tags);
    assert_eq!(host.missing(&tags), 0);
    assert!(run.pushes < 30, "{} pushes", run.pushes);
}

#[test]
fn when_the_time_is_over_nothing_is_searched_and_what_is_new_is_offered() {
    let tags = tags(300);
    let mut host = Played::new(Names::First, is_tag);
    host.is_late = true;
    let run = host.sync(&tags);
    assert_eq!((run.pushes, run.of(MAIN)), (2, Some(2)));
    host.commit += 1;
    let run = host.sync(&tags);
    assert_eq!(run.of(MAIN), Some(1));
    assert!(run.pushes <= 2, "{} pushes", run.pushes);
}
