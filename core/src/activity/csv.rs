//! Runs as comma-separated values (RFC 4180), a line for each.

use jiff::Timestamp;
use standin_state::error::Error;
use standin_state::store::RunRecord;

/// The names of the columns.
const HEAD: &str = "started,finished,seconds,repository,mirror,trigger,status,changes,changed,api_requests,bytes_sent,\
                    bytes_received,error_code,error,job,run";

/// The runs as a table with a head. Times are ISO 8601 in UTC; `changed` names what the run changed, as far as it was read
/// with its changes.
pub fn csv(runs: &[RunRecord]) -> String {
    let mut table = format!("{HEAD}\r\n");
    for run in runs {
        let took = run.finished_iso.map(|finished| finished.duration_since(run.started_iso).as_millis());
        let changed: Vec<&str> = run.changes.iter().map(|recorded| recorded.change.name.as_str()).collect();
        let totals = &run.totals;
        let fields = [
            moment(run.started_iso),
            run.finished_iso.map(moment).unwrap_or_default(),
            took.map(|took| format!("{}.{:03}", took / 1000, took % 1000)).unwrap_or_default(),
            run.repository.to_string(),
            run.mirror.to_string(),
            run.trigger.as_str().to_owned(),
            run.status.as_str().to_owned(),
            totals.changes.to_string(),
            changed.join("; "),
            totals.api_requests.to_string(),
            totals.bytes_sent.to_string(),
            totals.bytes_received.to_string(),
            run.error.as_ref().and_then(code).unwrap_or_default(),
            run.error.as_ref().map(|error| error.message.clone()).unwrap_or_default(),
            run.job.as_ref().map(ToString::to_string).unwrap_or_default(),
            run.id.to_string(),
        ];
        table.push_str(&fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(","));
        table.push_str("\r\n");
    }
    table
}

/// The code as it stands in JSON.
fn code(error: &Error) -> Option<String> {
    serde_json::to_value(error.code).ok()?.as_str().map(str::to_owned)
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A field as a reader of tables takes it back. What a spreadsheet would calculate is marked as text: names of branches come
/// from strangers.
fn quoted(field: &str) -> String {
    let text = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { field.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
