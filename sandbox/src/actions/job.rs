//! One job: its token, its folders, its environment, its steps in order, its outputs.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::expression::{Contexts, Object, Standing, Value};
use super::launch::wish;
use super::log::JobRecord;
use super::plan::{Environment, JobPlan, Shell, Trouble};
use super::process::Groups;
use super::queue::Wish;
use super::run::{Ended, Running};
use super::step::{self, StepEnd};
use super::surroundings::{Folders, texts};
use crate::world::{Conclusion, random_text};

/// How long a job may take where it does not say.
const DEFAULT_MINUTES: f64 = 360.0;
/// How long what still runs after a cancellation may take; GitHub's own.
const AFTER_CANCEL: Duration = Duration::from_secs(300);

/// A job at work.
pub(super) struct Work<'r> {
    pub running: &'r Running,
    pub plan: &'r JobPlan,
    pub record: &'r mut JobRecord,
    pub contexts: Contexts,
    pub folders: Folders,
    pub groups: Groups,
    /// Of the workflow and the job, evaluated, and of `$GITHUB_ENV`.
    pub environment: Vec<(String, String)>,
    /// What every step finds.
    pub base: Vec<(String, OsString)>,
    /// Of `$GITHUB_PATH`.
    pub added_path: Vec<String>,
    /// `defaults.run` of the job, else of the workflow.
    pub shell: Option<Shell>,
    pub working_directory: Option<String>,
    pub steps: Vec<(String, StepResult)>,
    pub cancel: CancellationToken,
    pub deadline: Timestamp,
    failed: bool,
    cancelled: bool,
}

/// A step that has ended, as the context `steps` shows it.
pub(super) struct StepResult {
    pub outputs: Vec<(String, String)>,
    /// Before `continue-on-error`.
    pub outcome: Conclusion,
    /// After it.
    pub conclusion: Conclusion,
}

/// Carries a job out. Dropped before its end, it leaves no process and no token.
pub(super) async fn carry_out(running: &Running, plan: &JobPlan, contexts: Contexts) -> Ended {
    let mut record = running.record.job(&plan.key);
    for (_, secret) in &running.stored.secrets {
        record.masks.add(secret);
    }
    let path = &running.about.path;
    let ended = attempt(running, plan, &mut record, contexts).await.unwrap_or_else(|trouble| {
        record.trouble(&trouble.in_file(path));
        Ended::without_outputs(Conclusion::Failure)
    });
    record.ended(ended.result);
    match continues(running, plan, &ended) {
        Ok(true) => Ended { result: Conclusion::Success, ..ended },
        Ok(false) => ended,
        Err(trouble) => {
            record.trouble(&trouble.in_file(path));
            ended
        }
    }
}

async fn attempt(
    running: &Running,
    plan: &JobPlan,
    record: &mut JobRecord,
    contexts: Contexts,
) -> Result<Ended, Trouble> {
    // A job that was started after the run was cancelled, by `always()`, is not cancelled by that.
    let cancel = match running.cancel.is_cancelled() {
        true => CancellationToken::new(),
        false => running.cancel.child_token(),
    };
    let first = First::evaluate(plan, &contexts)?;
    if let Some(name) = &first.name {
        record.name(name);
    }
    let shared = &running.record.shared;
    let place = first
        .wish
        .map(|wish| shared.actions.queue.enter(running.about.repository_id, &wish, record.id(), cancel.clone()));
    if let Some(place) = &place
        && !place.wait().await
    {
        return Ok(Ended::without_outputs(Conclusion::Cancelled));
    }
    record.began();
    let grants = plan.permissions.as_ref().or(running.plan.permissions.as_ref()).unwrap_or(&running.grants);
    let token = JobToken::issue(running, grants);
    record.masks.add(&token.value);
    let mut work = prepare(running, plan, record, contexts, &token.value).await?;
    work.cancel = cancel;
    work.deadline = shared.now() + Duration::from_secs_f64(first.minutes * 60.0);
    let ended = work.carry_out().await;
    // First what it left running, then its token and its place.
    let Work { groups, folders, .. } = work;
    clean_up(groups, folders).await;
    drop(token);
    drop(place);
    ended
}

/// What is known of a job before it begins.
struct First {
    name: Option<String>,
    wish: Option<Wish>,
    minutes: f64,
}

