//! The switch of Actions when something goes wrong around it: never on with a file that is not held, never in the way of
//! everything else for good, and never moved by what is stale or written by others.

use std::path::{Path, PathBuf};

use serde_json::json;
use standin_core::code;
use standin_core::context::MirrorContext;
use standin_core::event::Event;
use standin_core::fence::{Document, OpenChange};
use standin_core::mirror::{self, MirrorView, fence_move};
use standin_core::plan::ActionsGuardPlan;
use standin_core::state::model::{Aspect, AspectStatus};
use standin_core::state::store::JournalKind;
use standin_core::workflows::switch::{self, Engaged, Mended};
use standin_core::{Code, workflows};
use standin_sandbox::{
    ActionsPermissions, Effect, Fault, FaultMatcher, Level, Listing, TokenSpec, WorkflowState as There,
};
use standin_tests::standby::{PRIMARY, STANDBY, Standby, commit};

const CRON: &str = ".github/workflows/cron.yml";
const ON_PUSH: &str = "on: [push]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n";

/// A primary with a workflow that runs on every push.
async fn started() -> Standby {
    let mut standby = Standby::start().await;
    standby.credential_helper = PathBuf::from(env!("CARGO_BIN_EXE_credential-helper"));
    change_primary(&standby, "refs/heads/main", &[("a.txt", "1"), (CRON, ON_PUSH)]);
    standby
}

fn change_primary(standby: &Standby, name: &str, files: &[(&str, &str)]) {
    commit(&standby.sandbox.repository_path(PRIMARY.0, PRIMARY.1), name, files);
    standby.sandbox.refresh_workflows(PRIMARY.0, PRIMARY.1).expect("the primary is there");
}

/// A run up to the push, with Actions off where it needs that.
async fn pushed(ctx: &MirrorContext) -> (MirrorView, Option<Engaged>) {
    let mut view = mirror::look(ctx).await.unwrap();
    switch::mend(ctx, &mut view).await.unwrap();
    let snapshot = code::snapshot(&ctx.source).await.unwrap();
    let states = workflows::read(ctx).await.unwrap();
    let plan = code::plan(ctx, &snapshot, &view).await.unwrap();
    let guard = workflows::plan(ctx, &states, Some(&plan)).await.unwrap().0.guard;
    let engaged = match guard {
        ActionsGuardPlan::SwitchOff => Some(switch::engage(ctx, &mut view).await.unwrap()),
        _ => None,
    };
    let report = code::apply(ctx, &snapshot, &mut view, &plan).await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    (view, engaged)
}

async fn sync(standby: &Standby) {
    let ctx = standby.context().await;
    let (mut view, engaged) = pushed(&ctx).await;
    if let Some(engaged) = engaged {
        let report = switch::release(&ctx, engaged, &mut view).await.unwrap();
        assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    }
}

async fn mend(standby: &Standby) -> Mended {
    let ctx = standby.context().await;
    let mut view = mirror::look(&ctx).await.unwrap();
    switch::mend(&ctx, &mut view).await.unwrap()
}

fn runs(standby: &Standby) -> usize {
    standby.sandbox.run_count(STANDBY.0, STANDBY.1)
}

fn actions(standby: &Standby) -> ActionsPermissions {
    standby.sandbox.actions_permissions(STANDBY.0, STANDBY.1).expect("the standby is there")
}

fn set_actions(standby: &Standby, permissions: &ActionsPermissions) {
    standby.sandbox.set_actions_permissions(STANDBY.0, STANDBY.1, permissions.clone());
}

fn local_only() -> ActionsPermissions {
    ActionsPermissions { allowed_actions: "local_only".to_owned(), ..ActionsPermissions::default() }
}

