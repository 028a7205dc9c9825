//! A host that fails for a moment: it is told once, nothing is said of refs, and the next sync does it.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::Mishap;
use standin_tests::replay::presets::PRESETS;

use crate::scene::Scene;

#[tokio::test]
async fn an_answer_that_does_not_come_is_read_back() {
    for preset in PRESETS {
        let mut scene = Scene::over_http(preset.host());
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        for branch in ["main", "a", "b"] {
            scene.pair.source.commit_on(branch, "second");
        }
        scene.replay.host().fail(Mishap::CutAfter, Some(1));
        let cut = scene.sync().await;
        assert!(cut.refused.is_empty(), "{}: {cut:?}", preset.name);
        scene.sync().await.result.unwrap();
        scene.pair.assert_in_step();
        let last = scene.sync().await;
        assert_eq!((last.status(), last.pushes.len()), (Some(AspectStatus::Ok), 0), "{}", preset.name);
    }
}

#[tokio::test]
async fn a_ref_that_moves_while_it_is_pushed_is_never_overwritten() {
    for preset in PRESETS {
        let mut scene = Scene::over_http(preset.host());
        for branch in ["main", "busy"] {
            scene.pair.source.commit_on(branch, "first");
        }
        scene.sync().await.result.unwrap();
        for branch in ["main", "busy", "new"] {
            scene.pair.source.commit_on(branch, "second");
        }
        let theirs = scene.pair.mirror.commit("theirs", scene.pair.mirror.tip("refs/heads/busy").as_ref());
        let to = git2::Oid::from_str(theirs.as_str()).ok();
        scene.replay.host().races.push(("refs/heads/busy".to_owned(), to));
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Blocked), "{}: {synced:?}", preset.name);
        assert_eq!(scene.pair.mirror.tip("refs/heads/busy"), Some(theirs), "{}", preset.name);
        for name in ["refs/heads/main", "refs/heads/new"] {
            assert_eq!(scene.pair.mirror.tip(name), scene.pair.source.tip(name), "{}: {synced:?}", preset.name);
        }
    }
}
