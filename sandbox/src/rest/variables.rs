//! `actions/variables`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::present::{Page, time};
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read};
use crate::access::Need;
use crate::world::{Role, Variable};

const READ: Need = Need::read("actions_variables").by(Role::Write);
const WRITE: Need = Need::write("actions_variables");

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?.or_default(10);
    let variables = read(at, READ, |_, repository| Ok(repository.variables.values().map(entry).collect::<Vec<_>>()))?;
    Ok(page.counted(call, "variables", variables))
}

pub(super) fn get(at: At<'_>, name: &str) -> Answer {
    let value = read(at, READ, |_, repository| {
        repository.variables.get(&name.to_uppercase()).map(entry).ok_or_else(Refusal::not_found)
    })?;
    Ok(Reply::json(&value))
}

#[derive(Deserialize)]
struct Create {
    name: String,
    value: String,
}

pub(super) fn create(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    read(at, WRITE, |_, _| Ok(()))?;
    let create: Create = call.json()?;
    check_name("Variable", &create.name)?;
    check_size(&create.value, shared.options.value_size_limit)?;
    let now = shared.now();
    let limit = shared.options.variable_count_limit;
    let name = create.name.to_uppercase();
    change(at, WRITE, |repository| {
        if repository.variables.contains_key(&name) {
            return Err(Refusal::conflict("Already exists - Variable already exists"));
        }
        if repository.variables.len() >= limit {
            return Err(Refusal::validation(
                "Variable",
                "name",
                &format!("The repository has the most variables it may have ({limit})"),
            ));
        }

        repository
            .variables
            .insert(name.clone(), Variable { name, value: create.value, created_at: now, updated_at: now });
        Ok(Reply::created(&json!({})))
    })
}

#[derive(Deserialize)]
struct Update {
    name: Option<String>,
    value: Option<String>,
}

pub(super) fn update(at: At<'_>, name: &str) -> Answer {
    let (shared, call, ..) = at;
    read(at, WRITE, |_, _| Ok(()))?;
    let update: Update = call.json()?;
    if let Some(value) = &update.value {
        check_size(value, shared.options.value_size_limit)?;
    }
    let now = shared.now();
    let before = name.to_uppercase();
    let after = match &update.name {
        Some(name) => {
            check_name("Variable", name)?;
            name.to_uppercase()
        }
        None => before.clone(),
    };
    change(at, WRITE, |repository| {
        if after != before && repository.variables.contains_key(&after) {
            return Err(Refusal::conflict("Already exists - Variable already exists"));
        }
        let mut variable = repository.variables.remove(&before).ok_or_else(Refusal::not_found)?;
        after.clone_into(&mut variable.name);
        if let Some(value) = update.value {
            variable.value = value;
        }
        variable.updated_at = now;
        repository.variables.insert(after, variable);
        Ok(Reply::no_content())
    })
}

pub(super) fn delete(at: At<'_>, name: &str) -> Answer {
    change(at, WRITE, |repository| {
        repository.variables.remove(&name.to_uppercase()).map(|_| Reply::no_content()).ok_or_else(Refusal::not_found)
    })
}

/// Letters, digits and underscores, not a digit first, not the host's own prefix.
pub(super) fn check_name(resource: &str, name: &str) -> Result<(), Refusal> {
    let words = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let message = if name.is_empty() || !words || name.starts_with(|first: char| first.is_ascii_digit()) {
        format!(
            "{resource} names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). \
             Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_)."
        )
    } else if name.to_uppercase().starts_with("GITHUB_") {
        format!("{resource} names must not start with GITHUB_.")
    } else {
        return Ok(());
    };
    Err(Refusal::unprocessable(&message))
}

fn check_size(value: &str, limit: usize) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::validation("Variable", "value", "Value can't be blank"));
    }
    if value.len() > limit {
        return Err(Refusal::validation("Variable", "value", "Value is too large (maximum is 48 KB)"));
    }
    Ok(())
}

fn entry(variable: &Variable) -> Value {
    json!({
        "name": variable.name,
        "value": variable.value,
        "created_at": time(variable.created_at),
        "updated_at": time(variable.updated_at),
    })
}
