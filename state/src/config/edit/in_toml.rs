//! An edit of `standin.toml`. `toml_edit` says where things stand; the text itself is cut and mended there.

use std::ops::Range;

use toml_edit::{Array, Document, InlineTable, Item, Table, TableLike, Value};

use super::pieces::{Pieces, line_start, newline};
use super::{Change, Edit, Given, Setting, SettingKey, Written};
use crate::error::{Code, Error, Result};
use crate::model::{MirrorId, RepositoryId};

/// The text of the file after the edit.
///
/// # Errors
/// [`Code::Configuration`] for what is no TOML, or is written so that nothing can be put there; [`Code::NotFound`] for what is
/// not there; [`Code::Usage`] for what is there already.
pub(super) fn edited(text: &str, edit: &Edit) -> Result<String> {
    let (mark, text) = text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 });
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let message = format!("line {line} is not TOML: {}", error.message().lines().next().unwrap_or_default());
        Error::new(Code::Configuration, message, "Mend that line, then try again.")
    })?;
    let mut file = File { text, document: &document, pieces: Pieces::of(text) };
    file.apply(edit)?;
    Ok(format!("{mark}{}", file.pieces.put_together()))
}

/// A repository as it stands in a text, before anything of it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its id.
    pub id: String,
    /// Its source, as it is written.
    pub source: Option<String>,
    /// Its mirrors.
    pub mirrors: Vec<OutlinedMirror>,
}

/// A mirror as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlinedMirror {
    /// Its id.
    pub id: String,
    /// Its type, as it is written.
    pub kind: Option<String>,
    /// Whether a place is named, as `repo` or `url`.
    pub has_place: bool,
}

/// What stands in a text of `standin.toml`; nothing of what is not written as Standin reads it.
pub(super) fn outline(text: &str) -> Vec<Outline> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    let file = File { text, document: &document, pieces: Pieces::of(text) };
    let owned = |element: Element<'_>, key: &str| element.text(key).map(str::to_owned);
    let mirror = |found: Element<'_>| {
        let has_place = ["repo", "url"].iter().any(|key| found.table().contains_key(key));
        Some(OutlinedMirror { id: owned(found, "id")?, kind: owned(found, "type"), has_place })
    };
    let repositories = file.elements(document.get("repository"), "").unwrap_or_default();
    let repository = |found: Element<'_>| {
        let mirrors = file.elements(found.table().get("mirror"), "").unwrap_or_default();
        let mirrors = mirrors.into_iter().filter_map(mirror).collect();
        Some(Outline { id: owned(found, "id")?, source: owned(found, "source"), mirrors })
    };
    repositories.into_iter().filter_map(repository).collect()
}

struct File<'a> {
    text: &'a str,
    document: &'a Document<&'a str>,
    pieces: Pieces<'a>,
}

/// A repository or mirror as it is written.
#[derive(Clone, Copy)]
enum Element<'a> {
    /// Below a header of its own.
    Block(&'a Table),
    /// Between braces, in a list.
    Inline(&'a InlineTable),
}

impl<'a> Element<'a> {
    fn table(self) -> &'a dyn TableLike {
        match self {
            Self::Block(table) => table,
            Self::Inline(table) => table,
        }
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.table().get(key)?.as_str()
    }
}

