//! Refs that a mirror's host refused at the last sync, and those of which it is not known whether it does: the next one begins without
//! them, goes on with these, and offers those again at its end.
//!
//! What stands here of a ref counts for the very move that was refused. Another move of the same ref is tried anew, though not together
//! with refs of which nothing is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use standin_state::model::{Oid, RefName};
use standin_state::store::Fact;

use super::refused::Refused;
use crate::context::MirrorContext;
use crate::git::Refs;
use crate::plan::RefChange;
use crate::{Code, Error, Result};

/// How many are remembered. More are searched for again.
const MOST: usize = 50_000;
/// Of how many it is remembered what the host said. The others are searched for again, apart from what is new.
const MOST_WORDS: usize = 5_000;
/// After how many searches in a row that found nothing only some refs are looked at.
const VAIN: u32 = 2;

/// A ref that was refused, or that was among such refs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    name: RefName,
    old: Option<Oid>,
    new: Option<Oid>,
    /// Why; `None` where no search came to it.
    pub error: Option<Error>,
}

impl Known {
    pub(super) fn of(refused: &Refused) -> Self {
        Self { error: Some(refused.error.clone()), ..Self::suspected(&refused.change) }
    }

    /// A ref that the search did not come to.
    pub(super) fn suspected(change: &RefChange) -> Self {
        let RefChange { name, old, new, .. } = change.clone();
        Self { name, old, new, error: None }
    }

    /// Whether this is the move that was refused.
    pub(super) fn is(&self, change: &RefChange) -> bool {
        self.name == change.name && self.old == change.old && self.new == change.new
    }

    /// Whether that move is still to be made.
    fn is_open(&self, source: &Refs, mirror: &Refs) -> bool {
        source.get(&self.name) == self.new.as_ref() && mirror.get(&self.name) == self.old.as_ref()
    }
}

/// What is remembered of a mirror.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Refusals {
    /// Those first that were not offered for longest.
    refs: Vec<Known>,
    /// How many searches in a row found nothing that the host takes, nor whom it means.
    vain: u32,
}

/// Changes by what is remembered of them.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Nothing.
    pub new: Vec<RefChange>,
    /// The host may refuse them.
    pub doubtful: Vec<RefChange>,
    /// The host refused them, or whatever was tried of what they stood among.
    pub again: Vec<RefChange>,
}

impl Refusals {
    /// What is remembered of each ref.
    pub fn by_name(&self) -> BTreeMap<&RefName, &Known> {
        self.refs.iter().map(|known| (&known.name, known)).collect()
    }

    /// Forgets what is remembered of these, since something else is known of them now.
    pub fn forget(&mut self, changes: &[RefChange]) {
        let names: BTreeSet<&RefName> = changes.iter().map(|change| &change.name).collect();
        self.refs.retain(|known| !names.contains(&known.name));
    }

    /// Adds these as the last.
    pub fn add(&mut self, refs: impl IntoIterator<Item = Known>) {
        self.refs.extend(refs);
    }

    /// A run ended: whether it left refs that no search came to, whether the host took nothing whatever, and whether the search found
    /// nothing.
    pub fn count(&mut self, is_open: bool, took_nothing: bool, is_vain: bool) {
        self.vain = match (is_open, took_nothing, is_vain) {
            (true, true, _) => VAIN,
            (true, false, true) => self.vain + 1,
            _ => 0,
        };
    }

    /// Whether no search came to one of these.
    pub fn is_open(&self, changes: &[RefChange]) -> bool {
        let known = self.by_name();
        let is_found =
            |change: &RefChange| known.get(&change.name).is_some_and(|known| known.is(change) && known.error.is_some());
        !changes.iter().all(is_found)
    }

    /// Whether the last search found nothing.
    pub fn is_vain(&self) -> bool {
        self.vain > 0
    }

    /// Sorts changes. Those that were refused are in the order in which it is their turn.
    pub fn sort(&self, changes: Vec<RefChange>) -> Sorted {
        let mut sorted = Sorted::default();
        let names: BTreeMap<&RefName, (usize, &Known)> =
            self.refs.iter().enumerate().map(|(index, known)| (&known.name, (index, known))).collect();
        let (mut refused, mut suspected) = (BTreeMap::new(), BTreeMap::new());
        for change in changes {
            match names.get(&change.name) {
                None => sorted.new.push(change),
                Some((index, known)) if known.is(&change) && known.error.is_some() => {
                    refused.insert(*index, change);
                }
                Some((index, known)) if known.is(&change) && self.vain >= VAIN => {
                    suspected.insert(*index, change);
                }
                Some(_) => sorted.doubtful.push(change),
            }
        }
        // They take turns with each other.
        let (mut refused, mut suspected) = (refused.into_values(), suspected.into_values());
        loop {
            let pair = [suspected.next(), refused.next()];
            if pair.iter().all(Option::is_none) {
                break;
            }
            sorted.again.extend(pair.into_iter().flatten());
        }
        sorted
    }
}

/// What is remembered of a mirror. The store keeps it apart for each place that the mirror named.
pub(super) fn recall(ctx: &MirrorContext) -> Result<Refusals> {
    let fact = ctx.memory().get(Fact::Refused)?;
    // What an older or newer version wrote is tried anew.
    Ok(fact.and_then(|fact| serde_json::from_str(&fact).ok()).unwrap_or_default())
}

/// Remembers what is still open of this, and nothing else.
pub(super) fn keep(ctx: &MirrorContext, memory: &mut Refusals, source: &Refs, mirror: &Refs) -> Result<()> {
    memory.refs.retain(|known| known.is_open(source, mirror));
    if memory.refs.is_empty() {
        return ctx.memory().forget(Fact::Refused);
    }
    memory.refs.truncate(MOST);
    for known in memory.refs.iter_mut().filter(|known| known.error.is_some()).skip(MOST_WORDS) {
        known.error = None;
    }
    let refs = serde_json::to_string(memory);
    let refs = refs.map_err(|error| Error::new(Code::Internal, format!("{error}"), "Please report this."))?;
    ctx.memory().set(Fact::Refused, &refs)
}
