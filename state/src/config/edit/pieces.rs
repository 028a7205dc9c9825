//! A text that is cut and mended in a few places.

use std::ops::Range;

/// A text, and what of it is to be another.
pub(super) struct Pieces<'a> {
    text: &'a str,
    cuts: Vec<(Range<usize>, String)>,
}

impl<'a> Pieces<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { text, cuts: Vec::new() }
    }

    /// Puts `new` in the place of a part.
    pub fn replace(&mut self, part: Range<usize>, new: impl Into<String>) {
        self.cuts.push((part, new.into()));
    }

    /// The text with all of it done. What was put into one place stands there in the order in which it came.
    pub fn put_together(mut self) -> String {
        self.cuts.sort_by_key(|(part, _)| (part.start, part.end));
        let (mut whole, mut done) = (String::with_capacity(self.text.len()), 0);
        for (part, new) in &self.cuts {
            // Two cuts of one place: the first has taken it out already.
            whole.push_str(&self.text[done..part.start.max(done)]);
            whole.push_str(new);
            done = part.end.max(done);
        }
        whole.push_str(&self.text[done..]);
        whole
    }

    /// Puts whole lines behind the line that `at` is in. Where that is the last and has no line end, these have none either.
    pub fn insert_lines(&mut self, at: usize, lines: &str) {
        let end = line_end(self.text, at);
        if self.text[..end].ends_with('\n') || end == 0 {
            self.replace(end..end, lines);
        } else {
            let nl = newline(self.text);
            self.replace(end..end, format!("{nl}{}", lines.strip_suffix(nl).unwrap_or(lines)));
        }
    }

    /// Takes out the whole lines that a part is in.
    pub fn remove_lines(&mut self, part: Range<usize>) {
        let (mut start, end) = (line_start(self.text, part.start), line_end(self.text, part.end));
        // The last line took the end of the one before it for its own.
        if !self.text[..end].ends_with('\n') {
            start = without_newline(&self.text[..start]).len();
        }
        self.replace(start..end, "");
    }

    /// Takes out the whole lines that a part is in, and the blank line before them.
    pub fn remove_block(&mut self, part: Range<usize>) {
        let start = line_start(self.text, part.start);
        let before = without_newline(&self.text[..start]);
        let has_blank = before.len() < start && (before.is_empty() || before.ends_with('\n'));
        self.remove_lines(if has_blank { before.len()..part.end } else { part });
    }
}

/// How the lines of a text end.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Where the line that `at` is in begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Where the line that `at` is in ends, with its line end. A place right behind a line end is in the next line, but for the end
/// of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

fn without_newline(text: &str) -> &str {
    match text.strip_suffix('\n') {
        Some(text) => text.strip_suffix('\r').unwrap_or(text),
        None => text,
    }
}
