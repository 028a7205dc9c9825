//! What is remembered between two looks: what was told, and what is so without having been told yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::{MasterVerdict, MirrorId};

/// What was told of a repository. Kept as JSON: what another version wrote in another shape is read as far as it goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// When it was last looked at.
    pub(super) looked: Option<Timestamp>,
    /// When word was last sent.
    pub(super) sent: Option<Timestamp>,
    /// What was told of the master.
    pub(super) master: MasterTold,
    /// The epoch and the master that were told, or were so at the first look.
    pub(super) mastership: Option<Mastership>,
    /// What is so of mirrors, or of the whole where there is no mirror in the key.
    pub(super) states: BTreeMap<String, State>,
    /// What was told of tokens, by place.
    pub(super) tokens: BTreeMap<String, TokenTold>,
}

/// What was told of the master.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MasterTold {
    /// Which place that is.
    pub(super) place: Option<MirrorId>,
    /// How many looks in a row said that it is not well; one that could not tell neither counts nor ends the row.
    pub(super) looks: u32,
    /// The look that was counted last.
    pub(super) last: Option<Timestamp>,
    /// The worst that was told; `None` while nothing was.
    pub(super) told: Option<MasterVerdict>,
}

/// Who is master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Mastership {
    pub(super) epoch: u64,
    pub(super) master: String,
}

/// Something that is so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Since when, as far as looks have shown.
    pub(super) since: Timestamp,
    /// How many looks showed it.
    pub(super) looks: u32,
    /// The moment of what the last of them was made from.
    pub(super) last: Option<Timestamp>,
    /// When it was last told.
    pub(super) told: Option<Timestamp>,
}

/// What was told of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TokenTold {
    /// When the token ends; another end is another token.
    pub(super) end: Timestamp,
    /// The last of 14, 3 and 1 days that was told.
    pub(super) days: i64,
}

impl Told {
    /// What was written down; nothing where that cannot be read.
    pub(crate) fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_of_the_memory_is_begun_anew() {
        assert_eq!(Told::read(Some("{")), Told::default());
        let later = Told::read(Some(r#"{"sent": "2026-03-02T12:00:00Z", "later": 1}"#));
        assert_eq!(later.sent, "2026-03-02T12:00:00Z".parse().ok());
    }
}
