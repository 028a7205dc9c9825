//! Each planted bug is found, by the property that is there for it.

use standin_core::mastership::machine::Kind;
use stateright::{Checker, HasDiscoveries, Model};

use crate::model::Roles;
use crate::mutant::Mutant;
use crate::party::SENTINEL;
use crate::properties::{
    DIVERGED_STAYS, NO_STALE_WRITE, NOT_TRAMPLED, NOTHING_LOST, ONE_RUNS, REGISTERED, RESCUED_FIRST, REST_ASKS, RISES,
    SETTLES,
};
use crate::world::{Budget, HOME, STANDBY};
use crate::{ANNA, BEN};

/// Fails unless the checker finds that the bug breaks the property.
fn finds(mutant: Mutant, property: &'static str, model: Roles) {
    let model = model.bugged(mutant);
    let wanted = HasDiscoveries::AllOf(std::iter::once(property).collect());
    let checker = model.checker().finish_when(wanted).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else {
        panic!("{mutant:?} is not found in {} states", checker.unique_state_count());
    };
    eprintln!(
        "{mutant:?}: {} actions, {} distinct states, breaks `{property}`",
        path.into_actions().len(),
        checker.unique_state_count()
    );
}

fn switchover(budget: Budget) -> Roles {
    Roles::at_rest(2, &[ANNA, BEN], budget).with(&[(0, Kind::Switchover, STANDBY)])
}

fn hand_back(budget: Budget) -> Roles {
    Roles::after_failover(&[ANNA, BEN], budget, &[HOME, STANDBY]).with(&[(0, Kind::Demote, HOME)])
}

const TAKEN: Budget = Budget {
    crashes: 1,
    losses: 0,
    pushes: 0,
    rewrites: 0,
    outages: 0,
    takeovers: 1,
    turns: 1,
    syncs: 0,
    sentinel: 0,
    standby_outages: 0,
};

#[test]
fn an_epoch_that_does_not_move_is_found() {
    finds(Mutant::UnmovedEpoch, RISES, switchover(Budget::default()));
}

#[test]
fn a_write_without_a_lease_is_found() {
    finds(Mutant::NoLease, RISES, switchover(Budget { takeovers: 1, ..Budget::default() }));
}

#[test]
fn a_push_that_leaves_the_fence_is_found() {
    let budget = Budget { pushes: 1, syncs: 1, ..Budget::default() };
    finds(Mutant::PushWithoutFence, NO_STALE_WRITE, switchover(budget));
}

#[test]
fn a_forgotten_rescue_is_found() {
    let budget = Budget { pushes: 1, rewrites: 1, syncs: 2, ..Budget::default() };
    finds(Mutant::ForgetTheRescue, RESCUED_FIRST, switchover(budget));
    finds(Mutant::ForgetTheRescue, NOTHING_LOST, switchover(budget));
}

#[test]
fn a_retry_that_does_not_read_back_is_found() {
    let budget = Budget { losses: 1, ..Budget::default() };
    finds(Mutant::RetryWithoutReadBack, SETTLES, switchover(budget));
}

#[test]
fn closing_before_the_workflows_are_on_is_found() {
    finds(Mutant::CloseBeforeEnable, SETTLES, switchover(TAKEN));
}

#[test]
fn closing_the_register_first_is_found() {
    finds(Mutant::CloseRegisterFirst, REGISTERED, switchover(Budget::default()));
}

#[test]
fn a_journal_that_comes_after_the_effect_is_found() {
    finds(Mutant::JournalAfterEffect, SETTLES, switchover(TAKEN));
}

#[test]
fn rest_steps_that_do_not_ask_first_are_found() {
    finds(Mutant::RestUnchecked, REST_ASKS, switchover(TAKEN));
}

#[test]
fn fence_steps_that_do_not_ask_the_register_are_found() {
    finds(Mutant::OtherSideUnchecked, REGISTERED, switchover(TAKEN));
}

#[test]
fn going_over_another_s_open_change_is_found() {
    let model = switchover(Budget::default()).with(&[(0, Kind::Switchover, STANDBY), (1, Kind::Switchover, STANDBY)]);
    finds(Mutant::IgnoreOthersChange, NOT_TRAMPLED, model);
}

#[test]
fn a_hand_back_by_force_is_found() {
    finds(Mutant::ForceHandBack, DIVERGED_STAYS, hand_back(Budget::default()));
}

#[test]
fn putting_the_standby_in_step_before_its_commits_are_home_is_found() {
    finds(Mutant::ResyncBeforeHandBack, DIVERGED_STAYS, hand_back(Budget::default()));
}

#[test]
fn a_way_back_that_leaves_the_epoch_is_found() {
    finds(Mutant::BackWithoutRaise, SETTLES, switchover(TAKEN));
}

#[test]
fn a_way_back_that_does_not_move_the_fences_first_is_found() {
    finds(Mutant::BackWithoutAnnounce, REGISTERED, switchover(TAKEN));
}

#[test]
fn going_on_in_another_s_name_is_found() {
    finds(Mutant::TakeOverWithoutMove, ONE_RUNS, switchover(TAKEN));
}

#[test]
fn believing_how_far_a_fence_says_that_a_change_came_is_found() {
    finds(Mutant::BelieveTheCopy, SETTLES, switchover(TAKEN));
}

#[test]
fn a_sentinel_that_acts_before_it_moves_the_fence_is_found() {
    let budget = Budget { crashes: 1, outages: 1, sentinel: 1, ..Budget::default() };
    let model = Roles::at_rest(2, &[ANNA, SENTINEL], budget).with(&[(0, Kind::Switchover, STANDBY)]);
    finds(Mutant::SentinelActsFirst, REST_ASKS, model);
}

#[test]
fn switching_the_new_master_on_before_the_old_one_is_off_is_found() {
    finds(Mutant::EnableBeforeHold, ONE_RUNS, switchover(Budget::default()));
}

#[test]
fn ending_a_change_whose_register_is_gone_in_an_epoch_that_it_may_reach_is_found() {
    let budget = Budget { standby_outages: 1, crashes: 1, syncs: 1, ..Budget::default() };
    let model =
        Roles::at_rest(2, &[ANNA, BEN], budget).with(&[(0, Kind::Switchover, STANDBY), (1, Kind::Failover, HOME)]);
    finds(Mutant::EndInTheSameEpoch, SETTLES, model);
}
