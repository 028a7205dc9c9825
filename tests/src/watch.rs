//! A primary and a standby with a sentinel that the sandbox runs on its own clock: installed, given its tokens and
//! mirrored by the program itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use standin_core::fence::Document;
use standin_core::sentinel;
use standin_sandbox::{
    Conclusion, Effect, Execute, Fault, FaultId, FaultMatcher, Level, Run, RunStatus, TokenSpec, WorkflowState,
};

use crate::cli::{BACKUP, Machine, NAME, OWNER, Options, World, branch, finish, refs};

/// The time between two checks.
pub const INTERVAL: Duration = Duration::from_secs(30 * 60);

/// The time that one run may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The world with its sentinel.
pub struct Watched {
    /// What there is.
    pub world: World,
    /// The machine that set it up.
    pub machine: Machine,
    /// The sentinel's token for the standby: fine-grained, of the standby's owner.
    pub standin_token: String,
    /// The sentinel's token for the master: fine-grained, of the master's owner.
    pub master_token: String,
    runtime: tokio::runtime::Runtime,
}

/// A check that was made.
#[derive(Debug)]
pub struct Checked {
    /// How the run ended.
    pub conclusion: Option<Conclusion>,
    /// What it said.
    pub log: String,
}

impl Watched {
    /// A standby in step, watched every half hour with a threshold of three.
    pub fn new(program: &str) -> Self {
        Self::with(program, "")
    }

