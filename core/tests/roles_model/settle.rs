//! What becomes of a state in which nobody does anything: every way that status offers is gone to its end, without
//! accidents, and must lead to a closed and consistent state.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{LazyLock, Mutex};

use standin_core::mastership::machine::{Change, Kind, Step, Way};
use standin_state::model::Role;

use crate::model::{Action, Roles, start, take, unheard};
use crate::mutant::Mutant;
use crate::party::{Phase, SENTINEL, look, sender};
use crate::properties::{is_consistent, is_nothing_lost};
use crate::world::{Budget, Fixed, HOME, SITES, STANDBY, Sender, World, number};

/// More steps than any change has.
const STEPS: usize = 100;

/// States that were found to settle, with the bug that was planted; what may still happen to them makes no difference.
type Settled = HashSet<(Option<Mutant>, u64)>;

static SETTLED: LazyLock<Mutex<Settled>> = LazyLock::new(Mutex::default);

/// Whether nobody does anything and nothing is under way.
pub fn is_at_rest(world: &World) -> bool {
    world.flights.is_empty() && world.parties.iter().all(|party| party.run.is_none())
}

/// Whether every way on ends well.
pub fn settles(model: &Roles, world: &World) -> bool {
    let world = calm(world);
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    let key = (model.mutant, hasher.finish());
    if SETTLED.lock().is_ok_and(|settled| settled.contains(&key)) {
        return true;
    }
    let does = ways(&world).into_iter().all(|way| is_settled(&end(model, &world, way)));
    if does && let Ok(mut settled) = SETTLED.lock() {
        settled.insert(key);
    }
    does
}

/// The ways on that do not end well, and where they end.
pub fn unsettled(model: &Roles, world: &World) -> Vec<(WayOn, World)> {
    let world = calm(world);
    let ends = ways(&world).into_iter().map(|way| (way, end(model, &world, way)));
    ends.filter(|(_, world)| !is_settled(world)).collect()
}

fn calm(world: &World) -> World {
    let mut world = world.clone();
    world.budget = Budget { takeovers: u8::MAX, ..Budget::default() };
    world.begun = 0;
    world.sync = None;
    for place in &mut world.places {
        place.is_up = true;
    }
    world
}

fn end(model: &Roles, world: &World, way: WayOn) -> World {
    let mut world = world.clone();
    go(model, &mut world, way);
    finish(model, &mut world);
    world
}

fn is_settled(world: &World) -> bool {
    is_consistent(world) && is_nothing_lost(world) && !world.story.fence_fell && !world.story.trampled
}

/// A way on.
#[derive(Clone, Copy, Debug)]
pub enum WayOn {
    /// Nothing is done.
    Leave,
    Resume(usize),
    TurnBack(usize),
    TakeOver {
        party: usize,
        register: usize,
        is_back: bool,
    },
}

/// The ways on that there are: by the journals, and by what the fences show.
fn ways(world: &World) -> Vec<WayOn> {
    let operators = || (0..world.parties.len()).filter(|party| world.parties[*party].name != SENTINEL);
    let mut ways = Vec::new();
    for party in operators() {
        match &world.parties[party].journal {
            Some(change) if change.way == Way::Onward => {
                ways.extend([WayOn::Resume(party), WayOn::TurnBack(party)]);
            }
            Some(_) => ways.push(WayOn::Resume(party)),
            None => {
                for register in open(world) {
                    for is_back in [false, true] {
                        ways.push(WayOn::TakeOver { party, register, is_back });
                    }
                }
            }
        }
    }
    if ways.is_empty() {
        ways.push(WayOn::Leave);
    }
    ways
}

/// The registers in which a change stands open.
fn open(world: &World) -> Vec<usize> {
    (0..world.places.len())
        .filter(|site| {
            let copy = world.places[*site].fence.as_ref().and_then(|fence| fence.copy.as_ref());
            copy.is_some_and(|copy| number(copy.register()) == *site)
        })
        .collect()
}

fn go(model: &Roles, world: &mut World, way: WayOn) {
    match way {
        WayOn::Leave => {}
        WayOn::Resume(party) => run(model, world, Action::Resume(party), party),
        WayOn::TurnBack(party) => run(model, world, Action::TurnBack(party), party),
        WayOn::TakeOver { party, register, is_back } => {
            take(world, party, register, is_back, model.mutant);
            drive(model, world, party);
        }
    }
}

