//! The syntax of `.env` files.
//!
//! Lines are `KEY=value`, with or without `export` before them. A bare value ends at the end of the line or at a
//! ` #`. `'…'` is taken as it stands; in `"…"` the escapes `\n \r \t \" \\ \$` are known and any other backslash
//! stays. Both may go over several lines. **Nothing is expanded**: `$NAME` and `${NAME}` stand for themselves, since a
//! value that changes with the environment it is read in would be sent to a mirror as somebody's secret. A key given
//! twice has its last value.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::mistakes::{Complaint, Mistakes};
use crate::reading;

/// More than any such file has.
const SIZE_LIMIT: usize = 4 * 1024 * 1024;

/// So many mistakes of one file are told.
const MISTAKES_LIMIT: usize = 50;

/// A file that was read. Its values may be secrets, so it has no `Debug`.
pub(super) struct EnvFile {
    pub path: PathBuf,
    pub entries: BTreeMap<String, Entry>,
    /// Mistakes by their line; the lines before and after them were read.
    pub mistakes: Vec<(usize, Complaint)>,
    /// Notices by their line.
    notices: Vec<(usize, String, String)>,
    names_mirrors: bool,
}

pub(super) struct Entry {
    pub value: String,
    pub line: usize,
}

impl EnvFile {
    /// Reads a file; `None` where there is none. `instead` is what it would say, where that is asked.
    pub fn read(path: &Path, instead: Option<&str>) -> Result<Option<Self>, Complaint> {
        let bytes = match instead.map_or_else(|| reading::read(path, SIZE_LIMIT), |text| Ok(text.as_bytes().to_vec())) {
            Ok(bytes) if bytes.len() > SIZE_LIMIT => {
                return Err(Complaint::new(
                    format!("{} is larger than {} KB", path.display(), SIZE_LIMIT / 1024),
                    "Keep in it what programs are to read as settings, and large values in files of their own.",
                ));
            }
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let mend = match error.kind() {
                    io::ErrorKind::InvalidInput => "Remove what is there, or put a file in its place.",
                    _ => "Make the file readable for you.",
                };
                return Err(Complaint::new(format!("{} could not be read: {error}", path.display()), mend));
            }
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Complaint::new(format!("line {line} is not UTF-8 text"), "Save the file as UTF-8.")
        })?;
        let lines = text.trim_end();
        if lines.contains('\r') && !lines.contains('\n') && lines.contains("MIRROR_") {
            return Err(Complaint::new(
                format!("{} ends its lines with CR alone, so all of it is one line", path.display()),
                "Save it with line ends as LF (Unix) or CRLF (Windows).",
            ));
        }
        Ok(Some(parse(path, &text)))
    }

    /// The file as messages name it.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("`{}`", name.to_string_lossy())
    }

    /// Whether anything in it is meant for Standin, be it well written or not.
    pub fn names_mirrors(&self) -> bool {
        self.names_mirrors
    }

    /// Passes on what the syntax showed.
    pub fn report(&mut self, mistakes: &mut Mistakes) {
        let name = self.name();
        for (line, complaint) in self.mistakes.drain(..) {
            mistakes.add(format!("{name} line {line}"), complaint);
        }
        for (line, message, hint) in self.notices.drain(..) {
            mistakes.notice(format!("{name} line {line}: {message}"), hint);
        }
    }

    /// Whether other users of this machine may read it.
    #[cfg(unix)]
    pub fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
    }

    /// Whether other users of this machine may read it; Windows keeps a user's files from others by itself.
    #[cfg(not(unix))]
    pub fn is_open_to_others(&self) -> bool {
        false
    }
}

