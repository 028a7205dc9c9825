//! Pushing changes whatever the host refuses of them: refused refs are taken out and explained, the rest goes again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use standin_state::model::RefName;
use standin_state::store::{ChangeAction, ChangeOutcome};

use super::send::{Sender, Sent, recorded, recorded_fence};
use crate::code::learned::{self, NO_FENCE, NOT_ATOMIC};
use crate::code::places::mirror_remote;
use crate::code::plan::{Refs, in_the_way, no_fence, not_atomic};
use crate::code::rescue::{self, Endangered};
use crate::code::{MirrorView, Snapshot};
use crate::git::{Remote, Update};
use crate::plan::RefChange;
use crate::run::MirrorContext;
use crate::{Code, Error, Result};

/// How many pushes may be spent on finding out which refs a host refuses.
const MAX_SEARCHES: usize = 40;
/// How often refs that a host names one by one are taken out before the rest is split.
const MAX_ONE_BY_ONE: usize = 4;

static NO_REFS: Refs = Refs::new();

/// What became of all pushes together.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Everything arrived that the host takes.
    Through,
    /// Somebody else moved something: look again.
    Moved,
}

/// A ref that the host refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The change.
    pub change: RefChange,
    /// Why, and what to do.
    pub error: Error,
}

/// Pushes changes, and remembers which were refused.
pub struct Pusher<'a> {
    sender: Sender<'a>,
    epoch: u64,
    searches: usize,
    refused: Vec<Refused>,
}

impl<'a> Pusher<'a> {
    /// Pushes what the source holds; it becomes ours.
    pub fn new(ctx: &'a MirrorContext, snapshot: &'a Snapshot, epoch: u64) -> Result<Self> {
        Self::of(ctx, &snapshot.refs, true, epoch)
    }

    /// Pushes refs that belong to the user: no later sync moves or deletes them.
    pub fn for_users_refs(ctx: &'a MirrorContext) -> Result<Self> {
        Self::of(ctx, &NO_REFS, false, 1)
    }

    fn of(ctx: &'a MirrorContext, source: &'a Refs, ours: bool, epoch: u64) -> Result<Self> {
        let remote = mirror_remote(ctx, "git.mirror")?;
        Ok(Self { sender: Sender { ctx, remote, source, ours }, epoch, searches: 0, refused: Vec::new() })
    }

    /// The refs that were refused.
    pub fn into_refused(self) -> Vec<Refused> {
        self.refused
    }

    /// Takes refs that were refused, with those that cannot go without them, out of a new plan.
    pub fn without_refused(&self, changes: Vec<RefChange>) -> Vec<RefChange> {
        let refused: BTreeMap<&RefName, &RefChange> =
            self.refused.iter().map(|refused| (&refused.change.name, &refused.change)).collect();
        let known = |change: &RefChange| refused.get(&change.name).is_some_and(|refused| refused.new == change.new);
        changes.into_iter().filter(|change| !known(change)).collect()
    }

    /// Pushes changes in as few pushes as can be, each atomic with the fence: first deletes that make room for a name,
    /// then the rest in order. Tips that go are rescued first. With no changes, only the fence moves.
    ///
    /// # Errors
    /// What stops the whole: the connection, the token, the store. Then some pushes may have been made; `view` says which.
    pub async fn push(&mut self, view: &mut MirrorView, changes: Vec<RefChange>) -> Result<Pushed> {
        if changes.is_empty() {
            return self.push_group(view, Vec::new()).await;
        }
        let (room, rest) = making_room(changes);
        for part in [room, rest] {
            for group in pieces(&self.sender.remote, part, view.refs.len()) {
                // What was to make room may have been refused.
                let group = self.with_room(view, group)?;
                if !group.is_empty() && self.push_group(view, group).await? == Pushed::Moved {
                    return Ok(Pushed::Moved);
                }
            }
        }
        Ok(Pushed::Through)
    }

    async fn push_group(&mut self, view: &mut MirrorView, group: Vec<RefChange>) -> Result<Pushed> {
        let endangered: Vec<Endangered<'_>> = group.iter().filter_map(Endangered::by).collect();
        match rescue::save(self.sender.ctx, &self.sender.remote, &view.cache, &endangered).await {
            Err(error) if error.code == Code::Raced => return Ok(Pushed::Moved),
            saved => saved?,
        }
        let mut one_by_one = 0;
        let mut fence_proven = view.fence.is_some();
        let mut waiting = VecDeque::from([group]);
        while let Some(mut group) = waiting.pop_front() {
            if self.searches >= MAX_SEARCHES {
                self.give_up(group)?;
                continue;
            }
            let before = view.fence.clone();
            match self.sender.send(view, self.epoch, &group).await? {
                Sent::Done => {
                    if let (true, Some(after)) = (group.is_empty(), &view.fence) {
                        self.sender.ctx.changed(recorded_fence(before.as_ref(), after), ChangeOutcome::Done)?;
                    }
                }
                Sent::Moved => return Ok(Pushed::Moved),
                Sent::NotAtomic => {
                    learned::remember(self.sender.ctx, NOT_ATOMIC)?;
                    view.atomic = false;
                    let notice = not_atomic(view.fence_supported);
                    self.sender.ctx.notice(notice.message, notice.hint);
                    waiting.push_front(group);
                }
                Sent::FenceRefused(error) => {
                    self.fence_refused(view, error)?;
                    if !group.is_empty() {
                        waiting.push_front(group);
                    }
                }
                // Before the host took the fence for the first time, it may be the culprit: it is tried alone.
                Sent::Refused { as_a_whole: true, .. } if view.fence_supported && !fence_proven => {
                    self.searches += 1;
                    fence_proven = true;
                    match self.sender.send(view, self.epoch, &[]).await? {
                        Sent::FenceRefused(error) => self.fence_refused(view, error)?,
                        Sent::Moved => return Ok(Pushed::Moved),
                        Sent::Done | Sent::Refused { .. } | Sent::NotAtomic => {}
                    }
                    waiting.push_front(group);
                }
                Sent::Refused { as_a_whole: true, .. } if group.len() > 1 => {
                    self.searches += 1;
                    let second = group.split_off(group.len().div_ceil(2));
                    waiting.push_front(second);
                    waiting.push_front(group);
                }
                Sent::Refused { refused, .. } => {
                    self.searches += 1;
                    one_by_one += 1;
                    let mut rest = self.take_out(group, refused)?;
                    rest.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
                    if one_by_one > MAX_ONE_BY_ONE && rest.len() > 1 {
                        let second = rest.split_off(rest.len().div_ceil(2));
                        waiting.push_front(second);
                    }
                    if !rest.is_empty() {
                        waiting.push_front(rest);
                    }
                }
            }
        }
        Ok(Pushed::Through)
    }

