//! The pure part of a role change: which step comes next, what a fence must become, when to stop. No effects, no clock,
//! no I/O; the model checker runs these very functions.
//!
//! A [`Change`] takes the mastership from one repository to another by a list of small steps ([`Change::steps`]). Each is
//! idempotent: it looks first and does only what is missing, so a step whose outcome is unknown is simply taken again.
//! The party that carries a change out asks [`Change::next`], writes down [`Change::begun`], acts, and writes down
//! [`Change::done`]. At any point it may [`Change::turn_back`], and the same loop carries the way back out.
//!
//! Fences are moved by compare-and-swap alone, as [`fence_move`] says. Everything else asks [`still_ours`] first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use standin_state::model::Role;

/// A repository that takes part, by its slug as it is shown.
pub type Site = String;

/// What kind of role change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Promote while the master is well: it is held first and loses nothing.
    Switchover,
    /// Promote while the master is gone: the new one is a `TEMPORARY_MASTER`.
    Failover,
    /// Hand back to the configured source.
    Demote,
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the new master.
    #[default]
    Forward,
    /// Back to the old one.
    Back,
}

/// One step of a role change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step", content = "site")]
pub enum Step {
    /// Put the change into the fence, so that every machine sees it and no sync writes.
    Announce(Site),
    /// Switch the workflows of a master off.
    Hold(Site),
    /// Wait for its runs to end, or cancel them.
    Quiesce(Site),
    /// Bring the commits of the old master to the new one.
    Bring,
    /// Raise the epoch and name the new master.
    Raise(Site),
    /// Tell a mirror that takes no part, where it can be reached.
    Tell(Site),
    /// Give a master the workflow states that the master had.
    Enable(Site),
    /// Set `MIRROR_ROLE`, and the sentinel on or off with it.
    SetRole(Site),
    /// Bring the repository that was master in step with the one that is.
    Resync(Site),
    /// Write the `mirrors` section of the state file.
    StateFile,
    /// Take the change out of the fence.
    Close(Site),
}

/// A role change, as far as one party knows it: what the journal keeps, and what stands in the fence while it is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    /// Tells it from every other change.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// Who is master before.
    pub old: Site,
    /// Who is master after.
    pub new: Site,
    /// Mirrors that take no part but have a fence.
    #[serde(default)]
    pub others: Vec<Site>,
    /// Whether the old master is only `TEMPORARY_MASTER`.
    #[serde(default)]
    pub old_is_temporary: bool,
    /// The epoch before.
    pub epoch: u64,
    /// Which way it goes.
    #[serde(default)]
    pub direction: Direction,
    /// How many steps of [`Change::steps`] are done.
    #[serde(default)]
    pub position: usize,
    /// Whether the step at `position` may have been begun.
    #[serde(default)]
    pub is_begun: bool,
    /// On the way back: how many steps forward had been begun.
    #[serde(default)]
    pub reached: usize,
    /// The states of the workflows before the change, by repository and path.
    #[serde(default)]
    pub workflows: BTreeMap<Site, BTreeMap<String, String>>,
}

impl Change {
    /// A change that has not begun.
    pub fn new(id: impl Into<String>, kind: Kind, old: impl Into<Site>, new: impl Into<Site>, epoch: u64) -> Self {
        Self {
            id: id.into(),
            kind,
            old: old.into(),
            new: new.into(),
            others: Vec::new(),
            old_is_temporary: false,
            epoch,
            direction: Direction::Forward,
            position: 0,
            is_begun: false,
            reached: 0,
            workflows: BTreeMap::new(),
        }
    }

    /// Whether the old master takes part. A fail-over does not touch it: it is gone.
    pub fn with_old(&self) -> bool {
        self.kind != Kind::Failover
    }

    /// The standby's repository. Its fence is moved first and closed last: it is the one that the sentinel moves too,
    /// so of two changes at once only one gets it.
    pub fn register(&self) -> &Site {
        if self.kind == Kind::Demote { &self.old } else { &self.new }
    }

    /// The repositories whose fences carry the change, in the order in which they are moved.
    pub fn sides(&self) -> Vec<Site> {
        match self.kind {
            Kind::Switchover => vec![self.new.clone(), self.old.clone()],
            Kind::Failover => vec![self.new.clone()],
            Kind::Demote => vec![self.old.clone(), self.new.clone()],
        }
    }

