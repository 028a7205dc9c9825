//! The pure part of a role change: which step comes next, what a fence must become, when to stop. No effects, no clock,
//! no I/O; the model checker runs these very functions.
//!
//! A [`Change`] takes the mastership from one repository to another by a list of small steps ([`Change::steps`]). Each is
//! idempotent: it looks first and does only what is missing, so a step whose outcome is unknown is simply taken again.
//! The party that carries a change out asks [`Change::next`], writes down [`Change::begun`], reads the fence of the step's
//! site ([`Change::site_of`]) and *after it* the register's, asks [`may_take`] and [`fence_move`], acts, and writes down
//! [`Change::done`]. At any point it may [`Change::turn_back`], and the same loop carries the way back out.
//!
//! Fences are moved by compare-and-swap alone. A change that another party left is taken over
//! at its register ([`Change::found_at`], then [`take_over`]), and the steps then take it over everywhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use standin_state::model::{Role, Site};

pub use super::moves::{Move, Open, Refusal, Seen, fence_move, may_take, still_ours, take_over};

/// What kind of role change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Promote while the master is well: it is held first and loses nothing.
    Switchover,
    /// A standby takes over while the master is gone, as a `TEMPORARY_MASTER`; or the configured source does, for good.
    Failover,
    /// Hand back to the configured source.
    Demote,
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Towards the new master.
    #[default]
    #[serde(rename = "forward")]
    Onward,
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

impl Step {
    /// Whether the step is a move of its site's fence, by compare-and-swap.
    pub fn is_of_fence(&self) -> bool {
        matches!(self, Self::Announce(_) | Self::Raise(_) | Self::Tell(_) | Self::Close(_))
    }
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
    #[serde(default, rename = "direction")]
    pub way: Way,
    /// How many steps of [`Change::steps`] are done.
    #[serde(default)]
    pub position: usize,
    /// Whether the step at `position` may have been begun.
    #[serde(default)]
    pub is_begun: bool,
    /// How many steps forward may have been begun, by this party or one before it. It never shrinks.
    #[serde(default)]
    pub reached: usize,
    /// Whether the configured source takes over from a master that stood in its place and is gone. It stays master.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_homeward: bool,
    /// A change that stands open at the new master and can go on no more, since its register is gone with the old master:
    /// its id. This one takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// Whether there is no way back: the other side is out of reach, and nobody knows how it stands there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_one_way: bool,
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
            way: Way::Onward,
            position: 0,
            is_begun: false,
            reached: 0,
            is_homeward: false,
            ends: None,
            is_one_way: false,
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

    /// Who is master when the change is through, on its present way.
    pub fn winner(&self) -> &Site {
        match self.way {
            Way::Onward => &self.new,
            Way::Back => &self.old,
        }
    }

    /// Whether that master is only a `TEMPORARY_MASTER`.
    pub fn winner_is_temporary(&self) -> bool {
        match self.way {
            Way::Onward => self.kind == Kind::Failover && !self.is_homeward,
            Way::Back => self.old_is_temporary,
        }
    }

    /// The role of a repository when the change is through.
    pub fn role_of(&self, site: &Site) -> Role {
        match (site == self.winner(), self.winner_is_temporary()) {
            (true, false) => Role::Master,
            (true, true) => Role::TemporaryMaster,
            (false, _) => Role::Slave,
        }
    }

    /// The epoch when the change is through, on its present way.
    pub fn epoch_after(&self) -> u64 {
        match self.way {
            Way::Onward => self.epoch + 1,
            Way::Back if self.may_have_raised() => self.epoch + 2,
            Way::Back => self.epoch,
        }
    }