fn fence(standby: &Standby) -> Document {
    let repository = git2::Repository::open_bare(standby.sandbox.repository_path(STANDBY.0, STANDBY.1)).unwrap();
    let commit = repository.find_reference("refs/standin/fence").unwrap().peel_to_commit().unwrap();
    let entry = commit.tree().unwrap().get_path(Path::new("fence.json")).unwrap();
    Document::parse(repository.find_blob(entry.id()).unwrap().content()).unwrap()
}

fn assert_closed(standby: &Standby) {
    assert_eq!(fence(standby).open_change, None);
    assert!(standby.store().open_journals(None).unwrap().is_empty());
}

fn assert_held(standby: &Standby) {
    let states = standby.sandbox.workflows(STANDBY.0, STANDBY.1);
    assert!(states.iter().all(|entry| entry.state == There::DisabledManually), "{states:?}");
    assert_eq!((states.is_empty(), runs(standby)), (false, 0));
}

fn refused() -> Effect {
    Effect::Status { status: 403, retry_after: None }
}

#[tokio::test]
async fn whatever_fails_once_actions_are_on_again_switches_them_off() {
    let list = FaultMatcher::rest("GET", "/repos/*/*/actions/workflows");
    let settings = FaultMatcher::rest("GET", "/repos/*/*/actions/permissions");
    for (fault, when) in [(Fault::nth(list, 2, refused()), "listing"), (Fault::nth(settings, 1, refused()), "reading")]
    {
        let standby = started().await;
        let late = Listing { listed_while_actions_off: false, ..Listing::default() };
        standby.sandbox.set_workflow_listing(STANDBY.0, STANDBY.1, late);
        let ctx = standby.context().await;
        let (mut view, engaged) = pushed(&ctx).await;
        standby.sandbox.add_fault(fault);
        let error = switch::release(&ctx, engaged.unwrap(), &mut view).await.unwrap_err();
        assert_eq!(error.code, Code::Forbidden, "{when}");
        assert!(!actions(&standby).enabled, "{when}");
        assert!(fence(&standby).open_change.is_some(), "{when}");
        assert_eq!(mend(&standby).await, Mended::Restored, "{when}");
        assert_eq!(actions(&standby), ActionsPermissions::default(), "{when}");
        assert_held(&standby);
        assert_closed(&standby);
    }
}

#[tokio::test]
async fn a_switch_that_cannot_be_ended_stops_no_other_work() {
    let mut standby = started().await;
    let ctx = standby.context().await;
    pushed(&ctx).await;
    let token = standby.token.clone();
    let rights = ["contents", "workflows", "actions", "actions_variables", "secrets"].map(|name| (name, Level::Write));
    standby.token = standby.sandbox.create_token(STANDBY.0, TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &rights));
    let Mended::StillOff(error) = mend(&standby).await else { panic!("it cannot be ended") };
    assert!(error.message.starts_with("an interrupted sync may have left Actions off on mirror mirror-1"), "{error:?}");
    change_primary(&standby, "refs/heads/main", &[("a.txt", "2")]);
    pushed(&standby.context().await).await;
    assert!(!actions(&standby).enabled);
    standby.token = token;
    assert_eq!(mend(&standby).await, Mended::Restored);
    assert_held(&standby);
    assert_closed(&standby);
}

#[tokio::test]
async fn settings_that_cannot_be_restored_keep_actions_off_until_a_person_has_set_others() {
    let standby = started().await;
    let ctx = standby.context().await;
    pushed(&ctx).await;
    // A field that the host no longer knows.
    let entry = standby.store().open_journals(None).unwrap().remove(0);
    let mut payload = entry.payload;
    payload["permissions"]["gone"] = json!(true);
    standby.store().update_journal(entry.id, &payload).unwrap();
    for _ in 0..2 {
        let Mended::StillOff(error) = mend(&standby).await else { panic!("they cannot be restored") };
        assert_eq!(error.code, Code::ActionsLeftOff);
        assert!(!actions(&standby).enabled);
    }
    set_actions(&standby, &local_only());
    assert_eq!(mend(&standby).await, Mended::Closed);
    assert_eq!(actions(&standby), local_only());
    let notices = standby.events.all().into_iter().filter_map(|event| match event {
        Event::Notice { notice, .. } => Some(notice.message),
        _ => None,
    });
    let told: Vec<String> = notices.filter(|message| message.contains("Before: ")).collect();
    let (before, now) = told[0].split_once("Now: ").expect("before and now");
    assert!(before.contains("\"all\"") && now.contains("\"local_only\""), "{told:?}");
    assert_held(&standby);
    assert_closed(&standby);
}

