//! Putting one member into a JSON document that keeps every other byte: other programs read and write the same file, and people
//! read its diffs.

use std::collections::HashSet;
use std::ops::Range;

use serde::Serialize as _;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{Code, Error, Result};

/// The member.
const MEMBER: &str = "mirrors";
/// A mark that some editors put before UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The document with the section as its member `mirrors`, written in the document's own way (indentation, line ends); `None`
/// where it holds just that already. All bytes outside the member stay as they are.
///
/// # Errors
/// [`Code::Usage`] for what is no JSON object in UTF-8, and for one in which a name stands twice: programs differ in
/// which of the two they read.
pub fn with_mirrors(bytes: &[u8], section: &Value) -> Result<Option<Vec<u8>>> {
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let text = std::str::from_utf8(&bytes[start..]).map_err(|error| unusable(&format!("it is no UTF-8: {error}")))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| unusable(&format!("it is no JSON: {error}")))?;
    let object = Object::read(text)?;
    let found = object.members.iter().find(|member| member.name == MEMBER);
    let style = Style::of(text, &object);
    let (place, written) = match found {
        Some(member) => {
            let value = &text[member.value.clone()];
            if serde_json::from_str::<Value>(value).is_ok_and(|value| value == *section) {
                return Ok(None);
            }
            (member.value.clone(), style.value(section)?)
        }
        None => {
            let name = format!("{}{MEMBER:?}{}{}", style.before_name, style.colon, style.value(section)?);
            match object.members.last() {
                Some(last) => (last.value.end..last.value.end, format!(",{name}")),
                None => (object.inside.start..object.inside.start, format!("{name}{}", style.before_end)),
            }
        }
    };
    let mut changed = Vec::with_capacity(bytes.len() + written.len());
    changed.extend_from_slice(&bytes[..start + place.start]);
    changed.extend_from_slice(written.as_bytes());
    changed.extend_from_slice(&bytes[start + place.end..]);
    Ok(Some(changed))
}

fn unusable(why: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("the file cannot take a section `{MEMBER}`: {why}"),
        "Mend the file, or name another as heartbeat. Nothing was written to it.",
    )
}

/// The outermost object of a document, by where its parts stand.
struct Object {
    members: Vec<Member>,
    /// What stands between its braces.
    inside: Range<usize>,
}

struct Member {
    name: String,
    /// Its name with the quotes.
    key: Range<usize>,
    value: Range<usize>,
}

impl Object {
    /// Finds the members of a text that is JSON.
    fn read(text: &str) -> Result<Self> {
        let bytes = text.as_bytes();
        let mut at = blank(bytes, 0);
        if bytes.get(at) != Some(&b'{') {
            return Err(unusable("it is no object"));
        }
        let first = at + 1;
        let mut members: Vec<Member> = Vec::new();
        let mut names: HashSet<String> = HashSet::new();
        loop {
            // Behind the brace, or behind a comma.
            at = blank(bytes, at + 1);
            if bytes.get(at) != Some(&b'"') {
                return Ok(Self { members, inside: first..at });
            }
            let key = at..string(bytes, at);
            let name: String =
                serde_json::from_str(&text[key.clone()]).map_err(|error| unusable(&format!("its names: {error}")))?;
            if !names.insert(name.clone()) {
                return Err(unusable(&format!("the name `{name}` stands in it twice")));
            }
            let start = blank(bytes, blank(bytes, key.end) + 1);
            let value = start..value(bytes, start);
            at = blank(bytes, value.end);
            members.push(Member { name, key, value });
            if bytes.get(at) != Some(&b',') {
                return Ok(Self { members, inside: first..at });
            }
        }
    }
}

/// The end of the blanks that begin at `at`.
fn blank(bytes: &[u8], at: usize) -> usize {
    let blanks = bytes.iter().skip(at).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    at + blanks.count()
}

/// The end of the string that begins at `at`.
fn string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// The end of the value that begins at `at`.
fn value(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    let mut depth = 0_usize;
    loop {
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => at = string(bytes, at),
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
                continue;
            }
            Some(b'}' | b']') => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') => {
                at += 1;
                continue;
            }
            Some(_) => {
                let word = bytes.iter().skip(at).take_while(|byte| !b",:]} \t\r\n".contains(byte));
                at += word.count();
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

/// How a document is written.
struct Style<'a> {
    /// Between a comma and the next name.
    before_name: String,
    /// Between a name and its value.
    colon: &'a str,
    /// Before the closing brace of what was empty.
    before_end: &'static str,
    /// The line end and indentation of members; `None` where all stands on one line.
    lines: Option<Lines>,
}

struct Lines {
    end: &'static str,
    /// Before the names of the outermost object.
    margin: String,
    /// One step further in.
    step: String,
}

impl<'a> Style<'a> {
    fn of(text: &'a str, object: &Object) -> Self {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let Some(first) = object.members.first() else {
            // Nothing to go by: as most programs write it, on lines of their own.
            let lines = Lines { end, margin: "  ".to_owned(), step: "  ".to_owned() };
            let before_name = format!("{end}{}", lines.margin);
            let before_end = if text[object.inside.clone()].contains('\n') { "" } else { end };
            return Self { before_name, colon: ": ", before_end, lines: Some(lines) };
        };
        let colon = &text[first.key.end..first.value.start];
        let before_first = &text[object.inside.start..first.key.start];
        let Some(break_at) = before_first.rfind('\n') else {
            let between = object.members.get(1).map(|second| {
                let comma = first.value.end + text[first.value.end..].find(',').unwrap_or_default();
                text[comma + 1..second.key.start].to_owned()
            });
            let usual = || if colon == ":" { String::new() } else { " ".to_owned() };
            return Self { before_name: between.unwrap_or_else(usual), colon, before_end: "", lines: None };
        };
        let margin = before_first[break_at + 1..].to_owned();
        let step = if margin.is_empty() { "  ".to_owned() } else { margin.clone() };
        let before_name = format!("{end}{margin}");
        Self { before_name, colon, before_end: "", lines: Some(Lines { end, margin, step }) }
    }

    /// A value as the document would have it.
    fn value(&self, value: &Value) -> Result<String> {
        let failed = |error: serde_json::Error| {
            Error::new(Code::Internal, format!("a section cannot be written as JSON: {error}"), "Please report this.")
        };
        let Some(lines) = &self.lines else {
            let mut bytes = Vec::new();
            let spaced = Spaced { colon: self.colon.ends_with(' '), comma: self.before_name.ends_with(' ') };
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, spaced)).map_err(failed)?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        };
        let mut bytes = Vec::new();
        let pretty = serde_json::ser::PrettyFormatter::with_indent(lines.step.as_bytes());
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, pretty)).map_err(failed)?;
        // Strings hold no line ends of their own.
        Ok(String::from_utf8_lossy(&bytes).replace('\n', &format!("{}{}", lines.end, lines.margin)))
    }
}

/// One line, with or without blanks behind colons and commas.
struct Spaced {
    colon: bool,
    comma: bool,
}

impl serde_json::ser::Formatter for Spaced {
    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(if self.colon { b": " } else { b":" })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        self.separate(writer, first)
    }

    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        self.separate(writer, first)
    }
}

impl Spaced {
    fn separate<W: ?Sized + std::io::Write>(&self, writer: &mut W, first: bool) -> std::io::Result<()> {
        match (first, self.comma) {
            (true, _) => Ok(()),
            (false, true) => writer.write_all(b", "),
            (false, false) => writer.write_all(b","),
        }
    }
}
