//! A primary and a standby in the sandbox, and the contexts that a run of Standin would have for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_core::context::{MirrorContext, SourceContext, TimeLimit};
use standin_core::event::Event;
use standin_core::gh::TokioGh;
use standin_core::git::GitProgram;
use standin_core::github::Client;
use standin_core::memory::Memory;
use standin_core::outside::{Keychain, Outside, Progress, SystemClock};
use standin_core::state::config::{
    Config, GitHubHost, Limits, MirrorConfig, RepositoryConfig, SecretValues, Source, Target, VariableValues,
};
use standin_core::state::model::{Aspect, MirrorId, RunStatus, Slug, Trigger};
use standin_core::state::store::{RunRecord, Store};
use standin_core::tokens::{Token, TokenOrigin};
use standin_core::totals::Totals;
use standin_core::{Code, Error, Result};
use standin_sandbox::{Options, RepositorySpec, RequestRecord, Sandbox, TokenSpec};
use tokio_util::sync::CancellationToken;

/// Owner and name of the source.
pub const PRIMARY: (&str, &str) = ("alice", "primary");
/// Owner and name of the mirror.
pub const STANDBY: (&str, &str) = ("backup", "standby");

/// The sandbox's name as a GitHub Enterprise host.
pub const ENTERPRISE: &str = "ghe.example.com";

/// Everything that a run needs, on temporary folders and loopback.
pub struct Standby {
    /// GitHub.
    pub sandbox: Sandbox,
    /// The repository with its one mirror; tests change it before they ask for a context.
    pub repository: RepositoryConfig,
    /// Limits.
    pub limits: Limits,
    /// The mirror's token.
    pub token: String,
    /// The source's token, where it has one.
    pub source_token: Option<String>,
    /// The state folder of this machine.
    pub state: PathBuf,
    /// Events of all runs so far.
    pub events: Arc<Recorder>,
    /// The program that answers git's questions for a token.
    pub credential_helper: PathBuf,
    folder: tempfile::TempDir,
}

/// Keeps every event.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    /// What happened so far.
    pub fn all(&self) -> Vec<Event> {
        self.0.lock().expect("no test panics while it holds this").clone()
    }
}

impl Progress for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().expect("no test panics while it holds this").push(event.clone());
    }
}

/// A machine without a keychain.
pub struct NoKeychain;

#[async_trait]
impl Keychain for NoKeychain {
    async fn get(&self, _account: &str) -> Result<Option<SecretString>> {
        Err(no_keychain())
    }

    async fn set(&self, _account: &str, _value: &SecretString) -> Result<()> {
        Err(no_keychain())
    }

    async fn remove(&self, _account: &str) -> Result<bool> {
        Err(no_keychain())
    }
}

fn no_keychain() -> Error {
    Error::new(Code::KeychainUnavailable, "the keychain cannot be used: this session has none", "")
}

/// What a child process of a test needs to work on the same sandbox.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

