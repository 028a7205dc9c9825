//! Runs, jobs and logs by REST, and the control interface that moves the clock and runs workflows from elsewhere.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use standin_sandbox::CONTROL_KEY_HEADER;

use crate::support::{Rest, Stage, script};

const RUNS: &str = "/repos/alice/primary/actions/runs";

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_by_state_event_branch_and_time() {
    let stage = Stage::new().await;
    stage.sandbox().set_clock("2030-03-01T12:00:00Z".parse().unwrap());
    let first = stage.run(&script("true")).await;
    stage.sandbox().set_clock("2030-03-02T12:00:00Z".parse().unwrap());
    let second = stage.run(&script("false")).await;
    let rest = stage.world.rest();
    let ids = async |query: &str| -> Vec<u64> {
        let got = rest.get(&format!("{RUNS}?{query}")).await.json();
        got["workflow_runs"].as_array().unwrap().iter().map(|run| run["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("").await, [second.id, first.id]);
    for (query, expected) in [
        ("status=success", vec![first.id]),
        ("status=failure", vec![second.id]),
        ("status=completed", vec![second.id, first.id]),
        ("status=in_progress", vec![]),
        ("event=schedule", vec![]),
        ("branch=main&event=workflow_dispatch", vec![second.id, first.id]),
        ("branch=topic", vec![]),
        ("created=2030-03-01", vec![first.id]),
        ("created=%3E2030-03-01", vec![second.id]),
        ("created=%3E%3D2030-03-01T12:00:00Z", vec![second.id, first.id]),
        ("created=%3C2030-03-02", vec![first.id]),
        ("created=2030-03-01..2030-03-02", vec![second.id, first.id]),
        ("created=*..2030-02-28", vec![]),
    ] {
        assert_eq!(ids(query).await, expected, "{query}");
    }
    assert_eq!(rest.get(&format!("{RUNS}?created=soon")).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_log_is_plain_text_behind_a_redirect_that_needs_no_token() {
    let stage = Stage::new().await;
    let run = stage.run(&script("echo in the log")).await;
    let rest = stage.world.rest();
    let jobs = rest.get(&format!("{RUNS}/{}/jobs", run.id)).await.json();
    assert_eq!(jobs["jobs"][0]["steps"][0]["conclusion"], "success");
    let got = rest.get(&format!("/repos/alice/primary/actions/jobs/{}/logs", jobs["jobs"][0]["id"])).await;
    assert_eq!(got.status, 302);
    let path = got.header("location").strip_prefix(&stage.sandbox().api_url()).unwrap().to_owned();
    let log = Rest::new(&stage.sandbox().api_url(), "").get(&path).await;
    assert_eq!((log.status, log.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(String::from_utf8_lossy(&log.body).contains("Z in the log"));
    assert_eq!(rest.get("/_logs/guessed").await.status, 404);
}

struct Control {
    base: String,
    key: String,
}

impl Control {
    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(CONTROL_KEY_HEADER, &self.key)
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let response = client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, value) = self.ask(method, path, body).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_moves_the_clock_and_runs_workflows() {
    let stage = Stage::new().await;
    let control = Control { base: stage.sandbox().control_url(), key: stage.sandbox().control_key().to_owned() };
    let repository = "/repositories/alice/primary";
    control.done(Method::PUT, &format!("{repository}/execute"), json!({"workflows": ["clock.yml"]})).await;
    control.done(Method::PUT, "/clock", json!({"now": "2030-01-01T00:00:00Z"})).await;
    stage.put(
        "clock.yml",
        &format!("on:\n  schedule: [{{cron: '10,40 * * * *'}}]\n  workflow_dispatch:\n{}", script("echo tick")),
    );
    stage.put("other.yml", &format!("on: push\n{}", script("echo never")));
    control.done(Method::PUT, &format!("{repository}/schedules"), json!({"miss": 1, "delay_seconds": 60})).await;
    let moved = control.done(Method::POST, "/clock/advance", json!({"seconds": 1_800})).await;
    assert_eq!(moved["runs"], json!([]));
    let moved = control.done(Method::POST, "/clock/advance", json!({"seconds": 1_800})).await;
    assert!(moved["now"].as_str().unwrap().starts_with("2030-01-01T01:00:"), "{moved}");
    let id = &moved["runs"][0];
    let run = control.done(Method::GET, &format!("{repository}/runs/{id}"), Value::Null).await;
    assert_eq!((&run["conclusion"], &run["event"]), (&json!("success"), &json!("schedule")));
    let log = control.done(Method::GET, &format!("{repository}/runs/{id}/log"), Value::Null).await;
    assert!(log["log"].as_str().unwrap().contains("Z tick"));
    let started = control.done(Method::POST, &format!("{repository}/dispatch"), json!({"workflow": "clock.yml"})).await;
    control.done(Method::POST, "/runs/wait", json!({"seconds": 60})).await;
    let runs = control.done(Method::GET, &format!("{repository}/runs"), Value::Null).await;
    let dispatched = runs.as_array().unwrap().iter().find(|run| run["id"] == started["run"]).unwrap();
    assert_eq!(dispatched["conclusion"], "success");
    let counted = runs.as_array().unwrap().iter().find(|run| run["path"] == ".github/workflows/other.yml").unwrap();
    assert_eq!((&counted["executed"], &counted["status"]), (&json!(false), &json!("queued")));
    let cancelled = control.done(Method::POST, &format!("{repository}/runs/{id}/cancel"), Value::Null).await;
    assert_eq!(cancelled["cancelled"], false);
    control
        .done(Method::PUT, &format!("{repository}/workflows/clock.yml/state"), json!({"state": "disabled_inactivity"}))
        .await;
    let (status, refused) =
        control.ask(Method::POST, &format!("{repository}/dispatch"), json!({"workflow": "clock.yml"})).await;
    assert_eq!((status, refused["message"].as_str().unwrap().contains("disabled")), (422, true), "{refused}");
    let got = stage.world.rest().get("/repos/alice/primary/actions/workflows/clock.yml").await.json();
    assert_eq!(got["state"], "disabled_inactivity");
    control.done(Method::PUT, &format!("{repository}/state"), json!({"state": "blocked"})).await;
    assert_eq!(stage.world.rest().get("/repos/alice/primary").await.status, 403);
    control.done(Method::PUT, &format!("{repository}/state"), json!({"state": "live", "name": "moved"})).await;
    assert_eq!(stage.world.rest().get("/repos/alice/primary").await.status, 301);
    for (path, body) in [
        ("/clock", json!({"now": "soon"})),
        ("/repositories/alice/moved/execute", json!({"workflows": "some"})),
        ("/repositories/alice/moved/state", json!({"sate": "live"})),
    ] {
        assert_eq!(control.ask(Method::PUT, path, body).await.0, 422, "{path}");
    }
    assert_eq!(control.ask(Method::PUT, "/repositories/alice/none/execute", json!({"workflows": "all"})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_reach_nothing_but_the_sandbox() {
    let stage = Stage::new().await;
    let run = stage
        .run(&script(
            "curl -sS https://api.github.com/ 2>&1 || echo no tunnel\n\
             curl -sS http://example.org/ -w ' %{http_code}'\n\
             git ls-remote https://github.com/alice/none 2>&1 | grep -o 'http://127[^/]*/git/alice' || true",
        ))
        .await;
    let log = stage.log(run.id);
    assert!(log.contains("response 403") && log.contains("no tunnel"), "{log}");
    assert!(log.contains("nothing else can be reached") && log.contains("Z  403"), "{log}");
    assert!(log.contains("/git/alice"), "{log}");
}
