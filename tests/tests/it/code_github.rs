//! What only GitHub has: tokens without scopes, protected branches, hidden refs, default branches, visibility.

use std::collections::BTreeMap;
use std::path::Path;

use standin_core::Code;
use standin_core::Result;
use standin_core::code;
use standin_core::context::MirrorContext;
use standin_core::mirror;
use standin_core::plan::{CodePlan, GuardReason};
use standin_core::state::config::Target;
use standin_core::state::model::{Aspect, AspectReport, AspectStatus};
use standin_core::state::store::Fact;
use standin_sandbox::{Effect, Fault, FaultMatcher, Protection, PushLimits, TokenSpec};
use standin_tests::pair::Repo;
use standin_tests::standby::{PRIMARY, STANDBY, Standby};

struct Hub {
    standby: Standby,
    source: Repo,
    mirror: Repo,
}

impl Hub {
    /// A primary with one commit, and an empty standby.
    async fn start() -> Self {
        let mut standby = Standby::start().await;
        standby.credential_helper = Path::new(env!("CARGO_BIN_EXE_credential-helper")).to_owned();
        let at = |(owner, name)| Repo { path: standby.sandbox.repository_path(owner, name) };
        let (source, mirror) = (at(PRIMARY), at(STANDBY));
        source.commit_on("main", "first");
        Self { standby, source, mirror }
    }

    async fn in_step() -> Self {
        let hub = Self::start().await;
        hub.sync().await.unwrap();
        hub.standby.take_requests();
        hub
    }

    async fn sync(&self) -> Result<AspectReport> {
        sync_in(&self.standby.context().await).await.map(|(_, report)| report)
    }

    async fn plan(&self) -> CodePlan {
        let ctx = self.standby.context().await;
        let snapshot = code::snapshot(&ctx.source).await.unwrap();
        let view = mirror::look(&ctx).await.unwrap();
        code::plan(&ctx, &snapshot, &view).await.unwrap()
    }

    fn assert_in_step(&self) {
        let mut mirror = self.mirror.refs();
        mirror.retain(|name, _| !name.starts_with("refs/pull/"));
        let mut source = self.source.refs();
        source.retain(|name, _| !name.starts_with("refs/pull/"));
        assert_eq!(mirror, source);
    }
}

async fn sync_in(ctx: &MirrorContext) -> Result<(CodePlan, AspectReport)> {
    let snapshot = code::snapshot(&ctx.source).await?;
    let mut view = mirror::look(ctx).await?;
    let plan = code::plan(ctx, &snapshot, &view).await?;
    let report = code::apply(ctx, &snapshot, &mut view, &plan).await?;
    Ok((plan, report))
}

#[tokio::test]
async fn a_standby_on_github_is_filled_and_kept_in_step_over_https_with_a_token() {
    let hub = Hub::start().await;
    hub.source.set("refs/pull/1/head", &hub.source.commit("a pull request", None));
    assert_eq!(hub.sync().await.unwrap().status, AspectStatus::Ok);
    hub.assert_in_step();
    assert_eq!(hub.mirror.refs().len(), 1, "no refs/pull");
    hub.source.commit_on("main", "second");
    hub.source.commit_on("topic", "topic");
    assert_eq!(hub.sync().await.unwrap().status, AspectStatus::Ok);
    hub.assert_in_step();
    assert_eq!(hub.mirror.fence().unwrap().1.master, "alice/primary");
}

#[tokio::test]
async fn a_workflow_file_without_the_scope_is_refused_explained_and_the_rest_travels() {
    let mut hub = Hub::in_step().await;
    hub.standby.token = hub.standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
    let workflow = hub.source.commit_file(".github/workflows/ci.yml", b"on: push\njobs: {}\n", None);
    hub.source.set("refs/heads/ci", &workflow);
    hub.source.commit_on("main", "second");
    let report = hub.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    let error = report.error.unwrap();
    assert!(error.contains("refs/heads/ci") && error.contains("`workflow` scope"), "{error}");
    assert!(report.hint.unwrap().contains("Give it the scope `workflow`"));
    assert_eq!(hub.mirror.tip("refs/heads/ci"), None);
    assert_eq!(hub.mirror.tip("refs/heads/main"), hub.source.tip("refs/heads/main"));
    let (_, fence) = hub.mirror.fence().unwrap();
    assert_eq!((fence.sequence, fence.refs.len()), (2, 1));
}

