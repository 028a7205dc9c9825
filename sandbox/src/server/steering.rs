//! The part of the control interface that moves the clock, runs workflows and changes repositories.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::actions;
use crate::library;
use crate::shared::Shared;
use crate::world::{Execute, PushLimits, PushRefusal, Repository, RepositoryState, WorkflowState};

/// Why a request to the control interface was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error("the body cannot be used: {0}")]
    Body(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(#[from] crate::options::SandboxError),
    #[error("{0}")]
    Other(String),
}

type Done = Result<Option<Value>, ControlError>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetExecute {
    workflows: Workflows,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Workflows {
    Word(String),
    These(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedules {
    miss: Option<u32>,
    delay_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dispatch {
    workflow: String,
    #[serde(default)]
    inputs: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    state: Option<RepositoryState>,
    archived: Option<bool>,
    private: Option<bool>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetWorkflow {
    state: WorkflowState,
}

/// Does what is asked; `None` if there is nothing of that name.
pub(super) async fn act(shared: &Arc<Shared>, method: &Method, segments: &[&str], body: &[u8]) -> Done {
    match (method.as_str(), segments) {
        ("GET", ["clock"]) => Ok(Some(clock(shared))),
        ("PUT", ["clock"]) => {
            let wanted: SetClock = serde_json::from_slice(body)?;
            shared.set_clock(wanted.now);
            Ok(Some(clock(shared)))
        }
        ("POST", ["clock", how @ ("advance" | "skip")]) => {
            let By { seconds } = serde_json::from_slice(body)?;
            let by = Duration::from_secs(seconds);
            let runs = match *how {
                "advance" => actions::advance(shared, by).await,
                _ => actions::skip(shared, by).await,
            };
            let mut moved = clock(shared);
            moved["runs"] = runs.into();
            Ok(Some(moved))
        }
        ("POST", ["runs", "wait"]) => {
            let By { seconds } = serde_json::from_slice(body)?;
            library::wait_for_runs(shared, Duration::from_secs(seconds)).await?;
            Ok(Some(json!({})))
        }
        (method, ["repositories", owner, name, rest @ ..]) => in_repository(shared, (method, rest), owner, name, body),
        _ => Ok(None),
    }
}

fn in_repository(shared: &Arc<Shared>, asked: (&str, &[&str]), owner: &str, name: &str, body: &[u8]) -> Done {
    let change = |change: &mut dyn FnMut(&mut Repository)| {
        let mut world = shared.world();
        Ok(world.repository_named_mut(owner, name).map(|repository| {
            change(repository);
            json!({})
        }))
    };
    match asked {
        ("PUT", ["execute"]) => {
            let wanted: SetExecute = serde_json::from_slice(body)?;
            let execute = match wanted.workflows {
                Workflows::These(names) => Execute::Only(names),
                Workflows::Word(word) if word == "all" => Execute::All,
                Workflows::Word(word) if word == "none" => Execute::None,
                Workflows::Word(word) => {
                    return Err(ControlError::Other(format!("workflows is neither all, none nor a list: {word:?}")));
                }
            };
            change(&mut |repository| repository.execute = execute.clone())
        }
        ("PUT", ["schedules"]) => {
            let wanted: Schedules = serde_json::from_slice(body)?;
            change(&mut |repository| {
                repository.schedule_misses = wanted.miss.unwrap_or(repository.schedule_misses);
                repository.schedule_delay = wanted.delay_seconds.map_or(repository.schedule_delay, Duration::from_secs);
            })
        }
        ("PUT", ["push_limits"]) => {
            let wanted: PushLimits = serde_json::from_slice(body)?;
            change(&mut |repository| repository.push_limits = wanted)
        }
        ("POST", ["refusals"]) => {
            let wanted: PushRefusal = serde_json::from_slice(body)?;
            change(&mut |repository| repository.refusals.push(wanted.clone()))
        }
        ("DELETE", ["refusals"]) => change(&mut |repository| repository.refusals.clear()),
        ("POST", ["dispatch"]) => {
            let wanted: Dispatch = serde_json::from_slice(body)?;
            let run = library::dispatch(shared, owner, name, &wanted.workflow, wanted.inputs)?;
            Ok(Some(json!({"run": run})))
        }
        ("GET", ["runs"]) => {
            let world = shared.world();
            let runs = world.repository_named(owner, name).map(|repository| serde_json::to_value(&repository.runs));
            Ok(runs.transpose()?)
        }
        (method, ["runs", id, rest @ ..]) => in_run(shared, (method, rest), (owner, name), id),
        ("PUT", ["state"]) => {
            let wanted: State = serde_json::from_slice(body)?;
            set_state(shared, owner, name, &wanted)
        }
        ("PUT", ["workflows", file, "state"]) => {
            let wanted: SetWorkflow = serde_json::from_slice(body)?;
            let clock = Arc::clone(&shared.clock);
            let mut found = false;
            let done = change(&mut |repository| {
                for workflow in repository.workflows.values_mut().filter(|workflow| workflow.is_called(file)) {
                    workflow.set_state(wanted.state, &clock);
                    found = true;
                }
            });
            if found { done } else { Ok(None) }
        }
        _ => Ok(None),
    }
}

fn in_run(shared: &Shared, asked: (&str, &[&str]), (owner, name): (&str, &str), id: &str) -> Done {
    let found = {
        let world = shared.world();
        world.repository_named(owner, name).and_then(|repository| {
            let run = repository.runs.iter().find(|run| run.id.to_string() == id)?;
            Some((repository.id, run.clone()))
        })
    };
    let Some((repository, run)) = found else {
        return Ok(None);
    };
    match asked {
        ("GET", []) => Ok(Some(serde_json::to_value(&run)?)),
        ("GET", ["log"]) => Ok(Some(json!({"log": run.jobs.iter().map(|job| job.log.as_str()).collect::<String>()}))),
        ("POST", ["cancel"]) => Ok(Some(json!({"cancelled": actions::cancel(shared, repository, run.id, false)}))),
        _ => Ok(None),
    }
}

fn set_state(shared: &Shared, owner: &str, name: &str, wanted: &State) -> Done {
    let mut world = shared.world();
    let Some(repository) = world.repository_named_mut(owner, name) else {
        return Ok(None);
    };
    repository.state = wanted.state.unwrap_or(repository.state);
    repository.archived = wanted.archived.unwrap_or(repository.archived);
    repository.private = wanted.private.unwrap_or(repository.private);
    let id = repository.id;
    match &wanted.name {
        Some(new) if !world.move_repository(id, owner, new) => {
            Err(ControlError::Other(format!("{owner} has a repository {new} already")))
        }
        _ => Ok(Some(json!({}))),
    }
}

fn clock(shared: &Shared) -> Value {
    json!({"now": shared.now(), "offset_seconds": shared.clock.offset().as_secs()})
}
