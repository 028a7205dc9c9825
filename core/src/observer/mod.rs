//! The second observer: judges the master from here by the rules that the sentinel has, and looks after the sentinel
//! itself.
//!
//! | file | what lives there |
//! |---|---|
//! | [`judge`] | the pure part: from an observation to a verdict |
//! | `look` | the questions that are asked of the host |
//!
//! It never changes a role. What it found is kept for `status` and the window, and its hints say what to type.

pub mod judge;
mod look;

use jiff::Timestamp;
use standin_state::config::{Config, MirrorConfig, RepositoryConfig, Source};
use standin_state::model::{
    Aspect, Health, MasterCause, MasterHealth, MasterVerdict, MirrorId, RepositoryId, SentinelStatus,
};
use standin_state::store::Store;

use self::judge::Judgement;
use crate::event::Notice;
use crate::health::HealthReport;
use crate::mastership::direction::Direction;
use crate::sentinel::{FileState, PlaceReport};
use crate::source::SharedSource;
use crate::{Code, Error, Result, tokens};

/// Looks at the master, judges it and remembers the verdict. `None` where it is not on GitHub, and so has no role.
/// `source` is of the repository that is [`Direction::watched`].
///
/// # Errors
/// [`Code::Storage`]. What keeps the master from being judged is in the report.
pub async fn observe(source: &SharedSource, direction: &Direction) -> Result<Option<HealthReport>> {
    let context = &source.context;
    let Source::GitHub(slug) = &context.repository.source else { return Ok(None) };
    let (store, repository, stands_in) = (&context.store, &context.repository.id, direction.is_temporary());
    let place = direction.watched_place();
    let epoch = direction.who.as_ref().map_or(0, |who| who.epoch);
    let look = look::Look { source, slug, with_heartbeat: !stands_in, epoch };
    let judgement = match look.observe().await {
        Ok(seen) => judge::judge(&seen),
        Err(error) if error.code == Code::Storage => return Err(error),
        Err(error) => Judgement::new(asking(&error), told(&error)),
    };
    let now = context.outside.clock.now();
    let health = match judgement.verdict {
        MasterVerdict::Well if judgement.cause == MasterCause::Renamed => Health::Warning,
        MasterVerdict::Well => Health::Ok,
        MasterVerdict::Down | MasterVerdict::Gone => Health::Failed,
        MasterVerdict::Unknown if context.token.is_none() => Health::Unknown,
        MasterVerdict::Unknown => Health::Warning,
    };
    let hint = hint(store, direction, &judgement, now)?;
    let before = store.master_health(repository)?;
    let since = before.filter(|before| before.place == place && before.verdict == judgement.verdict);
    let kept = MasterHealth {
        place: place.clone(),
        repo: slug.to_string(),
        verdict: judgement.verdict,
        health,
        cause: judgement.cause,
        detail: judgement.detail.clone(),
        hint: hint.clone(),
        since_iso: since.map_or(now, |before| before.since_iso),
        last_health_check_iso: now,
    };
    let mut report = HealthReport::new(place.clone(), slug.to_string(), now);
    (report.health, report.verdict) = (health, Some(judgement.verdict));
    if judgement.verdict != MasterVerdict::Well || !hint.is_empty() {
        report.findings.push(Notice { message: judgement.detail, hint });
    }
    if judgement.verdict == MasterVerdict::Well {
        check_token(source, &place, &mut report).await;
    }
    store.set_master_health(repository, Some(&kept))?;
    let detail = report.findings.first().map(|notice| notice.message.as_str());
    store.set_health(repository, &place, report.health, detail, now)?;
    Ok(Some(report))
}

/// What kept the master from being asked.
fn asking(error: &Error) -> MasterCause {
    match error.code {
        Code::TokenMissing => MasterCause::TokenMissing,
        Code::Unauthorized => MasterCause::TokenRefused,
        Code::RateLimited => MasterCause::Limited,
        _ => MasterCause::Unclear,
    }
}

fn told(error: &Error) -> String {
    match error.advice() {
        advice if advice.is_empty() => error.message.clone(),
        advice => format!("{} ({advice})", error.message),
    }
}

async fn check_token(source: &SharedSource, place: &MirrorId, report: &mut HealthReport) {
    let Some(client) = &source.context.github else { return };
    let Ok((_, facts)) = client.user().await else { return };
    let Some(end) = facts.expires_at else { return };
    let days = tokens::days_left(end, report.at_iso);
    if tokens::ends_soon(days) {
        report.health = report.health.max(Health::Warning);
        report.findings.push(Notice {
            message: format!("the token of {place} ends in {days} days"),
            hint: format!("Make a new one and store it with `standin token set {place}`."),
        });
    }
}

