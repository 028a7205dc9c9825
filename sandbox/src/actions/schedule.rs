//! What falls due when the clock is moved.
//!
//! Schedules have a time of their own that only moves with [`advance`] and [`skip`], by just so much as these say. So a
//! test that moves by half an hour gets just one run of a half-hourly workflow, however long the runs really take.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::pushed::{self, Actor, Start};
use crate::shared::Shared;
use crate::world::{Repository, RepositoryState, Workflow, WorkflowState, World};

/// A moment of a workflow that has come.
struct Due {
    repository_id: u64,
    path: String,
    /// When it was to come.
    slot: Timestamp,
    /// When it comes.
    comes: Timestamp,
    /// Its schedules that have this moment.
    crons: Vec<String>,
}

/// Moves the clock from one due schedule to the next, each with its own time, and waits for all runs at each; gives the
/// runs that were started.
pub(crate) async fn advance(shared: &Arc<Shared>, by: Duration) -> Vec<u64> {
    let _moving = shared.actions.moving.lock().await;
    let mut journey = Journey::begin(shared, by);
    let mut started = Vec::new();
    shared.actions.all_ended().await;
    while let Some(due) = journey.next(shared) {
        started.extend(start(shared, due).await);
        shared.actions.all_ended().await;
    }
    journey.arrive(shared);
    started
}

/// Moves the clock at once and starts, in order, what fell due on the way; gives the runs.
pub(crate) async fn skip(shared: &Arc<Shared>, by: Duration) -> Vec<u64> {
    let _moving = shared.actions.moving.lock().await;
    let mut journey = Journey::begin(shared, by);
    shared.clock.reach(journey.clock_at(journey.to));
    let mut started = Vec::new();
    while let Some(due) = journey.next(shared) {
        started.extend(start(shared, due).await);
    }
    journey.arrive(shared);
    started
}

/// A move of the clock.
struct Journey {
    /// The clock when it began.
    clock: Timestamp,
    /// The schedules' own time when it began, and when it ends.
    from: Timestamp,
    to: Timestamp,
}

impl Journey {
    fn begin(shared: &Shared, by: Duration) -> Self {
        let from = shared.clock.scheduled();
        Self { clock: shared.now(), from, to: from.checked_add(by).unwrap_or(from) }
    }

    fn clock_at(&self, scheduled: Timestamp) -> Timestamp {
        self.clock.checked_add(scheduled.duration_since(self.from)).unwrap_or(self.clock)
    }

    /// Moves to the next schedule on the way.
    fn next(&mut self, shared: &Shared) -> Option<Due> {
        let due = next_due(&shared.world(), self.to)?;
        shared.clock.set_scheduled(due.comes);
        shared.clock.reach(self.clock_at(due.comes));
        Some(due)
    }

    fn arrive(&self, shared: &Shared) {
        shared.clock.set_scheduled(self.to);
        shared.clock.reach(self.clock_at(self.to));
        let mut world = shared.world();
        for id in world.repositories().map(|repository| repository.id).collect::<Vec<_>>() {
            if let Some(repository) = world.repository_mut(id) {
                // What could not come, as the repository was archived or so, is over.
                let over = self.to.checked_sub(repository.schedule_delay).unwrap_or(self.to);
                for workflow in repository.workflows.values_mut() {
                    workflow.scheduled_until = workflow.scheduled_until.max(over);
                }
            }
        }
    }
}

fn may_run(repository: &Repository, workflow: &Workflow) -> bool {
    repository.permissions.enabled
        && !repository.archived
        && repository.state == RepositoryState::Live
        && workflow.present
        && workflow.state == WorkflowState::Active
}

fn next_due(world: &World, to: Timestamp) -> Option<Due> {
    let candidates = world.repositories().flat_map(|repository| {
        repository.workflows.values().filter(|workflow| may_run(repository, workflow)).filter_map(move |workflow| {
            let next: Vec<(Timestamp, &str)> = workflow
                .schedules
                .iter()
                .filter_map(|cron| Some((cron.next_after(workflow.scheduled_until)?, cron.text.as_str())))
                .collect();
            let slot = next.iter().map(|(slot, _)| *slot).min()?;
            Some(Due {
                repository_id: repository.id,
                path: workflow.path.clone(),
                slot,
                comes: slot.checked_add(repository.schedule_delay).ok()?,
                crons: next.iter().filter(|(other, _)| *other == slot).map(|(_, text)| (*text).to_owned()).collect(),
            })
        })
    });
    candidates
        .filter(|due| due.comes <= to)
        .min_by(|one, two| (one.comes, one.repository_id, &one.path).cmp(&(two.comes, two.repository_id, &two.path)))
}

/// Starts a run for each schedule of that moment, but for those that are to be missed.
async fn start(shared: &Arc<Shared>, due: Due) -> Vec<u64> {
    let mut crons = Vec::new();
    {
        let mut world = shared.world();
        let Some(repository) = world.repository_mut(due.repository_id) else {
            return Vec::new();
        };
        for cron in due.crons {
            match repository.schedule_misses.checked_sub(1) {
                Some(left) => repository.schedule_misses = left,
                None => crons.push(cron),
            }
        }
        if let Some(workflow) = repository.workflows.get_mut(&due.path) {
            workflow.scheduled_until = due.slot;
        }
    }
    let worker = Arc::clone(shared);
    let starting = tokio::task::spawn_blocking(move || {
        crons.iter().filter_map(|cron| start_one(&worker, due.repository_id, &due.path, cron)).collect()
    });
    starting.await.unwrap_or_else(|error| {
        tracing::error!(%error, "scheduled runs could not be started");
        Vec::new()
    })
}

fn start_one(shared: &Shared, repository_id: u64, path: &str, cron: &str) -> Option<u64> {
    let (folder, branch, owner) = {
        let world = shared.world();
        let repository = world.repository(repository_id)?;
        (repository.path.clone(), repository.default_branch.clone(), repository.owner.clone())
    };
    let git = crate::git::open(&folder).ok()?;
    let (reference, commit) = pushed::full_name(&git, &format!("refs/heads/{branch}"))?;
    let start = Start {
        path: path.to_owned(),
        event: "schedule",
        reference,
        head_branch: branch,
        head_sha: commit.to_string(),
        title: pushed::subject(&git, commit),
        payload: json!({"schedule": cron}),
    };
    pushed::start_run(shared, repository_id, &start, &Actor::host(&owner))
}
