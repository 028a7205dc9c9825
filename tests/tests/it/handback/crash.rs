//! Ends in the middle: a second try finishes the job and makes nothing twice.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use standin_core::fence::Fence;
use standin_core::roles::handback;
use standin_core::state::config::Limits;
use standin_tests::own_name;
use standin_tests::pair::Repo;
use standin_tests::standby::{self, Place, Recorder};

use super::{Boxed, EPOCH, World, source_context, stopped};

const PLACE: &str = "STANDIN_TEST_PLACE";
const SOURCE: &str = "STANDIN_TEST_SOURCE";

/// Something of each kind to bring.
async fn world() -> World {
    let world = World::start(|source| {
        source.commit_on("topic", "topic");
        source.set("refs/tags/v1", &source.tip("refs/heads/main").unwrap());
    })
    .await;
    world.source.commit_on("topic", "at the source");
    let tip = world.standby.commit_on("main", "work");
    world.standby.commit_on("topic", "work");
    world.standby.commit_on("new", "work");
    world.standby.set("refs/tags/v1", &tip);
    world
}

async fn assert_finished(world: &World, point: &str) {
    world.assert_home();
    let names: Vec<String> = super::plain(&world.source).into_keys().collect();
    assert_eq!(
        names,
        [
            "refs/heads/main",
            "refs/heads/new",
            "refs/heads/standin/handback-2/topic",
            "refs/heads/topic",
            "refs/tags/standin/handback-2/v1",
            "refs/tags/v1",
        ],
        "{point}"
    );
    assert_eq!(world.pulls().await.len(), 1, "{point}");
}

#[tokio::test]
async fn stopped_before_any_write_a_second_try_finishes() {
    // Once before the push, and once before the pull request.
    for last in 0..3 {
        let world = world().await;
        let planned = world.plan().await;
        let asked = AtomicUsize::new(0);
        let guard = || -> Boxed<'_> {
            if asked.fetch_add(1, Ordering::Relaxed) >= last {
                return Box::pin(async { Err(stopped()) });
            }
            world.fence()
        };
        let first = handback::apply(&world.old().await, &world.home().await, &planned, &guard).await;
        assert_eq!(first.is_err(), asked.load(Ordering::Relaxed) > last);
        world.apply(&planned).await.unwrap();
        assert_finished(&world, &format!("stopped at {last}")).await;
    }
}

#[test]
#[ignore = "started by the tests below as a process of its own"]
fn child_that_hands_back() {
    let place: Place = serde_json::from_str(&std::env::var(PLACE).unwrap()).unwrap();
    let source = Repo { path: std::env::var(SOURCE).unwrap().into() };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let repository = standby::repository();
        let events = std::sync::Arc::new(Recorder::default());
        let old = place.context(&repository, &Limits::default(), events, false).await;
        let new = source_context(&place).await;
        let planned = handback::plan(&old, &new, EPOCH).await.unwrap();
        let guard =
            || -> Boxed<'_> { Box::pin(async { Ok(source.fence().map(|(oid, document)| Fence { oid, document })) }) };
        handback::apply(&old, &new, &planned, &guard).await.unwrap();
    });
}

fn child(world: &World, variables: &[(&str, &str)]) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &own_name(module_path!(), "child_that_hands_back"), "--ignored"])
        .env(PLACE, serde_json::to_string(&world.hub.place()).unwrap())
        .env(SOURCE, &world.source.path)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

async fn ends_well_after_a_crash(part: usize, another_machine: bool) {
    let first = world().await;
    let log = first.hub.folder().join("points");
    let output = child(&first, &[("STANDIN_CRASH_LOG", log.to_str().unwrap())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_finished(&first, "no crash").await;
    let points = std::fs::read_to_string(log).unwrap();
    // What is only read is the same at each point of it.
    let matters = |point: &&str| {
        ["roles.", "git.handback.push", "git.handback.fetch", "cache.", "store.", "github.post"]
            .iter()
            .any(|start| point.starts_with(start))
    };
    let points: Vec<&str> = points.lines().filter(matters).collect();
    for wanted in ["roles.handback.push", "roles.handback.pull_request", "git.handback.push", "github.post_pull"] {
        assert!(points.iter().any(|point| point.starts_with(wanted)), "{wanted}: {points:?}");
    }
    for point in points.iter().enumerate().filter(|(index, _)| index % 3 == part).map(|(_, point)| point) {
        let mut world = world().await;
        let output = child(&world, &[("STANDIN_CRASH_AT", point)]);
        assert!(!output.status.success(), "{point} was not passed");
        if another_machine {
            world.hub.change_machine();
        }
        world.hand_back().await;
        assert_finished(&world, point).await;
    }
}

#[tokio::test]
async fn a_crash_at_any_step_is_finished_by_this_machine_1() {
    ends_well_after_a_crash(0, false).await;
}

#[tokio::test]
async fn a_crash_at_any_step_is_finished_by_this_machine_2() {
    ends_well_after_a_crash(1, false).await;
}

#[tokio::test]
async fn a_crash_at_any_step_is_finished_by_another_machine() {
    ends_well_after_a_crash(2, true).await;
}
