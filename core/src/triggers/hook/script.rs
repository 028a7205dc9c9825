//! The hook itself: a script for any POSIX shell, that starts no program but the hook that was there before it.
//!
//! What it does is all in its text: each repository that it tells of stands in a line of its head, from which the rest is rendered.
//! So a hook that was changed by hand is known by being rendered again.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use standin_state::model::RepositoryId;

use crate::git::AT_WORK;

/// What the first line after the interpreter says.
const HEAD: &str = "# standin hook 1";
/// What a line about a repository begins with.
const TELLS: &str = "# tells: ";
/// What the line says when the hook folder was made for the hook.
const MADE: &str = "# made: the folder";
/// What the line says when there was a hook before.
const KEEPS: &str = "# keeps: the hook that was here";
/// So many lines of git's are looked through for a ref that travels; where there are more, one of them is believed to be.
const LINES: u32 = 20;
/// What [`AT_WORK`] is for a test of the hook.
pub(super) const TEST: &str = "test";
/// What the file of a test ends with; no sweep takes it.
pub(super) const TEST_END: char = '~';

/// Which refs of a repository are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Travels {
    /// Branches and tags: it is the source itself.
    Own,
    /// What is remembered of the remotes: it is a clone of the source, and a push or fetch moves these.
    OfRemotes,
}

/// A repository that the hook tells of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its id.
    pub repository: RepositoryId,
    /// Which refs count.
    pub travels: Travels,
    /// The folder of its refs.
    pub common: PathBuf,
    /// The file that is left.
    pub drop: PathBuf,
}

/// What a hook of ours says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// The repositories that it tells of, in order.
    pub entries: Vec<Entry>,
    /// Whether it hands on to the hook that was there before.
    pub keeps: bool,
    /// Whether the folder of the hooks was made for it.
    pub made_folder: bool,
}

/// What is in the place of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// One of ours as it was written.
    Ours(Script),
    /// One of ours that was changed since, or that another version wrote.
    Changed,
    /// Somebody else's.
    Foreign,
}

impl Script {
    /// Reads what is in the place of a hook.
    pub fn read(bytes: &[u8]) -> Read {
        let text = String::from_utf8_lossy(bytes);
        if !text.lines().nth(1).is_some_and(|line| line.starts_with("# standin hook ")) {
            return Read::Foreign;
        }
        let mut script = Self::default();
        for line in text.lines().skip(1).take_while(|line| line.starts_with('#')) {
            script.keeps |= line == KEEPS;
            script.made_folder |= line == MADE;
            script.entries.extend(line.strip_prefix(TELLS).and_then(Entry::read));
        }
        if script.render() == bytes { Read::Ours(script) } else { Read::Changed }
    }

    /// The text of the hook.
    pub fn render(&self) -> Vec<u8> {
        let mut text = format!("#!/bin/sh\n{HEAD}\n");
        for (is_so, line) in [(self.keeps, KEEPS), (self.made_folder, MADE)] {
            if is_so {
                text.push_str(line);
                text.push('\n');
            }
        }
        for entry in &self.entries {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{TELLS}{}", entry.line());
        }
        text.push_str(
            "# Written by `standin hook install`, and taken away by `standin hook remove`. When branches or tags have moved it leaves\n\
             # a file for Standin; it does nothing else, and never stops git.\n",
        );
        let handed_on = if self.keeps { HAND_ON } else { "exit 0" };
        text.push_str(&BEGIN.replace("@HAND_ON@", handed_on).replace("@AT_WORK@", AT_WORK));
        let mut bytes = text.into_bytes();
        for entry in &self.entries {
            bytes.extend_from_slice(b"\tif test \"$standin_common\" -ef ");
            bytes.extend(quoted(&entry.common));
            let patterns = match entry.travels {
                Travels::Own => "refs/heads/*|refs/tags/*|refs/notes/*",
                Travels::OfRemotes => "refs/remotes/*|refs/tags/*",
            };
            let begin = format!("; then standin_here=1; case $1 in {patterns}|-)\n\t\tstandin_drop=");
            bytes.extend_from_slice(begin.as_bytes());
            bytes.extend(quoted(&entry.drop));
            bytes.extend_from_slice(TELL.as_bytes());
        }
        bytes.extend_from_slice(LOOP.replace("@LINES@", &LINES.to_string()).replace("@HAND_ON@", handed_on).as_bytes());
        bytes.extend_from_slice(if self.keeps { WITH_KEPT } else { ALONE }.as_bytes());
        bytes
    }
}

/// Hands on to the hook that was there before, which git would not have run where it is not executable.
const HAND_ON: &str = "{ test -x \"$standin_kept\" && exec \"$standin_kept\" \"$@\"; exit 0; }";

