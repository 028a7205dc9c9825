//! A repository that is kept ready to take over: one on GitHub with all its aspects, any other with its code.
//!
//! 1. Look at the mirror's refs and its fence, while the source is fetched and the other aspects are read: nothing is
//!    written before all of it is known.
//! 2. End what an earlier run left open (Actions switched off), here or on another machine.
//! 3. Plan: refs first, since the workflows that a push would bring depend on them. A mirror that may be a stranger's ends
//!    the run here, in all aspects, until a person has confirmed it.
//! 4. Apply (`apply`), side by side: secrets; variables; and in this order Actions off where the push needs it, code, workflows
//!    held, Actions restored.
//!
//! An aspect that fails does not stop the others. What stops all is an unreachable mirror or a fence that says that
//! somebody else is master: then nothing is written.

mod apply;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use standin_state::model::{AskId, Aspect, AspectReport, RefName};
use standin_state::store::{DecisionChoice, Rescue};

use super::{Asked, Check, Kind, Looked, Prepared, Tested, Ways};
use crate::code::{self, Resolved, Restored, Snapshot};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::ActionsSettings;
use crate::mirror::{self, MirrorView, contact};
use crate::plan::{CodePlan, GuardReason, Plan, SecretsPlan, Section, VariablesPlan, WorkflowsPlan};
use crate::source::SharedSource;
use crate::tokens::{self, Place};
use crate::workflows::switch::{self, Mended};
use crate::{Code, Error, Result, secrets, variables, workflows};

/// The kind.
pub(super) struct Standby;

#[async_trait]
impl Kind for Standby {
    fn reads_source(&self) -> bool {
        true
    }

    async fn look(&self, ctx: &MirrorContext, source: &SharedSource, asked: Asked) -> Result<Box<dyn Looked>> {
        // A mirror that cannot be looked at ends the run, whatever else is under way.
        let (view, read) = tokio::try_join!(mirror::look(ctx), async { Ok(read(source, ctx, &asked).await) })?;
        // Whoever cannot say who is master has nothing to send, in no aspect.
        match &read.snapshot {
            Some(Err(error)) if is_about_the_master(error) => Err(error.clone()),
            _ => Ok(Box::new(Seen { asked, view, read: Some(read) })),
        }
    }

    async fn test(&self, ctx: &MirrorContext) -> Result<Tested> {
        let mut tested = Tested::default();
        match mirror::look(ctx).await {
            Ok(view) => {
                tested.checks.push(Check::works("read its branches", format!("{} refs", view.refs.len())));
                tested.checks.push(match mirror::probe(ctx).await {
                    Ok(true) => Check::works("push to it", "accepted in a dry run, all refs at once"),
                    Ok(false) => Check::works(
                        "push to it",
                        "accepted in a dry run, but the host takes refs one by one: a broken push may arrive in part",
                    ),
                    Err(error) => Check::failed("push to it", &error),
                });
            }
            Err(error) => {
                tested.host_key = mirror::unknown_host_key(ctx, &error).await;
                tested.checks.push(Check::failed("read its branches", &error));
            }
        }
        if ctx.mirror.slug().is_some() {
            let (source, place) = (&ctx.source, Place::Mirror(ctx.mirror.id.clone()));
            match tokens::check(&source.outside, &source.config, &source.store, &source.repository, &place).await {
                Ok(Some(report)) => tested.checks.extend(Check::of_token(&report)),
                Ok(None) => {}
                Err(error) => tested.checks.push(Check::failed("ask the host about the token", &error)),
            }
        }
        Ok(tested)
    }

    async fn answer(&self, ctx: &MirrorContext, ask: &AskId, choice: DecisionChoice) -> Result<Resolved> {
        code::resolve(ctx, ask, choice).await
    }

    async fn restore(&self, ctx: &MirrorContext, rescue: &Rescue, to: Option<&RefName>) -> Result<Restored> {
        code::restore(ctx, &rescue.id, to).await
    }
}

/// What was seen of the mirror, and read of the source.
struct Seen {
    asked: Asked,
    view: MirrorView,
    /// `None` once something was mended: workflows were held and settings changed since it was read.
    read: Option<Read>,
}

/// What was read of the source, and of the mirror besides its refs; `None` for what the run leaves out.
struct Read {
    snapshot: Option<Result<Arc<Snapshot>>>,
    secrets: Option<Result<SecretsPlan>>,
    variables: Option<Result<VariablesPlan>>,
    states: Option<Result<workflows::States>>,
}

/// What is to be done, aspect by aspect, and what doing it needs.
struct Ready {
    /// What must be confirmed before anything of this mirror is touched, in whatever aspect.
    guard: Vec<GuardReason>,
    code: Option<Result<CodePlan>>,
    secrets: Option<Result<SecretsPlan>>,
    variables: Option<Result<VariablesPlan>>,
    workflows: Option<Result<WorkflowsPlan>>,
    notices: Vec<Notice>,
    snapshot: Option<Arc<Snapshot>>,
    /// The settings of Actions, where they were read for the plan: those to restore after the push.
    actions: Option<ActionsSettings>,
}

/// The same with the mirror as it was seen.
struct ReadyAt {
    view: MirrorView,
    ready: Ready,
}

