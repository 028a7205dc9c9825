//! What is taken out of a push: refs that the host refused, those that are left for a later sync, and those that nothing made room for.

use std::collections::BTreeMap;

use standin_state::model::RefName;
use standin_state::store::{ChangeAction, ChangeOutcome};

use super::push::Pusher;
use super::remembered::Known;
use super::search::not_reached;
use super::send::recorded;
use crate::code::plan::in_the_way;
use crate::mirror::MirrorView;
use crate::plan::RefChange;
use crate::{Code, Error, Result};

/// How many of the refs that a host refused before are looked at one by one, where it refuses all of them together again.
pub(super) const LOOKED_AT_AGAIN: usize = 8;

/// A ref that the host refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The change.
    pub change: RefChange,
    /// Why, and what to do.
    pub error: Error,
}

impl Pusher<'_> {
    /// Records the refused changes of a group and returns the others.
    pub(super) fn take_out(
        &mut self,
        group: Vec<RefChange>,
        mut errors: BTreeMap<RefName, Error>,
    ) -> Result<Vec<RefChange>> {
        let (mut out, mut rest) = (Vec::new(), Vec::new());
        for change in group {
            match errors.remove(&change.name) {
                Some(error) => out.push(Refused { change, error }),
                None => rest.push(change),
            }
        }
        self.found.extend(out.iter().map(Known::of));
        self.known.retain(|known| !out.iter().any(|refused| known.is(&refused.change)));
        self.refuse(out)?;
        Ok(rest)
    }

    /// Of refs that the host refused before and refuses together again, some are looked at by themselves; the others stay refused for the
    /// reason that is known, and it is their turn at a later sync.
    pub(super) fn leave(&mut self, group: Vec<RefChange>) -> Result<Vec<RefChange>> {
        let (mut looked_at, mut left) = (Vec::new(), Vec::new());
        for known in &self.known {
            let Some(change) = group.iter().find(|change| known.is(change)) else { continue };
            if looked_at.len() < LOOKED_AT_AGAIN {
                looked_at.push(change.clone());
            } else {
                left.push(Refused { change: change.clone(), error: known.error.clone() });
            }
        }
        self.refuse(left)?;
        Ok(looked_at)
    }

    pub(super) fn refuse(&mut self, refused: Vec<Refused>) -> Result<()> {
        let failed =
            |refused: &Refused| (recorded(&refused.change), ChangeOutcome::Failed { error: refused.error.clone() });
        self.sender.ctx.all_changed(refused.iter().map(failed).collect())?;
        self.refused.extend(refused);
        Ok(())
    }

    pub(super) fn give_up(&mut self, group: Vec<RefChange>) -> Result<()> {
        let given_up = group.into_iter().map(|change| {
            let known = self.known.iter().find(|known| known.is(&change));
            let error = known.map_or_else(|| not_reached(&change.name), |known| known.error.clone());
            Refused { change, error }
        });
        self.refuse(given_up.collect())
    }

    /// Takes out creates whose name is still taken.
    pub(super) fn with_room(&mut self, view: &MirrorView, group: Vec<RefChange>) -> Result<Vec<RefChange>> {
        let (mut free, mut blocked) = (Vec::new(), Vec::new());
        for change in group {
            let taken = match change.action {
                ChangeAction::Create => in_the_way(&view.refs, &change.name).next().cloned(),
                _ => None,
            };
            match taken {
                None => free.push(change),
                Some(other) => {
                    let error = Error::new(
                        Code::RefRefused,
                        format!("{}: `{other}` on the mirror is in its way and could not be deleted", change.name),
                        "git keeps refs like files, so one cannot be a folder of the other.",
                    );
                    blocked.push(Refused { change, error });
                }
            }
        }
        self.refuse(blocked)?;
        Ok(free)
    }
}
