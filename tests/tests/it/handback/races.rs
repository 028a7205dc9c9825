//! Somebody else moves something while the hand-back is under way.

use std::sync::atomic::{AtomicUsize, Ordering};

use standin_core::Code;
use standin_core::roles::handback::{self, HandBackFate};

use super::{Boxed, World, stopped};

#[tokio::test]
async fn a_source_that_moves_between_plan_and_apply_is_not_rewritten() {
    let world = World::in_step().await;
    let ours = world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    assert_eq!(planned.refs[0].fate, HandBackFate::FastForward);
    let theirs = world.source.commit_on("main", "at the source");
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), Some(theirs));
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(ours));
    assert_eq!(done.refs[0].fate, HandBackFate::Parked);
}

#[tokio::test]
async fn a_source_that_moves_between_look_and_push_refuses_the_push() {
    let world = World::in_step().await;
    let ours = world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let asked = AtomicUsize::new(0);
    let guard = || -> Boxed<'_> {
        // The guard is asked after the look and before the push.
        if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            world.source.commit_on("main", "at the last moment");
        }
        world.fence()
    };
    handback::apply(&world.old().await, &world.home().await, &planned, &guard).await.unwrap();
    assert_ne!(world.source.tip("refs/heads/main"), Some(ours.clone()));
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(ours));
    world.assert_home();
}

#[tokio::test]
async fn a_fence_that_moves_before_the_push_makes_the_server_refuse_it_whole() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "on the standby");
    world.standby.commit_on("other", "on the standby");
    let planned = world.plan().await;
    let before = super::plain(&world.source);
    let guard = || -> Boxed<'_> {
        Box::pin(async {
            let seen = world.fence().await;
            world.source.move_fence(|document| document.epoch += 1);
            seen
        })
    };
    let error = handback::apply(&world.old().await, &world.home().await, &planned, &guard).await.unwrap_err();
    assert_eq!(error.code, Code::Raced);
    assert!(error.message.contains("fence of alice/primary"), "{error:?}");
    assert_eq!(super::plain(&world.source), before);
    assert_eq!(world.source.fence().unwrap().1.epoch, super::EPOCH + 1, "the rival's fence stands");
    // Once that is settled it goes on.
    world.hand_back().await;
}

#[tokio::test]
async fn a_guard_that_says_no_stops_before_anything_is_written() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let before = world.source.git(&["for-each-ref"]);
    let guard = || -> Boxed<'_> { Box::pin(async { Err(stopped()) }) };
    let error = handback::apply(&world.old().await, &world.home().await, &planned, &guard).await.unwrap_err();
    assert_eq!(error.code, Code::FencedOff);
    assert_eq!(world.source.git(&["for-each-ref"]), before);
}

#[tokio::test]
async fn without_a_fence_at_the_source_each_ref_has_its_own_lease() {
    let world = World::in_step().await;
    world.source.delete("refs/standin/fence");
    let ours = world.standby.commit_on("main", "on the standby");
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/main"), Some(ours));
    assert_eq!(world.source.fence(), None);
}

#[tokio::test]
async fn what_is_pushed_to_the_standby_during_the_hand_back_travels_too() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let asked = AtomicUsize::new(0);
    let guard = || -> Boxed<'_> {
        match asked.fetch_add(1, Ordering::Relaxed) {
            // Before the push, and before the pull request.
            0 => drop(world.standby.commit_on("late", "late")),
            1 => drop(world.standby.commit_on("later", "later")),
            _ => {}
        }
        world.fence()
    };
    handback::apply(&world.old().await, &world.home().await, &planned, &guard).await.unwrap();
    assert!(asked.load(Ordering::Relaxed) >= 2);
    assert!(world.source.tip("refs/heads/late").is_some() && world.source.tip("refs/heads/later").is_some());
    world.assert_home();
}

#[tokio::test]
async fn what_vanished_from_the_standby_since_the_plan_is_parked() {
    let world = World::in_step().await;
    let main = world.standby.tip("refs/heads/main").unwrap();
    let first = world.standby.commit_on("main", "planned");
    let gone = world.standby.commit_on("gone", "planned, too");
    let tag = world.standby.annotated_tag("v9", &gone);
    let planned = world.plan().await;
    let other = world.standby.commit("rewritten", Some(&main));
    world.standby.set("refs/heads/main", &other);
    world.standby.delete("refs/heads/gone");
    world.standby.delete("refs/tags/v9");
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), Some(other));
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(first.clone()));
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/gone"), Some(gone.clone()));
    assert_eq!(world.source.tip("refs/tags/standin/handback-2/v9"), Some(tag));
    assert_eq!(done.pulls.len(), 2);
    world.assert_reachable_at_source(&[first.to_string(), gone.to_string()]);
}

#[tokio::test]
async fn a_stop_ends_it_and_it_can_go_on() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let (old, new) = (world.old().await, world.home().await);
    new.cancel.cancel();
    let guard = || world.fence();
    let error = handback::apply(&old, &new, &planned, &guard).await.unwrap_err();
    assert_eq!(error.code, Code::Cancelled);
    world.hand_back().await;
}
