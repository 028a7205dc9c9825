//! What there is: a sandbox with a primary and a standby, an archive, a clone with its `.env`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use git2::{Oid, Repository, Signature, Time};
use standin_sandbox::{ActionsPermissions, RepositorySpec, Sandbox, SelectedActions, TokenSpec};

use super::program::{Machine, finish};
use crate::git::bare;

/// Who owns the primary.
pub const OWNER: &str = "ada";
/// Who owns the standby.
pub const BACKUP: &str = "ada-backup";
/// The name of both repositories.
pub const NAME: &str = "orchestrator";
/// The mirror that is the standby.
pub const STANDBY: &str = "mirror-1";
/// The mirror that is the archive.
pub const ARCHIVE: &str = "mirror-2";

/// Branches and tags with their tips.
pub type Refs = BTreeMap<String, Oid>;

/// How a world is made.
#[derive(Default)]
pub struct Options {
    /// Of the sandbox.
    pub sandbox: standin_sandbox::Options,
    /// Keep all files in memory where the system has a place for that: for tests that make many worlds and would mostly
    /// wait for the disk.
    pub in_memory: bool,
}

/// The world. Its folder goes with it.
pub struct World {
    /// GitHub.
    pub sandbox: Sandbox,
    /// The token of the primary.
    pub source_token: String,
    /// The token of the standby.
    pub token: String,
    /// The secrets in `.env`.
    pub secrets: BTreeMap<String, String>,
    /// The lines of `.env` that are no secrets, in order.
    pub settings: Vec<(String, String)>,
    program: PathBuf,
    folder: tempfile::TempDir,
    pub(super) machines: AtomicU32,
}

/// A workflow that runs at every push.
fn workflow(name: &str) -> String {
    format!("name: {name}\non: push\njobs:\n  go:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo {name}\n")
}

fn temporary_folder(in_memory: bool) -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("sw-");
    let memory = Path::new("/dev/shm");
    // A run whose temporary folders are in memory tidies those up, also after tests that were killed.
    let in_memory = in_memory && !std::env::temp_dir().starts_with(memory) && memory.is_dir();
    let in_memory = if in_memory { builder.tempdir_in(memory).ok() } else { None };
    in_memory.unwrap_or_else(|| builder.tempdir().unwrap())
}

