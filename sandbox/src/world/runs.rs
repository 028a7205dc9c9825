//! Runs of workflows: their jobs, steps and outcomes, as REST shows them.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use serde::Serialize;

/// Which workflows of a repository are carried out; the others are only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Execute {
    /// None of them.
    #[default]
    None,
    /// Those with these paths or file names.
    Only(Vec<String>),
    /// All of them.
    All,
}

impl Execute {
    /// True if the workflow at this path is carried out.
    pub fn includes(&self, path: &str) -> bool {
        match self {
            Self::None => false,
            Self::Only(names) => {
                names.iter().any(|name| name == path || Some(name.as_str()) == path.rsplit('/').next())
            }
            Self::All => true,
        }
    }
}

/// Where a run, job or step is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for a runner. A run that is only counted stays so.
    Queued,
    /// Its concurrency group is taken.
    Pending,
    /// Runs.
    InProgress,
    /// Has a conclusion.
    Completed,
}

impl RunStatus {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

/// How a run, job or step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Well.
    Success,
    /// Not well.
    Failure,
    /// It was stopped, or took too long.
    Cancelled,
    /// Its condition was not met.
    Skipped,
}

impl Conclusion {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A run of a workflow.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Number of the run across the host.
    pub id: u64,
    /// Number of the run of its workflow, from 1.
    pub run_number: u64,
    /// Its workflow.
    pub workflow_id: u64,
    /// Path of its workflow file.
    pub path: String,
    /// Name of its workflow.
    pub name: String,
    /// `push`, `schedule` or `workflow_dispatch`.
    pub event: String,
    /// Branch or tag, without `refs/…/`.
    pub head_branch: String,
    /// The commit that it runs on.
    pub head_sha: String,
    /// `run-name:`, else the subject of that commit.
    pub title: String,
    /// Login of the account that set it off.
    pub actor: String,
    /// Number of the token that set it off; none when the library did, and for schedules.
    pub token_id: Option<u64>,
    /// True if it is carried out, false if it is only counted.
    pub executed: bool,
    /// Where it is in its life.
    pub status: RunStatus,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Why it could not start: what the sandbox cannot evaluate, and where.
    pub problem: Option<String>,
    /// Its jobs, in the order of the file; none if it is only counted.
    pub jobs: Vec<Job>,
    /// When it was set off.
    pub created_at: Timestamp,
    /// Last change of status.
    pub updated_at: Timestamp,
}

impl Run {
    /// Moves it on.
    pub(crate) fn conclude(&mut self, conclusion: Conclusion, now: Timestamp) {
        self.status = RunStatus::Completed;
        self.conclusion = Some(conclusion);
        self.updated_at = now;
    }
}

/// A job of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// Number of the job across the host.
    pub id: u64,
    /// Its key in the file.
    pub key: String,
    /// `name:`, else its key.
    pub name: String,
    /// Where it is in its life.
    pub status: RunStatus,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// When it was made ready.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// What it remarked, such as with `::warning::`.
    pub annotations: Vec<Annotation>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// What `$GITHUB_STEP_SUMMARY` was given, masked.
    pub summary: String,
    /// Its log, masked.
    #[serde(skip)]
    pub log: String,
}

/// A step of a job.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// From 1.
    pub number: u64,
    /// `name:`, else made of the command.
    pub name: String,
    /// Where it is in its life.
    pub status: RunStatus,
    /// How it ended, `continue-on-error` taken into account.
    pub conclusion: Option<Conclusion>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Which bytes of the job's log are its own.
    #[serde(skip)]
    pub log: Range<usize>,
}

/// A remark of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// How grave it is.
    pub level: AnnotationLevel,
    /// Its heading.
    pub title: Option<String>,
    /// What it says, masked.
    pub message: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line there.
    pub line: Option<u64>,
}

/// How grave a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationLevel {
    /// `::notice::`
    Notice,
    /// `::warning::`
    Warning,
    /// `::error::`
    Failure,
}

impl AnnotationLevel {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}
