//! The search for what a host refuses: what is still to be pushed and in which order, and what a refusal says of it. It pushes nothing
//! itself: `push` asks it for one part after another, and tells it what became of each.
//!
//! A host may name whom it refuses, one in each push, or nobody. What is offered goes together first. Refused, the default branch
//! goes by itself, then the other branches; who is named is taken out, and the rest goes again; where nobody is named, it goes in
//! halves, or where nearly all are refused, one by one.

use std::collections::{BTreeSet, VecDeque};

use standin_state::model::RefName;

use super::budget::Budget;
use crate::Error;
use crate::mirror::MirrorView;
use crate::plan::RefChange;

/// How many refs that the host refused before are looked at by themselves, where it refuses all of them together again.
const LOOKED_AT_AGAIN: usize = 8;
/// How many pushes in parts must be refused in words for a passing fault until it is believed that nothing is taken.
const VAIN: usize = 8;
/// After how many refs that are named one after another what is not like them goes first.
const ROW: usize = 4;
/// How many refs of a refused part are tried one by one, until one arrives, to learn whether it is most of them that are refused.
const PROBES: usize = 4;
/// In parts of so many refs that is asked.
const PROBED_FROM: usize = 16;
/// How many of the refs that a host named in words are tried by themselves at the end: the words may mean another.
const CHECKED: usize = 4;

/// A part of what is to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub changes: Vec<RefChange>,
    pub way: Way,
    /// Whether these are refs that the host refused before.
    pub is_again: bool,
}

/// How a part came to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It was not pushed before.
    Offered,
    /// Others are not to hold it up: the default branch, or all branches.
    ByItself,
    /// It is left of what was refused, without those that the host named.
    LeftOver,
    /// The host named all of these together.
    Named,
    /// The host named this one.
    Check,
    /// A part of what was refused.
    Cut,
}

/// Whom a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// These, as the structure of the report says.
    These(BTreeSet<RefName>),
    /// These or the others.
    Perhaps(BTreeSet<RefName>),
    /// Whoever is named in the host's words; perhaps nobody.
    InWords(BTreeSet<RefName>),
}

/// What was found by a refusal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Refused for the reason in hand.
    pub refused: Vec<RefChange>,
    /// Named in words in a refusal: refused for the reason in hand unless it arrives after all.
    pub named: Vec<RefChange>,
}

/// What a search leaves.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Was named in words and did not arrive.
    pub named: Vec<RefChange>,
    /// Is a part of what was refused, and the search did not come to it.
    pub suspected: Vec<RefChange>,
    /// Was never pushed.
    pub not_offered: Vec<RefChange>,
}

/// The search for what a host refuses in one run.
pub(super) struct Search {
    pub doubt: Doubt,
    pub budget: Budget,
    default_branch: Option<RefName>,
    /// Whether one ref was tried apart from the fence.
    went_apart: bool,
    /// What goes before all else, however much was spent.
    first: VecDeque<Part>,
    offered: VecDeque<Part>,
    waiting: VecDeque<Part>,
    offered_again: VecDeque<Part>,
    /// Refused together again: some are looked at by themselves.
    again: VecDeque<RefChange>,
    looks: usize,
    /// What the search did not come to before what is offered again.
    given_up: Vec<RefChange>,
    /// Named in words, and not tried by itself.
    named: Vec<RefChange>,
    checks: usize,
    was_checked: bool,
    believes_words: bool,
    /// Refs that were named one after another, with nothing of the search that arrived between.
    row: Vec<RefName>,
    /// How many pushes were refused, how many of these named somebody, and how many arrived.
    spent: usize,
    naming: usize,
    arrived: usize,
    /// How many refs were found refused by themselves, and how many of a search arrived.
    refused_refs: usize,
    arrived_refs: usize,
    /// How many refs are still tried one by one for that; `None` where it was not asked.
    probes: Option<usize>,
}

impl Search {
    /// A search of which nothing is known. `after_vain` says that nothing arrived in the last one.
    pub fn new(doubt: Doubt, budget: Budget, default_branch: Option<RefName>, after_vain: bool) -> Self {
        Self {
            doubt,
            budget,
            default_branch,
            went_apart: false,
            first: VecDeque::new(),
            offered: VecDeque::new(),
            waiting: VecDeque::new(),
            offered_again: VecDeque::new(),
            again: VecDeque::new(),
            looks: 0,
            given_up: Vec::new(),
            named: Vec::new(),
            checks: CHECKED,
            was_checked: false,
            believes_words: true,
            row: Vec::new(),
            spent: 0,
            naming: 0,
            arrived: 0,
            refused_refs: if after_vain { PROBES } else { 0 },
            arrived_refs: 0,
            probes: None,
        }
    }

