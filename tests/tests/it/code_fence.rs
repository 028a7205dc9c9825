//! The fence: what a second machine knows by it, who is refused by it, and what happens when it is lost.

use standin_core::Code;
use standin_core::fence::{self, OpenChange};
use standin_core::mirror::fence_move;
use standin_core::state::model::AspectStatus;
use standin_core::state::store::DecisionChoice;
use standin_tests::pair::{Pair, failure};

const FENCE: &str = "refs/standin/fence";

#[tokio::test]
async fn a_second_machine_with_an_empty_memory_knows_what_was_pushed() {
    let (pair, laptop) = Pair::in_step().await;
    pair.source.commit_on("rewritten", "before");
    pair.source.commit_on("removed", "before");
    laptop.sync().await.unwrap();
    let tips = [pair.mirror.tip("refs/heads/rewritten").unwrap(), pair.mirror.tip("refs/heads/removed").unwrap()];
    pair.source.set("refs/heads/rewritten", &pair.source.commit("after", None));
    pair.source.delete("refs/heads/removed");

    let second = pair.machine("second");
    let report = second.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    pair.assert_in_step();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.epoch, fence.sequence), (1, 3));
    let rescued: Vec<_> = second.store.rescues(None, None).unwrap().into_iter().map(|rescue| rescue.oid).collect();
    assert!(tips.iter().all(|tip| rescued.contains(tip)), "tips that this machine never saw are fetched and rescued");

    pair.source.commit_on("main", "more");
    laptop.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn a_machine_that_lost_its_database_goes_on() {
    let (pair, laptop) = Pair::in_step().await;
    std::fs::remove_dir_all(laptop.state()).unwrap();
    pair.source.set("refs/heads/main", &pair.source.commit("rewritten", None));
    let again = pair.machine("laptop");
    assert_eq!(failure(again.sync().await).code, Code::GuardHeld, "it knows that it would rewrite what it pushed");
    again.sync_with_yes().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn two_machines_that_make_the_first_sync_at_once_agree() {
    let pair = Pair::new();
    pair.source.commit_on("main", "first");
    let (one, two) = (pair.machine("one"), pair.machine("two"));
    let (first, second) = (one.context().await, two.context().await);
    let mut planned = one.plan_in(&first).await.unwrap();
    let mut late = two.plan_in(&second).await.unwrap();
    planned.apply(&first).await.unwrap();
    let report = late.apply(&second).await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "the loser looks again and finds nothing to do");
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.epoch, fence.sequence), (1, 1));
    pair.assert_in_step();
}

#[tokio::test]
async fn another_master_is_refused_with_who_it_is_and_what_to_do() {
    let (pair, _) = Pair::in_step().await;
    let mut other = Pair::new();
    other.repository.mirrors = pair.repository.mirrors.clone();
    other.source.commit_on("main", "another project");
    let refs = pair.mirror.refs();
    let machine = other.machine("laptop");
    let error = failure(machine.sync_with_yes().await);
    assert_eq!(error.code, Code::FencedOff);
    assert!(error.message.contains(&pair.source.path.display().to_string()), "{}", error.message);
    assert!(error.message.contains("epoch 1, anna@"), "{}", error.message);
    assert!(error.hint.contains("standin resolve backup refs/standin/fence overwrite"), "{}", error.hint);
    assert_eq!(pair.mirror.refs(), refs);

    // By the user's word the mirror changes hands; what the other pushed is not ours to move.
    machine.resolve(FENCE, DecisionChoice::Overwrite).await.unwrap();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.epoch, fence.sequence), (2, 2));
    assert_eq!(fence.master.to_string(), format!("01234567:{}", other.source.path.display()));
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.refs(), refs);
    let old = pair.machine("laptop").sync().await;
    assert_eq!(failure(old).code, Code::FencedOff, "the former master obeys the higher epoch");
}

