//! Commits that only the mirror has: never lost, never moved without the user's word.

use standin_core::Code;
use standin_core::state::model::AspectStatus;
use standin_core::state::store::{ChangeAction, DecisionChoice, RescueReason};
use standin_tests::pair::{Machine, Pair, failure, name};

const MAIN: &str = "refs/heads/main";

/// Both sides moved on from the same commit.
async fn both_moved() -> (Pair, Machine) {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("main", "at the source");
    pair.mirror.commit_on("main", "at the mirror");
    (pair, machine)
}

#[tokio::test]
async fn a_branch_that_moved_on_both_sides_is_blocked_and_the_others_go() {
    let (pair, machine) = both_moved().await;
    let other = pair.source.commit_on("other", "other");
    let theirs = pair.mirror.tip(MAIN);
    for _ in 0..2 {
        let report = machine.sync_with_yes().await.unwrap();
        assert_eq!(report.status, AspectStatus::Blocked, "`--yes` resolves nothing");
        assert!(
            report
                .error
                .unwrap()
                .contains("1 ref on the mirror has commits that the source does not have: refs/heads/main")
        );
        assert!(report.hint.unwrap().contains("standin resolve backup refs/heads/main overwrite"));
        assert_eq!(report.behind, Some(1));
        assert_eq!(pair.mirror.tip(MAIN), theirs);
        assert_eq!(pair.mirror.tip("refs/heads/other"), Some(other.clone()));
    }
    let plan = machine.plan().await.unwrap();
    assert_eq!(plan.undecided().count(), 1);
    assert!(machine.store.rescues(None, None).unwrap().is_empty());
}

#[tokio::test]
async fn a_commit_that_only_the_mirror_has_is_not_overwritten() {
    let (pair, machine) = Pair::in_step().await;
    let theirs = pair.mirror.commit_on("main", "at the mirror");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip(MAIN), Some(theirs.clone()));
    // Once the source has it, it is in step again.
    pair.source.git(&["fetch", "--quiet", &pair.mirror.path.display().to_string(), "+refs/heads/main:refs/heads/main"]);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    assert_eq!(pair.mirror.tip(MAIN), Some(theirs));
}

#[tokio::test]
async fn a_branch_deleted_at_the_source_but_moved_on_the_mirror_stays() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("topic", "topic");
    machine.sync().await.unwrap();
    pair.source.delete("refs/heads/topic");
    let theirs = pair.mirror.commit_on("topic", "more");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/heads/topic"), Some(theirs));
}

#[tokio::test]
async fn a_branch_that_only_the_mirror_has_is_left_alone_and_listed() {
    let (pair, machine) = Pair::in_step().await;
    let theirs = pair.mirror.commit_on("theirs", "theirs");
    pair.source.commit_on("main", "second");
    let plan = machine.plan().await.unwrap();
    assert_eq!(plan.refs.left_alone.iter().map(|left| left.name.as_str()).collect::<Vec<_>>(), ["refs/heads/theirs"]);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    assert_eq!(pair.mirror.tip("refs/heads/theirs"), Some(theirs));
}

#[tokio::test]
async fn a_mirror_that_is_ahead_from_an_older_backup_is_fast_forwarded_or_diverged_never_lost() {
    // A mirror that somebody filled by hand before Standin came.
    let pair = Pair::new();
    let first = pair.source.commit_on("main", "first");
    pair.source.commit_on("main", "second");
    pair.source.commit_on("rewritten", "at the source");
    pair.mirror.git(&[
        "fetch",
        "--quiet",
        &pair.source.path.display().to_string(),
        &format!("{first}:refs/heads/main"),
    ]);
    let theirs = pair.mirror.commit_on("rewritten", "at the mirror");
    let report = pair.machine("laptop").sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip(MAIN), pair.source.tip(MAIN));
    assert_eq!(pair.mirror.tip("refs/heads/rewritten"), Some(theirs));
}

#[tokio::test]
async fn a_moved_tag_that_we_did_not_push_is_diverged() {
    let (pair, machine) = Pair::in_step().await;
    let theirs = pair.mirror.commit("theirs", None);
    pair.mirror.set("refs/tags/v1", &theirs);
    pair.source.annotated_tag("v1", &pair.source.tip(MAIN).unwrap());
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/tags/v1"), Some(theirs));
}

#[tokio::test]
async fn overwrite_rescues_the_mirrors_tip_and_puts_the_sources_there() {
    let (pair, machine) = both_moved().await;
    let theirs = pair.mirror.tip(MAIN).unwrap();
    let resolved = machine.resolve(MAIN, DecisionChoice::Overwrite).await.unwrap();
    assert!(resolved.needs_sync);
    assert_eq!(pair.mirror.tip(MAIN), Some(theirs.clone()), "a choice alone moves nothing");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    let rescues = machine.store.rescues(None, None).unwrap();
    assert_eq!((rescues.len(), &rescues[0].oid, rescues[0].reason), (1, &theirs, RescueReason::Overwrite));
    let cache = machine.state().join("demo/cache.git");
    assert!(
        git2::Repository::open_bare(cache).unwrap().find_commit(git2::Oid::from_str(theirs.as_str()).unwrap()).is_ok()
    );
    assert!(machine.store.decisions(&pair.repository.id, &pair.repository.mirrors[0].id).unwrap().is_empty());
}

