//! `/repos/{owner}/{name}` itself: reading, making, changing, deleting.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::call::Call;
use super::present::{self, Page};
use super::reply::{Refusal, Reply};
use super::rights::{At, read, signed_in, target};
use crate::access::{self, Need};
use crate::clock::http_date;
use crate::options::SandboxError;
use crate::pushed;
use crate::shared::Shared;
use crate::world::{AccountKind, RepositorySpec, Role, TokenKind};

const READ: Need = Need::read("metadata");
const ADMIN: Need = Need::write("administration").by(Role::Admin);

pub(super) fn get(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let (value, changed) = read(at, READ, |world, repository| {
        Ok((present::repository(world, call, shared, repository), repository.updated_at))
    })?;
    let mut reply = Reply::json(&value);
    reply.set("last-modified", &http_date(changed));
    Ok(reply)
}

pub(super) fn list_own(shared: &Shared, call: &Call) -> Answer {
    let (caller, login) = signed_in(call)?;
    let page = Page::of(call, &shared.options)?;
    let world = shared.world();
    let repositories = world
        .repositories()
        .filter(|repository| access::role_of(&world, repository, Some(login)) >= Role::Read)
        .filter(|repository| access::check(&world, repository, caller, &READ).is_ok())
        .map(|repository| present::repository(&world, call, shared, repository))
        .collect();
    Ok(page.listed(call, repositories))
}

#[derive(Deserialize)]
struct Create {
    name: String,
    description: Option<String>,
    #[serde(default)]
    private: bool,
    visibility: Option<String>,
}

pub(super) fn create_own(shared: &Shared, call: &Call) -> Answer {
    let (_, login) = signed_in(call)?;
    create(shared, call, login)
}

pub(super) fn create_for_organization(shared: &Shared, call: &Call, login: &str) -> Answer {
    let (_, member) = signed_in(call)?;
    {
        let world = shared.world();
        let organization = world
            .account(login)
            .filter(|account| account.kind == AccountKind::Organization)
            .ok_or_else(Refusal::not_found)?;
        if !organization.members.contains_key(&member.to_lowercase()) {
            return Err(Refusal::forbidden(
                "You need admin access to the organization before adding a repository to it.",
            ));
        }
    }
    create(shared, call, login)
}

fn create(shared: &Shared, call: &Call, owner: &str) -> Answer {
    let create: Create = call.json()?;
    let private = match create.visibility.as_deref() {
        Some(visibility) => visibility != "public",
        None => create.private,
    };
    let id = make(shared, call, owner, &create.name, private, create.description)?;
    let world = shared.world();
    let repository = world.repository(id).ok_or_else(Refusal::not_found)?;
    let value = present::repository(&world, call, shared, repository);
    let url = call.url(&format!("/repos/{}", repository.slug()));
    Ok(Reply::created(&value).location(&url))
}

/// Makes a repository for the caller, if its token may, and gives its number.
pub(super) fn make(
    shared: &Shared,
    call: &Call,
    owner: &str,
    name: &str,
    private: bool,
    description: Option<String>,
) -> Result<u64, Refusal> {
    call.need.set(Some(ADMIN));
    let (caller, _) = signed_in(call)?;
    if let Some(token) = &caller.token {
        let wanted = if private { "repo" } else { "public_repo" };
        let refusal = match &token.kind {
            TokenKind::Classic { .. } if token.has_scope(wanted) => None,
            TokenKind::FineGrained { owner: resource_owner, repositories, .. }
                if repositories.is_empty()
                    && resource_owner.eq_ignore_ascii_case(owner)
                    && token.level(ADMIN.permission) >= Some(ADMIN.level) =>
            {
                None
            }
            TokenKind::Classic { .. } => Some(Refusal::not_found()),
            TokenKind::Job { .. } => Some(Refusal::not_accessible_by_integration()),
            TokenKind::FineGrained { .. } => {
                Some(Refusal::forbidden("Resource not accessible by personal access token"))
            }
        };
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
    }
    let spec = RepositorySpec { private, ..RepositorySpec::default() };
    let id = shared.create_repository(owner, name, spec).map_err(|error| match error {
        SandboxError::RepositoryExists(_) => Refusal::with_fields(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Repository creation failed.",
            json!({"errors": [{
                "resource": "Repository",
                "code": "custom",
                "field": "name",
                "message": "name already exists on this account",
            }]}),
        ),
        SandboxError::InvalidName(name) => Refusal::validation(
            "Repository",
            "name",
            &format!("name can only contain ASCII letters, digits, and the characters ., -, and _: {name}"),
        ),
        other => {
            tracing::error!(error = %other, "cannot make a repository");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
        }
    })?;
    if let Some(repository) = shared.world().repository_mut(id) {
        repository.description = description;
    }
    Ok(id)
}

#[derive(Deserialize)]
struct Update {
    name: Option<String>,
    description: Option<String>,
    private: Option<bool>,
    visibility: Option<String>,
    default_branch: Option<String>,
    archived: Option<bool>,
}

pub(super) fn update(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, ADMIN)?;
    let update: Update = call.json()?;
    let archived = read(at, ADMIN, |_, repository| Ok(repository.archived))?;
    if archived && update.archived != Some(false) {
        return Err(Refusal::forbidden("Repository was archived so is read-only."));
    }
    if let Some(branch) = &update.default_branch {
        let git = found.open()?;
        let full = format!("refs/heads/{branch}");
        if git.find_reference(&full).is_err() {
            return Err(Refusal::validation(
                "Repository",
                "default_branch",
                &format!(
                    "The branch {branch} was not found. Please push that ref first or create it via the Git Data API."
                ),
            ));
        }
        git.set_head(&full)?;
    }
    if let Some(name) = &update.name
        && !shared.world().move_repository(found.id, &found.owner, name)
    {
        return Err(Refusal::validation("Repository", "name", "name already exists on this account"));
    }
    let now = shared.now();
    if let Some(repository) = shared.world().repository_mut(found.id) {
        let private = update.visibility.map(|visibility| visibility != "public").or(update.private);
        repository.private = private.unwrap_or(repository.private);
        repository.archived = update.archived.unwrap_or(repository.archived);
        if let Some(description) = update.description {
            repository.description = Some(description);
        }
        if let Some(branch) = &update.default_branch {
            branch.clone_into(&mut repository.default_branch);
        }
        repository.updated_at = now;
    }
    if update.default_branch.is_some() {
        pushed::scan_workflows(shared, found.id, &found.open()?)?;
    }
    let world = shared.world();
    let repository = world.repository(found.id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(&present::repository(&world, call, shared, repository)))
}

pub(super) fn delete(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, ADMIN)?;
    let classic_without_scope = call.caller.as_ref().is_ok_and(|caller| {
        caller
            .token
            .as_deref()
            .is_some_and(|token| matches!(token.kind, TokenKind::Classic { .. }) && !token.has_scope("delete_repo"))
    });
    if classic_without_scope {
        return Err(Refusal::forbidden("Must have admin rights to Repository."));
    }
    shared.delete_repository(found.id);
    Ok(Reply::no_content())
}