#[tokio::test]
async fn a_folder_of_the_same_path_on_another_machine_is_another_master() {
    let (pair, laptop) = Pair::in_step().await;
    let (fence, refs) = (pair.mirror.fence(), pair.mirror.refs());
    let stranger = pair.machine("stranger");
    stranger.become_a_stranger();
    pair.source.commit_on("main", "theirs");
    let error = failure(stranger.sync_with_yes().await);
    assert_eq!(error.code, Code::FencedOff);
    assert!(error.message.contains(&format!("01234567:{}", pair.source.path.display())), "{}", error.message);
    assert_eq!((pair.mirror.fence(), pair.mirror.refs()), (fence, refs));
    laptop.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn a_higher_epoch_of_our_own_master_is_adopted() {
    let (pair, machine) = Pair::in_step().await;
    pair.mirror.move_fence(|document| document.epoch = 5);
    pair.source.commit_on("main", "second");
    machine.sync().await.unwrap();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.epoch, fence.sequence), (5, 3));
}

#[tokio::test]
async fn a_source_whose_own_fence_names_another_master_is_not_pushed_from() {
    let (pair, machine) = Pair::in_step().await;
    let mut document = pair.mirror.fence().unwrap().1;
    (document.epoch, document.master) = (2, "backup/standby".into());
    let fence = pair.source.commit_file("fence.json", &document.to_bytes().unwrap(), None);
    pair.source.set(FENCE, &fence);
    pair.source.commit_on("main", "second");
    let error = failure(machine.sync_with_yes().await);
    assert_eq!(error.code, Code::FencedOff);
    assert!(error.message.contains("backup/standby"), "{}", error.message);
    assert_ne!(pair.mirror.tip("refs/heads/main"), pair.source.tip("refs/heads/main"));
}

#[tokio::test]
async fn a_fence_that_is_gone_stops_the_mirror_until_the_user_decides() {
    for choice in [DecisionChoice::Overwrite, DecisionChoice::Take] {
        let (pair, machine) = Pair::in_step().await;
        pair.mirror.delete(FENCE);
        pair.source.set("refs/heads/main", &pair.source.commit("rewritten", None));
        let error = failure(machine.sync_with_yes().await);
        assert_eq!(error.code, Code::FenceLost);
        assert!(error.message.contains("is gone; epoch 1, sequence 1"), "{}", error.message);
        assert!(error.hint.contains("standin resolve backup refs/standin/fence overwrite"));
        assert_ne!(pair.mirror.refs(), pair.source.refs());

        machine.resolve(FENCE, choice).await.unwrap();
        let report = machine.sync_with_yes().await.unwrap();
        let (_, fence) = pair.mirror.fence().unwrap();
        match choice {
            DecisionChoice::Overwrite => {
                assert_eq!((report.status, fence.epoch, fence.sequence), (AspectStatus::Ok, 1, 3));
                pair.assert_in_step();
            }
            _ => assert_eq!(
                (report.status, fence.sequence),
                (AspectStatus::Blocked, 1),
                "as a new mirror: nothing there is known as ours"
            ),
        }
    }
}

#[tokio::test]
async fn a_fence_that_was_set_back_or_replaced_stops_the_mirror() {
    let (pair, machine) = Pair::in_step().await;
    let old = pair.mirror.tip(FENCE).unwrap();
    pair.source.commit_on("main", "second");
    machine.sync().await.unwrap();
    let remembered = pair.mirror.fence().unwrap();
    pair.source.commit_on("main", "third");

    pair.mirror.set(FENCE, &old);
    assert_eq!(failure(machine.sync().await).code, Code::FenceLost, "set back");

    let unrelated = pair.mirror.commit_file(
        "fence.json",
        &remembered.1.next("x", jiff::Timestamp::now()).to_bytes().unwrap(),
        None,
    );
    pair.mirror.set(FENCE, &unrelated);
    assert_eq!(failure(machine.sync().await).code, Code::FenceLost, "higher, but not on top of ours");

    machine.resolve(FENCE, DecisionChoice::Overwrite).await.unwrap();
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    pair.mirror.git(&["merge-base", "--is-ancestor", remembered.0.as_str(), FENCE]);
    assert!(pair.mirror.fence().unwrap().1.sequence > remembered.1.sequence + 1);
}

