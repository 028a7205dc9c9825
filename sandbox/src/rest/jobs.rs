//! `actions/runs/…/jobs`, `actions/jobs`: the jobs of runs, their remarks, and their logs by redirect to an address that
//! needs no token, as on GitHub.

use std::io::{Cursor, Write as _};

use hyper::StatusCode;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Answer;
use super::call::Call;
use super::present::{Page, time};
use super::reply::{Refusal, Reply};
use super::rights::{At, read, target};
use super::runs;
use crate::access::Need;
use crate::actions::LogOf;
use crate::shared::Shared;
use crate::world::{Annotation, Job, Repository, Run, RunStatus, Step, node_id};

const READ: Need = Need::read("actions");
const CHECKS: Need = Need::read("checks");

pub(super) fn list(at: At<'_>, run: &str) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let jobs = read(at, READ, |_, repository| {
        let run = runs::one(repository, run)?;
        Ok(run.jobs.iter().map(|job| entry(at, repository, run, job)).collect())
    })?;
    Ok(page.counted(call, "jobs", jobs))
}

/// The jobs of an attempt; there is but the first.
pub(super) fn list_of_attempt(at: At<'_>, run: &str, attempt: &str) -> Answer {
    if attempt == "1" { list(at, run) } else { Err(Refusal::not_found()) }
}

pub(super) fn get(at: At<'_>, id: &str) -> Answer {
    let value = read(at, READ, |_, repository| {
        let (run, job) = one(repository, id)?;
        Ok(entry(at, repository, run, job))
    })?;
    Ok(Reply::json(&value))
}

/// Runs here make no artifacts.
pub(super) fn artifacts(at: At<'_>, run: &str) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    read(at, READ, |_, repository| runs::one(repository, run).map(drop))?;
    Ok(page.counted(call, "artifacts", Vec::new()))
}

/// What a job remarked; a job's check run has the job's number.
pub(super) fn annotations(at: At<'_>, id: &str) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let found = target(at, CHECKS)?;
    let remark = |run: &Run, remark: &Annotation| {
        let path = remark.path.as_deref().unwrap_or(".github");
        let line = remark.line.unwrap_or(1);
        json!({
            "path": path,
            "start_line": line,
            "end_line": line,
            "start_column": null,
            "end_column": null,
            "annotation_level": remark.level.as_str(),
            "title": remark.title.as_deref().unwrap_or_default(),
            "message": remark.message,
            "raw_details": "",
            "blob_href": found.web_url(&format!("/blob/{}/{path}", run.head_sha)),
        })
    };
    let remarks = read(at, CHECKS, |_, repository| {
        let (run, job) = one(repository, id)?;
        Ok(job.annotations.iter().map(|annotation| remark(run, annotation)).collect())
    })?;
    Ok(page.listed(call, remarks))
}

pub(super) fn log_of_job(at: At<'_>, id: &str) -> Answer {
    let of = read(at, READ, |_, repository| {
        let (run, job) = one(repository, id)?;
        // GitHub has a log once the job has ended.
        if job.status != RunStatus::Completed {
            return Err(Refusal::not_found());
        }
        Ok(LogOf { repository_id: repository.id, run_id: run.id, job_id: Some(job.id) })
    })?;
    Ok(elsewhere(at, of))
}

pub(super) fn logs_of_run(at: At<'_>, id: &str) -> Answer {
    let of = read(at, READ, |_, repository| {
        let run = runs::one(repository, id)?;
        if run.status != RunStatus::Completed || run.jobs.is_empty() {
            return Err(Refusal::not_found());
        }
        Ok(LogOf { repository_id: repository.id, run_id: run.id, job_id: None })
    })?;
    Ok(elsewhere(at, of))
}

/// A redirect to where the log can be had for a while without a token.
fn elsewhere(at: At<'_>, of: LogOf) -> Reply {
    let (shared, call, ..) = at;
    let key = shared.actions.open_log(of);
    Reply::empty(StatusCode::FOUND).location(&call.url(&format!("/_logs/{key}")))
}

