//! The first sync of a standby and an archive, killed at each step.

use standin_tests::crash::{self, Place, Scenario};

const FIRST_SYNC: Scenario = Scenario {
    world: || Place::new(env!("CARGO_BIN_EXE_standin-under-test")),
    prepare: None,
    job: &["sync"],
    finish: |machine| {
        crash::sync(machine);
    },
};

#[test]
fn killed_around_calls_of_git_the_next_sync_finishes_it() {
    crash::crash_everywhere(&FIRST_SYNC, crash::is_git);
}

#[test]
fn killed_around_requests_to_github_the_next_sync_finishes_it() {
    crash::crash_everywhere(&FIRST_SYNC, crash::is_github);
}

#[test]
fn killed_around_durable_writes_the_next_sync_finishes_it() {
    crash::crash_everywhere(&FIRST_SYNC, crash::is_store);
}

#[test]
fn killed_while_actions_are_off_another_machine_finishes_it() {
    crash::crash_and_change_machine(&FIRST_SYNC, crash::is_while_actions_are_off);
}

#[test]
fn killed_before_it_knows_what_it_did_another_machine_finishes_it() {
    crash::crash_and_change_machine(&FIRST_SYNC, crash::is_while_this_machine_does_not_know);
}