fn parse(path: &Path, text: &str) -> EnvFile {
    let mut file = EnvFile {
        path: path.to_owned(),
        entries: BTreeMap::new(),
        mistakes: Vec::new(),
        notices: Vec::new(),
        names_mirrors: text.lines().any(|line| {
            let line = line.trim_start_matches('\u{feff}').trim_start().to_ascii_uppercase();
            line.strip_prefix("EXPORT ").unwrap_or(&line).trim_start().starts_with("MIRROR_")
        }),
    };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut expandable: Vec<(usize, String)> = Vec::new();
    while !rest.is_empty() {
        let first = line;
        match statement(rest) {
            Ok((length, statement)) => {
                line += rest[..length].matches('\n').count();
                rest = &rest[length..];
                let Some(Statement { key, value, literal, .. }) = statement else { continue };
                if !literal && value.contains("${") {
                    expandable.push((first, value.clone()));
                }
                if let Some(before) = file.entries.insert(key.clone(), Entry { value, line: first }) {
                    file.notices.push((
                        first,
                        format!("{key} was given before, on line {}; this one counts", before.line),
                        "Remove one of the two lines.".to_owned(),
                    ));
                }
            }
            // After so many it is no file of this kind, and nobody reads the rest.
            Err(_) if file.mistakes.len() >= MISTAKES_LIMIT => break,
            Err(complaint) => {
                file.mistakes.push((first, complaint));
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                line += 1;
            }
        }
    }
    for (line, value) in expandable {
        let mut named = value.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
        if let Some(name) = named.find(|name| file.entries.contains_key(*name)) {
            file.notices.push((
                line,
                format!("`${{{name}}}` is not expanded; it is taken as it stands"),
                "Write the value itself, or put it in '…' to show that it is meant so.".to_owned(),
            ));
        }
    }
    file
}

struct Statement {
    key: String,
    value: String,
    /// In single quotes.
    literal: bool,
    /// Where the value stands, quotes and all.
    written: Range<usize>,
}

/// A `KEY=value` where it stands in a text.
pub(super) struct Placed {
    pub key: String,
    pub value: String,
    /// Its lines, with the last line end.
    pub lines: Range<usize>,
    /// The value, quotes and all.
    pub written: Range<usize>,
}

/// Every statement of a text as the reader of the file takes them, with its place.
pub(super) fn placed(text: &str) -> Vec<Placed> {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut all = Vec::new();
    while at < text.len() {
        match statement(&text[at..]) {
            Ok((length, found)) => {
                all.extend(found.map(|Statement { key, value, written, .. }| Placed {
                    key,
                    value,
                    lines: at..at + length,
                    written: at + written.start..at + written.end,
                }));
                at += length;
            }
            Err(_) => at += text[at..].find('\n').map_or(text.len() - at, |end| end + 1),
        }
    }
    all
}

/// A value as the reader takes it for the same: bare where every reader agrees on that, else between quotes.
pub(super) fn written(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@,+*^=%".contains(letter);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r']) {
        return format!("'{value}'");
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    format!("\"{}\"", escaped.replace('$', "\\$"))
}

/// Reads one line, or more where a quoted value goes over several; gives back how many bytes it took.
fn statement(text: &str) -> Result<(usize, Option<Statement>), Complaint> {
    let end = text.find('\n').map_or(text.len(), |at| at + 1);
    let line = text[..end].trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok((end, None));
    }
    let unexported =
        line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(line, str::trim_start);
    let Some((key, _)) = unexported.split_once('=') else {
        return Err(Complaint::new(
            "the line is no `KEY=value`",
            "Write `KEY=value`; a value over several lines needs quotes around it; a comment begins with `#`.",
        ));
    };
    let key = key.trim_end();
    if !is_key(key) {
        return Err(Complaint::new(
            "what stands before the `=` is no name",
            "Names are made of letters, digits, `_`, `.` and `-`, and do not begin with a digit.",
        ));
    }
    // The first `=` of the line is the one after the key.
    let start = text.find('=').map_or(end, |at| at + 1);
    let value = text[start..].trim_start_matches([' ', '\t']);
    let offset = text.len() - value.len();
    let statement = |value: String, literal: bool, written: Range<usize>| {
        Some(Statement { key: key.to_owned(), value, literal, written })
    };
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let line = &text[offset.min(end)..end];
        let comment = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
        let bare = if line.starts_with('#') { "" } else { line[..comment].trim() };
        let begin = if bare.is_empty() { offset.min(end) } else { offset + line.find(bare).unwrap_or(0) };
        return Ok((end, statement(bare.to_owned(), false, begin..begin + bare.len())));
    };
    let (inside, length) = quoted(&value[1..], quote).ok_or_else(|| {
        Complaint::new(
            format!("the value of {key} begins with {quote} and never ends"),
            format!("Close it with {quote}, or put the value between quotes of the other kind."),
        )
    })?;
    let after = offset + 1 + length;
    let end = text[after..].find('\n').map_or(text.len(), |at| after + at + 1);
    let tail = text[after..end].trim();
    if !(tail.is_empty() || tail.starts_with('#')) {
        return Err(Complaint::new(
            format!("there is more after the closing {quote} of {key}"),
            "Put the whole value between the quotes, with quotes inside it escaped as `\\\"`.",
        ));
    }
    Ok((end, statement(inside.replace("\r\n", "\n"), quote == '\'', offset..after)))
}

