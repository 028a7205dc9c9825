//! The lines of a sync, as text. Each mirror's lines come together, when its run is through, so that mirrors that
//! run side by side do not mix.

use std::collections::BTreeMap;
use std::io::Write as _;

use standin_core::Error;
use standin_core::event::{Event, Job, JobEnd, JobKind, Notice, RoleStepState, ScheduleNews};
use standin_core::state::model::{
    Aspect, AspectReport, AspectStatus, MirrorId, MirrorStatus, MirrorType, RepositoryId, visible,
};
use standin_core::state::store::{Change, ChangeOutcome};

/// What lines of ours have besides letters: their own ends, and what makes a sign an icon. All else is written out, since a
/// name may be somebody else's and must not clear the screen.
const SHOWN: &[char] = &['\n', '\t', '\u{fe0f}'];

/// Prints a line on standard output. A reader that went away ends nothing.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", visible(line, SHOWN));
}

/// Prints a JSON document, as it is: programs read it.
pub fn print_json(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a line on standard error, for a person; likewise.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible(line, SHOWN));
}

/// How many refused changes are told one by one.
const LISTED: usize = 20;

/// Turns events into lines.
#[derive(Default)]
pub struct Lines {
    /// Mirrors of different repositories may have the same id.
    mirrors: BTreeMap<(RepositoryId, MirrorId), Block>,
}

#[derive(Default)]
struct Block {
    repo: String,
    kind: Option<MirrorType>,
    made: BTreeMap<Aspect, usize>,
    refused: Vec<(Aspect, String, Error)>,
    notices: Vec<Notice>,
    reports: BTreeMap<Aspect, AspectReport>,
}

impl Lines {
    /// Hears an event; gives the lines that are ready now.
    pub fn hear(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::JobStarted { job: Job { what: JobKind::Sync, mirrors, .. } } => {
                vec![format!("[mirror] Syncing {} mirror(s)...", mirrors.len())]
            }
            Event::JobStarted { .. } => Vec::new(),
            Event::RunWaiting { mirror, holder, .. } => vec![format!("[{mirror}] waiting for {holder}")],
            Event::RunRetrying { mirror, attempt, of, wait_seconds, error, .. } => {
                vec![format!("[{mirror}] try {attempt} of {of} in {wait_seconds} s: {}", error.message)]
            }
            Event::RunStarted { repository, mirror, repo, kind, .. } => {
                let block = Block { repo: repo.clone(), kind: Some(*kind), ..Block::default() };
                self.mirrors.insert((repository.clone(), mirror.clone()), block);
                Vec::new()
            }
            Event::AspectStarted { .. } | Event::Progress { .. } => Vec::new(),
            Event::Change { repository, mirror, change, outcome, .. } => {
                self.block(repository, mirror).change(change, outcome);
                Vec::new()
            }
            Event::Notice { repository, mirror: Some(mirror), notice } => {
                let Some(block) = self.mirrors.get_mut(&(repository.clone(), mirror.clone())) else {
                    return notice_lines("", notice);
                };
                block.notices.push(notice.clone());
                Vec::new()
            }
            Event::Notice { mirror: None, notice, .. } => notice_lines("", notice),
            Event::RoleChangeStarted { headline, steps, .. } => vec![format!("[roles] {headline}: {steps} steps")],
            Event::RoleStep { number, of, what, state, detail, error, .. } => {
                role_line(*number, *of, what, *state, detail, error.as_ref())
            }
            Event::AspectFinished { repository, mirror, aspect, report, .. } => {
                self.block(repository, mirror).reports.insert(*aspect, report.clone());
                Vec::new()
            }
            Event::RunFinished { repository, mirror, status, error, .. } => {
                let block = self.mirrors.remove(&(repository.clone(), mirror.clone())).unwrap_or_default();
                block.lines(mirror, *status, error.as_ref())
            }
            Event::Schedule { news, detail } => vec![schedule_line(*news, detail)],
            Event::JobEnded { end: JobEnd::Sync { synced, failed, blocked }, .. } => {
                vec![done(*synced, *failed, *blocked)]
            }
            // Whoever asked for a change of master gets its outcome.
            Event::JobEnded { .. } => Vec::new(),
        }
    }

    fn block(&mut self, repository: &RepositoryId, mirror: &MirrorId) -> &mut Block {
        self.mirrors.entry((repository.clone(), mirror.clone())).or_default()
    }
}

fn schedule_line(news: ScheduleNews, detail: &str) -> String {
    let words = match news {
        ScheduleNews::Kept => "keeps the schedule of this state folder",
        ScheduleNews::StandsBy => "stands by; the schedule is kept by",
        ScheduleNews::Left => "keeps the schedule no more",
        ScheduleNews::Paused => "paused; `standin schedule resume` lets it go on",
        ScheduleNews::Resumed => "goes on",
        ScheduleNews::ConfigurationRead => "read the configuration again",
        ScheduleNews::Told => "",
        ScheduleNews::Closing => "would end with the window: asked first",
        ScheduleNews::Ending => "ends at a safe point",
        ScheduleNews::ConfigurationBroken => {
            "goes on with the configuration as it was before, since it has mistakes now:"
        }
    };
    format!("[schedule] {}", format!("{words} {detail}").trim())
}

