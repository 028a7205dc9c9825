//! The platform's store. `keyring` chooses it and gives the types; it is opened here, and not through `keyring`'s own
//! entries, since those keep the first failure to open it for the life of the process.

use std::sync::Arc;

use keyring::v1::Error as Told;
use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi as _;
use secrecy::{ExposeSecret as _, SecretString};

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store as Native;
#[cfg(windows)]
use windows_native_keyring_store::Store as Native;
#[cfg(all(unix, not(target_os = "macos")))]
use zbus_secret_service_keyring_store::Store as Native;

use super::SERVICE;
use super::failure::{Failure, of_store};
use super::turns::{Answer, Question};

/// A store that is open: on Linux one connection to the session's bus, with a session of the Secret Service.
pub(super) struct Store(Arc<Native>);

impl Store {
    pub fn open() -> Result<Self, Failure> {
        Native::new().map(Self).map_err(|error| of_store(&error))
    }

    /// Asks, and waits for the answer however long it takes.
    pub fn ask(&self, question: &Question, account: &str) -> Result<Answer, Failure> {
        let entry = self.0.build(SERVICE, account, None).map_err(|error| of_store(&error))?;
        let answer = match question {
            Question::Get => entry.get_password().map(|value| Answer::Value(SecretString::from(value))),
            Question::Set(value) => entry.set_password(value.expose_secret()).map(|()| Answer::Done),
            Question::Remove => remove_all(&entry).map(|()| Answer::Done),
        };
        match answer {
            Ok(Answer::Value(value)) if value.expose_secret().is_empty() => Err(Failure::Empty),
            Ok(answer) => Ok(answer),
            Err(Told::NoEntry) => Ok(Answer::Nothing),
            Err(error) => Err(of_store(&error)),
        }
    }
}

/// Removes the entry, and all of the same name where there are several.
fn remove_all(entry: &Entry) -> Result<(), Told> {
    match entry.delete_credential() {
        Err(Told::Ambiguous(entries)) => entries.iter().try_for_each(Entry::delete_credential),
        removed => removed,
    }
}

/// What tells an entry from others of the same name.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn whereabouts(entry: &Entry) -> String {
    use zbus_secret_service_keyring_store::cred::Wrapper;
    let Some(item) = entry.as_any().downcast_ref::<Wrapper>() else { return "one without a name".to_owned() };
    let path = item.get_path();
    let short = path.strip_prefix("/org/freedesktop/secrets/collection/").unwrap_or(&path).to_owned();
    match item.get_label() {
        Ok(label) => format!("{short} ({label})"),
        Err(_) => short,
    }
}

/// What tells an entry from others of the same name.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn whereabouts(_: &Entry) -> String {
    "one without a name".to_owned()
}
