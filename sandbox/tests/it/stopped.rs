//! Runs that wait, are cancelled or take too long; and that nothing is left of them.

use std::time::{Duration, Instant};

use serde_json::json;
use standin_sandbox::{Conclusion, RunStatus};

use crate::support::{Stage, by_hand, script};

/// Sleeps in a way that can be found: with this number of seconds.
fn sleeping(seconds: u32) -> bool {
    let wanted = format!("sleep\0{seconds}\0");
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .any(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
}

/// A number of seconds that no other test, also in another process, sleeps.
fn odd_seconds(number: u32) -> u32 {
    100_000_000 + std::process::id() * 10 + number
}

async fn until(holds: impl Fn() -> bool, otherwise: &str) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "{otherwise}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn gone(seconds: u32) {
    until(|| !sleeping(seconds), "a process is left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_all_its_processes_also_those_that_left_their_group() {
    let stage = Stage::new().await;
    let (inside, outside) = (odd_seconds(1), odd_seconds(2));
    let jobs = format!(
        "jobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          setsid sleep {outside} &\n          \
         echo started\n          sleep {inside}\n      - run: echo never\n      - if: always()\n        run: echo tidy\n"
    );
    stage.put("hand.yml", &by_hand(&jobs));
    let id = stage.start(&[]);
    stage.says(id, "Z started").await;
    until(|| sleeping(outside), "nothing left its group").await;
    let cancel = format!("/repos/alice/primary/actions/runs/{id}/cancel");
    assert_eq!(stage.world.rest().post(&cancel, json!({})).await.status, 202);
    let run = stage.ended(id).await;
    assert_eq!((run.status, run.conclusion), (RunStatus::Completed, Some(Conclusion::Cancelled)));
    let log = stage.log(id);
    assert!(log.contains("The operation was canceled.") && log.contains("Z tidy") && !log.contains("Z never"), "{log}");
    gone(inside).await;
    gone(outside).await;
    assert_eq!(stage.world.rest().post(&cancel, json!({})).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_runs_after_a_cancellation_has_five_minutes() {
    let stage = Stage::new().await;
    let seconds = odd_seconds(6);
    let jobs = format!(
        "jobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo began; sleep 1000\n      \
         - if: cancelled()\n        run: echo tidying; sleep {seconds}\n  two:\n    needs: one\n    if: always()\n    \
         runs-on: ubuntu-latest\n    steps: [{{run: 'echo \"still ${{{{ needs.one.result }}}}\"'}}]\n"
    );
    stage.put("hand.yml", &by_hand(&jobs));
    let id = stage.start(&[]);
    stage.says(id, "Z began").await;
    assert!(stage.sandbox().cancel_run("alice", "primary", id));
    stage.says(id, "Z tidying").await;
    stage.sandbox().skip(Duration::from_secs(301)).await;
    let run = stage.ended(id).await;
    gone(seconds).await;
    assert_eq!(run.conclusion, Some(Conclusion::Cancelled));
    assert!(stage.log(id).contains("Z still cancelled"), "{}", stage.log(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_cancellation_waits_for_nothing() {
    let stage = Stage::new().await;
    let seconds = odd_seconds(7);
    let jobs = format!(
        "jobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: \"trap '' INT TERM; echo began; sleep \
         {seconds}\"\n      - if: always()\n        run: echo never\n"
    );
    stage.put("hand.yml", &by_hand(&jobs));
    let id = stage.start(&[]);
    stage.says(id, "Z began").await;
    let started = Instant::now();
    let force = format!("/repos/alice/primary/actions/runs/{id}/force-cancel");
    assert_eq!(stage.world.rest().post(&force, json!({})).await.status, 202);
    let run = stage.ended(id).await;
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for what does not want to end");
    assert_eq!((run.conclusion, run.jobs[0].conclusion), (Some(Conclusion::Cancelled), Some(Conclusion::Cancelled)));
    assert!(!stage.log(id).contains("Z never"));
    gone(seconds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_the_sandbox_stops() {
    let stage = Stage::new().await;
    let (inside, outside) = (odd_seconds(3), odd_seconds(4));
    let lines = format!("trap '' INT TERM\nsetsid sleep {outside} &\necho started\nsleep {inside}");
    stage.put("hand.yml", &by_hand(&script(&lines)));
    let id = stage.start(&[]);
    stage.says(id, "Z started").await;
    until(|| sleeping(inside) && sleeping(outside), "nothing sleeps").await;
    let started = Instant::now();
    stage.world.sandbox.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    gone(inside).await;
    gone(outside).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_leaves_running_ends_with_the_job() {
    let stage = Stage::new().await;
    let seconds = odd_seconds(5);
    let run = stage.run(&script(&format!("sleep {seconds} &\necho left"))).await;
    assert_eq!(run.conclusion, Some(Conclusion::Success));
    gone(seconds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_and_jobs_end_when_their_time_on_the_clock_is_over() {
    let stage = Stage::new().await;
    let jobs = r#"
jobs:
  step:
    runs-on: ubuntu-latest
    steps:
      - {timeout-minutes: 5, continue-on-error: true, run: "echo began; sleep 1000"}
      - {run: echo on}
  job:
    runs-on: ubuntu-latest
    timeout-minutes: "${{ fromJSON('10') }}"
    steps: [{run: "echo began; sleep 1000"}, {run: echo never}]
"#;
    stage.put("hand.yml", &by_hand(jobs));
    let id = stage.start(&[]);
    let log = || stage.log(id);
    while log().matches("Z began").count() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.sandbox().skip(Duration::from_secs(301)).await;
    stage.says(id, "Z on").await;
    assert!(log().contains("timed out after 5 minutes"), "{}", log());
    assert_eq!(stage.sandbox().run("alice", "primary", id).unwrap().status, RunStatus::InProgress);
    stage.sandbox().skip(Duration::from_secs(300)).await;
    let run = stage.ended(id).await;
    assert!(log().contains("exceeded its maximum execution time") && !log().contains("Z never"), "{}", log());
    assert_eq!(run.jobs[0].conclusion, Some(Conclusion::Success));
    assert_eq!(run.jobs[1].conclusion, Some(Conclusion::Cancelled));
    assert_eq!(run.conclusion, Some(Conclusion::Cancelled));
}

fn waits_for_a_file(concurrency: &str) -> String {
    let jobs = script("echo began\nwhile [[ ! -e $FLAG ]]; do sleep 0.02; done\necho \"done ${{ inputs.n }}\"");
    format!(
        "name: Hand\nrun-name: Number ${{{{ inputs.n }}}}\non:\n  workflow_dispatch:\n    inputs: {{n: {{required: true}}, \
         flag: {{}}}}\nenv: {{FLAG: \"${{{{ inputs.flag }}}}\"}}\nconcurrency: {concurrency}\n{jobs}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_group_one_runs_one_waits_and_the_newest_takes_the_place_of_that() {
    let stage = Stage::new().await;
    stage.put("hand.yml", &waits_for_a_file("sentinel-${{ github.ref }}"));
    let flag = stage.world.dir.path().join("flag");
    let flag = flag.to_str().unwrap();
    let first = stage.start(&[("n", "1"), ("flag", flag)]);
    stage.says(first, "Z began").await;
    let second = stage.start(&[("n", "2"), ("flag", flag)]);
    let state = |id| stage.sandbox().run("alice", "primary", id).unwrap();
    assert_eq!((state(second).status, state(second).title.as_str()), (RunStatus::Pending, "Number 2"));
    let third = stage.start(&[("n", "3"), ("flag", flag)]);
    std::fs::write(flag, "").unwrap();
    let third = stage.ended(third).await;
    assert_eq!(state(first).conclusion, Some(Conclusion::Success));
    assert_eq!(state(second).conclusion, Some(Conclusion::Cancelled));
    assert_eq!(third.conclusion, Some(Conclusion::Success));
    assert!(stage.log(third.id).contains("done 3"));
    assert!(third.jobs[0].started_at >= state(first).jobs[0].completed_at, "they did not overlap");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_in_progress_stops_who_runs() {
    let stage = Stage::new().await;
    stage.put("hand.yml", &waits_for_a_file("{group: one, cancel-in-progress: true}"));
    let first = stage.start(&[("n", "1"), ("flag", "/nowhere")]);
    stage.says(first, "Z began").await;
    let second = stage.start(&[("n", "2"), ("flag", "/")]);
    assert_eq!(stage.ended(second).await.conclusion, Some(Conclusion::Success));
    assert_eq!(stage.sandbox().run("alice", "primary", first).unwrap().conclusion, Some(Conclusion::Cancelled));
}