/// A random text that is found nowhere by chance.
fn canary(kind: &str) -> String {
    format!("canary-{kind}-{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>())
}

impl World {
    /// A world with these programs, everything new in it.
    pub fn new(program: &str) -> Self {
        Self::with(program, Options::default())
    }

    /// The same with these options.
    pub fn with(program: &str, options: Options) -> Self {
        let folder = temporary_folder(options.in_memory);
        let data_dir = Some(folder.path().join("github"));
        let sandbox = Sandbox::start_blocking(standin_sandbox::Options { data_dir, ..options.sandbox }).unwrap();
        for login in [OWNER, BACKUP] {
            sandbox.create_account(login);
            sandbox.create_repository_blocking(login, NAME, RepositorySpec::default()).unwrap();
        }
        let token = |login: &str| sandbox.create_token(login, TokenSpec::classic(&["repo", "workflow"]));
        let (source_token, token) = (token(OWNER), token(BACKUP));
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        sandbox.write_gh_config(&folder.path().join("gh")).unwrap();
        let secrets = ["RESEND_API_KEY", "TWILIO_AUTH_TOKEN", "DATABASE_URL"]
            .map(|name| (name.to_owned(), canary("secret")))
            .into();
        let mut world = Self {
            sandbox,
            source_token,
            token,
            secrets,
            settings: Vec::new(),
            program: program.into(),
            folder,
            machines: AtomicU32::new(0),
        };
        bare(&world.archive());
        world.fill();
        world
    }

    fn fill(&mut self) {
        let primary = self.primary();
        let workflows =
            ["cron", "deploy", "test"].map(|name| (format!(".github/workflows/{name}.yml"), workflow(name)));
        let mut files = vec![("README.md", "# Orchestrator\n")];
        files.extend(workflows.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let first = self.commit(None, &files);
        let second = self.commit(Some(first), &[("state/current.json", "{}\n")]);
        set(&primary, "refs/heads/main", second);
        set(&primary, "refs/heads/old", first);
        set(&primary, "refs/heads/topic", self.commit(Some(first), &[("topic.txt", "one\n")]));
        set(&primary, "refs/tags/v1.0", first);
        set(&primary, "refs/tags/moving", first);
        self.sandbox.refresh_workflows(OWNER, NAME).unwrap();
        self.sandbox.set_variable(OWNER, NAME, "MASTER_REPO", &format!("{OWNER}/{NAME}"));
        let settings =
            ActionsPermissions { enabled: true, allowed_actions: "selected".to_owned(), sha_pinning_required: true };
        self.sandbox.set_actions_permissions(BACKUP, NAME, settings);
        let selected = SelectedActions {
            github_owned_allowed: true,
            verified_allowed: false,
            patterns_allowed: vec!["monalisa/octocat@*".to_owned()],
        };
        self.sandbox.set_selected_actions(BACKUP, NAME, selected);
        let clone = Repository::init(self.clone_path()).unwrap();
        clone.remote("origin", &format!("{}/{OWNER}/{NAME}.git", self.sandbox.server_url())).unwrap();
        self.settings = [
            ("DEPLOY_MODE", "full".to_owned()),
            ("MIRROR_ENABLED", "true".to_owned()),
            ("MIRROR_SOURCE_TOKEN", self.source_token.clone()),
            ("MIRROR_SECRETS", "RESEND_API_KEY,TWILIO_*,DATABASE_URL".to_owned()),
            ("MIRROR_VARS", "DEPLOY_MODE,MASTER_REPO".to_owned()),
            ("MIRROR_1_TYPE", "github".to_owned()),
            ("MIRROR_1_REPO", format!("{BACKUP}/{NAME}")),
            ("MIRROR_1_TOKEN", self.token.clone()),
            ("MIRROR_2_TYPE", "git".to_owned()),
            ("MIRROR_2_URL", self.archive().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        self.write_env();
    }

    /// Writes `.env` from the secrets and settings.
    pub fn write_env(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let lines = self.secrets.iter().chain(self.settings.iter().map(|(name, value)| (name, value)));
        let text: String = lines.map(|(name, value)| format!("{name}={value}\n")).collect();
        let path = self.clone_path().join(".env");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Changes a setting of `.env`, or adds it, or with `None` takes it out.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        match (self.settings.iter().position(|(known, _)| known == name), value) {
            (Some(at), Some(value)) => self.settings[at].1 = value.to_owned(),
            (Some(at), None) => drop(self.settings.remove(at)),
            (None, Some(value)) => self.settings.push((name.to_owned(), value.to_owned())),
            (None, None) => {}
        }
        self.write_env();
    }

    /// Gives a secret of `.env` a new value.
    pub fn change_secret(&mut self, name: &str) {
        self.secrets.insert(name.to_owned(), canary("secret"));
        self.write_env();
    }

    /// A commit in the primary, with the files of its parent and these; nothing names it.
    pub fn commit(&self, parent: Option<Oid>, files: &[(&str, &str)]) -> Oid {
        commit_in(&self.primary(), parent, files)
    }

    /// Moves, makes or (with `None`) deletes a ref of the primary, as its owner would.
    pub fn publish(&self, name: &str, tip: Option<Oid>) {
        match tip {
            Some(tip) => set(&self.primary(), name, tip),
            None => Repository::open_bare(self.primary()).unwrap().find_reference(name).unwrap().delete().unwrap(),
        }
        self.sandbox.refresh_workflows(OWNER, NAME).unwrap();
    }

    /// Somebody commits on top of a branch of a mirror's repository, straight in its folder.
    pub fn intrude(&self, mirror: &Path, name: &str) -> Oid {
        let tip = refs(mirror)[name];
        let foreign = commit_in(mirror, Some(tip), &[("FOREIGN.md", &canary("foreign"))]);
        set(mirror, name, foreign);
        foreign
    }

    /// A workflow file that the primary does not have yet.
    pub fn new_workflow(&self, name: &str) -> (String, String) {
        (format!(".github/workflows/{name}.yml"), workflow(name))
    }

    /// Where the primary's repository is on disk.
    pub fn primary(&self) -> PathBuf {
        self.sandbox.repository_path(OWNER, NAME)
    }

    /// Where the standby's repository is on disk.
    pub fn standby(&self) -> PathBuf {
        self.sandbox.repository_path(BACKUP, NAME)
    }

    /// Where the archive is on disk.
    pub fn archive(&self) -> PathBuf {
        self.folder.path().join("archive.git")
    }

    /// The repositories of the mirrors on disk.
    pub fn mirrors(&self) -> [(&'static str, PathBuf); 2] {
        [(STANDBY, self.standby()), (ARCHIVE, self.archive())]
    }

    /// The folder of the world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The clone that Standin is started in.
    pub fn clone_path(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// Where what the programs said is kept.
    pub fn said(&self) -> PathBuf {
        self.folder.path().join("said")
    }

    /// All that must never be seen: tokens and values of secrets.
    pub fn canaries(&self) -> Vec<String> {
        [&self.source_token, &self.token].into_iter().chain(self.secrets.values()).cloned().collect()
    }

    /// A new machine: an empty state folder, the same clone and `.env`.
    pub fn machine(&self) -> Machine {
        let number = self.machines.fetch_add(1, Ordering::Relaxed);
        let state = self.folder.path().join(format!("state-{number}"));
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut environment: BTreeMap<String, String> = [
            ("HOME", path("home")),
            ("TMPDIR", path("tmp")),
            ("XDG_CONFIG_HOME", path("home/.config")),
            ("XDG_DATA_HOME", path("home/.local/share")),
            ("USER", OWNER.to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("STANDIN_STATE_DIR", state.display().to_string()),
            ("STANDIN_GITHUB_API_URL", self.sandbox.api_url()),
            ("STANDIN_GITHUB_SERVER_URL", self.sandbox.server_url()),
            ("STANDIN_GH_CONFIG_DIR", path("gh")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for name in ["PATH", "STANDIN_GH", "STANDIN_GIT"] {
            if let Ok(value) = std::env::var(name) {
                environment.insert(name.to_owned(), value);
            }
        }
        Machine {
            program: self.program.clone(),
            folder: self.clone_path(),
            environment,
            state,
            said: self.said(),
            says_yes: true,
        }
    }

    /// Waits until no program that was started here runs any more, and no request is under way.
    pub fn settle(&self) {
        let folder = self.folder.path().display().to_string();
        finish("the end of what was started here", Duration::from_secs(20), || {
            !lives_in(&folder) && self.sandbox.requests().iter().all(|request| request.duration.is_some())
        });
    }
}

/// Whether a process other than this one has the folder in its environment.
fn lives_in(folder: &str) -> bool {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok_and(|id| id.to_string() != own))
        .filter_map(|entry| fs::read(entry.path().join("environ")).ok())
        .any(|environ| String::from_utf8_lossy(&environ).contains(folder))
}

/// A branch's full name.
pub fn branch(name: &str) -> String {
    format!("refs/heads/{name}")
}

/// Branches and tags of the repository at `path`.
pub fn refs(path: &Path) -> Refs {
    let repository = Repository::open_bare(path).unwrap();
    let references = repository.references().unwrap().map(Result::unwrap);
    references
        .filter_map(|reference| Some((reference.name().ok()?.to_owned(), reference.target()?)))
        .filter(|(name, _)| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"))
        .collect()
}

/// Moves or makes a ref of the repository at `path`.
pub fn set(path: &Path, name: &str, tip: Oid) {
    Repository::open_bare(path).unwrap().reference(name, tip, true, "").unwrap();
}

/// A commit in the repository at `path`, with the files of its parent and these; nothing names it.
pub fn commit_in(path: &Path, parent: Option<Oid>, files: &[(&str, &str)]) -> Oid {
    let repository = Repository::open_bare(path).unwrap();
    let parent = parent.map(|oid| repository.find_commit(oid).unwrap());
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, text) in files {
        update.upsert(*path, repository.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
    }
    let base = match &parent {
        Some(parent) => parent.tree().unwrap(),
        None => repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap(),
    };
    let tree = update.create_updated(&repository, &base).unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let author = Signature::new("Ada", "ada@example.com", &Time::new(1_770_000_000, 0)).unwrap();
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(None, &author, &author, "A change", &tree, &parents).unwrap()
}
