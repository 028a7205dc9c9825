//! What a run sees before it writes anything: the mirror's refs and fence, the source, the other aspects; and the plan that
//! follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use standin_state::model::Aspect;

use crate::code::{self, Snapshot};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::ActionsSettings;
use crate::mirror::{self, MirrorView, contact};
use crate::plan::{GuardReason, Plan, Planned, SecretsPlan, VariablesPlan};
use crate::source::SharedSource;
use crate::tokens::Place;
use crate::{Code, Error, Result, secrets, variables, workflows};

/// What was seen and what would be done about it.
pub(super) struct Looked {
    pub plan: Plan,
    pub view: MirrorView,
    pub snapshot: Option<Arc<Snapshot>>,
    /// The settings of Actions, where they were read for the plan: those to restore after the push.
    pub actions: Option<ActionsSettings>,
}

/// Whether an aspect is part of the run. A push can start workflows, so where the mirror's workflows are in our care
/// they are whenever code is.
fn wanted(context: &MirrorContext, aspects: &BTreeSet<Aspect>, aspect: Aspect) -> bool {
    let asked = aspects.contains(&aspect) || (aspect == Aspect::Workflows && aspects.contains(&Aspect::Code));
    asked && context.mirror.sync.contains(&aspect)
}

/// What was read of the source, and of the mirror besides its refs; `None` for what the run leaves out.
pub(super) struct Read {
    snapshot: Option<Result<Arc<Snapshot>>>,
    secrets: Option<Result<SecretsPlan>>,
    variables: Option<Result<VariablesPlan>>,
    states: Option<Result<workflows::States>>,
}

/// Reads the source, and the mirror besides its refs.
pub(super) async fn read(
    source: &SharedSource,
    context: &MirrorContext,
    aspects: &BTreeSet<Aspect>,
    attempt: usize,
) -> Read {
    let wants = |aspect| wanted(context, aspects, aspect);
    let (snapshot, secrets, variables, states) = tokio::join!(
        optional(wants(Aspect::Code), source.snapshot(attempt)),
        optional(wants(Aspect::Secrets), secrets::plan(context)),
        optional(wants(Aspect::Variables), variables::plan(context)),
        optional(wants(Aspect::Workflows), workflows::read(context)),
    );
    Read { snapshot, secrets, variables, states }
}

/// Looks at the mirror's refs and its fence, and reads all the rest meanwhile.
pub(super) async fn look_and_read(
    source: &SharedSource,
    context: &MirrorContext,
    aspects: &BTreeSet<Aspect>,
    attempt: usize,
) -> Result<(MirrorView, Read)> {
    // A mirror that cannot be looked at ends the run, whatever else is under way.
    let (view, read) =
        tokio::try_join!(mirror::look(context), async { Ok(read(source, context, aspects, attempt).await) })?;
    // Whoever cannot say who is master has nothing to send, in no aspect.
    match &read.snapshot {
        Some(Err(error)) if is_about_the_master(error) => Err(error.clone()),
        _ => Ok((view, read)),
    }
}

fn is_about_the_master(error: &Error) -> bool {
    matches!(error.code, Code::FenceLost | Code::FencedOff | Code::TwoMasters | Code::RoleChangeOpen)
}

/// Plans by what was read. Changes nothing on the mirror.
///
/// # Errors
/// Where it cannot be told whether the mirror is a stranger's.
pub(super) async fn plan_with(
    source: &SharedSource,
    context: &MirrorContext,
    attempt: usize,
    (view, read): (MirrorView, Read),
) -> Result<Looked> {
    let guard = first_contact(source, context, attempt, &view).await?;
    let Read { snapshot, secrets, variables, states } = read;
    let code = match &snapshot {
        None => None,
        Some(Err(error)) => Some(Err(error.clone())),
        Some(Ok(snapshot)) => Some(code::plan(context, snapshot, &view).await),
    };
    let files = code.as_ref().and_then(|plan| plan.as_ref().ok());
    let mut actions = None;
    let workflows = match states {
        None => None,
        Some(Err(error)) => Some(Err(error)),
        Some(Ok(states)) => {
            let planned = workflows::plan(context, &states, files).await;
            Some(planned.map(|(plan, settings)| {
                actions = settings;
                plan
            }))
        }
    };
    let plan = Plan {
        repository: context.repository().id.clone(),
        mirror: context.mirror.id.clone(),
        repo: context.mirror.target.display(),
        source: context.repository().source.display(),
        at_iso: context.outside().clock.now(),
        guard: guard.into_iter().collect(),
        code: code.map(planned),
        secrets: secrets.map(planned),
        variables: variables.map(planned),
        workflows: workflows.map(planned),
        notices: token_notices(context),
    };
    Ok(Looked { plan, view, snapshot: snapshot.and_then(Result::ok), actions })
}

/// Why the whole run waits: the mirror may be a stranger's. The source is read for it where the run would not.
async fn first_contact(
    source: &SharedSource,
    context: &MirrorContext,
    attempt: usize,
    view: &MirrorView,
) -> Result<Option<GuardReason>> {
    if !contact::is_open(context, view)? {
        return Ok(None);
    }
    contact::judge(context, view, &source.snapshot(attempt).await?.refs).await
}

/// What the user should know about the tokens in use.
fn token_notices(context: &MirrorContext) -> Vec<Notice> {
    let repository = context.repository();
    let place = Place::Mirror(context.mirror.id.clone());
    let source = context.source.token.as_ref().and_then(|token| token.notice(repository, &Place::Source));
    let mirror = context.token.as_ref().and_then(|token| token.notice(repository, &place));
    source.into_iter().chain(mirror).collect()
}

fn planned<P>(result: Result<P>) -> Planned<P> {
    match result {
        Ok(plan) => Planned::Ready(plan),
        Err(error) => Planned::Failed(error),
    }
}

async fn optional<T>(wanted: bool, work: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    if wanted { Some(work.await) } else { None }
}
