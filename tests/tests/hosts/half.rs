//! Hosts that say `atomic` and take the accepted refs beside the refused ones.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::{Family, Host, RaceWords};

use crate::scene::Scene;

fn host() -> Host {
    let mut host = Host::new("by half", Family::ByHalf, "transaction aborted");
    host.agent = "JGit/4.11.9";
    host.race = RaceWords::Own("failed to lock");
    host
}

#[tokio::test]
async fn what_arrived_is_never_called_not_pushed() {
    let mut scene = Scene::over_http(host().without_fence());
    for branch in ["main", "other"] {
        scene.pair.source.commit_on(branch, "first");
    }
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Ok), "{synced:?}");
    assert!(synced.refused.is_empty(), "{synced:?}");
    scene.pair.assert_in_step();
    assert_eq!(scene.sync().await.pushes.len(), 0, "there is nothing left to do");
}
