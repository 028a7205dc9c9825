//! What becomes of each ref of the standby. Asks questions about commits and changes nothing.

use standin_state::model::{Oid, RefName};

use super::Tips;
use super::push::Refusals;
use super::sides::Sides;
use super::words::{HandBackFate, HandBackRef};
use crate::code::in_the_way;
use crate::mastership::parked::{PARKED, is_parked, parked_from, rest_of};
use crate::{Code, Error, Result};

/// How many names are tried for one parked ref.
const NAMES: u32 = 200;

/// What is to be decided.
pub(super) struct Question<'a> {
    pub sides: &'a Sides,
    /// Tips that the standby had when the hand-back was planned and has no more.
    pub vanished: &'a [HandBackRef],
    /// What the source's host refused by now.
    pub refusals: &'a Refusals,
    pub epoch: u64,
}

/// Every ref of the standby that is not the same at the source, in order of name.
///
/// # Errors
/// When the cache cannot be read.
pub(super) fn decide(question: &Question<'_>) -> Result<Vec<HandBackRef>> {
    let Question { sides, .. } = question;
    let (parked, plain): (Tips, Tips) =
        sides.source.iter().map(|(name, tip)| (name.clone(), tip.clone())).partition(|(name, _)| is_parked(name));
    let mut decision = Decision { question, plain, parked, taken: sides.source.clone(), refs: Vec::new() };
    let differs = |name: &RefName, tip: &Oid| sides.source.get(name) != Some(tip);
    for (name, tip) in sides.standby.iter().filter(|(name, tip)| !is_parked(name) && differs(name, tip)) {
        decision.of_plain(name, tip)?;
    }
    // After the others, which may bring the same commits.
    for (name, tip) in sides.standby.iter().filter(|(name, _)| is_parked(name)) {
        decision.of_parked(name, tip)?;
    }
    for home in question.vanished {
        decision.of_vanished(&home.name, &home.tip)?;
    }
    let mut refs = decision.refs;
    refs.sort_by(|one, other| one.name.cmp(&other.name));
    for home in refs.iter_mut().filter(|home| home.fate != HandBackFate::Contained) {
        home.commits = sides.missing([&home.tip], sides.source.values())?.len() as u64;
    }
    Ok(refs)
}

struct Decision<'a> {
    question: &'a Question<'a>,
    /// The source's refs without those that were parked there.
    plain: Tips,
    /// Those.
    parked: Tips,
    /// Names at the source, with those that are decided to be made.
    taken: Tips,
    refs: Vec<HandBackRef>,
}

