//! Which refs of a push are to blame that it was refused.
//!
//! In an atomic push one refused ref sinks all others, and hosts say so in words of their own: git `atomic push failure`, GitHub `atomic
//! transaction failed`, JGit `transaction aborted`, others something else or the same reason for every ref. So it is the structure
//! of the report that decides, not a list of words: a reason that several refs share while another has one of its own means "not
//! tried". Known words only save the pushes that would prove it.

use std::collections::{BTreeMap, BTreeSet};

use standin_state::model::RefName;

/// How hosts say that a ref was not tried since another of the same push was refused. They save a proof, and nothing depends on
/// them.
const SUNK: &[&str] = &[
    "atomic push failure",
    "atomic push failed",
    "atomic transaction failed",
    "transaction aborted",
    "aborted due to atomic",
];
/// What servers say of any ref of a transaction that failed, whichever was at fault.
const VAGUE: &[&str] = &["failed to lock", "failed to update ref", "transaction failed to start"];

/// Who is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// These, each for the reason that it has; the others were not tried.
    These(BTreeSet<RefName>),
    /// These perhaps, or the others: a push of each part by itself will tell.
    Perhaps(BTreeSet<RefName>),
    /// One reason for all: any of them, or all, or the host itself.
    Whole,
}

/// Reads who is to blame for a push of which nothing was taken. `refused` has every ref of the push with its reason; the ref
/// `proven` was taken before by this host.
pub(crate) fn blame(refused: &[(&RefName, &str)], proven: Option<&RefName>) -> Blame {
    if let [(name, _)] = refused {
        return Blame::These([(*name).clone()].into());
    }
    let mut groups: BTreeMap<String, BTreeSet<RefName>> = BTreeMap::new();
    for (name, reason) in refused {
        groups.entry(alike(name, reason)).or_default().insert((*name).clone());
    }
    if groups.len() <= 1 {
        return Blame::Whole;
    }
    let is_sunk = |reason: &String| is_sunk(reason);
    if groups.keys().any(is_sunk) {
        let blamed: Vec<(&String, &BTreeSet<RefName>)> = groups.iter().filter(|(reason, _)| !is_sunk(reason)).collect();
        let names = || blamed.iter().flat_map(|(_, names)| (*names).clone()).collect();
        return match blamed.as_slice() {
            [] => Blame::Whole,
            blamed if blamed.iter().all(|(reason, _)| VAGUE.contains(&reason.as_str())) => Blame::Perhaps(names()),
            _ => Blame::These(names()),
        };
    }
    let others = |sunk: &BTreeSet<RefName>| -> BTreeSet<RefName> {
        groups.values().filter(|group| *group != sunk).flatten().cloned().collect()
    };
    if let Some(sunk) = proven.and_then(|proven| groups.values().find(|group| group.contains(proven))) {
        // Where it is the odd one out, it may itself be what the host does not take any more.
        return if sunk.len() > 1 || groups.len() > 2 {
            Blame::These(others(sunk))
        } else {
            Blame::Perhaps(sunk.clone())
        };
    }
    let most = groups.values().map(BTreeSet::len).max().unwrap_or_default();
    let mut largest = groups.values().filter(|group| group.len() == most);
    match (largest.next(), largest.next()) {
        (Some(sunk), None) if most > 1 => Blame::Perhaps(others(sunk)),
        (Some(first), _) => Blame::Perhaps(first.clone()),
        (None, _) => Blame::Whole,
    }
}

/// Whether these words are known to say that a ref was not tried.
pub(crate) fn is_sunk(reason: &str) -> bool {
    SUNK.contains(&reason)
}

