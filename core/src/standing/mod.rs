//! How a repository and its mirrors stand: one word each, the worst that is known, with why and what to do.
//!
//! A pure function of what is remembered and of the clock, so that every face says the same and none says more than is
//! known. A master that cannot be read makes no mirror ill; what nobody has looked at for long is not called in step.

use jiff::Timestamp;
use standin_state::config::{Config, Schedule};
use standin_state::model::{
    Action, AspectReport, AspectStatus, ConsentQuestion, Health, MasterVerdict, MirrorReport, MirrorStatus,
    OpenChangeReport, RepositoryReport, Role, Standing, StandingWord, Tone, Verb,
};

use crate::context::SourceContext;
use crate::fence::ROLE_CHANGE;
use crate::outside::Clock;

/// What time does to what is known.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The present moment.
    pub now: Timestamp,
    /// When syncs run by themselves.
    pub schedule: Schedule,
}

impl Terms {
    /// The terms of this moment.
    pub fn now(config: &Config, clock: &dyn Clock) -> Self {
        Self { now: clock.now(), schedule: config.schedule.clone() }
    }

    /// Whether nobody has looked for longer than two intervals. A look from far ahead was dated by a clock that was wrong, so
    /// that nobody knows how old it is.
    fn is_stale(&self, looked: Timestamp, own_interval: Option<u64>) -> bool {
        let interval = own_interval.unwrap_or(self.schedule.interval.as_secs());
        self.now.as_second().abs_diff(looked.as_second()) > interval.saturating_mul(2)
    }
}

impl From<&SourceContext> for Terms {
    fn from(context: &SourceContext) -> Self {
        Self::now(&context.config, context.outside.clock.as_ref())
    }
}

/// Says of a report how each of its mirrors stands, and the whole.
pub fn judge(report: &mut RepositoryReport, terms: &Terms) {
    let standings: Vec<Standing> = report.mirrors.iter().map(|mirror| of_mirror(report, mirror, terms)).collect();
    for (mirror, standing) in report.mirrors.iter_mut().zip(standings) {
        mirror.standing = standing;
    }
    report.standing = of_repository(report);
}

/// How a whole repository stands; its mirrors have been judged.
fn of_repository(report: &RepositoryReport) -> Standing {
    if let Some(standing) = before_all(report).or_else(|| of_kept(report)) {
        return standing;
    }
    if let Some(standing) = of_master(report) {
        return standing;
    }
    let enabled = report.mirrors.iter().filter(|mirror| mirror.enabled);
    let kept = enabled.filter(|mirror| !matches!(mirror.standing.word, StandingWord::IsMaster));
    match kept.min_by_key(|mirror| mirror.standing.word) {
        Some(worst) if worst.standing.word == StandingWord::InStep => worst.standing.clone(),
        Some(worst) => {
            let Standing { reason, .. } = &worst.standing;
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            Standing { reason: format!("{}{why}", worst.id), ..worst.standing.clone() }
        }
        None => standing(StandingWord::NoMirrors, "no mirrors are configured or switched on", None, Vec::new()),
    }
}

/// What stops everything of a repository, mirror or not.
fn before_all(report: &RepositoryReport) -> Option<Standing> {
    if let Some(error) = &report.error {
        return Some(standing(StandingWord::Failed, &error.message, None, Vec::new()));
    }
    if let Some(question) = report.consent.as_ref().filter(|question| question.file.is_some()) {
        return Some(asks(question));
    }
    if !report.enabled {
        return Some(standing(StandingWord::SwitchedOff, "MIRROR_ENABLED=false", None, Vec::new()));
    }
    None
}

/// A question about what is kept on this machine stops only what needs just that; so it is said of the whole, and hides what
/// is known of no mirror. Once it was denied, nothing waits.
fn of_kept(report: &RepositoryReport) -> Option<Standing> {
    report.consent.as_ref().filter(|question| !question.is_denied).map(asks)
}

fn asks(question: &ConsentQuestion) -> Standing {
    standing(StandingWord::ConsentNeeded, &question.title, None, vec![Action::new(Verb::Allow, None)])
}

