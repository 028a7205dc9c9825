//! Comparing what should be on the mirror with what is there.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config::{RepositoryConfig, stays_home};
use standin_state::model::MirrorId;
use standin_state::store::Store;

use super::COUNT_LIMIT;
use super::fingerprint::fingerprint;
use crate::Result;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::{NAME_RULE, SecretEntry, VALUE_LIMIT, is_name};
use crate::plan::{SecretSource, SecretState, SecretsPlan};
use crate::tokens::Kept;

/// Plans the secrets: one list request.
///
/// # Errors
/// What keeps the list, or the vault where one of its values is needed, from being read.
pub async fn plan(ctx: &MirrorContext) -> Result<SecretsPlan> {
    if let Some(failure) = &ctx.repository().secrets.vault_failure {
        return Err(failure.clone());
    }
    check_given(ctx)?;
    let (slug, client) = ctx.github()?;
    let listed = client.secrets(slug).await?;
    compare(ctx, &listed)
}

/// Refuses values of the vault that their owner did not give for this mirror.
fn check_given(ctx: &MirrorContext) -> Result<()> {
    let repository = ctx.repository();
    let home = repository.home.as_deref().unwrap_or(repository);
    for name in repository.secrets.from_vault.iter().filter(|name| !stays_home(name)) {
        if let Some(kept) = Kept::value(&home.id, name, &ctx.mirror.target) {
            kept.check(&ctx.source.outside, ctx.store())?;
        }
    }
    Ok(())
}

/// The values that are to be on the mirror, by upper-case name.
pub(super) fn wanted(repository: &RepositoryConfig) -> BTreeMap<String, &SecretString> {
    let mut wanted = BTreeMap::new();
    for (name, value) in &repository.secrets.values {
        if stays_home(name) {
            continue;
        }
        let upper = name.to_ascii_uppercase();
        // Of names that differ only in case, the one that is written as the host writes it.
        if *name == upper || !wanted.contains_key(&upper) {
            wanted.insert(upper, value);
        }
    }
    wanted
}

/// Whether the values of all secrets that are to be on a mirror are those that we sent there last, by our memory alone.
///
/// # Errors
/// [`crate::Code::Storage`].
pub(crate) fn are_sent(store: &Store, repository: &RepositoryConfig, mirror: &MirrorId) -> Result<bool> {
    let wanted = wanted(repository);
    if wanted.is_empty() {
        return Ok(repository.secrets.missing.is_empty());
    }
    let (sent, key) = (store.sent_secrets(&repository.id, mirror)?, store.fingerprint_key()?);
    let is_sent = |(name, value): (&String, &&SecretString)| {
        sent.get(name).is_some_and(|sent| sent.fingerprint == fingerprint(&key, &repository.id, mirror, name, value))
    };
    Ok(repository.secrets.missing.is_empty() && wanted.iter().all(is_sent))
}

/// The fingerprints of all values that are to be on the mirror, by name: whether a plan would send the same.
///
/// # Errors
/// [`crate::Code::Storage`].
pub(crate) fn fingerprints(ctx: &MirrorContext) -> Result<BTreeMap<String, String>> {
    let wanted = wanted(ctx.repository());
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let key = ctx.store().fingerprint_key()?;
    let of = |name: &String, value| fingerprint(&key, &ctx.repository().id, &ctx.mirror.id, name, value);
    Ok(wanted.into_iter().map(|(name, value)| (of(&name, value), name)).map(|(print, name)| (name, print)).collect())
}

