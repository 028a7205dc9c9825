//! `mirror test`: a mirror tried without changing it, and the ssh host key that it shows.

use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, RepositoryId};
use ts_rs::TS;

use super::Engine;
use crate::Result;
use crate::git::ssh::{self, HostKey};
use crate::kinds::{self, Check};
use crate::source::named;

/// What a test of a mirror found. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorTest {
    /// The mirror.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// The ssh host key that the mirror's host shows and that is not accepted yet.
    pub host_key: Option<HostKey>,
}

impl MirrorTest {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.works != Some(false))
    }
}

impl Engine {
    /// Tries a mirror's address, token and rights, and changes nothing there.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown mirror, [`Code::ConsentNeeded`] where it waits for a yes. What does not work is in the
    /// result.
    pub async fn mirror_test(&self, repository: Option<&RepositoryId>, mirror: &MirrorId) -> Result<MirrorTest> {
        let direction = self.direction(repository)?;
        let is_copy = direction.home.mirror(mirror).is_some_and(|known| known.target.pulled().is_some());
        let known = if is_copy { direction.config } else { direction.home };
        let mirror = named(&known, mirror)?;
        let mut test =
            MirrorTest { mirror: mirror.id.clone(), repo: mirror.target.display(), checks: Vec::new(), host_key: None };
        let source = self.source_of_a_look(&known).await?;
        let context = match source.context_by_hand(mirror.clone()).await {
            Ok(context) => context,
            Err(error) if error.code.waits() => return Err(error),
            Err(error) => {
                test.checks.push(Check::failed("find a token", &error));
                return Ok(test);
            }
        };
        let tested = kinds::of(&mirror.target).test(&context).await?;
        (test.checks, test.host_key) = (tested.checks, tested.host_key);
        Ok(test)
    }

    /// Remembers an ssh host key that the user has looked at.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be written.
    pub fn accept_host_key(&self, repository: Option<&RepositoryId>, key: &HostKey) -> Result<()> {
        let known = self.repository(repository)?;
        self.remember_host_key(Some(&known.id), key)
    }

    /// The same for a host of which no repository is configured yet.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be written.
    pub fn trust_host_key(&self, key: &HostKey) -> Result<()> {
        self.remember_host_key(None, key)
    }

    fn remember_host_key(&self, repository: Option<&RepositoryId>, key: &HostKey) -> Result<()> {
        let accepted = ssh::accept(&self.shared.state_dir.join("known_hosts"), key);
        self.audited("accept_host_key", repository, None, format!("{} {}", key.host, key.fingerprint), accepted)
    }
}
