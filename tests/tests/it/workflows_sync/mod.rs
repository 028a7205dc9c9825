//! Workflows on a standby: held, released, and never run by a push, whatever happens in between.

mod crash;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use standin_core::code;
use standin_core::context::MirrorContext;
use standin_core::fence::Document;
use standin_core::mirror::{self, MirrorView};
use standin_core::plan::{ActionsGuardPlan, WorkflowState, WorkflowsPlan};
use standin_core::state::model::{Aspect, AspectReport, AspectStatus};
use standin_core::workflows::{self, switch};
use standin_core::{Code, Result};
use standin_sandbox::{
    ActionsPermissions, Effect, Fault, FaultMatcher, Level, Listing, SelectedActions, TokenSpec, WorkflowState as There,
};
use standin_tests::standby::{PRIMARY, STANDBY, Standby, commit};

const CRON: &str = ".github/workflows/cron.yml";
const TEST: &str = ".github/workflows/test.yml";
const SENTINEL: &str = ".github/workflows/sentinel.yml";
const ON_PUSH: &str = "on: [push]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n";
const BY_HAND: &str = "on: workflow_dispatch\njobs: {}\n";

fn helper() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_credential-helper"))
}

/// A primary with two workflows that run on every push and the sentinel, which does not.
async fn started() -> Standby {
    let mut standby = Standby::start().await;
    standby.credential_helper = helper();
    change_primary(&standby, &[("a.txt", "1"), (CRON, ON_PUSH), (TEST, ON_PUSH), (SENTINEL, BY_HAND)]);
    standby
}

fn change_primary(standby: &Standby, files: &[(&str, &str)]) {
    commit(&standby.sandbox.repository_path(PRIMARY.0, PRIMARY.1), "refs/heads/main", files);
    standby.sandbox.refresh_workflows(PRIMARY.0, PRIMARY.1).expect("the primary is there");
}

/// What a sync does about code and workflows.
struct Synced {
    plan: WorkflowsPlan,
    report: AspectReport,
}

async fn plan(ctx: &MirrorContext) -> Result<WorkflowsPlan> {
    let mut view = mirror::look(ctx).await?;
    Ok(planned(ctx, &mut view).await?.1)
}

async fn planned(ctx: &MirrorContext, view: &mut MirrorView) -> Result<(standin_core::plan::CodePlan, WorkflowsPlan)> {
    let snapshot = code::snapshot(&ctx.source).await?;
    let states = workflows::read(ctx).await?;
    let code = code::plan(ctx, &snapshot, view).await?;
    let (plan, _) = workflows::plan(ctx, &states, Some(&code)).await?;
    Ok((code, plan))
}

/// The order of a run.
async fn run(ctx: &MirrorContext) -> Result<Synced> {
    let mut view = mirror::look(ctx).await?;
    switch::mend(ctx, &mut view).await?;
    let (code, plan) = planned(ctx, &mut view).await?;
    let snapshot = code::snapshot(&ctx.source).await?;
    let pushes = !code.refs.changes.is_empty();
    let engaged = if plan.guard == ActionsGuardPlan::SwitchOff && pushes {
        Some(switch::engage(ctx, &mut view).await?)
    } else {
        None
    };
    let pushed = code::apply(ctx, &snapshot, &mut view, &code).await?;
    assert_eq!(pushed.status, AspectStatus::Ok, "{pushed:?}");
    let report = match engaged {
        Some(engaged) => switch::release(ctx, engaged, &mut view).await?,
        None => workflows::apply(ctx, &plan, &mut view).await?,
    };
    Ok(Synced { plan, report })
}

async fn sync(standby: &Standby) -> Synced {
    run(&standby.context().await).await.expect("a sync")
}

fn states(standby: &Standby) -> Vec<(String, There)> {
    standby.sandbox.workflows(STANDBY.0, STANDBY.1).into_iter().map(|entry| (entry.path, entry.state)).collect()
}

fn runs(standby: &Standby) -> usize {
    standby.sandbox.run_count(STANDBY.0, STANDBY.1)
}

