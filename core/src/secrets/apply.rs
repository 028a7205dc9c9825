//! Carrying the plan out, and remembering what arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use standin_state::model::{AspectReport, AspectStatus};
use standin_state::store::{Change, ChangeOutcome, SentSecret};

use super::fingerprint::fingerprint;
use super::{plan, send};
use crate::context::MirrorContext;
use crate::plan::{SecretState, SecretsPlan};
use crate::{Code, Error, Result};

/// How often what failed in passing is sent at most.
const ROUNDS: u32 = 3;
/// Wait before the second round; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends what the plan says.
///
/// # Errors
/// What stops all of it. Single secrets that fail are in the report.
pub async fn apply(ctx: &MirrorContext, plan: &SecretsPlan) -> Result<AspectReport> {
    let values = plan::wanted(ctx.repository());
    let changes: Vec<(Change, &SecretString)> = plan
        .changes()
        .into_iter()
        .filter_map(|change| values.get(&change.name).map(|value| (change, *value)))
        .collect();
    let failures = if changes.is_empty() { BTreeMap::new() } else { send_all(ctx, &changes, &plan.written).await? };
    Ok(report(plan, changes.len(), &failures))
}

async fn send_all(
    ctx: &MirrorContext,
    changes: &[(Change, &SecretString)],
    before: &BTreeMap<String, Timestamp>,
) -> Result<BTreeMap<String, Error>> {
    let (slug, client) = ctx.github()?;
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    if ctx.yes && !ctx.repository().secrets.listed {
        ctx.store().approve_secrets(repository, mirror, changes.iter().map(|(change, _)| change.name.as_str()))?;
    }
    let key = ctx.store().fingerprint_key()?;
    let mut open: Vec<&(Change, &SecretString)> = changes.iter().collect();
    let mut failures = BTreeMap::new();
    let mut round = 1;
    loop {
        let named: Vec<(&str, &SecretString)> =
            open.iter().map(|(change, value)| (change.name.as_str(), *value)).collect();
        let sent = send::send(ctx, slug, client, &named).await?;
        let after = listed(&client.secrets(slug).await?);
        let (mut arrived, mut told) = (Vec::new(), Vec::new());
        let mut again = Vec::new();
        for entry in open {
            let (change, value) = entry;
            let name = change.name.as_str();
            let updated_at = after.get(name).copied();
            // Where gh cannot say, a moment of writing that changed says that it arrived.
            let error = match sent.doubtful.get(name) {
                Some(error) if updated_at.is_none() || updated_at == before.get(name).copied() => Some(error.clone()),
                _ if updated_at.is_none() => Some(not_listed(name)),
                _ => None,
            };
            match error {
                None => {
                    let sent = SentSecret {
                        fingerprint: fingerprint(&key, repository, mirror, name, value),
                        remote_updated_at: updated_at,
                    };
                    arrived.push((change, sent));
                }
                Some(error) if error.retryable && error.code != Code::RateLimited && round < ROUNDS => {
                    again.push(entry)
                }
                Some(error) => {
                    failures.insert(change.name.clone(), error.clone());
                    told.push((change.clone(), ChangeOutcome::Failed { error }));
                }
            }
        }
        ctx.store().set_sent_secrets(
            repository,
            mirror,
            arrived.iter().map(|(change, sent)| (change.name.as_str(), sent)),
        )?;
        told.extend(arrived.into_iter().map(|(change, _)| (change.clone(), ChangeOutcome::Done)));
        ctx.all_changed(told)?;
        if again.is_empty() {
            return Ok(failures);
        }
        open = again;
        tokio::select! {
            () = ctx.cancel.cancelled() => {}
            () = tokio::time::sleep(PAUSE * round) => {}
        }
        round += 1;
    }
}

fn listed(entries: &[crate::github::SecretEntry]) -> BTreeMap<String, Timestamp> {
    entries.iter().map(|entry| (entry.name.to_ascii_uppercase(), entry.updated_at)).collect()
}

