//! Other writers between plan and push: nothing that they wrote is overwritten, whoever they are.

use standin_core::Code;
use standin_core::state::model::AspectStatus;
use standin_tests::git::write_hook;
use standin_tests::pair::{Pair, failure};

const MAIN: &str = "refs/heads/main";

#[tokio::test]
async fn a_commit_pushed_between_plan_and_push_is_not_overwritten() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("main", "at the source");
    pair.source.commit_on("other", "other");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    let theirs = pair.mirror.commit_on("main", "somebody was quicker");
    let report = planned.apply(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Blocked, "it shows as diverged");
    assert_eq!(pair.mirror.tip(MAIN), Some(theirs));
    assert_eq!(pair.mirror.tip("refs/heads/other"), pair.source.tip("refs/heads/other"));
}

#[tokio::test]
async fn a_branch_that_appears_or_vanishes_between_plan_and_push_is_planned_anew() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("vanishes", "x");
    machine.sync().await.unwrap();
    pair.source.commit_on("vanishes", "y");
    pair.source.commit_on("appears", "ours");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.mirror.delete("refs/heads/vanishes");
    let theirs = pair.mirror.commit_on("appears", "theirs");
    let report = planned.apply(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/heads/appears"), Some(theirs));
    assert_eq!(pair.mirror.tip("refs/heads/vanishes"), pair.source.tip("refs/heads/vanishes"));
}

#[tokio::test]
async fn a_tip_that_moves_while_it_would_be_deleted_or_rewritten_stays() {
    let (pair, machine) = Pair::in_step().await;
    for branch in ["deleted", "rewritten"] {
        pair.source.commit_on(branch, "x");
    }
    machine.sync().await.unwrap();
    pair.source.delete("refs/heads/deleted");
    pair.source.set("refs/heads/rewritten", &pair.source.commit("y", None));
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    let theirs = [pair.mirror.commit_on("deleted", "theirs"), pair.mirror.commit_on("rewritten", "theirs")];
    assert_eq!(planned.apply(&ctx).await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/heads/deleted").as_ref(), Some(&theirs[0]));
    assert_eq!(pair.mirror.tip("refs/heads/rewritten").as_ref(), Some(&theirs[1]));
}

#[tokio::test]
async fn another_machine_that_moved_only_the_fence_makes_us_look_again() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("main", "second");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.mirror.move_fence(|_| {});
    assert_eq!(planned.apply(&ctx).await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    assert_eq!(pair.mirror.fence().unwrap().1.sequence, 3, "on top of theirs");
}

#[tokio::test]
async fn a_master_with_a_newer_epoch_that_came_in_between_is_obeyed() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("main", "second");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.mirror.move_fence(|document| {
        document.epoch += 1;
        document.master = "somebody/else".into();
    });
    let (rival, refs) = (pair.mirror.fence(), pair.mirror.refs());
    let error = failure(planned.apply(&ctx).await);
    assert_eq!(error.code, Code::FencedOff);
    assert!(error.message.contains("somebody/else"));
    assert_eq!((pair.mirror.fence(), pair.mirror.refs()), (rival, refs), "no ref write of an older epoch lands");
}

#[tokio::test]
async fn a_writer_of_an_older_epoch_cannot_land_after_us() {
    let (pair, stale) = Pair::in_step().await;
    pair.source.commit_on("main", "second");
    let ctx = stale.context().await;
    let mut old_plan = stale.plan_in(&ctx).await.unwrap();

    // Meanwhile another repository becomes the master by the user's word.
    let mut successor = Pair::new();
    successor.repository.mirrors = pair.repository.mirrors.clone();
    successor.source.commit_on("fresh", "fresh");
    let machine = successor.machine("laptop");
    machine.resolve("refs/standin/fence", standin_core::state::store::DecisionChoice::Overwrite).await.unwrap();
    machine.sync().await.unwrap();
    let (fence, refs) = (pair.mirror.fence(), pair.mirror.refs());

    assert_eq!(failure(old_plan.apply(&ctx).await).code, Code::FencedOff);
    assert_eq!((pair.mirror.fence(), pair.mirror.refs()), (fence, refs));
}

#[tokio::test]
async fn a_mirror_that_moves_each_time_is_given_up_as_raced() {
    let (pair, machine) = Pair::in_step().await;
    let one = pair.source.commit_on("busy", "one");
    machine.sync().await.unwrap();
    // Somebody moves the branch to and fro among commits of the source, each time before our push arrives.
    let two = pair.source.commit_on("busy", "two");
    pair.mirror.git(&["fetch", "--quiet", &pair.source.path.display().to_string(), "refs/heads/busy"]);
    pair.source.commit_on("busy", "three");
    write_hook(
        &pair.mirror.path,
        "pre-receive",
        &format!(
            "unset GIT_QUARANTINE_PATH; echo x >>\"$GIT_DIR/pushes\"\n\
             case $(git rev-parse refs/heads/busy) in {one}) next={two};; *) next={one};; esac\n\
             git update-ref refs/heads/busy $next"
        ),
    );
    let error = failure(machine.sync().await);
    assert_eq!((error.code, error.retryable), (Code::Raced, true), "{error:?}");
    let pushes = std::fs::read_to_string(pair.mirror.path.join("pushes")).unwrap().lines().count();
    assert!((1..=6).contains(&pushes), "{pushes} pushes");
    assert_ne!(pair.mirror.tip("refs/heads/busy"), pair.source.tip("refs/heads/busy"));
}

#[tokio::test]
async fn the_source_that_moves_after_its_snapshot_is_pushed_as_it_was() {
    let (pair, machine) = Pair::in_step().await;
    let planned_tip = pair.source.commit_on("main", "second");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.source.commit_on("main", "third");
    planned.apply(&ctx).await.unwrap();
    assert_eq!(pair.mirror.tip(MAIN), Some(planned_tip));
    machine.sync().await.unwrap();
    pair.assert_in_step();
}
