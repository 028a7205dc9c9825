//! A world in which the mastership changes hands: workflows in several states, a state file, a configuration file that
//! speaks of both, and what must be true whenever no change is open.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::Path;

use git2::{Oid, Repository};
use serde_json::Value;
use standin_core::state::store::Store;
use standin_sandbox::{
    ActionsPermissions, Fault, FaultId, FaultMatcher, RepositorySpec, SelectedActions, TokenSpec, WorkflowState,
};

use crate::cli::{BACKUP, Machine, NAME, OWNER, Options, Ran, STANDBY, World, branch, commit_in, refs, set};

/// Who owns the second standby, where there is one.
pub const THIRD: &str = "ada-third";
/// The mirror that is the second standby.
pub const SECOND: &str = "mirror-3";
/// The state file; its last line has no end, which must stay so.
pub const STATE_FILE: &str =
    "{\n  \"meta\": { \"updated_at_iso\": \"2026-02-07T18:01:07Z\" },\n  \"odd\":   [1,2 , 3]\n}";
/// How the repository is called here.
pub const REPOSITORY: &str = "ada.orchestrator";
/// Workflows of the primary, with their states there.
pub const MASTERS: [(&str, WorkflowState); 5] = [
    ("cron", WorkflowState::Active),
    ("deploy", WorkflowState::Active),
    ("test", WorkflowState::Active),
    ("paused", WorkflowState::DisabledManually),
    ("sentinel", WorkflowState::DisabledManually),
];

/// The settings of Actions of a repository.
type Actions = (Option<ActionsPermissions>, Option<SelectedActions>);

/// A world and the machine that works in it.
pub struct Stage {
    /// The world.
    pub world: World,
    /// The machine.
    pub machine: Machine,
    actions: BTreeMap<&'static str, Actions>,
}

impl Deref for Stage {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// Which way things stand.
#[derive(Clone, Copy)]
pub struct Standing {
    /// The owner of the master.
    pub master: &'static str,
    /// Whether it only stands in.
    pub temporary: bool,
    /// The epoch.
    pub epoch: u64,
}

/// The path of a workflow.
pub fn workflow(name: &str) -> String {
    format!(".github/workflows/{name}.yml")
}

/// The fence of a repository; `None` where there is none.
pub fn fence(path: &Path) -> Option<Value> {
    let repository = Repository::open_bare(path).unwrap();
    let tip = repository.refname_to_id("refs/standin/fence").ok()?;
    let tree = repository.find_commit(tip).unwrap().tree().unwrap();
    let blob = repository.find_blob(tree.get_name("fence.json").unwrap().id()).unwrap();
    Some(serde_json::from_slice(blob.content()).unwrap())
}

/// Whether the repository at `path` has the commit on a branch, a tag or below one.
pub fn has(path: &Path, commit: Oid) -> bool {
    let repository = Repository::open_bare(path).unwrap();
    refs(path).values().any(|tip| *tip == commit || repository.graph_descendant_of(*tip, commit).unwrap_or(false))
}

impl Stage {
    /// A world of which nothing was synced yet.
    pub fn unsynced(program: &str) -> Self {
        Self::made(program, "")
    }

    /// A world in step.
    pub fn new(program: &str) -> Self {
        Self::with(program, "")
    }

    /// A world in step, with these further lines in the configuration of the repository.
    pub fn with(program: &str, lines: &str) -> Self {
        let stage = Self::made(program, lines);
        let ran = stage.machine.standin(&["sync"]);
        assert_eq!(ran.code(), 0, "the first sync: {}", ran.all());
        stage
    }

    fn made(program: &str, lines: &str) -> Self {
        let sandbox = standin_sandbox::Options { secondary_limit: None, ..standin_sandbox::Options::default() };
        let world = World::with(program, Options { sandbox, in_memory: true });
        let main = refs(&world.primary())[&branch("main")];
        let [paused, sentinel] = ["paused", "sentinel"].map(|name| world.new_workflow(name));
        let files = [
            (paused.0.as_str(), paused.1.as_str()),
            (sentinel.0.as_str(), sentinel.1.as_str()),
            ("state/current.json", STATE_FILE),
        ];
        let tip = world.commit(Some(main), &files);
        world.publish(&branch("main"), Some(tip));
        for (name, state) in MASTERS {
            assert!(world.sandbox.set_workflow_state(OWNER, NAME, &workflow(name), state), "{name}");
        }
        let text = format!("[[repository]]\nid = \"{REPOSITORY}\"\nsource = \"{OWNER}/{NAME}\"\n{lines}\n");
        fs::write(world.folder().join("standin.toml"), text).unwrap();
        let mut stage = Self { machine: world.machine(), world, actions: BTreeMap::new() };
        stage.machine = stage.another();
        stage.actions = [OWNER, BACKUP].map(|owner| (owner, stage.actions(owner))).into();
        stage
    }

