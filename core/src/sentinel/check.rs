//! What is installed where, and whether it works: reads alone.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::model::{Health, MirrorId, Slug};
use ts_rs::TS;

use super::read::{self, Run};
use super::{FileState, PATH, Rendered, SECRETS, compare, is_overtaken};
use crate::event::Notice;
use crate::github::{API_VERSION, Client};
use crate::source::SharedSource;
use crate::{Code, Error, Result, tokens};

/// How late a check may be on top of two intervals, in seconds: the host's schedules come late by tens of minutes.
const PATIENCE: i64 = 45 * 60;

/// What an older script may do, and nobody would notice before it does.
const OVERTAKEN: &str = "its rules are an older Standin's: where a policy keeps MASTER_TOKEN out (single sign-on, a list of \
                         addresses, a rule for tokens), it takes a master that is well for gone, and takes over beside it";

/// The sentinel of a repository, on its master and on each standby.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SentinelReport {
    /// The repository that it watches, as it is shown.
    pub master: String,
    /// When it runs, as cron says it.
    pub cron: String,
    /// The worst of all places.
    pub health: Health,
    /// The master first, then the standbys.
    pub places: Vec<PlaceReport>,
}

/// The sentinel in one repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PlaceReport {
    /// `source`, or the mirror.
    pub place: String,
    /// Its repository, as it is shown.
    pub repo: String,
    /// Whether this is the repository that is watched.
    pub is_master: bool,
    /// The verdict.
    pub health: Health,
    /// The file on the default branch; `None` where it could not be read.
    pub file: Option<FileState>,
    /// The host's word for whether the workflow runs; `None` where the host does not list it.
    pub workflow: Option<String>,
    /// The two secrets of a standby.
    pub secrets: Vec<SecretFound>,
    /// Its last run.
    pub last_run: Option<LastRun>,
    /// What it remembers: `SENTINEL_STATE`.
    #[ts(type = "unknown")]
    pub state: Option<serde_json::Value>,
    /// What was found, the worst first.
    pub findings: Vec<Notice>,
    /// What is good to know, and is nothing wrong. What is true of several places is told of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<Notice>>")]
    pub notes: Vec<Notice>,
}

/// A secret of the sentinel on a standby. Never its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SecretFound {
    /// Its name.
    pub name: String,
    /// When it was last set; `None` where it is not there.
    #[ts(type = "string | null")]
    pub updated_iso: Option<Timestamp>,
    /// When its token ends, as far as the sentinel has seen.
    #[ts(type = "string | null")]
    pub expires_iso: Option<Timestamp>,
}

/// A run of the sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LastRun {
    /// When it began.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// What set it off: `schedule` or `workflow_dispatch`.
    pub event: String,
    /// How it ended, in the host's word; `None` while it runs.
    pub conclusion: Option<String>,
    /// Its page.
    pub url: String,
}

/// Looks at the master and at each `github` mirror that is switched on. A place that cannot be looked at is a finding.
///
/// # Errors
/// None of the places; what keeps the check from being made at all.
pub async fn check(source: &Arc<SharedSource>, rendered: &Rendered) -> Result<SentinelReport> {
    let mut places = vec![master(source, rendered).await];
    places.extend(standbys(source, rendered, |_| true).await);
    if places.len() == 1 {
        places[0].found(
            Health::Warning,
            "no standby on GitHub is configured, so nothing watches",
            "Add a mirror of type `github`.",
        );
    }
    let health = places.iter().map(|place| place.health).max().unwrap_or(Health::Unknown);
    Ok(SentinelReport { master: rendered.master.to_string(), cron: rendered.cron.clone(), health, places })
}

/// Looks at those `github` mirrors that are switched on and wanted, without the master.
pub async fn standbys(
    source: &Arc<SharedSource>,
    rendered: &Rendered,
    wanted: impl Fn(&MirrorId) -> bool,
) -> Vec<PlaceReport> {
    let mirrors = source.context.repository.mirrors.iter();
    let chosen = mirrors.filter(|mirror| mirror.enabled && mirror.slug().is_some() && wanted(&mirror.id));
    let mut places = join_all(chosen.map(|mirror| standby(source, mirror, rendered))).await;
    let mut told: Vec<Notice> = Vec::new();
    for place in &mut places {
        place.notes.retain(|note| !told.contains(note));
        told.extend(place.notes.iter().cloned());
    }
    places
}

