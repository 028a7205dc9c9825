//! What is found by looking: is each mirror reachable, its token good, its Actions as Standin left them?
//!
//! A check changes nothing but one thing: what an earlier run left open (Actions switched off) is ended.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::config::{MirrorConfig, Source};
use standin_state::lock::MirrorLock;
use standin_state::model::{Aspect, AspectReport, AspectStatus, Health, MasterVerdict, MirrorId};
use ts_rs::TS;

use crate::context::MirrorContext;
use crate::event::Notice;
use crate::kinds::{self, Asked};
use crate::plan::{CodePlan, Plan};
use crate::run::RunRequest;
use crate::sentinel::PlaceReport;
use crate::source::SharedSource;
use crate::tokens::{self, Place};
use crate::workflows::switch;
use crate::{Code, Error, Result};

/// What a health check of one mirror found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HealthReport {
    /// The mirror.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// The verdict.
    pub health: Health,
    /// When it was checked.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// Commits of the default branch that the mirror lacks now; `None` where it could not be found out.
    #[ts(type = "number | null")]
    pub behind: Option<u64>,
    /// How many changes a sync would make now; `None` where it could not be found out.
    pub pending: Option<usize>,
    /// What was found, the worst first; empty when all is well.
    pub findings: Vec<Notice>,
    /// The master alone: the verdict of the look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub verdict: Option<MasterVerdict>,
    /// Standbys on GitHub: how the sentinel there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sentinel: Option<PlaceReport>,
}

impl HealthReport {
    /// A report without anything found yet.
    pub(crate) fn new(mirror: MirrorId, repo: String, at_iso: Timestamp) -> Self {
        Self {
            mirror,
            repo,
            health: Health::Unknown,
            at_iso,
            behind: None,
            pending: None,
            findings: Vec::new(),
            verdict: None,
            sentinel: None,
        }
    }

    /// The worse of the place itself and of its sentinel.
    pub fn worst(&self) -> Health {
        self.sentinel.as_ref().map_or(self.health, |sentinel| self.health.max(sentinel.health))
    }
}

/// How much is shown of why the last sync failed.
const SHOWN_LINES: usize = 8;

/// Checks one mirror and remembers the verdict.
pub async fn check(source: Arc<SharedSource>, mirror: Arc<MirrorConfig>, request: &RunRequest) -> Result<HealthReport> {
    let context = &source.context;
    let mut findings = Findings::default();
    let mut report = HealthReport::new(mirror.id.clone(), mirror.target.display(), context.outside.clock.now());
    match look(&source, &mirror, request, &mut findings).await {
        Ok(Looked::Compared(plan)) => {
            let last = context.store.aspect_report(&context.repository.id, &mirror.id, Aspect::Code)?;
            read_plan(&plan, last.as_ref(), &mut report, &mut findings);
        }
        Ok(Looked::WithoutSource(error)) => {
            // A source on GitHub has a report of its own. Others have not, so that somebody must say it.
            let has_report = matches!(context.repository.source, Source::GitHub(_));
            let health = if has_report { Health::Warning } else { Health::Failed };
            findings.notice(health, &format!("it cannot be compared now: {}", error.message), &error.advice());
        }
        Err(error) => findings.failed(error),
    }
    check_token(&source, &mirror, &mut findings).await;
    report.health = findings.verdict;
    report.findings = findings.into_notices();
    let detail = report.findings.first().map(|notice| notice.message.as_str());
    context.store.set_health(&context.repository.id, &mirror.id, report.health, detail, report.at_iso)?;
    Ok(report)
}

/// What a look at a mirror comes to.
enum Looked {
    /// What a sync would do.
    Compared(Box<Plan>),
    /// The mirror can be read. The source cannot, so that nothing is said against the mirror.
    WithoutSource(Error),
}

/// Looks at the mirror as a sync would, and first ends what an earlier run left open.
async fn look(
    source: &Arc<SharedSource>,
    mirror: &Arc<MirrorConfig>,
    request: &RunRequest,
    findings: &mut Findings,
) -> Result<Looked> {
    let context = source.context_by_hand(mirror.clone()).await?;
    let asked = Asked { aspects: request.aspects.clone(), attempt: 0 };
    let kind = kinds::of(&mirror.target);
    let mut looked = match kind.look(&context, source, asked).await {
        Err(error) if error.at_source => return Ok(Looked::WithoutSource(error)),
        looked => looked?,
    };
    mend(&context, &mut *looked, request, findings).await?;
    let planned = looked.prepare(&context, source).await.and_then(|prepared| prepared.plan(&context));
    if !kind.reads_source() {
        return planned.map(|plan| Looked::Compared(Box::new(plan)));
    }
    match source.snapshot(0).await {
        Ok(_) => planned.map(|plan| Looked::Compared(Box::new(plan))),
        Err(error) => Ok(Looked::WithoutSource(error)),
    }
}

