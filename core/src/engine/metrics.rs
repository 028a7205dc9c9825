//! The facts that the page of metrics shows: what is remembered, read without asking anyone.

use std::collections::BTreeMap;
use std::time::Duration;

use standin_state::config::{PING, RepositoryConfig, Rhythm, Schedule};
use standin_state::model::{MirrorId, MirrorReport, RepositoryId, RepositoryReport, Role, StandingWord};
use standin_state::store::{Fact, RunCount};

use super::Engine;
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
            repository_facts(report, known, &config.schedule, &remembered)
        });
        Ok(Facts {
            version: env!("CARGO_PKG_VERSION"),
            is_kept,
            is_paused: self.is_schedule_paused()?,
            queued: u64::try_from(self.queued()?.len()).unwrap_or(u64::MAX),
            places: self.place_facts()?,
            repositories: repositories.collect(),
        })
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

fn repository_facts(
    report: RepositoryReport,
    known: Option<&RepositoryConfig>,
    schedule: &Schedule,
    remembered: &Remembered,
) -> RepositoryFacts {
    let end = |mirror: Option<&MirrorId>| {
        let kept = remembered.tokens.get(&(report.repository.clone(), mirror.cloned()))?;
        github::token_end(kept)
    };
    let mirrors = report.mirrors.iter().map(|mirror| {
        let key = (report.repository.clone(), mirror.id.clone());
        let facts = MirrorFacts {
            interval: known.and_then(|known| interval(&report, mirror, known, schedule)),
            failures: remembered.failures.get(&key).copied().unwrap_or(0),
            token_ends: end(Some(&mirror.id)).filter(|_| mirror.enabled),
            runs: remembered.runs.get(&key).cloned().unwrap_or_default(),
        };
        (mirror.id.clone(), facts)
    });
    let (mirrors, token_ends) = (mirrors.collect(), end(None));
    RepositoryFacts { report, token_ends, mirrors }
}

/// The time between two syncs of what is kept in step by an interval.
fn interval(
    report: &RepositoryReport,
    mirror: &MirrorReport,
    known: &RepositoryConfig,
    schedule: &Schedule,
) -> Option<Duration> {
    if !is_target(mirror.standing.word) || !schedule.enabled {
        return None;
    }
    // The configured source goes by the rhythm of the mirror that is master in its place.
    let in_its_place = || report.mirrors.iter().find(|other| other.role.is_some_and(|role| role != Role::Slave));
    let id = if mirror.id.is_source() { &in_its_place()?.id } else { &mirror.id };
    match known.mirror(id)?.rhythm(schedule) {
        Rhythm::Every(interval) => Some(interval),
        Rhythm::At(_) | Rhythm::Off => None,
    }
}

/// Whether anything is synced towards what stands so.
fn is_target(word: StandingWord) -> bool {
    match word {
        StandingWord::IsMaster
        | StandingWord::StandsIn
        | StandingWord::WaitsForHandBack
        | StandingWord::NoMirrors
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
        | StandingWord::InStep => true,
    }
}
