//! The parties that carry role changes out: operators with a journal, and the sentinel that has none. What they decide
//! comes from the product's own functions; here is only the loop around them, one look or one effect at a time.

use standin_core::mastership::machine::{
    Change, Kind, Move, Seen, Step, Way, fence_move, may_take, still_ours, take_over,
};

use crate::mutant::Mutant;
use crate::world::{Effect, Fixed, HOME, SITES, STANDBY, Sender, World, is_without_effect, master, number};
use standin_core::mastership::who::open_change;
use standin_state::model::Site;

/// The sentinel's name as a writer.
pub const SENTINEL: &str = "sentinel";

/// An operator's machine, or the sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    pub name: &'static str,
    /// What survives a crash.
    pub journal: Option<Fixed<Change>>,
    /// What does not.
    pub run: Option<Run>,
}

/// A change that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    pub change: Fixed<Change>,
    /// The name it writes under.
    pub writes_as: &'static str,
    /// Whether this is the sentinel's own short way of handing back, which touches the standby alone.
    pub is_alone: bool,
    pub phase: Phase,
}

/// Where it stands within a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has not looked yet, or does not know what became of what it sent.
    Unread,
    /// It has looked and decided; `epoch` is what it saw.
    Decided { effect: Fixed<Effect>, epoch: u64 },
    /// It knows that the step is done.
    Done,
}

/// What a look at the world comes to.
enum Look {
    Do(Effect),
    Nothing,
    /// The change cannot go on for now; it stays in the journal.
    Stop,
    /// The change is not ours any more.
    Ended,
}

/// The beginnings of a change that an operator may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Begin {
    pub party: usize,
    pub kind: Kind,
    pub to: usize,
}

/// The steps of a run, in its order.
fn steps(run: &Run, mutant: Option<Mutant>) -> Vec<Step> {
    let standby = || Site::from(SITES[STANDBY]);
    if run.is_alone {
        // The first stands for parking, which is no step of the machine.
        let raise = [Step::Quiesce(standby()), Step::Raise(standby())];
        return raise
            .into_iter()
            .chain([Step::Hold(standby()), Step::SetRole(standby()), Step::Close(standby())])
            .collect();
    }
    let mut steps = run.change.steps();
    let is_back = run.change.way == Way::Back;
    let take = |steps: &mut Vec<Step>, which: fn(&Step) -> bool| -> Vec<Step> {
        let taken = steps.iter().filter(|step| which(step)).cloned().collect();
        steps.retain(|step| !which(step));
        taken
    };
    match mutant {
        Some(Mutant::CloseBeforeEnable) => {
            let enable = take(&mut steps, |step| matches!(step, Step::Enable(_)));
            steps.extend(enable);
        }
        Some(Mutant::CloseRegisterFirst) => {
            let closes = take(&mut steps, |step| matches!(step, Step::Close(_)));
            steps.extend(closes.into_iter().rev());
        }
        Some(Mutant::ResyncBeforeHandBack) if run.change.kind == Kind::Demote && !is_back => {
            let bring = steps.iter().position(|step| *step == Step::Bring);
            let resync = steps.iter().position(|step| matches!(step, Step::Resync(_)));
            if let (Some(bring), Some(resync)) = (bring, resync) {
                steps.swap(bring, resync);
            }
        }
        Some(Mutant::EnableBeforeHold) if run.change.with_old() && !is_back => {
            let enable = take(&mut steps, |step| matches!(step, Step::Enable(_)));
            let sides = run.change.sides().len();
            steps.splice(sides..sides, enable);
        }
        Some(Mutant::BackWithoutRaise) if is_back => {
            take(&mut steps, |step| matches!(step, Step::Raise(_)));
        }
        Some(Mutant::BackWithoutAnnounce) if is_back => {
            take(&mut steps, |step| matches!(step, Step::Announce(_)));
        }
        Some(Mutant::SentinelActsFirst) if run.writes_as == SENTINEL && !is_back => {
            let enable = take(&mut steps, |step| matches!(step, Step::Enable(_)));
            steps.splice(0..0, enable);
        }
        _ => {}
    }
    steps
}

