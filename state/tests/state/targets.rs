//! What is remembered of a mirror belongs to the place that its id names.

use standin_state::model::{Aspect, AspectReport, AspectStatus, Health, RunStatus};
use standin_state::store::{Fact, MirrorMemory};

use crate::store::{Memory, SITE, TOTALS, at};

#[test]
fn memory_belongs_to_a_place_and_is_there_again_when_the_id_names_that_place_again() {
    let memory = Memory::new();
    let (store, site, backup) = (&memory.store, &memory.site, &memory.backup);
    store.set_target(site, backup, SITE).unwrap();
    let run = memory.run("r1", backup, "2026-01-01T00:00:00Z");
    store.begin_run(&run, SITE).unwrap();
    store.finish_aspect(&run.id, site, backup, Aspect::Code, &AspectReport::new(AspectStatus::Ok)).unwrap();
    store.finish_run(&run.id, RunStatus::Success, None, &TOTALS, at("2026-01-01T00:00:01Z")).unwrap();
    store.set_health(site, backup, Health::Ok, None, at("2026-01-01T00:00:02Z")).unwrap();
    store.approve_secrets(site, backup, ["KEY"]).unwrap();
    store.set_fact(site, Some(backup), Fact::Atomic, Some("true")).unwrap();
    let here = store.mirror_memory(site, backup, SITE).unwrap();
    assert_eq!(here.last_run, here.last_ended);
    assert_eq!((here.aspects.len(), here.health), (1, Health::Ok));

    // Another place: nothing is known of it, before and after the id is turned to it.
    let is_empty = |memory: MirrorMemory| {
        (memory.last_run, memory.last_ended, memory.aspects.len(), memory.health) == (None, None, 0, Health::Unknown)
    };
    assert!(is_empty(store.mirror_memory(site, backup, "other/site").unwrap()));
    store.set_target(site, backup, "other/site").unwrap();
    assert_eq!(store.target(site, backup).unwrap().as_deref(), Some("other/site"));
    assert!(is_empty(store.mirror_memory(site, backup, "other/site").unwrap()));
    assert!(store.approved_secrets(site, backup).unwrap().is_empty());
    assert_eq!(store.fact(site, Some(backup), Fact::Atomic).unwrap(), None);
    assert_eq!(store.mirror_memory(site, backup, SITE).unwrap().aspects, here.aspects, "it is put aside, not lost");

    store.begin_run(&memory.run("r2", backup, "2026-01-02T00:00:00Z"), "other/site").unwrap();
    store.set_fact(site, Some(backup), Fact::Atomic, Some("false")).unwrap();
    let store = memory.reopened();
    store.set_target(site, backup, SITE).unwrap();
    assert_eq!(store.mirror_memory(site, backup, SITE).unwrap(), here);
    assert_eq!(store.fact(site, Some(backup), Fact::Atomic).unwrap().as_deref(), Some("true"));
    assert_eq!(store.approved_secrets(site, backup).unwrap().len(), 1);
    assert_eq!(store.mirror_memory(site, backup, "other/site").unwrap().last_run.unwrap().id.as_str(), "r2");
}

#[test]
fn a_run_of_an_older_database_counts_for_the_place_that_is_remembered() {
    let memory = Memory::new();
    let (store, site, backup) = (&memory.store, &memory.site, &memory.backup);
    store.begin_run(&memory.run("r1", backup, "2026-01-01T00:00:00Z"), SITE).unwrap();
    memory.raw().execute("UPDATE runs SET target = NULL", []).unwrap();
    assert!(store.mirror_memory(site, backup, SITE).unwrap().last_run.is_some());
    store.set_target(site, backup, SITE).unwrap();
    assert!(store.mirror_memory(site, backup, SITE).unwrap().last_run.is_some());
    assert_eq!(store.mirror_memory(site, backup, "other/site").unwrap().last_run, None);
}

#[test]
fn what_is_remembered_of_a_mirror_is_forgotten_whole_and_of_others_not() {
    let memory = Memory::new();
    let (store, site, backup) = (&memory.store, &memory.site, &memory.backup);
    let alike: standin_state::model::MirrorId = format!("{backup}-2").parse().unwrap();
    for mirror in [backup, &alike] {
        store.set_target(site, mirror, SITE).unwrap();
        store.approve_secrets(site, mirror, ["KEY"]).unwrap();
        store.set_target(site, mirror, "other/site").unwrap();
        store.approve_secrets(site, mirror, ["KEY"]).unwrap();
        store.set_fact(site, Some(mirror), Fact::Atomic, Some("true")).unwrap();
    }
    store.begin_run(&memory.run("r1", backup, "2026-01-01T00:00:00Z"), SITE).unwrap();

    store.forget_mirror(site, backup).unwrap();

    assert_eq!(store.target(site, backup).unwrap(), None);
    assert!(store.approved_secrets(site, backup).unwrap().is_empty());
    store.set_target(site, backup, "other/site").unwrap();
    store.set_target(site, backup, SITE).unwrap();
    assert!(store.approved_secrets(site, backup).unwrap().is_empty(), "nor of a place that it named before");
    assert!(store.run(&"r1".parse().unwrap()).unwrap().is_some(), "the history stays");
    assert_eq!(store.fact(site, Some(&alike), Fact::Atomic).unwrap().as_deref(), Some("true"));
    store.set_target(site, &alike, SITE).unwrap();
    assert_eq!(store.approved_secrets(site, &alike).unwrap().len(), 1);
}