    /// Adds what one push can carry.
    pub fn offer(&mut self, changes: Vec<RefChange>, is_again: bool) {
        let offered = if is_again { &mut self.offered_again } else { &mut self.offered };
        offered.push_back(Part { changes, way: Way::Offered, is_again });
    }

    /// What is to be pushed next. What was never pushed goes before parts of what was refused.
    pub fn next(&mut self) -> Option<Part> {
        if let Some(part) = self.first.pop_front().or_else(|| self.offered.pop_front()) {
            return Some(part);
        }
        if !self.budget.is_over() {
            if let Some(part) = self.next_waiting() {
                return Some(part);
            }
            if self.checks > 0
                && let Some(change) = self.named.pop()
            {
                self.checks -= 1;
                return Some(Part { changes: vec![change], way: Way::Check, is_again: false });
            }
        }
        if self.budget.is_late() {
            return None;
        }
        if let Some(part) = self.offered_again.pop_front() {
            self.given_up.extend(self.waiting.drain(..).flat_map(|part| part.changes));
            self.budget.for_again();
            return Some(part);
        }
        if self.looks == 0 || self.budget.is_over() {
            return None;
        }
        let change = self.again.pop_front()?;
        self.looks -= 1;
        Some(Part { changes: vec![change], way: Way::Cut, is_again: true })
    }

    /// Large parts come first, so that as much as can be arrives early.
    fn next_waiting(&mut self) -> Option<Part> {
        let index = if self.budget.is_in_depth() {
            self.waiting.iter().enumerate().min_by_key(|(_, part)| part.changes.len())?.0
        } else {
            0
        };
        let mut part = self.waiting.remove(index)?;
        let count = part.changes.len();
        if count < 2 || part.way != Way::Cut || !self.are_most_refused() {
            return Some(part);
        }
        let one = Part { changes: vec![part.changes.remove(count / 2)], ..part };
        self.waiting.push_back(part);
        Some(one)
    }

    /// Whether refs go one by one: to learn whether most are refused, or since they are.
    fn are_most_refused(&self) -> bool {
        // As long as it may be the host that fails, nothing is learned of single refs.
        let may_fail = self.arrived == 0 && !self.doubt.is_settled() && self.spent <= VAIN;
        let are_most = self.refused_refs >= PROBES && self.refused_refs > 2 * self.arrived_refs;
        !may_fail && (are_most || self.probes.is_some_and(|left| left > 0))
    }

    /// Puts a part before all others: nothing was learned of it.
    pub fn at_once(&mut self, part: Part) {
        self.first.push_front(part);
    }

    /// Puts a part before all others, together with what it was cut from.
    pub fn together(&mut self, mut part: Part) {
        if part.way == Way::ByItself
            && let Some(rest) = self.waiting.pop_front()
        {
            part.changes.extend(rest.changes);
        }
        let way = if part.way == Way::ByItself { Way::LeftOver } else { part.way };
        self.first.push_front(Part { way, ..part });
    }

    /// Ends it: there is nothing to search for. Returns what waits to be pushed again.
    pub fn end(&mut self) -> Vec<RefChange> {
        let waiting = self.first.drain(..).chain(self.waiting.drain(..)).flat_map(|part| part.changes).collect();
        let not_offered = self.offered.drain(..).chain(self.offered_again.drain(..)).flat_map(|part| part.changes);
        self.given_up.extend(not_offered);
        (self.checks, self.looks) = (0, 0);
        waiting
    }

    /// A part arrived.
    pub fn arrived(&mut self, part: &Part) {
        self.arrived += 1;
        if matches!(part.way, Way::Offered | Way::ByItself) {
            return;
        }
        self.budget.earn();
        self.row.clear();
        self.arrived_refs += part.changes.len();
        self.probes = Some(0);
        if part.way == Way::Check {
            self.believe_no_words();
        }
        if part.is_again && !self.again.is_empty() {
            let changes = self.again.drain(..).collect();
            self.waiting.push_back(Part { changes, way: Way::LeftOver, is_again: true });
        }
    }

