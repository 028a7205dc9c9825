//! Every saying of every host reaches the user, and what a host says of a push that went through is no refusal.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::presets::PRESETS;
use standin_tests::replay::words::{self, Kind, Place};
use standin_tests::replay::{Family, Host, Rule};

use super::scene::Scene;

const HELD: &str = "refs/heads/held";

#[tokio::test]
async fn every_reason_for_a_refused_ref_reaches_the_user() {
    for preset in PRESETS {
        let mut scene = Scene::over_http(preset.host());
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        scene.pair.source.commit_on("held", "held");
        let sayings = words::all().filter(|wording| wording.host == preset.name && wording.place == Place::Ref);
        for wording in sayings.filter(|wording| wording.kind != Kind::Race) {
            scene.replay.host().rules = vec![wording.rule(HELD)];
            scene.pair.source.commit_on("main", wording.reason);
            let synced = scene.sync().await;
            assert_eq!(synced.status(), Some(AspectStatus::Failed), "{wording:?}: {synced:?}");
            let error = synced.refused.get(HELD).unwrap_or_else(|| panic!("{wording:?}: {synced:?}"));
            let essence = wording.essence(HELD);
            assert!(error.message.contains(&essence), "{essence}: {error:?}");
            assert!(!error.retryable, "{wording:?}");
            assert_eq!(scene.pair.mirror.refs(), scene.source_without(&[HELD]), "{wording:?}");
        }
    }
}

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

#[tokio::test]
async fn a_mirror_that_moved_is_told_with_its_new_address() {
    for wording in words::all().filter(|wording| wording.kind == Kind::Moved) {
        let preset = PRESETS.into_iter().find(|preset| preset.name == wording.host).unwrap();
        let mut scene = Scene::over_http(preset.host());
        scene.replay.host().greetings = wording.owned_lines();
        for branch in ["main", "new"] {
            scene.pair.source.commit_on(branch, "first");
        }
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        let address = wording.lines.iter().find_map(|line| line.split_whitespace().find(|word| word.contains("://")));
        let notices = scene.machine.notices();
        let address = address.unwrap();
        let told = |text: &str| text.contains(address);
        assert!(notices.iter().any(|notice| told(&notice.message) || told(&notice.hint)), "{address}: {notices:?}");
    }
}

#[tokio::test]
async fn whatever_signs_a_reason_is_written_with_it_is_shown_and_read_right() {
    let long = "x".repeat(3_000);
    for reason in [
        "no (see (below)), refs/heads/main:refs/heads/held",
        "tabs\tand\t[remote rejected] (stale info)",
        "'refs/heads/main' is a friend of refs/standin/fence: \"atomic transaction failed\"",
        long.as_str(),
    ] {
        let mut scene = Scene::over_http(Host::new("a host", Family::Atomic, "atomic transaction failed"));
        for branch in ["main", "held", "other"] {
            scene.pair.source.commit_on(branch, branch);
        }
        scene.replay.host().rules.push(Rule::new("refs/heads/held", reason, &[]));
        let synced = scene.sync().await;
        assert_eq!(synced.refused.keys().collect::<Vec<_>>(), ["refs/heads/held"], "{synced:?}");
        assert!(synced.refused["refs/heads/held"].message.contains(reason), "{synced:?}");
        assert_eq!(scene.pair.mirror.refs(), scene.source_without(&["refs/heads/held"]), "{synced:?}");
    }
}
