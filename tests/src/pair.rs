//! A source and a mirror as bare repositories in a temporary folder, and machines that keep them in step: contexts are
//! made as a run makes them, with a store and a cache of each machine's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use git2::Repository;
use jiff::{SignedDuration, Timestamp};
use standin_core::code::{self, Snapshot};
use standin_core::context::{MirrorContext, SourceContext, TimeLimit};
use standin_core::event::{Event, Notice};
use standin_core::fence::Document;
use standin_core::gh::TokioGh;
use standin_core::git::GitProgram;
use standin_core::mirror::{self, MirrorView};
use standin_core::outside::{Clock, Outside};
use standin_core::plan::CodePlan;
use standin_core::state::config::{
    Config, GitTarget, Limits, MirrorConfig, RepositoryConfig, SecretValues, Source, Target, VariableValues,
};
use standin_core::state::model::{Aspect, AspectReport, Oid, RefName, RunStatus, Trigger};
use standin_core::state::store::{DecisionChoice, Fact, RecordedChange, RunRecord, Store};
use standin_core::totals::Totals;
use standin_core::{Error, Result};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::git::{bare, commit, refs, set_ref};
use crate::standby::{NoKeychain, Recorder};

/// The two repositories.
pub struct Pair {
    /// The source; empty at first, its HEAD names `main`.
    pub source: Repo,
    /// The mirror; empty at first.
    pub mirror: Repo,
    /// The configuration; tests change it before they make a machine.
    pub repository: RepositoryConfig,
    folder: TempDir,
}

/// A bare repository, looked at and changed directly.
#[derive(Clone)]
pub struct Repo {
    /// Where it is.
    pub path: PathBuf,
}

/// A machine with Standin on it.
pub struct Machine {
    /// What happened so far.
    pub events: Arc<Recorder>,
    /// Its memory.
    pub store: Store,
    state: PathBuf,
    home: PathBuf,
    clock: Arc<SetClock>,
    repository: Arc<RepositoryConfig>,
}

/// A ref name in short.
pub fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

/// A clock that tests move.
#[derive(Default)]
struct SetClock(Mutex<SignedDuration>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock().unwrap()
    }
}

