//! Keeping tokens in the keychain.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config::RepositoryConfig;
use standin_state::store::Store;

use super::{Kept, Place, account, mirror_of, variable_name};
use crate::keychain::SessionKeychain;
use crate::outside::Outside;
use crate::{Code, Error, Result, crash};

/// Stores the token of a place in the keychain.
///
/// # Errors
/// Those of [`Keychain::set`](crate::outside::Keychain::set), naming the environment variable to use instead.
/// [`Code::Usage`] for what cannot be a token.
pub async fn set(
    outside: &Outside,
    store: &Store,
    repository: &RepositoryConfig,
    place: &Place,
    value: &SecretString,
) -> Result<()> {
    if let Place::Mirror(id) = place {
        mirror_of(repository, id)?;
    }
    let value = checked(value)?;
    let account = account(repository, place);
    let kept = Kept::token(repository, place)?;
    // Until the new one is there, what is there is for nobody: another may be stored even by a keychain that failed.
    if kept.as_ref().map(|kept| BTreeSet::from([kept.target.clone()])) != Some(store.bound(&account)?) {
        store.rebind(&account, [])?;
    }
    crash::point("keychain.set.before");
    let stored = outside.keychain.set(&account, &value).await;
    crash::point("keychain.set.after");
    stored.map_err(|error| not_stored(error, repository, place))?;
    bind(store, repository, place)
}

/// Remembers what the token of a place is for.
fn bind(store: &Store, repository: &RepositoryConfig, place: &Place) -> Result<()> {
    let kept = Kept::token(repository, place)?;
    store.rebind(&account(repository, place), kept.iter().map(|kept| kept.target.as_str()))
}

/// Keeps the token of a place in memory until the program quits, for those who have no keychain and said so.
///
/// # Errors
/// [`Code::Usage`] for what cannot be a token.
pub fn keep(
    session: &SessionKeychain,
    repository: &RepositoryConfig,
    place: &Place,
    value: &SecretString,
) -> Result<()> {
    if let Place::Mirror(id) = place {
        mirror_of(repository, id)?;
    }
    let value = checked(value)?;
    // Where no token is used, none is kept.
    if let Some(kept) = Kept::token(repository, place)? {
        session.keep(&kept.account, &kept.target, value);
    }
    Ok(())
}

/// Removes the token of a place from the keychain; `false` where there was none.
///
/// # Errors
/// Those of [`Keychain::remove`](crate::outside::Keychain::remove).
pub async fn remove(outside: &Outside, store: &Store, repository: &RepositoryConfig, place: &Place) -> Result<bool> {
    let account = account(repository, place);
    crash::point("keychain.remove.before");
    let removed = outside.keychain.remove(&account).await;
    crash::point("keychain.remove.after");
    let removed = removed.map_err(|error| not_removed(error, &account))?;
    store.rebind(&account, [])?;
    Ok(removed)
}

/// The token without the line end that comes with standard input.
pub(crate) fn checked(value: &SecretString) -> Result<SecretString> {
    let text = value.expose_secret().trim();
    let usage = |why: &str| {
        Error::new(Code::Usage, format!("the token {why}"), "Give it on standard input, as the host shows it.")
    };
    if text.is_empty() {
        return Err(usage("is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(usage("has spaces, line breaks or characters that no token has"));
    }
    Ok(SecretString::from(text))
}

fn not_stored(error: Error, repository: &RepositoryConfig, place: &Place) -> Error {
    let variable = variable_name(repository, place);
    let hint = match error.code {
        Code::KeychainUnavailable | Code::KeychainLocked => format!(
            "Nothing was written. Put the token into {variable} in the environment or in `.env`, or unlock the keychain and try again."
        ),
        Code::TimedOut => format!(
            "It may yet be stored, when the keychain comes to answer: unlock it, and see with `standin token check {place}`. \
             Or put the token into {variable} in the environment or in `.env`."
        ),
        Code::KeychainFailed => {
            format!("{} Or put the token into {variable} in the environment or in `.env`.", error.hint)
        }
        _ => return error,
    };
    Error { hint, ..error }
}

fn not_removed(error: Error, account: &str) -> Error {
    let hint = match error.code {
        Code::KeychainUnavailable => {
            "Nothing was removed. A token in `.env` or the environment is removed there.".to_owned()
        }
        Code::KeychainLocked => format!(
            "Nothing was removed. Unlock the keychain and try again, or remove its entry `{account}` of the service `standin` \
             in its own program."
        ),
        _ => return error,
    };
    Error { hint, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_without_its_line_end_and_refused_with_spaces() {
        assert_eq!(checked(&SecretString::from("ghp_x\r\n")).unwrap().expose_secret(), "ghp_x");
        for bad in ["", "\n", "a b", "a\nb", "ä"] {
            assert_eq!(checked(&SecretString::from(bad)).unwrap_err().code, Code::Usage, "{bad:?}");
        }
    }
}