fn run(model: &Roles, world: &mut World, action: Action, party: usize) {
    let Some(change) = world.parties[party].journal.clone() else { return };
    let change = if matches!(action, Action::TurnBack(_)) { Fixed::new(change.turn_back()) } else { change };
    world.parties[party].journal = Some(change.clone());
    start(world, party, change);
    drive(model, world, party);
}

/// Whatever is still open is brought to its end: what cannot go forward is turned back, what nobody has in a journal is
/// taken over, what an earlier epoch left behind is ended by a change of its own.
fn finish(model: &Roles, world: &mut World) {
    for _ in 0..6 {
        let holder = (0..world.parties.len()).find(|party| world.parties[*party].journal.is_some());
        if let Some(party) = holder {
            run(model, world, Action::TurnBack(party), party);
        } else if let Some(register) = open(world).first() {
            if let Some(party) = world.parties.iter().position(|party| party.name != SENTINEL) {
                take(world, party, *register, false, model.mutant);
                drive(model, world, party);
            } else {
                // The sentinel is the only party: its next check goes on with what is its own.
                crate::party::sentinel(world, 0, model.mutant);
                drive(model, world, 0);
            }
        } else if let Some(change) = leftover(world) {
            let is_mended = number(&change.new) != HOME;
            start(world, 0, Fixed::new(change));
            if is_mended {
                drive_to(model, world, 0, |change| matches!(change.next(), Some(Step::Bring)));
                go(model, world, WayOn::TurnBack(0));
            } else {
                drive(model, world, 0);
            }
        } else {
            break;
        }
    }
    tell(world);
}

/// The next sync from home: a standby that was given up hears that home is master, is held and gets its role.
fn tell(world: &mut World) {
    if let Some(effect) = unheard(world) {
        let epoch = world.seen(HOME).map_or(0, |seen| seen.epoch);
        world.land(&Sender { name: "sync", epoch, change: None }, &effect, None);
    }
    let is_home_master = world.who().is_some_and(|who| number(&who.master) == HOME);
    if world.story.is_standby_given_up && is_home_master {
        let standby = &mut world.places[STANDBY];
        (standby.is_on, standby.role) = (false, Role::Slave);
    }
}

/// The change that ends what stands open in a fence of an epoch that its register has left: a hand-back where the
/// standby is master, else a switchover that is turned back as soon as it has held home.
fn leftover(world: &World) -> Option<Change> {
    let copy = world.places.iter().filter_map(|place| place.fence.as_ref()?.copy.as_ref()).next()?;
    let who = world.who()?;
    if number(&who.master) == HOME {
        let mut change = Change::new("settled", Kind::Switchover, SITES[HOME], SITES[STANDBY], who.epoch);
        change.workflows.clone_from(&copy.workflows);
        return Some(change);
    }
    let mut change = Change::new("settled", Kind::Demote, who.master, SITES[HOME], who.epoch);
    change.old_is_temporary = who.is_temporary;
    change.workflows.clone_from(&copy.workflows);
    Some(change)
}

/// Carries a run on until it ends or stops.
fn drive(model: &Roles, world: &mut World, party: usize) {
    drive_to(model, world, party, |_| false);
}

/// Carries a run on until it ends or stops, or has come to some point; there it dies.
fn drive_to(model: &Roles, world: &mut World, party: usize, is_far_enough: fn(&Change) -> bool) {
    for _ in 0..STEPS {
        let Some(run) = &mut world.parties[party].run else { return };
        if is_far_enough(&run.change) {
            world.parties[party].run = None;
            return;
        }
        let Phase::Decided { effect, epoch } = run.phase.clone() else {
            look(world, party, model.mutant);
            continue;
        };
        let sender = sender(run, epoch);
        run.phase = Phase::Unread;
        if world.land(&sender, &effect, model.mutant)
            && let Some(run) = &mut world.parties[party].run
        {
            run.phase = Phase::Done;
        }
    }
    panic!("a change without an end: {world}");
}
