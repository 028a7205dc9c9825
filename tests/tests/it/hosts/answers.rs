//! Answers that are none of a git server's, and servers that say one thing and do another: nothing is concluded from them that is not so.

use standin_core::Code;
use standin_core::state::config::{GitTarget, Source, Target};
use standin_core::state::model::AspectStatus;
use standin_tests::replay::{Family, Front, Host, Mishap, Replay};

use super::scene::{FENCE, Scene, preset};

fn odd(family: Family) -> Host {
    Host { agent: "odd/1.0", ..Host::new("odd", family, "transaction aborted") }
}

/// Something else answers every request, with a status that says that all is well and not a word.
fn nothing() -> Mishap {
    Mishap::Door { status: 200, lines: Vec::new(), reads: true }
}

#[tokio::test]
async fn an_answer_without_a_word_is_no_empty_mirror() {
    // Asked by ourselves; and by git, where its user has settings that only git knows.
    for by_git in [false, true] {
        let mut scene = Scene::over_http(preset("github").host());
        if by_git {
            std::fs::write(scene.pair.folder().join("home/.gitconfig"), "[safe]\n\tdirectory = *\n").unwrap();
        }
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        scene.pair.source.commit_on("main", "second");
        scene.replay.host().fail(nothing(), None);
        let failed = scene.sync().await;
        let error = failed.result.as_ref().expect_err("there is no mirror");
        assert_eq!((error.code, error.retryable), (Code::HostFailed, true), "{error:?}");
        assert!(error.message.contains("not as a git server does"), "{error:?}");

        scene.replay.host().troubles.clear();
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        scene.pair.assert_in_step();
    }
}

#[tokio::test]
async fn an_empty_repository_is_one_whoever_asks() {
    for by_git in [false, true] {
        let mut scene = Scene::over_http(preset("github").host());
        if by_git {
            std::fs::write(scene.pair.folder().join("home/.gitconfig"), "[safe]\n\tdirectory = *\n").unwrap();
        }
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        scene.pair.source.commit_on("main", "first");
        assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
        scene.pair.assert_in_step();
    }
}

/// A source behind a host, and a mirror in a folder, in step.
async fn source_behind_a_host() -> (Scene, Replay) {
    let mut scene = Scene::over_http(preset("github").host());
    let origin = Replay::start(&scene.pair.source.path, preset("github").host());
    scene.pair.repository.source = Source::Url(origin.url());
    scene.pair.repository.mirrors[0].target =
        Target::Git(GitTarget { url: scene.pair.mirror.path.display().to_string(), ssh_key: None, hooks: true });
    scene.machine = scene.pair.machine("second");
    scene.pair.source.commit_on("main", "first");
    scene.machine.sync().await.unwrap();
    (scene, origin)
}

