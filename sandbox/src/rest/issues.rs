//! `issues`: opening, listing, reading, changing; they share their numbers with pull requests. Comments and labels are
//! not here.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::present::{Page, time, user_of};
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read, signed_in, target};
use crate::access::Need;
use crate::world::{Issue, Repository, World, node_id};

const READ: Need = Need::read("issues");
/// Whoever may read may open one.
const OPEN: Need = Need::write("issues").by(crate::world::Role::Read);
const WRITE: Need = Need::write("issues").by(crate::world::Role::Triage);

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let state = call.query("state").unwrap_or("open");
    let creator = call.query("creator");
    let issues = read(at, READ, |world, repository| {
        Ok(repository
            .issues
            .iter()
            .rev()
            .filter(|issue| state == "all" || issue.open == (state == "open"))
            .filter(|issue| creator.is_none_or(|creator| issue.author.eq_ignore_ascii_case(creator)))
            .map(|issue| entry(at, world, repository, issue))
            .collect::<Vec<_>>())
    })?;
    Ok(page.listed(call, issues))
}

#[derive(Deserialize)]
struct Create {
    title: String,
    body: Option<String>,
}

pub(super) fn create(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, OPEN)?;
    let (_, login) = signed_in(call)?;
    let create: Create = call.json()?;
    let (id, now) = (shared.world().next_id(), shared.now());
    let number = change(at, OPEN, |repository| {
        let number = repository.next_number();
        repository.issues.push(Issue {
            id,
            number,
            title: create.title,
            body: create.body,
            author: login.to_owned(),
            open: true,
            created_at: now,
            updated_at: now,
        });
        Ok(number)
    })?;
    let value = one(at, &number.to_string())?;
    Ok(Reply::created(&value).location(&found.url(&format!("/issues/{number}"))))
}

pub(super) fn get(at: At<'_>, number: &str) -> Answer {
    Ok(Reply::json(&one(at, number)?))
}

#[derive(Deserialize)]
struct Update {
    title: Option<String>,
    body: Option<String>,
    state: Option<String>,
}

pub(super) fn update(at: At<'_>, number: &str) -> Answer {
    let (shared, call, ..) = at;
    target(at, WRITE)?;
    let update: Update = call.json()?;
    let now = shared.now();
    change(at, WRITE, |repository| {
        let issue = repository
            .issues
            .iter_mut()
            .find(|issue| issue.number.to_string() == number)
            .ok_or_else(Refusal::not_found)?;
        if let Some(title) = update.title {
            issue.title = title;
        }
        if update.body.is_some() {
            issue.body = update.body;
        }
        match update.state.as_deref() {
            Some("open") => issue.open = true,
            Some("closed") => issue.open = false,
            _ => {}
        }
        issue.updated_at = now;
        Ok(())
    })?;
    get(at, number)
}

fn one(at: At<'_>, number: &str) -> Result<Value, Refusal> {
    read(at, READ, |world, repository| {
        let issue = repository.issues.iter().find(|issue| issue.number.to_string() == number);
        issue.map(|issue| entry(at, world, repository, issue)).ok_or_else(Refusal::not_found)
    })
}

fn entry(at: At<'_>, world: &World, repository: &Repository, issue: &Issue) -> Value {
    let (shared, call, ..) = at;
    let slug = repository.slug();
    let base = call.url(&format!("/repos/{slug}"));
    let url = format!("{base}/issues/{}", issue.number);
    let closed = (!issue.open).then(|| time(issue.updated_at));
    json!({
        "id": issue.id,
        "node_id": node_id("I", issue.id),
        "url": url,
        "repository_url": base,
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "html_url": format!("{}/{slug}/issues/{}", shared.server_url(), issue.number),
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "user": user_of(world, call, &issue.author),
        "state": if issue.open { "open" } else { "closed" },
        "state_reason": closed.as_ref().map(|_| "completed"),
        "labels": [],
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "locked": false,
        "active_lock_reason": null,
        "comments": 0,
        "author_association": if repository.owner == issue.author { "OWNER" } else { "NONE" },
        "created_at": time(issue.created_at),
        "updated_at": time(issue.updated_at),
        "closed_at": closed,
    })
}
