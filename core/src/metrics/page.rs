//! The page: the text that is scraped.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Facts;
use super::described::{Kind, METRICS, Metric, PREFIX, Sample, Value};
use crate::{Code, Error, Result};

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus 0.0.4, for who reads only that.
    Text,
}

impl Form {
    /// The form for whoever accepts this: OpenMetrics, unless only the older one is named.
    pub fn accepted(accept: Option<&str>) -> Self {
        let names = |kind: &str| {
            accept.is_some_and(|accept| {
                accept
                    .split(',')
                    .any(|one| one.split(';').next().is_some_and(|one| one.trim().eq_ignore_ascii_case(kind)))
            })
        };
        match names("text/plain") && !names("application/openmetrics-text") {
            true => Self::Text,
            false => Self::OpenMetrics,
        }
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// The page of these facts.
///
/// # Errors
/// [`Code::Internal`] for a number that cannot be written.
pub fn page(facts: &Arc<Facts>, form: Form) -> Result<String> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Shown(facts.clone())));
    let mut page = String::new();
    let written = match form {
        Form::OpenMetrics => text::encode(&mut page, &registry),
        Form::Text => prometheus_text::encode(&mut page, &registry),
    };
    let failed = |_| Error::new(Code::Internal, "the metrics cannot be written", "This is a bug in Standin.");
    written.map(|()| page).map_err(failed)
}

#[derive(Debug)]
struct Shown(Arc<Facts>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        METRICS.iter().try_for_each(|metric| write(metric, &(metric.samples)(&self.0), &mut encoder))
    }
}

fn write(metric: &Metric, samples: &[Sample<'_>], encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    let kind = match metric.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
    };
    let mut family = encoder.encode_descriptor(metric.stem, metric.help, metric.unit.as_ref(), kind)?;
    for Sample { labels, value } in samples {
        let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(labels.iter().copied()).collect();
        let one = family.encode_family(&labels)?;
        match (metric.kind, *value) {
            (Kind::Counter, Value::Count(count)) => ConstCounter::new(count).encode(one)?,
            (Kind::Counter, Value::Seconds(seconds)) => ConstCounter::new(seconds).encode(one)?,
            // Gauges are signed.
            (Kind::Gauge, Value::Count(count)) => {
                ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)).encode(one)?;
            }
            (Kind::Gauge, Value::Seconds(seconds)) => ConstGauge::new(seconds).encode(one)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
