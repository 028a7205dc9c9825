//! Waiting for the runs of a repository, and ending them.

use std::time::{Duration, Instant};

use reqwest::Method;
use standin_core::Code;
use standin_core::context::MirrorContext;
use standin_core::event::Event;
use standin_core::github::Call;
use standin_core::roles::quiesce::{Quiesced, quiesce};
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::standby::{STANDBY, Standby, commit};

const SECOND: Duration = Duration::from_secs(1);

/// A repository whose workflows of these names each have one run that waits for a runner.
async fn running(names: &[&str]) -> (Standby, MirrorContext) {
    let standby = Standby::start().await;
    let path = standby.sandbox.repository_path(STANDBY.0, STANDBY.1);
    let files: Vec<(String, String)> = names
        .iter()
        .map(|name| {
            let text =
                format!("name: {name}\non: workflow_dispatch\njobs: {{a: {{runs-on: x, steps: [{{run: 'true'}}]}}}}\n");
            (format!(".github/workflows/{name}.yml"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    commit(&path, "refs/heads/main", &files);
    standby.sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
    let site = standby.context().await;
    for name in names {
        dispatch(&site, name).await;
    }
    (standby, site)
}

async fn dispatch(site: &MirrorContext, name: &str) {
    let path = format!("repos/{}/{}/actions/workflows/{name}.yml/dispatches", STANDBY.0, STANDBY.1);
    let body = serde_json::json!({"ref": "main"});
    let call = Call::write("dispatch", "starting a run", Method::POST, path, Some(body));
    site.github.as_ref().unwrap().write(&call, || Box::pin(async { Ok(false) })).await.unwrap();
}

fn names(runs: &[standin_core::roles::quiesce::QuiescedRun]) -> Vec<&str> {
    runs.iter().map(|run| run.name.as_str()).collect()
}

fn notices(standby: &Standby) -> Vec<String> {
    let events = standby.events.all().into_iter();
    events
        .filter_map(|event| if let Event::Notice { notice, .. } = event { Some(notice.message) } else { None })
        .collect()
}

#[tokio::test]
async fn where_nothing_runs_it_does_not_wait() {
    let (standby, site) = running(&[]).await;
    let start = Instant::now();
    let quiesced = quiesce(&site, 60 * SECOND).await.unwrap();
    assert_eq!(quiesced, Quiesced::default());
    assert!(quiesced.is_quiet() && start.elapsed() < 5 * SECOND);
    assert!(standby.take_requests().iter().all(|request| request.starts_with("GET ") || request.contains("git")));
}

#[tokio::test]
async fn what_still_runs_when_patience_ends_is_cancelled_and_named() {
    let (standby, site) = running(&["cron", "deploy"]).await;
    let start = Instant::now();
    let quiesced = quiesce(&site, SECOND).await.unwrap();
    assert!(start.elapsed() >= SECOND, "it waits first");
    assert_eq!(names(&quiesced.cancelled), ["cron", "deploy"]);
    assert!(quiesced.ended.is_empty() && quiesced.is_quiet());
    assert_eq!(quiesced.cancelled[0].path, ".github/workflows/cron.yml");
    assert!(quiesced.cancelled[0].url.contains("/backup/standby/actions/runs/"), "{quiesced:?}");
    let told = notices(&standby);
    assert!(told.iter().any(|notice| notice.contains("2 runs") && notice.contains("cron, deploy")), "{told:?}");
    let waited = standby
        .events
        .all()
        .into_iter()
        .any(|event| matches!(event, Event::Progress { phase, total: Some(2), .. } if phase == "waiting for runs"));
    assert!(waited);
    assert_eq!(quiesce(&site, SECOND).await.unwrap(), Quiesced::default(), "again there is nothing to do");
}

#[tokio::test]
async fn what_ends_in_time_is_not_cancelled() {
    let (standby, site) = running(&["cron"]).await;
    let client = site.github.clone().unwrap();
    let slug = standin_tests::standby::slug(STANDBY);
    let ending = tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        let runs = client.runs_with_status(&slug, "queued").await.unwrap();
        client.cancel_run(&slug, &runs[0], false).await.unwrap();
    });
    let quiesced = quiesce(&site, 60 * SECOND).await.unwrap();
    ending.await.unwrap();
    assert_eq!((names(&quiesced.ended), quiesced.cancelled.len()), (vec!["cron"], 0));
    assert!(notices(&standby).is_empty());
}

#[tokio::test]
async fn the_sentinel_may_go_on() {
    let (standby, site) = running(&["sentinel"]).await;
    assert_eq!(quiesce(&site, Duration::ZERO).await.unwrap(), Quiesced::default());
    assert_eq!(standby.sandbox.runs(STANDBY.0, STANDBY.1).len(), 1);
    let left = site.github.as_ref().unwrap();
    assert_eq!(left.runs_with_status(&standin_tests::standby::slug(STANDBY), "queued").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_that_the_host_does_not_end_is_reported_with_its_words() {
    let (standby, site) = running(&["cron", "deploy"]).await;
    let refuse = |path: &str| {
        let fault = Fault::always(FaultMatcher::rest("POST", path), Effect::Status { status: 403, retry_after: None });
        standby.sandbox.add_fault(fault);
    };
    let first = standby.sandbox.runs(STANDBY.0, STANDBY.1)[0].id;
    refuse(&format!("/repos/backup/standby/actions/runs/{first}/cancel"));
    refuse(&format!("/repos/backup/standby/actions/runs/{first}/force-cancel"));
    let quiesced = quiesce(&site, Duration::ZERO).await.unwrap();
    assert_eq!((names(&quiesced.unended), names(&quiesced.cancelled)), (vec!["cron"], vec!["deploy"]));
    assert!(quiesced.unended[0].why.as_ref().unwrap().contains("(403)"), "{quiesced:?}");
    assert!(!quiesced.is_quiet());
    let told = notices(&standby);
    assert!(told.last().unwrap().contains("could not be ended: cron (http"), "{told:?}");
}

#[tokio::test]
async fn a_lost_answer_to_a_cancel_is_read_back() {
    let (standby, site) = running(&["cron"]).await;
    let on_cancel = FaultMatcher::rest("POST", "/repos/backup/standby/actions/runs/*/cancel");
    standby.sandbox.add_fault(Fault::once(on_cancel, Effect::CutAfter));
    let quiesced = quiesce(&site, Duration::ZERO).await.unwrap();
    assert_eq!(names(&quiesced.cancelled), ["cron"]);
    assert!(quiesced.is_quiet());
}

#[tokio::test]
async fn a_stop_ends_the_wait_and_cancels_no_run() {
    let (standby, site) = running(&["cron"]).await;
    let cancel = site.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        cancel.cancel();
    });
    let error = quiesce(&site, 600 * SECOND).await.unwrap_err();
    assert_eq!(error.code, Code::Cancelled);
    assert!(standby.take_requests().iter().all(|request| !request.ends_with("/cancel")));
}