#[tokio::test]
async fn a_protected_branch_of_github_is_explained() {
    let hub = Hub::in_step().await;
    hub.source.commit_on("release", "release");
    hub.sync().await.unwrap();
    hub.standby.sandbox.protect_branch(STANDBY.0, STANDBY.1, "release", Protection::NoRewrite);
    hub.source.set("refs/heads/release", &hub.source.commit("rewritten", None));
    hub.source.commit_on("main", "second");
    let report = hub.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    let error = report.error.unwrap();
    assert!(error.contains("GH006"), "{error}");
    assert!(report.hint.unwrap().contains("take the protection off"));
    assert_eq!(hub.mirror.tip("refs/heads/main"), hub.source.tip("refs/heads/main"));
}

#[tokio::test]
async fn the_default_branch_is_kept_the_same_and_the_old_one_may_go_then() {
    let hub = Hub::in_step().await;
    hub.source.commit_on("trunk", "trunk");
    hub.source.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    assert!(hub.plan().await.set_default_branch);
    assert_eq!(hub.sync().await.unwrap().status, AspectStatus::Ok);
    assert_eq!(hub.standby.sandbox.default_branch(STANDBY.0, STANDBY.1).as_deref(), Some("trunk"));
    assert!(!hub.plan().await.set_default_branch);

    // A rename in one step: the old default branch goes after the new one was named.
    hub.source.git(&["branch", "-m", "trunk", "stem"]);
    hub.source.git(&["symbolic-ref", "HEAD", "refs/heads/stem"]);
    let ctx = hub.standby.context_with_yes().await;
    let (plan, report) = sync_in(&ctx).await.unwrap();
    assert!(plan.guard.contains(&GuardReason::DefaultBranch { name: "refs/heads/trunk".parse().unwrap() }));
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    assert_eq!(hub.standby.sandbox.default_branch(STANDBY.0, STANDBY.1).as_deref(), Some("stem"));
    hub.assert_in_step();
}

#[tokio::test]
async fn a_private_source_goes_to_a_public_mirror_only_after_one_yes() {
    let hub = Hub::start().await;
    hub.standby.sandbox.set_private(STANDBY.0, STANDBY.1, false);
    assert_eq!(hub.plan().await.guard, [GuardReason::PrivateToPublic]);
    assert_eq!(hub.sync().await.unwrap_err().code, Code::GuardHeld);
    assert!(hub.mirror.refs().is_empty());
    sync_in(&hub.standby.context_with_yes().await).await.unwrap();
    hub.source.commit_on("main", "second");
    assert_eq!(hub.sync().await.unwrap().status, AspectStatus::Ok, "it asks once");
    hub.assert_in_step();
}

#[tokio::test]
async fn a_private_source_goes_to_a_host_that_tells_nothing_only_after_one_yes() {
    let mut hub = Hub::start().await;
    let folder = hub.mirror.path.display().to_string();
    hub.standby.repository.mirrors[0].sync = [Aspect::Code].into();
    hub.standby.repository.mirrors[0].target = Target::git(folder);
    let ctx = hub.standby.context_with_yes().await;
    let snapshot = code::snapshot(&ctx.source).await.unwrap();
    let mut view = mirror::look(&ctx).await.unwrap();
    let mut plan = code::plan(&ctx, &snapshot, &view).await.unwrap();
    assert_eq!(plan.guard, [], "a folder is the user's own");

    // Planned only: whether the host moves refs together is known, and the view stays the folder's.
    let (repository, mirror) = (ctx.repository().id.clone(), hub.standby.mirror());
    hub.standby.store().set_fact(&repository, Some(&mirror), Fact::Atomic, Some("yes")).unwrap();
    let mut guard = BTreeMap::new();
    for url in ["http://127.0.0.1:1/x.git", "https://git.example.com/x.git", "git@git.example.com:x.git"] {
        hub.standby.repository.mirrors[0].target = Target::git(url);
        let elsewhere = hub.standby.context().await;
        guard.insert(url, code::plan(&elsewhere, &snapshot, &view).await.unwrap().guard);
    }
    let reason = GuardReason::PrivateToUnknown { host: "git.example.com".to_owned() };
    assert_eq!(guard["http://127.0.0.1:1/x.git"], []);
    assert_eq!(guard["https://git.example.com/x.git"], std::slice::from_ref(&reason));
    assert_eq!(guard["git@git.example.com:x.git"], std::slice::from_ref(&reason));

    plan.guard = vec![reason];
    code::apply(&ctx, &snapshot, &mut view, &plan).await.unwrap();
    let asked_again = hub.standby.context().await;
    assert_eq!(code::plan(&asked_again, &snapshot, &view).await.unwrap().guard, []);
    hub.standby.repository.mirrors[0].target = Target::git("https://other.example.com/x.git");
    let elsewhere = hub.standby.context().await;
    assert_eq!(code::plan(&elsewhere, &snapshot, &view).await.unwrap().guard.len(), 1, "another host is asked about");
}