fn compare(ctx: &MirrorContext, listed: &[SecretEntry]) -> Result<SecretsPlan> {
    let (repository, mirror) = (&ctx.repository().id, &ctx.mirror.id);
    let values = &ctx.repository().secrets;
    let on_mirror: BTreeMap<String, &SecretEntry> =
        listed.iter().map(|entry| (entry.name.to_ascii_uppercase(), entry)).collect();
    let sent = ctx.store().sent_secrets(repository, mirror)?;
    let approved = ctx.store().approved_secrets(repository, mirror)?;
    let wanted = wanted(ctx.repository());
    let key = if wanted.is_empty() { None } else { Some(ctx.store().fingerprint_key()?) };

    let mut names: BTreeMap<String, SecretState> =
        on_mirror.keys().map(|name| (name.clone(), SecretState::OnlyOnMirror)).collect();
    for name in &values.missing {
        if !stays_home(name) {
            names.insert(name.to_ascii_uppercase(), SecretState::MissingHere);
        }
    }
    let mut notices = same_names(values.values.keys());
    for (name, value) in &wanted {
        let remembered = sent.get(name);
        let unchanged = || {
            let key = key.as_ref()?;
            let (remembered, entry) = (remembered?, on_mirror.get(name)?);
            let same_value = remembered.fingerprint == fingerprint(key, repository, mirror, name, value);
            (same_value && remembered.remote_updated_at == Some(entry.updated_at)).then_some(())
        };
        let state = if let Some(notice) = unusable(name, value) {
            notices.push(notice);
            SecretState::Unusable
        } else if unchanged().is_some() {
            SecretState::InStep
        } else if !values.listed && remembered.is_none() && !approved.contains(name) && !ctx.yes {
            SecretState::NeedsYes
        } else if on_mirror.contains_key(name) {
            SecretState::Update
        } else {
            SecretState::Create
        };
        names.insert(name.clone(), state);
    }
    limit_count(&mut names, on_mirror.len(), &mut notices);
    let written = on_mirror.into_iter().map(|(name, entry)| (name, entry.updated_at)).collect();
    let from_vault = |name: &String| values.from_vault.iter().any(|known| known.eq_ignore_ascii_case(name));
    let source = |name: &String| if from_vault(name) { SecretSource::Vault } else { SecretSource::Env };
    let sources = wanted.keys().map(|name| (name.clone(), source(name))).collect();
    Ok(SecretsPlan { names: names.into_iter().collect(), notices, sources, written })
}

/// Why the host would not take this secret.
fn unusable(name: &str, value: &SecretString) -> Option<Notice> {
    if !is_name(name) {
        return Some(Notice { message: format!("{name} cannot be the name of a secret"), hint: NAME_RULE.to_owned() });
    }
    let size = value.expose_secret().len();
    (size > VALUE_LIMIT).then(|| Notice {
        message: format!("{name} has {size} bytes; a secret may have {VALUE_LIMIT}"),
        hint: "Keep the large value elsewhere, and its key as the secret.".to_owned(),
    })
}

/// Marks those that would be too many for the host.
fn limit_count(names: &mut BTreeMap<String, SecretState>, there: usize, notices: &mut Vec<Notice>) {
    let mut free = COUNT_LIMIT.saturating_sub(there);
    let mut refused = Vec::new();
    for (name, state) in names.iter_mut().filter(|(_, state)| **state == SecretState::Create) {
        match free.checked_sub(1) {
            Some(left) => free = left,
            None => {
                *state = SecretState::Unusable;
                refused.push(name.as_str());
            }
        }
    }
    if !refused.is_empty() {
        notices.push(Notice {
            message: format!(
                "a repository may have {COUNT_LIMIT} secrets; there is no room for {}",
                refused.join(", ")
            ),
            hint: "Remove secrets that are not needed from the mirror, or list fewer.".to_owned(),
        });
    }
}

/// A notice for each group of names that differ only in case, since the host takes them for one.
fn same_names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Notice> {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(name.to_ascii_uppercase()).or_default().insert(name);
    }
    groups
        .into_iter()
        .filter(|(_, group)| group.len() > 1)
        .map(|(upper, group)| Notice {
            message: format!(
                "{} are one secret to the host, which ignores case",
                group.into_iter().collect::<Vec<_>>().join(" and ")
            ),
            hint: format!("Only one value can travel; keep the one named {upper}."),
        })
        .collect()
}
