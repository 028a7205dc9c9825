//! Pushing to the source: refs and its fence in one atomic push, never forced. What the host refuses is remembered, so that
//! the next decision parks it.

use std::collections::VecDeque;

use standin_state::model::{Aspect, Oid, RefName};
use standin_state::store::{Change, ChangeAction, ChangeOutcome};

use super::Guard;
use super::decide::is_parked;
use super::sides::Sides;
use super::words::{HandBackFate, HandBackRef};
use crate::code::{explain_refusal, mirror_remote};
use crate::fence::{self, Fence};
use crate::git::{Cache, PushOptions, PushReport, PushResult, Remote, Update};
use crate::run::MirrorContext;
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

/// What the source's host refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<Refused>);

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
        self.0.iter().any(|refused| refused.at == *name && refused.tip == *tip)
    }

    /// Whether it was refused although it was to be parked.
    pub fn is_homeless(&self, tip: &Oid) -> bool {
        self.0.iter().any(|refused| refused.tip == *tip && is_parked(&refused.at))
    }

    /// Why a ref of the standby could not come under its own name.
    pub fn why(&self, name: &RefName, tip: &Oid) -> Option<&Error> {
        self.0.iter().find(|refused| refused.name == *name && refused.tip == *tip).map(|refused| &refused.error)
    }

    /// Why a tip could not come under any name.
    pub fn of_tip(&self, tip: &Oid) -> Option<&Error> {
        self.0.iter().rev().find(|refused| refused.tip == *tip).map(|refused| &refused.error)
    }
}

/// What became of one push.
enum Sent {
    Done,
    Moved,
    /// The host refused these. Nothing of the push arrived.
    Refused {
        refused: Vec<(RefName, Error)>,
        /// All for the same reason, so that the culprit is not known.
        as_a_whole: bool,
    },
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
        match sender.send(&group).await? {
            Sent::Done => brought.extend(group),
            Sent::Moved => return Ok(Pushed::Moved),
            Sent::Refused { as_a_whole: true, .. } if group.len() > 1 => {
                let second = group.split_off(group.len().div_ceil(2));
                waiting.push_front(second);
                waiting.push_front(group);
            }
            Sent::Refused { refused, .. } => {
                let mut rest = Vec::new();
                for home in group {
                    let found = refused.iter().find(|(name, _)| Some(name) == home.at.as_ref());
                    let Some((at, error)) = found else {
                        rest.push(home);
                        continue;
                    };
                    new.changed(recorded(&home), ChangeOutcome::Failed { error: error.clone() })?;
                    let (at, error) = (at.clone(), error.clone());
                    refusals.0.push(Refused { name: home.name, at, tip: home.tip, error });
                }
                if !rest.is_empty() {
                    waiting.push_front(rest);
                }
            }
        }
        searches += 1;
        if searches > SEARCHES && !waiting.is_empty() {
            return Err(Error::new(
                Code::RefRefused,
                format!("{} refuses too much of what the standby has", new.mirror.target.display()),
                "Mend what it says of the refs, and go on.",
            ));
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
        let pushed = self.remote.push(self.cache, &updates, PushOptions { atomic: true, dry_run: false }).await;
        let report = match pushed {
            Ok(report) if report.atomic_unsupported => return Err(self.not_atomic()),
            Ok(report) => report,
            Err(error) => self.read_back(&updates, error).await?,
        };
        crash::point("roles.handback.pushed");
        self.take_in(group, &updates, fence, report).await
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
        fence::commit(self.cache, Some(before), document)
    }

    /// After an unknown outcome: what the source holds now says what arrived.
    async fn read_back(&self, updates: &[Update], error: Error) -> Result<PushReport> {
        if !matches!(error.code, Code::TimedOut | Code::Network | Code::HostFailed) {
            return Err(error);
        }
        let Ok(standing) = self.remote.list(&["refs/"]).await else { return Err(error) };
        if updates.iter().all(|update| standing.refs.get(&update.name) == update.old.as_ref()) {
            return Err(error);
        }
        let results = updates.iter().map(|update| {
            let is_there = standing.refs.get(&update.name) == update.new.as_ref();
            (update.name.clone(), if is_there { PushResult::Done } else { PushResult::Stale })
        });
        Ok(PushReport { results: results.collect(), messages: Vec::new(), atomic_unsupported: false })
    }

    async fn take_in(
        &self,
        group: &[HandBackRef],
        updates: &[Update],
        fence: Option<Fence>,
        report: PushReport,
    ) -> Result<Sent> {
        let result = |name: &RefName| report.results.get(name);
        let name = RefName::fence();
        if let Some(fence) = &fence
            && result(&name) == Some(&PushResult::Done)
        {
            fence::remember(self.new, self.cache, fence)?;
        }
        let is_done = |home: &&HandBackRef| home.at.as_ref().and_then(result) == Some(&PushResult::Done);
        let arrived: Vec<&HandBackRef> = group.iter().filter(is_done).collect();
        self.new.all_changed(arrived.iter().map(|home| (recorded(home), ChangeOutcome::Done)).collect())?;
        if arrived.len() == group.len() {
            return Ok(Sent::Done);
        }
        let refused: Vec<(&RefName, &String)> = report
            .results
            .iter()
            .filter_map(|(name, result)| match result {
                PushResult::Refused { reason } => Some((name, reason)),
                _ => None,
            })
            .collect();
        // Hosts may report a lost race as a refusal: where the refs stand now tells the two apart.
        let standing = self.remote.list(&["refs/"]).await?.refs;
        let moved = |update: &Update| {
            standing.get(&update.name) != update.old.as_ref() && result(&update.name) != Some(&PushResult::Done)
        };
        if updates.iter().any(|update| update.name == name && moved(update)) {
            return Err(self.fence_moved());
        }
        let Some((_, first)) = refused.first() else { return Ok(Sent::Moved) };
        if updates.iter().any(moved) {
            return Ok(Sent::Moved);
        }
        let as_a_whole = refused.len() == updates.len() && refused.iter().all(|(_, reason)| reason == first);
        let explained =
            |(name, reason): &(&RefName, &String)| ((*name).clone(), explain_refusal(name, reason, &report.messages));
        let mut refused: Vec<(RefName, Error)> = refused.iter().map(explained).collect();
        if let Some(at) = refused.iter().position(|(refused, _)| *refused == name) {
            let (_, error) = refused.swap_remove(at);
            // It moved there before, so a refusal of everything is about the refs.
            if !as_a_whole {
                return Err(error.during("The source refuses to move its fence, so nothing was pushed"));
            }
        }
        Ok(Sent::Refused { refused, as_a_whole })
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
