//! The control interface: what another process may see and set. See the crate's header.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::steering::{self, ControlError};
use super::{Body, full_body};
use crate::CONTROL_KEY_HEADER;
use crate::faults::{Fault, FaultId};
use crate::shared::Shared;

const BODY_LIMIT: usize = 1024 * 1024;

pub(super) async fn answer(shared: &Arc<Shared>, key: &str, request: Request<Incoming>) -> Response<Body> {
    let shown = request.headers().get(CONTROL_KEY_HEADER).and_then(|value| value.to_str().ok());
    if shown != Some(key) {
        return reply(
            StatusCode::UNAUTHORIZED,
            &json!({"message": format!("{CONTROL_KEY_HEADER} is missing or wrong")}),
        );
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = http_body_util::Limited::new(body, BODY_LIMIT).collect().await else {
        return reply(StatusCode::BAD_REQUEST, &json!({"message": "the body cannot be read"}));
    };
    let path = parts.uri.path().trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    let body = body.to_bytes();
    let done = match act(shared, &parts.method, &segments, &body) {
        Ok(None) => steering::act(shared, &parts.method, segments.get(1..).unwrap_or_default(), &body).await,
        done => done.map_err(ControlError::from),
    };
    match done {
        Ok(Some(value)) => reply(StatusCode::OK, &value),
        Ok(None) => reply(StatusCode::NOT_FOUND, &json!({"message": "there is nothing here"})),
        Err(error) => reply(StatusCode::UNPROCESSABLE_ENTITY, &json!({"message": error.to_string()})),
    }
}

#[derive(Deserialize)]
struct Down {
    down: bool,
}

#[derive(Deserialize)]
struct Latency {
    milliseconds: u64,
}

#[derive(Deserialize)]
struct Sunset {
    announced: bool,
}

fn act(shared: &Shared, method: &Method, segments: &[&str], body: &[u8]) -> Result<Option<Value>, serde_json::Error> {
    let done = || Some(json!({}));
    Ok(match (method.as_str(), segments) {
        ("GET", ["_sandbox"]) => Some(overview(shared)),
        ("GET", ["_sandbox", "requests"]) => Some(serde_json::to_value(shared.traffic.records())?),
        ("DELETE", ["_sandbox", "requests"]) => {
            shared.traffic.clear();
            done()
        }
        ("POST", ["_sandbox", "faults"]) => {
            let fault: Fault = serde_json::from_slice(body)?;
            Some(json!({"id": shared.faults.add(fault)}))
        }
        ("GET", ["_sandbox", "faults", id]) => {
            id.parse().ok().map(|id| json!({"hits": shared.faults.hits(FaultId(id))}))
        }
        ("DELETE", ["_sandbox", "faults", id]) => {
            id.parse().ok().filter(|id| shared.faults.remove(FaultId(*id))).and_then(|_| done())
        }
        ("DELETE", ["_sandbox", "faults"]) => {
            shared.faults.clear();
            done()
        }
        ("PUT", ["_sandbox", "down"]) => {
            let wanted: Down = serde_json::from_slice(body)?;
            shared.down.send_replace(wanted.down);
            done()
        }
        ("PUT", ["_sandbox", "latency"]) => {
            let wanted: Latency = serde_json::from_slice(body)?;
            shared.set_latency(Duration::from_millis(wanted.milliseconds));
            done()
        }
        ("PUT", ["_sandbox", "sunset"]) => {
            let wanted: Sunset = serde_json::from_slice(body)?;
            shared.announce_sunset(wanted.announced);
            done()
        }
        ("GET", ["_sandbox", "repositories", owner, name]) => repository(shared, owner, name),
        _ => None,
    })
}

fn overview(shared: &Shared) -> Value {
    let repositories: Vec<String> = shared.world().repositories().map(crate::world::Repository::slug).collect();
    json!({
        "api_url": shared.root_url,
        "server_url": shared.server_url(),
        "requests": shared.traffic.records().len(),
        "down": *shared.down.borrow(),
        "latency_milliseconds": shared.latency().as_millis() as u64,
        "repositories": repositories,
    })
}

/// Counts, names and states; never the value of a secret.
fn repository(shared: &Shared, owner: &str, name: &str) -> Option<Value> {
    let world = shared.world();
    let repository = world.repository_named(owner, name)?;
    let workflows: Vec<Value> = repository
        .workflows
        .values()
        .filter(|workflow| workflow.present)
        .map(|workflow| {
            json!({
                "id": workflow.id,
                "path": workflow.path,
                "state": workflow.state.as_str(),
                "listed": workflow.is_listed(),
            })
        })
        .collect();
    Some(json!({
        "id": repository.id,
        "full_name": repository.slug(),
        "default_branch": repository.default_branch,
        "archived": repository.archived,
        "runs": repository.runs.len(),
        "secrets": repository.secrets.keys().collect::<Vec<_>>(),
        "variables": repository.variables.values()
            .map(|variable| (variable.name.clone(), Value::from(variable.value.clone())))
            .collect::<serde_json::Map<_, _>>(),
        "workflows": workflows,
        "actions_enabled": repository.permissions.enabled,
    }))
}

fn reply(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(full_body(value.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
