//! Which way a repository is kept in step: from its current master to the others.
//!
//! The fences that are known say who is master. While that is not the configured source, the engine works with a
//! configuration that is turned round ([`RepositoryConfig::turned_to`]), so that plan, apply and record are the same in
//! both directions.

use std::collections::BTreeMap;
use std::sync::Arc;

use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::model::{MirrorId, Role, Verb};
use standin_state::store::Store;

use super::machine::{Change, Kind, Seen};
use super::seen;
use super::who::{self, Who};
use crate::fence::Summary;
use crate::{Code, Error, Result};
use standin_state::model::Site;

/// Who is master of a repository, and the configuration that follows from it.
#[derive(Clone, Debug)]
pub struct Direction {
    /// The repository as it is configured.
    pub home: Arc<RepositoryConfig>,
    /// The repository with its master as source.
    pub config: Arc<RepositoryConfig>,
    /// What the fences say; `None` before the first sync.
    pub who: Option<Who>,
}

impl Direction {
    /// The direction by the fences that are remembered.
    ///
    /// # Errors
    /// [`Code::Storage`] when they cannot be read.
    pub fn of(store: &Store, home: &RepositoryConfig) -> Result<Self> {
        let who = who::master(&fences(store, home)?);
        let turned = who.as_ref().and_then(|who| master_mirror(home, &who.master)).and_then(|id| home.turned_to(id));
        let home = Arc::new(home.clone());
        let config = turned.map_or_else(|| home.clone(), Arc::new);
        Ok(Self { home, config, who })
    }

    /// The configured mirror that is master; `None` while the configured source is.
    pub fn master(&self) -> Option<&MirrorId> {
        self.config.master.as_ref()
    }

    /// Whether the master only stands in for the configured source, which waits to be handed back to.
    pub fn is_temporary(&self) -> bool {
        self.master().is_some() && self.who.as_ref().is_some_and(|who| who.is_temporary)
    }

    /// The repository that is to be watched: the master or, while a standby stands in for it, the configured source.
    pub fn watched(&self) -> &RepositoryConfig {
        if self.is_temporary() { &self.home } else { &self.config }
    }

    /// The place of [`Self::watched`]: `source`, or the mirror that is master.
    pub fn watched_place(&self) -> MirrorId {
        self.watched().master.clone().unwrap_or_else(MirrorId::source)
    }

    /// What is kept in step with the master: all other mirrors, and the source unless it waits to be handed back to.
    pub fn targets(&self) -> impl Iterator<Item = &MirrorConfig> {
        let waits = self.is_temporary();
        self.config.mirrors.iter().filter(move |mirror| !(waits && mirror.id.is_source()))
    }

    /// The role of the configured source.
    pub fn role_of_source(&self) -> Role {
        if self.master().is_none() { Role::Master } else { Role::Slave }
    }

    /// The role of a configured mirror; `None` for types that have none.
    pub fn role_of(&self, mirror: &MirrorId) -> Option<Role> {
        self.home.mirror(mirror)?.slug().map(|_| match (self.master() == Some(mirror), self.is_temporary()) {
            (true, true) => Role::TemporaryMaster,
            (true, false) => Role::Master,
            (false, _) => Role::Slave,
        })
    }

    /// Refuses what may only be done with one master.
    ///
    /// # Errors
    /// [`Code::TwoMasters`], with both and what to do.
    pub fn check(&self) -> Result<()> {
        let Some(who) = self.who.as_ref().filter(|who| !who.rivals.is_empty()) else { return Ok(()) };
        Err(Error::new(
            Code::TwoMasters,
            format!(
                "{} has two masters in epoch {}: {} and {}; each was made so without seeing the other",
                self.home.id,
                who.epoch,
                who.master,
                who.rivals.iter().map(Site::as_str).collect::<Vec<_>>().join(", ")
            ),
            "Decide for one: `standin promote MIRROR` makes a mirror the only master, `standin demote MIRROR` hands back to \
             the source. Until then nothing is synced; the commits of both are kept.",
        ))
    }

    /// Refuses to sync towards the master, and towards a source that waits for the hand-back.
    ///
    /// # Errors
    /// [`Code::FencedOff`] with what to do.
    pub fn check_target(&self, mirror: &MirrorId) -> Result<()> {
        if self.master() == Some(mirror) {
            return Err(Error::new(
                Code::FencedOff,
                format!(
                    "mirror {mirror} ({}) is the master; nothing is synced towards it",
                    self.config.source.display()
                ),
                format!("Sync the others from it with `standin sync`, or hand back with `standin demote {mirror}`."),
            )
            .offering(Verb::Demote, Some(mirror)));
        }
        if mirror.is_source() && self.is_temporary() {
            return Err(Error::new(
                Code::FencedOff,
                format!(
                    "the source {} waits for the hand-back: {} stands in for it",
                    self.home.source.display(),
                    self.config.source.display()
                ),
                format!(
                    "When it is back, `standin demote {}` brings it what was done meanwhile.",
                    self.master().map_or("MIRROR", MirrorId::as_str)
                ),
            )
            .offering(Verb::Demote, self.master()));
        }
        Ok(())
    }
}

/// The fences that are remembered of a repository, by the repository that they stand on.
///
/// # Errors
/// [`Code::Storage`] when they cannot be read.
pub fn fences(store: &Store, home: &RepositoryConfig) -> Result<BTreeMap<Site, Seen>> {
    let mut fences = BTreeMap::new();
    for (id, site) in home.places() {
        if let Some(memory) = store.fence_memory(&home.id, &id)?
            && let Ok(document) = Summary::summary(memory.document.as_bytes())
        {
            fences.insert(site, seen(&document));
        }
    }
    Ok(fences)
}

/// The mirror that a fence means by this master; `None` where it is the source or nobody who is configured.
pub fn master_mirror<'a>(home: &'a RepositoryConfig, master: &Site) -> Option<&'a MirrorId> {
    if !matches!(home.source, Source::GitHub(_)) || *master == home.source.site() {
        return None;
    }
    let mut github = home.mirrors.iter().filter(|mirror| mirror.slug().is_some());
    github.find(|mirror| *master == mirror.target.site()).map(|mirror| &mirror.id)
}

/// The mirror whose role a change is about: the standby of the two, as it is configured here.
pub fn standby_of<'a>(home: &'a RepositoryConfig, change: &Change) -> Option<&'a MirrorId> {
    let candidates = match change.kind {
        Kind::Switchover => [&change.new, &change.old],
        Kind::Failover if !change.is_homeward => [&change.new, &change.old],
        Kind::Failover | Kind::Demote => [&change.old, &change.new],
    };
    candidates.into_iter().find_map(|site| master_mirror(home, site))
}