fn actions(standby: &Standby) -> ActionsPermissions {
    standby.sandbox.actions_permissions(STANDBY.0, STANDBY.1).expect("the standby is there")
}

/// The fence as it stands on the mirror.
fn fence(standby: &Standby) -> Option<Document> {
    let repository = git2::Repository::open_bare(standby.sandbox.repository_path(STANDBY.0, STANDBY.1)).unwrap();
    let commit = repository.find_reference("refs/standin/fence").ok()?.peel_to_commit().unwrap();
    let entry = commit.tree().unwrap().get_path(Path::new("fence.json")).unwrap();
    let blob = repository.find_blob(entry.id()).unwrap();
    Some(Document::parse(blob.content()).unwrap())
}

fn is_closed(standby: &Standby) {
    assert_eq!(fence(standby).expect("a fence").open_change, None);
    assert!(standby.store().open_journals(None).unwrap().is_empty());
}

fn all_held() -> Vec<(String, There)> {
    vec![
        (CRON.to_owned(), There::DisabledManually),
        (SENTINEL.to_owned(), There::Active),
        (TEST.to_owned(), There::DisabledManually),
    ]
}

#[tokio::test]
async fn the_first_push_starts_nothing_and_leaves_only_the_sentinel_active() {
    let standby = started().await;
    let Synced { plan, report } = sync(&standby).await;
    assert_eq!(plan.guard, ActionsGuardPlan::SwitchOff);
    assert_eq!(plan.expected, [CRON, TEST]);
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("1 active, 2 held")));
    assert_eq!(states(&standby), all_held());
    assert_eq!(runs(&standby), 0);
    assert_eq!(actions(&standby), ActionsPermissions::default());
    is_closed(&standby);
    let fence = fence(&standby).unwrap();
    let held: Vec<(&str, &str)> = fence.held.iter().map(|(path, state)| (path.as_str(), state.as_str())).collect();
    assert_eq!(held, [(CRON, "active"), (TEST, "active")]);
}

#[tokio::test]
async fn a_second_push_starts_nothing_and_brings_its_new_file_held() {
    let standby = started().await;
    sync(&standby).await;
    change_primary(&standby, &[("a.txt", "2")]);
    let plain = sync(&standby).await;
    assert_eq!(plain.plan.guard, ActionsGuardPlan::NotNeeded);
    change_primary(&standby, &[(".github/workflows/new.yml", ON_PUSH)]);
    let with_new = sync(&standby).await;
    assert_eq!(with_new.plan.guard, ActionsGuardPlan::SwitchOff);
    assert_eq!(with_new.report.detail.as_deref(), Some("1 active, 3 held"));
    assert_eq!(runs(&standby), 0);
    is_closed(&standby);
}

#[tokio::test]
async fn a_push_is_guarded_while_a_file_that_it_brings_is_active_there() {
    let standby = started().await;
    sync(&standby).await;
    standby.sandbox.set_workflow_state(STANDBY.0, STANDBY.1, CRON, There::Active);
    change_primary(&standby, &[("a.txt", "2")]);
    let synced = sync(&standby).await;
    assert_eq!(synced.plan.guard, ActionsGuardPlan::SwitchOff);
    assert_eq!((runs(&standby), states(&standby)), (0, all_held()));
}

#[tokio::test]
async fn settings_are_restored_whole() {
    let standby = started().await;
    let permissions =
        ActionsPermissions { enabled: true, allowed_actions: "selected".to_owned(), sha_pinning_required: true };
    let selected = SelectedActions {
        github_owned_allowed: true,
        verified_allowed: false,
        patterns_allowed: vec!["monalisa/octocat@*".to_owned()],
    };
    standby.sandbox.set_actions_permissions(STANDBY.0, STANDBY.1, permissions.clone());
    standby.sandbox.set_selected_actions(STANDBY.0, STANDBY.1, selected.clone());
    sync(&standby).await;
    assert_eq!(actions(&standby), permissions);
    assert_eq!(standby.sandbox.selected_actions(STANDBY.0, STANDBY.1), Some(selected));
    assert_eq!(runs(&standby), 0);
}

