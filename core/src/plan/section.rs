//! The plan of one aspect as it is told: made here from what was compared, once, for terminal and window.

use serde::{Deserialize, Serialize};
use standin_state::error::{Error, Result};
use standin_state::model::{Aspect, MirrorId};
use standin_state::store::{Change, ChangeAction};
use ts_rs::TS;

use super::words::{counted, listed, plural, ref_words, sentence};
use super::{
    ActionsGuardPlan, Ask, AskTopic, CodePlan, NameConflict, SecretSource, SecretState, SecretsPlan, VariableState,
    VariablesPlan, WorkflowState, WorkflowsPlan,
};
use crate::event::Notice;

/// What would be done in one aspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Section {
    /// Which.
    pub aspect: Aspect,
    /// Why it could not be planned; then it says nothing else. One aspect that cannot be planned does not stop the others.
    pub failure: Option<Error>,
    /// Everything that would be written, in order: a fence that moves alone and the switch of Actions too.
    pub changes: Vec<PlannedChange>,
    /// What is asked before some of it is done.
    pub asks: Vec<Ask>,
    /// What cannot be done, and what to do about it.
    pub impossible: Vec<Notice>,
    /// What else is so, a phrase each.
    pub facts: Vec<String>,
    /// What to know.
    pub notices: Vec<Notice>,
    /// What it was made from.
    pub details: Option<Details>,
}

/// One thing that would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PlannedChange {
    /// What.
    #[serde(flatten)]
    #[ts(flatten)]
    pub change: Change,
    /// What to know about it: where a value comes from, that a tip is rescued first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// What a section was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Details {
    /// Branches and tags.
    Code(Box<CodePlan>),
    /// Actions secrets.
    Secrets(SecretsPlan),
    /// Actions variables.
    Variables(VariablesPlan),
    /// Workflow states.
    Workflows(WorkflowsPlan),
}

impl Section {
    /// The section of an aspect, however its plan ended.
    pub(crate) fn of<P: Told>(mirror: &MirrorId, planned: &Result<P>) -> Self {
        match planned {
            Ok(plan) => Self::told(mirror, plan),
            Err(error) => Self { failure: Some(error.clone()), ..Self::empty(P::ASPECT) },
        }
    }

    /// The section of an aspect that could be planned.
    pub(crate) fn told<P: Told>(mirror: &MirrorId, plan: &P) -> Self {
        plan.tell(mirror)
    }

    fn empty(aspect: Aspect) -> Self {
        Self {
            aspect,
            failure: None,
            changes: Vec::new(),
            asks: Vec::new(),
            impossible: Vec::new(),
            facts: Vec::new(),
            notices: Vec::new(),
            details: None,
        }
    }

    /// Whether there is nothing to do, to ask or to mend.
    pub fn is_in_step(&self) -> bool {
        self.failure.is_none() && self.changes.is_empty() && self.asks.is_empty() && self.impossible.is_empty()
    }
}

/// A plan of one aspect that can be told.
pub(crate) trait Told {
    const ASPECT: Aspect;

    fn tell(&self, mirror: &MirrorId) -> Section;
}

impl Told for CodePlan {
    const ASPECT: Aspect = Aspect::Code;

    fn tell(&self, mirror: &MirrorId) -> Section {
        let note = |change: &Change| match change.action {
            ChangeAction::Rewrite => Some("the tip there is rescued first"),
            ChangeAction::Delete => Some("rescued first"),
            _ => None,
        };
        let changes =
            self.changes().into_iter().map(|change| PlannedChange { note: note(&change).map(str::to_owned), change });
        let guards = self.guard.iter().map(Ask::of_guard);
        let diverged = self.refs.diverged.iter().map(|divergence| Ask::of_divergence(mirror, divergence));
        let left: Vec<String> = self.refs.left_alone.iter().map(|left| ref_words(&left.name)).collect();
        let facts = [
            (self.refs.unchanged > 0).then(|| format!("{} in step", counted(self.refs.unchanged, "ref"))),
            (!left.is_empty()).then(|| format!("left alone, only on the mirror: {}", listed(&left))),
        ];
        Section {
            changes: changes.collect(),
            asks: guards.chain(diverged).collect(),
            impossible: self.refs.conflicts.iter().map(|conflict| in_the_way(mirror, conflict)).collect(),
            facts: facts.into_iter().flatten().collect(),
            notices: self.notices.clone(),
            details: Some(Details::Code(Box::new(self.clone()))),
            ..Section::empty(Self::ASPECT)
        }
    }
}

fn in_the_way(mirror: &MirrorId, conflict: &NameConflict) -> Notice {
    let others: Vec<String> = conflict.in_the_way.iter().map(ref_words).collect();
    let first = conflict.in_the_way.first().map_or_else(String::new, ToString::to_string);
    Notice {
        message: format!(
            "{} cannot be made: {} in its way on the mirror",
            sentence(&ref_words(&conflict.name)),
            match others.len() {
                1 => format!("{} is", others[0]),
                _ => format!("{} are", listed(&others)),
            }
        ),
        hint: format!(
            "git keeps refs like files, so that one cannot be a folder of the other. Rename it at the source, or give up the \
             mirror's with `standin resolve {mirror} {first} overwrite`: it is rescued first."
        ),
    }
}

