//! Syncs and plans of a repository's mirrors, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::model::{Aspect, JobId, MirrorId, MirrorStatus, RepositoryId, RunId, Trigger};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use super::Engine;
use super::jobs::Begun;
use super::tidy::tidy;
use crate::context::{SourceContext, TimeLimit};
use crate::event::{Job, JobEnd, JobKind};
use crate::github::{Client, PATIENCE_OF_A_LOOK};
use crate::jobs::JobKey;
use crate::keychain;
use crate::mastership::direction::Direction;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::run::{self, MirrorOutcome, RunRequest};
use crate::source::{SharedSource, named};
use crate::tokens::{self, Place};
use crate::totals::Totals;
use crate::{Code, Error, Result};

/// What to sync or plan.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Which repository; `None` is the one at hand.
    pub repository: Option<RepositoryId>,
    /// Which mirrors; none named means all that are switched on.
    pub mirrors: Vec<MirrorId>,
    /// Which aspects; `None` means all.
    pub aspects: Option<BTreeSet<Aspect>>,
    /// Whether guards and new secret names are confirmed.
    pub yes: bool,
    /// What set it off.
    pub trigger: Trigger,
    /// Who or what that was, for the audit trail, where it is not the actor.
    pub set_off_by: Option<String>,
    /// Whether everything is asked for anew: no kept answer of a host counts. It confirms nothing.
    pub force: bool,
    /// Whether to wait while another process holds a mirror, instead of being refused.
    pub wait: bool,
    /// The seals of the plans that are to be carried out ([`Plan::seal`]), by mirror. Where a sync would do something else by
    /// now, nothing is done; a mirror that is not named is synced as it is found.
    pub seals: BTreeMap<MirrorId, String>,
    /// The id of the job, where it was given out before; where the job is one run, that of the run as well.
    pub job: Option<JobId>,
}

impl Default for SyncRequest {
    fn default() -> Self {
        Self {
            repository: None,
            mirrors: Vec::new(),
            aspects: None,
            yes: false,
            trigger: Trigger::Manual,
            set_off_by: None,
            force: false,
            wait: true,
            seals: BTreeMap::new(),
            job: None,
        }
    }
}

/// How a sync ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SyncOutcome {
    /// The repository.
    pub repository: RepositoryId,
    /// Each mirror that was tried.
    pub mirrors: Vec<MirrorOutcome>,
}

/// A sync that was started.
pub struct SyncJob {
    /// What was told of it.
    pub job: Job,
    task: JoinHandle<SyncOutcome>,
}

impl SyncJob {
    /// Waits for its end.
    pub async fn finished(self) -> SyncOutcome {
        match self.task.await {
            Ok(outcome) => outcome,
            // Each run reports its own panic; this is the frame around them, which has nothing that could.
            Err(_) => SyncOutcome { repository: self.job.repository, mirrors: Vec::new() },
        }
    }
}

impl Engine {
    /// Starts a sync and returns at once; its events go to the progress that the engine was opened with.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Code::Disabled`], [`Code::NotFound`], [`Code::Usage`] for a request that cannot start.
    pub fn sync(&self, request: SyncRequest) -> Result<SyncJob> {
        let direction = self.direction(request.repository.as_ref())?;
        let mirrors = chosen(&direction, &request)?;
        let repository = direction.config;
        let job = self.job(JobKind::Sync, &repository.id, mirrors.iter().map(|mirror| mirror.id.clone()).collect());
        let id = request.job.clone().unwrap_or_else(|| job.id.clone());
        let job = Job { id, of_all: request.mirrors.is_empty(), trigger: request.trigger, ..job };
        let begun = self.shared.going.begin(job.clone(), CancellationToken::new(), &self.shared.outside.progress);
        let engine = self.clone();
        let task = tokio::spawn(async move {
            let outcome = engine.sync_mirrors(repository, mirrors, &request, &begun).await;
            let count = |status| outcome.mirrors.iter().filter(|mirror| mirror.status == status).count();
            begun.end(JobEnd::Sync {
                synced: count(MirrorStatus::Success),
                failed: count(MirrorStatus::Failed),
                blocked: count(MirrorStatus::Blocked),
            });
            outcome
        });
        Ok(SyncJob { job, task })
    }