#[tokio::test]
async fn an_unchanged_sync_costs_one_list_of_each_side_and_moves_no_fence() {
    let standby = started().await;
    sync(&standby).await;
    let before = fence(&standby).unwrap().position();
    sync(&standby).await;
    standby.take_requests();
    let ctx = standby.context().await;
    let states = workflows::read(&ctx).await.unwrap();
    let (plan, _) = workflows::plan(&ctx, &states, None).await.unwrap();
    assert!(plan.changes().is_empty());
    let mut requests = standby.take_requests();
    requests.sort();
    assert_eq!(requests, ["GET /repos/alice/primary/actions/workflows", "GET /repos/backup/standby/actions/workflows"]);
    let mut view = mirror::look(&ctx).await.unwrap();
    standby.take_requests();
    let report = workflows::apply(&ctx, &plan, &mut view).await.unwrap();
    assert_eq!(report.detail.as_deref(), Some("1 active, 2 held"));
    assert!(standby.take_requests().is_empty());
    assert_eq!(fence(&standby).unwrap().position(), before);
}

#[tokio::test]
async fn a_plan_changes_nothing() {
    let standby = started().await;
    standby.take_requests();
    let plan = plan(&standby.context().await).await.unwrap();
    assert_eq!(plan.changes().len(), 4);
    let requests = standby.take_requests();
    assert!(
        requests.iter().all(|request| !request.starts_with("PUT") && !request.contains("receive-pack")),
        "{requests:?}"
    );
    assert!(fence(&standby).is_none());
    assert!(standby.store().open_journals(None).unwrap().is_empty());
}

#[tokio::test]
async fn what_others_switched_off_stays_off_and_is_not_taken_for_ours() {
    let mut standby = started().await;
    sync(&standby).await;
    standby.sandbox.set_workflow_state(STANDBY.0, STANDBY.1, SENTINEL, There::DisabledManually);
    change_primary(&standby, &[(".github/workflows/theirs.yml", BY_HAND)]);
    sync(&standby).await;
    standby.sandbox.set_workflow_state(STANDBY.0, STANDBY.1, ".github/workflows/theirs.yml", There::DisabledInactivity);
    standby.repository.keep_active = BTreeSet::from(["cron.yml".to_owned()]);
    let Synced { plan, report } = sync(&standby).await;
    assert!(plan.listed.contains(&(SENTINEL.to_owned(), WorkflowState::DisabledByOthers)));
    assert_eq!(report.status, AspectStatus::Ok);
    let now = states(&standby);
    assert!(now.contains(&(SENTINEL.to_owned(), There::DisabledManually)));
    assert!(now.contains(&(CRON.to_owned(), There::Active)), "released, since we held it: {now:?}");
}

#[tokio::test]
async fn what_is_allowed_from_now_on_is_released_also_by_a_machine_that_knows_only_the_fence() {
    let mut standby = started().await;
    sync(&standby).await;
    standby.change_machine();
    standby.repository.keep_active = BTreeSet::from(["test.yml".to_owned()]);
    let Synced { plan, report } = sync(&standby).await;
    assert!(plan.listed.contains(&(TEST.to_owned(), WorkflowState::ToRelease)));
    assert_eq!(report.detail.as_deref(), Some("2 active, 1 held"));
    assert!(states(&standby).contains(&(TEST.to_owned(), There::Active)));
    let held: Vec<String> = fence(&standby).unwrap().held.into_keys().collect();
    assert_eq!(held, [CRON]);
}

#[tokio::test]
async fn allowed_workflows_alone_need_no_guard() {
    let mut standby = started().await;
    standby.repository.keep_active = ["test.yml", "cron.yml"].map(str::to_owned).into();
    let synced = sync(&standby).await;
    assert_eq!(synced.plan.guard, ActionsGuardPlan::NotNeeded);
    assert_eq!(synced.report.detail.as_deref(), Some("3 active, 0 held"));
}

