//! What the report of a push says, in GitHub's words: who is refused, who is sunk with it, and when the host itself fails.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use standin_sandbox::{Effect, Fault, FaultMatcher, Protection, PushFailure, PushLimits, PushRefusal};

use crate::faults::control;
use crate::support::{Work, World};

const REF: &str = "refs/heads/held";
const PUSH: [&str; 6] = ["push", "--atomic", "origin", "main", "main:held", "main:refs/standin/fence"];

/// A world with this refusal, and a working copy with a commit to push.
async fn refusing(refusal: PushRefusal) -> (World, Work) {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    assert!(world.sandbox.refuse_pushes("alice", "primary", refusal));
    (world, work)
}

/// What git shows of this ref.
fn reason_of<'w>(words: &'w str, name: &str) -> &'w str {
    let found = words.lines().find(|line| line.contains("[remote rejected]") && line.contains(&format!("-> {name} ")));
    let line = found.unwrap_or_else(|| panic!("{name} was not refused: {words}"));
    line.split_once(&format!("-> {name} (")).unwrap().1.strip_suffix(')').unwrap()
}

#[tokio::test]
async fn what_is_sunk_by_a_refused_ref_says_atomic_transaction_failed() {
    let (_world, work) =
        refusing(PushRefusal::rule_violation(REF, "Changes must be made through a pull request.")).await;
    let words = work.git_fails(&PUSH);
    assert_eq!(reason_of(&words, "held"), "push declined due to repository rule violations");
    for sunk in ["main", "refs/standin/fence"] {
        assert_eq!(reason_of(&words, sunk), "atomic transaction failed", "{words}");
    }
    for line in [
        "error: GH013: Repository rule violations found for refs/heads/held.",
        "Review all repository rules at https://github.com/alice/primary/rules?ref=refs%2Fheads%2Fheld",
        "- Changes must be made through a pull request.",
    ] {
        assert!(words.contains(&format!("remote: {line}")), "{line}: {words}");
    }
    assert!(work.remote_ref("refs/heads/main").is_none());
}

#[tokio::test]
async fn every_refused_ref_of_an_atomic_push_has_its_own_reason() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main:locked"]);
    world.sandbox.protect_branch("alice", "primary", "locked", Protection::PullRequestOnly);
    world.sandbox.refuse_pushes("alice", "primary", PushRefusal::protected_tag("refs/tags/*"));
    work.commit("a", "a", "A");
    let words = work.git_fails(&["push", "--atomic", "origin", "main", "main:locked", "main:refs/tags/v1"]);
    assert_eq!(reason_of(&words, "locked"), "protected branch hook declined");
    assert_eq!(reason_of(&words, "v1"), "protected tag hook declined");
    assert_eq!(reason_of(&words, "main"), "atomic transaction failed");
    assert!(words.contains("GH006: Protected tag update failed for refs/tags/v1."), "{words}");
}

#[tokio::test]
async fn a_ref_that_moved_says_where_it_is_and_the_others_are_sunk() {
    for atomic in [true, false] {
        let world = World::new().await;
        let work = world.clone_with_commit("one");
        let first = work.git(&["rev-parse", "HEAD"]);
        work.git(&["push", "-q", "origin", "main"]);
        let second = work.commit("a", "a", "A");
        // The push is under way, with its list of refs read, when somebody else moves the branch.
        let wait = Effect::Latency(Duration::from_millis(1_500));
        world.sandbox.add_fault(Fault::once(FaultMatcher::git("/alice/primary.git/git-receive-pack"), wait));
        let mut arguments = vec!["push", "origin", "main", "main:refs/standin/fence"];
        if atomic {
            arguments.insert(1, "--atomic");
        }
        let mut command = work.command(&arguments);
        let pushing =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        while !world
            .sandbox
            .requests()
            .iter()
            .any(|request| request.path.ends_with("git-receive-pack") && request.status.is_none())
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let git = git2::Repository::open_bare(world.sandbox.repository_path("alice", "primary")).unwrap();
        let parent = git.find_commit(git2::Oid::from_str(&first).unwrap()).unwrap();
        let who = git2::Signature::now("Bob", "bob@example.org").unwrap();
        let theirs =
            git.commit(Some("refs/heads/main"), &who, &who, "Theirs", &parent.tree().unwrap(), &[&parent]).unwrap();
        let output = tokio::task::spawn_blocking(move || pushing.wait_with_output().unwrap()).await.unwrap();
        let words = crate::support::said(&output);
        assert_eq!(
            reason_of(&words, "main"),
            format!("cannot lock ref 'refs/heads/main': is at {theirs} but expected {first}"),
            "{words}"
        );
        assert!(!words.contains("remote: error"), "it is said once: {words}");
        if atomic {
            assert_eq!(reason_of(&words, "refs/standin/fence"), "atomic transaction failed");
        } else {
            assert_eq!(work.remote_ref("refs/standin/fence").unwrap(), second);
        }
    }
}

#[tokio::test]
async fn a_host_that_fails_says_so_of_every_ref_and_has_done_nothing() {
    for (failure, reason, remark) in [
        (PushFailure::InternalServerError, "Internal Server Error", None),
        (PushFailure::CommitRefs, "failure", Some("remote: fatal error in commit_refs")),
    ] {
        let world = World::new().await;
        let work = world.clone_with_commit("one");
        let fault = Fault { times: Some(2), ..Fault::always(FaultMatcher::any(), Effect::FailPush(failure)) };
        let fault = world.sandbox.add_fault(fault);
        for _ in 0..2 {
            let words = work.git_fails(&PUSH);
            for name in ["main", "held", "refs/standin/fence"] {
                assert_eq!(reason_of(&words, name), reason);
            }
            assert!(remark.is_none_or(|remark| words.contains(remark)), "{words}");
            assert!(work.remote_ref("refs/heads/main").is_none());
        }
        assert_eq!(world.sandbox.fault_hits(fault), 2, "only pushes count");
        work.git(&PUSH);
    }
}

