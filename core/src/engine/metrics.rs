//! The facts that the page of metrics shows: what is remembered, read without asking anyone.

use std::collections::BTreeMap;

use standin_state::config::{PING, RepositoryConfig, Rhythm};
use standin_state::model::{MirrorId, MirrorReport, RepositoryId, RepositoryReport, StandingWord};
use standin_state::store::{Fact, RunCount};

use super::Engine;
use crate::mastership::direction::Direction;
use crate::metrics::{Facts, MirrorFacts, PlaceFacts, RepositoryFacts};
use crate::{Result, github};

/// What is remembered of all repositories and mirrors, also of those that are configured no more.
struct Remembered {
    tokens: BTreeMap<(RepositoryId, Option<MirrorId>), String>,
    failures: BTreeMap<(RepositoryId, MirrorId), u64>,
    runs: BTreeMap<(RepositoryId, MirrorId), Vec<RunCount>>,
}

impl Engine {
    /// What is known now of all that is configured. `is_kept` says whether the caller keeps the schedule.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn metrics(&self, is_kept: bool) -> Result<Facts> {
        let (config, store) = (self.config(), &self.shared.store);
        let mut runs = BTreeMap::<_, Vec<RunCount>>::new();
        for count in store.run_counts()? {
            runs.entry((count.repository.clone(), count.mirror.clone())).or_default().push(count);
        }
        let remembered =
            Remembered { tokens: store.every(Fact::TokenExpires)?, failures: store.failures_in_a_row()?, runs };
        let reports = self.status(None)?;
        let repositories = reports.into_iter().map(|report| {
            let known = config.repositories.iter().find(|known| known.id == report.repository);
            self.repository_facts(report, known, &remembered)
        });
        Ok(Facts {
            version: env!("CARGO_PKG_VERSION"),
            is_kept,
            is_paused: self.is_schedule_paused()?,
            queued: u64::try_from(self.queued()?.len()).unwrap_or(u64::MAX),
            places: self.place_facts()?,
            repositories: repositories.collect::<Result<_>>()?,
        })
    }

    fn repository_facts(
        &self,
        report: RepositoryReport,
        known: Option<&RepositoryConfig>,
        remembered: &Remembered,
    ) -> Result<RepositoryFacts> {
        let direction = known.map(|known| Direction::of(&self.shared.store, known)).transpose()?;
        let end = |mirror: Option<&MirrorId>| {
            let kept = remembered.tokens.get(&(report.repository.clone(), mirror.cloned()))?;
            github::token_end(kept)
        };
        let mirrors = report.mirrors.iter().map(|mirror| {
            let key = (report.repository.clone(), mirror.id.clone());
            let facts = MirrorFacts {
                interval: direction.as_ref().and_then(|direction| self.interval(direction, mirror)),
                failures: remembered.failures.get(&key).copied().unwrap_or(0),
                token_ends: end(Some(&mirror.id)).filter(|_| mirror.enabled),
                runs: remembered.runs.get(&key).cloned().unwrap_or_default(),
            };
            (mirror.id.clone(), facts)
        });
        let (mirrors, token_ends) = (mirrors.collect(), end(None));
        Ok(RepositoryFacts { report, token_ends, mirrors })
    }

    /// The time between two syncs of what is kept in step by an interval.
    fn interval(&self, direction: &Direction, mirror: &MirrorReport) -> Option<std::time::Duration> {
        let schedule = &self.config().schedule;
        let is_target = match mirror.standing.word {
            StandingWord::IsMaster
            | StandingWord::StandsIn
            | StandingWord::WaitsForHandBack
            | StandingWord::SwitchedOff => false,
            StandingWord::ConsentNeeded
            | StandingWord::ChangeOpen
            | StandingWord::MasterGone
            | StandingWord::MasterDown
            | StandingWord::MasterUnknown
            | StandingWord::CannotTakeOver
            | StandingWord::Waits
            | StandingWord::Failed
            | StandingWord::Attention
            | StandingWord::Stale
            | StandingWord::Behind
            | StandingWord::LeftApart
            | StandingWord::NeverSynced
            | StandingWord::Syncing
            | StandingWord::NoMirrors
            | StandingWord::InStep => true,
        };
        if !is_target || !schedule.enabled {
            return None;
        }
        match direction.config.mirror(&mirror.id)?.rhythm(schedule) {
            Rhythm::Every(interval) => Some(interval),
            Rhythm::At(_) | Rhythm::Off => None,
        }
    }

    fn place_facts(&self) -> Result<Vec<PlaceFacts>> {
        let notify = &self.config().notify;
        let (waiting, troubles) = (self.shared.store.outbox_waiting()?, self.notify_troubles()?);
        let is_failing = |name: &str| troubles.iter().any(|trouble| trouble.name == name);
        let places = notify.targets.iter().map(|target| PlaceFacts {
            name: target.name.to_string(),
            waiting: waiting.get(&target.name).copied().unwrap_or(0),
            is_failing: is_failing(target.name.as_str()),
        });
        // What asks the ping keeps nothing to be sent again.
        let ping =
            notify.ping.iter().map(|_| PlaceFacts { name: PING.to_owned(), waiting: 0, is_failing: is_failing(PING) });
        Ok(places.chain(ping).collect())
    }
}
