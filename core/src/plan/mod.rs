//! What a sync would do: computed without changing anything, told once, and drawn by preview, dry run, dialogs and tests alike.
//!
//! A [`Plan`] is made of sections, one for each aspect, which are the same for all kinds of mirror: what would change, what is
//! asked, what cannot be done, what is so. What a section was made from stands in its `details`, for whoever reads the plan as
//! data.

mod ask;
mod code;
mod seal;
mod section;
mod values;
mod words;

pub use ask::{Ask, AskTopic, Choice};
pub use code::{CodePlan, Divergence, FencePlan, GuardReason, LeftAlone, LfsReport, NameConflict, RefChange, RefsPlan};
pub use section::{Details, PlannedChange, Section};
pub use values::{
    ActionsGuardPlan, SecretSource, SecretState, SecretsPlan, VariableState, VariablesPlan, WorkflowState,
    WorkflowsPlan,
};
pub(crate) use words::{counted, plural};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::error::Error;
use standin_state::model::{Aspect, MirrorId, MirrorType, RepositoryId};
use standin_state::store::Change;
use ts_rs::TS;

use crate::event::Notice;

/// The full list of what a sync of one mirror would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Plan {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What it is.
    pub kind: MirrorType,
    /// Where what is kept in step comes from, as it may be shown.
    pub from: String,
    /// Where it goes, as it may be shown.
    pub to: String,
    /// When it was computed.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// What it comes to, in one sentence.
    pub summary: String,
    /// What must be answered before anything of this mirror is touched, in whatever aspect.
    pub asks: Vec<Ask>,
    /// What would be done, aspect by aspect, in the order in which it is done; those alone that were asked for.
    pub sections: Vec<Section>,
    /// What the user should know before.
    pub notices: Vec<Notice>,
    /// All that would be written and by which it was decided, sealed with a key of this installation: names, tips, values. Then,
    /// after a dot, all that stands here.
    pub seal: String,
}

impl Plan {
    /// Every change, in the order in which it would be made.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.sections.iter().flat_map(|section| &section.changes).map(|planned| &planned.change)
    }

    /// The aspects that could not be planned, with why.
    pub fn failures(&self) -> impl Iterator<Item = (Aspect, &Error)> {
        self.sections.iter().filter_map(|section| Some((section.aspect, section.failure.as_ref()?)))
    }

    /// What waits for the user.
    pub fn waiting(&self) -> impl Iterator<Item = &Ask> {
        self.asks.iter().chain(self.sections.iter().flat_map(|section| &section.asks)).filter(|ask| ask.waits())
    }

    /// The plan of branches and tags, where it is a part and could be made.
    pub fn code(&self) -> Option<&CodePlan> {
        self.sections.iter().find_map(|section| match &section.details {
            Some(Details::Code(plan)) => Some(&**plan),
            _ => None,
        })
    }

    /// The plan of secrets, where it is a part and could be made.
    pub fn secrets(&self) -> Option<&SecretsPlan> {
        self.sections.iter().find_map(|section| match &section.details {
            Some(Details::Secrets(plan)) => Some(plan),
            _ => None,
        })
    }

    /// The plan of variables, where it is a part and could be made.
    pub fn variables(&self) -> Option<&VariablesPlan> {
        self.sections.iter().find_map(|section| match &section.details {
            Some(Details::Variables(plan)) => Some(plan),
            _ => None,
        })
    }

    /// The same with the sentence that sums it up.
    #[must_use]
    pub(crate) fn summed_up(mut self) -> Self {
        self.summary = self.sum();
        self
    }

    fn sum(&self) -> String {
        let changes = self.changes().count();
        let waiting = self.waiting().count();
        let impossible: usize = self.sections.iter().map(|section| section.impossible.len()).sum();
        let failures = self.failures().count();
        if changes + waiting + impossible + failures == 0 {
            return "Everything is in step. A sync would change nothing.".to_owned();
        }
        let mut text = format!("A sync would make {}", counted(changes, "change"));
        if waiting > 0 {
            text.push_str(&format!("; {} your decision", plural(waiting, "thing waits for", "things wait for")));
        }
        if impossible > 0 {
            text.push_str(&format!("; {} cannot be made", counted(impossible, "ref")));
        }
        if failures > 0 {
            text.push_str(&format!("; of {} it cannot be told", plural(failures, "part", "parts")));
        }
        text + ". Nothing is changed yet."
    }
}
