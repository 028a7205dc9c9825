//! What GitHub Actions keeps for a repository: secrets, variables, workflows, permission settings; runs are in `runs.rs`.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;

use crate::actions::Cron;
use crate::clock::Clock;

/// A secret, opened: the sandbox has the key that it was sealed for.
#[derive(Clone)]
pub struct Secret {
    /// Upper-case name.
    pub name: String,
    /// The value, as it was sealed.
    pub value: Vec<u8>,
    /// First written.
    pub created_at: Timestamp,
    /// Last written.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Upper-case name.
    pub name: String,
    /// Value.
    pub value: String,
    /// First written.
    pub created_at: Timestamp,
    /// Last written.
    pub updated_at: Timestamp,
}

/// Whether a workflow may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// It runs when its event happens.
    Active,
    /// Somebody switched it off.
    DisabledManually,
    /// The host switched it off for want of activity.
    DisabledInactivity,
}

impl WorkflowState {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::DisabledManually => "disabled_manually",
            Self::DisabledInactivity => "disabled_inactivity",
        }
    }
}

/// A workflow file that the host knows.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Stays the same for a path, also when the file goes and comes back.
    pub id: u64,
    /// `name:` of the file, else its path.
    pub name: String,
    /// Path in the repository.
    pub path: String,
    /// Whether it may run.
    pub state: WorkflowState,
    /// False while no branch has the file.
    pub present: bool,
    /// When it is listed.
    pub(crate) listed: ListedWhen,
    /// First seen.
    pub created_at: Timestamp,
    /// State or file last changed.
    pub updated_at: Timestamp,
    /// Its schedules, as the default branch has them.
    pub(crate) schedules: Vec<Cron>,
    /// Schedules up to here are over: they came, or could not.
    pub(crate) scheduled_until: Timestamp,
}

impl Workflow {
    /// Lets it run or not. What was due while it could not run is not made up for.
    pub(crate) fn set_state(&mut self, state: WorkflowState, clock: &Clock) {
        if self.state != WorkflowState::Active {
            self.scheduled_until = self.scheduled_until.max(clock.scheduled());
        }
        self.state = state;
        self.updated_at = clock.now();
    }

    /// True if it is called so: by its path or its file name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.path == name || self.path.rsplit('/').next() == Some(name)
    }

    /// True if lists and look-ups show it now.
    pub fn is_listed(&self) -> bool {
        self.present && self.listed.has_come()
    }
}

/// What still has to happen before a workflow is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedWhen {
    /// List calls that still do not show it.
    pub calls_left: u32,
    /// Moment from which on it may be shown.
    pub not_before: Instant,
    /// Waits until Actions are on.
    pub waits_for_actions: bool,
}

impl ListedWhen {
    pub(crate) fn has_come(&self) -> bool {
        self.calls_left == 0 && !self.waits_for_actions && Instant::now() >= self.not_before
    }
}

/// When the host lists workflow files that it sees for the first time. GitHub may take a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// List calls that do not show the new file yet.
    pub delay_calls: u32,
    /// Time in which the new file is not shown yet.
    pub delay: Duration,
    /// False: a file that comes while Actions are off is listed only after they were switched on.
    pub listed_while_actions_off: bool,
}

impl Default for Listing {
    fn default() -> Self {
        Self { delay_calls: 0, delay: Duration::ZERO, listed_while_actions_off: true }
    }
}

impl Listing {
    pub(crate) fn start(&self, actions_enabled: bool) -> ListedWhen {
        ListedWhen {
            calls_left: self.delay_calls,
            not_before: Instant::now() + self.delay,
            waits_for_actions: !actions_enabled && !self.listed_while_actions_off,
        }
    }
}

/// `actions/permissions` of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionsPermissions {
    /// Actions are on.
    pub enabled: bool,
    /// `all`, `local_only` or `selected`.
    pub allowed_actions: String,
    /// Actions must be named by full commit.
    pub sha_pinning_required: bool,
}

impl Default for ActionsPermissions {
    fn default() -> Self {
        Self { enabled: true, allowed_actions: "all".to_owned(), sha_pinning_required: false }
    }
}

/// `actions/permissions/selected-actions` of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectedActions {
    /// Actions of the host itself are allowed.
    pub github_owned_allowed: bool,
    /// Actions of verified creators are allowed.
    pub verified_allowed: bool,
    /// Further actions, such as `monalisa/octocat@*`.
    pub patterns_allowed: Vec<String>,
}

/// `actions/permissions/workflow` of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowPermissions {
    /// `read` or `write`.
    pub default_workflow_permissions: String,
    /// Workflows may approve pull requests.
    pub can_approve_pull_request_reviews: bool,
}

impl Default for WorkflowPermissions {
    fn default() -> Self {
        Self { default_workflow_permissions: "read".to_owned(), can_approve_pull_request_reviews: false }
    }
}
