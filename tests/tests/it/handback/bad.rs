//! Hosts that refuse, and answers that are lost.

use standin_core::Code;
use standin_core::state::model::Oid;
use standin_sandbox::{Effect, Fault, FaultMatcher, PushRefusal, TokenSpec};
use standin_tests::standby::{PRIMARY, commit};

use super::World;

fn refuse(world: &World, refs: &str, reason: &str) {
    let refusal = PushRefusal { refs: refs.to_owned(), reason: reason.to_owned(), remote_lines: Vec::new() };
    assert!(world.hub.sandbox.refuse_pushes(PRIMARY.0, PRIMARY.1, refusal));
}

#[tokio::test]
async fn without_the_right_for_workflows_the_rest_comes_home_and_what_is_missing_is_said() {
    let mut world = World::in_step().await;
    world.hub.source_token = Some(world.hub.sandbox.create_token(PRIMARY.0, TokenSpec::classic(&["repo"])));
    world.standby.commit_on("plain", "plain");
    let workflow =
        commit(&world.standby.path, "refs/heads/main", &[(".github/workflows/new.yml", "on: push\njobs: {}\n")]);
    let planned = world.plan().await;
    let error = world.apply(&planned).await.unwrap_err();
    assert_eq!(error.code, Code::RefRefused);
    let short = &workflow.to_string()[..12];
    for part in ["alice/primary", "refs/heads/main", short, "without `workflow` scope"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    assert!(error.hint.contains("scope `workflow`") && error.hint.contains("They stay on backup/standby"), "{error:?}");
    assert!(world.source.tip("refs/heads/plain").is_some());

    world.hub.source_token = Some(world.hub.sandbox.create_token(PRIMARY.0, TokenSpec::classic(&["repo", "workflow"])));
    world.hand_back().await;
    let tip: Oid = workflow.to_string().parse().unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), Some(tip));
}

#[tokio::test]
async fn a_host_that_refuses_a_whole_push_for_one_ref_takes_the_others() {
    let world = World::in_step().await;
    for number in 0..5 {
        world.standby.commit_on(&format!("branch-{number}"), "work");
    }
    // GitHub refuses names of forty digits, and says so of every ref of the push.
    let odd = "0123456789012345678901234567890123456789";
    let tip = world.standby.commit_on(odd, "odd");
    let done = world.hand_back().await;
    assert_eq!(world.source.tip(&format!("refs/heads/standin/handback-2/{odd}")), Some(tip));
    assert_eq!(done.refs.len(), 6);
    for number in 0..5 {
        assert!(world.source.tip(&format!("refs/heads/branch-{number}")).is_some());
    }
}

#[tokio::test]
async fn a_branch_that_is_frozen_or_locked_for_ever_is_parked_and_holds_up_no_other() {
    for (short, reason) in [
        ("frozen", "frozen for a release, try again later"),
        ("locked", "cannot lock ref 'refs/heads/locked': Unable to create 'refs/heads/locked.lock': File exists"),
    ] {
        let world = World::in_step().await;
        refuse(&world, &format!("refs/heads/{short}"), reason);
        let (tip, other) = (world.standby.commit_on(short, "held"), world.standby.commit_on("other", "work"));
        world.hand_back().await;
        assert_eq!(world.source.tip(&format!("refs/heads/standin/handback-2/{short}")), Some(tip), "{reason}");
        assert_eq!(world.source.tip("refs/heads/other"), Some(other), "{reason}");
    }
}

#[tokio::test]
async fn a_rule_against_new_branches_parks_them_and_one_against_all_is_an_error() {
    let world = World::in_step().await;
    refuse(&world, "refs/heads/release-1", "push declined due to repository rule violations");
    let tip = world.standby.commit_on("release-1", "work");
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/release-1"), Some(tip));

    refuse(&world, "refs/heads/**", "push declined due to repository rule violations");
    world.standby.commit_on("release-2", "more work");
    let planned = world.plan().await;
    let error = world.apply(&planned).await.unwrap_err();
    assert_eq!(error.code, Code::RefRefused);
    assert!(error.message.contains("release-2") && error.message.contains("1 commit"), "{error:?}");
    assert!(!error.message.contains("release-1"), "{error:?}");
}

#[tokio::test]
async fn a_fence_that_the_host_refuses_to_move_stops_all() {
    let world = World::in_step().await;
    refuse(&world, "refs/standin/*", "no");
    world.standby.commit_on("main", "work");
    let before = world.source.git(&["for-each-ref"]);
    let planned = world.plan().await;
    let error = world.apply(&planned).await.unwrap_err();
    assert!(error.message.contains("fence"), "{error:?}");
    assert_eq!(world.source.git(&["for-each-ref"]), before);
}

#[tokio::test]
async fn an_archived_source_is_an_error_and_nothing_is_lost() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "work");
    let planned = world.plan().await;
    world.hub.sandbox.set_archived(PRIMARY.0, PRIMARY.1, true);
    world.apply(&planned).await.unwrap_err();
    world.hub.sandbox.set_archived(PRIMARY.0, PRIMARY.1, false);
    world.hand_back().await;
}

#[tokio::test]
async fn a_lost_answer_to_the_push_is_read_back() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    world.standby.commit_on("other", "on the standby");
    let on_push =
        FaultMatcher { method: Some("POST".to_owned()), ..FaultMatcher::git("/alice/primary.git/git-receive-pack") };
    world.hub.sandbox.add_fault(Fault::once(on_push, Effect::CutAfter));
    let done = world.hand_back().await;
    assert_eq!(done.pulls.len(), 1);
    assert_eq!(world.source.fence().unwrap().1.sequence, 2, "it was not pushed twice");
}

#[tokio::test]
async fn a_source_that_is_down_is_a_passing_error_and_it_goes_on_later() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let down = Effect::Status { status: 502, retry_after: None };
    world.hub.sandbox.add_fault(Fault::always(FaultMatcher::git("/alice/primary.git/**"), down));
    let error = world.apply(&planned).await.unwrap_err();
    assert!(error.retryable, "{error:?}");
    world.hub.sandbox.clear_faults();
    world.apply(&planned).await.unwrap();
    world.assert_home();
}

#[tokio::test]
async fn no_token_is_in_what_is_shown() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let done = world.apply(&planned).await.unwrap();
    let body = world.pulls().await[0].to_string();
    let shown = format!("{planned:?}{done:?}{body}{}", world.source.git(&["log", "--all", "--format=%B"]));
    for token in [Some(&world.hub.token), world.hub.source_token.as_ref()].into_iter().flatten() {
        assert!(!shown.contains(token.as_str()));
    }
}
