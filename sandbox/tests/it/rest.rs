//! What all endpoints share: sign-in, rights, limits, conditional requests; and refs as compare-and-swap.

use std::time::Duration;

use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use standin_sandbox::{Level, Options, RepositorySpec, RepositoryState, Role, SecondaryLimit, TokenSpec};

use crate::support::{World, workflow};

const R: &str = "/repos/alice/primary";

#[tokio::test]
async fn headers_tell_scopes_expiry_and_accepted_permissions() {
    let world = World::new().await;
    let end = Timestamp::now() + Duration::from_secs(3_600);
    let classic = TokenSpec::classic(&["repo", "workflow"]).expiring(end);
    let token = world.sandbox.create_token("alice", classic);
    let got = world.rest_as(&token).get(R).await;
    assert_eq!(got.header("x-oauth-scopes"), "repo, workflow");
    let expected = end.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    assert_eq!(got.header("github-authentication-token-expiration"), expected);
    assert_eq!(got.header("x-github-api-version-selected"), "2022-11-28");
    assert!(!got.header("x-github-request-id").is_empty());
    let fine = TokenSpec::fine_grained("alice", &["primary"], &[("secrets", Level::Read)]);
    let fine = world.sandbox.create_token("alice", fine);
    assert!(fine.starts_with("github_pat_"));
    let rest = world.rest_as(&fine);
    let got = rest.get(&format!("{R}/actions/secrets")).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.header("x-oauth-scopes"), "");
    assert_eq!(got.header("x-accepted-github-permissions"), "secrets=read");
    let got = rest.delete(&format!("{R}/actions/secrets/X")).await;
    assert_eq!(got.status, 403);
    assert_eq!(got.message(), "Resource not accessible by personal access token");
    assert_eq!(got.header("x-accepted-github-permissions"), "secrets=write");
    let got = rest.get(&format!("{R}/actions/variables")).await;
    assert_eq!(got.status, 403);
}

#[tokio::test]
async fn tokens_end_when_they_expire_are_revoked_or_their_account_is_suspended() {
    let world = World::new().await;
    let past = Timestamp::now() - Duration::from_secs(1);
    let expired = world.sandbox.create_token("alice", TokenSpec::classic(&["repo"]).expiring(past));
    let got = world.rest_as(&expired).get("/user").await;
    assert_eq!((got.status, got.message().as_str()), (401, "Bad credentials"));
    let revoked = world.sandbox.create_token("alice", TokenSpec::classic(&["repo"]));
    assert_eq!(world.rest_as(&revoked).get("/user").await.status, 200);
    assert!(world.sandbox.revoke_token(&revoked));
    assert_eq!(world.rest_as(&revoked).get("/user").await.status, 401);
    world.sandbox.set_account_suspended("alice", true);
    let got = world.rest().get("/user").await;
    assert_eq!(got.status, 403);
    assert!(got.message().contains("suspended"));
}

#[tokio::test]
async fn private_repositories_hide_from_those_without_rights() {
    let world = World::new().await;
    let sandbox = &world.sandbox;
    let bob = sandbox.create_token("bob", TokenSpec::classic(&["repo"]));
    let rest = world.rest_as(&bob);
    assert_eq!(rest.get(R).await.status, 404);
    assert_eq!(world.rest_as("").get(R).await.status, 404);
    let narrow = sandbox.create_token("alice", TokenSpec::classic(&["public_repo"]));
    assert_eq!(world.rest_as(&narrow).get(R).await.status, 404);
    let elsewhere = TokenSpec::fine_grained("alice", &["other"], &[("contents", Level::Write)]);
    let elsewhere = sandbox.create_token("alice", elsewhere);
    assert_eq!(world.rest_as(&elsewhere).get(R).await.status, 404);
    sandbox.add_collaborator("alice", "primary", "bob", Role::Read);
    let got = rest.get(R).await;
    assert_eq!(got.json()["permissions"]["push"], false);
    let got = rest.get(&format!("{R}/actions/permissions")).await;
    assert_eq!(got.message(), "Must have admin rights to Repository.");
    sandbox.set_private("alice", "primary", false);
    assert_eq!(world.rest_as("").get(R).await.status, 200);
    assert_eq!(world.rest_as("").get(&format!("{R}/actions/secrets")).await.status, 401);
}

