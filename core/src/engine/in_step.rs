//! The last moment when all enabled mirrors were in step in all their aspects.
//!
//! A sync of one mirror can be what was missing: the others are looked at in our memory, and nobody is asked.

use std::collections::BTreeSet;

use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::model::{Aspect, AspectStatus, MirrorReport, MirrorStatus};

use super::Engine;
use super::sync::SyncRequest;
use crate::code::Snapshot;
use crate::fence::Document;
use crate::run::MirrorOutcome;
use crate::source::SharedSource;
use crate::{Result, secrets, status};

impl Engine {
    /// Remembers this moment where, after a sync with these outcomes, every enabled mirror is in step.
    pub(super) fn note_full_sync(&self, source: &SharedSource, request: &SyncRequest, outcomes: &[MirrorOutcome]) {
        if !outcomes.iter().any(|outcome| outcome.status == MirrorStatus::Success) {
            return;
        }
        let (store, repository) = (&self.shared.store, &source.context.repository);
        let noted = self.all_in_step(source, request, outcomes).and_then(|all| {
            if !all {
                return Ok(());
            }
            store.set_last_full_sync(&repository.id, self.shared.outside.clock.now())?;
            status::write(store, &source.context.folder, repository, &self.terms())
        });
        if let Err(error) = noted {
            tracing::warn!(error = %error.message, "the moment of the full sync could not be kept");
        }
    }

    fn all_in_step(&self, source: &SharedSource, request: &SyncRequest, outcomes: &[MirrorOutcome]) -> Result<bool> {
        let asked = |aspect| request.aspects.as_ref().is_none_or(|aspects| aspects.contains(&aspect));
        let repository = &source.context.repository;
        let report = status::report(&self.shared.store, &source.context.folder, repository, &self.terms())?;
        let snapshot = source.taken();
        for mirror in repository.mirrors.iter().filter(|mirror| mirror.enabled) {
            let Some(known) = report.mirrors.iter().find(|known| known.id == mirror.id) else { return Ok(false) };
            let is_ok = |aspect: &Aspect| aspect_status(known, *aspect) == AspectStatus::Ok;
            let is_apart = known.code.apart.is_some_and(|apart| apart > 0);
            if is_apart || !mirror.sync.iter().all(is_ok) {
                return Ok(false);
            }
            // What could not even be read keeps what was last known of it, and is not in step for that.
            let run = outcomes.iter().find(|outcome| outcome.mirror == mirror.id).map(|outcome| outcome.status);
            if run.unwrap_or(known.status) != MirrorStatus::Success {
                return Ok(false);
            }
            let is_synced = run.is_some();
            let others = mirror.sync.iter().copied().filter(|aspect| !(is_synced && asked(*aspect))).collect();
            if !self.are_still_in_step(repository, mirror, &others, snapshot.as_deref())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether aspects of a mirror that were in step are so still: it has what the source has now, and the values of
    /// secrets are those that we sent. Where the source was not read this time, that cannot be said.
    fn are_still_in_step(
        &self,
        repository: &RepositoryConfig,
        mirror: &MirrorConfig,
        aspects: &BTreeSet<Aspect>,
        snapshot: Option<&Snapshot>,
    ) -> Result<bool> {
        let store = &self.shared.store;
        if aspects.contains(&Aspect::Code) {
            let (Some(snapshot), Some(memory)) = (snapshot, store.fence_memory(&repository.id, &mirror.id)?) else {
                return Ok(false);
            };
            let there = Document::parse(memory.document.as_bytes())?.refs;
            if !snapshot.refs.iter().all(|(name, oid)| there.get(name) == Some(oid)) {
                return Ok(false);
            }
        }
        Ok(!aspects.contains(&Aspect::Secrets) || secrets::are_sent(store, repository, &mirror.id)?)
    }
}

fn aspect_status(mirror: &MirrorReport, aspect: Aspect) -> AspectStatus {
    match aspect {
        Aspect::Code => mirror.code.status,
        Aspect::Secrets => mirror.secrets.status,
        Aspect::Variables => mirror.variables.status,
        Aspect::Workflows => mirror.workflows.status,
    }
}
