//! What is remembered of one repository, or of one mirror of it, and since when: all that a rule about what was seen before
//! needs.

use std::sync::Arc;

use jiff::Timestamp;
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::{Fact, Store};

use crate::Result;
use crate::outside::Clock;

/// The memory of one repository, or of one mirror of it. Cheap to clone.
#[derive(Clone)]
pub struct Memory {
    store: Store,
    repository: RepositoryId,
    mirror: Option<MirrorId>,
    clock: Arc<dyn Clock>,
}

impl Memory {
    /// The memory of one mirror, or with `None` of the repository.
    pub fn new(store: &Store, repository: &RepositoryId, mirror: Option<&MirrorId>, clock: &Arc<dyn Clock>) -> Self {
        let (store, repository, mirror) = (store.clone(), repository.clone(), mirror.cloned());
        Self { store, repository, mirror, clock: clock.clone() }
    }

    /// What is known.
    ///
    /// # Errors
    /// [`crate::Code::Storage`], as for all of these.
    pub fn get(&self, fact: Fact<'_>) -> Result<Option<String>> {
        self.store.fact(&self.repository, self.mirror.as_ref(), fact)
    }

    /// Remembers it; costs nothing where it is known.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn set(&self, fact: Fact<'_>, value: &str) -> Result<()> {
        if self.get(fact)?.as_deref() == Some(value) {
            return Ok(());
        }
        self.store.set_fact(&self.repository, self.mirror.as_ref(), fact, Some(value))
    }

    /// Forgets it; costs nothing where nothing is known.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn forget(&self, fact: Fact<'_>) -> Result<()> {
        if self.get(fact)?.is_none() {
            return Ok(());
        }
        self.store.set_fact(&self.repository, self.mirror.as_ref(), fact, None)
    }

    /// Whose memory it is, where it is one mirror's.
    pub fn mirror(&self) -> Option<&MirrorId> {
        self.mirror.as_ref()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock that it is told by.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { repository, mirror, .. } = self;
        formatter.debug_struct("Memory").field("repository", repository).field("mirror", mirror).finish_non_exhaustive()
    }
}
