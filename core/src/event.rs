//! Everything that happens, as typed events. The command line prints them, the window draws them, the history
//! stores them; nobody parses text. With `--json` each stands on a line of its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::error::Error;
use standin_state::model::{
    Aspect, AspectReport, JobId, MirrorId, MirrorStatus, MirrorType, RepositoryId, RunId, Trigger,
};
use standin_state::store::{Change, ChangeOutcome, RunTotals};
use ts_rs::TS;

/// An event with its moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Stamped {
    /// When it happened.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that goes on: a sync, or a change of master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Job {
    /// Its id, for [`crate::engine::Engine::cancel`].
    pub id: JobId,
    /// What it does.
    pub what: JobKind,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirrors that it works on.
    pub mirrors: Vec<MirrorId>,
    /// Whether those are all that are switched on, because none was named.
    pub of_all: bool,
    /// What set it off.
    pub trigger: Trigger,
    /// Since when it goes on.
    #[ts(type = "string")]
    pub since_iso: Timestamp,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum JobKind {
    /// Brings mirrors in step.
    Sync,
    /// Makes a standby master.
    Promote,
    /// Hands back to the source.
    Demote,
    /// Goes on with a change of master that is open.
    Resume,
    /// Takes a change of master back that is open.
    Rollback,
}

/// What became of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ScheduleNews {
    /// This process keeps it from now on.
    Kept,
    /// Another process keeps it; this one goes on where that ends.
    StandsBy,
    /// This process keeps it no more.
    Left,
    /// Somebody paused it.
    Paused,
    /// It goes on after a pause.
    Resumed,
    /// The configuration was read again.
    ConfigurationRead,
    /// The configuration has mistakes: what was read last holds.
    ConfigurationBroken,
    /// Something that a person should know of what is watched.
    Told,
    /// Somebody closes the window of a program that would end with it, and with it the schedule: they are asked first.
    Closing,
    /// This program ends as soon as what goes on is at a safe point.
    Ending,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[ts(export)]
pub enum JobEnd {
    /// A sync is through.
    Sync {
        /// How many mirrors are in step.
        synced: usize,
        /// How many failed.
        failed: usize,
        /// How many wait for a decision.
        blocked: usize,
    },
    /// A change of master is through, or stopped.
    RoleChange {
        /// How it ended.
        end: RoleChangeEnd,
        /// Why it was taken back or stopped, where it was.
        error: Option<Error>,
    },
    /// It could not begin; nothing was changed.
    NotBegun {
        /// Why.
        error: Error,
    },
    /// A mistake in Standin ended it.
    Broken,
}

/// What happens during a job, in the order in which it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
#[ts(export)]
pub enum Event {
    /// A job begins.
    JobStarted {
        /// The job.
        job: Job,
    },
    /// A run waits for another process that holds the mirror, or for a host that allows no request for a while.
    RunWaiting {
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// Who holds it, or what it waits for, for a person.
        holder: String,
    },
    /// A run holds its mirror and begins.
    RunStarted {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// Where the mirror is, as it may be shown.
        repo: String,
        /// What it is.
        #[serde(rename = "type")]
        kind: MirrorType,
    },
    /// A try met with a fault that may pass; the run waits, and tries again.
    RunRetrying {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// Which try comes next, from 2.
        attempt: usize,
        /// Of how many at most.
        of: usize,
        /// How long it waits before that, in seconds.
        #[ts(type = "number")]
        wait_seconds: u64,
        /// What the last one met with.
        error: Error,
    },
    /// An aspect is being applied.
    AspectStarted {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// The aspect.
        aspect: Aspect,
    },
    /// How far something long has come.
    Progress {
        /// The repository.
        repository: RepositoryId,
        /// The mirror; `None` while the source is fetched for all.
        mirror: Option<MirrorId>,
        /// The aspect.
        aspect: Aspect,
        /// What is being done, such as `fetching objects`, `writing objects`, `setting secrets`.
        phase: String,
        /// How many are done.
        #[ts(type = "number")]
        done: u64,
        /// Of how many, where known.
        #[ts(type = "number | null")]
        total: Option<u64>,
    },
    /// A change was made, or failed.
    Change {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// What.
        change: Change,
        /// How it ended.
        outcome: ChangeOutcome,
    },
    /// Something that the user should know and that is no failure.
    Notice {
        /// The repository.
        repository: RepositoryId,
        /// The mirror; `None` for the repository.
        mirror: Option<MirrorId>,
        /// The notice.
        notice: Notice,
    },
    /// An aspect is through.
    AspectFinished {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// The aspect.
        aspect: Aspect,
        /// Its result.
        report: AspectReport,
    },
    /// A run is through.
    RunFinished {
        /// The run.
        run: RunId,
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// Its result.
        status: MirrorStatus,
        /// Why it ended before its aspects, where it did.
        error: Option<Error>,
        /// What it cost.
        totals: RunTotals,
    },
    /// A change of master begins, or is gone on with.
    RoleChangeStarted {
        /// The repository.
        repository: RepositoryId,
        /// What it does, for a person.
        headline: String,
        /// How many steps it has.
        steps: usize,
    },
    /// A step of a change of master.
    RoleStep {
        /// The repository.
        repository: RepositoryId,
        /// Which, from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// What it does, for a person.
        what: String,
        /// How far it is.
        state: RoleStepState,
        /// What was found or done; empty until it is done.
        detail: String,
        /// Why it failed, where it did.
        error: Option<Error>,
    },
    /// Something about the schedule itself.
    Schedule {
        /// What.
        news: ScheduleNews,
        /// Who or why, for a person; may be empty.
        detail: String,
    },
    /// A job is through; all that it had to tell was told before.
    JobEnded {
        /// The job.
        job: Job,
        /// How it ended.
        end: JobEnd,
    },
}

/// How far a step of a change of master is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RoleStepState {
    /// It begins.
    Started,
    /// It is done, and was seen to be.
    Done,
    /// It failed.
    Failed,
}

/// How a change of master ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RoleChangeEnd {
    /// The new master is master.
    Done,
    /// It was taken back: the old master is master.
    RolledBack,
    /// It stopped half-way; every machine sees it, and any can go on with it or take it back.
    Open,
}

/// Something to know: a weaker promise, a token about to expire, objects left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Notice {
    /// What is so.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}
