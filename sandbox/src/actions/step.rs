//! One step: its condition, its script in real bash, and what it said.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::commands::{self, Listener, Said};
use super::expression::{Contexts, Standing};
use super::job::{self, StepResult, Work};
use super::plan::{Shell, StepPlan, Trouble};
use super::process::{Process, Progress};
use super::surroundings::program_path;
use crate::world::{AnnotationLevel, Conclusion};

/// The files that a step is given to tell its runner something.
const FILES: [&str; 5] = ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"];

/// How a step ended.
pub(super) struct StepEnd {
    pub result: StepResult,
    /// The job is to stop.
    pub cancelled: bool,
}

impl StepEnd {
    fn new(outcome: Conclusion) -> Self {
        Self { result: StepResult { outputs: Vec::new(), outcome, conclusion: outcome }, cancelled: false }
    }
}

/// Why a step did not end by itself.
enum Stopped {
    /// Its own time is over.
    TimedOut(f64),
    /// The job's time is over.
    JobTimedOut,
    /// The run was cancelled.
    Cancelled,
}

/// Carries a step out, or skips it.
///
/// # Errors
/// What the sandbox cannot evaluate: it ends the job.
pub(super) async fn carry_out(work: &mut Work<'_>, index: usize, standing: Standing) -> Result<StepEnd, Trouble> {
    let plan = &work.plan.steps[index];
    let mut environment = work.environment.clone();
    let before = work.contexts_now();
    job::extend(&mut environment, &plan.environment, &before.with_env(&work.environment))?;
    let contexts = before.with_env(&environment);
    let runs = match &plan.when {
        None => standing.success,
        Some(when) => {
            let met = when.condition.is_met(&contexts, standing);
            met.map_err(|message| Trouble { line: when.line, message })?
        }
    };
    if !runs {
        return Ok(StepEnd::new(Conclusion::Skipped));
    }
    let name = match &plan.name {
        Some(name) => name.text(&contexts)?,
        None => format!("Run {}", plan.first_line),
    };
    work.record.step_began(index, &name);
    let mut end = run(work, plan, index, &contexts, &environment).await?;
    let continues = match &plan.continue_on_error {
        Some(continues) if end.result.outcome == Conclusion::Failure => continues.flag(&contexts)?,
        _ => false,
    };
    if continues {
        end.result.conclusion = Conclusion::Success;
    }
    Ok(end)
}

async fn run(
    work: &mut Work<'_>,
    plan: &StepPlan,
    index: usize,
    contexts: &Contexts,
    environment: &[(String, String)],
) -> Result<StepEnd, Trouble> {
    let script = plan.run.text(contexts)?;
    let minutes = plan.timeout_minutes.as_ref().map(|minutes| minutes.number(contexts)).transpose()?;
    let own_directory = plan.working_directory.as_ref().map(|directory| directory.text(contexts)).transpose()?;
    let directory = match own_directory.or_else(|| work.working_directory.clone()) {
        Some(directory) => work.folders.workspace.join(directory),
        None => work.folders.workspace.clone(),
    };
    for line in std::iter::once(format!("##[group]Run {}", plan.first_line))
        .chain(script.lines().map(str::to_owned))
        .chain(std::iter::once("##[endgroup]".to_owned()))
    {
        work.record.line(&line);
    }
    let failed = |work: &Work<'_>, message: String| {
        work.record.error(&message);
        Ok(StepEnd::new(Conclusion::Failure))
    };
    let files = match write_files(&work.folders.files, index, &script) {
        Ok(files) => files,
        Err(error) => return failed(work, format!("the step's files cannot be written: {error}")),
    };
    let (program, arguments) = shell(plan.shell.or(work.shell), &files.script);
    let environment = environment_of(work, plan, &files, environment);
    let mut process = match work.groups.start(program, &arguments, &directory, &environment) {
        Ok(process) => process,
        Err(error) => return failed(work, format!("{program} cannot be started in {}: {error}", directory.display())),
    };
    let end =
        minutes.map(|minutes| (minutes, work.running.record.shared.now() + Duration::from_secs_f64(minutes * 60.0)));
    let mut ear = Ear::default();
    let outcome = follow(work, &mut process, &mut ear, end).await;
    ear.finish(work);
    drop(process);
    work.groups.forget_ended();
    let mut step = match outcome {
        Ok(0) => StepEnd::new(Conclusion::Success),
        Ok(code) => {
            work.record.error(&format!("Process completed with exit code {code}."));
            StepEnd::new(Conclusion::Failure)
        }
        Err(Stopped::TimedOut(minutes)) => {
            work.record.error(&format!("The step has timed out after {minutes} minutes."));
            StepEnd::new(Conclusion::Failure)
        }
        Err(Stopped::JobTimedOut) => {
            work.record.error("The job has exceeded its maximum execution time.");
            StepEnd { cancelled: true, ..StepEnd::new(Conclusion::Cancelled) }
        }
        Err(Stopped::Cancelled) => {
            work.record.error("The operation was canceled.");
            StepEnd { cancelled: true, ..StepEnd::new(Conclusion::Cancelled) }
        }
    };
    if let Some(command) = ear.unsupported {
        return Err(Trouble { line: plan.line, message: command });
    }
    if let Err(message) = read_files(work, &files, &mut step) {
        work.record.error(&message);
        step.result.outcome = Conclusion::Failure;
        step.result.conclusion = Conclusion::Failure;
    }
    Ok(step)
}

