//! What a step of a role change makes of a fence, and when a change must stop. Pure, as [`super::machine`] is.
//!
//! Of the fences that carry a change one is its *register* ([`Change::register`]): whoever stands in it as writer goes on
//! with the change, everybody else stops. The other fences follow it, whichever party's name they still carry.

use serde::{Deserialize, Serialize};

use super::machine::{Change, Step, Way};
use standin_state::model::Site;

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

/// Whose the open change of a fence is.
enum Whose<'a> {
    Nobody,
    Ours,
    /// This change, carried out by another party.
    Theirs(&'a str),
    /// Another change.
    Other(&'a Open),
}

fn whose<'a>(change: &Change, me: &str, seen: &'a Seen) -> Whose<'a> {
    match &seen.open {
        None => Whose::Nobody,
        Some(open) if open.change.as_ref() != Some(&change.id) => Whose::Other(open),
        Some(open) if open.writer == me => Whose::Ours,
        Some(open) => Whose::Theirs(&open.writer),
    }
}

/// What a step makes of the fence of its site ([`Change::site_of`]), asked after [`may_take`]. A fence step moves it; any
/// other finds it in order ([`Move::Already`]) and acts, or is refused. `me` is the writer's name; `seen` is what was just
/// read, `None` where there is no fence yet. A refusal that the change passes over ([`Change::passes_over`]) stops
/// nothing: it is reported.
///
/// What a move has made of a fence needs no further move, but for the announcements of the way back, which always move.
pub fn fence_move(change: &Change, step: &Step, me: &str, seen: Option<&Seen>) -> Move {
    let moved = match step {
        Step::Announce(site) => announce(change, site, me, seen),
        Step::Raise(site) => raise(change, site, me, seen),
        Step::Tell(_) => tell(change, seen),
        Step::Close(site) => close(change, site, me, seen),
        _ => look(change, me, seen),
    };
    match moved {
        Ok(Some(to)) => Move::Write(to),
        Ok(None) => Move::Already,
        Err(refusal) => Move::Refused(refusal),
    }
}

/// Takes a change over that was left open, at its register: the fence moves with our name in it, so the other party's
/// next look stops it, and what it has under way there arrives too late. That is so when the name is ours already, too:
/// an earlier run of ours may have something under way. `change` is what [`Change::found_at`] made of this very `seen`,
/// turned back or not.
pub fn take_over(change: &Change, me: &str, seen: &Seen) -> Move {
    match whose(change, me, seen) {
        Whose::Nobody => Move::Refused(Refusal::Closed),
        Whose::Other(open) => Move::Refused(other(open)),
        // Raised since the change was looked at.
        _ if seen.epoch > change.epoch && !change.may_have_raised() => Move::Refused(higher(seen)),
        Whose::Ours | Whose::Theirs(_) => Move::Write(next(seen, ours(change, me))),
    }
}

/// Whether the change is still carried out by us, by the fence of its register.
///
/// # Errors
/// Why not.
pub fn still_ours(change: &Change, me: &str, register: Option<&Seen>) -> Result<(), Refusal> {
    let Some(seen) = register else { return Err(Refusal::Closed) };
    match whose(change, me, seen) {
        Whose::Ours => Ok(()),
        Whose::Theirs(writer) => Err(Refusal::TakenOver { writer: writer.to_owned() }),
        Whose::Other(open) => Err(other(open)),
        Whose::Nobody if seen.epoch > change.epoch_after() => Err(higher(seen)),
        Whose::Nobody => Err(Refusal::Closed),
    }
}

/// Whether a step may be taken, asked before each and again before each new try. `register` is the fence of the change's
/// register, read *after* that of the step's site: read the other way round, the change could be taken over in between,
/// and the step would take it back. Where the step moves the register itself, [`fence_move`] says all.
///
/// # Errors
/// Why not: the change is somebody else's, or over.
pub fn may_take(change: &Change, step: &Step, me: &str, register: Option<&Seen>) -> Result<(), Refusal> {
    if step.is_of_fence() && change.site_of(step) == change.register() {
        return Ok(());
    }
    still_ours(change, me, register)
}

fn ours(change: &Change, me: &str) -> Option<Open> {
    Some(Open { change: Some(change.id.clone()), writer: me.to_owned() })
}

fn next(seen: &Seen, open: Option<Open>) -> Seen {
    Seen { sequence: seen.sequence + 1, open, ..seen.clone() }
}

fn other(open: &Open) -> Refusal {
    Refusal::OtherChange { writer: open.writer.clone() }
}

fn higher(seen: &Seen) -> Refusal {
    Refusal::HigherEpoch { epoch: seen.epoch, master: seen.master.clone() }
}

fn rival(seen: &Seen) -> Refusal {
    Refusal::TwoMasters { master: seen.master.clone() }
}

