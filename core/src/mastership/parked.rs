//! The names of refs that a hand-back parks: what could not come home under its own name.

use std::collections::BTreeMap;

use standin_state::model::{Oid, RefName};

use crate::git::Refs;

/// The beginning of the names of parked refs, behind `refs/heads/` or `refs/tags/`.
pub(crate) const PARKED: &str = "standin/handback-";

/// Whether it is a ref that was parked by a hand-back.
pub(crate) fn is_parked(name: &RefName) -> bool {
    rest_of(name).1.starts_with(PARKED)
}

/// The name of the branch that a parked one was, such as `main` of `refs/heads/standin/handback-3/main`.
pub(crate) fn parked_from(name: &RefName) -> Option<&str> {
    rest_of(name).1.strip_prefix(PARKED)?.split_once('/').map(|(_, branch)| branch)
}

/// The tips of the branches among `refs` that a hand-back made to keep what another one had on the standby, by the other
/// one's short name.
pub(crate) fn kept(refs: &Refs) -> BTreeMap<&str, Vec<&Oid>> {
    let mut kept = BTreeMap::<_, Vec<_>>::new();
    for (name, tip) in refs.iter().filter(|(name, _)| name.is_branch()) {
        if let Some(branch) = parked_from(name) {
            kept.entry(branch).or_default().push(tip);
        }
    }
    kept
}

/// `refs/heads/` and what is behind it, likewise for tags and notes.
pub(crate) fn rest_of(name: &RefName) -> (&str, &str) {
    let text = name.as_str();
    let kind = text.match_indices('/').nth(1).map_or(0, |(end, _)| end + 1);
    text.split_at(kind)
}
