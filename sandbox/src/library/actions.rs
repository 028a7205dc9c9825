//! The clock, and workflows that really run. See the crate's header.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, json};

use crate::actions;
use crate::options::SandboxError;
use crate::pushed::{self, Actor, Start};
use crate::sandbox::Sandbox;
use crate::shared::Shared;
use crate::world::{Execute, Run, WorkflowState};

/// The clock.
impl Sandbox {
    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.shared().now()
    }

    /// Moves the clock on, from one schedule that falls due to the next. At each the clock stands at that moment, its
    /// run starts, and all runs that are carried out are waited for. Gives the numbers of the runs, in order.
    ///
    /// Schedules have a time of their own that only this and [`Sandbox::skip`] move: moved by half an hour, a workflow
    /// of every half hour runs just once, however long its runs really take.
    pub async fn advance(&self, by: Duration) -> Vec<u64> {
        actions::advance(self.shared(), by).await
    }

    /// Moves the clock on at once; what fell due on the way is started in order, late, and not waited for. Gives the
    /// numbers of the runs.
    pub async fn skip(&self, by: Duration) -> Vec<u64> {
        actions::skip(self.shared(), by).await
    }

    /// Sets the clock; it runs on from there. Schedules between are missed.
    pub fn set_clock(&self, to: Timestamp) {
        self.shared().set_clock(to);
    }

    /// Drops so many of the schedules of a repository that fall due from now on.
    pub fn miss_schedules(&self, owner: &str, name: &str, count: u32) -> bool {
        self.alter(owner, name, |repository| repository.schedule_misses = count)
    }

    /// Makes the schedules of a repository come so late from now on.
    pub fn delay_schedules(&self, owner: &str, name: &str, delay: Duration) -> bool {
        self.alter(owner, name, |repository| repository.schedule_delay = delay)
    }
}

/// Runs that are carried out.
impl Sandbox {
    /// Which workflows of a repository are carried out from now on; the others are only counted.
    pub fn execute_workflows(&self, owner: &str, name: &str, execute: Execute) -> bool {
        self.alter(owner, name, |repository| repository.execute = execute)
    }

    /// Starts a workflow, named by path or file name, on the default branch, as `workflow_dispatch` does.
    ///
    /// # Errors
    /// When it is unknown, disabled, has no such trigger, or does not take these inputs.
    pub fn dispatch_workflow(
        &self,
        owner: &str,
        name: &str,
        workflow: &str,
        inputs: &[(&str, &str)],
    ) -> Result<u64, SandboxError> {
        let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        dispatch(self.shared(), owner, name, workflow, inputs)
    }

    /// A run.
    pub fn run(&self, owner: &str, name: &str, id: u64) -> Option<Run> {
        self.look(owner, name, |repository| repository.runs.iter().find(|run| run.id == id).cloned())?
    }

    /// The logs of a run's jobs, one after the other, masked, with the time before each line.
    pub fn run_log(&self, owner: &str, name: &str, id: u64) -> Option<String> {
        self.run(owner, name, id).map(|run| run.jobs.iter().map(|job| job.log.as_str()).collect())
    }

    /// Cancels a run; false if it has ended already, or there is none. It ends as soon as its processes have.
    pub fn cancel_run(&self, owner: &str, name: &str, id: u64) -> bool {
        self.repository_id(owner, name).is_some_and(|repository| actions::cancel(self.shared(), repository, id, false))
    }

    /// Waits, not longer than this, until no run is carried out any more.
    ///
    /// # Errors
    /// When some still are.
    pub async fn wait_for_runs(&self, limit: Duration) -> Result<(), SandboxError> {
        wait_for_runs(self.shared(), limit).await
    }
}

pub(crate) async fn wait_for_runs(shared: &Shared, limit: Duration) -> Result<(), SandboxError> {
    tokio::time::timeout(limit, shared.actions.all_ended())
        .await
        .map_err(|_| SandboxError::StillRunning(shared.actions.open_runs(), limit))
}

pub(crate) fn dispatch(
    shared: &Arc<Shared>,
    owner: &str,
    name: &str,
    workflow: &str,
    inputs: Map<String, serde_json::Value>,
) -> Result<u64, SandboxError> {
    let slug = format!("{owner}/{name}");
    let refused = |reason: &str| SandboxError::NotStarted {
        repository: slug.clone(),
        workflow: workflow.to_owned(),
        reason: reason.to_owned(),
    };
    let (id, folder, branch, path, login) = {
        let world = shared.world();
        let repository = world.repository_named(owner, name).ok_or_else(|| SandboxError::NoRepository(slug.clone()))?;
        let found = repository
            .workflows
            .values()
            .find(|known| known.present && known.is_called(workflow))
            .ok_or_else(|| refused("there is no such workflow on a branch"))?;
        if !repository.permissions.enabled {
            return Err(refused("Actions has been disabled for this repository."));
        }
        if found.state != WorkflowState::Active {
            return Err(refused("the workflow is disabled"));
        }
        let branch = repository.default_branch.clone();
        (repository.id, repository.path.clone(), branch, found.path.clone(), repository.owner.clone())
    };
    let unreadable = |source| SandboxError::Repository { repository: slug.clone(), source };
    let git = crate::git::open(&folder).map_err(unreadable)?;
    let (reference, commit) = pushed::full_name(&git, &format!("refs/heads/{branch}"))
        .ok_or_else(|| refused("the default branch has no commit"))?;
    let file =
        pushed::workflow_file(&git, commit, &path).ok_or_else(|| refused("its file is not on the default branch"))?;
    if !file.triggers.has("workflow_dispatch") {
        return Err(refused("Workflow does not have 'workflow_dispatch' trigger"));
    }
    let inputs = actions::check_inputs(&path, &file.text, &inputs).map_err(|message| refused(&message))?;
    let start = Start {
        event: "workflow_dispatch",
        head_branch: branch,
        head_sha: commit.to_string(),
        title: pushed::subject(&git, commit),
        payload: json!({"inputs": inputs, "ref": reference, "workflow": path}),
        reference,
        path,
    };
    pushed::start_run(shared, id, &start, &Actor::host(&login)).ok_or_else(|| refused("the workflow is disabled"))
}

impl Shared {
    /// Sets the clock, and the time that schedules have; those between are missed.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
        self.clock.set_scheduled(to);
        let mut world = self.world();
        for id in world.repositories().map(|repository| repository.id).collect::<Vec<_>>() {
            let workflows = world.repository_mut(id).map(|repository| repository.workflows.values_mut());
            for workflow in workflows.into_iter().flatten() {
                workflow.scheduled_until = to;
            }
        }
    }
}
