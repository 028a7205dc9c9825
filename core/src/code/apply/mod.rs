//! Carrying out a plan: rescue, push together with the fence, take out what the host refuses, look again after a race.
//!
//! `send` makes one push and says what became of it; `push` makes as many as it takes, `search` says in which order and what an answer
//! means, `budget` when it is enough, `refused` takes out what does not go, `remembered` keeps that until the next sync, `parts` cuts
//! what is too much for one; here is the order of things and the report.

mod budget;
mod parts;
mod push;
mod refused;
mod remembered;
mod search;
mod send;

use std::borrow::Cow;
use std::sync::Arc;

use standin_state::config::Target;
use standin_state::model::{Aspect, AspectReport, AspectStatus, RefName};
use standin_state::store::{Change, ChangeAction, ChangeOutcome, DecisionChoice};

use super::default_branch::name_default;
use super::plan::{has_not_heard, remember_confirmed};
use super::{Snapshot, plan, ref_of};
use crate::context::MirrorContext;
use crate::git::Meaning;
use crate::mirror::fence_hidden::learn_if_hidden;
use crate::mirror::{MirrorView, contact, fence_move, look, with_standing_of_others};
use crate::plan::{CodePlan, RefChange, counted};
use crate::{Code, Error, Result};

pub(super) use push::{Pushed, Pusher};

/// How often the mirror is looked at again when somebody else moves it.
const RACES: usize = 4;
/// How many refs a report names.
const LISTED: usize = 20;

/// Carries out the plan of a mirror. `view` follows what happens. Refs that the host refuses are listed in the report,
/// whose status is `failed` then; refs that wait for the user make it `blocked`.
///
/// A mirror that moved since it was looked at is looked at and planned again, a bounded number of times: nothing that
/// somebody else wrote meanwhile is overwritten.
///
/// # Errors
/// [`Code::GuardHeld`] when the plan waits for a confirmation; [`Code::Raced`] when the mirror keeps moving;
/// [`Code::FencedOff`] and [`Code::FenceLost`] when a look after a race says so; [`Code::TimedOut`] and [`Code::Network`]
/// when the push did not arrive; whatever else stops the whole.
pub async fn apply(
    ctx: &MirrorContext,
    snapshot: &Arc<Snapshot>,
    view: &mut MirrorView,
    planned: &CodePlan,
) -> Result<AspectReport> {
    planned.hold(&ctx.mirror.id, ctx.yes, "pushed to")?;
    for notice in &planned.notices {
        ctx.notice(&notice.message, &notice.hint);
    }
    forget_old_decisions(ctx, view)?;
    fence_move::offer_again(ctx, view).await?;
    view.atomic = planned.fence.atomic;
    let mut planned = Cow::Borrowed(planned);
    let mut pusher = Pusher::new(ctx, snapshot, planned.fence.epoch, planned.default_branch.clone())?;
    let mut default_branch = None;
    let mut races = 0;
    while carry_out(ctx, &mut pusher, view, &planned, &mut default_branch).await? == Pushed::Moved {
        races += 1;
        if races > RACES {
            return Err(match pusher.race() {
                Some(words) => Error::passing(
                    Code::Raced,
                    format!("The host of mirror `{}` could not move refs each time: {words}", ctx.mirror.id),
                    Meaning::of(words).hint,
                ),
                None => Error::passing(
                    Code::Raced,
                    format!("Mirror `{}` was moved by somebody else each time before our push arrived", ctx.mirror.id),
                    "Find out who else pushes to it; sync again when it is quiet.",
                ),
            });
        }
        *view = MirrorView { still_open: view.still_open.take(), ..look(ctx).await? };
        // Nobody moved it where the fence that is in the way is one that nobody sees.
        if view.fence.is_none() && view.fence_supported && learn_if_hidden(ctx, &view.cache).await? {
            view.fence_supported = false;
        }
        if !ctx.yes && contact::is_open(ctx, view)? {
            let stranger = contact::judge(ctx, view, &snapshot.refs).await?;
            stranger.map_or(Ok(()), |reason| Err(contact::held(ctx, &[reason])))?;
        }
        let mut again = plan(ctx, snapshot, view).await?;
        again.hold(&ctx.mirror.id, ctx.yes, "pushed to")?;
        // Whether Actions must be off was decided for the files of the first plan.
        if again.workflow_files.iter().any(|file| !planned.workflow_files.contains(file)) {
            return Err(Error::passing(
                Code::Raced,
                format!("Mirror `{}` was moved by somebody else, and now other workflow files must go", ctx.mirror.id),
                "Sync again.",
            ));
        }
        again.refs.changes = pusher.without_refused(again.refs.changes);
        again.fence.moves =
            !again.refs.changes.is_empty() || view.fence.is_none() || has_not_heard(view, again.fence.epoch);
        view.atomic = again.fence.atomic;
        planned = Cow::Owned(again);
    }
    remember_confirmed(ctx, snapshot, &planned)?;
    let stands = |(name, tip): (&RefName, _)| snapshot.refs.get(name) == Some(tip);
    let takes_some = pusher.has_moved_any() || view.refs.iter().any(stands);
    let refused = pusher.into_refused().into_iter();
    let mut failures: Vec<Error> = refused.map(|refused| with_standing_of_others(refused.error, takes_some)).collect();
    failures.extend(default_branch);
    failures.extend(planned.refs.conflicts.iter().map(|conflict| {
        let others: Vec<String> = conflict.in_the_way.iter().map(|name| format!("`{name}`")).collect();
        Error::new(
            Code::RefRefused,
            format!("{}: {} on the mirror is in its way", conflict.name, others.join(", ")),
            format!(
                "git keeps refs like files, so one cannot be a folder of the other. Rename it at the source, or give up \
                 the mirror's: `standin resolve {} {} overwrite` (it is rescued first).",
                ctx.mirror.id, conflict.in_the_way[0]
            ),
        )
    }));
    Ok(report(ctx, view, &planned, snapshot.refs.is_empty(), &failures))
}