/// What is there already was left by a move that nobody has taken up, and whoever takes it up sees this one as well. Writing over
/// a file would cost more than all else: file systems bring what replaces it to the disk at once.
const TELL: &str = r#""$standin_end"
		{ test -e "$standin_drop" || printf '%s\n' "$1" >|"$standin_drop"; } && standin_told=1
		;; esac; fi
"#;

/// Only what was done is told, and what Standin does itself is not.
const BEGIN: &str = r#"standin_kept=${0%/*}/reference-transaction.standin-kept
standin_end=
case ${1-}:${@AT_WORK@-} in
committed:) ;;
committed:test) standin_end='~' ;;
*:test) exit 0 ;;
*) @HAND_ON@ ;;
esac

# The folder that has the refs: of a linked work tree, that of the repository.
standin_dir=${GIT_DIR:-.git}
if test -f "$standin_dir"; then
	IFS= read -r standin_line 2>/dev/null <"$standin_dir"
	standin_dir=${standin_line#gitdir: }
fi
standin_common=${GIT_COMMON_DIR:-$standin_dir}
if test -z "${GIT_COMMON_DIR-}" && test -f "$standin_dir/commondir"; then
	IFS= read -r standin_common 2>/dev/null <"$standin_dir/commondir"
	case $standin_common in
	/*) ;;
	*) standin_common=$standin_dir/$standin_common ;;
	esac
fi

standin_here=
standin_told=
standin_tell() {
"#;

/// Looks for the first ref that counts. `standin_pass` hands on each byte besides.
const LOOP: &str = r#"	:
}
standin_tell ''
test -n "$standin_here" || @HAND_ON@
standin_left=@LINES@
standin_line=
standin_look() {
	standin_tell "${standin_line##* }"
	standin_left=$((standin_left - 1))
	if test "$standin_left" -eq 0; then
		standin_tell -
		standin_told=1
	fi
}
"#;

const ALONE: &str = r#"while test -z "$standin_told" && IFS= read -r standin_line; do
	standin_look
done 2>/dev/null
exit 0
"#;

const WITH_KEPT: &str = r#"standin_pass() {
	trap '' PIPE
	while test -z "$standin_told"; do
		if IFS= read -r standin_line; then
			standin_look
			printf '%s\n' "$standin_line"
		else
			printf '%s' "$standin_line"
			exit 0
		fi
	done
	exec cat
}
if test -n "$standin_end" || ! test -x "$standin_kept"; then
	while test -z "$standin_told" && IFS= read -r standin_line; do
		standin_look
	done 2>/dev/null
	exit 0
fi
standin_pass 2>/dev/null | "$standin_kept" "$@"
"#;

impl Entry {
    fn line(&self) -> String {
        let travels = match self.travels {
            Travels::Own => "own",
            Travels::OfRemotes => "remotes",
        };
        format!("{} {travels} {} {}", self.repository, escaped(&self.common), escaped(&self.drop))
    }

    fn read(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let repository = parts.next()?.parse().ok()?;
        let travels = match parts.next()? {
            "own" => Travels::Own,
            "remotes" => Travels::OfRemotes,
            _ => return None,
        };
        let (common, drop) = (unescaped(parts.next()?)?, unescaped(parts.next()?)?);
        parts.next().is_none().then_some(Self { repository, travels, common, drop })
    }
}

/// A path on one line of text, whatever is in it.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

fn unescaped(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(PathBuf::from(of_bytes(bytes)?))
}

#[cfg(unix)]
fn of_bytes(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn of_bytes(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

/// A path as the shell takes it for itself.
fn quoted(path: &Path) -> Vec<u8> {
    let mut text = vec![b'\''];
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            other => text.push(*other),
        }
    }
    text.push(b'\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(paths: &[&str], keeps: bool) -> Script {
        let entries = paths.iter().map(|path| Entry {
            repository: "site".parse().unwrap(),
            travels: Travels::Own,
            common: PathBuf::from(path),
            drop: PathBuf::from("/state/drops/hook.site"),
        });
        Script { entries: entries.collect(), keeps, made_folder: !keeps }
    }

    #[test]
    fn what_was_written_is_read_back_whatever_the_paths_are() {
        for paths in [&[][..], &["/a"], &["/it's a \"$HOME\" `x`\nline%/ä", "/b"]] {
            for keeps in [false, true] {
                let script = script(paths, keeps);
                assert_eq!(Script::read(&script.render()), Read::Ours(script));
            }
        }
    }

    #[test]
    fn a_change_by_hand_is_seen() {
        let mut bytes = script(&["/a"], false).render();
        bytes.extend_from_slice(b"echo more\n");
        assert_eq!(Script::read(&bytes), Read::Changed);
        assert_eq!(Script::read(b"#!/bin/sh\n# standin hook 2\n"), Read::Changed);
        assert_eq!(Script::read(b"#!/bin/sh\nexit 0\n"), Read::Foreign);
        assert_eq!(Script::read(b"\x7fELF\0\xff"), Read::Foreign);
    }
}