    async fn sync_mirrors(
        &self,
        repository: Arc<RepositoryConfig>,
        mirrors: Vec<Arc<MirrorConfig>>,
        request: &SyncRequest,
        begun: &Begun,
    ) -> SyncOutcome {
        let progress = &self.shared.outside.progress;
        let home = repository.home.clone().unwrap_or_else(|| repository.clone());
        if let Err(error) = self.settle_role_change(&home).await {
            tracing::info!(error = %error.message, "what became of an open role change cannot be seen now");
        }
        let forgotten = if request.force { self.forget_answers(&repository, &mirrors) } else { Ok(()) };
        let read = async { forgotten.map(|()| self.source(&repository, begun.cancel.clone()))?.await };
        let outcomes = match read.await {
            Ok(source) => {
                let run = request.job.clone().filter(|_| mirrors.len() == 1).map(RunId::from);
                let runs = mirrors.into_iter().map(|mirror| {
                    let (run, source) = (run.clone(), &source);
                    async move {
                        let outcome = self.start_run(source, mirror, request, (&begun.job.id, run)).await;
                        let outcome = self.noted(&source.context.repository.id, request, outcome);
                        self.shared.going.through(&begun.job.id, &outcome.mirror);
                        outcome
                    }
                });
                let outcomes = join_all(runs).await;
                self.note_full_sync(&source, request, &outcomes);
                tidy(&source).await;
                self.forget_old_runs();
                outcomes
            }
            Err(error) => mirrors
                .iter()
                .map(|mirror| run::not_begun(progress.as_ref(), &repository.id, &mirror.id, error.clone()))
                .map(|outcome| self.noted(&repository.id, request, outcome))
                .collect(),
        };
        SyncOutcome { repository: repository.id.clone(), mirrors: outcomes }
    }

    /// Forgets the answers that hosts gave about the source and these mirrors.
    fn forget_answers(&self, repository: &RepositoryConfig, mirrors: &[Arc<MirrorConfig>]) -> Result<()> {
        let places = std::iter::once(repository.master.as_ref()).chain(mirrors.iter().map(|mirror| Some(&mirror.id)));
        places.into_iter().try_for_each(|place| self.shared.store.forget_answers(&repository.id, place))
    }

    /// Remembers how a sync that nobody typed ended for one mirror. One that cannot be remembered has failed: without memory of
    /// the try it would be due at once, again and again.
    fn noted(&self, repository: &RepositoryId, request: &SyncRequest, outcome: MirrorOutcome) -> MirrorOutcome {
        if request.trigger == Trigger::Manual {
            return outcome;
        }
        match self.note_scheduled(repository, &outcome) {
            Ok(()) => outcome,
            Err(error) => MirrorOutcome { status: MirrorStatus::Failed, error: Some(error), ..outcome },
        }
    }

    async fn start_run(
        &self,
        source: &Arc<SharedSource>,
        mirror: Arc<MirrorConfig>,
        request: &SyncRequest,
        (job, run): (&JobId, Option<RunId>),
    ) -> MirrorOutcome {
        let job = Some(job.clone());
        let run = RunRequest { job, run, seal: request.seals.get(&mirror.id).cloned(), ..self.run_request(request) };
        let key = JobKey {
            repository: source.context.repository.id.clone(),
            mirror: mirror.id.clone(),
            aspects: run.aspects.clone(),
            yes: run.yes,
            seal: run.seal.clone(),
        };
        let job = || run::execute(source.clone(), mirror.clone(), run.clone());
        self.shared.jobs.run(key, &source.context.cancel, job).await
    }

    /// The seal of a plan that was written as JSON and read back, for [`SyncRequest::seals`].
    ///
    /// # Errors
    /// [`Code::Usage`] for a plan that was made elsewhere or is not as it was made; [`Code::Storage`].
    pub fn seal_of(&self, plan: &Plan) -> Result<String> {
        if plan.is_as_sealed(&self.shared.store.fingerprint_key()?) {
            return Ok(plan.seal.clone());
        }
        Err(Error::new(
            Code::Usage,
            format!("the plan of {} is not as it was made here, so it is not carried out", plan.mirror),
            "It was changed, or made by another installation or version. A plan is carried out as it is or not at all: make it anew with \
             `standin plan --json`.",
        ))
    }

    /// Computes the plan of each mirror asked for. A mirror that cannot be looked at gives its error in its place.
    ///
    /// # Errors
    /// As [`Engine::sync`].
    pub async fn plan(&self, request: &SyncRequest) -> Result<Vec<(MirrorId, Result<Plan>)>> {
        let direction = self.direction(request.repository.as_ref())?;
        let mirrors = chosen(&direction, request)?;
        let repository = direction.config;
        let source = self.source(&repository, CancellationToken::new()).await?;
        let run = self.run_request(request);
        let plans = mirrors.into_iter().map(|mirror| {
            let (id, source, run) = (mirror.id.clone(), source.clone(), &run);
            async move { (id, run::plan(source, mirror, run).await) }
        });
        Ok(join_all(plans).await)
    }