    /// Another machine with the same configuration and an empty state folder.
    pub fn another(&self) -> Machine {
        self.world.machine().with("STANDIN_CONFIG", self.folder().join("standin.toml").display().to_string())
    }

    /// A second standby on GitHub, in step as well.
    pub fn add_second(&mut self) {
        self.world.sandbox.create_account(THIRD);
        self.world.sandbox.create_repository_blocking(THIRD, NAME, RepositorySpec::default()).unwrap();
        let token = self.world.sandbox.create_token(THIRD, TokenSpec::classic(&["repo", "workflow"]));
        for (name, value) in [("TYPE", "github".to_owned()), ("REPO", format!("{THIRD}/{NAME}")), ("TOKEN", token)] {
            self.world.set(&format!("MIRROR_3_{name}"), Some(&value));
        }
        self.sync(0);
    }

    /// Runs a command that must end with this exit status.
    pub fn run(&self, code: i32, arguments: &[&str]) -> Ran {
        run(&self.machine, code, arguments)
    }

    /// Syncs; it must end with this exit status.
    pub fn sync(&self, code: i32) -> Ran {
        self.run(code, &["sync"])
    }

    /// Makes the standby master.
    pub fn promote(&self) -> Ran {
        self.run(0, &["promote", STANDBY, "--yes"])
    }

    /// Hands back.
    pub fn demote(&self) -> Ran {
        self.run(0, &["demote", STANDBY, "--yes"])
    }

    /// Where the repository of an owner is on disk.
    pub fn path(&self, owner: &str) -> std::path::PathBuf {
        self.sandbox.repository_path(owner, NAME)
    }

    /// Somebody commits on a branch of the repository of an owner; the commit.
    pub fn commit_on(&self, owner: &str, name: &str, file: &str) -> Oid {
        let path = self.path(owner);
        let tip = commit_in(&path, refs(&path).get(&branch(name)).copied(), &[(file, "more\n")]);
        set(&path, &branch(name), tip);
        self.sandbox.refresh_workflows(owner, NAME).unwrap();
        tip
    }

    /// The repository of an owner answers every request, REST and git, in this way.
    pub fn fail(&self, owner: &str, effect: &standin_sandbox::Effect) -> [FaultId; 3] {
        let rest = |path: String| FaultMatcher { path: Some(path), ..FaultMatcher::default() };
        [
            rest(format!("/repos/{owner}/{NAME}")),
            rest(format!("/repos/{owner}/{NAME}/**")),
            FaultMatcher::git(&format!("/{owner}/{NAME}.git/**")),
        ]
        .map(|matcher| self.sandbox.add_fault(Fault::always(matcher, effect.clone())))
    }

    /// Takes faults away.
    pub fn heal(&self, faults: [FaultId; 3]) {
        for fault in faults {
            self.sandbox.remove_fault(fault);
        }
    }

    /// The states of the workflows of an owner's repository, by short name.
    pub fn states(&self, owner: &str) -> BTreeMap<String, &'static str> {
        let short = |path: &str| path.trim_start_matches(".github/workflows/").trim_end_matches(".yml").to_owned();
        let workflows = self.sandbox.workflows(owner, NAME).into_iter();
        workflows.map(|workflow| (short(&workflow.path), workflow.state.as_str())).collect()
    }

    /// `MIRROR_ROLE` of an owner's repository.
    pub fn role(&self, owner: &str) -> Option<String> {
        self.sandbox.variable(owner, NAME, "MIRROR_ROLE")
    }

    fn actions(&self, owner: &str) -> Actions {
        (self.sandbox.actions_permissions(owner, NAME), self.sandbox.selected_actions(owner, NAME))
    }

