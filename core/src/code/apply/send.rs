//! One push: refs and the fence together, and what became of them.

use standin_state::model::{Aspect, RefName};
use standin_state::store::{Change, ChangeAction, ChangeOutcome};

use crate::code::plan::no_fence;
use crate::code::rescue::{self, Endangered};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::fence::{Document, Fence};
use crate::git::{PushOptions, PushReport, PushResult, Refs, Remote, Update, new_address};
use crate::mirror::host_limits::HostLimit;
use crate::mirror::{MirrorView, Refusal, fence_move};
use crate::plan::RefChange;
use crate::{Code, Error, Result};

/// How often the mirror is looked at again for nothing but words that tell of a race. A lock that was left behind on the server
/// says the same for ever.
const TOLD_RACES: usize = 2;

/// What became of one push.
#[derive(Debug)]
pub(super) enum Sent {
    /// All of it is there.
    Done,
    /// Something that we lease moved: look again. What arrived was recorded.
    Moved,
    /// The host refused something. In an atomic push nothing arrived; else what is not named in it did.
    Refused(Refusal),
    /// Some of an atomic push arrived and this was refused.
    ByHalf(Refusal),
    /// The host has no atomic pushes. Nothing arrived.
    NotAtomic,
}

/// Pushes changes of a mirror.
pub(super) struct Sender<'a> {
    pub ctx: &'a MirrorContext,
    pub remote: Remote,
    /// The source's refs: refs of the mirror that equal them count as pushed by us.
    pub source: &'a Refs,
    /// Whether what is pushed becomes ours, to be moved or deleted by later syncs.
    pub ours: bool,
    /// How often a race was told, and no ref stood elsewhere.
    pub told_races: usize,
    /// In what words, the last time.
    pub race: Option<String>,
    /// Whether the host took any ref beside the fence.
    pub has_moved_any: bool,
    /// Whether words for a passing fault count as a refusal like others: the host said them before, or of these very refs.
    pub doubts_passing: bool,
}