/// What the look at the master says, and a change of it that is open.
fn of_master(report: &RepositoryReport) -> Option<Standing> {
    if let Some(open) = left_open(report) {
        let actions = open.action.clone().into_iter().collect();
        return Some(standing(StandingWord::ChangeOpen, &open.detail, Some(open.since_iso), actions));
    }
    let stand_in = report.mirrors.iter().find(|mirror| mirror.role == Some(Role::TemporaryMaster));
    let health = report.master_health.as_ref();
    if let Some(stand_in) = stand_in {
        let is_well = health.is_some_and(|health| health.verdict == MasterVerdict::Well);
        let reason = health.map_or_else(
            || format!("{} stands in for the source.", stand_in.repo),
            |health| format!("{} stands in for {}: {}.", stand_in.repo, health.repo, health.detail),
        );
        let next =
            if is_well { Action::new(Verb::Demote, Some(&stand_in.id)) } else { Action::new(Verb::Health, None) };
        return Some(standing(StandingWord::StandsIn, &reason, health.map(|health| health.since_iso), vec![next]));
    }
    let health = health?;
    let word = match health.verdict {
        MasterVerdict::Well => return None,
        MasterVerdict::Gone => StandingWord::MasterGone,
        MasterVerdict::Down => StandingWord::MasterDown,
        MasterVerdict::Unknown => StandingWord::MasterUnknown,
    };
    let fit = report.mirrors.iter().filter(|mirror| could_take_over(mirror));
    let promote = fit.map(|mirror| Action::new(Verb::Promote, Some(&mirror.id)));
    let look = Action::new(Verb::Health, None);
    let actions = match word {
        StandingWord::MasterUnknown => vec![look],
        _ => promote.chain([look]).collect(),
    };
    let reason = match health.detail.starts_with(&health.repo) {
        true => health.detail.clone(),
        false => format!("{}: {}", health.repo, health.detail),
    };
    Some(standing(word, &reason, Some(health.since_iso), actions))
}

/// A change that is open and on which nobody works at this moment: while a sync goes on, Actions are off around its push.
fn left_open(report: &RepositoryReport) -> Option<&OpenChangeReport> {
    let is_at_work = |open: &&OpenChangeReport| {
        let mirror = report.mirrors.iter().find(|mirror| mirror.id == open.mirror);
        open.kind != ROLE_CHANGE && mirror.is_some_and(|mirror| mirror.status == MirrorStatus::Syncing)
    };
    report.open_change.as_ref().filter(|open| !is_at_work(open))
}

/// Whether a mirror is a standby that nothing known keeps from becoming master.
pub fn could_take_over(mirror: &MirrorReport) -> bool {
    mirror.enabled
        && mirror.role == Some(Role::Slave)
        && !matches!(
            mirror.standing.word,
            StandingWord::CannotTakeOver | StandingWord::Waits | StandingWord::Failed | StandingWord::NeverSynced
        )
}

fn of_mirror(report: &RepositoryReport, mirror: &MirrorReport, terms: &Terms) -> Standing {
    if !mirror.enabled {
        return standing(StandingWord::SwitchedOff, "", None, Vec::new());
    }
    if let Some(standing) = before_all(report) {
        return standing;
    }
    let id = &mirror.id;
    if let Some(open) = left_open(report).filter(|open| open.mirror == *id) {
        let actions = open.action.clone().into_iter().collect();
        return standing(StandingWord::ChangeOpen, &open.detail, Some(open.since_iso), actions);
    }
    match mirror.role {
        Some(Role::TemporaryMaster) => return standing(StandingWord::StandsIn, "", None, Vec::new()),
        Some(Role::Master) => return standing(StandingWord::IsMaster, "", None, Vec::new()),
        Some(Role::Slave) | None => {}
    }
    if id.is_source() && report.mirrors.iter().any(|other| other.role == Some(Role::TemporaryMaster)) {
        return standing(StandingWord::WaitsForHandBack, "", None, Vec::new());
    }
    let known = Known::of(mirror);
    if known.aspects.is_empty() {
        return standing(StandingWord::SwitchedOff, "nothing of it is kept in step", None, Vec::new());
    }
    let found = known.not_usable().or_else(|| known.waits()).or_else(|| known.failed());
    let found = found.or_else(|| known.attention(report)).or_else(|| known.not_in_step(report, terms));
    found.unwrap_or_else(|| standing(StandingWord::InStep, "", known.synced(), Vec::new()))
}

