//! What is taken out of a push: refs that the host refused, those that are left for a later sync, and those that nothing made room for.

use std::collections::BTreeMap;

use standin_state::model::RefName;
use standin_state::store::{ChangeAction, ChangeOutcome};

use super::push::Pusher;
use super::remembered::Known;
use super::search::Left;
use super::send::recorded;
use crate::code::plan::in_the_way;
use crate::mirror::MirrorView;
use crate::plan::RefChange;
use crate::{Code, Error, Result};

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
        self.remember(&out);
        self.refuse(out)?;
        Ok(rest)
    }

    /// Remembers these as refused.
    fn remember(&mut self, refused: &[Refused]) {
        let changes: Vec<RefChange> = refused.iter().map(|refused| refused.change.clone()).collect();
        self.memory.forget(&changes);
        self.memory.add(refused.iter().map(Known::of));
    }

    /// Takes out what the host named in words in its refusal of a push, and what did not arrive otherwise.
    pub(super) fn take_out_named(&mut self, named: Vec<RefChange>) -> Result<()> {
        let errors = named.iter().map(|change| {
            let error = self.named.remove(&change.name).unwrap_or_else(|| not_reached(&change.name));
            (change.name.clone(), error)
        });
        let errors = errors.collect();
        self.take_out(named, errors)?;
        Ok(())
    }

    /// Remembers what a search found and did not come to, without a word: everything is planned anew.
    pub(super) fn set_aside(&mut self, left: Left) {
        let mut named = Vec::new();
        for change in left.named {
            if let Some(error) = self.named.remove(&change.name) {
                named.push(Refused { change, error });
            }
        }
        self.remember(&named);
        self.suspect(&left.suspected);
    }

    /// Remembers that these stood among refused refs, unless more is known of them.
    fn suspect(&mut self, changes: &[RefChange]) {
        let known = self.memory.by_name();
        let is_known = |change: &&RefChange| known.get(&change.name).is_some_and(|known| known.is(change));
        let unknown: Vec<RefChange> = changes.iter().filter(|change| !is_known(change)).cloned().collect();
        self.memory.forget(&unknown);
        self.memory.add(unknown.iter().map(Known::suspected));
    }

    /// Leaves refs to the next sync, for the reason that is known or since the search did not come to them.
    pub(super) fn give_up(&mut self, changes: Vec<RefChange>) -> Result<()> {
        self.suspect(&changes);
        let known = self.memory.by_name();
        let given_up = changes.into_iter().map(|change| {
            let error = known.get(&change.name).and_then(|known| known.error.clone());
            let error = error.unwrap_or_else(|| not_reached(&change.name));
            Refused { change, error }
        });
        let given_up = given_up.collect();
        self.refuse(given_up)
    }

    pub(super) fn refuse(&mut self, refused: Vec<Refused>) -> Result<()> {
        let failed =
            |refused: &Refused| (recorded(&refused.change), ChangeOutcome::Failed { error: refused.error.clone() });
        self.sender.ctx.all_changed(refused.iter().map(failed).collect())?;
        self.refused.extend(refused);
        Ok(())
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

/// What is said of a ref that the search did not come to.
fn not_reached(name: &RefName) -> Error {
    Error::new(
        Code::RefRefused,
        format!("{name}: not pushed yet, since the host refuses much of what goes with it"),
        "The next sync goes on from here. Mend what the host says of the other refs, then it goes at once.",
    )
}
