//! Taking tokens and secrets out of words that come from outside, before anybody sees them.
//!
//! No host should repeat a token. One that does, out of malice or in an error page that shows the request, may show it
//! as it is, as part of a URL, or as the Basic header that carried it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

/// What stands in the place of a secret.
const SHOWN: &str = "***";
/// Shorter values are words that stand in any text.
const SHORTEST: usize = 4;

/// Knows the forms in which some secrets may show up.
#[derive(Default)]
pub(crate) struct Redactor {
    /// The longest first, so that no part of one stays.
    forms: Vec<SecretString>,
}

impl Redactor {
    /// Takes out these secrets.
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(|secret| forms(secret.expose_secret())).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { forms: forms.into_iter().map(SecretString::from).collect() }
    }

    /// The text without the secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let replace = |text: String, form: &SecretString| match text.contains(form.expose_secret()) {
            true => text.replace(form.expose_secret(), SHOWN),
            false => text,
        };
        self.forms.iter().fold(text.to_owned(), replace)
    }

    /// The same for bytes; what is no UTF-8 in them is replaced only where something is taken out.
    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes);
        let clean = self.text(&text);
        if clean == text { bytes } else { clean.into_bytes() }
    }
}

fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned(), url_encoded(secret, true), url_encoded(secret, false)];
    forms.extend(in_base64(secret));
    forms
}

fn url_encoded(secret: &str, upper: bool) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ if upper => text.push_str(&format!("%{byte:02X}")),
            _ => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}

/// The characters that the secret alone decides wherever it stands in a text that is encoded, such as
/// `x-access-token:SECRET`: three bytes become four characters, so there are three ways.
fn in_base64(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let decided = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(encoded.get(decided.clone()).filter(|form| form.len() >= SHORTEST).map(str::to_owned));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const TOKEN: &str = "ghp_CANARY/canary+0123456789";

    #[test]
    fn a_secret_is_taken_out_in_every_form() {
        let redactor = Redactor::of([&SecretString::from(TOKEN)]);
        assert_eq!(redactor.text(&format!("a {TOKEN} b {TOKEN}")), "a *** b ***");
        assert_eq!(redactor.text("https://x:ghp_CANARY%2Fcanary%2B0123456789@h/"), "https://x:***@h/");
        assert_eq!(redactor.text("?token=ghp_CANARY%2fcanary%2b0123456789"), "?token=***");
        for user in ["x-access-token", "ab", "a", "", "somebody"] {
            let header = STANDARD.encode(format!("{user}:{TOKEN}"));
            let clean = redactor.text(&format!("Basic {header} refused"));
            let left = clean.replace("***", "");
            // What is left is the user and, at either end, at most one character that the secret has a part in.
            assert!(clean.contains("***"), "{user}: {clean}");
            assert!(left.len() <= "Basic  refused".len() + (user.len() + 1) * 4 / 3 + 5, "{user}: {clean}");
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
        assert_eq!(redactor.bytes(vec![0xff, b'a']), [0xff, b'a']);
    }

    #[test]
    fn nothing_of_a_longer_secret_stays_where_a_shorter_one_begins_it() {
        let [short, long] = ["canary", "canary-and-more"].map(SecretString::from);
        assert_eq!(Redactor::of([&short, &long]).text("canary-and-more canary"), "*** ***");
    }

    #[test]
    fn short_values_are_left_in_the_text() {
        assert_eq!(Redactor::of([&SecretString::from("1")]).text("HTTP 401"), "HTTP 401");
    }
}