async fn mend(
    context: &MirrorContext,
    looked: &mut dyn kinds::Looked,
    request: &RunRequest,
    findings: &mut Findings,
) -> Result<()> {
    if !looked.is_left_open(context)? {
        return Ok(());
    }
    match MirrorLock::try_acquire(&context.source.folder, &context.mirror.id, &request.actor) {
        Ok(_lock) => match looked.mend(context).await {
            Ok(switch::Mended::StillOff(error)) => {
                findings.failed(error);
                Ok(())
            }
            Ok(switch::Mended::Nothing) => Ok(()),
            Ok(switch::Mended::Closed) => {
                findings.notice(
                    Health::Ok,
                    "an interrupted sync's hold on the Actions settings is ended: they stay as they are",
                    "",
                );
                Ok(())
            }
            Ok(switch::Mended::Restored) => {
                findings.notice(
                    Health::Ok,
                    "Actions had been left off by an interrupted sync: its settings are restored now",
                    "",
                );
                Ok(())
            }
            Err(error) => {
                findings.failed(error);
                Ok(())
            }
        },
        Err(refusal) => {
            let error = Error::from(refusal);
            findings.notice(Health::Ok, &format!("a sync is going on: {}", error.message), &error.advice());
            Ok(())
        }
    }
}

fn read_plan(plan: &Plan, last: Option<&AspectReport>, report: &mut HealthReport, findings: &mut Findings) {
    plan.failures().for_each(|(_, error)| findings.failed(error.clone()));
    report.behind = plan.code().and_then(CodePlan::known_behind);
    for divergence in plan.code().into_iter().flat_map(CodePlan::undecided) {
        findings.notice(
            Health::Warning,
            &format!("{} has diverged on the mirror", divergence.name.short()),
            &format!("Decide with `standin resolve {} {} overwrite|take|leave`.", report.mirror, divergence.name),
        );
    }
    for ask in &plan.asks {
        findings.notice(
            Health::Warning,
            &format!("nothing is changed there before you confirm it: {}", ask.words),
            &format!("If it is meant, `standin sync --mirror {} --yes` goes on.", report.mirror),
        );
    }
    let changes = plan.changes().count();
    report.pending = Some(changes);
    if changes == 0 {
        return;
    }
    let missing = if changes == 1 { "1 change is" } else { &format!("{changes} changes are") };
    let missing = format!("{missing} not on the mirror yet");
    // Another sync by itself would meet the same.
    match last.filter(|last| last.status == AspectStatus::Failed).and_then(|last| Some((last, last.error.as_ref()?))) {
        Some((last, error)) => {
            let error: Vec<&str> = error.lines().take(SHOWN_LINES).collect();
            let said = format!("{missing}. The last sync failed: {}", error.join("\n"));
            findings.notice(Health::Warning, &said, &last.advice());
        }
        None => findings.notice(Health::Warning, &missing, "Sync it; `standin plan` lists them."),
    }
}

async fn check_token(source: &SharedSource, mirror: &MirrorConfig, findings: &mut Findings) {
    if mirror.slug().is_none() {
        return;
    }
    let context = &source.context;
    let place = Place::Mirror(mirror.id.clone());
    let report = tokens::check(&context.outside, &context.config, &context.store, &context.repository, &place).await;
    let Ok(Some(report)) = report else { return };
    if let Some(days) = report.days_left
        && tokens::ends_soon(days)
    {
        findings.notice(
            Health::Warning,
            &format!("the token of {} ends in {days} days", mirror.id),
            &format!("Make a new one and store it with `standin token set {}`.", mirror.id),
        );
    }
}

/// Findings with the worst verdict so far.
struct Findings {
    verdict: Health,
    notices: Vec<(Health, Notice)>,
}

impl Default for Findings {
    fn default() -> Self {
        Self { verdict: Health::Ok, notices: Vec::new() }
    }
}

impl Findings {
    fn notice(&mut self, health: Health, message: &str, hint: &str) {
        self.verdict = self.verdict.max(health);
        let found = (health, Notice { message: message.to_owned(), hint: hint.to_owned() });
        // One cause may be met at several questions.
        if !self.notices.contains(&found) {
            self.notices.push(found);
        }
    }

    fn failed(&mut self, error: Error) {
        // A limit of the token says nothing against the mirror.
        let health = if error.code == Code::RateLimited { Health::Warning } else { Health::Failed };
        self.notice(health, &error.message, &error.advice());
    }

    fn into_notices(mut self) -> Vec<Notice> {
        self.notices.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
        self.notices.into_iter().map(|(_, notice)| notice).collect()
    }
}