    /// What must be true of the two and the archive when nothing is open: one master, its workflows on, those of the other
    /// held, and all of them of one mind. `machine` knows it too.
    pub fn check(&self, machine: &Machine, standing: Standing) {
        let Standing { master, temporary, epoch } = standing;
        let slug = format!("{master}/{NAME}");
        let other = if master == OWNER { BACKUP } else { OWNER };
        for (place, path) in [(BACKUP, self.standby()), (OWNER, self.primary()), ("archive", self.archive())] {
            // A primary that is gone heard of nothing.
            if temporary && place == OWNER {
                continue;
            }
            // A master that was gone while another stood in for it, and took over again by its own fence or by none.
            let Some(fence) = fence(&path) else {
                assert_eq!((place, master), (OWNER, OWNER), "{place} has no fence");
                continue;
            };
            let said = fence["epoch"].as_u64().unwrap();
            let lags = place == OWNER && master == OWNER && said < epoch;
            assert!(said == epoch || lags, "the fence of {place}: {fence}");
            assert_eq!(fence["master"], slug.as_str(), "the fence of {place}: {fence}");
            assert_eq!(fence["temporary"].as_bool().unwrap_or_default(), temporary, "the fence of {place}: {fence}");
            assert_eq!(fence["open_change"], Value::Null, "the fence of {place}");
        }
        let role = |yes| {
            if yes && temporary {
                "TEMPORARY_MASTER"
            } else if yes {
                "MASTER"
            } else {
                "SLAVE"
            }
        };
        // A source that was never anything else has no need of the word.
        let is_named = master != OWNER || self.role(master).is_some();
        assert_eq!(self.role(master).as_deref(), is_named.then(|| role(true)), "{master}");
        assert_eq!(self.states(master), wanted(true, temporary), "the workflows of the master {master}");
        if !temporary {
            assert_eq!(self.role(other).as_deref(), Some(role(false)), "{other}");
            assert_eq!(self.states(other), wanted(false, false), "the workflows of {other}");
        }
        for owner in [OWNER, BACKUP] {
            assert_eq!(self.actions(owner), self.actions[owner], "the settings of Actions of {owner}");
        }
        let status = machine.json(&["status"]);
        assert_eq!(status["open_change"], Value::Null);
        assert_eq!((&status["master"], status["epoch"].as_u64()), (&Value::from(slug.as_str()), Some(epoch)));
        assert_eq!(status["self_role"], role(master == OWNER && !temporary), "{status}");
        assert_eq!(mirror(&status, STANDBY)["role"], role(master == BACKUP), "{status}");
        assert_eq!(listed(&status, "source"), master == BACKUP, "{status}");
        let file = fs::read(machine.state.join(REPOSITORY).join("mirror_status.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&file).unwrap(), status, "mirror_status.json says the same");
        assert!(Store::open(&machine.state).unwrap().open_journals(None).unwrap().is_empty(), "a journal is open");
    }

    /// Asserts that two repositories have the same branches and tags.
    pub fn check_same(&self, one: &Path, other: &Path) {
        assert_eq!(refs(one), refs(other), "{} and {}", one.display(), other.display());
    }
}

/// Runs a command on a machine, which must end with this exit status.
pub fn run(machine: &Machine, code: i32, arguments: &[&str]) -> Ran {
    let ran = machine.standin(arguments);
    assert_eq!(ran.code(), code, "standin {}: {}", arguments.join(" "), ran.all());
    ran
}

/// A mirror in a status.
pub fn mirror<'a>(status: &'a Value, id: &str) -> &'a Value {
    let found = status["mirrors"].as_array().unwrap().iter().find(|mirror| mirror["id"] == id);
    found.unwrap_or_else(|| panic!("no mirror {id}: {status}"))
}

fn listed(status: &Value, id: &str) -> bool {
    status["mirrors"].as_array().unwrap().iter().any(|mirror| mirror["id"] == id)
}

/// The workflow states of a master or a `SLAVE`, where nobody changed any by hand.
pub fn wanted(master: bool, temporary: bool) -> BTreeMap<String, &'static str> {
    let state = |name: &str, state: WorkflowState| match name {
        "sentinel" if master && !temporary => WorkflowState::DisabledManually,
        "sentinel" => WorkflowState::Active,
        _ if master => state,
        _ => WorkflowState::DisabledManually,
    };
    MASTERS.map(|(name, was)| (name.to_owned(), state(name, was).as_str())).into()
}

/// The owner's repository is master, in this epoch.
pub fn at(master: &'static str, epoch: u64) -> Standing {
    Standing { master, temporary: false, epoch }
}

/// The standby stands in for the primary, in this epoch.
pub fn standing_in(epoch: u64) -> Standing {
    Standing { master: BACKUP, temporary: true, epoch }
}
