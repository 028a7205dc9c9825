//! The hand-back between two repositories on GitHub: what the standby committed comes home, whatever happened on both sides.

mod bad;
mod crash;
mod fates;
mod parked;
mod races;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::Pin;
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;
use standin_core::code;
use standin_core::context::MirrorContext;
use standin_core::fence::{Document, Fence, OpenChange};
use standin_core::github::Call;
use standin_core::roles::handback::{self, HandBack, HandBackFate, HandBackRef, HandedBack};
use standin_core::state::config::Target;
use standin_core::state::model::{AspectStatus, MirrorId, Oid};
use standin_core::{Code, Error, Result, mirror};
use standin_sandbox::Options;
use standin_tests::pair::Repo;
use standin_tests::standby::{PRIMARY, Place, Recorder, STANDBY, Standby, slug};

/// What a guard gives.
type Boxed<'a> = Pin<Box<dyn Future<Output = Result<Option<Fence>>> + Send + 'a>>;

/// The epoch of the standby as master.
const EPOCH: u64 = 2;

/// A source and a standby that were in step when the standby became master.
struct World {
    hub: Standby,
    source: Repo,
    standby: Repo,
}

impl World {
    /// Both have `main` with one commit; what `begin` adds to the source is on both, too.
    async fn start(begin: impl FnOnce(&Repo)) -> Self {
        let options = Options { secondary_limit: None, ..Options::default() };
        let mut hub = Standby::start_with(options).await;
        hub.credential_helper = Path::new(env!("CARGO_BIN_EXE_credential-helper")).to_owned();
        let at = |(owner, name)| Repo { path: hub.sandbox.repository_path(owner, name) };
        let (source, standby) = (at(PRIMARY), at(STANDBY));
        source.commit_on("main", "first");
        begin(&source);
        let ctx = hub.context().await;
        let snapshot = code::snapshot(&ctx.source).await.unwrap();
        let mut view = mirror::look(&ctx).await.unwrap();
        let planned = code::plan(&ctx, &snapshot, &view).await.unwrap();
        let report = code::apply(&ctx, &snapshot, &mut view, &planned).await.unwrap();
        assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
        let world = Self { hub, source, standby };
        // As a promotion leaves it, and the first step of handing back.
        world.set_source_fence();
        world
    }

    async fn in_step() -> Self {
        Self::start(|_| {}).await
    }

    fn set_source_fence(&self) {
        let now = Timestamp::now();
        let mut document =
            Document::before_first(EPOCH, "backup/standby", "anna@laptop (01)", now).next("anna@laptop (01)", now);
        document.open_change = Some(OpenChange {
            kind: "role_change".to_owned(),
            writer: "anna@laptop (01)".to_owned(),
            since_iso: now,
            settings: serde_json::json!({"id": "abc", "kind": "demote"}),
        });
        let fence = self.source.commit_file("fence.json", &document.to_bytes().unwrap(), None);
        self.source.set("refs/standin/fence", &fence);
    }

    async fn old(&self) -> MirrorContext {
        self.hub.context().await
    }

    /// The source, as one that takes part in a change.
    async fn home(&self) -> MirrorContext {
        source_context(&self.hub.place()).await
    }

    async fn plan(&self) -> HandBack {
        handback::plan(&self.old().await, &self.home().await, EPOCH).await.unwrap()
    }

    async fn apply(&self, planned: &HandBack) -> Result<HandedBack> {
        let guard = || self.fence();
        handback::apply(&self.old().await, &self.home().await, planned, &guard).await
    }

    /// Plans and applies, and checks that nothing is missing.
    async fn hand_back(&self) -> HandedBack {
        let before = self.tips();
        let planned = self.plan().await;
        let done = self.apply(&planned).await.unwrap();
        self.assert_home();
        self.assert_none_lost(&before);
        done
    }

    /// A guard that allows everything.
    fn fence(&self) -> Boxed<'_> {
        Box::pin(async { Ok(self.source.fence().map(|(oid, document)| Fence { oid, document })) })
    }

    /// All tips of both sides' branches and tags.
    fn tips(&self) -> BTreeSet<Oid> {
        plain(&self.source).into_values().chain(plain(&self.standby).into_values()).collect()
    }

    /// Every commit of the standby's branches and tags is reachable at the source.
    fn assert_home(&self) {
        let tips: Vec<String> = plain(&self.standby).into_values().map(String::from).collect();
        self.assert_reachable_at_source(&tips);
    }

    fn assert_reachable_at_source(&self, tips: &[String]) {
        let mut arguments = vec!["rev-list", "--objects"];
        arguments.extend(tips.iter().map(String::as_str));
        arguments.extend(["--not", "--branches", "--tags"]);
        assert_eq!(self.source.git(&arguments), "", "missing at the source");
    }

    /// Tips that were there before are still reachable on one of both sides.
    fn assert_none_lost(&self, before: &BTreeSet<Oid>) {
        for tip in before {
            let is_at = |repo: &Repo| {
                let output = Command::new("git")
                    .args(["--git-dir", repo.path.to_str().unwrap(), "rev-list", "-1", tip.as_str()])
                    .args(["--not", "--branches", "--tags"])
                    .output()
                    .unwrap();
                output.status.success() && output.stdout.is_empty()
            };
            assert!(is_at(&self.source) || is_at(&self.standby), "{tip} is reachable nowhere");
        }
    }

    /// What REST shows of the pull requests of the source, oldest first.
    async fn pulls(&self) -> Vec<Value> {
        let new = self.home().await;
        let call = Call::get("list_pulls", "listing", "repos/alice/primary/pulls?state=all&per_page=100");
        let mut pulls: Vec<Value> = new.github.unwrap().get(&call).await.unwrap().json("listing").unwrap();
        pulls.reverse();
        pulls
    }
}

/// Branches and tags.
fn plain(repo: &Repo) -> BTreeMap<String, Oid> {
    let mut refs = repo.refs();
    refs.retain(|name, _| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
    refs
}

async fn source_context(place: &Place) -> MirrorContext {
    let mut repository = standin_tests::standby::repository();
    repository.mirrors[0].id = MirrorId::source();
    repository.mirrors[0].target = Target::GitHub(slug(PRIMARY));
    let place = Place { token: place.source_token.clone().unwrap(), ..place.clone() };
    let limits = standin_core::state::config::Limits::default();
    place.context(&repository, &limits, std::sync::Arc::new(Recorder::default()), false).await
}

/// What becomes of each ref, in short.
fn fates(refs: &[HandBackRef]) -> Vec<(&str, HandBackFate, Option<&str>)> {
    refs.iter().map(|home| (home.name.as_str(), home.fate, home.at.as_ref().map(|at| at.as_str()))).collect()
}

fn stopped() -> Error {
    Error::new(Code::FencedOff, "somebody took over", "")
}
