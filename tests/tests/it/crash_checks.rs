//! The checks that the crash tests make: each finds what it is there to find.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use git2::{Repository, Signature};
use standin_sandbox::{ActionsPermissions, WorkflowState};
use standin_tests::cli::{BACKUP, Machine, NAME, World, branch, refs};
use standin_tests::crash::{self, Before, check_after_crash, check_in_step};

/// A world in step, and what it was before it was spoilt.
fn in_step() -> (World, Machine, Before) {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let machine = world.machine();
    crash::sync(&machine);
    let before = Before::of(&world);
    check_after_crash(&world, &machine, &before);
    check_in_step(&world, &[&machine], &before);
    (world, machine, before)
}

/// What a check says of a world that was spoilt; nothing where it finds nothing.
fn said(check: impl FnOnce()) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(check));
    let words = |panic: Box<dyn std::any::Any + Send>| {
        let owned = panic.downcast_ref::<String>().cloned();
        owned.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default()
    };
    outcome.err().map_or_else(String::new, words)
}

fn assert_found(wanted: &str, spoil: impl FnOnce(&World, &Machine)) {
    let (world, machine, before) = in_step();
    spoil(&world, &machine);
    let crash = said(|| check_after_crash(&world, &machine, &before));
    assert!(crash.contains(wanted), "wanted `{wanted}`, got `{crash}`");
}

fn assert_not_in_step(wanted: &str, spoil: impl FnOnce(&World, &Machine)) {
    let (world, machine, before) = in_step();
    spoil(&world, &machine);
    let said = said(|| check_in_step(&world, &[&machine], &before));
    assert!(said.contains(wanted), "wanted `{wanted}`, got `{said}`");
}

#[test]
fn a_fence_that_falls_back_or_goes_is_found() {
    assert_found("(1)", |world, _| {
        Repository::open_bare(world.archive()).unwrap().find_reference("refs/standin/fence").unwrap().delete().unwrap();
    });
    assert_found("(1)", |world, _| {
        let repository = Repository::open_bare(world.standby()).unwrap();
        let tip = repository.find_reference("refs/standin/fence").unwrap().peel_to_commit().unwrap();
        let older = tip.parent(0).unwrap();
        repository.reference("refs/standin/fence", older.id(), true, "").unwrap();
    });
    assert_found("(1)", |world, _| {
        let repository = Repository::open_bare(world.standby()).unwrap();
        let tip = repository.find_reference("refs/standin/fence").unwrap().peel_to_commit().unwrap();
        let author = Signature::now("x", "x@example.com").unwrap();
        // The same sequence once more.
        let tree = tip.tree().unwrap();
        repository.commit(Some("refs/standin/fence"), &author, &author, "", &tree, &[&tip]).unwrap();
    });
}

#[test]
fn a_tip_that_went_without_a_rescue_is_found() {
    assert_found("(4)", |world, _| {
        let repository = Repository::open_bare(world.archive()).unwrap();
        repository.find_reference(&branch("topic")).unwrap().delete().unwrap();
    });
    let (world, machine, _) = in_step();
    let foreign = world.intrude(&world.archive(), &branch("topic"));
    let before = Before::of(&world);
    let repository = Repository::open_bare(world.archive()).unwrap();
    let tip = refs(&world.primary())[&branch("topic")];
    repository.reference(&branch("topic"), tip, true, "").unwrap();
    let lost = said(|| check_after_crash(&world, &machine, &before));
    assert!(lost.contains(&foreign.to_string()), "{lost}");
}

#[test]
fn actions_that_stay_off_unseen_and_workflows_that_run_are_found() {
    let off = |world: &World| {
        let on = world.sandbox.actions_permissions(BACKUP, NAME).unwrap();
        world.sandbox.set_actions_permissions(BACKUP, NAME, ActionsPermissions { enabled: false, ..on });
    };
    assert_found("(5)", |world, _| off(world));
    assert_not_in_step("the settings of Actions", |world, _| off(world));
    assert_not_in_step("not held", |world, _| {
        assert!(world.sandbox.set_workflow_state(BACKUP, NAME, "cron.yml", WorkflowState::Active));
    });
}

#[test]
fn secrets_that_lie_about_and_values_that_differ_are_found() {
    assert_found("(8)", |world, machine| fs::write(machine.state.join("x"), &world.token).unwrap());
    assert_not_in_step("secret DATABASE_URL", |world, _| {
        world.sandbox.set_secret(BACKUP, NAME, "DATABASE_URL", b"another");
    });
    assert_not_in_step("left == right", |world, _| {
        world.sandbox.set_variable(BACKUP, NAME, "DEPLOY_MODE", "another");
    });
    assert_not_in_step("refs of the primary", |world, _| {
        world.intrude(&world.standby(), &branch("topic"));
    });
}
