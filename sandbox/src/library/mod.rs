//! What tests, the demo and drills do to the world without asking over HTTP, and what they look at.

mod actions;
mod snapshot;

pub(crate) use actions::{dispatch, wait_for_runs};
pub use snapshot::Snapshot;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::faults::{Fault, FaultId};
use crate::options::SandboxError;
use crate::pushed;
use crate::sandbox::Sandbox;
use crate::traffic::{Exchange, RequestRecord};
use crate::world::{
    AccountKind, ActionsPermissions, Issue, Listing, Protection, PushLimits, PushRefusal, Repository, RepositorySpec,
    RepositoryState, Role, Run, Secret, SelectedActions, TokenSpec, Variable, WorkflowPermissions, WorkflowState,
};

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// Upper-case name.
    pub name: String,
    /// First written.
    pub created_at: Timestamp,
    /// Last written.
    pub updated_at: Timestamp,
}

/// A workflow that the host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowEntry {
    /// Its number.
    pub id: u64,
    /// `name:` of the file, else its path.
    pub name: String,
    /// Path in the repository.
    pub path: String,
    /// Whether it may run.
    pub state: WorkflowState,
    /// Whether REST shows it now; see [`Listing`].
    pub listed: bool,
}

/// Accounts and tokens.
impl Sandbox {
    /// Makes a user; one that exists stays as it is.
    pub fn create_account(&self, login: &str) {
        self.shared().world().create_account(login, AccountKind::User);
    }

    /// Makes an organization and adds `member` with this role in all its repositories.
    pub fn create_organization(&self, login: &str, member: &str, role: Role) {
        let mut world = self.shared().world();
        world.create_account(login, AccountKind::Organization).members.insert(member.to_lowercase(), role);
    }

    /// Suspends an account or takes it back; false if there is no such account.
    pub fn set_account_suspended(&self, login: &str, suspended: bool) -> bool {
        match self.shared().world().account_mut(login) {
            Some(account) => {
                account.suspended = suspended;
                true
            }
            None => false,
        }
    }

    /// Issues a token of this account (which is made if need be) and gives its value.
    pub fn create_token(&self, login: &str, spec: TokenSpec) -> String {
        let mut world = self.shared().world();
        world.create_account(login, AccountKind::User);
        world.create_token(login, spec)
    }

    /// Revokes a token; true if there was one.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.shared().world().revoke_token(token)
    }

    /// Sets how many requests of this hour the account has used already.
    pub fn set_rate_limit_used(&self, login: &str, used: u64) {
        let id = self.shared().world().account(login).map(|account| account.id);
        if let Some(id) = id {
            self.shared().limits.set_used(id, used, self.shared().now());
        }
    }
}

/// Repositories.
impl Sandbox {
    /// Makes an empty repository.
    ///
    /// # Errors
    /// When the owner is unknown, the name is taken or not allowed, or the disk refuses.
    pub async fn create_repository(&self, owner: &str, name: &str, spec: RepositorySpec) -> Result<(), SandboxError> {
        let shared = std::sync::Arc::clone(self.shared());
        let (owner, name) = (owner.to_owned(), name.to_owned());
        tokio::task::spawn_blocking(move || shared.create_repository(&owner, &name, spec))
            .await
            .map_err(|_| SandboxError::Stopped)?
            .map(drop)
    }

