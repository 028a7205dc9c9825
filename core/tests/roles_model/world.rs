//! What there is outside of the parties: repositories with their fences, branches, workflows and roles, and what is
//! under way to them.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use standin_core::mastership::machine::{Change, Seen, Step, Way};
use standin_core::mastership::who::{self, Who};
use standin_state::model::{Role, Site};

use crate::mutant::Mutant;
use crate::party::Party;

/// The configured source.
pub const HOME: usize = 0;
/// The first mirror.
pub const STANDBY: usize = 1;

/// What the repositories are called; the third is a mirror that takes no part, unless it is promoted.
pub const SITES: [&str; 3] = ["home", "standby", "third"];

/// A set of commits, as bits.
pub type Commits = u16;

/// The repository of that name.
pub fn number(site: &Site) -> usize {
    SITES.iter().position(|name| *site == **name).expect("a repository of the model")
}

/// Something that is never changed in place: cheap to copy, compare and hash, since states are many.
#[derive(Debug)]
pub struct Fixed<T>(Arc<T>, u64);

impl<T: Hash> Fixed<T> {
    pub fn new(value: T) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(Arc::new(value), hasher.finish())
    }
}

impl<T> Fixed<T> {
    /// Stands for the oid of a fence commit.
    pub fn oid(&self) -> u64 {
        self.1
    }
}

impl<T> Clone for Fixed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<T> Deref for Fixed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> PartialEq for Fixed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl<T> Eq for Fixed<T> {}

impl<T> Hash for Fixed<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.1.hash(hasher);
    }
}

/// A fence commit. Its content is never the same twice along a chain, so it serves as its own oid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    pub seen: Seen,
    /// The open change as it was serialised when the fence was moved last.
    pub copy: Option<Fixed<Change>>,
    /// The tip that we pushed.
    pub pushed: u8,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub is_up: bool,
    pub fence: Option<Fixed<Fence>>,
    /// The tip of its branch.
    pub tip: u8,
    /// What its hand-back and parked branches reach.
    pub kept: Commits,
    /// Whether its workflows are on.
    pub is_on: bool,
    pub role: Role,
}

/// Something sent to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A move of the fence, with the lease that it carries.
    Fence { site: usize, lease: u64, to: Seen, copy: Option<Fixed<Change>> },
    /// A push of the branch; the fence moves with it.
    Push { site: usize, lease: u64, from: u8, to: u8 },
    /// A push of a branch beside the branch; the fence moves with it.
    HandBack { site: usize, lease: u64, commits: Commits },
    /// Parking on the standby itself: a branch that is created, never forced.
    Park { site: usize, commits: Commits },
    /// Workflows on or off.
    Switch { site: usize, on: bool },
    /// The variable with the role.
    SetRole { site: usize, role: Role },
}

impl Effect {
    /// The repository that it changes.
    pub fn site(&self) -> usize {
        match self {
            Self::Fence { site, .. }
            | Self::Push { site, .. }
            | Self::HandBack { site, .. }
            | Self::Park { site, .. }
            | Self::Switch { site, .. }
            | Self::SetRole { site, .. } => *site,
        }
    }
}

/// Who sends something, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    pub name: &'static str,
    /// The highest epoch that it knew when it decided.
    pub epoch: u64,
    /// Its change, the register of that, and which way it went; `None` for a sync.
    pub change: Option<(String, usize, Way)>,
}

/// Something that was sent and has not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    pub sender: Sender,
    pub effect: Fixed<Effect>,
}

/// What happened on the way: no part of the world, but what properties speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Story {
    /// A fence's (epoch, sequence) did not rise, or its master changed within an epoch.
    pub fence_fell: bool,
    /// A ref write landed whose writer was of an older epoch, or that a change open there forbids.
    pub stale_ref: bool,
    /// A tip was moved away that nothing had saved before.
    pub unrescued: bool,
    /// A foreign tip was overwritten.
    pub overwrote: bool,
    /// A fence of somebody else's change was overwritten.
    pub trampled: bool,
    /// A REST write landed after its change had gone to somebody else, or had turned back. Nothing can prevent it: REST
    /// has no compare-and-swap.
    pub stale_rest: bool,
    /// A REST write was decided on by a party whose change that was not.
    pub unasked_rest: bool,
    pub swap_lost: bool,
    pub was_taken: bool,
    pub was_handed_back: bool,
    /// The standby was made `TEMPORARY_MASTER`.
    pub is_home_given_up: bool,
    /// Home took over from a standby that was gone.
    pub is_standby_given_up: bool,
    pub was_superseded: bool,
}

