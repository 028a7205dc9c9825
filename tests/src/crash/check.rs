//! What must be true after a crash, and when the job is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, Sort};
use serde_json::Value;
use standin_core::state::model::{MirrorId, RepositoryId, RunStatus};
use standin_core::state::store::{Rescue, RunFilter, Store};
use standin_sandbox::{ActionsPermissions, SelectedActions, WorkflowState};

use crate::cli::{ARCHIVE, BACKUP, Machine, NAME, OWNER, Refs, STANDBY, World, refs};

/// The id that the repository has without a `standin.toml`.
const REPOSITORY: &str = "ada.orchestrator";

/// What there was before a job.
pub struct Before {
    primary: Refs,
    mirrors: BTreeMap<&'static str, Refs>,
    fences: BTreeMap<&'static str, Option<Oid>>,
    /// The settings of Actions on the standby.
    pub actions: (Option<ActionsPermissions>, Option<SelectedActions>),
}

impl Before {
    /// Looks at the world as it is now.
    pub fn of(world: &World) -> Self {
        Self {
            primary: refs(&world.primary()),
            mirrors: world.mirrors().iter().map(|(id, path)| (*id, refs(path))).collect(),
            fences: world.mirrors().iter().map(|(id, path)| (*id, fence_tip(path))).collect(),
            actions: actions(world),
        }
    }
}

fn actions(world: &World) -> (Option<ActionsPermissions>, Option<SelectedActions>) {
    (world.sandbox.actions_permissions(BACKUP, NAME), world.sandbox.selected_actions(BACKUP, NAME))
}

/// Whether the settings of Actions are those from before.
pub(super) fn same_actions(world: &World, before: &Before) -> bool {
    actions(world) == before.actions
}

/// What must be true whenever nothing of Standin runs.
pub fn check_after_crash(world: &World, machine: &Machine, before: &Before) {
    let status = machine.json(&["status"]);
    check_status(machine, &status);
    world.settle();
    check_fences(world, before);
    check_nothing_lost(world, &[machine], before);
    let settings_as_before = same_actions(world, before);
    if !settings_as_before {
        let open = &status["open_change"];
        assert_eq!(
            (&open["mirror"], &open["kind"]),
            (&STANDBY.into(), &"actions_off".into()),
            "(5) what is off is shown"
        );
        assert!(open["detail"].as_str().is_some_and(|detail| detail.contains("next sync")), "{open}");
        let fence = fence_tip(&world.standby()).expect("(5) a fence");
        assert!(!document(&world.standby(), fence)["open_change"].is_null(), "(5) what is off stands in the fence");
    }
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0, "no workflow ran");
    check_secrets(world);
}

/// (5): nothing shows as going on, and what was interrupted is said to be, with what to do.
fn check_status(machine: &Machine, status: &Value) {
    let text = machine.standin(&["status"]).stdout;
    assert!(!text.contains("syncing"), "(5) {text}");
    let store = Store::open(&machine.state).unwrap();
    for mirror in status["mirrors"].as_array().unwrap() {
        assert_ne!(mirror["status"], "syncing", "(5) {mirror}");
        let id: MirrorId = mirror["id"].as_str().unwrap().parse().unwrap();
        if store.running(&repository(), &id).unwrap().is_empty() {
            continue;
        }
        assert_eq!((&mirror["status"], &mirror["error"]["code"]), (&"failed".into(), &"interrupted".into()), "(5)");
        let hint = mirror["error"]["hint"].as_str().unwrap();
        assert!(!hint.is_empty() && text.contains(hint), "(5) {text}");
    }
    let file = machine.state.join(REPOSITORY).join("mirror_status.json");
    if let Ok(bytes) = fs::read(file) {
        serde_json::from_slice::<Value>(&bytes).expect("mirror_status.json is whole");
    }
}

fn repository() -> RepositoryId {
    REPOSITORY.parse().unwrap()
}

