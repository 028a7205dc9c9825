//! `actions/workflows`: which there are, whether they may run, and starting one by hand.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Answer;
use super::present::{Page, time};
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, change, target};
use crate::access::Need;
use crate::actions;
use crate::pushed;
use crate::world::{Repository, Role, Workflow, WorkflowState, node_id};

const READ: Need = Need::read("actions");
const WRITE: Need = Need::write("actions").by(Role::Write);

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let found = target(at, READ)?;
    let workflows = change(at, READ, |repository| {
        let mut listed: Vec<&Workflow> =
            repository.workflows.values().filter(|workflow| workflow.is_listed()).collect();
        listed.sort_by_key(|workflow| workflow.id);
        let values = listed.into_iter().map(|workflow| entry(&found, workflow)).collect();
        repository.count_listing();
        Ok(values)
    })?;
    Ok(page.counted(call, "workflows", workflows))
}

pub(super) fn get(at: At<'_>, id: &str) -> Answer {
    let found = target(at, READ)?;
    let value = change(at, READ, |repository| Ok(entry(&found, one_mut(repository, id)?)))?;
    Ok(Reply::json(&value))
}

pub(super) fn enable(at: At<'_>, id: &str) -> Answer {
    set_state(at, id, WorkflowState::Active)
}

pub(super) fn disable(at: At<'_>, id: &str) -> Answer {
    set_state(at, id, WorkflowState::DisabledManually)
}

fn set_state(at: At<'_>, id: &str, state: WorkflowState) -> Answer {
    change(at, WRITE, |repository| {
        let workflow = one_mut(repository, id)?;
        if state != WorkflowState::Active && workflow.state != WorkflowState::Active {
            return Err(Refusal::forbidden("Unable to disable a workflow that is not active."));
        }
        workflow.set_state(state, &at.0.clock);
        Ok(Reply::no_content())
    })
}

#[derive(Deserialize)]
struct Dispatch {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    inputs: Option<Map<String, Value>>,
    #[serde(default)]
    return_run_details: bool,
}

pub(super) fn dispatch(at: At<'_>, id: &str) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, WRITE)?;
    let dispatch: Dispatch = call.json()?;
    let (path, state, actions_on, executed) = change(at, WRITE, |repository| {
        let (actions_on, execute) = (repository.permissions.enabled, repository.execute.clone());
        let workflow = one_mut(repository, id)?;
        let executed = execute.includes(&workflow.path);
        Ok((workflow.path.clone(), workflow.state, actions_on, executed))
    })?;
    if !actions_on {
        return Err(Refusal::unprocessable("Actions has been disabled for this repository."));
    }
    if state != WorkflowState::Active {
        return Err(Refusal::unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow"));
    }
    let git = found.open()?;
    let no_ref = || Refusal::unprocessable(&format!("No ref found for: {}", dispatch.reference));
    let (reference, commit) = pushed::full_name(&git, &dispatch.reference).ok_or_else(no_ref)?;
    let head_branch = pushed::short_name(&reference).to_owned();
    let file = pushed::workflow_file(&git, commit, &path)
        .ok_or_else(|| Refusal::unprocessable(&format!("Workflow file {path} is not on {head_branch}")))?;
    if !file.triggers.has("workflow_dispatch") {
        return Err(Refusal::unprocessable("Workflow does not have 'workflow_dispatch' trigger"));
    }
    let given = dispatch.inputs.unwrap_or_default();
    let inputs = if executed {
        let checked = actions::check_inputs(&path, &file.text, &given);
        checked.map_err(|message| Refusal::unprocessable(&message))?
    } else {
        given.into()
    };
    let payload = json!({"inputs": inputs, "ref": reference, "workflow": path});
    let title = pushed::subject(&git, commit);
    let actor = pushed::Actor::of(call.caller.as_ref().ok());
    let start = pushed::Start {
        path,
        event: "workflow_dispatch",
        reference,
        head_branch,
        head_sha: commit.to_string(),
        title,
        payload,
    };
    let run = pushed::start_run(shared, found.id, &start, &actor).ok_or_else(Refusal::not_found)?;
    if !dispatch.return_run_details {
        return Ok(Reply::no_content());
    }
    Ok(Reply::json(&json!({
        "workflow_run_id": run,
        "run_url": found.url(&format!("/actions/runs/{run}")),
        "html_url": found.web_url(&format!("/actions/runs/{run}")),
    })))
}

/// A listed workflow by number or file name.
pub(super) fn one_mut<'r>(repository: &'r mut Repository, id: &str) -> Result<&'r mut Workflow, Refusal> {
    let number = id.parse::<u64>().ok();
    repository
        .workflows
        .values_mut()
        .filter(|workflow| workflow.is_listed())
        .find(|workflow| number == Some(workflow.id) || workflow.is_called(id))
        .ok_or_else(Refusal::not_found)
}

fn entry(found: &Target, workflow: &Workflow) -> Value {
    json!({
        "id": workflow.id,
        "node_id": node_id("W", workflow.id),
        "name": workflow.name,
        "path": workflow.path,
        "state": workflow.state.as_str(),
        "created_at": time(workflow.created_at),
        "updated_at": time(workflow.updated_at),
        "url": found.url(&format!("/actions/workflows/{}", workflow.id)),
        "html_url": found.web_url(&format!("/blob/{}/{}", found.default_branch, workflow.path)),
        "badge_url": found.web_url(&format!("/{}/badge.svg", workflow.path)),
    })
}