/// Waits for the step's end, hearing what it says; gives its exit code.
async fn follow(
    work: &mut Work<'_>,
    process: &mut Process,
    ear: &mut Ear,
    end: Option<(f64, Timestamp)>,
) -> Result<i32, Stopped> {
    let clock = std::sync::Arc::clone(&work.running.record.shared.clock);
    let (cancel, deadline, stopping) = (work.cancel.clone(), work.deadline, work.is_cancelled());
    let stopped = {
        let own_end = async {
            match end {
                Some((minutes, end)) => {
                    clock.wait_until(end).await;
                    minutes
                }
                None => std::future::pending().await,
            }
        };
        let job_end = clock.wait_until(deadline);
        let cancelled = async {
            if stopping {
                std::future::pending::<()>().await;
            }
            cancel.cancelled().await;
        };
        tokio::pin!(own_end, job_end, cancelled);
        loop {
            let progress = tokio::select! {
                biased;
                () = &mut cancelled => break Stopped::Cancelled,
                () = &mut job_end => break Stopped::JobTimedOut,
                minutes = &mut own_end => break Stopped::TimedOut(minutes),
                progress = process.read_or_end(&mut ear.heard) => progress,
            };
            match progress {
                Ok(Progress::Wrote) => ear.hear(work),
                Ok(Progress::Ended(status)) => {
                    process.drain(&mut ear.heard).await;
                    ear.hear(work);
                    use std::os::unix::process::ExitStatusExt as _;
                    return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a step's output cannot be read");
                    break Stopped::Cancelled;
                }
            }
        }
    };
    process.stop(&mut ear.heard).await;
    ear.hear(work);
    Err(stopped)
}

/// What was heard and not yet understood.
#[derive(Default)]
struct Ear {
    heard: Vec<u8>,
    listener: Listener,
    unsupported: Option<String>,
}

impl Ear {
    /// Takes all whole lines.
    fn hear(&mut self, work: &mut Work<'_>) {
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            self.line(work, &String::from_utf8_lossy(&line[..end]));
        }
    }

    /// Takes the last line too, if it does not end.
    fn finish(&mut self, work: &mut Work<'_>) {
        self.hear(work);
        if !self.heard.is_empty() {
            let line = std::mem::take(&mut self.heard);
            self.line(work, &String::from_utf8_lossy(&line));
        }
    }

    fn line(&mut self, work: &mut Work<'_>, line: &str) {
        match self.listener.hear(line.trim_end_matches('\r')) {
            Said::Line(line) => work.record.line(&line),
            Said::Mask(value) => {
                work.record.masks.add(&value);
                work.record.line("::add-mask::***");
            }
            Said::Remark(remark) => {
                let word = match remark.level {
                    AnnotationLevel::Failure => "error",
                    AnnotationLevel::Warning => "warning",
                    AnnotationLevel::Notice => "notice",
                };
                work.record.line(&format!("##[{word}]{}", remark.message));
                work.record.remark(remark);
            }
            Said::Nothing => {}
            Said::Unsupported(command) => {
                self.unsupported.get_or_insert(command);
            }
        }
    }
}

