//! The clock that tests move, and the schedules that fall due with it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use standin_sandbox::{ActionsPermissions, Conclusion, Execute, TokenSpec, WorkflowState};

use crate::support::{Stage, World};

const HALF_HOUR: Duration = Duration::from_secs(1_800);
const R: &str = "/repos/alice/primary";

fn scheduled(cron: &str) -> String {
    format!(
        "name: Clock\non:\n  schedule: [{{cron: '{cron}'}}]\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      \
         - run: curl -fsSi \"$GITHUB_API_URL/meta\" | grep -i ^date && echo 'by ${{{{ github.event.schedule }}}}'\n"
    )
}

fn noon() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_schedule_runs_once_at_its_own_time() {
    let stage = Stage::new().await;
    let sandbox = stage.sandbox();
    sandbox.set_clock(noon());
    stage.put("clock.yml", &scheduled("7,37 * * * *"));
    assert!(sandbox.advance(Duration::from_secs(6 * 60)).await.is_empty());
    let runs = sandbox.advance(HALF_HOUR).await;
    assert_eq!(runs.len(), 1);
    let log = stage.log(runs[0]);
    assert!(log.contains("Mon, 05 May 2031 12:07:") && log.contains("by 7,37 * * * *"), "{log}");
    let runs = sandbox.advance(Duration::from_secs(3_600)).await;
    let times: Vec<String> = runs.iter().map(|id| stage.log(*id)).collect();
    assert_eq!(runs.len(), 2);
    assert!(times[0].contains("12:37:") && times[1].contains("13:07:"), "{times:?}");
    for run in sandbox.runs("alice", "primary") {
        assert_eq!((run.event.as_str(), run.conclusion), ("schedule", Some(Conclusion::Success)));
        assert_eq!((run.head_branch.as_str(), run.actor.as_str()), ("main", "alice"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_enabled_workflows_of_the_default_branch_run_where_actions_are_on() {
    let stage = Stage::new().await;
    let sandbox = stage.sandbox();
    let count = async || sandbox.advance(HALF_HOUR).await.len();
    stage.work().git(&["checkout", "-q", "-b", "topic"]);
    stage.work().commit(".github/workflows/other.yml", &scheduled("5,35 * * * *"), "Topic");
    stage.work().git(&["push", "-q", "origin", "topic"]);
    assert_eq!(count().await, 0);
    stage.work().git(&["checkout", "-q", "main"]);
    stage.put("clock.yml", &scheduled("7,37 * * * *"));
    assert_eq!(count().await, 1);
    for off in [WorkflowState::DisabledManually, WorkflowState::DisabledInactivity] {
        sandbox.set_workflow_state("alice", "primary", "clock.yml", off);
        assert_eq!(count().await, 0);
    }
    sandbox.set_workflow_state("alice", "primary", "clock.yml", WorkflowState::Active);
    assert_eq!(count().await, 1, "what was due while it was off is not made up for");
    let set = |enabled| {
        let permissions = ActionsPermissions { enabled, ..ActionsPermissions::default() };
        sandbox.set_actions_permissions("alice", "primary", permissions);
    };
    set(false);
    assert_eq!(count().await, 0);
    set(true);
    assert_eq!(count().await, 1);
    sandbox.set_archived("alice", "primary", true);
    assert_eq!(count().await, 0);
    sandbox.set_archived("alice", "primary", false);
    assert_eq!(count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_can_be_missed_or_late_or_come_all_at_once() {
    let stage = Stage::new().await;
    let sandbox = stage.sandbox();
    sandbox.set_clock(noon());
    stage.put("clock.yml", &scheduled("10,40 * * * *"));
    sandbox.miss_schedules("alice", "primary", 1);
    assert_eq!(sandbox.advance(HALF_HOUR).await.len(), 0);
    assert_eq!(sandbox.advance(HALF_HOUR).await.len(), 1);
    sandbox.delay_schedules("alice", "primary", Duration::from_secs(25 * 60));
    assert_eq!(sandbox.advance(HALF_HOUR).await.len(), 0, "13:10 comes at 13:35");
    let late = sandbox.advance(HALF_HOUR).await;
    assert_eq!(late.len(), 1);
    assert!(stage.log(late[0]).contains("13:35:"), "{}", stage.log(late[0]));
    sandbox.delay_schedules("alice", "primary", Duration::ZERO);
    let runs = sandbox.skip(2 * HALF_HOUR).await;
    assert_eq!(runs.len(), 3, "13:40, 14:10 and 14:40");
    sandbox.wait_for_runs(Duration::from_secs(60)).await.unwrap();
    sandbox.set_clock("2031-05-06T00:00:00Z".parse().unwrap());
    assert_eq!(sandbox.advance(HALF_HOUR).await.len(), 1, "what the clock was set past is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_only_counted_is_counted() {
    let stage = Stage::new().await;
    stage.sandbox().execute_workflows("alice", "primary", Execute::None);
    stage.put("clock.yml", &scheduled("7,37 * * * *"));
    assert_eq!(stage.sandbox().advance(HALF_HOUR).await.len(), 1);
    let run = stage.sandbox().runs("alice", "primary").pop().unwrap();
    assert!(!run.executed && run.conclusion.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_short_an_interval_fails_the_push_that_brings_it_and_never_runs() {
    let stage = Stage::new().await;
    stage.put("clock.yml", &scheduled("*/2 * * * *"));
    let run = stage.sandbox().runs("alice", "primary").pop().unwrap();
    assert_eq!((run.event.as_str(), run.conclusion), ("push", Some(Conclusion::Failure)));
    let problem = run.problem.unwrap();
    assert!(problem.contains(".github/workflows/clock.yml:3") && problem.contains("5 minutes"), "{problem}");
    assert!(stage.sandbox().advance(HALF_HOUR).await.is_empty());
}

#[tokio::test]
async fn every_time_that_is_given_out_follows_the_clock() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    world.sandbox.set_clock(noon());
    let rest = world.rest();
    let got = rest.get("/user").await;
    assert!(got.header("date").starts_with("Mon, 05 May 2031 12:00:"), "{}", got.header("date"));
    let file = json!({"message": "Beat", "content": "eA=="});
    let made = rest.put(&format!("{R}/contents/beat"), file).await.json();
    let date = made["commit"]["committer"]["date"].as_str().unwrap();
    assert!(date.starts_with("2031-05-05T12:00:"), "{date}");
    rest.post(&format!("{R}/actions/variables"), json!({"name": "A", "value": "1"})).await;
    let variable = rest.get(&format!("{R}/actions/variables/A")).await.json();
    assert!(variable["updated_at"].as_str().unwrap().starts_with("2031-05-05T12:00:"), "{variable}");
    let git =
        rest.send(hyper::Method::GET, "/git/alice/primary.git/info/refs?service=git-upload-pack", None, &[]).await;
    assert!(git.unwrap().header("date").contains("2031"));
}

#[tokio::test]
async fn a_token_expires_when_the_clock_says_so_and_a_spent_limit_comes_back() {
    let world = World::new().await;
    let end = world.sandbox.now() + Duration::from_secs(86_400);
    let token = world.sandbox.create_token("alice", TokenSpec::classic(&["repo"]).expiring(end));
    let rest = world.rest_as(&token);
    let got = rest.get("/user").await;
    let expected = end.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    assert_eq!((got.status, got.header("github-authentication-token-expiration")), (200, expected.as_str()));
    world.sandbox.set_rate_limit_used("alice", 5_000);
    let got = rest.get("/user").await;
    assert_eq!((got.status, got.header("x-ratelimit-remaining")), (403, "0"));
    world.sandbox.advance(Duration::from_secs(3_601)).await;
    assert_eq!(rest.get("/user").await.status, 200);
    world.sandbox.advance(Duration::from_secs(86_400)).await;
    assert_eq!(rest.get("/user").await.status, 401);
}
