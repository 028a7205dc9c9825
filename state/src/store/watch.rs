//! What was last found about the master, and about the sentinels that watch it. Kept as facts, in JSON: what another
//! version kept in another shape counts as never found.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Fact, Store};
use crate::error::{Code, Error, Result};
use crate::model::{MasterHealth, MirrorId, RepositoryId, SentinelStatus};

impl Store {
    /// What the last look at the master found.
    pub fn master_health(&self, repository: &RepositoryId) -> Result<Option<MasterHealth>> {
        self.found(repository, None, Fact::MasterHealth)
    }

    /// Remembers what a look at the master found, or forgets it with `None`, where another is master now.
    pub fn set_master_health(&self, repository: &RepositoryId, found: Option<&MasterHealth>) -> Result<()> {
        self.set_found(repository, None, Fact::MasterHealth, found)
    }

    /// What was last found about the sentinel of a standby.
    pub fn sentinel_status(&self, repository: &RepositoryId, mirror: &MirrorId) -> Result<Option<SentinelStatus>> {
        self.found(repository, Some(mirror), Fact::Sentinel)
    }

    /// Remembers what was found about the sentinel of a standby.
    pub fn set_sentinel_status(
        &self,
        repository: &RepositoryId,
        mirror: &MirrorId,
        found: &SentinelStatus,
    ) -> Result<()> {
        self.set_found(repository, Some(mirror), Fact::Sentinel, Some(found))
    }

    pub(super) fn found<T: DeserializeOwned>(
        &self,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
        fact: Fact<'_>,
    ) -> Result<Option<T>> {
        Ok(self.fact(repository, mirror, fact)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn set_found<T: Serialize>(
        &self,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
        fact: Fact<'_>,
        found: Option<&T>,
    ) -> Result<()> {
        let text = found.map(serde_json::to_string).transpose();
        let text = text
            .map_err(|error| Error::new(Code::Internal, format!("{fact:?} cannot be written as JSON: {error}"), ""))?;
        self.set_fact(repository, mirror, fact, text.as_deref())
    }
}
