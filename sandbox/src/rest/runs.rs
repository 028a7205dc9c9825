//! `actions/runs`: lists, single runs, cancelling. Carrying them out is in [`crate::actions`], their jobs in `jobs.rs`.

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::Answer;
use super::present::{self, Page, time, user_of};
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read};
use super::workflows;
use crate::access::Need;
use crate::actions;
use crate::world::{Conclusion, Repository, Role, Run, World, node_id};

const READ: Need = Need::read("actions");
const WRITE: Need = Need::write("actions").by(Role::Write);

pub(super) fn list(at: At<'_>) -> Answer {
    list_where(at, |_| true)
}

pub(super) fn list_of_workflow(at: At<'_>, id: &str) -> Answer {
    let workflow = change(at, READ, |repository| Ok(workflows::one_mut(repository, id)?.id))?;
    list_where(at, |run| run.workflow_id == workflow)
}

fn list_where(at: At<'_>, wanted: impl Fn(&Run) -> bool) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let asked = |name: &str, value: &str| call.query(name).is_none_or(|asked| asked == value);
    let created = call.query("created").map(Span::parse).transpose()?;
    let runs = read(at, READ, |world, repository| {
        Ok(repository
            .runs
            .iter()
            .rev()
            .filter(|run| wanted(run))
            .filter(|run| asked("event", &run.event))
            .filter(|run| asked("branch", &run.head_branch))
            .filter(|run| asked("head_sha", &run.head_sha))
            .filter(|run| asked("actor", &run.actor))
            .filter(|run| call.query("status").is_none_or(|asked| stands(run, asked)))
            .filter(|run| created.as_ref().is_none_or(|created| created.includes(run.created_at)))
            .map(|run| entry(at, world, repository, run))
            .collect::<Vec<_>>())
    })?;
    Ok(page.counted(call, "workflow_runs", runs))
}

pub(super) fn get(at: At<'_>, id: &str) -> Answer {
    let value = read(at, READ, |world, repository| one(repository, id).map(|run| entry(at, world, repository, run)))?;
    Ok(Reply::json(&value))
}

/// With `force`, also what the run would still do after a cancellation.
pub(super) fn cancel(at: At<'_>, id: &str, force: bool) -> Answer {
    let (repository, run) = read(at, WRITE, |_, repository| Ok((repository.id, one(repository, id)?.id)))?;
    if !actions::cancel(at.0, repository, run, force) {
        return Err(Refusal::conflict("Cannot cancel a workflow run that is completed."));
    }
    Ok(Reply::with_status(hyper::StatusCode::ACCEPTED, &json!({})))
}

/// The run of this number.
pub(super) fn one<'r>(repository: &'r Repository, id: &str) -> Result<&'r Run, Refusal> {
    repository.runs.iter().find(|run| run.id.to_string() == id).ok_or_else(Refusal::not_found)
}

/// True if it is in this state, or ended so.
fn stands(run: &Run, asked: &str) -> bool {
    run.status.as_str() == asked || run.conclusion.is_some_and(|conclusion| conclusion.as_str() == asked)
}

fn entry(at: At<'_>, world: &World, repository: &Repository, run: &Run) -> Value {
    let (shared, call, ..) = at;
    let base = call.url(&format!("/repos/{}", repository.slug()));
    let url = format!("{base}/actions/runs/{}", run.id);
    let actor = user_of(world, call, &run.actor);
    let small = present::minimal_repository(world, call, shared, repository);
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": node_id("WFR", run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": run.title,
        "run_number": run.run_number,
        "run_attempt": 1,
        "event": run.event,
        "status": run.status.as_str(),
        "conclusion": run.conclusion.map(Conclusion::as_str),
        "workflow_id": run.workflow_id,
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CS", run.id),
        "url": url,
        "html_url": format!("{}/{}/actions/runs/{}", shared.server_url(), repository.slug(), run.id),
        "pull_requests": [],
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
        "run_started_at": time(run.created_at),
        "actor": actor,
        "triggering_actor": actor,
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{base}/check-suites/{}", run.id),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": format!("{base}/actions/workflows/{}", run.workflow_id),
        "head_commit": null,
        "repository": small,
        "head_repository": small,
    })
}

/// A range of days or moments, as in searches: `2026-01-01..2026-02-01`, `>=2026-01-01T12:00:00Z`, `*..2026-01-01`.
struct Span {
    from: Timestamp,
    /// Not included.
    until: Timestamp,
}

impl Span {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::unprocessable(&format!("Invalid request.\n\ncreated is no range of dates: {text}."));
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (bounds(first, wrong)?, bounds(last, wrong)?),
            None => {
                let one = |rest| bounds(rest, wrong);
                let open = (Timestamp::MIN, Timestamp::MAX);
                if let Some(rest) = text.strip_prefix(">=") {
                    (one(rest)?, open)
                } else if let Some(rest) = text.strip_prefix("<=") {
                    (open, one(rest)?)
                } else if let Some(rest) = text.strip_prefix('>') {
                    ((one(rest)?.1, Timestamp::MAX), open)
                } else if let Some(rest) = text.strip_prefix('<') {
                    (open, (Timestamp::MIN, one(rest)?.0))
                } else {
                    (one(text)?, one(text)?)
                }
            }
        };
        Ok(Self { from: first.0, until: last.1 })
    }

    fn includes(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// When a day or second begins, and when the next one does.
fn bounds(text: &str, wrong: impl Fn() -> Refusal) -> Result<(Timestamp, Timestamp), Refusal> {
    if text == "*" {
        return Ok((Timestamp::MIN, Timestamp::MAX));
    }
    let after = |from: Timestamp, hours: i64, seconds: i64| {
        from.checked_add(hours.hours().seconds(seconds)).map(|until| (from, until)).map_err(|_| wrong())
    };
    if let Ok(moment) = text.parse::<Timestamp>() {
        return after(moment, 0, 1);
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let from = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp();
    after(from, 24, 0)
}
