//! Variables from the source, or from `.env`, to a standby.

use std::collections::BTreeMap;
use std::time::Duration;

use standin_core::plan::{VariableState, VariablesPlan};
use standin_core::state::config::Source;
use standin_core::state::model::{AspectReport, AspectStatus};
use standin_core::variables;
use standin_sandbox::{Effect, Fault, FaultMatcher, TokenSpec};
use standin_tests::standby::{PRIMARY, STANDBY, Standby};

async fn sync(standby: &Standby) -> (VariablesPlan, AspectReport) {
    let ctx = standby.context().await;
    let plan = variables::plan(&ctx).await.expect("a plan");
    let report = variables::apply(&ctx, &plan).await.expect("a report");
    (plan, report)
}

fn on_mirror(standby: &Standby) -> BTreeMap<String, String> {
    let variables = standby.sandbox.variables(STANDBY.0, STANDBY.1);
    variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn all_variables_of_the_source_travel_and_the_mirror_learns_its_role() {
    let standby = Standby::start().await;
    for (name, value) in [("A", "1"), ("B", "two\nlines"), ("MIRROR_ROLE", "MASTER"), ("SENTINEL_FAILURES", "3")] {
        standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, name, value);
    }
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("2/2")));
    assert_eq!(on_mirror(&standby), map(&[("A", "1"), ("B", "two\nlines"), ("MIRROR_ROLE", "SLAVE")]));
}

#[tokio::test]
async fn an_unchanged_sync_costs_one_list_of_each_side() {
    let standby = Standby::start().await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "A", "1");
    sync(&standby).await;
    standby.take_requests();
    let (plan, _) = sync(&standby).await;
    assert!(plan.changes().is_empty());
    let mut requests = standby.take_requests();
    requests.sort();
    assert_eq!(requests, ["GET /repos/alice/primary/actions/variables", "GET /repos/backup/standby/actions/variables"]);
}

#[tokio::test]
async fn the_source_is_read_once_for_all_mirrors_of_a_sync() {
    let standby = Standby::start().await;
    let ctx = standby.context().await;
    let (one, two) = tokio::join!(variables::plan(&ctx), variables::plan(&ctx));
    assert_eq!(one.unwrap(), two.unwrap());
    let of_source = standby.take_requests().into_iter().filter(|request| request.contains("/alice/")).count();
    assert_eq!(of_source, 1);
}

#[tokio::test]
async fn only_the_difference_is_written_and_nothing_is_removed() {
    let standby = Standby::start().await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "A", "1");
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "B", "1");
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "THEIRS", "x");
    sync(&standby).await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "B", "2");
    standby.sandbox.remove_variable(PRIMARY.0, PRIMARY.1, "A");
    standby.take_requests();
    let (plan, _) = sync(&standby).await;
    let writes: Vec<String> =
        standby.take_requests().into_iter().filter(|request| !request.starts_with("GET")).collect();
    assert_eq!(writes, ["PATCH /repos/backup/standby/actions/variables/B"]);
    assert!(plan.names.contains(&("A".to_owned(), VariableState::OnlyOnMirror)));
    assert_eq!(on_mirror(&standby), map(&[("A", "1"), ("B", "2"), ("MIRROR_ROLE", "SLAVE"), ("THEIRS", "x")]));
}

#[tokio::test]
async fn listed_names_come_from_env_first_and_from_the_source_else() {
    let mut standby = Standby::start().await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "A", "of the source");
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "DEPLOY_MODE", "of the source");
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "NOT_LISTED", "x");
    let listed = &mut standby.repository.variables;
    listed.patterns = ["A", "DEPLOY_*", "NOWHERE"].map(str::to_owned).to_vec();
    listed.values = map(&[("A", "of .env")]);
    let (plan, report) = sync(&standby).await;
    assert_eq!(
        on_mirror(&standby),
        map(&[("A", "of .env"), ("DEPLOY_MODE", "of the source"), ("MIRROR_ROLE", "SLAVE")])
    );
    assert!(plan.names.contains(&("NOWHERE".to_owned(), VariableState::MissingHere)));
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("2/3")));
    assert_eq!(report.error.as_deref(), Some("no value here or at the source for NOWHERE"));
}

#[tokio::test]
async fn with_all_listed_values_in_env_the_source_is_not_asked() {
    let mut standby = Standby::start().await;
    standby.repository.variables.patterns = vec!["A".to_owned()];
    standby.repository.variables.values = map(&[("A", "1")]);
    sync(&standby).await;
    assert!(standby.take_requests().iter().all(|request| !request.contains("/alice/")));
}

