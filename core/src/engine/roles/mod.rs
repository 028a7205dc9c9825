//! Changes of master: preview, start, resume, roll back.

mod homecoming;
mod prepare;
mod settle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, MirrorStatus, RepositoryId};
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use super::Engine;
use crate::event::{Event, RoleChangeEnd};
use crate::mastership::machine::{Change, Kind, Site, Way};
use crate::mastership::words;
use crate::roles::drive::{self, Driver};
use crate::roles::journal::{self, Entry};
use crate::roles::parts::Parts;
use crate::roles::preview::{self, Master, RolePlan};
use crate::run::{self, RunRequest};
use crate::source::SharedSource;
use crate::workflows::switch;
use crate::{Code, Error, Result, mirror, roles, status};

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

impl Engine {
    /// What a promotion or demotion would do. Changes nothing.
    ///
    /// # Errors
    /// [`Code::Usage`] for what makes no sense, such as promoting the master; [`Code::RoleChangeOpen`] while one is
    /// open. What keeps it from starting is in the plan.
    pub async fn role_plan(&self, request: &RoleRequest) -> Result<RolePlan> {
        if let Some((parts, hand_back)) = self.homecoming(request, self.limited()).await? {
            return Ok(Self::homecoming_plan(&parts, hand_back));
        }
        let (parts, mut change) = self.prepare(request, self.limited()).await?;
        // What cannot be read now keeps it from starting, and the preview says why.
        if remember_workflows(&parts, &mut change).await.is_err() {
            change.workflows.clear();
        }
        preview::compute(&parts, &change).await
    }

