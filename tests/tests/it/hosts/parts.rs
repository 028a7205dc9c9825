//! Pushes that are too large at once go in parts, by themselves.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::Rule;
use standin_tests::replay::words::{self, Kind, Place};

use super::scene::{Scene, preset};

#[tokio::test]
async fn more_branches_than_one_push_may_move_go_in_parts() {
    let preset = preset("github");
    let wording = words::of("github", Kind::TooLarge).find(|wording| wording.place == Place::Whole).unwrap();
    let mut scene = Scene::over_http(preset.host());
    scene.replay.host().most = Some((5, wording.rule("*")));
    scene.pair.source.commit_on("main", "first");
    for branch in 0..23 {
        scene.pair.source.commit_on(&format!("b{branch:02}"), "first");
    }
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Ok), "{synced:?}");
    scene.pair.assert_in_step();
    assert!(scene.pair.mirror.fence().is_some());
}

#[tokio::test]
async fn a_host_that_takes_one_ref_in_a_push_gets_the_fence_before_each() {
    for words in ["Pushes can not update more than 1 ref", "one at a time, please"] {
        one_in_a_push(words).await;
    }
}

async fn one_in_a_push(words: &str) {
    let mut host = preset("github").host();
    host.most = Some((1, Rule::new("*", words, &[])));
    host.counts_all = true;
    let mut scene = Scene::over_http(host);
    let branches = ["main", "other", "third"];
    for _ in 0..2 {
        for branch in branches {
            scene.pair.source.commit_on(branch, "more");
        }
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Ok), "{synced:?}");
        scene.pair.assert_in_step();
        assert!(scene.pair.mirror.fence().is_some(), "{synced:?}");
    }
    assert_eq!(scene.sync().await.pushes.len(), 0);
    let plan = scene.machine.plan().await.unwrap();
    assert!(!plan.fence.atomic);
    assert!(plan.notices.iter().all(|notice| !notice.hint.contains("advertiseAtomic")), "{:?}", plan.notices);
}

#[tokio::test]
async fn a_host_without_room_is_asked_once() {
    let wording = words::of("gitlab", Kind::NoRoom).next().unwrap();
    let mut scene = Scene::over_http(preset("gitlab").host());
    scene.pair.source.commit_on("main", "first");
    scene.sync().await.result.unwrap();
    for branch in 0..20 {
        scene.pair.source.commit_on(&format!("b{branch:02}"), "first");
    }
    scene.replay.host().fail(wording.mishap(), None);
    for _ in 0..2 {
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Failed), "{synced:?}");
        assert_eq!(synced.pushes.len(), 1, "{synced:?}");
        assert!(synced.words().contains(&wording.essence("refs/heads/b00")), "{synced:?}");
        assert!(synced.words().contains("no room left"), "{synced:?}");
    }
    scene.replay.host().troubles.clear();
    assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
    scene.pair.assert_in_step();
}
