//! What follows a change of refs, by push or by REST: the default branch of a first push, the list of workflows, runs.

mod triggers;

use git2::{ObjectType, Oid, Repository as Git, Tree};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::actions;
use crate::shared::Shared;
use crate::world::{Repository, Run, RunStatus, Workflow, WorkflowState};

pub(crate) use triggers::{Change, WorkflowFile};

/// Where workflow files are.
pub(crate) const WORKFLOWS: &str = ".github/workflows";

/// GitHub makes no tag events when more tags than these come at once.
const TAGS_AT_ONCE: usize = 3;

/// A ref that moved.
#[derive(Debug, Clone)]
pub(crate) struct RefChange {
    /// Full name.
    pub name: String,
    /// Before; none when it was made.
    pub old: Option<Oid>,
    /// After; none when it was deleted.
    pub new: Option<Oid>,
}

/// Who moved it.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub login: String,
    pub token_id: Option<u64>,
    /// It is the token of a job, whose pushes start nothing.
    pub is_job: bool,
}

impl Actor {
    pub(crate) fn of(caller: Option<&Caller>) -> Self {
        Self {
            login: caller.and_then(|caller| caller.login.clone()).unwrap_or_default(),
            token_id: caller.and_then(|caller| caller.token.as_ref().map(|token| token.id)),
            is_job: caller
                .and_then(|caller| caller.token.as_deref())
                .is_some_and(|token| token.job_repository().is_some()),
        }
    }

    /// The host itself, in the name of this account.
    pub(crate) fn host(login: &str) -> Self {
        Self { login: login.to_owned(), token_id: None, is_job: false }
    }
}

/// Does all that follows when refs have moved. Blocks on the disk.
///
/// # Errors
/// libgit2's reason when the repository cannot be read.
pub(crate) fn refs_changed(
    shared: &Shared,
    repository_id: u64,
    changes: &[RefChange],
    actor: &Actor,
) -> Result<(), git2::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let Some((path, scan)) = shared
        .world()
        .repository(repository_id)
        .map(|repository| (repository.path.clone(), std::sync::Arc::clone(&repository.workflow_scan)))
    else {
        return Ok(());
    };
    let git = crate::git::open(&path)?;
    // One scan at a time, so that an older look at the default branch never overwrites a newer one.
    let _scanning = scan.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    adopt_default_branch(shared, repository_id, &git, changes);
    scan_workflows(shared, repository_id, &git)?;
    if actor.is_job {
        return Ok(());
    }
    let tags = changes.iter().filter(|change| change.name.starts_with("refs/tags/")).count();
    for change in changes {
        if change.name.starts_with("refs/tags/") && tags > TAGS_AT_ONCE {
            continue;
        }
        start_push_runs(shared, repository_id, &git, change, actor);
    }
    Ok(())
}

/// The first branches of an empty repository: if the default is not among them, one of them becomes it.
fn adopt_default_branch(shared: &Shared, id: u64, git: &Git, changes: &[RefChange]) {
    let Some(default) = shared.world().repository(id).map(|repository| repository.default_branch.clone()) else {
        return;
    };
    let branch_exists = |name: &str| git.find_reference(&format!("refs/heads/{name}")).is_ok();
    let pushed: Vec<&str> = changes
        .iter()
        .filter(|change| change.new.is_some())
        .filter_map(|change| change.name.strip_prefix("refs/heads/"))
        .collect();
    if pushed.is_empty() || branch_exists(&default) {
        return;
    }
    let all_new = git.references_glob("refs/heads/*").is_ok_and(|references| {
        references
            .flatten()
            .filter_map(|reference| reference.shorthand().ok().map(str::to_owned))
            .all(|name| pushed.contains(&name.as_str()))
    });
    if !all_new {
        return;
    }
    let preferred = ["main", "master"].into_iter().find(|name| pushed.contains(name)).unwrap_or(pushed[0]);
    if git.set_head(&format!("refs/heads/{preferred}")).is_ok()
        && let Some(repository) = shared.world().repository_mut(id)
    {
        preferred.clone_into(&mut repository.default_branch);
    }
}

