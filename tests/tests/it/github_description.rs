//! Every request that Standin and gh make, and every answer they get, fits GitHub's own description of its REST
//! interface.

use standin_sandbox::openapi::OpenApi;
use standin_tests::cli::{Options, World};

#[test]
fn all_traffic_of_syncs_health_and_token_checks_fits_githubs_description() {
    let description = OpenApi::load().unwrap();
    let sandbox = standin_sandbox::Options { record_bodies: true, ..Default::default() };
    let mut world = World::with(env!("CARGO_BIN_EXE_standin-under-test"), Options { sandbox, ..Options::default() });
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);

    let parent = standin_tests::cli::refs(&world.primary())["refs/heads/main"];
    let (path, text) = world.new_workflow("nightly");
    let tip = world.commit(Some(parent), &[("README.md", "# Changed\n"), (&path, &text)]);
    world.publish("refs/heads/main", Some(tip));
    world.change_secret("RESEND_API_KEY");
    world.set("DEPLOY_MODE", Some("pages"));
    world.write_env();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    assert_eq!(machine.standin(&["health"]).code(), 0);
    assert_eq!(machine.standin(&["token", "check"]).code(), 0);

    let exchanges = world.sandbox.exchanges();
    let violations: Vec<String> = description.check(&exchanges).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));

    let covered = description.covered(&exchanges);
    for operation in [
        "GET /repos/{owner}/{repo}/actions/secrets/public-key",
        "PUT /repos/{owner}/{repo}/actions/secrets/{secret_name}",
        "GET /repos/{owner}/{repo}/actions/secrets",
        "POST /repos/{owner}/{repo}/actions/variables",
        "PATCH /repos/{owner}/{repo}/actions/variables/{name}",
        "PUT /repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable",
        "PUT /repos/{owner}/{repo}/actions/permissions",
        "PUT /repos/{owner}/{repo}/actions/permissions/selected-actions",
        "GET /user",
    ] {
        assert!(covered.iter().any(|known| known == operation), "{operation} was not among {covered:#?}");
    }
}
