//! What must hold in every state, by the invariants of the design.

use standin_state::model::Role;
use stateright::Property;

use crate::model::Roles;
use crate::settle;
use crate::world::{HOME, STANDBY, World, number};

/// Invariant 1.
pub const RISES: &str = "1: the (epoch, sequence) of a fence only rises, and its master changes with the epoch alone";
/// Invariant 2.
pub const NO_STALE_WRITE: &str = "2: no ref write lands by a writer of an older epoch, or past an open change";
/// Invariant 2, for what has no compare-and-swap.
pub const REST_ASKS: &str = "2: a REST write is decided on only by whose change it is";
/// Invariant 3.
pub const NOTHING_LOST: &str = "3: what a master had when it was read stays reachable";
/// Invariant 4.
pub const RESCUED_FIRST: &str = "4: a tip is a rescue before it is moved away";
/// Invariant 5.
pub const SETTLES: &str = "5: whatever is at rest is old, new, or open to all, and resumes and rolls back";
/// Invariant 5, as far as it speaks of one change.
pub const REGISTERED: &str = "5: a change that can go on stands in its register";
/// Invariants 2 and 5.
pub const NOT_TRAMPLED: &str = "5: nobody goes over a change that can still go on";
/// Section 7.
pub const ONE_RUNS: &str = "7: a commanded change never lets two masters run";
/// Invariant 7.
pub const DIVERGED_STAYS: &str = "7: a foreign tip is not overwritten";

/// The properties of every configuration.
pub fn always() -> Vec<Property<Roles>> {
    vec![
        Property::always(RISES, |_, world: &World| !world.story.fence_fell),
        Property::always(NO_STALE_WRITE, |_, world: &World| !world.story.stale_ref),
        Property::always(REST_ASKS, |_, world: &World| !world.story.unasked_rest),
        Property::always(NOTHING_LOST, |_, world: &World| is_nothing_lost(world)),
        Property::always(RESCUED_FIRST, |_, world: &World| !world.story.unrescued),
        Property::always(SETTLES, |model: &Roles, world: &World| {
            !settle::is_at_rest(world) || settle::settles(model, world)
        }),
        Property::always(REGISTERED, |_, world: &World| is_registered(world)),
        Property::always(NOT_TRAMPLED, |_, world: &World| !world.story.trampled),
        Property::always(ONE_RUNS, |_, world: &World| does_one_run(world)),
        Property::always(DIVERGED_STAYS, |_, world: &World| !world.story.overwrote),
    ]
}

/// Whether all that was read is reachable from some repository or rescue.
pub fn is_nothing_lost(world: &World) -> bool {
    world.read & world.kept() == world.read
}

/// A change that is open on another side is open in its register, or of an epoch that the register has left behind.
fn is_registered(world: &World) -> bool {
    world.places.iter().filter_map(|place| place.fence.as_ref()).all(|fence| {
        let (Some(open), Some(copy)) = (&fence.seen.open, &fence.copy) else { return true };
        world.seen(number(copy.register())).is_some_and(|seen| {
            seen.open.as_ref().is_some_and(|other| other.change == open.change) || seen.epoch > fence.seen.epoch
        })
    })
}

/// Home and the standby run at once only where one was given up, or a REST write came too late.
fn does_one_run(world: &World) -> bool {
    let story = &world.story;
    let given_up = story.is_home_given_up || story.is_standby_given_up || story.stale_rest;
    given_up || world.places.iter().filter(|place| place.is_on).count() < 2
}

/// Whether all fences are closed and say the same, and the repositories are as they say. What home is while another is
/// `TEMPORARY_MASTER`, nobody promised.
pub fn is_consistent(world: &World) -> bool {
    let is_closed = world.places.iter().all(|place| place.fence.as_ref().is_none_or(|fence| fence.seen.open.is_none()));
    let Some(who) = world.who() else { return false };
    let master = number(&who.master);
    let agrees = |site: usize| {
        if world.story.stale_rest {
            return true;
        }
        let place = &world.places[site];
        match (site == master, who.is_temporary) {
            (true, true) => place.role == Role::TemporaryMaster && place.is_on,
            (true, false) => place.role == Role::Master && place.is_on,
            (false, true) if site == HOME => true,
            (false, _) => place.role == Role::Slave && !place.is_on,
        }
    };
    is_closed && who.rivals.is_empty() && (0..world.places.len()).all(agrees)
}

/// Whether nobody does anything and the fences are closed with this master in this epoch.
pub fn ends(world: &World, master: usize, epoch: u64) -> bool {
    let who = world.who();
    settle::is_at_rest(world)
        && world.parties.iter().all(|party| party.journal.is_none())
        && is_consistent(world)
        && who.is_some_and(|who| number(&who.master) == master && who.epoch == epoch)
}

/// The standby was made master by command.
pub fn is_switched(_: &Roles, world: &World) -> bool {
    ends(world, STANDBY, 2) && world.places[STANDBY].role == Role::Master
}

/// The standby became `TEMPORARY_MASTER`.
pub fn is_failed_over(_: &Roles, world: &World) -> bool {
    ends(world, STANDBY, 2) && world.places[STANDBY].role == Role::TemporaryMaster
}

/// A change that had raised the epoch was taken back.
pub fn is_taken_back(_: &Roles, world: &World) -> bool {
    ends(world, HOME, 3)
}