fn announce(change: &Change, site: &Site, me: &str, seen: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    let is_register = site == change.register();
    let is_back = change.way == Way::Back;
    let before = |sequence| Seen {
        epoch: change.epoch,
        sequence,
        master: change.old.clone(),
        is_temporary: change.old_is_temporary,
        open: ours(change, me),
    };
    let Some(seen) = seen else { return Ok(Some(before(1))) };
    match whose(change, me, seen) {
        // The way back moves the fence even so: what we sent on the way forward may still be under way.
        Whose::Ours if is_back => return Ok(Some(next(seen, ours(change, me)))),
        Whose::Ours => return Ok(None),
        Whose::Theirs(writer) if is_register => return Err(Refusal::TakenOver { writer: writer.to_owned() }),
        Whose::Theirs(_) => return Ok(Some(next(seen, ours(change, me)))),
        // The register is of a later epoch: nobody can go on with that change any more.
        Whose::Other(open) if !is_register && open.change.is_some() && seen.epoch < change.epoch => {}
        // Its own register is gone, and the user's word is that it stays so.
        Whose::Other(open) if change.ends.is_some() && open.change == change.ends => {}
        Whose::Other(open) => return Err(other(open)),
        // It was announced here before, so somebody ended it.
        Whose::Nobody if is_register && change.reached > 1 => return Err(Refusal::Closed),
        Whose::Nobody => {}
    }
    let highest = if change.may_have_raised() { change.epoch_after() } else { change.epoch };
    if seen.epoch > highest {
        Err(higher(seen))
    } else if seen.epoch > change.epoch {
        Ok(Some(next(seen, ours(change, me))))
    } else if seen.epoch == change.epoch && seen.master != change.old {
        Err(rival(seen))
    } else {
        Ok(Some(before(seen.sequence + 1)))
    }
}

fn raise(change: &Change, site: &Site, me: &str, seen: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    let is_register = site == change.register();
    let Some(seen) = seen else { return Err(Refusal::Closed) };
    let is_ours = match whose(change, me, seen) {
        Whose::Ours => true,
        Whose::Theirs(writer) if is_register => return Err(Refusal::TakenOver { writer: writer.to_owned() }),
        Whose::Nobody if is_register => return Err(Refusal::Closed),
        Whose::Other(open) => return Err(other(open)),
        // The party before us left it so; the register is ours.
        Whose::Theirs(_) | Whose::Nobody => false,
    };
    Ok(match reach(change, seen)? {
        Some(raised) => Some(Seen { open: ours(change, me), ..raised }),
        None if is_ours => None,
        None => Some(next(seen, ours(change, me))),
    })
}

/// A mirror that takes no part learns who is master. Where it has no fence, its first sync makes one.
fn tell(change: &Change, seen: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    let Some(seen) = seen else { return Ok(None) };
    match &seen.open {
        Some(open) if open.change.is_some() && open.change.as_ref() != Some(&change.id) => Err(other(open)),
        _ => reach(change, seen),
    }
}

/// The fence with the epoch and the master that the change ends with; `None` where it has them.
fn reach(change: &Change, seen: &Seen) -> Result<Option<Seen>, Refusal> {
    let epoch = change.epoch_after();
    let master = change.winner().clone();
    let is_temporary = change.winner_is_temporary();
    match seen.epoch.cmp(&epoch) {
        std::cmp::Ordering::Less => {
            Ok(Some(Seen { epoch, sequence: seen.sequence + 1, master, is_temporary, open: seen.open.clone() }))
        }
        std::cmp::Ordering::Equal if seen.master == master => Ok(None),
        std::cmp::Ordering::Equal => Err(rival(seen)),
        std::cmp::Ordering::Greater => Err(higher(seen)),
    }
}

fn close(change: &Change, site: &Site, me: &str, seen: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    let is_register = site == change.register();
    let Some(seen) = seen else { return Ok(None) };
    match whose(change, me, seen) {
        Whose::Theirs(writer) if is_register => Err(Refusal::TakenOver { writer: writer.to_owned() }),
        Whose::Other(open) => Err(other(open)),
        _ if seen.epoch > change.epoch_after() => Err(higher(seen)),
        Whose::Ours | Whose::Theirs(_) => Ok(Some(next(seen, None))),
        // Nothing is open there: closed before, or never announced.
        Whose::Nobody => Ok(None),
    }
}

/// Before a step that has no compare-and-swap: whether the site is still one that the change may touch.
fn look(change: &Change, me: &str, seen: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    let Some(seen) = seen else { return Ok(None) };
    match whose(change, me, seen) {
        Whose::Other(open) if open.change.is_some() => Err(other(open)),
        _ if seen.epoch > change.epoch_after() => Err(higher(seen)),
        _ => Ok(None),
    }
}