    /// As [`Sandbox::create_repository`], for those without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn create_repository_blocking(
        &self,
        owner: &str,
        name: &str,
        spec: RepositorySpec,
    ) -> Result<(), SandboxError> {
        self.shared().create_repository(owner, name, spec).map(drop)
    }

    /// Deletes a repository; false if there is none.
    pub fn delete_repository(&self, owner: &str, name: &str) -> bool {
        let Some(id) = self.look(owner, name, |repository| repository.id) else {
            return false;
        };
        self.shared().delete_repository(id);
        true
    }

    /// Folder of the bare git repository; `None` if there is no such repository. What is written there with git
    /// directly sets nothing off: call [`Sandbox::refresh_workflows`] after.
    pub fn find_repository_path(&self, owner: &str, name: &str) -> Option<PathBuf> {
        self.look(owner, name, |repository| repository.path.clone())
    }

    /// As [`Sandbox::find_repository_path`]; a path where nothing is if there is no such repository.
    pub fn repository_path(&self, owner: &str, name: &str) -> PathBuf {
        self.find_repository_path(owner, name)
            .unwrap_or_else(|| self.shared().repositories_dir.join("no-such-repository"))
    }

    /// Number of the repository, as in REST; another one after it was deleted and made again.
    pub fn repository_id(&self, owner: &str, name: &str) -> Option<u64> {
        self.look(owner, name, |repository| repository.id)
    }

    /// Reads the workflow files of the default branch again, after git was used on the folder directly.
    ///
    /// # Errors
    /// When there is no such repository or it cannot be read.
    pub fn refresh_workflows(&self, owner: &str, name: &str) -> Result<(), SandboxError> {
        let slug = format!("{owner}/{name}");
        let (id, path) = self
            .look(owner, name, |repository| (repository.id, repository.path.clone()))
            .ok_or_else(|| SandboxError::NoRepository(slug.clone()))?;
        crate::git::open(&path)
            .and_then(|git| pushed::scan_workflows(self.shared(), id, &git))
            .map_err(|source| SandboxError::Repository { repository: slug, source })
    }

    /// Renames a repository; its old name redirects. False if there is none or the new name is taken.
    pub fn rename_repository(&self, owner: &str, name: &str, new_name: &str) -> bool {
        self.transfer_repository(owner, name, owner, new_name)
    }

    /// Gives a repository to another owner; its old name redirects.
    pub fn transfer_repository(&self, owner: &str, name: &str, to: &str, new_name: &str) -> bool {
        let Some(id) = self.look(owner, name, |repository| repository.id) else {
            return false;
        };
        self.shared().world().move_repository(id, to, new_name)
    }

    /// Archives a repository or takes it out of the archive.
    pub fn set_archived(&self, owner: &str, name: &str, archived: bool) -> bool {
        self.alter(owner, name, |repository| repository.archived = archived)
    }

    /// Makes a repository private or public.
    pub fn set_private(&self, owner: &str, name: &str, private: bool) -> bool {
        self.alter(owner, name, |repository| repository.private = private)
    }

    /// Blocks a repository, takes it down, hides it, or serves it again.
    pub fn set_repository_state(&self, owner: &str, name: &str, state: RepositoryState) -> bool {
        self.alter(owner, name, |repository| repository.state = state)
    }

    /// Lets another account do in a repository what this role may.
    pub fn add_collaborator(&self, owner: &str, name: &str, login: &str, role: Role) -> bool {
        self.alter(owner, name, |repository| {
            repository.collaborators.insert(login.to_lowercase(), role);
        })
    }

    /// Protects the branches whose names match this glob.
    pub fn protect_branch(&self, owner: &str, name: &str, pattern: &str, protection: Protection) -> bool {
        self.alter(owner, name, |repository| {
            repository.protections.push((pattern.to_owned(), protection));
        })
    }

    /// Takes all branch protections away.
    pub fn clear_protections(&self, owner: &str, name: &str) -> bool {
        self.alter(owner, name, |repository| repository.protections.clear())
    }

    /// Refuses pushes to some refs, in words of the test's choice.
    pub fn refuse_pushes(&self, owner: &str, name: &str, refusal: PushRefusal) -> bool {
        self.alter(owner, name, |repository| repository.refusals.push(refusal))
    }

    /// Takes all refusals of [`Sandbox::refuse_pushes`] away.
    pub fn clear_refusals(&self, owner: &str, name: &str) -> bool {
        self.alter(owner, name, |repository| repository.refusals.clear())
    }

    /// Sets how much one push may bring.
    pub fn set_push_limits(&self, owner: &str, name: &str, limits: PushLimits) -> bool {
        self.alter(owner, name, |repository| repository.push_limits = limits)
    }

    /// All issues, oldest first.
    pub fn issues(&self, owner: &str, name: &str) -> Vec<Issue> {
        self.look(owner, name, |repository| repository.issues.clone()).unwrap_or_default()
    }

    /// The default branch.
    pub fn default_branch(&self, owner: &str, name: &str) -> Option<String> {
        self.look(owner, name, |repository| repository.default_branch.clone())
    }

    pub(super) fn look<T>(&self, owner: &str, name: &str, read: impl FnOnce(&Repository) -> T) -> Option<T> {
        self.shared().world().repository_named(owner, name).map(read)
    }

    pub(super) fn alter(&self, owner: &str, name: &str, change: impl FnOnce(&mut Repository)) -> bool {
        match self.shared().world().repository_named_mut(owner, name) {
            Some(repository) => {
                change(repository);
                true
            }
            None => false,
        }
    }
}

