//! Pushes that are too large at once go in parts, by themselves.

use standin_core::state::model::AspectStatus;
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
