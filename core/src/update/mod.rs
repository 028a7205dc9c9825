//! Newer versions of the program itself: looked for, judged, brought and put in place.
//!
//! | file | what lives there |
//! |---|---|
//! | [`manifest`] | the pure part: what is signed says what there is, and whether this program may take it |
//! | [`fetch`] | the small file that says so, and the large one, brought within bounds |
//! | [`owner`] | who looks after this program: itself, or the system's package manager, which is never got in the way of |
//!
//! **What is believed.** A server is believed nothing, and neither is whoever is on the way: the manifest is signed, and names the
//! channel, the version, and the size and SHA-256 of each file. So an old file under a new number, one of another channel, a
//! flipped byte and a cut download are all refused. The key is built into the program.

pub mod fetch;
pub mod manifest;
pub mod owner;
#[cfg(all(test, unix))]
mod tests;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use fetch::{bring, look, put_in_place};
pub use manifest::{Offer, judge};
pub use owner::Owner;
pub use standin_state::config::Channel;

/// Where newer versions are looked for, and whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The folder of the manifests, as a URL that ends with `/`.
    pub folder: String,
    /// The public key, as minisign writes it: one line of base64.
    pub key: String,
}

impl Publisher {
    /// The one that was built in by `STANDIN_UPDATE_FOLDER` and `STANDIN_UPDATE_KEY`; `None` in a program that was built without.
    pub fn built_in() -> Option<Self> {
        let (folder, key) = (option_env!("STANDIN_UPDATE_FOLDER")?, option_env!("STANDIN_UPDATE_KEY")?);
        // A build that was given nothing for them.
        (!folder.is_empty() && !key.is_empty()).then(|| Self { folder: folder.to_owned(), key: key.to_owned() })
    }
}

/// How this program comes by a newer version of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Updates {
    /// This version.
    pub version: String,
    /// Which versions are followed.
    pub channel: Channel,
    /// Whether it is looked for by itself, once a day.
    pub check: bool,
    /// Who looks after this program.
    pub owner: Owner,
    /// What to do for a newer version, where this program does not do it.
    pub advice: Option<String>,
}

/// What newer versions for this system are called in a manifest.
pub fn target() -> String {
    match std::env::consts::OS {
        // One image for both processors.
        "macos" => "macos".to_owned(),
        system => format!("{system}-{}", std::env::consts::ARCH),
    }
}
