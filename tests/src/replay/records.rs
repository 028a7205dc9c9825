//! What was pushed, what the host said, and what it did.

use std::collections::BTreeMap;

use git2::Oid;

/// One ref that a push would move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The ref.
    pub name: String,
    /// Where the client believes that it stands; `None`: nowhere.
    pub old: Option<Oid>,
    /// Where it shall stand; `None`: nowhere.
    pub new: Option<Oid>,
}

/// One push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRecord {
    /// The refs, as the client named them.
    pub asked: Vec<Asked>,
    /// Whether all or none were asked for.
    pub atomic: bool,
    /// What was said of each ref: `None` is `ok`.
    pub report: BTreeMap<String, Option<String>>,
    /// The lines that went with it.
    pub remarks: Vec<String>,
    /// The refs that were really moved.
    pub taken: Vec<String>,
}

impl PushRecord {
    /// Whether the push carried this ref.
    pub fn has(&self, name: &str) -> bool {
        self.asked.iter().any(|asked| asked.name == name)
    }
}
