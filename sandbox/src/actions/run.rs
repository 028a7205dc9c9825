//! Carrying out a run: its jobs as their needs allow, side by side where they can.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::expression::{Contexts, Object, Standing, Value};
use super::job;
use super::log::RunRecord;
use super::plan::{Grants, JobPlan, Plan, Trouble};
use super::queue::Place;
use super::surroundings::{About, Stored, texts};
use crate::world::{Conclusion, Job, RunStatus, Step};

/// A run that is carried out.
pub(super) struct Running {
    pub record: RunRecord,
    pub about: About,
    pub plan: Plan,
    pub stored: Stored,
    /// What a job's token may do where the file does not say.
    pub grants: Grants,
    pub cancel: CancellationToken,
}

/// A job that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// As other jobs see it: `continue-on-error` taken into account.
    pub result: Conclusion,
    pub outputs: BTreeMap<String, String>,
}

impl Ended {
    pub(super) fn without_outputs(result: Conclusion) -> Self {
        Self { result, outputs: BTreeMap::new() }
    }
}

type Results = BTreeMap<String, Ended>;

/// A job as it stands in the record before it runs.
pub(super) fn waiting_job(plan: &JobPlan, id: u64, now: Timestamp) -> Job {
    let step = |(index, step): (usize, &super::plan::StepPlan)| Step {
        number: index as u64 + 1,
        name: format!("Run {}", step.first_line),
        status: RunStatus::Queued,
        conclusion: None,
        started_at: None,
        completed_at: None,
        log: 0..0,
    };
    Job {
        id,
        key: plan.key.clone(),
        name: plan.key.clone(),
        status: RunStatus::Queued,
        conclusion: None,
        created_at: now,
        started_at: None,
        completed_at: None,
        outputs: BTreeMap::new(),
        annotations: Vec::new(),
        steps: plan.steps.iter().enumerate().map(step).collect(),
        summary: String::new(),
        log: String::new(),
    }
}

/// Carries a run out, as soon as it has its place. Dropped before the end, it leaves no process.
pub(super) async fn carry_out(running: Arc<Running>, place: Option<Place>) {
    let record = &running.record;
    let has_turn = match &place {
        Some(place) => place.wait().await,
        None => true,
    };
    let results = if has_turn {
        record.run(|run| run.status = RunStatus::InProgress);
        jobs(&running).await
    } else {
        running.plan.jobs.iter().map(|job| (job.key.clone(), cancelled_before(&running, job))).collect()
    };
    let conclusion = conclusion(&results, running.cancel.is_cancelled());
    let now = record.shared.now();
    record.run(|run| {
        let failed = run.problem.is_some();
        run.conclude(if failed { Conclusion::Failure } else { conclusion }, now);
    });
}

fn cancelled_before(running: &Running, job: &JobPlan) -> Ended {
    running.record.job(&job.key).ended(Conclusion::Cancelled);
    Ended::without_outputs(Conclusion::Cancelled)
}

fn conclusion(results: &Results, cancelled: bool) -> Conclusion {
    let any = |wanted| results.values().any(|ended| ended.result == wanted);
    if any(Conclusion::Failure) {
        Conclusion::Failure
    } else if cancelled || any(Conclusion::Cancelled) {
        Conclusion::Cancelled
    } else if any(Conclusion::Success) {
        Conclusion::Success
    } else {
        Conclusion::Skipped
    }
}

async fn jobs(running: &Arc<Running>) -> Results {
    let mut results = Results::new();
    let mut waiting: Vec<&JobPlan> = running.plan.jobs.iter().collect();
    let mut working: FuturesUnordered<BoxFuture<'_, (String, Ended)>> = FuturesUnordered::new();
    loop {
        let (ready, rest) =
            waiting.into_iter().partition(|job: &&JobPlan| job.needs.iter().all(|need| results.contains_key(need)));
        waiting = rest;
        let (ready, mut skipped): (Vec<&JobPlan>, bool) = (ready, false);
        for job in ready {
            let contexts = contexts(running, job, &results);
            match starts(running, job, &contexts, &results) {
                Ok(true) => working
                    .push(Box::pin(async move { (job.key.clone(), job::carry_out(running, job, contexts).await) })),
                Ok(false) => {
                    skipped = true;
                    running.record.job(&job.key).ended(Conclusion::Skipped);
                    results.insert(job.key.clone(), Ended::without_outputs(Conclusion::Skipped));
                }
                Err(trouble) => {
                    skipped = true;
                    let job_record = running.record.job(&job.key);
                    job_record.trouble(&trouble.in_file(&running.about.path));
                    job_record.ended(Conclusion::Failure);
                    results.insert(job.key.clone(), Ended::without_outputs(Conclusion::Failure));
                }
            }
        }
        if skipped {
            // Others may have waited for these.
            continue;
        }
        match working.next().await {
            Some((key, ended)) => {
                results.insert(key, ended);
            }
            None => return results,
        }
    }
}

/// True if the job's condition is met.
fn starts(running: &Running, job: &JobPlan, contexts: &Contexts, results: &Results) -> Result<bool, Trouble> {
    let mut before = Vec::new();
    collect_needs(&running.plan, job, &mut before);
    let any = |wanted| before.iter().any(|need| results.get(need).is_some_and(|ended| ended.result == wanted));
    let cancelled = running.cancel.is_cancelled();
    let all_well =
        job.needs.iter().all(|need| results.get(need).is_some_and(|ended| ended.result == Conclusion::Success));
    let standing =
        Standing { success: all_well && !cancelled, failure: any(Conclusion::Failure) && !cancelled, cancelled };
    match &job.when {
        None => Ok(standing.success),
        Some(when) => when.condition.is_met(contexts, standing).map_err(|message| Trouble { line: when.line, message }),
    }
}

/// All jobs that this one waits for, also through others.
fn collect_needs(plan: &Plan, job: &JobPlan, found: &mut Vec<String>) {
    for need in &job.needs {
        if !found.contains(need) {
            found.push(need.clone());
            if let Some(job) = plan.jobs.iter().find(|job| job.key == *need) {
                collect_needs(plan, job, found);
            }
        }
    }
}

/// What the job's own keys can look at.
fn contexts(running: &Running, job: &JobPlan, results: &Results) -> Contexts {
    let needs = job.needs.iter().filter_map(|need| {
        let ended = results.get(need)?;
        let outputs: Vec<(String, String)> =
            ended.outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let fields = [("result".to_owned(), ended.result.as_str().into()), ("outputs".to_owned(), texts(&outputs))];
        Some((need.clone(), Object::closed("a needed job", fields).into()))
    });
    let needs: Value = Object::closed("the jobs that this job needs", needs.collect::<Vec<_>>()).into();
    let mut contexts = Contexts::default();
    contexts.set("github", running.about.context(&running.record.shared, Vec::new()));
    contexts.set("inputs", running.about.inputs(&running.plan));
    contexts.set("vars", texts(&running.stored.variables));
    contexts.set("needs", needs);
    contexts
}