#[tokio::test]
async fn archived_blocked_hidden_and_renamed_repositories_answer_as_such() {
    let world = World::new().await;
    let (rest, sandbox) = (world.rest(), &world.sandbox);
    let variables = format!("{R}/actions/variables");
    let body = json!({"name": "A", "value": "1"});
    sandbox.set_archived("alice", "primary", true);
    let got = rest.post(&variables, body.clone()).await;
    assert_eq!((got.status, got.message().as_str()), (403, "Repository was archived so is read-only."));
    assert_eq!(rest.patch(R, json!({"archived": false})).await.status, 200);
    for (state, status) in [
        (RepositoryState::Blocked, 403),
        (RepositoryState::TakenDown, 451),
        (RepositoryState::Hidden, 404),
        (RepositoryState::Live, 200),
    ] {
        sandbox.set_repository_state("alice", "primary", state);
        assert_eq!(rest.get(R).await.status, status, "{state:?}");
    }
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    assert!(sandbox.rename_repository("alice", "primary", "renamed"));
    let got = rest.get(&format!("{variables}?per_page=1")).await;
    assert_eq!(got.status, 301);
    let moved = got.header("location").strip_prefix(&sandbox.api_url()).unwrap().to_owned();
    assert_eq!(rest.get(&moved).await.status, 200);
    let got = rest.post(&variables, body).await;
    assert_eq!((got.status, got.message().as_str()), (307, "Moved Permanently"));
    let said = work.try_git(&["fetch", "origin"]);
    assert!(said.status.success(), "{}", crate::support::said(&said));
}

#[tokio::test]
async fn an_unchanged_answer_is_304_and_costs_nothing() {
    let world = World::new().await;
    let rest = world.rest();
    let first = rest.get(R).await;
    let tag = first.header("etag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    let ask = || rest.send(Method::GET, R, None, &known);
    let second = ask().await.unwrap();
    assert_eq!((second.status, second.body.len()), (304, 0));
    assert_eq!(second.header("x-ratelimit-used"), first.header("x-ratelimit-used"));
    assert!(world.sandbox.requests()[1].conditional);
    world.sandbox.set_archived("alice", "primary", true);
    assert_eq!(ask().await.unwrap().status, 200);
}

#[tokio::test]
async fn the_hourly_limit_is_counted_for_each_account_and_refuses_when_spent() {
    let world = World::new().await;
    let rest = world.rest();
    world.sandbox.set_rate_limit_used("alice", 4_998);
    let got = rest.get("/user").await;
    assert_eq!(got.header("x-ratelimit-limit"), "5000");
    assert_eq!(got.header("x-ratelimit-remaining"), "1");
    assert_eq!(rest.get("/user").await.status, 200);
    let got = rest.get("/user").await;
    assert_eq!(got.status, 403);
    assert!(got.message().starts_with("API rate limit exceeded"));
    assert_eq!(got.header("x-ratelimit-remaining"), "0");
    let reset: i64 = got.header("x-ratelimit-reset").parse().unwrap();
    let left = reset - Timestamp::now().as_second();
    assert!((3_500..=3_600).contains(&left), "{left}");
    let got = rest.get("/rate_limit").await;
    assert_eq!(got.json()["resources"]["core"]["remaining"], 0);
    let bob = world.sandbox.create_token("bob", TokenSpec::classic(&["repo"]));
    assert_eq!(world.rest_as(&bob).get("/user").await.status, 200);
}

#[tokio::test]
async fn content_made_too_fast_is_refused_with_retry_after() {
    let world = World::with(Options {
        secondary_limit: Some(SecondaryLimit { per_minute: 3, per_hour: 500, status: 429 }),
        ..Options::default()
    })
    .await;
    let rest = world.rest();
    let post = |name: String| {
        let rest = rest.clone();
        async move { rest.post(&format!("{R}/actions/variables"), json!({"name": name, "value": "x"})).await }
    };
    for number in 0..3 {
        assert_eq!(post(format!("V{number}")).await.status, 201);
    }
    let got = post("V3".to_owned()).await;
    assert_eq!(got.status, 429);
    let wait: u64 = got.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(rest.get(R).await.status, 200);
}

#[tokio::test]
async fn a_ref_moves_forward_only_and_the_faster_of_two_writers_wins() {
    let world = World::new().await;
    let (rest, sandbox) = (world.rest(), &world.sandbox);
    let work = world.clone_with_commit("one");
    let first = work.git(&["rev-parse", "HEAD"]);
    work.git(&["push", "-q", "origin", "main", "main:refs/standin/fence"]);
    let got = rest.get(&format!("{R}/git/commits/{first}")).await.json();
    let commit = |message: String| {
        let body = json!({"message": message, "tree": got["tree"]["sha"], "parents": [first]});
        let rest = rest.clone();
        async move {
            let made = rest.post(&format!("{R}/git/commits"), body).await.json();
            made["sha"].as_str().unwrap().to_owned()
        }
    };
    let fence = format!("{R}/git/refs/standin/fence");
    let mut racing = Vec::new();
    for number in 0..8 {
        let sha = commit(format!("Epoch {number}")).await;
        let (rest, fence) = (rest.clone(), fence.clone());
        racing.push(tokio::spawn(async move { (rest.patch(&fence, json!({"sha": sha})).await.status, sha) }));
    }
    let mut winners = Vec::new();
    for racer in racing {
        let (status, sha) = racer.await.unwrap();
        match status {
            200 => winners.push(sha),
            other => assert_eq!(other, 422),
        }
    }
    assert_eq!(winners.len(), 1);
    let now = rest.get(&format!("{R}/git/ref/standin/fence")).await.json();
    assert_eq!(now["object"]["sha"], winners[0]);
    let path = sandbox.repository_path("alice", "primary");
    let text = std::fs::read_to_string(path.join("refs/standin/fence")).unwrap();
    assert_eq!(text.trim(), winners[0]);
}

#[tokio::test]
async fn writing_over_rest_starts_runs_and_needs_the_workflow_right() {
    let world = World::new().await;
    let sandbox = &world.sandbox;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let plain = sandbox.create_token("alice", TokenSpec::classic(&["repo"]));
    let content = |text: &str| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        json!({"message": "Write", "content": text})
    };
    let path = format!("{R}/contents/.github/workflows/x.yml");
    let file = content(&workflow("push"));
    assert_eq!(world.rest_as(&plain).put(&path, file.clone()).await.status, 404);
    assert_eq!(world.rest().put(&path, file).await.status, 201);
    assert_eq!(sandbox.run_count("alice", "primary"), 1);
    let readme = world.rest_as(&plain).put(&format!("{R}/contents/other"), content("x")).await;
    assert_eq!(readme.status, 201);
    assert_eq!(sandbox.run_count("alice", "primary"), 2);
}

