//! Why a keychain did not do what it was asked, in its own words, and what to do about it.

use std::time::Duration;

use keyring::v1::Error as Told;

use super::SERVICE;
use super::turns::Question;
use crate::{Code, Error};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no keychain in this session.
    Absent(String),
    /// It is locked, and nobody was asked or could be.
    Locked,
    /// It asked, and was not let.
    Dismissed,
    /// It says no, for this reason.
    Refused(String),
    /// It went away before it had answered: what it did is not known.
    Lost(String),
    /// It has several entries of the same name: these.
    Several(Vec<String>),
    /// It has the entry, with nothing in it.
    Empty,
    /// It gave no answer in this time: what it does yet is not known.
    Silent(Duration),
    /// It could not even be looked at in this time; it was not asked.
    Unseen(Duration),
    /// An earlier question waits for an answer still: which, and for how long.
    Busy(String, Duration),
}

impl Failure {
    /// Whether a store that had this failure, and had worked before, may only be out of date.
    pub fn ends_a_store(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Refused(_) | Self::Lost(_) => true,
            Self::Locked
            | Self::Dismissed
            | Self::Several(_)
            | Self::Empty
            | Self::Silent(_)
            | Self::Unseen(_)
            | Self::Busy(_, _) => false,
        }
    }

    /// The failure as every face shows it.
    pub fn told(&self, question: &Question, account: &str) -> Error {
        let new = |code, message: String, hint: String| Error::new(code, message, hint);
        match self {
            Self::Absent(why) => new(
                Code::KeychainUnavailable,
                format!("the keychain cannot be used: {why}"),
                "Unlock or install a keychain (on Linux a Secret Service such as gnome-keyring), or give the token in the environment."
                    .to_owned(),
            ),
            Self::Locked => new(
                Code::KeychainLocked,
                "the keychain is locked".to_owned(),
                "Unlock it in the desktop session, or run this on a terminal, where it may ask.".to_owned(),
            ),
            Self::Dismissed => new(
                Code::KeychainLocked,
                "the keychain asked to be unlocked, and its dialog was dismissed or could not be shown".to_owned(),
                "Try again, and unlock it when it asks; where no dialog can be shown, as over ssh, unlock it in its own program first.".to_owned(),
            ),
            Self::Refused(why) => new(
                Code::KeychainFailed,
                format!("the keychain refused: {why}"),
                "These are the keychain's own words; mend it in its own program, then try again.".to_owned(),
            ),
            Self::Lost(why) => new(
                if question.changes() { Code::TimedOut } else { Code::KeychainFailed },
                format!("the keychain ended while it was asked: {why}"),
                hint_of_unknown(question),
            ),
            Self::Several(which) => new(
                Code::KeychainFailed,
                format!("the keychain has {} entries for `{SERVICE}`, `{account}`: {}", which.len(), which.join(", ")),
                match account.split_once('/') {
                    Some((_, place)) => format!("`standin token remove {place}` removes them all; then store the token again."),
                    None => "Remove all but one of them in the keychain's own program.".to_owned(),
                },
            ),
            Self::Empty => new(
                Code::KeychainEmpty,
                format!("the keychain's entry `{SERVICE}`, `{account}` is empty: the keychain lost what it was given"),
                match account.split_once('/') {
                    Some((_, place)) => format!("Store it again with `standin token set {place}`."),
                    None => "Restore it from a backup.".to_owned(),
                },
            ),
            Self::Silent(limit) => new(
                if question.changes() { Code::TimedOut } else { Code::KeychainFailed },
                format!("the keychain gave no answer within {}; it may be asking to be unlocked", seconds(*limit)),
                hint_of_unknown(question),
            ),
            Self::Unseen(limit) => new(
                Code::KeychainFailed,
                format!("the keychain gave no answer within {}", seconds(*limit)),
                "Answer its dialog where one is open, or restart the keychain; then try again.".to_owned(),
            ),
            Self::Busy(about, since) => new(
                Code::KeychainFailed,
                format!("the keychain owes an answer since {}: {about}", seconds(*since)),
                "Answer its dialog where one is open, or restart the keychain; then try again.".to_owned(),
            ),
        }
    }
}

