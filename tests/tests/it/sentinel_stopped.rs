//! The sentinel is stopped, or does not hear an answer, at each thing that it changes: the next check goes on from there.

use std::ops::Range;

use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{BACKUP, NAME};
use standin_tests::watch::{Checked, Watched};

/// What a promotion changes, and the how-manieth of its kind.
const PROMOTION: [(&str, &str, u32); 11] = [
    ("POST", "git/trees", 1),
    ("POST", "git/commits", 1),
    ("PATCH", "git/refs/standin/fence", 1),
    ("PUT", "actions/workflows/*/enable", 2),
    ("PUT", "actions/workflows/*/enable", 3),
    ("PUT", "actions/workflows/*/enable", 4),
    ("PATCH", "actions/variables/MIRROR_ROLE", 1),
    ("POST", "git/trees", 2),
    ("PATCH", "git/refs/standin/fence", 2),
    ("PATCH", "actions/variables/SENTINEL_STATE", 2),
    ("POST", "issues", 1),
];

/// What a hand-back changes.
const HAND_BACK: [(&str, &str, u32); 11] = [
    ("POST", "git/refs", 1),
    ("POST", "git/refs", 2),
    ("POST", "git/commits", 1),
    ("PATCH", "git/refs/standin/fence", 1),
    ("PUT", "actions/workflows/*/disable", 1),
    ("PUT", "actions/workflows/*/disable", 2),
    ("PUT", "actions/workflows/*/disable", 3),
    ("PATCH", "actions/variables/MIRROR_ROLE", 1),
    ("POST", "git/commits", 2),
    ("PATCH", "git/refs/standin/fence", 2),
    ("PATCH", "actions/variables/SENTINEL_STATE", 2),
];

fn matcher((method, path, _): (&str, &str, u32)) -> FaultMatcher {
    FaultMatcher::rest(method, &format!("/repos/{BACKUP}/{NAME}/{path}"))
}

/// There and back for each point of both ways, with `disturb` at the check that changes roles.
fn there_and_back(points: Range<usize>, disturb: impl Fn(&Watched, (&str, &str, u32)) -> Checked) {
    let watched = Watched::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let mut epoch = 1;
    for (there, back) in points.map(|point| (PROMOTION[point], HAND_BACK[point])) {
        let down = watched.master_down();
        watched.checks(2);
        disturb(&watched, there);
        let mut next = watched.check();
        if watched.role() != "TEMPORARY_MASTER" {
            // A request that outlived its run may have come in between.
            next = watched.check();
        }
        watched.assert_temporary();
        epoch += 1;
        assert_eq!(watched.fence().epoch, epoch, "{there:?}: {}", next.log);

        let (work, topic) = (watched.work_on("main"), watched.work_on("topic"));
        watched.world.sandbox.remove_fault(down);
        while watched.memory()["good_checks"] != 1 {
            watched.check();
        }
        disturb(&watched, back);
        let next = watched.check();
        if watched.role() != "SLAVE" {
            watched.check();
        }
        watched.assert_slave();
        epoch += 1;
        assert_eq!(watched.fence().epoch, epoch, "{back:?}: {}", next.log);
        for (name, tip) in [("main", work), ("topic", topic)] {
            let parked = format!("refs/heads/standin/handback-{}/{name}", epoch - 1);
            assert_eq!(watched.refs().get(&parked), Some(&tip), "{back:?}: {parked}");
        }
    }
}

fn cut(watched: &Watched, point: (&str, &str, u32), effect: Effect) -> Checked {
    let fault = watched.world.sandbox.add_fault(Fault::nth(matcher(point), point.2, effect));
    let checked = watched.check();
    let hits = watched.world.sandbox.fault_hits(fault);
    watched.world.sandbox.remove_fault(fault);
    assert_eq!(hits, 1, "{point:?} never came: {}", checked.log);
    checked
}

#[test]
fn a_request_that_does_not_arrive_is_made_again() {
    there_and_back(0..6, |watched, point| cut(watched, point, Effect::CutBefore));
}

#[test]
fn a_later_request_that_does_not_arrive_is_made_again() {
    there_and_back(6..11, |watched, point| cut(watched, point, Effect::CutBefore));
}

#[test]
fn an_answer_that_does_not_arrive_is_read_back() {
    there_and_back(0..6, |watched, point| cut(watched, point, Effect::CutAfter));
}

#[test]
fn a_later_answer_that_does_not_arrive_is_read_back() {
    there_and_back(6..11, |watched, point| cut(watched, point, Effect::CutAfter));
}

#[test]
fn a_run_that_is_stopped_is_gone_on_with() {
    there_and_back(0..6, |watched, point| watched.check_and_stop(matcher(point), point.2));
}

#[test]
fn a_run_that_is_stopped_later_is_gone_on_with() {
    there_and_back(6..11, |watched, point| watched.check_and_stop(matcher(point), point.2));
}
