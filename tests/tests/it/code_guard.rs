//! Plans that wait for a confirmation: nothing moves before, and what goes is rescued after.

use standin_core::Code;
use standin_core::plan::GuardReason;
use standin_core::state::model::AspectStatus;
use standin_core::state::store::DecisionChoice;
use standin_tests::pair::{Machine, Pair, failure, name};

/// Asserts that the sync waits for exactly these reasons and changes nothing, and goes with a yes.
async fn held_until_confirmed(pair: &Pair, machine: &Machine, reasons: &[GuardReason]) {
    let (before, fence) = (pair.mirror.refs(), pair.mirror.fence());
    assert_eq!(machine.plan().await.unwrap().guard, reasons);
    let error = failure(machine.sync().await);
    assert_eq!(error.code, Code::GuardHeld);
    assert!(error.hint.contains("standin sync --mirror backup --yes"));
    assert_eq!((pair.mirror.refs(), pair.mirror.fence()), (before.clone(), fence));

    assert_eq!(machine.sync_with_yes().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    let rescued: Vec<_> = machine.store.rescues(None, None).unwrap().into_iter().map(|rescue| rescue.oid).collect();
    for (name, tip) in before {
        let kept = pair.source.tip(&name).as_ref() == Some(&tip) || rescued.contains(&tip);
        assert!(kept, "{name} is rescued");
    }
}

#[tokio::test]
async fn a_rewritten_default_branch_waits() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("other", "other");
    machine.sync().await.unwrap();
    pair.source.set("refs/heads/main", &pair.source.commit("rewritten", None));
    let reason = GuardReason::DefaultBranch { name: name("refs/heads/main") };
    held_until_confirmed(&pair, &machine, &[reason]).await;
}

#[tokio::test]
async fn many_rewritten_or_deleted_refs_wait() {
    let (pair, machine) = Pair::in_step().await;
    for number in 0..20 {
        pair.source.commit_on(&format!("b{number}"), &format!("{number}"));
    }
    machine.sync().await.unwrap();
    for number in 0..5 {
        pair.source.delete(&format!("refs/heads/b{number}"));
    }
    for number in 5..11 {
        pair.source.set(&format!("refs/heads/b{number}"), &pair.source.commit(&format!("again {number}"), None));
    }
    held_until_confirmed(&pair, &machine, &[GuardReason::ManyRefs { affected: 11, total: 21 }]).await;
}

#[tokio::test]
async fn all_branches_wait() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.git(&["symbolic-ref", "HEAD", "refs/heads/elsewhere"]);
    pair.mirror.git(&["symbolic-ref", "HEAD", "refs/heads/elsewhere"]);
    pair.source.set("refs/heads/main", &pair.source.commit("rewritten", None));
    held_until_confirmed(&pair, &machine, &[GuardReason::AllBranches { branches: 1 }]).await;
}

#[tokio::test]
async fn an_emptied_source_waits() {
    let (pair, machine) = Pair::in_step().await;
    pair.mirror.git(&["symbolic-ref", "HEAD", "refs/heads/elsewhere"]);
    pair.source.delete("refs/heads/main");
    let reasons = [GuardReason::AllBranches { branches: 1 }, GuardReason::SourceEmpty];
    held_until_confirmed(&pair, &machine, &reasons).await;
    assert!(pair.mirror.refs().is_empty());
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok, "it asks once");
}

#[tokio::test]
async fn a_few_rewrites_go_without_a_question() {
    let (pair, machine) = Pair::in_step().await;
    for branch in ["a", "b", "c"] {
        pair.source.commit_on(branch, branch);
    }
    machine.sync().await.unwrap();
    pair.source.set("refs/heads/a", &pair.source.commit("again", None));
    pair.source.delete("refs/heads/b");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    assert_eq!(machine.store.rescues(None, None).unwrap().len(), 2);
}

#[tokio::test]
async fn a_guard_holds_a_plan_that_is_made_anew_after_a_race() {
    let (pair, machine) = Pair::in_step().await;
    let first = pair.source.tip("refs/heads/main").unwrap();
    pair.source.commit_on("other", "other");
    machine.sync().await.unwrap();

    // Another machine is about to push a commit that the source then rewrites. For us, who look before it arrives, the
    // new one is a fast-forward; after, it is a rewrite of what the other pushed.
    pair.source.commit_on("main", "second");
    let second = pair.machine("second");
    let theirs = second.context().await;
    let mut early = second.plan_in(&theirs).await.unwrap();
    pair.source.set("refs/heads/main", &pair.source.commit("second, amended", Some(&first)));
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    assert_eq!(planned.plan.guard, []);
    early.apply(&theirs).await.unwrap();
    let pushed = pair.mirror.tip("refs/heads/main");

    assert_eq!(failure(planned.apply(&ctx).await).code, Code::GuardHeld);
    assert_eq!(pair.mirror.tip("refs/heads/main"), pushed);
}

#[tokio::test]
async fn what_the_user_decided_for_a_ref_is_not_guarded_again() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("main", "at the source");
    pair.mirror.commit_on("main", "at the mirror");
    machine.resolve("refs/heads/main", DecisionChoice::Overwrite).await.unwrap();
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}
