//! Pushing to the source: refs and its fence in one atomic push, never forced. What the host refuses is remembered, so that
//! the next decision parks it.

use std::collections::VecDeque;

use standin_state::model::{Aspect, Oid, RefName};
use standin_state::store::{Change, ChangeAction, ChangeOutcome};

use super::Guard;
use super::sides::Sides;
use super::words::{HandBackFate, HandBackRef};
use crate::context::MirrorContext;
use crate::fence::{self, Fence};
use crate::git::{Blame, Cache, PushOptions, PushReport, PushResult, Remote, Update};
use crate::mastership::parked::is_parked;
use crate::mirror::{Refusal, fence_move, mirror_remote};
use crate::{Code, Error, Result, crash};

/// How many pushes may be spent on finding out what a host refuses.
const SEARCHES: usize = 60;

/// What became of all pushes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Each ref arrived or was refused.
    Through,
    /// A ref of the source was moved by somebody else: look again.
    Moved,
}

/// How often the source is looked at again for nothing but words that tell of a race: a lock that was left behind there says the
/// same for ever.
const TOLD_RACES: usize = 2;

/// What the source's host refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    refused: Vec<Refused>,
    /// How often a race was told, and no ref stood elsewhere.
    told_races: usize,
}

#[derive(Debug)]
struct Refused {
    name: RefName,
    at: RefName,
    tip: Oid,
    error: Error,
}

impl Refusals {
    /// Whether this tip was refused under its own name.
    pub fn has(&self, name: &RefName, tip: &Oid) -> bool {
        self.refused.iter().any(|refused| refused.at == *name && refused.tip == *tip)
    }

    /// Whether it was refused although it was to be parked.
    pub fn is_homeless(&self, tip: &Oid) -> bool {
        self.refused.iter().any(|refused| refused.tip == *tip && is_parked(&refused.at))
    }

    /// Why a ref of the standby could not come under its own name.
    pub fn why(&self, name: &RefName, tip: &Oid) -> Option<&Error> {
        self.refused.iter().find(|refused| refused.name == *name && refused.tip == *tip).map(|refused| &refused.error)
    }

    /// Why a tip could not come under any name.
    pub fn of_tip(&self, tip: &Oid) -> Option<&Error> {
        self.refused.iter().rev().find(|refused| refused.tip == *tip).map(|refused| &refused.error)
    }
}

/// What became of one push.
enum Sent {
    Done,
    Moved,
    /// The host refused these. Nothing of the push arrived.
    Refused(Refusal),
}

/// Pushes what is to be brought, in as few pushes as can be. What arrived is added to `brought`.
///
/// # Errors
/// [`Code::Raced`] when the source's fence moved since the guard read it; what the guard says; what git reports.
pub(super) async fn push(
    new: &MirrorContext,
    sides: &Sides,
    guard: Guard<'_>,
    homes: &[HandBackRef],
    refusals: &mut Refusals,
    brought: &mut Vec<HandBackRef>,
) -> Result<Pushed> {
    let sender = Sender { new, cache: &sides.cache, remote: mirror_remote(new, "git.handback")?, guard };
    let updates: Vec<Update> = homes.iter().filter_map(update).collect();
    let reserved = Update { name: RefName::fence(), old: None, new: None };
    let pieces = sender.remote.pieces(&updates, &[reserved], sides.source.len());
    let mut waiting: VecDeque<Vec<HandBackRef>> = pieces.into_iter().map(|range| homes[range].to_vec()).collect();
    let mut searches = 0;
    while let Some(mut group) = waiting.pop_front() {
        searches += 1;
        if searches > SEARCHES {
            return Err(Error::new(
                Code::RefRefused,
                format!("{} refuses too much of what the standby has", new.mirror.target.display()),
                "Mend what it says of the refs, and go on.",
            ));
        }
        match sender.send(&group).await? {
            Sent::Done => brought.extend(group),
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Refused(refusal) => {
                let fence = RefName::fence();
                let raced = refusal.raced();
                if raced.contains(&fence) || (!raced.is_empty() && refusals.told_races < TOLD_RACES) {
                    refusals.told_races += 1;
                    return Ok(Pushed::Moved);
                }
                // The source took its fence before.
                let blamed = match refusal.blame(Some(&fence)) {
                    Blame::These(names) if names.contains(&fence) => {
                        let error = refusal.error_of(&fence);
                        return Err(error.during("The source refuses to move its fence, so nothing was pushed"));
                    }
                    Blame::These(names) => names,
                    Blame::Perhaps(_) | Blame::Whole if group.len() > 1 => {
                        let second = group.split_off(group.len().div_ceil(2));
                        waiting.push_front(second);
                        waiting.push_front(group);
                        continue;
                    }
                    Blame::Perhaps(_) | Blame::Whole => group.iter().filter_map(|home| home.at.clone()).collect(),
                };
                let mut rest = Vec::new();
                for home in group {
                    let Some(at) = home.at.clone().filter(|at| blamed.contains(at)) else {
                        rest.push(home);
                        continue;
                    };
                    let error = refusal.error_of(&at);
                    new.changed(recorded(&home), ChangeOutcome::Failed { error: error.clone() })?;
                    refusals.refused.push(Refused { name: home.name, at, tip: home.tip, error });
                }
                if !rest.is_empty() {
                    waiting.push_front(rest);
                }
            }
        }
    }
    Ok(Pushed::Through)
}

