//! Carrying the plan out.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use standin_state::model::{Aspect, AspectReport, AspectStatus, Role, Slug};
use standin_state::store::{Change, ChangeAction, ChangeOutcome, Fact};

use super::ROLE;
use crate::context::MirrorContext;
use crate::github::Client;
use crate::plan::{VariableState, VariablesPlan};
use crate::{Code, Error, Result};

/// Writes side by side.
const SIDE_BY_SIDE: usize = 16;

/// Writes what the plan says.
///
/// # Errors
/// What stops all of it. Single variables that fail are in the report.
pub async fn apply(ctx: &MirrorContext, plan: &VariablesPlan) -> Result<AspectReport> {
    let (slug, client) = ctx.github()?;
    let changes = plan.changes();
    let total = changes.len() as u64;
    let mut failures = BTreeMap::new();
    let mut writes = Vec::new();
    for change in changes {
        let Some(value) = plan.values.get(&change.name) else { continue };
        writes.push(async move {
            let outcome = write(client, slug, change.action, &change.name, value).await;
            (change, outcome)
        });
    }
    let mut writes = futures_util::stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).ready_chunks(SIDE_BY_SIDE);
    let mut done = 0;
    while let Some(answered) = writes.next().await {
        done += answered.len() as u64;
        ctx.progress(Aspect::Variables, "setting variables", done, Some(total));
        let mut told = Vec::new();
        let mut stopped = None;
        for (change, outcome) in answered {
            match outcome {
                Ok(()) => told.push((change, ChangeOutcome::Done)),
                Err(error) if error.code == Code::Cancelled => stopped = Some(error),
                Err(error) => {
                    failures.insert(change.name.clone(), error.clone());
                    told.push((change, ChangeOutcome::Failed { error }));
                }
            }
        }
        ctx.all_changed(told)?;
        if let Some(error) = stopped {
            return Err(error);
        }
    }
    if !failures.contains_key(ROLE) {
        remember_role(ctx)?;
    }
    Ok(report(plan, &failures))
}

/// Sets `MIRROR_ROLE` on the mirror where variables are not kept in step; costs nothing once it is known to be set.
///
/// # Errors
/// The host's refusal.
pub async fn ensure_role(ctx: &MirrorContext) -> Result<()> {
    let known = ctx.memory().get(Fact::MirrorRole)?;
    if known.as_deref() == Some(Role::Slave.as_str()) {
        return Ok(());
    }
    let (slug, client) = ctx.github()?;
    let action = match client.variable(slug, ROLE).await? {
        Some(variable) if variable.value == Role::Slave.as_str() => return remember_role(ctx),
        Some(_) => ChangeAction::Update,
        None => ChangeAction::Create,
    };
    write(client, slug, action, ROLE, Role::Slave.as_str()).await?;
    let change = Change { aspect: Aspect::Variables, action, name: ROLE.to_owned(), before: None, after: None };
    ctx.changed(change, ChangeOutcome::Done)?;
    remember_role(ctx)
}

/// Sets `MIRROR_ROLE` to what a change of master makes of it, and reads it back. Nothing where it is so already.
///
/// # Errors
/// The host's refusal; [`Code::UnexpectedAnswer`] where it reads back as something else.
pub(crate) async fn set_role(ctx: &MirrorContext, role: Role) -> Result<()> {
    let (slug, client) = ctx.github()?;
    let value = role.as_str();
    let before = client.variable(slug, ROLE).await?.map(|variable| variable.value);
    if before.as_deref() != Some(value) {
        let action = if before.is_some() { ChangeAction::Update } else { ChangeAction::Create };
        write(client, slug, action, ROLE, value).await?;
        let now = client.variable(slug, ROLE).await?.map(|variable| variable.value);
        if now.as_deref() != Some(value) {
            return Err(Error::passing(
                Code::UnexpectedAnswer,
                format!("{ROLE} of {slug} was set to {value} and reads {}", now.as_deref().unwrap_or("as missing")),
                "Somebody else sets it too: look at the variables of the repository, then go on.",
            ));
        }
        let (name, after) = (ROLE.to_owned(), Some(value.to_owned()));
        ctx.changed(Change { aspect: Aspect::Variables, action, name, before, after }, ChangeOutcome::Done)?;
    }
    remember(ctx, role)
}