/// Brings the list of workflows in step with the default branch.
pub(crate) fn scan_workflows(shared: &Shared, id: u64, git: &Git) -> Result<(), git2::Error> {
    let Some(default) = shared.world().repository(id).map(|repository| repository.default_branch.clone()) else {
        return Ok(());
    };
    let files = match git.find_reference(&format!("refs/heads/{default}")) {
        Ok(branch) => workflow_files(git, branch.peel(ObjectType::Commit)?.id()),
        Err(_) => Vec::new(),
    };
    let gone: Vec<String> = {
        let world = shared.world();
        let Some(repository) = world.repository(id) else {
            return Ok(());
        };
        repository
            .workflows
            .values()
            .filter(|workflow| workflow.present)
            .filter(|workflow| !files.iter().any(|file| file.path == workflow.path))
            .map(|workflow| workflow.path.clone())
            .collect()
    };
    let gone: Vec<String> = gone.into_iter().filter(|path| !on_any_branch(git, path)).collect();
    let mut world = shared.world();
    for file in &files {
        enlist(&mut world, id, file);
    }
    let (now, scheduled) = (world.now(), world.scheduled());
    if let Some(repository) = world.repository_mut(id) {
        repository.pushed_at = now;
        for file in &files {
            if let Some(workflow) = repository.workflows.get_mut(&file.path) {
                let schedules = file.triggers.schedules();
                if workflow.schedules != schedules {
                    workflow.schedules = schedules;
                    workflow.scheduled_until = scheduled;
                }
            }
        }
        for path in gone {
            if let Some(workflow) = repository.workflows.get_mut(&path) {
                workflow.present = false;
            }
        }
    }
    Ok(())
}

fn on_any_branch(git: &Git, path: &str) -> bool {
    git.references_glob("refs/heads/*").is_ok_and(|references| {
        references.flatten().any(|reference| {
            reference.peel_to_tree().is_ok_and(|tree| tree.get_path(std::path::Path::new(path)).is_ok())
        })
    })
}

/// Makes sure the host knows this workflow file, and gives its number.
fn enlist(world: &mut crate::world::World, id: u64, file: &WorkflowFile) -> Option<u64> {
    let next = world.next_id();
    let (now, scheduled) = (world.now(), world.scheduled());
    let repository = world.repository_mut(id)?;
    let listed = repository.listing.start(repository.permissions.enabled);
    let workflow = repository.workflows.entry(file.path.clone()).or_insert_with(|| Workflow {
        id: next,
        name: file.name.clone(),
        path: file.path.clone(),
        state: WorkflowState::Active,
        present: true,
        listed,
        created_at: now,
        updated_at: now,
        schedules: Vec::new(),
        scheduled_until: scheduled,
    });
    if !workflow.present {
        workflow.scheduled_until = scheduled;
        workflow.present = true;
        workflow.listed = listed;
        workflow.updated_at = now;
    }
    file.name.clone_into(&mut workflow.name);
    Some(workflow.id)
}

fn start_push_runs(shared: &Shared, id: u64, git: &Git, change: &RefChange, actor: &Actor) {
    let is_tag = change.name.starts_with("refs/tags/");
    let short = ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| change.name.strip_prefix(prefix));
    let (Some(short), Some(new)) = (short, change.new) else {
        return;
    };
    let Ok(commit) = git.find_object(new, None).and_then(|object| object.peel_to_commit()) else {
        return;
    };
    let enabled =
        shared.world().repository(id).is_some_and(|repository| repository.permissions.enabled && !repository.archived);
    if !enabled || skips_runs(commit.message().unwrap_or_default()) {
        return;
    }
    let files = workflow_files(git, commit.id());
    if files.is_empty() {
        return;
    }
    let payload = push_payload(change, actor, &commit);
    let paths = || changed_paths(git, change.old, commit.id());
    for file in &files {
        let push = Change { is_tag, name: short, paths: &paths };
        // As on GitHub, a file that cannot be used shows in a failed run of the push that brings it.
        let is_broken = || executes(shared, id, &file.path) && actions::check_workflow(&file.path, &file.text).is_err();
        if !file.triggers.on_push(&push) && (is_tag || !is_broken()) {
            continue;
        }
        let start = Start {
            path: file.path.clone(),
            event: "push",
            reference: change.name.clone(),
            payload: payload.clone(),
            head_branch: short.to_owned(),
            head_sha: commit.id().to_string(),
            title: commit.summary().ok().flatten().unwrap_or_default().to_owned(),
        };
        let known = enlist(&mut shared.world(), id, file).is_some();
        if known {
            start_run(shared, id, &start, actor);
        }
    }
}

fn executes(shared: &Shared, id: u64, path: &str) -> bool {
    shared.world().repository(id).is_some_and(|repository| repository.execute.includes(path))
}

/// A run that is to start.
pub(crate) struct Start {
    pub path: String,
    pub event: &'static str,
    /// Full name of the branch or tag.
    pub reference: String,
    pub head_branch: String,
    pub head_sha: String,
    pub title: String,
    /// What is particular to this event, as in `github.event`.
    pub payload: Value,
}

