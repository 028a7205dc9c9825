//! What the `.env` of a clone asks for, and what its owner said about it.
//!
//! Such a file may have come with a clone that somebody else made, so it decides nothing before its owner's yes. What is
//! shown and what the yes is for are the same lines: a change of one of them asks again, and nothing else does. No
//! value of a token or a secret is in them.

use std::fmt;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
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

    /// What a yes to this line alone is for.
    pub fn hash(&self) -> String {
        Wish::new(vec![self.clone()]).hash()
    }
}

/// So many marks one letter may carry before they cover what stands around it.
const MARKS_LIMIT: usize = 4;

/// A text in which every character shows, for a place where somebody else's names stand. Written out, but for those that are
/// `kept`, is what shows nothing or passes for a space, turns the direction of text, or changes how its neighbours look.
pub fn visible(text: &str, kept: &[char]) -> String {
    let mut plain = String::with_capacity(text.len());
    // How many marks the letter before carries, where there is one.
    let mut marks = None;
    for character in text.chars() {
        let category = CodePointMapData::<GeneralCategory>::new().get(character);
        let is_mark = matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark);
        let next = match (marks, is_mark) {
            (Some(count), true) if count < MARKS_LIMIT => Some(count + 1),
            (_, true) => None,
            (_, false) => character.is_alphanumeric().then_some(0),
        };
        let is_hidden = hides(character, category) || (is_mark && next.is_none());
        if is_hidden && !kept.contains(&character) {
            plain.extend(character.escape_unicode());
            marks = None;
        } else {
            plain.push(character);
            marks = next;
        }
    }
    plain
}