/// What stands up to the closing quote, and how many bytes that took with it.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + 1));
        }
        if character != '\\' || quote == '\'' {
            value.push(character);
            continue;
        }
        match characters.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\' | '$') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

fn is_key(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let file = parse(Path::new(".env"), text);
        assert!(file.mistakes.is_empty(), "{:?}", file.mistakes);
        file.entries.into_iter().map(|(key, entry)| (key, entry.value)).collect()
    }

    fn value(text: &str) -> String {
        values(&format!("KEY={text}")).remove(0).1
    }

    #[test]
    fn bare_values_end_at_the_line_or_at_a_comment() {
        assert_eq!(value("abc"), "abc");
        assert_eq!(value("  two words  # and a comment"), "two words");
        assert_eq!(value("a#b"), "a#b");
        assert_eq!(value("# only a comment"), "");
        assert_eq!(value(""), "");
        assert_eq!(value(r"back\slash\n"), r"back\slash\n");
        assert_eq!(value("it's"), "it's");
        assert_eq!(value("a=b=c"), "a=b=c");
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(value("pa$HOME${PATH}"), "pa$HOME${PATH}");
        assert_eq!(value("\"pa$HOME${PATH}\""), "pa$HOME${PATH}");
    }

    #[test]
    fn double_quotes_know_escapes_and_single_quotes_none() {
        assert_eq!(value(r#""a\nb\t\"c\" \\ \$ \q""#), "a\nb\t\"c\" \\ $ \\q");
        assert_eq!(value(r"'a\nb $X # no comment'"), r"a\nb $X # no comment");
        assert_eq!(value("' spaces ' # comment"), " spaces ");
    }

    #[test]
    fn quoted_values_go_over_lines_and_lines_are_counted_on() {
        let file = parse(Path::new(".env"), "A=\"one\ntwo\n\"\nB=x\n");
        assert_eq!(file.entries["A"].value, "one\ntwo\n");
        assert_eq!(file.entries["B"].line, 4);
    }

    #[test]
    fn byte_order_marks_windows_line_ends_and_export_are_fine() {
        let expected = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "two".to_owned())];
        assert_eq!(values("\u{feff}A=1\r\nexport B = \"two\"\r\n"), expected);
        assert_eq!(value("\"one\r\ntwo\"\r\n"), "one\ntwo");
    }

    #[test]
    fn a_bad_line_does_not_hide_the_others() {
        let file = parse(Path::new(".env"), "A=1\nnonsense\nB='open\nC=3\n=x\n9A=1\n");
        let lines: Vec<usize> = file.mistakes.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 5, 6]);
        assert_eq!(file.entries.keys().collect::<Vec<_>>(), ["A", "C"]);
    }

    proptest! {
        #[test]
        fn any_value_can_be_written_and_any_text_can_be_read(value: String, text: String) {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r");
            prop_assert_eq!(&values(&format!("KEY=\"{escaped}\" # comment\nOTHER=1\n"))[0].1, &value);
            let file = parse(Path::new(".env"), &text);
            prop_assert!(file.mistakes.len() + file.entries.len() <= text.lines().count());
        }
    }
}
