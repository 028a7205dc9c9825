//! A host that fails for a moment: it is told once, nothing is said of refs, and the next sync does it.

use standin_core::state::model::AspectStatus;
use standin_tests::replay::presets::PRESETS;
use standin_tests::replay::words::{self, Kind};
use standin_tests::replay::{Family, Host, Mishap, Rule};

use super::scene::Scene;

#[tokio::test]
async fn a_passing_fault_costs_one_push_and_can_be_tried_again() {
    for preset in PRESETS {
        let wordings: Vec<_> = words::of(preset.name, Kind::Passing).collect();
        assert!(!wordings.is_empty(), "{} never fails", preset.name);
        let mut scene = Scene::over_http(preset.host());
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        for (number, wording) in wordings.into_iter().enumerate() {
            for branch in 0..9 {
                scene.pair.source.commit_on(&format!("b{branch}"), &number.to_string());
            }
            scene.replay.host().fail(wording.mishap(), None);
            let before = scene.pair.mirror.refs();
            let failed = scene.sync().await;
            let error = failed.result.as_ref().expect_err("nothing arrived");
            assert!(error.retryable, "{wording:?}: {error:?}");
            let essence = wording.essence("refs/heads/b0");
            assert!(error.message.contains(&essence), "{essence}: {error:?}");
            assert!(failed.refused.is_empty(), "no ref was refused: {failed:?}");
            assert_eq!(failed.pushes.len(), 1, "{wording:?}");
            assert_eq!(scene.pair.mirror.refs(), before);

            scene.replay.host().troubles.clear();
            assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok), "{wording:?}");
            scene.pair.assert_in_step();
        }
    }
}

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

/// One branch of several meets this at every push, and the others do not.
async fn only_one_branch_meets(reason: &str, remarks: &[&str]) {
    for (sunk, known) in
        [("atomic transaction failed", true), ("rolled back with the rest", true), ("transaction aborted", false)]
    {
        let mut scene = Scene::over_http(Host::new("a host", Family::Atomic, sunk));
        if known {
            scene.pair.source.commit_on("main", "first");
            scene.sync().await.result.unwrap();
        }
        for branch in ["main", "frozen", "other", "third"] {
            scene.pair.source.commit_on(branch, "second");
        }
        scene.replay.host().rules.push(Rule::new("refs/heads/frozen", reason, remarks));
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Failed), "{sunk}: {synced:?}");
        assert_eq!(synced.refused.keys().collect::<Vec<_>>(), ["refs/heads/frozen"], "{sunk}: {synced:?}");
        assert!(synced.refused["refs/heads/frozen"].message.contains(reason), "{synced:?}");
        assert_eq!(scene.pair.mirror.refs(), scene.source_without(&["refs/heads/frozen"]), "{sunk}: {synced:?}");
    }
}

#[tokio::test]
async fn a_fault_of_one_ref_holds_up_no_other() {
    only_one_branch_meets("frozen for a release, try again later", &[]).await;
    only_one_branch_meets("protected branch hook declined", &["check `maintenance mode` is missing"]).await;
}

#[tokio::test]
async fn words_for_a_passing_fault_that_come_again_hold_up_nothing_but_the_ref_that_they_mean() {
    for words in [
        "branch held is frozen for the release, try again later",
        "internal server error: branch held is protected",
        "LFS objects are missing for held. Push them and try again later",
    ] {
        for known in [true, false] {
            let mut scene = Scene::over_http(Host::new("a host", Family::PreReceive, ""));
            if known {
                scene.pair.source.commit_on("main", "first");
                scene.sync().await.result.unwrap();
            }
            for branch in ["main", "held", "other", "third"] {
                scene.pair.source.commit_on(branch, "second");
            }
            scene.replay.host().rules.push(Rule::new("refs/heads/held", "", &[words]));
            let first = scene.sync().await;
            let error = first.result.as_ref().expect_err("it may be a fault that passes");
            assert!(error.retryable && error.message.contains(words), "{error:?}");
            assert_eq!(first.pushes.len(), 1, "{first:?}");

            for _ in 0..2 {
                let again = scene.sync().await;
                assert_eq!(again.status(), Some(AspectStatus::Failed), "{words}: {again:?}");
                assert_eq!(again.refused.keys().collect::<Vec<_>>(), ["refs/heads/held"], "{words}: {again:?}");
                let error = &again.refused["refs/heads/held"];
                assert!(!error.retryable && error.message.contains(words), "{error:?}");
                assert_eq!(scene.pair.mirror.refs(), scene.source_without(&["refs/heads/held"]), "{words}");
            }
            scene.replay.host().rules.clear();
            assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
            scene.pair.assert_in_step();
        }
    }
}

#[tokio::test]
async fn a_host_that_stays_ill_is_asked_for_little_and_told_as_before() {
    for without_fence in [false, true] {
        let host = Host::new("a host", Family::PreReceive, "");
        let mut scene = Scene::over_http(if without_fence { host.without_fence() } else { host });
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        for branch in 0..40 {
            scene.pair.source.commit_on(&format!("b{branch}"), "second");
        }
        let ill =
            Mishap::Report { reason: "pre-receive hook declined".into(), remarks: vec!["maintenance mode".into()] };
        scene.replay.host().fail(ill, None);
        for _ in 0..3 {
            let failed = scene.sync().await;
            let error = failed.result.as_ref().expect_err("nothing arrived");
            assert!(error.retryable && error.message.contains("maintenance mode"), "{error:?}");
            assert!(failed.refused.is_empty() && failed.pushes.len() <= 12, "{failed:?}");
        }
        scene.replay.host().troubles.clear();
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        scene.pair.assert_in_step();
    }
}

#[tokio::test]
async fn a_lock_that_somebody_left_behind_on_one_ref_holds_up_no_other() {
    only_one_branch_meets(
        "cannot lock ref 'refs/heads/frozen': Unable to create 'refs/heads/frozen.lock': File exists",
        &[],
    )
    .await;
}
