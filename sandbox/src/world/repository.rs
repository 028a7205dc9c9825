//! A repository and its settings; its objects and refs are in the bare git repository at `path`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crypto_box::SecretKey;
use jiff::Timestamp;
use serde::Deserialize;

use super::account::Role;
use super::actions::{ActionsPermissions, Listing, Secret, SelectedActions, Variable, Workflow, WorkflowPermissions};
use super::refusal::{PushLimits, PushRefusal};
use super::runs::{Execute, Run};
use crate::clock::Clock;

/// What a new repository shall be.
#[derive(Debug, Clone)]
pub struct RepositorySpec {
    /// Only its owner, its collaborators and its organization's members see it.
    pub private: bool,
    /// Name of the default branch; it has no commit yet.
    pub default_branch: String,
}

impl Default for RepositorySpec {
    fn default() -> Self {
        Self { private: true, default_branch: "main".to_owned() }
    }
}

/// Whether the host serves a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryState {
    /// It does.
    Live,
    /// Blocked by the host's staff: 403.
    Blocked,
    /// Taken down for legal reasons: 451.
    TakenDown,
    /// The owner's account was suspended: as if it did not exist, 404.
    Hidden,
}

/// What a protected branch refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Force pushes and deletion.
    NoRewrite,
    /// Every push: changes come by pull request.
    PullRequestOnly,
}

/// A pull request; its head is also `refs/pull/<number>/head`.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Number of the pull request across the host.
    pub id: u64,
    /// Number within the repository.
    pub number: u64,
    /// Title.
    pub title: String,
    /// Description.
    pub body: Option<String>,
    /// Branch that has the changes.
    pub head_ref: String,
    /// Commit of the head when it was opened.
    pub head_sha: String,
    /// Branch that shall get them.
    pub base_ref: String,
    /// Commit of the base when it was opened.
    pub base_sha: String,
    /// Login of the author.
    pub author: String,
    /// `open` or `closed`.
    pub open: bool,
    /// A draft cannot be merged.
    pub draft: bool,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// An issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Number of the issue across the host.
    pub id: u64,
    /// Number within the repository; pull requests count with them.
    pub number: u64,
    /// Title.
    pub title: String,
    /// Description.
    pub body: Option<String>,
    /// Login of the author.
    pub author: String,
    /// Not closed.
    pub open: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Number of the repository; it survives renames.
    pub id: u64,
    /// Login of the owner.
    pub owner: String,
    /// Name.
    pub name: String,
    /// The bare git repository.
    pub path: PathBuf,
    /// Seen by its collaborators alone.
    pub private: bool,
    /// One line about it.
    pub description: Option<String>,
    /// Default branch; `HEAD` on disk says the same.
    pub default_branch: String,
    /// Read-only.
    pub archived: bool,
    /// Whether the host serves it.
    pub state: RepositoryState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
    /// When its refs last changed.
    pub pushed_at: Timestamp,
    /// Other accounts and what they may do, by lower-case login.
    pub collaborators: BTreeMap<String, Role>,
    /// Protected branches: glob over branch names, and what is refused.
    pub protections: Vec<(String, Protection)>,
    /// Refusals of the test's choice.
    pub refusals: Vec<PushRefusal>,
    /// How much one push may bring.
    pub push_limits: PushLimits,
    /// The key that secrets are sealed for.
    pub sealing_key: SecretKey,
    /// Name of the key.
    pub sealing_key_id: String,
    /// Secrets by upper-case name.
    pub secrets: BTreeMap<String, Secret>,
    /// Variables by upper-case name.
    pub variables: BTreeMap<String, Variable>,
    /// Workflows by path; their ids never change.
    pub workflows: BTreeMap<String, Workflow>,
    /// Runs, oldest first.
    pub runs: Vec<Run>,
    /// Pull requests, oldest first.
    pub pulls: Vec<PullRequest>,
    /// Issues, oldest first.
    pub issues: Vec<Issue>,
    /// Whether Actions are on, and for which actions.
    pub permissions: ActionsPermissions,
    /// Which actions `selected` means.
    pub selected_actions: SelectedActions,
    /// What the workflows' own token may do.
    pub workflow_permissions: WorkflowPermissions,
    /// When new workflow files are listed.
    pub listing: Listing,
    /// Which workflows are carried out, not only counted.
    pub execute: Execute,
    /// So many schedules that fall due are dropped.
    pub schedule_misses: u32,
    /// So late schedules come.
    pub schedule_delay: Duration,
    /// Held while workflow files are read from git and written here, so that two pushes do not mix; never across an await.
    pub workflow_scan: Arc<Mutex<()>>,
}

impl Repository {
    /// An empty repository whose bare git repository is at `path`.
    pub(crate) fn new(id: u64, owner: &str, name: &str, path: PathBuf, spec: RepositorySpec, now: Timestamp) -> Self {
        Self {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            path,
            private: spec.private,
            description: None,
            default_branch: spec.default_branch,
            archived: false,
            state: RepositoryState::Live,
            created_at: now,
            updated_at: now,
            pushed_at: now,
            collaborators: BTreeMap::new(),
            protections: Vec::new(),
            refusals: Vec::new(),
            push_limits: PushLimits::default(),
            sealing_key: SecretKey::generate(&mut crypto_box::aead::OsRng),
            sealing_key_id: format!("5680{:014}", id),
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            workflows: BTreeMap::new(),
            runs: Vec::new(),
            pulls: Vec::new(),
            issues: Vec::new(),
            permissions: ActionsPermissions::default(),
            selected_actions: SelectedActions::default(),
            workflow_permissions: WorkflowPermissions::default(),
            listing: Listing::default(),
            execute: Execute::None,
            schedule_misses: 0,
            schedule_delay: Duration::ZERO,
            workflow_scan: Arc::default(),
        }
    }

    /// `owner/name`.
    pub fn slug(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Actions were switched on: files that waited for it may be listed.
    pub(crate) fn actions_switched_on(&mut self, clock: &Clock) {
        for workflow in self.workflows.values_mut() {
            if !self.permissions.enabled {
                workflow.scheduled_until = workflow.scheduled_until.max(clock.scheduled());
            }
            workflow.listed.waits_for_actions = false;
        }
    }

    /// The run with this number.
    pub(crate) fn run_mut(&mut self, id: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    /// The number of the next issue or pull request.
    pub(crate) fn next_number(&self) -> u64 {
        (self.pulls.len() + self.issues.len()) as u64 + 1
    }

    /// A list of workflows was given: files that wait for so many lists wait for one less.
    pub(crate) fn count_listing(&mut self) {
        for workflow in self.workflows.values_mut().filter(|workflow| workflow.present) {
            workflow.listed.calls_left = workflow.listed.calls_left.saturating_sub(1);
        }
    }
}
