//! What a hand-back looks like to those who see it: the preview, the history, the command line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::{Oid, RefName};
use ts_rs::TS;

use crate::event::Notice;
use crate::plan::LeftAlone;

/// What a hand-back would do: the standby's refs at the source, and what changed beside the code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandBack {
    /// The standby that is master, as it is shown.
    pub from: String,
    /// The master-to-be, as it is shown.
    pub to: String,
    /// The epoch that the parked branches are named by.
    #[ts(type = "number")]
    pub epoch: u64,
    /// How many refs are the same on both sides.
    #[ts(type = "number")]
    pub in_step: u64,
    /// All other refs of the standby, in order of name.
    pub refs: Vec<HandBackRef>,
    /// Refs of the source that the standby does not have: deleted there, or new at the source. They stay.
    pub only_at_source: Vec<LeftAlone>,
    /// Actions variables that differ; they are not changed.
    pub variables: Vec<HandBackVariable>,
    /// Actions secrets that were written on the standby since they were sent there; their values cannot be read.
    pub secrets: Vec<HandBackSecret>,
    /// What to know.
    pub notices: Vec<Notice>,
}

/// A ref of the standby, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandBackRef {
    /// Its name on the standby.
    pub name: RefName,
    /// Its tip there.
    pub tip: Oid,
    /// The tip of that name at the source.
    pub source_tip: Option<Oid>,
    /// What becomes of it.
    pub fate: HandBackFate,
    /// Its name at the source; `None` where it has none, because its commits are there anyway or the host refuses them.
    pub at: Option<RefName>,
    /// Whether it stands there already.
    pub is_there: bool,
    /// How many commits it brings that the source does not have.
    #[ts(type = "number")]
    pub commits: u64,
    /// Why it is parked, where the host refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub refused: Option<String>,
}

/// What becomes of a ref of the standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum HandBackFate {
    /// The source has its commits.
    Contained,
    /// The source did not move it since: it goes forward there.
    FastForward,
    /// The source has no such name: it is made there.
    Create,
    /// Both sides moved it, it was rewritten, or the host refuses it: it comes under a name of its own, and branches with a
    /// pull request.
    Parked,
}

impl HandBackRef {
    /// Whether it has to be pushed.
    pub fn is_to_be_pushed(&self) -> bool {
        self.fate != HandBackFate::Contained && self.at.is_some() && !self.is_there
    }

    /// Whether the source does not take it under any name.
    pub(super) fn is_homeless(&self) -> bool {
        self.fate == HandBackFate::Parked && self.at.is_none()
    }
}

/// A variable that differs between both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandBackVariable {
    /// Its name.
    pub name: String,
    /// How it differs.
    pub state: HandBackVariableState,
}

/// How a variable differs between both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum HandBackVariableState {
    /// Another value on the standby.
    Differs,
    /// Only the standby has it.
    OnlyOnStandby,
    /// Only the source has it.
    OnlyAtSource,
}

/// A secret that was written on the standby since it was sent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandBackSecret {
    /// Its name.
    pub name: String,
    /// When it was written.
    #[ts(type = "string")]
    pub updated_iso: Timestamp,
    /// Whether it is one that was never sent there from here.
    pub is_new: bool,
}

/// What a hand-back did. Every commit of the standby is reachable at the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandedBack {
    /// What was brought, and what an earlier try had parked.
    pub refs: Vec<HandBackRef>,
    /// The pull requests of parked branches.
    pub pulls: Vec<HandBackPull>,
    /// What to know: pull requests that could not be made.
    pub notices: Vec<Notice>,
}

/// The pull request of a parked branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HandBackPull {
    /// The parked branch, in short.
    pub branch: String,
    /// The branch that it is to be merged into, in short.
    pub base: String,
    /// Its number.
    #[ts(type = "number")]
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Whether it was there already.
    pub was_there: bool,
}