/// What to do, with how old each standby is.
fn hint(store: &Store, direction: &Direction, judgement: &Judgement, now: Timestamp) -> Result<String> {
    let (home, verdict) = (&direction.home, judgement.verdict);
    let barred = judgement.advice.as_ref().map(|advice| format!("This says nothing about the master. {advice}"));
    let fails = matches!(verdict, MasterVerdict::Down | MasterVerdict::Gone);
    Ok(match (direction.master(), verdict) {
        (Some(standby), MasterVerdict::Well) if direction.is_temporary() => {
            format!("{standby} stands in for it. It is well again: hand back with `standin demote {standby}`.")
        }
        (Some(standby), _) if direction.is_temporary() => {
            let then = format!("{standby} stands in for it. When it is well again: `standin demote {standby}`.");
            barred.map_or(then.clone(), |barred| format!("{barred} {then}"))
        }
        (master, _) if fails => {
            let mut ways = Vec::new();
            if let Some(standby) = master {
                ways.push(format!("`standin demote {standby} --gone` ({}, which follows it)", home.source.display()));
            }
            let is_standby =
                |mirror: &&MirrorConfig| mirror.enabled && mirror.slug().is_some() && Some(&mirror.id) != master;
            for mirror in home.mirrors.iter().filter(is_standby) {
                ways.push(format!("`standin promote {}` ({})", mirror.id, age(store, &home.id, mirror, now)?));
            }
            match (ways.is_empty(), master) {
                (true, _) => "No standby on GitHub is configured that could take over.".to_owned(),
                (false, None) => format!("If it stays so, a standby takes over with {}.", ways.join(", or ")),
                (false, Some(_)) => format!("If it stays so, another takes over with {}.", ways.join(", or ")),
            }
        }
        (_, MasterVerdict::Unknown) => barred.unwrap_or_else(|| {
            format!(
                "This says nothing about the master. Check the token with `standin token check {}`.",
                direction.watched_place()
            )
        }),
        (_, MasterVerdict::Well) => judgement.advice.clone().unwrap_or_default(),
        _ => String::new(),
    })
}

/// How old a standby is, in words.
fn age(store: &Store, repository: &RepositoryId, mirror: &MirrorConfig, now: Timestamp) -> Result<String> {
    let memory = store.mirror_memory(repository, &mirror.id, &mirror.target.display())?;
    let Some(code) = memory.aspects.get(&Aspect::Code) else { return Ok("never synced".to_owned()) };
    let Some(synced) = code.last_sync_iso else { return Ok("never synced".to_owned()) };
    let minutes = (now.as_second() - synced.as_second()).max(0) / 60;
    let since = match minutes {
        0 => "less than a minute ago".to_owned(),
        1 => "1 minute ago".to_owned(),
        2..120 => format!("{minutes} minutes ago"),
        120..2880 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 60 / 24),
    };
    let behind = match code.behind {
        Some(0) | None => String::new(),
        Some(count) => format!(", {count} commits behind"),
    };
    Ok(format!("synced {since}{behind}"))
}

/// Looks at the sentinels of the standbys and puts what was found into their reports. `source` is of the
/// repository that is [`Direction::watched`].
///
/// # Errors
/// [`Code::Storage`]. A sentinel that is not well is no error.
pub async fn check_sentinels(
    source: &std::sync::Arc<SharedSource>,
    config: &Config,
    reports: &mut [HealthReport],
) -> Result<()> {
    let context = &source.context;
    let Ok(rendered) = crate::sentinel::render(config, &context.repository) else { return Ok(()) };
    let wanted = |id: &MirrorId| reports.iter().any(|report| report.mirror == *id);
    let places = crate::sentinel::check::standbys(source, &rendered, wanted).await;
    let now = context.outside.clock.now();
    for mut place in places {
        if is_absent(&place) {
            place.health = Health::Warning;
            place.findings = vec![Notice {
                message: "no sentinel is installed: nothing watches the master while this program does not run"
                    .to_owned(),
                hint: "`standin sentinel install` brings it to the master, from where it is mirrored.".to_owned(),
            }];
        }
        let Some(report) = reports.iter_mut().find(|report| report.mirror.as_str() == place.place) else { continue };
        context.store.set_sentinel_status(&context.repository.id, &report.mirror, &short(&place, now))?;
        report.sentinel = Some(place);
    }
    Ok(())
}

/// Whether nobody ever set a sentinel up here.
fn is_absent(place: &PlaceReport) -> bool {
    place.file == Some(FileState::Missing)
        && place.workflow.is_none()
        && place.secrets.iter().all(|secret| secret.updated_iso.is_none())
}

fn short(place: &PlaceReport, now: Timestamp) -> SentinelStatus {
    let state = |key: &str| place.state.as_ref().map(|state| state[key].clone()).unwrap_or_default();
    let worst = place.findings.first();
    SentinelStatus {
        health: place.health,
        detail: worst.map(|notice| notice.message.clone()),
        hint: worst.map(|notice| notice.hint.clone()),
        workflow: place.workflow.clone(),
        last_check_iso: state("last_check_iso").as_str().and_then(|text| text.parse().ok()),
        last_verdict: state("last_verdict").as_str().map(str::to_owned),
        failures: state("failures").as_u64().unwrap_or(0),
        looked_at_iso: now,
    }
}

/// The standbys of a repository that have a role.
pub fn standbys(repository: &RepositoryConfig) -> impl Iterator<Item = &standin_state::config::MirrorConfig> {
    repository.mirrors.iter().filter(|mirror| mirror.enabled && mirror.slug().is_some())
}