async fn master(source: &SharedSource, rendered: &Rendered) -> PlaceReport {
    let place = source.context.repository.master.as_ref().map_or_else(|| "source".to_owned(), ToString::to_string);
    let mut report = PlaceReport::new(place, &rendered.master, true);
    let Some(client) = &source.context.github else {
        let context = &source.context;
        report.failed(&crate::tokens::missing(&context.store, &context.repository, &crate::tokens::Place::Source));
        return report;
    };
    if let Err(error) = look(client, &rendered.master, rendered, &mut report).await {
        report.failed(&error);
    }
    report
}

async fn standby(source: &Arc<SharedSource>, mirror: &MirrorConfig, rendered: &Rendered) -> PlaceReport {
    let Some(slug) = mirror.slug() else {
        return PlaceReport::new(mirror.id.to_string(), &rendered.master, false);
    };
    let mut report = PlaceReport::new(mirror.id.to_string(), slug, false);
    let looked = async {
        let context = source.context_by_hand(Arc::new(mirror.clone())).await?;
        let (slug, client) = context.github()?;
        look(client, slug, rendered, &mut report).await?;
        report.notes.extend(client.api_sunset().map(|end| sunset(client.host(), end)));
        watches(client, slug, &source.context.repository, source.context.outside.clock.now(), &mut report).await
    };
    if let Err(error) = looked.await {
        report.failed(&error);
    }
    report
}

/// The file and the workflow.
async fn look(client: &Client, slug: &Slug, rendered: &Rendered, report: &mut PlaceReport) -> Result<()> {
    let info = client.repository(slug).await?;
    let (file, workflow) =
        tokio::try_join!(read::file(client, slug, &info.default_branch, PATH), read::workflow(client, slug))?;
    let is_overtaken = file.as_ref().is_some_and(|file| is_overtaken(&file.text));
    let state = file.map_or(FileState::Missing, |file| compare(&file.text, rendered));
    report.file = Some(state);
    let mend = if report.is_master {
        "Run `standin sentinel install`."
    } else {
        "Install it on the master, then run `standin sync`."
    };
    match state {
        FileState::Current => {}
        FileState::Missing => report.found(Health::Failed, &format!("{PATH} is not there"), mend),
        FileState::OtherValues => report.found(
            Health::Warning,
            &format!("{PATH} was rendered from other values than the configuration's"),
            mend,
        ),
        FileState::OtherVersion if is_overtaken => {}
        FileState::OtherVersion => {
            report.found(Health::Warning, &format!("{PATH} was rendered by another version of Standin"), mend)
        }
        FileState::Edited => report.found(
            Health::Warning,
            &format!("{PATH} was changed by hand"),
            "`standin sentinel install --yes` puts Standin's own there.",
        ),
        FileState::Foreign => report.found(
            Health::Failed,
            &format!("{PATH} is not Standin's"),
            "`standin sentinel install --yes` puts Standin's own there.",
        ),
    }
    if is_overtaken {
        report.found(
            Health::Warning,
            &format!("{PATH} is outdated: {OVERTAKEN}"),
            "Run `standin sentinel install`, then `standin sync`.",
        );
    }
    report.workflow = workflow.as_ref().map(|workflow| workflow.state.to_string());
    if let Some(workflow) = &workflow {
        report.last_run = read::last_run(client, slug, workflow).await?.map(LastRun::from);
        if report.is_master && workflow.state.is_active() {
            report.found(
                Health::Warning,
                &format!("the sentinel is switched on on {slug}, which it watches"),
                "It does nothing there; `standin sentinel install` switches it off.",
            );
        }
    }
    Ok(())
}