    /// Records the refused changes of a group and returns the others.
    fn take_out(&mut self, group: Vec<RefChange>, refused: Vec<(RefName, Error)>) -> Result<Vec<RefChange>> {
        let mut errors: BTreeMap<RefName, Error> = refused.into_iter().collect();
        let (mut out, mut rest) = (Vec::new(), Vec::new());
        for change in group {
            match errors.remove(&change.name) {
                Some(error) => out.push(Refused { change, error }),
                None => rest.push(change),
            }
        }
        self.refuse(out)?;
        Ok(rest)
    }

    fn refuse(&mut self, refused: Vec<Refused>) -> Result<()> {
        let failed =
            |refused: &Refused| (recorded(&refused.change), ChangeOutcome::Failed { error: refused.error.clone() });
        self.sender.ctx.all_changed(refused.iter().map(failed).collect())?;
        self.refused.extend(refused);
        Ok(())
    }

    fn give_up(&mut self, group: Vec<RefChange>) -> Result<()> {
        let given_up = group.into_iter().map(|change| {
            let error = Error::new(
                Code::RefRefused,
                format!("{}: not pushed, since the host refuses too much of what goes with it", change.name),
                "Mend what it says of the other refs, then sync again.",
            );
            Refused { change, error }
        });
        self.refuse(given_up.collect())
    }

    /// Takes out creates whose name is still taken.
    fn with_room(&mut self, view: &MirrorView, group: Vec<RefChange>) -> Result<Vec<RefChange>> {
        let (mut free, mut blocked) = (Vec::new(), Vec::new());
        for change in group {
            let taken = match change.action {
                ChangeAction::Create => in_the_way(&view.refs, &change.name).next().cloned(),
                _ => None,
            };
            match taken {
                None => free.push(change),
                Some(other) => {
                    let error = Error::new(
                        Code::RefRefused,
                        format!("{}: `{other}` on the mirror is in its way and could not be deleted", change.name),
                        "git keeps refs like files, so one cannot be a folder of the other.",
                    );
                    blocked.push(Refused { change, error });
                }
            }
        }
        self.refuse(blocked)?;
        Ok(free)
    }

    /// Goes on without a fence where the host never had one. One that is there must be moved, or nothing goes.
    fn fence_refused(&self, view: &mut MirrorView, error: Error) -> Result<()> {
        if view.fence.is_some() {
            return Err(error.during("The mirror has a fence, but its host refuses to move it, so nothing was pushed"));
        }
        learned::remember(self.sender.ctx, NO_FENCE)?;
        view.fence_supported = false;
        let notice = no_fence();
        self.sender.ctx.notice(format!("{} ({})", notice.message, error.message), notice.hint);
        Ok(())
    }
}

/// Deletes of names that stand in the way of a name to be made, and the rest. Git does not do both in one step.
fn making_room(changes: Vec<RefChange>) -> (Vec<RefChange>, Vec<RefChange>) {
    let deleted: Refs = changes
        .iter()
        .filter(|change| change.action == ChangeAction::Delete)
        .filter_map(|change| Some((change.name.clone(), change.old.clone()?)))
        .collect();
    let room: BTreeSet<RefName> = changes
        .iter()
        .filter(|change| change.action == ChangeAction::Create)
        .flat_map(|change| in_the_way(&deleted, &change.name))
        .cloned()
        .collect();
    changes.into_iter().partition(|change| room.contains(&change.name))
}

/// Cuts changes into pieces that fit into one push each, together with the fence. The mirror has `standing` refs.
fn pieces(remote: &Remote, changes: Vec<RefChange>, standing: usize) -> Vec<Vec<RefChange>> {
    let updates: Vec<Update> = changes
        .iter()
        .map(|change| Update { name: change.name.clone(), old: change.old.clone(), new: change.new.clone() })
        .collect();
    let fence = Update { name: RefName::fence(), old: None, new: None };
    remote.pieces(&updates, &[fence], standing).into_iter().map(|range| changes[range].to_vec()).collect()
}