/// The party looks and decides what its next step is; or stops, or finds itself done.
pub fn look(world: &mut World, party: usize, mutant: Option<Mutant>) {
    let Some(mut run) = world.parties[party].run.take() else { return };
    let steps = steps(&run, mutant);
    if run.phase == Phase::Done {
        run.change = Fixed::new(run.change.done());
    }
    while !run.is_alone && steps.get(run.change.position).is_some_and(is_without_effect) {
        run.change = Fixed::new(run.change.begun().done());
    }
    let Some(step) = steps.get(run.change.position).cloned() else {
        world.parties[party].journal = None;
        return;
    };
    let is_journaled = run.writes_as != SENTINEL;
    if mutant != Some(Mutant::JournalAfterEffect) {
        run.change = Fixed::new(run.change.begun());
        world.parties[party].journal = is_journaled.then(|| run.change.clone());
    } else if run.change.position > 0 {
        world.parties[party].journal = is_journaled.then(|| run.change.clone());
    }
    let epoch = world.seen(number(run.change.site_of(&step))).map_or(0, |seen| seen.epoch);
    let looked = if run.is_alone && run.change.position < 2 {
        look_alone(world, &run)
    } else {
        look_at(world, &run, &step, mutant)
    };
    match looked {
        Look::Do(effect) => {
            let is_rest = matches!(effect, Effect::Switch { .. } | Effect::SetRole { .. });
            world.story.unasked_rest |= is_rest && !world.is_held(&sender(&run, epoch));
            run.phase = Phase::Decided { effect: Fixed::new(effect), epoch };
        }
        Look::Nothing => run.phase = Phase::Done,
        Look::Stop => return,
        Look::Ended => {
            world.parties[party].journal = None;
            return;
        }
    }
    world.parties[party].run = Some(run);
}

fn look_at(world: &mut World, run: &Run, step: &Step, mutant: Option<Mutant>) -> Look {
    let (change, me) = (&run.change, run.writes_as);
    let (site, register) = (number(change.site_of(step)), number(change.register()));
    if !world.places[site].is_up {
        return if matches!(step, Step::Tell(_)) { Look::Nothing } else { Look::Stop };
    }
    let is_unchecked = match mutant {
        Some(Mutant::RestUnchecked) => !step.is_of_fence(),
        Some(Mutant::OtherSideUnchecked) => step.is_of_fence(),
        Some(Mutant::CloseBeforeEnable | Mutant::SentinelActsFirst) => matches!(step, Step::Enable(_)),
        _ => false,
    };
    if !is_unchecked {
        if !world.places[register].is_up {
            return Look::Stop;
        }
        if may_take(change, step, me, world.seen(register)).is_err() {
            return Look::Ended;
        }
    }
    let mut seen = world.seen(site).cloned();
    if mutant == Some(Mutant::IgnoreOthersChange)
        && matches!(step, Step::Announce(_))
        && let Some(seen) = &mut seen
        && seen.open.as_ref().is_some_and(|open| open.change.as_ref() != Some(&change.id))
    {
        seen.open = None;
    }
    match fence_move(change, step, me, seen.as_ref()) {
        Move::Write(mut to) => {
            if mutant == Some(Mutant::UnmovedEpoch) && matches!(step, Step::Raise(_)) {
                if seen.as_ref().is_some_and(|seen| seen.master == to.master) {
                    return Look::Nothing;
                }
                to.epoch = change.epoch;
            }
            Look::Do(Effect::Fence { site, lease: world.lease(site), to, copy: Some(change.clone()) })
        }
        Move::Already if step.is_of_fence() => Look::Nothing,
        Move::Refused(_) if change.passes_over(step) => Look::Nothing,
        Move::Refused(_) if site == register => Look::Ended,
        Move::Refused(_) if !is_unchecked => Look::Stop,
        Move::Already | Move::Refused(_) => look_rest(world, run, step, mutant),
    }
}

fn look_rest(world: &mut World, run: &Run, step: &Step, mutant: Option<Mutant>) -> Look {
    let change = &run.change;
    let switch = |world: &World, site: &Site, on: bool| {
        let site = number(site);
        if world.places[site].is_on == on { Look::Nothing } else { Look::Do(Effect::Switch { site, on }) }
    };
    match step {
        Step::Hold(site) => switch(world, site, false),
        Step::Enable(site) => switch(world, site, true),
        Step::SetRole(name) => {
            let (site, role) = (number(name), change.role_of(name));
            if world.places[site].role == role { Look::Nothing } else { Look::Do(Effect::SetRole { site, role }) }
        }
        Step::Bring => bring(world, change, mutant),
        Step::Resync(site) => resync(world, number(site), number(change.winner()), mutant),
        _ => Look::Nothing,
    }
}

/// The commits of the old master, for the new one.
fn bring(world: &mut World, change: &Change, mutant: Option<Mutant>) -> Look {
    let (from, to) = (number(&change.old), number(&change.new));
    if !world.places[from].is_up {
        return Look::Stop;
    }
    world.read_master(from);
    let (ours, theirs) = (world.places[from].tip, world.places[to].tip);
    let lease = world.lease(to);
    let push = |tip| Look::Do(Effect::Push { site: to, lease, from: theirs, to: tip });
    if change.kind != Kind::Demote {
        return match world.plan_push(from, to) {
            Ok(None) => Look::Nothing,
            Ok(Some(tip)) => push(tip),
            Err(()) => Look::Stop,
        };
    }
    let commits = world.history[usize::from(ours)];
    if mutant == Some(Mutant::ForceHandBack) && ours != theirs {
        push(ours)
    } else if world.reach(to) & commits == commits {
        Look::Nothing
    } else if world.contains(ours, theirs) {
        push(ours)
    } else {
        Look::Do(Effect::HandBack { site: to, lease, commits })
    }
}

