//! A change of master from its beginning to its end: what is asked for, what comes before it, how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use standin_state::model::{Action, MirrorId, MirrorStatus, RepositoryId, Site, Verb};
use ts_rs::TS;

use super::drive::{self, Driver};
use super::journal::{self, Entry};
use super::parties::Parties;
use super::preview::{self, Master, RolePlan};
use crate::event::RoleChangeEnd;
use crate::mastership::machine::{Change, Kind, Way};
use crate::mastership::words;
use crate::run::{self, RunRequest};
use crate::source::SharedSource;
use crate::workflows::switch;
use crate::{Code, Error, Result, mirror, status};

/// How long a promotion may take before it stops in a known state.
const PROMOTION_LIMIT: Duration = Duration::from_secs(30);

/// What is wanted of a standby's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RoleGoal {
    /// The standby becomes master.
    Promote,
    /// The standby hands back to the configured source.
    Demote,
}

/// A change of master that is asked for.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    /// Which repository; `None` is the one at hand.
    pub repository: Option<RepositoryId>,
    /// The standby.
    pub mirror: MirrorId,
    /// What is wanted.
    pub goal: RoleGoal,
    /// Whether the user says that the master is gone where that cannot be told from here.
    pub gone: bool,
    /// Whether guards and new secret names of the syncs that belong to it are confirmed.
    pub yes: bool,
}

/// What to do with a change that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum OpenChangeChoice {
    /// Go on with it.
    Resume,
    /// Take it back.
    Rollback,
}

/// How a change of master ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RoleOutcome {
    /// The repository.
    pub repository: RepositoryId,
    /// The standby.
    pub mirror: MirrorId,
    /// What it was to do.
    pub headline: String,
    /// How it ended.
    pub end: RoleChangeEnd,
    /// Why it was taken back or stopped, where it was.
    pub error: Option<Error>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What a change would do.
///
/// # Errors
/// What keeps that from being told. What keeps the change from starting is in the plan.
pub(crate) async fn plan(parties: &Parties, mut change: Change) -> Result<RolePlan> {
    // What cannot be read now keeps it from starting, and the preview says why.
    if remember_workflows(parties, &mut change).await.is_err() {
        change.workflows.clear();
    }
    preview::compute(parties, &change).await
}

/// Whether a change may begin.
///
/// # Errors
/// What keeps it from beginning.
pub(crate) async fn check(parties: &Parties, change: &Change) -> Result<()> {
    let plan = preview::compute(parties, change).await?;
    plan.blockers.into_iter().next().map_or(Ok(()), Err)
}

/// Begins a change and carries it out. The locks of both sides are held.
///
/// # Errors
/// What keeps it from beginning; nothing was changed then. What happens after it began is in the outcome.
pub(crate) async fn begin(
    parties: &Parties,
    mut change: Change,
    request: &RoleRequest,
    actor: &str,
) -> Result<RoleOutcome> {
    before(parties, &change, request, actor).await?;
    remember_workflows(parties, &mut change).await?;
    let context = &parties.home.context;
    let (store, repository) = (&context.store, &context.repository.id);
    if let Some(ended) = journal::open_here(store, repository)?
        && change.ends.as_ref() == Some(&ended.change.id)
    {
        ended.close(store)?;
    }
    let deadline = (change.kind != Kind::Demote).then(|| Instant::now() + PROMOTION_LIMIT);
    let entry = journal::begin(store, repository, &parties.standby.id, change, context.outside.clock.now())?;
    carry_out(parties, entry, request.yes, actor, deadline).await
}

/// Takes over the change that stands open at `register`, and goes on with it or takes it back; `here` is what the journal of
/// this machine has of it. The locks of both sides are held.
///
/// # Errors
/// What keeps it from being taken over.
pub(crate) async fn take_up(
    parties: &Parties,
    register: &Site,
    choice: OpenChangeChoice,
    here: Option<Entry>,
    actor: &str,
) -> Result<RoleOutcome> {
    let me = drive::me(parties)?;
    let other_side_is_gone = match parties.site(&parties.source_site()) {
        Ok(source) if *register != parties.source_site() => {
            matches!(preview::look_for(source).await, Master::Gone(_))
        }
        _ => false,
    };
    let turned = |change: Change| match choice {
        // What cannot be ended with both sides is ended with the one that is there.
        OpenChangeChoice::Resume if other_side_is_gone && change.with_old() => change.fail_over(),
        OpenChangeChoice::Resume => change,
        OpenChangeChoice::Rollback => change.turn_back(),
    };
    let change = super::take_over(parties, register, &me, turned).await?;
    let context = &parties.home.context;
    let entry = match here {
        Some(mut entry) => {
            entry.keep(&context.store, change)?;
            entry
        }
        None => {
            let now = context.outside.clock.now();
            journal::begin(&context.store, &context.repository.id, &parties.standby.id, change, now)?
        }
    };
    carry_out(parties, entry, true, actor, None).await
}