/// Whether the sentinel of a standby does its work.
async fn watches(
    client: &Client,
    slug: &Slug,
    repository: &RepositoryConfig,
    now: Timestamp,
    report: &mut PlaceReport,
) -> Result<()> {
    let (secrets, state, role) =
        tokio::try_join!(client.secrets(slug), read::state(client, slug), client.variable(slug, "MIRROR_ROLE"))?;
    report.state = state;
    let remembered = |key: &str| report.state.as_ref().and_then(|state| state[key].as_str()?.parse::<Timestamp>().ok());
    let (last_check, expiries) =
        (remembered("last_check_iso"), [remembered("standin_token_expires"), remembered("master_token_expires")]);
    for (name, expires_iso) in SECRETS.into_iter().zip(expiries) {
        let found = secrets.iter().find(|secret| secret.name == name);
        report.secrets.push(SecretFound {
            name: name.to_owned(),
            updated_iso: found.map(|secret| secret.updated_at),
            expires_iso,
        });
        let set = format!("Set it with `standin sentinel install --tokens --mirror {}`.", report.place);
        if found.is_none() {
            report.found(Health::Failed, &format!("the secret {name} is not set on {slug}"), &set);
        } else if let Some(end) = expires_iso {
            let days = tokens::days_left(end, now);
            if days < 0 {
                report.found(Health::Failed, &format!("{name} of {slug} has ended"), &set);
            } else if tokens::ends_soon(days) {
                report.found(Health::Warning, &format!("{name} of {slug} ends in {days} days"), &set);
            }
        }
    }
    if role.is_some_and(|role| role.value == "MASTER") {
        report.found(
            Health::Warning,
            &format!("{slug} is a master itself, so its sentinel does nothing"),
            "`standin sentinel install` lets the others watch it.",
        );
        return Ok(());
    }
    match report.workflow.as_deref() {
        None => report.found(
            Health::Failed,
            &format!("{slug} does not list the sentinel among its workflows"),
            "Run `standin sync`, and see that Actions are on there.",
        ),
        Some("active") => late(repository, slug, last_check, now, report),
        Some("disabled_inactivity") => report.found(
            Health::Failed,
            &format!("GitHub switched the sentinel of {slug} off, as nothing happened there for 60 days"),
            "Switch it on on the Actions page of the repository; a sync now and then keeps it on.",
        ),
        Some(state) => report.found(
            Health::Failed,
            &format!("the sentinel of {slug} is switched off ({state})"),
            "Switch it on on the Actions page of the repository.",
        ),
    }
    if let Some(run) = &report.last_run
        && run
            .conclusion
            .as_deref()
            .is_some_and(|conclusion| !matches!(conclusion, "success" | "skipped" | "cancelled"))
    {
        let message = format!("the last run of the sentinel of {slug} failed");
        let hint = format!("Its page says why: {}", run.url);
        report.found(Health::Warning, &message, &hint);
    }
    Ok(())
}

/// That the host ends the version of its API which the sentinel speaks.
fn sunset(host: &str, end: Timestamp) -> Notice {
    Notice {
        message: format!(
            "{host} ends version {API_VERSION} of its API, which this sentinel speaks, on {}",
            end.strftime("%-d %B %Y")
        ),
        hint:
            "Nothing is to be done now: once a newer Standin speaks a newer one, `standin sentinel install` renews it."
                .to_owned(),
    }
}

fn late(
    repository: &RepositoryConfig,
    slug: &Slug,
    last_check: Option<Timestamp>,
    now: Timestamp,
    report: &mut PlaceReport,
) {
    let Some(last) = last_check else {
        report.found(
            Health::Warning,
            &format!("the sentinel of {slug} has not made a check yet"),
            &format!("Start one on the Actions page, or with `gh workflow run sentinel.yml --repo {slug}`."),
        );
        return;
    };
    let silence = now.as_second() - last.as_second();
    let interval = i64::try_from(repository.sentinel.interval.as_secs()).unwrap_or(i64::MAX / 4);
    if silence > 2 * interval + PATIENCE {
        report.found(
            Health::Warning,
            &format!("the last check of the sentinel of {slug} was {} minutes ago", silence / 60),
            "The host's schedules come late or are dropped. See its runs on the Actions page.",
        );
    }
}

impl From<Run> for LastRun {
    fn from(run: Run) -> Self {
        let conclusion = if run.status == "completed" { run.conclusion } else { None };
        Self { at_iso: run.created_at, event: run.event, conclusion, url: run.html_url }
    }
}

impl PlaceReport {
    fn new(place: String, slug: &Slug, is_master: bool) -> Self {
        Self {
            place,
            repo: slug.to_string(),
            is_master,
            health: Health::Ok,
            file: None,
            workflow: None,
            secrets: Vec::new(),
            last_run: None,
            state: None,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn found(&mut self, health: Health, message: &str, hint: &str) {
        let notice = Notice { message: message.to_owned(), hint: hint.to_owned() };
        // The worst stands first.
        let first = health > self.health;
        self.health = self.health.max(health);
        if self.findings.contains(&notice) {
            return;
        }
        self.findings.insert(if first { 0 } else { self.findings.len() }, notice);
    }

    fn failed(&mut self, error: &Error) {
        let health = if error.code == Code::RateLimited { Health::Warning } else { Health::Failed };
        self.found(health, &error.message, &error.advice());
    }
}