/// The branch of what was master, brought in step with the one that is. A foreign commit that is not home stays.
fn resync(world: &mut World, site: usize, master: usize, mutant: Option<Mutant>) -> Look {
    if !world.places[master].is_up {
        return Look::Stop;
    }
    world.read_master(master);
    let (from, to) = (world.places[site].tip, world.places[master].tip);
    let commits = world.history[usize::from(from)];
    let is_home = world.reach(master) & commits == commits || mutant == Some(Mutant::ResyncBeforeHandBack);
    if from == to || !is_home {
        Look::Nothing
    } else {
        Look::Do(Effect::Push { site, lease: world.lease(site), from, to })
    }
}

/// The first two steps of the sentinel's hand-back: park, then announce and raise in one move.
fn look_alone(world: &mut World, run: &Run) -> Look {
    let fence = world.seen(STANDBY).cloned();
    if run.change.position == 0 {
        if !world.places[HOME].is_up {
            return Look::Ended;
        }
        world.read_master(HOME);
        world.read_master(STANDBY);
        let commits = world.history[usize::from(world.places[STANDBY].tip)];
        let has = world.reach(HOME) | world.places[STANDBY].kept;
        return if has & commits == commits {
            Look::Nothing
        } else {
            Look::Do(Effect::Park { site: STANDBY, commits })
        };
    }
    match fence {
        Some(seen) if still_ours(&run.change, SENTINEL, Some(&seen)).is_ok() => Look::Nothing,
        Some(seen) => announce_and_raise(world, &run.change, &seen),
        None => Look::Ended,
    }
}

/// The sentinel's one move of its fence.
fn announce_and_raise(world: &World, change: &Change, seen: &Seen) -> Look {
    let site = Site::from(SITES[STANDBY]);
    let change = Change { position: 0, reached: 0, ..change.clone() }.begun();
    let Move::Write(announced) = fence_move(&change, &Step::Announce(site.clone()), SENTINEL, Some(seen)) else {
        return Look::Ended;
    };
    let change = change.done().begun();
    match fence_move(&change, &Step::Raise(site), SENTINEL, Some(&announced)) {
        Move::Write(to) => {
            let to = Seen { sequence: seen.sequence + 1, ..to };
            Look::Do(Effect::Fence { site: STANDBY, lease: world.lease(STANDBY), to, copy: Some(Fixed::new(change)) })
        }
        _ => Look::Ended,
    }
}

/// The sentinel's run, at one of its checks: goes on with its own change, or judges.
pub fn sentinel(world: &mut World, party: usize, mutant: Option<Mutant>) {
    let Some(fence) = world.places[STANDBY].fence.clone() else { return };
    let me = SITES[STANDBY];
    let is_alone = |change: &Change| change.kind == Kind::Demote;
    if let (Some(open), Some(copy)) = (&fence.seen.open, &fence.copy) {
        if open.writer == SENTINEL {
            let found = copy.found_at(&fence.seen);
            let position = if is_alone(copy) { 2 } else { found.position };
            let run = Run {
                is_alone: is_alone(copy),
                writes_as: SENTINEL,
                phase: Phase::Unread,
                change: Fixed::new(Change { position, ..found }),
            };
            world.parties[party].run = Some(run);
            look(world, party, mutant);
        }
        return;
    }
    if world.budget.sentinel == 0 {
        return;
    }
    let is_home_up = world.places[HOME].is_up;
    let id = format!("{SENTINEL}{}", world.budget.sentinel);
    let epoch = fence.seen.epoch;
    if fence.seen.master != me && !is_home_up {
        let change = Change::new(id, Kind::Failover, fence.seen.master.clone(), me, epoch);
        let run = Run { change: Fixed::new(change), writes_as: SENTINEL, is_alone: false, phase: Phase::Unread };
        world.parties[party].run = Some(run);
        world.budget.sentinel -= 1;
        if mutant == Some(Mutant::SentinelActsFirst) {
            return look(world, party, mutant);
        }
        let change = world.parties[party].run.as_ref().expect("just begun").change.clone();
        if let Look::Do(effect) = announce_and_raise(world, &change, &fence.seen) {
            let run = world.parties[party].run.as_mut().expect("just begun");
            run.change = Fixed::new(Change { position: 1, ..Change::clone(&change) }.begun());
            run.phase = Phase::Decided { effect: Fixed::new(effect), epoch };
        }
    } else if fence.seen.master == me && fence.seen.is_temporary && is_home_up && is_home_untouched(world) {
        let mut change = Change::new(id, Kind::Demote, me, SITES[HOME], epoch);
        change.old_is_temporary = true;
        world.parties[party].run =
            Some(Run { change: Fixed::new(change), writes_as: SENTINEL, is_alone: true, phase: Phase::Unread });
        world.budget.sentinel -= 1;
        look(world, party, mutant);
    }
}

