//! What the sandbox remembers is put back as it was.

use standin_sandbox::{Effect, Fault, FaultMatcher, Options, RepositorySpec, RepositoryState};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_goes_back_to_what_it_remembered() {
    let world = World::with(Options { rate_limit_per_hour: 2, ..Options::default() }).await;
    let sandbox = &world.sandbox;
    sandbox.set_variable("alice", "primary", "MODE", "before");
    sandbox.set_secret("alice", "primary", "KEY", b"before");
    let then = sandbox.snapshot();

    sandbox.set_variable("alice", "primary", "MODE", "after");
    sandbox.remove_secret("alice", "primary", "KEY");
    sandbox.set_repository_state("alice", "primary", RepositoryState::Hidden);
    sandbox.create_account("bob");
    sandbox.create_repository("bob", "other", RepositorySpec::default()).await.unwrap();
    sandbox.add_fault(Fault::always(FaultMatcher::default(), Effect::Status { status: 500, retry_after: None }));
    for _ in 0..3 {
        world.rest().get("/repos/alice/primary").await;
    }

    // As often as it is wanted.
    for _ in 0..2 {
        sandbox.restore(&then);
        assert_eq!(sandbox.variable("alice", "primary", "MODE").as_deref(), Some("before"));
        assert_eq!(sandbox.secret_value("alice", "primary", "KEY").as_deref(), Some(b"before".as_slice()));
        assert!(sandbox.default_branch("bob", "other").is_none());
        assert!(sandbox.requests().is_empty());
        for status in [200, 200, 403] {
            assert_eq!(
                world.rest().get("/repos/alice/primary").await.status,
                status,
                "whole, and with its limits unused"
            );
        }
        sandbox.set_variable("alice", "primary", "MODE", "after");
    }
}
