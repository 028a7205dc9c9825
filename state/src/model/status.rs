//! What `status` shows and `mirror_status.json` holds. The field names are part of the wire format.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{
    Action, AspectStatus, ConsentQuestion, Health, MasterCause, MasterVerdict, MirrorId, MirrorStatus, MirrorType,
    NotifyTrouble, RepositoryId, Role, Standing, Verb, time,
};
use crate::error::{Error, advice};

/// One repository and its mirrors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RepositoryReport {
    /// The user's name of it.
    pub repository: RepositoryId,
    /// Whether syncs may run at all (`MIRROR_ENABLED`).
    pub enabled: bool,
    /// How the whole stands: the worst of what follows.
    pub standing: Standing,
    /// What waits for the owner's yes before anything of this repository is read or written; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub consent: Option<ConsentQuestion>,
    /// What is wrong with its configuration, where that stops it alone; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<Error>,
    /// The role of the source.
    pub self_role: Role,
    /// The current master: a slug, a URL without credentials, or a path.
    pub master: String,
    /// The highest epoch seen in the fences; `None` before the first sync.
    #[ts(type = "number | null")]
    pub epoch: Option<u64>,
    /// The last moment when all enabled mirrors were in step in all their aspects.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub last_full_sync_iso: Option<Timestamp>,
    /// The tip of the master's default branch that was seen last, whichever mirror was synced then.
    #[serde(default)]
    pub seen: Option<SeenTip>,
    /// A change that was begun and not ended, on this machine or another.
    pub open_change: Option<OpenChangeReport>,
    /// How the watched repository was at the last health check; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub master_health: Option<MasterHealth>,
    /// Word that did not arrive where it was sent; absent where all did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<NotifyTrouble>>")]
    pub notify: Vec<NotifyTrouble>,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<MirrorReport>,
}

/// A tip, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SeenTip {
    /// The commit.
    pub commit: String,
    /// When it was seen.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub at_iso: Timestamp,
}

impl SeenTip {
    /// Whether a mirror in step as `report` says was last in step with an older tip than this.
    pub fn overtakes(&self, report: &AspectReport) -> bool {
        let is_other = report.last_commit.as_ref().is_some_and(|commit| *commit != self.commit);
        is_other && report.last_sync_iso.is_some_and(|synced| synced < self.at_iso)
    }
}

/// How the watched repository is: the master or, while a standby stands in for it, the configured source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MasterHealth {
    /// `source`, or the mirror that is master.
    pub place: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// What the look at it says.
    pub verdict: MasterVerdict,
    /// Why, in one word; what was kept by an older version has none.
    #[serde(default)]
    pub cause: MasterCause,
    /// The verdict as the health of mirrors is told.
    pub health: Health,
    /// What was seen.
    pub detail: String,
    /// What to do; empty where there is nothing.
    pub hint: String,
    /// Since when each look has said the same.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub since_iso: Timestamp,
    /// When it was looked at.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub last_health_check_iso: Timestamp,
}

/// How the sentinel on a standby is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SentinelStatus {
    /// Whether it watches.
    pub health: Health,
    /// Why not, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub detail: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hint: Option<String>,
    /// The host's word for whether the workflow runs; `None` where it is not listed.
    pub workflow: Option<String>,
    /// When it last made a check.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub last_check_iso: Option<Timestamp>,
    /// What that check said.
    pub last_verdict: Option<String>,
    /// How many checks in a row failed; they count towards its threshold.
    #[ts(type = "number")]
    pub failures: u64,
    /// When it was looked at.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub looked_at_iso: Timestamp,
}

/// A change that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OpenChangeReport {
    /// What kind: `actions_off` while Actions are switched off around a push, `role_change` while the mastership moves.
    pub kind: String,
    /// The mirror that it is on.
    pub mirror: MirrorId,
    /// Who began it: the writer named in the fence.
    pub writer: String,
    /// When it began.
    #[serde(serialize_with = "time::seconds")]
    #[ts(type = "string")]
    pub since_iso: Timestamp,
    /// What it is and how it ends, for a person.
    pub detail: String,
    /// What goes on with it, or ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub action: Option<Action>,
}

/// One mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorReport {
    /// The user's name of it.
    pub id: MirrorId,
    /// Where it is: a slug, a URL without credentials, or a path.
    pub repo: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MirrorType,
    /// Its role; `None` for types that have none.
    pub role: Option<Role>,
    /// Whether this mirror is switched on.
    pub enabled: bool,
    /// How it stands.
    pub standing: Standing,
    /// The state of its last run, or `syncing` while one holds it.
    pub status: MirrorStatus,
    /// Branches and tags.
    pub code: AspectReport,
    /// Actions secrets.
    pub secrets: AspectReport,
    /// Actions variables.
    pub variables: AspectReport,
    /// Which workflows are enabled.
    pub workflows: AspectReport,
    /// What the last health check found.
    pub health: Health,
    /// Why, where it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub health_detail: Option<String>,
    /// When health was last checked.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub last_health_check_iso: Option<Timestamp>,
    /// How the sentinel there was at the last health check; absent before the first, and on what is no standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sentinel: Option<SentinelStatus>,
    /// When the schedule will sync it next; `None` without a schedule running.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub next_sync_iso: Option<Timestamp>,
    /// How long at most lies between two syncs of the schedule, where it is another time than the schedule's own.
    #[serde(skip)]
    pub longest_gap_seconds: Option<u64>,
    /// The error of the last run as a whole, where it ended before its aspects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<Error>,
    /// What only a mirror that pulls has.
    #[serde(default, flatten)]
    pub pulled: PulledReport,
}