/// Whether home still takes itself for the master. Where it was told otherwise, it may have been switched off, and only
/// an operator can switch it on again.
fn is_home_untouched(world: &World) -> bool {
    world.seen(HOME).is_none_or(|seen| seen.master == SITES[HOME])
}

/// What an operator's change would be, if it can begin by what can be seen.
pub fn begin(world: &World, begin: &Begin, mutant: Option<Mutant>) -> Option<Change> {
    let id = format!("{}{}", world.parties[begin.party].name, world.begun);
    if begin.kind == Kind::Failover && begin.to == HOME {
        return homeward(world, id, mutant);
    }
    let fences = world.fences(false);
    let who = master(&fences)?;
    if open_change(&fences).is_some() {
        return None;
    }
    let (old, new) = (number(&who.master), SITES[begin.to]);
    if old == begin.to || !world.places[begin.to].is_up {
        return None;
    }
    let can = match begin.kind {
        Kind::Switchover => world.places[old].is_up && !who.is_temporary,
        Kind::Failover => !world.places[old].is_up,
        Kind::Demote => world.places[old].is_up && begin.to == HOME,
    };
    let mut change = Change::new(id, begin.kind, who.master, new, who.epoch);
    change.old_is_temporary = who.is_temporary;
    change.others = others(world, old, begin.to);
    can.then_some(change)
}

/// Home takes over from a standby that is gone, with what was open between the two.
fn homeward(world: &World, id: String, mutant: Option<Mutant>) -> Option<Change> {
    let standby = &world.places[STANDBY];
    let fence = world.places[HOME].fence.as_ref().filter(|_| world.places[HOME].is_up && !standby.is_up)?;
    let who = master(&world.fences(false))?;
    let under_way = match (&fence.seen.open, &fence.copy) {
        (Some(_), Some(copy)) if number(copy.register()) == STANDBY => Some(copy),
        (Some(_), _) => return None,
        (None, _) if number(&who.master) != STANDBY => return None,
        (None, _) => None,
    };
    let mut change = Change { is_homeward: true, ..Change::past(id, SITES[STANDBY], SITES[HOME], who.epoch) };
    change.old_is_temporary = who.is_temporary;
    change.others = others(world, STANDBY, HOME);
    let change = match under_way {
        Some(open) => change.ending(open),
        None => change,
    };
    let epoch = if mutant == Some(Mutant::EndInTheSameEpoch) { who.epoch } else { change.epoch };
    Some(Change { epoch, ..change })
}

fn others(world: &World, old: usize, new: usize) -> Vec<Site> {
    (0..world.places.len()).filter(|site| *site != old && *site != new).map(|site| SITES[site].into()).collect()
}

/// The change that a party finds at its register and takes over, and the register's fence after that.
pub fn found(
    world: &World,
    party: usize,
    register: usize,
    is_back: bool,
    mutant: Option<Mutant>,
) -> Option<(Run, Option<Seen>)> {
    let fence = world.places[register].fence.as_ref().filter(|_| world.places[register].is_up)?;
    let copy = fence.copy.as_ref().filter(|copy| number(copy.register()) == register)?;
    let found = if mutant == Some(Mutant::BelieveTheCopy) { Change::clone(copy) } else { copy.found_at(&fence.seen) };
    let change = Fixed::new(if is_back { found.turn_back() } else { found });
    let me = world.parties[party].name;
    let run = |writes_as| Run { change: change.clone(), writes_as, is_alone: false, phase: Phase::Unread };
    if mutant == Some(Mutant::TakeOverWithoutMove) {
        let writer = &fence.seen.open.as_ref()?.writer;
        let other = world.parties.iter().find(|other| other.name == writer)?;
        return Some((run(other.name), None));
    }
    match take_over(&change, me, &fence.seen) {
        Move::Write(to) => Some((run(me), Some(to))),
        _ => None,
    }
}

/// Who sends what this run decided.
pub fn sender(run: &Run, epoch: u64) -> Sender {
    Sender {
        name: run.writes_as,
        epoch,
        change: Some((run.change.id.clone(), number(run.change.register()), run.change.way)),
    }
}