impl<'a> File<'a> {
    fn apply(&mut self, edit: &Edit) -> Result<()> {
        match edit {
            Edit::ChangeSettings { changes } => self.set(changes),
            Edit::AddRepository { repository, settings } => {
                if self.repository(repository).is_ok() {
                    return Err(is_there(&format!("a repository `{repository}`")));
                }
                let id = Setting { key: "id", value: Given::from(repository.as_str()) };
                self.add(self.document.as_table(), None, "repository", &lines([id], settings))
            }
            Edit::ChangeRepository { repository, changes } => self.change(self.repository(repository)?, changes),
            Edit::RemoveRepository { repository } => {
                let found = self.repository(repository)?;
                self.remove(self.document.as_table(), "repository", found)
            }
            Edit::AddMirror { repository, mirror, kind, settings } => {
                let found = self.repository(repository)?;
                if self.mirror(found, repository, mirror).is_ok() {
                    return Err(is_there(&format!("a mirror `{mirror}` of {repository}")));
                }
                let head = [("id", mirror.as_str()), ("type", kind.as_str())];
                let head = head.map(|(key, text)| Setting { key, value: Given::from(text) });
                self.add(found.table(), Some(found), "mirror", &lines(head, settings))
            }
            Edit::ChangeMirror { repository, mirror, changes } => {
                self.change(self.mirror(self.repository(repository)?, repository, mirror)?, changes)
            }
            Edit::RemoveMirror { repository, mirror } => {
                let owner = self.repository(repository)?;
                let found = self.mirror(owner, repository, mirror)?;
                self.remove(owner.table(), "mirror", found)
            }
        }
    }