/// Secrets, variables, workflows, runs, permissions.
impl Sandbox {
    /// The opened value of a secret.
    pub fn secret_value(&self, owner: &str, name: &str, secret: &str) -> Option<Vec<u8>> {
        self.look(owner, name, |repository| {
            repository.secrets.get(&secret.to_uppercase()).map(|secret| secret.value.clone())
        })?
    }

    /// Names and times of all secrets.
    pub fn secrets(&self, owner: &str, name: &str) -> Vec<SecretEntry> {
        self.look(owner, name, |repository| {
            repository
                .secrets
                .values()
                .map(|secret| SecretEntry {
                    name: secret.name.clone(),
                    created_at: secret.created_at,
                    updated_at: secret.updated_at,
                })
                .collect()
        })
        .unwrap_or_default()
    }

    /// Sets a secret as if somebody else had.
    pub fn set_secret(&self, owner: &str, name: &str, secret: &str, value: &[u8]) -> bool {
        self.alter(owner, name, |repository| {
            let now = self.now();
            let name = secret.to_uppercase();
            let entry = repository.secrets.entry(name.clone()).or_insert_with(|| Secret {
                name,
                value: Vec::new(),
                created_at: now,
                updated_at: now,
            });
            entry.value = value.to_vec();
            entry.updated_at = now;
        })
    }

    /// Removes a secret; false if there is no such repository.
    pub fn remove_secret(&self, owner: &str, name: &str, secret: &str) -> bool {
        self.alter(owner, name, |repository| {
            repository.secrets.remove(&secret.to_uppercase());
        })
    }

    /// All variables, by name.
    pub fn variables(&self, owner: &str, name: &str) -> Vec<Variable> {
        self.look(owner, name, |repository| repository.variables.values().cloned().collect()).unwrap_or_default()
    }

    /// The value of a variable.
    pub fn variable(&self, owner: &str, name: &str, variable: &str) -> Option<String> {
        self.look(owner, name, |repository| {
            repository.variables.get(&variable.to_uppercase()).map(|variable| variable.value.clone())
        })?
    }

    /// Sets a variable as if somebody else had.
    pub fn set_variable(&self, owner: &str, name: &str, variable: &str, value: &str) -> bool {
        self.alter(owner, name, |repository| {
            let now = self.now();
            let name = variable.to_uppercase();
            let entry = repository.variables.entry(name.clone()).or_insert_with(|| Variable {
                name,
                value: String::new(),
                created_at: now,
                updated_at: now,
            });
            value.clone_into(&mut entry.value);
            entry.updated_at = now;
        })
    }

    /// Removes a variable; false if there is no such repository.
    pub fn remove_variable(&self, owner: &str, name: &str, variable: &str) -> bool {
        self.alter(owner, name, |repository| {
            repository.variables.remove(&variable.to_uppercase());
        })
    }

    /// All workflows whose file is on a branch, by path, also those not listed yet.
    pub fn workflows(&self, owner: &str, name: &str) -> Vec<WorkflowEntry> {
        self.look(owner, name, |repository| {
            repository
                .workflows
                .values()
                .filter(|workflow| workflow.present)
                .map(|workflow| WorkflowEntry {
                    id: workflow.id,
                    name: workflow.name.clone(),
                    path: workflow.path.clone(),
                    state: workflow.state,
                    listed: workflow.is_listed(),
                })
                .collect()
        })
        .unwrap_or_default()
    }

