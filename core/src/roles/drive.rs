//! Carrying a role change out: journal, ask, act, journal, step after step, as [`crate::mastership::machine`] says.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use standin_state::model::{AspectStatus, MirrorStatus, RefName, RepositoryId, Site};
use standin_state::store::RunRecord;

use super::handback::HandBackRef;
use super::journal::Entry;
use super::parties::Parties;
use super::quiesce::quiesce;
use super::site_fence::Asked;
use super::{handback, site_fence, state_file, workflows};
use crate::context::MirrorContext;
use crate::event::{Event, Notice, RoleStepState};
use crate::fence::Fence;
use crate::mastership::machine::{Change, Kind, Step, Way};
use crate::mastership::words;
use crate::outside::Outside;
use crate::run::{self, RunRequest};
use crate::source::SharedSource;
use crate::{Code, Error, Result, crash, fence, mirror, status};

/// How often a step is tried when a passing fault keeps it from being done.
const TRIES: usize = 3;
/// Wait before the second try; doubled before the third.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the runs of a master may take to end by themselves before they are cancelled.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often commits that arrive at the old master meanwhile are brought over again.
const ROUNDS: usize = 3;

/// What carries a change out.
pub(crate) struct Driver<'a> {
    /// Who takes part.
    pub parties: &'a Parties,
    /// The name that stands in the fences for us.
    pub me: String,
    /// Whether the user confirmed guards of the syncs that belong to it.
    pub yes: bool,
    /// Who asks, for the locks and the history.
    pub actor: String,
    /// When it stops in a known state if it is not through.
    pub deadline: Option<Instant>,
}

