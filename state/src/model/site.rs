//! Where a repository is, as it stands in fences, in changes of master and in what is shown.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A repository by its slug, its URL without credentials, or its path, which may stand behind the id of an installation
/// (`1a2b3c4d:/srv/app`). Two are the same where they name the same place, however each is written: GitHub ignores the
/// case of slugs, and a URL of github.com is a slug. It is shown as it was written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Site {
    shown: String,
    /// What two of the same place have in common.
    place: String,
}

impl Site {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.shown
    }
}

/// The place that a text names.
fn place_of(text: &str) -> Cow<'_, str> {
    let lower_case =
        |slug| if str::chars(slug).any(char::is_uppercase) { slug.to_lowercase().into() } else { slug.into() };
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix(".git").unwrap_or(text);
    let slug = ["https://github.com/", "ssh://git@github.com/", "git@github.com:"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    match slug {
        Some(slug) => lower_case(slug),
        None if text.contains(':') || text.starts_with(['/', '.']) => text.into(),
        None => lower_case(text),
    }
}

impl From<String> for Site {
    fn from(shown: String) -> Self {
        let place = place_of(&shown).into_owned();
        Self { shown, place }
    }
}

impl From<&str> for Site {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<&Site> for Site {
    fn from(site: &Site) -> Self {
        site.clone()
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.shown
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, formatter)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Site {}

impl PartialEq<str> for Site {
    fn eq(&self, other: &str) -> bool {
        self.place == place_of(other)
    }
}

impl PartialEq<&str> for Site {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl Hash for Site {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}

impl PartialOrd for Site {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Site {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_same_place_is_the_same_however_it_is_written() {
        for (one, other) in [
            ("Owner/Name", "owner/name"),
            ("https://github.com/owner/name.git", "owner/name"),
            ("git@github.com:owner/name", "owner/Name"),
            ("ssh://git@github.com/Owner/name", "owner/name"),
            ("/srv/code/", "/srv/code"),
        ] {
            assert_eq!(Site::from(one), Site::from(other));
            assert_eq!(BTreeMap::from([(Site::from(one), 1)]).get(&Site::from(other)), Some(&1));
        }
        for (one, other) in [
            ("owner/name", "owner/other"),
            ("/srv/Code", "/srv/code"),
            ("https://git.example.com/A", "https://git.example.com/a"),
            ("1a2b3c4d:/srv/code", "/srv/code"),
        ] {
            assert_ne!(Site::from(one), Site::from(other));
        }
    }

    #[test]
    fn it_is_shown_and_written_as_it_was_read() {
        for text in ["Owner/Name", "https://github.com/owner/name.git", "/srv/Code/"] {
            assert_eq!(Site::from(text).to_string(), text);
            let json = serde_json::to_string(&Site::from(text)).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Site>(&json).unwrap().as_str(), text);
        }
    }
}
