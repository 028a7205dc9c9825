//! What is shown of word that did not arrive.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::time;

/// Word that did not arrive where it was sent. Until the next that does, it stands in `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NotifyTrouble {
    /// The name of the place, or `ping_url`.
    pub name: String,
    /// When it last did not arrive.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// Why; never a token, and of an address only the host.
    pub error: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// How many messages wait to be sent again.
    #[ts(type = "number")]
    pub waiting: u64,
}
