//! The search for what a host refuses of a group: what is known of the fence there, what still waits to be pushed, and how many pushes it
//! may take.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use standin_state::model::RefName;

use crate::mirror::MirrorView;
use crate::plan::RefChange;
use crate::{Code, Error};

/// How many refused pushes a search may take before anything of it arrives.
const FIRST_PUSHES: usize = 40;
/// How many it may take for refs that the host refused at the last sync as well, after they were offered together.
const PUSHES_AGAIN: usize = 20;
/// How many pushes in parts must be refused in words for a passing fault until it is believed that nothing is taken.
const VAIN: usize = 8;
/// How long a search may take. What it did not come to is left to the next sync, which leaves out what was found.
const LONGEST: Duration = Duration::from_secs(600);

/// The search for what a host refuses of one group.
pub(super) struct Search {
    pub doubt: Doubt,
    /// How often refs that the host named were taken out.
    pub one_by_one: usize,
    /// Whether one ref was tried apart from the fence.
    went_apart: bool,
    /// Whether these are refs that the host refused before.
    pub is_again: bool,
    /// What is still to be pushed.
    waiting: VecDeque<Vec<RefChange>>,
    /// How many pushes were refused, and how many arrived.
    spent: usize,
    arrived: usize,
    pushes_left: usize,
    /// Below so many the smallest part is tried first: then refs are found, however many are refused.
    in_depth: usize,
    /// How many pushes more it may take for a part that arrived: as many as it takes to find one ref among all.
    for_arrival: usize,
    until: Instant,
}

impl Search {
    /// Begins with the whole group.
    pub fn of(view: &MirrorView, group: Vec<RefChange>, is_again: bool) -> Self {
        let halvings = usize::try_from(group.len().max(1).ilog2()).unwrap_or_default() + 1;
        let pushes_left = if is_again { PUSHES_AGAIN } else { FIRST_PUSHES + 2 * halvings };
        Self {
            doubt: Doubt::of(view),
            one_by_one: 0,
            went_apart: false,
            is_again,
            waiting: VecDeque::from([group]),
            spent: 0,
            arrived: 0,
            pushes_left,
            in_depth: pushes_left / 2,
            for_arrival: 2 * halvings + 2,
            until: Instant::now() + LONGEST,
        }
    }

    /// What is to be pushed next. Large parts come first, so that as much as can be arrives early.
    pub fn next(&mut self) -> Option<Vec<RefChange>> {
        let in_depth = self.pushes_left < self.in_depth;
        let smallest = || Some(self.waiting.iter().enumerate().min_by_key(|(_, group)| group.len())?.0);
        let index = if in_depth { smallest()? } else { 0 };
        self.waiting.remove(index)
    }

    /// Puts a part before all others.
    pub fn at_once(&mut self, group: Vec<RefChange>) {
        self.waiting.push_front(group);
    }

    /// Puts a part behind all others.
    pub fn later(&mut self, group: Vec<RefChange>) {
        self.waiting.push_back(group);
    }

    /// A push was refused.
    pub fn spend(&mut self) {
        self.spent += 1;
        self.pushes_left = self.pushes_left.saturating_sub(1);
    }

    /// Something arrived: it is worth while to go on.
    pub fn earn(&mut self) {
        self.arrived += 1;
        self.pushes_left += self.for_arrival;
    }

    /// Whether nothing arrived, though it was tried often enough that one ref cannot be the reason.
    pub fn is_vain(&self) -> bool {
        self.arrived == 0 && self.spent > if self.doubt.is_refused() { 0 } else { VAIN }
    }

    /// Whether one ref may be tried apart from the fence: once, where the fence alone was taken and nothing else.
    pub fn may_go_apart(&mut self) -> bool {
        let may = !self.is_again && self.arrived == 0 && self.doubt == Doubt::TriedAlone && !self.went_apart;
        self.went_apart |= may;
        may
    }

    /// Whether no more may be spent on it.
    pub fn is_over(&self) -> bool {
        self.pushes_left == 0 || Instant::now() >= self.until
    }
}

/// What is known of the fence on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The host took it before.
    Proven,
    /// It was never pushed there.
    Unproven,
    /// It was taken just now by itself, so that a refusal is not about it.
    TriedAlone,
    /// It was refused by itself, and no push without it was taken yet.
    Refused(Error),
}

impl Doubt {
    pub fn of(view: &MirrorView) -> Self {
        if view.fence.is_some() { Self::Proven } else { Self::Unproven }
    }

    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Cuts a group into what is `likely` to blame and the rest, or where that is all or nothing, in halves.
pub(super) fn in_parts(mut group: Vec<RefChange>, likely: &BTreeSet<RefName>) -> (Vec<RefChange>, Vec<RefChange>) {
    let found = group.iter().filter(|change| likely.contains(&change.name)).count();
    if found == 0 || found == group.len() {
        let second = group.split_off(group.len().div_ceil(2));
        return (group, second);
    }
    group.into_iter().partition(|change| !likely.contains(&change.name))
}

/// What is said of a ref that the search did not come to.
pub(super) fn not_reached(name: &RefName) -> Error {
    Error::new(
        Code::RefRefused,
        format!("{name}: not pushed yet, since the host refuses much of what goes with it and does not say which"),
        "The next sync goes on from here. Mend what the host says of the other refs, then it goes at once.",
    )
}
