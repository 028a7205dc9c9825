//! Workflows: when they are listed, what their states mean, what setting Actions off means.

use std::time::Duration;

use serde_json::json;
use standin_sandbox::{Listing, Protection, WorkflowState};

use crate::support::{Work, World, workflow};

const R: &str = "/repos/alice/primary";

fn push_workflow(world: &World) -> Work {
    let work = world.clone_with_commit("one");
    work.commit(".github/workflows/ci.yml", &workflow("push"), "Workflow");
    work.git(&["push", "-q", "origin", "main"]);
    work
}

async fn listed(world: &World) -> u64 {
    let got = world.rest().get(&format!("{R}/actions/workflows")).await;
    got.json()["total_count"].as_u64().unwrap()
}

#[tokio::test]
async fn new_files_can_be_listed_some_calls_late() {
    let world = World::new().await;
    let late = Listing { delay_calls: 2, ..Listing::default() };
    world.sandbox.set_workflow_listing("alice", "primary", late);
    push_workflow(&world);
    let one = format!("{R}/actions/workflows/ci.yml");
    assert_eq!(world.rest().get(&one).await.status, 404);
    assert_eq!(world.rest().put(&format!("{one}/disable"), json!({})).await.status, 404);
    assert_eq!(listed(&world).await, 0);
    assert_eq!(listed(&world).await, 0);
    assert_eq!(listed(&world).await, 1);
    assert_eq!(world.rest().get(&one).await.status, 200);
}

#[tokio::test]
async fn new_files_can_be_listed_some_time_late() {
    let world = World::new().await;
    let late = Listing { delay: Duration::from_millis(400), ..Listing::default() };
    world.sandbox.set_workflow_listing("alice", "primary", late);
    push_workflow(&world);
    assert_eq!(listed(&world).await, 0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(listed(&world).await, 1);
}

#[tokio::test]
async fn files_can_wait_for_actions_to_be_on_again() {
    let world = World::new().await;
    let waits = Listing { listed_while_actions_off: false, ..Listing::default() };
    world.sandbox.set_workflow_listing("alice", "primary", waits);
    let permissions = format!("{R}/actions/permissions");
    let rest = world.rest();
    assert_eq!(rest.put(&permissions, json!({"enabled": false})).await.status, 204);
    push_workflow(&world);
    assert_eq!(listed(&world).await, 0);
    assert_eq!(world.sandbox.run_count("alice", "primary"), 0);
    assert_eq!(rest.put(&permissions, json!({"enabled": true})).await.status, 204);
    assert_eq!(listed(&world).await, 1);
    assert_eq!(world.sandbox.run_count("alice", "primary"), 0);
}

#[tokio::test]
async fn a_workflow_keeps_its_number_and_state_while_its_file_comes_and_goes() {
    let world = World::new().await;
    let work = push_workflow(&world);
    let rest = world.rest();
    let one = format!("{R}/actions/workflows/ci.yml");
    let id = rest.get(&one).await.json()["id"].clone();
    assert_eq!(rest.put(&format!("{one}/disable"), json!({})).await.status, 204);
    work.git(&["rm", "-q", ".github/workflows/ci.yml"]);
    work.commit("x", "x", "Remove");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(rest.get(&one).await.status, 404);
    assert_eq!(listed(&world).await, 0);
    work.commit(".github/workflows/ci.yml", &workflow("push"), "Back");
    work.git(&["push", "-q", "origin", "main"]);
    let back = rest.get(&one).await.json();
    assert_eq!(back["id"], id);
    assert_eq!(back["state"], "disabled_manually");
    assert_eq!(world.sandbox.run_count("alice", "primary"), 1);
}

#[tokio::test]
async fn a_workflow_of_another_branch_is_listed_once_it_ran() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    work.git(&["checkout", "-q", "-b", "topic"]);
    work.write(".github/workflows/quiet.yml", workflow("workflow_dispatch").as_bytes());
    work.commit(".github/workflows/loud.yml", &workflow("push"), "Workflows");
    work.git(&["push", "-q", "origin", "topic"]);
    let known = world.sandbox.workflows("alice", "primary");
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].path, ".github/workflows/loud.yml");
    work.git(&["push", "-q", "origin", ":topic"]);
    assert!(world.sandbox.workflows("alice", "primary").is_empty());
}

#[tokio::test]
async fn a_run_is_started_by_hand_only_where_the_workflow_allows_it() {
    let world = World::new().await;
    let work = push_workflow(&world);
    let rest = world.rest();
    let start = |file: &str| {
        let path = format!("{R}/actions/workflows/{file}/dispatches");
        let rest = rest.clone();
        async move { rest.post(&path, json!({"ref": "main"})).await }
    };
    let got = start("ci.yml").await;
    assert_eq!(got.message(), "Workflow does not have 'workflow_dispatch' trigger");
    work.commit(".github/workflows/hand.yml", &workflow("workflow_dispatch"), "Hand");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(start("hand.yml").await.status, 204);
    world.sandbox.set_workflow_state("alice", "primary", "hand.yml", WorkflowState::DisabledInactivity);
    assert!(start("hand.yml").await.message().contains("disabled workflow"));
    assert_eq!(start("none.yml").await.status, 404);
    let last = world.sandbox.runs("alice", "primary").pop().unwrap();
    assert_eq!((last.event.as_str(), last.run_number), ("workflow_dispatch", 1));
}

#[tokio::test]
async fn messages_that_skip_and_many_tags_start_nothing() {
    let world = World::new().await;
    let work = push_workflow(&world);
    let runs = || world.sandbox.run_count("alice", "primary");
    assert_eq!(runs(), 1);
    work.commit("x", "x", "Quiet [skip ci]");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(runs(), 1);
    work.commit("y", "y", "Loud");
    for tag in ["a", "b", "c", "d"] {
        work.git(&["tag", tag]);
    }
    work.git(&["push", "-q", "origin", "a", "b", "c", "d"]);
    assert_eq!(runs(), 1);
    work.git(&["tag", "e"]);
    work.git(&["push", "-q", "origin", "e"]);
    assert_eq!(runs(), 2);
    work.git(&["push", "-q", "origin", "main:refs/standin/fence"]);
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn a_refused_push_starts_nothing() {
    let world = World::new().await;
    let work = push_workflow(&world);
    world.sandbox.protect_branch("alice", "primary", "main", Protection::PullRequestOnly);
    work.commit("x", "x", "More");
    work.git_fails(&["push", "-q", "origin", "main"]);
    assert_eq!(world.sandbox.run_count("alice", "primary"), 1);
}

#[tokio::test]
async fn a_pull_request_has_a_ref_that_everybody_sees_and_nobody_pushes() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    work.commit("x", "x", "More");
    work.git(&["push", "-q", "origin", "main:topic"]);
    let open = json!({"title": "Topic", "head": "topic", "base": "main"});
    let got = world.rest().post(&format!("{R}/pulls"), open).await;
    assert_eq!(got.status, 201);
    let tip = work.git(&["rev-parse", "HEAD"]);
    assert_eq!(work.remote_ref("refs/pull/1/head").unwrap(), tip);
    let words = work.git_fails(&["push", "origin", ":refs/pull/1/head"]);
    assert!(words.contains("deny updating a hidden ref"), "{words}");
}