fn hint_of_unknown(question: &Question) -> String {
    match question {
        Question::Get => "Unlock it, or answer its dialog where one is open; then try again.",
        Question::Set(_) => {
            "It may yet be stored, when the keychain comes to answer. Unlock it, look whether it is there, and try again if not."
        }
        Question::Remove => {
            "It may yet be removed, when the keychain comes to answer. Unlock it, look whether it is gone, and try again if not."
        }
    }
    .to_owned()
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// What the libraries below say, without an entry's content, which some of their errors hold.
pub(super) fn of_store(error: &Told) -> Failure {
    match error {
        Told::PlatformFailure(inner) | Told::NoStorageAccess(inner) => of_platform(error, inner.as_ref()),
        Told::NoDefaultStore => Failure::Absent("this session has none".to_owned()),
        Told::BadEncoding(_) => Failure::Refused("the entry is not text".to_owned()),
        Told::BadDataFormat(_, inner) => Failure::Refused(deepest(inner.as_ref())),
        Told::BadStoreFormat(why) | Told::NotSupportedByStore(why) => Failure::Refused(why.clone()),
        Told::TooLong(what, limit) => Failure::Refused(format!("{what} is longer than its limit of {limit}")),
        Told::Invalid(what, why) => Failure::Refused(format!("{what} is invalid: {why}")),
        Told::Ambiguous(entries) => Failure::Several(entries.iter().map(super::store::whereabouts).collect()),
        _ => Failure::Refused("it gave no reason".to_owned()),
    }
}

/// The words of the error at the bottom: those above it only say that there is one below.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(below) = error.source() {
        error = below;
    }
    error.to_string()
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn of_platform(error: &Told, inner: &(dyn std::error::Error + Send + Sync + 'static)) -> Failure {
    match error {
        Told::NoStorageAccess(_) => Failure::Locked,
        _ => Failure::Refused(deepest(inner)),
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn of_platform(_: &Told, inner: &(dyn std::error::Error + Send + Sync + 'static)) -> Failure {
    use secret_service::Error as Service;
    match inner.downcast_ref::<Service>() {
        Some(Service::Unavailable) => Failure::Absent("this session has none".to_owned()),
        Some(Service::Locked) => Failure::Locked,
        Some(Service::Prompt) => Failure::Dismissed,
        Some(Service::PromptDisconnected) => Failure::Lost(inner.to_string()),
        Some(Service::NoResult) => Failure::Refused("it has no default collection to keep entries in".to_owned()),
        Some(Service::Zbus(error)) => of_bus(error),
        Some(Service::ZbusFdo(zbus::fdo::Error::ZBus(error))) => of_bus(error),
        _ => Failure::Refused(deepest(inner)),
    }
}

/// What the message bus says.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn of_bus(error: &zbus::Error) -> Failure {
    use std::io::ErrorKind;
    match error {
        zbus::Error::Connection(io, _) => match io.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::Absent("this session has none".to_owned()),
            _ => Failure::Absent(format!("this session has none: {error}")),
        },
        zbus::Error::Address(_) => Failure::Absent(format!("this session has none: {error}")),
        zbus::Error::InputOutput(io) if io.kind() == ErrorKind::NotFound => {
            Failure::Absent("this session has none".to_owned())
        }
        zbus::Error::InputOutput(io) => Failure::Lost(io.to_string()),
        zbus::Error::MethodError(name, words, _) => {
            let words = words.clone().unwrap_or_else(|| name.to_string());
            match name.as_str() {
                "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                    Failure::Absent(format!("this session has none: {words}"))
                }
                "org.freedesktop.DBus.Error.NoReply"
                | "org.freedesktop.DBus.Error.Disconnected"
                | "org.freedesktop.DBus.Error.TimedOut"
                | "org.freedesktop.DBus.Error.Timeout" => Failure::Lost(words),
                "org.freedesktop.Secret.Error.IsLocked" => Failure::Locked,
                _ => Failure::Refused(words),
            }
        }
        other => Failure::Refused(deepest(other)),
    }
}
