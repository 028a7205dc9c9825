//! What is kept on this machine, and what it was given for.
//!
//! A token in the keychain and a value in the vault are kept under names (`<repository>/<mirror>`), and what a name means
//! is configuration, which may be somebody else's. So the memory has, beside each name, the places that its owner gave it
//! for: another place asks first. What was kept before there was such a memory has none, and asks once.

use std::collections::BTreeSet;

use standin_state::config::{ALLOW, RepositoryConfig, Source, Target};
use standin_state::model::{ConsentLine, ConsentTopic, RepositoryId, Slug, is_said};
use standin_state::store::Store;

use super::{Place, account, configured_place, mirror_of};
use crate::github::GITHUB_COM;
use crate::outside::Outside;
use crate::{Code, Error, Result};

/// Something that is kept, and the place that it would be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The repository that it is kept for.
    repository: RepositoryId,
    /// What it is kept under.
    pub account: String,
    /// Where it would go.
    pub target: String,
    /// What it is, for people: `the token of mirror-1`.
    what: String,
}

impl Kept {
    /// The token of a place; `None` where no token is used.
    pub fn token(repository: &RepositoryConfig, place: &Place) -> Result<Option<Self>> {
        let target = match place {
            Place::Source => of_source(&repository.source),
            Place::Mirror(id) => of_target(&mirror_of(repository, id)?.target),
        };
        let what = format!("the token kept for {}, if there is one", configured_place(repository, place));
        Ok(target.map(|target| Self {
            repository: repository.id.clone(),
            account: account(repository, place),
            target,
            what,
        }))
    }

    /// A value in the vault on its way to a mirror.
    pub fn value(repository: &RepositoryId, name: &str, mirror: &Target) -> Option<Self> {
        let account = account_of_value(repository, name);
        let what = format!("the value of {name} in your vault");
        of_target(mirror).map(|target| Self { repository: repository.clone(), account, target, what })
    }

    fn given_for(&self, store: &Store) -> Result<BTreeSet<String>> {
        store.bound(&self.account)
    }

    /// Whether it was given for this place.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn is_bound(&self, store: &Store) -> Result<bool> {
        Ok(self.given_for(store)?.contains(&self.target))
    }

    /// Whether it was given for other places, and for this one not.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn is_strange(&self, store: &Store) -> Result<bool> {
        let given = self.given_for(store)?;
        Ok(!given.is_empty() && !given.contains(&self.target))
    }

    /// What is asked about it. Names both places.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn line(&self, store: &Store) -> Result<ConsentLine> {
        let given = self.given_for(store)?;
        let before = match given.is_empty() {
            true => "which was kept before Standin wrote down what for".to_owned(),
            false => format!("which you allowed for {}", given.into_iter().collect::<Vec<_>>().join(" and ")),
        };
        Ok(ConsentLine::new(ConsentTopic::Sends, &format!("{}, {before}, to {}", self.what, self.target)))
    }

    /// Refuses what is in memory and was given for another place. The memory of what is in the keychain has no say in it.
    ///
    /// # Errors
    /// [`Code::ConsentNeeded`], naming both places.
    pub fn check_in_memory(&self, given: &str) -> Result<()> {
        if given == self.target {
            return Ok(());
        }
        Err(Error::new(
            Code::ConsentNeeded,
            format!("it would send {}, which was typed for {given}, to {}", self.what, self.target),
            "If that is meant, type the token again for this place.",
        ))
    }

    /// Refuses what its owner did not give for this place.
    ///
    /// # Errors
    /// [`Code::ConsentNeeded`], naming both places.
    pub fn check(&self, outside: &Outside, store: &Store) -> Result<()> {
        if self.is_bound(store)? {
            return Ok(());
        }
        let line = self.line(store)?;
        let hash = line.hash();
        let said = outside.environment.get(ALLOW).map_or("", String::as_str);
        // As with a file: a no that was said here is stronger than a yes that is said everywhere.
        let denied = store.consents()?.remove(&what_is_kept(&self.repository)).and_then(|record| record.denied);
        if is_said(said, &hash) && !denied.is_some_and(|denied| is_said(&denied, &hash)) {
            return Ok(());
        }
        Err(Error::new(
            Code::ConsentNeeded,
            format!("it would send {}", line.text),
            format!("If that is meant, say so with `standin allow` (where nobody can be asked: {ALLOW}={hash})."),
        ))
    }
}

/// What a no to the use of what is kept for a repository stands under, where that of a file stands under its path.
pub fn what_is_kept(repository: &RepositoryId) -> String {
    format!("what is kept for {repository}")
}

/// What a value in the vault is kept under, among the names of tokens.
pub fn account_of_value(repository: &RepositoryId, name: &str) -> String {
    format!("{repository}/vault/{}", name.to_ascii_uppercase())
}

/// The repositories on GitHub that values of secrets may have to go to: those of the mirrors, and the source, which is one
/// of them while a mirror is master.
pub fn places_of_values(repository: &RepositoryConfig) -> Vec<Target> {
    let home = repository.home.as_deref().unwrap_or(repository);
    let source = match &home.source {
        Source::GitHub(slug) => Some(Target::GitHub(slug.clone())),
        Source::Url(_) | Source::Path(_) => None,
    };
    let mirrors = home.mirrors.iter().filter(|mirror| mirror.slug().is_some());
    mirrors.map(|mirror| mirror.target.clone()).chain(source).collect()
}

/// A place as what is kept is bound to it: host and repository. `None` where nothing that is kept is used.
pub fn of_target(target: &Target) -> Option<String> {
    match target {
        Target::GitHub(slug) => Some(of_slug(slug)),
        Target::Git(git) => of_url(&git.url),
        Target::Pull(pull) => of_source(&pull.upstream),
    }
}

fn of_source(source: &Source) -> Option<String> {
    match source {
        Source::GitHub(slug) => Some(of_slug(slug)),
        Source::Url(url) => of_url(url),
        Source::Path(_) => None,
    }
}

fn of_slug(slug: &Slug) -> String {
    format!("{}/{}", slug.host.as_deref().unwrap_or(GITHUB_COM), slug.path()).to_ascii_lowercase()
}

/// Only http asks for tokens. Its scheme is a part of the place: what was given for https is not for http.
fn of_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "https" | "http") {
        return None;
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase();
    let path = path.trim_matches('/');
    Some(format!("{scheme}://{host}/{}", path.strip_suffix(".git").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_host_and_repository() {
        let cases = [
            ("https://Git.Example/Team/x.git", Some("https://git.example/Team/x")),
            ("HTTPS://me@git.example:8443/x/", Some("https://git.example:8443/x")),
            ("http://git.example/x", Some("http://git.example/x")),
            ("ssh://git@git.example/x", None),
            ("git@git.example:x", None),
            ("/srv/x.git", None),
        ];
        for (url, expected) in cases {
            assert_eq!(of_target(&Target::git(url)).as_deref(), expected, "{url}");
        }
        assert_eq!(of_target(&Target::GitHub("Acme/Site".parse().unwrap())).as_deref(), Some("github.com/acme/site"));
        let other = "ghe.example/acme/site".parse().unwrap();
        assert_eq!(of_target(&Target::GitHub(other)).as_deref(), Some("ghe.example/acme/site"));
    }
}
