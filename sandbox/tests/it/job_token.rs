//! `GITHUB_TOKEN`: what it may, where, and for how long.

use serde_json::json;
use standin_sandbox::{Conclusion, RepositorySpec, Run};

use crate::support::{Stage, World};

/// Runs a script with the job's token in `TOKEN`, ready to ask the API and git.
async fn run_with(stage: &Stage, permissions: &str, lines: &str) -> (Run, String) {
    let lines: String = lines.lines().map(|line| format!("          {line}\n")).collect();
    let jobs = format!(
        r#"
{permissions}
jobs:
  one:
    runs-on: ubuntu-latest
    env: {{TOKEN: "${{{{ secrets.GITHUB_TOKEN }}}}", GH_TOKEN: "${{{{ github.token }}}}"}}
    steps:
      - shell: bash
        run: |
          ask() {{ curl -sS -o body -w "%{{http_code}}" -H "Authorization: Bearer $TOKEN" "$@"; }}
          api="$GITHUB_API_URL/repos/$GITHUB_REPOSITORY"
          remote="${{GITHUB_SERVER_URL/:\/\//:\/\/x-access-token:$TOKEN@}}"
          git config --global user.name bot && git config --global user.email bot@example.org
{lines}"#
    );
    let run = stage.run(&jobs).await;
    let log = stage.log(run.id);
    (run, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_the_rights_that_the_file_names_and_no_others() {
    let stage = Stage::new().await;
    let (run, log) = run_with(
        &stage,
        "permissions: {contents: read, actions: write}",
        r#"echo "read $(ask "$api/contents/readme.md")"
echo "workflows $(ask "$api/actions/workflows")"
echo "disable $(ask -X PUT "$api/actions/workflows/hand.yml/disable")"
echo "write $(ask -X PUT -d '{"message":"x","content":"eA=="}' "$api/contents/x") $(jq -r .message body)"
echo "variables $(ask "$api/actions/variables") set $(ask -X POST -d '{"name":"A","value":"1"}' "$api/actions/variables") $(jq -r .message body)"
echo "secrets $(ask "$api/actions/secrets")"
echo "issues $(ask -X POST -d '{"title":"x"}' "$api/issues")"
echo "user $(ask "$GITHUB_API_URL/user")"
gh api "repos/$GITHUB_REPOSITORY" -q '.full_name + " by gh"'
git clone -q "$remote/$GITHUB_REPOSITORY" copy && cd copy && git commit -q --allow-empty -m more
git push -q 2>&1 || echo refused"#,
    )
    .await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{log}");
    for words in [
        "read 200",
        "workflows 200",
        "disable 204",
        "write 403 Resource not accessible by integration",
        "variables 403 set 403 Resource not accessible by integration",
        "secrets 403",
        "issues 403",
        "user 403",
        "alice/primary by gh",
        "Z refused",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_pushes_start_nothing_and_bring_no_workflow_files() {
    let stage = Stage::new().await;
    stage.put(
        "loud.yml",
        "on: [push, workflow_dispatch]\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps: [{run: echo loud}]\n",
    );
    let before = stage.sandbox().runs("alice", "primary").iter().filter(|run| run.path.ends_with("loud.yml")).count();
    let (run, log) = run_with(
        &stage,
        "permissions: {contents: write, issues: write, actions: write}",
        r#"git clone -q "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" none 2>&1 || echo no token, no clone
git clone -q "$remote/$GITHUB_REPOSITORY" copy && cd copy && echo x > new && git add . && git commit -qm more && git push -q
mkdir -p .github/workflows && echo 'on: push' > .github/workflows/evil.yml && git add . && git commit -qm evil
git push 2>&1 || echo refused
echo "by rest $(ask -X PUT -d '{"message":"x","content":"eA=="}' "$api/contents/.github/workflows/x.yml")"
echo "new $(ask -X PUT -d '{"message":"x","content":"eA=="}' "$api/contents/y")"
echo "issue $(ask -X POST -d '{"title":"x"}' "$api/issues")"
echo "dispatch $(ask -X POST -d '{"ref":"main"}' "$api/actions/workflows/loud.yml/dispatches")""#,
    )
    .await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{log}");
    assert!(log.contains("no token, no clone"), "{log}");
    assert!(log.contains("refusing to allow a GitHub App to create or update workflow"), "{log}");
    for words in ["by rest 403", "new 201", "issue 201", "dispatch 204"] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    stage.work().git(&["fetch", "-q", "origin"]);
    assert_eq!(stage.work().git(&["log", "-2", "--format=%an %s", "origin/main"]), "github-actions[bot] x\nbot more");
    assert_eq!(stage.sandbox().issues("alice", "primary")[0].author, "github-actions[bot]");
    let runs = stage.sandbox().runs("alice", "primary");
    let loud: Vec<&Run> = runs.iter().filter(|run| run.path.ends_with("loud.yml")).collect();
    let pushed = loud.iter().filter(|run| run.event == "push").count();
    // Only `hand.yml` itself was pushed in between, by alice.
    assert_eq!((pushed, loud.len()), (before + 1, before + 2), "{runs:#?}");
    assert_eq!(loud.last().unwrap().actor, "github-actions[bot]", "a run by hand is allowed to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_no_other_private_repository_and_ends_with_its_job() {
    let stage = Stage::new().await;
    let World { sandbox, .. } = &stage.world;
    sandbox.create_repository("alice", "hidden", RepositorySpec::default()).await.unwrap();
    let public = RepositorySpec { private: false, ..RepositorySpec::default() };
    sandbox.create_repository("alice", "open", public).await.unwrap();
    let (run, log) = run_with(
        &stage,
        "permissions: write-all",
        r#"echo "hidden $(ask "$GITHUB_API_URL/repos/alice/hidden")"
echo "open $(ask "$GITHUB_API_URL/repos/alice/open")"
echo "open variable $(ask -X POST -d '{"ref":"refs/heads/x","sha":"0"}' "$GITHUB_API_URL/repos/alice/open/git/refs")"
echo "own $(ask "$api")"
echo "$TOKEN" | rev
echo "pull $(ask -X POST -d '{"title":"x","head":"y","base":"main"}' "$api/pulls") $(jq -r .message body)""#,
    )
    .await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{log}");
    for words in ["hidden 404", "open 200", "open variable 403", "own 200", "pull 403 GitHub Actions is not permitted"]
    {
        assert!(log.contains(words), "{words}\n{log}");
    }
    let reversed = log.lines().find(|line| line.ends_with("_shg")).expect("the token, backwards");
    let token: String = reversed.split_whitespace().last().unwrap().chars().rev().collect();
    let got = stage.world.rest_as(&token).get("/repos/alice/primary").await;
    assert_eq!((got.status, got.message().as_str()), (401, "Bad credentials"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_pull_requests_where_the_repository_lets_it() {
    let stage = Stage::new().await;
    let path = "/repos/alice/primary/actions/permissions/workflow";
    stage.world.rest().put(path, json!({"can_approve_pull_request_reviews": true})).await;
    stage.work().commit("x", "x", "Topic");
    stage.work().git(&["push", "-q", "origin", "main:topic"]);
    stage.work().git(&["reset", "-q", "--hard", "HEAD~1"]);
    let open = r#"echo "pull $(ask -X POST -d '{"title":"Bring home","head":"topic","base":"main"}' "$api/pulls")""#;
    for (permissions, words) in
        [("{pull-requests: read}", "pull 403"), ("{pull-requests: write, contents: read}", "pull 201")]
    {
        let (_, log) = run_with(&stage, &format!("permissions: {permissions}"), open).await;
        assert!(log.contains(words), "{words}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_permissions_in_the_file_the_repository_decides() {
    let stage = Stage::new().await;
    let lines = r#"echo "read $(ask "$api/contents/readme.md") write $(ask -X PUT -d "{\"message\":\"x\",\"content\":\"eA==\"}" "$api/contents/$GITHUB_RUN_ID")""#;
    let (_, log) = run_with(&stage, "", lines).await;
    assert!(log.contains("read 200 write 403"), "{log}");
    let path = "/repos/alice/primary/actions/permissions/workflow";
    stage.world.rest().put(path, json!({"default_workflow_permissions": "write"})).await;
    stage.work().git(&["pull", "-q", "--rebase", "origin", "main"]);
    let id = stage.start(&[]);
    stage.ended(id).await;
    let log = stage.log(id);
    assert!(log.contains("read 200 write 201"), "{log}");
}
