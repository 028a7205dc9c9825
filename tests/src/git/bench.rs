//! A cache on one side, a bare repository behind a real server on the other, and nothing of the user's in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git2::Repository;
use secrecy::SecretString;
use standin_core::git::{Cache, GitProgram, PushOptions, PushReport, Remote, RemoteOptions, Update};
use standin_core::state::model::{Oid, RefName};
use standin_core::totals::Totals;
use standin_sandbox::{Options, RepositorySpec, Sandbox, TokenSpec};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Sshd;

/// By which way the other side is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A folder of this machine.
    Path,
    /// The sandbox's smart HTTP, with a token.
    Http,
    /// A real sshd, with a key.
    Ssh,
}

/// The two sides.
pub struct Bench {
    /// The bare repository on the other side, to be looked at directly.
    pub there: PathBuf,
    /// Its address.
    pub url: String,
    /// How it is reached; change it before [`Bench::remote`].
    pub options: RemoteOptions,
    /// The git program.
    pub git: GitProgram,
    /// Our side.
    pub cache: Cache,
    /// What was heard of progress: phases.
    pub phases: Arc<Mutex<Vec<String>>>,
    /// The sandbox, over HTTP.
    pub sandbox: Option<Sandbox>,
    /// The sshd, over ssh.
    pub sshd: Option<Sshd>,
    /// The folder of all of it.
    pub folder: TempDir,
}

impl Bench {
    /// Makes both sides. `helper` is the credential helper.
    pub async fn new(over: Over, helper: &Path) -> Self {
        Self::with(over, helper, None).await
    }

    /// As [`Bench::new`], with a folder of programs put first on PATH.
    pub async fn with(over: Over, helper: &Path, programs: Option<&Path>) -> Self {
        let folder = tempfile::Builder::new().prefix("standin-bench-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("home")).unwrap();
        let known_hosts = path("known hosts");
        let (mut sandbox, mut sshd, mut credential, mut ssh_key) = (None, None, None, None);
        let (there, url) = match over {
            Over::Path => {
                bare(&path("there.git"));
                (path("there.git"), path("there.git").display().to_string())
            }
            Over::Ssh => {
                bare(&path("there.git"));
                let server = Sshd::start(&path("sshd"));
                fs::write(&known_hosts, server.known_hosts_line()).unwrap();
                ssh_key = Some(server.user_key.clone());
                let url = server.url(&path("there.git"));
                sshd = Some(server);
                (path("there.git"), url)
            }
            Over::Http => {
                let server = Sandbox::start(Options::default()).await.unwrap();
                server.create_account("backup");
                let token = server.create_token("backup", TokenSpec::classic(&["repo", "workflow"]));
                credential = Some(SecretString::from(token));
                server.create_repository("backup", "there", RepositorySpec::default()).await.unwrap();
                let at = server.repository_path("backup", "there");
                let url = format!("{}/backup/there.git", server.server_url());
                sandbox = Some(server);
                (at, url)
            }
        };
        let git = GitProgram::find(&environment(&path("home"), programs), helper).await.unwrap();
        let cache = Cache::open(&path("data/cache.git")).unwrap();
        let phases: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&phases);
        let options = RemoteOptions {
            credential,
            ssh_key,
            known_hosts,
            silent_limit: Duration::from_secs(60),
            work_limit: Duration::from_secs(600),
            cancel: CancellationToken::new(),
            totals: Arc::new(Totals::default()),
            progress: Arc::new(move |phase, _, _| heard.lock().unwrap().push(phase.to_owned())),
            point: "git.test",
            trusts_reports: true,
            mirror: None,
            hooks: true,
        };
        Self { there, url, options, git, cache, phases, sandbox, sshd, folder }
    }

    /// The remote as the options have it now.
    pub fn remote(&self) -> Remote {
        Remote::new(&self.git, &self.url, self.options.clone()).unwrap()
    }

    /// A commit in the cache, on top of another.
    pub fn commit(&self, text: &str, parent: Option<&Oid>) -> Oid {
        // Opened without the cache's own settings, which would wait for the disk at each object.
        commit(&Repository::open_bare(self.cache.path()).unwrap(), text, parent)
    }

    /// Brings the refs of the other side below `within` into the cache, as they stand now.
    pub async fn fetch_all(&self, within: &[&str]) -> standin_core::Result<()> {
        let listing = self.remote().list(within).await?;
        self.remote().fetch_all(&self.cache, &listing.refs, within).await
    }

    /// Pushes all or nothing.
    pub async fn push(&self, updates: &[Update]) -> PushReport {
        self.remote().push(&self.cache, updates, PushOptions { atomic: true, dry_run: false }).await.unwrap()
    }

    /// The refs of the other side, looked at directly.
    pub fn there(&self) -> BTreeMap<String, Oid> {
        refs(&self.there)
    }

    /// Ends the servers.
    pub async fn stop(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
    }
}

/// An environment with a home of its own.
fn environment(home: &Path, programs: Option<&Path>) -> BTreeMap<String, String> {
    let mut path = std::env::var("PATH").unwrap();
    if let Some(programs) = programs {
        path = format!("{}:{path}", programs.display());
    }
    let variables = [
        ("PATH", path),
        ("HOME", home.display().to_string()),
        ("no_proxy", "127.0.0.1".to_owned()),
        ("GIT_DIR", "/nowhere".to_owned()),
        ("GIT_SSH_COMMAND", "false".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A new bare repository.
pub fn bare(path: &Path) -> Repository {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).initial_head("refs/heads/main").external_template(false);
    Repository::init_opts(path, &options).unwrap()
}

/// A commit with one file of this text; nothing names it.
pub fn commit(repository: &Repository, text: &str, parent: Option<&Oid>) -> Oid {
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("file.txt", repository.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let author = git2::Signature::new("Tester", "tester@localhost", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let parent = parent.map(|oid| repository.find_commit(git2::Oid::from_str(oid.as_str()).unwrap()).unwrap());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(None, &author, &author, text, &tree, &parents).unwrap().to_string().parse().unwrap()
}

/// Sets a ref, whatever it was.
pub fn set_ref(repository: &Repository, name: &str, oid: &Oid) {
    repository.reference(name, git2::Oid::from_str(oid.as_str()).unwrap(), true, "").unwrap();
}

/// All refs of the repository at `path`.
pub fn refs(path: &Path) -> BTreeMap<String, Oid> {
    let repository = Repository::open_bare(path).unwrap();
    let references = repository.references().unwrap().map(Result::unwrap);
    references
        .filter_map(|reference| {
            Some((reference.name().ok()?.to_owned(), reference.target()?.to_string().parse().ok()?))
        })
        .collect()
}

/// An update, in short.
pub fn update(name: &str, old: Option<&Oid>, new: Option<&Oid>) -> Update {
    Update { name: name.parse::<RefName>().unwrap(), old: old.cloned(), new: new.cloned() }
}

/// Gives the repository at `path` a hook: the lines of a shell script.
pub fn write_hook(path: &Path, name: &str, lines: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let hook = path.join("hooks").join(name);
    fs::create_dir_all(path.join("hooks")).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
}