    /// What a refusal of a part comes to; what it leaves open waits to be pushed again.
    pub fn refused(&mut self, part: Part, told: Told) -> Found {
        let mut found = Found::default();
        let told = self.believed(&part, told);
        // Of one ref the report says nothing that was not known.
        let is_named =
            part.changes.len() > 1 && matches!(&told, Told::These(names) | Told::InWords(names) if !names.is_empty());
        self.budget.spend(is_named);
        self.naming += usize::from(is_named);
        let means_another = |change: &RefChange| matches!(&told, Told::These(names) if !names.contains(&change.name));
        if part.changes.len() < 2 && !part.changes.iter().any(means_another) {
            self.was_checked |= part.way == Way::Check;
            self.probes = self.probes.map(|left| left.saturating_sub(1));
            self.refused_refs += part.changes.len();
            found.refused = part.changes;
            return found;
        }
        let is_rest = !matches!(told, Told::These(_)) || part.way != Way::Offered;
        let (likely, rest): (Vec<_>, Vec<_>) = match &told {
            Told::These(names) | Told::Perhaps(names) | Told::InWords(names) => {
                part.changes.iter().cloned().partition(|change| names.contains(&change.name))
            }
        };
        match told {
            Told::These(_) => {
                self.row.extend(likely.first().map(|change| change.name.clone()));
                found.refused = likely;
                if part.is_again && part.way == Way::Offered {
                    self.look_at_some(rest);
                } else {
                    self.leave_over(rest, is_rest, part.is_again);
                }
            }
            _ if part.is_again && part.way == Way::Offered => self.look_at_some(part.changes),
            Told::InWords(_) if likely.len() == 1 => {
                self.row.extend(likely.first().map(|change| change.name.clone()));
                self.named.extend(likely.iter().cloned());
                found.named = likely;
                self.leave_over(rest, true, part.is_again);
            }
            Told::InWords(_) if rest.is_empty() && part.way == Way::Named && likely.len() > LOOKED_AT_AGAIN => {
                found.refused = likely;
            }
            Told::Perhaps(_) | Told::InWords(_) if !likely.is_empty() && !rest.is_empty() => {
                let way = if matches!(told, Told::InWords(_)) { Way::Named } else { Way::Cut };
                self.waiting.push_front(Part { changes: likely, way, is_again: part.is_again });
                self.leave_over(rest, true, part.is_again);
            }
            Told::Perhaps(_) | Told::InWords(_) => self.cut(part),
        }
        found
    }

    /// Whom a refusal means of this part, as far as it is believed.
    fn believed(&mut self, part: &Part, told: Told) -> Told {
        let Told::InWords(mut names) = told else { return told };
        // What names a ref that does not go along means something else.
        if self.named.iter().any(|change| names.contains(&change.name)) {
            self.believe_no_words();
        }
        names.retain(|name| part.changes.iter().any(|change| change.name == *name));
        // It goes by itself in any case.
        if let Some(default_branch) = &self.default_branch {
            names.remove(default_branch);
        }
        if !self.believes_words {
            names.clear();
        }
        Told::InWords(names)
    }

    fn believe_no_words(&mut self) {
        self.believes_words = false;
        let changes: Vec<RefChange> = self.named.drain(..).collect();
        if !changes.is_empty() {
            self.waiting.push_back(Part { changes, way: Way::Cut, is_again: false });
        }
    }

    /// Of a part that the host refused before and refuses again, the default branch and some others are looked at.
    fn look_at_some(&mut self, changes: Vec<RefChange>) {
        self.looks = LOOKED_AT_AGAIN;
        let is_default = |change: &RefChange| Some(&change.name) == self.default_branch.as_ref();
        let (default_branch, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_default);
        self.looks += default_branch.len();
        self.again.extend(rest);
        for change in default_branch {
            self.again.push_front(change);
        }
    }

    /// The rest of a part goes again, and what is not like those that were named before what is.
    fn leave_over(&mut self, rest: Vec<RefChange>, some_by_themselves: bool, is_again: bool) {
        let rest = if some_by_themselves { self.by_themselves(rest, is_again) } else { rest };
        let left_over = |changes| Part { changes, way: Way::LeftOver, is_again };
        if self.row.len() < ROW {
            if !rest.is_empty() {
                self.waiting.push_front(left_over(rest));
            }
            return;
        }
        if !self.was_checked
            && let Some(change) = self.named.pop()
        {
            self.was_checked = true;
            self.first.push_back(Part { changes: vec![change], way: Way::Check, is_again });
        }
        let beginning = common_beginning(&self.row);
        let (alike, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|change| change.name.as_str().starts_with(&beginning));
        if !others.is_empty() {
            self.row.clear();
        }
        for changes in [alike, others].into_iter().filter(|changes| !changes.is_empty()) {
            self.waiting.push_front(left_over(changes));
        }
    }

