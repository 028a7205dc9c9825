//! Each metric: its name, type, unit, labels, and what of the facts it shows.

use jiff::Timestamp;
use prometheus_client::registry::Unit;
use standin_state::model::{Aspect, AspectReport, AspectStatus, MasterVerdict, MirrorReport, StandingWord};
use standin_state::store::RunCount;

use super::{Facts, MirrorFacts, RepositoryFacts};

/// What all names begin with.
pub(super) const PREFIX: &str = "standin";

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It is what it is now.
    Gauge,
}

/// A metric.
pub struct Metric {
    pub(super) stem: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// The unit, at the end of its name too.
    pub unit: Option<Unit>,
    /// The names of its labels, in their order.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
    pub(super) samples: fn(&Facts) -> Vec<Sample<'_>>,
}

impl Metric {
    /// The name of what is served, as a query has it.
    pub fn name(&self) -> String {
        let unit = self.unit.as_ref().map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
        let end = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
        };
        format!("{PREFIX}_{}{unit}{end}", self.stem)
    }
}

/// One line of the page.
pub(super) struct Sample<'f> {
    /// The values of the labels, in their order.
    pub labels: Vec<&'f str>,
    pub value: Value,
}

/// A number.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Count(u64),
    Seconds(f64),
}

/// All of them, in the order of the page. A row in the table of docs/operations.md belongs to each.
pub const METRICS: &[Metric] = &[
    gauge("build_info", &["version"], "Always 1; which version answers.", |facts| {
        vec![sample([facts.version], Value::Count(1))]
    }),
    gauge("schedule_kept", &[], "Whether this process keeps the schedule (1) or stands by (0).", |facts| {
        vec![sample([], yes(facts.is_kept))]
    }),
    gauge("schedule_paused", &[], "Whether the schedule is paused, so that nothing is synced by itself.", |facts| {
        vec![sample([], yes(facts.is_paused))]
    }),
    gauge("queue_waiting", &[], "Triggers that wait to be carried out.", |facts| {
        vec![sample([], Value::Count(facts.queued))]
    }),
    gauge("notify_waiting", &["place"], "Messages that wait to be sent to a place of [[notify]].", |facts| {
        facts.places.iter().map(|place| sample([place.name.as_str()], Value::Count(place.waiting))).collect()
    }),
    gauge("notify_failing", &["place"], "Whether the last message to a place did not arrive.", |facts| {
        facts.places.iter().map(|place| sample([place.name.as_str()], yes(place.is_failing))).collect()
    }),
    gauge("repository_standing", &["repository", "standing"], "How a repository stands: 1 at that word.", |facts| {
        let of_one = |known| words(vec![id(known)], known.report.standing.word);
        facts.repositories.iter().flat_map(of_one).collect()
    }),
    gauge("master_healthy", &["repository"], "Whether the last look found the master well.", |facts| {
        let of_one = |known| Some(sample([id(known)], healthy(known)?));
        facts.repositories.iter().filter_map(of_one).collect()
    }),
    timestamp("master_looked_timestamp", &["repository"], "When the master was last looked at.", |facts| {
        let looked = |known: &RepositoryFacts| Some(known.report.master_health.as_ref()?.last_health_check_iso);
        facts.repositories.iter().filter_map(|known| Some(sample([id(known)], moment(looked(known)?)))).collect()
    }),
    gauge(
        "standing",
        &["repository", "mirror", "standing"],
        "How a mirror stands, as `standin status` says it: 1 at that word.",
        |facts| mirrors(facts).flat_map(|of| words(of.labels(), of.report.standing.word)).collect(),
    ),
    timestamp(
        "last_success_timestamp",
        &["repository", "mirror", "aspect"],
        "When an aspect of a mirror was last brought, or found, in step.",
        |facts| mirrors(facts).flat_map(last_successes).collect(),
    ),
    timestamp(
        "sync_interval",
        &["repository", "mirror"],
        "The time between two syncs of a mirror that has an interval.",
        |facts| {
            let interval = |of: Of<'_>| Some(Value::Seconds(of.facts?.interval?.as_secs_f64()));
            each(facts, interval)
        },
    ),
    timestamp("next_sync_timestamp", &["repository", "mirror"], "When a mirror is synced next by itself.", |facts| {
        each(facts, |of| of.report.next_sync_iso.map(moment))
    }),
    gauge(
        "commits_behind",
        &["repository", "mirror"],
        "Commits that a mirror lacks, where they were counted.",
        |facts| each(facts, |of| of.report.code.behind.map(Value::Count)),
    ),
    gauge("decisions_waiting", &["repository", "mirror"], "Aspects of a mirror that wait for a decision.", |facts| {
        each(facts, |of| Some(Value::Count(decisions(of.report))))
    }),
    gauge(
        "consecutive_failures",
        &["repository", "mirror"],
        "Runs in a row that failed by the mirror's fault.",
        |facts| each(facts, |of| Some(Value::Count(of.facts.map_or(0, |facts| facts.failures)))),
    ),
    timestamp(
        "token_expires_timestamp",
        &["repository", "mirror"],
        "When the token of a mirror ends, or that of the master, as mirror `source`.",
        |facts| facts.repositories.iter().flat_map(token_ends).collect(),
    ),
    counter(
        "runs",
        &["repository", "mirror", "trigger", "status"],
        "Runs that ended, by what set them off and how they ended.",
        |facts| mirrors(facts).flat_map(runs).collect(),
    ),
    counter("api_requests", &["repository", "mirror"], "Requests to the REST API of hosts.", |facts| {
        each(facts, |of| Some(total(of, |count| count.api_requests)))
    }),
    counter("bytes_sent", &["repository", "mirror"], "Bytes of packs that were sent.", |facts| {
        each(facts, |of| Some(total(of, |count| count.bytes_sent)))
    }),
    counter("bytes_received", &["repository", "mirror"], "Bytes of packs that were received.", |facts| {
        each(facts, |of| Some(total(of, |count| count.bytes_received)))
    }),
];