    /// The same with further lines in the repository's part of `standin.toml`.
    pub fn with(program: &str, settings: &str) -> Self {
        let gh_program = std::env::var_os("STANDIN_GH").map(PathBuf::from);
        let sandbox = standin_sandbox::Options { gh_program, ..standin_sandbox::Options::default() };
        let world = World::with(program, Options { sandbox, in_memory: true });
        let rights = |names: &[(&'static str, Level)], owner: &str| {
            world.sandbox.create_token(owner, TokenSpec::fine_grained(owner, &[NAME], names))
        };
        let write = Level::Write;
        let standin_token = rights(&[("contents", write), ("actions", write), ("actions_variables", write)], BACKUP);
        let master_token = rights(&[("contents", Level::Read)], OWNER);
        let config = world.folder().join("standin.toml");
        let text = format!("[[repository]]\nid = \"orchestrator\"\nsource = \"{OWNER}/{NAME}\"\n{settings}\n");
        std::fs::write(&config, text).unwrap();
        let machine = world.machine().with("STANDIN_CONFIG", config.display().to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let watched = Self { world, machine, standin_token, master_token, runtime };
        watched.install();
        watched.sync();
        watched.world.sandbox.execute_workflows(BACKUP, NAME, Execute::Only(vec!["sentinel.yml".to_owned()]));
        watched
    }

    fn install(&self) {
        let tokens = format!("STANDIN_TOKEN={}\nMASTER_TOKEN={}\n", self.standin_token, self.master_token);
        let ran = self.machine.standin_with(&["sentinel", "install", "--tokens"], tokens.as_bytes());
        assert_eq!(ran.code(), 0, "{}", ran.all());
    }

    /// Brings the standby in step.
    pub fn sync(&self) {
        let ran = self.machine.standin(&["sync", "--yes"]);
        assert_eq!(ran.code(), 0, "{}", ran.all());
    }

    /// Half an hour passes, and with it one check.
    pub fn check(&self) -> Checked {
        let runs = self.runtime.block_on(self.world.sandbox.advance(INTERVAL));
        assert_eq!(runs.len(), 1, "one check in half an hour");
        self.checked(runs[0])
    }

    /// As many checks as that.
    pub fn checks(&self, count: usize) -> Vec<Checked> {
        (0..count).map(|_| self.check()).collect()
    }

    /// Time passes, with whatever falls due.
    pub fn pass(&self, time: Duration) -> Vec<Checked> {
        let runs = self.runtime.block_on(self.world.sandbox.advance(time));
        runs.into_iter().map(|run| self.checked(run)).collect()
    }

    /// A person starts a check.
    pub fn dispatch(&self) -> Checked {
        let run = self.world.sandbox.dispatch_workflow(BACKUP, NAME, "sentinel.yml", &[]).unwrap();
        self.runtime.block_on(self.world.sandbox.wait_for_runs(PATIENCE)).unwrap();
        self.checked(run)
    }

    /// Half an hour passes; the check is stopped while the request that a fault holds back is under way, if it comes.
    pub fn check_and_stop(&self, matcher: FaultMatcher, nth: u32) -> Checked {
        let fault = Fault::nth(matcher, nth, Effect::Latency(Duration::from_secs(2)));
        let fault = self.world.sandbox.add_fault(fault);
        let runs = self.runtime.block_on(self.world.sandbox.skip(INTERVAL));
        assert_eq!(runs.len(), 1, "one check in half an hour");
        let status = || self.world.sandbox.run(BACKUP, NAME, runs[0]).map(|run| run.status);
        finish("the moment to stop", PATIENCE, || {
            self.world.sandbox.fault_hits(fault) > 0 || status() == Some(RunStatus::Completed)
        });
        self.world.sandbox.cancel_run(BACKUP, NAME, runs[0]);
        self.runtime.block_on(self.world.sandbox.wait_for_runs(PATIENCE)).unwrap();
        self.world.sandbox.remove_fault(fault);
        self.checked(runs[0])
    }

    fn checked(&self, id: u64) -> Checked {
        let run: Run = self.world.sandbox.run(BACKUP, NAME, id).expect("the run is of the standby");
        assert_eq!(run.problem, None);
        let log = self.world.sandbox.run_log(BACKUP, NAME, id).unwrap_or_default();
        for token in [&self.standin_token, &self.master_token] {
            assert!(!log.contains(token.as_str()), "a token in the log");
        }
        Checked { conclusion: run.conclusion, log }
    }

    /// Everything that the master's token asks goes wrong like this.
    pub fn master(&self, effect: Effect) -> FaultId {
        let matcher = FaultMatcher { account: Some(OWNER.to_owned()), ..FaultMatcher::any() };
        self.world.sandbox.add_fault(Fault::always(matcher, effect))
    }

    /// The master answers with errors.
    pub fn master_down(&self) -> FaultId {
        self.master(Effect::Status { status: 502, retry_after: None })
    }

    /// The master is well again.
    pub fn master_back(&self) {
        self.world.sandbox.clear_faults();
    }

    /// The standby's `MIRROR_ROLE`.
    pub fn role(&self) -> String {
        self.world.sandbox.variable(BACKUP, NAME, "MIRROR_ROLE").unwrap_or_default()
    }

    /// Which workflows of the standby are switched on.
    pub fn active(&self) -> Vec<String> {
        let workflows = self.world.sandbox.workflows(BACKUP, NAME).into_iter();
        workflows
            .filter(|workflow| workflow.state == WorkflowState::Active)
            .filter_map(|workflow| Some(workflow.path.rsplit('/').next()?.to_owned()))
            .collect()
    }

    /// The standby's fence.
    pub fn fence(&self) -> Document {
        read_fence(&self.world.standby()).expect("the standby has a fence")
    }

    /// What the sentinel remembers.
    pub fn memory(&self) -> Value {
        let text = self.world.sandbox.variable(BACKUP, NAME, sentinel::STATE);
        text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
    }

    /// Changes what the sentinel remembers.
    pub fn set_memory(&self, value: &Value) {
        self.world.sandbox.set_variable(BACKUP, NAME, sentinel::STATE, &value.to_string());
    }

    /// Asserts that the standby watches and nothing else.
    pub fn assert_slave(&self) {
        assert_eq!((self.role().as_str(), self.active()), ("SLAVE", vec!["sentinel.yml".to_owned()]));
        let fence = self.fence();
        assert_eq!(
            (fence.master.to_string(), fence.temporary, fence.open_change),
            (format!("{OWNER}/{NAME}"), false, None)
        );
    }

    /// Asserts that the standby stands in for the master.
    pub fn assert_temporary(&self) {
        let all = ["cron.yml", "deploy.yml", "sentinel.yml", "test.yml"].map(str::to_owned).to_vec();
        assert_eq!((self.role().as_str(), self.active()), ("TEMPORARY_MASTER", all));
        let fence = self.fence();
        assert_eq!(
            (fence.master.to_string(), fence.temporary, fence.open_change),
            (format!("{BACKUP}/{NAME}"), true, None)
        );
        assert!(fence.held.is_empty(), "{:?}", fence.held);
    }

    /// Somebody commits on a branch of the standby.
    pub fn work_on(&self, name: &str) -> git2::Oid {
        self.world.intrude(&self.world.standby(), &branch(name))
    }

    /// Somebody else moves the standby's fence.
    pub fn move_fence(&self, change: impl FnOnce(&mut Document)) {
        move_fence(&self.world.standby(), self.world.sandbox.now(), change);
    }

    /// Branches and tags of the standby.
    pub fn refs(&self) -> BTreeMap<String, git2::Oid> {
        refs(&self.world.standby())
    }
}

/// Moves the fence of a repository on disk one step on, with what `change` makes of its document.
pub fn move_fence(path: &Path, now: jiff::Timestamp, change: impl FnOnce(&mut Document)) {
    let mut document = read_fence(path).expect("there is a fence").next("eve@elsewhere", now);
    change(&mut document);
    let repository = git2::Repository::open_bare(path).unwrap();
    let parent = repository.find_reference("refs/standin/fence").unwrap().peel_to_commit().unwrap();
    let blob = repository.blob(&document.to_bytes().unwrap()).unwrap();
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("fence.json", blob, 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let author = git2::Signature::now("Eve", "eve@example.com").unwrap();
    repository.commit(Some("refs/standin/fence"), &author, &author, "Move", &tree, &[&parent]).unwrap();
}

/// The fence of a repository on disk.
pub fn read_fence(repository: &Path) -> Option<Document> {
    let repository = git2::Repository::open_bare(repository).unwrap();
    let commit = repository.find_reference("refs/standin/fence").ok()?.peel_to_commit().unwrap();
    let entry = commit.tree().unwrap().get_path(Path::new("fence.json")).unwrap();
    Some(Document::parse(repository.find_blob(entry.id()).unwrap().content()).unwrap())
}
