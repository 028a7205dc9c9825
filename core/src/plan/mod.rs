//! What a sync would do: computed without changing anything, read by preview, dry run, dialogs and tests alike.

mod code;
mod values;

pub use code::{CodePlan, Divergence, FencePlan, GuardReason, LeftAlone, LfsReport, NameConflict, RefChange, RefsPlan};
pub use values::{
    ActionsGuardPlan, SecretSource, SecretState, SecretsPlan, VariableState, VariablesPlan, WorkflowState,
    WorkflowsPlan,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::error::Error;
use standin_state::model::{Aspect, MirrorId, RepositoryId};
use standin_state::store::Change;
use ts_rs::TS;

use crate::event::Notice;

/// The full list of changes that a sync of one mirror would make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Plan {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// Where the mirror is, as it may be shown.
    pub repo: String,
    /// Where the source is, as it may be shown.
    pub source: String,
    /// When it was computed.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// What must be confirmed first (`--yes`) before anything of this mirror is touched, in whatever aspect.
    pub guard: Vec<GuardReason>,
    /// Branches and tags; `None` where not configured or not asked for.
    pub code: Option<Planned<CodePlan>>,
    /// Actions secrets.
    pub secrets: Option<Planned<SecretsPlan>>,
    /// Actions variables.
    pub variables: Option<Planned<VariablesPlan>>,
    /// Workflow states.
    pub workflows: Option<Planned<WorkflowsPlan>>,
    /// What the user should know before.
    pub notices: Vec<Notice>,
}

/// The plan of one aspect, or why there is none. One aspect that cannot be planned does not stop the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Planned<P> {
    /// The plan.
    Ready(P),
    /// Why it could not be computed.
    Failed(Error),
}

impl Plan {
    /// Every change, in the order in which it would be made.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(Planned::Ready(code)) = &self.code {
            changes.extend(code.changes());
        }
        if let Some(Planned::Ready(secrets)) = &self.secrets {
            changes.extend(secrets.changes());
        }
        if let Some(Planned::Ready(variables)) = &self.variables {
            changes.extend(variables.changes());
        }
        if let Some(Planned::Ready(workflows)) = &self.workflows {
            changes.extend(workflows.changes());
        }
        changes
    }

    /// The aspects that could not be planned, with why.
    pub fn failures(&self) -> impl Iterator<Item = (Aspect, &Error)> {
        [
            self.code.as_ref().and_then(Planned::error).map(|error| (Aspect::Code, error)),
            self.secrets.as_ref().and_then(Planned::error).map(|error| (Aspect::Secrets, error)),
            self.variables.as_ref().and_then(Planned::error).map(|error| (Aspect::Variables, error)),
            self.workflows.as_ref().and_then(Planned::error).map(|error| (Aspect::Workflows, error)),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether something in it waits for the user: a divergence, a guard, a new secret name.
    pub fn needs_decision(&self) -> bool {
        let code = matches!(&self.code, Some(Planned::Ready(code)) if !code.guard.is_empty() || code.undecided().next().is_some());
        let secrets = matches!(&self.secrets, Some(Planned::Ready(secrets))
            if secrets.names.iter().any(|(_, state)| *state == SecretState::NeedsYes));
        code || secrets || !self.guard.is_empty()
    }
}

impl<P> From<crate::Result<P>> for Planned<P> {
    fn from(planned: crate::Result<P>) -> Self {
        match planned {
            Ok(plan) => Self::Ready(plan),
            Err(error) => Self::Failed(error),
        }
    }
}

impl<P> Planned<P> {
    /// Why it could not be computed.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Ready(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}
