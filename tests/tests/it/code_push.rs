//! Every case of a mirror push: what travels, what does not, and what the history says of it.

use standin_core::state::model::AspectStatus;
use standin_core::state::store::{ChangeAction, ChangeOutcome};
use standin_tests::git::write_hook;
use standin_tests::pair::{Pair, name};

#[tokio::test]
async fn the_first_sync_to_an_empty_mirror_brings_everything_and_makes_the_fence() {
    let pair = Pair::new();
    let tip = pair.source.commit_on("main", "first");
    pair.source.commit_on("feature/x", "other");
    pair.source.set("refs/tags/light", &tip);
    pair.source.annotated_tag("v1", &tip);
    let machine = pair.machine("laptop");
    let report = machine.sync().await.unwrap();

    pair.assert_in_step();
    assert_eq!(report.status, AspectStatus::Ok);
    assert_eq!(report.detail.as_deref(), Some(tip.short()));
    assert_eq!(report.last_commit.as_deref(), Some(tip.as_str()));
    assert_eq!(report.behind, Some(0));
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.epoch, fence.sequence), (1, 1));
    assert_eq!(fence.master.to_string(), format!("01234567:{}", pair.source.path.display()));
    assert!(fence.writer.starts_with("anna@"), "{}", fence.writer);
    assert_eq!(fence.refs.len(), 4);
}

#[tokio::test]
async fn branches_and_tags_are_created_moved_rewritten_and_removed_in_one_push() {
    let (pair, machine) = Pair::in_step().await;
    for branch in ["updated", "rewritten", "removed"] {
        pair.source.commit_on(branch, branch);
    }
    let first = pair.source.tip("refs/heads/main").unwrap();
    for tag in ["retagged", "untagged"] {
        pair.source.set(&format!("refs/tags/{tag}"), &first);
    }
    machine.sync().await.unwrap();
    pair.assert_in_step();
    let before = pair.mirror.fence().unwrap();

    pair.source.commit_on("main", "second");
    pair.source.commit_on("updated", "more");
    let rewritten = pair.source.commit("another history", None);
    pair.source.set("refs/heads/rewritten", &rewritten);
    pair.source.set("refs/tags/retagged", &rewritten);
    pair.source.delete("refs/heads/removed");
    pair.source.delete("refs/tags/untagged");
    pair.source.commit_on("created", "new");
    pair.source.annotated_tag("new", &rewritten);
    let ctx = machine.context().await;
    let report = machine.sync_in(&ctx).await.unwrap();

    pair.assert_in_step();
    assert_eq!(report.status, AspectStatus::Ok);
    let done: Vec<(ChangeAction, String)> = machine
        .changes(&ctx)
        .into_iter()
        .inspect(|recorded| assert_eq!(recorded.outcome, ChangeOutcome::Done))
        .map(|recorded| (recorded.change.action, recorded.change.name))
        .collect();
    let expected = [
        (ChangeAction::FastForward, "refs/heads/main"),
        (ChangeAction::Create, "refs/heads/created"),
        (ChangeAction::Rewrite, "refs/heads/rewritten"),
        (ChangeAction::FastForward, "refs/heads/updated"),
        (ChangeAction::Create, "refs/tags/new"),
        (ChangeAction::Rewrite, "refs/tags/retagged"),
        (ChangeAction::Delete, "refs/heads/removed"),
        (ChangeAction::Delete, "refs/tags/untagged"),
    ];
    assert_eq!(done, expected.map(|(action, name)| (action, name.to_owned())));
    let after = pair.mirror.fence().unwrap();
    assert_eq!(after.1.sequence, before.1.sequence + 1, "all in one push");
    assert_eq!(pair.mirror.git(&["rev-parse", "refs/standin/fence^"]).trim(), before.0.as_str(), "it is a chain");
}

#[tokio::test]
async fn a_plan_changes_nothing_and_says_what_a_sync_would_do() {
    let (pair, machine) = Pair::in_step().await;
    let (fence, refs) = (pair.mirror.tip("refs/standin/fence"), pair.mirror.refs());
    pair.source.commit_on("main", "second");
    pair.source.commit_on("main", "third");
    let plan = machine.plan().await.unwrap();
    assert_eq!(plan.refs.changes.len(), 1);
    assert_eq!(plan.refs.changes[0].action, ChangeAction::FastForward);
    assert_eq!((plan.behind, plan.fence.moves, plan.fence.sequence), (2, true, 1));
    assert_eq!((pair.mirror.tip("refs/standin/fence"), pair.mirror.refs()), (fence, refs));
}