fn not_listed(name: &str) -> Error {
    Error::passing(
        Code::UnexpectedAnswer,
        format!("{name} was taken by the host but is not listed"),
        "Sync again; the secret is sent once more.",
    )
}

/// The result: figures, failures, and what waits for a yes.
fn report(plan: &SecretsPlan, sent: usize, failures: &BTreeMap<String, Error>) -> AspectReport {
    let of = |wanted: SecretState| -> Vec<&str> {
        plan.names.iter().filter(|(_, state)| *state == wanted).map(|(name, _)| name.as_str()).collect()
    };
    let in_step = of(SecretState::InStep).len() + sent - failures.len();
    let (waiting, missing, unusable) =
        (of(SecretState::NeedsYes), of(SecretState::MissingHere), of(SecretState::Unusable));
    let total = of(SecretState::InStep).len() + sent + waiting.len() + missing.len() + unusable.len();
    let figures = AspectReport {
        detail: Some(format!("{in_step}/{total}")),
        synced_count: Some(in_step as u64),
        total: Some(total as u64),
        ..AspectReport::new(AspectStatus::Ok)
    };
    let mut problems = Vec::new();
    let mut hint = None;
    for (name, error) in failures {
        problems.push(format!("{name}: {}", error.message));
        hint.get_or_insert_with(|| error.advice());
    }
    if !unusable.is_empty() {
        problems.push(format!("the host cannot take {}", unusable.join(", ")));
        hint.get_or_insert_with(|| plan.notices.first().map_or_else(String::new, |notice| notice.hint.clone()));
    }
    if !missing.is_empty() {
        problems.push(format!("no value here for {}", missing.join(", ")));
        hint.get_or_insert_with(|| {
            "Add them to `.env`, keep them in the vault with `standin secret set NAME`, or take them off the list (`secrets`, \
             `MIRROR_SECRETS`).".to_owned()
        });
    }
    if !problems.is_empty() {
        return AspectReport { status: AspectStatus::Failed, error: Some(problems.join("; ")), hint, ..figures };
    }
    if !waiting.is_empty() {
        let error = Error::new(
            Code::SecretNamesHeld,
            format!("a yes is awaited for what never went to this mirror: {}", waiting.join(", ")),
            "Confirm once with `standin sync --yes`, or name in `secrets` (`MIRROR_SECRETS`) what shall travel.",
        );
        return AspectReport {
            error: Some(error.message),
            hint: Some(error.hint),
            status: AspectStatus::Blocked,
            ..figures
        };
    }
    figures
}

#[cfg(test)]
mod tests {
    use standin_state::store::ChangeAction;

    use super::*;

    fn plan(names: &[(&str, SecretState)]) -> SecretsPlan {
        SecretsPlan {
            names: names.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect(),
            ..SecretsPlan::default()
        }
    }

    #[test]
    fn figures_count_what_should_be_there_and_not_what_only_the_mirror_has() {
        let plan = plan(&[("A", SecretState::InStep), ("B", SecretState::Create), ("C", SecretState::OnlyOnMirror)]);
        let report = report(&plan, 1, &BTreeMap::new());
        assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("2/2")));
    }

    #[test]
    fn a_name_that_waits_for_a_yes_blocks_and_a_failure_fails() {
        let waiting = plan(&[("A", SecretState::NeedsYes), ("B", SecretState::InStep)]);
        let blocked = report(&waiting, 0, &BTreeMap::new());
        assert_eq!((blocked.status, blocked.detail.as_deref()), (AspectStatus::Blocked, Some("1/2")));
        let missing = plan(&[("A", SecretState::NeedsYes), ("B", SecretState::MissingHere)]);
        assert_eq!(report(&missing, 0, &BTreeMap::new()).status, AspectStatus::Failed);
    }

    #[test]
    fn the_action_of_a_sent_secret_is_create_or_update() {
        let plan = plan(&[("A", SecretState::Create), ("B", SecretState::Update), ("C", SecretState::NeedsYes)]);
        let actions: Vec<ChangeAction> = plan.changes().iter().map(|change| change.action).collect();
        assert_eq!(actions, [ChangeAction::Create, ChangeAction::Update]);
    }
}
