//! Rescues: kept, found, put back byte for byte, and dropped only when that loses nothing or is asked for.

use standin_core::Code;
use standin_core::code::{self, rescue};
use standin_core::state::model::AspectStatus;
use standin_core::state::store::RescueReason;
use standin_tests::pair::{Machine, Pair, failure, name};

/// A branch `topic` was deleted at the source, and then on the mirror.
async fn deleted() -> (Pair, Machine, String) {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("topic", "one");
    pair.source.commit_on("topic", "two");
    machine.sync().await.unwrap();
    pair.source.delete("refs/heads/topic");
    machine.sync().await.unwrap();
    let id = machine.store.rescues(None, None).unwrap()[0].id.clone();
    (pair, machine, id)
}

#[tokio::test]
async fn a_deleted_and_a_rewritten_branch_are_rescued_first() {
    let (pair, machine, _) = deleted().await;
    let ctx = machine.context().await;
    pair.source.commit_on("topic", "again");
    machine.sync().await.unwrap();
    pair.source.set("refs/heads/topic", &pair.source.commit("rewritten", None));
    machine.sync_in(&ctx).await.unwrap();
    let rescues = rescue::list(&machine.store, Some(&pair.repository.id), None).unwrap();
    assert_eq!(
        rescues.iter().map(|rescue| rescue.reason).collect::<Vec<_>>(),
        [RescueReason::Rewrite, RescueReason::Delete]
    );
    assert_eq!(rescues[0].run.as_ref(), Some(&ctx.run));
}

#[tokio::test]
async fn a_restore_brings_the_tip_back_byte_for_byte_and_later_syncs_leave_it() {
    let (pair, machine, id) = deleted().await;
    let content = |repository: &git2::Repository, tip: &str| {
        let tip = git2::Oid::from_str(tip).unwrap();
        repository.odb().unwrap().read(tip).unwrap().data().to_vec()
    };
    let rescued = machine.store.rescue(&id).unwrap().unwrap();
    let restored = code::restore(&machine.context().await, &id, None).await.unwrap();
    assert_eq!((restored.name, &restored.oid), (name("refs/heads/topic"), &rescued.oid));
    assert_eq!(pair.mirror.tip("refs/heads/topic"), Some(rescued.oid.clone()));
    assert_eq!(content(&pair.mirror.open(), rescued.oid.as_str()), content(&pair.source.open(), rescued.oid.as_str()));
    assert_eq!(pair.mirror.git(&["rev-list", "--count", "refs/heads/topic"]).trim(), "2", "with its history");
    pair.mirror.git(&["fsck", "--strict"]);

    pair.source.commit_on("main", "second");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    assert_eq!(pair.mirror.tip("refs/heads/topic"), Some(rescued.oid));
    assert_eq!(machine.plan().await.unwrap().refs.left_alone.len(), 1);
}

#[tokio::test]
async fn a_restore_never_takes_a_name_that_is_taken() {
    let (pair, machine, id) = deleted().await;
    let ctx = machine.context().await;
    for (to, taken) in [("refs/heads/main", "it is at"), ("refs/heads/main/x", "in its way")] {
        let error = failure(code::restore(&ctx, &id, Some(&name(to))).await);
        assert_eq!(error.code, Code::Usage, "{to}");
        assert!(error.message.contains(taken), "{}", error.message);
    }
    let error = failure(code::restore(&ctx, &id, Some(&name("refs/standin/fence"))).await);
    assert_eq!(error.code, Code::Usage);
    code::restore(&ctx, &id, Some(&name("refs/tags/saved"))).await.unwrap();
    assert!(pair.mirror.tip("refs/tags/saved").is_some());
    assert_eq!(failure(code::restore(&ctx, "nothing", None).await).code, Code::NotFound);
}

#[tokio::test]
async fn a_refused_restore_is_explained() {
    let (pair, machine, id) = deleted().await;
    standin_tests::git::write_hook(
        &pair.mirror.path,
        "update",
        "case $1 in refs/heads/*) echo 'GH006: Protected branch' >&2; exit 1;; esac",
    );
    let error = failure(code::restore(&machine.context().await, &id, None).await);
    assert_eq!(error.code, Code::RefRefused);
    assert!(error.message.contains("GH006"));
    assert_eq!(pair.mirror.tip("refs/heads/topic"), None);
}