#[tokio::test]
async fn nothing_to_do_makes_no_push_and_moves_nothing() {
    let (pair, machine) = Pair::in_step().await;
    write_hook(&pair.mirror.path, "pre-receive", "touch \"$GIT_DIR/pushed\"; exit 0");
    let fence = pair.mirror.tip("refs/standin/fence");
    let ctx = machine.context().await;
    let report = machine.sync_in(&ctx).await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok);
    assert_eq!(pair.mirror.tip("refs/standin/fence"), fence);
    assert!(!pair.mirror.path.join("pushed").exists());
    assert_eq!(machine.changes(&ctx), []);
    assert_eq!(ctx.totals.snapshot().git_calls, 1, "the mirror is listed once");
    assert_eq!(ctx.source.totals.snapshot().git_calls, 1, "the source is listed once");
}

#[tokio::test]
async fn an_empty_source_and_an_empty_mirror_need_nothing() {
    let pair = Pair::new();
    let machine = pair.machine("laptop");
    let report = machine.sync().await.unwrap();
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("no commits")));
    assert_eq!(pair.mirror.fence(), None);
    assert!(machine.notices().iter().any(|notice| notice.message.contains("no commits yet")));
}

#[tokio::test]
async fn many_refs_travel_in_one_push() {
    let (pair, machine) = Pair::in_step().await;
    let tip = pair.source.tip("refs/heads/main").unwrap();
    for number in 0..50 {
        pair.source.set(&format!("refs/heads/many/{number}"), &tip);
        pair.source.set(&format!("refs/tags/many/{number}"), &tip);
    }
    machine.sync().await.unwrap();
    pair.assert_in_step();
    assert_eq!(pair.mirror.fence().unwrap().1.sequence, 2, "one push");

    let more = pair.source.commit("more", Some(&tip));
    for number in 0..50 {
        pair.source.set(&format!("refs/heads/many/{number}"), &more);
    }
    machine.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn more_refs_than_one_push_carries_go_in_several_each_with_its_own_fence() {
    let (pair, machine) = Pair::in_step().await;
    let tip = pair.source.tip("refs/heads/main").unwrap();
    // As long as a name can be in every folder: few such refs fill a command line.
    let long = vec!["x".repeat(200); 5].join("/");
    for number in 0..300 {
        pair.source.set(&format!("refs/tags/{long}/{number}"), &tip);
    }
    machine.sync().await.unwrap();
    pair.assert_in_step();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert_eq!((fence.sequence, fence.refs.len()), (2, 301), "what is made needs no room on a command line");
    // Each delete stands on git's command line.
    for number in 0..300 {
        pair.source.delete(&format!("refs/tags/{long}/{number}"));
    }
    machine.sync_with_yes().await.unwrap();
    pair.assert_in_step();
    let (_, fence) = pair.mirror.fence().unwrap();
    assert!(fence.sequence > 3, "{}", fence.sequence);
    assert_eq!(fence.refs.len(), 1);
}

#[tokio::test]
async fn unusual_names_travel_unchanged() {
    let (pair, machine) = Pair::in_step().await;
    let tip = pair.source.tip("refs/heads/main").unwrap();
    for odd in [
        "-x",
        "--force",
        "@",
        "ümläut/日本",
        "a@b",
        "%41",
        "$(touch)",
        "'quoted\"",
        "a;b&c|d",
        "HEAD",
        "#1",
        "+plus",
        "refs/heads/main",
    ] {
        pair.source.set(&format!("refs/heads/{odd}"), &tip);
        pair.source.set(&format!("refs/tags/{odd}"), &tip);
    }
    machine.sync().await.unwrap();
    pair.assert_in_step();
    let more = pair.source.commit_on("--force", "more");
    machine.sync().await.unwrap();
    assert_eq!(pair.mirror.tip("refs/heads/--force"), Some(more));
    pair.assert_in_step();
}

#[tokio::test]
async fn names_that_differ_only_in_case_travel_and_are_noticed() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("Main", "upper case");
    machine.sync().await.unwrap();
    pair.assert_in_step();
    assert!(machine.notices().iter().any(|notice| notice.message.contains("refs/heads/Main and refs/heads/main")));
}

