//! One push: refs and the fence together, and what became of them.

use standin_state::model::Aspect;
use standin_state::model::RefName;
use standin_state::store::{Change, ChangeAction, ChangeOutcome};

use crate::code::MirrorView;
use crate::code::look::list;
use crate::code::plan::Refs;
use crate::code::rescue::{self, Endangered};
use crate::fence::{self, Document, Fence, same_master};
use crate::git::{PushOptions, PushReport, PushResult, Remote, Update};
use crate::plan::RefChange;
use crate::run::MirrorContext;
use crate::{Code, Error, Result};

/// What became of one push.
#[derive(Debug)]
pub(super) enum Sent {
    /// All of it is there.
    Done,
    /// Something that we lease moved: look again. What arrived was recorded.
    Moved,
    /// The host refused these, in its own words. In an atomic push nothing arrived; else the rest did.
    Refused {
        refused: Vec<(RefName, Error)>,
        /// Every update was refused for the same reason, so that the culprit is not known.
        as_a_whole: bool,
    },
    /// The host does not take the fence. Nothing arrived.
    FenceRefused(Error),
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
}

impl Sender<'_> {
    /// Makes one push. `view` follows what arrived.
    pub async fn send(&self, view: &mut MirrorView, epoch: u64, changes: &[RefChange]) -> Result<Sent> {
        let endangered: Vec<Endangered<'_>> = changes.iter().filter_map(Endangered::by).collect();
        debug_assert!(rescue::are_saved(self.ctx, &view.cache, &endangered), "a tip is rescued before it is moved");
        let fence = self.next_fence(view, epoch, changes)?;
        debug_assert!(
            view.fence.as_ref().is_none_or(|old| old.document.epoch < fence.document.epoch
                || (old.document.epoch == fence.document.epoch
                    && same_master(&old.document.master, &fence.document.master))),
            "nobody writes in an older epoch, or in the same one for another master"
        );
        let fence_update = Update {
            name: RefName::fence(),
            old: view.fence.as_ref().map(|fence| fence.oid.clone()),
            new: Some(fence.oid.clone()),
        };
        let refs: Vec<Update> = changes
            .iter()
            .map(|change| Update { name: change.name.clone(), old: change.old.clone(), new: change.new.clone() })
            .collect();
        match (view.fence_supported, view.atomic) {
            (true, true) => {
                let updates: Vec<Update> = std::iter::once(fence_update).chain(refs).collect();
                self.push(view, &updates, Some(fence), changes).await
            }
            (true, false) => {
                let sent = self.push(view, &[fence_update], Some(fence), &[]).await?;
                if refs.is_empty() || !matches!(sent, Sent::Done) {
                    return Ok(sent);
                }
                self.push(view, &refs, None, changes).await
            }
            (false, _) => {
                fence::remember(self.ctx, &view.cache, &fence)?;
                view.fence = Some(fence);
                self.push(view, &refs, None, changes).await
            }
        }
    }

    /// The fence that goes with these changes. Where they cannot move in one step with it, they stand in it as pending.
    fn next_fence(&self, view: &MirrorView, epoch: u64, changes: &[RefChange]) -> Result<Fence> {
        let mut document: Document = view.next_document(self.ctx)?;
        document.epoch = document.epoch.max(epoch);
        document.settle(&view.refs, self.source);
        let at_once = view.fence_supported && view.atomic;
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
        fence::commit(&view.cache, view.fence.as_ref(), document)
    }

    async fn push(
        &self,
        view: &mut MirrorView,
        updates: &[Update],
        fence: Option<Fence>,
        changes: &[RefChange],
    ) -> Result<Sent> {
        let atomic = view.atomic && updates.len() > 1;
        let pushed = self.remote.push(&view.cache, updates, PushOptions { atomic, dry_run: false }).await;
        let report = match pushed {
            Ok(report) if report.atomic_unsupported => return Ok(Sent::NotAtomic),
            Ok(report) => report,
            Err(error) => self.read_back(updates, error).await?,
        };
        let report = self.unmask_stale(updates, report).await?;
        self.take_in(view, updates, fence, changes, &report)
    }

    /// After an unknown outcome: what the mirror holds now says what arrived.
    async fn read_back(&self, updates: &[Update], error: Error) -> Result<PushReport> {
        if !matches!(error.code, Code::TimedOut | Code::Network | Code::HostFailed) {
            return Err(error);
        }
        let Ok(listing) = list(self.ctx).await else { return Err(error) };
        let stands = |update: &&Update| listing.refs.get(&update.name) == update.new.as_ref();
        let arrived = updates.iter().filter(stands).count();
        if arrived == 0 && updates.iter().all(|update| listing.refs.get(&update.name) == update.old.as_ref()) {
            return Err(error);
        }
        let results = updates.iter().map(|update| {
            let result = if stands(&update) { PushResult::Done } else { PushResult::Stale };
            (update.name.clone(), result)
        });
        Ok(PushReport { results: results.collect(), messages: Vec::new(), atomic_unsupported: false })
    }

    /// Some hosts report a lost race as a refusal. Where the words leave that open, the mirror is read again: a ref that
    /// does not stand where we lease it was moved by somebody.
    async fn unmask_stale(&self, updates: &[Update], mut report: PushReport) -> Result<PushReport> {
        const VAGUE: [&str; 6] = ["lock", "transaction", "failed to update", "already exists", "reference", "stale"];
        let vague = report.results.values().any(|result| match result {
            PushResult::Refused { reason } => VAGUE.iter().any(|word| reason.contains(word)),
            _ => false,
        });
        if !vague {
            return Ok(report);
        }
        let listing = list(self.ctx).await?;
        for update in updates {
            let unmoved = listing.refs.get(&update.name) == update.old.as_ref();
            if !unmoved && report.results.get(&update.name) != Some(&PushResult::Done) {
                report.results.insert(update.name.clone(), PushResult::Stale);
            }
        }
        Ok(report)
    }

    /// Records what arrived, and says what became of the rest.
    fn take_in(
        &self,
        view: &mut MirrorView,
        updates: &[Update],
        fence: Option<Fence>,
        changes: &[RefChange],
        report: &PushReport,
    ) -> Result<Sent> {
        let name = RefName::fence();
        let fence_asked = fence.is_some();
        if let Some(fence) = fence
            && report.results.get(&name) == Some(&PushResult::Done)
        {
            fence::remember(self.ctx, &view.cache, &fence)?;
            view.fence = Some(fence);
        }
        let arrived: Vec<&RefChange> =
            changes.iter().filter(|change| report.results.get(&change.name) == Some(&PushResult::Done)).collect();
        for change in &arrived {
            match &change.new {
                Some(new) => view.refs.insert(change.name.clone(), new.clone()),
                None => view.refs.remove(&change.name),
            };
        }
        self.ctx.all_changed(arrived.iter().map(|change| (recorded(change), ChangeOutcome::Done)).collect())?;
        for change in arrived.iter().filter(|change| change.decision.is_some()) {
            self.ctx.store().clear_decision(&self.ctx.repository().id, &self.ctx.mirror.id, &change.name)?;
        }
        let results: Vec<&PushResult> = updates.iter().filter_map(|update| report.results.get(&update.name)).collect();
        if results.contains(&&PushResult::Stale) || sank(updates, report) {
            return Ok(Sent::Moved);
        }
        let reasons: Vec<(&RefName, &String)> = report
            .results
            .iter()
            .filter_map(|(name, result)| match result {
                PushResult::Refused { reason } => Some((name, reason)),
                _ => None,
            })
            .collect();
        let Some((_, first)) = reasons.first() else { return Ok(Sent::Done) };
        let as_a_whole = reasons.len() == updates.len() && reasons.iter().all(|(_, reason)| reason == first);
        let explain = |(refused, reason): &(&RefName, &String)| {
            ((*refused).clone(), crate::code::explain_refusal(refused, reason, &report.messages))
        };
        let mut refused: Vec<(RefName, Error)> = reasons.iter().map(explain).collect();
        if fence_asked
            && (!as_a_whole || changes.is_empty())
            && let Some(position) = refused.iter().position(|(refused, _)| *refused == name)
        {
            return Ok(Sent::FenceRefused(refused.swap_remove(position).1));
        }
        refused.retain(|(refused, _)| *refused != name);
        Ok(Sent::Refused { refused, as_a_whole })
    }
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