/// Choices for tips that are no longer there count for nothing; they are removed.
fn forget_old_decisions(ctx: &MirrorContext, view: &MirrorView) -> Result<()> {
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    for decision in ctx.store().decisions(repository, mirror)? {
        let tip = ref_of(&decision.ask).and_then(|name| view.refs.get(&name));
        if tip.is_none_or(|tip| decision.seen != tip.as_str()) {
            ctx.store().clear_decision(repository, mirror, &decision.ask)?;
        }
    }
    Ok(())
}

/// One try at a plan. Why the default branch could not be set goes to `failure`: it stops nothing else.
async fn carry_out(
    ctx: &MirrorContext,
    pusher: &mut Pusher<'_>,
    view: &mut MirrorView,
    planned: &CodePlan,
    failure: &mut Option<Error>,
) -> Result<Pushed> {
    if !planned.fence.moves && !planned.set_default_branch {
        return Ok(Pushed::Through);
    }
    // Hosts refuse to delete the default branch, so another must be named before.
    let (old_default, rest): (Vec<RefChange>, Vec<RefChange>) =
        planned.refs.changes.iter().cloned().partition(|change| {
            planned.set_default_branch && change.new.is_none() && Some(&change.name) == view.head.as_ref()
        });
    if planned.fence.moves
        && (!rest.is_empty() || old_default.is_empty())
        && pusher.push(view, rest).await? == Pushed::Moved
    {
        return Ok(Pushed::Moved);
    }
    *failure = set_default_branch(ctx, view, planned).await?;
    if failure.is_some() || old_default.is_empty() {
        return Ok(Pushed::Through);
    }
    pusher.push(view, old_default).await
}

/// Makes the source's default branch the mirror's, where it differs and is there. The error is for the report.
async fn set_default_branch(ctx: &MirrorContext, view: &mut MirrorView, planned: &CodePlan) -> Result<Option<Error>> {
    let Some(name) = &planned.default_branch else { return Ok(None) };
    if !planned.set_default_branch || view.head.as_ref() == Some(name) || !view.refs.contains_key(name) {
        return Ok(None);
    }
    let client = match (&ctx.mirror.target, &ctx.github) {
        (Target::GitHub(slug), Some(client)) => Some((slug, client)),
        (Target::GitHub(_), None) | (Target::Pull(_), _) => return Ok(None),
        (Target::Git(_), _) => None,
    };
    let change = Change {
        aspect: Aspect::Code,
        action: ChangeAction::DefaultBranch,
        name: name.short().to_owned(),
        before: view.head.as_ref().map(|head| head.short().to_owned()),
        after: Some(name.short().to_owned()),
    };
    // An empty repository makes the branch of that name its default branch by itself.
    let will_be = view.host.as_ref().is_some_and(|host| view.head.is_none() && host.default_branch == name.short());
    let set = match client {
        _ if will_be => Ok(()),
        Some((slug, client)) => client.set_default_branch(slug, name.short()).await,
        None => name_default(&ctx.mirror.target, name),
    };
    match set {
        Ok(()) => {
            view.head = Some(name.clone());
            ctx.changed(change, ChangeOutcome::Done)?;
            Ok(None)
        }
        Err(error) if error.code == Code::Cancelled => Err(error),
        Err(error) => {
            let error = error.during(format!("`{}` could not be made the default branch", name.short()));
            ctx.changed(change, ChangeOutcome::Failed { error: error.clone() })?;
            Ok(Some(error))
        }
    }
}