/// Starts a run of an active workflow and gives its number; none if the workflow is unknown or disabled. It is carried
/// out if the repository says so, else only counted.
pub(crate) fn start_run(shared: &Shared, id: u64, start: &Start, actor: &Actor) -> Option<u64> {
    let (run_id, executed) = {
        let mut world = shared.world();
        let (run_id, now) = (world.next_id(), world.now());
        let repository: &mut Repository = world.repository_mut(id)?;
        let workflow =
            repository.workflows.get(&start.path).filter(|workflow| workflow.state == WorkflowState::Active)?;
        let number = repository.runs.iter().filter(|run| run.workflow_id == workflow.id).count() as u64;
        let executed = repository.execute.includes(&start.path);
        let run = Run {
            id: run_id,
            run_number: number + 1,
            workflow_id: workflow.id,
            path: workflow.path.clone(),
            name: workflow.name.clone(),
            event: start.event.to_owned(),
            head_branch: start.head_branch.clone(),
            head_sha: start.head_sha.clone(),
            title: start.title.clone(),
            actor: actor.login.clone(),
            token_id: actor.token_id,
            executed,
            status: RunStatus::Queued,
            conclusion: None,
            problem: None,
            jobs: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        repository.runs.push(run);
        (run_id, executed)
    };
    if executed {
        actions::launch(shared, id, run_id, &start.reference, start.payload.clone());
    }
    Some(run_id)
}

fn push_payload(change: &RefChange, actor: &Actor, commit: &git2::Commit<'_>) -> Value {
    let name_of = |oid: Option<Oid>| oid.unwrap_or(Oid::ZERO_SHA1).to_string();
    json!({
        "ref": change.name,
        "before": name_of(change.old),
        "after": name_of(change.new),
        "created": change.old.is_none(),
        "deleted": false,
        "pusher": {"name": actor.login},
        "head_commit": {
            "id": commit.id().to_string(),
            "tree_id": commit.tree_id().to_string(),
            "message": commit.message().unwrap_or_default(),
        },
    })
}

/// A commit message that asks for no runs.
fn skips_runs(message: &str) -> bool {
    ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"].iter().any(|mark| message.contains(mark))
}

/// All workflow files of a commit that can be read.
fn workflow_files(git: &Git, commit: Oid) -> Vec<WorkflowFile> {
    let Ok(tree) = git.find_commit(commit).and_then(|commit| commit.tree()) else {
        return Vec::new();
    };
    let Some(folder) = subtree(git, &tree, WORKFLOWS) else {
        return Vec::new();
    };
    folder
        .iter()
        .filter_map(|entry| {
            let name = entry.name().ok()?;
            let is_workflow = name.ends_with(".yml") || name.ends_with(".yaml");
            if !is_workflow || entry.kind() != Some(ObjectType::Blob) {
                return None;
            }
            let blob = git.find_blob(entry.id()).ok()?;
            Some(WorkflowFile::parse(&format!("{WORKFLOWS}/{name}"), &String::from_utf8_lossy(blob.content())))
        })
        .collect()
}

/// One workflow file of a commit.
pub(crate) fn workflow_file(git: &Git, commit: Oid, path: &str) -> Option<WorkflowFile> {
    let tree = git.find_commit(commit).ok()?.tree().ok()?;
    let entry = tree.get_path(std::path::Path::new(path)).ok()?;
    let blob = git.find_blob(entry.id()).ok()?;
    Some(WorkflowFile::parse(path, &String::from_utf8_lossy(blob.content())))
}

/// The folder at this path of a tree.
pub(crate) fn subtree<'g>(git: &'g Git, tree: &Tree<'_>, path: &str) -> Option<Tree<'g>> {
    let entry = tree.get_path(std::path::Path::new(path)).ok()?;
    git.find_tree(entry.id()).ok()
}

/// Paths that differ between two commits; without the first, those that the second changes against its first parent.
fn changed_paths(git: &Git, old: Option<Oid>, new: Oid) -> Vec<String> {
    let read = || -> Result<Vec<String>, git2::Error> {
        let commit = git.find_commit(new)?;
        let before = match old {
            Some(old) => Some(git.find_object(old, None)?.peel_to_tree()?),
            None => commit.parent(0).and_then(|parent| parent.tree()).ok(),
        };
        let diff = git.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
        Ok(diff
            .deltas()
            .flat_map(|delta| [delta.old_file().path(), delta.new_file().path()])
            .flatten()
            .map(|path| path.to_string_lossy().into_owned())
            .collect())
    };
    read().unwrap_or_default()
}

/// The branch, else the tag, of this short or full name: its full name and commit.
pub(crate) fn full_name(git: &Git, name: &str) -> Option<(String, Oid)> {
    let short = short_name(name);
    ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| {
        let full = format!("{prefix}{short}");
        if name.starts_with("refs/") && full != name {
            return None;
        }
        let commit = git.find_reference(&full).ok()?.peel_to_commit().ok()?;
        Some((full, commit.id()))
    })
}

/// A branch's or tag's name without `refs/…/`.
pub(crate) fn short_name(name: &str) -> &str {
    ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// First line of a commit's message.
pub(crate) fn subject(git: &Git, commit: Oid) -> String {
    git.find_commit(commit)
        .ok()
        .and_then(|commit| commit.summary().ok().flatten().map(str::to_owned))
        .unwrap_or_default()
}
