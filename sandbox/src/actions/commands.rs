//! What a step tells its runner: workflow commands in its output, and the files named by `$GITHUB_OUTPUT` and the like.

use std::path::Path;

use crate::world::{Annotation, AnnotationLevel};

/// What a line of output means.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A line of the log.
    Line(String),
    /// `::add-mask::`
    Mask(String),
    /// `::error::`, `::warning::`, `::notice::`
    Remark(Annotation),
    /// Not shown, such as `::debug::`.
    Nothing,
    /// A command that GitHub took away, or that the sandbox does not have.
    Unsupported(String),
}

/// Reads the output of one step, line by line.
#[derive(Default)]
pub(super) struct Listener {
    /// While set, commands are not obeyed; this word ends that.
    stopped: Option<String>,
}

impl Listener {
    /// What this line means.
    pub(super) fn hear(&mut self, line: &str) -> Said {
        let Some((name, properties, message)) = command(line) else {
            return Said::Line(line.to_owned());
        };
        if let Some(word) = &self.stopped {
            if name == word {
                self.stopped = None;
                return Said::Nothing;
            }
            return Said::Line(line.to_owned());
        }
        let level = match name.to_ascii_lowercase().as_str() {
            "add-mask" => return Said::Mask(unescape(message)),
            "stop-commands" => {
                self.stopped = Some(message.to_owned());
                return Said::Nothing;
            }
            "group" => return Said::Line(format!("##[group]{message}")),
            "endgroup" => return Said::Line("##[endgroup]".to_owned()),
            "debug" | "echo" => return Said::Nothing,
            "error" => AnnotationLevel::Failure,
            "warning" => AnnotationLevel::Warning,
            "notice" => AnnotationLevel::Notice,
            "set-output" | "save-state" | "set-env" | "add-path" | "add-matcher" | "remove-matcher" => {
                return Said::Unsupported(format!("the sandbox does not take the command `::{name}::`"));
            }
            _ => return Said::Line(line.to_owned()),
        };
        let property = |wanted: &str| {
            properties.split(',').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                (name.trim() == wanted).then(|| unescape(value))
            })
        };
        Said::Remark(Annotation {
            level,
            title: property("title"),
            message: unescape(message),
            path: property("file"),
            line: property("line").and_then(|line| line.parse().ok()),
        })
    }
}

/// `::name properties::message`
fn command(line: &str) -> Option<(&str, &str, &str)> {
    let (head, message) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    (!name.is_empty()).then_some((name, properties, message))
}

fn unescape(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
}

/// Reads a file of `name=value` lines and `name<<word` blocks.
///
/// # Errors
/// GitHub's words about a line that is neither, without its value.
pub(super) fn read_pairs(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read(path).map_err(|error| format!("Unable to process file command: {error}"))?;
    let text = String::from_utf8_lossy(&text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut pairs = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let wrong = |what: &str| format!("Unable to process file command: {what} (line {})", index + 1);
        let (equals, block) = (line.find('='), line.find("<<"));
        match (equals, block) {
            (Some(equals), block) if block.is_none_or(|block| equals < block) => {
                pairs.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
            }
            (_, Some(block)) => {
                let word = &line[block + 2..];
                if block == 0 || word.is_empty() {
                    return Err(wrong("Invalid format. Name and delimiter must not be empty"));
                }
                let mut value: Vec<&str> = Vec::new();
                loop {
                    match lines.next() {
                        Some((_, line)) if line == word => break,
                        Some((_, line)) => value.push(line),
                        None => return Err(wrong("Invalid value. Matching delimiter not found")),
                    }
                }
                pairs.push((line[..block].to_owned(), value.join("\n")));
            }
            _ => return Err(wrong("Invalid format")),
        }
        if pairs.last().is_some_and(|(name, _)| name.is_empty()) {
            return Err(wrong("Invalid format. Name must not be empty"));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_only_where_github_takes_them_so() {
        let mut listener = Listener::default();
        assert_eq!(listener.hear("::add-mask::s3cret%25"), Said::Mask("s3cret%".to_owned()));
        let Said::Remark(remark) = listener.hear("::error file=a.sh,line=3,title=No::It%0Abroke") else { panic!() };
        assert_eq!(
            (remark.level, remark.line, remark.message.as_str()),
            (AnnotationLevel::Failure, Some(3), "It\nbroke")
        );
        assert_eq!((remark.title.as_deref(), remark.path.as_deref()), (Some("No"), Some("a.sh")));
        assert_eq!(listener.hear("::group::Build"), Said::Line("##[group]Build".to_owned()));
        assert_eq!(listener.hear("std::vec::Vec"), Said::Line("std::vec::Vec".to_owned()));
        assert_eq!(listener.hear("::unknown::x"), Said::Line("::unknown::x".to_owned()));
        assert!(matches!(listener.hear("::set-output name=a::b"), Said::Unsupported(_)));
        assert_eq!(listener.hear("::stop-commands::word"), Said::Nothing);
        assert_eq!(listener.hear("::error::quiet"), Said::Line("::error::quiet".to_owned()));
        assert_eq!(listener.hear("::word::"), Said::Nothing);
        assert!(matches!(listener.hear("::warning::loud"), Said::Remark(_)));
    }

    #[test]
    fn files_have_pairs_and_blocks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            read_pairs(file.path())
        };
        let pairs = read("a=1=2\n\nb<<END\none\ntwo=2\nEND\nc=<<\n").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs, [pair("a", "1=2"), pair("b", "one\ntwo=2"), pair("c", "<<")]);
        assert!(read("nothing").unwrap_err().contains("Invalid format (line 1)"));
        assert!(read("a<<END\nx\n").unwrap_err().contains("delimiter not found"));
        assert!(read("=x").is_err());
    }
}
