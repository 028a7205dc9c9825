//! The sandbox that both sides work in, the mirrors of each, and the check that they did their work.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_sandbox::{Kind, Options as SandboxOptions, RepositorySpec, Sandbox, TokenSpec, WorkflowState};
use tempfile::TempDir;

use crate::Failure;
use crate::contestants::Side;
use crate::figures::Measured;
use crate::options::Options;
use crate::project::{Project, refs_of};

const NAME: &str = "standby";
/// The host lets an account make so much content a minute. In life, syncs lie an hour apart.
const BREATH: Duration = Duration::from_secs(61);

/// One mirror, in an account of its own.
pub struct Mirror {
    owner: String,
    /// A token of that account.
    pub token: String,
}

impl Mirror {
    /// `owner/name`.
    pub fn slug(&self) -> String {
        format!("{}/{NAME}", self.owner)
    }
}

/// The world of one measurement.
pub struct Field {
    sandbox: Sandbox,
    folder: TempDir,
    /// What is kept in step.
    pub project: Project,
    standin: Vec<Mirror>,
    script: Vec<Mirror>,
    last_sync: [Option<Instant>; 2],
    runs_before: usize,
    began: Timestamp,
}

impl Field {
    /// Starts a sandbox with empty mirrors for both sides, and makes the project.
    pub async fn prepare(options: &Options, mirrors: usize) -> Result<Self, Failure> {
        let sandbox = Sandbox::start(SandboxOptions { latency: options.latency, ..SandboxOptions::default() }).await?;
        let folder = tempfile::Builder::new().prefix("standin-bench-").tempdir()?;
        let project = Project::create(&folder.path().join("project"))?;
        sandbox.write_gh_config(&folder.path().join("gh"))?;
        let mut field = Self {
            standin: Vec::new(),
            script: Vec::new(),
            sandbox,
            folder,
            project,
            last_sync: [None; 2],
            runs_before: 0,
            began: Timestamp::now(),
        };
        for number in 1..=mirrors {
            field.standin.push(field.mirror(Side::Standin, number).await?);
            field.script.push(field.mirror(Side::Script, number).await?);
        }
        Ok(field)
    }

    async fn mirror(&self, side: Side, number: usize) -> Result<Mirror, Failure> {
        let owner = format!("{side}-{number}");
        self.sandbox.create_account(&owner);
        self.sandbox.create_repository(&owner, NAME, RepositorySpec::default()).await?;
        let token = self.sandbox.create_token(&owner, TokenSpec::classic(&["repo", "workflow"]));
        Ok(Mirror { owner, token })
    }

    /// The mirrors of one side.
    pub fn mirrors(&self, side: Side) -> &[Mirror] {
        match side {
            Side::Standin => &self.standin,
            Side::Script => &self.script,
        }
    }

    /// A folder of this measurement, made if need be.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// What Standin must know to take the sandbox for GitHub.
    pub fn standin_environment(&self, gh: &Path) -> Vec<(String, String)> {
        vec![
            ("STANDIN_GH".to_owned(), gh.display().to_string()),
            ("STANDIN_GITHUB_API_URL".to_owned(), self.sandbox.api_url()),
            ("STANDIN_GITHUB_SERVER_URL".to_owned(), self.sandbox.server_url()),
            ("STANDIN_GH_CONFIG_DIR".to_owned(), self.gh_config()),
        ]
    }

    /// What the script must know for the same.
    pub fn script_environment(&self) -> Vec<(String, String)> {
        vec![("SERVER".to_owned(), self.sandbox.server_url()), ("GH_CONFIG_DIR".to_owned(), self.gh_config())]
    }

    fn gh_config(&self) -> String {
        self.folder.path().join("gh").display().to_string()
    }

    /// Waits until the host's minute is over for this side, and begins to count.
    pub async fn begin(&mut self, side: Side) {
        let wait = self.last_sync[side as usize].map_or(Duration::ZERO, |end| BREATH.saturating_sub(end.elapsed()));
        if !wait.is_zero() {
            eprintln!("   {side}: waiting {} s for the host's limit of writes a minute", wait.as_secs());
            tokio::time::sleep(wait).await;
        }
        self.sandbox.clear_requests();
        self.began = Timestamp::now();
        self.runs_before = self.runs(side);
    }

    /// What the sync of this side cost, by the host's own account.
    pub fn measured(&mut self, side: Side, time: Duration) -> Measured {
        self.last_sync[side as usize] = Some(Instant::now());
        let requests = self.sandbox.requests();
        let count = |kind: Kind| requests.iter().filter(|request| request.kind == kind).count();
        Measured {
            seconds: time.as_secs_f64(),
            requests: count(Kind::Rest),
            git: count(Kind::Git),
            runs: self.runs(side) - self.runs_before,
        }
    }

    /// Each request since [`Self::begin`]: when it came, in milliseconds after that, how long it took, and what it was.
    pub fn timeline(&self) -> String {
        let mut text = String::new();
        for request in self.sandbox.requests() {
            let at = request.at.duration_since(self.began).as_millis();
            let took = request.duration.unwrap_or_default().as_millis();
            let (method, path, query) = (&request.method, &request.path, &request.query);
            let status = request.status.unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "   {at:>6} +{took:<5} {status} {method:<5} {path} {query}");
        }
        text
    }

    fn runs(&self, side: Side) -> usize {
        self.mirrors(side).iter().map(|mirror| self.sandbox.run_count(&mirror.owner, NAME)).sum()
    }

    /// Fails unless every mirror of this side has every ref, secret and variable, and no active workflow.
    pub fn check(&self, side: Side) -> Result<(), Failure> {
        let refs = self.project.refs()?;
        for mirror in self.mirrors(side) {
            let owner = mirror.owner.as_str();
            let wrong = |what: String| -> Result<(), Failure> { Err(format!("{}: {what}", mirror.slug()).into()) };
            let found = refs_of(&self.sandbox.repository_path(owner, NAME))?;
            if found != refs {
                return wrong(format!("has {} branches and tags, not the {} of the source", found.len(), refs.len()));
            }
            for (name, value) in &self.project.secrets {
                if self.sandbox.secret_value(owner, NAME, name).as_deref() != Some(value.as_bytes()) {
                    return wrong(format!("the secret {name} is not the one that was to be sent"));
                }
            }
            let variables: BTreeMap<_, _> = self
                .sandbox
                .variables(owner, NAME)
                .into_iter()
                .map(|variable| (variable.name, variable.value))
                .collect();
            for (name, value) in &self.project.variables {
                if variables.get(name) != Some(value) {
                    return wrong(format!("the variable {name} is not the one that was to be sent"));
                }
            }
            let workflows = self.sandbox.workflows(owner, NAME);
            if workflows.len() != self.project.workflows().len() {
                return wrong(format!("the host knows {} workflows", workflows.len()));
            }
            if let Some(active) = workflows.iter().find(|workflow| workflow.state == WorkflowState::Active) {
                return wrong(format!("{} is active", active.path));
            }
            if self.sandbox.actions_permissions(owner, NAME).is_none_or(|permissions| !permissions.enabled) {
                return wrong("Actions were left off".to_owned());
            }
        }
        Ok(())
    }

    /// Ends the sandbox.
    pub async fn close(self) -> Result<(), Failure> {
        self.sandbox.stop().await;
        Ok(self.folder.close()?)
    }
}
