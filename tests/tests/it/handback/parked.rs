//! Parked branches and their pull requests.

use standin_core::roles::handback::HandBackFate::{Contained, FastForward, Parked};
use standin_sandbox::{Effect, Fault, FaultMatcher, Level, TokenSpec};
use standin_tests::standby::PRIMARY;

use super::{World, fates};

#[tokio::test]
async fn a_pull_request_explains_itself_and_takes_no_markup_from_commits() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    for number in 0..23 {
        world.standby.commit_on("main", &format!("change {number} for @alice, fixes #1 ``` `x"));
    }
    let last = world.standby.tip("refs/heads/main").unwrap();
    world.hand_back().await;
    let pulls = world.pulls().await;
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0]["title"], "Bring back main from backup/standby");
    assert_eq!(pulls[0]["base"]["ref"], "main");
    let body = pulls[0]["body"].as_str().unwrap();
    for part in [
        "`backup/standby`",
        "epoch 2",
        "standin/handback-2/main",
        "23 commits",
        "… and 3 more",
        "merge this pull request",
        "close it and delete the branch",
        "Nothing is lost until the branch is deleted",
        last.short(),
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let writer = standin_core::fence::writer(&world.home().await.source).unwrap();
    assert!(body.contains(&writer), "{body}");
    assert!(body.lines().filter(|line| line.contains("@alice")).all(|line| line.starts_with("    ")), "{body}");
    assert_eq!(body.matches("@alice").count(), 20);
}

#[tokio::test]
async fn going_on_again_makes_nothing_twice() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    world.hand_back().await;
    let before = world.source.git(&["for-each-ref"]);
    let planned = world.plan().await;
    assert!(planned.refs[0].is_there);
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.git(&["for-each-ref"]), before);
    assert_eq!(world.pulls().await.len(), 1);
    assert!(done.pulls[0].was_there);
    assert_eq!(done.refs.len(), 1, "what an earlier try parked is in the report, too");
}

#[tokio::test]
async fn a_later_hand_back_finds_what_an_earlier_one_parked() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    world.hand_back().await;
    let later = standin_core::roles::handback::plan(&world.old().await, &world.home().await, 9).await.unwrap();
    assert_eq!(fates(&later.refs), [("refs/heads/main", Parked, Some("refs/heads/standin/handback-2/main"))]);
    assert!(later.refs[0].is_there);
}

#[tokio::test]
async fn what_was_merged_at_the_source_is_at_home() {
    let world = World::in_step().await;
    let theirs = world.source.commit_on("main", "at the source");
    let ours = world.standby.commit_on("main", "on the standby");
    world.hand_back().await;
    let merged = world.source.git(&[
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@localhost",
        "commit-tree",
        "-m",
        "Merge",
        "-p",
        theirs.as_str(),
        "-p",
        ours.as_str(),
        &format!("{theirs}^{{tree}}"),
    ]);
    world.source.set("refs/heads/main", &merged.trim().parse().unwrap());
    world.source.delete("refs/heads/standin/handback-2/main");
    assert_eq!(fates(&world.plan().await.refs), [("refs/heads/main", Contained, None)]);
}

#[tokio::test]
async fn a_parked_name_that_is_taken_gets_a_number() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.source.commit_on("standin/handback-2/main", "of somebody else");
    let ours = world.standby.commit_on("main", "on the standby");
    let done = world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main-2"), Some(ours));
    assert_eq!(done.pulls[0].branch, "standin/handback-2/main-2");
    assert_eq!(done.pulls[0].base, "main");
}

#[tokio::test]
async fn a_parked_name_below_which_something_stands_gets_a_number_before() {
    let world = World::in_step().await;
    world.source.commit_on("a", "at the source");
    world.source.commit_on("standin/handback-2/a", "of somebody else");
    let ours = world.standby.commit_on("a/b", "on the standby");
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-2-2/a/b"), Some(ours));
}

