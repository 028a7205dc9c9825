//! A first sync that is refused as a whole, by an outage, a full repository or a missing right: nothing is learned from it.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::presets::PRESETS;

use crate::scene::Scene;

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
