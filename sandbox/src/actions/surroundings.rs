//! What a run finds: the contexts of its expressions, and the environment and folders of its steps.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::expression::{Object, Value};
use super::plan::{InputKind, Plan};
use crate::shared::Shared;
use crate::world::World;

/// Fields of an event that are empty where the event has none; any other that is missing is a mistake.
const EVENT_FIELDS: [&str; 12] = [
    "inputs",
    "schedule",
    "ref",
    "before",
    "after",
    "head_commit",
    "workflow",
    "created",
    "deleted",
    "forced",
    "pusher",
    "base_ref",
];

/// All that a run is about, fixed when it is set off.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub repository: String,
    pub repository_id: u64,
    pub owner: String,
    pub owner_id: u64,
    pub private: bool,
    pub run_id: u64,
    pub run_number: u64,
    pub workflow: String,
    pub path: String,
    pub event_name: String,
    pub event: Json,
    /// Full name of the ref.
    pub reference: String,
    pub sha: String,
    pub actor: String,
    pub actor_id: u64,
}

impl About {
    fn reference_name(&self) -> &str {
        let short = ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| self.reference.strip_prefix(prefix));
        short.unwrap_or(&self.reference)
    }

    fn reference_type(&self) -> &'static str {
        if self.reference.starts_with("refs/tags/") { "tag" } else { "branch" }
    }

    /// What the context `github` and the variables `GITHUB_…` have in common.
    fn facts(&self, shared: &Shared) -> Vec<(&'static str, String)> {
        vec![
            ("action_repository", String::new()),
            ("actor", self.actor.clone()),
            ("actor_id", self.actor_id.to_string()),
            ("api_url", shared.root_url.clone()),
            ("base_ref", String::new()),
            ("event_name", self.event_name.clone()),
            ("graphql_url", format!("{}/graphql", shared.root_url)),
            ("head_ref", String::new()),
            ("ref", self.reference.clone()),
            ("ref_name", self.reference_name().to_owned()),
            ("ref_protected", "false".to_owned()),
            ("ref_type", self.reference_type().to_owned()),
            ("repository", self.repository.clone()),
            ("repository_id", self.repository_id.to_string()),
            ("repository_owner", self.owner.clone()),
            ("repository_owner_id", self.owner_id.to_string()),
            ("retention_days", "90".to_owned()),
            ("run_attempt", "1".to_owned()),
            ("run_id", self.run_id.to_string()),
            ("run_number", self.run_number.to_string()),
            ("server_url", shared.server_url()),
            ("sha", self.sha.clone()),
            ("triggering_actor", self.actor.clone()),
            ("workflow", self.workflow.clone()),
            ("workflow_ref", format!("{}/{}@{}", self.repository, self.path, self.reference)),
            ("workflow_sha", self.sha.clone()),
        ]
    }

    /// The context `github`; `more` is what only a job has.
    pub(super) fn context(&self, shared: &Shared, more: Vec<(String, Value)>) -> Value {
        let mut fields: Vec<(String, Value)> =
            self.facts(shared).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let visibility = if self.private { "private" } else { "public" };
        fields.push(("repository_visibility".to_owned(), visibility.into()));
        fields.push(("repositoryUrl".to_owned(), format!("{}/{}.git", shared.server_url(), self.repository).into()));
        fields.push(("event".to_owned(), self.event_context()));
        fields.extend(more);
        Object::closed("the context github", fields).into()
    }

    fn event_context(&self) -> Value {
        let mut fields: Vec<(String, Value)> = match &self.event {
            Json::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
            _ => Vec::new(),
        };
        for name in EVENT_FIELDS {
            if !fields.iter().any(|(known, _)| known == name) {
                fields.push((name.to_owned(), Value::Null));
            }
        }
        Object::closed("github.event", fields).into()
    }

    /// The context `inputs`: what was given, else the defaults; empty but for `workflow_dispatch`.
    pub(super) fn inputs(&self, plan: &Plan) -> Value {
        let given = self.event.get("inputs").and_then(Json::as_object);
        let fields = plan.inputs.iter().map(|input| {
            let text = given.and_then(|given| given.get(&input.name)).and_then(Json::as_str);
            let value = match (text, &input.kind) {
                (None, _) => Value::Null,
                (Some(text), InputKind::Boolean) => Value::Bool(text == "true"),
                (Some(text), InputKind::Number) => Value::Number(Value::from(text).to_number()),
                (Some(text), InputKind::Text | InputKind::Choice(_)) => text.into(),
            };
            (input.name.clone(), value)
        });
        Object::closed("the inputs that the workflow declares", fields).into()
    }
}

/// Secrets and variables of a repository, as texts.
pub(super) struct Stored {
    pub secrets: Vec<(String, String)>,
    pub variables: Vec<(String, String)>,
}

impl Stored {
    pub(super) fn of(world: &World, repository_id: u64) -> Self {
        let repository = world.repository(repository_id);
        let secrets = repository.into_iter().flat_map(|repository| repository.secrets.values());
        let variables = repository.into_iter().flat_map(|repository| repository.variables.values());
        Self {
            secrets: secrets
                .map(|secret| (secret.name.clone(), String::from_utf8_lossy(&secret.value).into_owned()))
                .collect(),
            variables: variables.map(|variable| (variable.name.clone(), variable.value.clone())).collect(),
        }
    }
}

