//! What a host refused of a push: who is to blame, the host's own words, and what to do.
//!
//! Who is to blame is read by [`crate::git::blame`], what the words mean is in `git::words`; here both come together for a push.

use std::collections::BTreeSet;

use standin_state::model::RefName;

use crate::git::{Blame, Kind, Meaning, PushReport, PushResult, blame, is_sunk, is_talk, said};
use crate::{Code, Error};

/// How many lines of the host's words are shown.
const SHOWN_LINES: usize = 12;
/// What to do where the words are not known.
const HOST_WORDS: &str = "See the words of the mirror's host.";

/// What a host refused of one push, in its own words.
#[derive(Debug)]
pub(crate) struct Refusal {
    refused: Vec<(RefName, String)>,
    messages: Vec<String>,
    /// Whether the others of the push were sunk with it, if there were any.
    atomic: bool,
    /// Whether nothing of the push arrived.
    of_all: bool,
}

impl Refusal {
    /// What was refused of a push; `None` where nothing was.
    pub fn of(report: PushReport, atomic: bool) -> Option<Self> {
        let of_all = !report.results.values().any(|result| *result == PushResult::Done);
        let refused = report.results.into_iter().filter_map(|(name, result)| match result {
            PushResult::Refused { reason } => Some((name, reason)),
            PushResult::Done | PushResult::Stale | PushResult::NotTried => None,
        });
        let refusal = Self { refused: refused.collect(), messages: report.messages, atomic, of_all };
        (!refusal.refused.is_empty()).then_some(refusal)
    }

    /// Who is to blame. `proven` was taken before.
    pub fn blame(&self, proven: Option<&RefName>) -> Blame {
        match blame(&self.reasons(), proven) {
            // Each was tried by itself.
            Blame::These(_) | Blame::Perhaps(_) if !self.atomic => Blame::These(self.names().cloned().collect()),
            _ if !self.of_all => Blame::These(self.names().cloned().collect()),
            found => found,
        }
    }

    /// The error for one of the refused refs.
    pub fn error_of(&self, name: &RefName) -> Error {
        explain(name, reason_of(name, &self.reasons()), &self.messages)
    }

    /// The same where the host takes others: in words for a passing fault too it is this ref that it means.
    pub fn error_of_one(&self, name: &RefName) -> Error {
        let error = self.error_of(name);
        if error.code != Code::HostFailed {
            return error;
        }
        let meaning = Meaning::but_passing(&error.message);
        let hint = if meaning.hint.is_empty() { HOST_WORDS } else { meaning.hint };
        Error::new(Code::RefRefused, error.message, hint)
    }

    /// How many refs a push may have where the host takes as much only in parts: as many as it says, else half as many.
    pub fn in_parts_of(&self, count: usize) -> Option<usize> {
        if !self.is_too_much() || count < 2 {
            return None;
        }
        let most = self.limits().filter(|limit| (1..count).contains(limit)).min();
        Some(most.unwrap_or(count.div_ceil(2)))
    }

    /// Whether the host says that it takes one ref in a push.
    pub fn takes_one(&self) -> bool {
        self.is_too_much() && self.limits().any(|limit| limit == 1)
    }

    /// Whether the host has no room for what was pushed.
    pub fn is_no_room(&self) -> bool {
        self.kind() == Kind::NoRoom
    }

    /// How many refs a push may have, as the host tells it.
    fn limits(&self) -> impl Iterator<Item = usize> {
        let told = self.messages.iter().map(String::as_str).chain(self.reasons().into_iter().map(|(_, reason)| reason));
        told.filter_map(|text| text.split_once("more than ")?.1.split(' ').next()?.parse().ok())
    }

