//! `mirror remove`: what stays is shown, cleaned away where that is wished, and then the mirror goes.
//!
//! In this order, so that what breaks off half-way can be done again: at the mirror, while its token is there; the token; the
//! file; the memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use standin_state::config::edit::{Given, MirrorKey};
use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::JournalKind;
use ts_rs::TS;

use super::Engine;
use crate::context::MirrorContext;
use crate::leaving::{self, Here, Leaving, LeftKind};
use crate::mastership::direction::{self, Direction};
use crate::mastership::who;
use crate::setup::{Draft, MirrorChange};
use crate::tokens::{self, Place};
use crate::{Code, Error, Result, crash};

/// A mirror that was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Removed {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: MirrorId,
    /// What was cleaned away.
    pub cleaned: Vec<LeftKind>,
}

impl Engine {
    /// What of Standin stays when a mirror goes. Looks at the mirror, and changes nothing.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown mirror; [`Code::FencedOff`] for one that is master, [`Code::RoleChangeOpen`] and
    /// [`Code::ActionsLeftOff`] where something is open. That the mirror cannot be looked at is in the result.
    pub async fn mirror_leaving(&self, repository: Option<&RepositoryId>, mirror: &MirrorId) -> Result<Leaving> {
        let known = self.configured(repository)?;
        let leaver = mirror_in(&known, mirror)?;
        self.refuse_in_office(&known, mirror)?;
        let (seen, unseen) = match self.context_of_leaver(&known, mirror).await {
            Ok((context, _lock)) => match leaving::there(&context).await {
                Ok(left) => (left, None),
                Err(error) => (Vec::new(), Some(error)),
            },
            Err(error) => (Vec::new(), Some(error)),
        };
        let values = self.vault().names(&known.id)?;
        let folder = self.folder(&known.id);
        let looked =
            Here { store: &self.shared.store, repository: &known, mirror: &leaver, values: &values, folder: &folder };
        let left = seen.into_iter().chain(leaving::here(&looked)?).collect();
        Ok(Leaving {
            repository: known.id.clone(),
            mirror: mirror.clone(),
            repo: leaver.target.display(),
            left,
            unseen,
        })
    }

    /// Cleans away what is named, then takes the mirror out as it was drafted. What was begun and broke off is done again by
    /// the same call.
    ///
    /// # Errors
    /// As [`Engine::mirror_leaving`] and [`Engine::mirror_write`]; [`Code::Usage`] for what is not cleaned by Standin. What could
    /// not be cleaned stops the rest: the mirror is still configured then.
    pub async fn mirror_remove(&self, draft: &Draft, clean: &BTreeSet<LeftKind>) -> Result<Removed> {
        let MirrorChange::Remove { mirror } = &draft.request.change else {
            return Err(Error::new(Code::Usage, "this draft takes no mirror out", "Draft a removal."));
        };
        refuse_by_hand(clean)?;
        self.reload()?;
        let known = self.configured(Some(&draft.repository))?;
        let leaver = mirror_in(&known, mirror)?;
        self.refuse_in_office(&known, mirror)?;
        // Before anything is cleaned: what could not be written then is not begun.
        self.still(&self.config(), draft)?;
        let mut cleaned = Vec::new();
        if clean.iter().any(|what| what.is_there()) {
            let (context, _lock) = self.context_of_leaver(&known, mirror).await?;
            for what in clean.iter().copied().filter(|what| what.is_there()) {
                self.clean_one(&context, &known.id, mirror, what).await?;
                cleaned.push(what);
            }
        }
        if clean.contains(&LeftKind::Token) {
            let place = Place::Mirror(mirror.clone());
            let removed = tokens::remove(&self.shared.outside, &self.shared.store, &known, &place).await;
            self.audited("token_remove", Some(&known.id), Some(mirror), place.to_string(), removed)?;
            cleaned.push(LeftKind::Token);
        }
        if clean.contains(&LeftKind::Values) {
            self.take_values_back(&known, &leaver)?;
            cleaned.push(LeftKind::Values);
        }
        crash::point("leaving.write.before");
        self.mirror_write(draft)?;
        crash::point("leaving.write.after");
        if clean.contains(&LeftKind::Memory) {
            self.shared.store.forget_mirror(&known.id, mirror)?;
            cleaned.push(LeftKind::Memory);
        }
        Ok(Removed { repository: known.id.clone(), mirror: mirror.clone(), cleaned })
    }

    async fn clean_one(
        &self,
        context: &MirrorContext,
        repository: &RepositoryId,
        mirror: &MirrorId,
        what: LeftKind,
    ) -> Result<()> {
        let done = leaving::clean_there(context, what).await;
        self.audited("mirror_clean", Some(repository), Some(mirror), what.to_string(), done)
    }

