//! What is known, as a page of metrics: pure text made from plain data, for Prometheus and whatever reads OpenMetrics.
//!
//! | file | what lives there |
//! |---|---|
//! | `described` | each metric: its name, type, unit, labels, and what of the facts it shows |
//! | `page` | the page, as OpenMetrics or as the older text format of Prometheus |
//! | `answer` | the answer to whoever scrapes it |
//!
//! The engine gathers the [`Facts`] without asking anyone. On the page stand names from the configuration, numbers and times, and
//! nothing else: no address, no path, no value, no words of an error.

mod answer;
mod described;
mod page;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use standin_state::model::{MirrorId, RepositoryReport};
use standin_state::store::RunCount;

pub use answer::{Gather, MetricsAnswer, PATH};
pub use described::{Kind, METRICS, Metric};
pub use page::{Form, page};

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The version of the program that answers.
    pub version: &'static str,
    /// Whether this process keeps the schedule; else it stands by.
    pub is_kept: bool,
    /// Whether the schedule is paused.
    pub is_paused: bool,
    /// How many triggers wait in the queue.
    pub queued: u64,
    /// The places that word is sent to.
    pub places: Vec<PlaceFacts>,
    /// The repositories that are configured.
    pub repositories: Vec<RepositoryFacts>,
}

/// A place that word is sent to.
#[derive(Clone, Debug)]
pub struct PlaceFacts {
    /// Its name.
    pub name: String,
    /// How many messages wait to be sent there.
    pub waiting: u64,
    /// Whether the last one did not arrive.
    pub is_failing: bool,
}

/// One repository.
#[derive(Clone, Debug)]
pub struct RepositoryFacts {
    /// How it and its mirrors stand.
    pub report: RepositoryReport,
    /// When the token of the master ends, where that is known.
    pub token_ends: Option<Timestamp>,
    /// What of its mirrors is not in the report.
    pub mirrors: BTreeMap<MirrorId, MirrorFacts>,
}

/// What of a mirror is not in its report.
#[derive(Clone, Debug, Default)]
pub struct MirrorFacts {
    /// The time between two syncs; `None` where it is synced at times of the clock, by hand, or not at all.
    pub interval: Option<Duration>,
    /// How many runs in a row failed, by its own fault.
    pub failures: u64,
    /// When its token ends, where that is known.
    pub token_ends: Option<Timestamp>,
    /// Its runs, by what set them off and how they ended.
    pub runs: Vec<RunCount>,
}
