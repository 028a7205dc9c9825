//! Servers that stand in their own way: the fence taken and hidden, no deletes, an end without an answer, a listing that is old.

use standin_core::Code;
use standin_core::state::model::AspectStatus;
use standin_tests::git::write_hook;
use standin_tests::pair::Pair;
use standin_tests::replay::{Family, Host};

use crate::hosts::scene::Scene;

#[tokio::test]
async fn a_fence_that_is_taken_and_hidden_from_readers_holds_nothing_up() {
    for known in [true, false] {
        let pair = Pair::new();
        pair.mirror.configure("uploadpack.hideRefs", "refs/standin");
        for branch in ["main", "other"] {
            pair.source.commit_on(branch, "first");
        }
        let mut machine = pair.machine("laptop");
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
        if !known {
            machine = pair.machine("second");
        }
        for (number, days) in [0, 0, 2, 0, 2].into_iter().enumerate() {
            machine.pass_days(days);
            pair.source.commit_on("main", &format!("more {number}"));
            let report = machine.sync().await.unwrap();
            assert_eq!(report.status, AspectStatus::Ok, "{known} {number}: {report:?}");
            assert_eq!(pair.mirror.tip("refs/heads/main"), pair.source.tip("refs/heads/main"));
        }
        let plan = machine.plan().await.unwrap();
        assert!(!plan.fence.supported);
        assert!(plan.notices.iter().any(|notice| notice.message.contains("does not show it")), "{:?}", plan.notices);
        // What we pushed is known all the same: a rewrite is no divergence, a foreign commit is one.
        pair.source.set("refs/heads/other", &pair.source.commit("rewritten", None));
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
        pair.mirror.commit_on("other", "foreign");
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    }
}

#[tokio::test]
async fn a_fence_that_is_gone_is_not_taken_for_hidden_and_an_old_one_may_be_a_moment_late() {
    let (pair, machine) = Pair::in_step().await;
    let before = pair.mirror.tip("refs/standin/fence").unwrap();
    pair.source.commit_on("main", "second");
    machine.sync().await.unwrap();
    pair.source.commit_on("main", "third");
    let now = pair.mirror.tip("refs/standin/fence").unwrap();
    pair.mirror.set("refs/standin/fence", &before);
    let late = machine.sync().await.expect_err("it is an older one");
    assert_eq!((late.code, late.retryable), (Code::FenceLost, true), "{late:?}");
    pair.mirror.delete("refs/standin/fence");
    let gone = machine.sync().await.expect_err("there is none");
    assert_eq!((gone.code, gone.retryable), (Code::FenceLost, false), "{gone:?}");
    pair.mirror.set("refs/standin/fence", &now);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}

#[tokio::test]
async fn a_host_that_takes_no_deletes_gets_all_else() {
    for family in [Family::Atomic, Family::NoAtomic] {
        let mut host = Host::new("no deletes", family, "atomic transaction failed");
        host.no_deletes = true;
        without_deletes(Scene::over_http(host)).await;
    }
}

