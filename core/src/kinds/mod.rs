//! What a mirror can be, and what a sync of each kind does.
//!
//! [`of`] is the only list of kinds. A kind looks at both sides, ends what an earlier run left open, and says what it would do
//! as a [`Plan`]; what it prepared for that is used up by doing it. When that happens, how often it is tried and what is
//! written down about it is the business of [`crate::run`], which knows no kind.
//!
//! | room | what it keeps in step |
//! |---|---|
//! | [`standby`] | a repository that git pushes to; on GitHub also its secrets, variables and workflows |
//! | [`pull`] | an upstream, in a bare repository on this machine |

mod pull;
mod standby;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use standin_state::config::Target;
use standin_state::model::{AskId, Aspect, AspectReport, RefName};
use standin_state::store::{DecisionChoice, Rescue};
use ts_rs::TS;

use crate::code::{Resolved, Restored};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::git::ssh::HostKey;
use crate::plan::{Ask, GuardReason, Plan, Section};
use crate::source::SharedSource;
use crate::tokens::{RightState, TokenReport};
use crate::workflows::switch::Mended;
use crate::{Error, Result, secrets};

/// The kind of a mirror. A kind that stands in no arm here does not compile.
pub(crate) fn of(target: &Target) -> &'static dyn Kind {
    match target {
        Target::GitHub(_) | Target::Git(_) => &standby::Standby,
        Target::Pull(_) => &pull::Pull,
    }
}

/// Where what is kept in step comes from and goes, as it may be shown.
pub(crate) struct Ways {
    pub from: String,
    pub to: String,
}

/// The plan of a mirror as it is told: `guard` is what must be confirmed before all of it.
fn told(
    ctx: &MirrorContext,
    ways: Ways,
    guard: &[GuardReason],
    sections: Vec<Section>,
    notices: Vec<Notice>,
) -> Result<Plan> {
    let plan = Plan {
        repository: ctx.repository().id.clone(),
        mirror: ctx.mirror.id.clone(),
        kind: ctx.mirror.kind(),
        from: ways.from,
        to: ways.to,
        at_iso: ctx.outside().clock.now(),
        summary: String::new(),
        asks: guard.iter().map(Ask::of_guard).collect(),
        sections,
        notices,
        seal: String::new(),
    };
    Ok(plan.summed_up().sealed(&ctx.store().fingerprint_key()?, &secrets::fingerprints(ctx)?))
}

/// What a run is to keep in step, and how often it was tried before.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub aspects: BTreeSet<Aspect>,
    pub attempt: usize,
}

/// What differs from one kind of mirror to another.
#[async_trait]
pub(crate) trait Kind: Send + Sync {
    /// Whether the mirror is kept in step with the repository's source, so that nothing can be said of it without that.
    fn reads_source(&self) -> bool;

    /// Looks at the mirror, and at all that a plan needs besides. Changes nothing there.
    async fn look(&self, ctx: &MirrorContext, source: &SharedSource, asked: Asked) -> Result<Box<dyn Looked>>;

    /// Tries whether the mirror can be read and written, without changing anything there.
    async fn test(&self, ctx: &MirrorContext) -> Result<Tested>;

    /// A person's answer to an ask of the plan.
    async fn answer(&self, ctx: &MirrorContext, ask: &AskId, choice: DecisionChoice) -> Result<Resolved>;

    /// Puts a saved tip back there, under its own name or `to`, which must be free.
    async fn restore(&self, ctx: &MirrorContext, rescue: &Rescue, to: Option<&RefName>) -> Result<Restored>;
}

/// What was seen of a mirror.
#[async_trait]
pub(crate) trait Looked: Send {
    /// Whether an earlier run left something open there.
    fn is_left_open(&self, ctx: &MirrorContext) -> Result<bool>;

    /// Ends what an earlier run left open there, on this machine or on another. Never dropped half-way: it goes on when the run
    /// is stopped.
    async fn mend(&mut self, ctx: &MirrorContext) -> Result<Mended>;

    /// Says what is to be done. Changes nothing on the mirror.
    async fn prepare(self: Box<Self>, ctx: &MirrorContext, source: &SharedSource) -> Result<Box<dyn Prepared>>;
}

/// A plan, with all that carrying it out needs: carried out once.
#[async_trait]
pub(crate) trait Prepared: Send {
    /// What will be done, for whoever wants to see it.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    fn plan(&self, ctx: &MirrorContext) -> Result<Plan>;

    /// Does it. What keeps all of it from being done is the error; each aspect has a result of its own.
    async fn apply(self: Box<Self>, ctx: &MirrorContext) -> Result<Vec<(Aspect, Result<AspectReport>)>>;
}

/// What a test of a mirror found.
#[derive(Default)]
pub(crate) struct Tested {
    pub checks: Vec<Check>,
    /// The ssh host key that the mirror's host shows and that is not accepted yet.
    pub host_key: Option<HostKey>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// Whether it works; `None` where it can only be known by writing.
    pub works: Option<bool>,
    /// What was found, or what to do.
    pub detail: String,
}

impl Check {
    pub(crate) fn works(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), works: Some(true), detail: detail.into() }
    }

    pub(crate) fn failed(what: &str, error: &Error) -> Self {
        Self { what: what.to_owned(), works: Some(false), detail: format!("{} → {}", error.message, error.advice()) }
    }

    pub(crate) fn of_token(report: &TokenReport) -> Vec<Self> {
        let mut checks = vec![Self::works("know whose token it is", &*report.login)];
        checks.extend(report.rights.iter().map(|right| Self {
            what: format!("{} ({})", right.right, right.aspect),
            works: match right.state {
                RightState::Proven => Some(true),
                RightState::Missing => Some(false),
                RightState::Unproven => None,
            },
            detail: right.detail.clone(),
        }));
        checks
    }
}
