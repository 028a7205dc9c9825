//! Who takes part in a role change: each repository reachable as a [`MirrorContext`], the sources for both directions,
//! and the locks that keep syncs of this machine away meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::lock::MirrorLock;
use standin_state::model::{MirrorId, Site};

use crate::context::MirrorContext;
use crate::mastership::direction::Direction;
use crate::mastership::machine::Change;
use crate::source::{SharedSource, named};
use crate::{Code, Error, Result};

/// The repositories of one role change.
pub(crate) struct Parties {
    /// Who was master when it was put together.
    pub direction: Direction,
    /// The standby whose role changes.
    pub standby: Arc<MirrorConfig>,
    /// The configured source, as source.
    pub home: Arc<SharedSource>,
    /// The standby, as source.
    pub turned: Arc<SharedSource>,
    /// Each repository with a fence, by its slug, URL or path.
    pub sites: BTreeMap<Site, MirrorContext>,
    /// The locks of the standby and of the source.
    pub locks: Vec<MirrorLock>,
}

impl Parties {
    /// Makes each of them reachable. `home` is as configured, `at_home` its source, `turned` the source where the standby is
    /// master.
    ///
    /// # Errors
    /// What keeps the standby or, but for a missing token, the source from being reached.
    pub async fn gather(
        home: &RepositoryConfig,
        standby: Arc<MirrorConfig>,
        at_home: Arc<SharedSource>,
        turned: Arc<SharedSource>,
    ) -> Result<Self> {
        let mut sites: BTreeMap<Site, MirrorContext> = BTreeMap::new();
        sites.insert(standby.target.site(), at_home.context_by_hand(standby.clone()).await?);
        let source = named(&turned.context.repository, &MirrorId::source())?;
        match turned.context_by_hand(source.clone()).await {
            Ok(context) => _ = sites.insert(source.target.site(), context),
            // A fail-over does without it.
            Err(error) if error.code == Code::TokenMissing => {}
            Err(error) => return Err(error),
        }
        // A copy of an upstream takes no part: it has no fence, and shows the very place of its upstream.
        let takes_part = |mirror: &&MirrorConfig| mirror.enabled && mirror.target.pulled().is_none();
        for mirror in home.mirrors.iter().filter(takes_part).filter(|mirror| mirror.id != standby.id) {
            let mirror = Arc::new(mirror.clone());
            if let Ok(context) = at_home.context_by_hand(mirror.clone()).await {
                sites.insert(mirror.target.site(), context);
            }
        }
        let direction = Direction::of(&at_home.context.store, home)?;
        Ok(Self { direction, standby, home: at_home, turned, sites, locks: Vec::new() })
    }

    /// The slug of the standby.
    pub fn standby_site(&self) -> Site {
        self.standby.target.site()
    }

    /// The slug of the configured source.
    pub fn source_site(&self) -> Site {
        self.direction.home.source.site()
    }

    /// One of the repositories.
    ///
    /// # Errors
    /// [`Code::RoleChangeOpen`] for one that is not in this configuration.
    pub fn site(&self, site: &Site) -> Result<&MirrorContext> {
        self.sites.get(site).ok_or_else(|| {
            Error::new(
                Code::RoleChangeOpen,
                format!("the role change names {site}, which is not in this configuration"),
                format!(
                    "Go on with it where {site} is configured, or configure it here as the source or as a mirror of type \
                     `github`."
                ),
            )
        })
    }

    /// Mirrors that take no part in a change of these two, by slug, URL or path.
    pub fn others(&self, change: &Change) -> Vec<Site> {
        let takes_part = |site: &Site| *site == change.old || *site == change.new;
        self.sites.keys().filter(|site| !takes_part(site)).cloned().collect()
    }

    /// A change that another machine wrote down, in the words of this configuration.
    ///
    /// # Errors
    /// As [`Parties::site`].
    pub fn localized(&self, change: &Change) -> Result<Change> {
        let known = |site: &Site| {
            let found = self.sites.keys().find(|known| *known == site);
            found.cloned().ok_or_else(|| self.site(site).err().unwrap_or_else(|| unreachable!("it was not found")))
        };
        let (old, new) = (known(&change.old)?, known(&change.new)?);
        let mut others: Vec<Site> = change.others.iter().filter_map(|site| known(site).ok()).collect();
        others.sort();
        Ok(Change { old, new, others, ..change.clone() })
    }

    /// The source for the direction in which the change's winner is master.
    pub fn source_of(&self, winner: &Site) -> &Arc<SharedSource> {
        if *winner == self.source_site() { &self.home } else { &self.turned }
    }

    /// The mirror that a repository is when the other is master.
    pub fn mirror_of(&self, site: &Site) -> Result<Arc<MirrorConfig>> {
        Ok(self.site(site)?.mirror.clone())
    }
}

/// The id of the mirror whose lock keeps the configured source.
pub(crate) fn source_lock() -> MirrorId {
    MirrorId::source()
}