impl Standby {
    /// A sandbox with a private primary and a private standby, both empty, and all aspects in step.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// The same with these options.
    pub async fn start_with(options: Options) -> Self {
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
        sandbox.create_account(PRIMARY.0);
        sandbox.create_account(STANDBY.0);
        let scopes = ["repo", "workflow"];
        let token = sandbox.create_token(STANDBY.0, TokenSpec::classic(&scopes));
        let source_token = Some(sandbox.create_token(PRIMARY.0, TokenSpec::classic(&scopes)));
        for (owner, name) in [PRIMARY, STANDBY] {
            sandbox.create_repository(owner, name, RepositorySpec::default()).await.expect("the name is free");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("state");
        let limits = Limits { request: Duration::from_secs(10), ..Limits::default() };
        Self {
            sandbox,
            repository: repository(),
            limits,
            token,
            source_token,
            state,
            events: Arc::default(),
            credential_helper: PathBuf::from("/nonexistent"),
            folder,
        }
    }

    /// From now on another machine: an empty state folder.
    pub fn change_machine(&mut self) {
        static MACHINES: AtomicU32 = AtomicU32::new(0);
        self.state = self.folder.path().join(format!("state-{}", MACHINES.fetch_add(1, Ordering::Relaxed)));
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration: github.com leads to the sandbox.
    pub fn config(&self) -> Config {
        self.place().config(&self.repository, &self.limits)
    }

    /// What another process needs to reach the same sandbox with the same state.
    pub fn place(&self) -> Place {
        let gh_config_dir = self.folder.path().join("gh-config");
        self.sandbox.write_gh_config(&gh_config_dir).expect("gh's configuration is written");
        Place {
            api_url: self.sandbox.api_url(),
            server_url: self.sandbox.server_url(),
            gh_config_dir,
            state: self.state.clone(),
            credential_helper: self.credential_helper.clone(),
            token: self.token.clone(),
            source_token: self.source_token.clone(),
        }
    }

    /// A run of the mirror that begins now.
    pub async fn context(&self) -> MirrorContext {
        self.place().context(&self.repository, &self.limits, self.events.clone(), false).await
    }

    /// The same, confirmed with `--yes`.
    pub async fn context_with_yes(&self) -> MirrorContext {
        self.place().context(&self.repository, &self.limits, self.events.clone(), true).await
    }

    /// The memory of this machine.
    pub fn store(&self) -> Store {
        Store::open(&self.state).expect("the store opens")
    }

    /// The mirror's id.
    pub fn mirror(&self) -> MirrorId {
        self.repository.mirrors[0].id.clone()
    }

    /// REST requests and requests of gh since the last call, as `METHOD path`.
    pub fn take_requests(&self) -> Vec<String> {
        let records = self.sandbox.requests();
        self.sandbox.clear_requests();
        records.iter().map(|RequestRecord { method, path, .. }| format!("{method} {path}")).collect()
    }
}

/// Where things are; enough for another process.
#[derive(Clone, Serialize, Deserialize)]
pub struct Place {
    /// REST.
    pub api_url: String,
    /// git.
    pub server_url: String,
    /// For gh.
    pub gh_config_dir: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// git's credential helper.
    pub credential_helper: PathBuf,
    /// The mirror's token.
    pub token: String,
    /// The source's token.
    pub source_token: Option<String>,
}

impl Place {
    /// The configuration: github.com leads here.
    pub fn config(&self, repository: &RepositoryConfig, limits: &Limits) -> Config {
        let host = GitHubHost {
            name: "github.com".to_owned(),
            api_url: self.api_url.clone(),
            server_url: self.server_url.clone(),
            gh_config_dir: Some(self.gh_config_dir.clone()),
        };
        // The same sandbox as a GitHub Enterprise host.
        let enterprise =
            GitHubHost { name: ENTERPRISE.to_owned(), api_url: format!("{}/api/v3", self.api_url), ..host.clone() };
        Config {
            hosts: vec![host, enterprise],
            repositories: vec![repository.clone()],
            limits: limits.clone(),
            ..Config::default()
        }
    }

    /// The outside: real but for the keychain, which there is none of.
    pub fn outside(&self, events: Arc<Recorder>) -> Outside {
        let environment = Arc::new(environment());
        Outside {
            gh: Arc::new(TokioGh::new(environment.clone())),
            keychain: Arc::new(NoKeychain),
            progress: events,
            clock: Arc::new(SystemClock),
            credential_helper: self.credential_helper.clone(),
            environment,
        }
    }

    /// A run of the mirror that begins now.
    pub async fn context(
        &self,
        repository: &RepositoryConfig,
        limits: &Limits,
        events: Arc<Recorder>,
        yes: bool,
    ) -> MirrorContext {
        let config = Arc::new(self.config(repository, limits));
        let store = Store::open(&self.state).expect("the store opens");
        let outside = self.outside(events);
        let folder = self.state.join(repository.id.as_str());
        std::fs::create_dir_all(&folder).expect("the folder is made");
        let git = GitProgram::find(&outside.environment, &self.credential_helper).await.expect("git is installed");
        let cancel = CancellationToken::new();
        let source_token = self.source_token.as_deref().map(token);
        let totals = Arc::new(Totals::default());
        let source_slug = match &repository.source {
            Source::GitHub(slug) => Some(slug),
            Source::Url(_) | Source::Path(_) => None,
        };
        let source_client = source_slug.zip(source_token.as_ref()).map(|(slug, token)| {
            let memory = Memory::new(&store, &repository.id, None, &outside.clock);
            Client::new(&config, slug, &token.value, memory, totals.clone(), cancel.clone())
                .expect("the source's address is good")
        });
        let source = SourceContext {
            repository: Arc::new(repository.clone()),
            config: config.clone(),
            store: store.clone(),
            folder,
            outside: outside.clone(),
            git,
            token: source_token,
            github: source_client,
            cancel: cancel.clone(),
            limit: TimeLimit::none(),
            totals,
            patience: None,
            change: None,
        };
        let mirror = repository.mirrors[0].clone();
        let run = new_run(&store, repository, &mirror);
        let totals = Arc::new(Totals::default());
        let mirror_token = token(&self.token);
        let client = mirror.slug().map(|slug| {
            let memory = Memory::new(&store, &repository.id, Some(&mirror.id), &outside.clock);
            let client = Client::new(&config, slug, &mirror_token.value, memory, totals.clone(), cancel.clone());
            client.expect("the mirror's address is good")
        });
        MirrorContext {
            source: Arc::new(source),
            run: run.id,
            mirror: Arc::new(mirror),
            token: Some(mirror_token),
            github: client,
            cancel,
            totals,
            yes,
            in_history: true,
        }
    }
}

fn new_run(store: &Store, repository: &RepositoryConfig, mirror: &MirrorConfig) -> RunRecord {
    let record = RunRecord {
        id: format!("run-{:016x}", rand::random::<u64>()).parse().expect("a good id"),
        job: None,
        repository: repository.id.clone(),
        mirror: mirror.id.clone(),
        trigger: Trigger::Manual,
        status: RunStatus::Running,
        started_iso: Timestamp::now(),
        finished_iso: None,
        error: None,
        totals: Totals::default().snapshot(),
        changes: Vec::new(),
    };
    store.begin_run(&record, &mirror.target.display()).expect("the run is recorded");
    record
}

fn token(value: &str) -> Token {
    Token { value: SecretString::from(value), origin: TokenOrigin::Environment }
}

/// `owner/name` as a slug.
pub fn slug((owner, name): (&str, &str)) -> Slug {
    Slug { host: None, owner: owner.to_owned(), name: name.to_owned() }
}

/// The repository with its one mirror.
pub fn repository() -> RepositoryConfig {
    let mirror = MirrorConfig {
        id: "mirror-1".parse().expect("a good id"),
        target: Target::GitHub(slug(STANDBY)),
        enabled: true,
        sync: Aspect::ALL.iter().copied().collect(),
        rhythm: None,
        token: None,
    };
    RepositoryConfig {
        id: "orchestrator".parse().expect("a good id"),
        consent: Default::default(),
        mistakes: Vec::new(),
        newer_mistakes: Vec::new(),
        enabled: true,
        source: Source::GitHub(slug(PRIMARY)),
        source_token: None,
        clone: None,
        env_file: None,
        secrets: SecretValues::default(),
        variables: VariableValues::default(),
        keep_active: BTreeSet::new(),
        notes: false,
        heartbeat: None,
        sentinel: Default::default(),
        master: None,
        home: None,
        mirrors: vec![mirror],
    }
}

/// Listed secrets with these values.
pub fn secrets(pairs: &[(&str, &str)]) -> SecretValues {
    SecretValues {
        listed: true,
        patterns: pairs.iter().map(|(name, _)| (*name).to_owned()).collect(),
        missing: BTreeSet::new(),
        values: pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect(),
        ..SecretValues::default()
    }
}

/// Puts a commit with these files, on top of what the ref has, straight into a bare repository.
pub fn commit(repository: &Path, name: &str, files: &[(&str, &str)]) -> git2::Oid {
    let repository = git2::Repository::open_bare(repository).expect("a bare repository");
    let parent = repository.find_reference(name).ok().map(|found| found.peel_to_commit().expect("a commit"));
    let base = parent.as_ref().map(|parent| parent.tree().expect("a tree"));
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, text) in files {
        let blob = repository.blob(text.as_bytes()).expect("a blob");
        update.upsert(*path, blob, git2::FileMode::Blob);
    }
    let empty = repository.treebuilder(None).and_then(|builder| builder.write()).expect("the empty tree");
    let base = base.unwrap_or_else(|| repository.find_tree(empty).expect("the empty tree"));
    let tree = update.create_updated(&repository, &base).expect("a tree");
    let tree = repository.find_tree(tree).expect("a tree");
    let author = git2::Signature::now("Test", "test@example.com").expect("an author");
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(Some(name), &author, &author, "A change", &tree, &parents).expect("a commit")
}