#[tokio::test]
async fn a_pack_over_the_limit_is_not_taken_in() {
    let world = World::new().await;
    let limits = PushLimits { pack_bytes: Some(64 * 1024), refs: None };
    world.sandbox.set_push_limits("alice", "primary", limits);
    let work = world.clone_with_commit("one");
    work.git(&["push", "origin", "main"]);
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..300_000).map(|_| noise()).collect();
    work.write("noise.bin", &noise);
    work.commit("other", "x", "Noise");
    let words = work.git_fails(&["push", "--atomic", "origin", "main", "main:held"]);
    for part in ["remote: fatal: pack exceeds maximum allowed size", "remote unpack failed: index-pack abnormal exit"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!((reason_of(&words, "main"), reason_of(&words, "held")), ("failed", "failed"));
}

#[tokio::test]
async fn pushes_of_too_many_branches_are_refused_and_smaller_ones_go_through() {
    let world = World::new().await;
    world.sandbox.set_push_limits("alice", "primary", PushLimits { pack_bytes: None, refs: Some(2) });
    let work = world.clone_with_commit("one");
    let words = work.git_fails(&["push", "--atomic", "origin", "main", "main:a", "main:b", "main:refs/standin/fence"]);
    for name in ["main", "a", "b"] {
        assert_eq!(reason_of(&words, name), "push declined due to repository rule violations");
    }
    assert_eq!(reason_of(&words, "refs/standin/fence"), "atomic transaction failed");
    assert!(words.contains("remote: - Pushes can not update more than 2 branches or tags."), "{words}");
    work.git(&["push", "--atomic", "origin", "main", "main:a", "main:refs/standin/fence"]);
}

#[tokio::test]
async fn what_github_s_own_hook_refuses_is_refused_as_a_whole() {
    let object = "ab".repeat(32);
    for (refusal, line) in [
        (
            PushRefusal::force_push(REF),
            "error: GH003: Sorry, force-pushing to refs/heads/held is not allowed.".to_owned(),
        ),
        (PushRefusal::missing_lfs_objects(REF, &[object.as_str()]), format!("error:     {object}")),
    ] {
        let (_world, work) = refusing(refusal).await;
        let words = work.git_fails(&PUSH);
        for name in ["main", "held", "refs/standin/fence"] {
            assert_eq!(reason_of(&words, name), "pre-receive hook declined");
        }
        assert!(words.contains(&line), "{line}: {words}");
        assert!(work.remote_ref("refs/heads/main").is_none());
        work.git(&["push", "origin", "main"]);
    }
}

#[tokio::test]
async fn a_secret_is_shown_with_its_commit_and_path_in_a_frame() {
    let secret = PushRefusal::secret_found(REF, "GitHub Personal Access Token", "1234abcd", "config/keys.py:3");
    let (_world, work) = refusing(secret).await;
    let words = work.git_fails(&PUSH);
    for line in
        ["- GITHUB PUSH PROTECTION", "GitHub Personal Access Token", "- commit: 1234abcd", "path: config/keys.py:3"]
    {
        assert!(words.contains(line), "{line}: {words}");
    }
    assert_eq!(reason_of(&words, "main"), "atomic transaction failed");
}

#[tokio::test]
async fn a_push_to_a_renamed_repository_is_served_and_told_of_the_new_address() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    assert!(world.sandbox.rename_repository("alice", "primary", "renamed"));
    let output = work.try_git(&["push", "origin", "main"]);
    let words = crate::support::said(&output);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("remote: This repository moved. Please use the new location:"), "{words}");
    assert!(words.contains(&format!("remote:   {}", world.url("alice/renamed"))), "{words}");
    let requests = world.sandbox.requests();
    assert!(requests.iter().all(|request| request.status != Some(301)), "a push is not sent on");
    assert!(work.try_git(&["fetch", "origin"]).status.success());
    assert!(world.sandbox.requests().iter().any(|request| request.status == Some(301)), "who reads is");
}

#[tokio::test]
async fn refusals_and_limits_are_set_from_another_process() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let key = world.sandbox.control_key().to_owned();
    let at = |rest: &str| format!("/repositories/alice/primary/{rest}");
    let ask = async |method: Method, path: &str, body: Value| {
        let (status, answer) = control(&world, &key, method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    };
    let refusal = json!({"refs": REF, "reason": "because", "remote_lines": ["not {ref}"]});
    ask(Method::POST, &at("refusals"), refusal).await;
    let words = work.git_fails(&PUSH);
    assert_eq!(reason_of(&words, "held"), "because");
    assert!(words.contains("remote: not refs/heads/held"), "{words}");
    ask(Method::DELETE, &at("refusals"), Value::Null).await;
    ask(Method::PUT, &at("push_limits"), json!({"refs": 1})).await;
    assert!(work.git_fails(&PUSH).contains("more than 1 branches or tags"));
    ask(Method::PUT, &at("push_limits"), json!({})).await;
    let fault = json!({"effect": {"fail_push": "commit_refs"}, "times": 1});
    ask(Method::POST, "/faults", fault).await;
    assert_eq!(reason_of(&work.git_fails(&PUSH), "main"), "failure");
    work.git(&PUSH);
}
