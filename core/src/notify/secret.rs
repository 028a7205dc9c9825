//! Tokens of the places that word goes to: the access token of an ntfy server, the secret that a webhook is signed with.
//!
//! One comes from the variable that the file names (`token_env`), else from the keychain, where it was kept by `standin notify
//! token` for the host that it was given for. Another host gets nothing: a changed file asks for the token again.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::Serialize;
use standin_state::config::{NotifyMeans, NotifyTarget};
use standin_state::model::NotifyName;
use standin_state::store::Store;
use ts_rs::TS;

use crate::outside::Outside;
use crate::tokens::checked;
use crate::{Code, Error, Result, crash};

/// Where a place has its token from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case", tag = "from")]
#[ts(export)]
pub enum SecretFrom {
    /// It has none, and needs none as far as anybody said.
    Nowhere,
    /// The variable of the process with this name.
    Environment {
        /// The variable.
        variable: String,
    },
    /// The keychain.
    Keychain,
    /// The variable that the file names is not set, and the keychain has none.
    Missing {
        /// The variable.
        variable: String,
    },
    /// The keychain has one that was given for another host.
    GivenForAnother,
}

/// The keychain's name of the token of a place.
fn account(name: &NotifyName) -> String {
    format!("notify/{name}")
}

/// What a token is given for: the way, and the host with its scheme. `None` where none is used.
fn bound_to(target: &NotifyTarget) -> Option<String> {
    target.address().map(|address| format!("{} {}", target.kind(), address.origin()))
}

/// Where the token of a place comes from, without opening the keychain.
///
/// # Errors
/// [`Code::Storage`].
pub fn origin(outside: &Outside, store: &Store, target: &NotifyTarget) -> Result<SecretFrom> {
    let Some(bound_to) = bound_to(target) else { return Ok(SecretFrom::Nowhere) };
    if let Some(variable) = target.token_env.as_ref().filter(|variable| in_environment(outside, variable).is_some()) {
        return Ok(SecretFrom::Environment { variable: variable.clone() });
    }
    let given = store.bound(&account(&target.name))?;
    Ok(match (given.is_empty(), &target.token_env) {
        (false, _) if given.contains(&bound_to) => SecretFrom::Keychain,
        (false, _) => SecretFrom::GivenForAnother,
        (true, Some(variable)) => SecretFrom::Missing { variable: variable.clone() },
        (true, None) => SecretFrom::Nowhere,
    })
}

/// The token of a place, where it has one.
///
/// # Errors
/// [`Code::TokenMissing`] where one was promised and is not there, or was given for another host. Those of
/// [`Keychain::get`](crate::outside::Keychain::get), which may pass: a locked keychain is opened in the morning.
pub async fn find(outside: &Outside, store: &Store, target: &NotifyTarget) -> Result<Option<SecretString>> {
    let name = &target.name;
    let again = format!("Give it again with `standin notify token {name}`.");
    let found = match origin(outside, store, target)? {
        SecretFrom::Nowhere => return Ok(None),
        SecretFrom::Environment { variable } => match in_environment(outside, &variable) {
            Some(value) => checked(&SecretString::from(value)).map_err(|error| {
                Error::new(Code::TokenMissing, format!("{variable}: {}", error.message), error.hint)
            })?,
            None => return Ok(None),
        },
        SecretFrom::Missing { variable } => {
            return Err(Error::new(
                Code::TokenMissing,
                format!("{variable}, which holds the token of {name}, is not set"),
                format!(
                    "Set it in the environment that Standin is started with, or keep the token with `standin notify token {name}`."
                ),
            ));
        }
        SecretFrom::GivenForAnother => {
            let given = store.bound(&account(name))?.into_iter().collect::<Vec<_>>().join(" and ");
            let now = bound_to(target).unwrap_or_default();
            return Err(Error::new(
                Code::TokenMissing,
                format!("the token kept for {name} was given for {given}, and is not sent to {now}"),
                again,
            ));
        }
        SecretFrom::Keychain => match outside.keychain.get(&account(name)).await {
            Ok(Some(value)) => value,
            Ok(None) => {
                return Err(Error::new(
                    Code::TokenMissing,
                    format!("the keychain has no token for {name} any more"),
                    again,
                ));
            }
            Err(error) => return Err(Error { retryable: true, ..error }),
        },
    };
    if let NotifyMeans::Ntfy(address) = &target.means
        && address.is_clear()
    {
        return Err(in_the_clear(target));
    }
    Ok(Some(found))
}

/// Keeps a token in the keychain for the host that the place has now.
///
/// # Errors
/// [`Code::Usage`] for what cannot be a token, for a command, and where it would go over the network in the clear. Those of
/// [`Keychain::set`](crate::outside::Keychain::set).
pub async fn set(outside: &Outside, store: &Store, target: &NotifyTarget, value: &SecretString) -> Result<()> {
    let bound_to = usable(target)?;
    let value = checked(value)?;
    let account = account(&target.name);
    // Until the new one is there, what is there is for nobody: another may be stored even by a keychain that failed.
    if store.bound(&account)? != BTreeSet::from([bound_to.clone()]) {
        store.rebind(&account, [])?;
    }
    crash::point("keychain.set.before");
    let stored = outside.keychain.set(&account, &value).await;
    crash::point("keychain.set.after");
    stored.map_err(|error| not_stored(error, target))?;
    store.rebind(&account, [bound_to.as_str()])
}

/// Removes the token of a place from the keychain; `false` where there was none. The place need not be configured any more.
///
/// # Errors
/// Those of [`Keychain::remove`](crate::outside::Keychain::remove).
pub async fn remove(outside: &Outside, store: &Store, name: &NotifyName) -> Result<bool> {
    let account = account(name);
    crash::point("keychain.remove.before");
    let removed = outside.keychain.remove(&account).await;
    crash::point("keychain.remove.after");
    let removed = removed?;
    store.rebind(&account, [])?;
    Ok(removed)
}

fn usable(target: &NotifyTarget) -> Result<String> {
    let name = &target.name;
    match (&target.means, bound_to(target)) {
        (NotifyMeans::Ntfy(address), _) if address.is_clear() => Err(in_the_clear(target)),
        (NotifyMeans::Ntfy(_) | NotifyMeans::Webhook(_), Some(bound_to)) => Ok(bound_to),
        _ => Err(Error::new(
            Code::Usage,
            format!("{name} is a command, which is given no token"),
            "Its program looks after that itself.",
        )),
    }
}

fn in_the_clear(target: &NotifyTarget) -> Error {
    Error::new(
        Code::Usage,
        format!("the token of {} would go to {} over the network in the clear", target.name, target.display()),
        "Write `https://` in standin.toml; with `insecure = true` only messages are sent, never a token.",
    )
}

fn in_environment(outside: &Outside, variable: &str) -> Option<String> {
    outside.environment.get(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn not_stored(error: Error, target: &NotifyTarget) -> Error {
    let way = match &target.token_env {
        Some(variable) => format!("put the token into {variable} in the environment that Standin is started with"),
        None => format!("name a variable that holds the token (`token_env`) in [[notify]] {}", target.name),
    };
    let hint = match error.code {
        Code::KeychainUnavailable | Code::KeychainLocked => {
            format!("Nothing was written. Unlock the keychain and try again, or {way}.")
        }
        _ => format!("{} Or {way}.", error.hint),
    };
    Error { hint, ..error }
}
