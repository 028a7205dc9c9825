//! Small words that every telling needs.

use standin_state::model::RefName;

/// How many names one sentence lists.
const LISTED: usize = 8;

/// `1 ref`, `2 refs`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    plural(count, noun, &format!("{noun}s"))
}

/// `1 branch`, `2 branches`.
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// `a, b and 3 more`.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A ref as a person names it: `branch main`, `tag v1.0`.
pub(crate) fn ref_words(name: &RefName) -> String {
    match (name.is_branch(), name.is_tag()) {
        (true, _) => format!("branch {}", name.short()),
        (_, true) => format!("tag {}", name.short()),
        _ => name.to_string(),
    }
}

/// The same text as the beginning of a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_a_point() {
        assert_eq!(listed(&["a"]), "a");
        let many: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(listed(&many[..8]), "0, 1, 2, 3, 4, 5, 6, 7");
        assert_eq!(listed(&many), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }

    #[test]
    fn refs_are_named_as_people_name_them() {
        for (name, words) in [
            ("refs/heads/topic/a", "branch topic/a"),
            ("refs/tags/v1", "tag v1"),
            ("refs/notes/commits", "refs/notes/commits"),
        ] {
            assert_eq!(ref_words(&name.parse().unwrap()), words);
        }
        assert_eq!(sentence("the end"), "The end");
    }
}
