//! Preparing a run: its file, its contexts, its place in the queue. What is wrong with the file ends it here.

use std::sync::Arc;

use git2::Oid;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::expression::Contexts;
use super::log::RunRecord;
use super::plan::{Concurrency, Grants, Input, InputKind, Plan, Trouble};
use super::queue::{Place, Wish};
use super::read;
use super::run::{Running, carry_out};
use super::surroundings::{About, Stored, texts};
use super::{OpenRun, Stops};
use crate::shared::Shared;
use crate::world::{Conclusion, Level, Repository, RunStatus, World};

/// Starts a run that the world has already. Blocks on the disk.
pub(crate) fn launch(shared: &Shared, repository_id: u64, run_id: u64, reference: &str, event: Json) {
    let Some(shared) = shared.handle() else {
        return;
    };
    let record = RunRecord { shared: Arc::clone(&shared), repository_id, run_id };
    let cancel = shared.shutdown.child_token();
    match prepare(&record, reference, event) {
        Ok(prepared) => {
            let Prepared { about, plan, stored, grants, wish } = prepared;
            let place = wish.map(|wish| shared.actions.queue.enter(repository_id, &wish, run_id, cancel.clone()));
            if place.as_ref().is_some_and(|place| !place.is_running()) {
                record.run(|run| run.status = RunStatus::Pending);
            }
            let stops = Stops { cancel: cancel.clone(), force: CancellationToken::new() };
            let open = OpenRun::begin(&shared, run_id, stops.clone());
            let running = Arc::new(Running { record, about, plan, stored, grants, cancel });
            spawn(&shared, running, place, open, stops.force);
        }
        Err(problem) => {
            record.problem(&problem);
            let now = shared.now();
            record.run(|run| run.conclude(Conclusion::Failure, now));
        }
    }
}

fn spawn(shared: &Arc<Shared>, running: Arc<Running>, place: Option<Place>, open: OpenRun, force: CancellationToken) {
    let (shutdown, record) = (shared.shutdown.clone(), running.record.clone());
    shared.tasks.spawn_on(
        async move {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = force.cancelled() => record.ended_by_force(),
                () = carry_out(running, place) => {}
            }
            drop(open);
        },
        &shared.actions.runtime,
    );
}

struct Prepared {
    about: About,
    plan: Plan,
    stored: Stored,
    grants: Grants,
    wish: Option<Wish>,
}

fn prepare(record: &RunRecord, reference: &str, event: Json) -> Result<Prepared, String> {
    let shared = &record.shared;
    let gone = || "the repository is gone".to_owned();
    let (about, stored, path, grants) = {
        let world = shared.world();
        let repository = world.repository(record.repository_id).ok_or_else(gone)?;
        let about = about(&world, repository, record.run_id, reference, event).ok_or_else(gone)?;
        let write = repository.workflow_permissions.default_workflow_permissions == "write";
        (about, Stored::of(&world, record.repository_id), repository.path.clone(), default_grants(write))
    };
    let text = file_text(&path, &about.sha, &about.path)?;
    let in_file = |trouble: &Trouble| trouble.in_file(&about.path);
    let plan = read::read(&text).map_err(|troubles| troubles.iter().map(in_file).collect::<Vec<_>>().join("\n"))?;
    let mut contexts = Contexts::default();
    contexts.set("github", about.context(shared, Vec::new()));
    contexts.set("inputs", about.inputs(&plan));
    contexts.set("vars", texts(&stored.variables));
    let title = plan.run_name.as_ref().map(|name| name.text(&contexts)).transpose();
    let title = title.map_err(|trouble| in_file(&trouble))?;
    let wish = wish(plan.concurrency.as_ref(), &contexts).map_err(|trouble| in_file(&trouble))?;
    if let Some(title) = title.filter(|title| !title.is_empty()) {
        record.run(|run| run.title = title);
    }
    register_jobs(record, &plan);
    Ok(Prepared { about, plan, stored, grants, wish })
}

/// The place that a run or job wishes.
pub(super) fn wish(concurrency: Option<&Concurrency>, contexts: &Contexts) -> Result<Option<Wish>, Trouble> {
    let Some(concurrency) = concurrency else {
        return Ok(None);
    };
    let stops_running = match &concurrency.cancel_in_progress {
        Some(stops) => stops.flag(contexts)?,
        None => false,
    };
    let group = concurrency.group.text(contexts)?;
    if group.is_empty() {
        return Err(Trouble { line: concurrency.group.line, message: "the concurrency group is empty".to_owned() });
    }
    Ok(Some(Wish { group, stops_running }))
}

