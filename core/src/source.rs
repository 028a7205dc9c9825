//! The source of one sync, read once for all its mirrors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::model::{MirrorId, RunId};
use standin_state::store::{JournalKind, RunTotals};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::code::{self, Snapshot};
use crate::context::{MirrorContext, SourceContext, new_run_id};
use crate::github::Client;
use crate::memory::Memory;
use crate::tokens::{self, Place};
use crate::totals::Totals;
use crate::{Code, Error, Result, keychain};

/// How often a run is tried before a passing fault counts as a failure; each try may read the source anew.
pub const ATTEMPTS: usize = 3;

/// The source and what was read of it. All mirrors of one sync get the same snapshot.
pub struct SharedSource {
    /// How to reach it.
    pub context: Arc<SourceContext>,
    // One cell for each attempt: when the source failed, the mirrors' second attempts share one second look.
    snapshots: [OnceCell<Result<Arc<Snapshot>>>; ATTEMPTS],
    counted: AtomicBool,
}

impl SharedSource {
    /// A source not read yet.
    pub fn new(context: Arc<SourceContext>) -> Self {
        Self { context, snapshots: std::array::from_fn(|_| OnceCell::new()), counted: AtomicBool::new(false) }
    }

    /// The snapshot of this attempt; taken by whoever asks first.
    ///
    /// # Errors
    /// The same for all who ask in this attempt.
    pub async fn snapshot(&self, attempt: usize) -> Result<Arc<Snapshot>> {
        for earlier in self.snapshots.iter().take(attempt) {
            if let Some(Ok(snapshot)) = earlier.get() {
                return Ok(snapshot.clone());
            }
        }
        self.snapshots[attempt.min(ATTEMPTS - 1)]
            .get_or_init(|| code::snapshot(&self.context))
            .await
            .clone()
            .map_err(Error::at_source)
    }

    /// The last snapshot that could be taken, if any was.
    pub(crate) fn taken(&self) -> Option<Arc<Snapshot>> {
        self.snapshots.iter().rev().find_map(|cell| cell.get()?.clone().ok())
    }

    /// What reading the source cost, once: for the first run that ends. Zero after that.
    pub(crate) fn take_totals(&self) -> RunTotals {
        match self.counted.swap(true, Ordering::Relaxed) {
            false => self.context.totals.snapshot(),
            true => RunTotals::default(),
        }
    }

    /// Puts together what looking at a mirror, or changing it by hand, needs: no run in the history, nothing confirmed.
    ///
    /// # Errors
    /// As [`SharedSource::mirror_context`].
    pub async fn context_by_hand(&self, mirror: Arc<MirrorConfig>) -> Result<MirrorContext> {
        let (cancel, totals) = (self.context.cancel.child_token(), Arc::new(Totals::default()));
        let context = self.mirror_context(mirror, new_run_id(), cancel, totals, false).await?;
        Ok(MirrorContext { in_history: false, ..context })
    }

    /// Puts together what a run of one mirror needs.
    ///
    /// # Errors
    /// [`Code::TokenMissing`] where the mirror needs a token and none was found.
    pub async fn mirror_context(
        &self,
        mirror: Arc<MirrorConfig>,
        run: RunId,
        cancel: CancellationToken,
        totals: Arc<Totals>,
        yes: bool,
    ) -> Result<MirrorContext> {
        let source = &self.context;
        turn_to_target(source, &mirror)?;
        let place = Place::Mirror(mirror.id.clone());
        let found = tokens::find(&source.outside, &source.config, &source.store, &source.repository, &place);
        let token = keychain::unless_stopped(&cancel, found).await??;
        if mirror.slug().is_some() && token.is_none() {
            return Err(tokens::missing(&source.store, &source.repository, &place));
        }
        let github = match (mirror.slug(), &token) {
            (Some(slug), Some(token)) => Some(Client::new(
                &source.config,
                slug,
                &token.value,
                Memory::new(&source.store, &source.repository.id, Some(&mirror.id), &source.outside.clock),
                totals.clone(),
                cancel.clone(),
            )?),
            _ => None,
        };
        let github = github.map(|client| source.waiting(&client, &mirror.id));
        Ok(MirrorContext { source: source.clone(), run, in_history: true, mirror, token, github, cancel, totals, yes })
    }
}

/// Has the store remember what it knows of the place that the mirror's id names now.
///
/// # Errors
/// [`Code::RoleChangeOpen`], [`Code::ActionsLeftOff`] where something is open at the place that it named before.
fn turn_to_target(source: &SourceContext, mirror: &MirrorConfig) -> Result<()> {
    let (store, repository) = (&source.store, &source.repository.id);
    let now = mirror.target.display();
    let before = store.target(repository, &mirror.id)?;
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    if let Some(before) = before {
        let mut open = store.open_journals(Some(repository))?.into_iter().filter(|entry| entry.mirror == mirror.id);
        let open = open.next().map(|entry| entry.kind);
        if open == Some(JournalKind::RoleChange) {
            return Err(Error::new(
                Code::RoleChangeOpen,
                format!("mirror {} is now {now}, but a role change of {before} is open", mirror.id),
                format!(
                    "Name {before} again and end the change, with `standin promote {0} --resume` or `--rollback`; then give \
                     {now} an id of its own.",
                    mirror.id
                ),
            ));
        }
        if open.is_some() {
            return Err(Error::new(
                Code::ActionsLeftOff,
                format!(
                    "mirror {} is now {now}, but Actions are still switched off on {before} by an interrupted sync",
                    mirror.id
                ),
                format!(
                    "Name {before} again and sync once, so that its settings are restored; then give {now} an id of its own."
                ),
            ));
        }
    }
    store.set_target(repository, &mirror.id, &now)
}

/// The mirror with this id, if it may be synced.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Disabled`].
pub(crate) fn named(repository: &RepositoryConfig, id: &MirrorId) -> Result<Arc<MirrorConfig>> {
    let Some(mirror) = repository.mirror(id) else {
        let names: Vec<&str> = repository.mirrors.iter().map(|mirror| mirror.id.as_str()).collect();
        return Err(Error::new(
            Code::NotFound,
            format!("{} has no mirror {id}", repository.id),
            format!("Its mirrors: {}.", names.join(", ")),
        ));
    };
    if !mirror.enabled {
        return Err(Error::new(
            Code::Disabled,
            format!("mirror {id} is switched off"),
            "Set its `ENABLED` to true in `.env` or its `enabled` in `standin.toml`.",
        ));
    }
    Ok(Arc::new(mirror.clone()))
}
