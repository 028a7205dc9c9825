//! Every endpoint, checked against GitHub's own description.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use standin_sandbox::openapi::{OpenApi, Part};
use standin_sandbox::{Exchange, Execute, Options, Role};

use crate::secrets::seal;
use crate::support::{Got, Rest, World, workflow};

const R: &str = "/repos/alice/primary";

fn description() -> OpenApi {
    OpenApi::load().unwrap_or_else(|error| panic!("{error}"))
}

struct Tour {
    rest: Rest,
}

impl Tour {
    async fn ask(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let body = (!body.is_null()).then_some(body);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let got: Got = self.rest.send(method.clone(), path, body, &[]).await.unwrap();
        assert_eq!(got.status, status, "{method} {path}: {:?}", got.body);
        got.json()
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null, 200).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers_as_described() {
    let options = Options {
        record_bodies: true,
        secondary_limit: None,
        execute: Execute::Only(vec!["ran.yml".to_owned()]),
        ..Options::default()
    };
    let world = World::with(options).await;
    world.sandbox.create_organization("club", "alice", Role::Admin);
    let work = world.clone_with_commit("one");
    work.commit(".github/workflows/hand.yml", &workflow("[push, workflow_dispatch]"), "Workflow");
    let remarks =
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps: [{run: 'echo ::warning::careful'}]\n";
    work.commit(".github/workflows/ran.yml", remarks, "Workflow that is carried out");
    work.git(&["tag", "-a", "v1", "-m", "v1"]);
    work.git(&["push", "-q", "origin", "main", "v1"]);
    let tour = Tour { rest: world.rest() };
    accounts_and_repositories(&tour).await;
    files_and_history(&tour).await;
    git_objects(&tour).await;
    pulls(&tour).await;
    secrets_and_variables(&tour).await;
    workflows(&tour).await;
    world.sandbox.wait_for_runs(Duration::from_secs(60)).await.unwrap();
    jobs(&tour).await;
    issues(&tour).await;
    refusals(&tour, &world).await;
    let exchanges = world.sandbox.exchanges();
    let unknown: Vec<String> =
        world.sandbox.requests().iter().filter(|request| !request.known).map(|request| request.path.clone()).collect();
    assert_eq!(unknown, ["/no/such/endpoint"]);
    let description = description();
    let expected: Vec<_> = description
        .check(&exchanges)
        .into_iter()
        .filter(|violation| violation.request != "GET /no/such/endpoint")
        .map(|violation| violation.to_string())
        .collect();
    assert!(expected.is_empty(), "{}", expected.join("\n"));
    let covered = description.covered(&exchanges);
    // As many as `route.rs` has endpoints, GraphQL aside.
    assert_eq!(covered.len(), 75, "{covered:#?}");
}

async fn accounts_and_repositories(tour: &Tour) {
    for path in ["/", "/user", "/users/alice", "/orgs/club", "/rate_limit", "/meta", "/user/repos", R] {
        tour.get(path).await;
    }
    let made = json!({"name": "second", "private": true, "description": "x"});
    tour.ask("POST", "/user/repos", made.clone(), 201).await;
    tour.ask("POST", "/user/repos", made, 422).await;
    tour.ask("POST", "/orgs/club/repos", json!({"name": "theirs"}), 201).await;
    tour.ask("PATCH", "/repos/alice/second", json!({"archived": true}), 200).await;
    tour.ask("PATCH", "/repos/alice/second", json!({"archived": false, "private": false, "name": "third"}), 200).await;
    tour.ask("GET", "/repos/alice/second", Value::Null, 301).await;
    tour.ask("DELETE", "/repos/alice/third", Value::Null, 204).await;
}

async fn files_and_history(tour: &Tour) {
    let text = STANDARD.encode("one\n");
    let path = format!("{R}/contents/dir/a%20b.txt");
    let made = tour.ask("PUT", &path, json!({"message": "Add", "content": text}), 201).await;
    let sha = made["content"]["sha"].clone();
    let change = json!({"message": "Change", "content": STANDARD.encode("two\n"), "sha": sha, "branch": "main"});
    let changed = tour.ask("PUT", &path, change.clone(), 200).await;
    tour.ask("PUT", &path, change, 409).await;
    tour.get(&path).await;
    for path in [
        "contents",
        "contents/dir?ref=main",
        "readme",
        "commits?per_page=1",
        "commits/main",
        "commits/v1",
        "branches",
        "branches/main",
        "compare/v1...main",
        "compare/main...v1?per_page=1&page=1",
    ] {
        tour.get(&format!("{R}/{path}")).await;
    }
    let remove = json!({"message": "Remove", "sha": changed["content"]["sha"]});
    tour.ask("DELETE", &path, remove, 200).await;
    tour.ask("GET", &path, Value::Null, 404).await;
}

async fn git_objects(tour: &Tour) {
    let main = tour.get(&format!("{R}/git/ref/heads/main")).await;
    let tip = main["object"]["sha"].as_str().unwrap().to_owned();
    let tag = tour.get(&format!("{R}/git/ref/tags/v1")).await;
    tour.get(&format!("{R}/git/tags/{}", tag["object"]["sha"].as_str().unwrap())).await;
    tour.get(&format!("{R}/git/matching-refs/heads")).await;
    let blob = tour.ask("POST", &format!("{R}/git/blobs"), json!({"content": "aGk=", "encoding": "base64"}), 201).await;
    tour.get(&format!("{R}/git/blobs/{}", blob["sha"].as_str().unwrap())).await;
    tour.get(&format!("{R}/git/trees/main?recursive=1")).await;
    let commit = tour.get(&format!("{R}/git/commits/{tip}")).await;
    let tree = json!({"base_tree": commit["tree"]["sha"], "tree": [
        {"path": "new/file", "mode": "100755", "type": "blob", "sha": blob["sha"]},
        {"path": "inline", "mode": "100644", "type": "blob", "content": "hi"},
        {"path": "readme.md", "mode": "100644", "type": "blob", "sha": null},
    ]});
    let tree = tour.ask("POST", &format!("{R}/git/trees"), tree, 201).await;
    let person = json!({"name": "A", "email": "a@example.org", "date": "2026-01-01T00:00:00Z"});
    let made = json!({"message": "By hand", "tree": tree["sha"], "parents": [tip], "author": person});
    let made = tour.ask("POST", &format!("{R}/git/commits"), made, 201).await;
    let annotated = json!({"tag": "v2", "message": "v2", "object": made["sha"], "type": "commit"});
    tour.ask("POST", &format!("{R}/git/tags"), annotated, 201).await;
    let create = json!({"ref": "refs/standin/fence", "sha": tip});
    tour.ask("POST", &format!("{R}/git/refs"), create.clone(), 201).await;
    tour.ask("POST", &format!("{R}/git/refs"), create, 422).await;
    let fence = format!("{R}/git/refs/standin/fence");
    tour.ask("PATCH", &fence, json!({"sha": made["sha"], "force": false}), 200).await;
    tour.ask("PATCH", &fence, json!({"sha": tip}), 422).await;
    tour.ask("PATCH", &fence, json!({"sha": tip, "force": true}), 200).await;
    tour.ask("DELETE", &fence, Value::Null, 204).await;
    tour.ask("POST", &format!("{R}/git/refs"), json!({"ref": "refs/heads/topic", "sha": made["sha"]}), 201).await;
}

async fn pulls(tour: &Tour) {
    let open = json!({"title": "Topic", "head": "topic", "base": "main", "body": "x"});
    let pull = tour.ask("POST", &format!("{R}/pulls"), open.clone(), 201).await;
    tour.ask("POST", &format!("{R}/pulls"), open, 422).await;
    tour.get(&format!("{R}/pulls?state=open&head=alice:topic")).await;
    let one = format!("{R}/pulls/{}", pull["number"]);
    tour.get(&one).await;
    tour.ask("PATCH", &one, json!({"state": "closed"}), 200).await;
    tour.get(&format!("{R}/git/matching-refs/pull")).await;
}

async fn secrets_and_variables(tour: &Tour) {
    let sealed = seal(&tour.rest, b"value").await;
    let secret = format!("{R}/actions/secrets/KEY");
    tour.ask("PUT", &secret, sealed.clone(), 201).await;
    tour.ask("PUT", &secret, sealed, 204).await;
    tour.get(&secret).await;
    tour.get(&format!("{R}/actions/secrets")).await;
    tour.ask("DELETE", &secret, Value::Null, 204).await;
    let variables = format!("{R}/actions/variables");
    let variable = format!("{variables}/MODE");
    tour.ask("POST", &variables, json!({"name": "MODE", "value": "x"}), 201).await;
    tour.ask("POST", &variables, json!({"name": "MODE", "value": "x"}), 409).await;
    tour.ask("PATCH", &variable, json!({"name": "MODE", "value": "y"}), 204).await;
    tour.get(&variable).await;
    tour.get(&variables).await;
    tour.ask("DELETE", &variable, Value::Null, 204).await;
}

async fn workflows(tour: &Tour) {
    let list = tour.get(&format!("{R}/actions/workflows")).await;
    let id = &list["workflows"][0]["id"];
    let one = format!("{R}/actions/workflows/{id}");
    tour.get(&one).await;
    tour.ask("PUT", &format!("{one}/disable"), Value::Null, 204).await;
    tour.ask("PUT", &format!("{R}/actions/workflows/hand.yml/enable"), Value::Null, 204).await;
    let dispatches = format!("{one}/dispatches");
    tour.ask("POST", &dispatches, json!({"ref": "main"}), 204).await;
    tour.ask("POST", &dispatches, json!({"ref": "main", "return_run_details": true}), 200).await;
    tour.get(&format!("{R}/actions/runs?event=push&per_page=5")).await;
    let runs = tour.get(&format!("{one}/runs")).await;
    let run = format!("{R}/actions/runs/{}", runs["workflow_runs"][0]["id"]);
    tour.get(&run).await;
    tour.ask("POST", &format!("{run}/cancel"), Value::Null, 202).await;
    tour.ask("POST", &format!("{run}/cancel"), Value::Null, 409).await;
    tour.ask("POST", &format!("{run}/force-cancel"), Value::Null, 409).await;
    let permissions = format!("{R}/actions/permissions");
    tour.get(&permissions).await;
    tour.ask(
        "PUT",
        &permissions,
        json!({"enabled": true, "allowed_actions": "selected", "sha_pinning_required": true}),
        204,
    )
    .await;
    tour.get(&permissions).await;
    let selected = format!("{permissions}/selected-actions");
    tour.ask(
        "PUT",
        &selected,
        json!({"github_owned_allowed": true, "verified_allowed": false, "patterns_allowed": ["a/b@*"]}),
        204,
    )
    .await;
    tour.get(&selected).await;
    tour.ask("PUT", &permissions, json!({"enabled": false}), 204).await;
    tour.get(&permissions).await;
    let workflow = format!("{permissions}/workflow");
    tour.ask(
        "PUT",
        &workflow,
        json!({"default_workflow_permissions": "write", "can_approve_pull_request_reviews": true}),
        204,
    )
    .await;
    tour.get(&workflow).await;
}

async fn jobs(tour: &Tour) {
    let ran = format!("{R}/actions/workflows/ran.yml/runs?status=success&created=%3E%3D2026-01-01&per_page=1");
    let runs = tour.get(&ran).await;
    let run = format!("{R}/actions/runs/{}", runs["workflow_runs"][0]["id"]);
    let jobs = tour.get(&format!("{run}/jobs")).await;
    tour.get(&format!("{run}/attempts/1/jobs")).await;
    tour.ask("GET", &format!("{run}/attempts/2/jobs"), Value::Null, 404).await;
    tour.get(&format!("{run}/artifacts")).await;
    tour.ask("GET", &format!("{run}/logs"), Value::Null, 302).await;
    let id = &jobs["jobs"][0]["id"];
    tour.get(&format!("{R}/actions/jobs/{id}")).await;
    tour.ask("GET", &format!("{R}/actions/jobs/{id}/logs"), Value::Null, 302).await;
    let remarks = tour.get(&format!("{R}/check-runs/{id}/annotations")).await;
    assert_eq!(remarks[0]["message"], "careful");
}

async fn issues(tour: &Tour) {
    let issues = format!("{R}/issues");
    let made = tour.ask("POST", &issues, json!({"title": "Down", "body": "x"}), 201).await;
    let one = format!("{issues}/{}", made["number"]);
    tour.get(&one).await;
    tour.ask("PATCH", &one, json!({"state": "closed"}), 200).await;
    assert_eq!(tour.get(&format!("{issues}?state=all")).await.as_array().unwrap().len(), 1);
    assert_eq!(tour.get(&issues).await, json!([]));
}

async fn refusals(tour: &Tour, world: &World) {
    tour.ask("GET", "/repos/alice/missing", Value::Null, 404).await;
    tour.ask("GET", "/no/such/endpoint", Value::Null, 404).await;
    let stranger = Tour { rest: world.rest_as("ghp_wrong") };
    stranger.ask("GET", "/user", Value::Null, 401).await;
    let nobody = Tour { rest: world.rest_as("") };
    nobody.ask("GET", "/user", Value::Null, 401).await;
    tour.ask("GET", "/user", Value::Null, 200).await;
}

fn exchange(method: &str, path: &str, request: Value, status: u16, response: Value) -> Exchange {
    let bytes = |value: &Value| if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Exchange {
        id: 1,
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        request_body: bytes(&request),
        status,
        response_type: (!response.is_null()).then(|| "application/json; charset=utf-8".to_owned()),
        response_body: bytes(&response),
        faulted: false,
    }
}

#[test]
fn the_check_finds_what_is_not_as_described() {
    let description = description();
    let parts = |exchange: Exchange| -> Vec<Part> {
        description.check(&[exchange]).iter().map(|violation| violation.part).collect()
    };
    let variables = "/repos/a/b/actions/variables";
    let good = json!({"name": "X", "value": "y"});
    assert_eq!(parts(exchange("POST", variables, good.clone(), 201, json!({}))), []);
    assert_eq!(parts(exchange("POST", "/repos/a/b/actions/varables", good.clone(), 201, json!({}))), [Part::Path]);
    assert_eq!(parts(exchange("PUT", variables, good.clone(), 201, json!({}))), [Part::Path]);
    assert_eq!(parts(exchange("POST", variables, json!({"name": "X"}), 201, json!({}))), [Part::RequestBody]);
    let typo = json!({"name": "X", "value": "y", "valeu": "z"});
    assert_eq!(parts(exchange("POST", variables, typo, 201, json!({}))), [Part::RequestBody]);
    assert_eq!(parts(exchange("POST", variables, good, 202, json!({}))), [Part::Status]);
    let list = json!({"total_count": 0, "variables": []});
    assert_eq!(
        parts(exchange("GET", &format!("{variables}?per_page=x"), Value::Null, 200, list.clone())),
        [Part::Query]
    );
    assert_eq!(parts(exchange("GET", &format!("{variables}?size=1"), Value::Null, 200, list)), [Part::Query]);
    let wrong = json!({"total_count": "0", "variables": []});
    assert_eq!(parts(exchange("GET", variables, Value::Null, 200, wrong)), [Part::ResponseBody]);
    assert_eq!(parts(exchange("GET", "/repos/a/b", Value::Null, 404, json!({"message": 1}))), [Part::ResponseBody]);
}