    /// Who is master when the change is through, in its present direction.
    pub fn winner(&self) -> &Site {
        match self.direction {
            Direction::Forward => &self.new,
            Direction::Back => &self.old,
        }
    }

    /// Whether that master is only a `TEMPORARY_MASTER`.
    pub fn winner_is_temporary(&self) -> bool {
        match self.direction {
            Direction::Forward => self.kind == Kind::Failover,
            Direction::Back => self.old_is_temporary,
        }
    }

    /// The role of a repository when the change is through.
    pub fn role_of(&self, site: &str) -> Role {
        match (site == self.winner(), self.winner_is_temporary()) {
            (true, false) => Role::Master,
            (true, true) => Role::TemporaryMaster,
            (false, _) => Role::Slave,
        }
    }

    /// The epoch when the change is through, in its present direction.
    pub fn epoch_after(&self) -> u64 {
        match self.direction {
            Direction::Forward => self.epoch + 1,
            Direction::Back if self.may_have_raised() => self.epoch + 2,
            Direction::Back => self.epoch,
        }
    }

    /// The steps of the present direction.
    pub fn steps(&self) -> Vec<Step> {
        match self.direction {
            Direction::Forward => self.forward(),
            Direction::Back => self.back(),
        }
    }

    fn forward(&self) -> Vec<Step> {
        let sides = self.sides();
        let mut steps: Vec<Step> = sides.iter().cloned().map(Step::Announce).collect();
        if self.with_old() {
            steps.extend([Step::Hold(self.old.clone()), Step::Quiesce(self.old.clone()), Step::Bring]);
        }
        steps.extend(sides.iter().cloned().map(Step::Raise));
        steps.extend(self.others.iter().cloned().map(Step::Tell));
        steps.push(Step::Enable(self.new.clone()));
        steps.push(Step::SetRole(self.new.clone()));
        if self.with_old() {
            steps.push(Step::SetRole(self.old.clone()));
        }
        if self.kind == Kind::Demote {
            steps.push(Step::Resync(self.old.clone()));
        }
        steps.push(Step::StateFile);
        steps.extend(sides.into_iter().rev().map(Step::Close));
        steps
    }

    fn back(&self) -> Vec<Step> {
        let sides = self.sides();
        let mut steps: Vec<Step> = Vec::new();
        if self.may_have_raised() {
            steps.push(Step::Hold(self.new.clone()));
            steps.extend(sides.iter().cloned().map(Step::Raise));
            steps.extend(self.others.iter().cloned().map(Step::Tell));
        }
        if self.with_old() && self.reached > sides.len() {
            steps.push(Step::Enable(self.old.clone()));
        }
        if self.may_have_raised() {
            if self.with_old() {
                steps.push(Step::SetRole(self.old.clone()));
            }
            steps.push(Step::SetRole(self.new.clone()));
            steps.push(Step::StateFile);
        }
        steps.extend(sides.into_iter().rev().map(Step::Close));
        steps
    }

    /// Whether the epoch was raised, or may have been.
    fn may_have_raised(&self) -> bool {
        let begun = match self.direction {
            Direction::Forward => self.position + usize::from(self.is_begun),
            Direction::Back => self.reached,
        };
        self.forward().iter().take(begun).any(|step| matches!(step, Step::Raise(_)))
    }

    /// The step to take now; `None` when all is done.
    pub fn next(&self) -> Option<Step> {
        self.steps().into_iter().nth(self.position)
    }

    /// The change as it is written down before its next step is taken.
    #[must_use]
    pub fn begun(&self) -> Self {
        Self { is_begun: true, ..self.clone() }
    }

    /// The change as it is written down after its step was taken, and seen to be.
    #[must_use]
    pub fn done(&self) -> Self {
        Self { is_begun: false, position: self.position + 1, ..self.clone() }
    }

    /// The same change on its way back to the old master. Once on the way back, it stays so.
    #[must_use]
    pub fn turn_back(&self) -> Self {
        match self.direction {
            Direction::Back => self.clone(),
            Direction::Forward => Self {
                direction: Direction::Back,
                reached: self.position + usize::from(self.is_begun),
                position: 0,
                is_begun: false,
                ..self.clone()
            },
        }
    }

