//! Tokens that are valid and kept out: what REST and git say, and that nothing else is wrong. Also what GitHub tells with
//! answers that are well: the scopes that it wants, when a repository changed, when a version of the API ends.

use hyper::Method;
use serde_json::{Value, json};
use standin_sandbox::{Barred, Effect, Fault, FaultMatcher, Kind, RepositoryState};

use crate::support::{World, workflow};

const R: &str = "/repos/alice/primary";

const ALL: [(Barred, &str, &str); 7] = [
    (Barred::SingleSignOn, "Resource protected by organization SAML enforcement.", "enabled or enforced SAML SSO."),
    (Barred::AddressList, "the `alice` organization has an IP allow list enabled", "has an IP allow list enabled"),
    (Barred::ClassicToken, "`alice` forbids access via a personal access token (classic).", "(classic)"),
    (Barred::TokenLifetime, "lifetime is greater than 366 days.", "lifetime is greater than 366 days."),
    (Barred::Permission, "Resource not accessible by personal access token", "not granted."),
    (Barred::MigrationLock, "locked for migration", "locked for migration"),
    (Barred::Abuse, "abuse detection mechanism", "abuse detection mechanism"),
];

#[tokio::test]
async fn a_token_is_kept_out_of_a_repository_in_githubs_words_and_stays_valid() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    for (how, by_rest, by_git) in ALL {
        let barred = Fault::always(FaultMatcher::repository("alice", "primary"), Effect::Barred(how));
        let id = world.sandbox.add_fault(barred);
        for path in [R.to_owned(), format!("{R}/git/ref/heads/main"), format!("{R}/contents/readme.md")] {
            let got = world.rest().get(&path).await;
            assert_eq!(got.status, 403, "{how:?}");
            assert!(got.message().contains(by_rest), "{how:?}: {}", got.message());
            assert!(got.json()["documentation_url"].is_string() && got.json()["block"].is_null(), "{how:?}");
            assert_eq!(got.header("x-oauth-scopes"), "repo, workflow, delete_repo", "{how:?}");
            let address = "required; url=https://github.com/orgs/alice/sso?authorization_request=";
            assert_eq!(got.header("x-github-sso").starts_with(address), how == Barred::SingleSignOn, "{how:?}");
            assert_eq!(got.header("retry-after"), "", "{how:?}");
        }
        assert_eq!(world.rest().get("/user").await.status, 200, "{how:?}");
        for command in [&["ls-remote", "origin"][..], &["push", "origin", "main:other"]] {
            let said = work.git_fails(command);
            assert!(said.contains("remote: ") && said.contains(by_git), "{how:?}: {said}");
            assert!(said.contains("The requested URL returned error: 403"), "{how:?}: {said}");
        }
        assert!(world.sandbox.fault_hits(id) >= 5, "{how:?}");
        world.sandbox.clear_faults();
        assert_eq!(world.rest().get(R).await.status, 200, "{how:?}");
        work.git(&["ls-remote", "origin"]);
    }
}

#[tokio::test]
async fn one_kind_of_request_can_be_kept_out_and_only_with_a_token() {
    let world = World::new().await;
    world.sandbox.set_private("alice", "primary", false);
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let branch = FaultMatcher::rest("GET", &format!("{R}/git/ref/heads/*"));
    world.sandbox.add_fault(Fault::always(branch, Effect::Barred(Barred::AddressList)));
    assert_eq!(world.rest().get(R).await.status, 200);
    assert_eq!(world.rest().get(&format!("{R}/git/ref/heads/main")).await.status, 403);
    world.sandbox.clear_faults();
    let git = FaultMatcher::any().only(Kind::Git);
    world.sandbox.add_fault(Fault::always(git, Effect::Barred(Barred::ClassicToken)));
    // Git asks without a token first, and of a public repository that is enough.
    work.git(&["ls-remote", "origin"]);
    work.git_fails(&["push", "origin", "main:other"]);
}

#[tokio::test]
async fn a_blocked_repository_says_why_in_a_block() {
    let world = World::new().await;
    for (state, status, reason) in [(RepositoryState::Blocked, 403, "tos"), (RepositoryState::TakenDown, 451, "dmca")] {
        world.sandbox.set_repository_state("alice", "primary", state);
        let got = world.rest().get(R).await;
        assert_eq!((got.status, got.message().as_str()), (status, "Repository access blocked"));
        let block = &got.json()["block"];
        assert_eq!(block["reason"], reason);
        assert!(block["created_at"].is_string() && block.as_object().unwrap().contains_key("html_url"), "{block}");
    }
}

#[tokio::test]
async fn the_scopes_that_are_wanted_are_told_as_github_was_recorded_to() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    for (path, wanted) in [
        ("/user".to_owned(), ""),
        (R.to_owned(), "repo"),
        (format!("{R}/git/ref/heads/main"), "repo"),
        (format!("{R}/git/matching-refs/heads"), "repo"),
        (format!("{R}/git/trees/main"), ""),
        (format!("{R}/contents/readme.md"), ""),
        (format!("{R}/actions/variables"), ""),
        (format!("{R}/actions/workflows"), ""),
    ] {
        let got = world.rest().get(&path).await;
        assert_eq!(got.status, 200, "{path}");
        assert_eq!(got.headers.get("x-accepted-oauth-scopes").unwrap(), wanted, "{path}");
    }
    assert!(world.rest().get(R).await.header("last-modified").ends_with(" GMT"));
}

#[tokio::test]
async fn a_workflow_that_is_not_active_cannot_be_disabled() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.commit(".github/workflows/ci.yml", &workflow("push"), "Workflow");
    work.git(&["push", "-q", "origin", "main"]);
    let put = async |verb: &str| {
        let path = format!("{R}/actions/workflows/ci.yml/{verb}");
        world.rest().send(Method::PUT, &path, Some(json!({})), &[]).await.unwrap()
    };
    assert_eq!(put("disable").await.status, 204);
    let again = put("disable").await;
    assert_eq!((again.status, again.message().as_str()), (403, "Unable to disable a workflow that is not active."));
    assert_eq!(put("enable").await.status, 204);
    assert_eq!(put("enable").await.status, 204, "switching on what is on is allowed");
    assert_eq!(put("disable").await.status, 204);
}

#[tokio::test]
async fn the_end_of_an_api_version_is_announced_where_it_is_asked_for() {
    let world = World::new().await;
    let ask = async |version: &str| {
        let headers = [("x-github-api-version", version)];
        let got = world.rest().send(Method::GET, R, None::<Value>, &headers).await.unwrap();
        (got.header("deprecation").to_owned(), got.header("sunset").to_owned())
    };
    assert_eq!(ask("2022-11-28").await, (String::new(), String::new()));
    world.sandbox.announce_sunset(true);
    let end = ("Tue, 10 Mar 2026 00:00:00 GMT".to_owned(), "Fri, 10 Mar 2028 00:00:00 GMT".to_owned());
    assert_eq!(ask("2022-11-28").await, end);
    assert_eq!(ask("2026-03-10").await, (String::new(), String::new()));
}
