//! Ends in the middle: a child process of this very test runs a sync and is aborted at a point.

use std::process::Command;

use standin_core::state::config::{Limits, RepositoryConfig};
use standin_core::state::model::AspectStatus;
use standin_sandbox::ActionsPermissions;
use standin_tests::own_name;
use standin_tests::standby::{self, Place, Recorder, Standby};

use super::{Synced, actions, all_held, fence, is_closed, run, runs, started, states, sync};

const PLACE: &str = "STANDIN_TEST_PLACE";

#[test]
#[ignore = "started by the tests below as a process of its own"]
fn child_that_syncs() {
    let place: Place = serde_json::from_str(&std::env::var(PLACE).unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let repository: RepositoryConfig = standby::repository();
        let ctx = place.context(&repository, &Limits::default(), std::sync::Arc::new(Recorder::default()), false).await;
        run(&ctx).await.unwrap();
    });
}

fn child(standby: &Standby, variables: &[(&str, &str)]) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &own_name(module_path!(), "child_that_syncs"), "--ignored"])
        .env(PLACE, serde_json::to_string(&standby.place()).unwrap())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Every point that a first sync passes, in order.
async fn points() -> Vec<String> {
    let standby = started().await;
    let log = standby.folder().join("points");
    let output = child(&standby, &[("STANDIN_CRASH_LOG", log.to_str().unwrap())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
}

/// Aborts a first sync at every fourth point, and lets this or another machine go on.
async fn ends_well_after_a_crash(part: usize, another_machine: bool) {
    let points = points().await;
    assert!(points.iter().any(|point| point.starts_with("switch.off.after")), "{points:?}");
    let chosen: Vec<&String> =
        points.iter().enumerate().filter(|(index, _)| index % 4 == part).map(|(_, point)| point).collect();
    for point in chosen {
        let mut standby = started().await;
        let output = child(&standby, &[("STANDIN_CRASH_AT", point)]);
        assert!(!output.status.success(), "{point} was not passed");
        let actions_off = !actions(&standby).enabled;
        if actions_off {
            assert!(
                fence(&standby).is_some_and(|fence| fence.open_change.is_some()),
                "{point}: off, and nobody can know"
            );
        }
        assert_eq!(runs(&standby), 0, "{point}: before the next sync");
        if another_machine {
            standby.change_machine();
        }
        let Synced { report, .. } = sync(&standby).await;
        assert_eq!(report.status, AspectStatus::Ok, "{point}: {report:?}");
        assert_eq!((runs(&standby), states(&standby)), (0, all_held()), "{point}");
        assert_eq!(actions(&standby), ActionsPermissions::default(), "{point}");
        is_closed(&standby);
    }
}

macro_rules! after_a_crash {
    ($($name:ident: $part:literal, $another:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            ends_well_after_a_crash($part, $another).await;
        }
    )+};
}

after_a_crash! {
    a_crash_at_any_step_is_mended_by_this_machine_1: 0, false;
    a_crash_at_any_step_is_mended_by_this_machine_2: 1, false;
    a_crash_at_any_step_is_mended_by_this_machine_3: 2, false;
    a_crash_at_any_step_is_mended_by_this_machine_4: 3, false;
    a_crash_at_any_step_is_mended_by_another_machine_1: 0, true;
    a_crash_at_any_step_is_mended_by_another_machine_2: 1, true;
    a_crash_at_any_step_is_mended_by_another_machine_3: 2, true;
    a_crash_at_any_step_is_mended_by_another_machine_4: 3, true;
}