impl First {
    fn evaluate(plan: &JobPlan, contexts: &Contexts) -> Result<Self, Trouble> {
        for label in &plan.runs_on {
            let system = label.text(contexts)?;
            if system.starts_with("windows") || system.starts_with("macos") {
                let message = format!("the sandbox has no runner {system:?}, only this machine");
                return Err(Trouble { line: label.line, message });
            }
        }
        let minutes = plan.timeout_minutes.as_ref().map(|minutes| minutes.number(contexts)).transpose()?;
        Ok(Self {
            name: plan.name.as_ref().map(|name| name.text(contexts)).transpose()?,
            wish: wish(plan.concurrency.as_ref(), contexts)?,
            minutes: minutes.unwrap_or(DEFAULT_MINUTES),
        })
    }
}

/// Ends processes and removes folders, where blocking does not matter.
async fn clean_up(groups: Groups, folders: Folders) {
    let cleaning = tokio::task::spawn_blocking(move || {
        drop(groups);
        drop(folders);
    });
    if cleaning.await.is_err() {
        tracing::error!("a job could not be cleaned up");
    }
}

fn continues(running: &Running, plan: &JobPlan, ended: &Ended) -> Result<bool, Trouble> {
    let Some(continues) = plan.continue_on_error.as_ref().filter(|_| ended.result == Conclusion::Failure) else {
        return Ok(false);
    };
    let mut contexts = Contexts::default();
    contexts.set("github", running.about.context(&running.record.shared, Vec::new()));
    contexts.set("inputs", running.about.inputs(&running.plan));
    contexts.set("vars", texts(&running.stored.variables));
    continues.flag(&contexts)
}

async fn prepare<'r>(
    running: &'r Running,
    plan: &'r JobPlan,
    record: &'r mut JobRecord,
    mut contexts: Contexts,
    token: &str,
) -> Result<Work<'r>, Trouble> {
    let shared = &running.record.shared;
    let mut secrets = running.stored.secrets.clone();
    secrets.push(("GITHUB_TOKEN".to_owned(), token.to_owned()));
    contexts.set("secrets", texts(&secrets));
    let text = |text: &str| Value::from(text);
    let mut own = vec![("token".to_owned(), text(token)), ("job".to_owned(), text(&plan.key))];
    contexts.set("github", running.about.context(shared, own.clone()));
    let environment = environment(running, plan, &contexts)?;
    let directory = plan.defaults.working_directory.as_ref().or(running.plan.defaults.working_directory.as_ref());
    let working_directory = directory.map(|directory| directory.text(&contexts.with_env(&environment))).transpose()?;
    let folders = folders(running)
        .await
        .map_err(|error| Trouble { line: plan.line, message: format!("the job's folders cannot be made: {error}") })?;
    let groups = Groups::new(format!("sandbox_{}", random_text(24)));
    let base = folders.environment(shared, &running.about, &plan.key, groups.mark());
    own.push(("workspace".to_owned(), text(&folders.workspace.to_string_lossy())));
    own.push(("event_path".to_owned(), text(&event_path(&base))));
    contexts.set("github", running.about.context(shared, own));
    contexts.set("runner", folders.runner(&running.about));
    Ok(Work {
        running,
        plan,
        record,
        contexts,
        folders,
        groups,
        environment,
        base,
        added_path: Vec::new(),
        shell: plan.defaults.shell.or(running.plan.defaults.shell),
        working_directory,
        steps: Vec::new(),
        cancel: running.cancel.child_token(),
        deadline: Timestamp::MAX,
        failed: false,
        cancelled: false,
    })
}

