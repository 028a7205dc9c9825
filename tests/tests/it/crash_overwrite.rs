//! A foreign commit on the standby that the user chooses to overwrite, killed at each step of the choice and its sync.

use standin_tests::cli::{Machine, branch, refs};
use standin_tests::crash::{self, Place, Scenario};

const RESOLVE: &[&str] = &["resolve", "mirror-1", "main", "overwrite"];

const OVERWRITE: Scenario = Scenario { world, prepare: Some(diverge), job: RESOLVE, finish };

fn world() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_standin-under-test"));
    crash::sync(&place.machine);
    place
}

/// The primary moves on and somebody commits on the standby, which a sync finds.
fn diverge(place: &mut Place) {
    let Place { world, machine, round } = place;
    let tip = refs(&world.primary())[&branch("main")];
    let (path, text) = world.new_workflow(&format!("nightly-{round}"));
    let ahead = world.commit(Some(tip), &[(&path, &text)]);
    world.publish(&branch("main"), Some(ahead));
    world.intrude(&world.standby(), &branch("main"));
    let blocked = machine.standin(&["sync"]);
    assert_eq!(blocked.code(), 3, "it has diverged: {}", blocked.all());
}

/// A choice that was not stored yet is asked for again; one that was is carried out by the next sync.
fn finish(machine: &Machine) {
    let ran = machine.standin(&["sync"]);
    if ran.code() == 3 {
        let ran = machine.standin(RESOLVE);
        assert_eq!(ran.code(), 0, "{}", ran.all());
    } else {
        assert_eq!(ran.code(), 0, "{}", ran.all());
    }
}

#[test]
fn killed_around_calls_of_git_the_next_sync_finishes_it() {
    crash::crash_everywhere(&OVERWRITE, crash::is_git);
}

#[test]
fn killed_around_requests_to_github_the_next_sync_finishes_it() {
    crash::crash_everywhere(&OVERWRITE, crash::is_github);
}

#[test]
fn killed_around_durable_writes_the_next_sync_finishes_it() {
    crash::crash_everywhere(&OVERWRITE, crash::is_store);
}

#[test]
fn killed_while_actions_are_off_another_machine_finishes_it() {
    crash::crash_and_change_machine(&OVERWRITE, crash::is_while_actions_are_off);
}
