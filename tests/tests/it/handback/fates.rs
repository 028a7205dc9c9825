//! What becomes of each ref.

use standin_core::roles::handback::HandBackFate::{Contained, Create, FastForward, Parked};
use standin_core::roles::handback::HandBackVariableState;
use standin_sandbox::Protection;
use standin_tests::standby::{PRIMARY, STANDBY};

use super::{World, fates, plain};

#[tokio::test]
async fn what_only_the_standby_moved_goes_forward_together_with_the_fence() {
    let world = World::in_step().await;
    let tip = world.standby.commit_on("main", "work");
    let (_, before) = world.source.fence().unwrap();
    let planned = world.plan().await;
    assert_eq!(fates(&planned.refs), [("refs/heads/main", FastForward, Some("refs/heads/main"))]);
    assert_eq!((planned.refs[0].commits, planned.in_step), (1, 0));
    assert_eq!(planned.to, "alice/primary");

    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), Some(tip.clone()));
    assert_eq!(fates(&done.refs), fates(&planned.refs));
    assert!(done.pulls.is_empty() && world.pulls().await.is_empty());
    let (_, after) = world.source.fence().unwrap();
    assert_eq!((after.epoch, after.sequence), (before.epoch, before.sequence + 1));
    assert_eq!((&after.master, &after.open_change), (&before.master, &before.open_change));
    assert_eq!(after.refs.get(&"refs/heads/main".parse().unwrap()), Some(&tip));
    assert_eq!(after.writer, standin_core::fence::writer(&world.home().await.source).unwrap());
    world.assert_home();
}

#[tokio::test]
async fn a_plan_changes_nothing_on_either_side_and_an_apply_nothing_on_the_standby() {
    let world = World::in_step().await;
    world.standby.commit_on("main", "work");
    let all = || (world.source.git(&["for-each-ref"]), world.standby.git(&["for-each-ref"]));
    let before = all();
    let planned = world.plan().await;
    assert_eq!(all(), before);
    world.apply(&planned).await.unwrap();
    assert_eq!(all().1, before.1);
    assert_ne!(all().0, before.0);
}

#[tokio::test]
async fn with_nothing_to_bring_nothing_moves_not_even_the_fence() {
    let world = World::in_step().await;
    let before = world.source.git(&["for-each-ref"]);
    let planned = world.plan().await;
    assert_eq!((planned.refs.len(), planned.in_step), (0, 1));
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(done, Default::default());
    assert_eq!(world.source.git(&["for-each-ref"]), before);
}

#[tokio::test]
async fn several_branches_and_tags_come_home_at_once() {
    let world = World::start(|source| {
        source.commit_on("topic", "topic");
        source.set("refs/tags/v1", &source.tip("refs/heads/main").unwrap());
    })
    .await;
    let main = world.standby.commit_on("main", "work");
    world.standby.commit_on("topic", "more");
    world.standby.commit_on("new", "new");
    world.standby.set("refs/tags/light", &main);
    world.standby.annotated_tag("heavy", &main);
    let lone = world.standby.commit("of no branch", None);
    world.standby.annotated_tag("lone", &lone);
    let done = world.hand_back().await;
    assert_eq!(plain(&world.source), plain(&world.standby));
    assert_eq!(done.refs.len(), 6);
    assert!(done.pulls.is_empty());
    // All of it in one push.
    assert_eq!(world.source.fence().unwrap().1.sequence, 2);
}

#[tokio::test]
async fn a_commit_on_both_sides_is_parked_beside_the_sources_with_a_pull_request() {
    let world = World::in_step().await;
    let theirs = world.source.commit_on("main", "at the source");
    let ours = world.standby.commit_on("main", "on the standby");
    let planned = world.plan().await;
    let parked = "refs/heads/standin/handback-2/main";
    assert_eq!(fates(&planned.refs), [("refs/heads/main", Parked, Some(parked))]);
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), Some(theirs));
    assert_eq!(world.source.tip(parked), Some(ours));
    assert_eq!(done.pulls.len(), 1);
    assert_eq!((done.pulls[0].branch.as_str(), done.pulls[0].base.as_str()), ("standin/handback-2/main", "main"));
    assert!(!done.pulls[0].was_there);
    // A parked branch is the people's: no later sync may move or delete it.
    assert!(!world.source.fence().unwrap().1.refs.contains_key(&parked.parse().unwrap()));
    world.assert_home();
}