    /// The change as another party finds it in a fence at `seen`, to be gone on with from there. What stands in a fence
    /// is as old as the fence's last move: everything after it may have been begun, and is looked at again.
    #[must_use]
    pub fn found_at(&self, seen: &Seen) -> Self {
        let steps = self.steps();
        let is_raised = match self.direction {
            Direction::Forward => seen.epoch > self.epoch,
            Direction::Back => seen.epoch >= self.epoch_after() && self.may_have_raised(),
        };
        let first_raise = steps.iter().position(|step| matches!(step, Step::Raise(_)));
        let (position, reached) = match (self.direction, is_raised, first_raise) {
            (Direction::Forward, true, Some(first)) => (first, self.reached),
            // Everything up to the first raise may have been begun.
            (Direction::Forward, _, _) => (0, self.reached),
            (Direction::Back, _, _) => (0, self.reached),
        };
        Self { position, reached, is_begun: true, ..self.clone() }
    }
}

/// A fence as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seen {
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Who is master by it.
    pub master: Site,
    /// Whether that master is only `TEMPORARY_MASTER`.
    pub is_temporary: bool,
    /// The change that is open in it.
    pub open: Option<Open>,
}

/// A change that stands open in a fence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// The id of the role change; `None` for a change of another kind.
    pub change: Option<String>,
    /// Who carries it out.
    pub writer: String,
}

/// What is to be done with a fence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// Write this, if it is still what was read.
    Write(Seen),
    /// It is so already.
    Already,
    /// It must not be moved.
    Refused(Refusal),
}

/// Why a change must stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Another change is open.
    OtherChange {
        /// Who carries it out.
        writer: String,
    },
    /// Somebody else goes on with this change.
    TakenOver {
        /// Who.
        writer: String,
    },
    /// The mastership has moved on.
    HigherEpoch {
        /// To this epoch.
        epoch: u64,
        /// And this master.
        master: Site,
    },
    /// Another repository was made master in the same epoch.
    TwoMasters {
        /// Which.
        master: Site,
    },
    /// The change is no longer open there.
    Closed,
}

/// What a fence step makes of a fence. `me` is the writer's name; `seen` is what was just read, `None` where there is
/// no fence yet.
pub fn fence_move(change: &Change, step: &Step, me: &str, seen: Option<&Seen>) -> Move {
    let open = || Some(Open { change: Some(change.id.clone()), writer: me.to_owned() });
    match step {
        Step::Announce(_) => announce(change, me, seen, open()),
        Step::Raise(_) => raise(change, me, seen, open()),
        Step::Tell(_) => tell(change, seen),
        Step::Close(_) => close(change, me, seen),
        _ => Move::Already,
    }
}

/// Takes a change over that another party left open: the fence moves with our name in it, and the other's next look
/// stops it.
pub fn take_over(change: &Change, me: &str, seen: &Seen) -> Move {
    match &seen.open {
        Some(open) if open.change.as_ref() != Some(&change.id) => {
            Move::Refused(Refusal::OtherChange { writer: open.writer.clone() })
        }
        Some(open) if open.writer == me => Move::Already,
        Some(open) => {
            let open = Open { writer: me.to_owned(), ..open.clone() };
            Move::Write(Seen { sequence: seen.sequence + 1, open: Some(open), ..seen.clone() })
        }
        None => Move::Refused(Refusal::Closed),
    }
}

/// Whether the change may go on writing where this fence stands: asked before each step that has no compare-and-swap.
///
/// # Errors
/// Why not.
pub fn still_ours(change: &Change, me: &str, seen: Option<&Seen>) -> Result<(), Refusal> {
    let Some(seen) = seen else { return Err(Refusal::Closed) };
    match &seen.open {
        Some(open) if open.change.as_ref() == Some(&change.id) && open.writer == me => Ok(()),
        Some(open) if open.change.as_ref() == Some(&change.id) => {
            Err(Refusal::TakenOver { writer: open.writer.clone() })
        }
        Some(open) => Err(Refusal::OtherChange { writer: open.writer.clone() }),
        None if seen.epoch > change.epoch_after() => {
            Err(Refusal::HigherEpoch { epoch: seen.epoch, master: seen.master.clone() })
        }
        None => Err(Refusal::Closed),
    }
}

