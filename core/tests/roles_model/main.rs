//! Role changes, model-checked: the functions of `standin_core::roles::{machine, who}` themselves, run by stateright through
//! every order of events within bounds.
//!
//! **What is modelled.** Two or three repositories ([`world`]): up or down, each with a fence that moves by
//! compare-and-swap, one branch, what its hand-back and parked branches reach, its workflows on or off, its role. Up to
//! two operators with journals, and the sentinel, which has only its fence ([`party`]): one look at the world, or one effect
//! on it, at a time. A sync by an old clone that knows no master but home. People who push to either side, and rewrite
//! home's branch. Accidents ([`model`]): a party dies before or after each effect and each entry in its journal; an answer
//! is lost, a request is late, however late, or never arrives; home or the standby goes down and comes back; a change is
//! taken over, turned back, made a fail-over at any point, or ended by home taking over from a standby that is gone.
//!
//! **What must hold** ([`properties`]): the invariants of the design in every state. In every state at rest, each way on that
//! status offers is gone to its end ([`settle`]), and must lead to fences that are closed and agree, and repositories that
//! are as they say. Each check also names what must be seen to happen, so that none passes by doing nothing; and bugs that
//! are planted ([`mutant`]) must be found ([`bugs`]).
//!
//! **What is left out.** A look at two fences is one event (read in the order that `may_take` asks for, it is no stronger
//! than two). Branches beside the one, tags, secrets and the state file are not there. A REST write that arrives after its
//! change was taken over or turned back is allowed and marked, since nothing can stop it: from then on the fences and the
//! commits are judged, and no longer what that write may have set. The bounds are the budgets below.

mod bugs;
mod model;
mod mutant;
mod party;
mod properties;
mod settle;
mod world;

use standin_core::mastership::machine::Kind;
use stateright::{Checker, Model};

use model::Roles;
use party::SENTINEL;
use properties::{is_failed_over, is_switched, is_taken_back};
use world::{Budget, HOME, STANDBY};

const ANNA: &str = "anna";
const BEN: &str = "ben";

/// Checks everything, prints how much that was, and fails with the way that led there.
fn check(name: &str, model: Roles) {
    let begun = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    eprintln!(
        "{name}: {} states, {} distinct, depth {}, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f32()
    );
    for (property, path) in checker.discoveries() {
        if checker.model().property(property).expectation.discovery_is_failure() {
            let last = path.last_state().clone();
            let unsettled = settle::unsettled(checker.model(), &last);
            let way: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
            panic!(
                "{property}\n{}\n{last}\nends: {}",
                way.join(" "),
                unsettled.iter().map(|(way, world)| format!("{way:?}: {world}")).collect::<Vec<_>>().join("\n")
            );
        }
    }
    checker.assert_properties();
}

#[test]
fn a_switchover_survives_a_crash_and_another_operator() {
    let budget = Budget { crashes: 1, takeovers: 1, turns: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY)])
        .sometimes("completes", is_switched)
        .sometimes("is taken over", |_, world| world.story.was_taken)
        .sometimes("is rolled back after the raise", is_taken_back);
    check("switchover, a crash", model);
}

#[test]
fn a_switchover_survives_lost_and_late_answers_and_another_operator() {
    let budget = Budget { losses: 1, takeovers: 1, turns: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY)])
        .sometimes("completes", is_switched)
        .sometimes("is taken over", |_, world| world.story.was_taken)
        .sometimes("is rolled back after the raise", is_taken_back)
        .sometimes("loses a compare-and-swap", |_, world| world.story.swap_lost);
    check("switchover, a lost answer", model);
}

#[test]
fn a_switchover_survives_commits_made_by_hand_and_an_old_clone() {
    let budget = Budget { crashes: 1, pushes: 2, rewrites: 1, syncs: 2, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA], budget)
        .with(&[(0, Kind::Switchover, STANDBY)])
        .sometimes("completes", is_switched)
        .sometimes("refuses the old clone", |_, world| world.story.swap_lost)
        .sometimes("rescues", |_, world| world.rescued != 0);
    check("switchover, commits by hand", model);
}

#[test]
fn two_operators_switch_over_at_once() {
    let budget = Budget { turns: 1, losses: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY), (1, Kind::Switchover, STANDBY)])
        .sometimes("completes", is_switched)
        .sometimes("loses a compare-and-swap", |_, world| world.story.swap_lost);
    check("two switchovers", model);
}

#[test]
fn two_operators_promote_two_mirrors_at_once() {
    let budget = Budget { turns: 1, ..Budget::default() };
    let model = Roles::at_rest(3, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY), (1, Kind::Switchover, 2)])
        .sometimes("completes", is_switched)
        .sometimes("completes for the other", |_, world| properties::ends(world, 2, 2));
    check("two mirrors", model);
}

#[test]
fn the_sentinel_and_an_operator_fail_over_at_once_and_hand_back() {
    let budget = Budget { crashes: 1, outages: 1, sentinel: 2, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, SENTINEL], budget)
        .with(&[(0, Kind::Failover, STANDBY), (0, Kind::Demote, HOME)])
        .sometimes("fails over", is_failed_over)
        .sometimes("hands back", |_, world| properties::ends(world, HOME, 3) && !world.story.was_taken)
        .sometimes("loses a compare-and-swap", |_, world| world.story.swap_lost);
    check("fail-over", model);
}