impl Sender<'_> {
    /// Makes one push, together with the fence where the mirror has one. `view` follows what arrived.
    ///
    /// # Errors
    /// [`crate::Code::HostFailed`] for a fault of the host that is told in the report, unless it was told before; else what git and the
    /// store report.
    pub async fn send(&mut self, view: &mut MirrorView, epoch: u64, changes: &[RefChange]) -> Result<Sent> {
        let endangered: Vec<Endangered<'_>> = changes.iter().filter_map(Endangered::by).collect();
        debug_assert!(rescue::are_saved(self.ctx, &view.cache, &endangered), "a tip is rescued before it is moved");
        let fence = self.next_fence(view, epoch, changes)?;
        debug_assert!(
            view.fence.as_ref().is_none_or(|old| old.document.epoch < fence.document.epoch
                || (old.document.epoch == fence.document.epoch && old.document.master == fence.document.master)),
            "nobody writes in an older epoch, or in the same one for another master"
        );
        let fence_update = Update {
            name: RefName::fence(),
            old: view.fence.as_ref().map(|fence| fence.oid.clone()),
            new: Some(fence.oid.clone()),
        };
        let refs = updates(changes);
        match (view.fence_supported, view.atomic) {
            (true, true) => {
                let updates: Vec<Update> = std::iter::once(fence_update).chain(refs).collect();
                self.push(view, &updates, Some(fence), changes).await
            }
            (true, false) => {
                let sent = self.push(view, &[fence_update], Some(fence), &[]).await?;
                if changes.is_empty() || !matches!(sent, Sent::Done) {
                    return Ok(sent);
                }
                self.push(view, &refs, None, changes).await
            }
            (false, _) => {
                fence_move::remember(self.ctx, &view.cache, &fence)?;
                view.fence = Some(fence);
                self.push(view, &refs, None, changes).await
            }
        }
    }

    /// Makes one push without the fence, to learn whether it is the fence that the host refuses. Nothing is remembered of one.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send_without_fence(&mut self, view: &mut MirrorView, changes: &[RefChange]) -> Result<Sent> {
        self.push(view, &updates(changes), None, changes).await
    }

    /// Remembers that the host does not move several refs all or none, in the way that is `limit` and `notice` says.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn learn(&self, view: &mut MirrorView, limit: HostLimit, notice: Notice) -> Result<()> {
        limit.remember(&self.ctx.memory())?;
        view.atomic = false;
        self.ctx.notice(notice.message, notice.hint);
        Ok(())
    }

    /// Remembers that the host takes no fence, as `error` says it: from now on it is kept here alone.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn do_without_fence(&self, view: &mut MirrorView, epoch: u64, error: &Error) -> Result<()> {
        HostLimit::NoFence.remember(&self.ctx.memory())?;
        view.fence_supported = false;
        let notice = no_fence();
        self.ctx.notice(format!("{} ({})", notice.message, error.message), notice.hint);
        self.remember_alone(view, epoch)
    }

    /// Keeps a fence in our own memory only, for a host that takes none.
    fn remember_alone(&self, view: &mut MirrorView, epoch: u64) -> Result<()> {
        let fence = self.next_fence(view, epoch, &[])?;
        fence_move::remember(self.ctx, &view.cache, &fence)?;
        view.fence = Some(fence);
        Ok(())
    }

    /// The fence that goes with these changes. Where they cannot move in one step with it, they stand in it as pending.
    fn next_fence(&self, view: &MirrorView, epoch: u64, changes: &[RefChange]) -> Result<Fence> {
        let mut document: Document = view.next_document(self.ctx)?;
        document.epoch = document.epoch.max(epoch);
        document.settle(&view.refs, self.source);
        let at_once = view.fence_supported && view.atomic && view.keeps_word;
        for change in changes.iter().filter(|_| self.ours) {
            match &change.new {
                Some(new) if at_once => {
                    document.refs.insert(change.name.clone(), new.clone());
                }
                Some(new) => {
                    document.pending.insert(change.name.clone(), new.clone());
                }
                None if at_once => {
                    document.refs.remove(&change.name);
                }
                // Still ours until it is gone.
                None => {}
            }
        }
        fence_move::commit(&view.cache, view.fence.as_ref(), document)
    }

    async fn push(
        &mut self,
        view: &mut MirrorView,
        updates: &[Update],
        fence: Option<Fence>,
        changes: &[RefChange],
    ) -> Result<Sent> {
        let atomic = view.atomic && updates.len() > 1;
        let pushed = self.remote.push(&view.cache, updates, PushOptions { atomic, dry_run: false }).await;
        let report = match pushed {
            // Told once it passes. Told again, one of these may be what the host fails at.
            Err(error) if error.code == Code::HostFailed && self.doubts_passing && !changes.is_empty() => {
                PushReport::refused(updates, &error.message)
            }
            Err(error) if error.code == Code::HostFailed => {
                HostLimit::Passing.remember(&self.ctx.memory())?;
                return Err(error);
            }
            pushed => pushed?,
        };
        if report.atomic_unsupported {
            return Ok(Sent::NotAtomic);
        }
        if let Some(address) = new_address(&report.messages) {
            self.ctx.notice(
                format!("The repository of mirror `{}` has moved: its host names {address}", self.ctx.mirror.id),
                "It still takes pushes under the old name. Set the new address before that ends.",
            );
        }
        self.take_in(view, updates, fence, changes, report, atomic)
    }

    /// Whose host it is, for messages.
    pub fn whose(&self) -> String {
        format!("mirror `{}`", self.ctx.mirror.id)
    }

    /// Records what arrived, and says what became of the rest.
    fn take_in(
        &mut self,
        view: &mut MirrorView,
        updates: &[Update],
        fence: Option<Fence>,
        changes: &[RefChange],
        report: PushReport,
        atomic: bool,
    ) -> Result<Sent> {
        if let Some(fence) = fence
            && report.results.get(&RefName::fence()) == Some(&PushResult::Done)
        {
            fence_move::remember(self.ctx, &view.cache, &fence)?;
            view.fence = Some(fence);
        }
        let arrived: Vec<&RefChange> =
            changes.iter().filter(|change| report.results.get(&change.name) == Some(&PushResult::Done)).collect();
        self.has_moved_any |= !arrived.is_empty();
        for change in &arrived {
            match &change.new {
                Some(new) => view.refs.insert(change.name.clone(), new.clone()),
                None => view.refs.remove(&change.name),
            };
        }
        self.ctx.all_changed(arrived.iter().map(|change| (recorded(change), ChangeOutcome::Done)).collect())?;
        for change in arrived.iter().filter(|change| change.decision.is_some()) {
            self.ctx.store().clear_decision(&self.ctx.repository().id, &self.ctx.mirror.id, &(&change.name).into())?;
        }
        let is = |result: &PushResult| report.results.values().any(|other| other == result);
        if is(&PushResult::Stale) || sank(updates, &report) {
            self.race = None;
            return Ok(Sent::Moved);
        }
        let any_arrived = is(&PushResult::Done);
        let Some(refusal) = Refusal::of(report, atomic) else { return Ok(Sent::Done) };
        if atomic && any_arrived {
            return Ok(Sent::ByHalf(refusal));
        }
        if !self.doubts_passing
            && let Some(passing) = refusal.passing(&self.whose())
        {
            HostLimit::Passing.remember(&self.ctx.memory())?;
            return Err(passing);
        }
        // It was listed since: nothing stands elsewhere yet, and perhaps it does in a moment. Of the fence nothing is concluded
        // from such words.
        let raced = refusal.raced();
        if raced.contains(&RefName::fence()) || (!raced.is_empty() && self.told_races < TOLD_RACES) {
            self.told_races += 1;
            self.race = raced.iter().next().map(|name| refusal.error_of_one(name).message);
            return Ok(Sent::Moved);
        }
        Ok(Sent::Refused(refusal))
    }
}