/// The script of a step, and the files that it may write.
struct Files {
    script: PathBuf,
    told: Vec<(&'static str, PathBuf)>,
}

impl Files {
    fn of(&self, name: &str) -> &Path {
        self.told.iter().find(|(known, _)| *known == name).map_or(Path::new(""), |(_, path)| path)
    }
}

fn write_files(dir: &Path, index: usize, script: &str) -> std::io::Result<Files> {
    let files = Files {
        script: dir.join(format!("{index}.sh")),
        told: FILES.iter().map(|name| (*name, dir.join(format!("{index}_{name}")))).collect(),
    };
    std::fs::write(&files.script, script)?;
    for (_, path) in &files.told {
        std::fs::write(path, "")?;
    }
    Ok(files)
}

/// As GitHub starts them.
fn shell(shell: Option<Shell>, script: &Path) -> (&'static str, Vec<OsString>) {
    let (program, options): (_, &[&str]) = match shell {
        Some(Shell::Bash) => ("bash", &["--noprofile", "--norc", "-eo", "pipefail"]),
        Some(Shell::Sh) => ("sh", &["-e"]),
        None => ("bash", &["-e"]),
    };
    (program, options.iter().map(OsString::from).chain([script.into()]).collect())
}

/// What the file sets, then what nobody may set.
fn environment_of(
    work: &Work<'_>,
    plan: &StepPlan,
    files: &Files,
    environment: &[(String, String)],
) -> Vec<(String, OsString)> {
    let action = plan.id.clone().unwrap_or_else(|| "__run".to_owned());
    let mut own: Vec<(String, OsString)> = work.base.clone();
    own.push(("GITHUB_ACTION".to_owned(), action.into()));
    own.extend(files.told.iter().map(|(name, path)| ((*name).to_owned(), path.clone().into())));
    let is_own = |name: &str| name.starts_with("GITHUB_") || name.starts_with("RUNNER_");
    let given = |name: &str| environment.iter().any(|(known, _)| known == name);
    let fixed: Vec<(String, OsString)> = own.into_iter().filter(|(name, _)| is_own(name) || !given(name)).collect();
    let mut whole: Vec<(String, OsString)> = environment
        .iter()
        .filter(|(name, _)| !fixed.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (name.clone(), value.into()))
        .collect();
    whole.extend(fixed);
    if !given("PATH") {
        whole.push(("PATH".to_owned(), program_path(&work.running.record.shared, &work.added_path)));
    }
    whole
}

/// Takes over what the step wrote into its files.
fn read_files(work: &mut Work<'_>, files: &Files, step: &mut StepEnd) -> Result<(), String> {
    for (name, value) in commands::read_pairs(files.of("GITHUB_ENV"))? {
        if name.starts_with("GITHUB_") || name.starts_with("RUNNER_") || name == "NODE_OPTIONS" {
            return Err(format!("Can't store {name} by way of $GITHUB_ENV"));
        }
        job::set(&mut work.environment, &name, value);
    }
    for (name, value) in commands::read_pairs(files.of("GITHUB_OUTPUT"))? {
        job::set(&mut step.result.outputs, &name, value);
    }
    let text = |name| std::fs::read(files.of(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let unreadable = |error: std::io::Error| format!("Unable to process file command: {error}");
    work.added_path.extend(text("GITHUB_PATH").map_err(unreadable)?.lines().map(str::to_owned));
    work.record.summary(&text("GITHUB_STEP_SUMMARY").map_err(unreadable)?);
    Ok(())
}
