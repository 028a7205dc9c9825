//! What is written down about a run: its row, its aspects, the audit trail, and the JSON file.

use std::sync::Arc;

use standin_state::config::MirrorConfig;
use standin_state::model::{AspectStatus, MirrorId, MirrorStatus, RepositoryId, RunId, RunStatus, Trigger};
use standin_state::store::{AuditEntry, RunRecord, RunTotals};

use super::attempt::Tried;
use super::{MirrorOutcome, RunRequest};
use crate::context::{SourceContext, new_run_id};
use crate::event::Event;
use crate::outside::Progress;
use crate::source::SharedSource;
use crate::totals::Totals;
use crate::{Code, Error, Result, status};

/// Writes down that a run begins. The mirror's lock is held.
pub(super) fn begin(source: &SourceContext, mirror: &MirrorConfig, request: &RunRequest) -> Result<RunId> {
    let now = source.outside.clock.now();
    source.store.mark_interrupted(&source.repository.id, &mirror.id, now)?;
    let run = request.run.clone().unwrap_or_else(new_run_id);
    let record = RunRecord {
        id: run.clone(),
        job: request.job.clone(),
        repository: source.repository.id.clone(),
        mirror: mirror.id.clone(),
        trigger: request.trigger,
        status: RunStatus::Running,
        started_iso: now,
        finished_iso: None,
        error: None,
        totals: RunTotals::default(),
        changes: Vec::new(),
    };
    source.store.begin_run(&record, &mirror.target.display())?;
    source.outside.progress.event(&Event::RunStarted {
        run: run.clone(),
        repository: source.repository.id.clone(),
        mirror: mirror.id.clone(),
        repo: mirror.target.display(),
        kind: mirror.kind(),
    });
    Ok(run)
}

/// Writes down how a run ended. Failing to write is itself a failure of the run.
pub(super) fn finish(
    source: &SharedSource,
    mirror: &Arc<MirrorConfig>,
    request: &RunRequest,
    run: &RunId,
    tried: Tried,
    totals: &Totals,
) -> MirrorOutcome {
    let tried = Tried { error: tried.error.map(|error| of_mirror(error, mirror)), ..tried };
    let status = run_status(&tried);
    let totals = plus(totals.snapshot(), source.take_totals());
    let mut outcome = MirrorOutcome {
        mirror: mirror.id.clone(),
        status: status.of_mirror(),
        error: tried.error.clone(),
        retry_after_seconds: tried.retry_after_seconds,
    };
    if let Err(error) = write(&source.context, mirror, request, run, status, &tried, &totals) {
        outcome.status = MirrorStatus::Failed;
        outcome.error = Some(error);
    }
    source.context.outside.progress.event(&Event::RunFinished {
        run: run.clone(),
        repository: source.context.repository.id.clone(),
        mirror: mirror.id.clone(),
        status: outcome.status,
        error: outcome.error.clone(),
        totals,
    });
    outcome
}

fn write(
    source: &SourceContext,
    mirror: &MirrorConfig,
    request: &RunRequest,
    run: &RunId,
    status: RunStatus,
    tried: &Tried,
    totals: &RunTotals,
) -> Result<()> {
    let (store, repository, now) = (&source.store, &source.repository, source.outside.clock.now());
    for (aspect, report) in &tried.reports {
        store.finish_aspect(run, &repository.id, &mirror.id, *aspect, report)?;
    }
    store.finish_run(run, status, tried.error.as_ref(), totals, now)?;
    // The trail is kept for ever. What nobody asked for and what changed nothing is in the history alone.
    if request.trigger == Trigger::Manual || totals.changes > 0 {
        store.append_audit(&AuditEntry {
            at_iso: now,
            actor: request.actor.clone(),
            action: "sync".to_owned(),
            repository: Some(repository.id.clone()),
            mirror: Some(mirror.id.clone()),
            detail: format!("{}{}", describe(tried, totals), set_off(request)),
            outcome: audit_outcome(status, tried),
        })?;
    }
    status::write(store, &source.folder, repository, &source.into())
}

