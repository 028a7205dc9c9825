//! `actions/secrets`: sealed boxes that the sandbox can open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::present::Page;
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read};
use super::{Answer, variables};
use crate::access::Need;
use crate::world::{Role, Secret};

const READ: Need = Need::read("secrets").by(Role::Write);
const WRITE: Need = Need::write("secrets");

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let page = Page::of(call, &shared.options)?;
    let secrets = read(at, READ, |_, repository| Ok(repository.secrets.values().map(entry).collect::<Vec<_>>()))?;
    Ok(page.counted(call, "secrets", secrets))
}

pub(super) fn public_key(at: At<'_>) -> Answer {
    let value = read(at, READ, |_, repository| {
        Ok(json!({
            "key_id": repository.sealing_key_id,
            "key": STANDARD.encode(repository.sealing_key.public_key().as_bytes()),
        }))
    })?;
    Ok(Reply::json(&value))
}

pub(super) fn get(at: At<'_>, name: &str) -> Answer {
    let value = read(at, READ, |_, repository| {
        repository.secrets.get(&name.to_uppercase()).map(entry).ok_or_else(Refusal::not_found)
    })?;
    Ok(Reply::json(&value))
}

#[derive(Deserialize)]
struct Put {
    encrypted_value: String,
    key_id: String,
}

pub(super) fn put(at: At<'_>, name: &str) -> Answer {
    let (shared, call, ..) = at;
    let (key, key_id) =
        read(at, WRITE, |_, repository| Ok((repository.sealing_key.clone(), repository.sealing_key_id.clone())))?;
    variables::check_name("Secret", name)?;
    let put: Put = call.json()?;
    if put.key_id != key_id {
        return Err(Refusal::unprocessable("Bad request - key_id is not the id of this repository's public key"));
    }
    let sealed = STANDARD
        .decode(&put.encrypted_value)
        .map_err(|_| Refusal::unprocessable("Invalid request.\n\nencrypted_value is no base64."))?;
    let value = key
        .unseal(&sealed)
        .map_err(|_| Refusal::unprocessable("Bad request - validation failed due to an improperly encrypted secret"))?;
    let options = &shared.options;
    if value.len() > options.value_size_limit {
        return Err(Refusal::validation("Secret", "value", "Value is too large (maximum is 48 KB)"));
    }
    let name = name.to_uppercase();
    let now = shared.now();
    let created = change(at, WRITE, |repository| {
        if let Some(secret) = repository.secrets.get_mut(&name) {
            secret.value = value;
            secret.updated_at = now;
            return Ok(false);
        }
        if repository.secrets.len() >= options.secret_count_limit {
            return Err(Refusal::validation(
                "Secret",
                "name",
                &format!("The repository has the most secrets it may have ({})", options.secret_count_limit),
            ));
        }
        repository.secrets.insert(name.clone(), Secret { name, value, created_at: now, updated_at: now });
        Ok(true)
    })?;
    Ok(if created { Reply::with_status(StatusCode::CREATED, &json!({})) } else { Reply::no_content() })
}

pub(super) fn delete(at: At<'_>, name: &str) -> Answer {
    change(at, WRITE, |repository| {
        repository.secrets.remove(&name.to_uppercase()).map(|_| Reply::no_content()).ok_or_else(Refusal::not_found)
    })
}

fn entry(secret: &Secret) -> Value {
    json!({
        "name": secret.name,
        "created_at": super::present::time(secret.created_at),
        "updated_at": super::present::time(secret.updated_at),
    })
}
