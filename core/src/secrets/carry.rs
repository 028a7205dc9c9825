//! How a value travels to gh on standard input so that it arrives byte for byte.
//!
//! `gh secret set -f -` takes many at once in dotenv form, as the library godotenv reads it. Its rules, found by
//! experiment and kept by a test with the real gh:
//!
//! - In single quotes everything stands for itself; the value ends at the first `'` that has no `\` before it. CR LF
//!   becomes LF.
//! - In double quotes `\n` and `\r` are line ends, `\` takes the meaning from any other character, `$` begins a variable unless it has a `\` before
//!   it; the value ends at the first `"` that has no `\` before it, and all `"` at its end are taken off.
//!
//! So a value that ends in `"` or `\` and does not fit single quotes goes alone, with `gh secret set NAME`: there gh
//! takes line ends off the end, which such a value does not have.

use secrecy::{ExposeSecret as _, SecretString};

/// How one value travels.
pub(super) enum Carriage {
    /// A line among others; holds the value in its quotes.
    Batch(SecretString),
    /// By a call of its own; the value as it is.
    Alone,
}

/// Chooses how `value` travels.
pub(super) fn carriage(value: &SecretString) -> Carriage {
    let text = value.expose_secret();
    if text.contains('\0') {
        return Carriage::Alone;
    }
    if fits_single_quotes(text) {
        return Carriage::Batch(SecretString::from(format!("'{text}'")));
    }
    if text.ends_with(['"', '\\']) {
        return Carriage::Alone;
    }
    let mut quoted = String::with_capacity(text.len() + 16);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' | '$' => {
                quoted.push('\\');
                quoted.push(character);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Carriage::Batch(SecretString::from(quoted))
}

fn fits_single_quotes(text: &str) -> bool {
    !text.contains('\'') && !text.contains("\r\n") && !text.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Option<String> {
        match carriage(&SecretString::from(text)) {
            Carriage::Batch(quoted) => Some(quoted.expose_secret().to_owned()),
            Carriage::Alone => None,
        }
    }

    #[test]
    fn plain_values_stand_in_single_quotes() {
        for text in ["", "plain", " spaces ", "a#b $HOME \"q\" \\n", "two\nlines\n", "ümläut 日本"] {
            assert_eq!(form(text), Some(format!("'{text}'")), "{text:?}");
        }
    }

    #[test]
    fn what_single_quotes_cannot_hold_stands_in_double_quotes_or_goes_alone() {
        assert_eq!(form("it's $5\n").as_deref(), Some(r#""it's \$5\n""#));
        assert_eq!(form("a\r\nb").as_deref(), Some(r#""a\r\nb""#));
        for alone in ["it's \"", "end\\", "nul\0"] {
            assert_eq!(form(alone), None, "{alone:?}");
        }
    }
}
