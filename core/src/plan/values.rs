//! The plans of secrets, variables and workflow states. Names and states only, never values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::Aspect;
use standin_state::store::{Change, ChangeAction};
use ts_rs::TS;

use crate::event::Notice;

/// What a sync would do to the mirror's Actions secrets: the parity report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SecretsPlan {
    /// Every name that either side knows, in order.
    pub names: Vec<(String, SecretState)>,
    /// What to know: names that differ only in case, limits nearly reached.
    pub notices: Vec<Notice>,
    /// Where the value of each name that has one comes from.
    #[serde(default)]
    pub sources: BTreeMap<String, SecretSource>,
    /// When the host says that each name was last written.
    #[serde(skip)]
    #[ts(skip)]
    pub written: BTreeMap<String, Timestamp>,
}

/// Where the value of a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum SecretSource {
    /// In the repository's `.env`.
    Env,
    /// In the vault.
    Vault,
}

/// Where one secret stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum SecretState {
    /// We sent this very value, and nobody wrote it since.
    InStep,
    /// Not on the mirror yet.
    Create,
    /// Another value than the one we sent, or written by somebody else since.
    Update,
    /// Never sent to this mirror and not listed by the user: waits for a yes.
    NeedsYes,
    /// Wanted, but there is no value for it here.
    MissingHere,
    /// The host would not take it: its name, its size, or one too many. The notices say why.
    Unusable,
    /// On the mirror, not ours: left alone.
    OnlyOnMirror,
}

/// What a sync would do to the mirror's Actions variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct VariablesPlan {
    /// Every name that either side knows, in order.
    pub names: Vec<(String, VariableState)>,
    /// What to know.
    pub notices: Vec<Notice>,
    /// The values that the changes would write, by name; variables are no secrets, yet plans are shown and stored.
    #[serde(skip)]
    #[ts(skip)]
    pub values: BTreeMap<String, String>,
}

/// Where one variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum VariableState {
    /// Same value.
    InStep,
    /// Not on the mirror yet.
    Create,
    /// Another value there.
    Update,
    /// Listed, but there is no value for it here or at the source.
    MissingHere,
    /// The host would not take it: its name, its size, or one too many. The notices say why.
    Unusable,
    /// On the mirror, not ours: left alone.
    OnlyOnMirror,
}

/// What a sync would do to the mirror's workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WorkflowsPlan {
    /// Workflows that GitHub lists on the mirror, by file.
    pub listed: Vec<(String, WorkflowState)>,
    /// Files that the push would bring and that GitHub does not list yet: they are held as soon as they are listed.
    pub expected: Vec<String>,
    /// Files that the push would bring, that GitHub does not list yet and that may run there.
    #[serde(skip)]
    #[ts(skip)]
    pub allowed: Vec<String>,
    /// Whether Actions are switched off around the push, and why not where they should be.
    pub guard: ActionsGuardPlan,
    /// What to know.
    pub notices: Vec<Notice>,
}

/// Where one workflow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum WorkflowState {
    /// Runs, and may.
    Active,
    /// Runs, and must not on a standby.
    ToHold,
    /// Switched off by us.
    Held,
    /// Switched off by a person or by GitHub: stays so.
    DisabledByOthers,
    /// Switched off by us and to be switched on (now listed in `keep_active`, or the sentinel).
    ToRelease,
}

/// The switch around a push that brings workflow files not held yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ActionsGuardPlan {
    /// The push brings no file that must be held.
    NotNeeded,
    /// Actions are switched off for the repository before the push, and restored after.
    SwitchOff,
    /// Actions are off already; they stay so.
    AlreadyOff,
    /// The token has no Administration right: workflows are held right after the push; one may start before.
    NotAllowed,
}

fn change(aspect: Aspect, action: ChangeAction, name: &str) -> Change {
    Change { aspect, action, name: name.to_owned(), before: None, after: None }
}

impl SecretsPlan {
    /// The changes, in order of name.
    pub fn changes(&self) -> Vec<Change> {
        self.names
            .iter()
            .filter_map(|(name, state)| match state {
                SecretState::Create => Some(change(Aspect::Secrets, ChangeAction::Create, name)),
                SecretState::Update => Some(change(Aspect::Secrets, ChangeAction::Update, name)),
                SecretState::InStep
                | SecretState::NeedsYes
                | SecretState::MissingHere
                | SecretState::Unusable
                | SecretState::OnlyOnMirror => None,
            })
            .collect()
    }
}

impl VariablesPlan {
    /// The changes, in order of name.
    pub fn changes(&self) -> Vec<Change> {
        self.names
            .iter()
            .filter_map(|(name, state)| match state {
                VariableState::Create => Some(change(Aspect::Variables, ChangeAction::Create, name)),
                VariableState::Update => Some(change(Aspect::Variables, ChangeAction::Update, name)),
                VariableState::InStep
                | VariableState::MissingHere
                | VariableState::Unusable
                | VariableState::OnlyOnMirror => None,
            })
            .collect()
    }
}

impl WorkflowsPlan {
    /// The changes: Actions off, workflows held or released, Actions restored.
    pub fn changes(&self) -> Vec<Change> {
        let switch = self.guard == ActionsGuardPlan::SwitchOff;
        let mut changes = Vec::new();
        if switch {
            changes.push(change(Aspect::Workflows, ChangeAction::ActionsOff, "actions"));
        }
        changes.extend(self.listed.iter().filter_map(|(path, state)| match state {
            WorkflowState::ToHold => Some(change(Aspect::Workflows, ChangeAction::Hold, path)),
            WorkflowState::ToRelease => Some(change(Aspect::Workflows, ChangeAction::Release, path)),
            WorkflowState::Active | WorkflowState::Held | WorkflowState::DisabledByOthers => None,
        }));
        changes.extend(self.expected.iter().map(|path| change(Aspect::Workflows, ChangeAction::Hold, path)));
        if switch {
            changes.push(change(Aspect::Workflows, ChangeAction::ActionsRestored, "actions"));
        }
        changes
    }
}
