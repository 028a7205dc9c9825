//! How results and events look: text for people, JSON for programs.

pub mod ask;
pub mod lines;
pub mod live;
pub mod mirrors;
pub mod notify;
pub mod plan;
pub mod roles;
pub mod tables;

use std::process::ExitCode;

use serde::Serialize;
use standin_core::engine::SyncOutcome;
use standin_core::state::model::{MirrorId, MirrorStatus, RepositoryReport, Standing, StandingWord, Tone, Verb};
use standin_core::{Code, Error};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All well.
    Well,
    /// A decision is needed.
    Decision,
    /// Something failed.
    Failed,
    /// Usage or configuration.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Decision => 3,
        })
    }
}

impl Exit {
    /// What an error that ended the command means.
    pub fn of_error(error: &Error) -> Self {
        match error.code {
            Code::Configuration | Code::Usage | Code::NotFound | Code::Disabled => Self::Usage,
            code if code.waits() => Self::Decision,
            _ => Self::Failed,
        }
    }

    /// What it means how a mirror or repository stands: something failed, or a person has to decide.
    pub fn of_standing(standing: &Standing) -> Self {
        match (standing.word, standing.tone) {
            (_, Tone::Failed) => Self::Failed,
            (StandingWord::ConsentNeeded | StandingWord::Waits, _) => Self::Decision,
            // A change of master waits for a person, Actions that were left off for a sync.
            (StandingWord::ChangeOpen, _) if standing.actions.iter().all(|action| action.verb == Verb::Resume) => {
                Self::Decision
            }
            (_, Tone::Waiting | Tone::Running | Tone::Unknown | Tone::Ok) => Self::Well,
        }
    }

    /// What reports mean, the worst first: of one mirror, or of all and of the whole.
    pub fn of_reports(reports: &[RepositoryReport], mirror: Option<&MirrorId>) -> Self {
        let of_report = |report: &RepositoryReport| {
            let mirrors = report.mirrors.iter().filter(|known| mirror.is_none_or(|wanted| known.id == *wanted));
            let mirrors = mirrors.map(|mirror| Self::of_standing(&mirror.standing)).max().unwrap_or(Self::Well);
            let whole = report.error.as_ref().map_or_else(|| Self::of_standing(&report.standing), Self::of_error);
            if mirror.is_some() && report.error.is_none() { mirrors } else { whole.max(mirrors) }
        };
        reports.iter().map(of_report).max().unwrap_or(Self::Well)
    }

    /// What the outcome of a sync means: a failure weighs more than a decision.
    pub fn of_sync(outcome: &SyncOutcome) -> Self {
        outcome
            .mirrors
            .iter()
            .map(|mirror| match mirror.status {
                MirrorStatus::Failed => Self::Failed,
                MirrorStatus::Blocked => Self::Decision,
                MirrorStatus::Idle | MirrorStatus::Syncing | MirrorStatus::Success => Self::Well,
            })
            .max()
            .unwrap_or(Self::Failed)
    }
}

/// Prints a value as one JSON document over several lines.
pub fn json<T: Serialize>(value: &T) -> Exit {
    printed(serde_json::to_string_pretty(value))
}

/// Prints a value as one JSON document on one line, as it stands among events.
pub fn json_line<T: Serialize>(value: &T) -> Exit {
    printed(serde_json::to_string(value))
}

fn printed(text: serde_json::Result<String>) -> Exit {
    match text {
        Ok(text) => {
            lines::print_json(&text);
            Exit::Well
        }
        Err(error) => {
            lines::complain(&format!("standin: the result cannot be written as JSON: {error}"));
            Exit::Failed
        }
    }
}

/// Prints an error that ended the command, as text or as JSON, and says what it means for the exit status.
pub fn error(error: &Error, as_json: bool) -> Exit {
    if as_json {
        json_line(&serde_json::json!({ "error": error }));
    } else {
        lines::complain(&format!("error: {}", error.message.replace('\n', "\n       ")));
        let advice = error.advice();
        if !advice.is_empty() {
            lines::complain(&format!("  fix: {}", advice.replace('\n', "\n       ")));
        }
    }
    Exit::of_error(error)
}
