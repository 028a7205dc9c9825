//! A first sync that is refused as a whole, by an outage, a full repository or a missing right: nothing is learned from it.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::Mishap;
use standin_tests::replay::presets::PRESETS;

use super::scene::{FENCE, Scene, preset};

#[tokio::test]
async fn a_first_sync_that_is_refused_as_a_whole_teaches_nothing_about_the_fence() {
    for preset in PRESETS {
        for wording in preset.refusals_of_all() {
            let mut scene = Scene::over_http(preset.host());
            scene.replay.host().fail(wording.mishap(), None);
            for branch in ["main", "other", "third"] {
                scene.pair.source.commit_on(branch, branch);
            }
            let first = scene.sync().await;
            assert_ne!(first.status(), Some(AspectStatus::Ok), "{wording:?}: {first:?}");
            let (words, essence) = (first.words(), wording.essence("refs/heads/main"));
            assert!(words.contains(&essence), "{essence}: {words}");
            assert!(scene.pair.mirror.refs().is_empty());

            scene.replay.host().troubles.clear();
            let second = scene.sync().await;
            assert_eq!(second.status(), Some(AspectStatus::Ok), "{wording:?}: {second:?}");
            scene.pair.assert_in_step();
            let (_, fence) = scene.pair.mirror.fence().unwrap_or_else(|| panic!("no fence after {wording:?}"));
            assert_eq!(fence.sequence, 1, "{wording:?}");
            assert!(second.pushes[0].has(FENCE), "{wording:?}");
            assert!(scene.machine.plan().await.unwrap().fence.supported, "{wording:?}");
        }
    }
}

#[tokio::test]
async fn a_host_in_step_that_does_not_take_the_fence_is_done_without_it() {
    for preset in PRESETS {
        let mut scene = Scene::over_http(preset.host().without_fence());
        for branch in ["main", "other"] {
            let tip = scene.pair.source.commit_on(branch, branch);
            scene.pair.source.git(&["push", "-q", &scene.pair.mirror.path.display().to_string(), branch]);
            assert_eq!(scene.pair.mirror.tip(&format!("refs/heads/{branch}")), Some(tip));
        }
        // Another machine finds the same.
        for machine in ["laptop", "second"] {
            scene.machine = scene.pair.machine(machine);
            for _ in 0..2 {
                let synced = scene.sync().await;
                assert_eq!(synced.status(), Some(AspectStatus::Ok), "{}: {synced:?}", preset.name);
            }
            assert!(!scene.machine.plan().await.unwrap().fence.supported, "{}", preset.name);
            assert_eq!(scene.sync().await.pushes.len(), 0, "{}", preset.name);
        }
    }
}

#[tokio::test]
async fn a_host_that_does_not_take_the_fence_is_told_from_one_that_takes_nothing() {
    for preset in PRESETS {
        let mut scene = Scene::over_http(preset.host().without_fence());
        for branch in ["main", "other"] {
            scene.pair.source.commit_on(branch, branch);
        }
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Ok), "{}: {synced:?}", preset.name);
        scene.pair.assert_in_step();
        assert!(scene.pair.mirror.fence().is_none());
        let plan = scene.machine.plan().await.unwrap();
        assert!(!plan.fence.supported, "{}", preset.name);
    }
}

#[tokio::test]
async fn a_host_that_refuses_whatever_comes_is_asked_less_each_time_and_no_ref_is_said_to_travel() {
    let mut scene = Scene::over_http(preset("gitea").host());
    scene.replay.host().fail(Mishap::Report { reason: "you may not".to_owned(), remarks: Vec::new() }, None);
    for branch in 0..60 {
        scene.pair.source.commit_on(&format!("b{branch:02}"), "first");
    }
    let main = scene.pair.source.commit_on("main", "first");
    let mut last = 31;
    for _ in 0..3 {
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Failed), "{synced:?}");
        assert_eq!(synced.refused.len(), 61, "each is told");
        assert!(synced.words().contains("It took nothing at all"), "{}", synced.words());
        assert!(!synced.words().contains("not held up"), "{}", synced.words());
        assert!(synced.pushes.len() <= last, "{} pushes", synced.pushes.len());
        last = 15;
    }
    scene.replay.host().troubles.clear();
    scene.sync().await.result.unwrap();
    assert_eq!(scene.pair.mirror.tip("refs/heads/main"), Some(main));
    assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
    scene.pair.assert_in_step();
}