/// What is remembered of a mirror that is kept in step.
struct Known<'a> {
    mirror: &'a MirrorReport,
    /// The aspects that are kept in step there.
    aspects: Vec<(&'static str, &'a AspectReport)>,
}

impl<'a> Known<'a> {
    fn of(mirror: &'a MirrorReport) -> Self {
        let all = [
            ("code", &mirror.code),
            ("secrets", &mirror.secrets),
            ("variables", &mirror.variables),
            ("workflows", &mirror.workflows),
        ];
        let aspects = all.into_iter().filter(|(_, report)| report.status != AspectStatus::Skipped).collect();
        Self { mirror, aspects }
    }

    /// When all of it was last in step; `None` where some of it never was.
    fn synced(&self) -> Option<Timestamp> {
        self.aspects.iter().map(|(_, report)| report.last_sync_iso).min().flatten()
    }

    /// A health check says nothing any more once a later sync worked in all aspects.
    fn health(&self) -> Health {
        let is_mended = self.aspects.iter().all(|(_, report)| report.status == AspectStatus::Ok)
            && self.mirror.last_health_check_iso.is_some_and(|checked| self.synced().is_some_and(|at| at > checked));
        if is_mended { Health::Ok } else { self.mirror.health }
    }

    fn not_usable(&self) -> Option<Standing> {
        (self.health() == Health::Failed).then(|| {
            let reason = self.mirror.health_detail.as_deref().unwrap_or("the last health check failed");
            let actions = vec![Action::new(Verb::Health, None)];
            let found = standing(StandingWord::CannotTakeOver, reason, self.mirror.last_health_check_iso, actions);
            match self.mirror.role {
                Some(_) => found,
                None => Standing { label: "not usable".to_owned(), ..found },
            }
        })
    }

    fn waits(&self) -> Option<Standing> {
        let of_run = self.mirror.error.as_ref().filter(|error| error.code.waits());
        let decide = vec![Action::new(Verb::Decide, Some(&self.mirror.id))];
        if let Some(error) = of_run {
            return Some(standing(StandingWord::Waits, &error.message, None, decide));
        }
        let (_, report) = self.aspects.iter().find(|(_, report)| report.status == AspectStatus::Blocked)?;
        let reason = report.error.as_deref().unwrap_or_default();
        Some(standing(StandingWord::Waits, reason, report.last_try_iso, decide))
    }

    fn failed(&self) -> Option<Standing> {
        let again = vec![Action::new(Verb::Sync, Some(&self.mirror.id))];
        if let Some((name, report)) =
            self.aspects.iter().find(|(_, report)| report.status == AspectStatus::Failed && !report.at_source)
        {
            let reason = format!("{name}: {}", report.error.as_deref().unwrap_or("it did not work"));
            return Some(standing(StandingWord::Failed, &reason, report.last_sync_iso, again));
        }
        let of_run = self.mirror.error.as_ref().filter(|error| !error.at_source);
        let error = of_run.filter(|_| self.mirror.status == MirrorStatus::Failed)?;
        Some(standing(StandingWord::Failed, &error.message, self.synced(), again))
    }

    fn attention(&self, report: &RepositoryReport) -> Option<Standing> {
        let looked = self.mirror.last_health_check_iso;
        // With a master that is not well, what a look finds to warn of is that it cannot be compared.
        let is_well = report.master_health.as_ref().is_none_or(|health| health.verdict == MasterVerdict::Well);
        if self.health() == Health::Warning && (is_well || self.mirror.pulled.is_mirror) {
            let reason = self.mirror.health_detail.as_deref().unwrap_or_default();
            return Some(standing(StandingWord::Attention, reason, looked, vec![Action::new(Verb::Health, None)]));
        }
        let sentinel = self.mirror.sentinel.as_ref().filter(|sentinel| sentinel.health > Health::Ok)?;
        let reason = format!("its sentinel: {}", sentinel.detail.as_deref().unwrap_or("it does not watch"));
        let actions = vec![Action::new(Verb::InstallSentinel, None), Action::new(Verb::Health, None)];
        Some(standing(StandingWord::Attention, &reason, Some(sentinel.looked_at_iso), actions))
    }

