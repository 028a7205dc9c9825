//! What a row means.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::Error;
use crate::model::{AskId, Aspect, JobId, MirrorId, Oid, RefName, RepositoryId, RunId, RunStatus, Trigger, time};

/// One change of one aspect, planned or made. Never holds the value of a secret or variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Change {
    /// What it belongs to.
    pub aspect: Aspect,
    /// What happens.
    pub action: ChangeAction,
    /// What it happens to: a ref, a secret's or variable's name, a workflow file.
    pub name: String,
    /// Code: the tip before. Workflows: the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub before: Option<String>,
    /// Code: the tip after. Workflows: the state after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub after: Option<String>,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ChangeAction {
    /// A ref, secret or variable that was not there.
    Create,
    /// A ref whose new tip contains the old one.
    FastForward,
    /// A ref whose new tip does not contain the old one; rescued first.
    Rewrite,
    /// A ref that is gone at the source; rescued first.
    Delete,
    /// A secret or variable with another value.
    Update,
    /// A workflow switched off because the mirror is a standby.
    Hold,
    /// A workflow switched on.
    Release,
    /// The default branch set as at the source.
    DefaultBranch,
    /// Actions switched off around a push.
    ActionsOff,
    /// Actions settings restored.
    ActionsRestored,
    /// The fence moved.
    Fence,
}

impl ChangeAction {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::Create,
        Self::FastForward,
        Self::Rewrite,
        Self::Delete,
        Self::Update,
        Self::Hold,
        Self::Release,
        Self::DefaultBranch,
        Self::ActionsOff,
        Self::ActionsRestored,
        Self::Fence,
    ];

    /// What it does and what it did, for a person; `{}` stands for what is changed.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("create {}", "created {}"),
            Self::FastForward => ("fast-forward {}", "fast-forwarded {}"),
            Self::Rewrite => ("rewrite {}", "rewrote {}"),
            Self::Delete => ("delete {}", "deleted {}"),
            Self::Update => ("update {}", "updated {}"),
            Self::Hold => ("hold {}", "held {}"),
            Self::Release => ("release {}", "released {}"),
            Self::DefaultBranch => ("make {} the default branch", "made {} the default branch"),
            Self::ActionsOff => ("switch Actions off around the push", "switched Actions off around the push"),
            Self::ActionsRestored => ("restore the Actions settings", "restored the Actions settings"),
            Self::Fence => ("move the fence", "moved the fence"),
        }
    }
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[ts(export)]
pub enum ChangeOutcome {
    /// Made, and known to be made.
    Done,
    /// Refused or failed.
    Failed {
        /// Why, and what to do.
        error: Error,
    },
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunTotals {
    /// Changes made.
    #[ts(type = "number")]
    pub changes: u64,
    /// REST requests sent by Standin itself.
    #[ts(type = "number")]
    pub api_requests: u64,
    /// Calls of the gh program.
    #[ts(type = "number")]
    pub gh_calls: u64,
    /// Calls of the git program that talked to a remote.
    #[ts(type = "number")]
    pub git_calls: u64,
    /// Bytes of packs sent, as git reports them.
    #[ts(type = "number")]
    pub bytes_sent: u64,
    /// Bytes of packs received, as git reports them.
    #[ts(type = "number")]
    pub bytes_received: u64,
}

/// The runs of one mirror that one kind of trigger set off and that ended in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCount {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What set them off.
    pub trigger: Trigger,
    /// How they ended.
    pub status: RunStatus,
    /// How many they are.
    pub runs: u64,
    /// REST requests that they sent.
    pub api_requests: u64,
    /// Bytes of packs that they sent.
    pub bytes_sent: u64,
    /// Bytes of packs that they received.
    pub bytes_received: u64,
}

/// One run of one mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The job that it was part of, with the runs of other mirrors; `None` for one from before that was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub job: Option<JobId>,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What set it off.
    pub trigger: Trigger,
    /// How it ended.
    pub status: RunStatus,
    /// When it began.
    #[serde(serialize_with = "time::milliseconds")]
    #[ts(type = "string")]
    pub started_iso: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "time::optional_milliseconds")]
    #[ts(type = "string | null")]
    pub finished_iso: Option<Timestamp>,
    /// Why it failed as a whole, where it did.
    pub error: Option<Error>,
    /// What it cost.
    pub totals: RunTotals,
    /// Its changes with their outcomes and times, in order; empty in listings that do not ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RecordedChange>,
}