#[tokio::test]
async fn actions_that_the_user_switched_off_stay_off() {
    let standby = started().await;
    let off = ActionsPermissions { enabled: false, ..ActionsPermissions::default() };
    standby.sandbox.set_actions_permissions(STANDBY.0, STANDBY.1, off.clone());
    let Synced { plan, report } = sync(&standby).await;
    assert_eq!(plan.guard, ActionsGuardPlan::AlreadyOff);
    assert_eq!(report.status, AspectStatus::Ok);
    assert_eq!((actions(&standby), runs(&standby)), (off, 0));
    assert_eq!(states(&standby), all_held());
    is_closed(&standby);
}

#[tokio::test]
async fn without_administration_rights_the_plan_names_the_risk_and_files_are_held_right_after_the_push() {
    let mut standby = started().await;
    let rights = ["contents", "workflows", "actions", "actions_variables", "secrets"].map(|name| (name, Level::Write));
    standby.token = standby.sandbox.create_token(STANDBY.0, TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &rights));
    let Synced { plan, report } = sync(&standby).await;
    assert_eq!(plan.guard, ActionsGuardPlan::NotAllowed);
    let notice = &plan.notices[0];
    assert_eq!(
        notice.message,
        "the token may not switch Actions off on backup/standby: a workflow may start there between the push and its being held"
    );
    assert!(notice.hint.contains("Administration (write)"));
    assert_eq!((report.status, states(&standby)), (AspectStatus::Ok, all_held()));
}

#[tokio::test]
async fn late_listing_starts_nothing() {
    for listing in [
        Listing { delay_calls: 3, ..Listing::default() },
        Listing { listed_while_actions_off: false, ..Listing::default() },
        Listing { delay_calls: 2, listed_while_actions_off: false, delay: std::time::Duration::from_secs(2) },
    ] {
        let standby = started().await;
        standby.sandbox.set_workflow_listing(STANDBY.0, STANDBY.1, listing);
        let Synced { report, .. } = sync(&standby).await;
        assert_eq!(report.status, AspectStatus::Ok, "{listing:?}: {report:?}");
        assert_eq!((runs(&standby), states(&standby)), (0, all_held()), "{listing:?}");
        assert_eq!(actions(&standby), ActionsPermissions::default());
        is_closed(&standby);
        change_primary(&standby, &[("a.txt", "2")]);
        sync(&standby).await;
        assert_eq!(runs(&standby), 0, "{listing:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_listed_keeps_actions_off_and_code_still_travels() {
    let mut standby = started().await;
    let never = Listing { delay: std::time::Duration::from_secs(1_000_000), ..Listing::default() };
    standby.sandbox.set_workflow_listing(STANDBY.0, STANDBY.1, never);
    let Synced { report, .. } = sync(&standby).await;
    assert_eq!(report.status, AspectStatus::Failed);
    let error = report.error.unwrap();
    assert!(error.starts_with("Actions stay off on mirror mirror-1 because of .github/workflows/cron.yml"), "{error}");
    assert!(!actions(&standby).enabled);
    let open = fence(&standby).unwrap().open_change.expect("an open change");
    assert_eq!(open.kind, "actions_off");
    assert_eq!(standby.store().open_journals(None).unwrap().len(), 1);

    // Another machine, with nothing but the fence, takes it up; by then the files are listed.
    standby.change_machine();
    standby.sandbox.set_workflow_listing(STANDBY.0, STANDBY.1, Listing::default());
    standby.sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
    relist(&standby);
    change_primary(&standby, &[("a.txt", "2")]);
    let Synced { report, .. } = sync(&standby).await;
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    assert_eq!((runs(&standby), states(&standby)), (0, all_held()));
    assert_eq!(actions(&standby), ActionsPermissions::default());
    is_closed(&standby);
}

/// Makes the host list the files that are there: it sees them come anew.
fn relist(standby: &Standby) {
    let path = standby.sandbox.repository_path(STANDBY.0, STANDBY.1);
    let repository = git2::Repository::open_bare(path).unwrap();
    let mut main = repository.find_reference("refs/heads/main").unwrap();
    let tip = main.target().unwrap();
    main.delete().unwrap();
    standby.sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
    repository.reference("refs/heads/main", tip, true, "").unwrap();
    standby.sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
}

#[tokio::test]
async fn a_workflow_that_cannot_be_held_keeps_actions_off() {
    let standby = started().await;
    let refused = FaultMatcher::rest("PUT", "/repos/*/*/actions/workflows/*/disable");
    let fault = standby.sandbox.add_fault(Fault::always(refused, Effect::Status { status: 403, retry_after: None }));
    let Synced { report, .. } = sync(&standby).await;
    assert_eq!(report.status, AspectStatus::Failed);
    assert!(report.error.unwrap().contains("could not be held"));
    assert_eq!((actions(&standby).enabled, runs(&standby)), (false, 0));
    standby.sandbox.remove_fault(fault);
    assert_eq!(sync(&standby).await.report.status, AspectStatus::Ok);
    assert_eq!((runs(&standby), states(&standby)), (0, all_held()));
    is_closed(&standby);
}

#[tokio::test]
async fn a_workflow_that_somebody_else_switches_off_meanwhile_is_done_and_stays_theirs() {
    let standby = started().await;
    let disabling = FaultMatcher::rest("PUT", "/repos/*/*/actions/workflows/*/disable");
    let fault = Fault::always(disabling, Effect::Latency(Duration::from_millis(500)));
    let (fault, sandbox) = (standby.sandbox.add_fault(fault), standby.sandbox.clone());
    let somebody = tokio::spawn(async move {
        while sandbox.fault_hits(fault) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sandbox.set_workflow_state(STANDBY.0, STANDBY.1, "cron.yml", There::DisabledManually)
    });
    let Synced { report, .. } = sync(&standby).await;
    assert!(somebody.await.unwrap());
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("1 active, 1 held, 1 off")));
    assert_eq!((runs(&standby), states(&standby), actions(&standby)), (0, all_held(), ActionsPermissions::default()));
    is_closed(&standby);
    assert_eq!(fence(&standby).unwrap().held.into_keys().collect::<Vec<_>>(), [TEST]);
}