/// What such an address gives: the text of a job, a zip of a run.
pub(super) fn opened_log(shared: &Shared, call: &Call, key: &str) -> Answer {
    call.need.set(None);
    let of = shared.actions.opened_log(key).ok_or_else(Refusal::not_found)?;
    let world = shared.world();
    let run = world
        .repository(of.repository_id)
        .and_then(|repository| repository.runs.iter().find(|run| run.id == of.run_id));
    let run = run.ok_or_else(Refusal::not_found)?;
    match of.job_id {
        Some(id) => {
            let job = run.jobs.iter().find(|job| job.id == id).ok_or_else(Refusal::not_found)?;
            Ok(Reply::raw("text/plain; charset=utf-8", job.log.clone()))
        }
        None => {
            let bytes = zipped(run).map_err(|error| {
                tracing::error!(%error, "a run's logs cannot be packed");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
            })?;
            Ok(Reply::raw("application/zip", bytes))
        }
    }
}

/// A file for each job, and one for each of its steps in a folder of the job's name.
fn zipped(run: &Run) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = |name: &str| name.replace(['/', '\\', ':', '<', '>', '|', '*', '?', '"'], "");
    for (index, job) in run.jobs.iter().enumerate() {
        let folder = plain(&job.name);
        zip.start_file(format!("{index}_{folder}.txt"), options)?;
        zip.write_all(job.log.as_bytes())?;
        for step in job.steps.iter().filter(|step| step.started_at.is_some()) {
            zip.start_file(format!("{folder}/{}_{}.txt", step.number, plain(&step.name)), options)?;
            zip.write_all(job.log.get(step.log.clone()).unwrap_or_default().as_bytes())?;
        }
    }
    Ok(zip.finish()?.into_inner())
}

fn one<'r>(repository: &'r Repository, id: &str) -> Result<(&'r Run, &'r Job), Refusal> {
    let jobs = repository.runs.iter().flat_map(|run| run.jobs.iter().map(move |job| (run, job)));
    jobs.into_iter().find(|(_, job)| job.id.to_string() == id).ok_or_else(Refusal::not_found)
}

fn entry(at: At<'_>, repository: &Repository, run: &Run, job: &Job) -> Value {
    let (shared, call, ..) = at;
    let base = call.url(&format!("/repos/{}", repository.slug()));
    let html = format!("{}/{}/actions/runs/{}", shared.server_url(), repository.slug(), run.id);
    json!({
        "id": job.id,
        "run_id": run.id,
        "workflow_name": run.name,
        "head_branch": run.head_branch,
        "run_url": format!("{base}/actions/runs/{}", run.id),
        "run_attempt": 1,
        "node_id": node_id("CR", job.id),
        "head_sha": run.head_sha,
        "url": format!("{base}/actions/jobs/{}", job.id),
        "html_url": format!("{html}/job/{}", job.id),
        "status": job.status.as_str(),
        "conclusion": job.conclusion.map(crate::world::Conclusion::as_str),
        "created_at": time(job.created_at),
        "started_at": time(job.started_at.unwrap_or(job.created_at)),
        "completed_at": job.completed_at.map(time),
        "name": job.name,
        "steps": job.steps.iter().map(step).collect::<Vec<_>>(),
        "check_run_url": format!("{base}/check-runs/{}", job.id),
        "labels": ["ubuntu-latest"],
        "runner_id": job.started_at.map(|_| 1),
        "runner_name": job.started_at.map(|_| format!("sandbox-{}", run.id)),
        "runner_group_id": job.started_at.map(|_| 1),
        "runner_group_name": job.started_at.map(|_| "GitHub Actions"),
    })
}

fn step(step: &Step) -> Value {
    json!({
        "name": step.name,
        "status": step.status.as_str(),
        "conclusion": step.conclusion.map(crate::world::Conclusion::as_str),
        "number": step.number,
        "started_at": step.started_at.map(time),
        "completed_at": step.completed_at.map(time),
    })
}
