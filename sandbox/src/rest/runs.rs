//! `actions/runs`: runs are counted and kept; carrying them out is not this module's work.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use super::present::{self, Page, time, user_of};
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read};
use super::workflows;
use crate::access::Need;
use crate::world::{Repository, Role, Run, RunStatus, World, node_id};

const READ: Need = Need::read("actions");
const WRITE: Need = Need::write("actions").by(Role::Write);

pub(super) fn list(at: At<'_>) -> Answer {
    list_where(at, |_| true)
}

pub(super) fn list_of_workflow(at: At<'_>, id: &str) -> Answer {
    let workflow = change(at, READ, |repository| Ok(workflows::one_mut(repository, id)?.id))?;
    list_where(at, |run| run.workflow_id == workflow)
}

fn list_where(at: At<'_>, wanted: impl Fn(&Run) -> bool) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let asked = |name: &str, value: &str| call.query(name).is_none_or(|asked| asked == value);
    let runs = read(at, READ, |world, repository| {
        Ok(repository
            .runs
            .iter()
            .rev()
            .filter(|run| wanted(run))
            .filter(|run| asked("event", &run.event))
            .filter(|run| asked("branch", &run.head_branch))
            .filter(|run| asked("head_sha", &run.head_sha))
            .filter(|run| asked("actor", &run.actor))
            .filter(|run| asked("status", status(run).0) || asked("status", status(run).1))
            .map(|run| entry(at, world, repository, run))
            .collect::<Vec<_>>())
    })?;
    Ok(page.counted(call, "workflow_runs", runs))
}

pub(super) fn get(at: At<'_>, id: &str) -> Answer {
    let value = read(at, READ, |world, repository| {
        repository
            .runs
            .iter()
            .find(|run| run.id.to_string() == id)
            .map(|run| entry(at, world, repository, run))
            .ok_or_else(Refusal::not_found)
    })?;
    Ok(Reply::json(&value))
}

pub(super) fn cancel(at: At<'_>, id: &str) -> Answer {
    change(at, WRITE, |repository| {
        let run = repository.runs.iter_mut().find(|run| run.id.to_string() == id).ok_or_else(Refusal::not_found)?;
        if run.status == RunStatus::Cancelled {
            return Err(Refusal::conflict("Cannot cancel a workflow run that is completed."));
        }
        run.status = RunStatus::Cancelled;
        run.updated_at = Timestamp::now();
        Ok(Reply::with_status(hyper::StatusCode::ACCEPTED, &json!({})))
    })
}

/// GitHub's `status` and `conclusion`.
fn status(run: &Run) -> (&'static str, &'static str) {
    match run.status {
        RunStatus::Queued => ("queued", ""),
        RunStatus::Cancelled => ("completed", "cancelled"),
    }
}

fn entry(at: At<'_>, world: &World, repository: &Repository, run: &Run) -> Value {
    let (shared, call, ..) = at;
    let base = call.url(&format!("/repos/{}", repository.slug()));
    let url = format!("{base}/actions/runs/{}", run.id);
    let (status, conclusion) = status(run);
    let actor = user_of(world, call, &run.actor);
    let small = present::minimal_repository(world, call, shared, repository);
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": node_id("WFR", run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": run.title,
        "run_number": run.run_number,
        "run_attempt": 1,
        "event": run.event,
        "status": status,
        "conclusion": if conclusion.is_empty() { Value::Null } else { conclusion.into() },
        "workflow_id": run.workflow_id,
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CS", run.id),
        "url": url,
        "html_url": format!("{}/{}/actions/runs/{}", shared.server_url(), repository.slug(), run.id),
        "pull_requests": [],
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
        "run_started_at": time(run.created_at),
        "actor": actor,
        "triggering_actor": actor,
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{base}/check-suites/{}", run.id),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": format!("{base}/actions/workflows/{}", run.workflow_id),
        "head_commit": null,
        "repository": small,
        "head_repository": small,
    })
}
