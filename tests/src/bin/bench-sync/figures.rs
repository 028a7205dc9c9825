//! The figures: what was measured, medians, the table and the line of JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What has happened since the sync before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// There was none: the mirrors are empty.
    First,
    /// One commit and the value of one secret.
    Changed,
    /// Nothing.
    Unchanged,
}

impl Case {
    /// In the order in which they follow one another.
    pub const ALL: [Self; 3] = [Self::First, Self::Changed, Self::Unchanged];
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::First => "first",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        })
    }
}

/// One sync of all mirrors of one side.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Wall time.
    pub seconds: f64,
    /// REST requests that the host saw.
    pub requests: usize,
    /// HTTP requests of git that the host saw.
    pub git: usize,
    /// Workflow runs that the sync started on the mirrors.
    pub runs: usize,
}

/// Everything that was measured.
#[derive(Default)]
pub struct Figures {
    cells: Vec<Cell>,
}

struct Cell {
    case: Case,
    mirrors: usize,
    standin: Vec<Measured>,
    script: Vec<Measured>,
}

#[derive(Serialize)]
struct Row {
    case: Case,
    mirrors: usize,
    standin_s: f64,
    script_s: f64,
    ratio: f64,
    standin_requests: usize,
    script_requests: usize,
}

impl Figures {
    /// Adds one measurement of both sides.
    pub fn add(&mut self, case: Case, mirrors: usize, standin: Measured, script: Measured) {
        let known = self.cells.iter_mut().find(|cell| cell.case == case && cell.mirrors == mirrors);
        match known {
            Some(cell) => {
                cell.standin.push(standin);
                cell.script.push(script);
            }
            None => self.cells.push(Cell { case, mirrors, standin: vec![standin], script: vec![script] }),
        }
    }

    /// `{"rows": […]}` on one line.
    pub fn json(&self) -> String {
        let rows: Vec<Row> = self.cells.iter().map(Cell::row).collect();
        serde_json::json!({ "rows": rows }).to_string()
    }

    /// For people.
    pub fn table(&self, latency: Duration) -> String {
        let mut table = format!(
            "Each request is held back {} ms. Times in seconds, requests and git round trips as the host saw them.\n\n\
             {:<10} {:>7} | {:>8} {:>8} {:>7} | {:>8} {:>7} | {:>8} {:>7} | {:>5} {:>6}\n",
            latency.as_millis(),
            "",
            "",
            "Standin",
            "script",
            "",
            "REST",
            "",
            "git",
            "",
            "runs",
            ""
        );
        table.push_str(&format!(
            "{:<10} {:>7} | {:>8} {:>8} {:>7} | {:>8} {:>7} | {:>8} {:>7} | {:>5} {:>6}\n",
            "case", "mirrors", "time", "time", "ratio", "Standin", "script", "Standin", "script", "Std.", "script"
        ));
        table.push_str(&format!("{}\n", "-".repeat(98)));
        for cell in &self.cells {
            let (standin, script) = (median(&cell.standin), median(&cell.script));
            table.push_str(&format!(
                "{:<10} {:>7} | {:>8.2} {:>8.2} {:>6.1}x | {:>8} {:>7} | {:>8} {:>7} | {:>5} {:>6}\n",
                cell.case,
                cell.mirrors,
                standin.seconds,
                script.seconds,
                script.seconds / standin.seconds,
                standin.requests,
                script.requests,
                standin.git,
                script.git,
                standin.runs,
                script.runs,
            ));
        }
        table.push_str("\nruns: workflow runs that the sync itself started on the mirrors.");
        table
    }
}

impl Cell {
    fn row(&self) -> Row {
        let (standin, script) = (median(&self.standin), median(&self.script));
        Row {
            case: self.case,
            mirrors: self.mirrors,
            standin_s: rounded(standin.seconds, 1_000.0),
            script_s: rounded(script.seconds, 1_000.0),
            ratio: rounded(script.seconds / standin.seconds, 100.0),
            standin_requests: standin.requests,
            script_requests: script.requests,
        }
    }
}

/// The measurement in the middle by time, as it was; of an even number the earlier of the two.
fn median(measurements: &[Measured]) -> Measured {
    let mut sorted = measurements.to_vec();
    sorted.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    sorted[(sorted.len() - 1) / 2]
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