/// An object of texts where what is missing is empty.
pub(super) fn texts(pairs: &[(String, String)]) -> Value {
    Object::open(pairs.iter().map(|(name, value)| (name.clone(), value.clone().into()))).into()
}

/// The folders of a job, removed with it.
pub(super) struct Folders {
    dir: TempDir,
    pub workspace: PathBuf,
    pub home: PathBuf,
    pub temporary: PathBuf,
    /// What `$GITHUB_OUTPUT` and the like name is in here.
    pub files: PathBuf,
    gh: PathBuf,
    tools: PathBuf,
}

impl Folders {
    /// Makes them, with what lets `gh` and `git` find the sandbox. Blocks on the disk.
    pub(super) fn create(shared: &Shared, about: &About) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("job-").tempdir_in(&shared.actions.dir)?;
        let name = about.repository.rsplit('/').next().unwrap_or_default().to_owned();
        let below = |path: &str| dir.path().join(path);
        let folders = Self {
            workspace: below("work").join(&name).join(&name),
            home: below("home"),
            temporary: below("work/_temp"),
            files: below("work/_temp/_runner_file_commands"),
            gh: below("gh"),
            tools: below("tools"),
            dir,
        };
        for folder in [&folders.workspace, &folders.home, &folders.files, &folders.tools, &folders.gh] {
            fs::create_dir_all(folder)?;
        }
        fs::write(folders.gh.join("config.yml"), gh_config(&shared.actions.socket))?;
        let server = shared.server_url();
        fs::write(
            folders.home.join(".gitconfig"),
            format!("[url \"{server}/\"]\n\tinsteadOf = https://github.com/\n[safe]\n\tdirectory = *\n"),
        )?;
        fs::write(folders.event(), about.event.to_string())?;
        Ok(folders)
    }

    fn event(&self) -> PathBuf {
        self.dir.path().join("event.json")
    }

    /// The variables that every step finds, without its own files.
    pub(super) fn environment(&self, shared: &Shared, about: &About, job: &str, mark: &str) -> Vec<(String, OsString)> {
        let mut environment: Vec<(String, OsString)> = about
            .facts(shared)
            .into_iter()
            .map(|(name, value)| (format!("GITHUB_{}", name.to_uppercase()), value.into()))
            .collect();
        let nothing = shared.root_url.clone();
        let name = format!("sandbox-{}", about.run_id);
        let more: [(&str, OsString); 27] = [
            ("CI", "true".into()),
            ("GITHUB_ACTIONS", "true".into()),
            ("GITHUB_EVENT_PATH", self.event().into()),
            ("GITHUB_JOB", job.into()),
            ("GITHUB_WORKSPACE", self.workspace.clone().into()),
            ("GH_CONFIG_DIR", self.gh.clone().into()),
            ("GH_NO_UPDATE_NOTIFIER", "1".into()),
            ("GH_TELEMETRY", "false".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("HOME", self.home.clone().into()),
            ("LANG", "C.UTF-8".into()),
            // Nothing is asked of the internet: who tries is told so by the sandbox.
            ("https_proxy", nothing.clone().into()),
            ("HTTPS_PROXY", nothing.clone().into()),
            ("http_proxy", nothing.into()),
            ("no_proxy", "127.0.0.1,localhost".into()),
            ("NO_PROXY", "127.0.0.1,localhost".into()),
            ("RUNNER_ARCH", architecture().into()),
            ("RUNNER_ENVIRONMENT", "github-hosted".into()),
            ("RUNNER_NAME", name.into()),
            ("RUNNER_OS", system().into()),
            ("RUNNER_TEMP", self.temporary.clone().into()),
            ("TMPDIR", self.temporary.clone().into()),
            ("RUNNER_TOOL_CACHE", self.tools.clone().into()),
            (super::process::MARK, mark.into()),
            ("RUNNER_WORKSPACE", self.workspace.parent().unwrap_or(Path::new("/")).into()),
            ("SHELL", "/bin/bash".into()),
        ];
        environment.extend(more.map(|(name, value)| (name.to_owned(), value)));
        environment
    }

    /// The context `runner`.
    pub(super) fn runner(&self, about: &About) -> Value {
        let text = |path: &Path| Value::from(path.to_string_lossy().into_owned());
        let fields = [
            ("name", format!("sandbox-{}", about.run_id).into()),
            ("os", system().into()),
            ("arch", architecture().into()),
            ("temp", text(&self.temporary)),
            ("tool_cache", text(&self.tools)),
            ("debug", "".into()),
            ("environment", "github-hosted".into()),
            ("workspace", text(self.workspace.parent().unwrap_or(Path::new("/")))),
        ];
        Object::closed("the context runner", fields.map(|(name, value)| (name.to_owned(), value))).into()
    }
}

/// Where programs are looked for: the sandbox's gh first.
pub(super) fn program_path(shared: &Shared, added: &[String]) -> OsString {
    let mut folders: Vec<PathBuf> = added.iter().rev().map(PathBuf::from).collect();
    folders.extend(shared.actions.programs.clone());
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    std::env::join_paths(folders).unwrap_or_default()
}

/// The settings that make gh ask the sandbox over its socket.
pub(crate) fn gh_config(socket: &Path) -> String {
    let socket = socket.display();
    format!("version: \"1\"\nprompt: disabled\ntelemetry: disabled\nhttp_unix_socket: {socket}\n")
}

fn system() -> &'static str {
    if cfg!(target_os = "macos") { "macOS" } else { "Linux" }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }
}
