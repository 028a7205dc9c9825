//! The queue of triggers: what is alike is kept once, what was taken is nobody else's, and what a taker had who died is found.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Barrier;

use jiff::Timestamp;
use standin_state::model::{MirrorId, RepositoryId, Trigger};
use standin_state::store::{NewTrigger, QueuedTrigger, Store};

use crate::locks::this_program;
use crate::store::{Memory, at};

fn site() -> RepositoryId {
    "site".parse().unwrap()
}

fn trigger(kind: Trigger, by: &str) -> NewTrigger {
    NewTrigger::of_all(site(), kind, by)
}

fn kinds(triggers: &[QueuedTrigger]) -> Vec<Trigger> {
    triggers.iter().map(|trigger| trigger.kind).collect()
}

#[test]
fn what_is_alike_is_kept_once_with_its_newest_time_and_words() {
    let memory = Memory::new();
    let store = &memory.store;
    store.queue_trigger(&trigger(Trigger::Hook, "one"), at("2026-02-07T18:00:02Z")).unwrap();
    store.queue_trigger(&trigger(Trigger::Schedule, "clock"), at("2026-02-07T18:00:01Z")).unwrap();
    store.queue_trigger(&trigger(Trigger::Hook, "two"), at("2026-02-07T18:00:05Z")).unwrap();
    store.queue_trigger(&trigger(Trigger::Hook, "late word of an old one"), at("2026-02-07T18:00:00Z")).unwrap();
    let mut one_mirror = trigger(Trigger::Hook, "only one mirror");
    one_mirror.mirrors = [memory.backup.clone()].into();
    store.queue_trigger(&one_mirror, at("2026-02-07T18:00:09Z")).unwrap();
    let other = NewTrigger::of_all("other".parse().unwrap(), Trigger::Hook, "elsewhere");
    store.queue_trigger(&other, at("2026-02-07T18:00:10Z")).unwrap();

    let waiting = memory.reopened().waiting_triggers().unwrap();
    let told: Vec<(&str, Trigger, &str, u64)> =
        waiting.iter().map(|waits| (waits.repository.as_str(), waits.kind, waits.by.as_str(), waits.times)).collect();
    assert_eq!(
        told,
        [
            ("site", Trigger::Hook, "two", 3),
            ("site", Trigger::Schedule, "clock", 1),
            ("site", Trigger::Hook, "only one mirror", 1),
            ("other", Trigger::Hook, "elsewhere", 1),
        ]
    );
    assert_eq!(waiting[0].first_iso, at("2026-02-07T18:00:00Z"));
    assert_eq!(waiting[0].at_iso, at("2026-02-07T18:00:05Z"));
    assert_eq!(waiting[2].mirrors, BTreeSet::<MirrorId>::from([memory.backup.clone()]));
}

#[test]
fn what_was_taken_is_nobody_elses_and_what_comes_meanwhile_is_a_new_one() {
    let memory = Memory::new();
    let store = &memory.store;
    store.queue_trigger(&trigger(Trigger::Hook, "one"), Timestamp::now()).unwrap();
    let (first, second) = (store.trigger_taker().unwrap(), store.trigger_taker().unwrap());
    let taken = store.take_triggers(&first).unwrap();
    assert_eq!(kinds(&taken), [Trigger::Hook]);
    assert!(store.take_triggers(&second).unwrap().is_empty());
    assert!(store.waiting_triggers().unwrap().is_empty());
    assert!(!store.finish_trigger(&second, taken[0].id).unwrap(), "it is not the second one's to end");

    // The source may have been read already for the first.
    store.queue_trigger(&trigger(Trigger::Hook, "two"), Timestamp::now()).unwrap();
    let later = store.take_triggers(&second).unwrap();
    assert_eq!((later.len(), later[0].by.as_str(), later[0].times), (1, "two", 1));
    assert!(store.finish_trigger(&first, taken[0].id).unwrap());
    assert!(!store.finish_trigger(&first, taken[0].id).unwrap());

    store.return_trigger(&first, later[0].id).unwrap();
    assert!(store.waiting_triggers().unwrap().is_empty(), "it is not the first one's to give back");
    store.return_trigger(&second, later[0].id).unwrap();
    assert_eq!(store.waiting_triggers().unwrap()[0].by, "two");
}

#[test]
fn many_takers_at_once_get_each_trigger_once() {
    let memory = Memory::new();
    for number in 0..40 {
        let trigger = NewTrigger::of_all(format!("r{number}").parse().unwrap(), Trigger::Hook, "x");
        memory.store.queue_trigger(&trigger, Timestamp::now()).unwrap();
    }
    let start = Barrier::new(6);
    let taken: Vec<Vec<QueuedTrigger>> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let store = memory.reopened();
                    let taker = store.trigger_taker().unwrap();
                    start.wait();
                    let taken = store.take_triggers(&taker).unwrap();
                    // All live until all have taken.
                    start.wait();
                    taken
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    let mut names: Vec<String> = taken.concat().iter().map(|trigger| trigger.repository.to_string()).collect();
    names.sort();
    assert_eq!(names.len(), 40);
    names.dedup();
    assert_eq!(names.len(), 40);
}

/// The other process of the next test: takes all, says so, and works on it until it is killed.
#[test]
#[ignore = "another test runs it as a second process"]
fn other_process_takes_all() {
    let folder = std::env::var_os("STANDIN_TEST_FOLDER").unwrap();
    let store = Store::open(folder.as_ref()).unwrap();
    let taker = store.trigger_taker().unwrap();
    println!("\ntook {}", store.take_triggers(&taker).unwrap().len());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn what_a_taker_had_who_was_killed_waits_again_and_joins_what_came_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.queue_trigger(&trigger(Trigger::Hook, "one"), at("2026-02-07T18:00:00Z")).unwrap();
    store.queue_trigger(&trigger(Trigger::Upstream, "look"), at("2026-02-07T18:00:01Z")).unwrap();
    let mut other =
        this_program("triggers::other_process_takes_all", folder.path()).stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "took 2"));

    store.queue_trigger(&trigger(Trigger::Hook, "two"), at("2026-02-07T18:00:05Z")).unwrap();
    let taker = store.trigger_taker().unwrap();
    let own = store.take_triggers(&taker).unwrap();
    assert_eq!(own.len(), 1, "the others are taken by somebody who lives");
    assert_eq!(own[0].by, "two");
    store.return_trigger(&taker, own[0].id).unwrap();

    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(store.waiting_triggers().unwrap().len(), 3, "each as it is, until somebody takes them");
    let all = store.take_triggers(&taker).unwrap();
    assert_eq!(kinds(&all), [Trigger::Hook, Trigger::Upstream]);
    assert_eq!((all[0].by.as_str(), all[0].times), ("two", 2));
    assert_eq!(all[0].first_iso, at("2026-02-07T18:00:00Z"));
    let left = std::fs::read_dir(folder.path().join(".triggers/takers")).unwrap().count();
    assert_eq!(left, 1, "only the one who lives has a sign of life");
    drop(taker);
    assert_eq!(store.waiting_triggers().unwrap().len(), 2, "a taker who goes without a word gives back what it had");
}

#[test]
fn words_from_outside_are_one_short_line() {
    let long = NewTrigger::of_all(site(), Trigger::Webhook, &format!("  by \u{1b}[31mann\nDROP{}", "x".repeat(1000)));
    assert!(long.by().starts_with("by  [31mann DROP") && long.by().chars().count() <= 300, "{}", long.by());
}
