//! `git/ref`, `git/matching-refs`, `git/refs`: refs of every kind, as compare-and-swap where GitHub makes them so.

use git2::{ErrorCode, ObjectType, Oid, Reference, Repository as Git};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::present::{Page, object_node_id};
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, target};
use crate::access::{self, Need};
use crate::git;
use crate::pushed::{self, Actor, RefChange};

const READ: Need = Need::read("contents");
const WRITE: Need = Need::write("contents");

pub(super) fn get(at: At<'_>, reference: &str) -> Answer {
    let found = target(at, READ)?;
    let git = opened(&found)?;
    let reference = git.find_reference(&format!("refs/{reference}")).map_err(|_| Refusal::not_found())?;
    Ok(Reply::json(&entry(&git, &found, &reference)?))
}

pub(super) fn matching(at: At<'_>, prefix: &str) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, READ)?;
    let page = Page::of(call, &shared.options)?;
    let git = opened(&found)?;
    let prefix = format!("refs/{prefix}");
    let mut entries = Vec::new();
    for reference in git.references()?.flatten() {
        if reference.name().is_ok_and(|name| name.starts_with(&prefix)) {
            entries.push(entry(&git, &found, &reference)?);
        }
    }
    entries.sort_by(|one, other| one["ref"].as_str().cmp(&other["ref"].as_str()));
    // GitHub gives the whole list unless a page is asked for.
    if call.query("per_page").is_none() && call.query("page").is_none() {
        return Ok(Reply::json(&Value::Array(entries)));
    }
    Ok(page.listed(call, entries))
}

#[derive(Deserialize)]
struct Create {
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
}

pub(super) fn create(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let create: Create = call.json()?;
    let git = opened(&found)?;
    let name = &create.reference;
    let slashes = name.matches('/').count();
    if !name.starts_with("refs/") || slashes < 2 || !Reference::is_valid_name(name) {
        return Err(Refusal::unprocessable(&format!("{name} is not a valid ref name.")));
    }
    let new = object(&git, &create.sha)?;
    require_allowed(at, &found, &git, name, None, Some(new))?;
    git::change_ref(|| git.reference(name, new, false, "")).map_err(|error| match error.code() {
        ErrorCode::Exists => Refusal::unprocessable("Reference already exists"),
        _ => Refusal::unprocessable("Reference cannot be created"),
    })?;
    finish(at, &found, name, None, Some(new))?;
    let reference = git.find_reference(name)?;
    let value = entry(&git, &found, &reference)?;
    let url = value["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(&value).location(&url))
}

#[derive(Deserialize)]
struct Update {
    sha: String,
    #[serde(default)]
    force: bool,
}

pub(super) fn update(at: At<'_>, reference: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let update: Update = call.json()?;
    let git = opened(&found)?;
    let name = format!("refs/{reference}");
    let old = git.refname_to_id(&name).map_err(|_| Refusal::unprocessable("Reference does not exist"))?;
    let new = object(&git, &update.sha)?;
    let forward = old == new || git.graph_descendant_of(new, old).unwrap_or(false);
    if !update.force && !forward {
        return Err(Refusal::unprocessable("Update is not a fast forward"));
    }
    require_allowed(at, &found, &git, &name, Some(old), Some(new))?;
    git::change_ref(|| git.reference_matching(&name, new, true, old, "")).map_err(|error| match error.code() {
        // Somebody else moved it since it was read above.
        ErrorCode::Modified => Refusal::unprocessable("Update is not a fast forward"),
        _ => Refusal::from_git(&error),
    })?;
    finish(at, &found, &name, Some(old), Some(new))?;
    let reference = git.find_reference(&name)?;
    Ok(Reply::json(&entry(&git, &found, &reference)?))
}

pub(super) fn delete(at: At<'_>, reference: &str) -> Answer {
    let found = target(at, WRITE)?;
    let git = opened(&found)?;
    let name = format!("refs/{reference}");
    let mut reference = git.find_reference(&name).map_err(|_| Refusal::unprocessable("Reference does not exist"))?;
    let old = reference.target();
    require_allowed(at, &found, &git, &name, old, None)?;
    git::change_ref(|| reference.delete())?;
    finish(at, &found, &name, old, None)?;
    Ok(Reply::no_content())
}

/// The git repository, which must have a commit.
pub(super) fn opened(found: &Target) -> Result<Git, Refusal> {
    let opened = found.open()?;
    if git::is_empty(&opened)? {
        return Err(Refusal::empty_repository());
    }
    Ok(opened)
}

fn object(git: &Git, sha: &str) -> Result<Oid, Refusal> {
    if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::unprocessable(
            "The sha parameter must be exactly 40 characters and contain only [0-9a-f].",
        ));
    }
    let oid = Oid::from_str(sha)?;
    git.find_object(oid, None).map_err(|_| Refusal::unprocessable("Object does not exist"))?;
    Ok(oid)
}

/// Refuses what a push of the same change would be refused for.
pub(super) fn require_allowed(
    at: At<'_>,
    found: &Target,
    git: &Git,
    name: &str,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<(), Refusal> {
    let (shared, call, ..) = at;
    if name.starts_with("refs/pull/") {
        return Err(Refusal::unprocessable("Reference cannot be updated"));
    }
    let protections =
        shared.world().repository(found.id).map(|repository| repository.protections.clone()).unwrap_or_default();
    let update = git::Update { name, old, new };
    if let Some((_, remarks)) = git::refusal_of_update(git, &protections, &found.default_branch, update) {
        let message = remarks.last().map_or("Cannot delete the default branch", String::as_str);
        return Err(Refusal::unprocessable(message.trim_start_matches("error: ")));
    }
    let caller = call.caller.as_ref().map_err(|_| Refusal::bad_credentials())?;
    if let Some(new) = new
        && !access::may_change_workflows(caller)
        && let Some(path) = git::NewCommits::of(git)?.changed_workflow(new)
    {
        return Err(Refusal::forbidden(&git::workflow_reason(caller, &path)));
    }
    Ok(())
}

/// Does what follows from a moved ref.
pub(super) fn finish(
    at: At<'_>,
    found: &Target,
    name: &str,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<(), Refusal> {
    let (shared, call, ..) = at;
    let change = RefChange { name: name.to_owned(), old, new };
    let actor = Actor::of(call.caller.as_ref().ok());
    Ok(pushed::refs_changed(shared, found.id, &[change], &actor)?)
}

fn entry(git: &Git, found: &Target, reference: &Reference<'_>) -> Result<Value, Refusal> {
    let name = reference.name()?.to_owned();
    let oid = reference.resolve()?.target().ok_or_else(Refusal::not_found)?;
    let kind = git.find_object(oid, None)?.kind().unwrap_or(ObjectType::Commit);
    Ok(json!({
        "ref": name,
        "node_id": object_node_id("REF", found.id, &name),
        "url": found.url(&format!("/git/{name}")),
        "object": {
            "sha": oid.to_string(),
            "type": kind.str(),
            "url": found.url(&format!("/git/{}s/{oid}", kind.str())),
        },
    }))
}
