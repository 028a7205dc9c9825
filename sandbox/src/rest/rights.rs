//! Finding the repository that a path names, if the caller may do there what the endpoint does.

use std::path::PathBuf;

use hyper::{Method, StatusCode};
use serde_json::json;

use super::call::{Call, percent_encode};
use super::reply::Refusal;
use crate::access::{self, Caller, Denied, Need};
use crate::shared::Shared;
use crate::world::{Found, Repository, RepositoryState, World};

/// A call about a repository: the sandbox, the call, owner and name as in the path.
pub(super) type At<'a> = (&'a Shared, &'a Call, &'a str, &'a str);

/// A repository that the caller may use as asked.
pub(super) struct Target {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub default_branch: String,
    path: PathBuf,
    api: String,
    web: String,
}

impl Target {
    /// Its git repository.
    pub(super) fn open(&self) -> Result<git2::Repository, Refusal> {
        Ok(crate::git::open(&self.path)?)
    }

    /// URL of something below `/repos/{owner}/{name}`; `suffix` starts with a slash.
    pub(super) fn url(&self, suffix: &str) -> String {
        format!("{}{}", self.api, percent_encode(suffix))
    }

    /// URL for a browser.
    pub(super) fn web_url(&self, suffix: &str) -> String {
        format!("{}{}", self.web, percent_encode(suffix))
    }
}

/// The caller, who must have signed in.
pub(super) fn signed_in(call: &Call) -> Result<(&Caller, &str), Refusal> {
    let caller = call.caller.as_ref().map_err(|_| Refusal::bad_credentials())?;
    let login = caller.login.as_deref().ok_or_else(Refusal::sign_in_first)?;
    Ok((caller, login))
}

/// Finds the repository and checks the caller's rights there.
pub(super) fn target(at: At<'_>, need: Need) -> Result<Target, Refusal> {
    let (shared, call, owner, name) = at;
    let world = shared.world();
    let repository = permitted(&world, call, owner, name, need)?;
    Ok(Target {
        id: repository.id,
        owner: repository.owner.clone(),
        name: repository.name.clone(),
        default_branch: repository.default_branch.clone(),
        path: repository.path.clone(),
        api: call.url(&format!("/repos/{}/{}", repository.owner, repository.name)),
        web: format!("{}/{}/{}", shared.server_url(), repository.owner, repository.name),
    })
}

/// Runs `read` on the repository, under the world's lock.
pub(super) fn read<T>(
    at: At<'_>,
    need: Need,
    read: impl FnOnce(&World, &Repository) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (shared, call, owner, name) = at;
    let world = shared.world();
    let repository = permitted(&world, call, owner, name, need)?;
    read(&world, repository)
}

/// Runs `change` on the repository, under the world's lock.
pub(super) fn change<T>(
    at: At<'_>,
    need: Need,
    change: impl FnOnce(&mut Repository) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (shared, call, owner, name) = at;
    let mut world = shared.world();
    let id = permitted(&world, call, owner, name, need)?.id;
    change(world.repository_mut(id).ok_or_else(Refusal::not_found)?)
}

fn permitted<'w>(
    world: &'w World,
    call: &Call,
    owner: &str,
    name: &str,
    need: Need,
) -> Result<&'w Repository, Refusal> {
    call.need.set(Some(need));
    let caller = call.caller.as_ref().map_err(|_| Refusal::bad_credentials())?;
    let id = match world.find(owner, name).ok_or_else(Refusal::not_found)? {
        Found::Here(id) => id,
        Found::Moved(id) => return Err(moved(world, call, caller, id)),
    };
    let repository = world.repository(id).ok_or_else(Refusal::not_found)?;
    // Archived repositories can still be taken out of the archive, or deleted.
    let archived_matters = !(need.permission == "administration" && call.segments.len() == 3);
    match access::check(world, repository, caller, &need) {
        Err(Denied::Archived) if !archived_matters => {}
        outcome => outcome.map_err(refusal)?,
    }
    match repository.state {
        RepositoryState::Live => Ok(repository),
        RepositoryState::Hidden => Err(Refusal::not_found()),
        RepositoryState::Blocked => Err(Refusal::with_fields(
            StatusCode::FORBIDDEN,
            "Repository access blocked",
            json!({"block": {
                "reason": "tos",
                "created_at": repository.updated_at.to_string(),
                "html_url": null,
            }}),
        )),
        RepositoryState::TakenDown => Err(Refusal::with_fields(
            StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
            "Repository access blocked",
            json!({"block": {
                "reason": "dmca",
                "created_at": repository.updated_at.to_string(),
                "html_url": "https://github.com/github/dmca",
            }}),
        )),
    }
}

fn refusal(denied: Denied) -> Refusal {
    match denied {
        Denied::NotFound => Refusal::not_found(),
        Denied::SignInFirst => Refusal::sign_in_first(),
        Denied::Role => Refusal::forbidden("Must have admin rights to Repository."),
        Denied::Permission => Refusal::forbidden("Resource not accessible by personal access token"),
        Denied::Integration => Refusal::not_accessible_by_integration(),
        Denied::Archived => Refusal::forbidden("Repository was archived so is read-only."),
    }
}

/// The repository was renamed: its new address, for those who may see it.
fn moved(world: &World, call: &Call, caller: &Caller, id: u64) -> Refusal {
    let visible = world
        .repository(id)
        .is_some_and(|repository| access::check(world, repository, caller, &Need::read("metadata")).is_ok());
    if !visible {
        return Refusal::not_found();
    }
    let rest: Vec<&str> = call.path.trim_start_matches('/').splitn(4, '/').skip(3).collect();
    let mut url = call.url(&format!("/repositories/{id}"));
    if let [rest] = rest.as_slice() {
        url = format!("{url}/{rest}");
    }
    let status =
        if call.method == Method::GET { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
    // GitHub says "permanently" of the temporary one too.
    let refusal = Refusal::with_fields(status, "Moved Permanently", json!({"url": url}));
    match hyper::header::HeaderValue::from_str(&url) {
        Ok(value) => refusal.header(hyper::header::LOCATION, value),
        Err(_) => refusal,
    }
}
