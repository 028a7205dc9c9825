//! Looking a token up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use standin_state::config::{Config, RepositoryConfig};
use standin_state::model::{MirrorId, Slug};
use standin_state::store::{Fact, Store};
use tokio_util::sync::CancellationToken;

use super::{Kept, Place, Token, TokenOrigin, account, mirror_of, slug_of, variable_name};
use crate::github::{Client, GITHUB_COM};
use crate::memory::Memory;
use crate::outside::{GhCall, Outside};
use crate::totals::Totals;
use crate::{Code, Error, Result};

/// How long gh may take to tell its token; it may have to ask a keychain.
const GH_LIMIT: Duration = Duration::from_secs(20);

/// What gh needs from the user's environment to find its own configuration and keychain.
const GH_ENVIRONMENT: [&str; 12] = [
    "HOME",
    "USER",
    "LOGNAME",
    "APPDATA",
    "LOCALAPPDATA",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "GH_CONFIG_DIR",
    "GH_TOKEN",
    "GH_ENTERPRISE_TOKEN",
];

/// The token of a place, or `None` where there is none.
///
/// # Errors
/// [`Code::NotFound`] for a mirror that is not configured; [`Code::ConsentNeeded`] for a token in the keychain that was not
/// given for this place. [`Code::KeychainLocked`], [`Code::KeychainFailed`] and [`Code::KeychainEmpty`] where the token may be
/// in a keychain that does not give it: nothing else is taken in its place. Where there is no keychain at all, the other
/// places are looked at.
pub async fn find(
    outside: &Outside,
    config: &Config,
    store: &Store,
    repository: &RepositoryConfig,
    place: &Place,
) -> Result<Option<Token>> {
    if let Some(value) = configured(repository, place)? {
        return Ok(Some(Token { value: value.clone(), origin: TokenOrigin::Environment }));
    }
    // No token opens a folder, nor what is reached by ssh.
    let Some(kept) = Kept::token(repository, place)? else { return Ok(None) };
    let account = account(repository, place);
    let in_session = outside.keychain.in_session(&account);
    match &in_session {
        Some(given) => kept.check_in_memory(given)?,
        // Known to be for another place: the keychain is not even asked.
        None if kept.is_strange(store)? => kept.check(outside, store)?,
        None => {}
    }
    match outside.keychain.get(&account).await {
        Ok(Some(value)) => {
            if in_session.is_some() {
                return Ok(Some(Token { value, origin: TokenOrigin::Session }));
            }
            kept.check(outside, store)?;
            return Ok(Some(Token { value, origin: TokenOrigin::Keychain }));
        }
        Ok(None) => {}
        Err(error) if error.code == Code::KeychainUnavailable => {
            tracing::debug!(%account, reason = %error.message, "no keychain");
        }
        Err(error) => return Err(unread(error, repository, place)),
    }
    match slug_of(repository, place)? {
        Some(slug) => of_gh(outside, config, store, repository, place, slug).await,
        None => Ok(None),
    }
}

/// The error for a token that may be in the keychain, which does not give it.
fn unread(error: Error, repository: &RepositoryConfig, place: &Place) -> Error {
    let hint = format!(
        "{} Or put the token into {} in `.env` or the environment.",
        error.hint,
        variable_name(repository, place)
    );
    Error { hint, ..error.during(format!("the token of {place} cannot be read")) }
}

fn configured<'a>(repository: &'a RepositoryConfig, place: &Place) -> Result<Option<&'a SecretString>> {
    Ok(match place {
        Place::Source => repository.source_token.as_ref(),
        Place::Mirror(id) => mirror_of(repository, id)?.token.as_ref(),
    })
}

/// The token that gh is signed in with, if its account may push to that very repository.
async fn of_gh(
    outside: &Outside,
    config: &Config,
    store: &Store,
    repository: &RepositoryConfig,
    place: &Place,
    slug: &Slug,
) -> Result<Option<Token>> {
    let host = slug.host.as_deref().unwrap_or(GITHUB_COM);
    let Some(value) = ask_gh(outside, host).await else { return Ok(None) };
    let token = Token { value, origin: TokenOrigin::Gh };
    let mirror: Option<&MirrorId> = match place {
        Place::Source => None,
        Place::Mirror(id) => Some(id),
    };
    let memory = Memory::new(store, &repository.id, mirror, &outside.clock);
    let client =
        Client::new(config, slug, &token.value, memory.clone(), Arc::new(Totals::default()), CancellationToken::new())?
            .waiting(outside, &repository.id, mirror, None);
    let fits = format!("{slug} {}", client.token_hash());
    let checks = tokio::try_join!(client.user(), client.repository(slug));
    match checks {
        Ok(((user, _), info)) if info.permissions.push => {
            tracing::debug!(login = %user.login, repository = %slug, "using the token of gh");
            memory.set(Fact::GhFits, &fits)?;
            Ok(Some(token))
        }
        Ok(((user, _), _)) => {
            tracing::info!(login = %user.login, repository = %slug, "gh's account may not push here: not used");
            memory.forget(Fact::GhFits)?;
            Ok(None)
        }
        // A repository that does not answer, or is gone, says nothing against the token; and who looks why needs one.
        Err(error) if memory.get(Fact::GhFits)?.as_deref() == Some(&*fits) && error.code != Code::Unauthorized => {
            tracing::debug!(repository = %slug, reason = %error.message, "using the token of gh, which was seen to fit");
            Ok(Some(token))
        }
        Err(error) if error.retryable => Err(error),
        Err(error) => {
            tracing::info!(repository = %slug, reason = %error.message, "gh's token is not used");
            Ok(None)
        }
    }
}

/// The token that gh is signed in with at a host, for what its account does with what is its own. Whose it is, the caller finds out.
pub(crate) async fn of_gh_login(outside: &Outside, slug: &Slug) -> Option<SecretString> {
    ask_gh(outside, slug.host.as_deref().unwrap_or(GITHUB_COM)).await
}

/// What `gh auth token` prints; nothing where gh is missing or not signed in.
async fn ask_gh(outside: &Outside, host: &str) -> Option<SecretString> {
    let value_of = |name: &str| outside.environment.get(name).filter(|value| !value.is_empty());
    let mut environment: BTreeMap<String, SecretString> = GH_ENVIRONMENT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), SecretString::from(value_of(name)?.clone()))))
        .collect();
    // The bus that a session without the variable has, where it has one.
    if let (None, Some(folder)) = (value_of("DBUS_SESSION_BUS_ADDRESS"), value_of("XDG_RUNTIME_DIR")) {
        let address = SecretString::from(format!("unix:path={folder}/bus"));
        environment.insert("DBUS_SESSION_BUS_ADDRESS".to_owned(), address);
    }
    let call = GhCall {
        arguments: ["auth", "token", "--hostname", host].map(str::to_owned).to_vec(),
        input: None,
        environment,
        time_limit: GH_LIMIT,
    };
    let output = outside.gh.run(call).await.ok()?;
    let text = output.stdout.trim();
    (output.status == Some(0) && !text.is_empty()).then(|| SecretString::from(text))
}