#[tokio::test]
async fn a_journal_that_outlived_its_change_is_closed_and_brings_nothing_back() {
    let standby = started().await;
    sync(&standby).await;
    set_actions(&standby, &local_only());
    let ctx = standby.context().await;
    let stale = json!({"permissions": {"enabled": true, "allowed_actions": "all", "sha_pinning_required": false}});
    let now = ctx.outside().clock.now();
    ctx.store().open_journal(&ctx.repository().id, &ctx.mirror.id, JournalKind::ActionsOff, stale, now).unwrap();
    standby.take_requests();
    assert_eq!(mend(&standby).await, Mended::Closed);
    assert!(standby.take_requests().iter().all(|request| !request.contains("/actions/")));
    assert_eq!(actions(&standby), local_only());
    assert_closed(&standby);
}

#[tokio::test]
async fn a_change_that_only_the_fence_knows_never_moves_actions_that_are_on() {
    let mut standby = started().await;
    sync(&standby).await;
    let written = json!({"permissions": {"enabled": true, "allowed_actions": "all", "sha_pinning_required": false}});
    for (there, after) in [
        (local_only(), (Mended::Closed, local_only())),
        (
            ActionsPermissions { enabled: false, ..ActionsPermissions::default() },
            (Mended::Restored, ActionsPermissions::default()),
        ),
    ] {
        let ctx = standby.context().await;
        let mut view = mirror::look(&ctx).await.unwrap();
        let since_iso = ctx.outside().clock.now();
        fence_move::amend(&ctx, &mut view, |document| {
            document.open_change = Some(OpenChange {
                kind: "actions_off".to_owned(),
                writer: "rival@elsewhere".to_owned(),
                since_iso,
                settings: written.clone(),
            });
        })
        .await
        .unwrap();
        set_actions(&standby, &there);
        standby.change_machine();
        assert_eq!((mend(&standby).await, actions(&standby)), after);
        assert_held(&standby);
        assert_closed(&standby);
    }
}

#[tokio::test]
async fn a_restored_branch_runs_no_workflow_that_comes_with_it() {
    let mut standby = started().await;
    change_primary(&standby, "refs/heads/topic", &[(".github/workflows/topic.yml", ON_PUSH)]);
    sync(&standby).await;
    let primary = git2::Repository::open_bare(standby.sandbox.repository_path(PRIMARY.0, PRIMARY.1)).unwrap();
    primary.find_reference("refs/heads/topic").unwrap().delete().unwrap();
    sync(&standby).await;
    let id = standby.store().rescues(None, None).unwrap()[0].id.clone();
    let restored = code::restore(&standby.context().await, &id, None).await.unwrap();
    assert_eq!(restored.name.as_str(), "refs/heads/topic");
    let there = git2::Repository::open_bare(standby.sandbox.repository_path(STANDBY.0, STANDBY.1)).unwrap();
    assert_eq!(there.refname_to_id("refs/heads/topic").unwrap().to_string(), restored.oid.as_str());
    assert_eq!((runs(&standby), actions(&standby)), (0, ActionsPermissions::default()));
    assert_closed(&standby);
    // Where workflows are not in Standin's care, they do run.
    standby.repository.mirrors[0].sync.remove(&Aspect::Workflows);
    let other = "refs/heads/other".parse().unwrap();
    code::restore(&standby.context().await, &id, Some(&other)).await.unwrap();
    assert_eq!(runs(&standby), 1);
}