#[tokio::test]
async fn a_source_that_is_another_repository_of_the_same_name_waits() {
    let hub = Hub::in_step().await;
    let sandbox = &hub.standby.sandbox;
    let before = sandbox.repository_id(PRIMARY.0, PRIMARY.1).unwrap().to_string();
    let refs = hub.mirror.refs();
    sandbox.delete_repository(PRIMARY.0, PRIMARY.1);
    sandbox.create_repository(PRIMARY.0, PRIMARY.1, Default::default()).await.unwrap();
    let now = sandbox.repository_id(PRIMARY.0, PRIMARY.1).unwrap().to_string();
    let fresh = Repo { path: sandbox.repository_path(PRIMARY.0, PRIMARY.1) };
    fresh.commit_on("main", "something else");
    let guard = hub.plan().await.guard;
    assert!(guard.contains(&GuardReason::SourceReplaced { before, now }), "{guard:?}");
    assert_eq!(hub.sync().await.unwrap_err().code, Code::GuardHeld);
    assert_eq!(hub.mirror.refs(), refs);
}

#[tokio::test]
async fn a_push_whose_answer_was_cut_off_is_read_back_and_not_repeated() {
    let hub = Hub::in_step().await;
    hub.source.commit_on("main", "second");
    let fault = Fault::once(FaultMatcher::git("/backup/standby.git/git-receive-pack"), Effect::CutAfter);
    hub.standby.sandbox.add_fault(fault);
    let report = hub.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    hub.assert_in_step();
    assert_eq!(hub.mirror.fence().unwrap().1.sequence, 2, "pushed once");
    hub.source.commit_on("main", "third");
    hub.sync().await.unwrap();
    hub.assert_in_step();
}

#[tokio::test]
async fn an_unchanged_standby_costs_one_listing_of_each_side_and_one_rest_request_of_each() {
    let hub = Hub::in_step().await;
    hub.sync().await.unwrap();
    let requests = hub.standby.take_requests();
    assert!(!requests.iter().any(|request| request.contains("git-receive-pack")), "{requests:#?}");
    assert!(requests.len() <= 6, "{requests:#?}");
}

#[tokio::test]
async fn a_history_that_is_too_much_for_one_push_goes_in_steps() {
    let hub = Hub::start().await;
    let limits = PushLimits { pack_bytes: Some(96 * 1024), refs: None };
    assert!(hub.standby.sandbox.set_push_limits(STANDBY.0, STANDBY.1, limits));
    let mut tip = hub.source.tip("refs/heads/main").unwrap();
    let mut noise = 1_u32;
    for number in 0..9 {
        // Nothing that could be packed smaller.
        let content: Vec<u8> = (0..24 * 1024)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .collect();
        tip = hub.source.commit_file(&format!("part-{number}"), &content, Some(&tip));
    }
    hub.source.set("refs/heads/main", &tip);
    hub.source.set("refs/heads/other", &tip);
    let report = hub.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
    hub.assert_in_step();
    let (_, fence) = hub.mirror.fence().unwrap();
    assert_eq!(fence.refs["refs/heads/main".parse().as_ref().unwrap()], tip);
    // One commit that is too much by itself cannot be cut, and is said to be too much.
    let huge: Vec<u8> = (0..400_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    hub.source.set("refs/heads/huge", &hub.source.commit_file("huge", &huge, Some(&tip)));
    let report = hub.sync().await.unwrap();
    assert_eq!(report.status, AspectStatus::Failed);
    let told = format!("{}\n{}", report.error.unwrap(), report.hint.unwrap());
    assert!(told.contains("refs/heads/huge") && told.contains("pack exceeds maximum allowed size"), "{told}");
    assert!(!told.contains("refs/heads/main"), "{told}");
}
