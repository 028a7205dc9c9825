//! Changes of master: preview, start, resume, roll back. Here are the door, the locks and the audit trail; what is done is in
//! [`crate::roles`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{MirrorId, RepositoryId};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::jobs::Begun;
use crate::event::{Event, JobEnd, JobKind};
use crate::mastership::machine::Change;
use crate::mastership::words;
use crate::roles::change::{self, OpenChangeChoice, RoleGoal, RoleOutcome, RoleRequest};
use crate::roles::handback::HandBack;
use crate::roles::parties::{Parties, source_lock};
use crate::roles::preview::{self, RolePlan};
use crate::roles::{homecoming, journal, prepare, settle};
use crate::{Code, Error, Result, status};

/// How long a sync that is going on may hold a role change up.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

fn end_of(changed: &Result<RoleOutcome>) -> JobEnd {
    match changed {
        Ok(RoleOutcome { end, error, .. }) => JobEnd::RoleChange { end: *end, error: error.clone() },
        Err(error) => JobEnd::NotBegun { error: error.clone() },
    }
}

impl Engine {
    /// What a promotion or demotion would do. Changes nothing.
    ///
    /// # Errors
    /// [`Code::Usage`] for what makes no sense, such as promoting the master; [`Code::RoleChangeOpen`] while one is
    /// open. What keeps it from starting is in the plan.
    pub async fn role_plan(&self, request: &RoleRequest) -> Result<RolePlan> {
        let (cancel, _limit) = self.limited();
        if let Some((parties, hand_back)) = self.homecoming(request, cancel.clone()).await? {
            return Ok(homecoming::preview(&parties, hand_back));
        }
        let (parties, change) = self.prepare(request, cancel).await?;
        change::plan(&parties, change).await
    }

