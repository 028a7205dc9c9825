//! The record of one job in the world: status, steps, remarks, and its masked log.

use std::sync::Arc;

use super::masks::Masks;
use crate::shared::Shared;
use crate::world::{Annotation, AnnotationLevel, Conclusion, Job, Run, RunStatus};

/// Writes what happens to one run into the world.
#[derive(Clone)]
pub(super) struct RunRecord {
    pub shared: Arc<Shared>,
    pub repository_id: u64,
    pub run_id: u64,
}

impl RunRecord {
    /// Changes the run; nothing, if its repository is gone.
    pub(super) fn run(&self, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self
            .shared
            .world()
            .repository_mut(self.repository_id)
            .and_then(|repository| repository.run_mut(self.run_id))
        {
            change(run);
            run.updated_at = self.shared.now();
        }
    }

    /// Notes what stops the run. The first such thing stands.
    pub(super) fn problem(&self, problem: &str) {
        self.run(|run| {
            run.problem.get_or_insert_with(|| problem.to_owned());
        });
    }

    /// The run was stopped at once: whatever was open is cancelled.
    pub(super) fn ended_by_force(&self) {
        let now = self.shared.now();
        self.run(|run| {
            for job in run.jobs.iter_mut().filter(|job| job.status != RunStatus::Completed) {
                job.status = RunStatus::Completed;
                job.conclusion = Some(Conclusion::Cancelled);
                job.completed_at = Some(now);
                for step in job.steps.iter_mut().filter(|step| step.status != RunStatus::Completed) {
                    step.status = RunStatus::Completed;
                    step.conclusion = Some(Conclusion::Cancelled);
                }
            }
            run.conclude(Conclusion::Cancelled, now);
        });
    }

    pub(super) fn job(&self, key: &str) -> JobRecord {
        JobRecord { run: self.clone(), key: key.to_owned(), masks: Masks::default() }
    }
}

/// Writes what happens to one job into the world, masked.
pub(super) struct JobRecord {
    pub run: RunRecord,
    key: String,
    pub masks: Masks,
}

impl JobRecord {
    fn change(&self, change: impl FnOnce(&mut Job)) {
        self.run.run(|run| {
            if let Some(job) = run.jobs.iter_mut().find(|job| job.key == self.key) {
                change(job);
            }
        });
    }

    pub(super) fn id(&self) -> u64 {
        let mut id = 0;
        self.change(|job| id = job.id);
        id
    }

    pub(super) fn name(&self, name: &str) {
        let name = self.masks.hide(name);
        self.change(|job| job.name = name);
    }

    pub(super) fn began(&self) {
        let now = self.run.shared.now();
        self.change(|job| {
            job.status = RunStatus::InProgress;
            job.started_at = Some(now);
        });
    }

    pub(super) fn ended(&self, conclusion: Conclusion) {
        let now = self.run.shared.now();
        self.change(|job| {
            job.status = RunStatus::Completed;
            job.conclusion = Some(conclusion);
            job.completed_at = Some(now);
            for step in job.steps.iter_mut().filter(|step| step.status != RunStatus::Completed) {
                step.status = RunStatus::Completed;
                step.conclusion = Some(Conclusion::Skipped);
            }
        });
    }

    pub(super) fn output(&self, name: &str, value: &str) {
        self.change(|job| {
            job.outputs.insert(name.to_owned(), value.to_owned());
        });
    }

    pub(super) fn summary(&self, text: &str) {
        let text = self.masks.hide(text);
        self.change(|job| job.summary.push_str(&text));
    }

    pub(super) fn step_began(&self, index: usize, name: &str) {
        let now = self.run.shared.now();
        let name = self.masks.hide(name);
        self.change(|job| {
            let end = job.log.len();
            if let Some(step) = job.steps.get_mut(index) {
                step.log = end..end;
                step.name = name;
                step.status = RunStatus::InProgress;
                step.started_at = Some(now);
            }
        });
    }

    pub(super) fn step_ended(&self, index: usize, conclusion: Conclusion) {
        let now = self.run.shared.now();
        self.change(|job| {
            let end = job.log.len();
            if let Some(step) = job.steps.get_mut(index) {
                step.log.end = end;
                step.status = RunStatus::Completed;
                step.conclusion = Some(conclusion);
                step.completed_at = Some(now);
            }
        });
    }

    /// A line of the log, with its time before it.
    pub(super) fn line(&self, text: &str) {
        let time = self.run.shared.now().strftime("%Y-%m-%dT%H:%M:%S%.7fZ");
        let text = self.masks.hide(text);
        self.change(|job| job.log.push_str(&format!("{time} {text}\n")));
    }

    /// An error of the job, in the log and as a remark.
    pub(super) fn error(&self, message: &str) {
        self.line(&format!("##[error]{message}"));
        self.remark(Annotation {
            level: AnnotationLevel::Failure,
            title: None,
            message: message.to_owned(),
            path: None,
            line: None,
        });
    }

    /// What the sandbox cannot evaluate: an error of the job, and the run's problem.
    pub(super) fn trouble(&self, problem: &str) {
        self.error(problem);
        self.run.problem(&self.masks.hide(problem));
    }

    pub(super) fn remark(&self, mut remark: Annotation) {
        remark.message = self.masks.hide(&remark.message);
        remark.title = remark.title.map(|title| self.masks.hide(&title));
        self.change(|job| job.annotations.push(remark));
    }
}