#[async_trait]
impl Looked for Seen {
    fn is_left_open(&self, ctx: &MirrorContext) -> Result<bool> {
        switch::is_open(ctx, &self.view)
    }

    async fn mend(&mut self, ctx: &MirrorContext) -> Result<Mended> {
        let mended = switch::mend(ctx, &mut self.view).await?;
        if !matches!(mended, Mended::Nothing) {
            self.read = None;
        }
        Ok(mended)
    }

    async fn prepare(self: Box<Self>, ctx: &MirrorContext, source: &SharedSource) -> Result<Box<dyn Prepared>> {
        let Self { asked, view, read: known } = *self;
        let Read { snapshot, secrets, variables, states } = match known {
            Some(read) => read,
            None => read(source, ctx, &asked).await,
        };
        let guard = first_contact(source, ctx, asked.attempt, &view).await?;
        let code = match &snapshot {
            None => None,
            Some(Err(error)) => Some(Err(error.clone())),
            Some(Ok(snapshot)) => Some(code::plan(ctx, snapshot, &view).await),
        };
        let files = code.as_ref().and_then(|plan| plan.as_ref().ok());
        let mut actions = None;
        let workflows = match states {
            None => None,
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(states)) => {
                let planned = workflows::plan(ctx, &states, files).await;
                Some(planned.map(|(plan, settings)| {
                    actions = settings;
                    plan
                }))
            }
        };
        let ready = Ready {
            guard: guard.into_iter().collect(),
            code,
            secrets,
            variables,
            workflows,
            notices: token_notices(ctx),
            snapshot: snapshot.and_then(Result::ok),
            actions,
        };
        Ok(Box::new(ReadyAt { view, ready }))
    }
}

#[async_trait]
impl Prepared for ReadyAt {
    fn plan(&self, ctx: &MirrorContext) -> Result<Plan> {
        let (ready, mirror) = (&self.ready, &ctx.mirror.id);
        let sections = [
            ready.code.as_ref().map(|plan| Section::of(mirror, plan)),
            ready.secrets.as_ref().map(|plan| Section::of(mirror, plan)),
            ready.variables.as_ref().map(|plan| Section::of(mirror, plan)),
            ready.workflows.as_ref().map(|plan| Section::of(mirror, plan)),
        ];
        let ways = Ways { from: ctx.repository().source.display(), to: ctx.mirror.target.display() };
        super::told(ctx, ways, &ready.guard, sections.into_iter().flatten().collect(), ready.notices.clone())
    }

    async fn apply(self: Box<Self>, ctx: &MirrorContext) -> Result<Vec<(Aspect, Result<AspectReport>)>> {
        let Self { view, ready } = *self;
        // Before all aspects and for all of them, whichever there are.
        if !ready.guard.is_empty() {
            if !ctx.yes {
                return Err(contact::held(ctx, &ready.guard));
            }
            contact::remember(ctx, &view)?;
        }
        Ok(Box::pin(apply::all(ctx, ready, view)).await)
    }
}

/// Whether an aspect is part of the run. A push can start workflows, so where the mirror's workflows are in our care
/// they are whenever code is.
fn wanted(ctx: &MirrorContext, aspects: &BTreeSet<Aspect>, aspect: Aspect) -> bool {
    let asked = aspects.contains(&aspect) || (aspect == Aspect::Workflows && aspects.contains(&Aspect::Code));
    asked && ctx.mirror.sync.contains(&aspect)
}

/// Reads the source, and the mirror besides its refs.
async fn read(source: &SharedSource, ctx: &MirrorContext, asked: &Asked) -> Read {
    let wants = |aspect| wanted(ctx, &asked.aspects, aspect);
    let (snapshot, secrets, variables, states) = tokio::join!(
        optional(wants(Aspect::Code), source.snapshot(asked.attempt)),
        optional(wants(Aspect::Secrets), secrets::plan(ctx)),
        optional(wants(Aspect::Variables), variables::plan(ctx)),
        optional(wants(Aspect::Workflows), workflows::read(ctx)),
    );
    Read { snapshot, secrets, variables, states }
}

fn is_about_the_master(error: &Error) -> bool {
    matches!(error.code, Code::FenceLost | Code::FencedOff | Code::TwoMasters | Code::RoleChangeOpen)
}

/// Why the whole run waits: the mirror may be a stranger's. The source is read for it where the run would not.
async fn first_contact(
    source: &SharedSource,
    ctx: &MirrorContext,
    attempt: usize,
    view: &MirrorView,
) -> Result<Option<GuardReason>> {
    if !contact::is_open(ctx, view)? {
        return Ok(None);
    }
    contact::judge(ctx, view, &source.snapshot(attempt).await?.refs).await
}

/// What the user should know about the tokens in use.
fn token_notices(ctx: &MirrorContext) -> Vec<Notice> {
    let repository = ctx.repository();
    let place = Place::Mirror(ctx.mirror.id.clone());
    let source = ctx.source.token.as_ref().and_then(|token| token.notice(repository, &Place::Source));
    let mirror = ctx.token.as_ref().and_then(|token| token.notice(repository, &place));
    source.into_iter().chain(mirror).collect()
}

async fn optional<T>(wanted: bool, work: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    if wanted { Some(work.await) } else { None }
}