/// Characters that show nothing themselves, whatever stands before them.
fn hides(character: char, category: GeneralCategory) -> bool {
    let is_of_kind = match category {
        GeneralCategory::SpaceSeparator => character != ' ',
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::Surrogate
        | GeneralCategory::PrivateUse
        | GeneralCategory::Unassigned
        | GeneralCategory::EnclosingMark => true,
        _ => false,
    };
    // Unicode has no kind for signs that are drawn as nothing: a pattern of no dots, an empty note, and empty hieroglyphs.
    let is_blank = matches!(character, '\u{2800}' | '\u{1d159}' | '\u{13441}' | '\u{13442}');
    is_of_kind || is_blank || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
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

/// Whether a hash is among these: any number of them, with commas or spaces between.
pub fn is_said(hashes: &str, hash: &str) -> bool {
    hashes.split([',', ' ', '\n', '\t']).any(|said| said.eq_ignore_ascii_case(hash))
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
    /// What the yes is for; `STANDIN_ALLOW` takes it as it stands. A hash of all that the file asks for, and one of each line about
    /// what is kept, with commas between them.
    pub hash: String,
    /// Whether this file was allowed before, so that only what changed is shown.
    pub is_change: bool,
    /// Whether the owner said no to just this.
    pub is_denied: bool,
    /// What is asked for, or what changed of it.
    pub lines: Vec<AskedLine>,
    /// What the lines come to, where they are too many to be seen at once; empty where they are not.
    pub totals: Vec<String>,
}

impl AskedLine {
    /// How many names a line of what travels has: `the secrets A, B_* (now B_1, B_2), from …`. A line without a list counts as one.
    fn names(&self) -> usize {
        let list = ["the secrets ", "the variables "].iter().find_map(|start| self.text.strip_prefix(start));
        let list = list.and_then(|list| list.rsplit_once(", from "));
        list.map_or(1, |(list, _)| list.replace(" (now ", ", ").split(", ").count())
    }
}

/// More rows of a terminal than this are no question that is seen at once, and a row is no wider than this.
const SCREEN: usize = 20;
const COLUMNS: usize = 80;

/// How many rows a line takes. A letter that is not ASCII may be two columns wide.
fn rows(line: &str) -> usize {
    let columns: usize = line.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum();
    (columns + 2).div_ceil(COLUMNS)
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
        let (file, hash, is_change) = (Some(file.to_owned()), wish.hash(), before.is_some());
        Self { title, file, hash, is_change, is_denied, lines, totals: Vec::new() }.summed()
    }

    /// The question about what is kept on this machine and would be used for another place, alone or with what a file asks.
    /// `told` is what the yes is for as well, and what the file's own lines speak of already.
    #[must_use]
    pub fn with_kept(of_file: Option<Self>, kept: &[ConsentLine], told: &[ConsentLine]) -> Option<Self> {
        if kept.is_empty() && (told.is_empty() || of_file.is_none()) {
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
            totals: Vec::new(),
        });
        // What is said of the whole is said of each of its parts, each of which is asked about where it is used.
        let parts = kept.iter().chain(told).map(ConsentLine::hash);
        let all: Vec<String> = question.file.iter().map(|_| question.hash.clone()).chain(parts).collect();
        question.hash = all.join(",");
        question.lines.extend(kept.iter().map(new));
        Some(question.summed())
    }

    /// Whether each part of what the yes is for is among those hashes.
    pub fn is_within(&self, hashes: &str) -> bool {
        self.hash.split(',').all(|hash| is_said(hashes, hash))
    }

    fn summed(mut self) -> Self {
        let rows: usize = self.text().iter().map(|line| rows(line)).sum();
        self.totals = if rows > SCREEN { self.sums() } else { Vec::new() };
        self
    }

    /// The same once its owner said no to it.
    #[must_use]
    pub fn denied(self) -> Self {
        let title = "You denied that what is kept on this machine is used for another place, so it is not:".to_owned();
        Self { title, is_denied: true, ..self }
    }

    /// All of it as text. What is longer than a screen begins with its length, and ends with its title again and what it comes to:
    /// that is what is seen where the answer is given.
    pub fn told(&self) -> Vec<String> {
        let mut told = vec![self.title.clone()];
        let lines = self.text();
        if self.totals.is_empty() {
            told.extend(lines.into_iter().map(|line| format!("  {line}")));
            return told;
        }
        told.push(format!("  ({} lines; what they come to stands below them)", lines.len()));
        told.extend(lines.into_iter().map(|line| format!("  {line}")));
        told.push(self.title.clone());
        told.extend(self.totals.iter().map(|line| format!("  {line}")));
        told
    }

    fn sums(&self) -> Vec<String> {
        let mut totals = Vec::new();
        for change in [ConsentChange::Removed, ConsentChange::Added] {
            let of = |topic| self.lines.iter().filter(move |line| line.change == change && line.topic == topic);
            let counted = |count: usize, one: &str, many: &str| match count {
                0 => None,
                1 => Some(format!("1 {one}")),
                count => Some(format!("{count} {many}")),
            };
            let parts: Vec<String> = [
                counted(of(ConsentTopic::Reads).count(), "place is read", "places are read"),
                counted(of(ConsentTopic::Writes).count(), "mirror is written", "mirrors are written"),
                counted(of(ConsentTopic::Sends).map(AskedLine::names).sum(), "name travels", "names travel"),
                counted(of(ConsentTopic::Sets).count(), "setting is changed", "settings are changed"),
            ]
            .into_iter()
            .flatten()
            .chain(of(ConsentTopic::Runs).map(|line| format!("runs {}", line.text)))
            .collect();
            if !parts.is_empty() {
                let mark = match (self.is_change, change) {
                    (false, _) => "in all: ",
                    (true, ConsentChange::Added) => "+ in all: ",
                    (true, ConsentChange::Removed) => "- in all: ",
                };
                totals.push(format!("{mark}{}", parts.join(", ")));
            }
        }
        totals
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
    fn a_yes_to_all_that_is_shown_is_a_yes_to_each_part_of_it() {
        let (reads, token) =
            (ConsentLine::new(ConsentTopic::Reads, "a"), ConsentLine::new(ConsentTopic::Sends, "a token"));
        let wish = Wish::new(vec![reads]);
        let file = ConsentQuestion::of_file("f", &wish, None, false);
        let both = ConsentQuestion::with_kept(Some(file.clone()), std::slice::from_ref(&token), &[]).unwrap();
        assert!(is_said(&both.hash, &wish.hash()) && is_said(&both.hash, &token.hash()), "{}", both.hash);
        let told = ConsentQuestion::with_kept(Some(file.clone()), &[], std::slice::from_ref(&token)).unwrap();
        assert_eq!((told.hash, told.lines), (both.hash.clone(), file.lines.clone()), "what is told is not told twice");
        let alone = ConsentQuestion::with_kept(None, std::slice::from_ref(&token), &[]).unwrap();
        assert_eq!(alone.hash, token.hash());
        assert!(alone.is_within(&both.hash.to_uppercase().replace(',', " ")) && !both.is_within(&alone.hash));
        assert_eq!(ConsentQuestion::with_kept(None, &[], std::slice::from_ref(&token)), None);
    }

    #[test]
    fn a_question_is_long_where_it_fills_a_screen_however_few_its_lines_are() {
        let names = |count: usize| (0..count).map(|name| format!("NAME_{name}")).collect::<Vec<_>>().join(", ");
        let text = |count| format!("the secrets {}, from this file and from your vault", names(count));
        let short = ConsentQuestion::of_file("f", &wish(&[(ConsentTopic::Sends, &text(30))]), None, false);
        assert!(short.totals.is_empty(), "{:?}", short.told());
        let long = ConsentQuestion::of_file("f", &wish(&[(ConsentTopic::Sends, &text(300))]), None, false);
        assert_eq!(long.totals, ["in all: 300 names travel"]);
        assert_eq!(long.told().last().unwrap(), "  in all: 300 names travel");
    }

    #[test]
    fn nothing_hides_on_a_line() {
        let line = ConsentLine::new(ConsentTopic::Writes, "a\u{1b}[2K\nb\u{202e}c\u{200b}é");
        assert_eq!(line.text, "a\\u{1b}[2K\\u{a}b\\u{202e}c\\u{200b}é");
    }

    #[test]
    fn what_shows_nothing_or_covers_others_is_written_out() {
        let shown = |text: &str| visible(text, &[]);
        for hidden in [
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{1680}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{2000}',
            '\u{200a}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{202f}',
            '\u{205f}',
            '\u{2061}',
            '\u{206a}',
            '\u{20dd}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fffb}',
            '\u{13430}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e0fff}',
            '\u{10ffff}',
        ] {
            let code = format!("\\u{{{:x}}}", u32::from(hidden));
            assert_eq!(shown(&format!("a{hidden}b")), format!("a{code}b"));
        }
        // Marks belong on a letter, and not too many of them.
        assert_eq!(shown("a/\u{338}b"), "a/\\u{338}b");
        assert_eq!(shown("\u{301}a"), "\\u{301}a");
        assert_eq!(shown("a \u{301}\u{301}"), "a \\u{301}\\u{301}");
        assert_eq!(shown(&format!("a{}", "\u{301}".repeat(5))), format!("a{}\\u{{301}}", "\u{301}".repeat(4)));
        // What people write stays.
        for plain in ["naïve cafe\u{301}", "日本語", "ภาษาไทย", "हिन्दी", "a_b-c.d/e:f@g", "🙂", "…→–"]
        {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(visible("a\u{a0}\n", &['\n']), "a\\u{a0}\n");
    }

    #[test]
    fn lines_that_would_join_to_the_same_text_have_other_hashes() {
        let one = wish(&[(ConsentTopic::Reads, "a\nwrites b")]);
        let two = wish(&[(ConsentTopic::Reads, "a"), (ConsentTopic::Writes, "b")]);
        assert_ne!(one.hash(), two.hash());
    }
}