/// How many more times something may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub crashes: u8,
    /// Answers lost, requests late or dropped.
    pub losses: u8,
    /// Commits pushed by hand, to whichever repository.
    pub pushes: u8,
    /// Rewritings of the home branch by hand.
    pub rewrites: u8,
    /// Times that home goes down.
    pub outages: u8,
    /// Times that the standby goes down.
    pub standby_outages: u8,
    pub takeovers: u8,
    /// Changes turned back while they run, without a crash.
    pub turns: u8,
    pub syncs: u8,
    /// Runs of the sentinel that begin something.
    pub sentinel: u8,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub places: Vec<Place>,
    pub parties: Vec<Party>,
    pub flights: Vec<Flight>,
    /// A sync that has read and has not pushed yet.
    pub sync: Option<Flight>,
    /// What each commit reaches, itself included.
    pub history: Vec<Commits>,
    /// What the rescues reach.
    pub rescued: Commits,
    /// What a master had when somebody of ours read it last.
    pub read: Commits,
    pub story: Story,
    pub budget: Budget,
    /// Which of the configured beginnings were made.
    pub begun: u8,
}

/// Who is master by these fences.
pub fn master(fences: &BTreeMap<Site, Seen>) -> Option<Who> {
    who::master(fences)
}

impl World {
    pub fn seen(&self, site: usize) -> Option<&Seen> {
        self.places[site].fence.as_ref().map(|fence| &fence.seen)
    }

    pub fn lease(&self, site: usize) -> u64 {
        self.places[site].fence.as_ref().map_or(0, Fixed::oid)
    }

    /// Whether a commit reaches another.
    pub fn contains(&self, commit: u8, other: u8) -> bool {
        self.history[usize::from(commit)] & 1 << other != 0
    }

    /// All that a repository's branches reach.
    pub fn reach(&self, site: usize) -> Commits {
        self.history[usize::from(self.places[site].tip)] | self.places[site].kept
    }

    /// The fences that can be read, or all.
    pub fn fences(&self, is_all: bool) -> BTreeMap<Site, Seen> {
        SITES
            .iter()
            .zip(&self.places)
            .filter(|(_, place)| is_all || place.is_up)
            .filter_map(|(name, place)| Some(((*name).into(), place.fence.as_ref()?.seen.clone())))
            .collect()
    }

    /// Who is master, by the fences of all repositories.
    pub fn who(&self) -> Option<Who> {
        master(&self.fences(true))
    }

    /// Whether that party still has its change in hand, by the register, and still goes the way that it went.
    pub fn is_held(&self, sender: &Sender) -> bool {
        let Some((id, register, way)) = &sender.change else { return true };
        let open = self.seen(*register).and_then(|seen| seen.open.as_ref());
        let party = self.parties.iter().find(|party| party.name == sender.name);
        let change = party.and_then(|party| party.run.as_ref().map(|run| &run.change).or(party.journal.as_ref()));
        open.is_some_and(|open| open.change.as_ref() == Some(id) && open.writer == sender.name)
            && change.is_none_or(|change| change.way == *way)
    }

    /// Whether that party's change stands open in the fence of a repository.
    pub fn carries(&self, site: usize, sender: &Sender) -> bool {
        let open = self.seen(site).and_then(|seen| seen.open.as_ref());
        sender.change.as_ref().is_none_or(|(id, ..)| open.is_some_and(|open| open.change.as_ref() == Some(id)))
    }

    /// All that some repository or rescue reaches.
    pub fn kept(&self) -> Commits {
        (0..self.places.len()).fold(self.rescued, |kept, site| kept | self.reach(site))
    }

    /// A commit made by hand on a repository's branch.
    pub fn commit(&mut self, site: usize, parent: Option<u8>) {
        let number = self.history.len();
        let before = parent.map_or(0, |parent| self.history[usize::from(parent)]);
        self.history.push(before | 1 << number);
        self.places[site].tip = u8::try_from(number).expect("few commits");
    }

    /// Somebody of ours reads the branch of a master.
    pub fn read_master(&mut self, site: usize) {
        self.read |= self.reach(site);
    }

    /// The effect arrives. Whether it was taken.
    pub fn land(&mut self, sender: &Sender, effect: &Effect, mutant: Option<Mutant>) -> bool {
        let site = effect.site();
        if !self.places[site].is_up {
            return false;
        }
        let is_blind = mutant == Some(Mutant::NoLease);
        let now = self.lease(site);
        match effect {
            Effect::Fence { lease, to, copy, .. } => {
                if *lease != now && !is_blind {
                    self.story.swap_lost = true;
                    return false;
                }
                self.move_fence(site, to.clone(), copy.clone(), None);
            }
            Effect::Push { lease, from, to, .. } => {
                let unfenced = mutant == Some(Mutant::PushWithoutFence);
                if (*lease != now && !is_blind && !unfenced) || self.places[site].tip != *from {
                    self.story.swap_lost = true;
                    return false;
                }
                self.judge_push(sender, site, *from, *to, mutant);
                self.places[site].tip = *to;
                self.move_with_refs(site, Some(*to));
            }
            Effect::HandBack { lease, commits, .. } => {
                if *lease != now && !is_blind {
                    self.story.swap_lost = true;
                    return false;
                }
                self.story.was_handed_back = true;
                self.places[site].kept |= commits;
                self.move_with_refs(site, None);
            }
            Effect::Park { commits, .. } => self.places[site].kept |= commits,
            Effect::Switch { on, .. } => {
                self.story.stale_rest |= !self.is_held(sender) || !self.carries(site, sender);
                self.places[site].is_on = *on;
            }
            Effect::SetRole { role, .. } => {
                self.story.stale_rest |= !self.is_held(sender) || !self.carries(site, sender);
                self.places[site].role = *role;
            }
        }
        true
    }