#[tokio::test]
async fn what_is_no_fence_is_explained_and_can_be_overwritten() {
    let pair = Pair::new();
    pair.source.commit_on("main", "first");
    let blob = pair.mirror.open().blob(b"x").unwrap().to_string().parse().unwrap();
    let garbage = [
        blob,
        pair.mirror.commit("no document", None),
        pair.mirror.commit_file("fence.json", b"{\"version\": 1}", None),
    ];
    for (number, garbage) in garbage.iter().enumerate() {
        pair.mirror.set(FENCE, garbage);
        let machine = pair.machine(&format!("machine-{number}"));
        let error = failure(machine.sync().await);
        assert_eq!(error.code, Code::FenceLost, "{error:?}");
        assert!(error.message.contains("is not one"), "{error:?}");
        assert!(pair.mirror.refs().is_empty() || number > 0);
        machine.resolve(FENCE, DecisionChoice::Overwrite).await.unwrap();
        machine.sync().await.unwrap();
        pair.assert_in_step();
    }
    pair.mirror.move_fence(|document| document.version = 2);
    let newer = failure(pair.machine("old-version").sync().await);
    assert!(newer.message.contains("newer Standin"), "{newer:?}");
    assert!(newer.hint.contains("Update Standin"));
}

#[tokio::test]
async fn an_open_change_of_another_machine_is_seen_and_kept_by_pushes() {
    let (pair, laptop) = Pair::in_step().await;
    let ctx = laptop.context().await;
    let mut view = standin_core::mirror::look(&ctx).await.unwrap();
    let change = OpenChange {
        kind: "actions_off".to_owned(),
        writer: fence::writer(&ctx.source).unwrap(),
        since_iso: jiff::Timestamp::now(),
        settings: serde_json::json!({"enabled": true}),
    };
    fence_move::amend(&ctx, &mut view, |document| document.open_change = Some(change.clone())).await.unwrap();
    assert_eq!(pair.mirror.fence().unwrap().1.open_change.as_ref(), Some(&change));
    assert_eq!(view.fence.unwrap().oid, pair.mirror.fence().unwrap().0);

    let second = pair.machine("second");
    pair.source.commit_on("main", "second");
    second.sync().await.unwrap();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.sequence, fence.open_change), (3, Some(change)));
    let memory = second.store.fence_memory(&pair.repository.id, &pair.repository.mirrors[0].id).unwrap().unwrap();
    assert!(memory.document.contains("actions_off"), "this machine knows of it without asking");
}

#[tokio::test]
async fn amending_a_fence_that_somebody_else_moved_is_a_lost_race() {
    let (pair, machine) = Pair::in_step().await;
    let ctx = machine.context().await;
    let mut view = standin_core::mirror::look(&ctx).await.unwrap();
    let rival = pair.mirror.move_fence(|_| {});
    let error = failure(fence_move::amend(&ctx, &mut view, |_| {}).await);
    assert_eq!((error.code, error.retryable), (Code::Raced, true));
    assert_eq!(pair.mirror.tip(FENCE), Some(rival));
}

#[tokio::test]
async fn ids_with_dots_and_two_mirrors_of_one_source_have_fences_of_their_own() {
    let mut pair = Pair::new();
    pair.source.commit_on("main", "first");
    pair.repository.mirrors[0].id = "a.b.c".parse().unwrap();
    let machine = pair.machine("laptop");
    machine.sync().await.unwrap();
    machine.sync().await.unwrap();
    let second = Pair::new();
    pair.repository.mirrors.insert(
        0,
        standin_core::state::config::MirrorConfig {
            id: "other".parse().unwrap(),
            ..second.repository.mirrors[0].clone()
        },
    );
    pair.machine("laptop").sync().await.unwrap();
    assert_eq!(second.mirror.refs(), pair.source.refs());
    assert_ne!(second.mirror.tip(FENCE), None);
}
