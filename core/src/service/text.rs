//! A file of ours begins with a mark: who wrote it, and a digest of all that follows. So it is known whether somebody changed it since.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use standin_state::reading;

use super::unusable;
use crate::Result;

/// No file of ours is larger, in bytes.
const LIMIT: usize = 256 * 1024;
/// What the mark begins with.
const MARK: &str = "Written by `standin service install`; taken away by `standin service remove`. sha256:";

/// How comments look in a format.
#[derive(Clone, Copy)]
pub(super) struct Comment {
    pub before: &'static str,
    pub after: &'static str,
}

/// What lies in the place of the file.
pub(super) enum Found {
    Nothing,
    /// Ours, whole.
    Ours(String),
    /// Ours, and somebody changed it.
    Changed,
    /// Without our mark, or a link: what that leads to is kept by somebody else.
    Foreign,
    /// A folder, a pipe, a device.
    NoFile,
}

/// A text with its mark, below a first line that has to be the first, where the format has one.
pub(super) fn marked(head: &str, comment: Comment, body: &str) -> String {
    format!("{head}{}{MARK}{}{}\n{body}", comment.before, digest(head, body), comment.after)
}

/// Reads what is there.
pub(super) fn look(file: &Path) -> Result<Found> {
    let data = match file.symlink_metadata() {
        Ok(data) => data,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Found::Nothing);
        }
        Err(error) => return Err(unusable(file, &error)),
    };
    if data.is_symlink() {
        return Ok(Found::Foreign);
    }
    if !data.is_file() {
        return Ok(Found::NoFile);
    }
    let bytes = reading::read(file, LIMIT).map_err(|error| unusable(file, &error))?;
    let is_too_large = bytes.len() > LIMIT;
    Ok(String::from_utf8(bytes).ok().filter(|_| !is_too_large).map_or(Found::Foreign, read))
}

fn read(text: String) -> Found {
    let mut head = 0;
    // The mark stands in the first line, or in the one below a head.
    for line in text.split_inclusive('\n').take(2) {
        if let Some((_, rest)) = line.split_once(MARK) {
            let known: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
            let is_whole = digest(&text[..head], &text[head + line.len()..]) == known;
            return if is_whole { Found::Ours(text) } else { Found::Changed };
        }
        head += line.len();
    }
    Found::Foreign
}

fn digest(head: &str, body: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(head.as_bytes());
    digest.update(body.as_bytes());
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Comment = Comment { before: "# ", after: "" };
    const XML: Comment = Comment { before: "<!-- ", after: " -->" };

    #[test]
    fn what_was_written_is_known_again_and_each_change_of_it_is_seen() {
        for text in [marked("", HASH, "[Unit]\nA=1\n"), marked("<?xml version=\"1.0\"?>\n", XML, "<a>1</a>\n")] {
            assert!(matches!(read(text.clone()), Found::Ours(same) if same == text));
            assert!(matches!(read(format!("{text}\n")), Found::Changed), "something was added");
            assert!(matches!(read(text.replace('1', "2")), Found::Changed), "something was changed");
        }
        assert!(matches!(read("[Unit]\n".to_owned()), Found::Foreign));
        assert!(matches!(read(String::new()), Found::Foreign));
        assert!(matches!(read(format!("a\nb\n{}", marked("", HASH, "c"))), Found::Foreign), "only quoted");
    }
}