#[tokio::test]
async fn an_empty_repository_says_so() {
    let world = World::new().await;
    let rest = world.rest();
    for (path, status) in [
        ("git/ref/heads/main", 409),
        ("commits", 409),
        ("contents/readme.md", 404),
        ("branches", 200),
        ("actions/workflows", 200),
    ] {
        assert_eq!(rest.get(&format!("{R}/{path}")).await.status, status, "{path}");
    }
    let got = rest.post(&format!("{R}/git/blobs"), json!({"content": "x"})).await;
    assert_eq!((got.status, got.message().as_str()), (409, "Git Repository is empty."));
}

#[tokio::test]
async fn a_sandbox_starts_fast_and_leaves_nothing_behind() {
    let started = std::time::Instant::now();
    let world = World::new().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let path = world.sandbox.repository_path("alice", "primary");
    let socket = world.sandbox.gh_socket().to_owned();
    assert!(path.is_dir() && socket.exists());
    let url = world.sandbox.api_url();
    let other = world.sandbox.clone();
    world.sandbox.stop().await;
    assert!(!path.exists() && !socket.exists());
    let gone = crate::support::Rest::new(&url, "").send(Method::GET, "/", None, &[]).await;
    assert!(gone.is_err());
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn names_are_found_in_any_case_and_taken_once() {
    let world = World::new().await;
    assert_eq!(world.rest().get("/repos/ALICE/Primary").await.json()["full_name"], "alice/primary");
    let again = world.sandbox.create_repository("alice", "PRIMARY", RepositorySpec::default()).await;
    assert!(again.is_err());
    let got = world.rest().post("/user/repos", json!({"name": "no spaces"})).await;
    assert_eq!(got.status, 422);
    let value: Value = got.json();
    assert_eq!(value["message"], "Validation Failed");
}

#[tokio::test]
async fn a_data_folder_keeps_the_repositories_and_can_be_used_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let options = || Options { data_dir: Some(dir.path().to_owned()), ..Options::default() };
    let first = World::with(options()).await;
    let path = first.sandbox.repository_path("alice", "primary");
    first.sandbox.stop().await;
    assert!(path.is_dir());
    let second = World::with(options()).await;
    assert_ne!(second.sandbox.repository_path("alice", "primary"), path);
}