/// The reason without the ref's own name, so that hosts which name each ref in the same words are understood.
fn alike(name: &RefName, reason: &str) -> String {
    let reason = reason.replace(name.as_str(), "…");
    let short = name.short();
    // A short name may well be a part of other words.
    let quoted = [format!("'{short}'"), format!("`{short}`"), format!("\"{short}\"")];
    quoted.iter().fold(reason, |reason, quoted| reason.replace(quoted, "…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(short: &str) -> RefName {
        match short {
            "fence" => RefName::fence(),
            short => format!("refs/heads/{short}").parse().unwrap(),
        }
    }

    fn blamed(report: &[(&str, &str)], proven: bool) -> Blame {
        let names: Vec<RefName> = report.iter().map(|(short, _)| name(short)).collect();
        let refused: Vec<(&RefName, &str)> =
            names.iter().zip(report).map(|(name, (_, reason))| (name, *reason)).collect();
        blame(&refused, proven.then(RefName::fence).as_ref())
    }

    fn these(names: &[&str]) -> BTreeSet<RefName> {
        names.iter().map(|short| name(short)).collect()
    }

    #[test]
    fn whoever_has_a_reason_of_its_own_is_to_blame_in_whatever_words_the_others_were_sunk() {
        for sunk in ["atomic transaction failed", "transaction aborted", "atomic push failure"] {
            for proven in [false, true] {
                let report = [("fence", sunk), ("main", "protected branch hook declined"), ("dev", sunk)];
                assert_eq!(blamed(&report, proven), Blame::These(these(&["main"])), "{sunk}");
                let report = [("fence", sunk), ("main", "without `workflow` scope")];
                assert_eq!(blamed(&report, proven), Blame::These(these(&["main"])), "{sunk}");
                let report = [("fence", sunk), ("main", "no"), ("dev", "no"), ("x", "never")];
                assert_eq!(blamed(&report, proven), Blame::These(these(&["main", "dev", "x"])), "{sunk}");
            }
        }
        let report = [("fence", "rolled back"), ("main", "not you"), ("dev", "rolled back")];
        assert_eq!(blamed(&report, true), Blame::These(these(&["main"])));
        // Nothing is proven yet: that part is pushed by itself.
        assert_eq!(blamed(&report, false), Blame::Perhaps(these(&["main"])));
    }

    #[test]
    fn one_reason_for_all_names_nobody_even_if_it_names_each_ref() {
        for proven in [false, true] {
            let same = [("fence", "pre-receive hook declined"), ("main", "pre-receive hook declined")];
            assert_eq!(blamed(&same, proven), Blame::Whole);
            let each = [("fence", "cannot write refs/standin/fence"), ("main", "cannot write refs/heads/main")];
            assert_eq!(blamed(&each, proven), Blame::Whole);
            let sunk = [("fence", "atomic transaction failed"), ("main", "atomic transaction failed")];
            assert_eq!(blamed(&sunk, proven), Blame::Whole);
        }
    }

    #[test]
    fn what_the_report_leaves_open_is_left_to_another_push() {
        // The fence has a reason of its own: it, or the others.
        let report = [("fence", "rolled back"), ("main", "no"), ("dev", "no")];
        assert_eq!(blamed(&report, true), Blame::Perhaps(these(&["fence"])));
        assert_eq!(blamed(&report, false), Blame::Perhaps(these(&["fence"])));
        // Words that a server has for any ref of a failed transaction.
        let report = [("fence", "failed to lock"), ("main", "transaction aborted"), ("dev", "transaction aborted")];
        assert_eq!(blamed(&report, true), Blame::Perhaps(these(&["fence"])));
        let report = [("main", "one"), ("dev", "two")];
        assert!(matches!(blamed(&report, false), Blame::Perhaps(part) if part.len() == 1));
    }

    #[test]
    fn a_refused_fence_is_named_where_the_report_names_it() {
        let report =
            [("fence", "deny updating a hidden ref"), ("main", "atomic push failure"), ("dev", "atomic push failure")];
        assert_eq!(blamed(&report, true), Blame::These(these(&["fence"])));
        assert_eq!(blamed(&report[..1], false), Blame::These(these(&["fence"])));
    }
}