#[tokio::test]
async fn cuts_around_each_write_leave_nothing_open() {
    let writes = ["/repos/*/*/actions/permissions", "/repos/*/*/actions/workflows/*/disable"];
    for path in writes {
        for nth in [1, 2] {
            for effect in [Effect::CutBefore, Effect::CutAfter, Effect::Status { status: 502, retry_after: None }] {
                let standby = started().await;
                standby.sandbox.add_fault(Fault::nth(FaultMatcher::rest("PUT", path), nth, effect.clone()));
                let Synced { report, .. } = sync(&standby).await;
                assert_eq!(report.status, AspectStatus::Ok, "{path} {nth} {effect:?}: {report:?}");
                assert_eq!((runs(&standby), states(&standby)), (0, all_held()), "{path} {nth} {effect:?}");
                assert_eq!(actions(&standby), ActionsPermissions::default());
                is_closed(&standby);
            }
        }
    }
}

#[tokio::test]
async fn if_actions_cannot_be_switched_off_nothing_is_pushed() {
    let standby = started().await;
    let ctx = standby.context().await;
    let mut view = mirror::look(&ctx).await.unwrap();
    planned(&ctx, &mut view).await.unwrap();
    let put = FaultMatcher::rest("PUT", "/repos/*/*/actions/permissions");
    standby.sandbox.add_fault(Fault::always(put, Effect::Status { status: 403, retry_after: None }));
    let error = switch::engage(&ctx, &mut view).await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert!(actions(&standby).enabled);
    // What was begun is seen and ended by the next run.
    assert!(switch::is_open(&ctx, &view).unwrap());
    standby.sandbox.clear_faults();
    assert_eq!(switch::mend(&ctx, &mut view).await.unwrap(), switch::Mended::Restored);
    is_closed(&standby);
}