impl Decision<'_> {
    fn of_plain(&mut self, name: &RefName, tip: &Oid) -> Result<()> {
        let sides = self.question.sides;
        let is_allowed = !self.question.refusals.has(name, tip);
        match sides.source.get(name) {
            Some(there) if !name.is_tag() && sides.holds(there, tip)? => return self.contained(name, tip),
            Some(there) if !name.is_tag() && is_allowed && sides.holds(tip, there)? => {
                self.add(name, tip, HandBackFate::FastForward, Some(name.clone()), false);
                return Ok(());
            }
            Some(_) => {}
            None => {
                // It came from the source and nobody touched it since: it was deleted there.
                if sides.pushed.get(name) == Some(tip) && self.is_contained(tip)? {
                    return self.contained(name, tip);
                }
                if is_allowed && in_the_way(&self.taken, name).next().is_none() {
                    self.add(name, tip, HandBackFate::Create, Some(name.clone()), false);
                    return Ok(());
                }
            }
        }
        // Where a tag points is what it says, so it is kept although its commits are there.
        if !name.is_tag() && self.is_contained(tip)? {
            return self.contained(name, tip);
        }
        self.park(name, tip, None)
    }

    fn of_parked(&mut self, name: &RefName, tip: &Oid) -> Result<()> {
        if self.question.sides.source.get(name) == Some(tip) {
            self.add(name, tip, HandBackFate::Parked, Some(name.clone()), true);
            return Ok(());
        }
        if self.is_brought(name, tip)? {
            return self.contained(name, tip);
        }
        self.park(name, tip, Some(name))
    }

    fn of_vanished(&mut self, name: &RefName, tip: &Oid) -> Result<()> {
        if self.is_brought(name, tip)? { Ok(()) } else { self.park(name, tip, is_parked(name).then_some(name)) }
    }

    /// Whether the source has these commits, apart from what is only parked there.
    fn is_contained(&self, tip: &Oid) -> Result<bool> {
        Ok(self.question.sides.missing([tip], self.plain.values())?.is_empty())
    }

    /// Whether the source has these commits, or will have them by what is decided so far.
    /// For a tag that means the tag itself.
    fn is_brought(&self, name: &RefName, tip: &Oid) -> Result<bool> {
        let coming = self.refs.iter().filter_map(|home| Some((home.at.as_ref()?, &home.tip)));
        if name.is_tag() {
            let mut there = self.question.sides.source.iter().chain(coming);
            return Ok(there.any(|(name, there)| name.is_tag() && there == tip));
        }
        let coming = coming.map(|(_, tip)| tip);
        Ok(self.question.sides.missing([tip], self.plain.values().chain(coming))?.is_empty())
    }

    /// Finds where it is parked, or a free name for it; `wanted` is the name that it has, where it was parked on the standby.
    fn park(&mut self, name: &RefName, tip: &Oid, wanted: Option<&RefName>) -> Result<()> {
        let sides = self.question.sides;
        if let Some(at) = self.parked_already(name, tip)? {
            self.add(name, tip, HandBackFate::Parked, Some(at), true);
            return Ok(());
        }
        if self.question.refusals.is_homeless(tip) {
            self.add(name, tip, HandBackFate::Parked, None, false);
            return Ok(());
        }
        for number in 1..NAMES {
            for candidate in candidates(name, wanted, self.question.epoch, number)? {
                if sides.source.get(&candidate) == Some(tip) {
                    self.add(name, tip, HandBackFate::Parked, Some(candidate), true);
                    return Ok(());
                }
                // A name that the sentinel parked another tip under on the standby is wanted for that one.
                let is_free = !self.taken.contains_key(&candidate)
                    && sides.standby.get(&candidate).is_none_or(|there| there == tip)
                    && in_the_way(&self.taken, &candidate).next().is_none();
                if is_free {
                    self.add(name, tip, HandBackFate::Parked, Some(candidate), false);
                    return Ok(());
                }
            }
        }
        let (kind, rest) = rest_of(name);
        Err(Error::new(
            Code::RefRefused,
            format!("there is no free name below {kind}{PARKED}{}/ at the source for {rest}", self.question.epoch),
            "A ref named `standin`, or one of `standin/handback-…`, is in the way there: rename it.",
        ))
    }

    /// The parked ref of the source that was made for it, in this hand-back or an earlier one, and has its commits.
    fn parked_already(&self, name: &RefName, tip: &Oid) -> Result<Option<RefName>> {
        let (kind, rest) = rest_of(name);
        let origin = parked_from(name).unwrap_or(rest);
        let made_for_it = |parked: &&RefName| parked.as_str().starts_with(kind) && parked_from(parked) == Some(origin);
        for parked in self.parked.keys().filter(made_for_it) {
            let there = &self.parked[parked];
            // A tag that leads to it is another tag.
            if there == tip || (!name.is_tag() && self.question.sides.holds(there, tip)?) {
                return Ok(Some(parked.clone()));
            }
        }
        Ok(None)
    }

    fn contained(&mut self, name: &RefName, tip: &Oid) -> Result<()> {
        self.add(name, tip, HandBackFate::Contained, None, true);
        Ok(())
    }

    fn add(&mut self, name: &RefName, tip: &Oid, fate: HandBackFate, at: Option<RefName>, is_there: bool) {
        if let Some(at) = &at {
            self.taken.entry(at.clone()).or_insert_with(|| tip.clone());
        }
        let refused = match fate {
            HandBackFate::Parked => self.question.refusals.why(name, tip).map(|error| error.message.clone()),
            _ => None,
        };
        self.refs.push(HandBackRef {
            name: name.clone(),
            tip: tip.clone(),
            source_tip: self.question.sides.source.get(name).cloned(),
            fate,
            at,
            is_there,
            commits: 0,
            refused,
        });
    }
}

/// Names for a parked ref, best first: numbered behind, and, for where a name of the same beginning is in the way, numbered
/// before.
fn candidates(name: &RefName, wanted: Option<&RefName>, epoch: u64, number: u32) -> Result<Vec<RefName>> {
    let (kind, rest) = rest_of(name);
    let texts = match (wanted, number) {
        (Some(wanted), 1) => vec![wanted.to_string()],
        (Some(wanted), number) => vec![format!("{wanted}-{number}")],
        (None, 1) => vec![format!("{kind}{PARKED}{epoch}/{rest}")],
        (None, number) => {
            vec![format!("{kind}{PARKED}{epoch}/{rest}-{number}"), format!("{kind}{PARKED}{epoch}-{number}/{rest}")]
        }
    };
    texts
        .into_iter()
        .map(|text| text.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), "")))
        .collect()
}
