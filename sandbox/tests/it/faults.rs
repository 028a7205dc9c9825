//! Faults on demand, and the control interface that sets them from elsewhere.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use standin_sandbox::{
    CONTROL_KEY_HEADER, Effect, Fault, FaultMatcher, Kind, RepositorySpec, RepositoryState, TokenSpec,
};

use crate::support::{World, said};

const VARIABLES: &str = "/repos/alice/primary/actions/variables";

#[tokio::test]
async fn a_status_fault_has_no_effect_and_says_when_to_come_back() {
    let world = World::new().await;
    let rest = world.rest();
    let limited = Effect::Status { status: 429, retry_after: Some(Duration::from_secs(7)) };
    let id = world.sandbox.add_fault(Fault::once(FaultMatcher::rest("POST", VARIABLES), limited));
    let body = json!({"name": "A", "value": "1"});
    let got = rest.post(VARIABLES, body.clone()).await;
    assert_eq!((got.status, got.header("retry-after")), (429, "7"));
    assert!(world.sandbox.variables("alice", "primary").is_empty());
    assert_eq!(rest.post(VARIABLES, body).await.status, 201);
    assert_eq!(world.sandbox.fault_hits(id), 1);
    let secondary = Effect::SecondaryLimit { retry_after: None };
    world.sandbox.add_fault(Fault::once(FaultMatcher::any(), secondary));
    let got = rest.get("/user").await;
    assert_eq!(got.status, 403);
    assert!(got.message().contains("secondary rate limit"));
}

#[tokio::test]
async fn a_cut_comes_before_or_after_the_effect() {
    let world = World::new().await;
    let rest = world.rest();
    let matcher = || FaultMatcher::rest("POST", VARIABLES);
    let post = |name: &str| {
        let body = json!({"name": name, "value": "1"});
        let rest = rest.clone();
        async move { rest.send(Method::POST, VARIABLES, Some(body), &[]).await }
    };
    world.sandbox.add_fault(Fault::once(matcher(), Effect::CutBefore));
    assert!(post("BEFORE").await.is_err());
    assert!(world.sandbox.variable("alice", "primary", "BEFORE").is_none());
    world.sandbox.add_fault(Fault::once(matcher(), Effect::CutAfter));
    assert!(post("AFTER").await.is_err());
    assert_eq!(world.sandbox.variable("alice", "primary", "AFTER").unwrap(), "1");
    let cut: Vec<_> = world.sandbox.requests();
    assert!(cut.iter().all(|request| request.status.is_none() && request.faulted));
}

#[tokio::test]
async fn a_push_that_is_cut_after_the_effect_has_landed() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let path = "/alice/primary.git/git-receive-pack";
    world.sandbox.add_fault(Fault::once(FaultMatcher::git(path), Effect::CutBefore));
    work.git_fails(&["push", "origin", "main"]);
    assert!(work.remote_ref("refs/heads/main").is_none());
    world.sandbox.add_fault(Fault::once(FaultMatcher::git(path), Effect::CutAfter));
    work.git_fails(&["push", "origin", "main"]);
    assert!(work.remote_ref("refs/heads/main").is_some());
    let broken = Effect::Status { status: 502, retry_after: None };
    world.sandbox.add_fault(Fault::once(
        FaultMatcher { kind: Some(Kind::Git), account: Some("alice".to_owned()), ..FaultMatcher::any() },
        broken,
    ));
    let output = work.try_git(&["ls-remote", "origin"]);
    // Git asks without a token first, which is nobody's request.
    assert!(said(&output).contains("502"), "{}", said(&output));
}

