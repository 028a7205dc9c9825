//! A repository on this machine that is a source, a mirror of it in a folder, and Standin beside them: for what sets syncs off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use standin_core::engine::Engine;
use standin_core::outside::{Clock, SystemClock};

use crate::cli::Machine;
use crate::standby::NoKeychain;

/// The repository, as the configuration calls it.
pub const REPOSITORY: &str = "site";

/// A clock that tests set, by so much from the machine's.
#[derive(Clone, Debug, Default)]
pub struct MovedClock(Arc<AtomicI64>);

impl MovedClock {
    /// Sets it forward, or back, by so many seconds.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// The source, the mirror, and a machine with a configuration of both.
pub struct Local {
    /// Where Standin runs.
    pub machine: Machine,
    /// The source: a bare repository, or one with a work tree.
    pub source: PathBuf,
    /// The mirror.
    pub mirror: PathBuf,
    folder: tempfile::TempDir,
}

impl Local {
    /// A source with one commit on `main`, made by `git init` with these options.
    pub fn new(program: &str, options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("sl-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["home/.config/standin", "tmp"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let text = |name: &str| path(name).display().to_string();
        let variables = [
            ("HOME", text("home")),
            ("TMPDIR", text("tmp")),
            ("XDG_CONFIG_HOME", text("home/.config")),
            ("XDG_DATA_HOME", text("home/.local/share")),
            ("USER", "ada".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("STANDIN_STATE_DIR", text("state it's")),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        let machine = Machine {
            program: program.into(),
            folder: path("home"),
            environment: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            state: path("state it's"),
            said: path("said"),
            says_yes: true,
        };
        let local = Self { machine, source: path("it's a $source"), mirror: path("mirror.git"), folder };
        local.fill(options);
        local
    }

    fn fill(&self, options: &[&str]) {
        let source = self.source.display().to_string();
        self.git(self.folder(), &[&["init", "-q", "-b", "main"], options, &[source.as_str()]].concat());
        self.git(self.folder(), &["init", "-q", "--bare", "-b", "main", "mirror.git"]);
        self.update("refs/heads/main", "first");
        self.configure(&format!(
            "[[repository]]\nid = \"{REPOSITORY}\"\nsource = {:?}\n[[repository.mirror]]\nid = \"backup\"\ntype = \"git\"\nurl = {:?}\n",
            self.source, self.mirror
        ));
    }

    /// Writes `standin.toml`.
    pub fn configure(&self, text: &str) {
        fs::write(self.folder().join("home/.config/standin/standin.toml"), text).unwrap();
    }

    /// Writes a configuration with these mirrors instead, each with lines of its own, in folders named after them; `above` stands
    /// in the repository's table.
    pub fn mirrors(&self, above: &str, mirrors: &[(&str, &str)]) {
        let mut text = format!("[[repository]]\nid = \"{REPOSITORY}\"\nsource = {:?}\n{above}\n", self.source);
        for (mirror, own) in mirrors {
            let place = self.folder().join(format!("{mirror}.git"));
            if !place.exists() {
                self.git(self.folder(), &["init", "-q", "--bare", "-b", "main", &place.display().to_string()]);
            }
            text.push_str(&format!(
                "[[repository.mirror]]\nid = \"{mirror}\"\ntype = \"git\"\nurl = {place:?}\n{own}\n"
            ));
        }
        self.configure(&text);
    }

    /// The folder of all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A git command of the user's, in their environment; it may fail.
    pub fn try_git(&self, folder: &Path, arguments: &[&str]) -> Output {
        self.git_command(folder, arguments).output().unwrap()
    }

    /// A git command of the user's.
    pub fn git_command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(&self.machine.environment).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        }
        command.current_dir(folder).args(["-c", "protocol.file.allow=always"]).args(arguments).stdin(Stdio::null());
        command
    }

    /// A git command of the user's that must work; what it said.
    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.try_git(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A new commit of its own in the source, at this ref.
    pub fn update(&self, name: &str, message: &str) -> String {
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let output = self.try_git(&self.source, &["mktree"]);
        assert!(output.status.success());
        let commit = self.git(&self.source, &["commit-tree", tree, "-m", message]);
        self.git(&self.source, &["update-ref", name, &commit]);
        commit
    }

    /// `standin` with these arguments, which must end well; what it said on standard output.
    pub fn standin(&self, arguments: &[&str]) -> String {
        let ran = self.machine.standin(arguments);
        assert!(ran.status.success(), "standin {arguments:?}: {ran:?}");
        ran.stdout
    }

    /// An engine in this process.
    pub fn engine(&self) -> Engine {
        self.engine_with(&[])
    }

    /// An engine in this process, with more variables in its environment.
    pub fn engine_with(&self, more: &[(&str, &str)]) -> Engine {
        self.engine_at(Arc::new(SystemClock), more)
    }

    /// The same by another clock.
    pub fn engine_at(&self, clock: Arc<dyn Clock>, more: &[(&str, &str)]) -> Engine {
        let mut machine = self.machine.clone();
        machine.environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        machine.engine(Arc::new(NoKeychain), clock)
    }
}