    /// The refs of `group` that the host names in what it tells.
    pub fn told_of<'a>(&self, group: impl Iterator<Item = &'a RefName>) -> BTreeSet<RefName> {
        let words: BTreeSet<&str> = self
            .messages
            .iter()
            .flat_map(|line| line.split([' ', '\'', '`', '"', ',', ':', '(', ')']))
            .map(|word| word.trim_end_matches('.'))
            .collect();
        let is_told = |name: &&RefName| words.contains(name.as_str()) || words.contains(name.short());
        group.filter(is_told).cloned().collect()
    }

    /// Whether it was too much for one push.
    pub fn is_too_much(&self) -> bool {
        self.kind() == Kind::TooMuchAtOnce
    }

    fn reasons(&self) -> Vec<(&RefName, &str)> {
        self.refused.iter().map(|(name, reason)| (name, reason.as_str())).collect()
    }

    /// The refused refs.
    pub fn names(&self) -> impl Iterator<Item = &RefName> {
        self.refused.iter().map(|(name, _)| name)
    }

    /// What kind of refusal the push as a whole met.
    fn kind(&self) -> Kind {
        let Some((_, reason)) = self.refused.iter().find(|(_, reason)| !is_sunk(reason)).or(self.refused.first())
        else {
            return Kind::Unknown;
        };
        let told: Vec<&str> = self.messages.iter().map(|line| said(line)).filter(|line| !is_talk(line)).collect();
        Meaning::of(&format!("{reason}\n{}", told.join("\n"))).kind
    }

    /// The refs that somebody else moved, in words that say so.
    pub fn raced(&self) -> BTreeSet<RefName> {
        let raced = self.refused.iter().filter(|(_, reason)| Meaning::of(reason).kind == Kind::Race);
        raced.map(|(name, _)| name.clone()).collect()
    }

    /// The fault of the host that this is, where it is one of the whole push: it says nothing about refs. `whose` host it is.
    ///
    /// Where the report names some of the refs, it is about those, whatever the words are: a branch that is frozen until later holds
    /// up no other.
    pub fn passing(&self, whose: &str) -> Option<Error> {
        let is_told = |(_, reason): &(RefName, String)| Meaning::of(reason).kind == Kind::Passing;
        let names_some = self.refused.len() > 1 && blame(&self.reasons(), None) != Blame::Whole;
        if names_some && !self.refused.iter().all(is_told) {
            return None;
        }
        let told = self.refused.iter().find(|refused| is_told(refused));
        let (name, reason) = told.or_else(|| self.refused.first().filter(|_| self.kind() == Kind::Passing))?;
        let told = explain(name, reason, &self.messages);
        let words = told.message.split_once(": ").map_or(told.message.as_str(), |(_, words)| words);
        let message = format!("The host of {whose} took nothing of the push, for a fault of its own: {words}");
        self.of_all.then(|| Error::passing(Code::HostFailed, message, told.hint))
    }
}

/// The same error with what it means for the other refs, where nothing better is known to be done: whether the host takes some.
pub(crate) fn with_standing_of_others(error: Error, takes_some: bool) -> Error {
    if error.hint != HOST_WORDS {
        return error;
    }
    let others = if takes_some {
        "The other refs are not held up by it."
    } else {
        "It took nothing at all: see whether it lets this user push there."
    };
    Error { hint: format!("{HOST_WORDS} {others}"), ..error }
}

/// The error for one refused ref: the host's own words and what to do.
pub fn explain(name: &RefName, reason: &str, messages: &[String]) -> Error {
    let mut message = format!("{name}: {reason}");
    let shown: Vec<&str> =
        messages.iter().map(|line| said(line)).filter(|line| !is_talk(line) && concerns(name, line)).collect();
    for line in shown.iter().take(SHOWN_LINES) {
        message.push_str("\n  ");
        message.push_str(line);
    }
    if shown.len() > SHOWN_LINES {
        message.push_str("\n  …");
    }
    let meaning = Meaning::of(&message);
    match meaning.kind {
        Kind::Passing => Error::passing(Code::HostFailed, message, meaning.hint),
        Kind::Unknown => Error::new(Code::RefRefused, message, HOST_WORDS),
        _ => Error::new(Code::RefRefused, message, meaning.hint),
    }
}

