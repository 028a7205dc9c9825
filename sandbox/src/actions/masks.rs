//! Hiding secrets in what is kept and shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Texts that are shown as `***`.
#[derive(Clone, Default)]
pub(super) struct Masks {
    /// Longest first.
    texts: Vec<String>,
}

impl Masks {
    /// Hides a value from now on: itself, each of its lines, and the forms that it easily takes.
    pub(super) fn add(&mut self, value: &str) {
        let whole = std::iter::once(value).filter(|value| value.contains('\n'));
        for part in whole.chain(value.lines()).map(str::trim).filter(|part| !part.is_empty()) {
            self.add_one(part.to_owned());
            self.add_one(STANDARD.encode(part));
            self.add_one(crate::rest::percent_encode(part));
            let json = serde_json::Value::from(part).to_string();
            self.add_one(json[1..json.len() - 1].to_owned());
        }
        self.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    fn add_one(&mut self, text: String) {
        if !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    /// The text with all of that hidden.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for mask in &self.texts {
            if hidden.contains(mask.as_str()) {
                hidden = hidden.replace(mask.as_str(), "***");
            }
        }
        hidden
    }

    /// True if something in it would be hidden.
    pub(super) fn touches(&self, text: &str) -> bool {
        self.texts.iter().any(|mask| text.contains(mask.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_whole_by_line_and_in_its_common_forms() {
        let mut masks = Masks::default();
        masks.add("first \"line\"\nsecond/line");
        masks.add("");
        assert_eq!(masks.hide("a first \"line\" b"), "a *** b");
        assert_eq!(masks.hide("second/line"), "***");
        assert_eq!(masks.hide("{\"x\":\"first \\\"line\\\"\"}"), "{\"x\":\"***\"}");
        assert_eq!(masks.hide(&STANDARD.encode("second/line")), "***");
        assert_eq!(masks.hide("first%20%22line%22"), "***");
        assert_eq!(masks.hide("nothing"), "nothing");
        assert!(masks.touches("xsecond/line") && !masks.touches("second"));
    }

    #[test]
    fn a_longer_secret_is_hidden_before_a_shorter_one_in_it() {
        let mut masks = Masks::default();
        masks.add("abc");
        masks.add("abcdef");
        assert_eq!(masks.hide("abcdef"), "***");
    }
}
