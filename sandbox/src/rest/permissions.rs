//! `actions/permissions`: whether Actions are on, for which actions, with which rights.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read, target};
use crate::access::Need;
use crate::world::{Role, SelectedActions};

const READ: Need = Need::read("administration").by(Role::Admin);
const WRITE: Need = Need::write("administration").by(Role::Admin);

pub(super) fn get(at: At<'_>) -> Answer {
    let found = target(at, READ)?;
    let permissions = read(at, READ, |_, repository| Ok(repository.permissions.clone()))?;
    let mut value = json!({
        "enabled": permissions.enabled,
        "sha_pinning_required": permissions.sha_pinning_required,
    });
    // GitHub leaves the rest out while Actions are off.
    if permissions.enabled {
        value["allowed_actions"] = permissions.allowed_actions.clone().into();
        if permissions.allowed_actions == "selected" {
            value["selected_actions_url"] = found.url("/actions/permissions/selected-actions").into();
        }
    }
    Ok(Reply::json(&value))
}

#[derive(Deserialize)]
struct Put {
    enabled: bool,
    allowed_actions: Option<String>,
    sha_pinning_required: Option<bool>,
}

pub(super) fn put(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    target(at, WRITE)?;
    let put: Put = call.json()?;
    let known = ["all", "local_only", "selected"];
    if put.allowed_actions.as_deref().is_some_and(|allowed| !known.contains(&allowed)) {
        return Err(Refusal::unprocessable(
            "Invalid request.\n\nallowed_actions is none of all, local_only, selected.",
        ));
    }
    change(at, WRITE, |repository| {
        if put.enabled {
            repository.actions_switched_on(&at.0.clock);
        }
        let permissions = &mut repository.permissions;
        permissions.enabled = put.enabled;
        if let Some(allowed) = put.allowed_actions {
            permissions.allowed_actions = allowed;
        }
        if let Some(required) = put.sha_pinning_required {
            permissions.sha_pinning_required = required;
        }
        Ok(Reply::no_content())
    })
}

pub(super) fn get_selected(at: At<'_>) -> Answer {
    let value = read(at, READ, |_, repository| {
        require_selected(&repository.permissions.allowed_actions)?;
        let selected = &repository.selected_actions;
        Ok(json!({
            "github_owned_allowed": selected.github_owned_allowed,
            "verified_allowed": selected.verified_allowed,
            "patterns_allowed": selected.patterns_allowed,
        }))
    })?;
    Ok(Reply::json(&value))
}

#[derive(Deserialize)]
struct PutSelected {
    github_owned_allowed: Option<bool>,
    verified_allowed: Option<bool>,
    patterns_allowed: Option<Vec<String>>,
}

pub(super) fn put_selected(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    target(at, WRITE)?;
    let put: PutSelected = call.json_or_empty()?;
    change(at, WRITE, |repository| {
        require_selected(&repository.permissions.allowed_actions)?;
        let before = &repository.selected_actions;
        repository.selected_actions = SelectedActions {
            github_owned_allowed: put.github_owned_allowed.unwrap_or(before.github_owned_allowed),
            verified_allowed: put.verified_allowed.unwrap_or(before.verified_allowed),
            patterns_allowed: put.patterns_allowed.unwrap_or_else(|| before.patterns_allowed.clone()),
        };
        Ok(Reply::no_content())
    })
}

/// The selection can only be seen and set while the policy is `selected`.
fn require_selected(allowed_actions: &str) -> Result<(), Refusal> {
    if allowed_actions == "selected" {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::CONFLICT, "Conflict - The allowed_actions policy of this repository is not selected"))
}

pub(super) fn get_workflow(at: At<'_>) -> Answer {
    let value = read(at, READ, |_, repository| {
        let permissions = &repository.workflow_permissions;
        Ok(json!({
            "default_workflow_permissions": permissions.default_workflow_permissions,
            "can_approve_pull_request_reviews": permissions.can_approve_pull_request_reviews,
        }))
    })?;
    Ok(Reply::json(&value))
}

#[derive(Deserialize)]
struct PutWorkflow {
    default_workflow_permissions: Option<String>,
    can_approve_pull_request_reviews: Option<bool>,
}

pub(super) fn put_workflow(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    target(at, WRITE)?;
    let put: PutWorkflow = call.json_or_empty()?;
    if put.default_workflow_permissions.as_deref().is_some_and(|default| default != "read" && default != "write") {
        return Err(Refusal::unprocessable(
            "Invalid request.\n\ndefault_workflow_permissions is neither read nor write.",
        ));
    }
    change(at, WRITE, |repository| {
        let permissions = &mut repository.workflow_permissions;
        if let Some(default) = put.default_workflow_permissions {
            permissions.default_workflow_permissions = default;
        }
        if let Some(can) = put.can_approve_pull_request_reviews {
            permissions.can_approve_pull_request_reviews = can;
        }
        Ok(Reply::no_content())
    })
}
