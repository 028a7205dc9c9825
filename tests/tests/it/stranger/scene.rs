//! A user with everything that can be lost, and clones that strangers made.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use git2::Repository;
use standin_tests::cli::{Machine, Ran, Refs, World, refs};

use super::witness::Witness;

/// Commands that read or write something, each as it may be typed.
pub const COMMANDS: &[&[&str]] = &[
    &["plan"],
    &["plan", "--json"],
    &["sync"],
    &["sync", "--yes"],
    &["sync", "--dry-run"],
    &["resolve", "mirror-1", "refs/heads/main", "overwrite"],
    &["promote", "mirror-1", "--yes"],
    &["promote", "mirror-1", "--dry-run"],
    &["promote", "mirror-1", "--resume"],
    &["demote", "mirror-1", "--yes"],
    &["health"],
    &["mirror", "test", "mirror-1"],
    &["mirror", "test", "mirror-1", "--accept-host-key"],
    &["token", "set", "mirror-1"],
    &["token", "check"],
    &["token", "remove", "source"],
    &["secret", "set", "RESEND_API_KEY"],
    &["secret", "list"],
    &["secret", "remove", "RESEND_API_KEY"],
    &["sentinel", "render"],
    &["sentinel", "install"],
    &["sentinel", "check"],
    &["drill"],
    &["drill", "--check"],
    &["allow"],
];

/// Commands that show what is remembered.
pub const LOOKS: &[&[&str]] =
    &[&["status"], &["status", "--all"], &["status", "--json"], &["mirror", "list"], &["history"], &["rescue", "list"]];

pub struct Scene {
    pub world: World,
    pub machine: Machine,
    pub witness: Witness,
    before: Vec<Refs>,
    requests: std::cell::Cell<usize>,
    clones: AtomicU32,
}

impl Scene {
    /// The user's repository is in step, by a configuration that the user allowed.
    pub fn new() -> Self {
        let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
        world.sandbox.create_account("mallory");
        let witness = Witness::new(&world.folder().join("witness"));
        let mut machine = world.machine();
        let path = format!("{}:{}", witness.programs.display(), machine.environment["PATH"]);
        machine.environment.insert("PATH".to_owned(), path);
        machine.environment.insert("DBUS_SESSION_BUS_ADDRESS".to_owned(), witness.bus.clone());
        machine.environment.remove("STANDIN_GH");
        machine.environment.remove("STANDIN_GIT");
        let ssh = world.folder().join("home/.ssh");
        fs::create_dir_all(&ssh).unwrap();
        fs::write(ssh.join("id_ed25519"), "a key\n").unwrap();
        let machine = machine.unasked();
        let allowed = machine.standin(&["allow", "--yes"]);
        assert_eq!(allowed.code(), 0, "{allowed:?}");
        let synced = machine.standin(&["sync"]);
        assert_eq!(synced.code(), 0, "{synced:?}");
        world.settle();
        let before = Self::refs_of(&world);
        witness.seen();
        let requests = std::cell::Cell::new(world.sandbox.requests().len());
        Self { world, machine, witness, before, requests, clones: AtomicU32::new(0) }
    }

    fn refs_of(world: &World) -> Vec<Refs> {
        [world.primary(), world.standby(), world.archive()].iter().map(|path| refs(path)).collect()
    }

    /// An empty folder for a clone.
    pub fn folder(&self) -> PathBuf {
        let number = self.clones.fetch_add(1, Ordering::Relaxed);
        self.world.folder().join(format!("theirs-{number}"))
    }

    /// The text as it stands in a clone.
    pub fn text(&self, text: &str, clone: &Path) -> String {
        text.replace("[host]", &self.witness.host)
            .replace("[clone]", &clone.display().to_string())
            .replace("[user]", &self.world.clone_path().display().to_string())
    }

    /// A clone that a stranger made, with this `.env` in it and programs and repositories beside it.
    pub fn strangers_clone(&self, env: &str) -> PathBuf {
        let clone = self.folder();
        self.fill(&clone);
        fs::write(clone.join(".env"), self.text(env, &clone)).unwrap();
        clone
    }

    /// The same without a `.env`.
    pub fn fill(&self, clone: &Path) {
        let repository = Repository::init(clone).unwrap();
        repository.remote("origin", &format!("{}/stranger.git", self.witness.host)).unwrap();
        let tools = clone.join("tools");
        fs::create_dir(&tools).unwrap();
        let evil = format!("#!/bin/sh\ntouch '{}'\n", self.pwned().display());
        let program = |path: PathBuf| {
            fs::write(&path, &evil).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        for name in ["evil", "git", "gh", "ssh"] {
            program(tools.join(name));
        }
        let cache = Repository::init_bare(tools.join("cache.git")).unwrap();
        for hook in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"] {
            program(cache.path().join("hooks").join(hook));
        }
        fs::write(
            clone.join("standin.toml"),
            "[[repository]]\nid = \"x\"\nsource = \"ada/orchestrator\"\n[[repository.mirror]]\nid = \"m\"\ntype = \"github\"\nrepo = \"mallory/loot\"\n",
        )
        .unwrap();
    }

    fn pwned(&self) -> PathBuf {
        self.world.folder().join("pwned")
    }

    /// Runs Standin in a clone.
    pub fn run(&self, clone: &Path, arguments: &[&str]) -> Ran {
        let machine = Machine { folder: clone.to_owned(), ..self.machine.clone() };
        machine.standin_with(arguments, b"ghp_typed00000000000000000000000000000000")
    }

    /// The same with other variables.
    pub fn run_with(&self, clone: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut environment: BTreeMap<String, String> = self.machine.environment.clone();
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let machine = Machine { folder: clone.to_owned(), environment, ..self.machine.clone() };
        machine.standin_with(arguments, b"")
    }

    /// Fails where anything was sent, run, asked or changed since the last time.
    pub fn nothing_happened(&self, what: &str) {
        let seen = self.witness.seen();
        assert!(seen.is_empty(), "{what}: {seen:?}");
        let requests = self.world.sandbox.requests();
        let new = &requests[self.requests.get().min(requests.len())..];
        assert!(new.is_empty(), "{what}: {new:?}");
        assert!(!self.pwned().exists(), "{what}: a program of the clone ran");
        assert_eq!(Self::refs_of(&self.world), self.before, "{what}");
    }

    /// Forgets what was seen until now.
    pub fn forget(&self) {
        self.world.settle();
        self.witness.seen();
        self.requests.set(self.world.sandbox.requests().len());
    }
}