    pub(super) fn run_request(&self, request: &SyncRequest) -> RunRequest {
        RunRequest {
            aspects: request.aspects.clone().unwrap_or_else(|| Aspect::ALL.iter().copied().collect()),
            yes: request.yes,
            trigger: request.trigger,
            set_off_by: request.set_off_by.clone(),
            wait: request.wait,
            seal: None,
            actor: self.shared.actor.clone(),
            job: None,
            run: None,
        }
    }

    /// Puts together what reading the source needs, with the source's token where one is found.
    pub(super) async fn source(
        &self,
        repository: &Arc<RepositoryConfig>,
        cancel: CancellationToken,
    ) -> Result<Arc<SharedSource>> {
        self.source_with(repository, (cancel, TimeLimit::none()), None, None).await
    }

    /// As [`Engine::source`], for a look: where a host's limits allow nothing for longer than a while, that is what it shows.
    pub(super) async fn source_of_a_look(&self, repository: &Arc<RepositoryConfig>) -> Result<Arc<SharedSource>> {
        self.source_with(repository, self.limited(), None, Some(PATIENCE_OF_A_LOOK)).await
    }

    /// As [`Engine::source`], as a part of the role change with this id.
    pub(super) async fn source_for(
        &self,
        repository: &Arc<RepositoryConfig>,
        cancel: CancellationToken,
        change: Option<String>,
    ) -> Result<Arc<SharedSource>> {
        self.source_with(repository, (cancel, TimeLimit::none()), change, None).await
    }

    pub(super) async fn source_with(
        &self,
        repository: &Arc<RepositoryConfig>,
        (cancel, limit): (CancellationToken, TimeLimit),
        change: Option<String>,
        patience: Option<Duration>,
    ) -> Result<Arc<SharedSource>> {
        let (shared, config) = (&self.shared, self.config());
        let repository = &keychain::unless_stopped(&cancel, self.with_vault(repository)).await?;
        let git = self.git().await?.clone();
        let folder = self.make_folder(&repository.id)?;
        let totals = Arc::new(Totals::default());
        let found = tokens::find(&shared.outside, &config, &shared.store, repository, &Place::Source);
        let token = keychain::unless_stopped(&cancel, found).await??;
        let github = match (&repository.source, &token) {
            (Source::GitHub(slug), Some(token)) => Some(Client::new(
                &config,
                slug,
                &token.value,
                Memory::new(&shared.store, &repository.id, repository.master.as_ref(), &shared.outside.clock),
                totals.clone(),
                cancel.clone(),
            )?),
            _ => None,
        };
        let github = github.map(|client: Client| client.waiting(&shared.outside, &repository.id, None, patience));
        Ok(Arc::new(SharedSource::new(Arc::new(SourceContext {
            repository: repository.clone(),
            config,
            store: shared.store.clone(),
            folder,
            outside: shared.outside.clone(),
            git,
            token,
            github,
            cancel,
            limit,
            totals,
            patience,
            change,
        }))))
    }
}

/// The mirrors that a request means.
fn chosen(direction: &Direction, request: &SyncRequest) -> Result<Vec<Arc<MirrorConfig>>> {
    let repository = &direction.config;
    if !repository.enabled {
        return Err(Error::new(
            Code::Disabled,
            format!(
                "mirroring of {} is switched off (`MIRROR_ENABLED=false`), so nothing is synced, by hand neither",
                repository.id
            ),
            "Set `MIRROR_ENABLED=true` in `.env`, or `enabled = true` in `standin.toml`.",
        ));
    }
    direction.check()?;
    if request.mirrors.is_empty() {
        let enabled: Vec<_> = direction.targets().filter(|mirror| mirror.enabled).cloned().map(Arc::new).collect();
        if enabled.is_empty() {
            return Err(Error::new(
                Code::Configuration,
                format!("{} has no mirror that is switched on", repository.id),
                "Define one with `MIRROR_1_TYPE`, `MIRROR_1_REPO` or `MIRROR_1_URL` in `.env`, or in `standin.toml`.",
            ));
        }
        return Ok(enabled);
    }
    request
        .mirrors
        .iter()
        .map(|id| {
            direction.check_target(id)?;
            named(repository, id)
        })
        .collect()
}