#[tokio::test]
async fn pull_requests_remotes_and_others_of_the_source_never_travel() {
    let (pair, machine) = Pair::in_step().await;
    let tip = pair.source.commit("unseen", None);
    for hidden in ["refs/pull/1/head", "refs/remotes/origin/x", "refs/stash", "refs/notes/commits", "refs/standin/x"] {
        pair.source.set(hidden, &tip);
    }
    pair.source.commit_on("main", "second");
    machine.sync().await.unwrap();
    assert_eq!(pair.mirror.refs().into_keys().collect::<Vec<_>>(), ["refs/heads/main"]);
}

#[tokio::test]
async fn notes_travel_when_asked_for() {
    let mut pair = Pair::new();
    pair.repository.notes = true;
    let tip = pair.source.commit_on("main", "first");
    pair.source.set("refs/notes/commits", &pair.source.commit("a note", None));
    let machine = pair.machine("laptop");
    machine.sync().await.unwrap();
    pair.assert_in_step();
    assert_eq!(pair.mirror.refs().len(), 2);
    assert_eq!(pair.mirror.tip("refs/heads/main"), Some(tip));
}

#[tokio::test]
async fn a_branch_that_becomes_a_folder_of_branches_and_back_is_followed() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("topic", "topic");
    machine.sync().await.unwrap();
    pair.source.delete("refs/heads/topic");
    pair.source.commit_on("topic/one", "one");
    pair.source.commit_on("topic/two", "two");
    machine.sync().await.unwrap();
    pair.assert_in_step();
    pair.source.delete("refs/heads/topic/one");
    pair.source.delete("refs/heads/topic/two");
    pair.source.commit_on("topic", "again");
    machine.sync().await.unwrap();
    pair.assert_in_step();
}

#[tokio::test]
async fn a_name_that_a_ref_of_the_mirror_blocks_is_explained_and_the_rest_travels() {
    let (pair, machine) = Pair::in_step().await;
    let foreign = pair.mirror.commit_on("topic", "somebody else's");
    pair.source.commit_on("topic/one", "one");
    pair.source.commit_on("main", "second");
    let report = machine.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    assert!(report.error.unwrap().contains("refs/heads/topic/one: `refs/heads/topic` on the mirror is in its way"));
    assert_eq!(pair.mirror.tip("refs/heads/topic"), Some(foreign));
    assert_eq!(pair.mirror.tip("refs/heads/main"), pair.source.tip("refs/heads/main"));
}

#[tokio::test]
async fn a_detached_head_leaves_the_default_branch_and_is_noticed() {
    let (pair, machine) = Pair::in_step().await;
    let loose = pair.source.commit("loose", None);
    pair.source.commit_on("main", "second");
    pair.source.git(&["update-ref", "--no-deref", "HEAD", loose.as_str()]);
    let report = machine.sync().await.unwrap();
    pair.assert_in_step();
    assert_eq!(report.status, AspectStatus::Ok);
    assert!(
        machine
            .notices()
            .iter()
            .any(|notice| notice.message.contains(&format!("detached at {}, which no branch names", loose.short())))
    );
}

#[tokio::test]
async fn an_unborn_head_leaves_the_default_branch_and_the_branches_travel() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.git(&["symbolic-ref", "HEAD", "refs/heads/nothing-yet"]);
    pair.source.commit_on("main", "second");
    let report = machine.sync().await.unwrap();
    pair.assert_in_step();
    assert_eq!(report.status, AspectStatus::Ok);
    assert_eq!(machine.plan().await.unwrap().default_branch, None);
    assert!(machine.notices().iter().any(|notice| notice.message.contains("without commits")));
}

#[tokio::test]
async fn another_default_branch_on_a_plain_server_is_noticed() {
    let (pair, machine) = Pair::in_step().await;
    pair.source.commit_on("trunk", "trunk");
    pair.source.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let report = machine.sync().await.unwrap();
    pair.assert_in_step();
    assert_eq!(report.last_commit.map(|commit| commit.parse().unwrap()), pair.source.tip("refs/heads/trunk"));
    let notice =
        machine.notices().into_iter().find(|notice| notice.message.contains("default branch is `main`")).unwrap();
    assert!(notice.hint.contains("git symbolic-ref HEAD refs/heads/trunk"));
}

