//! A sync that creates, moves, rewrites and deletes refs, and sends a changed secret and variable, killed at each step.

use standin_tests::cli::{branch, refs};
use standin_tests::crash::{self, Place, Scenario};

const CHANGED_SYNC: Scenario = Scenario {
    world,
    prepare: Some(change),
    job: &["sync"],
    finish: |machine| {
        crash::sync(machine);
    },
};

fn world() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_standin-under-test"));
    crash::sync(&place.machine);
    place
}

/// Creates, moves forward, rewrites and deletes branches and tags; brings a workflow; changes a secret and a variable.
fn change(place: &mut Place) {
    let Place { world, round, .. } = place;
    let before = refs(&world.primary());
    let passing = before.keys().find(|name| name.contains("/old") || name.contains("/fresh")).unwrap();
    let (path, text) = world.new_workflow(&format!("nightly-{round}"));
    let ahead = world.commit(Some(before[&branch("main")]), &[("README.md", "# Ahead\n"), (&path, &text)]);
    let rewritten = world.commit(Some(before["refs/tags/v1.0"]), &[("topic.txt", &format!("round {round}\n"))]);
    world.publish(&branch("main"), Some(ahead));
    world.publish(&branch(&format!("fresh-{round}")), Some(rewritten));
    world.publish(&branch("topic"), Some(rewritten));
    world.publish(passing, None);
    world.publish("refs/tags/moving", Some(rewritten));
    world.publish(&format!("refs/tags/v1.1-{round}"), Some(ahead));
    world.change_secret("RESEND_API_KEY");
    world.set("DEPLOY_MODE", Some(&format!("pages-{round}")));
}

#[test]
fn killed_around_calls_of_git_the_next_sync_finishes_it() {
    crash::crash_everywhere(&CHANGED_SYNC, crash::is_git);
}

#[test]
fn killed_around_requests_to_github_the_next_sync_finishes_it() {
    crash::crash_everywhere(&CHANGED_SYNC, crash::is_github);
}

#[test]
fn killed_around_durable_writes_the_next_sync_finishes_it() {
    crash::crash_everywhere(&CHANGED_SYNC, crash::is_store);
}

#[test]
fn killed_while_actions_are_off_another_machine_finishes_it() {
    crash::crash_and_change_machine(&CHANGED_SYNC, crash::is_while_actions_are_off);
}

#[test]
fn killed_before_it_knows_what_it_did_another_machine_finishes_it() {
    crash::crash_and_change_machine(&CHANGED_SYNC, crash::is_while_this_machine_does_not_know);
}