    /// Sets the state of a workflow, named by path or file name, as if somebody else had; false if there is none.
    pub fn set_workflow_state(&self, owner: &str, name: &str, workflow: &str, state: WorkflowState) -> bool {
        let (mut found, clock) = (false, Arc::clone(&self.shared().clock));
        self.alter(owner, name, |repository| {
            for candidate in repository.workflows.values_mut() {
                if candidate.is_called(workflow) {
                    candidate.set_state(state, &clock);
                    found = true;
                }
            }
        });
        found
    }

    /// When workflow files that come from now on are listed.
    pub fn set_workflow_listing(&self, owner: &str, name: &str, listing: Listing) -> bool {
        self.alter(owner, name, |repository| repository.listing = listing)
    }

    /// All runs, oldest first.
    pub fn runs(&self, owner: &str, name: &str) -> Vec<Run> {
        self.look(owner, name, |repository| repository.runs.clone()).unwrap_or_default()
    }

    /// How many runs were set off.
    pub fn run_count(&self, owner: &str, name: &str) -> usize {
        self.look(owner, name, |repository| repository.runs.len()).unwrap_or_default()
    }

    /// Whether Actions are on, and for which actions.
    pub fn actions_permissions(&self, owner: &str, name: &str) -> Option<ActionsPermissions> {
        self.look(owner, name, |repository| repository.permissions.clone())
    }

    /// Sets whether Actions are on, and for which actions.
    pub fn set_actions_permissions(&self, owner: &str, name: &str, permissions: ActionsPermissions) -> bool {
        let clock = Arc::clone(&self.shared().clock);
        self.alter(owner, name, |repository| {
            if permissions.enabled {
                repository.actions_switched_on(&clock);
            }
            repository.permissions = permissions;
        })
    }

    /// Which actions `selected` means.
    pub fn selected_actions(&self, owner: &str, name: &str) -> Option<SelectedActions> {
        self.look(owner, name, |repository| repository.selected_actions.clone())
    }

    /// Sets which actions `selected` means.
    pub fn set_selected_actions(&self, owner: &str, name: &str, selected: SelectedActions) -> bool {
        self.alter(owner, name, |repository| {
            repository.selected_actions = selected;
        })
    }

    /// What the workflows' own token may do.
    pub fn workflow_permissions(&self, owner: &str, name: &str) -> Option<WorkflowPermissions> {
        self.look(owner, name, |repository| repository.workflow_permissions.clone())
    }

    /// Sets what the workflows' own token may do.
    pub fn set_workflow_permissions(&self, owner: &str, name: &str, permissions: WorkflowPermissions) -> bool {
        self.alter(owner, name, |repository| {
            repository.workflow_permissions = permissions;
        })
    }
}

/// Traffic and faults.
impl Sandbox {
    /// All requests since the start or the last [`Sandbox::clear_requests`], oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared().traffic.records()
    }

    /// Forgets all requests and exchanges.
    pub fn clear_requests(&self) {
        self.shared().traffic.clear();
    }

    /// REST requests and answers with their bodies; empty unless `Options::record_bodies` is set.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared().traffic.exchanges()
    }

    /// Sets what is waited before each request is answered.
    pub fn set_latency(&self, latency: Duration) {
        self.shared().set_latency(latency);
    }

    /// Makes answers tell when their version of the API ends, by `Deprecation` and `Sunset`, as GitHub's do since 2026.
    pub fn announce_sunset(&self, announced: bool) {
        self.shared().announce_sunset(announced);
    }

    /// Makes requests go wrong from now on.
    pub fn add_fault(&self, fault: Fault) -> FaultId {
        self.shared().faults.add(fault)
    }

    /// Takes a fault away; true if it was there.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.shared().faults.remove(id)
    }

    /// How many requests a fault has hit.
    pub fn fault_hits(&self, id: FaultId) -> u32 {
        self.shared().faults.hits(id)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared().faults.clear();
    }

    /// Takes the whole host down: connections end, new ones are reset. Or brings it back.
    pub fn set_down(&self, down: bool) {
        self.shared().down.send_replace(down);
    }
}
