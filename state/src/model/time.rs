//! How times stand in JSON: RFC 3339 in UTC, never with more digits than a reader has a use for.

use jiff::Timestamp;
use serde::Serializer;

/// Whole seconds: `2026-02-07T18:01:07Z`.
pub(crate) fn seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.0}"))
}

/// Whole seconds, or null.
pub(crate) fn optional_seconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Milliseconds, where durations are read from it: `2026-02-07T18:01:07.042Z`.
pub(crate) fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// Milliseconds, or null.
pub(crate) fn optional_milliseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}
