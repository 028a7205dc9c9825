//! Where a token comes from, where it is kept, and what it can do.
//!
//! One for the source and one for each mirror, looked up in this order: environment and `.env`, keychain (before it,
//! what was typed for this session only), `gh auth token`. The last is used only after its identity and its right to
//! push to that very repository were checked. A token never leaves this room but inside a [`SecretString`].

mod bound;
mod check;
mod find;
mod keep;

use std::fmt;

use secrecy::SecretString;
use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::model::{MirrorId, Slug};
use standin_state::store::{Fact, Store};

use crate::event::Notice;
use crate::{Code, Error, Result};

pub use bound::{Kept, account_of_value, of_target, places_of_values, what_is_kept};
pub use check::{RightReport, RightState, TokenKind, TokenReport, check};
pub(crate) use check::{days_left, ends_soon};
pub use find::find;
pub(crate) use find::of_gh_login;
pub(crate) use keep::checked;
pub use keep::{keep, remove, set};

/// A token and where it came from.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// Where it came from.
    pub origin: TokenOrigin,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum TokenOrigin {
    /// `MIRROR_SOURCE_TOKEN` or `MIRROR_<n>_TOKEN`, in the environment or `.env`.
    Environment,
    /// The keychain.
    Keychain,
    /// Typed in the window, kept in memory until it quits.
    Session,
    /// `gh auth token`, after its identity and push right were checked.
    Gh,
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The source.
    Source,
    /// A mirror.
    Mirror(MirrorId),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => formatter.write_str("source"),
            Self::Mirror(id) => write!(formatter, "{id}"),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = standin_state::model::NameError;

    /// `source`, else the id of a mirror.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "source" { Ok(Self::Source) } else { text.parse().map(Self::Mirror) }
    }
}

impl Token {
    /// What a plan says about where this token came from; only `gh auth token` needs a word.
    pub fn notice(&self, repository: &RepositoryConfig, place: &Place) -> Option<Notice> {
        (self.origin == TokenOrigin::Gh).then(|| Notice {
            message: format!("the token for {place} is the one that gh is signed in with"),
            hint: format!(
                "To use one of its own, store it with `standin token set {place}` or in {}.",
                variable_name(repository, place)
            ),
        })
    }
}

/// The account under which the token of a place stands in the keychain: `<repository>/source` or
/// `<repository>/<mirror>`.
pub fn account(repository: &RepositoryConfig, place: &Place) -> String {
    format!("{}/{}", repository.id, configured_place(repository, place))
}

/// The place as it is configured: with another master than the configured source, the source is one of the mirrors.
pub fn configured_place(repository: &RepositoryConfig, place: &Place) -> Place {
    match (place, &repository.master) {
        (Place::Source, Some(master)) => Place::Mirror(master.clone()),
        (Place::Mirror(id), _) if id.is_source() => Place::Source,
        _ => place.clone(),
    }
}

/// The environment variable that may hold the token of a place.
pub fn variable_name(repository: &RepositoryConfig, place: &Place) -> String {
    let Place::Mirror(id) = configured_place(repository, place) else { return "MIRROR_SOURCE_TOKEN".to_owned() };
    let number = id
        .as_str()
        .strip_prefix("mirror-")
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    match number {
        Some(number) => format!("MIRROR_{number}_TOKEN"),
        None => {
            let target = match place {
                Place::Source => repository.source.display(),
                Place::Mirror(_) => repository.mirror(&id).map_or_else(String::new, |mirror| mirror.target.display()),
            };
            format!("MIRROR_<n>_TOKEN (beside MIRROR_<n>_REPO={target})")
        }
    }
}

/// The error for a place that needs a token and has none. Says so where gh gave it until now.
pub fn missing(store: &Store, repository: &RepositoryConfig, place: &Place) -> Error {
    let whose = match place {
        Place::Source => format!("the source {}", repository.source.display()),
        Place::Mirror(id) => {
            let target = repository.mirror(id).map_or_else(String::new, |mirror| mirror.target.display());
            format!("mirror {id} ({target})")
        }
    };
    let store_one = format!(
        "Store one in the keychain with `standin token set {place}`, or put it into {} in `.env` or the environment.",
        variable_name(repository, place)
    );
    let mirror = match place {
        Place::Source => None,
        Place::Mirror(id) => Some(id),
    };
    // What is remembered is of no use where it cannot be read.
    let of_gh = store.fact(&repository.id, mirror, Fact::GhFits).ok().flatten().is_some();
    let gh_gave_it = if of_gh {
        "gh gave its own until now and gives none any more: see whether it is installed and signed in (`gh auth status`). "
    } else {
        ""
    };
    Error::new(Code::TokenMissing, format!("no token for {whose}"), format!("{gh_gave_it}{store_one}"))
}

fn mirror_of<'a>(repository: &'a RepositoryConfig, id: &MirrorId) -> Result<&'a MirrorConfig> {
    repository.mirror(id).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("{} has no mirror {id}", repository.id),
            "See `standin mirror list` for the names.",
        )
    })
}

/// The repository on GitHub that the token of a place is for; `None` where it is another kind of place.
fn slug_of<'a>(repository: &'a RepositoryConfig, place: &Place) -> Result<Option<&'a Slug>> {
    Ok(match place {
        Place::Source => match &repository.source {
            Source::GitHub(slug) => Some(slug),
            Source::Url(_) | Source::Path(_) => None,
        },
        Place::Mirror(id) => mirror_of(repository, id)?.slug(),
    })
}
