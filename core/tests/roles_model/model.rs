//! What can happen next: one look, one effect, one accident at a time.

use standin_core::mastership::machine::{Change, Kind, Seen, Way};
use standin_state::model::Role;
use stateright::{Model, Property};

use crate::mutant::Mutant;
use crate::party::{Begin, Party, Phase, Run, SENTINEL, begin, found, look, sender, sentinel};
use crate::properties;
use crate::world::{Budget, Effect, Fence, Fixed, Flight, HOME, Place, SITES, STANDBY, Sender, Story, World, number};

/// A bounded part of all that can happen.
#[derive(Clone)]
pub struct Roles {
    pub first: World,
    /// Changes that operators may begin, each once.
    pub begins: Vec<Begin>,
    /// Whether home's branch may be pushed to by hand, and the standby's.
    pub pushes_to: Vec<usize>,
    pub mutant: Option<Mutant>,
    /// What must be seen to happen.
    pub sometimes: Vec<Property<Self>>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An operator begins a change.
    Begin(usize),
    /// A party writes down what it knows and looks at the world.
    Look(usize),
    /// What it decided is sent, taken, and answered.
    Send(usize),
    /// It arrives, the answer is lost.
    LoseAnswer(usize),
    /// It is under way; the party hears nothing.
    Delay(usize),
    /// Something under way arrives.
    Arrive(usize),
    /// Something under way is lost.
    Vanish(usize),
    /// A party dies.
    Crash(usize),
    /// A party dies just after writing down that its step is done.
    CrashWritten(usize),
    /// An operator goes on with its own change.
    Resume(usize),
    /// An operator takes its own change back.
    TurnBack(usize),
    /// An operator takes over the change of that register.
    TakeOver {
        party: usize,
        register: usize,
        is_back: bool,
    },
    /// An operator whose other side is gone makes a fail-over of its change.
    FailOver(usize),
    /// The sentinel's clock.
    Check(usize),
    /// Somebody pushes a commit by hand.
    Push(usize),
    /// Somebody rewrites the branch of the configured source.
    Rewrite,
    /// A sync by an installation that knows no master but home reads.
    SyncReads,
    /// It pushes.
    SyncPushes,
    /// A sync from home, which has heard that home is master, tells the standby.
    SyncTells,
    HomeGoes,
    HomeReturns,
    StandbyGoes,
    StandbyReturns,
}