struct Sender<'a, 'guard> {
    new: &'a MirrorContext,
    cache: &'a Cache,
    remote: Remote,
    guard: Guard<'guard>,
}

impl Sender<'_, '_> {
    async fn send(&self, group: &[HandBackRef]) -> Result<Sent> {
        let before = (self.guard)().await?;
        let fence = before.as_ref().map(|before| self.next_fence(before, group)).transpose()?;
        let mut updates: Vec<Update> = group.iter().filter_map(update).collect();
        if let (Some(before), Some(fence)) = (&before, &fence) {
            let (old, new) = (Some(before.oid.clone()), Some(fence.oid.clone()));
            updates.insert(0, Update { name: RefName::fence(), old, new });
        }
        crash::point("roles.handback.push");
        let report = self.remote.push(self.cache, &updates, PushOptions { atomic: true, dry_run: false }).await?;
        if report.atomic_unsupported {
            return Err(self.not_atomic());
        }
        crash::point("roles.handback.pushed");
        self.take_in(group, before.as_ref(), fence, report).await
    }

    /// The fence that goes with these refs: all that it says stays, and refs of the source's own names count as pushed.
    fn next_fence(&self, before: &Fence, group: &[HandBackRef]) -> Result<Fence> {
        let writer = fence::writer(&self.new.source)?;
        let mut document = before.document.next(&writer, self.new.outside().clock.now());
        for home in group.iter().filter(|home| home.fate != HandBackFate::Parked) {
            if let Some(at) = &home.at {
                document.refs.insert(at.clone(), home.tip.clone());
            }
        }
        fence_move::commit(self.cache, Some(before), document)
    }

    async fn take_in(
        &self,
        group: &[HandBackRef],
        before: Option<&Fence>,
        fence: Option<Fence>,
        report: PushReport,
    ) -> Result<Sent> {
        let result = |name: &RefName| report.results.get(name);
        let name = RefName::fence();
        let fence = fence.filter(|_| result(&name) == Some(&PushResult::Done));
        if let Some(fence) = &fence {
            fence_move::remember(self.new, self.cache, fence)?;
        }
        let is_done = |home: &&HandBackRef| home.at.as_ref().and_then(result) == Some(&PushResult::Done);
        let (arrived, left): (Vec<&HandBackRef>, Vec<&HandBackRef>) = group.iter().partition(is_done);
        self.new.all_changed(arrived.iter().map(|home| (recorded(home), ChangeOutcome::Done)).collect())?;
        if left.is_empty() {
            return Ok(Sent::Done);
        }
        if result(&name) == Some(&PushResult::Stale) {
            return Err(self.fence_moved());
        }
        if !arrived.is_empty() || fence.is_some() {
            if let Some(fence) = &fence {
                self.take_back(before, fence, &left).await?;
            }
            return Err(self.not_atomic());
        }
        match Refusal::of(report, true) {
            Some(refusal) => match refusal.passing(&self.new.mirror.target.display()) {
                Some(passing) => Err(passing),
                None => Ok(Sent::Refused(refusal)),
            },
            None => Ok(Sent::Moved),
        }
    }

    /// The source moved its fence and left refs that stand in it: they are taken back.
    async fn take_back(&self, before: Option<&Fence>, fence: &Fence, left: &[&HandBackRef]) -> Result<()> {
        let names: Vec<&RefName> = left.iter().filter_map(|home| home.at.as_ref()).collect();
        let standing = self.remote.list(&["refs/"]).await?.refs;
        let mut document = fence.document.next(&fence::writer(&self.new.source)?, self.new.outside().clock.now());
        document.take_back(before.map(|before| &before.document), &standing, names.into_iter());
        let corrected = fence_move::commit(self.cache, Some(fence), document)?;
        fence_move::push(self.new, self.cache, &corrected, Some(&fence.oid)).await?;
        fence_move::remember(self.new, self.cache, &corrected)
    }

    fn fence_moved(&self) -> Error {
        Error::passing(
            Code::Raced,
            format!(
                "Somebody else moved the fence of {} during the hand-back; this push was refused there",
                self.new.mirror.target.display()
            ),
            "See `standin status` for who is master, and go on if it is still meant.",
        )
    }

    fn not_atomic(&self) -> Error {
        Error::new(
            Code::RefRefused,
            format!(
                "{} does not move several refs all or none, so that nobody could be kept from writing in between",
                self.new.mirror.target.display()
            ),
            "Hand back to a repository on GitHub.",
        )
    }
}

fn update(home: &HandBackRef) -> Option<Update> {
    let old = match home.fate {
        HandBackFate::FastForward => home.source_tip.clone(),
        HandBackFate::Create | HandBackFate::Parked | HandBackFate::Contained => None,
    };
    Some(Update { name: home.at.clone()?, old, new: Some(home.tip.clone()) })
}

/// A ref as the history keeps it.
fn recorded(home: &HandBackRef) -> Change {
    let (action, before) = match home.fate {
        HandBackFate::FastForward => (ChangeAction::FastForward, home.source_tip.as_ref()),
        _ => (ChangeAction::Create, None),
    };
    Change {
        aspect: Aspect::Code,
        action,
        name: home.at.as_ref().unwrap_or(&home.name).to_string(),
        before: before.map(ToString::to_string),
        after: Some(home.tip.to_string()),
    }
}