#[tokio::test]
async fn a_hanging_request_hangs_until_the_client_gives_up() {
    let world = World::new().await;
    let rest = world.rest();
    world.sandbox.add_fault(Fault::once(FaultMatcher::rest("POST", VARIABLES), Effect::HangAfter));
    let body = json!({"name": "A", "value": "1"});
    let waiting = rest.send(Method::POST, VARIABLES, Some(body), &[]);
    let outcome = tokio::time::timeout(Duration::from_millis(300), waiting).await;
    assert!(outcome.is_err(), "it answered");
    assert_eq!(world.sandbox.variable("alice", "primary", "A").unwrap(), "1");
    assert_eq!(rest.get("/user").await.status, 200);
}

#[tokio::test]
async fn latency_is_waited_by_many_at_once() {
    let world = World::new().await;
    world.sandbox.set_latency(Duration::from_millis(100));
    let rest = world.rest();
    let started = Instant::now();
    let asking: Vec<_> = (0..40)
        .map(|_| {
            let rest = rest.clone();
            tokio::spawn(async move { rest.get("/user").await.status })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), 200);
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_down_refuses_tcp_and_socket_and_comes_back() {
    let world = World::new().await;
    let rest = world.rest();
    let work = world.clone_with_commit("one");
    assert_eq!(rest.get("/user").await.status, 200);
    world.sandbox.set_down(true);
    assert!(rest.send(Method::GET, "/user", None, &[]).await.is_err());
    work.git_fails(&["push", "origin", "main"]);
    let output = world.gh().try_run(&["api", "user"], b"");
    assert!(!output.status.success());
    world.sandbox.set_down(false);
    assert_eq!(rest.get("/user").await.status, 200);
    work.git(&["push", "origin", "main"]);
}

/// Asks the control interface.
pub async fn control(world: &World, key: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", world.sandbox.control_url()))
        .header(CONTROL_KEY_HEADER, key)
        .body(Full::<Bytes>::from(body))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn another_process_sees_and_sets_with_the_key_only() {
    let world = World::new().await;
    let rest = world.rest();
    let key = world.sandbox.control_key().to_owned();
    assert_eq!(control(&world, "guess", Method::GET, "", Value::Null).await.0, 401);
    let fault = json!({
        "matcher": {"method": "GET", "path": "/user", "kind": "rest"},
        "effect": {"status": {"status": 503, "retry_after": null}},
        "times": 1,
    });
    let (status, made) = control(&world, &key, Method::POST, "/faults", fault).await;
    assert_eq!(status, 200);
    assert_eq!(rest.get("/user").await.status, 503);
    assert_eq!(rest.get("/user").await.status, 200);
    let (_, hits) = control(&world, &key, Method::GET, &format!("/faults/{}", made["id"]), Value::Null).await;
    assert_eq!(hits["hits"], 1);
    let (_, requests) = control(&world, &key, Method::GET, "/requests", Value::Null).await;
    assert_eq!(requests.as_array().unwrap().len(), 2);
    assert!(!requests.to_string().contains(&world.token));
    world.sandbox.set_secret("alice", "primary", "KEY", b"canary");
    let (_, seen) = control(&world, &key, Method::GET, "/repositories/alice/primary", Value::Null).await;
    assert_eq!(seen["secrets"], json!(["KEY"]));
    assert!(!seen.to_string().contains("canary"));
    control(&world, &key, Method::PUT, "/down", json!({"down": true})).await;
    assert!(rest.send(Method::GET, "/user", None, &[]).await.is_err());
    control(&world, &key, Method::PUT, "/down", json!({"down": false})).await;
    control(&world, &key, Method::DELETE, "/requests", Value::Null).await;
    assert_eq!(rest.get("/user").await.status, 200);
    assert_eq!(world.sandbox.requests().len(), 1);
    let barred = json!({"matcher": {"repository": "alice/primary"}, "effect": {"barred": "single_sign_on"}});
    assert_eq!(control(&world, &key, Method::POST, "/faults", barred).await.0, 200);
    assert_eq!(rest.get("/repos/alice/primary").await.status, 403);
    control(&world, &key, Method::DELETE, "/faults", Value::Null).await;
    control(&world, &key, Method::PUT, "/sunset", json!({"announced": true})).await;
    assert!(!rest.get("/repos/alice/primary").await.header("sunset").is_empty());
    let bad = control(&world, &key, Method::POST, "/faults", json!({"effect": "explode"})).await;
    assert_eq!(bad.0, 422);
}

#[tokio::test]
async fn one_repository_can_be_ill_by_rest_by_git_or_both() {
    let world = World::new().await;
    world.sandbox.create_repository("alice", "other", RepositorySpec::default()).await.unwrap();
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let rest = world.rest();
    let (one, other) = ("/repos/alice/primary", "/repos/alice/other");
    let by_id = format!("/repositories/{}", world.sandbox.repository_id("alice", "primary").unwrap());
    let ill = || FaultMatcher::repository("Alice", "primary");
    let down = || Effect::Status { status: 503, retry_after: None };
    world.sandbox.add_fault(Fault::always(ill(), down()));
    for path in [one, &by_id, &format!("{one}/contents/readme.md")] {
        assert_eq!(rest.get(path).await.status, 503, "{path}");
    }
    assert_eq!((rest.get(other).await.status, rest.get("/user").await.status), (200, 200));
    work.git_fails(&["ls-remote", "origin"]);
    world.sandbox.clear_faults();
    world.sandbox.add_fault(Fault::always(ill().only(Kind::Git), down()));
    assert_eq!(rest.get(one).await.status, 200);
    work.git_fails(&["ls-remote", "origin"]);
    world.sandbox.clear_faults();
    world.sandbox.add_fault(Fault::always(ill().only(Kind::Rest), Effect::Hang));
    work.git(&["ls-remote", "origin"]);
    let waiting = rest.send(Method::GET, one, None, &[]);
    assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err());
}

#[tokio::test]
async fn a_spent_limit_says_when_it_comes_back() {
    let world = World::new().await;
    for status in [403, 429] {
        let effect = Effect::RateLimit { status, reset_after: Duration::from_secs(600) };
        world.sandbox.add_fault(Fault::once(FaultMatcher::repository("alice", "primary"), effect));
        let got = world.rest().get("/repos/alice/primary").await;
        assert_eq!((got.status, got.header("x-ratelimit-remaining")), (status, "0"));
        let left = got.header("x-ratelimit-reset").parse::<i64>().unwrap() - world.sandbox.now().as_second();
        assert!((590..=600).contains(&left), "{left}");
        assert!(got.message().contains("rate limit exceeded"), "{}", got.message());
    }
}

#[tokio::test]
async fn a_repository_can_be_blocked_taken_down_hidden_renamed_or_archived() {
    let world = World::new().await;
    let sandbox = &world.sandbox;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let rest = world.rest();
    let path = "/repos/alice/primary";
    for (state, status) in
        [(RepositoryState::Blocked, 403), (RepositoryState::TakenDown, 451), (RepositoryState::Hidden, 404)]
    {
        sandbox.set_repository_state("alice", "primary", state);
        assert_eq!(rest.get(path).await.status, status);
        work.git_fails(&["ls-remote", "origin"]);
    }
    sandbox.set_repository_state("alice", "primary", RepositoryState::Live);
    sandbox.set_archived("alice", "primary", true);
    assert_eq!(rest.get(path).await.status, 200);
    let got = rest.post(&format!("{path}/issues"), json!({"title": "x"})).await;
    assert_eq!((got.status, got.message().as_str()), (403, "Repository was archived so is read-only."));
    sandbox.set_archived("alice", "primary", false);
    sandbox.rename_repository("alice", "primary", "moved");
    assert_eq!(rest.get(path).await.status, 301);
    sandbox.create_account("bob");
    let stranger = world.rest_as(&sandbox.create_token("bob", TokenSpec::classic(&["repo"])));
    assert_eq!(stranger.get("/repos/alice/moved").await.status, 404);
    sandbox.set_account_suspended("bob", true);
    assert_eq!(stranger.get("/user").await.status, 403);
}
