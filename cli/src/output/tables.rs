//! Status, history, rescues, health and tokens, as text.

use jiff::{Timestamp, Unit};
use standin_core::Error;
use standin_core::event::Notice;
use standin_core::health::HealthReport;
use standin_core::sentinel::{FileState, SentinelReport};
use standin_core::state::model::{
    Aspect, AspectReport, AspectStatus, ConsentQuestion, Health, MasterHealth, MasterVerdict, MirrorReport,
    RepositoryReport, SchedulePause, ScheduleReport, Standing, StandingWord, Tone,
};
use standin_core::state::store::{AuditEntry, ChangeOutcome, Rescue, RunRecord};

use super::lines::change_words;

/// How long ago, in the largest whole unit: `just now`, `2 minutes ago`, `3 days ago`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs();
    let (count, unit) = match seconds {
        ..5 => return "just now".to_owned(),
        5..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// The lines of one repository's status.
pub fn status(report: &RepositoryReport, now: Timestamp) -> Vec<String> {
    let epoch = report.epoch.map_or_else(|| "not synced yet".to_owned(), |epoch| format!("epoch {epoch}"));
    let standing = standing_words(&report.standing);
    // Where nothing is pushed, nobody is master.
    let only_pulls = !report.mirrors.is_empty() && report.mirrors.iter().all(|mirror| mirror.pulled.is_mirror);
    let mut lines = match only_pulls {
        true => vec![format!("{}  {standing}", report.repository), format!("  upstream {}", report.master)],
        false => vec![
            format!("{}  {}  {standing}", report.repository, report.self_role),
            format!("  master {}  ({epoch})", report.master),
        ],
    };
    lines.push(match (report.last_full_sync_iso, report.standing.word) {
        (None, _) => "  never all in step".to_owned(),
        (Some(then), StandingWord::InStep) => format!("  all in step {}", ago(then, now)),
        (Some(then), _) => format!("  last all in step {}", ago(then, now)),
    });
    if let Some(question) = &report.consent {
        lines.extend(consent(question).into_iter().map(|line| format!("  {line}")));
        lines.push(match question.file {
            Some(_) => "  → Say so once with `standin allow`; until then nothing is read, written or run.".to_owned(),
            None => "  → Say so once with `standin allow`; until then it goes to no other place.".to_owned(),
        });
    }
    lines.extend(report.error.iter().flat_map(mistakes).map(|line| format!("  {line}")));
    if !report.enabled && report.error.is_none() {
        lines.push("  mirroring is switched off (MIRROR_ENABLED=false)".to_owned());
    }
    if let Some(change) = &report.open_change {
        lines.push(format!("  ⚠️  open since {} by {}: {}", ago(change.since_iso, now), change.writer, change.detail));
    }
    lines.extend(report.master_health.iter().flat_map(|health| master_lines(health, now)));
    lines.extend(report.notify.iter().flat_map(super::notify::trouble));
    for mirror in &report.mirrors {
        lines.push(String::new());
        lines.extend(mirror_lines(mirror, now));
    }
    if report.mirrors.is_empty() && report.error.is_none() {
        lines.push("  no mirror is configured".to_owned());
    }
    lines
}

/// What is wrong with the configuration of one repository.
pub fn mistakes(error: &Error) -> Vec<String> {
    let (message, advice) = (error.message.lines(), error.advice());
    message.map(|line| format!("❌ {line}")).chain(advice.lines().map(|line| format!("   → {line}"))).collect()
}

/// What waits for its owner's yes.
pub fn consent(question: &ConsentQuestion) -> Vec<String> {
    let is_title = |line: &String| *line == question.title;
    question.told().into_iter().map(|line| if is_title(&line) { format!("⏸️  {line}") } else { line }).collect()
}

fn master_lines(health: &MasterHealth, now: Timestamp) -> Vec<String> {
    let MasterHealth { repo, verdict, detail, hint, .. } = health;
    let since = match verdict {
        MasterVerdict::Well => String::new(),
        _ => format!(" (first seen so {})", ago(health.since_iso, now)),
    };
    let mut lines = vec![format!(
        "  {} {repo} {}{since}: {detail}, looked at {}",
        health_icon(health.health),
        verdict_words(*verdict),
        ago(health.last_health_check_iso, now)
    )];
    if !hint.is_empty() {
        lines.push(format!("     → {hint}"));
    }
    lines
}

fn mirror_lines(mirror: &MirrorReport, now: Timestamp) -> Vec<String> {
    let role = mirror.role.map_or_else(|| mirror.kind.to_string(), |role| role.to_string());
    let mut lines = vec![format!("[{}] {}  {role}  {}", mirror.id, mirror.repo, standing_words(&mirror.standing))];
    lines.extend(mirror.pulled.path.iter().map(|path| format!("  {:<10} {path}", "copy")));
    for (aspect, report) in [
        (Aspect::Code, &mirror.code),
        (Aspect::Secrets, &mirror.secrets),
        (Aspect::Variables, &mirror.variables),
        (Aspect::Workflows, &mirror.workflows),
    ] {
        lines.extend(aspect_lines(aspect, report, now));
    }
    if mirror.health != Health::Unknown {
        let when = mirror.last_health_check_iso.map_or_else(String::new, |then| format!(", {}", ago(then, now)));
        let why = mirror.health_detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
        lines.push(format!("  {:<10} {}{why}{when}", "health", mirror.health));
    }
    if let Some(sentinel) = &mirror.sentinel {
        let why = sentinel.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
        let when = ago(sentinel.looked_at_iso, now);
        lines.push(format!("  {:<10} {}{why}, {when}", "sentinel", sentinel.health));
    }
    if let Some(error) = &mirror.error {
        lines.push(format!("  ❌ {}", error.message));
        lines.push(format!("     → {}", error.advice()));
    }
    lines
}

/// How something stands, in a word or three.
fn standing_words(standing: &Standing) -> String {
    let icon = match standing.tone {
        Tone::Failed => "❌ ",
        Tone::Waiting => "⏸  ",
        Tone::Running => "⏳ ",
        Tone::Unknown => "",
        Tone::Ok => "✅ ",
    };
    // Why the others are so stands in the lines below.
    let why = match standing.word {
        StandingWord::Stale | StandingWord::LeftApart | StandingWord::NeverSynced if !standing.reason.is_empty() => {
            format!(" ({})", standing.reason)
        }
        _ => String::new(),
    };
    format!("{icon}{}{why}", standing.label)
}

fn aspect_lines(aspect: Aspect, report: &AspectReport, now: Timestamp) -> Vec<String> {
    let icon = match report.status {
        AspectStatus::Unknown => "·",
        AspectStatus::Ok => "✅",
        AspectStatus::Failed => "❌",
        AspectStatus::Skipped => return Vec::new(),
        AspectStatus::Blocked => "⏸ ",
    };
    let synced = report.last_sync_iso.map_or_else(|| "never".to_owned(), |then| ago(then, now));
    let when = match report.last_try_iso {
        Some(tried) => format!("{synced}, tried {}", ago(tried, now)),
        None => synced,
    };
    let behind = match report.behind {
        Some(0) => ", 0 commits behind".to_owned(),
        Some(1) => ", 1 commit behind".to_owned(),
        Some(count) => format!(", {count} commits behind"),
        None => String::new(),
    };
    let detail = report.detail.as_deref().unwrap_or("");
    let mut lines = vec![format!("  {:<10} {icon} {when:<16} {detail}{behind}", aspect.as_str()).trim_end().to_owned()];
    if let Some(error) = &report.error {
        lines.extend(error.lines().map(|line| format!("             {line}")));
    }
    lines.extend(report.advice().lines().map(|line| format!("             → {line}")));
    lines
}

/// One line for each run.
pub fn runs(runs: &[RunRecord], now: Timestamp) -> Vec<String> {
    if runs.is_empty() {
        return vec!["no runs yet".to_owned()];
    }
    runs.iter()
        .map(|run| {
            let took = run.finished_iso.map_or_else(|| "-".to_owned(), |end| duration(run.started_iso, end));
            let why = run.error.as_ref().map_or_else(String::new, |error| format!("  {}", error.message));
            format!(
                "{}  {:<16} {:<9} {:>8}  {:>3} changes  {} / {}{why}",
                run.id,
                ago(run.started_iso, now),
                run.status.as_str(),
                took,
                run.totals.changes,
                run.repository,
                run.mirror,
            )
        })
        .collect()
}

fn duration(start: Timestamp, end: Timestamp) -> String {
    let seconds = end.duration_since(start).as_secs_f64();
    format!("{seconds:.1} s")
}

/// One run in full.
pub fn run(run: &RunRecord) -> Vec<String> {
    let second = |time: Timestamp| time.round(Unit::Second).unwrap_or(time);
    let mut lines = vec![
        format!("run       {}", run.id),
        format!("mirror    {} / {}", run.repository, run.mirror),
        format!("trigger   {}", run.trigger),
        format!("started   {}", second(run.started_iso)),
        format!("ended     {}", run.finished_iso.map_or_else(|| "-".to_owned(), |end| second(end).to_string())),
        format!("result    {}", run.status),
        format!(
            "cost      {} REST requests, {} gh calls, {} git calls, {} bytes sent, {} bytes received",
            run.totals.api_requests,
            run.totals.gh_calls,
            run.totals.git_calls,
            run.totals.bytes_sent,
            run.totals.bytes_received
        ),
    ];
    if let Some(error) = &run.error {
        lines.push(format!("error     {}", error.message));
        lines.push(format!("          → {}", error.advice()));
    }
    for change in &run.changes {
        let mark = match &change.outcome {
            ChangeOutcome::Done => "✅".to_owned(),
            ChangeOutcome::Failed { error } => format!("❌ {}", error.message),
        };
        let what = &change.change;
        lines.push(format!("  {}  {:<9} {} {mark}", second(change.at_iso), what.aspect.as_str(), change_words(what)));
    }
    lines
}

/// Who keeps the schedule, and one line for each mirror in it.
pub fn schedule(report: &ScheduleReport, now: Timestamp) -> Vec<String> {
    let mut lines = vec![match &report.kept_by {
        Some(holder) => format!("The schedule is kept by {holder}."),
        None => "Nobody keeps the schedule, so nothing is synced by itself: `standin watch` does, and the window."
            .to_owned(),
    }];
    if let Some(SchedulePause { until_iso, actor, .. }) = &report.pause {
        let until = until_iso.map_or_else(|| "until it is resumed".to_owned(), |until| format!("until {until:.0}"));
        lines.push(format!("It is paused {until}, by {actor}: `standin schedule resume` lets it go on."));
    }
    for mirror in &report.mirrors {
        let next = match mirror.next_sync_iso {
            Some(next) if next <= now => "due now".to_owned(),
            Some(next) => format!("next in {}", length(next.duration_since(now).as_secs())),
            None => "not by itself".to_owned(),
        };
        let place = format!("{} / {}", mirror.repository, mirror.mirror);
        lines.push(format!("  {place:<40} {:<24} {next}", mirror.rhythm));
    }
    lines
}

/// `45s`, `59m`, `3h`, `2d`.
fn length(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// One line for each entry of the audit trail.
pub fn audit(entries: &[AuditEntry]) -> Vec<String> {
    if entries.is_empty() {
        return vec!["nothing yet".to_owned()];
    }
    entries
        .iter()
        .map(|entry| {
            let place = match (&entry.repository, &entry.mirror) {
                (Some(repository), Some(mirror)) => format!("{repository} / {mirror}"),
                (Some(repository), None) => repository.to_string(),
                (None, _) => "-".to_owned(),
            };
            let at = entry.at_iso.round(Unit::Second).unwrap_or(entry.at_iso);
            format!("{at}  {}  {} {place}: {} ({})", entry.actor, entry.action, entry.detail, entry.outcome)
        })
        .collect()
}

/// One line for each rescue.
pub fn rescues(rescues: &[Rescue], now: Timestamp) -> Vec<String> {
    if rescues.is_empty() {
        return vec!["nothing was ever in danger".to_owned()];
    }
    rescues
        .iter()
        .map(|rescue| {
            format!(
                "{}  {:<16} {} / {}{}  {}  {}",
                rescue.id,
                ago(rescue.created_iso, now),
                rescue.repository,
                rescue.mirror,
                rescue.target.as_ref().map_or_else(String::new, |target| format!(" ({target})")),
                rescue.ref_name,
                rescue.oid.short()
            )
        })
        .collect()
}

/// The lines of one health report.
pub fn health(report: &HealthReport) -> Vec<String> {
    let icon = health_icon(report.health);
    let said = report.verdict.map_or_else(|| report.health.to_string(), |verdict| verdict_words(verdict).to_owned());
    let mut lines = vec![format!("[{}] {}  {icon} {said}", report.mirror, report.repo)];
    if let (Some(behind), Some(pending)) = (report.behind, report.pending) {
        lines.push(format!("  {behind} commits behind, {pending} changes to sync"));
    }
    lines.extend(report.findings.iter().flat_map(finding));
    if let Some(sentinel) = &report.sentinel {
        let checked = sentinel.state.as_ref().and_then(|state| {
            Some(format!(", last check {}: {}", state["last_check_iso"].as_str()?, state["last_verdict"].as_str()?))
        });
        lines.push(format!(
            "  sentinel  {} {}{}",
            health_icon(sentinel.health),
            sentinel.health,
            checked.unwrap_or_default()
        ));
        lines.extend(sentinel.findings.iter().chain(&sentinel.notes).flat_map(finding));
    }
    lines
}

fn finding(notice: &Notice) -> Vec<String> {
    let mut lines = vec![format!("  {}", notice.message)];
    if !notice.hint.is_empty() {
        lines.push(format!("     → {}", notice.hint));
    }
    lines
}

fn verdict_words(verdict: MasterVerdict) -> &'static str {
    match verdict {
        MasterVerdict::Well => "well",
        MasterVerdict::Down => "down",
        MasterVerdict::Gone => "gone",
        MasterVerdict::Unknown => "cannot tell",
    }
}

/// The lines of a check of the sentinel.
pub fn sentinel(report: &SentinelReport) -> Vec<String> {
    let mut lines = vec![format!("watched: {}  ({})", report.master, report.cron)];
    for place in &report.places {
        lines.push(format!("[{}] {}  {} {}", place.place, place.repo, health_icon(place.health), place.health));
        let file = match place.file {
            Some(FileState::Current) => "as it is rendered now",
            Some(FileState::OtherValues) => "rendered from other values",
            Some(FileState::OtherVersion) => "rendered by another version",
            Some(FileState::Edited) => "changed by hand",
            Some(FileState::Foreign) => "not Standin's",
            Some(FileState::Missing) => "not there",
            None => "not read",
        };
        lines.push(format!("  file      {file}, {}", place.workflow.as_deref().unwrap_or("not listed by the host")));
        for secret in &place.secrets {
            let when = secret.updated_iso.map_or_else(|| "missing".to_owned(), |at| format!("set at {at}"));
            let end = secret.expires_iso.map_or_else(String::new, |end| format!(", ends at {end}"));
            lines.push(format!("  {:<13} {when}{end}", secret.name));
        }
        if let Some(state) = &place.state {
            let text = |key: &str| state[key].as_str().unwrap_or("-").to_owned();
            let failures = state["failures"].as_u64().unwrap_or(0);
            lines.push(format!(
                "  checked   {} {} ({}), {failures} failed in a row",
                text("last_check_iso"),
                text("last_verdict"),
                text("detail")
            ));
        }
        if let Some(run) = &place.last_run {
            let conclusion = run.conclusion.as_deref().unwrap_or("going on");
            lines.push(format!("  last run  {} {} {conclusion}", run.at_iso, run.event));
        }
        lines.extend(place.findings.iter().chain(&place.notes).flat_map(finding));
    }
    lines
}

fn health_icon(health: Health) -> &'static str {
    match health {
        Health::Ok => "✅",
        Health::Warning => "⚠️ ",
        Health::Failed => "❌",
        Health::Unknown => "·",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_largest_whole_unit() {
        let now: Timestamp = "2026-02-07T18:00:00Z".parse().expect("a time");
        for (then, words) in [
            ("2026-02-07T17:59:58Z", "just now"),
            ("2026-02-07T18:03:00Z", "just now"),
            ("2026-02-07T17:59:40Z", "20 seconds ago"),
            ("2026-02-07T17:59:00Z", "1 minute ago"),
            ("2026-02-07T16:00:00Z", "2 hours ago"),
            ("2026-02-01T18:00:00Z", "6 days ago"),
        ] {
            assert_eq!(ago(then.parse().expect("a time"), now), words);
        }
    }
}