fn remember_role(ctx: &MirrorContext) -> Result<()> {
    remember(ctx, Role::Slave)
}

fn remember(ctx: &MirrorContext, role: Role) -> Result<()> {
    ctx.memory().set(Fact::MirrorRole, role.as_str())
}

/// Writes one variable; somebody else may have made or removed it since it was listed.
async fn write(client: &Client, slug: &Slug, action: ChangeAction, name: &str, value: &str) -> Result<()> {
    let is_new = action == ChangeAction::Create;
    let first = if is_new {
        client.create_variable(slug, name, value).await
    } else {
        client.update_variable(slug, name, value).await
    };
    let Err(error) = first else { return Ok(()) };
    if !matches!(error.code, Code::UnexpectedAnswer | Code::RepositoryNotFound) {
        return Err(error);
    }
    match (is_new, client.variable(slug, name).await?) {
        (_, Some(variable)) if variable.value == value => Ok(()),
        (true, Some(_)) => client.update_variable(slug, name, value).await,
        (false, None) => client.create_variable(slug, name, value).await,
        _ => Err(error),
    }
}

/// The result. `MIRROR_ROLE` is ours and does not count among the user's variables.
fn report(plan: &VariablesPlan, failures: &BTreeMap<String, Error>) -> AspectReport {
    let users = || plan.names.iter().filter(|(name, _)| name != ROLE);
    let missing: Vec<&str> =
        users().filter(|(_, state)| *state == VariableState::MissingHere).map(|(name, _)| name.as_str()).collect();
    let total = users().filter(|(_, state)| *state != VariableState::OnlyOnMirror).count();
    let in_step = users()
        .filter(|(name, state)| match state {
            VariableState::InStep => true,
            VariableState::Create | VariableState::Update => !failures.contains_key(name),
            VariableState::MissingHere | VariableState::Unusable | VariableState::OnlyOnMirror => false,
        })
        .count();
    let figures = AspectReport {
        detail: Some(format!("{in_step}/{total}")),
        synced_count: Some(in_step as u64),
        total: Some(total as u64),
        ..AspectReport::new(AspectStatus::Ok)
    };
    let mut problems: Vec<String> = failures.values().map(|error| error.message.clone()).collect();
    let mut hint = failures.values().next().map(|error| error.advice());
    let unusable: Vec<&str> =
        users().filter(|(_, state)| *state == VariableState::Unusable).map(|(name, _)| name.as_str()).collect();
    if !unusable.is_empty() {
        problems.push(format!("the host cannot take {}", unusable.join(", ")));
        hint.get_or_insert_with(|| "The plan says why: `standin plan`.".to_owned());
    }
    if !missing.is_empty() {
        problems.push(format!("no value here or at the source for {}", missing.join(", ")));
        hint.get_or_insert_with(|| {
            "Add them to `.env` or to the source, or take them off the list (`variables`, `MIRROR_VARS`).".to_owned()
        });
    }
    if problems.is_empty() {
        return figures;
    }
    AspectReport { status: AspectStatus::Failed, error: Some(problems.join("; ")), hint, ..figures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_users_variables() {
        let names = [
            ("A", VariableState::InStep),
            ("B", VariableState::Create),
            (ROLE, VariableState::Create),
            ("X", VariableState::OnlyOnMirror),
        ];
        let plan = VariablesPlan {
            names: names.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect(),
            ..VariablesPlan::default()
        };
        let ok = report(&plan, &BTreeMap::new());
        assert_eq!((ok.status, ok.detail.as_deref()), (AspectStatus::Ok, Some("2/2")));
        let failure = Error::new(Code::Forbidden, "creating the variable B of o/n: no (403)", "Ask.");
        let failed = report(&plan, &BTreeMap::from([("B".to_owned(), failure)]));
        assert_eq!((failed.status, failed.detail.as_deref()), (AspectStatus::Failed, Some("1/2")));
        assert_eq!(failed.hint.as_deref(), Some("Ask."));
    }
}
