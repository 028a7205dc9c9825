//! Hosts that say `atomic` and take the accepted refs beside the refused ones.

use standin_core::event::Notice;
use standin_core::state::model::AspectStatus;
use standin_tests::replay::{Family, Host, RaceWords, Rule};

use super::scene::Scene;

fn host() -> Host {
    let mut host = Host::new("by half", Family::ByHalf, "transaction aborted");
    host.agent = "JGit/4.11.9";
    host.race = RaceWords::Own("failed to lock");
    host
}

fn refuse(scene: &Scene) {
    let rule = Rule::new("refs/heads/no-*", "prohibited: not permitted: update", &["branch {ref}: not for you"]);
    scene.replay.host().rules.push(rule);
}

const ALL: [&str; 5] = ["main", "no-one", "no-two", "yes-one", "yes-two"];
const REFUSED: [&str; 2] = ["refs/heads/no-one", "refs/heads/no-two"];

#[tokio::test]
async fn the_fence_never_says_of_a_refused_ref_that_it_was_moved() {
    for known in [false, true] {
        let mut scene = Scene::over_http(host());
        for branch in ALL {
            scene.pair.source.commit_on(branch, "first");
        }
        if known {
            scene.sync().await.result.unwrap();
            scene.pair.assert_in_step();
            for branch in ALL {
                scene.pair.source.commit_on(branch, "second");
            }
        }
        refuse(&scene);
        let before = scene.pair.mirror.refs();
        for _ in 0..3 {
            // The fence is looked at after each.
            let synced = scene.sync().await;
            assert_eq!(synced.status(), Some(AspectStatus::Failed), "{synced:?}");
            assert_eq!(synced.refused.keys().collect::<Vec<_>>(), REFUSED, "{synced:?}");
            for name in ["refs/heads/main", "refs/heads/yes-one", "refs/heads/yes-two"] {
                assert_eq!(scene.pair.mirror.tip(name), scene.pair.source.tip(name));
            }
            for name in REFUSED {
                assert_eq!(scene.pair.mirror.tip(name).as_ref(), before.get(name));
            }
        }
        scene.replay.host().rules.clear();
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        scene.pair.assert_in_step();
        // What is known of the host is told, and no setting that would not help.
        let plan = scene.machine.plan().await.unwrap();
        let told: Vec<&Notice> =
            plan.notices.iter().filter(|notice| notice.message.contains("moves all or none")).collect();
        assert!(matches!(told[..], [notice] if !notice.hint.contains("advertiseAtomic")), "{:?}", plan.notices);
    }
}

#[tokio::test]
async fn another_machine_does_not_take_our_own_tips_for_somebody_else_s() {
    let mut scene = Scene::over_http(host());
    for branch in ALL {
        scene.pair.source.commit_on(branch, "first");
    }
    scene.sync().await.result.unwrap();
    for branch in ALL {
        scene.pair.source.commit_on(branch, "second");
    }
    refuse(&scene);
    scene.sync().await.result.unwrap();
    scene.replay.host().rules.clear();
    for branch in ALL {
        let name = format!("refs/heads/{branch}");
        if branch != "main" {
            scene.pair.source.set(&name, &scene.pair.source.commit(&format!("{branch} rewritten"), None));
        }
    }
    scene.machine = scene.pair.machine("second");
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Ok), "nothing is diverged: {synced:?}");
    scene.pair.assert_in_step();
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

#[tokio::test]
async fn a_host_that_takes_neither_the_fence_nor_one_ref_is_understood() {
    // By half as it says nothing of, and as git's own server does with names that it hides.
    for agent in ["JGit/4.11.9", "git/2.47.3"] {
        let mut host = host().without_fence();
        host.agent = agent;
        let mut scene = Scene::over_http(host);
        for branch in ALL {
            scene.pair.source.commit_on(branch, "first");
        }
        refuse(&scene);
        for _ in 0..2 {
            let synced = scene.sync().await;
            assert_eq!(synced.status(), Some(AspectStatus::Failed), "{agent}: {synced:?}");
            assert_eq!(synced.refused.keys().collect::<Vec<_>>(), REFUSED, "{agent}: {synced:?}");
        }
        // What arrived is ours: a rewrite of it is no divergence.
        scene.pair.source.set("refs/heads/yes-one", &scene.pair.source.commit("rewritten", None));
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Failed), "{agent}: {synced:?}");
        assert_eq!(scene.pair.mirror.refs(), scene.source_without(&REFUSED), "{agent}: {synced:?}");
    }
}

#[tokio::test]
async fn the_fence_never_says_of_a_ref_that_somebody_moved_that_we_did() {
    for agent in ["JGit/4.11.9", "git/2.47.3"] {
        let mut scene = Scene::over_http(Host { agent, ..host() });
        for branch in ALL {
            scene.pair.source.commit_on(branch, "first");
        }
        scene.sync().await.result.unwrap();
        for branch in ALL {
            scene.pair.source.commit_on(branch, "second");
        }
        let theirs = scene.pair.mirror.commit("theirs", scene.pair.mirror.tip("refs/heads/yes-one").as_ref());
        let to = git2::Oid::from_str(theirs.as_str()).ok();
        scene.replay.host().races.push(("refs/heads/yes-one".to_owned(), to));
        // The fence is looked at after it.
        let synced = scene.sync().await;
        assert_eq!(synced.status(), Some(AspectStatus::Blocked), "{agent}: {synced:?}");
        assert_eq!(scene.pair.mirror.tip("refs/heads/yes-one"), Some(theirs), "{agent}");
    }
}
