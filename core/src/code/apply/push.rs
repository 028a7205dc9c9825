//! Pushing changes whatever the host refuses of them: refused refs are taken out and explained, the rest goes again.

use std::collections::BTreeMap;

use standin_state::model::RefName;
use standin_state::store::ChangeOutcome;

use super::budget::Budget;
use super::parts::{in_two, making_room, pieces};
use super::refused::Refused;
use super::remembered::{self, Refusals, Sorted};
use super::search::{Doubt, Part, Search, Told, Way};
use super::send::{Sender, Sent, recorded_fence};
use crate::code::Snapshot;
use crate::code::plan::{by_half, not_atomic, one_a_push};
use crate::code::rescue::{self, Endangered};
use crate::context::MirrorContext;
use crate::fence::Fence;
use crate::git::{Blame, Refs};
use crate::mirror::host_limits::HostLimit;
use crate::mirror::{MirrorView, Refusal, fence_move, mirror_remote};
use crate::plan::RefChange;
use crate::{Code, Error, Result};

static NO_REFS: Refs = Refs::new();

/// What became of all pushes together.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Everything arrived that the host takes.
    Through,
    /// Somebody else moved something: look again.
    Moved,
}

/// What came of a push of the fence alone.
enum Tried {
    /// The host took it, so that the refusal of this part is not about it.
    Taken(Part),
    /// Nothing more is to be learned from that refusal.
    Settled(Pushed),
}

/// Pushes changes, and remembers which were refused.
pub struct Pusher<'a> {
    pub(super) sender: Sender<'a>,
    epoch: u64,
    pub(super) refused: Vec<Refused>,
    default_branch: Option<RefName>,
    /// What was refused before, and what is found now.
    pub(super) memory: Refusals,
    /// What the host said of refs that it named in words.
    pub(super) named: BTreeMap<RefName, Error>,
    /// What this run may still spend on searches, once it began one.
    budget: Option<Budget>,
}