/// The copy of an upstream; every field is absent from a mirror of another type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PulledReport {
    /// Whether it is one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub is_mirror: bool,
    /// The upstream: a slug, a URL without credentials, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mirror_url: Option<String>,
    /// The folder of the copy, which plain git can clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub path: Option<String>,
    /// When it was last in step with its upstream.
    #[serde(default, serialize_with = "time::optional_seconds", skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub last_synced_at: Option<Timestamp>,
    /// `idle`, `syncing`, `success`, `failed`, `blocked`: the same as `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sync_status: Option<MirrorStatus>,
    /// Why the last sync did not work, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sync_error: Option<String>,
    /// Time between two syncs, where it is another than the schedule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub sync_interval_seconds: Option<u64>,
}

/// The last result of one aspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AspectReport {
    /// The result.
    pub status: AspectStatus,
    /// When it was last brought, or found, in step.
    #[serde(serialize_with = "time::optional_seconds")]
    #[ts(type = "string | null")]
    pub last_sync_iso: Option<Timestamp>,
    /// When it was last tried, where that did not work: what is said beside it was so before.
    #[serde(default, serialize_with = "time::optional_seconds", skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub last_try_iso: Option<Timestamp>,
    /// Whether that was the source's or master's fault, which could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub at_source: bool,
    /// Figures for a person, such as `093f7683e987`, `3/3`, `1 active, 3 held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub detail: Option<String>,
    /// What went wrong or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hint: Option<String>,
    /// The same as something to click or to type, where it is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub action: Option<Box<Action>>,
    /// Code: the commit of the default branch on the mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_commit: Option<String>,
    /// Code: how many commits of the default branch the mirror lacks, as of the last look at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub behind: Option<u64>,
    /// Code: how many branches and tags stay apart from the source's because a person decided so (`leave`, `take`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub apart: Option<u64>,
    /// Secrets, variables: how many are in step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub synced_count: Option<u64>,
    /// Secrets, variables: how many there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub total: Option<u64>,
}

impl AspectReport {
    /// A report with a status and nothing else.
    pub fn new(status: AspectStatus) -> Self {
        Self {
            status,
            last_sync_iso: None,
            last_try_iso: None,
            at_source: false,
            detail: None,
            error: None,
            hint: None,
            action: None,
            last_commit: None,
            behind: None,
            apart: None,
            synced_count: None,
            total: None,
        }
    }

    /// A report of a failure, or of a wait for a decision.
    pub fn from_error(status: AspectStatus, error: &Error) -> Self {
        let (message, hint, action) = (error.message.clone(), error.hint.clone(), error.action.clone());
        Self { error: Some(message), hint: Some(hint), action, at_source: error.at_source, ..Self::new(status) }
    }

    /// The same report; where it waits for a decision about this mirror, that is what there is to do.
    #[must_use]
    pub fn about(mut self, mirror: &MirrorId) -> Self {
        if self.status == AspectStatus::Blocked {
            self.action.get_or_insert_with(|| Box::new(Action::new(Verb::Decide, Some(mirror))));
        }
        self
    }

    /// What to do about what went wrong, for a terminal.
    pub fn advice(&self) -> String {
        advice(self.hint.as_deref().unwrap_or_default(), self.action.as_deref())
    }

    /// What is known after this try at `now`, where `before` was known: a try that did not work takes nothing away of what
    /// was last known to be so.
    #[must_use]
    pub fn tried(self, now: Timestamp, before: Option<&Self>) -> Self {
        if self.status == AspectStatus::Ok {
            return Self { last_sync_iso: Some(now), last_try_iso: None, ..self };
        }
        let Some(before) = before else { return Self { last_try_iso: Some(now), ..self } };
        Self {
            last_sync_iso: before.last_sync_iso,
            last_try_iso: Some(now),
            detail: self.detail.or_else(|| before.detail.clone()),
            last_commit: self.last_commit.or_else(|| before.last_commit.clone()),
            // That it lacks nothing was so before this try; since then nobody knows.
            behind: self.behind.or(before.behind.filter(|behind| *behind > 0)),
            apart: self.apart.or(before.apart),
            synced_count: self.synced_count.or(before.synced_count),
            total: self.total.or(before.total),
            ..self
        }
    }
}