impl Pair {
    /// Two empty repositories.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("standin-pair-").tempdir().unwrap();
        let repo = |name: &str| {
            let path = folder.path().join(name);
            bare(&path);
            let repo = Repo { path };
            // These stand for somebody else's disks; ours are what is tested.
            repo.configure("core.fsync", "none");
            repo
        };
        let (source, mirror) = (repo("source.git"), repo("mirror.git"));
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let repository = RepositoryConfig {
            id: "demo".parse().unwrap(),
            consent: Default::default(),
            mistakes: Vec::new(),
            newer_mistakes: Vec::new(),
            enabled: true,
            source: Source::Path(source.path.clone()),
            source_token: None,
            clone: None,
            env_file: None,
            secrets: SecretValues::default(),
            variables: VariableValues::default(),
            keep_active: Default::default(),
            notes: false,
            heartbeat: None,
            sentinel: Default::default(),
            master: None,
            home: None,
            mirrors: vec![MirrorConfig {
                id: "backup".parse().unwrap(),
                // Tests make a mirror refuse by its hooks.
                target: Target::Git(GitTarget { url: mirror.path.display().to_string(), ssh_key: None, hooks: true }),
                enabled: true,
                sync: [Aspect::Code].into(),
                rhythm: None,
                token: None,
            }],
        };
        Self { source, mirror, repository, folder }
    }

    /// Two repositories with one commit on `main`, in step.
    pub async fn in_step() -> (Self, Machine) {
        let pair = Self::new();
        pair.source.commit_on("main", "first");
        let machine = pair.machine("laptop");
        machine.sync().await.unwrap();
        (pair, machine)
    }

    /// A machine with an empty memory, or the one of that name again. The source is a folder, which only one installation
    /// has: all of them are that one to the fence. See [`Machine::become_a_stranger`].
    pub fn machine(&self, name: &str) -> Machine {
        let state = self.folder.path().join("machines").join(name);
        std::fs::create_dir_all(&state).unwrap();
        let store = Store::open(&state).unwrap();
        store.set_fact(&self.repository.id, None, Fact::Installation, Some("01234567")).unwrap();
        Machine {
            events: Arc::default(),
            store,
            state,
            home: self.folder.path().join("home"),
            clock: Arc::default(),
            repository: Arc::new(self.repository.clone()),
        }
    }

    /// A folder for the test's own things.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Asserts that the mirror holds what the source holds, and nothing else but the fence.
    pub fn assert_in_step(&self) {
        assert_eq!(self.mirror.refs(), self.source.refs());
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Repo {
    /// The repository.
    pub fn open(&self) -> Repository {
        Repository::open_bare(&self.path).unwrap()
    }

    /// A commit; nothing names it.
    pub fn commit(&self, text: &str, parent: Option<&Oid>) -> Oid {
        commit(&self.open(), text, parent)
    }

    /// A commit on top of a branch, which is made where there is none.
    pub fn commit_on(&self, branch: &str, text: &str) -> Oid {
        let name = format!("refs/heads/{branch}");
        let tip = self.commit(text, self.tip(&name).as_ref());
        self.set(&name, &tip);
        tip
    }

    /// Sets a ref, whatever it was.
    pub fn set(&self, name: &str, oid: &Oid) {
        set_ref(&self.open(), name, oid);
    }

    /// Deletes a ref.
    pub fn delete(&self, name: &str) {
        self.open().find_reference(name).unwrap().delete().unwrap();
    }

    /// The tip of a ref.
    pub fn tip(&self, name: &str) -> Option<Oid> {
        refs(&self.path).remove(name)
    }

    /// All refs but the fence.
    pub fn refs(&self) -> BTreeMap<String, Oid> {
        let mut refs = refs(&self.path);
        refs.remove("refs/standin/fence");
        refs
    }

    /// An annotated tag.
    pub fn annotated_tag(&self, name: &str, target: &Oid) -> Oid {
        let repository = self.open();
        let target = repository.find_object(git2::Oid::from_str(target.as_str()).unwrap(), None).unwrap();
        let tagger = git2::Signature::new("Tester", "tester@localhost", &git2::Time::new(1_700_000_000, 0)).unwrap();
        repository.tag(name, &target, &tagger, "a tag", true).unwrap().to_string().parse().unwrap()
    }

    /// The fence: its commit and document.
    pub fn fence(&self) -> Option<(Oid, Document)> {
        let oid = self.tip("refs/standin/fence")?;
        let repository = self.open();
        let commit = repository.find_commit(git2::Oid::from_str(oid.as_str()).unwrap()).unwrap();
        let blob = commit.tree().unwrap().get_name("fence.json").unwrap().id();
        let content = repository.find_blob(blob).unwrap().content().to_vec();
        Some((oid, Document::parse(&content).unwrap()))
    }

    /// Moves the fence as somebody else would: the present document changed by `change`, one step on, on top of the
    /// present commit.
    pub fn move_fence(&self, change: impl FnOnce(&mut Document)) -> Oid {
        let (parent, document) = self.fence().unwrap();
        let mut document = document.next("rival@elsewhere (00000000)", Timestamp::now());
        change(&mut document);
        let fence = self.commit_file("fence.json", &document.to_bytes().unwrap(), Some(&parent));
        self.set("refs/standin/fence", &fence);
        fence
    }

    /// A commit with one file; nothing names it.
    pub fn commit_file(&self, path: &str, content: &[u8], parent: Option<&Oid>) -> Oid {
        let repository = self.open();
        let mut index = git2::Index::new().unwrap();
        let entry = git2::IndexEntry {
            ctime: git2::IndexTime::new(0, 0),
            mtime: git2::IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            file_size: 0,
            id: repository.blob(content).unwrap(),
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).unwrap();
        let tree = repository.find_tree(index.write_tree_to(&repository).unwrap()).unwrap();
        let author = git2::Signature::new("Tester", "tester@localhost", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parent = parent.map(|oid| repository.find_commit(git2::Oid::from_str(oid.as_str()).unwrap()).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(None, &author, &author, path, &tree, &parents).unwrap().to_string().parse().unwrap()
    }

    /// Sets a git setting of the repository.
    pub fn configure(&self, key: &str, value: &str) {
        self.git(&["config", "--add", key, value]);
    }

    /// Runs git in the repository and gives its output.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(&self.path)
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Machine {
    /// From now on another installation than the others of its pair, as a really new machine is.
    pub fn become_a_stranger(&self) {
        self.store.set_fact(&self.repository.id, None, Fact::Installation, None).unwrap();
    }

    /// A run of the mirror that begins now.
    pub async fn context(&self) -> MirrorContext {
        self.context_with(false).await
    }

    /// The same, confirmed or not.
    pub async fn context_with(&self, yes: bool) -> MirrorContext {
        let environment: BTreeMap<String, String> = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", self.home.display().to_string()),
            ("USER", "anna".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let environment = Arc::new(environment);
        let helper = PathBuf::from("/nonexistent");
        let git = GitProgram::find(&environment, &helper).await.unwrap();
        let config = Config {
            repositories: vec![(*self.repository).clone()],
            limits: Limits { request: std::time::Duration::from_secs(30), ..Limits::default() },
            ..Config::default()
        };
        let cancel = CancellationToken::new();
        let folder = self.state.join(self.repository.id.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        let source = SourceContext {
            repository: self.repository.clone(),
            config: Arc::new(config),
            store: self.store.clone(),
            folder,
            outside: Outside {
                gh: Arc::new(TokioGh::new(environment.clone())),
                keychain: Arc::new(NoKeychain),
                progress: self.events.clone(),
                clock: self.clock.clone(),
                credential_helper: helper,
                environment,
            },
            git,
            token: None,
            github: None,
            cancel: cancel.clone(),
            limit: TimeLimit::none(),
            totals: Arc::new(Totals::default()),
            patience: None,
            change: None,
        };
        let mirror = self.repository.mirrors[0].clone();
        let record = RunRecord {
            id: format!("run-{:016x}", rand::random::<u64>()).parse().unwrap(),
            job: None,
            repository: self.repository.id.clone(),
            mirror: mirror.id.clone(),
            trigger: Trigger::Manual,
            status: RunStatus::Running,
            started_iso: Timestamp::now(),
            finished_iso: None,
            error: None,
            totals: Totals::default().snapshot(),
            changes: Vec::new(),
        };
        self.store.begin_run(&record, &mirror.target.display()).unwrap();
        MirrorContext {
            source: Arc::new(source),
            run: record.id,
            mirror: Arc::new(mirror),
            token: None,
            github: None,
            cancel,
            totals: Arc::new(Totals::default()),
            yes,
            in_history: true,
        }
    }

    /// Snapshot, look, plan, apply: the code aspect of a sync.
    pub async fn sync(&self) -> Result<AspectReport> {
        self.sync_in(&self.context().await).await
    }

    /// The same, confirmed with `--yes`.
    pub async fn sync_with_yes(&self) -> Result<AspectReport> {
        self.sync_in(&self.context_with(true).await).await
    }

    /// The same in a run of the test's own.
    pub async fn sync_in(&self, ctx: &MirrorContext) -> Result<AspectReport> {
        let mut planned = self.plan_in(ctx).await?;
        planned.apply(ctx).await
    }

    /// The plan as it is now.
    pub async fn plan(&self) -> Result<CodePlan> {
        Ok(self.plan_in(&self.context().await).await?.plan)
    }

    /// The plan in a run of the test's own, to be applied later.
    pub async fn plan_in(&self, ctx: &MirrorContext) -> Result<PlannedRun> {
        let snapshot = code::snapshot(&ctx.source).await?;
        let view = mirror::look(ctx).await?;
        let plan = code::plan(ctx, &snapshot, &view).await?;
        Ok(PlannedRun { snapshot, view, plan })
    }

    /// A choice of the user.
    pub async fn resolve(&self, name: &str, choice: DecisionChoice) -> Result<code::Resolved> {
        code::resolve(&self.context().await, &name.parse().unwrap(), choice).await
    }

    /// What the history says of a run.
    pub fn changes(&self, ctx: &MirrorContext) -> Vec<RecordedChange> {
        self.store.run(&ctx.run).unwrap().unwrap().changes
    }

    /// Notices heard so far.
    pub fn notices(&self) -> Vec<Notice> {
        let events = self.events.all().into_iter();
        events.filter_map(|event| if let Event::Notice { notice, .. } = event { Some(notice) } else { None }).collect()
    }

    /// Lets days pass.
    pub fn pass_days(&self, days: i64) {
        *self.clock.0.lock().unwrap() += SignedDuration::from_hours(24 * days);
    }

    /// Where the machine keeps everything.
    pub fn state(&self) -> &Path {
        &self.state
    }
}

/// A plan that was not applied yet.
pub struct PlannedRun {
    /// The source.
    pub snapshot: Arc<Snapshot>,
    /// The mirror.
    pub view: MirrorView,
    /// The plan.
    pub plan: CodePlan,
}

impl PlannedRun {
    /// Applies it.
    pub async fn apply(&mut self, ctx: &MirrorContext) -> Result<AspectReport> {
        code::apply(ctx, &self.snapshot, &mut self.view, &self.plan).await
    }
}

/// The error of what must fail.
pub fn failure<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("it fails")
}