fn about(world: &World, repository: &Repository, run_id: u64, reference: &str, event: Json) -> Option<About> {
    let run = repository.runs.iter().find(|run| run.id == run_id)?;
    let id_of = |login: &str| world.account(login).map_or(0, |account| account.id);
    let mut whole = json!({
        "repository": {
            "id": repository.id,
            "name": repository.name,
            "full_name": repository.slug(),
            "private": repository.private,
            "default_branch": repository.default_branch,
            "owner": {"login": repository.owner, "id": id_of(&repository.owner)},
        },
        "sender": {"login": run.actor, "id": id_of(&run.actor)},
    });
    if let (Some(whole), Json::Object(event)) = (whole.as_object_mut(), event) {
        whole.extend(event);
    }
    Some(About {
        repository: repository.slug(),
        repository_id: repository.id,
        owner: repository.owner.clone(),
        owner_id: id_of(&repository.owner),
        private: repository.private,
        run_id,
        run_number: run.run_number,
        workflow: run.name.clone(),
        path: run.path.clone(),
        event_name: run.event.clone(),
        event: whole,
        reference: reference.to_owned(),
        sha: run.head_sha.clone(),
        actor: run.actor.clone(),
        actor_id: id_of(&run.actor),
    })
}

fn file_text(repository: &std::path::Path, commit: &str, path: &str) -> Result<String, String> {
    let read = || -> Result<Vec<u8>, git2::Error> {
        let git = crate::git::open(repository)?;
        let tree = git.find_commit(Oid::from_str(commit)?)?.tree()?;
        let entry = tree.get_path(std::path::Path::new(path))?;
        Ok(git.find_blob(entry.id())?.content().to_vec())
    };
    let bytes = read().map_err(|error| format!("{path} of {commit} cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{path} is no UTF-8"))
}

fn register_jobs(record: &RunRecord, plan: &Plan) {
    let (shared, now) = (&record.shared, record.shared.now());
    let ids: Vec<u64> = {
        let mut world = shared.world();
        plan.jobs.iter().map(|_| world.next_id()).collect()
    };
    record.run(|run| {
        run.jobs = plan.jobs.iter().zip(ids).map(|(job, id)| super::run::waiting_job(job, id, now)).collect();
    });
}

/// What a job's token may do where the file does not say.
fn default_grants(write: bool) -> Grants {
    let read: &[&str] = if write { &[] } else { &["contents", "packages"] };
    let written: &[&str] = if write {
        &[
            "actions",
            "checks",
            "contents",
            "deployments",
            "discussions",
            "issues",
            "packages",
            "pages",
            "pull-requests",
            "repository-projects",
            "security-events",
            "statuses",
        ]
    } else {
        &[]
    };
    let grants = |names: &[&str], level| names.iter().map(|name| ((*name).to_owned(), level)).collect::<Vec<_>>();
    grants(read, Level::Read).into_iter().chain(grants(written, Level::Write)).collect()
}

/// The inputs of a `workflow_dispatch` as the run sees them: what was given, else the defaults.
///
/// # Errors
/// GitHub's words about an input that is missing, not declared or not allowed; or what is wrong with the file.
pub(crate) fn check_inputs(path: &str, text: &str, given: &serde_json::Map<String, Json>) -> Result<Json, String> {
    let plan = read::read(text).map_err(|troubles| {
        let troubles: Vec<String> = troubles.iter().map(|trouble| trouble.in_file(path)).collect();
        format!("failed to parse workflow: {}", troubles.join("; "))
    })?;
    let unexpected: Vec<&String> =
        given.keys().filter(|name| !plan.inputs.iter().any(|input| input.name == **name)).collect();
    if !unexpected.is_empty() {
        return Err(format!("Unexpected inputs provided: {unexpected:?}"));
    }
    let mut inputs = serde_json::Map::new();
    for input in &plan.inputs {
        let value = match given.get(&input.name) {
            Some(Json::String(text)) => Some(text.clone()),
            Some(Json::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        let value = value.or_else(|| input.default.clone());
        if let Some(value) = checked(input, value)? {
            inputs.insert(input.name.clone(), value.into());
        }
    }
    Ok(inputs.into())
}

fn checked(input: &Input, value: Option<String>) -> Result<Option<String>, String> {
    let name = &input.name;
    let Some(value) = value else {
        return match input.kind {
            InputKind::Boolean => Ok(Some("false".to_owned())),
            _ if input.required => Err(format!("Required input '{name}' not provided")),
            _ => Ok(Some(String::new())),
        };
    };
    let fits = match &input.kind {
        InputKind::Text => true,
        InputKind::Boolean => value == "true" || value == "false",
        InputKind::Number => value.parse::<f64>().is_ok(),
        InputKind::Choice(options) => options.contains(&value),
    };
    if fits {
        return Ok(Some(value));
    }
    Err(format!("Provided value '{value}' for input '{name}' is not allowed"))
}
