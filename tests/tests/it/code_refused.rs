//! What a host refuses: explained ref by ref, while the rest travels, again atomic with the fence.

use standin_core::Code;
use standin_core::state::model::AspectStatus;
use standin_core::state::store::{ChangeOutcome, Fact};
use standin_tests::git::write_hook;
use standin_tests::pair::{Machine, Pair};

/// A hook that refuses some refs one by one.
fn refuse(pair: &Pair, pattern: &str, words: &str) {
    let lines = format!("case \"$1\" in {pattern}) echo '{words}' >&2; exit 1;; esac");
    write_hook(&pair.mirror.path, "update", &lines);
}

async fn failed_with(machine: &Machine, expected: &[&str]) -> String {
    let ctx = machine.context().await;
    let report = machine.sync_in(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    let refused: Vec<String> = machine
        .changes(&ctx)
        .into_iter()
        .filter(
            |recorded| matches!(&recorded.outcome, ChangeOutcome::Failed { error } if error.code == Code::RefRefused),
        )
        .map(|recorded| recorded.change.name)
        .collect();
    assert_eq!(refused, expected);
    format!("{}\n{}", report.error.unwrap(), report.hint.unwrap())
}

#[tokio::test]
async fn a_protected_branch_is_explained_and_the_rest_travels_atomic_with_the_fence() {
    let (pair, machine) = Pair::in_step().await;
    refuse(&pair, "refs/heads/release", "error: GH006: Protected branch update failed for refs/heads/release.");
    pair.source.commit_on("release", "release");
    let main = pair.source.commit_on("main", "second");
    let said = failed_with(&machine, &["refs/heads/release"]).await;
    assert!(said.contains("GH006: Protected branch update failed"), "{said}");
    assert!(said.contains("take the protection off"), "{said}");
    assert_eq!(pair.mirror.tip("refs/heads/main"), Some(main.clone()));
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!(fence.refs.values().collect::<Vec<_>>(), [&main]);

    failed_with(&machine, &["refs/heads/release"]).await;
    write_hook(&pair.mirror.path, "update", "exit 0");
    machine.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn many_refused_refs_are_all_found() {
    let (pair, machine) = Pair::in_step().await;
    refuse(&pair, "refs/heads/no-*", "not this one");
    let mut refused = Vec::new();
    for number in 0..12 {
        pair.source.commit_on(&format!("no-{number:02}"), "no");
        pair.source.commit_on(&format!("yes-{number:02}"), "yes");
        refused.push(format!("refs/heads/no-{number:02}"));
    }
    let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
    let ctx = machine.context().await;
    let report = machine.sync_in(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    let mut failed: Vec<String> = machine
        .changes(&ctx)
        .into_iter()
        .filter(|recorded| matches!(recorded.outcome, ChangeOutcome::Failed { .. }))
        .map(|recorded| recorded.change.name)
        .collect();
    failed.sort();
    assert_eq!(failed, refused);
    assert_eq!(pair.mirror.refs().len(), 13);
}

/// The mirror has all of the source but these.
fn assert_in_step_but(pair: &Pair, refused: &[String]) {
    let mut expected = pair.source.refs();
    expected.retain(|name, _| !refused.contains(name));
    assert_eq!(pair.mirror.refs(), expected);
}

fn pushes(pair: &Pair) -> usize {
    let noted = pair.mirror.path.join("pushes");
    let count = std::fs::read_to_string(&noted).map_or(0, |noted| noted.lines().count());
    let _ = std::fs::remove_file(&noted);
    count
}

/// Notes each push that comes to the hooks.
const NOTE: &str = "echo x >>\"$GIT_DIR/pushes\"";

fn branches(pair: &Pair, refused: usize, taken: usize) -> Vec<String> {
    let tip = pair.source.commit("many", pair.source.tip("refs/heads/main").as_ref());
    // They stand among one another.
    for number in 0..refused + taken {
        pair.source.set(&format!("refs/heads/b{number:03}"), &tip);
    }
    (0..refused).map(|number| format!("refs/heads/b{:03}", number * (refused + taken) / refused)).collect()
}

#[tokio::test]
async fn every_ref_that_a_host_takes_arrives_however_many_it_refuses_by_name() {
    let (pair, machine) = Pair::in_step().await;
    let refused = branches(&pair, 45, 105);
    let pattern = refused.join("|");
    refuse(&pair, &pattern, "this branch is closed");
    write_hook(&pair.mirror.path, "pre-receive", NOTE);
    let first = machine.sync().await.unwrap();
    assert_eq!(first.status, AspectStatus::Failed);
    let told = first.error.unwrap();
    assert!(told.contains("45 changes not done") && told.contains("and 25 more"), "{told}");
    assert!(told.contains("this branch is closed") && told.len() < 5_000, "{told}");
    assert_in_step_but(&pair, &refused);
    let searched = pushes(&pair);
    assert!(searched > 45, "{searched} pushes");

    // The next sync knows them, and sees at once when all are taken.
    pair.source.commit_on("main", "second");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Failed);
    assert_in_step_but(&pair, &refused);
    let again = pushes(&pair);
    assert!(again <= 14, "{again} pushes where {searched} found them");
    write_hook(&pair.mirror.path, "update", "exit 0");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    assert!(pushes(&pair) <= 2);
    pair.assert_in_step();
}

#[tokio::test]
async fn every_ref_that_a_host_takes_arrives_though_it_does_not_say_which_it_refuses() {
    let (pair, machine) = Pair::in_step().await;
    let mut refused = branches(&pair, 12, 72);
    let hook = |refused: &[String]| {
        let pattern = refused.join("|");
        let lines = format!(
            "{NOTE}\nwhile read old new ref; do case $ref in {pattern}) echo 'not all of these'; exit 1;; esac; done"
        );
        write_hook(&pair.mirror.path, "pre-receive", &lines);
    };
    hook(&refused);
    let ctx = machine.context().await;
    assert_eq!(machine.sync_in(&ctx).await.unwrap().status, AspectStatus::Failed);
    assert_in_step_but(&pair, &refused);
    let failed = machine.changes(&ctx).into_iter().filter_map(|recorded| match recorded.outcome {
        ChangeOutcome::Failed { error } => Some((recorded.change.name, error.message)),
        ChangeOutcome::Done => None,
    });
    let failed: std::collections::BTreeMap<String, String> = failed.collect();
    assert_eq!(failed.keys().cloned().collect::<Vec<_>>(), refused);
    assert!(failed.values().all(|message| message.contains("not all of these")), "{failed:?}");
    let searched = pushes(&pair);

    // One of them is taken from now on: it arrives when its turn comes.
    refused.remove(11);
    hook(&refused);
    for _ in 0..2 {
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Failed);
        let again = pushes(&pair);
        assert!(again < searched / 2, "{again} pushes where {searched} found them");
    }
    assert_in_step_but(&pair, &refused);
}

#[tokio::test]
async fn a_search_that_takes_too_long_goes_on_with_the_next_sync() {
    let (pair, machine) = Pair::in_step().await;
    let refused = branches(&pair, 60, 60);
    // All but these are refused, and none is named.
    let taken = ["refs/heads/main", "refs/standin/fence"];
    let pattern = taken.join("|");
    let lines = format!("{NOTE}\nwhile read old new ref; do case $ref in {pattern}) ;; *) exit 1;; esac; done");
    write_hook(&pair.mirror.path, "pre-receive", &lines);
    let mut known = 0;
    for _ in 0..2 {
        let report = machine.sync().await.unwrap();
        assert_eq!(report.status, AspectStatus::Failed);
        let searched = pushes(&pair);
        assert!(searched < 90, "{searched} pushes");
        let fact =
            machine.store.fact(&pair.repository.id, Some(&pair.repository.mirrors[0].id), Fact::Refused).unwrap();
        let found = fact.unwrap().matches("hook declined").count();
        assert!(found > known, "{found} refused refs are known, {known} before");
        known = found;
    }
    assert_eq!(refused.len(), 60);
}

#[tokio::test]
async fn the_default_branch_follows_whatever_tags_a_host_refuses() {
    for (words, count, most) in [
        ("echo \"Gitea: Tag ${ref#refs/tags/} is protected\" >&2", 40, 55),
        ("echo 'GitLab: You are not allowed to create this tag as it is protected.' >&2", 100, 70),
    ] {
        let pair = Pair::new();
        let machine = pair.machine("laptop");
        let first = pair.source.commit_on("main", "first");
        for number in 0..count {
            pair.source.set(&format!("refs/tags/v{number:03}"), &first);
        }
        // Each push is noted by what it moves.
        let note =
            "moved=; while read old new ref; do moved=\"$moved $ref\"; case $ref in refs/tags/*) bad=$ref;; esac; done";
        let lines =
            format!("{note}\necho $moved >>\"$GIT_DIR/pushes\"\nif [ \"$bad\" ]; then ref=$bad; {words}; exit 1; fi");
        write_hook(&pair.mirror.path, "pre-receive", &lines);
        let mut tip = first;
        for sync in 0..2 {
            let report = machine.sync().await.unwrap();
            assert_eq!(report.status, AspectStatus::Failed);
            assert_eq!(pair.mirror.tip("refs/heads/main"), Some(tip), "{words}: sync {sync}");
            let (_, fence) = pair.mirror.fence().unwrap();
            assert_eq!(fence.refs.len(), 1, "{words}: {fence:?}");
            let noted = std::fs::read_to_string(pair.mirror.path.join("pushes")).unwrap();
            let pushes: Vec<&str> = noted.lines().collect();
            assert!(pushes.len() <= most, "{words}: {} pushes in sync {sync}", pushes.len());
            if sync > 0 {
                let mut moved: Vec<&str> = pushes[0].split(' ').collect();
                moved.sort_unstable();
                assert_eq!(moved, ["refs/heads/main", "refs/standin/fence"], "{words}");
            }
            std::fs::remove_file(pair.mirror.path.join("pushes")).unwrap();
            tip = pair.source.commit_on("main", "next");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_traced_to_its_branch() {
    let (pair, machine) = Pair::in_step().await;
    let big = pair.source.commit_file("big.bin", b"too large", None);
    // As GitHub does: the whole push is refused, whichever ref brings the file.
    write_hook(
        &pair.mirror.path,
        "pre-receive",
        &format!(
            "while read old new ref; do if [ \"$new\" = {big} ]; then \
             echo \"error: File big.bin is 150.00 MB; this exceeds GitHub's file size limit of 100.00 MB\" >&2; exit 1; fi; done"
        ),
    );
    pair.source.set("refs/heads/big", &big);
    for branch in ["a", "b", "c", "main"] {
        pair.source.commit_on(branch, "small");
    }
    let said = failed_with(&machine, &["refs/heads/big"]).await;
    assert!(said.contains("big.bin is 150.00 MB"), "{said}");
    assert!(said.contains("git LFS"), "{said}");
    assert_eq!(pair.mirror.refs().len(), 4, "the other four travelled");
}

#[tokio::test]
async fn a_hook_that_refuses_everything_ends_the_search_and_moves_nothing() {
    let (pair, machine) = Pair::in_step().await;
    let refs = pair.mirror.refs();
    write_hook(&pair.mirror.path, "pre-receive", "echo 'closed for today' >&2; echo x >>\"$GIT_DIR/pushes\"; exit 1");
    for number in 0..200 {
        pair.source.commit_on(&format!("b{number}"), "x");
    }
    let report = machine.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    assert!(report.error.unwrap().contains("closed for today"));
    assert_eq!(pair.mirror.refs(), refs);
    let pushes = std::fs::read_to_string(pair.mirror.path.join("pushes")).unwrap().lines().count();
    assert!(pushes <= 41, "{pushes} pushes");
}

#[tokio::test]
async fn a_hidden_name_on_the_mirror_is_explained() {
    let (pair, machine) = Pair::in_step().await;
    pair.mirror.configure("receive.hideRefs", "refs/heads/hidden");
    pair.source.commit_on("hidden/x", "x");
    pair.source.commit_on("main", "second");
    let said = failed_with(&machine, &["refs/heads/hidden/x"]).await;
    assert!(said.contains("deny updating a hidden ref"), "{said}");
    assert!(said.contains("keeps this name for itself"), "{said}");
    assert_eq!(pair.mirror.tip("refs/heads/main"), pair.source.tip("refs/heads/main"));
}

#[tokio::test]
async fn the_current_branch_of_a_plain_server_is_not_deleted_and_the_mend_is_named() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("trunk", "trunk");
    pair.source.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    machine.sync().await.unwrap();
    pair.source.delete("refs/heads/main");
    let report = machine.sync_with_yes().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    assert!(report.hint.unwrap().contains("git symbolic-ref HEAD"));
    pair.mirror.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    machine.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn a_mirror_that_refuses_the_fence_is_synced_with_a_weaker_promise_that_is_named() {
    for hook in [false, true] {
        let pair = Pair::new();
        if hook {
            write_hook(
                &pair.mirror.path,
                "pre-receive",
                "while read a b r; do case $r in refs/heads/*|refs/tags/*) ;; *) exit 1;; esac; done",
            );
        } else {
            pair.mirror.configure("receive.hideRefs", "refs/standin");
        }
        pair.source.commit_on("main", "first");
        pair.source.commit_on("other", "first");
        let machine = pair.machine("laptop");
        let report = machine.sync().await.unwrap();
        assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
        pair.assert_in_step();
        assert_eq!(pair.mirror.fence(), None);
        let plan = machine.plan().await.unwrap();
        assert!(!plan.fence.supported);
        assert!(plan.notices.iter().any(|notice| notice.message.contains("remembered on this machine only")));

        // What we pushed is known all the same: a rewrite is no divergence, a foreign commit is one.
        pair.source.set("refs/heads/other", &pair.source.commit("rewritten", None));
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
        pair.assert_in_step();
        pair.mirror.commit_on("other", "foreign");
        assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Blocked);
    }
}

#[tokio::test]
async fn a_mirror_without_atomic_pushes_is_synced_fence_first_and_the_plan_says_so() {
    let pair = Pair::new();
    pair.mirror.configure("receive.advertiseAtomic", "false");
    pair.source.commit_on("main", "first");
    pair.source.commit_on("other", "first");
    pair.source.commit_on("refused", "first");
    let machine = pair.machine("laptop");
    refuse(&pair, "refs/heads/refused", "no");
    let plan = machine.plan().await.unwrap();
    assert!(!plan.fence.atomic);
    assert!(plan.notices.iter().any(|notice| notice.message.contains("the fence is moved first")));
    failed_with(&machine, &["refs/heads/refused"]).await;
    assert_eq!(pair.mirror.refs().len(), 2);
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.sequence, fence.pending.len()), (1, 3));

    write_hook(&pair.mirror.path, "update", "exit 0");
    pair.source.set("refs/heads/other", &pair.source.commit("rewritten", None));
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
    // A second machine knows from the fence what was pushed.
    pair.source.set("refs/heads/other", &pair.source.commit("rewritten again", None));
    assert_eq!(pair.machine("second").sync().await.unwrap().status, AspectStatus::Ok);
    pair.assert_in_step();
}