type Samples = fn(&Facts) -> Vec<Sample<'_>>;

const fn gauge(stem: &'static str, labels: &'static [&'static str], help: &'static str, samples: Samples) -> Metric {
    Metric { stem, kind: Kind::Gauge, unit: None, labels, help, samples }
}

/// A moment or a length of time.
const fn timestamp(
    stem: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: Samples,
) -> Metric {
    Metric { stem, kind: Kind::Gauge, unit: Some(Unit::Seconds), labels, help, samples }
}

const fn counter(stem: &'static str, labels: &'static [&'static str], help: &'static str, samples: Samples) -> Metric {
    Metric { stem, kind: Kind::Counter, unit: None, labels, help, samples }
}

/// A mirror with all that is known of it.
#[derive(Clone, Copy)]
struct Of<'f> {
    repository: &'f str,
    report: &'f MirrorReport,
    facts: Option<&'f MirrorFacts>,
}

impl<'f> Of<'f> {
    fn labels(self) -> Vec<&'f str> {
        vec![self.repository, self.report.id.as_str()]
    }
}

fn mirrors(facts: &Facts) -> impl Iterator<Item = Of<'_>> {
    facts.repositories.iter().flat_map(|known| {
        let of = |report| Of { repository: id(known), report, facts: known.mirrors.get(&report.id) };
        known.report.mirrors.iter().map(of)
    })
}

/// One sample of each mirror of which this is known.
fn each<'f>(facts: &'f Facts, value: impl Fn(Of<'f>) -> Option<Value>) -> Vec<Sample<'f>> {
    mirrors(facts).filter_map(|of| Some(Sample { labels: of.labels(), value: value(of)? })).collect()
}

fn sample<'f, const N: usize>(labels: [&'f str; N], value: Value) -> Sample<'f> {
    Sample { labels: labels.into(), value }
}

