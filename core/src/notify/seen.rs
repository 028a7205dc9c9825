//! What is known of a repository at one look: its report, and what of the memory is not in it. Asks nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use standin_state::config::RepositoryConfig;
use standin_state::model::{MirrorId, RepositoryId, RepositoryReport, RunStatus};
use standin_state::store::{Fact, RunFilter, RunRecord, Store};

use super::decide::ENOUGH_FAILURES;
use crate::{Result, github};

/// Runs that are looked back on: enough for a row of failures with some that were stopped among them.
const RUNS: usize = 12;

/// What is known at one look.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How it stands.
    pub report: RepositoryReport,
    /// How many runs in a row failed, by mirror.
    pub failures: BTreeMap<MirrorId, u32>,
    /// When tokens end, by place: a mirror, or `source` for that of the master.
    pub tokens: BTreeMap<MirrorId, Timestamp>,
    /// The epoch of the change of master that a person made here last: they know of it.
    pub changed_by_hand: Option<u64>,
    /// How often the sentinel is to look.
    pub sentinel_interval: Duration,
}

impl Seen {
    /// What is known now of the repository that this report is of.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub(crate) fn gather(store: &Store, repository: &RepositoryConfig, report: RepositoryReport) -> Result<Self> {
        let id = &repository.id;
        let mut failures = BTreeMap::new();
        let mut tokens = BTreeMap::new();
        tokens.extend(token_end(store, id, None)?.map(|end| (MirrorId::source(), end)));
        for mirror in report.mirrors.iter().filter(|mirror| mirror.enabled) {
            let filter = RunFilter {
                repository: Some(id.clone()),
                mirror: Some(mirror.id.clone()),
                limit: RUNS,
                ..RunFilter::default()
            };
            failures.insert(mirror.id.clone(), failed_in_a_row(&store.runs(&filter)?));
            let end = token_end(store, id, Some(&mirror.id))?;
            tokens.extend(end.map(|end| (mirror.id.clone(), end)));
        }
        let changed_by_hand = store.fact(id, None, Fact::ChangedByHand)?.and_then(|text| text.parse().ok());
        let sentinel_interval = repository.sentinel.interval;
        Ok(Self { report, failures, tokens, changed_by_hand, sentinel_interval })
    }
}

/// How many of the last runs failed, newest first, by the mirror's own fault. What was stopped or still goes on says nothing.
fn failed_in_a_row(runs: &[RunRecord]) -> u32 {
    let mut count = 0;
    for run in runs {
        match run.status {
            RunStatus::Failed if run.error.as_ref().is_some_and(|error| error.at_source) => {}
            RunStatus::Failed => count += 1,
            RunStatus::Running | RunStatus::Cancelled => {}
            RunStatus::Success | RunStatus::Blocked => break,
        }
        if count >= ENOUGH_FAILURES {
            break;
        }
    }
    count
}

fn token_end(store: &Store, repository: &RepositoryId, mirror: Option<&MirrorId>) -> Result<Option<Timestamp>> {
    Ok(store.fact(repository, mirror, Fact::TokenExpires)?.and_then(|kept| github::token_end(&kept)))
}