/// The reason for one refused ref. Where the host only says that it was not tried, though nothing else of the push can be to blame,
/// what it says of the others is the reason.
fn reason_of<'a>(name: &RefName, refused: &[(&'a RefName, &'a str)]) -> &'a str {
    let own = refused.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason);
    let telling = refused.iter().map(|(_, reason)| *reason).find(|reason| !is_sunk(reason));
    match own {
        Some(own) if !is_sunk(own) => own,
        own => telling.or(own).unwrap_or("refused"),
    }
}

/// Whether a line is about this ref or about the push as a whole, and not about another ref.
fn concerns(name: &RefName, line: &str) -> bool {
    let other = line.split([' ', '\'', '`', '"', ',']).any(|word| {
        let word = word.trim_end_matches(['.', ':']);
        word.starts_with("refs/") && word != name.as_str()
    });
    !other || line.contains(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(reason: &str, messages: &[&str]) -> Error {
        let name = "refs/heads/main".parse().expect("a ref name");
        let messages: Vec<String> = messages.iter().map(|&line| line.to_owned()).collect();
        explain(&name, reason, &messages)
    }

    #[test]
    fn each_refusal_keeps_the_hosts_words_and_says_what_to_do() {
        for (reason, messages, advice) in [
            (
                "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/a.yml` without `workflow` scope",
                &[][..],
                "scope `workflow`",
            ),
            (
                "protected branch hook declined",
                &["GH006: Protected branch update failed for refs/heads/main."],
                "protection",
            ),
            (
                "pre-receive hook declined",
                &["File big.bin is 150.00 MB; this exceeds GitHub's file size limit of 100.00 MB"],
                "git LFS",
            ),
            (
                "push declined due to repository rule violations",
                &["GH013: Repository rule violations found", "- Push cannot contain secrets: secret scanning"],
                "Revoke",
            ),
            (
                "push declined due to repository rule violations",
                &["GH013: Repository rule violations found"],
                "bypass list",
            ),
            ("deny updating a hidden ref", &[], "keeps this name"),
            ("deletion of the current branch prohibited", &[], "default branch"),
            ("branch is currently checked out", &[], "git init --bare"),
            ("non-fast-forward", &[], "receive.denyNonFastForwards"),
            ("pre-receive hook declined", &["remote storage quota reached"], "no room"),
            ("pre-receive hook declined", &[], "hook"),
            ("something new", &[], "words of the mirror's host"),
        ] {
            let error = explained(reason, messages);
            assert_eq!(error.code, Code::RefRefused);
            assert!(error.message.contains(reason), "{error:?}");
            assert!(messages.iter().all(|line| error.message.contains(line)), "{error:?}");
            assert!(error.hint.contains(advice), "{reason}: {}", error.hint);
        }
    }

    #[test]
    fn a_fault_of_the_host_is_passing_and_blames_no_ref() {
        let error = explained("failure", &["fatal error in commit_refs"]);
        assert_eq!((error.code, error.retryable), (Code::HostFailed, true));
    }

    #[test]
    fn words_about_another_ref_frames_and_remarks_are_not_shown() {
        let lines = ["refs/heads/other: no", "=====", "refs/heads/main: no", "hint: pull first", "error: for all: no"];
        let error = explained("hook declined", &lines);
        assert_eq!(error.message, "refs/heads/main: hook declined\n  refs/heads/main: no\n  for all: no");
    }

    #[test]
    fn a_ref_that_was_only_sunk_has_the_reason_of_what_sank_it() {
        let (main, fence): (RefName, RefName) = ("refs/heads/main".parse().expect("a name"), RefName::fence());
        let refused = [(&fence, "failed to lock"), (&main, "transaction aborted")];
        assert_eq!(reason_of(&main, &refused), "failed to lock");
        assert_eq!(reason_of(&main, &[(&fence, "atomic transaction failed"), (&main, "no")]), "no");
        assert_eq!(reason_of(&main, &[(&main, "transaction aborted")]), "transaction aborted");
    }
}
