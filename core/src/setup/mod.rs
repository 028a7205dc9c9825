//! A mirror that is added, changed or taken out: what is asked for, the edits that come of it, and what they would mean.
//!
//! Pure: it is given the configuration before and after, and texts that were read. The files are `standin_state`'s business, and
//! what stays at a mirror that goes is that of [`crate::leaving`].

mod look;
mod meaning;
mod resolve;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use standin_state::config::edit::{Change, Edit, Form, MirrorKey, RepositoryKey, Setting};
use standin_state::model::{MirrorId, MirrorType, RepositoryId};
use ts_rs::TS;

use crate::event::Notice;

pub use look::{FoundSource, MirrorLook, PlaceState, SourceLook, SourcePart};
pub(crate) use meaning::meaning;
pub(crate) use resolve::{Files, Resolved, resolve};

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorRequest {
    /// The repository: `None` is the one at hand, or the one that `source` makes.
    #[serde(default)]
    pub repository: Option<RepositoryId>,
    /// The file, where it is not the one in which it stands already, or `standin.toml`.
    #[serde(default)]
    pub form: Option<Form>,
    /// What becomes of it.
    pub change: MirrorChange,
}

/// What becomes of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "change", rename_all = "snake_case")]
#[ts(export)]
pub enum MirrorChange {
    /// One more.
    Add {
        /// The repository's source, where the repository is new or that is to be sure: `owner/name`, a URL or a path.
        #[serde(default)]
        source: Option<String>,
        /// A clone of it on this machine, for a repository that is new: values in its `.env` may travel then.
        #[serde(default)]
        clone: Option<PathBuf>,
        /// What it is called: `None` is a free name.
        #[serde(default)]
        mirror: Option<MirrorId>,
        /// What it is.
        kind: MirrorType,
        /// What is said of it.
        settings: Vec<Setting<MirrorKey>>,
    },
    /// Something of it is another.
    Edit {
        /// The mirror.
        mirror: MirrorId,
        /// What is said now.
        changes: Vec<Change<MirrorKey>>,
    },
    /// Something of its repository is another.
    EditRepository {
        /// What is said now.
        changes: Vec<Change<RepositoryKey>>,
    },
    /// It goes.
    Remove {
        /// The mirror.
        mirror: MirrorId,
    },
}

/// A change that is not written yet. It may be shown and sent: there is no token and no secret in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Draft {
    /// What was asked for.
    pub request: MirrorRequest,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: Option<MirrorId>,
    /// The file that would be written.
    pub file: PathBuf,
    /// How it is written.
    pub form: Form,
    /// The hash of what it says now; `None` where it is not there.
    pub before: Option<String>,
    /// The hash of what it would say.
    pub after: String,
    /// What that changes, as a unified difference; empty where it says so already.
    pub difference: String,
    /// The edits.
    pub edits: Vec<Edit>,
    /// What it would mean.
    pub notices: Vec<Notice>,
}

impl Draft {
    /// Whether the file says so already.
    pub fn is_as_it_was(&self) -> bool {
        self.before.as_ref() == Some(&self.after)
    }
}
