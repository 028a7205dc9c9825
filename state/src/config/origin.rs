//! Finding the clone around a folder, and reading where it came from.
//!
//! Of git's files only small ones are read, such as `.git` (where it is a file) and `config`: this crate knows no git.

use std::path::{Component, Path, PathBuf};

use super::git_folder::GitFolder;
use crate::reading::small_text;

/// A clone on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clone {
    /// Its folder: the work tree, or the bare repository itself.
    pub root: PathBuf,
    git: GitFolder,
}

impl Clone {
    /// The clone that `folder` is in or is: by its name, else by where its links lead.
    pub fn around(folder: &Path) -> Option<Self> {
        let by_name = folder.ancestors().find_map(Self::at);
        by_name.or_else(|| folder.canonicalize().ok()?.ancestors().find_map(Self::at))
    }

    /// The clone whose folder this is.
    pub fn at(folder: &Path) -> Option<Self> {
        if let Some(git) = GitFolder::at(&folder.join(".git")) {
            return Some(Self { root: folder.to_owned(), git });
        }
        let git = GitFolder::at(folder).filter(|_| folder.is_dir())?;
        let root = match (folder.file_name(), folder.parent()) {
            (Some(name), Some(parent)) if name == ".git" => parent,
            _ => folder,
        };
        Some(Self { root: root.to_owned(), git })
    }

    /// The clone that a file came with: the one that it is in, or that has a say in where it is by a link on the way to it.
    pub fn with(file: &Path) -> Option<Self> {
        const LINKS_LIMIT: usize = 64;
        let mut rest: Vec<PathBuf> = vec![file.to_owned()];
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(next) = rest.pop() {
            let mut parts = next.components();
            let Some(part) = parts.next() else { continue };
            rest.push(parts.as_path().to_owned());
            let path = match part {
                Component::ParentDir => at.parent().unwrap_or(&at).to_owned(),
                part => at.join(part),
            };
            match path.read_link() {
                Ok(target) if links < LINKS_LIMIT => {
                    if let Some(clone) = Self::around(&at) {
                        return Some(clone);
                    }
                    links += 1;
                    rest.push(target);
                }
                _ => at = path,
            }
        }
        Self::around(at.parent()?)
    }

    /// Whether both are work trees of one repository.
    pub fn is_same(&self, other: &Self) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(&self.git.common) == real(&other.git.common)
    }

    /// All that belongs to it: its folder, and those of its git data.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        [&self.root, &self.git.own, &self.git.common].into_iter().map(PathBuf::as_path)
    }

    /// Where its `config` is.
    pub fn common(&self) -> &Path {
        &self.git.common
    }

    /// The URL of the remote `origin`, as it stands in the clone's `config`.
    pub fn origin(&self) -> Option<String> {
        config_value(&small_text(&self.git.common.join("config"))?, ("remote", "origin"), "url")
    }
}

/// The first value of a setting that stands in one of git's files itself; what the file includes is not looked at. `None` where
/// there is none, and where the file is none that could be git's.
pub fn own_setting(file: &Path, section: &str, name: &str) -> Option<String> {
    config_value(&small_text(file)?, (section, ""), name)
}

/// The first value of a setting in a text of git's: for the URLs of a remote the one that git fetches from.
pub(super) fn config_value(config: &str, wanted: (&str, &str), name: &str) -> Option<String> {
    let mut inside = false;
    let mut lines = config.trim_start_matches('\u{feff}').lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.starts_with('[') {
            let ((section, sub), rest) = section(&line)?;
            inside = (section.as_str(), sub.as_str()) == wanted;
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
        if inside && key.trim().eq_ignore_ascii_case(name) {
            return value_of(value).filter(|value| !value.is_empty());
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
            assert_eq!(config_value(config, ("remote", "origin"), "url").as_deref(), expected, "{config}");
        }
    }
}
