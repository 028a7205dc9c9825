//! A mirror that is taken out of the configuration: what of Standin stays at it and here, and the cleaning of that, piece by
//! piece, each by a person's word.
//!
//! The code there, and tips that were saved here, are never touched. [`here`] asks nobody; [`there`] reads the mirror;
//! [`clean_there`] changes it.

mod clean;
mod here;
mod there;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, RepositoryId};
use ts_rs::TS;

use crate::Error;

pub(crate) use clean::clean_there;
pub(crate) use here::{Here, here};
pub(crate) use there::there;

/// All that stays of Standin when a mirror goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Leaving {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// What stays, at the mirror first.
    pub left: Vec<Left>,
    /// Why the mirror could not be looked at, where it could not: there may be more then.
    pub unseen: Option<Error>,
}

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Left {
    /// What it is.
    pub what: LeftKind,
    /// What was found.
    pub detail: String,
    /// Who may clean it away.
    pub cleaning: Cleaning,
    /// What leaving it means, or how it goes.
    pub hint: String,
}

/// Who may clean something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Cleaning {
    /// Standin, with all that can be cleaned.
    Offered,
    /// Standin, where it is named: something begins to run, or is not found again.
    Named,
    /// Its owner alone, by hand.
    ByHand,
}

/// What may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum LeftKind {
    /// Workflows that Standin switched off there.
    Workflows,
    /// The secrets and the state of the sentinel.
    Sentinel,
    /// `MIRROR_ROLE`.
    Role,
    /// `refs/standin/fence`.
    Fence,
    /// Branches, tags, secrets and variables that were brought there; the sentinel's file is one of the files.
    Contents,
    /// The folder of a copy.
    Copy,
    /// The token in the keychain.
    Token,
    /// That values in the vault may go there.
    Values,
    /// What is remembered of it: what was sent, decided and found.
    Memory,
    /// Tips that were saved before they were moved.
    Rescues,
}

impl LeftKind {
    /// Each, in the order in which they are cleaned.
    pub const ALL: [Self; 10] = [
        Self::Workflows,
        Self::Sentinel,
        Self::Role,
        Self::Fence,
        Self::Contents,
        Self::Copy,
        Self::Token,
        Self::Values,
        Self::Memory,
        Self::Rescues,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::Sentinel => "sentinel",
            Self::Role => "role",
            Self::Fence => "fence",
            Self::Contents => "contents",
            Self::Copy => "copy",
            Self::Token => "token",
            Self::Values => "values",
            Self::Memory => "memory",
            Self::Rescues => "rescues",
        }
    }

    /// Whether it is at the mirror, and not on this machine.
    pub fn is_there(self) -> bool {
        match self {
            Self::Workflows | Self::Sentinel | Self::Role | Self::Fence | Self::Contents => true,
            Self::Copy | Self::Token | Self::Values | Self::Memory | Self::Rescues => false,
        }
    }
}

impl fmt::Display for LeftKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for LeftKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!("`{text}` is nothing that is cleaned: workflows, sentinel, role, fence, token, values, memory")
        })
    }
}

impl Leaving {
    /// What is cleaned where nobody names anything.
    pub fn offered(&self) -> impl Iterator<Item = LeftKind> {
        self.left.iter().filter(|left| left.cleaning == Cleaning::Offered).map(|left| left.what)
    }
}
