//! The schedule of the state folder: what is due, paused and resumed, shown.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use standin_state::config::{Config, MirrorConfig, RepositoryConfig, Rhythm, Source};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{MirrorId, RepositoryId, SchedulePause, ScheduleReport, ScheduledMirror};
use standin_state::store::ScheduledTry;

use super::Engine;
use crate::event::Event;
use crate::mastership::direction::Direction;
use crate::run::MirrorOutcome;
use crate::{Code, Error, Result, schedule};

/// What the configuration was read from, to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationStamp {
    files: Vec<(PathBuf, Option<(SystemTime, u64)>)>,
    consents: String,
}

impl Engine {
    /// How the schedule stands, and when each mirror is synced next.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn schedule(&self) -> Result<ScheduleReport> {
        let config = self.config();
        let reports = self.status(None)?;
        let known = |repository: &RepositoryId, mirror: &MirrorId| {
            let report = reports.iter().find(|report| report.repository == *repository)?;
            report.mirrors.iter().find(|report| report.id == *mirror)?.next_sync_iso
        };
        let mirrors = config.repositories.iter().flat_map(|repository| {
            repository.mirrors.iter().filter(|mirror| mirror.enabled && repository.enabled).map(|mirror| {
                ScheduledMirror {
                    repository: repository.id.clone(),
                    mirror: mirror.id.clone(),
                    rhythm: if config.schedule.enabled {
                        mirror.rhythm(&config.schedule).to_string()
                    } else {
                        "off".to_owned()
                    },
                    next_sync_iso: known(&repository.id, &mirror.id),
                }
            })
        });
        Ok(ScheduleReport {
            kept_by: schedule::kept_by(&self.shared.state_dir)?,
            pause: self.schedule_pause_now()?,
            mirrors: mirrors.collect(),
        })
    }

    /// Whether mirrors are synced by themselves by this process, and by nobody where it ends.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn is_schedule_kept_here(&self) -> Result<bool> {
        let report = self.schedule()?;
        let is_here = report.kept_by.is_some_and(|holder| lock::is_own(&holder));
        // A pause with an end is one after which it would go on.
        let goes_on = report.pause.is_none_or(|pause| pause.until_iso.is_some());
        Ok(is_here && goes_on && report.mirrors.iter().any(|mirror| mirror.rhythm != "off"))
    }

    /// The pause that holds now, if any.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn schedule_pause_now(&self) -> Result<Option<SchedulePause>> {
        let now = self.shared.outside.clock.now();
        Ok(self.shared.store.schedule_pause()?.filter(|pause| pause.holds(now)))
    }

    /// Lets nothing be synced by itself for so long, or until it is resumed. What goes on is ended well; syncs by hand work.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn schedule_pause(&self, length: Option<Duration>) -> Result<SchedulePause> {
        let now = self.shared.outside.clock.now();
        let until_iso = length.map(|length| now.checked_add(length).unwrap_or(Timestamp::MAX));
        let pause = SchedulePause { since_iso: now, until_iso, actor: self.shared.actor.clone() };
        let set = self.shared.store.set_schedule_pause(Some(&pause)).map(|()| pause);
        let detail = until_iso.map_or_else(|| "until it is resumed".to_owned(), |until| format!("until {until:.0}"));
        self.audited_for_all("schedule_pause", detail, set)
    }

    /// Lets the schedule go on; `false` where it was not paused.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn schedule_resume(&self) -> Result<bool> {
        let now = self.shared.outside.clock.now();
        let was_paused = self.shared.store.schedule_pause()?.is_some_and(|pause| pause.holds(now));
        let set = self.shared.store.set_schedule_pause(None).map(|()| was_paused);
        if was_paused { self.audited_for_all("schedule_resume", String::new(), set) } else { set }
    }

    /// Takes the schedule of this state folder, and remembers since when it is kept.
    ///
    /// # Errors
    /// [`Refusal::Held`] with who keeps it; [`Refusal::Failed`].
    pub(crate) fn take_schedule(&self) -> std::result::Result<(MirrorLock, Timestamp), Refusal> {
        let now = self.shared.outside.clock.now();
        let held = schedule::take(&self.shared.state_dir, &lock::holder(&self.shared.actor, now))?;
        self.shared.store.set_schedule_kept_since(now).map_err(Refusal::Failed)?;
        Ok((held, now))
    }

    /// Whether the schedule is paused now. A pause that was made by a clock far ahead ends as long after now as was asked for.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn is_schedule_paused(&self) -> Result<bool> {
        let now = self.shared.outside.clock.now();
        if let Some(pause) = self.shared.store.schedule_pause()?.and_then(|pause| pause.set_back(now)) {
            self.shared.store.set_schedule_pause(Some(&pause))?;
        }
        Ok(self.shared.store.schedule_pause()?.is_some_and(|pause| pause.holds(now)))
    }

    /// The mirrors of a repository that a schedule kept since the first of two moments would sync, with when each is due; the second
    /// is now.
    ///
    /// # Errors
    /// As [`Engine::direction`].
    pub(crate) fn due(
        &self,
        repository: &RepositoryConfig,
        moments: (Timestamp, Timestamp),
    ) -> Result<Vec<(MirrorId, Timestamp)>> {
        let direction = self.direction(Some(&repository.id))?;
        let (store, schedule) = (&self.shared.store, &self.config().schedule);
        let due = |mirror: &MirrorConfig| {
            let next = schedule::next(store, schedule, &direction.home, mirror, moments)?;
            Ok(next.map(|next| (mirror.id.clone(), next)))
        };
        direction.targets().filter_map(|mirror| due(mirror).transpose()).collect()
    }

    /// The mirrors of a repository that are synced when something asks for it, without a person: those that are switched on, and
    /// not kept for syncs by hand (`schedule = "off"`). Without a schedule (`enabled = false`) that is the only way.
    ///
    /// # Errors
    /// As [`Engine::direction`].
    pub(crate) fn synced_by_itself(&self, repository: &RepositoryId) -> Result<Vec<MirrorId>> {
        let direction = self.direction(Some(repository))?;
        let schedule = &self.config().schedule;
        let is_synced = |mirror: &&MirrorConfig| mirror.enabled && mirror.rhythm(schedule) != Rhythm::Off;
        let mirrors = direction.targets().filter(is_synced).map(|mirror| mirror.id.clone());
        Ok(mirrors.collect())
    }

    /// Remembers how a sync that the schedule set off ended for one mirror.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn note_scheduled(&self, repository: &RepositoryId, outcome: &MirrorOutcome) -> Result<()> {
        let error = outcome.error.as_ref();
        // What was stopped, or found another at work, was no try.
        if error.is_some_and(|error| matches!(error.code, Code::Cancelled | Code::Busy)) {
            return Ok(());
        }
        let (store, now) = (&self.shared.store, self.shared.outside.clock.now());
        let failures = if outcome.has_failed() {
            store.scheduled_try(repository, &outcome.mirror)?.map_or(1, |before| before.failures.saturating_add(1))
        } else {
            0
        };
        let rest = outcome.retry_after_seconds.map(Duration::from_secs);
        let not_before_iso = rest.map(|rest| now.checked_add(rest).unwrap_or(Timestamp::MAX));
        store.set_scheduled_try(repository, &outcome.mirror, &ScheduledTry { ended_iso: now, failures, not_before_iso })
    }

    /// What the configuration would be read from now.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn configuration_stamp(&self) -> Result<ConfigurationStamp> {
        let load = &self.shared.load;
        let config_file = load.config_file.clone().unwrap_or_else(|| load.default_config_dir.join("standin.toml"));
        let folder = load.repo.as_ref().map_or(load.current_dir.clone(), |repo| load.current_dir.join(repo));
        let config = self.config();
        let env_files = config.repositories.iter().filter_map(|repository| repository.env_file.clone());
        let clones = config.repositories.iter().filter_map(|repository| repository.clone.as_ref());
        let mut paths: Vec<PathBuf> = [config_file, folder.join(".env")]
            .into_iter()
            .chain(env_files)
            .chain(clones.map(|clone| clone.join(".env")))
            .collect();
        paths.sort();
        paths.dedup();
        let stamp = |path: PathBuf| {
            let seen = std::fs::metadata(&path).ok();
            (path, seen.and_then(|seen| Some((seen.modified().ok()?, seen.len()))))
        };
        let consents = format!("{:?}", self.shared.store.consents()?);
        Ok(ConfigurationStamp { files: paths.into_iter().map(stamp).collect(), consents })
    }

    /// Reads the configuration again. A repository whose files have mistakes by now goes on as they were read before, and says
    /// so in its status; those of which that is new are given back.
    ///
    /// # Errors
    /// As [`Engine::reload`].
    pub(crate) fn reload_and_go_on(&self) -> Result<Vec<(RepositoryId, Error)>> {
        let before = self.config();
        self.reload()?;
        let mut config = Config::clone(&self.config());
        let mut broken = Vec::new();
        for now in config.repositories.iter_mut().filter(|now| !now.mistakes.is_empty()) {
            let known = before.repositories.iter().find(|before| before.id == now.id && before.mistakes.is_empty());
            let Some(known) = known else { continue };
            let mistakes = std::mem::take(&mut now.mistakes);
            if known.newer_mistakes != mistakes {
                broken.push((now.id.clone(), Error::from(mistakes.clone())));
            }
            *now = RepositoryConfig { newer_mistakes: mistakes, ..known.clone() };
        }
        self.set_config(config);
        Ok(broken)
    }

    /// The present moment, as everything here is dated.
    pub fn now(&self) -> Timestamp {
        self.shared.outside.clock.now()
    }

    /// Tells something to whoever listens.
    pub(crate) fn tell(&self, event: &Event) {
        self.shared.outside.progress.event(event);
    }

    /// Judges the master of a repository, and learns from the fences who it is; nothing where no master can be judged. The
    /// mirrors are not looked at.
    ///
    /// # Errors
    /// As [`Engine::health`].
    pub async fn look_at_master(&self, repository: &RepositoryId) -> Result<()> {
        let home = self.repository(Some(repository))?;
        let place = Direction::of(&self.shared.store, &home)?.watched_place();
        if home.mirrors.iter().all(|mirror| mirror.slug().is_none()) {
            return Ok(());
        }
        self.health(Some(&home.id), Some(&place)).await.map(drop)
    }

    /// When the master of a repository is to be looked at next; `None` where no master can be judged.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn next_look(&self, home: &RepositoryConfig, now: Timestamp) -> Result<Option<Timestamp>> {
        let standbys = home.mirrors.iter().any(|mirror| mirror.enabled && mirror.slug().is_some());
        if !home.enabled || !standbys || !matches!(home.source, Source::GitHub(_)) {
            return Ok(None);
        }
        let seen = self.shared.store.master_health(&home.id)?;
        Ok(Some(schedule::next_look(seen.as_ref(), now)))
    }
}