#[test]
fn the_sentinel_survives_lost_answers_and_an_operator_who_goes_on_for_it() {
    let budget = Budget { losses: 1, outages: 1, sentinel: 2, takeovers: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, SENTINEL], budget)
        .sometimes("fails over", is_failed_over)
        .sometimes("hands back", |_, world| properties::ends(world, HOME, 3) && !world.story.was_taken)
        .sometimes("is taken over", |_, world| world.story.was_taken);
    check("sentinel, a lost answer", model);
}

#[test]
fn a_hand_back_brings_the_commits_of_both_sides_home() {
    let budget = Budget { crashes: 1, pushes: 1, takeovers: 1, ..Budget::default() };
    let model = Roles::after_failover(&[ANNA, BEN], budget, &[HOME, STANDBY])
        .with(&[(0, Kind::Demote, HOME)])
        .sometimes("completes", |_, world| properties::ends(world, HOME, 3) && world.story.was_handed_back)
        .sometimes("is taken over", |_, world| world.story.was_taken)
        .sometimes("is rolled back after the raise", |_, world| properties::ends(world, STANDBY, 4));
    check("hand-back, a crash", model);
}

#[test]
fn a_hand_back_survives_lost_answers() {
    let budget = Budget { losses: 1, takeovers: 1, ..Budget::default() };
    let model = Roles::after_failover(&[ANNA, BEN], budget, &[HOME, STANDBY])
        .with(&[(0, Kind::Demote, HOME)])
        .sometimes("completes", |_, world| properties::ends(world, HOME, 3) && world.story.was_handed_back)
        .sometimes("is rolled back after the raise", |_, world| properties::ends(world, STANDBY, 4));
    check("hand-back, a lost answer", model);
}

#[test]
fn a_hand_back_and_the_sentinel_s_own_do_not_collide() {
    let budget = Budget { crashes: 1, sentinel: 1, takeovers: 1, turns: 1, ..Budget::default() };
    let model = Roles::after_failover(&[ANNA, SENTINEL], budget, &[STANDBY])
        .with(&[(0, Kind::Demote, HOME)])
        .sometimes("completes", |_, world| properties::ends(world, HOME, 3))
        .sometimes("parks", |_, world| world.places[STANDBY].kept != 0)
        .sometimes("is taken over", |_, world| world.story.was_taken);
    check("hand-back, the sentinel", model);
}

#[test]
fn the_master_dies_in_the_middle_of_a_switchover() {
    let budget = Budget { crashes: 1, outages: 1, takeovers: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY)])
        .sometimes("fails over instead", |_, world| world.story.is_home_given_up);
    check("the master dies, switchover", model);
}

#[test]
fn the_master_dies_in_the_middle_of_a_hand_back() {
    let budget = Budget { crashes: 1, outages: 1, takeovers: 1, ..Budget::default() };
    let model = Roles::after_failover(&[ANNA, BEN], budget, &[HOME, STANDBY])
        .with(&[(0, Kind::Demote, HOME)])
        .sometimes("fails over instead", |_, world| properties::ends(world, STANDBY, 3));
    check("the master dies, hand-back", model);
}

#[test]
fn home_takes_over_from_a_standby_that_was_made_master_and_is_gone() {
    let budget = Budget { crashes: 1, losses: 1, standby_outages: 1, syncs: 1, takeovers: 1, ..Budget::default() };
    let model = Roles::after_switchover(&[ANNA, BEN], budget, &[STANDBY])
        .with(&[(0, Kind::Failover, HOME)])
        .sometimes("takes over", |_, world| properties::ends(world, HOME, 4))
        .sometimes("the standby hears of it", |_, world| {
            world.seen(STANDBY).is_some_and(|seen| seen.master == world::SITES[HOME] && seen.epoch == 4)
        });
    check("the standby dies as master", model);
}

#[test]
fn the_standby_dies_in_the_middle_of_a_switchover() {
    let budget = Budget { crashes: 1, standby_outages: 1, syncs: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, BEN], budget)
        .with(&[(0, Kind::Switchover, STANDBY), (1, Kind::Failover, HOME)])
        .sometimes("home takes over", |_, world| world.story.was_superseded)
        .sometimes("the other comes to its end after that", |_, world| {
            world.story.was_superseded
                && settle::is_at_rest(world)
                && world.parties.iter().all(|one| one.journal.is_none())
        });
    check("the standby dies, switchover", model);
}

#[test]
fn the_standby_dies_in_the_middle_of_a_hand_back() {
    let budget = Budget { crashes: 1, standby_outages: 1, syncs: 1, ..Budget::default() };
    let model = Roles::after_failover(&[ANNA, BEN], budget, &[HOME, STANDBY])
        .with(&[(0, Kind::Demote, HOME), (1, Kind::Failover, HOME)])
        .sometimes("home takes over", |_, world| world.story.was_superseded);
    check("the standby dies, hand-back", model);
}