impl<'a> Pusher<'a> {
    /// Pushes what the source holds; it becomes ours.
    pub fn new(
        ctx: &'a MirrorContext,
        snapshot: &'a Snapshot,
        epoch: u64,
        default_branch: Option<RefName>,
    ) -> Result<Self> {
        Ok(Self { default_branch, ..Self::of(ctx, &snapshot.refs, true, epoch)? })
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
                race: None,
                has_moved_any: false,
                doubts_passing: HostLimit::Passing.is_believed(&ctx.memory())?,
            },
            epoch,
            refused: Vec::new(),
            default_branch: None,
            memory: if ours { remembered::recall(ctx)? } else { Refusals::default() },
            named: BTreeMap::new(),
            budget: None,
        })
    }

    /// Whether the host took anything of it.
    pub fn has_moved_any(&self) -> bool {
        self.sender.has_moved_any
    }

    /// In what words the host said last that somebody moved a ref, where that was not seen.
    pub fn race(&self) -> Option<&str> {
        self.sender.race.as_deref()
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
            HostLimit::Passing.forget(&self.sender.ctx.memory())?;
        }
        if self.sender.ours {
            // However it ended, what was found is not searched for again.
            remembered::keep(self.sender.ctx, &mut self.memory, self.sender.source, &view.refs)?;
        }
        pushed
    }

    async fn push_all(&mut self, view: &mut MirrorView, changes: Vec<RefChange>) -> Result<Pushed> {
        let is_empty = changes.is_empty();
        let Sorted { new, doubtful, again } = self.memory.sort(changes);
        let is_vain = self.memory.is_vain() && new.len() < doubtful.len();
        let budget = self.budget.take().unwrap_or_else(|| Budget::of(new.len() + doubtful.len(), is_vain));
        let mut search = Search::new(Doubt::of(view), budget, self.default_branch.clone(), is_vain);
        if is_empty {
            search.offer(Vec::new(), false);
        }
        let (room, rest) = making_room(new);
        let pushed = match self.offer_and_search(view, &mut search, vec![(room, false)]).await {
            Ok(Pushed::Through) => {
                let rest = vec![(rest, false), (doubtful, false), (again, true)];
                self.offer_and_search(view, &mut search, rest).await
            }
            stopped => stopped,
        };
        self.budget = Some(search.budget.clone());
        let (took_nothing, is_vain) = (search.doubt.is_refused(), search.found_nothing());
        let mut left = search.left();
        match &pushed {
            Ok(Pushed::Through) => {}
            // It is not about refs.
            Err(error) if error.code == Code::HostFailed => return pushed,
            Ok(Pushed::Moved) | Err(_) => {
                self.set_aside(left);
                return pushed;
            }
        }
        // What goes on from a step that was refused has nothing to stand on.
        for changes in [&mut left.suspected, &mut left.not_offered] {
            changes.retain(|change| view.refs.get(&change.name) == change.old.as_ref());
        }
        self.memory.count(self.memory.is_open(&left.suspected), took_nothing, is_vain);
        self.take_out_named(left.named)?;
        self.give_up(left.suspected)?;
        self.give_up(left.not_offered)?;
        pushed
    }

    /// Pushes parts whatever the host refuses of them; whether the host refused a part before goes with it.
    async fn offer_and_search(
        &mut self,
        view: &mut MirrorView,
        search: &mut Search,
        offers: Vec<(Vec<RefChange>, bool)>,
    ) -> Result<Pushed> {
        for (changes, is_again) in offers {
            for group in pieces(&self.sender.remote, changes, view.refs.len()) {
                // What was to make room may have been refused.
                let group = self.with_room(view, group)?;
                if !group.is_empty() {
                    search.offer(group, is_again);
                }
            }
        }
        while let Some(mut part) = search.next() {
            // What goes on from a step that was refused has nothing to stand on.
            let asked = part.changes.len();
            part.changes.retain(|change| view.refs.get(&change.name) == change.old.as_ref());
            if part.changes.is_empty() && asked > 0 {
                continue;
            }
            if part.way == Way::Offered {
                let endangered: Vec<Endangered<'_>> = part.changes.iter().filter_map(Endangered::by).collect();
                match rescue::save(self.sender.ctx, &self.sender.remote, &view.cache, &endangered).await {
                    Err(error) if error.code == Code::Raced => return Ok(Pushed::Moved),
                    saved => saved?,
                }
            }
            self.sender.doubts_passing |= part.is_again;
            if Box::pin(self.push_part(view, part, search)).await? == Pushed::Moved {
                return Ok(Pushed::Moved);
            }
        }
        Ok(Pushed::Through)
    }

    /// Makes one push, and learns from its answer.
    async fn push_part(&mut self, view: &mut MirrorView, part: Part, search: &mut Search) -> Result<Pushed> {
        let is_fence_alone = part.changes.is_empty();
        let before = view.fence.clone();
        let sent = match &search.doubt {
            Doubt::Refused(_) if !is_fence_alone => self.sender.send_without_fence(view, &part.changes).await?,
            _ => self.sender.send(view, self.epoch, &part.changes).await?,
        };
        match sent {
            Sent::Done => {
                search.arrived(&part);
                if let (true, Some(after)) = (is_fence_alone, &view.fence) {
                    self.sender.ctx.changed(recorded_fence(before.as_ref(), after), ChangeOutcome::Done)?;
                }
                if search.doubt.is_refused() {
                    return self.settle_doubt(view, search).await;
                }
                if view.atomic && view.fence_supported && !search.doubt.is_settled() {
                    search.doubt = Doubt::Taken;
                }
                Ok(Pushed::Through)
            }
            Sent::Moved => {
                self.take_back_moved(view, before.as_ref(), &part.changes).await?;
                Ok(Pushed::Moved)
            }
            Sent::NotAtomic => {
                let notice = not_atomic(view.fence_supported);
                self.sender.learn(view, HostLimit::NotAtomic, notice)?;
                search.at_once(part);
                Ok(Pushed::Through)
            }
            Sent::ByHalf(refusal) => self.correct(view, before.as_ref(), part, &refusal, search).await,
            Sent::Refused(refusal) => self.refused(view, part, &refusal, search).await,
        }
    }

    /// Finds out what of a refused part is to blame; the rest waits to be pushed again.
    async fn refused(
        &mut self,
        view: &mut MirrorView,
        mut part: Part,
        refusal: &Refusal,
        search: &mut Search,
    ) -> Result<Pushed> {
        let fence = RefName::fence();
        let count = part.changes.len();
        if refusal.takes_one() && view.atomic && view.fence_supported && count > 0 {
            self.sender.learn(view, HostLimit::OneAPush, one_a_push())?;
            search.at_once(part);
            return Ok(Pushed::Through);
        }
        if let Some(most) = refusal.in_parts_of(count) {
            // Nobody is to blame: in parts it goes.
            for changes in part.changes.chunks(most).rev() {
                search.at_once(Part { changes: changes.to_vec(), ..part });
            }
            return Ok(Pushed::Through);
        }
        if let ([change], true) = (part.changes.as_slice(), refusal.is_too_much())
            && let Some((first, second)) = in_two(&view.cache, change, &view.refs)?
        {
            search.at_once(Part { changes: vec![second], ..part });
            search.at_once(Part { changes: vec![first], ..part });
            return Ok(Pushed::Through);
        }
        search.spend();
        // Without the fence nothing else tells whether it is the host or one of these.
        let is_apart = !view.fence_supported || search.doubt.is_refused();
        if is_apart
            && !part.is_again
            && search.is_vain()
            && let Some(passing) = refusal.passing(&self.sender.whose())
        {
            return Err(passing);
        }
        let with_fence = view.fence_supported && !search.doubt.is_refused();
        let blamed = |search: &Search| refusal.blame((with_fence && search.doubt.is_proven()).then_some(&fence));
        let mut blame = blamed(search);
        let is_of_all = blame == Blame::Whole;
        let is_in_doubt = match &blame {
            Blame::Whole => !search.doubt.is_settled() && !search.has_first(&part),
            Blame::These(names) | Blame::Perhaps(names) => names.contains(&fence) && search.doubt != Doubt::TriedAlone,
        };
        // Where everything is refused for one reason, the fence by itself tells whether the host takes anything at all.
        if with_fence && is_in_doubt && (count == 0 || !refusal.is_no_room()) {
            match self.try_fence(view, part, refusal, is_of_all, search).await? {
                // Whether it is this one ref is not known from a push that was refused before.
                Tried::Taken(tried) if count == 1 => {
                    search.at_once(tried);
                    return Ok(Pushed::Through);
                }
                Tried::Taken(tried) => part = tried,
                Tried::Settled(pushed) => return Ok(pushed),
            }
            blame = blamed(search);
        }
        // Parts of it would fill what room there is, and be refused one by one.
        if blame == Blame::Whole && refusal.is_no_room() {
            let errors = part.changes.iter().map(|change| (change.name.clone(), refusal.error_of(&change.name)));
            let errors = errors.collect();
            self.take_out(part.changes, errors)?;
            return Ok(Pushed::Through);
        }
        part.changes.retain(|change| view.refs.get(&change.name) != change.new.as_ref());
        let told = match blame {
            Blame::These(names) if names.iter().any(|name| *name != fence) => Told::These(names),
            Blame::These(names) | Blame::Perhaps(names) => Told::Perhaps(names),
            Blame::Whole => {
                let names = part.changes.iter().map(|change| &change.name).chain(self.named.keys());
                Told::InWords(refusal.told_of(names))
            }
        };
        if with_fence && view.atomic && !matches!(told, Told::These(_)) && search.may_go_apart(&part) {
            return self.try_apart(view, part, search).await;
        }
        let found = search.refused(part, told);
        for change in found.named {
            let error = refusal.error_of_one(&change.name);
            self.named.insert(change.name, error);
        }
        let errors = found.refused.iter().map(|change| (change.name.clone(), refusal.error_of_one(&change.name)));
        let errors = errors.collect();
        self.take_out(found.refused, errors)?;
        Ok(Pushed::Through)
    }

    /// Pushes the fence alone, since the report leaves open whether it is what the host refuses.
    async fn try_fence(
        &mut self,
        view: &mut MirrorView,
        part: Part,
        refusal: &Refusal,
        of_all: bool,
        search: &mut Search,
    ) -> Result<Tried> {
        let is_alone = part.changes.is_empty();
        let refused = if is_alone {
            Some(refusal.error_of(&RefName::fence()))
        } else {
            match self.sender.send(view, self.epoch, &[]).await? {
                Sent::Done => None,
                Sent::Moved => return Ok(Tried::Settled(Pushed::Moved)),
                Sent::Refused(refusal) => Some(refusal.error_of(&RefName::fence())),
                // There is nothing beside it that could have been taken or not.
                Sent::ByHalf(_) | Sent::NotAtomic => None,
            }
        };
        match refused {
            None => {
                search.doubt = Doubt::TriedAlone;
                return Ok(Tried::Taken(part));
            }
            // The host as a whole has a fault.
            Some(error) if error.retryable && (view.fence.is_some() || is_alone) => {
                return Err(refusal.passing(&self.sender.whose()).unwrap_or(error));
            }
            // It took the fence before, and takes nothing now: there is nothing to search for.
            Some(_) if view.fence.is_some() && of_all && !is_alone => {
                let mut changes = part.changes;
                changes.extend(search.end());
                let errors = changes.iter().map(|change| (change.name.clone(), refusal.error_of(&change.name)));
                let errors = errors.collect();
                self.take_out(changes, errors)?;
            }
            Some(error) if view.fence.is_some() => {
                return Err(
                    error.during("The mirror has a fence, but its host refuses to move it, so nothing was pushed")
                );
            }
            // Nothing else is to be pushed, so that is all there is to learn.
            Some(error) if is_alone => self.sender.do_without_fence(view, self.epoch, &error)?,
            // Whether it is the fence, or the host that takes nothing at all, shows when a push without it is taken.
            Some(error) => {
                search.doubt = Doubt::Refused(error);
                search.budget.keep_little();
                search.together(part);
            }
        }
        Ok(Tried::Settled(Pushed::Through))
    }

    /// Pushes one ref after the fence, since the host took the fence alone and nothing together with it.
    async fn try_apart(&mut self, view: &mut MirrorView, part: Part, search: &mut Search) -> Result<Pushed> {
        view.atomic = false;
        match self.sender.send(view, self.epoch, &part.changes).await? {
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Done => {
                search.arrived(&part);
                self.sender.learn(view, HostLimit::OneAPush, one_a_push())?;
            }
            Sent::Refused(refusal) | Sent::ByHalf(refusal) => {
                view.atomic = true;
                let errors =
                    part.changes.iter().map(|change| (change.name.clone(), refusal.error_of_one(&change.name)));
                let errors = errors.collect();
                self.take_out(part.changes, errors)?;
            }
            Sent::NotAtomic => search.at_once(part),
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
        part: Part,
        refusal: &Refusal,
        search: &mut Search,
    ) -> Result<Pushed> {
        let fence = RefName::fence();
        let Part { changes: mut rest, way, is_again } = part;
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
            self.sender.learn(view, HostLimit::ByHalf, by_half())?;
        }
        if !rest.is_empty() {
            search.at_once(Part { changes: rest, way, is_again });
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
