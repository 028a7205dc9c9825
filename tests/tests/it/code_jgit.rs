//! A mirror that JGit serves: it has other words than git for a refused ref, for what was sunk with it, and for a lost race.

use standin_core::state::config::Target;
use standin_core::state::model::AspectStatus;
use standin_tests::git::JGit;
use standin_tests::pair::Pair;

fn served() -> (Pair, JGit) {
    let mut pair = Pair::new();
    let server = JGit::serve(pair.mirror.path.parent().unwrap());
    pair.repository.mirrors[0].target = Target::git(server.url("mirror.git"));
    (pair, server)
}

#[tokio::test]
async fn one_refused_ref_is_named_and_all_others_arrive_with_the_fence() {
    let (pair, _server) = served();
    for branch in ["main", "dev", "refused-one", "refused-two"] {
        pair.source.commit_on(branch, "first");
    }
    pair.source.set("refs/tags/v1", &pair.source.tip("refs/heads/main").unwrap());
    let machine = pair.machine("laptop");
    for _ in 0..2 {
        let report = machine.sync().await.unwrap();
        assert_eq!(report.status, AspectStatus::Failed);
        let told = report.error.unwrap();
        for refused in ["refs/heads/refused-one: not for you", "refs/heads/refused-two: not for you"] {
            assert!(told.contains(refused), "{told}");
        }
        assert!(!told.contains("refs/heads/main") && !told.contains("aborted"), "{told}");
        assert_eq!(pair.mirror.refs().len(), 3);
        let (_, fence) = pair.mirror.fence().expect("a fence");
        for (name, tip) in &fence.refs {
            assert_eq!(pair.mirror.tip(name.as_str()).as_ref(), Some(tip), "the fence says what is so");
        }
    }
    assert!(machine.plan().await.unwrap().fence.supported);
    pair.source.delete("refs/heads/refused-one");
    pair.source.delete("refs/heads/refused-two");
    pair.source.set("refs/heads/dev", &pair.source.commit("rewritten", None));
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    // A second machine knows what was pushed, from the fence.
    pair.source.set("refs/heads/dev", &pair.source.commit("rewritten again", None));
    assert_eq!(pair.machine("second").sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}

#[tokio::test]
async fn a_name_that_another_stands_in_the_way_of_blocks_nothing_else() {
    let (pair, _server) = served();
    pair.source.commit_on("main", "first");
    pair.source.commit_on("dev", "first");
    let machine = pair.machine("laptop");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    // Somebody made a branch that the plan could not see: it came after the listing.
    let tip = pair.source.tip("refs/heads/main").unwrap();
    pair.source.set("refs/heads/topic/one", &tip);
    pair.source.commit_on("main", "second");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.mirror.set("refs/heads/topic", &pair.mirror.tip("refs/heads/dev").unwrap());
    let report = planned.apply(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed, "{report:?}");
    assert!(report.error.unwrap().contains("refs/heads/topic/one"));
    assert_eq!(pair.mirror.tip("refs/heads/main"), pair.source.tip("refs/heads/main"));
    assert!(pair.mirror.refs().contains_key("refs/heads/topic"));
}

#[tokio::test]
async fn a_lost_race_is_looked_at_again_and_overwrites_nothing() {
    let (pair, _server) = served();
    pair.source.commit_on("main", "first");
    let machine = pair.machine("laptop");
    machine.sync().await.unwrap();
    pair.source.commit_on("main", "ours");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    let theirs = pair.mirror.commit_on("main", "theirs");
    assert_eq!(planned.apply(&ctx).await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/heads/main"), Some(theirs));
    // The fence alone, too.
    pair.mirror.move_fence(|document| document.sequence += 1);
    pair.source.commit_on("other", "other");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    assert_eq!(pair.mirror.tip("refs/heads/other"), pair.source.tip("refs/heads/other"));
    assert!(machine.plan().await.unwrap().fence.supported);
}