async fn without_deletes(mut scene: Scene) {
    for branch in ["main", "gone", "kept"] {
        scene.pair.source.commit_on(branch, "first");
    }
    scene.sync().await.result.unwrap();
    scene.pair.source.delete("refs/heads/gone");
    for branch in ["main", "kept", "new"] {
        scene.pair.source.commit_on(branch, "second");
    }
    for _ in 0..2 {
        let synced = scene.sync().await;
        assert_eq!(synced.refused.keys().collect::<Vec<_>>(), ["refs/heads/gone"], "{synced:?}");
        assert!(synced.words().contains("does not take the deletion of refs"), "{}", synced.words());
        for branch in ["main", "kept", "new"] {
            let name = format!("refs/heads/{branch}");
            assert_eq!(scene.pair.mirror.tip(&name), scene.pair.source.tip(&name), "{branch}");
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_over_one_ref_without_an_answer_gets_the_others() {
    let (pair, machine) = Pair::in_step().await;
    for branch in ["a", "b", "c", "d"] {
        pair.source.commit_on(branch, "first");
    }
    machine.sync().await.unwrap();
    let ends = "[ \"$1\" = prepared ] || exit 0\nwhile read o n r; do case $r in refs/heads/b) exit 1;; esac; done";
    write_hook(&pair.mirror.path, "reference-transaction", ends);
    for branch in ["main", "a", "b", "c", "d"] {
        pair.source.commit_on(branch, "second");
    }
    // Once it is a fault that passes. Told again, who is to blame is searched for.
    let first = machine.sync().await.expect_err("it may pass");
    assert_eq!((first.code, first.retryable), (Code::HostFailed, true), "{first:?}");
    assert!(first.message.contains("without an answer") && !first.message.contains("delta"), "{first:?}");
    let second = machine.sync().await.unwrap();
    assert_eq!(second.status, AspectStatus::Failed, "{second:?}");
    assert!(second.error.unwrap().contains("refs/heads/b"));
    for branch in ["main", "a", "c", "d"] {
        let name = format!("refs/heads/{branch}");
        assert_eq!(pair.mirror.tip(&name), pair.source.tip(&name), "{branch}");
    }
    write_hook(&pair.mirror.path, "reference-transaction", "exit 0");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}

#[tokio::test]
async fn a_lock_that_was_left_behind_on_the_mirror_is_named_and_nobody_is_accused() {
    let (pair, machine) = Pair::in_step().await;
    let lock = pair.mirror.path.join("refs/standin/fence.lock");
    std::fs::write(&lock, "").unwrap();
    pair.source.commit_on("main", "second");
    let error = machine.sync().await.expect_err("the fence cannot move");
    assert!(error.message.contains("fence.lock") && error.hint.contains("left this lock behind"), "{error:?}");
    assert!(!error.message.contains("somebody else"), "{error:?}");
    std::fs::remove_file(&lock).unwrap();
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}

#[tokio::test]
async fn a_repository_with_other_ids_is_told_as_that_on_either_side() {
    for source in [true, false] {
        let pair = Pair::new();
        let path = if source { &pair.source.path } else { &pair.mirror.path };
        std::fs::remove_dir_all(path).unwrap();
        let made = std::process::Command::new("git")
            .args(["init", "-q", "--bare", "--object-format=sha256"])
            .arg(path)
            .status()
            .unwrap();
        assert!(made.success());
        if source {
            let run = |arguments: &[&str]| {
                let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
                let mut git = std::process::Command::new("git");
                let output = git.arg("-C").arg(path).args(identity).args(arguments).output().unwrap();
                assert!(output.status.success(), "{output:?}");
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            };
            let tree = run(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
            let commit = run(&["commit-tree", "-m", "first", &tree]);
            run(&["update-ref", "refs/heads/main", &commit]);
        } else {
            pair.source.commit_on("main", "first");
        }
        let error = pair.machine("laptop").sync().await.expect_err("it cannot be kept in step");
        assert!(error.hint.contains("SHA-256"), "{source}: {error:?}");
        assert!(!error.retryable, "{source}: {error:?}");
    }
}

#[tokio::test]
async fn a_shallow_mirror_is_not_called_in_step() {
    let pair = Pair::new();
    for message in ["first", "second"] {
        pair.source.commit_on("main", message);
    }
    let mirror = pair.mirror.path.display().to_string();
    std::fs::remove_dir_all(&pair.mirror.path).unwrap();
    pair.source.git(&[
        "clone",
        "-q",
        "--bare",
        "--depth=1",
        &format!("file://{}", pair.source.path.display()),
        &mirror,
    ]);
    let machine = pair.machine("laptop");
    let error = machine.sync().await.expect_err("it lacks history");
    assert!(error.code == Code::Configuration && error.message.contains("shallow"), "{error:?}");
    pair.mirror.git(&["fetch", "-q", "--unshallow", &pair.source.path.display().to_string()]);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}