impl Driver<'_> {
    /// Takes every step that is left. `entry` follows.
    ///
    /// # Errors
    /// Why a step could not be done; the change is open then, and every machine sees how far it has come.
    pub async fn run(&self, entry: &mut Entry) -> Result<()> {
        let store = &self.parties.home.context.store;
        self.event(&Event::RoleChangeStarted {
            repository: self.repository().clone(),
            headline: words::headline(&entry.change),
            steps: entry.change.steps().len(),
        });
        while let Some(step) = entry.change.next() {
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(too_slow(&entry.change, &step));
            }
            entry.keep(store, entry.change.begun())?;
            self.tell(&entry.change, &step, RoleStepState::Started, "", None);
            match self.with_retries(&entry.change, &step).await.or_else(|error| self.done_without(&step, error)) {
                Ok(detail) => self.tell(&entry.change, &step, RoleStepState::Done, &detail, None),
                Err(error) => {
                    self.tell(&entry.change, &step, RoleStepState::Failed, "", Some(&error));
                    return Err(error);
                }
            }
            entry.keep(store, entry.change.done())?;
        }
        Ok(())
    }

    /// The state file is there for those who read it. A change does not stay open for it, nor a way back to a master that
    /// is still gone.
    fn done_without(&self, step: &Step, error: Error) -> Result<String> {
        let stops = matches!(error.code, Code::Cancelled | Code::RoleChangeOpen | Code::FencedOff | Code::TwoMasters);
        if stops || *step != Step::StateFile {
            return Err(error);
        }
        self.notice(
            format!("the state file does not say who is master now: {}", error.message),
            "The next change of master writes it.",
        );
        Ok("not written".to_owned())
    }

    async fn with_retries(&self, change: &Change, step: &Step) -> Result<String> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.take(change, step).await {
                Err(error) if error.retryable && error.code != Code::Cancelled => {
                    let pause_for = error.retry_after_seconds.map_or(pause, Duration::from_secs);
                    if self.deadline.is_some_and(|deadline| Instant::now() + pause_for > deadline) {
                        return Err(error);
                    }
                    tokio::time::sleep(pause_for).await;
                    pause *= 2;
                }
                taken => return taken,
            }
        }
        self.take(change, step).await
    }

    /// Takes one step. It looks first, does what is missing, and looks again.
    async fn take(&self, change: &Change, step: &Step) -> Result<String> {
        let parties = self.parties;
        let register = parties.site(change.register())?;
        let name = change.site_of(step).clone();
        let here = parties.site(&name)?;
        let asked = match site_fence::step(here, register, change, step, &self.me).await {
            // A mirror that takes no part hears of it later if it cannot hear now.
            Err(error) if matches!(step, Step::Tell(_)) && error.code != Code::Cancelled => Asked::PassOver(error),
            asked => asked?,
        };
        if let Asked::PassOver(error) = asked {
            let what = words::step(change, step);
            here.notice(format!("not done: {what}: {}", error.message), "The next sync of it does what is left.");
            return Ok("later".to_owned());
        }
        match step {
            Step::Announce(_) | Step::Raise(_) | Step::Tell(_) | Step::Close(_) => {
                return Ok(format!(
                    "epoch {}",
                    if matches!(step, Step::Announce(_)) { change.epoch } else { change.epoch_after() }
                ));
            }
            Step::Hold(_)
            | Step::Quiesce(_)
            | Step::Bring
            | Step::Enable(_)
            | Step::SetRole(_)
            | Step::Resync(_)
            | Step::StateFile => {}
        }
        crash::point("role.step.before");
        let detail = match step {
            Step::Hold(_) => workflows::hold(here, change, &self.me).await?,
            Step::Quiesce(_) => self.quiesce(here).await?,
            Step::Bring => self.bring(change).await?,
            Step::Enable(_) => {
                self.look_back(change).await;
                workflows::enable(here, change, &self.me).await?
            }
            Step::SetRole(_) => workflows::set_role(here, change.role_of(&name)).await?,
            Step::Resync(_) => self.resync(change, here).await?,
            Step::StateFile => self.state_file(change, here).await?,
            Step::Announce(_) | Step::Raise(_) | Step::Tell(_) | Step::Close(_) => String::new(),
        };
        crash::point("role.step.after");
        Ok(detail)
    }

    async fn quiesce(&self, here: &MirrorContext) -> Result<String> {
        let quiet = quiesce(here, PATIENCE).await?;
        for run in &quiet.unended {
            here.notice(
                format!("the run {} of {} could not be ended", run.name, here.mirror.target.display()),
                format!("Look at {} before you rely on the change.", run.url),
            );
        }
        Ok(format!("{} ended, {} cancelled", quiet.ended.len(), quiet.cancelled.len()))
    }

    /// Brings what the old master has to the new one.
    async fn bring(&self, change: &Change) -> Result<String> {
        match change.kind {
            Kind::Demote => self.hand_back(change).await,
            Kind::Switchover | Kind::Failover => {
                let mut rounds = 0;
                loop {
                    let detail = self.sync(change, &change.old, &change.new).await?;
                    rounds += 1;
                    match self.lacking(change).await? {
                        None => return Ok(detail),
                        Some(_) if rounds < ROUNDS => {}
                        Some(name) => {
                            return Err(Error::passing(
                                Code::Raced,
                                format!(
                                    "{name} of {} moves faster than it can be brought to {}",
                                    change.old, change.new
                                ),
                                "Somebody pushes to the master: ask them to wait, then go on with `--resume`.",
                            ));
                        }
                    }
                }
            }
        }
    }

    /// Syncs one of the two from the other, as a part of the change.
    async fn sync(&self, change: &Change, from: &Site, to: &Site) -> Result<String> {
        let source = self.fresh(from, change);
        let mirror = self.parties.mirror_of(to)?;
        let (id, target) = (mirror.id.clone(), mirror.target.display());
        let request = RunRequest::of_all(&mirror, self.yes, &self.actor);
        let outcome = run::execute_held(source, mirror, request).await;
        if let Some(error) = outcome.error {
            return Err(error);
        }
        let store = &self.parties.home.context.store;
        let memory = store.mirror_memory(self.repository(), &id, &target)?;
        for (aspect, report) in &memory.aspects {
            if matches!(report.status, AspectStatus::Ok | AspectStatus::Skipped) {
                continue;
            }
            let message = report.error.clone().unwrap_or_else(|| format!("the {aspect} of {to} are not in step"));
            let hint = report.advice();
            if *aspect == standin_state::model::Aspect::Code {
                return Err(Error::new(Code::Diverged, message, hint));
            }
            self.notice(format!("{aspect} of {to}: {message}"), hint);
        }
        debug_assert_ne!(outcome.status, MirrorStatus::Syncing, "a run that is through");
        let last: Option<RunRecord> = memory.last_run;
        Ok(last.map_or_else(String::new, |run| format!("{} changes", run.totals.changes)))
    }

    /// A source that is read anew: what it was before the step does not count.
    fn fresh(&self, master: &Site, change: &Change) -> std::sync::Arc<SharedSource> {
        debug_assert!(
            self.parties.home.context.change.as_ref() == Some(&change.id),
            "the sources belong to this change"
        );
        std::sync::Arc::new(SharedSource::new(self.parties.source_of(master).context.clone()))
    }

    /// A branch or tag of the old master that the new one does not have as it is; `None` where both are equal.
    async fn lacking(&self, change: &Change) -> Result<Option<RefName>> {
        let (old, new) = (self.parties.site(&change.old)?, self.parties.site(&change.new)?);
        let (old, new) = tokio::try_join!(mirror::tips(old), mirror::tips(new))?;
        Ok(old.into_iter().find(|(name, oid)| new.get(name) != Some(oid)).map(|(name, _)| name))
    }

    /// What people pushed to the old master after its last sync shows as divergence; they are told now.
    async fn look_back(&self, change: &Change) {
        if change.kind != Kind::Switchover || change.way == Way::Back {
            return;
        }
        if let Ok(Some(name)) = self.lacking(change).await {
            self.notice(
                format!("{name} of {} was pushed to after the last sync; {} does not have it", change.old, change.new),
                "It shows as diverged with the next sync, and is kept until you decide.",
            );
        }
    }

    async fn hand_back(&self, change: &Change) -> Result<String> {
        let (old, new) = (self.parties.site(&change.old)?, self.parties.site(&change.new)?);
        let plan = handback::plan(old, new, change.epoch).await?;
        let guard = || -> BoxFuture<'_, Result<Option<Fence>>> {
            Box::pin(async {
                let register = self.parties.site(change.register())?;
                if let Asked::PassOver(error) = site_fence::step(new, register, change, &Step::Bring, &self.me).await? {
                    return Err(error);
                }
                Ok(site_fence::read(new).await?.1)
            })
        };
        let handed = handback::apply(old, new, &plan, &guard).await?;
        for notice in handed.notices {
            self.notice(notice.message, notice.hint);
        }
        for pull in &handed.pulls {
            self.notice(format!("{} waits to be merged into {}", pull.branch, pull.base), pull.url.clone());
        }
        Ok(format!("{} refs brought, {} pull requests", handed.refs.len(), handed.pulls.len()))
    }

    /// Brings the standby back in step after a hand-back. What it committed is safe on the master by then, so it may be
    /// moved like what we pushed ourselves; its tips are saved before.
    async fn resync(&self, change: &Change, here: &MirrorContext) -> Result<String> {
        let there = self.parties.site(change.winner())?;
        let plan = handback::plan(here, there, change.epoch).await?;
        // What the source would not take under its own name was brought under another.
        let is_kept = |home: &HandBackRef| home.commits == 0 && !home.name.is_tag();
        let unsafe_yet: BTreeSet<&RefName> =
            plan.refs.iter().filter(|home| home.is_to_be_pushed() && !is_kept(home)).map(|home| &home.name).collect();
        let mut safe = mirror::tips(here).await?;
        safe.retain(|name, _| !unsafe_yet.contains(name));
        site_fence::note(here, change, &self.me, |document| document.refs.extend(safe.clone())).await?;
        self.sync(change, change.winner(), &here.mirror.target.site()).await
    }

    async fn state_file(&self, change: &Change, here: &MirrorContext) -> Result<String> {
        let context = &self.parties.home.context;
        let Some(heartbeat) = &context.repository.heartbeat else {
            return Ok("no state file is configured".to_owned());
        };
        let report =
            status::report(&context.store, &context.folder, &self.parties.direction.home, &(&**context).into())?;
        let section = state_file::section(&report, &here.mirror.target.site(), &self.parties.source_site());
        Ok(match state_file::commit(here, &heartbeat.path, &section, &words::headline(change)).await? {
            state_file::Committed::NotThere => format!("{} is not there", heartbeat.path),
            state_file::Committed::Already => "it says so already".to_owned(),
            state_file::Committed::Done => format!("committed to {}", heartbeat.path),
            state_file::Committed::Refused(notice) => {
                self.event(&Event::Notice { repository: self.repository().clone(), mirror: None, notice });
                "not committed".to_owned()
            }
        })
    }

    fn repository(&self) -> &RepositoryId {
        &self.parties.direction.home.id
    }

    fn outside(&self) -> &Outside {
        &self.parties.home.context.outside
    }

    fn event(&self, event: &Event) {
        self.outside().progress.event(event);
    }

    fn notice(&self, message: impl Into<String>, hint: impl Into<String>) {
        let notice = Notice { message: message.into(), hint: hint.into() };
        self.event(&Event::Notice { repository: self.repository().clone(), mirror: None, notice });
    }

    fn tell(&self, change: &Change, step: &Step, state: RoleStepState, detail: &str, error: Option<&Error>) {
        self.event(&Event::RoleStep {
            repository: self.repository().clone(),
            number: change.position + 1,
            of: change.steps().len(),
            what: words::step(change, step),
            state,
            detail: detail.to_owned(),
            error: error.cloned(),
        });
    }
}

/// The name of this installation in the fences.
///
/// # Errors
/// What the store reports.
pub(crate) fn me(parties: &Parties) -> Result<String> {
    fence::writer(&parties.home.context)
}

fn too_slow(change: &Change, step: &Step) -> Error {
    Error::passing(
        Code::TimedOut,
        format!("the role change took longer than its limit and stopped before: {}", words::step(change, step)),
        "Everything done so far is written down. `--resume` goes on with it, `--rollback` takes it back.",
    )
}
