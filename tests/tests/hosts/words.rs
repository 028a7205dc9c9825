//! Every saying of every host reaches the user, and what a host says of a push that went through is no refusal.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::presets::PRESETS;
use standin_tests::replay::words::{self, Kind, Place};

use crate::scene::Scene;

#[tokio::test]
async fn what_is_said_of_a_push_that_went_through_is_no_trouble() {
    for wording in words::all().filter(|wording| wording.place == Place::Success) {
        let preset = PRESETS.into_iter().find(|preset| preset.name == wording.host).unwrap();
        let mut scene = Scene::over_http(preset.host());
        scene.replay.host().greetings = wording.owned_lines();
        for branch in ["main", "new"] {
            scene.pair.source.commit_on(branch, "first");
        }
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Ok), "{wording:?}: {synced:?}");
        assert!(synced.pushes[0].remarks.ends_with(&wording.owned_lines()));
        if wording.kind == Kind::Remark {
            assert_eq!(scene.machine.notices(), [], "{wording:?}");
        }
    }
}