/// Tells that a mirror's run could not even begin.
pub(crate) fn not_begun(
    progress: &dyn Progress,
    repository: &RepositoryId,
    mirror: &MirrorId,
    error: Error,
) -> MirrorOutcome {
    let error = if error.at_source { error.about(None) } else { error.about(Some(mirror)) };
    progress.event(&Event::RunFinished {
        run: new_run_id(),
        repository: repository.clone(),
        mirror: mirror.clone(),
        status: MirrorStatus::Failed,
        error: Some(error.clone()),
        totals: RunTotals::default(),
    });
    MirrorOutcome::failed(mirror.clone(), error)
}

/// Reports a run that could not take its lock; nothing was tried.
pub(super) fn refused(
    source: &SourceContext,
    mirror: &MirrorConfig,
    request: &RunRequest,
    error: Error,
) -> MirrorOutcome {
    let entry = AuditEntry {
        at_iso: source.outside.clock.now(),
        actor: request.actor.clone(),
        action: "sync".to_owned(),
        repository: Some(source.repository.id.clone()),
        mirror: Some(mirror.id.clone()),
        detail: format!("refused before it began{}", set_off(request)),
        outcome: error.message.clone(),
    };
    let is_told = request.trigger == Trigger::Manual;
    let kept = if is_told { source.store.append_audit(&entry) } else { Ok(()) };
    let error = kept.err().unwrap_or(error);
    not_begun(source.outside.progress.as_ref(), &source.repository.id, &mirror.id, error)
}

/// The error with what to do about it at the mirror, or at the source where that could not be read.
fn of_mirror(error: Error, mirror: &MirrorConfig) -> Error {
    if error.at_source { error.about(None) } else { error.about(Some(&mirror.id)) }
}

/// What set a run off, where it was no person.
fn set_off(request: &RunRequest) -> String {
    match (request.trigger, &request.set_off_by) {
        (Trigger::Manual, None) => String::new(),
        (trigger, None) => format!("; set off by {trigger}"),
        (trigger, Some(by)) => format!("; set off by {trigger}: {by}"),
    }
}

fn run_status(tried: &Tried) -> RunStatus {
    let any = |status| tried.reports.values().any(|report| report.status == status);
    match &tried.error {
        Some(error) if tried.cancelled || error.code == Code::Cancelled => RunStatus::Cancelled,
        Some(error) if error.code.waits() => RunStatus::Blocked,
        Some(_) => RunStatus::Failed,
        None if any(AspectStatus::Failed) => RunStatus::Failed,
        None if any(AspectStatus::Blocked) => RunStatus::Blocked,
        None => RunStatus::Success,
    }
}

fn plus(one: RunTotals, other: RunTotals) -> RunTotals {
    RunTotals {
        changes: one.changes + other.changes,
        api_requests: one.api_requests + other.api_requests,
        gh_calls: one.gh_calls + other.gh_calls,
        git_calls: one.git_calls + other.git_calls,
        bytes_sent: one.bytes_sent + other.bytes_sent,
        bytes_received: one.bytes_received + other.bytes_received,
    }
}

fn describe(tried: &Tried, totals: &RunTotals) -> String {
    let mut parts: Vec<String> =
        tried.reports.iter().map(|(aspect, report)| format!("{aspect} {}", report.status)).collect();
    parts.push(format!("{} changes", totals.changes));
    parts.join(", ")
}

fn audit_outcome(status: RunStatus, tried: &Tried) -> String {
    let reasons: Vec<&str> = tried
        .error
        .iter()
        .map(|error| error.message.as_str())
        .chain(tried.reports.values().filter_map(|report| report.error.as_deref()))
        .collect();
    match status {
        RunStatus::Success => "ok".to_owned(),
        _ if reasons.is_empty() => status.to_string(),
        _ => reasons.join("; "),
    }
}