    fn judge_push(&mut self, sender: &Sender, site: usize, from: u8, to: u8, mutant: Option<Mutant>) {
        let Some(fence) = &self.places[site].fence else { return };
        let change = sender.change.as_ref().map(|(id, ..)| id);
        let foreign = fence.seen.open.as_ref().is_some_and(|open| open.change.as_ref() != change);
        self.story.stale_ref |= fence.seen.epoch > sender.epoch || foreign;
        if self.contains(to, from) {
            return;
        }
        let is_elsewhere = (0..self.places.len()).any(|other| {
            other != site && self.reach(other) & self.history[usize::from(from)] == self.history[usize::from(from)]
        });
        self.story.overwrote |= fence.pushed != from && !is_elsewhere;
        if mutant != Some(Mutant::ForgetTheRescue) {
            self.rescued |= self.history[usize::from(from)];
        }
        self.story.unrescued |= self.rescued & 1 << from == 0;
    }

    /// A push moves the fence along; nothing else in it changes.
    fn move_with_refs(&mut self, site: usize, pushed: Option<u8>) {
        if let Some(fence) = self.places[site].fence.clone() {
            let to = Seen { sequence: fence.seen.sequence + 1, ..fence.seen.clone() };
            self.move_fence(site, to, fence.copy.clone(), pushed);
        }
    }

    fn move_fence(&mut self, site: usize, to: Seen, moved: Option<Fixed<Change>>, pushed: Option<u8>) {
        let before = self.places[site].fence.as_ref();
        if let Some(before) = before {
            let is_later = (to.epoch, to.sequence) > (before.seen.epoch, before.seen.sequence);
            let is_same_reign = to.epoch > before.seen.epoch || to.master == before.seen.master;
            self.story.fence_fell |= !is_later || !is_same_reign;
            self.story.is_home_given_up |= to.is_temporary;
            self.story.is_standby_given_up |= moved.as_ref().is_some_and(|moved| moved.is_homeward);
            if let (Some(open), Some(copy)) = (&before.seen.open, &before.copy)
                && to.open.as_ref().is_none_or(|to| to.change != open.change)
                && to.open.is_some()
            {
                let ends = moved.as_ref().and_then(|moved| moved.ends.as_ref());
                // Another change goes over one that is open: only where that one can go on no more.
                let register = self.seen(number(copy.register()));
                let is_left =
                    register.is_some_and(|seen| seen.epoch > before.seen.epoch && seen.open.as_ref() != Some(open));
                // Or where people say that its register is gone for good.
                let is_given_up = ends.is_some() && open.change.as_ref() == ends;
                let is_dead = is_left || is_given_up;
                self.story.was_superseded |= is_dead;
                self.story.trampled |= !is_dead;
            }
        }
        let pushed = pushed.unwrap_or_else(|| before.map_or(self.places[site].tip, |before| before.pushed));
        let copy = to.open.as_ref().and(moved);
        self.places[site].fence = Some(Fixed::new(Fence { seen: to, copy, pushed }));
    }

    /// What a push of one repository's branch to another would have to be: the source's tip where that goes, `None` where
    /// nothing is missing, an error where the branch has diverged.
    pub fn plan_push(&self, from: usize, to: usize) -> Result<Option<u8>, ()> {
        let (ours, theirs) = (self.places[from].tip, self.places[to].tip);
        let pushed = self.places[to].fence.as_ref().map(|fence| fence.pushed);
        if ours == theirs {
            Ok(None)
        } else if self.contains(ours, theirs) || pushed == Some(theirs) {
            Ok(Some(ours))
        } else {
            Err(())
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, place) in SITES.iter().zip(&self.places) {
            writeln!(
                f,
                "  {name}: {} {:?} {} tip {} kept {:b}",
                if place.is_up { "up" } else { "down" },
                place.role,
                if place.is_on { "on" } else { "off" },
                place.tip,
                place.kept
            )?;
            if let Some(fence) = &place.fence {
                writeln!(f, "    {:?} {:?}", fence.seen, fence.copy.as_deref())?;
            }
        }
        for party in &self.parties {
            let journal = party.journal.as_ref().map(|change| format!("{:?}", **change));
            writeln!(f, "  {}: journal {journal:?} run {:?}", party.name, party.run.as_ref().map(|run| &run.phase))?;
        }
        writeln!(
            f,
            "  history {:?} read {:b} rescued {:b} under way {:?} {:?}",
            self.history, self.read, self.rescued, self.flights, self.story
        )
    }
}

/// The step at which a party of the model stands, for those that change nothing here.
pub fn is_without_effect(step: &Step) -> bool {
    matches!(step, Step::Quiesce(_) | Step::StateFile)
}
