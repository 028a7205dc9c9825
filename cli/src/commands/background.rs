//! `--background`: a sync that goes on by itself, also when the terminal closes.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use standin_core::engine::{Engine, new_job_id};
use standin_core::state::model::{Aspect, JobId, MirrorId, RunId};
use standin_core::state::store::RunFilter;
use standin_core::{Code, Error, Result, start as core_start};

use super::{quiet_engine, sync};
use crate::arguments::{Global, SyncArguments};
use crate::output::{self, Exit, lines};
use crate::start;

/// How long it may take until the sync is seen to have begun.
const BEGINNING: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// `standin sync --background`
pub async fn sync(global: &Global, arguments: &SyncArguments) -> Result<Exit> {
    let selection = sync::selection(arguments);
    let flags = [(arguments.yes, "--yes"), (arguments.force, "--force")];
    let flags: Vec<&str> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag).collect();
    begin(global, &selection.mirrors, &selection.only, &flags).await
}

/// Starts a sync that goes on by itself, and tells its id.
///
/// # Errors
/// What waits for a yes, or cannot be started.
pub async fn begin(global: &Global, mirrors: &[MirrorId], only: &[Aspect], flags: &[&str]) -> Result<Exit> {
    // Whoever can be asked for a yes is asked here, since there is nobody where it goes on.
    let engine = quiet_engine(global)?;
    let repository = engine.repository(None)?;
    let job = new_job_id();
    let (log, file) = core_start::job_log(&start::options(global), &core_start::environment(), &job)?;
    let mut command = Command::new(start::this_program()?);
    for (option, path) in [("--repo", &global.repo), ("--config", &global.config), ("--state-dir", &global.state_dir)] {
        command.args(path.iter().flat_map(|path| [option.as_ref(), path.as_os_str()]));
    }
    command.args(["--repository", repository.id.as_str(), "sync", "--no-wait", "--job", job.as_str()]);
    command.args(mirrors.iter().flat_map(|mirror| ["--mirror", mirror.as_str()]));
    if !only.is_empty() {
        let only: Vec<&str> = only.iter().map(|aspect| aspect.as_str()).collect();
        command.args(["--only", &only.join(",")]);
    }
    command.args(flags);
    let unusable = |error: std::io::Error| {
        Error::new(Code::Storage, format!("the job could not be started: {error}"), "Sync without `--background`.")
    };
    let errors = file.try_clone().map_err(unusable)?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    by_itself(&mut command);
    let mut child = command.spawn().map_err(unusable)?;
    let ended = wait_for_beginning(&engine, &job, &mut child).await.map_err(unusable)?;
    let exit = ended.map_or(Exit::Well, exit_of);
    let status = match (ended, exit) {
        (None, _) => "syncing",
        (Some(_), Exit::Well) => "success",
        (Some(_), Exit::Decision) => "blocked",
        (Some(_), Exit::Failed | Exit::Usage) => "failed",
    };
    if global.json {
        return Ok(exit.max(output::json(&json!({ "job": job, "status": status, "log": log }))));
    }
    lines::print(&format!("job {job}"));
    match ended {
        None => lines::print("It goes on by itself: `standin status` shows it, `standin history` how it ended."),
        // What it had to say was said at once.
        Some(_) => std::fs::read_to_string(&log).unwrap_or_default().lines().for_each(lines::print),
    }
    Ok(exit)
}

/// Waits until the job has begun a run, or has ended; `None` for one that goes on.
async fn wait_for_beginning(engine: &Engine, job: &JobId, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let (deadline, job) = (Instant::now() + BEGINNING, RunId::from(job.clone()));
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        // Ids sort by time.
        let newest = engine.history(&RunFilter { limit: 1, ..RunFilter::default() }).unwrap_or_default();
        if newest.first().is_some_and(|run| run.id >= job) {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(None)
}

fn exit_of(status: ExitStatus) -> Exit {
    match status.code() {
        Some(0) => Exit::Well,
        Some(2) => Exit::Usage,
        Some(3) => Exit::Decision,
        _ => Exit::Failed,
    }
}

/// A group of its own is not ended with the terminal.
#[cfg(unix)]
fn by_itself(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(windows)]
fn by_itself(command: &mut Command) {
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    std::os::windows::process::CommandExt::creation_flags(command, DETACHED_PROCESS);
}
