//! Actions that really run: workflows on a clock that tests move, their `run` steps with real bash.
//!
//! Off by default; a repository says which of its workflows are carried out ([`crate::Execute`]), the others are only
//! counted. `uses:` and all else that the sandbox cannot evaluate makes the run fail with a message that says where.
//!
//! # From the file to the run
//! `yaml.rs` reads the file with its lines · `read.rs`, `triggers.rs` make a `plan.rs` of it, or refuse it ·
//! `expression/` evaluates `${{ }}` · `schedule.rs`, `cron.rs` say what falls due when the clock is moved ·
//! `launch.rs` prepares a run · `queue.rs` is `concurrency` · `run.rs` carries out the jobs in order · `job.rs` one job
//! with its steps · `step.rs` one step · `process.rs` its processes, and their certain end · `commands.rs` what steps
//! say (`::add-mask::`, `$GITHUB_OUTPUT`) · `surroundings.rs` what they find · `log.rs`, `masks.rs` what is kept.
//!
//! What triggers a run by push is in [`crate::pushed`]; how runs look from outside is in [`crate::rest`].

mod commands;
mod cron;
mod expression;
mod job;
mod launch;
mod log;
mod masks;
mod plan;
mod process;
mod queue;
mod read;
mod run;
mod schedule;
mod step;
mod surroundings;
mod triggers;
mod yaml;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;
use crate::world::{RunStatus, random_text};

pub(crate) use cron::Cron;
pub(crate) use launch::{check_inputs, launch};
pub(crate) use schedule::{advance, skip};
pub(crate) use surroundings::gh_config;

/// The account that stands behind the tokens of jobs.
pub(crate) const BOT: &str = "github-actions[bot]";

/// The log of a job, or the logs of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogOf {
    pub repository_id: u64,
    pub run_id: u64,
    /// None: all jobs of the run.
    pub job_id: Option<u64>,
}

/// What one sandbox's runs share.
pub(crate) struct Actions {
    /// Where runs work, one folder each.
    dir: PathBuf,
    /// Folder with `gh` for the steps, if one was named.
    programs: Option<PathBuf>,
    /// The socket for gh.
    socket: PathBuf,
    runtime: Handle,
    queue: queue::Queue,
    /// Runs that are carried out and have not ended, and how to cancel them.
    open: Mutex<HashMap<u64, Stops>>,
    open_count: watch::Sender<usize>,
    /// Addresses under which logs can be had without a token.
    opened_logs: Mutex<HashMap<String, LogOf>>,
    /// Held while the clock is moved through schedules.
    moving: tokio::sync::Mutex<()>,
}

impl Actions {
    pub(crate) fn new(dir: PathBuf, programs: Option<PathBuf>, socket: PathBuf, runtime: Handle) -> Self {
        Self {
            dir,
            programs,
            socket,
            runtime,
            queue: queue::Queue::default(),
            open: Mutex::default(),
            open_count: watch::Sender::new(0),
            opened_logs: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
        }
    }

    /// A key under which this log can be had without a token.
    pub(crate) fn open_log(&self, of: LogOf) -> String {
        let key = random_text(40);
        self.opened_logs.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), of);
        key
    }

    /// The log that has this key.
    pub(crate) fn opened_log(&self, key: &str) -> Option<LogOf> {
        self.opened_logs.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Stops>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_open(&self, change: impl FnOnce(&mut HashMap<u64, Stops>)) {
        let mut open = self.open();
        change(&mut open);
        self.open_count.send_replace(open.len());
    }

    /// How many runs are carried out.
    pub(crate) fn open_runs(&self) -> usize {
        self.open().len()
    }

    /// Waits until no run is carried out any more.
    pub(crate) async fn all_ended(&self) {
        // The sender lives as long as this.
        drop(self.open_count.subscribe().wait_for(|count| *count == 0).await);
    }
}

/// What the sandbox, or GitHub, would not carry out in a workflow file, each with its line.
///
/// # Errors
/// At least one such thing.
pub fn check_workflow(path: &str, text: &str) -> Result<(), Vec<String>> {
    read::read(text).map(drop).map_err(|troubles| troubles.iter().map(|trouble| trouble.in_file(path)).collect())
}

/// The two ways to stop a run.
#[derive(Clone)]
struct Stops {
    /// It ends as its processes and its `always()` have ended.
    cancel: CancellationToken,
    /// It ends at once.
    force: CancellationToken,
}

/// A run that is carried out, until this is dropped.
struct OpenRun {
    shared: Arc<Shared>,
    id: u64,
}

impl OpenRun {
    fn begin(shared: &Arc<Shared>, id: u64, stops: Stops) -> Self {
        shared.actions.change_open(|open| {
            open.insert(id, stops);
        });
        Self { shared: Arc::clone(shared), id }
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        self.shared.actions.change_open(|open| {
            open.remove(&self.id);
        });
    }
}

/// Cancels a run, with `force` also what it would still do then; false if it has ended, or there is none.
pub(crate) fn cancel(shared: &Shared, repository_id: u64, run_id: u64, force: bool) -> bool {
    let now = shared.now();
    let mut world = shared.world();
    let Some(run) = world.repository_mut(repository_id).and_then(|repository| repository.run_mut(run_id)) else {
        return false;
    };
    if run.status == RunStatus::Completed {
        return false;
    }
    match shared.actions.open().get(&run_id) {
        Some(stops) if force => stops.force.cancel(),
        Some(stops) => stops.cancel.cancel(),
        None => run.conclude(crate::world::Conclusion::Cancelled, now),
    }
    true
}

/// Puts the program, a path or a name on the search path, where steps find it as `gh`.
pub(crate) fn offer_gh(dir: &Path, program: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let program = match program.parent() {
        Some(parent) if parent.as_os_str().is_empty() => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(program)).find(|program| program.is_file())
        }
        _ => Some(std::path::absolute(program)?),
    };
    let program = program.ok_or(std::io::ErrorKind::NotFound)?;
    std::os::unix::fs::symlink(program, dir.join("gh"))
}
