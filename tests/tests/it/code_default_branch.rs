//! Which branch is the default one, where the source is a clone that somebody works in: what is checked out there decides nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use standin_core::state::config::Source;
use standin_core::state::model::AspectStatus;
use standin_tests::pair::{Pair, name};

/// git in a working folder, as its user runs it.
fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(status.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

/// A clone of the pair's source, which becomes the source.
fn clone_of_source(pair: &mut Pair, folder: &Path) -> PathBuf {
    let clone = folder.join("clone");
    git(folder, &["clone", "--quiet", pair.source.path.to_str().unwrap(), "clone"]);
    pair.repository.source = Source::Path(clone.clone());
    clone
}

#[tokio::test]
async fn an_amended_topic_branch_of_a_working_clone_blocks_nothing() {
    let mut pair = Pair::new();
    pair.source.commit_on("main", "first");
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_of_source(&mut pair, folder.path());
    git(&clone, &["switch", "--quiet", "-c", "topic"]);
    git(&clone, &["commit", "--quiet", "--allow-empty", "-m", "work"]);
    let machine = pair.machine("laptop");
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    git(&clone, &["commit", "--quiet", "--allow-empty", "--amend", "-m", "work, better"]);
    let plan = machine.plan().await.unwrap();
    assert_eq!(plan.default_branch, Some(name("refs/heads/main")));
    assert!(plan.guard.is_empty(), "{:?}", plan.guard);
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
}

#[tokio::test]
async fn a_linked_worktree_is_a_clone_like_any_other() {
    let mut pair = Pair::new();
    pair.source.commit_on("main", "first");
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_of_source(&mut pair, folder.path());
    let linked = folder.path().join("linked");
    git(&clone, &["worktree", "add", "--quiet", "-b", "elsewhere", linked.to_str().unwrap()]);
    pair.repository.source = Source::Path(linked);
    assert_eq!(pair.machine("laptop").plan().await.unwrap().default_branch, Some(name("refs/heads/main")));
}

#[tokio::test]
async fn where_the_clone_has_no_origin_the_mirrors_own_default_branch_counts() {
    let mut pair = Pair::new();
    pair.source.commit_on("trunk", "first");
    pair.source.commit_on("main", "first");
    pair.mirror.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_of_source(&mut pair, folder.path());
    git(&clone, &["switch", "--quiet", "trunk"]);
    git(&clone, &["remote", "remove", "origin"]);
    git(&clone, &["switch", "--quiet", "-c", "topic"]);
    let machine = pair.machine("laptop");
    // Before the first sync the mirror has none: the usual name.
    assert_eq!(machine.plan().await.unwrap().default_branch, Some(name("refs/heads/main")));
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    let plan = machine.plan().await.unwrap();
    assert_eq!(plan.default_branch, Some(name("refs/heads/trunk")));
    assert_eq!(plan.source_tip, pair.source.tip("refs/heads/trunk"));
    // It is still guarded: a rewrite of it waits.
    git(&clone, &["switch", "--quiet", "trunk"]);
    git(&clone, &["commit", "--quiet", "--allow-empty", "--amend", "-m", "rewritten"]);
    assert!(!machine.plan().await.unwrap().guard.is_empty());
}

#[tokio::test]
async fn where_nothing_tells_what_is_checked_out_counts_and_a_folder_s_head_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    git(&work, &["init", "--quiet", "--initial-branch", "trunk"]);
    git(&work, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    git(&work, &["switch", "--quiet", "-c", "dev"]);
    git(&work, &["commit", "--quiet", "--allow-empty", "-m", "second"]);
    let mut pair = Pair::new();
    pair.repository.source = Source::Path(work.clone());
    let machine = pair.machine("laptop");
    let plan = machine.plan().await.unwrap();
    assert!(plan.notices.iter().any(|notice| notice.message.contains("`dev` counts as it")), "{:?}", plan.notices);
    assert_eq!((plan.default_branch, plan.behind), (Some(name("refs/heads/dev")), 2));

    let report = machine.sync().await.unwrap();
    assert_eq!((report.status, report.behind), (AspectStatus::Ok, Some(0)), "{report:?}");
    let head = std::fs::read_to_string(pair.mirror.path.join("HEAD")).unwrap();
    assert_eq!(head.trim(), "ref: refs/heads/dev");
    // From now on the mirror says it, whatever is checked out.
    git(&work, &["switch", "--quiet", "trunk"]);
    let plan = machine.plan().await.unwrap();
    assert_eq!((plan.default_branch, plan.set_default_branch), (Some(name("refs/heads/dev")), false));
    assert!(plan.notices.is_empty(), "{:?}", plan.notices);
}

#[tokio::test]
async fn how_far_a_mirror_is_behind_is_not_told_where_no_default_branch_is_known() {
    let pair = Pair::new();
    pair.source.commit_on("one", "first");
    pair.source.commit_on("two", "first");
    let report = pair.machine("laptop").sync().await.unwrap();
    assert_eq!((report.status, report.behind), (AspectStatus::Ok, None), "{report:?}");
    assert_eq!(report.detail.as_deref(), Some("2 refs"));
}