    fn not_in_step(&self, report: &RepositoryReport, terms: &Terms) -> Option<Standing> {
        let sync = || vec![Action::new(Verb::Sync, Some(&self.mirror.id))];
        let is_syncing = self.mirror.status == MirrorStatus::Syncing;
        let of_now = |word, reason: &str, since| {
            let word = if is_syncing { StandingWord::Syncing } else { word };
            Some(standing(word, reason, since, if is_syncing { Vec::new() } else { sync() }))
        };
        let never: Vec<&str> =
            self.aspects.iter().filter(|(_, report)| report.last_sync_iso.is_none()).map(|(name, _)| *name).collect();
        if !never.is_empty() {
            let reason =
                if never.len() == self.aspects.len() { String::new() } else { format!("of it: {}", never.join(", ")) };
            return of_now(StandingWord::NeverSynced, &reason, None);
        }
        let synced = self.synced()?;
        let checked = self.mirror.last_health_check_iso.filter(|_| self.mirror.health == Health::Ok);
        let looked = checked.map_or(synced, |checked| checked.max(synced));
        if terms.is_stale(looked, self.mirror.longest_gap_seconds) {
            return of_now(StandingWord::Stale, "nobody has looked since", Some(looked));
        }
        let behind = self.mirror.code.behind.unwrap_or(0);
        if behind > 0 {
            let place = if self.mirror.pulled.is_mirror { "upstream" } else { "master" };
            let commits =
                if behind == 1 { format!("commit of the {place} is") } else { format!("commits of the {place} are") };
            return of_now(StandingWord::Behind, &format!("{behind} {commits} missing there"), Some(synced));
        }
        if let Some(seen) = report.seen.as_ref().filter(|seen| seen.overtakes(&self.mirror.code)) {
            let short: String = seen.commit.chars().take(12).collect();
            let reason = format!("the master has moved on since, to {short}");
            return of_now(StandingWord::Behind, &reason, Some(synced));
        }
        let apart = self.mirror.code.apart.unwrap_or(0);
        if apart > 0 {
            let refs = if apart == 1 { "branch or tag stays" } else { "branches or tags stay" };
            let reason = format!("{apart} {refs} as on the mirror, as you decided");
            let decide = vec![Action::new(Verb::Decide, Some(&self.mirror.id))];
            return Some(standing(StandingWord::LeftApart, &reason, Some(synced), decide));
        }
        is_syncing.then(|| standing(StandingWord::Syncing, "", Some(synced), Vec::new()))
    }
}

/// A standing with the label and tone of its word.
fn standing(word: StandingWord, reason: &str, since: Option<Timestamp>, actions: Vec<Action>) -> Standing {
    let (tone, label) = match word {
        StandingWord::ConsentNeeded => (Tone::Waiting, "waits for your yes"),
        StandingWord::ChangeOpen => (Tone::Waiting, "a change is open"),
        StandingWord::MasterGone => (Tone::Failed, "master gone"),
        StandingWord::MasterDown => (Tone::Failed, "master down"),
        StandingWord::MasterUnknown => (Tone::Waiting, "master cannot be judged"),
        StandingWord::CannotTakeOver => (Tone::Failed, "cannot take over"),
        StandingWord::Waits => (Tone::Waiting, "waits for your decision"),
        StandingWord::Failed => (Tone::Failed, "failed"),
        StandingWord::StandsIn => (Tone::Waiting, "stands in"),
        StandingWord::WaitsForHandBack => (Tone::Waiting, "waits for the hand-back"),
        StandingWord::Attention => (Tone::Waiting, "needs attention"),
        StandingWord::Stale => (Tone::Waiting, "not looked at"),
        StandingWord::Behind => (Tone::Waiting, "behind"),
        StandingWord::LeftApart => (Tone::Waiting, "left apart"),
        StandingWord::NeverSynced => (Tone::Unknown, "never synced"),
        StandingWord::Syncing => (Tone::Running, "syncing"),
        StandingWord::NoMirrors => (Tone::Unknown, "no mirrors"),
        StandingWord::SwitchedOff => (Tone::Unknown, "switched off"),
        StandingWord::IsMaster => (Tone::Ok, "is master"),
        StandingWord::InStep => (Tone::Ok, "in step"),
    };
    Standing { word, tone, label: label.to_owned(), reason: reason.to_owned(), since_iso: since, actions }
}

/// What stands in a report until it is judged.
pub(crate) fn not_judged() -> Standing {
    standing(StandingWord::NeverSynced, "", None, Vec::new())
}

#[cfg(test)]
mod tests;