/// The names that are in one of some states.
fn named<'a, S: PartialEq>(names: &'a [(String, S)], state: &S) -> Vec<&'a str> {
    names.iter().filter(|(_, found)| found == state).map(|(name, _)| name.as_str()).collect()
}

/// A phrase about names, where there are any.
fn about(names: &[&str], phrase: &str) -> Option<String> {
    (!names.is_empty()).then(|| format!("{phrase}: {}", listed(names)))
}

impl SecretSource {
    /// Where a value comes from, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Env => "`.env`",
            Self::Vault => "the vault",
        }
    }
}

impl Told for SecretsPlan {
    const ASPECT: Aspect = Aspect::Secrets;

    fn tell(&self, _: &MirrorId) -> Section {
        let from = |name: &str| self.sources.get(name).map(|source| format!("from {}", source.words()));
        let changes = self.changes().into_iter().map(|change| PlannedChange { note: from(&change.name), change });
        let new = named(&self.names, &SecretState::NeedsYes);
        let ask = (!new.is_empty()).then(|| Ask {
            facts: new.iter().map(|name| [*name, &from(name).unwrap_or_default()].join(" ").trim_end().to_owned()).collect(),
            ..Ask::yes(
                "secrets/new",
                AskTopic::NewNames,
                format!(
                    "{} never sent to this mirror, and you did not list {}. Once confirmed, {} sent without asking again.",
                    plural(new.len(), "secret was", "secrets were"),
                    if new.len() == 1 { "it" } else { "them" },
                    if new.len() == 1 { "it is" } else { "they are" },
                ),
            )
        });
        let in_step = named(&self.names, &SecretState::InStep);
        let (vault, env): (Vec<&str>, Vec<&str>) =
            in_step.iter().partition(|name| self.sources.get(**name) == Some(&SecretSource::Vault));
        let facts = [
            (!env.is_empty()).then(|| format!("{} in step", counted(env.len(), "secret"))),
            about(&vault, "in step, from the vault"),
            about(&named(&self.names, &SecretState::MissingHere), "no value here for"),
            about(&named(&self.names, &SecretState::Unusable), "cannot be sent"),
            about(&named(&self.names, &SecretState::OnlyOnMirror), "left alone, only on the mirror"),
        ];
        Section {
            changes: changes.collect(),
            asks: ask.into_iter().collect(),
            facts: facts.into_iter().flatten().collect(),
            notices: self.notices.clone(),
            details: Some(Details::Secrets(self.clone())),
            ..Section::empty(Self::ASPECT)
        }
    }
}

impl Told for VariablesPlan {
    const ASPECT: Aspect = Aspect::Variables;

    fn tell(&self, _: &MirrorId) -> Section {
        let in_step = named(&self.names, &VariableState::InStep).len();
        let facts = [
            (in_step > 0).then(|| format!("{} in step", counted(in_step, "variable"))),
            about(&named(&self.names, &VariableState::MissingHere), "no value here or at the source for"),
            about(&named(&self.names, &VariableState::Unusable), "cannot be sent"),
            about(&named(&self.names, &VariableState::OnlyOnMirror), "left alone, only on the mirror"),
        ];
        Section {
            changes: plain(self.changes()),
            facts: facts.into_iter().flatten().collect(),
            notices: self.notices.clone(),
            details: Some(Details::Variables(self.clone())),
            ..Section::empty(Self::ASPECT)
        }
    }
}

impl Told for WorkflowsPlan {
    const ASPECT: Aspect = Aspect::Workflows;

    fn tell(&self, _: &MirrorId) -> Section {
        let count = |state| named(&self.listed, &state).len();
        let (active, held) = (count(WorkflowState::Active), count(WorkflowState::Held));
        let guard = match self.guard {
            ActionsGuardPlan::NotNeeded => None,
            ActionsGuardPlan::SwitchOff => Some(
                "Actions are off on the mirror while the push goes on, so that no workflow starts there, and restored after",
            ),
            ActionsGuardPlan::AlreadyOff => Some("Actions are off on the mirror already and stay off"),
            ActionsGuardPlan::NotAllowed => None,
        };
        let facts = [
            (active + held > 0).then(|| format!("{active} active, {held} held")),
            about(&named(&self.listed, &WorkflowState::DisabledByOthers), "switched off by others, stays so"),
            guard.map(str::to_owned),
        ];
        let arriving = |change: &Change| match change.action {
            ChangeAction::Hold if self.expected.contains(&change.name) => Some("when it has arrived".to_owned()),
            _ => None,
        };
        Section {
            changes: self
                .changes()
                .into_iter()
                .map(|change| PlannedChange { note: arriving(&change), change })
                .collect(),
            facts: facts.into_iter().flatten().collect(),
            notices: self.notices.clone(),
            details: Some(Details::Workflows(self.clone())),
            ..Section::empty(Self::ASPECT)
        }
    }
}

fn plain(changes: Vec<Change>) -> Vec<PlannedChange> {
    changes.into_iter().map(|change| PlannedChange { change, note: None }).collect()
}