#[tokio::test]
async fn without_a_token_for_the_source_the_plan_says_so() {
    let mut standby = Standby::start().await;
    standby.source_token = None;
    let (plan, report) = sync(&standby).await;
    assert_eq!(
        plan.notices[0].message,
        "without a token for the source, the variables of alice/primary cannot be read"
    );
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("0/0")));
}

#[tokio::test]
async fn a_source_outside_github_has_no_variables_of_its_own() {
    let mut standby = Standby::start().await;
    standby.repository.source = Source::Path("/nowhere".into());
    let (plan, _) = sync(&standby).await;
    assert!(plan.notices.is_empty());
    assert_eq!(on_mirror(&standby), map(&[("MIRROR_ROLE", "SLAVE")]));
}

#[tokio::test]
async fn a_cut_before_or_after_each_write_is_mended_within_the_same_sync() {
    for method in ["POST", "PATCH"] {
        for effect in [Effect::CutBefore, Effect::CutAfter, Effect::Status { status: 502, retry_after: None }] {
            let standby = Standby::start().await;
            standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "A", "1");
            standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "B", "1");
            standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "B", "old");
            let matcher = FaultMatcher { method: Some(method.to_owned()), ..FaultMatcher::any() };
            standby.sandbox.add_fault(Fault::once(matcher, effect.clone()));
            let (_, report) = sync(&standby).await;
            assert_eq!(report.status, AspectStatus::Ok, "{method} {effect:?}: {report:?}");
            assert_eq!(on_mirror(&standby), map(&[("A", "1"), ("B", "1"), ("MIRROR_ROLE", "SLAVE")]));
        }
    }
}

#[tokio::test]
async fn a_variable_that_somebody_made_or_removed_meanwhile_is_still_set() {
    let standby = Standby::start().await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "NEW", "1");
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "CHANGED", "1");
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "CHANGED", "old");
    let ctx = standby.context().await;
    let plan = variables::plan(&ctx).await.unwrap();
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "NEW", "theirs");
    standby.sandbox.remove_variable(STANDBY.0, STANDBY.1, "CHANGED");
    let report = variables::apply(&ctx, &plan).await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    assert_eq!(on_mirror(&standby), map(&[("CHANGED", "1"), ("MIRROR_ROLE", "SLAVE"), ("NEW", "1")]));
}

#[tokio::test]
async fn one_refused_variable_does_not_hold_up_the_others() {
    let standby = Standby::start().await;
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "A", "1");
    standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, "B", "1");
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "B", "old");
    let matcher = FaultMatcher::rest("PATCH", "/repos/*/*/actions/variables/B");
    standby.sandbox.add_fault(Fault::always(matcher, Effect::Status { status: 403, retry_after: None }));
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("1/2")));
    assert!(report.error.unwrap().starts_with("updating the variable B of backup/standby: "));
    assert_eq!(on_mirror(&standby)["A"], "1");
}

#[tokio::test]
async fn forty_variables_are_not_slowed_by_the_pace() {
    let standby = Standby::start().await;
    for index in 0..40 {
        standby.sandbox.set_variable(PRIMARY.0, PRIMARY.1, &format!("V{index}"), "1");
    }
    let start = std::time::Instant::now();
    assert_eq!(sync(&standby).await.1.detail.as_deref(), Some("40/40"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_role_is_set_where_variables_are_not_kept_in_step_and_then_costs_nothing() {
    let mut standby = Standby::start().await;
    variables::ensure_role(&standby.context().await).await.unwrap();
    assert_eq!(on_mirror(&standby), map(&[("MIRROR_ROLE", "SLAVE")]));
    standby.take_requests();
    variables::ensure_role(&standby.context().await).await.unwrap();
    assert!(standby.take_requests().is_empty());

    standby.change_machine();
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "MIRROR_ROLE", "MASTER");
    variables::ensure_role(&standby.context().await).await.unwrap();
    assert_eq!(on_mirror(&standby), map(&[("MIRROR_ROLE", "SLAVE")]));
}

#[tokio::test]
async fn a_token_without_the_right_is_told_so() {
    let mut standby = Standby::start().await;
    let spec = TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &[]);
    standby.token = standby.sandbox.create_token(STANDBY.0, spec);
    let error = variables::plan(&standby.context().await).await.unwrap_err();
    assert_eq!(error.code, standin_core::Code::Forbidden);
    assert!(error.hint.contains("actions_variables=read"), "{}", error.hint);
}
