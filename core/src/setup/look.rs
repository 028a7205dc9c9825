//! What is found by looking at what is about to be set up. Plain data; [`crate::engine`] looks.

use serde::{Deserialize, Serialize};
use standin_state::model::{Aspect, MirrorId, RepositoryId};
use ts_rs::TS;

use crate::Error;
use crate::event::Notice;
use crate::git::ssh::HostKey;
use crate::plan::Plan;
use crate::tokens::TokenReport;

/// A clone on this machine that could be looked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FoundSource {
    /// The source, as it is written: `owner/name`, a URL, or the folder itself.
    pub source: String,
    /// The folder of the clone.
    pub folder: String,
    /// The repository that it is configured as.
    pub repository: Option<RepositoryId>,
}

/// What is found at a source, with the token that would be used for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SourceLook {
    /// What the repository is called, or would be.
    pub repository: RepositoryId,
    /// The source, as it may be shown.
    pub source: String,
    /// Whether it is configured already.
    pub is_known: bool,
    /// Whether secrets, variables and workflows can be kept in step: it is on GitHub.
    pub is_github: bool,
    /// The token and what it may do; `None` where there is none, or none is needed.
    pub token: Option<TokenReport>,
    /// Whether only its collaborators see it; `None` where that is not known.
    pub is_private: Option<bool>,
    /// What there is, one part for each aspect that could be looked at.
    pub parts: Vec<SourcePart>,
    /// Why it cannot be read, where it cannot.
    pub error: Option<Error>,
}

/// What a source has of one aspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SourcePart {
    /// Of what.
    pub aspect: Aspect,
    /// How many there are.
    pub count: usize,
    /// Their names, in order: the first 200. Branches and tags for the code.
    pub names: Vec<String>,
    /// Those of them of which nothing here knows the value: a secret cannot be read from its host.
    pub without_value: Vec<String>,
    /// Why this could not be read.
    pub error: Option<Error>,
}

/// What there is in the place where a mirror is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum PlaceState {
    /// Nothing: it can be made.
    Absent,
    /// A repository without a branch and without a tag.
    Empty,
    /// A repository with something in it.
    Filled,
    /// That could not be seen.
    Unseen,
}

/// What is found in the place where a mirror is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorLook {
    /// What the mirror would be called.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// What there is.
    pub state: PlaceState,
    /// Whether only its collaborators see it; `None` where that is not known.
    pub is_private: Option<bool>,
    /// The account that the token stands for.
    pub login: Option<String>,
    /// Whether that token is the one that gh is signed in with.
    pub is_of_gh: bool,
    /// The ssh host key that the host shows and that is not accepted yet.
    pub host_key: Option<HostKey>,
    /// What the first sync would do, where there is something already.
    pub plan: Option<Plan>,
    /// What should be known of the place.
    pub notices: Vec<Notice>,
    /// Why it cannot be looked at, where it cannot.
    pub error: Option<Error>,
}