impl Roles {
    /// Home is master, the standby is in step; nobody does anything yet.
    pub fn at_rest(sites: usize, names: &[&'static str], budget: Budget) -> Self {
        let places = (0..sites)
            .map(|site| Place {
                is_up: true,
                fence: Some(fence(1, 1, HOME, false)),
                tip: 0,
                kept: 0,
                is_on: site == HOME,
                role: if site == HOME { Role::Master } else { Role::Slave },
            })
            .collect();
        let first = World {
            places,
            parties: names.iter().map(|name| Party { name, journal: None, run: None }).collect(),
            flights: Vec::new(),
            sync: None,
            history: vec![1],
            rescued: 0,
            read: 1,
            story: Story::default(),
            budget,
            begun: 0,
        };
        Self { first, begins: Vec::new(), pushes_to: vec![HOME, STANDBY], mutant: None, sometimes: Vec::new() }
    }

    /// The standby is master by command.
    pub fn after_switchover(names: &[&'static str], budget: Budget, commits: &[usize]) -> Self {
        let mut model = Self::at_rest(2, names, budget);
        for (site, is_on, role) in [(STANDBY, true, Role::Master), (HOME, false, Role::Slave)] {
            let place = &mut model.first.places[site];
            (place.is_on, place.role) = (is_on, role);
            place.fence = Some(fence(2, 4, STANDBY, false));
        }
        for site in commits {
            model.first.commit(*site, Some(0));
        }
        model
    }

    /// The standby is `TEMPORARY_MASTER`, home is back; both have a commit that the other lacks, if asked.
    pub fn after_failover(names: &[&'static str], budget: Budget, commits: &[usize]) -> Self {
        let mut model = Self::at_rest(2, names, budget);
        let standby = &mut model.first.places[STANDBY];
        standby.is_on = true;
        standby.role = Role::TemporaryMaster;
        standby.fence = Some(fence(2, 4, STANDBY, true));
        model.first.story.is_home_given_up = true;
        for site in commits {
            model.first.commit(*site, Some(0));
        }
        model
    }

    /// The same with beginnings that operators may make: who, what, towards which repository.
    pub fn with(mut self, begins: &[(usize, Kind, usize)]) -> Self {
        self.begins = begins.iter().map(|(party, kind, to)| Begin { party: *party, kind: *kind, to: *to }).collect();
        self
    }

    pub fn bugged(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    pub fn sometimes(mut self, name: &'static str, condition: fn(&Self, &World) -> bool) -> Self {
        self.sometimes.push(Property::sometimes(name, condition));
        self
    }

    /// The changes of operators that run or stand in a journal, each once.
    fn of_party(&self, world: &World, number_of: usize, actions: &mut Vec<Action>) {
        let party = &world.parties[number_of];
        let budget = &world.budget;
        if let Some(run) = &party.run {
            match run.phase {
                Phase::Unread => actions.push(Action::Look(number_of)),
                Phase::Decided { .. } => {
                    actions.push(Action::Send(number_of));
                    if budget.losses > 0 {
                        actions.extend([Action::LoseAnswer(number_of), Action::Delay(number_of)]);
                    }
                }
                Phase::Done => {
                    actions.push(Action::Look(number_of));
                    if budget.crashes > 0 && party.name != SENTINEL {
                        actions.push(Action::CrashWritten(number_of));
                    }
                }
            }
            if budget.crashes > 0 {
                actions.push(Action::Crash(number_of));
            }
            if budget.turns > 0 && party.name != SENTINEL && run.change.way == Way::Onward {
                actions.push(Action::TurnBack(number_of));
            }
            return;
        }
        if party.name == SENTINEL {
            let standby = &world.places[STANDBY];
            if standby.is_up && standby.role != Role::Master {
                actions.push(Action::Check(number_of));
            }
            return;
        }
        if let Some(change) = &party.journal {
            actions.push(Action::Resume(number_of));
            if change.way == Way::Onward {
                actions.push(Action::TurnBack(number_of));
            }
            let register = number(change.register());
            let is_gone = change.sides().iter().any(|side| !world.places[number(side)].is_up);
            if is_gone && change.kind != Kind::Failover && world.places[register].is_up {
                actions.push(Action::FailOver(number_of));
            }
            return;
        }
        for (which, begin) in self.begins.iter().enumerate() {
            if begin.party == number_of && world.begun & 1 << which == 0 {
                actions.push(Action::Begin(which));
            }
        }
        if budget.takeovers > 0 {
            for register in 0..world.places.len() {
                for is_back in [false, true] {
                    actions.push(Action::TakeOver { party: number_of, register, is_back });
                }
            }
        }
    }

    /// What follows, in place; false where nothing does.
    fn happen(&self, world: &mut World, action: Action) -> bool {
        match action {
            Action::Begin(which) => {
                let Some(change) = begin(world, &self.begins[which], self.mutant) else { return false };
                world.begun |= 1 << which;
                start(world, self.begins[which].party, Fixed::new(change));
            }
            Action::Look(party) => look(world, party, self.mutant),
            Action::Send(party) | Action::LoseAnswer(party) | Action::Delay(party) => self.send(world, party, action),
            Action::Arrive(which) => {
                let Flight { sender, effect } = world.flights.remove(which);
                world.land(&sender, &effect, self.mutant);
            }
            Action::Vanish(which) => {
                world.flights.remove(which);
            }
            Action::Crash(party) | Action::CrashWritten(party) => {
                world.budget.crashes -= 1;
                let run = world.parties[party].run.take();
                if let (Action::CrashWritten(_), Some(run)) = (action, run) {
                    world.parties[party].journal = Some(Fixed::new(run.change.done()));
                }
            }
            Action::Resume(party) => {
                let Some(change) = world.parties[party].journal.clone() else { return false };
                start(world, party, change);
                look(world, party, self.mutant);
            }
            Action::TurnBack(party) => {
                let change = match world.parties[party].run.take() {
                    Some(run) => {
                        world.budget.turns -= 1;
                        run.change
                    }
                    None => world.parties[party].journal.clone().expect("one of the two"),
                };
                let change = Fixed::new(change.turn_back());
                world.parties[party].journal = Some(change.clone());
                start(world, party, change);
                look(world, party, self.mutant);
            }
            Action::FailOver(party) => {
                let Some(change) = world.parties[party].journal.clone() else { return false };
                let change = Fixed::new(change.fail_over());
                world.parties[party].journal = Some(change.clone());
                start(world, party, change);
                look(world, party, self.mutant);
            }
            Action::TakeOver { party, register, is_back } => {
                if !take(world, party, register, is_back, self.mutant) {
                    return false;
                }
                world.budget.takeovers -= 1;
            }
            Action::Check(party) => sentinel(world, party, self.mutant),
            Action::Push(site) => {
                world.budget.pushes -= 1;
                world.commit(site, Some(world.places[site].tip));
            }
            Action::Rewrite => {
                world.budget.rewrites -= 1;
                world.commit(HOME, None);
                // What a person destroys before it was mirrored is not lost by us.
                world.read &= world.kept();
            }
            Action::SyncReads => return sync_reads(world),
            Action::SyncPushes => {
                let Some(Flight { sender, effect }) = world.sync.take() else { return false };
                world.land(&sender, &effect, self.mutant);
            }
            Action::HomeGoes => {
                world.budget.outages -= 1;
                world.places[HOME].is_up = false;
            }
            Action::HomeReturns => world.places[HOME].is_up = true,
            Action::SyncTells => {
                let Some(effect) = unheard(world).filter(|_| world.sync.is_none()) else { return false };
                world.budget.syncs -= 1;
                let epoch = world.seen(HOME).map_or(0, |seen| seen.epoch);
                let sender = Sender { name: "sync", epoch, change: None };
                world.sync = Some(Flight { sender, effect: Fixed::new(effect) });
            }
            Action::StandbyGoes => {
                world.budget.standby_outages -= 1;
                world.places[STANDBY].is_up = false;
            }
            Action::StandbyReturns => world.places[STANDBY].is_up = true,
        }
        true
    }

    fn send(&self, world: &mut World, party: usize, action: Action) {
        let Some(mut run) = world.parties[party].run.take() else { return };
        let Phase::Decided { effect, epoch } = std::mem::replace(&mut run.phase, Phase::Unread) else { return };
        let sender = sender(&run, epoch);
        let is_answered = match action {
            Action::Send(_) => world.land(&sender, &effect, self.mutant),
            Action::Delay(_) => {
                world.budget.losses -= 1;
                world.flights.push(Flight { sender, effect });
                false
            }
            _ => {
                world.budget.losses -= 1;
                world.land(&sender, &effect, self.mutant);
                false
            }
        };
        let is_believed = self.mutant == Some(Mutant::RetryWithoutReadBack) && !matches!(action, Action::Send(_));
        if is_answered || is_believed {
            run.phase = Phase::Done;
        }
        world.parties[party].run = Some(run);
    }
}

/// A closed fence.
fn fence(epoch: u64, sequence: u64, master: usize, is_temporary: bool) -> Fixed<Fence> {
    let seen = Seen { epoch, sequence, master: SITES[master].into(), is_temporary, open: None };
    Fixed::new(Fence { seen, copy: None, pushed: 0 })
}

/// A party begins, or begins again, to carry a change out. It has not looked yet.
pub fn start(world: &mut World, party: usize, change: Fixed<Change>) {
    let writes_as = world.parties[party].name;
    world.parties[party].run = Some(Run { change, writes_as, is_alone: false, phase: Phase::Unread });
}

/// An operator takes a change over where it stands open. Read and compare-and-swap are one here: a swap that succeeds
/// proves that nothing came between.
pub fn take(world: &mut World, party: usize, register: usize, is_back: bool, mutant: Option<Mutant>) -> bool {
    let Some((run, to)) = found(world, party, register, is_back, mutant) else { return false };
    world.parties[party].journal = Some(run.change.clone());
    if let Some(to) = to {
        let (lease, copy) = (world.lease(register), Some(run.change.clone()));
        world.story.was_taken |=
            world.seen(register).and_then(|seen| seen.open.as_ref()).is_some_and(|open| open.writer != run.writes_as);
        let sender = sender(&run, to.epoch);
        world.land(&sender, &Effect::Fence { site: register, lease, to, copy }, mutant);
    } else {
        world.story.was_taken = true;
    }
    world.parties[party].run = Some(run);
    true
}

/// What a sync by an installation that believes in home finds, and decides to push to the standby.
fn sync_reads(world: &mut World) -> bool {
    let Some(fence) = world.seen(STANDBY) else { return false };
    if fence.open.is_some() || fence.master != SITES[HOME] || !world.places[HOME].is_up || world.sync.is_some() {
        return false;
    }
    let epoch = fence.epoch;
    let Ok(Some(to)) = world.plan_push(HOME, STANDBY) else { return false };
    world.budget.syncs -= 1;
    world.read_master(HOME);
    let effect = Effect::Push { site: STANDBY, lease: world.lease(STANDBY), from: world.places[STANDBY].tip, to };
    world.sync = Some(Flight { sender: Sender { name: "sync", epoch, change: None }, effect: Fixed::new(effect) });
    true
}

/// What a sync from home makes of the fence of a standby that has not heard that home is master again.
pub fn unheard(world: &World) -> Option<Effect> {
    let (home, standby) = (world.seen(HOME)?, world.seen(STANDBY)?);
    let is_up = world.places[HOME].is_up && world.places[STANDBY].is_up;
    if !is_up || home.epoch <= standby.epoch || home.master != SITES[HOME] || home.open.is_some() {
        return None;
    }
    let to = Seen { sequence: standby.sequence + 1, ..home.clone() };
    Some(Effect::Fence { site: STANDBY, lease: world.lease(STANDBY), to, copy: None })
}

impl Model for Roles {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.first.clone()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for party in 0..world.parties.len() {
            self.of_party(world, party, actions);
        }
        for which in 0..world.flights.len() {
            actions.extend([Action::Arrive(which), Action::Vanish(which)]);
        }
        let budget = &world.budget;
        if budget.pushes > 0 {
            actions.extend(
                self.pushes_to.iter().filter(|site| world.places[**site].is_up).map(|site| Action::Push(*site)),
            );
        }
        if budget.rewrites > 0 {
            actions.push(Action::Rewrite);
        }
        if budget.syncs > 0 {
            actions.extend([Action::SyncReads, Action::SyncTells]);
        }
        if world.sync.is_some() {
            actions.push(Action::SyncPushes);
        }
        match world.places[HOME].is_up {
            true if budget.outages > 0 => actions.push(Action::HomeGoes),
            true => {}
            false => actions.push(Action::HomeReturns),
        }
        match world.places[STANDBY].is_up {
            true if budget.standby_outages > 0 => actions.push(Action::StandbyGoes),
            true => {}
            false => actions.push(Action::StandbyReturns),
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        (self.happen(&mut world, action) && world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::always().into_iter().chain(self.sometimes.iter().cloned()).collect()
    }
}