#[tokio::test]
async fn a_stop_after_the_push_leaves_actions_off_and_the_next_sync_ends_it() {
    let standby = started().await;
    let ctx = standby.context().await;
    let mut view = mirror::look(&ctx).await.unwrap();
    let (code_plan, _) = planned(&ctx, &mut view).await.unwrap();
    let snapshot = code::snapshot(&ctx.source).await.unwrap();
    let engaged = switch::engage(&ctx, &mut view).await.unwrap();
    code::apply(&ctx, &snapshot, &mut view, &code_plan).await.unwrap();
    ctx.cancel.cancel();
    assert_eq!(switch::release(&ctx, engaged, &mut view).await.unwrap_err().code, Code::Cancelled);
    assert!(!actions(&standby).enabled);
    assert!(switch::is_open(&ctx, &view).unwrap());
    assert_eq!(sync(&standby).await.report.status, AspectStatus::Ok);
    assert_eq!((runs(&standby), states(&standby)), (0, all_held()));
    is_closed(&standby);
}

#[tokio::test]
async fn the_report_says_what_keeps_an_interrupted_switch_from_being_ended() {
    let standby = started().await;
    let ctx = standby.context().await;
    let mut view = mirror::look(&ctx).await.unwrap();
    let (code_plan, _) = planned(&ctx, &mut view).await.unwrap();
    let snapshot = code::snapshot(&ctx.source).await.unwrap();
    let _left_off = switch::engage(&ctx, &mut view).await.unwrap();
    code::apply(&ctx, &snapshot, &mut view, &code_plan).await.unwrap();
    let put = FaultMatcher::rest("PUT", "/repos/*/*/actions/permissions");
    standby.sandbox.add_fault(Fault::always(put, Effect::Status { status: 403, retry_after: None }));
    let Synced { report, .. } = sync(&standby).await;
    assert_eq!(report.status, AspectStatus::Failed);
    let error = report.error.unwrap();
    assert!(error.starts_with("an interrupted sync may have left Actions off on mirror mirror-1"), "{error}");
    assert!(error.contains("403") || error.contains("Forbidden") || error.contains("refuse"), "{error}");
    assert!(!report.hint.unwrap().contains("looks again"), "the hint is that of the cause");
}

#[tokio::test]
async fn states_of_the_source_are_remembered_here_and_in_the_fence() {
    let standby = started().await;
    standby.sandbox.set_workflow_state(PRIMARY.0, PRIMARY.1, TEST, There::DisabledManually);
    sync(&standby).await;
    let expected = [(CRON, "active"), (SENTINEL, "active"), (TEST, "disabled_manually")]
        .map(|(path, state)| (path.to_owned(), state.to_owned()))
        .into();
    assert_eq!(standby.store().source_workflows(&standby.repository.id).unwrap(), expected);
    assert_eq!(fence(&standby).unwrap().master_workflows, expected);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_does_not_keep_the_standby_from_being_held() {
    let mut standby = started().await;
    let source_token = standby.source_token.clone().unwrap();
    sync(&standby).await;
    standby.sandbox.set_workflow_state(STANDBY.0, STANDBY.1, CRON, There::Active);
    let refused = FaultMatcher::rest("GET", "/repos/alice/primary/actions/workflows");
    standby.sandbox.add_fault(Fault::always(refused, Effect::Status { status: 403, retry_after: None }));
    standby.source_token = Some(source_token);
    let Synced { plan, report } = sync(&standby).await;
    assert!(plan.notices[0].message.starts_with("the workflow states of the source are not known"));
    assert_eq!((report.status, states(&standby)), (AspectStatus::Ok, all_held()));
}

#[tokio::test]
async fn the_role_is_told_also_where_variables_are_not_kept_in_step() {
    let mut standby = started().await;
    standby.repository.mirrors[0].sync.remove(&Aspect::Variables);
    sync(&standby).await;
    assert_eq!(standby.sandbox.variable(STANDBY.0, STANDBY.1, "MIRROR_ROLE").as_deref(), Some("SLAVE"));
    standby.change_machine();
    standby.sandbox.remove_variable(STANDBY.0, STANDBY.1, "MIRROR_ROLE");
    let refused = FaultMatcher::rest("POST", "/repos/*/*/actions/variables");
    standby.sandbox.add_fault(Fault::always(refused, Effect::Status { status: 403, retry_after: None }));
    assert_eq!(sync(&standby).await.report.status, AspectStatus::Ok, "no failure of the workflows");
}
