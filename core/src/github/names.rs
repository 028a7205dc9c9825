//! What GitHub takes as the name and the value of a secret or a variable.

/// Largest value of either, in bytes.
pub const VALUE_LIMIT: usize = 48 * 1024;

/// What to do about a name that it does not take.
pub(crate) const NAME_RULE: &str =
    "Names are made of A-Z, 0-9 and _, do not begin with a digit or `GITHUB_`: rename it.";

/// Whether GitHub takes this name for one.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_reserved = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("GITHUB_"));
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !is_reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_github_takes() {
        for good in ["A", "_x", "RESEND_API_KEY", "a1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1A", "A-B", "A B", "GITHUB_X", "github_x", "Ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