fn event_path(base: &[(String, OsString)]) -> String {
    let path = base.iter().find(|(name, _)| name == "GITHUB_EVENT_PATH").map(|(_, path)| path);
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

async fn folders(running: &Running) -> std::io::Result<Folders> {
    let (shared, about) = (Arc::clone(&running.record.shared), running.about.clone());
    tokio::task::spawn_blocking(move || Folders::create(&shared, &about)).await?
}

/// `env` of the workflow, then of the job.
fn environment(running: &Running, plan: &JobPlan, contexts: &Contexts) -> Result<Vec<(String, String)>, Trouble> {
    let mut environment = Vec::new();
    extend(&mut environment, &running.plan.environment, contexts)?;
    extend(&mut environment, &plan.environment, contexts)?;
    Ok(environment)
}

/// Evaluates one `env:` on top of what there is.
pub(super) fn extend(
    environment: &mut Vec<(String, String)>,
    more: &Environment,
    contexts: &Contexts,
) -> Result<(), Trouble> {
    let evaluated: Vec<(String, String)> =
        more.iter().map(|(name, text)| Ok((name.clone(), text.text(contexts)?))).collect::<Result<_, Trouble>>()?;
    for (name, value) in evaluated {
        set(environment, &name, value);
    }
    Ok(())
}

/// Sets one variable, in place of the one that it had.
pub(super) fn set(environment: &mut Vec<(String, String)>, name: &str, value: String) {
    match environment.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => environment.push((name.to_owned(), value)),
    }
}

impl Work<'_> {
    async fn carry_out(&mut self) -> Result<Ended, Trouble> {
        for index in 0..self.plan.steps.len() {
            let standing = self.standing();
            let end = step::carry_out(self, index, standing).await?;
            self.take(index, end);
        }
        let result = if self.failed {
            Conclusion::Failure
        } else if self.cancelled {
            Conclusion::Cancelled
        } else {
            Conclusion::Success
        };
        let contexts = self.contexts_now().with_env(&self.environment);
        let mut ended = Ended::without_outputs(result);
        for (name, text) in &self.plan.outputs {
            let value = text.text(&contexts)?;
            if self.record.masks.touches(&value) {
                self.record.line(&format!("##[warning]Skip output '{name}' since it may contain secret."));
                continue;
            }
            self.record.output(name, &value);
            ended.outputs.insert(name.clone(), value);
        }
        Ok(ended)
    }

    fn standing(&self) -> Standing {
        Standing {
            success: !self.failed && !self.cancelled,
            failure: self.failed && !self.cancelled,
            cancelled: self.cancelled,
        }
    }

    fn take(&mut self, index: usize, end: StepEnd) {
        let StepEnd { result, cancelled } = end;
        self.record.step_ended(index, result.conclusion);
        if cancelled {
            self.cancelled = true;
            self.deadline = self.running.record.shared.now() + AFTER_CANCEL;
        }
        self.failed |= result.conclusion == Conclusion::Failure;
        if let Some(id) = &self.plan.steps[index].id {
            self.steps.push((id.clone(), result));
        }
    }

    /// The contexts as they are between two steps, without `env`.
    pub(super) fn contexts_now(&self) -> Contexts {
        let step = |id: &String| {
            let Some((_, result)) = self.steps.iter().find(|(known, _)| known == id) else {
                // It has not run yet: all of it is empty.
                return (id.clone(), Value::Null);
            };
            let fields = [
                ("outputs".to_owned(), texts(&result.outputs)),
                ("outcome".to_owned(), result.outcome.as_str().into()),
                ("conclusion".to_owned(), result.conclusion.as_str().into()),
            ];
            (id.clone(), Object::closed("a step", fields).into())
        };
        let steps = self.plan.steps.iter().filter_map(|step| step.id.as_ref()).map(step);
        let status = match self.standing() {
            Standing { cancelled: true, .. } => "cancelled",
            Standing { failure: true, .. } => "failure",
            _ => "success",
        };
        let mut contexts = self.contexts.clone();
        contexts.set("steps", Object::closed("the steps of this job that have an id", steps.collect::<Vec<_>>()));
        contexts.set("job", Object::closed("the context job", [("status".to_owned(), status.into())]));
        contexts
    }

    /// True once the job was cancelled, or took too long: what still runs then is not stopped by the same again.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

/// `GITHUB_TOKEN`, until it is dropped.
struct JobToken {
    shared: Arc<crate::shared::Shared>,
    value: String,
}

impl JobToken {
    fn issue(running: &Running, grants: &super::plan::Grants) -> Self {
        let shared = Arc::clone(&running.record.shared);
        let permissions = grants.iter().map(|(name, level)| (name.replace('-', "_"), *level)).collect();
        let value = shared.world().create_job_token(running.about.repository_id, permissions);
        Self { shared, value }
    }
}

impl Drop for JobToken {
    fn drop(&mut self) {
        self.shared.world().revoke_token(&self.value);
    }
}