#[tokio::test]
async fn a_dropped_rescue_is_gone_for_good() {
    let (_pair, machine, id) = deleted().await;
    let ctx = machine.context().await;
    let cache = code::snapshot(&ctx.source).await.unwrap().cache.clone();
    assert_eq!(cache.refs("refs/standin/rescue/").unwrap().len(), 1);
    rescue::drop(&ctx.source, &id).unwrap();
    assert!(cache.refs("refs/standin/rescue/").unwrap().is_empty());
    assert_eq!(failure(code::restore(&ctx, &id, None).await).code, Code::NotFound);
    assert_eq!(failure(rescue::drop(&ctx.source, &id)).code, Code::NotFound);
}

#[tokio::test]
async fn rescues_are_kept_90_days_and_as_long_as_they_are_the_only_copy() {
    let (pair, machine, id) = deleted().await;
    let ctx = machine.context().await;
    let expired = async || {
        let snapshot = code::snapshot(&ctx.source).await.unwrap();
        rescue::expire(&ctx.source, &snapshot).unwrap()
    };
    let tip = machine.store.rescue(&id).unwrap().unwrap().oid;
    pair.source.set("refs/heads/again", &pair.source.commit("on top", Some(&tip)));
    machine.pass_days(89);
    assert_eq!(expired().await, 0, "too young");
    pair.source.delete("refs/heads/again");
    machine.pass_days(2);
    assert_eq!(expired().await, 0, "the only copy");
    pair.source.set("refs/heads/again", &pair.source.commit("on top", Some(&tip)));
    assert_eq!(expired().await, 1);
    assert!(machine.store.rescues(None, None).unwrap().is_empty());
}

#[tokio::test]
async fn the_same_tip_is_rescued_once() {
    let (pair, machine, id) = deleted().await;
    code::restore(&machine.context().await, &id, None).await.unwrap();
    machine.resolve("refs/heads/topic", standin_core::state::store::DecisionChoice::Overwrite).await.unwrap();
    machine.sync().await.unwrap();
    pair.assert_in_step();
    let rescues = machine.store.rescues(None, None).unwrap();
    assert_eq!(rescues.iter().map(|rescue| rescue.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
}

#[tokio::test]
async fn a_tip_that_is_saved_again_is_kept_from_then_on() {
    let (pair, machine, id) = deleted().await;
    machine.pass_days(80);
    code::restore(&machine.context().await, &id, None).await.unwrap();
    machine.resolve("refs/heads/topic", standin_core::state::store::DecisionChoice::Overwrite).await.unwrap();
    let ctx = machine.context().await;
    machine.sync_in(&ctx).await.unwrap();
    let rescue = machine.store.rescue(&id).unwrap().unwrap();
    assert_eq!((rescue.reason, &rescue.run), (RescueReason::Overwrite, &Some(ctx.run.clone())));
    pair.source.set("refs/heads/again", &pair.source.commit("on top", Some(&rescue.oid)));
    machine.pass_days(80);
    let snapshot = code::snapshot(&ctx.source).await.unwrap();
    assert_eq!(rescue::expire(&ctx.source, &snapshot).unwrap(), 0);
    assert!(!machine.store.drop_rescue_before(&id, rescue.created_iso).unwrap(), "not older than itself");
    machine.pass_days(20);
    // Whoever writes may be saving it again at this moment.
    let writer = std::fs::File::open(snapshot.cache.path().with_file_name("cache.lock")).unwrap();
    writer.lock_shared().unwrap();
    assert_eq!(rescue::expire(&ctx.source, &snapshot).unwrap(), 0);
    drop(writer);
    assert_eq!(rescue::expire(&ctx.source, &snapshot).unwrap(), 1);
    assert!(snapshot.cache.refs("refs/standin/rescue/").unwrap().is_empty());
}