    /// The steps of the present way.
    pub fn steps(&self) -> Vec<Step> {
        match self.way {
            Way::Onward => self.forward(),
            Way::Back => self.back(),
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
        // Its commit goes to the standby with the re-sync.
        steps.push(Step::StateFile);
        if self.kind == Kind::Demote {
            steps.push(Step::Resync(self.old.clone()));
        }
        steps.extend(sides.into_iter().rev().map(Step::Close));
        steps
    }

    /// Every fence is moved first: what is still under way from before then arrives too late.
    fn back(&self) -> Vec<Step> {
        let sides = self.sides();
        let mut steps: Vec<Step> = sides.iter().cloned().map(Step::Announce).collect();
        if self.may_have_raised() {
            steps.push(Step::Hold(self.new.clone()));
            steps.extend(sides.iter().cloned().map(Step::Raise));
            steps.extend(self.others.iter().cloned().map(Step::Tell));
        }
        if self.with_old() && self.reached > sides.len() {
            steps.extend([Step::Enable(self.old.clone()), Step::SetRole(self.old.clone())]);
        }
        if self.may_have_raised() {
            steps.extend([Step::SetRole(self.new.clone()), Step::StateFile]);
        }
        steps.extend(sides.into_iter().rev().map(Step::Close));
        steps
    }

    /// A fail-over from `gone`, which was made master by a change itself: to another standby, or
    /// back to the configured source ([`Change::is_homeward`]). What that change left open may be on the fence of `gone` alone, and be taken back from
    /// there, which raises the epoch once more: the epoch of this one is later. Nor can this one be taken back: whether
    /// `gone` still takes itself for the master by then, nobody knows.
    pub fn past(id: impl Into<String>, gone: impl Into<Site>, new: impl Into<Site>, epoch: u64) -> Self {
        Self { is_one_way: true, ..Self::new(id, Kind::Failover, gone, new, epoch + 1) }
    }

    /// This fail-over in the place of one that stands open at the new master and whose register is gone.
    #[must_use]
    pub fn ending(mut self, open: &Self) -> Self {
        self.ends = Some(open.id.clone());
        // Wherever that one comes to by itself, or came to unseen, this one is later.
        self.epoch = self.epoch.max(open.epoch + 2);
        if let Some(states) = open.workflows.get(&open.old) {
            self.workflows.insert(self.old.clone(), states.clone());
        }
        self
    }

    /// The repository whose fence is read before a step, and at which it acts.
    pub fn site_of<'a>(&'a self, step: &'a Step) -> &'a Site {
        match step {
            Step::Bring => &self.new,
            Step::StateFile => self.winner(),
            Step::Announce(site)
            | Step::Hold(site)
            | Step::Quiesce(site)
            | Step::Raise(site)
            | Step::Tell(site)
            | Step::Enable(site)
            | Step::SetRole(site)
            | Step::Resync(site)
            | Step::Close(site) => site,
        }
    }

    /// Whether a refusal by the fence of the step's site stops nothing: a mirror that takes no part, and on the way back
    /// the other side, where somebody else has acted meanwhile and nothing is ours to undo any more.
    pub fn passes_over(&self, step: &Step) -> bool {
        let is_other_side = self.site_of(step) != self.register();
        matches!(step, Step::Tell(_)) || self.way == Way::Back && is_other_side
    }

    /// Whether the epoch was raised, or may have been.
    pub fn may_have_raised(&self) -> bool {
        self.forward().iter().take(self.reached).any(|step| matches!(step, Step::Raise(_)))
    }

    /// The step to take now; `None` when all is done.
    pub fn next(&self) -> Option<Step> {
        self.steps().into_iter().nth(self.position)
    }

    /// The change as it is written down before its next step is taken.
    #[must_use]
    pub fn begun(&self) -> Self {
        let reached = match self.way {
            Way::Onward => self.reached.max(self.position + 1),
            Way::Back => self.reached,
        };
        Self { is_begun: true, reached, ..self.clone() }
    }

    /// The change as it is written down after its step was taken, and seen to be.
    #[must_use]
    pub fn done(&self) -> Self {
        Self { is_begun: false, position: self.position + 1, ..self.clone() }
    }

    /// The same change on its way back to the old master. Once on the way back, it stays so; one that has no way back
    /// ([`Change::is_one_way`]) goes on.
    #[must_use]
    pub fn turn_back(&self) -> Self {
        match self.way {
            Way::Onward if !self.is_one_way => Self { way: Way::Back, position: 0, is_begun: false, ..self.clone() },
            _ => self.clone(),
        }
    }

    /// The change as another party finds it in the fence of its register, to be gone on with from there. What stands in
    /// a fence is as old as the fence's last move, so of the copy's progress nothing is believed but what the epoch
    /// proves: all that comes before the raise may have been begun, and once raised, everything may.
    ///
    /// A switchover that is raised goes on there, since by then the new master may have commits of its own. A hand-back
    /// begins again: the sentinel raises before it holds, and brings nothing home.
    #[must_use]
    pub fn found_at(&self, register: &Seen) -> Self {
        let forward = self.forward();
        let raise = forward.iter().position(|step| matches!(step, Step::Raise(_))).unwrap_or(forward.len());
        let is_raised = register.epoch > self.epoch;
        let (position, reached) = match self.way {
            Way::Back => (0, self.reached),
            Way::Onward if is_raised && self.kind == Kind::Switchover => (raise, forward.len()),
            Way::Onward if is_raised => (0, forward.len()),
            Way::Onward => (0, raise),
        };
        Self { position, reached, is_begun: false, ..self.clone() }
    }

    /// What becomes of the change when the repository beside the register cannot be reached any more: a fail-over that
    /// touches the standby alone, and has no way back but a later hand-back. What was done to the other stands in its
    /// fence as an open change of an older epoch; the next change that finds it there ends it.
    #[must_use]
    pub fn fail_over(&self) -> Self {
        let standby = self.register().clone();
        let gone = if standby == self.new { self.old.clone() } else { self.new.clone() };
        let epoch = if self.may_have_raised() { self.epoch_after() } else { self.epoch };
        let mut change = Self::new(self.id.clone(), Kind::Failover, gone, standby, epoch);
        change.others.clone_from(&self.others);
        change.workflows.clone_from(&self.workflows);
        change.reached = change.forward().len();
        change.is_one_way = true;
        change
    }
}
