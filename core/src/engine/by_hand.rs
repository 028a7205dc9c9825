//! What is done by hand holds its mirror, ends in time, and is written down.

use std::sync::Arc;

use standin_state::config::RepositoryConfig;
use standin_state::lock::{self, MirrorLock};
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::AuditEntry;
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::context::{MirrorContext, TimeLimit};
use crate::source::{SharedSource, named};
use crate::{Error, Result};

impl Engine {
    /// A cancel that comes when the time limit of a run is up: what is done by hand never holds a mirror longer.
    pub(super) fn limited(&self) -> (CancellationToken, TimeLimit) {
        let cancel = CancellationToken::new();
        let limit = TimeLimit::new(&cancel, self.config().limits.run);
        (cancel, limit)
    }

    /// As [`Engine::source`], for what is done by hand: with a time limit.
    pub(super) async fn source_by_hand(&self, known: &Arc<RepositoryConfig>) -> Result<Arc<SharedSource>> {
        self.source_with(known, self.limited(), None, None).await
    }

    /// A mirror's context with its lock held, for what is done by hand.
    pub(super) async fn locked_context(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
    ) -> Result<(MirrorContext, MirrorLock)> {
        let direction = self.direction(repository)?;
        direction.check_target(mirror)?;
        self.locked_context_in(&direction.config, mirror).await
    }

    pub(super) async fn locked_context_in(
        &self,
        known: &Arc<RepositoryConfig>,
        mirror: &MirrorId,
    ) -> Result<(MirrorContext, MirrorLock)> {
        let mirror = named(known, mirror)?;
        let source = self.source_by_hand(known).await?;
        let text = lock::holder(&self.shared.actor, self.shared.outside.clock.now());
        let lock = MirrorLock::try_acquire(&source.context.folder, &mirror.id, &text).map_err(Error::from)?;
        let context = source.context_by_hand(mirror).await?;
        Ok((context, lock))
    }

    /// Writes down what was done and how it ended, then gives the result on.
    pub(super) fn audited<T>(
        &self,
        action: &str,
        repository: Option<&RepositoryId>,
        mirror: Option<&MirrorId>,
        detail: String,
        result: Result<T>,
    ) -> Result<T> {
        let at_hand = || self.configured(None).ok().map(|known| known.id.clone());
        self.written(action, (repository.cloned().or_else(at_hand), mirror.cloned()), detail, result)
    }

    /// As [`Engine::audited`], for what is this machine's and no repository's.
    pub(super) fn audited_for_all<T>(&self, action: &str, detail: String, result: Result<T>) -> Result<T> {
        self.written(action, (None, None), detail, result)
    }

    fn written<T>(
        &self,
        action: &str,
        (repository, mirror): (Option<RepositoryId>, Option<MirrorId>),
        detail: String,
        result: Result<T>,
    ) -> Result<T> {
        self.shared.store.append_audit(&AuditEntry {
            at_iso: self.shared.outside.clock.now(),
            actor: self.shared.actor.clone(),
            action: action.to_owned(),
            repository,
            mirror,
            detail,
            outcome: result.as_ref().err().map_or_else(|| "ok".to_owned(), |error| error.message.clone()),
        })?;
        result
    }
}