    fn repository(&self, id: &RepositoryId) -> Result<Element<'a>> {
        let all = self.elements(self.document.get("repository"), "[[repository]]")?;
        all.into_iter().find(|known| known.text("id") == Some(id.as_str())).ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("the file has no repository `{id}`"),
                "`standin status --all` lists them.",
            )
        })
    }

    fn mirror(&self, owner: Element<'a>, repository: &RepositoryId, id: &MirrorId) -> Result<Element<'a>> {
        let all = self.elements(owner.table().get("mirror"), "[[repository.mirror]]")?;
        all.into_iter().find(|known| known.text("id") == Some(id.as_str())).ok_or_else(|| {
            let message = format!("the file has no mirror `{id}` of {repository}");
            Error::new(Code::NotFound, message, "`standin mirror list` lists them.")
        })
    }

    fn elements<'i>(&self, item: Option<&'i Item>, form: &str) -> Result<Vec<Element<'i>>> {
        match item {
            None | Some(Item::None) => Ok(Vec::new()),
            Some(Item::ArrayOfTables(tables)) => Ok(tables.iter().map(Element::Block).collect()),
            Some(Item::Value(Value::Array(array))) if array.iter().all(Value::is_inline_table) => {
                Ok(array.iter().filter_map(Value::as_inline_table).map(Element::Inline).collect())
            }
            Some(Item::Value(_) | Item::Table(_)) => Err(odd(form)),
        }
    }

    /// Puts one more into a list: behind a header where the others have one, in braces where they stand in brackets.
    fn add(&mut self, holder: &'a dyn TableLike, owner: Option<Element<'a>>, key: &str, lines: &[Line]) -> Result<()> {
        match (holder.get(key), owner) {
            (Some(Item::Value(Value::Array(array))), _) => self.push(array, &inline(lines)),
            (None | Some(Item::None), Some(Element::Inline(table))) => {
                self.push_text(table, &format!("{key} = [{}]", inline(lines)))
            }
            (_, owner) => {
                let nl = newline(self.text);
                let header = if owner.is_some() { "[[repository.mirror]]" } else { "[[repository]]" };
                let mut block = format!("{header}{nl}");
                lines.iter().for_each(|line| block.push_str(&format!("{} = {}{nl}", line.key, line.value)));
                let end = match owner {
                    Some(Element::Block(table)) => end_of_all(table).ok_or_else(|| odd(header))?,
                    Some(Element::Inline(_)) => return Err(odd(header)),
                    None => self.text.len(),
                };
                let blank = if self.text.is_empty() { "" } else { nl };
                self.pieces.insert_lines(end, &format!("{blank}{block}"));
                Ok(())
            }
        }
    }

    /// Changes what stands in the tables of settings; one that is not there comes to the end.
    fn set(&mut self, changes: &[Change<SettingKey>]) -> Result<()> {
        let mut tables: Vec<&'static str> = changes.iter().map(|change| change.key.table()).collect();
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            let of_table: Vec<_> = changes.iter().filter(|change| change.key.table() == table).cloned().collect();
            match self.document.get(table) {
                // A table of which nothing would be left goes whole: one that is empty may be a mistake.
                Some(Item::Table(found)) if goes_whole(found, &of_table) && !self.is_commented(found) => {
                    self.remove(self.document.as_table(), table, Element::Block(found))?;
                }
                Some(item @ Item::Value(Value::InlineTable(found))) if goes_whole(found, &of_table) => {
                    self.remove_key(Element::Block(self.document.as_table()), table, item)?;
                }
                Some(Item::Table(found)) if !found.is_implicit() && !found.is_dotted() => {
                    self.change(Element::Block(found), &of_table)?;
                }
                Some(Item::Value(Value::InlineTable(found))) => self.change(Element::Inline(found), &of_table)?,
                Some(Item::Value(_) | Item::Table(_) | Item::ArrayOfTables(_)) => {
                    return Err(odd_table(table));
                }
                None | Some(Item::None) => {
                    let said = of_table
                        .iter()
                        .filter_map(|Change { key, value }| Some(Setting { key: *key, value: value.clone()? }));
                    let lines = lines([], &said.collect::<Vec<_>>());
                    if !lines.is_empty() {
                        let nl = newline(self.text);
                        let mut block = if self.text.is_empty() { String::new() } else { nl.to_owned() };
                        block.push_str(&format!("[{table}]{nl}"));
                        lines.iter().for_each(|line| block.push_str(&format!("{} = {}{nl}", line.key, line.value)));
                        self.pieces.insert_lines(self.text.len(), &block);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether somebody wrote a comment into a table, which is kept unless the table could not be without its keys.
    fn is_commented(&self, table: &Table) -> bool {
        let must_have_keys = table.contains_key(SettingKey::QuietFrom.in_toml());
        !must_have_keys && blocks_of(table).into_iter().any(|block| self.text[block].contains('#'))
    }

    fn change<K: Written>(&mut self, found: Element<'a>, changes: &[Change<K>]) -> Result<()> {
        // What is new goes in one piece behind what is there.
        let mut new = Vec::new();
        for Change { key, value } in changes {
            let key = key.in_toml();
            match (found.table().get(key), value) {
                (Some(item), Some(value)) => {
                    let part = item.span().ok_or_else(|| odd(key))?;
                    if !is_same(item, value) {
                        let old = &self.text[part.clone()];
                        let written = written(value, old.starts_with('\'') && !old.starts_with("'''"));
                        self.pieces.replace(part, written);
                    }
                }
                (Some(item), None) => self.remove_key(found, key, item)?,
                (None, Some(value)) => new.push(Line { key, value: written(value, false) }),
                (None, None) => {}
            }
        }
        match found {
            _ if new.is_empty() => Ok(()),
            Element::Block(table) => self.add_lines(table, &new),
            Element::Inline(table) => {
                let all: Vec<String> = new.iter().map(|line| format!("{} = {}", line.key, line.value)).collect();
                self.push_text(table, &all.join(", "))
            }
        }
    }

    /// Puts keys behind the last one below a header.
    fn add_lines(&mut self, table: &Table, new: &[Line]) -> Result<()> {
        let header = table.span().ok_or_else(|| odd("repository"))?;
        let last = keys_of(table).into_iter().max_by_key(|part| part.end);
        let indent = last.as_ref().map_or("", |part| {
            let line = &self.text[line_start(self.text, part.start)..part.start];
            if line.trim().is_empty() { line } else { "" }
        });
        let nl = newline(self.text);
        let text: String = new.iter().map(|line| format!("{indent}{} = {}{nl}", line.key, line.value)).collect();
        self.pieces.insert_lines(last.map_or(header.end, |part| part.end), &text);
        Ok(())
    }

    fn remove_key(&mut self, found: Element<'a>, key: &str, item: &Item) -> Result<()> {
        let name = found.table().key(key).and_then(toml_edit::Key::span).ok_or_else(|| odd(key))?;
        let end = item.span().ok_or_else(|| odd(key))?.end;
        match found {
            Element::Block(_) => self.pieces.remove_lines(name.start..end),
            Element::Inline(table) => self.take_out(&parts_of(table), name.start),
        }
        Ok(())
    }

    fn remove(&mut self, holder: &'a dyn TableLike, key: &str, found: Element<'a>) -> Result<()> {
        match found {
            Element::Block(table) => {
                let start = table.span().ok_or_else(|| odd(key))?.start;
                debug_assert!(blocks_of(table).first().is_some_and(|block| block.start == start));
                // Tables of other things may stand between: they stay.
                blocks_of(table).into_iter().for_each(|block| self.pieces.remove_block(block));
                Ok(())
            }
            Element::Inline(table) => {
                let Some(Item::Value(Value::Array(array))) = holder.get(key) else { return Err(odd(key)) };
                let start = table.span().ok_or_else(|| odd(key))?.start;
                let parts: Vec<_> = array.iter().filter_map(Value::span).collect();
                self.take_out(&parts, start);
                Ok(())
            }
        }
    }

    /// Takes one of the parts between commas out, with a comma.
    fn take_out(&mut self, parts: &[Range<usize>], start: usize) {
        let Some(at) = parts.iter().position(|part| part.start == start) else { return };
        let part = parts[at].clone();
        let before = at.checked_sub(1).map(|before| parts[before].end);
        match (parts.get(at + 1), before) {
            (Some(next), _) => self.pieces.replace(part.start..next.start, ""),
            // A comment behind the comma speaks of the one before.
            (None, Some(before)) if !self.text[before..part.start].contains('#') => {
                self.pieces.replace(before..part.end, "");
            }
            (None, _) => {
                let rest = &self.text[part.end..];
                let comma = rest.find(',').filter(|comma| rest[..*comma].trim().is_empty());
                self.pieces.replace(part.start..part.end + comma.map_or(0, |comma| comma + 1), "");
            }
        }
    }

    /// Puts one more into a list in brackets, on a line of its own where the last has one.
    fn push(&mut self, array: &Array, text: &str) -> Result<()> {
        let whole = array.span().ok_or_else(|| odd("mirror"))?;
        let Some(last) = array.iter().filter_map(Value::span).last() else {
            self.pieces.replace(whole.start + 1..whole.start + 1, text);
            return Ok(());
        };
        let indent = &self.text[line_start(self.text, last.start)..last.start];
        let between = if indent.trim().is_empty() && last.start > whole.start + 1 {
            format!(",{}{indent}", newline(self.text))
        } else {
            ", ".to_owned()
        };
        self.pieces.replace(last.end..last.end, format!("{between}{text}"));
        Ok(())
    }

    fn push_text(&mut self, table: &InlineTable, text: &str) -> Result<()> {
        let whole = table.span().ok_or_else(|| odd("mirror"))?;
        match parts_of(table).last() {
            Some(last) => self.pieces.replace(last.end..last.end, format!(", {text}")),
            None => self.pieces.replace(whole, format!("{{ {text} }}")),
        }
        Ok(())
    }
}

/// A key and its value as they are written.
struct Line {
    key: &'static str,
    value: String,
}

fn lines<const N: usize, K: Written>(head: [Setting<&'static str>; N], settings: &[Setting<K>]) -> Vec<Line> {
    let head = head.into_iter().map(|Setting { key, value }| Line { key, value: written(&value, false) });
    let rest =
        settings.iter().map(|setting| Line { key: setting.key.in_toml(), value: written(&setting.value, false) });
    head.chain(rest).collect()
}

fn inline(lines: &[Line]) -> String {
    let all: Vec<String> = lines.iter().map(|line| format!("{} = {}", line.key, line.value)).collect();
    format!("{{ {} }}", all.join(", "))
}

/// The parts of a table in braces that stand between its commas, from the first to the last.
fn parts_of(table: &InlineTable) -> Vec<Range<usize>> {
    let mut parts = keys_of(table);
    parts.sort_by_key(|part| part.start);
    parts
}

/// The keys that stand right below a header or between braces, each with its value; those with dots in them too.
fn keys_of(table: &dyn TableLike) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    for (key, item) in table.iter() {
        match item {
            Item::Value(Value::InlineTable(dotted)) if dotted.is_dotted() => parts.extend(keys_of(dotted)),
            Item::Table(dotted) if dotted.is_dotted() => parts.extend(keys_of(dotted)),
            Item::Value(value) => {
                let name = table.key(key).and_then(toml_edit::Key::span);
                if let (Some(name), Some(value)) = (name, value.span()) {
                    parts.push(name.start..value.end);
                }
            }
            Item::None | Item::Table(_) | Item::ArrayOfTables(_) => {}
        }
    }
    parts
}

/// Each header that belongs to a table, its own first, with the keys below it.
fn blocks_of(table: &Table) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    if let Some(header) = table.span().filter(|_| !table.is_implicit() && !table.is_dotted()) {
        let end = keys_of(table).iter().map(|part| part.end).max();
        blocks.push(header.start..end.unwrap_or(header.end).max(header.end));
    }
    for (_, item) in table.iter() {
        match item {
            Item::Table(below) => blocks.extend(blocks_of(below)),
            Item::ArrayOfTables(below) => blocks.extend(below.iter().flat_map(blocks_of)),
            Item::None | Item::Value(_) => {}
        }
    }
    blocks
}

fn end_of_all(table: &Table) -> Option<usize> {
    blocks_of(table).into_iter().map(|block| block.end).max()
}

/// Whether the file says so already, however it is written.
fn is_same(item: &Item, given: &Given) -> bool {
    match given {
        Given::Flag(flag) => item.as_bool() == Some(*flag),
        Given::Number(number) => item.as_integer() == Some(i64::from(*number)),
        Given::Text(text) => item.as_str() == Some(text),
        Given::Words(words) => item.as_array().is_some_and(|array| {
            array.len() == words.len() && array.iter().zip(words).all(|(one, other)| one.as_str() == Some(other))
        }),
    }
}

fn written(given: &Given, as_it_stands: bool) -> String {
    match given {
        Given::Flag(flag) => flag.to_string(),
        Given::Number(number) => number.to_string(),
        Given::Text(text) if as_it_stands && !text.contains('\'') && !text.contains(char::is_control) => {
            format!("'{text}'")
        }
        Given::Text(text) => quoted(text),
        Given::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("[{}]", words.join(", "))
        }
    }
}

/// Whether these changes take all out that stands in a table, and put nothing in.
fn goes_whole(table: &dyn TableLike, changes: &[Change<SettingKey>]) -> bool {
    let goes = |key: &str| changes.iter().any(|change| change.key.in_toml() == key && change.value.is_none());
    let hours = [SettingKey::QuietFrom, SettingKey::QuietTo].map(SettingKey::in_toml);
    // Whatever else is said of quiet hours says nothing without them.
    let is_nothing_without = hours.iter().all(|key| goes(key));
    !table.is_empty()
        && changes.iter().all(|change| change.value.is_none())
        && (is_nothing_without || table.iter().all(|(key, _)| goes(key)))
}

/// A text between double quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other if other.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn is_there(what: &str) -> Error {
    Error::new(Code::Usage, format!("the file has {what} already"), "Give this one another name with `--id NAME`.")
}

fn odd_table(name: &str) -> Error {
    Error::new(
        Code::Configuration,
        format!("`{name}` is written in a way that this cannot change"),
        format!("Write it as a table that begins with `[{name}]`, or change it by hand."),
    )
}

fn odd(what: &str) -> Error {
    Error::new(
        Code::Configuration,
        format!("`{what}` is written in a way that this cannot change"),
        "Write each repository as a table that begins with `[[repository]]`, and each of its mirrors as one that begins with \
         `[[repository.mirror]]`.",
    )
}