#[tokio::test]
async fn an_env_file_that_git_keeps_is_told() {
    let mut pair = Pair::new();
    pair.source.commit_on("main", "first");
    let clone = pair.folder().join("clone");
    pair.source.git(&["clone", "--quiet", &pair.source.path.display().to_string(), &clone.display().to_string()]);
    std::fs::write(clone.join(".env"), "MIRROR_1_TOKEN=canary\n").unwrap();
    (pair.repository.clone, pair.repository.env_file) = (Some(clone.clone()), Some(clone.join(".env")));
    let machine = pair.machine("laptop");
    let is_told = |plan: &standin_core::plan::CodePlan| {
        plan.notices.iter().any(|notice| notice.message.contains(".env is committed to git"))
    };
    assert!(!is_told(&machine.plan().await.unwrap()));
    let added = std::process::Command::new("git").arg("-C").arg(&clone).args(["add", "-f", ".env"]).status();
    assert!(added.unwrap().success());
    assert!(is_told(&machine.plan().await.unwrap()));
}

#[tokio::test]
async fn a_shallow_source_is_refused_before_anything_is_done() {
    let (pair, _) = Pair::in_step().await;
    pair.source.commit_on("main", "second");
    let clone = pair.folder().join("shallow");
    let url = format!("file://{}", pair.source.path.display());
    pair.source.git(&["clone", "--quiet", "--depth=1", &url, &clone.display().to_string()]);
    let mut repository = pair.repository.clone();
    repository.source = standin_core::state::config::Source::Path(clone);
    let mut shallow = Pair::new();
    shallow.repository = repository;
    let error = shallow.machine("laptop").sync().await.unwrap_err();
    assert!(error.message.contains("shallow clone"), "{error:?}");
    assert!(error.hint.contains("git fetch --unshallow"));
}

#[tokio::test]
async fn a_tag_of_a_file_travels() {
    let (pair, machine) = Pair::in_step().await;
    let blob = pair.source.open().blob(b"a key").unwrap().to_string().parse().unwrap();
    pair.source.set("refs/tags/key", &blob);
    machine.sync().await.unwrap();
    pair.assert_in_step();
    pair.source.delete("refs/tags/key");
    machine.sync().await.unwrap();
    pair.assert_in_step();
    let rescue = &machine.store.rescues(None, None).unwrap()[0];
    assert_eq!((&rescue.ref_name, &rescue.oid), (&name("refs/tags/key"), &blob));
}

#[tokio::test]
async fn files_kept_by_git_lfs_are_counted_once_and_warned_of() {
    let (pair, machine) = Pair::in_step().await;
    let pointer = |size: u64| {
        format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {size}\n",
            format!("{size:x}").repeat(64)[..64].to_owned()
        )
    };
    let first = pair.source.commit_file("big.bin", pointer(1_500_000).as_bytes(), None);
    let same = pair.source.commit_file("copy.bin", pointer(1_500_000).as_bytes(), None);
    let other = pair.source.commit_file("other.bin", pointer(500_000).as_bytes(), None);
    for (branch, tip) in [("a", &first), ("b", &same), ("c", &other)] {
        pair.source.set(&format!("refs/heads/{branch}"), tip);
    }
    let plan = machine.plan().await.unwrap();
    let lfs = plan.lfs.unwrap();
    assert_eq!((lfs.objects, lfs.bytes), (2, 2_000_000));
    machine.sync().await.unwrap();
    assert!(
        machine
            .notices()
            .iter()
            .any(|notice| notice.message.starts_with("2 files kept by git LFS (2.0 MB) stay behind"))
    );
    pair.source.commit_on("main", "second");
    assert_eq!(machine.plan().await.unwrap().lfs, None, "those are behind already");
}

#[tokio::test]
async fn sizes_of_lfs_pointers_that_no_disk_holds_do_no_harm() {
    let (pair, machine) = Pair::in_step().await;
    for (branch, digit, size) in [("a", "a", u64::MAX), ("b", "b", 1_500_000)] {
        let oid = digit.repeat(64);
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n");
        pair.source.set(&format!("refs/heads/{branch}"), &pair.source.commit_file("big.bin", text.as_bytes(), None));
    }
    let lfs = machine.plan().await.unwrap().lfs.unwrap();
    assert_eq!((lfs.objects, lfs.bytes), (2, u64::MAX));
}

#[tokio::test]
async fn workflow_files_that_a_push_brings_are_listed() {
    let (pair, machine) = Pair::in_step().await;
    let tip = pair.source.commit_file(".github/workflows/ci.yml", b"on: push", None);
    pair.source.set("refs/heads/ci", &tip);
    assert_eq!(machine.plan().await.unwrap().workflow_files, [".github/workflows/ci.yml"]);
    machine.sync().await.unwrap();
    pair.source.commit_on("main", "second");
    assert_eq!(machine.plan().await.unwrap().workflow_files, Vec::<String>::new());
}