/// Carries a change out and, where it cannot be done at all, takes it back.
async fn carry_out(
    parties: &Parties,
    mut entry: Entry,
    yes: bool,
    actor: &str,
    deadline: Option<Instant>,
) -> Result<RoleOutcome> {
    let (store, begun) = (&parties.home.context.store, Instant::now());
    let driver = Driver { parties, me: drive::me(parties)?, yes, actor: actor.to_owned(), deadline };
    let headline = words::headline(&entry.change);
    let mut error = driver.run(&mut entry).await.err();
    if let Some(cause) = &error
        && is_final(cause)
        && entry.change.reached > 0
        && entry.change.way == Way::Onward
    {
        let back = entry.change.turn_back();
        entry.keep(store, back)?;
        let driver = Driver { deadline: None, ..driver };
        if let Err(also) = driver.run(&mut entry).await {
            error = Some(Error {
                hint: format!("{} Taking it back stopped too: {}. {}", cause.advice(), also.message, also.advice()),
                ..cause.clone()
            });
        }
    }
    let is_through = entry.change.next().is_none();
    let end = match (is_through, entry.change.way) {
        (true, Way::Onward) => RoleChangeEnd::Done,
        (true, Way::Back) => RoleChangeEnd::RolledBack,
        (false, _) => RoleChangeEnd::Open,
    };
    // What is through, was never begun, or is another's now has no place in the journal of this machine.
    let is_others = error.as_ref().is_some_and(|error| is_lost(error) && !is_through);
    if is_through || is_others {
        entry.close(store)?;
    }
    let context = &parties.home.context;
    // What was said of the master before is advice for another day.
    store.set_master_health(&context.repository.id, None)?;
    status::write(store, &context.folder, &parties.direction.home, &(&**context).into())?;
    Ok(RoleOutcome {
        repository: context.repository.id.clone(),
        mirror: parties.standby.id.clone(),
        headline,
        end,
        error: error.map(|error| told(error, end, &parties.standby.id)),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Why a change stopped, with what to do about it: first of all, an open one is ended.
fn told(error: Error, end: RoleChangeEnd, standby: &MirrorId) -> Error {
    match end {
        RoleChangeEnd::Open => Error { action: Some(Box::new(Action::new(Verb::Resume, Some(standby)))), ..error },
        RoleChangeEnd::Done | RoleChangeEnd::RolledBack => error.about(Some(standby)),
    }
}

/// What is done before a change is announced: what can be, so that the master is held for a short time only.
async fn before(parties: &Parties, change: &Change, request: &RoleRequest, actor: &str) -> Result<()> {
    if change.kind != Kind::Switchover {
        let register = parties.site(change.register())?;
        if let Ok(mut view) = mirror::look(register).await {
            switch::mend(register, &mut view).await?;
        }
        return Ok(());
    }
    let sync = RunRequest::of_all(&parties.standby, request.yes, actor);
    let source = Arc::new(SharedSource::new(parties.source_of(&change.old).context.clone()));
    let outcome = run::execute_held(source, parties.mirror_of(&change.new)?, sync).await;
    match (outcome.status, outcome.error) {
        (MirrorStatus::Blocked, None) => Err(Error::new(
            Code::GuardHeld,
            format!("the sync before the change waits for a decision; nothing was changed at {}", change.old),
            format!("See `standin plan --mirror {}`; `--yes` confirms guards and new secret names.", request.mirror),
        )),
        (_, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// The role change that is open between the two, with the repository whose fence carries it. A standby that cannot be
/// read keeps what it carries from being ended, but for what the source carries.
pub(crate) async fn find_open(parties: &Parties) -> Result<Option<(Change, Site)>> {
    let (standby, source) = (parties.standby_site(), parties.source_site());
    let at_standby = super::find_open(parties.site(&standby)?).await;
    if let Ok(Some(change)) = at_standby {
        return Ok(Some((change, standby)));
    }
    if let Ok(source_part) = parties.site(&source)
        && let Ok(Some(change)) = super::find_open(source_part).await
        && parties.localized(&change).is_ok_and(|change| *change.register() == source)
    {
        return Ok(Some((change, source)));
    }
    at_standby.map(|_| None).map_err(|error| Error {
        hint: format!(
            "{} If {standby} is gone, `standin demote {} --gone` makes {source} master again, whatever is open there.",
            error.hint, parties.standby.id
        ),
        ..error.during(format!("Reading {standby}, whose fence carries the change"))
    })
}

/// Reads the workflow states of both sides: what is given back, to the one or to the other.
async fn remember_workflows(parties: &Parties, change: &mut Change) -> Result<()> {
    for site in change.sides() {
        let states = super::workflow_states(parties.site(&site)?).await?;
        change.workflows.insert(site, states);
    }
    Ok(())
}

/// Whether the change is no longer ours to go on with.
fn is_lost(error: &Error) -> bool {
    matches!(error.code, Code::RoleChangeOpen | Code::FencedOff)
}

/// Whether trying again would end the same way, so that the change is taken back.
fn is_final(error: &Error) -> bool {
    !error.retryable
        && !is_lost(error)
        && !matches!(error.code, Code::Cancelled | Code::Network | Code::TimedOut | Code::Storage | Code::FenceLost)
}
