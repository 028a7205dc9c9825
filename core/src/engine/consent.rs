//! What waits for its owner's yes: the `.env` of a clone, and what is kept on this machine and would be used for another
//! place than it was given for.

use standin_state::config::{ALLOW, RepositoryConfig};
use standin_state::model::{ConsentQuestion, RepositoryId};
use standin_state::store::ConsentRecord;

use super::Engine;
use crate::tokens::{Kept, Place, places_of_values, what_is_kept};
use crate::{Code, Error, Result};

/// The error of everything that waits for the yes to a file.
pub(super) fn needed(question: &ConsentQuestion) -> Error {
    Error::new(
        Code::ConsentNeeded,
        question.told().join("\n"),
        format!(
            "A file that may have come with a clone decides nothing by itself. If this is what you want, say so once: \
             `standin allow` (where nobody can be asked: {ALLOW}={}).",
            question.hash
        ),
    )
}

/// All that is kept for a repository, or may be: the tokens of places that have none in the environment or the file, and
/// the values in the vault under these names.
fn kept_of(repository: &RepositoryConfig, values: &[String]) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    if repository.source_token.is_none() {
        kept.extend(Kept::token(repository, &Place::Source)?);
    }
    for mirror in repository.mirrors.iter().filter(|mirror| mirror.token.is_none()) {
        kept.extend(Kept::token(repository, &Place::Mirror(mirror.id.clone()))?);
    }
    for name in values {
        let places = places_of_values(repository);
        kept.extend(places.iter().filter_map(|place| Kept::value(&repository.id, name, place)));
    }
    Ok(kept)
}

impl Engine {
    /// What waits for the owner's yes; `None` where nothing does. Asks no keychain.
    ///
    /// # Errors
    /// As [`Engine::configured`]; [`Code::Configuration`] with what is wrong with it; [`Code::Storage`] when the memory cannot
    /// be read.
    pub fn consent(&self, repository: Option<&RepositoryId>) -> Result<Option<ConsentQuestion>> {
        let known = self.readable(repository)?;
        self.asked_of(&known)
    }

    /// The question that a report shows: only where it is known that something waits, and then with all that the yes would
    /// be for.
    pub(super) fn shown_question(&self, known: &RepositoryConfig) -> Result<Option<ConsentQuestion>> {
        if !known.mistakes.is_empty() {
            return Ok(None);
        }
        let store = &self.shared.store;
        let mut waits = known.consent.question().is_some();
        for kept in kept_of(known, &self.values_of(known)?)? {
            waits = waits || kept.is_strange(store)?;
        }
        if waits { self.asked_of(known) } else { Ok(None) }
    }

    pub(super) fn asked_of(&self, known: &RepositoryConfig) -> Result<Option<ConsentQuestion>> {
        let store = &self.shared.store;
        // What a file asks for speaks of the user's own tokens and values already.
        let is_told = known.consent.question().is_some();
        let (mut lines, mut told) = (Vec::new(), Vec::new());
        for kept in kept_of(known, &self.values_of(known)?)? {
            if kept.is_bound(store)? {
                continue;
            }
            let is_told = is_told && !kept.is_strange(store)?;
            if is_told { &mut told } else { &mut lines }.push(kept.line(store)?);
        }
        let question = ConsentQuestion::with_kept(known.consent.question().cloned(), &lines, &told);
        match question {
            Some(question) if question.file.is_none() => {
                let said = store.consents()?.remove(&what_is_kept(&known.id));
                let is_denied = said.and_then(|said| said.denied).is_some_and(|denied| question.is_within(&denied));
                Ok(Some(if is_denied { question.denied() } else { question }))
            }
            question => Ok(question),
        }
    }

    /// The values in the vault that are meant to travel, by name. Their names need no key.
    fn values_of(&self, known: &RepositoryConfig) -> Result<Vec<String>> {
        let names = self.vault().names(&known.id)?;
        let takes = known.takes_from_vault();
        Ok(names.into_iter().filter(|name| takes(name)).collect())
    }

    /// Says yes to a question as it was shown. The files are read again first: the yes is for what they say then, or it
    /// is none.
    ///
    /// # Errors
    /// [`Code::ConsentNeeded`] where something else waits by now; as [`Engine::reload`]; [`Code::Storage`].
    pub fn allow(&self, repository: Option<&RepositoryId>, hash: &str) -> Result<ConsentQuestion> {
        self.reload()?;
        let known = self.readable(repository)?;
        let question = self.same_question(&known, hash)?;
        let store = &self.shared.store;
        let kept = kept_of(&known, &self.values_of(&known)?)?;
        store.bind(kept.iter().map(|kept| (kept.account.as_str(), kept.target.as_str())))?;
        if let (Some(_), Some(wish)) = (known.consent.question(), known.consent.wish()) {
            let consent = ConsentRecord { allowed: Some(wish.wish.clone()), denied: None };
            store.set_consent(&wish.file, &consent, self.shared.outside.clock.now())?;
        }
        self.reload()?;
        let detail = format!("{} ({})", question.title, question.hash);
        self.audited("allow", Some(&known.id), None, detail, Ok(()))?;
        Ok(question)
    }

    /// Says no to what the file of a repository asks for, or takes a yes back, and with it that what is kept may go there.
    /// Gives what it was said to; `None` where nothing asks for anything.
    ///
    /// # Errors
    /// As [`Engine::reload`]; [`Code::Storage`].
    pub fn deny(&self, repository: Option<&RepositoryId>) -> Result<Option<String>> {
        self.reload()?;
        let known = self.readable(repository)?;
        let kept = kept_of(&known, &self.values_of(&known)?)?;
        let store = &self.shared.store;
        // A no is to what is asked; where nothing is, or the no to it was said before, it takes back the yes to the file.
        let asked = self.shown_question(&known)?.filter(|question| question.file.is_none());
        let (file, hash) = match (asked, known.consent.wish()) {
            (Some(question), None) => (what_is_kept(&known.id), question.hash),
            (Some(question), Some(_)) if !question.is_denied => (what_is_kept(&known.id), question.hash),
            (_, Some(wish)) => (wish.file.clone(), wish.wish.hash()),
            (None, None) => return Ok(None),
        };
        if known.consent.wish().is_some_and(|wish| wish.file == file) {
            store.unbind(kept.iter().map(|kept| (kept.account.as_str(), kept.target.as_str())))?;
        }
        let consent = ConsentRecord { allowed: None, denied: Some(hash) };
        let denied = store.set_consent(&file, &consent, self.shared.outside.clock.now());
        self.audited("deny", Some(&known.id), None, file.clone(), denied)?;
        self.reload()?;
        Ok(Some(file))
    }

    fn same_question(&self, known: &RepositoryConfig, hash: &str) -> Result<ConsentQuestion> {
        match self.asked_of(known)? {
            Some(question) if question.hash == hash => Ok(question),
            Some(_) => Err(Error::new(
                Code::ConsentNeeded,
                "what is asked for has changed since it was shown",
                "Look at it again with `standin allow`.",
            )),
            None => Err(Error::new(
                Code::ConsentNeeded,
                "nothing waits for a yes any more",
                "Go on: `standin status` shows how things stand.",
            )),
        }
    }
}