    /// Whether something of a refused part goes by itself first.
    pub fn has_first(&self, part: &Part) -> bool {
        let is_default = |change: &RefChange| Some(&change.name) == self.default_branch.as_ref();
        let branches = part.changes.iter().filter(|change| change.name.is_branch()).count();
        let goes_by_kind = (1..part.changes.len()).contains(&branches);
        !part.is_again && part.changes.len() > 1 && (part.changes.iter().any(is_default) || goes_by_kind)
    }

    /// Takes out what others are not to hold up: the default branch, else the branches.
    fn by_themselves(&mut self, changes: Vec<RefChange>, is_again: bool) -> Vec<RefChange> {
        let part = Part { changes, way: Way::ByItself, is_again };
        if !self.has_first(&part) {
            return part.changes;
        }
        let is_default = |change: &RefChange| Some(&change.name) == self.default_branch.as_ref();
        let has_default = part.changes.iter().any(is_default);
        let goes = |change: &RefChange| if has_default { is_default(change) } else { change.name.is_branch() };
        let (first, rest) = part.changes.into_iter().partition(goes);
        self.first.push_back(Part { changes: first, ..part });
        rest
    }

    /// Nobody is named: what others are not to hold up goes by itself, else it goes in halves.
    fn cut(&mut self, part: Part) {
        let is_again = part.is_again;
        let later = |changes| Part { changes, way: Way::Cut, is_again };
        if self.has_first(&part) {
            let rest = self.by_themselves(part.changes, is_again);
            self.waiting.push_front(later(rest));
            return;
        }
        let mut changes = part.changes;
        if changes.len() >= PROBED_FROM && self.probes.is_none() {
            self.probes = Some(PROBES);
        }
        let second = changes.split_off(changes.len().div_ceil(2));
        self.waiting.push_back(later(changes));
        self.waiting.push_back(later(second));
    }

    /// A push was refused.
    pub fn spend(&mut self) {
        self.spent += 1;
    }

    /// Whether nothing arrived, though it was tried often enough that one ref cannot be the reason.
    pub fn is_vain(&self) -> bool {
        self.arrived == 0 && self.spent > if self.doubt.is_refused() { 0 } else { VAIN }
    }

    /// Whether it found none that the host takes, and no refusal named anybody.
    pub fn found_nothing(&self) -> bool {
        self.arrived_refs == 0 && self.naming == 0
    }

    /// Whether one ref may be tried apart from the fence: once, where the fence alone was taken and nothing else.
    pub fn may_go_apart(&mut self, part: &Part) -> bool {
        let may = !part.is_again
            && part.changes.len() == 1
            && self.arrived == 0
            && self.doubt == Doubt::TriedAlone
            && !self.went_apart;
        self.went_apart |= may;
        may
    }

    /// What was not pushed, or not by itself, when it ended.
    pub fn left(self) -> Left {
        let parts = |parts: VecDeque<Part>| parts.into_iter().flat_map(|part| part.changes);
        Left {
            named: self.named,
            suspected: self.given_up.into_iter().chain(parts(self.waiting)).chain(self.again).collect(),
            not_offered: parts(self.first).chain(parts(self.offered)).chain(parts(self.offered_again)).collect(),
        }
    }
}

/// How all these names begin.
fn common_beginning(names: &[RefName]) -> String {
    let (Some(first), Some(last)) = (names.iter().min(), names.iter().max()) else { return String::new() };
    let alike = first.as_str().chars().zip(last.as_str().chars()).take_while(|(one, other)| one == other);
    alike.map(|(sign, _)| sign).collect()
}

/// What is known of the fence on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The host took it before.
    Proven,
    /// It was never pushed there.
    Unproven,
    /// It was taken just now beside others, so that a refusal that names nobody is not about it.
    Taken,
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

    /// Whether the host took it, now or before.
    pub fn is_proven(&self) -> bool {
        matches!(self, Self::Proven | Self::Taken | Self::TriedAlone)
    }

    /// Whether the host took it in this run.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Taken | Self::TriedAlone)
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
