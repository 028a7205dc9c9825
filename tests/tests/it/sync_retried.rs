//! What passes by itself is tried again within the same sync.

use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{BACKUP, NAME, STANDBY, World};

#[test]
fn a_passing_fault_while_an_interrupted_switch_is_ended_costs_one_more_attempt_only() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let machine = world.machine();
    let killed = machine.with("STANDIN_CRASH_AT", "switch.on.before#1").standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(killed.code(), -1, "{}", killed.all());
    let actions_are_on = || world.sandbox.actions_permissions(BACKUP, NAME).unwrap().enabled;
    assert!(!actions_are_on());
    // Both tries to move the fence, before anything else of the next sync.
    let pushes = FaultMatcher::git(&format!("/{BACKUP}/{NAME}.git/git-receive-pack"));
    world.sandbox.add_fault(Fault { times: Some(2), ..Fault::always(pushes, Effect::CutBefore) });
    let ran = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    assert!(actions_are_on());
}