/// A change as it stands in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RecordedChange {
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: ChangeOutcome,
    /// When.
    #[serde(serialize_with = "time::milliseconds")]
    #[ts(type = "string")]
    pub at_iso: Timestamp,
}

/// Which runs to list; `None` is all. Newest first.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only of this repository.
    pub repository: Option<RepositoryId>,
    /// Only of this mirror.
    pub mirror: Option<MirrorId>,
    /// Only in this state.
    pub status: Option<RunStatus>,
    /// Only those that this set off.
    pub trigger: Option<Trigger>,
    /// Only those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that began before this time.
    pub until: Option<Timestamp>,
    /// Only those whose error, or the name of a change, has this in it; `a` to `z` in either case.
    pub text: Option<String>,
    /// So many of the changes of each, the first of them.
    pub changes: usize,
    /// At most so many; 0 is no limit.
    pub limit: usize,
}

/// One line of the audit trail. The trail is append-only; the database itself refuses changes to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AuditEntry {
    /// When.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// Who: `user@host` and the face (`cli`, `desktop`, `schedule`).
    pub actor: String,
    /// What: `sync`, `resolve`, `rescue_restore`, `token_set`, …
    pub action: String,
    /// On which repository.
    pub repository: Option<RepositoryId>,
    /// On which mirror.
    pub mirror: Option<MirrorId>,
    /// What exactly, for a person.
    pub detail: String,
    /// `ok`, or the error's message.
    pub outcome: String,
}

/// The last fence that we saw on a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceMemory {
    /// Its commit.
    pub oid: Oid,
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Its `fence.json`.
    pub document: String,
}

/// A secret that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSecret {
    /// Keyed hash of the value; hexadecimal.
    pub fingerprint: String,
    /// `updated_at` that the host showed after we sent it; another value means that somebody else wrote it.
    pub remote_updated_at: Option<Timestamp>,
}

/// A tip that was saved before it was moved or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Rescue {
    /// Its id, as `standin rescue` takes it.
    pub id: String,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror that held it.
    pub mirror: MirrorId,
    /// Where that was; absent for one that was saved before this was remembered, or that is of a former master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub target: Option<String>,
    /// The ref that pointed to it.
    pub ref_name: RefName,
    /// The tip.
    pub oid: Oid,
    /// Why it was saved.
    pub reason: RescueReason,
    /// When.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub created_iso: Timestamp,
    /// The run that saved it.
    pub run: Option<RunId>,
}

/// Why a tip was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RescueReason {
    /// The source rewrote it.
    Rewrite,
    /// The source deleted it.
    Delete,
    /// The user chose `overwrite` for a diverged ref.
    Overwrite,
    /// The user chose `take` for a diverged ref.
    Take,
    /// Another repository became master and did not have it when it was last read there.
    Turned,
}

/// A user's answer to something that a plan asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Decision {
    /// What was asked: of a ref that diverged, its full name.
    pub ask: AskId,
    /// What was seen when the choice was made: of a ref, its tip on the mirror. Once it is another, it needs a new choice.
    pub seen: String,
    /// The choice.
    pub choice: DecisionChoice,
    /// When.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub decided_iso: Timestamp,
}

/// What to do with a diverged ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum DecisionChoice {
    /// Rescue the mirror's tip, then put the source's there.
    Overwrite,
    /// Bring the mirror's tip to the source as branch `rescue/<mirror>/<ref>`.
    Take,
    /// Leave that tip as it is until it moves again.
    Leave,
}

/// A workflow on a standby that Standin switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldWorkflow {
    /// The file, such as `.github/workflows/cron.yml`.
    pub path: String,
    /// Its state before, as GitHub names it.
    pub state_before: String,
}

/// What an open journal entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// Actions are (about to be) switched off on a mirror; the payload holds the settings to restore.
    ActionsOff,
    /// The mastership moves; the payload is the role change as far as it has come.
    RoleChange,
}

/// Something begun that must be ended, whatever happens in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Row id.
    pub id: i64,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What it is about.
    pub kind: JournalKind,
    /// What is needed to end it, as JSON.
    pub payload: serde_json::Value,
    /// When it was opened.
    pub opened_at: Timestamp,
}
