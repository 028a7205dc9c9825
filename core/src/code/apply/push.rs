//! Pushing changes whatever the host refuses of them: refused refs are taken out and explained, the rest goes again.

use std::collections::{BTreeMap, BTreeSet};

use standin_state::model::RefName;
use standin_state::store::ChangeOutcome;

use super::parts::{in_two, making_room, pieces};
use super::refused::{LOOKED_AT_AGAIN, Refused};
use super::remembered::{self, Known};
use super::search::{Doubt, Search, in_parts};
use super::send::{Sender, Sent, recorded_fence};
use crate::code::Snapshot;
use crate::code::plan::{by_half, not_atomic, one_a_push};
use crate::code::rescue::{self, Endangered};
use crate::context::MirrorContext;
use crate::fence::Fence;
use crate::git::{Blame, Refs};
use crate::mirror::learned::{self, BY_HALF, NOT_ATOMIC, ONE_A_PUSH, PASSING};
use crate::mirror::{MirrorView, Refusal, fence_move, mirror_remote};
use crate::plan::RefChange;
use crate::{Code, Result};

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

/// Pushes changes, and remembers which were refused.
pub struct Pusher<'a> {
    pub(super) sender: Sender<'a>,
    epoch: u64,
    pub(super) refused: Vec<Refused>,
    /// What was refused before and not offered yet by this sync.
    pub(super) known: Vec<Known>,
    /// What was refused now: to be remembered.
    pub(super) found: Vec<Known>,
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
            sender: Sender {
                ctx,
                remote,
                source,
                ours,
                told_races: 0,
                doubts_passing: learned::is_believed(ctx, PASSING)?,
            },
            epoch,
            refused: Vec::new(),
            known: if ours { remembered::recall(ctx)? } else { Vec::new() },
            found: Vec::new(),
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
    /// then the rest in order, and at last what the host refused before. Tips that go are rescued first. With no changes, only the
    /// fence moves.
    ///
    /// # Errors
    /// What stops the whole: the connection, the token, the store. Then some pushes may have been made; `view` says which.
    pub async fn push(&mut self, view: &mut MirrorView, changes: Vec<RefChange>) -> Result<Pushed> {
        let is_much = !changes.is_empty();
        let pushed = self.push_all(view, changes).await;
        if is_much && self.refused.is_empty() && pushed.is_ok() {
            learned::forget(self.sender.ctx, PASSING)?;
        }
        if self.sender.ours {
            // However it ended, what was found is not searched for again.
            let (source, mirror) = (self.sender.source, &view.refs);
            let known = self.known.iter().chain(&self.found).filter(|known| known.is_open(source, mirror));
            remembered::keep(self.sender.ctx, known.cloned().collect())?;
        }
        pushed
    }

    async fn push_all(&mut self, view: &mut MirrorView, changes: Vec<RefChange>) -> Result<Pushed> {
        if changes.is_empty() {
            return Box::pin(self.push_group(view, Vec::new(), false)).await;
        }
        let is_known = |change: &RefChange| self.known.iter().any(|known| known.is(change));
        let (again, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_known);
        let (room, rest) = making_room(changes);
        for (part, is_again) in [(room, false), (rest, false), (again, true)] {
            for group in pieces(&self.sender.remote, part, view.refs.len()) {
                // What was to make room may have been refused.
                let group = self.with_room(view, group)?;
                if !group.is_empty() && Box::pin(self.push_group(view, group, is_again)).await? == Pushed::Moved {
                    return Ok(Pushed::Moved);
                }
            }
        }
        Ok(Pushed::Through)
    }

    async fn push_group(&mut self, view: &mut MirrorView, group: Vec<RefChange>, is_again: bool) -> Result<Pushed> {
        let endangered: Vec<Endangered<'_>> = group.iter().filter_map(Endangered::by).collect();
        match rescue::save(self.sender.ctx, &self.sender.remote, &view.cache, &endangered).await {
            Err(error) if error.code == Code::Raced => return Ok(Pushed::Moved),
            saved => saved?,
        }
        let mut search = Search::of(view, group, is_again);
        self.sender.doubts_passing |= is_again;
        while let Some(mut group) = search.next() {
            // What goes on from a step that was refused has nothing to stand on.
            let asked = group.len();
            group.retain(|change| view.refs.get(&change.name) == change.old.as_ref());
            if group.is_empty() && asked > 0 {
                continue;
            }
            if search.is_over() {
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
                    search.earn();
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
                    let notice = not_atomic(view.fence_supported);
                    self.sender.learn(view, NOT_ATOMIC, notice)?;
                    search.at_once(group);
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
        if refusal.takes_one() && view.atomic && view.fence_supported && !group.is_empty() {
            self.sender.learn(view, ONE_A_PUSH, one_a_push())?;
            search.at_once(group);
            return Ok(Pushed::Through);
        }
        if let Some(most) = refusal.in_parts_of(group.len()) {
            // Nobody is to blame: in parts it goes.
            for part in group.chunks(most).rev() {
                search.at_once(part.to_vec());
            }
            return Ok(Pushed::Through);
        }
        if let ([change], true) = (group.as_slice(), refusal.is_too_much())
            && let Some((first, second)) = in_two(&view.cache, change, &view.refs)?
        {
            search.at_once(vec![second]);
            search.at_once(vec![first]);
            return Ok(Pushed::Through);
        }
        search.spend();
        // Without the fence nothing else tells whether it is the host or one of these.
        let is_apart = !view.fence_supported || search.doubt.is_refused();
        if is_apart
            && !search.is_again
            && search.is_vain()
            && let Some(passing) = refusal.passing(&self.sender.whose())
        {
            return Err(passing);
        }
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
        if with_fence && is_in_doubt && (group.is_empty() || !refusal.is_no_room()) && search.doubt != Doubt::TriedAlone
        {
            return self.try_fence(view, group, refusal, blamed == Blame::Whole, search).await;
        }
        match blamed {
            // Parts of it would fill what room there is, and be refused one by one.
            Blame::Whole if refusal.is_no_room() => {
                let errors = group.iter().map(|change| (change.name.clone(), refusal.error_of(&change.name))).collect();
                self.take_out(group, errors)?;
            }
            Blame::These(names) if names.iter().any(|name| *name != fence) => {
                search.one_by_one += 1;
                let errors = names.iter().map(|name| (name.clone(), refusal.error_of_one(name))).collect();
                let mut rest = self.take_out(group, errors)?;
                rest.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
                if search.is_again {
                    rest = self.leave(rest)?;
                }
                if search.one_by_one > MAX_ONE_BY_ONE && rest.len() > 1 {
                    let second = rest.split_off(rest.len().div_ceil(2));
                    search.later(rest);
                    search.later(second);
                } else if !rest.is_empty() {
                    search.at_once(rest);
                }
            }
            _ if search.is_again && group.len() > LOOKED_AT_AGAIN => {
                let rest = self.leave(group)?;
                search.at_once(rest);
            }
            _ if group.len() > 1 => {
                let likely =
                    if names.is_empty() { refusal.told_of(group.iter().map(|change| &change.name)) } else { names };
                let (first, second) = in_parts(group, &likely);
                search.later(first);
                search.later(second);
            }
            _ if with_fence && view.atomic && search.may_go_apart() => {
                return self.try_apart(view, group, search).await;
            }
            _ => {
                let errors =
                    group.iter().map(|change| (change.name.clone(), refusal.error_of_one(&change.name))).collect();
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
            // The host as a whole has a fault.
            Some(error) if error.retryable && (view.fence.is_some() || group.is_empty()) => {
                return Err(refusal.passing(&self.sender.whose()).unwrap_or(error));
            }
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
            // Nothing else is to be pushed, so that is all there is to learn.
            Some(error) if group.is_empty() => {
                self.sender.do_without_fence(view, self.epoch, &error)?;
                return Ok(Pushed::Through);
            }
            // Whether it is the fence, or the host that takes nothing at all, shows when a push without it is taken.
            Some(error) => Doubt::Refused(error),
        };
        search.at_once(group);
        Ok(Pushed::Through)
    }

    /// Pushes one ref after the fence, since the host took the fence alone and nothing together with it.
    async fn try_apart(&mut self, view: &mut MirrorView, group: Vec<RefChange>, search: &mut Search) -> Result<Pushed> {
        view.atomic = false;
        match self.sender.send(view, self.epoch, &group).await? {
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Done => {
                search.earn();
                self.sender.learn(view, ONE_A_PUSH, one_a_push())?;
            }
            Sent::Refused(refusal) | Sent::ByHalf(refusal) => {
                view.atomic = true;
                let errors = group.iter().map(|change| (change.name.clone(), refusal.error_of_one(&change.name)));
                let errors = errors.collect();
                self.take_out(group, errors)?;
            }
            Sent::NotAtomic => search.at_once(group),
        }
        Ok(Pushed::Through)
    }

    /// A push without the fence was taken where the fence alone was not. Refused once more, it is what the host does not take;
    /// else the host was ill before.
    async fn settle_doubt(&mut self, view: &mut MirrorView, search: &mut Search) -> Result<Pushed> {
        search.doubt = match self.sender.send(view, self.epoch, &[]).await? {
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Refused(refusal) => {
                self.sender.do_without_fence(view, self.epoch, &refusal.error_of(&RefName::fence()))?;
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
            self.sender.learn(view, BY_HALF, by_half())?;
        }
        if !rest.is_empty() {
            search.at_once(rest);
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
}