/// (1): along each chain the sequence rises by one and the epoch never falls; what was there before is still in it.
fn check_fences(world: &World, before: &Before) {
    for (mirror, path) in world.mirrors() {
        let Some(tip) = fence_tip(&path) else {
            assert_eq!(before.fences[mirror], None, "(1) the fence of {mirror} is gone");
            continue;
        };
        let repository = Repository::open_bare(&path).unwrap();
        let mut seen = BTreeSet::new();
        let mut commit = repository.find_commit(tip).unwrap();
        loop {
            seen.insert(commit.id());
            let here = position(&document(&path, commit.id()));
            let Ok(parent) = commit.parent(0) else {
                assert_eq!(here, (1, 1), "(1) the chain of {mirror} begins");
                break;
            };
            let there = position(&document(&path, parent.id()));
            assert!(here.0 >= there.0 && here.1 == there.1 + 1, "(1) {mirror}: {here:?} follows {there:?}");
            commit = parent;
        }
        if let Some(old) = before.fences[mirror] {
            assert!(seen.contains(&old), "(1) the fence of {mirror} does not continue the one from before");
        }
    }
}

fn position(document: &Value) -> (u64, u64) {
    (document["epoch"].as_u64().unwrap(), document["sequence"].as_u64().unwrap())
}

fn fence_tip(path: &Path) -> Option<Oid> {
    Repository::open_bare(path).unwrap().refname_to_id("refs/standin/fence").ok()
}

fn document(path: &Path, fence: Oid) -> Value {
    let repository = Repository::open_bare(path).unwrap();
    let tree = repository.find_commit(fence).unwrap().tree().unwrap();
    let blob = repository.find_blob(tree.get_name("fence.json").unwrap().id()).unwrap();
    serde_json::from_slice(blob.content()).unwrap()
}

/// (3) and (4): every tip from before can be reached from the primary, a mirror or a rescue; what went from a mirror was
/// rescued, with all its history.
fn check_nothing_lost(world: &World, machines: &[&Machine], before: &Before) {
    let mut places: Vec<(PathBuf, Vec<Oid>)> =
        [world.primary(), world.standby(), world.archive()].map(|path| (path.clone(), tips(refs(&path)))).into();
    let mut rescues = Vec::new();
    for machine in machines {
        let cache = machine.state.join(REPOSITORY).join("cache.git");
        let of_machine = Store::open(&machine.state).unwrap().rescues(None, None).unwrap();
        places.push((cache.clone(), check_rescues(&cache, &of_machine)));
        rescues.extend(of_machine);
    }
    for (mirror, old) in &before.mirrors {
        let path = world.mirrors().into_iter().find(|(id, _)| id == mirror).unwrap().1;
        let now = refs(&path);
        for (name, tip) in old {
            let still_there = now.get(name).is_some_and(|now| contains(&path, *now, *tip));
            let is_rescued = rescues.iter().any(|rescue| {
                rescue.mirror.as_str() == *mirror
                    && rescue.ref_name.as_str() == name
                    && rescue.oid.to_string() == tip.to_string()
            });
            assert!(still_there || is_rescued, "(4) {name} {tip} of {mirror} went without a rescue");
        }
    }
    let all = before.mirrors.values().chain([&before.primary]).flatten();
    for (name, tip) in all {
        let is_reachable = places.iter().any(|(path, tips)| tips.iter().any(|from| contains(path, *from, *tip)));
        assert!(is_reachable, "(3) {name} {tip} is lost");
    }
}

/// Whether each rescue is kept with all its history; gives their tips.
fn check_rescues(cache: &Path, rescues: &[Rescue]) -> Vec<Oid> {
    if rescues.is_empty() {
        return Vec::new();
    }
    let repository = Repository::open_bare(cache).unwrap();
    let kept = rescue_refs(&repository);
    let tip = |rescue: &Rescue| {
        let oid = *kept.get(&rescue.id).unwrap_or_else(|| panic!("(4) rescue {} has no ref", rescue.id));
        assert_eq!(oid.to_string(), rescue.oid.to_string(), "(4) rescue {}", rescue.id);
        let mut walk = repository.revwalk().unwrap();
        walk.push(oid).unwrap();
        for commit in walk {
            repository.find_commit(commit.unwrap()).unwrap().tree().expect("(4) a rescue is whole");
        }
        oid
    };
    rescues.iter().map(tip).collect()
}

fn tips(refs: Refs) -> Vec<Oid> {
    refs.into_values().collect()
}

fn rescue_refs(cache: &Repository) -> BTreeMap<String, Oid> {
    let references = cache.references_glob("refs/standin/rescue/*").unwrap().map(Result::unwrap);
    references
        .map(|reference| {
            let id = reference.name().unwrap().rsplit('/').next().unwrap().to_owned();
            (id, reference.target().unwrap())
        })
        .collect()
}