    /// Promotes or demotes a standby. Ends in the new state, in the old one, or in an open change that every machine sees.
    ///
    /// # Errors
    /// What keeps it from beginning; nothing was changed then. What happens after it began is in the outcome.
    pub async fn change_role(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<RoleOutcome> {
        let action = match request.goal {
            RoleGoal::Promote => "promote",
            RoleGoal::Demote => "demote",
        };
        let what = match request.goal {
            RoleGoal::Promote => JobKind::Promote,
            RoleGoal::Demote => JobKind::Demote,
        };
        let begun = self.begin_change(what, request.repository.as_ref(), &request.mirror, &cancel)?;
        let changed = self.start_change(request, cancel).await;
        let changed = changed.map_err(|error| error.about(Some(&request.mirror)));
        begun.end(end_of(&changed));
        self.audit_outcome(action, request.repository.as_ref(), &request.mirror, changed)
    }

    /// Goes on with the change that is open, or takes it back, whoever began it.
    ///
    /// # Errors
    /// [`Code::NotFound`] where none is open; what keeps it from being taken over.
    pub async fn end_change(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        choice: OpenChangeChoice,
        cancel: CancellationToken,
    ) -> Result<RoleOutcome> {
        let action = match choice {
            OpenChangeChoice::Resume => "role_resume",
            OpenChangeChoice::Rollback => "role_rollback",
        };
        let what = match choice {
            OpenChangeChoice::Resume => JobKind::Resume,
            OpenChangeChoice::Rollback => JobKind::Rollback,
        };
        let begun = self.begin_change(what, repository, mirror, &cancel)?;
        let ended = self.take_up(repository, mirror, choice, cancel).await;
        let ended = ended.map_err(|error| error.about(Some(mirror)));
        begun.end(end_of(&ended));
        self.audit_outcome(action, repository, mirror, ended)
    }

    fn begin_change(
        &self,
        what: JobKind,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        cancel: &CancellationToken,
    ) -> Result<Begun> {
        let job = self.job(what, &self.configured(repository)?.id, vec![mirror.clone()]);
        Ok(self.shared.going.begin(job, cancel.clone(), &self.shared.outside.progress))
    }

    fn audit_outcome(
        &self,
        action: &str,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        outcome: Result<RoleOutcome>,
    ) -> Result<RoleOutcome> {
        if outcome.is_ok() {
            self.note_change_by_hand(repository);
        }
        let detail = match &outcome {
            Ok(outcome) => format!("{}: {:?}", outcome.headline, outcome.end).to_lowercase(),
            Err(_) => String::new(),
        };
        let told = match &outcome {
            Ok(RoleOutcome { error: Some(error), .. }) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        // The trail gets the error of an outcome; the caller gets the outcome.
        if let Err(error) = self.audited(action, repository, Some(mirror), detail, told)
            && error.code == Code::Storage
        {
            return Err(error);
        }
        outcome
    }

    async fn start_change(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<RoleOutcome> {
        let actor = &self.shared.actor;
        if let Some((mut parties, hand_back)) = self.homecoming(request, cancel.clone()).await? {
            parties.locks = self.locks(&parties).await?;
            return homecoming::carry_out(&parties, &hand_back, request.yes, actor).await;
        }
        let (mut parties, change) = self.prepare(request, cancel).await?;
        change::check(&parties, &change).await?;
        parties.locks = self.locks(&parties).await?;
        change::begin(&parties, change, request, actor).await
    }

    async fn take_up(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        choice: OpenChangeChoice,
        cancel: CancellationToken,
    ) -> Result<RoleOutcome> {
        let home = self.repository(repository)?;
        self.settle_role_change(&home).await?;
        let here = journal::open_here(&self.shared.store, &home.id)?;
        let standby = prepare::standby(&home, here.as_ref().map_or(mirror, |entry| &entry.standby))?;
        // Whose change it is stands in the fence, so the fence is read before the contexts can belong to it.
        let scout = self.parties(&home, standby.clone(), None, cancel.clone()).await?;
        let Some((found, register)) = change::find_open(&scout).await? else {
            return Err(Error::new(
                Code::NotFound,
                format!("no role change is open on {mirror}"),
                "`standin status` shows who is master and whether a change is open.",
            ));
        };
        if choice == OpenChangeChoice::Rollback && found.is_one_way {
            return Err(Error::new(
                Code::Usage,
                format!("this change has no way back: {}", words::headline(&found)),
                words::ways(&found, mirror),
            ));
        }
        let mut parties = self.parties(&home, standby, Some(found.id), cancel).await?;
        parties.locks = self.locks(&parties).await?;
        change::take_up(&parties, &register, choice, here, &self.shared.actor).await
    }

    /// The change that a request means, and who takes part.
    async fn prepare(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<(Parties, Change)> {
        let home = self.repository(request.repository.as_ref())?;
        if !home.enabled {
            return Err(Error::new(
                Code::Disabled,
                format!("mirroring of {} is switched off (`MIRROR_ENABLED=false`)", home.id),
                "Set `MIRROR_ENABLED=true` in `.env`, or `enabled = true` in `standin.toml`.",
            ));
        }
        let standby = prepare::standby(&home, &request.mirror)?;
        self.settle_role_change(&home).await?;
        let id = preview::new_id();
        let parties = self.parties(&home, standby, Some(id.clone()), cancel).await?;
        prepare::meant(parties, request, id).await
    }

    /// What waits on a standby that has stepped back, with who takes part; `None` where the request means something else.
    async fn homecoming(
        &self,
        request: &RoleRequest,
        cancel: CancellationToken,
    ) -> Result<Option<(Parties, HandBack)>> {
        if request.goal != RoleGoal::Demote {
            return Ok(None);
        }
        let home = self.repository(request.repository.as_ref())?;
        let standby = prepare::standby(&home, &request.mirror)?;
        let mut parties = self.parties(&home, standby, None, cancel).await?;
        Ok(homecoming::waiting(&mut parties).await?.map(|plan| (parties, plan)))
    }

    /// Reads fences again that are remembered with an open role change, and closes the journal of this machine where the change
    /// is open no more.
    ///
    /// # Errors
    /// [`Code::RoleChangeOpen`] where the change names repositories that are not in this configuration; what the store
    /// reports.
    pub(super) async fn settle_role_change(&self, home: &Arc<RepositoryConfig>) -> Result<()> {
        let store = &self.shared.store;
        let Some(remembered) = settle::remembered(store, home)? else { return Ok(()) };
        let folder = self.make_folder(&home.id)?;
        // Whoever carries it out here has the lock, from before it is written down until it is ended.
        if lock::is_held(&folder, &remembered.standby.id)?.is_some() {
            return Ok(());
        }
        let (cancel, _limit) = self.limited();
        let parties = self.parties(home, remembered.standby.clone(), None, cancel).await?;
        if let Some((mirror, detail)) = settle::settle(&parties, remembered).await? {
            self.audited("role_settled", Some(&home.id), Some(&mirror), detail, Ok(()))?;
        }
        status::write(store, &folder, home, &self.terms())
    }

    async fn parties(
        &self,
        home: &Arc<RepositoryConfig>,
        standby: Arc<MirrorConfig>,
        change: Option<String>,
        cancel: CancellationToken,
    ) -> Result<Parties> {
        let turned = home.turned_to(&standby.id).map(Arc::new).ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!("{} cannot be turned round to {}", home.id, standby.id),
                "Please report this.",
            )
        })?;
        let (at_home, turned) = tokio::try_join!(
            self.source_for(home, cancel.clone(), change.clone()),
            self.source_for(&turned, cancel, change),
        )?;
        Parties::gather(home, standby, at_home, turned).await
    }

    /// Keeps syncs of this machine away; waits a while for one that is going on.
    async fn locks(&self, parties: &Parties) -> Result<Vec<MirrorLock>> {
        let context = &parties.home.context;
        let until = Instant::now() + LOCK_PATIENCE;
        let mut locks = Vec::new();
        let mut told = false;
        for id in [parties.standby.id.clone(), source_lock()] {
            loop {
                let text = lock::holder(&self.shared.actor, context.outside.clock.now());
                let holder = match MirrorLock::try_acquire(&context.folder, &id, &text) {
                    Ok(lock) => {
                        locks.push(lock);
                        break;
                    }
                    Err(Refusal::Failed(error)) => return Err(error),
                    Err(Refusal::Held { holder }) => holder,
                };
                if Instant::now() > until {
                    return Err(Error::passing(
                        Code::Busy,
                        format!("{id} is being synced by {holder}; a role change waits until that is through"),
                        "Wait for it or stop it, then try again: nothing was changed.",
                    ));
                }
                if !told {
                    told = true;
                    let (repository, mirror) = (context.repository.id.clone(), id.clone());
                    context.outside.progress.event(&Event::RunWaiting { repository, mirror, holder });
                }
                tokio::select! {
                    () = context.cancel.cancelled() => {
                        return Err(Error::new(Code::Cancelled, "stopped before it began; nothing was changed", ""));
                    }
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
        Ok(locks)
    }
}
