//! Pushing changes whatever the host refuses of them: refused refs are taken out and explained, the rest goes again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use standin_state::model::RefName;
use standin_state::store::{ChangeAction, ChangeOutcome};

use super::parts::in_two;
use super::send::{Sender, Sent, recorded, recorded_fence};
use crate::code::Snapshot;
use crate::code::plan::{by_half, in_the_way, no_fence, not_atomic};
use crate::code::rescue::{self, Endangered};
use crate::context::MirrorContext;
use crate::fence::Fence;
use crate::git::{Blame, Refs, Remote, Update};
use crate::mirror::learned::{self, BY_HALF, NO_FENCE, NOT_ATOMIC};
use crate::mirror::{MirrorView, Refusal, fence_move, mirror_remote};
use crate::plan::RefChange;
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
        Ok(Self {
            sender: Sender { ctx, remote, source, ours, told_races: 0 },
            epoch,
            searches: 0,
            refused: Vec::new(),
        })
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
            return Box::pin(self.push_group(view, Vec::new())).await;
        }
        let (room, rest) = making_room(changes);
        for part in [room, rest] {
            for group in pieces(&self.sender.remote, part, view.refs.len()) {
                // What was to make room may have been refused.
                let group = self.with_room(view, group)?;
                if !group.is_empty() && Box::pin(self.push_group(view, group)).await? == Pushed::Moved {
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
        let mut search = Search { doubt: Doubt::of(view), one_by_one: 0, waiting: VecDeque::from([group]) };
        while let Some(mut group) = search.waiting.pop_front() {
            // What goes on from a step that was refused has nothing to stand on.
            let asked = group.len();
            group.retain(|change| view.refs.get(&change.name) == change.old.as_ref());
            if group.is_empty() && asked > 0 {
                continue;
            }
            if self.searches >= MAX_SEARCHES {
                self.give_up(group)?;
                continue;
            }
            let before = view.fence.clone();
            let sent = match &search.doubt {
                Doubt::Refused(_) if !group.is_empty() => self.sender.send_without_fence(view, &group).await?,
                _ => self.sender.send(view, self.epoch, &group).await?,
            };
            match sent {
                Sent::Done => {
                    if let (true, Some(after)) = (group.is_empty(), &view.fence) {
                        self.sender.ctx.changed(recorded_fence(before.as_ref(), after), ChangeOutcome::Done)?;
                    }
                    if search.doubt.is_refused() && self.settle_doubt(view, &mut search).await? == Pushed::Moved {
                        return Ok(Pushed::Moved);
                    }
                }
                Sent::Moved => {
                    self.take_back_moved(view, before.as_ref(), &group).await?;
                    return Ok(Pushed::Moved);
                }
                Sent::NotAtomic => {
                    learned::remember(self.sender.ctx, NOT_ATOMIC)?;
                    view.atomic = false;
                    let notice = not_atomic(view.fence_supported);
                    self.sender.ctx.notice(notice.message, notice.hint);
                    search.waiting.push_front(group);
                }
                Sent::ByHalf(refusal) => {
                    if self.correct(view, before.as_ref(), group, &refusal, &mut search).await? == Pushed::Moved {
                        return Ok(Pushed::Moved);
                    }
                }
                Sent::Refused(refusal) => {
                    if self.refused(view, group, &refusal, &mut search).await? == Pushed::Moved {
                        return Ok(Pushed::Moved);
                    }
                }
            }
        }
        Ok(Pushed::Through)
    }

    /// Finds out what of a refused group is to blame; the rest waits to be pushed again.
    async fn refused(
        &mut self,
        view: &mut MirrorView,
        group: Vec<RefChange>,
        refusal: &Refusal,
        search: &mut Search,
    ) -> Result<Pushed> {
        let fence = RefName::fence();
        if let Some(most) = refusal.in_parts_of(group.len()) {
            // Nobody is to blame: in parts it goes.
            for part in group.chunks(most).rev() {
                search.waiting.push_front(part.to_vec());
            }
            return Ok(Pushed::Through);
        }
        if let ([change], true) = (group.as_slice(), refusal.is_too_much())
            && let Some((first, second)) = in_two(&view.cache, change, &view.refs)?
        {
            search.waiting.push_front(vec![second]);
            search.waiting.push_front(vec![first]);
            return Ok(Pushed::Through);
        }
        self.searches += 1;
        let with_fence = view.fence_supported && !search.doubt.is_refused();
        let is_proven = matches!(search.doubt, Doubt::Proven | Doubt::TriedAlone);
        let proven = (with_fence && is_proven).then_some(&fence);
        let blamed = refusal.blame(proven);
        let names = match &blamed {
            Blame::These(names) | Blame::Perhaps(names) => names.clone(),
            Blame::Whole => BTreeSet::new(),
        };
        // Where everything is refused for one reason, the fence by itself tells whether the host takes anything at all.
        let is_in_doubt = blamed == Blame::Whole || names.contains(&fence);
        if with_fence && is_in_doubt && search.doubt != Doubt::TriedAlone {
            return self.try_fence(view, group, refusal, blamed == Blame::Whole, search).await;
        }
        match blamed {
            Blame::These(names) if names.iter().any(|name| *name != fence) => {
                search.one_by_one += 1;
                let errors = names.iter().map(|name| (name.clone(), refusal.error_of(name))).collect();
                let mut rest = self.take_out(group, errors)?;
                rest.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
                if search.one_by_one > MAX_ONE_BY_ONE && rest.len() > 1 {
                    let second = rest.split_off(rest.len().div_ceil(2));
                    search.waiting.push_front(second);
                }
                if !rest.is_empty() {
                    search.waiting.push_front(rest);
                }
            }
            _ if group.len() > 1 => {
                let likely =
                    if names.is_empty() { refusal.told_of(group.iter().map(|change| &change.name)) } else { names };
                let (first, second) = in_parts(group, &likely);
                search.waiting.push_front(second);
                search.waiting.push_front(first);
            }
            _ => {
                let errors = group.iter().map(|change| (change.name.clone(), refusal.error_of(&change.name))).collect();
                self.take_out(group, errors)?;
            }
        }
        Ok(Pushed::Through)
    }

    /// Pushes the fence alone, since the report leaves open whether it is what the host refuses.
    async fn try_fence(
        &mut self,
        view: &mut MirrorView,
        group: Vec<RefChange>,
        refusal: &Refusal,
        of_all: bool,
        search: &mut Search,
    ) -> Result<Pushed> {
        let refused = if group.is_empty() {
            Some(refusal.error_of(&RefName::fence()))
        } else {
            match self.sender.send(view, self.epoch, &[]).await? {
                Sent::Done => None,
                Sent::Moved => return Ok(Pushed::Moved),
                Sent::Refused(refusal) => Some(refusal.error_of(&RefName::fence())),
                // There is nothing beside it that could have been taken or not.
                Sent::ByHalf(_) | Sent::NotAtomic => None,
            }
        };
        search.doubt = match refused {
            None => Doubt::TriedAlone,
            // It took the fence before, and takes nothing now: there is nothing to search for.
            Some(_) if view.fence.is_some() && of_all && !group.is_empty() => {
                let errors = group.iter().map(|change| (change.name.clone(), refusal.error_of(&change.name))).collect();
                self.take_out(group, errors)?;
                return Ok(Pushed::Through);
            }
            Some(error) if view.fence.is_some() => {
                return Err(
                    error.during("The mirror has a fence, but its host refuses to move it, so nothing was pushed")
                );
            }
            // Whether it is the fence, or the host that takes nothing at all, shows when a push without it is taken.
            Some(error) if group.is_empty() => {
                return Err(error.during("The mirror has no fence yet, and its host refuses to make one"));
            }
            Some(error) => Doubt::Refused(error),
        };
        search.waiting.push_front(group);
        Ok(Pushed::Through)
    }

    /// A push without the fence was taken where the fence alone was not. Refused once more, it is what the host does not take;
    /// else the host was ill before.
    async fn settle_doubt(&mut self, view: &mut MirrorView, search: &mut Search) -> Result<Pushed> {
        search.doubt = match self.sender.send(view, self.epoch, &[]).await? {
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Refused(refusal) => {
                let error = refusal.error_of(&RefName::fence());
                learned::remember(self.sender.ctx, NO_FENCE)?;
                view.fence_supported = false;
                let notice = no_fence();
                self.sender.ctx.notice(format!("{} ({})", notice.message, error.message), notice.hint);
                self.sender.remember_alone(view, self.epoch)?;
                Doubt::Proven
            }
            Sent::Done | Sent::ByHalf(_) | Sent::NotAtomic => Doubt::TriedAlone,
        };
        Ok(Pushed::Through)
    }

    /// The host moved some refs of an atomic push and refused others. What the fence says that is not so is taken back at once. Of a
    /// host that is not known to keep its word it is remembered, and what did not arrive is pushed again, each by itself; git's
    /// own server refuses so only names that it takes from nobody.
    async fn correct(
        &mut self,
        view: &mut MirrorView,
        before: Option<&Fence>,
        group: Vec<RefChange>,
        refusal: &Refusal,
        search: &mut Search,
    ) -> Result<Pushed> {
        let ctx = self.sender.ctx;
        let fence = RefName::fence();
        let mut rest = group;
        rest.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
        if refusal.names().any(|name| *name == fence) {
            if view.fence.is_some() {
                let error = refusal.error_of(&fence);
                return Err(error.during("The mirror has a fence, but its host refuses to move it"));
            }
            // What arrived was taken without it.
            if self.settle_doubt(view, search).await? == Pushed::Moved {
                return Ok(Pushed::Moved);
            }
            if rest.is_empty() {
                return Ok(Pushed::Through);
            }
        } else if self.take_back(view, before, &rest).await? == Pushed::Moved {
            return Ok(Pushed::Moved);
        }
        if view.keeps_word {
            let blamed = refusal.names().filter(|name| **name != fence);
            rest = self.take_out(rest, blamed.map(|name| (name.clone(), refusal.error_of(name))).collect())?;
        } else {
            learned::remember(ctx, BY_HALF)?;
            view.atomic = false;
            let notice = by_half();
            ctx.notice(notice.message, notice.hint);
        }
        if !rest.is_empty() {
            search.waiting.push_front(rest);
        }
        Ok(Pushed::Through)
    }

    /// Where the fence moved in a push that was to be atomic, and refs that somebody else moved did not: what it says of those is
    /// taken back before anybody looks again.
    async fn take_back_moved(&self, view: &mut MirrorView, before: Option<&Fence>, group: &[RefChange]) -> Result<()> {
        let has_moved = view.fence.as_ref().map(|fence| &fence.oid) != before.map(|fence| &fence.oid);
        let mut rest = group.to_vec();
        rest.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
        if has_moved && view.atomic && view.fence_supported && !rest.is_empty() {
            self.take_back(view, before, &rest).await?;
        }
        Ok(())
    }

    /// Takes back what the fence says of refs that did not arrive.
    async fn take_back(&self, view: &mut MirrorView, before: Option<&Fence>, rest: &[RefChange]) -> Result<Pushed> {
        let (refs, source) = (view.refs.clone(), self.sender.source);
        let before = before.map(|fence| &fence.document);
        let corrected = fence_move::amend(self.sender.ctx, view, |document| {
            document.take_back(before, &refs, rest.iter().map(|change| &change.name));
            document.settle(&refs, source);
        });
        match corrected.await {
            Err(error) if error.code == Code::Raced => Ok(Pushed::Moved),
            corrected => corrected.map(|()| Pushed::Through),
        }
    }

    /// Records the refused changes of a group and returns the others.
    fn take_out(&mut self, group: Vec<RefChange>, mut errors: BTreeMap<RefName, Error>) -> Result<Vec<RefChange>> {
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
}

/// The search for what a host refuses of one group.
struct Search {
    doubt: Doubt,
    /// How often refs that the host named were taken out.
    one_by_one: usize,
    /// What is still to be pushed.
    waiting: VecDeque<Vec<RefChange>>,
}

/// What is known of the fence on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doubt {
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
    fn of(view: &MirrorView) -> Self {
        if view.fence.is_some() { Self::Proven } else { Self::Unproven }
    }

    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Cuts a group into what is `likely` to blame and the rest, or where that is all or nothing, in halves.
fn in_parts(mut group: Vec<RefChange>, likely: &BTreeSet<RefName>) -> (Vec<RefChange>, Vec<RefChange>) {
    let found = group.iter().filter(|change| likely.contains(&change.name)).count();
    if found == 0 || found == group.len() {
        let second = group.split_off(group.len().div_ceil(2));
        return (group, second);
    }
    group.into_iter().partition(|change| !likely.contains(&change.name))
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
