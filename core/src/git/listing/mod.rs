//! What a remote has: asked for ([`ask`]), and read from the answer of `git ls-remote --symref`.

mod ask;

use std::collections::BTreeMap;

use standin_state::model::{Oid, RefName};

/// Refs and their tips.
pub type Refs = BTreeMap<RefName, Oid>;

/// The refs of a remote at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each ref with its tip; annotated tags with the id of the tag object.
    pub refs: Refs,
    /// The branch that `HEAD` names; `None` when it is detached, or when that branch does not exist.
    pub head: Option<RefName>,
    /// The branch that is the default one at the `origin` of a clone, where it knows.
    pub origin_head: Option<RefName>,
    /// The commit of `HEAD`, where it has one.
    pub head_oid: Option<Oid>,
    /// Whether there are refs besides those that were asked for, and besides the fence.
    pub has_others: bool,
    /// Names that the remote has and that git itself would refuse, as far as they can be shown.
    pub unusable: Vec<String>,
}

impl Listing {
    /// Reads the answer, keeping refs that start with one of `prefixes`.
    ///
    /// The filter is here since git sends the server none for `ls-remote` with patterns, which match at any slash.
    pub(in crate::git) fn parse(answer: &[u8], prefixes: &[&str]) -> Self {
        let mut listing = Self::default();
        for line in answer.split(|&byte| byte == b'\n') {
            let Some(tab) = line.iter().position(|&byte| byte == b'\t') else { continue };
            let (value, name) = (String::from_utf8_lossy(&line[..tab]), String::from_utf8_lossy(&line[tab + 1..]));
            if let Some(target) = value.strip_prefix("ref: ") {
                match &*name {
                    "HEAD" => listing.head = target.parse().ok(),
                    "refs/remotes/origin/HEAD" => {
                        let branch = target.strip_prefix("refs/remotes/origin/");
                        listing.origin_head = branch.and_then(|branch| format!("refs/heads/{branch}").parse().ok());
                    }
                    _ => {}
                }
                continue;
            }
            let Ok(oid) = value.parse::<Oid>() else { continue };
            if name == "HEAD" {
                listing.head_oid = Some(oid);
            } else if !name.ends_with("^{}") && prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                // A name that is not UTF-8 has replacement characters now and would address another ref.
                match name.parse() {
                    Ok(name) if std::str::from_utf8(&line[tab + 1..]).is_ok() => {
                        listing.refs.insert(name, oid);
                    }
                    _ => listing.unusable.push(name.into_owned()),
                }
            } else if name.starts_with("refs/") && name != "refs/standin/fence" && !name.ends_with("^{}") {
                listing.has_others = true;
            }
        }
        listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn refs_head_and_tags_are_read_and_peeled_lines_skipped() {
        let answer = format!(
            "ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n\
             {B}\trefs/pull/1/head\nref: refs/remotes/origin/dev/x\trefs/remotes/origin/HEAD\n{A}\trefs/remotes/origin/HEAD\n"
        );
        let listing = Listing::parse(answer.as_bytes(), &["refs/heads/", "refs/tags/"]);
        let names: Vec<(&str, &str)> = listing.refs.iter().map(|(name, oid)| (name.as_str(), oid.as_str())).collect();
        assert_eq!(names, [("refs/heads/main", A), ("refs/tags/v1", B)]);
        assert_eq!(listing.head.as_ref().map(RefName::as_str), Some("refs/heads/main"));
        assert_eq!(listing.head_oid.as_ref().map(Oid::as_str), Some(A));
        assert_eq!(listing.origin_head.as_ref().map(RefName::as_str), Some("refs/heads/dev/x"));
        assert!(listing.unusable.is_empty());
    }

    #[test]
    fn a_detached_head_names_no_branch() {
        let listing = Listing::parse(format!("{A}\tHEAD\n{B}\trefs/heads/main\n").as_bytes(), &["refs/heads/"]);
        assert_eq!((listing.head, listing.head_oid.map(String::from)), (None, Some(A.to_owned())));
    }

    #[test]
    fn names_that_cannot_be_addressed_are_listed_apart() {
        let mut answer = format!("{A}\trefs/heads/a..b\n{A}\trefs/heads/caf").into_bytes();
        answer.extend_from_slice(b"\xe9\n");
        let listing = Listing::parse(&answer, &["refs/heads/"]);
        assert!(listing.refs.is_empty());
        assert_eq!(listing.unusable, ["refs/heads/a..b", "refs/heads/caf\u{fffd}"]);
    }
}
