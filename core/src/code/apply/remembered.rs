//! Refs that a mirror's host refused at the last sync: the next one begins without them, and offers them again at its end.
//!
//! What stands here of a ref counts for the very move that was refused; whatever else is tried anew.

use serde::{Deserialize, Serialize};
use standin_state::model::{Oid, RefName};

use super::refused::Refused;
use crate::context::MirrorContext;
use crate::git::Refs;
use crate::plan::RefChange;
use crate::{Code, Error, Result};

/// The fact that keeps them.
const FACT: &str = "refused";
/// How many are remembered. More are searched for again.
const MOST: usize = 5_000;

/// A ref that was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    name: RefName,
    old: Option<Oid>,
    new: Option<Oid>,
    pub error: Error,
}

impl Known {
    pub(super) fn of(refused: &Refused) -> Self {
        let Refused { change, error } = refused.clone();
        Self { name: change.name, old: change.old, new: change.new, error }
    }

    /// Whether this is the move that was refused.
    pub(super) fn is(&self, change: &RefChange) -> bool {
        self.name == change.name && self.old == change.old && self.new == change.new
    }

    /// Whether that move is still to be made.
    pub(super) fn is_open(&self, source: &Refs, mirror: &Refs) -> bool {
        source.get(&self.name) == self.new.as_ref() && mirror.get(&self.name) == self.old.as_ref()
    }
}

/// What is remembered of a mirror, those first that were not offered for longest. The store keeps it apart for each place that the mirror
/// named.
pub(super) fn recall(ctx: &MirrorContext) -> Result<Vec<Known>> {
    let fact = ctx.store().fact(&ctx.repository().id, Some(&ctx.mirror.id), FACT)?;
    // What an older or newer version wrote is tried anew.
    Ok(fact.and_then(|fact| serde_json::from_str(&fact).ok()).unwrap_or_default())
}

/// Remembers these, and no others.
pub(super) fn keep(ctx: &MirrorContext, mut refs: Vec<Known>) -> Result<()> {
    let (store, repository, mirror) = (ctx.store(), &ctx.repository().id, Some(&ctx.mirror.id));
    if refs.is_empty() {
        return match store.fact(repository, mirror, FACT)? {
            Some(_) => store.set_fact(repository, mirror, FACT, None),
            None => Ok(()),
        };
    }
    refs.truncate(MOST);
    let refs = serde_json::to_string(&refs);
    let refs = refs.map_err(|error| Error::new(Code::Internal, format!("{error}"), "Please report this."))?;
    store.set_fact(repository, mirror, FACT, Some(&refs))
}
