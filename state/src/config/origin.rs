//! Finding the clone around a folder, and reading where it came from.
//!
//! Of git's files only two small ones are read, `.git` (where it is a file) and `config`: this crate knows no git.

use std::path::{Path, PathBuf};

use super::reading::small_text;
use super::values::lexical;

/// A clone on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clone {
    /// Its folder: the work tree, or the bare repository itself.
    pub root: PathBuf,
    /// Where its `config` is; linked work trees share one.
    common: PathBuf,
}

impl Clone {
    /// The clone that `folder` is in or is.
    pub fn around(folder: &Path) -> Option<Self> {
        folder.ancestors().find_map(Self::at)
    }

    /// The clone whose folder this is.
    pub fn at(folder: &Path) -> Option<Self> {
        let dot_git = folder.join(".git");
        if is_git_folder(&dot_git) {
            return Some(Self { root: folder.to_owned(), common: dot_git });
        }
        if let Some(git_folder) = linked_git_folder(&dot_git) {
            let common = match small_text(&git_folder.join("commondir")) {
                Some(text) => lexical(&git_folder.join(text.trim())),
                None => git_folder,
            };
            return Some(Self { root: folder.to_owned(), common });
        }
        if !is_git_folder(folder) {
            return None;
        }
        match (folder.file_name(), folder.parent()) {
            (Some(name), Some(parent)) if name == ".git" => {
                Some(Self { root: parent.to_owned(), common: folder.to_owned() })
            }
            _ => Some(Self { root: folder.to_owned(), common: folder.to_owned() }),
        }
    }

    /// Whether both are work trees of one repository.
    pub fn is_same(&self, other: &Self) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(&self.common) == real(&other.common)
    }

    /// All that belongs to it: its folder, and that of its git data.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        [self.root.as_path(), self.common.as_path()].into_iter()
    }

    /// The URL of the remote `origin`, as it stands in the clone's `config`.
    pub fn origin(&self) -> Option<String> {
        remote_url(&small_text(&self.common.join("config"))?, "origin")
    }
}

fn is_git_folder(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

/// What a `.git` file points to.
fn linked_git_folder(dot_git: &Path) -> Option<PathBuf> {
    let text = small_text(dot_git)?;
    let target = text.strip_prefix("gitdir:")?.trim();
    let folder = lexical(&dot_git.parent()?.join(target));
    folder.join("HEAD").is_file().then_some(folder)
}

/// The first `url` of a remote: the one that git fetches from.
fn remote_url(config: &str, remote: &str) -> Option<String> {
    let mut inside = false;
    let mut lines = config.trim_start_matches('\u{feff}').lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.starts_with('[') {
            let (section, rest) = section(&line)?;
            inside = section == ("remote".to_owned(), remote.to_owned());
            line = rest.trim_start().to_owned();
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        // A backslash at the end of a line goes on in the next one, in a section that is not ours too.
        while ends_in_continuation(&line) {
            line.pop();
            line.push_str(lines.next().unwrap_or_default());
        }
        let (key, value) = line.split_once('=').unwrap_or((&line, ""));
        if inside && key.trim().eq_ignore_ascii_case("url") {
            return value_of(value).filter(|url| !url.is_empty());
        }
    }
    None
}

fn ends_in_continuation(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1
}

/// The section and subsection of a line such as `[remote "origin"] url = x`, and what follows it.
fn section(line: &str) -> Option<((String, String), &str)> {
    let inner = line.strip_prefix('[')?;
    let end = inner.find(['"', ']'])?;
    let name = inner[..end].trim().to_ascii_lowercase();
    if inner[end..].starts_with(']') {
        // The old form: `[remote.origin]`, where the second part ignores case too.
        let (name, sub) = name.split_once('.').map_or((name.as_str(), ""), |(name, sub)| (name, sub));
        return Some(((name.to_owned(), sub.to_owned()), &inner[end + 1..]));
    }
    let mut sub = String::new();
    let mut characters = inner[end + 1..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = inner[end + 1 + at + 1..].trim_start().strip_prefix(']')?;
                return Some(((name, sub), rest));
            }
            '\\' => sub.push(characters.next()?.1),
            other => sub.push(other),
        }
    }
    None
}

/// A value with git's quotes, escapes and comments taken off.
fn value_of(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut kept = 0;
    let mut in_quotes = false;
    let mut characters = text.trim_start().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => in_quotes = !in_quotes,
            '#' | ';' if !in_quotes => break,
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'b' => '\u{8}',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
        if in_quotes || !value.ends_with(char::is_whitespace) {
            kept = value.len();
        }
    }
    value.truncate(kept);
    (!in_quotes).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_origin_is_read_as_git_reads_it() {
        let cases = [
            ("[remote \"origin\"]\n\turl = https://example.com/a.git\n", Some("https://example.com/a.git")),
            ("[remote \"other\"]\nurl = x\n[remote \"origin\"]\nfetch = y\nURL = z # comment\n", Some("z")),
            ("[Remote \"origin\"] url = one\nurl = two\n", Some("one")),
            ("[remote.ORIGIN]\nurl=old\n", Some("old")),
            ("[remote \"Origin\"]\nurl=other case\n", None),
            ("[remote \"origin\"]\nurl = \"a ; b\"  ; comment\n", Some("a ; b")),
            ("[remote \"origin\"]\nurl = a\\\nb\n", Some("ab")),
            ("[remote \"origin\"]\r\n\turl = crlf\r\n", Some("crlf")),
            ("[core]\n\tx = y\\\\\n[remote \"origin\"]\nurl = C:\\\\a\n", Some("C:\\a")),
            ("[remote \"ori\\\"gin\"]\nurl=x\n", None),
            ("[remote \"origin\"]\n\tfetch = x\n", None),
            ("[remote \"origin\n", None),
            ("", None),
        ];
        for (config, expected) in cases {
            assert_eq!(remote_url(config, "origin").as_deref(), expected, "{config}");
        }
    }
}
