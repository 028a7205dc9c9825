//! An upstream in a folder, and a machine on which Standin keeps a copy of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::{Machine, Ran};

/// The repository and the mirror, as `standin import` calls them.
pub const REPOSITORY: &str = "upstream";
/// The mirror that pulls.
pub const COPY: &str = "copy";

/// The two sides.
pub struct Upstream {
    /// Where Standin runs.
    pub machine: Machine,
    /// The bare repository that is pulled.
    pub path: PathBuf,
    /// The work tree that its commits are made in.
    work: PathBuf,
    folder: tempfile::TempDir,
}

impl Upstream {
    /// An upstream with some history, and a machine that knows nothing of it yet.
    pub fn new(program: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("su-").tempdir().unwrap();
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
            ("STANDIN_STATE_DIR", text("state")),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        let machine = Machine {
            program: program.into(),
            folder: path("home"),
            environment: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            state: path("state"),
            said: path("said"),
            says_yes: true,
        };
        let upstream = Self { machine, path: path("upstream.git"), work: path("work"), folder };
        upstream.fill();
        upstream
    }

    fn fill(&self) {
        git(self.folder.path(), &["init", "-q", "--bare", "-b", "main", "upstream.git"]);
        git(self.folder.path(), &["init", "-q", "-b", "main", "work"]);
        for file in ["one", "two"] {
            self.commit("main", file);
        }
        self.git(&["branch", "topic", "main~1"]);
        self.git(&["tag", "-a", "v1", "-m", "one", "main~1"]);
        self.git(&["tag", "light", "main"]);
        self.git(&[
            "push",
            "-q",
            self.url(),
            "main",
            "topic",
            "v1",
            "light",
            "main:refs/notes/x",
            "main:refs/pull/1/head",
        ]);
        self.git(&["push", "-q", self.url(), "main~1:refs/standin/fence"]);
    }

    /// The address of the upstream.
    pub fn url(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs git in the work tree; its output.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.work, arguments)
    }

    /// Commits a file on a branch of the work tree; nothing is pushed.
    pub fn commit(&self, branch: &str, file: &str) {
        git(&self.work, &["checkout", "-q", "-B", branch]);
        fs::write(self.work.join(file), file).unwrap();
        git(&self.work, &["add", "."]);
        git(&self.work, &["commit", "-q", "-m", file]);
    }

    /// Pushes to the upstream, as its owner would.
    pub fn publish(&self, refspecs: &[&str]) {
        self.git(&[&["push", "-q", "--force", self.url()], refspecs].concat());
    }

    /// The folder of the copy.
    pub fn copy(&self) -> PathBuf {
        self.machine.state.join(REPOSITORY).join("pull").join(format!("{COPY}.git"))
    }

    /// Writes `standin.toml`, with the source and more lines of the mirror.
    pub fn configure(&self, source: &str, mirror: &str) {
        let text = format!(
            "[[repository]]\nid = \"{REPOSITORY}\"\nsource = \"{source}\"\n\
             [[repository.mirror]]\nid = \"{COPY}\"\ntype = \"pull\"\n{mirror}"
        );
        fs::write(self.folder.path().join("home/.config/standin/standin.toml"), text).unwrap();
    }

    /// Runs `standin`, which must end so.
    pub fn run(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.machine.standin(arguments);
        assert_eq!(ran.code(), code, "standin {}: {}", arguments.join(" "), ran.all());
        ran
    }

    /// A first pull.
    pub fn import(&self) -> Ran {
        self.run(0, &["import", self.url()])
    }

    /// What `status --json` says of the mirror.
    pub fn status(&self) -> Value {
        self.machine.json(&["status"])["mirrors"][0].clone()
    }

    /// What plain git would keep of the upstream, but for what is Standin's.
    pub fn expected(&self) -> Vec<String> {
        let refs = mirrored(self.folder.path(), self.url());
        refs.into_iter().filter(|line| !line.contains(" refs/standin/")).collect()
    }

    /// What plain git sees of the copy.
    pub fn kept(&self) -> Vec<String> {
        mirrored(self.folder.path(), self.copy().to_str().unwrap())
    }

    /// Checks that plain git gets of the copy just what it gets of the upstream.
    pub fn check_in_step(&self) {
        assert_eq!(self.kept(), self.expected());
        git(&self.copy(), &["fsck", "--strict"]);
    }
}

/// The refs and `HEAD` of a `git clone --mirror`, whose history is whole.
fn mirrored(folder: &Path, url: &str) -> Vec<String> {
    let clone = tempfile::tempdir_in(folder).unwrap();
    git(clone.path(), &["clone", "-q", "--mirror", url, "mirror.git"]);
    let mirror = clone.path().join("mirror.git");
    git(&mirror, &["fsck", "--connectivity-only"]);
    let refs = git(&mirror, &["for-each-ref", "--format=%(objectname) %(refname)"]);
    let head = fs::read_to_string(mirror.join("HEAD")).unwrap();
    refs.lines().chain([head.trim()]).map(str::to_owned).collect()
}

/// Runs git in a folder, with nothing of the user's; its output.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    for (name, value) in [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")] {
        command.env(name, value);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        command.env(format!("GIT_{role}_DATE"), "2026-01-01T00:00:00Z");
    }
    let output = command.arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