fn done(synced: usize, failed: usize, blocked: usize) -> String {
    let mut text = format!("[mirror] Done. {synced} mirror(s) synced.");
    if failed > 0 {
        text.push_str(&format!(" {failed} failed."));
    }
    if blocked > 0 {
        text.push_str(&format!(" {blocked} waiting for your decision."));
    }
    text
}

impl Block {
    fn change(&mut self, change: &Change, outcome: &ChangeOutcome) {
        match outcome {
            ChangeOutcome::Done => *self.made.entry(change.aspect).or_default() += 1,
            ChangeOutcome::Failed { error } => self.refused.push((change.aspect, change.name.clone(), error.clone())),
        }
    }

    fn lines(self, mirror: &MirrorId, status: MirrorStatus, error: Option<&Error>) -> Vec<String> {
        let mut lines = vec![format!("[{mirror}] {}", self.repo).trim_end().to_owned()];
        for aspect in Aspect::ALL {
            let Some(report) = self.reports.get(aspect) else { continue };
            lines.push(aspect_line(self.kind, *aspect, report, self.made.get(aspect).copied().unwrap_or(0)));
            lines.extend(hint_lines(report));
        }
        // The report of code tells of its refs itself.
        let is_told = |aspect: Aspect| aspect == Aspect::Code && self.reports.contains_key(&aspect);
        let untold: Vec<_> = self.refused.iter().filter(|(aspect, ..)| !is_told(*aspect)).collect();
        for (_, name, error) in untold.iter().take(LISTED) {
            lines.push(format!("     {name}: {}", error.message));
            lines.push(format!("       → {}", error.advice()));
        }
        if untold.len() > LISTED {
            lines.push(format!("     and {} more", untold.len() - LISTED));
        }
        for notice in &self.notices {
            lines.extend(notice_lines("  ", notice));
        }
        if let Some(error) = error {
            let icon = if status == MirrorStatus::Blocked { "⏸" } else { "❌" };
            lines.push(format!("  {icon} {}", error.message));
            lines.push(format!("     → {}", error.advice()));
        }
        lines
    }
}

/// A step of a change of master, once it has ended.
fn role_line(
    number: usize,
    of: usize,
    what: &str,
    state: RoleStepState,
    detail: &str,
    error: Option<&Error>,
) -> Vec<String> {
    let head = format!("  {number:2}/{of} {what}...");
    match (state, error) {
        (RoleStepState::Started, _) => Vec::new(),
        (RoleStepState::Done, _) if detail.is_empty() => vec![format!("{head} ✅")],
        (RoleStepState::Done, _) => vec![format!("{head} ✅ {detail}")],
        (RoleStepState::Failed, error) => {
            vec![format!("{head} ❌ {}", error.map_or("failed", |error| error.message.as_str()))]
        }
    }
}

pub fn notice_lines(indent: &str, notice: &Notice) -> Vec<String> {
    let mut lines = vec![format!("{indent}⚠️  {}", notice.message)];
    if !notice.hint.is_empty() {
        lines.push(format!("{indent}     → {}", notice.hint));
    }
    lines
}

/// The words for an aspect while it is synced.
pub fn aspect_words(kind: Option<MirrorType>, aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Code if kind == Some(MirrorType::Pull) => "📦 Code pull",
        Aspect::Code => "📦 Code push",
        Aspect::Secrets => "🔐 Secrets sync",
        Aspect::Variables => "📋 Variables sync",
        Aspect::Workflows => "🚦 Workflows",
    }
}

fn aspect_line(kind: Option<MirrorType>, aspect: Aspect, report: &AspectReport, made: usize) -> String {
    let words = aspect_words(kind, aspect);
    let detail = report.detail.as_deref().unwrap_or("");
    match report.status {
        AspectStatus::Ok => format!("  {words}... ✅ {}", well(kind, aspect, detail, made)),
        AspectStatus::Blocked => {
            format!("  {words}... ⏸  {}", report.error.as_deref().unwrap_or("waits for a decision"))
        }
        AspectStatus::Skipped => format!("  {words}... skipped"),
        AspectStatus::Failed | AspectStatus::Unknown => {
            format!("  {words}... ❌ {}", report.error.as_deref().unwrap_or("failed without a reason"))
        }
    }
}

fn well(kind: Option<MirrorType>, aspect: Aspect, detail: &str, made: usize) -> String {
    let pulls = kind == Some(MirrorType::Pull);
    match (aspect, made) {
        (Aspect::Code, 0) if detail.is_empty() => "nothing to push".to_owned(),
        (Aspect::Code, 0) => format!("up to date {detail}"),
        (Aspect::Code, _) if pulls => format!("pulled {detail}"),
        (Aspect::Code, _) => format!("pushed {detail}"),
        (Aspect::Workflows, _) => detail.to_owned(),
        (_, 0) => format!("{detail} unchanged"),
        (_, _) => format!("{detail} synced"),
    }
}

fn hint_lines(report: &AspectReport) -> Vec<String> {
    report.advice().lines().map(|line| format!("     → {line}")).collect()
}

/// What a change does, in words.
pub fn change_words(change: &Change) -> String {
    change.action.words().0.replace("{}", &change.name)
}
