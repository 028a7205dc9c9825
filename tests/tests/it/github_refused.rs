//! What the host's refusals mean, and what is said to do about them.

use standin_core::Code;
use standin_core::github::Disabled;
use standin_sandbox::{Barred, Effect, Fault, FaultMatcher, Level, RepositoryState, TokenSpec, WorkflowState as There};
use standin_tests::standby::{STANDBY, Standby, commit, slug};

#[tokio::test]
async fn a_workflow_that_is_off_already_is_done() {
    let standby = Standby::start().await;
    let client = standby.context().await.github.unwrap();
    let (sandbox, target) = (&standby.sandbox, slug(STANDBY));
    commit(
        &sandbox.repository_path(STANDBY.0, STANDBY.1),
        "refs/heads/main",
        &[(".github/workflows/a.yml", "on: push\njobs: {}\n")],
    );
    sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
    let listed = client.workflows(&target).await.unwrap();
    let set = |state| assert!(sandbox.set_workflow_state(STANDBY.0, STANDBY.1, "a.yml", state));
    assert_eq!(client.disable_workflow(&target, &listed[0]).await.unwrap(), Disabled::Now);
    for state in [There::DisabledManually, There::DisabledInactivity] {
        set(state);
        assert_eq!(client.disable_workflow(&target, &listed[0]).await.unwrap(), Disabled::Already, "{state:?}");
        // GitHub's own workflows are refused so.
        let fault = Effect::Status { status: 422, retry_after: None };
        sandbox.add_fault(Fault::once(FaultMatcher::rest("PUT", "/repos/*/*/actions/workflows/*/disable"), fault));
        assert_eq!(client.disable_workflow(&target, &listed[0]).await.unwrap(), Disabled::Already, "{state:?}");
    }
    set(There::Active);
    let fault = Effect::Status { status: 403, retry_after: None };
    sandbox.add_fault(Fault::once(FaultMatcher::rest("PUT", "/repos/*/*/actions/workflows/*/disable"), fault));
    let refused = client.disable_workflow(&target, &listed[0]).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden, "one that is on and stays on is refused");
}

#[tokio::test]
async fn a_refusal_for_policy_has_its_code_and_advice_and_no_talk_of_scopes() {
    let standby = Standby::start().await;
    let target = slug(STANDBY);
    for (how, code, says) in [
        (Barred::SingleSignOn, Code::TokenBarred, "open https://github.com/orgs/"),
        (Barred::AddressList, Code::TokenBarred, "IP allow list"),
        (Barred::ClassicToken, Code::TokenBarred, "that the organization takes"),
        (Barred::TokenLifetime, Code::TokenBarred, "that the organization takes"),
        (Barred::MigrationLock, Code::Forbidden, "locked while it is moved"),
        (Barred::Permission, Code::Forbidden, "lacks the right"),
    ] {
        let client = standby.context().await.github.unwrap();
        standby.sandbox.add_fault(Fault::always(FaultMatcher::any(), Effect::Barred(how)));
        let error = client.repository(&target).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, false), "{how:?}: {error:?}");
        assert!(error.hint.contains(says) && !error.hint.contains("This needs one of"), "{how:?}: {error:?}");
        standby.sandbox.clear_faults();
    }
    for (state, says) in
        [(RepositoryState::Blocked, "a breach of its terms"), (RepositoryState::TakenDown, "copyright")]
    {
        standby.sandbox.set_repository_state(STANDBY.0, STANDBY.1, state);
        let error = standby.context().await.github.unwrap().repository(&target).await.unwrap_err();
        assert_eq!(error.code, Code::RepositoryBlocked, "{error:?}");
        assert!(error.hint.contains(says), "{error:?}");
    }
}

#[tokio::test]
async fn each_refusal_says_what_is_missing() {
    let mut standby = Standby::start().await;
    let target = slug(STANDBY);
    let permissions = [("contents", Level::Write), ("actions_variables", Level::Read)];
    standby.token =
        standby.sandbox.create_token(STANDBY.0, TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &permissions));
    let client = standby.context().await.github.unwrap();
    let error = client.secrets(&target).await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert_eq!(error.hint, "The token lacks a permission: this needs `secrets=read` on that repository.");
    let error = client.create_variable(&target, "V", "1").await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert!(error.hint.contains("=write`"), "{}", error.hint);

    assert!(standby.sandbox.set_repository_state(STANDBY.0, STANDBY.1, RepositoryState::TakenDown));
    let error = client.repository(&target).await.unwrap_err();
    assert_eq!(error.code, Code::RepositoryBlocked);
    assert!(error.message.ends_with("(451)"), "{}", error.message);
    assert!(standby.sandbox.set_repository_state(STANDBY.0, STANDBY.1, RepositoryState::Hidden));
    assert_eq!(client.repository(&target).await.unwrap_err().code, Code::RepositoryNotFound);

    standby.sandbox.revoke_token(&standby.token);
    let error = client.repository(&target).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
    assert!(error.hint.contains("expired or was revoked"), "{}", error.hint);
}