/// The result of the aspect, from what the mirror holds now. Beside an empty source no commit of the mirror is one that it is in
/// step with.
fn report(
    ctx: &MirrorContext,
    view: &MirrorView,
    planned: &CodePlan,
    source_is_empty: bool,
    failures: &[Error],
) -> AspectReport {
    let default_branch = planned.default_branch.as_ref().or(view.head.as_ref());
    let commit = default_branch.filter(|_| !source_is_empty).and_then(|name| view.refs.get(name));
    let in_step = commit.is_some() && commit == planned.source_tip.as_ref();
    let mut report = AspectReport {
        last_commit: commit.map(ToString::to_string),
        apart: Some(decided(planned, |_| true)).filter(|count| *count > 0),
        behind: if in_step { Some(0) } else { planned.known_behind().filter(|_| !source_is_empty) },
        detail: Some(match (source_is_empty, view.refs.len()) {
            (true, 1..) => format!("the source has no commits; {} only on the mirror", counted(view.refs.len(), "ref")),
            (_, refs) => detail(commit.map(|oid| oid.short()), refs, planned),
        }),
        ..AspectReport::new(AspectStatus::Ok)
    };
    let undecided: Vec<&RefName> = planned.undecided().map(|divergence| &divergence.name).collect();
    if !undecided.is_empty() {
        let first = undecided[0];
        report.status = AspectStatus::Blocked;
        report.error = Some(format!(
            "{} on the mirror {} commits that the source does not have: {}",
            counted(undecided.len(), "ref"),
            if undecided.len() == 1 { "has" } else { "have" },
            listed(undecided.iter().map(ToString::to_string))
        ));
        report.hint = Some(format!(
            "Decide for each: `standin resolve {} {first} overwrite` (rescue it, then put the source's there), `take` \
             (bring it to the source as a branch) or `leave`.",
            ctx.mirror.id
        ));
    }
    if !failures.is_empty() {
        report.status = AspectStatus::Failed;
        report.action = failures.iter().find_map(|failure| failure.action.clone());
        let mut hints: Vec<&str> = Vec::new();
        for failure in failures {
            if !failure.hint.is_empty() && !hints.contains(&failure.hint.as_str()) {
                hints.push(&failure.hint);
            }
        }
        let also = report.error.take().map(|error| format!("\n{error}")).unwrap_or_default();
        report.error = Some(format!(
            "{} not done:\n{}{also}",
            counted(failures.len(), "change"),
            failures.iter().take(LISTED).map(|failure| failure.message.as_str()).collect::<Vec<_>>().join("\n")
                + &more(failures.len())
        ));
        let decide = report.hint.take();
        report.hint = Some(hints.into_iter().map(str::to_owned).chain(decide).collect::<Vec<_>>().join("\n"));
    }
    report
}

/// How many refs stay apart by such a choice of the user's.
fn decided(planned: &CodePlan, is_meant: impl Fn(DecisionChoice) -> bool) -> u64 {
    let decisions = planned.refs.diverged.iter().filter_map(|divergence| divergence.decision.as_ref());
    decisions.filter(|decision| is_meant(decision.choice)).map(|_| 1).sum()
}

/// The commit of the default branch or how many refs there are, and what the user decided to leave as it is.
fn detail(commit: Option<&str>, refs: usize, planned: &CodePlan) -> String {
    let first = match (commit, refs) {
        (Some(commit), _) => commit.to_owned(),
        (None, 0) => "no commits".to_owned(),
        (None, refs) => counted(refs, "ref"),
    };
    let mut parts = vec![first];
    let chosen = |choice| usize::try_from(decided(planned, |found| found == choice)).unwrap_or(usize::MAX);
    let left = chosen(DecisionChoice::Leave);
    if left > 0 {
        parts.push(format!("{} left as on the mirror", counted(left, "ref")));
    }
    let taken = chosen(DecisionChoice::Take);
    if taken > 0 {
        parts.push(format!("{} taken: merge at the source, or overwrite", counted(taken, "ref")));
    }
    parts.join("; ")
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    names.take(LISTED).collect::<Vec<_>>().join(", ") + &more(count)
}

fn more(count: usize) -> String {
    if count > LISTED { format!(" and {} more", count - LISTED) } else { String::new() }
}
