//! How the window's program comes by newer versions of itself: `[updates]`.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::file::Fields;
use super::mistakes::{Complaint, Mistakes, shown};

/// How the window's program comes by newer versions of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updates {
    /// Whether it looks for them by itself, once a day (`[updates] check`). It takes none without being told to.
    pub check: bool,
    /// Which versions it follows (`[updates] channel`).
    pub channel: Channel,
}

impl Default for Updates {
    fn default() -> Self {
        Self { check: true, channel: Channel::Stable }
    }
}

/// A line of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Channel {
    /// What was released.
    Stable,
    /// What is tried before its release.
    Beta,
}

impl fmt::Display for Channel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        })
    }
}

/// `[updates]`.
pub(super) fn read(mut fields: Fields, mistakes: &mut Mistakes) -> Updates {
    let usual = Updates::default();
    let check = fields.yes_or_no("check", mistakes).map_or(usual.check, |given| given.value);
    let channel = fields.text("channel", mistakes, channel).map_or(usual.channel, |given| given.value);
    fields.finish(mistakes);
    Updates { check, channel }
}

fn channel(text: &str) -> Result<Channel, Complaint> {
    match text {
        "stable" => Ok(Channel::Stable),
        "beta" => Ok(Channel::Beta),
        _ => Err(Complaint::new(
            format!("{} is no line of versions", shown(text)),
            "Write `stable`, or `beta` for what is tried before its release.",
        )),
    }
}
