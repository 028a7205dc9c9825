//! What changed beside the code while the standby was master: told, never carried over. Values of secrets cannot be read, and
//! which of two values of a variable is meant is for people to say.

use std::collections::BTreeMap;

use standin_state::config::stays_home;

use super::words::{HandBackSecret, HandBackVariable, HandBackVariableState};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::{Code, Error, Result};

/// Variables and secrets that changed.
#[derive(Default)]
pub(super) struct ChangedValues {
    pub variables: Vec<HandBackVariable>,
    pub secrets: Vec<HandBackSecret>,
    pub notices: Vec<Notice>,
}

/// Compares both sides. What cannot be read is a notice.
///
/// # Errors
/// [`Code::Cancelled`]; what the store reports.
pub(super) async fn look(old: &MirrorContext, new: &MirrorContext) -> Result<ChangedValues> {
    let mut beside = ChangedValues::default();
    let (variables, secrets) = tokio::join!(variables(old, new), secrets(old));
    match variables {
        Ok(variables) => beside.variables = variables,
        Err(error) => beside.notices.push(unread("variables", error)?),
    }
    match secrets {
        Ok(secrets) => beside.secrets = secrets,
        Err(error) => beside.notices.push(unread("secrets", error)?),
    }
    Ok(beside)
}

fn unread(what: &str, error: Error) -> Result<Notice> {
    if matches!(error.code, Code::Cancelled | Code::Storage) {
        return Err(error);
    }
    Ok(Notice {
        message: format!("Whether {what} changed meanwhile is not known: {}", error.message),
        hint: error.advice(),
    })
}

async fn variables(old: &MirrorContext, new: &MirrorContext) -> Result<Vec<HandBackVariable>> {
    let ((old_slug, old_client), (new_slug, new_client)) = (old.github()?, new.github()?);
    let (standby, source) = tokio::try_join!(old_client.variables(old_slug), new_client.variables(new_slug))?;
    let by_name = |variables: Vec<crate::github::Variable>| -> BTreeMap<String, String> {
        let named = variables.into_iter().map(|variable| (variable.name.to_ascii_uppercase(), variable.value));
        named.filter(|(name, _)| !stays_home(name)).collect()
    };
    let (standby, source) = (by_name(standby), by_name(source));
    let mut differing: BTreeMap<&String, HandBackVariableState> = BTreeMap::new();
    for (name, value) in &standby {
        match source.get(name) {
            None => differing.insert(name, HandBackVariableState::OnlyOnStandby),
            Some(there) if there != value => differing.insert(name, HandBackVariableState::Differs),
            Some(_) => None,
        };
    }
    for name in source.keys().filter(|name| !standby.contains_key(*name)) {
        differing.insert(name, HandBackVariableState::OnlyAtSource);
    }
    let shown = differing.into_iter().map(|(name, state)| HandBackVariable { name: name.clone(), state });
    Ok(shown.collect())
}

async fn secrets(old: &MirrorContext) -> Result<Vec<HandBackSecret>> {
    let (slug, client) = old.github()?;
    let listed = client.secrets(slug).await?;
    let sent = old.store().sent_secrets(&old.repository().id, &old.mirror.id)?;
    let mut changed = Vec::new();
    for entry in listed.into_iter().filter(|entry| !stays_home(&entry.name)) {
        let ours = sent.iter().find(|(name, _)| name.eq_ignore_ascii_case(&entry.name)).map(|(_, sent)| sent);
        let is_same = ours.is_some_and(|sent| sent.remote_updated_at == Some(entry.updated_at));
        if !is_same {
            changed.push(HandBackSecret { name: entry.name, updated_iso: entry.updated_at, is_new: ours.is_none() });
        }
    }
    Ok(changed)
}
