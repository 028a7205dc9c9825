//! Mistakes, all collected before any is shown, and what the words in them may show.

use crate::error::{Code, Error};

/// One mistake in the configuration. Never holds the value of a token or secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// Where it stands: `` `.env` line 3, MIRROR_1_TYPE `` or `` standin.toml, [[repository]] site, mirror 2: `repo` ``.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl From<Vec<ConfigError>> for Error {
    fn from(mistakes: Vec<ConfigError>) -> Self {
        if let [only] = mistakes.as_slice() {
            return Self::new(Code::Configuration, only.to_string(), only.hint.clone());
        }
        let mut message = format!("{} mistakes in the configuration", mistakes.len());
        let mut hints: Vec<&str> = Vec::new();
        for mistake in &mistakes {
            message.push_str(&format!("\n{mistake}"));
            if !hints.contains(&mistake.hint.as_str()) {
                hints.push(&mistake.hint);
            }
        }
        Self::new(Code::Configuration, message, hints.join("\n"))
    }
}

/// So many mistakes, and so many notices, are told at once; who mends them sees the next.
const LIMIT: usize = 200;

/// What was found wrong so far, and what the user should know though it is no mistake.
#[derive(Default)]
pub(super) struct Mistakes {
    pub errors: Vec<ConfigError>,
    pub notices: Vec<(String, String)>,
}

impl Mistakes {
    pub fn add(&mut self, place: impl Into<String>, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let mistake = ConfigError { place: place.into(), message, hint };
        if self.errors.len() < LIMIT && !self.errors.contains(&mistake) {
            self.errors.push(mistake);
        }
    }

    pub fn notice(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        let notice = (message.into(), hint.into());
        if self.notices.len() < LIMIT && !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// The value, or `None` once its complaint was noted.
    pub fn take<T>(&mut self, place: &str, result: Result<T, Complaint>) -> Option<T> {
        result.map_err(|complaint| self.add(place, complaint)).ok()
    }
}

/// What is wrong with a value, before it is known where the value stands.
#[derive(Debug)]
pub(super) struct Complaint {
    pub message: String,
    pub hint: String,
}

impl Complaint {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// A configured value, and where it stands.
#[derive(Clone)]
pub(super) struct Given<T> {
    pub value: T,
    pub place: String,
}

impl<T> Given<T> {
    pub fn new(value: T, place: impl Into<String>) -> Self {
        Self { value, place: place.into() }
    }
}

/// How tokens of the usual hosts begin.
const TOKEN_PREFIXES: &[&str] =
    &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "sk-", "AKIA"];

/// Whether a text is, or carries, something that looks like a token.
pub(super) fn looks_secret(text: &str) -> bool {
    TOKEN_PREFIXES.iter().any(|prefix| {
        text.match_indices(prefix).any(|(at, _)| {
            let word = text[at..]
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || "_-".contains(*character));
            let starts_word = !text[..at].ends_with(|character: char| character.is_ascii_alphanumeric());
            starts_word && word.count() >= 12
        })
    })
}

/// A configured value as a message may show it: short, on one line, and nothing that may be a token.
pub(super) fn shown(text: &str) -> String {
    let carries_login =
        text.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or(rest).contains('@'));
    if looks_secret(text) || carries_login {
        return "(hidden: it may hold a token)".to_owned();
    }
    let line: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().count() > 80 { format!("`{line}…`") } else { format!("`{line}`") }
}

/// `Did you mean …? ` when one of the known words is close enough to help, else nothing.
pub(super) fn did_you_mean(word: &str, prefix: &str, known: &[&str]) -> String {
    closest(word, known).map_or_else(String::new, |known| format!("Did you mean `{prefix}{known}`? "))
}

/// The known word that is closest to this one, if any is close.
pub(super) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), *known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// Words in a sentence: `a`, `b`, `c`.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