/// Whether `tip` is `from` or one of its ancestors, in the repository at `path`.
fn contains(path: &Path, from: Oid, tip: Oid) -> bool {
    let repository = Repository::open_bare(path).unwrap();
    if repository.find_commit(from).is_err() {
        return false;
    }
    let mut walk = repository.revwalk().unwrap();
    walk.set_sorting(Sort::TOPOLOGICAL).unwrap();
    walk.push(from).unwrap();
    walk.any(|oid| oid.unwrap() == tip)
}

/// (8): nothing secret in the state folders, in what was said, in temporary files.
fn check_secrets(world: &World) {
    let canaries = world.canaries();
    let clone = world.clone_path();
    let mut folders = vec![world.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path == clone {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                let text = String::from_utf8_lossy(&bytes);
                let found = canaries.iter().any(|canary| text.contains(canary.as_str()));
                assert!(!found, "(8) a secret lies in {}", path.display());
            }
        }
    }
}

/// What must be true when the job is done: everything in step, nothing open, nothing lost on the way. The first machine
/// was the last to sync.
pub fn check_in_step(world: &World, machines: &[&Machine], before: &Before) {
    let machine = machines[0];
    let status = machine.json(&["status"]);
    assert_eq!(status["open_change"], Value::Null, "(5)");
    for mirror in status["mirrors"].as_array().unwrap() {
        assert_eq!(mirror["status"], "success", "{mirror}");
    }
    let file = fs::read(machine.state.join(REPOSITORY).join("mirror_status.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&file).unwrap(), status, "mirror_status.json says the same");
    let store = Store::open(&machine.state).unwrap();
    assert!(store.open_journals(None).unwrap().is_empty(), "(5) no journal is open");
    let open_runs = RunFilter { status: Some(RunStatus::Running), ..RunFilter::default() };
    assert!(store.runs(&open_runs).unwrap().is_empty(), "(5) no run is open");

    let primary = refs(&world.primary());
    for (mirror, path) in world.mirrors() {
        assert_eq!(refs(&path), primary, "{mirror} has the refs of the primary");
        let document = document(&path, fence_tip(&path).unwrap());
        assert_eq!(document["open_change"], Value::Null, "(5) {mirror}");
        let said: BTreeMap<String, String> = serde_json::from_value(document["refs"].clone()).unwrap();
        let there: BTreeMap<String, String> =
            primary.iter().map(|(name, oid)| (name.clone(), oid.to_string())).collect();
        assert_eq!(said, there, "the fence of {mirror} knows what was pushed");
    }
    check_fences(world, before);
    check_nothing_lost(world, machines, before);
    check_values(world);
    assert!(same_actions(world, before), "the settings of Actions are whole again: {:?}", actions(world));
    let active = world.sandbox.workflows(BACKUP, NAME).into_iter();
    let active: Vec<String> =
        active.filter(|workflow| workflow.state == WorkflowState::Active).map(|workflow| workflow.path).collect();
    assert!(active.is_empty(), "not held: {active:?}");
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0, "no workflow ran");
    check_secrets(world);
}

/// Secrets and variables of the standby are those of `.env` and the primary.
pub fn check_values(world: &World) {
    for (name, value) in &world.secrets {
        let there = world.sandbox.secret_value(BACKUP, NAME, name);
        assert!(there.as_deref() == Some(value.as_bytes()), "secret {name} is not the one of .env");
    }
    let setting = |name: &str| world.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let there = |name| world.sandbox.variable(BACKUP, NAME, name);
    assert_eq!(there("DEPLOY_MODE"), setting("DEPLOY_MODE"));
    assert_eq!(there("MASTER_REPO"), world.sandbox.variable(OWNER, NAME, "MASTER_REPO"));
    assert_eq!(there("MIRROR_ROLE").as_deref(), Some("SLAVE"));
}

/// How many changes the last run of each mirror made.
pub fn last_changes(machine: &Machine) -> [u64; 2] {
    let store = Store::open(&machine.state).unwrap();
    [STANDBY, ARCHIVE].map(|mirror| {
        let filter = RunFilter { mirror: Some(mirror.parse().unwrap()), limit: 1, ..RunFilter::default() };
        store.runs(&filter).unwrap()[0].totals.changes
    })
}