fn announce(change: &Change, me: &str, seen: Option<&Seen>, open: Option<Open>) -> Move {
    let Some(seen) = seen else {
        let master = change.old.clone();
        let is_temporary = change.old_is_temporary;
        return Move::Write(Seen { epoch: change.epoch, sequence: 1, master, is_temporary, open });
    };
    if seen.epoch > change.epoch {
        // Raised by this very change already, when it is resumed from further on.
        return match still_ours(change, me, Some(seen)) {
            Ok(()) => Move::Already,
            Err(Refusal::Closed) => {
                Move::Refused(Refusal::HigherEpoch { epoch: seen.epoch, master: seen.master.clone() })
            }
            Err(refusal) => Move::Refused(refusal),
        };
    }
    match &seen.open {
        Some(_) => match still_ours(change, me, Some(seen)) {
            Ok(()) => Move::Already,
            Err(refusal) => Move::Refused(refusal),
        },
        None if seen.epoch == change.epoch && seen.master != change.old => {
            Move::Refused(Refusal::TwoMasters { master: seen.master.clone() })
        }
        None => Move::Write(Seen {
            epoch: change.epoch,
            sequence: seen.sequence + 1,
            master: change.old.clone(),
            is_temporary: change.old_is_temporary,
            open,
        }),
    }
}

fn raise(change: &Change, me: &str, seen: Option<&Seen>, open: Option<Open>) -> Move {
    let after = change.epoch_after();
    let write = |sequence| {
        Move::Write(Seen {
            epoch: after,
            sequence,
            master: change.winner().clone(),
            is_temporary: change.winner_is_temporary(),
            open: open.clone(),
        })
    };
    let Some(seen) = seen else { return Move::Refused(Refusal::Closed) };
    if let Err(refusal) = still_ours(change, me, Some(seen)) {
        return Move::Refused(refusal);
    }
    match seen.epoch.cmp(&after) {
        std::cmp::Ordering::Less => write(seen.sequence + 1),
        std::cmp::Ordering::Equal if seen.master == *change.winner() => Move::Already,
        std::cmp::Ordering::Equal => Move::Refused(Refusal::TwoMasters { master: seen.master.clone() }),
        std::cmp::Ordering::Greater => {
            Move::Refused(Refusal::HigherEpoch { epoch: seen.epoch, master: seen.master.clone() })
        }
    }
}

/// A mirror that takes no part learns who is master. Where it has no fence, its first sync makes one.
fn tell(change: &Change, seen: Option<&Seen>) -> Move {
    let Some(seen) = seen else { return Move::Already };
    let after = change.epoch_after();
    if let Some(open) = &seen.open
        && open.change.is_some()
        && open.change.as_ref() != Some(&change.id)
    {
        return Move::Refused(Refusal::OtherChange { writer: open.writer.clone() });
    }
    match seen.epoch.cmp(&after) {
        std::cmp::Ordering::Less => Move::Write(Seen {
            epoch: after,
            sequence: seen.sequence + 1,
            master: change.winner().clone(),
            is_temporary: change.winner_is_temporary(),
            open: seen.open.clone(),
        }),
        std::cmp::Ordering::Equal if seen.master == *change.winner() => Move::Already,
        std::cmp::Ordering::Equal => Move::Refused(Refusal::TwoMasters { master: seen.master.clone() }),
        std::cmp::Ordering::Greater => {
            Move::Refused(Refusal::HigherEpoch { epoch: seen.epoch, master: seen.master.clone() })
        }
    }
}

fn close(change: &Change, me: &str, seen: Option<&Seen>) -> Move {
    let Some(seen) = seen else { return Move::Already };
    match still_ours(change, me, Some(seen)) {
        Ok(()) => Move::Write(Seen { sequence: seen.sequence + 1, open: None, ..seen.clone() }),
        // Nothing of ours is open there: closed before, or never announced.
        Err(Refusal::Closed) => Move::Already,
        Err(refusal) => Move::Refused(refusal),
    }
}