#[tokio::test]
async fn what_the_sentinel_parked_on_the_standby_comes_home_under_its_name() {
    let world = World::in_step().await;
    let main = world.standby.tip("refs/heads/main").unwrap();
    world.source.commit_on("main", "at the source");
    let work = world.standby.commit("on the standby", Some(&main));
    world.standby.set("refs/heads/standin/handback-5/main", &work);
    world.standby.set("refs/tags/standin/handback-5/v1", &work);
    let done = world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-5/main"), Some(work.clone()));
    assert_eq!(world.source.tip("refs/tags/standin/handback-5/v1"), Some(work));
    assert_eq!(done.pulls.len(), 1);
    assert_eq!((done.pulls[0].branch.as_str(), done.pulls[0].base.as_str()), ("standin/handback-5/main", "main"));
    assert_eq!(world.pulls().await[0]["title"], "Bring back main from backup/standby");
}

#[tokio::test]
async fn what_the_sentinel_parked_and_another_branch_brings_is_not_brought_twice() {
    let world = World::in_step().await;
    let work = world.standby.commit_on("main", "on the standby");
    world.standby.set("refs/heads/standin/handback-5/main", &work);
    let planned = world.plan().await;
    assert_eq!(
        fates(&planned.refs),
        [
            ("refs/heads/main", FastForward, Some("refs/heads/main")),
            ("refs/heads/standin/handback-5/main", Contained, None),
        ]
    );
    let done = world.hand_back().await;
    assert!(done.pulls.is_empty());
}

#[tokio::test]
async fn of_two_branches_with_the_same_commits_each_is_kept() {
    let world = World::start(|source| {
        source.commit_on("one", "one");
        source.commit_on("two", "two");
    })
    .await;
    world.source.commit_on("one", "at the source");
    world.source.commit_on("two", "at the source");
    let work = world.standby.commit_on("one", "on the standby");
    world.standby.set("refs/heads/two", &work);
    let done = world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/one"), Some(work.clone()));
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/two"), Some(work));
    let bases: Vec<&str> = done.pulls.iter().map(|pull| pull.base.as_str()).collect();
    assert_eq!(bases, ["one", "two"]);
}

#[tokio::test]
async fn a_pull_request_that_the_host_refuses_is_a_notice_and_the_commits_are_safe() {
    for effect in [
        Effect::Status { status: 422, retry_after: None },
        Effect::Status { status: 403, retry_after: None },
        Effect::Status { status: 404, retry_after: None },
    ] {
        let world = World::in_step().await;
        world.source.commit_on("main", "at the source");
        world.standby.commit_on("main", "on the standby");
        let on_pulls = FaultMatcher::rest("POST", "/repos/alice/primary/pulls");
        world.hub.sandbox.add_fault(Fault::always(on_pulls, effect));
        let done = world.hand_back().await;
        assert!(done.pulls.is_empty());
        assert_eq!(done.notices.len(), 1, "{done:?}");
        assert!(done.notices[0].message.contains("standin/handback-2/main is safe"), "{done:?}");
        // When it can be made later, it is.
        world.hub.sandbox.clear_faults();
        assert_eq!(world.hand_back().await.pulls.len(), 1);
    }
}

#[tokio::test]
async fn a_token_without_the_right_for_pull_requests_brings_all_commits() {
    let mut world = World::in_step().await;
    let spec =
        TokenSpec::fine_grained(PRIMARY.0, &[PRIMARY.1], &[("contents", Level::Write), ("metadata", Level::Read)]);
    world.hub.source_token = Some(world.hub.sandbox.create_token(PRIMARY.0, spec));
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    world.standby.commit_on("other", "on the standby");
    let done = world.hand_back().await;
    assert_eq!((done.pulls.len(), done.notices.len()), (0, 1), "{done:?}");
}

#[tokio::test]
async fn a_lost_answer_to_a_pull_request_makes_no_second_one() {
    let world = World::in_step().await;
    world.source.commit_on("main", "at the source");
    world.standby.commit_on("main", "on the standby");
    let on_pulls = FaultMatcher::rest("POST", "/repos/alice/primary/pulls");
    world.hub.sandbox.add_fault(Fault::once(on_pulls, Effect::CutAfter));
    let done = world.hand_back().await;
    assert_eq!((done.pulls.len(), done.notices.len()), (1, 0));
    assert_eq!(world.pulls().await.len(), 1);
}