#[tokio::test]
async fn a_protected_branch_is_parked_though_it_could_go_forward() {
    let world = World::in_step().await;
    world.hub.sandbox.protect_branch(PRIMARY.0, PRIMARY.1, "main", Protection::PullRequestOnly);
    let main = world.source.tip("refs/heads/main");
    let ours = world.standby.commit_on("main", "work");
    world.standby.commit_on("other", "other");
    let planned = world.plan().await;
    assert_eq!(planned.refs[0].fate, FastForward);
    let done = world.apply(&planned).await.unwrap();
    assert_eq!(world.source.tip("refs/heads/main"), main);
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(ours));
    assert!(world.source.tip("refs/heads/other").is_some(), "one refused ref does not sink the rest");
    let parked = done.refs.iter().find(|home| home.fate == Parked).unwrap();
    assert!(parked.refused.as_ref().unwrap().contains("GH006"), "{parked:?}");
    let pulls = world.pulls().await;
    assert_eq!(pulls.len(), 1);
    assert!(pulls[0]["body"].as_str().unwrap().contains("the host refused it"), "{}", pulls[0]["body"]);
    world.assert_home();
}

#[tokio::test]
async fn a_branch_rewritten_on_the_standby_never_rewrites_the_sources() {
    let world = World::start(|source| drop(source.commit_on("main", "second"))).await;
    let theirs = world.source.tip("refs/heads/main");
    let first: standin_core::state::model::Oid =
        world.standby.git(&["rev-parse", "refs/heads/main~1"]).trim().parse().unwrap();
    let rewritten = world.standby.commit("second, better", Some(&first));
    world.standby.set("refs/heads/main", &rewritten);
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/main"), theirs);
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(rewritten));
}

#[tokio::test]
async fn a_branch_set_back_on_the_standby_is_contained() {
    let world = World::start(|source| drop(source.commit_on("main", "second"))).await;
    let first: standin_core::state::model::Oid =
        world.standby.git(&["rev-parse", "refs/heads/main~1"]).trim().parse().unwrap();
    world.standby.set("refs/heads/main", &first);
    let planned = world.plan().await;
    assert_eq!(fates(&planned.refs), [("refs/heads/main", Contained, None)]);
    world.hand_back().await;
    assert_eq!(plain(&world.source).len(), 1);
}

#[tokio::test]
async fn unrelated_histories_are_kept_side_by_side() {
    let world = World::in_step().await;
    let lone = world.standby.commit("from nowhere", None);
    world.standby.set("refs/heads/main", &lone);
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/standin/handback-2/main"), Some(lone));
}

#[tokio::test]
async fn a_branch_deleted_on_the_standby_stays_at_the_source_and_is_listed() {
    let world = World::start(|source| drop(source.commit_on("topic", "topic"))).await;
    world.standby.delete("refs/heads/topic");
    world.source.commit_on("newer", "made meanwhile");
    let planned = world.plan().await;
    let listed: Vec<&str> = planned.only_at_source.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(listed, ["refs/heads/newer", "refs/heads/topic"]);
    let before = plain(&world.source);
    world.hand_back().await;
    assert_eq!(plain(&world.source), before);
}

#[tokio::test]
async fn a_branch_deleted_at_the_source_comes_back_only_where_its_commits_are_nowhere_else() {
    let world = World::start(|source| {
        source.commit_on("lost", "only here");
        source.set("refs/heads/merged", &source.tip("refs/heads/main").unwrap());
    })
    .await;
    let lost = world.source.tip("refs/heads/lost");
    world.source.delete("refs/heads/lost");
    world.source.delete("refs/heads/merged");
    let planned = world.plan().await;
    assert_eq!(
        fates(&planned.refs),
        [("refs/heads/lost", Create, Some("refs/heads/lost")), ("refs/heads/merged", Contained, None)]
    );
    world.hand_back().await;
    assert_eq!(world.source.tip("refs/heads/lost"), lost);
    assert_eq!(world.source.tip("refs/heads/merged"), None);
}

#[tokio::test]
async fn a_tag_that_points_elsewhere_is_parked_as_a_tag_without_a_pull_request() {
    let world = World::start(|source| {
        let main = source.tip("refs/heads/main").unwrap();
        source.set("refs/tags/light", &main);
        source.annotated_tag("heavy", &main);
    })
    .await;
    let before = plain(&world.source);
    let tip = world.standby.commit_on("main", "work");
    world.standby.set("refs/tags/light", &tip);
    let heavy = world.standby.annotated_tag("heavy", &tip);
    let done = world.hand_back().await;
    assert_eq!(world.source.tip("refs/tags/light").as_ref(), before.get("refs/tags/light"));
    assert_eq!(world.source.tip("refs/tags/heavy").as_ref(), before.get("refs/tags/heavy"));
    assert_eq!(world.source.tip("refs/tags/standin/handback-2/light"), Some(tip));
    assert_eq!(world.source.tip("refs/tags/standin/handback-2/heavy"), Some(heavy));
    assert!(done.pulls.is_empty() && done.notices.is_empty());
}