    /// Promotes or demotes a standby. Ends in the new state, in the old one, or in an open change that every machine sees.
    ///
    /// # Errors
    /// What keeps it from beginning; nothing was changed then. What happens after it began is in the outcome.
    pub async fn change_role(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<RoleOutcome> {
        let action = match request.goal {
            RoleGoal::Promote => "promote",
            RoleGoal::Demote => "demote",
        };
        let changed = self.start_change(request, cancel).await;
        self.audit_outcome(action, request.repository.as_ref(), &request.mirror, changed)
    }

    /// Goes on with the change that is open, or takes it back, whoever began it.
    ///
    /// # Errors
    /// [`Code::NotFound`] where none is open; what keeps it from being taken over.
    pub async fn end_change(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        choice: OpenChangeChoice,
        cancel: CancellationToken,
    ) -> Result<RoleOutcome> {
        let action = match choice {
            OpenChangeChoice::Resume => "role_resume",
            OpenChangeChoice::Rollback => "role_rollback",
        };
        let ended = self.take_up(repository, mirror, choice, cancel).await;
        self.audit_outcome(action, repository, mirror, ended)
    }

    fn audit_outcome(
        &self,
        action: &str,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        outcome: Result<RoleOutcome>,
    ) -> Result<RoleOutcome> {
        let detail = match &outcome {
            Ok(outcome) => format!("{}: {:?}", outcome.headline, outcome.end).to_lowercase(),
            Err(_) => String::new(),
        };
        let told = match &outcome {
            Ok(RoleOutcome { error: Some(error), .. }) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        // The trail gets the error of an outcome; the caller gets the outcome.
        if let Err(error) = self.audited(action, repository, Some(mirror), detail, told)
            && error.code == Code::Storage
        {
            return Err(error);
        }
        outcome
    }

    async fn start_change(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<RoleOutcome> {
        if let Some((parts, hand_back)) = self.homecoming(request, cancel.clone()).await? {
            return self.bring_home(parts, &hand_back, request).await;
        }
        let (mut parts, mut change) = self.prepare(request, cancel.clone()).await?;
        let plan = preview::compute(&parts, &change).await?;
        if let Some(blocker) = plan.blockers.into_iter().next() {
            return Err(blocker);
        }
        parts.locks = self.locks(&parts).await?;
        self.before(&parts, &change, request).await?;
        remember_workflows(&parts, &mut change).await?;
        let store = &self.shared.store;
        if let Some(ended) = journal::open_here(store, &plan.repository)?
            && change.ends.as_ref() == Some(&ended.change.id)
        {
            ended.close(store)?;
        }
        let deadline = (change.kind != Kind::Demote).then(|| Instant::now() + PROMOTION_LIMIT);
        let entry =
            journal::begin(store, &plan.repository, &parts.standby.id, change, self.shared.outside.clock.now())?;
        self.drive(&parts, entry, request.yes, deadline).await
    }

    async fn take_up(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        choice: OpenChangeChoice,
        cancel: CancellationToken,
    ) -> Result<RoleOutcome> {
        let home = self.repository(repository)?;
        self.settle_role_change(&home).await?;
        let here = journal::open_here(&self.shared.store, &home.id)?;
        let standby = self.standby(&home, here.as_ref().map_or(mirror, |entry| &entry.standby))?;
        // Whose change it is stands in the fence, so the fence is read before the contexts can belong to it.
        let scout = self.parts(&home, standby.clone(), None, cancel.clone()).await?;
        let Some((found, register)) = find_open(&scout).await? else {
            return Err(Error::new(
                Code::NotFound,
                format!("no role change is open on {mirror}"),
                "`standin status` shows who is master and whether a change is open.",
            ));
        };
        if choice == OpenChangeChoice::Rollback && found.is_one_way {
            return Err(Error::new(
                Code::Usage,
                format!("this change has no way back: {}", words::headline(&found)),
                words::ways(&found, mirror),
            ));
        }
        let mut parts = self.parts(&home, standby, Some(found.id), cancel).await?;
        parts.locks = self.locks(&parts).await?;
        let me = drive::me(&parts)?;
        let other_side_is_gone = match parts.site(&parts.source_site()) {
            Ok(source) if register != parts.source_site() => {
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
        let change = roles::take_over(&parts, &register, &me, turned).await?;
        let entry = match here {
            Some(mut entry) => {
                entry.keep(&self.shared.store, change)?;
                entry
            }
            None => {
                let now = self.shared.outside.clock.now();
                journal::begin(&self.shared.store, &home.id, &parts.standby.id, change, now)?
            }
        };
        self.drive(&parts, entry, true, None).await
    }

    /// Carries a change out and, where it cannot be done at all, takes it back.
    async fn drive(
        &self,
        parts: &Parts,
        mut entry: Entry,
        yes: bool,
        deadline: Option<Instant>,
    ) -> Result<RoleOutcome> {
        let (store, begun) = (&self.shared.store, Instant::now());
        let driver = Driver { parts, me: drive::me(parts)?, yes, actor: self.shared.actor.clone(), deadline };
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
                    hint: format!("{} Taking it back stopped too: {}. {}", cause.hint, also.message, also.hint),
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
        let context = &parts.home.context;
        // What was said of the master before is advice for another day.
        store.set_master_health(&context.repository.id, None)?;
        status::write(store, &context.folder, &parts.direction.home, &self.terms())?;
        let outcome = RoleOutcome {
            repository: context.repository.id.clone(),
            mirror: parts.standby.id.clone(),
            headline,
            end,
            error,
            seconds: begun.elapsed().as_secs_f64(),
        };
        context.outside.progress.event(&Event::RoleChangeFinished {
            repository: outcome.repository.clone(),
            end: outcome.end,
            error: outcome.error.clone(),
        });
        Ok(outcome)
    }

    /// What is done before a change is announced: what can be, so that the master is held for a short time only.
    async fn before(&self, parts: &Parts, change: &Change, request: &RoleRequest) -> Result<()> {
        if change.kind != Kind::Switchover {
            let register = parts.site(change.register())?;
            if let Ok(mut view) = mirror::look(register).await {
                switch::mend(register, &mut view).await?;
            }
            return Ok(());
        }
        let sync = RunRequest::of_all(&parts.standby, request.yes, &self.shared.actor);
        let source = Arc::new(SharedSource::new(parts.source_of(&change.old).context.clone()));
        let outcome = run::execute_held(source, parts.mirror_of(&change.new)?, sync).await;
        match (outcome.status, outcome.error) {
            (MirrorStatus::Blocked, None) => Err(Error::new(
                Code::GuardHeld,
                format!("the sync before the change waits for a decision; nothing was changed at {}", change.old),
                format!(
                    "See `standin plan --mirror {}`; `--yes` confirms guards and new secret names.",
                    request.mirror
                ),
            )),
            (_, Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The role change that is open between the two, with the repository whose fence carries it. A standby that cannot be
/// read keeps what it carries from being ended, but for what the source carries.
async fn find_open(parts: &Parts) -> Result<Option<(Change, Site)>> {
    let (standby, source) = (parts.standby_site(), parts.source_site());
    let at_standby = roles::find_open(parts.site(&standby)?).await;
    if let Ok(Some(change)) = at_standby {
        return Ok(Some((change, standby)));
    }
    if let Ok(source_part) = parts.site(&source)
        && let Ok(Some(change)) = roles::find_open(source_part).await
        && parts.localized(&change).is_ok_and(|change| *change.register() == source)
    {
        return Ok(Some((change, source)));
    }
    at_standby.map(|_| None).map_err(|error| Error {
        hint: format!(
            "{} If {standby} is gone, `standin demote {} --gone` makes {source} master again, whatever is open there.",
            error.hint, parts.standby.id
        ),
        ..error.during(format!("Reading {standby}, whose fence carries the change"))
    })
}

/// Reads the workflow states of both sides: what is given back, to the one or to the other.
async fn remember_workflows(parts: &Parts, change: &mut Change) -> Result<()> {
    for site in change.sides() {
        let states = roles::workflow_states(parts.site(&site)?).await?;
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
