//! What the `.env` of a clone asks for, and what its owner said about it.
//!
//! Such a file may have come with a clone that somebody else made, so it decides nothing before its owner's yes. What is
//! shown and what the yes is for are the same lines: a change of one of them asks again, and nothing else does. No
//! value of a token or a secret is in them.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ts_rs::TS;

/// What a line of a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ConsentTopic {
    /// What is read, and with whose token.
    Reads,
    /// What is written, and with whose token.
    Writes,
    /// What travels by name.
    Sends,
    /// What runs on this machine.
    Runs,
    /// A setting of Standin itself.
    Sets,
}

impl fmt::Display for ConsentTopic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Sends => "sends",
            Self::Runs => "runs",
            Self::Sets => "sets",
        })
    }
}

/// One thing that a file asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConsentLine {
    /// What it is about.
    pub topic: ConsentTopic,
    /// What is asked for.
    pub text: String,
}

impl ConsentLine {
    /// A line on which nothing can hide: control characters and those that turn the direction of text are written out.
    pub fn new(topic: ConsentTopic, text: &str) -> Self {
        Self { topic, text: visible(text, &[]) }
    }
}

/// A text in which every character shows, for a place where somebody else's names stand: control characters and those that
/// turn the direction of text are written out, but for those that are `kept`.
pub fn visible(text: &str, kept: &[char]) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = (character.is_control() || hides(character)) && !kept.contains(&character);
        if hidden {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Characters that show nothing themselves and change how others look.
fn hides(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Everything of a file that routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wish {
    lines: Vec<ConsentLine>,
}

impl Wish {
    /// A wish of these lines, in their order.
    pub fn new(lines: Vec<ConsentLine>) -> Self {
        Self { lines }
    }

    /// What is asked for.
    pub fn lines(&self) -> &[ConsentLine] {
        &self.lines
    }

    /// The same for the same wish, on every machine and in every version that words it the same. 128 bits of a SHA-256, in
    /// hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"standin consent 1\n");
        for line in &self.lines {
            hash.update(format!("{} {}\n", line.topic, line.text).as_bytes());
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// How a line of a question stands to what was allowed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ConsentChange {
    /// It was not allowed before.
    Added,
    /// It was allowed before, and is not asked for any more.
    Removed,
}

/// A line of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AskedLine {
    /// Whether it is new or gone.
    pub change: ConsentChange,
    /// What it is about.
    pub topic: ConsentTopic,
    /// What is asked for.
    pub text: String,
}

/// What waits for an owner's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConsentQuestion {
    /// What stands above the lines.
    pub title: String,
    /// The file that asks; absent where only what is kept on this machine would be used for another place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub file: Option<String>,
    /// What the yes is for; `STANDIN_ALLOW` takes it.
    pub hash: String,
    /// Whether this file was allowed before, so that only what changed is shown.
    pub is_change: bool,
    /// Whether the owner said no to just this.
    pub is_denied: bool,
    /// What is asked for, or what changed of it.
    pub lines: Vec<AskedLine>,
}

impl ConsentQuestion {
    /// The question about a file's wish, where `before` was allowed.
    pub fn of_file(file: &str, wish: &Wish, before: Option<&Wish>, is_denied: bool) -> Self {
        let known = before.map_or(&[][..], Wish::lines);
        let asked = |change, line: &ConsentLine| AskedLine { change, topic: line.topic, text: line.text.clone() };
        let gone = known.iter().filter(|line| !wish.lines.contains(line));
        let new = wish.lines.iter().filter(|line| !known.contains(line));
        let mut lines: Vec<AskedLine> = gone.map(|line| asked(ConsentChange::Removed, line)).collect();
        lines.extend(new.map(|line| asked(ConsentChange::Added, line)));
        lines.sort_by_key(|line| line.topic);
        // The file's own name may be somebody else's choice.
        let shown = ConsentLine::new(ConsentTopic::Reads, file).text;
        let title = match (is_denied, before.is_some()) {
            (true, _) => format!("You denied what {shown} asks for, so nothing of it is done:"),
            (false, false) => format!("{shown} asks for this, and waits for your yes:"),
            (false, true) => format!("{shown} asks for something else than you allowed, and waits for your yes:"),
        };
        Self { title, file: Some(file.to_owned()), hash: wish.hash(), is_change: before.is_some(), is_denied, lines }
    }

    /// The question about what is kept on this machine and would be used for another place, alone or with what a file asks.
    #[must_use]
    pub fn with_kept(of_file: Option<Self>, kept: &[ConsentLine]) -> Option<Self> {
        if kept.is_empty() {
            return of_file;
        }
        let new =
            |line: &ConsentLine| AskedLine { change: ConsentChange::Added, topic: line.topic, text: line.text.clone() };
        let mut question = of_file.unwrap_or_else(|| Self {
            title: "What is kept on this machine would be used for a place that it was not given for:".to_owned(),
            file: None,
            hash: String::new(),
            is_change: false,
            is_denied: false,
            lines: Vec::new(),
        });
        // What is said of the whole is said of each of its parts.
        let mut all = vec![ConsentLine::new(ConsentTopic::Reads, &question.hash)];
        all.extend_from_slice(kept);
        question.hash = Wish::new(all).hash();
        question.lines.extend(kept.iter().map(new));
        Some(question)
    }

    /// The lines as text, each below the other.
    pub fn text(&self) -> Vec<String> {
        self.lines
            .iter()
            .map(|line| {
                let mark = match (self.is_change, line.change) {
                    (false, _) => "",
                    (true, ConsentChange::Added) => "+ ",
                    (true, ConsentChange::Removed) => "- ",
                };
                format!("{mark}{:<6} {}", line.topic, line.text)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(texts: &[(ConsentTopic, &str)]) -> Wish {
        Wish::new(texts.iter().map(|(topic, text)| ConsentLine::new(*topic, text)).collect())
    }

    #[test]
    fn a_change_shows_what_came_and_what_went_and_nothing_else() {
        let before = wish(&[(ConsentTopic::Reads, "a"), (ConsentTopic::Writes, "b"), (ConsentTopic::Runs, "git")]);
        let now = wish(&[(ConsentTopic::Reads, "a"), (ConsentTopic::Writes, "c"), (ConsentTopic::Runs, "git")]);
        let question = ConsentQuestion::of_file("f", &now, Some(&before), false);
        assert_eq!(question.text(), ["- writes b", "+ writes c"]);
        assert_ne!(before.hash(), now.hash());
        let first = ConsentQuestion::of_file("f", &now, None, false);
        assert_eq!(first.text(), ["reads  a", "writes c", "runs   git"]);
    }

    #[test]
    fn nothing_hides_on_a_line() {
        let line = ConsentLine::new(ConsentTopic::Writes, "a\u{1b}[2K\nb\u{202e}c\u{200b}é");
        assert_eq!(line.text, "a\\u{1b}[2K\\u{a}b\\u{202e}c\\u{200b}é");
    }

    #[test]
    fn lines_that_would_join_to_the_same_text_have_other_hashes() {
        let one = wish(&[(ConsentTopic::Reads, "a\nwrites b")]);
        let two = wish(&[(ConsentTopic::Reads, "a"), (ConsentTopic::Writes, "b")]);
        assert_ne!(one.hash(), two.hash());
    }
}