#[tokio::test]
async fn a_choice_ends_when_the_tip_moves() {
    for choice in [DecisionChoice::Overwrite, DecisionChoice::Leave] {
        let (pair, machine) = both_moved().await;
        machine.resolve(MAIN, choice).await.unwrap();
        let newer = pair.mirror.commit_on("main", "once more");
        assert_eq!(machine.sync_with_yes().await.unwrap().status, AspectStatus::Blocked);
        assert_eq!(pair.mirror.tip(MAIN), Some(newer));
    }
}

#[tokio::test]
async fn leave_skips_that_tip_and_blocks_nothing() {
    let (pair, machine) = both_moved().await;
    let theirs = pair.mirror.tip(MAIN);
    machine.resolve(MAIN, DecisionChoice::Leave).await.unwrap();
    let report = machine.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok);
    assert!(report.detail.unwrap().ends_with("1 ref left as on the mirror"));
    assert_eq!(report.behind, Some(1));
    assert_eq!(pair.mirror.tip(MAIN), theirs);
}

#[tokio::test]
async fn take_brings_the_tip_to_the_source_as_a_branch() {
    let (pair, machine) = both_moved().await;
    let theirs = pair.mirror.tip(MAIN).unwrap();
    let resolved = machine.resolve(MAIN, DecisionChoice::Take).await.unwrap();
    assert!(resolved.detail.contains("rescue/backup/main"), "{}", resolved.detail);
    assert_eq!(pair.source.tip("refs/heads/rescue/backup/main"), Some(theirs.clone()));
    assert_eq!(machine.store.rescues(None, None).unwrap()[0].reason, RescueReason::Take);
    let report = machine.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok);
    assert!(report.detail.unwrap().contains("1 ref taken: merge at the source, or overwrite"));
    assert_eq!(pair.mirror.tip(MAIN), Some(theirs.clone()));
    // Taken twice is taken once.
    machine.resolve(MAIN, DecisionChoice::Take).await.unwrap();
    assert_eq!(pair.source.refs().len(), 2);
    // And it may be overwritten after.
    machine.resolve(MAIN, DecisionChoice::Overwrite).await.unwrap();
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}

#[tokio::test]
async fn take_does_not_touch_a_branch_of_that_name_at_the_source() {
    let (pair, machine) = both_moved().await;
    let theirs = pair.mirror.tip(MAIN).unwrap();
    let occupied = pair.source.commit_on("rescue/backup/main", "something else");
    machine.resolve(MAIN, DecisionChoice::Take).await.unwrap();
    assert_eq!(pair.source.tip("refs/heads/rescue/backup/main"), Some(occupied));
    assert_eq!(pair.source.tip(&format!("refs/heads/rescue/backup/main-{}", theirs.short())), Some(theirs));
}

#[tokio::test]
async fn take_of_an_annotated_tag_brings_a_tag() {
    let (pair, machine) = Pair::in_step().await;
    let theirs = pair.mirror.annotated_tag("v1", &pair.mirror.tip(MAIN).unwrap());
    pair.source.annotated_tag("v1", &pair.source.commit("elsewhere", None));
    machine.resolve("refs/tags/v1", DecisionChoice::Take).await.unwrap();
    assert_eq!(pair.source.tip("refs/tags/rescue/backup/v1"), Some(theirs));
}

#[tokio::test]
async fn take_to_a_source_that_refuses_keeps_the_rescue_and_decides_nothing() {
    let (pair, machine) = both_moved().await;
    let theirs = pair.mirror.tip(MAIN).unwrap();
    pair.source.configure("transfer.hideRefs", "refs/heads/rescue");
    let error = failure(machine.resolve(MAIN, DecisionChoice::Take).await);
    assert_eq!(error.code, Code::RefRefused);
    let rescue = &machine.store.rescues(None, None).unwrap()[0];
    assert_eq!(rescue.oid, theirs);
    assert!(error.hint.contains(&rescue.id), "{}", error.hint);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
}

#[tokio::test]
async fn overwriting_a_branch_that_only_the_mirror_has_rescues_and_deletes_it() {
    let (pair, machine) = Pair::in_step().await;
    let theirs = pair.mirror.commit_on("theirs", "theirs");
    machine.resolve("refs/heads/theirs", DecisionChoice::Overwrite).await.unwrap();
    let ctx = machine.context().await;
    machine.sync_in(&ctx).await.unwrap();
    pair.assert_in_step();
    assert_eq!(machine.changes(&ctx)[0].change.action, ChangeAction::Delete);
    let rescue = &machine.store.rescues(None, None).unwrap()[0];
    assert_eq!((&rescue.ref_name, &rescue.oid), (&name("refs/heads/theirs"), &theirs));
}

#[tokio::test]
async fn there_is_nothing_to_resolve_where_nothing_diverged() {
    let (_pair, machine) = Pair::in_step().await;
    for (name, code) in [(MAIN, Code::Usage), ("refs/heads/none", Code::Usage), ("refs/standin/fence", Code::Usage)] {
        assert_eq!(failure(machine.resolve(name, DecisionChoice::Overwrite).await).code, code, "{name}");
    }
}
