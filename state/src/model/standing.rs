//! How a mirror or repository stands: computed once, shown by every face.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{MirrorId, StandingWord, Tone, Verb, time};

/// How a mirror or repository stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Standing {
    /// The state.
    pub word: StandingWord,
    /// How much it needs a person.
    pub tone: Tone,
    /// The state for a person, in two or three words.
    pub label: String,
    /// Why, in a sentence or two; empty where the label says all.
    pub reason: String,
    /// Since when it is so, where that is known.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub since_iso: Option<Timestamp>,
    /// What to do about it, the best first.
    pub actions: Vec<Action>,
}

/// What a person can do: a command for a terminal, a button for a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Action {
    /// What it is.
    pub verb: Verb,
    /// The mirror that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mirror: Option<MirrorId>,
    /// The words on a button.
    pub label: String,
    /// The same as typed in a terminal.
    pub command: String,
}

impl Action {
    /// What to do, about one mirror or about the repository.
    pub fn new(verb: Verb, mirror: Option<&MirrorId>) -> Self {
        let id = mirror.map_or("MIRROR", MirrorId::as_str);
        let place = mirror.map_or("source", MirrorId::as_str);
        let of_mirror = mirror.map_or_else(String::new, |id| format!(" --mirror {id}"));
        let (label, command) = match verb {
            Verb::Allow => ("Look at it and allow it".to_owned(), "standin allow".to_owned()),
            Verb::Sync => ("Sync now".to_owned(), format!("standin sync{of_mirror}")),
            Verb::Decide => ("Decide".to_owned(), format!("standin plan{of_mirror}")),
            Verb::Health => ("Check health".to_owned(), "standin health".to_owned()),
            Verb::SetToken => (format!("Store the token of {place}"), format!("standin token set {place}")),
            Verb::Test => ("Try it, and see the host's key".to_owned(), format!("standin mirror test {id}")),
            Verb::Promote => (format!("Make {id} the master"), format!("standin promote {id}")),
            Verb::Demote => (format!("Hand back from {id}"), format!("standin demote {id}")),
            Verb::SayGone => ("Say that it is gone".to_owned(), format!("standin promote {id} --gone")),
            Verb::Resume => ("Go on with the change".to_owned(), format!("standin promote {id} --resume")),
            Verb::InstallSentinel => ("Install the sentinel".to_owned(), "standin sentinel install".to_owned()),
        };
        Self { verb, mirror: mirror.cloned(), label, command }
    }
}
