//! The rehearsal's world: repositories shaped like the configuration, with its code, the names of its secrets and
//! variables with made-up values, and a `standin.toml` and `.env` that name them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use standin_core::Result;
use standin_core::drill::{CodeFrom, Setup};
use standin_core::state::config::Heartbeat;
use standin_core::state::model::{Aspect, Slug};
use standin_sandbox::{RepositorySpec, SandboxError, TokenSpec, WorkflowState};

use crate::rehearsal::program::git;
use crate::rehearsal::{Pair, SandboxRepository, Stage, StageOptions, failed};

/// Opens the stage of a drill.
pub async fn stage(setup: &Setup) -> Result<Stage> {
    Stage::open(StageOptions {
        prefix: "standin-drill-",
        latency: Duration::ZERO,
        data: None,
        clone: setup.repository.to_string(),
        user: "drill".to_owned(),
    })
    .await
}

/// The repositories of the rehearsal, under names that do not collide: its sandbox is one host.
pub struct Spots {
    taken: BTreeSet<String>,
}

impl Spots {
    /// None yet.
    pub fn new() -> Self {
        Self { taken: BTreeSet::new() }
    }

    /// The place of a repository.
    pub fn of(&mut self, slug: &Slug, id: &str) -> SandboxRepository {
        let path = slug.path();
        let (owner, name) = path.split_once('/').unwrap_or((&path, id));
        let mut repository = SandboxRepository { owner: owner.to_owned(), name: name.to_owned() };
        if !self.taken.insert(repository.to_string().to_lowercase()) {
            repository.name = format!("{name}-{id}");
            self.taken.insert(repository.to_string().to_lowercase());
        }
        repository
    }
}

/// Who plays: the master and the standby that takes over. Makes their accounts and all repositories, and writes the
/// configuration.
pub async fn fill<'a>(stage: &'a Stage, setup: &Setup) -> Result<Pair<'a>> {
    let mut repositories = Spots::new();
    let master = repositories.of(&setup.master, "source");
    make(stage, &master, setup).await?;
    let mut standby = None;
    let mut toml = repository_table(setup, &master, stage.clone_path());
    let mut env = format!("MIRROR_ENABLED=true\nMIRROR_SOURCE_TOKEN={}\n", token(stage, &master));
    for (position, mirror) in setup.mirrors.iter().enumerate() {
        let number = position + 1;
        let sync: Vec<&str> = mirror.sync.iter().map(|aspect: &Aspect| aspect.as_str()).collect();
        let _ = write!(toml, "\n[[repository.mirror]]\nid = {}\n", text(mirror.id.as_str()));
        match &mirror.slug {
            Some(slug) => {
                let repository = repositories.of(slug, mirror.id.as_str());
                make(stage, &repository, setup).await?;
                let _ = write!(
                    toml,
                    "type = \"github\"\nrepo = {}\nsync = {}\n",
                    text(&repository.to_string()),
                    json!(sync)
                );
                let _ = write!(
                    env,
                    "MIRROR_{number}_REPO={repository}\nMIRROR_{number}_TOKEN={}\n",
                    token(stage, &repository)
                );
                if mirror.id == setup.standby {
                    standby = Some(repository);
                }
            }
            None => {
                let path = stage.folder().join(format!("{}.git", mirror.id));
                let path = path.to_string_lossy();
                git(stage, stage.folder(), &["init", "-q", "--bare", &path]).await?;
                let _ = write!(toml, "type = \"git\"\nurl = {}\n", text(&path));
            }
        }
    }
    let standby = standby.ok_or_else(|| failed("the drill has no standby", &setup.standby))?;
    fetch(stage, setup, &master).await?;
    for name in &setup.variables {
        stage.sandbox.set_variable(&master.owner, &master.name, name, "made-up-for-the-drill");
    }
    for (position, name) in setup.secrets.iter().enumerate() {
        let _ = writeln!(env, "{name}=made-up-for-the-drill-{position}");
    }
    stage.write("standin.toml", &toml)?;
    stage.write_private(".env", &env)?;
    for (path, state) in &setup.workflows {
        if state.starts_with("disabled") {
            stage.sandbox.set_workflow_state(&master.owner, &master.name, path, WorkflowState::DisabledManually);
        }
    }
    Ok(Pair {
        stage,
        master,
        standby,
        mirror: setup.standby.to_string(),
        interval: setup.sentinel.interval,
        threshold: setup.sentinel.threshold,
    })
}

async fn make(stage: &Stage, repository: &SandboxRepository, setup: &Setup) -> Result<()> {
    let made = |error: SandboxError| failed(&format!("the sandbox has no place for {repository}"), error);
    stage.sandbox.create_account(&repository.owner);
    let spec = RepositorySpec { default_branch: setup.default_branch.clone(), ..RepositorySpec::default() };
    stage.sandbox.create_repository(&repository.owner, &repository.name, spec).await.map_err(made)
}

