//! Patterns of names, such as `TWILIO_*`. A list of them may be somebody else's, so what it may cost has a bound: without one,
//! a line of braces ends the program, and a long list keeps it busy for minutes.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::mistakes::{Complaint, shown};

/// More names and patterns than any list has: GitHub keeps a hundred secrets and five hundred variables.
pub(super) const LIST_LIMIT: usize = 1_000;

/// So many of a list may be patterns.
pub(super) const PATTERNS_LIMIT: usize = 100;

/// So long a pattern may be, in bytes.
const LENGTH_LIMIT: usize = 200;

/// So deep braces may stand in braces.
const NESTING_LIMIT: usize = 4;

/// Patterns of names as GitHub reads names, which ignores their case. Compiled once.
#[derive(Clone, Debug, Default)]
pub struct NamePatterns(GlobSet);

impl NamePatterns {
    /// Of names and patterns as a configuration has them; what is no pattern matches nothing.
    pub fn new(listed: &[String]) -> Self {
        let globs = listed.iter().take(LIST_LIMIT).filter_map(|text| parse(text, true).ok());
        Self(compile(globs).unwrap_or_default())
    }

    /// Whether one of them matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Whether a text is a pattern and no plain name.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '!'])
}

/// Reads a pattern.
pub(super) fn parse(text: &str, ignores_case: bool) -> Result<Glob, Complaint> {
    let hint = "Write a name, or a pattern such as `TWILIO_*` or `{A,B}_KEY`.";
    if text.len() > LENGTH_LIMIT {
        let message =
            format!("{} is a pattern of {} bytes, and {LENGTH_LIMIT} are read at most", shown(text), text.len());
        return Err(Complaint::new(message, hint));
    }
    let mut depth = 0_usize;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_LIMIT {
            let message =
                format!("{} has braces in braces, more than {NESTING_LIMIT} deep, and no more are read", shown(text));
            return Err(Complaint::new(message, hint));
        }
    }
    let glob = GlobBuilder::new(text).case_insensitive(ignores_case).build();
    glob.map_err(|_| Complaint::new(format!("{} is no pattern", shown(text)), hint))
}

/// All of them as one.
pub(super) fn compile(globs: impl IntoIterator<Item = Glob>) -> Result<GlobSet, Complaint> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob);
    }
    set.build().map_err(|_| Complaint::new("these patterns are too large together", "Write fewer, or shorter ones."))
}