fn id(known: &RepositoryFacts) -> &str {
    known.report.repository.as_str()
}

fn yes(is_so: bool) -> Value {
    Value::Count(u64::from(is_so))
}

/// Seconds since 1970.
fn moment(at: Timestamp) -> Value {
    // Exact to the millisecond for as long as there are timestamps.
    Value::Seconds(at.as_millisecond() as f64 / 1000.0)
}

/// A set of states: every word, one of which is so.
fn words(labels: Vec<&str>, so: StandingWord) -> impl Iterator<Item = Sample<'_>> {
    StandingWord::ALL.iter().map(move |word| {
        let labels = labels.iter().copied().chain([word.as_str()]).collect();
        Sample { labels, value: yes(*word == so) }
    })
}

/// Nothing of a master that nobody can judge.
fn healthy(known: &RepositoryFacts) -> Option<Value> {
    match known.report.master_health.as_ref()?.verdict {
        MasterVerdict::Well => Some(yes(true)),
        MasterVerdict::Down | MasterVerdict::Gone => Some(yes(false)),
        MasterVerdict::Unknown => None,
    }
}

/// The aspects that are kept in step.
fn aspects(report: &MirrorReport) -> impl Iterator<Item = (Aspect, &AspectReport)> {
    let of = |aspect| match aspect {
        Aspect::Code => &report.code,
        Aspect::Secrets => &report.secrets,
        Aspect::Variables => &report.variables,
        Aspect::Workflows => &report.workflows,
    };
    let all = Aspect::ALL.iter().map(move |aspect| (*aspect, of(*aspect)));
    all.filter(|(_, report)| report.status != AspectStatus::Skipped)
}

fn last_successes(of: Of<'_>) -> impl Iterator<Item = Sample<'_>> {
    aspects(of.report).filter_map(move |(aspect, report)| {
        let labels = of.labels().into_iter().chain([aspect.as_str()]).collect();
        Some(Sample { labels, value: moment(report.last_sync_iso?) })
    })
}

/// What waits as a whole, before its aspects, counts as one.
fn decisions(report: &MirrorReport) -> u64 {
    if !report.enabled {
        return 0;
    }
    let waits = report.error.as_ref().is_some_and(|error| error.code.waits());
    let blocked = aspects(report).filter(|(_, report)| report.status == AspectStatus::Blocked).count();
    u64::try_from(blocked).unwrap_or(u64::MAX).max(u64::from(waits))
}

fn token_ends(known: &RepositoryFacts) -> impl Iterator<Item = Sample<'_>> {
    let own = known.report.mirrors.iter().filter_map(|mirror| {
        let ends = known.mirrors.get(&mirror.id)?.token_ends?;
        Some(Sample { labels: vec![id(known), mirror.id.as_str()], value: moment(ends) })
    });
    // While another is master, the source is one of its mirrors, and the master's own token is that of a mirror too.
    let is_mirror = known.report.mirrors.iter().any(|mirror| mirror.id.is_source());
    let of_source = known.token_ends.filter(|_| !is_mirror);
    own.chain(of_source.map(|ends| sample([id(known), SOURCE], moment(ends))))
}

/// As `MirrorId::source` is written.
const SOURCE: &str = "source";

fn runs(of: Of<'_>) -> impl Iterator<Item = Sample<'_>> {
    let counts = of.facts.map_or(&[][..], |facts| facts.runs.as_slice());
    counts.iter().map(move |count| {
        let labels = of.labels().into_iter().chain([count.trigger.as_str(), count.status.as_str()]).collect();
        Sample { labels, value: Value::Count(count.runs) }
    })
}

fn total(of: Of<'_>, part: impl Fn(&RunCount) -> u64) -> Value {
    let counts = of.facts.map_or(&[][..], |facts| facts.runs.as_slice());
    Value::Count(counts.iter().map(part).fold(0, u64::saturating_add))
}