fn token(stage: &Stage, repository: &SandboxRepository) -> String {
    stage.sandbox.create_token(&repository.owner, TokenSpec::classic(&["repo", "workflow"]))
}

/// A text as TOML has it: its basic strings are JSON's.
fn text(text: &str) -> String {
    json!(text).to_string()
}

fn repository_table(setup: &Setup, master: &SandboxRepository, clone: &Path) -> String {
    let Setup { repository, keep_active, heartbeat, sentinel, secrets, variables, .. } = setup;
    let mut toml = format!(
        "[[repository]]\nid = {}\nsource = {}\npath = {}\nenv_file = {}\nkeep_active = {}\n",
        text(repository.as_str()),
        text(&master.to_string()),
        text(&clone.to_string_lossy()),
        text(&clone.join(".env").to_string_lossy()),
        json!(keep_active),
    );
    if !secrets.is_empty() {
        let _ = writeln!(toml, "secrets = {}", json!(secrets));
    }
    if !variables.is_empty() {
        let _ = writeln!(toml, "variables = {}", json!(variables));
    }
    if let Some(Heartbeat { path, field, max_age }) = heartbeat {
        let _ = writeln!(
            toml,
            "heartbeat = {{ path = {}, field = {}, max_age = \"{}s\" }}",
            text(path),
            text(field),
            max_age.as_secs()
        );
    }
    // The hand-back is the user's to rehearse.
    let _ = writeln!(
        toml,
        "sentinel = {{ threshold = {}, interval = \"{}m\", auto_demotion = false, gone_counts = {}, write_to_master = {} }}",
        sentinel.threshold,
        sentinel.interval.as_secs() / 60,
        sentinel.gone_counts,
        sentinel.write_to_master
    );
    toml
}

/// Brings the code to the master: read from the cache or the clone, which stay as they are.
async fn fetch(stage: &Stage, setup: &Setup, master: &SandboxRepository) -> Result<()> {
    let bare = stage.path(master);
    let from = setup.code.path().to_string_lossy();
    let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &*from];
    match setup.code {
        CodeFrom::Cache(_) => arguments.push("+refs/heads/*:refs/heads/*"),
        CodeFrom::Clone(_) => {
            // Its own branches first; where origin has one of that name too, origin's counts.
            let own = [arguments.as_slice(), &["+refs/heads/*:refs/heads/*"]].concat();
            git(stage, &bare, &own).await?;
            arguments.extend(["+refs/remotes/origin/*:refs/heads/*", "^refs/remotes/origin/HEAD"]);
        }
    }
    arguments.push("+refs/tags/*:refs/tags/*");
    git(stage, &bare, &arguments).await?;
    let clone = stage.clone_path();
    git(stage, clone, &["init", "-q"]).await?;
    let url = format!("{}/{master}.git", stage.sandbox.server_url());
    git(stage, clone, &["remote", "add", "origin", &url]).await?;
    stage
        .sandbox
        .refresh_workflows(&master.owner, &master.name)
        .map_err(|error| failed("the sandbox cannot read the code", error))
}

/// Commits a heartbeat of this moment to the master, so that it is well until it is taken down.
///
/// # Errors
/// Why the configured heartbeat is none.
pub async fn beat(pair: &Pair<'_>, heartbeat: &Heartbeat, branch: &str) -> Result<(), String> {
    let path = pair.stage.path(&pair.master);
    let file = format!("refs/heads/{branch}:{}", heartbeat.path);
    let none = |why: &str| format!("the heartbeat {} {why}", heartbeat.path);
    let found = git(pair.stage, &path, &["show", &file]).await.map_err(|_| none("is not on the default branch"))?;
    let mut document: Value = serde_json::from_str(&found).map_err(|_| none("is not JSON"))?;
    let (outer, last) = heartbeat.field.rsplit_once('.').unwrap_or(("", &heartbeat.field));
    let holder = outer
        .split('.')
        .filter(|name| !name.is_empty())
        .try_fold(&mut document, |value, name| value.as_object_mut().and_then(|fields| fields.get_mut(name)));
    let field = holder.and_then(|holder| holder.as_object_mut()?.get_mut(last));
    let field = field.ok_or_else(|| none(&format!("has no field {}", heartbeat.field)))?;
    let now = pair.stage.sandbox.now();
    *field = if field.is_number() { json!(now.as_second()) } else { json!(format!("{now:.0}")) };
    let new = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
    pair.commit(&pair.master, branch, &heartbeat.path, &(new + "\n"), "Beat for the drill")
        .await
        .map(drop)
        .map_err(|error| error.message)
}