    fn take_values_back(&self, known: &RepositoryConfig, leaver: &MirrorConfig) -> Result<()> {
        let values = self.vault().names(&known.id)?;
        let folder = self.folder(&known.id);
        Here { store: &self.shared.store, repository: known, mirror: leaver, values: &values, folder: &folder }
            .take_values_back()
    }

    /// The mirror with its lock held, also where it is switched off.
    async fn context_of_leaver(
        &self,
        known: &RepositoryConfig,
        mirror: &MirrorId,
    ) -> Result<(MirrorContext, standin_state::lock::MirrorLock)> {
        let allowed = self.repository(Some(&known.id))?;
        let direction = Direction::of(&self.shared.store, &allowed)?;
        let mut config = (*direction.config).clone();
        config.mirrors.iter_mut().filter(|known| known.id == *mirror).for_each(|known| known.enabled = true);
        self.locked_context_in(&Arc::new(config), mirror).await
    }

    /// Refuses to take away the master, and whatever a change of master that is open may need.
    pub(super) fn refuse_in_office(&self, known: &RepositoryConfig, mirror: &MirrorId) -> Result<()> {
        let store = &self.shared.store;
        let direction = Direction::of(store, known)?;
        if direction.master() == Some(mirror) {
            return Err(Error::new(
                Code::FencedOff,
                format!("mirror {mirror} is the master of {}", known.id),
                format!(
                    "Hand back first with `standin demote {mirror}`, or make another one the master with `standin promote MIRROR`."
                ),
            ));
        }
        let open = store.open_journals(Some(&known.id))?;
        let fences = direction::fences(store, known)?;
        let change = open.iter().find(|entry| entry.kind == JournalKind::RoleChange).map(|entry| entry.mirror.clone());
        let in_fence = who::open_change(&fences).map(|_| mirror.clone());
        if let Some(standby) = change.or(in_fence) {
            return Err(Error::new(
                Code::RoleChangeOpen,
                format!("a change of master of {} is open", known.id),
                format!("End it first, with `standin promote {standby} --resume` or `--rollback`."),
            ));
        }
        if open.iter().any(|entry| entry.mirror == *mirror) {
            return Err(Error::new(
                Code::ActionsLeftOff,
                format!("an interrupted sync left something open on {mirror}"),
                format!("Sync it once with `standin sync --mirror {mirror}`: that puts it in order."),
            ));
        }
        Ok(())
    }

    /// Refuses to move or to switch off the master by an edit of the configuration.
    pub(super) fn refuse_unseating(&self, known: &RepositoryConfig, change: &MirrorChange) -> Result<()> {
        match change {
            MirrorChange::Remove { mirror } => self.refuse_in_office(known, mirror),
            MirrorChange::Edit { mirror, changes } => {
                let unseats = changes.iter().any(|change| match change.key {
                    MirrorKey::Type | MirrorKey::Repo | MirrorKey::Url => true,
                    MirrorKey::Enabled => change.value == Some(Given::Flag(false)),
                    MirrorKey::SshKeyPath
                    | MirrorKey::Hooks
                    | MirrorKey::Sync
                    | MirrorKey::Schedule
                    | MirrorKey::Path
                    | MirrorKey::Refs
                    | MirrorKey::Interval
                    | MirrorKey::Timeout => false,
                });
                if unseats { self.refuse_in_office(known, mirror) } else { Ok(()) }
            }
            MirrorChange::Add { .. } | MirrorChange::EditRepository { .. } => Ok(()),
        }
    }
}

fn mirror_in(known: &RepositoryConfig, mirror: &MirrorId) -> Result<MirrorConfig> {
    known.mirror(mirror).cloned().ok_or_else(|| {
        let names: Vec<&str> = known.mirrors.iter().map(|mirror| mirror.id.as_str()).collect();
        let hint = format!("Its mirrors: {}.", names.join(", "));
        Error::new(Code::NotFound, format!("{} has no mirror {mirror}", known.id), hint)
    })
}

/// What nobody but its owner cleans away.
fn refuse_by_hand(clean: &BTreeSet<LeftKind>) -> Result<()> {
    let by_hand = [LeftKind::Contents, LeftKind::Copy, LeftKind::Rescues];
    match by_hand.into_iter().find(|what| clean.contains(what)) {
        None => Ok(()),
        Some(what) => Err(Error::new(
            Code::Usage,
            format!("{what} are never cleaned away by Standin"),
            "Remove them by hand, when you are sure that nobody needs them.",
        )),
    }
}