#[tokio::test]
async fn odd_names_come_home_and_into_pull_requests() {
    let names = ["ümläut/日本", "-x", "a@b", "x#y&z+1%20", "it's\"quoted\"", "$(id)"];
    let world = World::start(|source| {
        for name in names {
            source.commit_on(name, name);
        }
    })
    .await;
    for name in names {
        world.standby.commit_on(name, "here");
        world.source.commit_on(name, "there");
        world.standby.commit_on(&format!("new-{name}"), name);
    }
    let done = world.hand_back().await;
    for name in names {
        let parked = format!("refs/heads/standin/handback-2/{name}");
        assert_eq!(world.source.tip(&parked), world.standby.tip(&format!("refs/heads/{name}")), "{name}");
        assert!(world.source.tip(&format!("refs/heads/new-{name}")).is_some());
        assert!(done.pulls.iter().any(|pull| pull.base == name), "{name}: {:?}", done.pulls);
    }
    assert_eq!(world.pulls().await.len(), names.len());
}

#[tokio::test]
async fn a_name_that_cannot_stand_beside_the_sources_is_parked() {
    let world = World::in_step().await;
    world.source.commit_on("a", "a branch");
    world.standby.commit_on("a/b", "below it");
    let done = world.hand_back().await;
    assert!(world.source.tip("refs/heads/standin/handback-2/a/b").is_some());
    assert_eq!(done.pulls[0].base, "main", "there is no branch of that name, so it goes to the default branch");
}

#[tokio::test]
async fn pull_requests_of_the_standby_and_standins_own_refs_stay_there() {
    let world = World::in_step().await;
    let tip = world.standby.commit("a pull request", None);
    world.standby.set("refs/pull/1/head", &tip);
    world.standby.set("refs/standin/other", &tip);
    let before = world.source.git(&["for-each-ref"]);
    world.hand_back().await;
    assert_eq!(world.source.git(&["for-each-ref"]), before);
}

#[tokio::test]
async fn variables_and_secrets_that_changed_are_named_without_their_values() {
    let world = World::in_step().await;
    let sandbox = &world.hub.sandbox;
    for (site, name, value) in [
        (PRIMARY, "SAME", "1"),
        (STANDBY, "SAME", "1"),
        (PRIMARY, "MODE", "source-value"),
        (STANDBY, "MODE", "standby-value"),
        (PRIMARY, "HERE", "x"),
        (STANDBY, "THERE", "y"),
        (STANDBY, "MIRROR_ROLE", "MASTER"),
        (STANDBY, "SENTINEL_STATE", "{}"),
    ] {
        assert!(sandbox.set_variable(site.0, site.1, name, value));
    }
    for name in ["API_KEY", "STANDIN_TOKEN", "MASTER_TOKEN"] {
        assert!(sandbox.set_secret(STANDBY.0, STANDBY.1, name, b"a-secret-value"));
    }
    let planned = world.plan().await;
    let variables: Vec<_> = planned.variables.iter().map(|variable| (variable.name.as_str(), variable.state)).collect();
    assert_eq!(
        variables,
        [
            ("HERE", HandBackVariableState::OnlyAtSource),
            ("MODE", HandBackVariableState::Differs),
            ("THERE", HandBackVariableState::OnlyOnStandby),
        ]
    );
    let secrets: Vec<_> = planned.secrets.iter().map(|secret| (secret.name.as_str(), secret.is_new)).collect();
    assert_eq!(secrets, [("API_KEY", true)]);
    let text = serde_json::to_string(&planned).unwrap();
    assert!(!text.contains("-value"), "{text}");
}

#[tokio::test]
async fn workflows_that_the_source_does_not_have_are_told_before() {
    let world = World::in_step().await;
    let main = world.standby.tip("refs/heads/main").unwrap();
    let tip = world.standby.commit("workflow", Some(&main));
    world.standby.set("refs/heads/main", &tip);
    standin_tests::standby::commit(
        &world.standby.path,
        "refs/heads/main",
        &[(".github/workflows/new.yml", "on: push\njobs: {}\n")],
    );
    let planned = world.plan().await;
    assert!(planned.notices.iter().any(|notice| notice.message.contains(".github/workflows/new.yml")), "{planned:?}");
}
