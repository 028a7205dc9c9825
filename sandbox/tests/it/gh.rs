//! Real gh over the Unix socket.

use standin_sandbox::openapi::OpenApi;
use standin_sandbox::{Conclusion, Options, Transport, WorkflowState};

use crate::support::{Stage, World, script, workflow};

const REPO: [&str; 2] = ["-R", "alice/primary"];

#[tokio::test(flavor = "multi_thread")]
async fn gh_knows_who_it_is() {
    let world = World::new().await;
    let gh = world.gh();
    let status = gh.run(&["auth", "status"]);
    assert!(status.contains("Logged in to github.com account alice"), "{status}");
    assert_eq!(gh.run(&["auth", "token"]).trim(), world.token);
    assert_eq!(gh.run(&["api", "user", "-q", ".login"]).trim(), "alice");
    assert!(world.sandbox.requests().iter().all(|request| request.transport == Transport::Unix));
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_sets_and_lists_secrets() {
    let world = World::new().await;
    let gh = world.gh();
    let value = "two\nlines $HOME \"quoted\"";
    gh.run_with(&["secret", "set", "ODD", REPO[0], REPO[1]], value.as_bytes());
    assert_eq!(world.sandbox.secret_value("alice", "primary", "ODD").unwrap(), value.as_bytes());
    gh.run_with(&["secret", "set", "-f", "-", REPO[0], REPO[1]], b"A=1\nB=\"two words\"\n");
    assert_eq!(world.sandbox.secret_value("alice", "primary", "B").unwrap(), b"two words");
    let list = gh.run(&["secret", "list", REPO[0], REPO[1]]);
    assert_eq!(list.lines().count(), 3, "{list}");
    gh.run(&["secret", "delete", "A", REPO[0], REPO[1]]);
    assert_eq!(world.sandbox.secrets("alice", "primary").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_sets_lists_and_reads_variables() {
    let world = World::new().await;
    let gh = world.gh();
    gh.run(&["variable", "set", "MODE", "--body", "blue", REPO[0], REPO[1]]);
    gh.run(&["variable", "set", "MODE", "--body", "green", REPO[0], REPO[1]]);
    assert_eq!(world.sandbox.variable("alice", "primary", "MODE").unwrap(), "green");
    assert_eq!(gh.run(&["variable", "get", "MODE", REPO[0], REPO[1]]).trim(), "green");
    gh.run_with(&["variable", "set", "-f", "-", REPO[0], REPO[1]], b"X=1\nY=2\n");
    let list = gh.run(&["variable", "list", REPO[0], REPO[1]]);
    assert_eq!(list.lines().count(), 3, "{list}");
    gh.run(&["variable", "delete", "X", REPO[0], REPO[1]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_lists_disables_enables_and_runs_workflows() {
    let world = World::new().await;
    let gh = world.gh();
    let work = world.clone_with_commit("one");
    work.commit(".github/workflows/hand.yml", &workflow("workflow_dispatch"), "Workflow");
    work.git(&["push", "-q", "origin", "main"]);
    let list = gh.run(&["workflow", "list", REPO[0], REPO[1]]);
    assert!(list.contains("Test\tactive"), "{list}");
    gh.run(&["workflow", "disable", "hand.yml", REPO[0], REPO[1]]);
    let state = || world.sandbox.workflows("alice", "primary")[0].state;
    assert_eq!(state(), WorkflowState::DisabledManually);
    gh.run(&["workflow", "enable", "hand.yml", REPO[0], REPO[1]]);
    assert_eq!(state(), WorkflowState::Active);
    gh.run(&["workflow", "run", "hand.yml", REPO[0], REPO[1]]);
    assert_eq!(world.sandbox.runs("alice", "primary")[0].event, "workflow_dispatch");
    let runs = gh.run(&["run", "list", REPO[0], REPO[1]]);
    assert!(runs.contains("workflow_dispatch"), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_views_creates_lists_and_deletes_repositories() {
    let world = World::new().await;
    let gh = world.gh();
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let view = gh.run(&[
        "repo",
        "view",
        "alice/primary",
        "--json",
        "nameWithOwner,isPrivate,defaultBranchRef,viewerPermission",
    ]);
    let view: serde_json::Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["nameWithOwner"], "alice/primary");
    assert_eq!(view["defaultBranchRef"]["name"], "main");
    assert_eq!(view["viewerPermission"], "ADMIN");
    let view = gh.run(&["repo", "view", "alice/primary"]);
    assert!(view.contains("hello"), "{view}");
    gh.run(&["repo", "create", "alice/second", "--private"]);
    let list = gh.run(&["repo", "list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    gh.run(&["repo", "delete", "alice/second", "--yes"]);
    assert!(world.sandbox.repository_id("alice", "second").is_none());
    let output = gh.try_run(&["repo", "view", "alice/missing"], b"");
    assert!(!output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_follows_pages() {
    let world = World::new().await;
    for number in 0..7 {
        world.sandbox.set_variable("alice", "primary", &format!("V{number}"), "x");
    }
    let names = world.gh().run(&[
        "api",
        "--paginate",
        "repos/alice/primary/actions/variables?per_page=3",
        "-q",
        ".variables[].name",
    ]);
    assert_eq!(names.lines().count(), 7, "{names}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gh_runs_views_and_cancels_what_is_carried_out() {
    let stage = Stage::with(Options { record_bodies: true, ..Options::default() }).await;
    let gh = stage.world.gh();
    let text = format!(
        "name: Hand\non: {{workflow_dispatch: {{inputs: {{who: {{required: true}}}}}}}}\n{}",
        script(
            "echo \"hello ${{ inputs.who }}\"\necho '::warning::careful'\n[[ ${{ inputs.who }} != long ]] || sleep 600"
        )
    );
    stage.put("hand.yml", &text);
    gh.run(&["workflow", "run", "hand.yml", "-f", "who=gh", REPO[0], REPO[1]]);
    let id = stage.sandbox().runs("alice", "primary").pop().unwrap().id;
    stage.ended(id).await;
    let list = gh.run(&["run", "list", "--workflow", "hand.yml", "--status", "success", REPO[0], REPO[1]]);
    assert!(list.starts_with("completed\tsuccess\tWorkflow\tHand\tmain\tworkflow_dispatch"), "{list}");
    let number = id.to_string();
    let view = gh.run(&["run", "view", &number, REPO[0], REPO[1]]);
    assert!(view.contains("one in") && view.contains("careful"), "{view}");
    let log = gh.run(&["run", "view", &number, "--log", REPO[0], REPO[1]]);
    assert!(log.lines().any(|line| line.starts_with("one\tRun echo") && line.ends_with("Z hello gh")), "{log}");
    gh.run(&["run", "watch", &number, REPO[0], REPO[1]]);
    gh.run(&["workflow", "run", "hand.yml", "-f", "who=long", REPO[0], REPO[1]]);
    let id = stage.sandbox().runs("alice", "primary").pop().unwrap().id;
    stage.says(id, "careful").await;
    gh.run(&["run", "cancel", &id.to_string(), REPO[0], REPO[1]]);
    assert_eq!(stage.ended(id).await.conclusion, Some(Conclusion::Cancelled));
    let violations = OpenApi::load().unwrap_or_else(|error| panic!("{error}")).check(&stage.sandbox().exchanges());
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gh_sends_is_as_described() {
    let world = World::with(Options { record_bodies: true, ..Options::default() }).await;
    let gh = world.gh();
    let work = world.clone_with_commit("one");
    work.commit(".github/workflows/hand.yml", &workflow("workflow_dispatch"), "Workflow");
    work.git(&["push", "-q", "origin", "main"]);
    gh.run_with(&["secret", "set", "-f", "-", REPO[0], REPO[1]], b"A=1\nB=2\n");
    gh.run(&["secret", "list", REPO[0], REPO[1]]);
    gh.run(&["variable", "set", "A", "--body", "1", REPO[0], REPO[1]]);
    gh.run(&["variable", "set", "A", "--body", "2", REPO[0], REPO[1]]);
    gh.run(&["variable", "list", REPO[0], REPO[1]]);
    gh.run(&["workflow", "disable", "hand.yml", REPO[0], REPO[1]]);
    gh.run(&["workflow", "list", "--all", REPO[0], REPO[1]]);
    let violations: Vec<String> = OpenApi::load()
        .unwrap_or_else(|error| panic!("{error}"))
        .check(&world.sandbox.exchanges())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    assert!(world.sandbox.exchanges().len() >= 10);
}