#[tokio::test]
async fn a_repository_that_moved_is_told_with_its_new_address() {
    let now = "https://host.example/new/name.git";
    let (scene, origin) = source_behind_a_host().await;
    origin.host().moved_to = Some(now.to_owned());
    let source = scene.machine.sync().await.expect_err("it is elsewhere");
    let mut scene = Scene::over_http(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    scene.replay.host().moved_to = Some(now.to_owned());
    let mirror = scene.sync().await.result.expect_err("it is elsewhere");
    // Where only pushes are sent on: git's own, and the fence alone, which is pushed without it.
    let mut scene = Scene::over_http(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    scene.sync().await.result.unwrap();
    scene.replay.host().moved_to = Some(now.to_owned());
    scene.replay.host().moved_for_pushes = true;
    scene.pair.source.commit_on("main", "second");
    let push = scene.sync().await.result.expect_err("it is elsewhere");
    scene.pair.mirror.delete(FENCE);
    scene.pair.source.git(&["push", "-q", &scene.pair.mirror.path.display().to_string(), "main"]);
    scene.machine = scene.pair.machine("second");
    let fence = scene.sync().await.result.expect_err("it is elsewhere");
    for error in [source, mirror, push, fence] {
        assert_eq!((error.code, error.retryable), (Code::RepositoryNotFound, false), "{error:?}");
        assert!(error.message.contains(now) && error.hint.contains(now), "{error:?}");
        assert!(!error.hint.contains("push"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_a_word_is_no_empty_source() {
    let (scene, origin) = source_behind_a_host().await;
    origin.host().fail(nothing(), None);
    let error = scene.machine.sync_with_yes().await.expect_err("there is no source");
    assert_eq!((error.code, error.retryable), (Code::HostFailed, true), "{error:?}");
    assert!(error.message.contains("not as a git server does"), "{error:?}");
    scene.pair.assert_in_step();
}

#[tokio::test]
async fn a_request_that_is_too_large_goes_in_parts() {
    let mut scene = Scene::over_http(preset("gitea").host());
    scene.pair.source.commit_on("main", "first");
    for branch in 0..60 {
        scene.pair.source.commit_on(&format!("b{branch:02}"), "first");
    }
    scene.replay.host().front =
        Some(Front { over: 4_000, status: 413, lines: vec!["nginx"], sso: None, refs: false, json: false });
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Ok), "{synced:?}");
    scene.pair.assert_in_step();

    // What cannot be cut is told as what it is, and is no fault that passes.
    scene.replay.host().front =
        Some(Front { over: 0, status: 413, lines: vec!["nginx"], sso: None, refs: false, json: false });
    scene.pair.source.commit_on("main", "second");
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Failed), "{synced:?}");
    assert!(synced.words().contains("HTTP 413") && synced.words().contains("could not be cut smaller"), "{synced:?}");
}

#[tokio::test]
async fn a_request_that_the_host_cannot_process_is_told_in_its_words() {
    let mut scene = Scene::over_http(preset("gitea").host());
    scene.pair.source.commit_on("main", "first");
    scene.sync().await.result.unwrap();
    for branch in ["main", "other"] {
        scene.pair.source.commit_on(branch, "second");
    }
    let words = vec!["The request cannot be processed: rule 17"];
    scene.replay.host().front = Some(Front { over: 0, status: 422, lines: words, sso: None, refs: false, json: false });
    let synced = scene.sync().await;
    assert_eq!(synced.status(), Some(AspectStatus::Failed), "{synced:?}");
    assert!(synced.words().contains("HTTP 422") && synced.words().contains("rule 17"), "{}", synced.words());
    assert!(!synced.words().contains("connection"), "{}", synced.words());
}

#[tokio::test]
async fn a_request_that_is_sent_away_is_no_broken_connection_and_is_not_sent_again() {
    for (status, code, json) in [
        (400, Code::UnexpectedAnswer, false),
        (411, Code::UnexpectedAnswer, true),
        (451, Code::RepositoryBlocked, false),
        (403, Code::Forbidden, true),
    ] {
        let mut scene = Scene::over_http(preset("gitea").host());
        scene.pair.source.commit_on("main", "first");
        scene.sync().await.result.unwrap();
        scene.pair.source.commit_on("main", "second");
        let words = vec!["this is not for you"];
        scene.replay.host().front = Some(Front { over: 0, status, lines: words, sso: None, refs: false, json });
        let failed = scene.sync().await;
        let error = failed.result.as_ref().expect_err("nothing arrived");
        assert_eq!((error.code, error.retryable), (code, false), "{error:?}");
        assert!(error.message.contains("this is not for you"), "{error:?}");
        assert!(status == 403 || error.hint.contains(&status.to_string()), "{error:?}");
        // git's push, and the question for the words, which git does not keep.
        assert_eq!(scene.replay.host().turned_away, 2, "{error:?}");
    }
}

#[tokio::test]
async fn a_push_that_a_policy_forbids_is_told_in_the_hosts_words() {
    let mut scene = Scene::over_http(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    scene.sync().await.result.unwrap();
    let sso = Some("required; url=https://host.example/sso?request=1");
    let lines = vec!["The 'acme' organization has enabled or enforced SAML SSO."];
    scene.replay.host().front = Some(Front { over: 0, status: 403, lines, sso, refs: false, json: false });
    // By git, and where the fence goes alone, by ourselves.
    scene.pair.source.commit_on("main", "second");
    for known in [true, false] {
        if !known {
            scene.pair.mirror.delete(FENCE);
            scene.pair.source.git(&["push", "-q", &scene.pair.mirror.path.display().to_string(), "main"]);
            scene.machine = scene.pair.machine("second");
        }
        let failed = scene.sync().await;
        let error = failed.result.as_ref().expect_err("nothing arrived");
        assert_eq!(error.code, Code::TokenBarred, "{error:?}");
        for words in ["enforced SAML SSO", "https://host.example/sso?request=1"] {
            assert!(error.message.contains(words), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_forbids_to_look_is_told_with_the_address_that_the_host_names() {
    let mut scene = Scene::over_http(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    let sso = Some("required; url=https://host.example/sso?request=1");
    let lines = vec!["The 'acme' organization has enabled or enforced SAML SSO."];
    scene.replay.host().front = Some(Front { over: 0, status: 403, lines, sso, refs: true, json: false });
    let error = scene.sync().await.result.expect_err("nothing can be listed");
    assert_eq!(error.code, Code::TokenBarred, "{error:?}");
    for words in ["enforced SAML SSO", "https://host.example/sso?request=1"] {
        assert_eq!(error.message.matches(words).count(), 1, "{error:?}");
    }
}

#[tokio::test]
async fn a_ref_that_is_ignored_is_named() {
    for family in [Family::Atomic, Family::ByHalf, Family::NoAtomic] {
        for known in [false, true] {
            let mut scene = Scene::over_http(odd(family));
            for branch in ["main", "other", "lost"] {
                scene.pair.source.commit_on(branch, "first");
            }
            if known {
                scene.sync().await.result.unwrap();
                for branch in ["main", "lost"] {
                    scene.pair.source.commit_on(branch, "second");
                }
            }
            scene.replay.host().ignored.push("refs/heads/lost");
            for _ in 0..2 {
                let synced = scene.sync().await;
                assert_eq!(synced.status(), Some(AspectStatus::Failed), "{family:?}: {synced:?}");
                assert_eq!(synced.refused.keys().collect::<Vec<_>>(), ["refs/heads/lost"], "{family:?}: {synced:?}");
                assert!(synced.words().contains("said `ok` and did not move it"), "{}", synced.words());
                for name in ["refs/heads/main", "refs/heads/other"] {
                    assert_eq!(scene.pair.mirror.tip(name), scene.pair.source.tip(name), "{family:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_host_that_ignores_the_fence_takes_none() {
    for family in [Family::Atomic, Family::NoAtomic] {
        let mut scene = Scene::over_http(odd(family));
        scene.replay.host().ignored.push(FENCE);
        for branch in ["main", "other"] {
            scene.pair.source.commit_on(branch, "first");
        }
        for _ in 0..2 {
            let synced = scene.sync().await;
            assert_eq!(synced.status(), Some(AspectStatus::Ok), "{family:?}: {synced:?}");
            scene.pair.assert_in_step();
        }
        assert!(!scene.machine.plan().await.unwrap().fence.supported);
    }
}

#[tokio::test]
async fn a_server_that_ends_without_a_word_over_ssh_is_told_so() {
    let mut scene = Scene::over_ssh(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    for reads in [true, false] {
        scene.replay.host().troubles.clear();
        scene.replay.host().fail(Mishap::Door { status: 403, lines: Vec::new(), reads }, None);
        let words = scene.sync().await.words();
        assert!(words.contains("the server ended the connection without a word"), "{words}");
        assert!(words.contains("authorized_keys") && !words.contains("the repository exists"), "{words}");
    }
}