fn updates(changes: &[RefChange]) -> Vec<Update> {
    let update =
        |change: &RefChange| Update { name: change.name.clone(), old: change.old.clone(), new: change.new.clone() };
    changes.iter().map(update).collect()
}

/// Whether something did not arrive though the remote refused nothing: what sank it moved, or is not known.
fn sank(updates: &[Update], report: &PushReport) -> bool {
    let is_refused = |result: &PushResult| matches!(result, PushResult::Refused { .. });
    !report.results.values().any(is_refused)
        && updates.iter().any(|update| report.results.get(&update.name) != Some(&PushResult::Done))
}

/// A change as the history keeps it.
pub(super) fn recorded(change: &RefChange) -> Change {
    Change {
        aspect: Aspect::Code,
        action: change.action,
        name: change.name.to_string(),
        before: change.old.as_ref().map(ToString::to_string),
        after: change.new.as_ref().map(ToString::to_string),
    }
}

/// The move of the fence alone, as the history keeps it.
pub(super) fn recorded_fence(before: Option<&Fence>, after: &Fence) -> Change {
    Change {
        aspect: Aspect::Code,
        action: ChangeAction::Fence,
        name: RefName::fence().to_string(),
        before: before.map(|fence| fence.oid.to_string()),
        after: Some(after.oid.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_and_what_has_no_answer_did_not_arrive() {
        let names = ["refs/heads/a", "refs/heads/b"].map(|name| name.parse::<RefName>().unwrap());
        let updates = names.clone().map(|name| Update { name, old: None, new: None });
        let report = |results: [Option<PushResult>; 2]| {
            let known = names.iter().cloned().zip(results).filter_map(|(name, result)| Some((name, result?)));
            PushReport { results: known.collect(), ..PushReport::default() }
        };
        let (done, refused) = (Some(PushResult::Done), Some(PushResult::Refused { reason: "no".to_owned() }));
        assert!(sank(&updates, &report([done.clone(), Some(PushResult::NotTried)])));
        assert!(sank(&updates, &report([done.clone(), None])));
        assert!(!sank(&updates, &report([refused, Some(PushResult::NotTried)])));
        assert!(!sank(&updates, &report([done.clone(), done])));
    }
}
