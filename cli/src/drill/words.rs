//! How a drill and a readiness check look.

use jiff::Timestamp;
use standin_core::drill::{DrillFinding, DrillPhase, DrillReport, Readiness, Setup};
use standin_core::state::model::Health;

use crate::output::tables::ago;

/// Before it begins.
pub fn beginning(setup: &Setup) -> Vec<String> {
    vec![
        format!("[drill] {}: {} takes over from {}", setup.repository, setup.standby, setup.master),
        "        in a sandbox on this machine; the real repositories, tokens and keychain are not touched".to_owned(),
    ]
}

/// A phase that ended.
pub fn phase(phase: &DrillPhase) -> Vec<String> {
    let on_the_day =
        phase.minutes_on_the_day.map_or_else(String::new, |minutes| format!(", {minutes:.0} minutes on the day"));
    vec![format!("  ✅ {} ({:.1} s{on_the_day})", phase.what, phase.seconds), format!("     {}", phase.detail)]
}

/// When it is over.
pub fn end(report: &DrillReport) -> Vec<String> {
    let mut text = Vec::new();
    if let Some(error) = &report.error {
        text.push(format!("  ❌ {}", error.message.replace('\n', "\n     ")));
        text.push(format!("     → {}", error.advice()));
    }
    text.push(String::new());
    if report.missing.is_empty() {
        text.push("Nothing that is known here would have been missing.".to_owned());
    } else {
        text.push("Would have been missing:".to_owned());
        text.extend(findings(&report.missing));
    }
    text.push(never(&report.never_travels));
    text.push(
        "`standin drill --check` looks at the real thing: tokens, freshness, workflows, the sentinel.".to_owned(),
    );
    text.push(match report.passed {
        true => format!("Drill passed in {:.1} s.", report.seconds),
        false => format!("Drill failed after {:.1} s.", report.seconds),
    });
    text
}

fn never(names: &[String]) -> String {
    format!("Never travels, to be set up on a standby by hand: {}.", names.join(", "))
}

fn findings(findings: &[DrillFinding]) -> Vec<String> {
    let mut text = Vec::new();
    for finding in findings {
        let icon = if finding.severity == Health::Failed { "❌" } else { "⚠️ " };
        let place = finding.place.as_ref().map_or_else(String::new, |place| format!("[{place}] "));
        text.push(format!("  {icon} {place}{}", finding.message));
        if !finding.hint.is_empty() {
            text.push(format!("     → {}", finding.hint));
        }
    }
    text
}

/// A look at the real thing.
pub fn readiness(ready: &Readiness) -> Vec<String> {
    let mut text = Vec::new();
    for standby in &ready.standbys {
        let icon = if standby.ready { "✅ ready" } else { "❌ not ready" };
        text.push(format!("[{}] {}  {icon}", standby.mirror, standby.repo));
        let synced = standby.last_sync_iso.map_or_else(|| "never".to_owned(), |at| ago(at, Timestamp::now()));
        let missing = match standby.missing_commits {
            Some(0) => ", no commit missing".to_owned(),
            Some(count) => format!(", {count} commits missing"),
            None => String::new(),
        };
        text.push(format!("  synced {synced}{missing}; {} workflows would run there", standby.enables.len()));
    }
    text.extend(findings(&ready.findings));
    text.push(never(&ready.never_travels));
    text.push(if ready.ready { "Ready.".to_owned() } else { "Not ready.".to_owned() });
    text
}

/// One line for each drill.
pub fn drills(drills: &[DrillReport]) -> Vec<String> {
    if drills.is_empty() {
        return vec!["no drill yet: `standin drill` plays one".to_owned()];
    }
    let now = Timestamp::now();
    drills
        .iter()
        .map(|drill| {
            let result = if drill.passed { "passed" } else { "failed" };
            let why = drill.error.as_ref().map_or_else(String::new, |error| format!("  {}", error.message));
            format!(
                "{:<16} {result:<7} {:>6.1} s  {} / {}  {} missing{why}",
                ago(drill.at_iso, now),
                drill.seconds,
                drill.repository,
                drill.mirror,
                drill.missing.len()
            )
        })
        .collect()
}
