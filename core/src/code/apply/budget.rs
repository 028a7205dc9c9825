//! How long a run may search for what a host refuses, and how many refused pushes that may take.

use std::time::{Duration, Instant};

/// How many refused pushes that name nobody a search may take before anything of it arrives.
const FIRST_PUSHES: usize = 40;
/// How many where the last search ended with nothing that arrived.
const PUSHES_AFTER_VAIN: usize = 20;
/// How many for refs that the host refused at the last sync as well, and where it took nothing at all yet.
const PUSHES_AGAIN: usize = 20;
/// How many refused pushes that name somebody are made beside those: each of them finds a ref.
const NAMING_PUSHES: usize = 120;
/// How long a run may search. What it did not come to is left to the next sync, which goes on from there.
const LONGEST: Duration = Duration::from_secs(600);

/// What a run may still spend on searches.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    pushes: usize,
    naming_pushes: usize,
    /// Below so many the smallest part is tried first: then refs are found, however many are refused.
    in_depth: usize,
    /// How many more it may take for a part that arrived: as many as it takes to find one ref among all.
    for_arrival: usize,
    pub(super) until: Instant,
}

impl Budget {
    /// For a run that moves so many refs. `after_vain` says that the last one searched and nothing arrived.
    pub fn of(count: usize, after_vain: bool) -> Self {
        let halvings = usize::try_from(count.max(1).ilog2()).unwrap_or_default() + 1;
        let pushes = 2 * halvings + if after_vain { PUSHES_AFTER_VAIN } else { FIRST_PUSHES };
        Self {
            pushes,
            naming_pushes: NAMING_PUSHES,
            in_depth: pushes / 2,
            for_arrival: 2 * halvings + 2,
            until: Instant::now() + LONGEST,
        }
    }

    /// A push was refused, and `names` whom.
    pub fn spend(&mut self, names: bool) {
        let purse = if names && self.naming_pushes > 0 { &mut self.naming_pushes } else { &mut self.pushes };
        *purse = purse.saturating_sub(1);
    }

    /// Something arrived: it is worth while to go on.
    pub fn earn(&mut self) {
        self.pushes += self.for_arrival;
    }

    /// Leaves no more than the little that is spent on what is not expected to arrive.
    pub fn keep_little(&mut self) {
        self.pushes = self.pushes.min(PUSHES_AGAIN);
    }

    /// What is offered again at the end is looked at, whatever the search before it took.
    pub fn for_again(&mut self) {
        self.pushes = PUSHES_AGAIN;
    }

    /// Whether small parts go first.
    pub fn is_in_depth(&self) -> bool {
        self.pushes < self.in_depth
    }

    /// Whether no more may be spent.
    pub fn is_over(&self) -> bool {
        self.pushes == 0 || self.is_late()
    }

    /// Whether the time is over.
    pub fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }
}
