//! What a token can do: what the host says about it, and what harmless reads prove.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use standin_state::config::{Config, RepositoryConfig};
use standin_state::model::{Aspect, Slug};
use standin_state::store::Store;
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use super::{Place, TokenOrigin, find, slug_of, variable_name};
use crate::event::Notice;
use crate::github::{Client, PATIENCE_OF_A_LOOK, RepositoryInfo, TokenFacts};
use crate::memory::Memory;
use crate::outside::Outside;
use crate::totals::Totals;
use crate::{Code, Error, Result};

/// Days before its end from which on a token is worth a warning.
const WARNING_DAYS: i64 = 14;

/// How many days a token is good for, which are negative once it has ended.
pub(crate) fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(24 * 60 * 60)
}

/// Whether a token with so many days left is worth a warning.
pub(crate) fn ends_soon(days_left: i64) -> bool {
    days_left <= WARNING_DAYS
}

/// What is known about a token; never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TokenReport {
    /// `source`, or the mirror.
    pub place: String,
    /// The host that it is for.
    pub host: String,
    /// The repository that it was checked against.
    pub repository: String,
    /// Where it came from.
    pub origin: TokenOrigin,
    /// The account that it stands for.
    pub login: String,
    /// What kind it is, by its beginning.
    pub kind: TokenKind,
    /// Scopes of a classic token; `None` where the host does not list them.
    pub scopes: Option<Vec<String>>,
    /// When it ends; `None` where the host names no end.
    #[ts(type = "string | null")]
    pub expires_iso: Option<Timestamp>,
    /// Whole days until then.
    #[ts(type = "number | null")]
    pub days_left: Option<i64>,
    /// What it can do there.
    pub rights: Vec<RightReport>,
    /// What to know.
    pub notices: Vec<Notice>,
}

/// What kind of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum TokenKind {
    /// `ghp_…`: scopes, wherever its account may act.
    Classic,
    /// `github_pat_…`: permissions on named repositories of one owner.
    FineGrained,
    /// `gho_…`: what gh and other programs get when a user signs in.
    OAuth,
    /// Anything else.
    Other,
}

/// One right that a standby needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RightReport {
    /// What it is needed for.
    pub aspect: Aspect,
    /// The right, such as `push branches and tags`.
    pub right: String,
    /// Whether the token has it.
    pub state: RightState,
    /// How that is known, or what is missing.
    pub detail: String,
}

/// Whether a token has a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RightState {
    /// It has.
    Proven,
    /// It has not.
    Missing,
    /// Reading works; whether writing does shows only when something is written.
    Unproven,
}

impl TokenKind {
    fn of(token: &SecretString) -> Self {
        let token = token.expose_secret();
        let begins = |prefix| token.starts_with(prefix);
        match () {
            () if begins("ghp_") => Self::Classic,
            () if begins("github_pat_") => Self::FineGrained,
            () if begins("gho_") => Self::OAuth,
            () => Self::Other,
        }
    }
}

/// Finds the token of a place and asks the host about it. `None` where there is no token, or where the place is not
/// on GitHub, whose tokens cannot be asked about.
///
/// # Errors
/// [`Code::Unauthorized`] for a token that is not accepted, [`Code::RepositoryNotFound`] where it cannot see the
/// repository, and what keeps the host from being asked.
pub async fn check(
    outside: &Outside,
    config: &Config,
    store: &Store,
    repository: &RepositoryConfig,
    place: &Place,
) -> Result<Option<TokenReport>> {
    let (Some(slug), Some(token)) =
        (slug_of(repository, place)?, find(outside, config, store, repository, place).await?)
    else {
        return Ok(None);
    };
    let mirror = match place {
        Place::Source => None,
        Place::Mirror(id) => Some(id),
    };
    let client = Client::new(
        config,
        slug,
        &token.value,
        Memory::new(store, &repository.id, mirror, &outside.clock),
        Arc::new(Totals::default()),
        CancellationToken::new(),
    )?
    .waiting(outside, &repository.id, mirror, Some(PATIENCE_OF_A_LOOK));
    let ((user, facts), info) = tokio::try_join!(client.user(), client.repository(slug))?;
    let rights = rights(&client, slug, place, &facts, &info).await?;
    let now = outside.clock.now();
    let days_left = facts.expires_at.map(|end| days_left(end, now));
    let mut notices: Vec<Notice> = token.notice(repository, place).into_iter().collect();
    notices.extend(end_notice(repository, place, days_left));
    if info.archived {
        notices.push(Notice {
            message: format!("{slug} is archived: nothing can be written to it"),
            hint: "Unarchive it in the settings of the repository.".to_owned(),
        });
    }
    Ok(Some(TokenReport {
        place: place.to_string(),
        host: client.host().to_owned(),
        repository: slug.to_string(),
        origin: token.origin,
        login: user.login,
        kind: TokenKind::of(&token.value),
        scopes: facts.scopes,
        expires_iso: facts.expires_at,
        days_left,
        rights,
        notices,
    }))
}

fn end_notice(repository: &RepositoryConfig, place: &Place, days_left: Option<i64>) -> Option<Notice> {
    let days = days_left.filter(|days| ends_soon(*days))?;
    Some(Notice {
        message: format!("the token for {place} ends in {days} days"),
        hint: format!(
            "Make a new one and store it with `standin token set {place}` or in {}.",
            variable_name(repository, place)
        ),
    })
}

/// A right that a read can speak for.
struct Probe {
    aspect: Aspect,
    right: &'static str,
    /// Whether the account's role in the repository allows it.
    by_role: bool,
    read: Result<()>,
}

async fn rights(
    client: &Client,
    slug: &Slug,
    place: &Place,
    facts: &TokenFacts,
    info: &RepositoryInfo,
) -> Result<Vec<RightReport>> {
    if *place == Place::Source {
        let variables = client.variables(slug).await.map(drop);
        let workflows = client.workflows(slug).await.map(drop);
        return [
            reading(Aspect::Code, "read branches and tags", Ok(())),
            reading(Aspect::Variables, "read variables", variables),
            reading(Aspect::Workflows, "read workflow states", workflows),
        ]
        .into_iter()
        .collect();
    }
    let (secrets, variables, workflows, settings) = tokio::join!(
        client.secrets(slug),
        client.variables(slug),
        client.workflows(slug),
        client.actions_settings(slug)
    );
    let rights = info.permissions;
    let probes = [
        Probe { aspect: Aspect::Code, right: "push branches and tags", by_role: rights.push, read: Ok(()) },
        Probe { aspect: Aspect::Secrets, right: "write secrets", by_role: rights.push, read: secrets.map(drop) },
        Probe { aspect: Aspect::Variables, right: "write variables", by_role: rights.push, read: variables.map(drop) },
        Probe {
            aspect: Aspect::Workflows,
            right: "switch workflows on and off",
            by_role: rights.push,
            read: workflows.map(drop),
        },
        Probe {
            aspect: Aspect::Workflows,
            right: "switch Actions off around a push",
            by_role: rights.admin,
            read: settings.map(drop),
        },
    ];
    let mut reports = probes.into_iter().map(|probe| writing(probe, facts)).collect::<Result<Vec<_>>>()?;
    reports.insert(1, workflow_files(facts, rights.push));
    Ok(reports)
}

/// Whether a read was refused for want of rights; other faults are errors of the check.
fn refused(read: Result<()>) -> Result<Option<Error>> {
    match read {
        Ok(()) => Ok(None),
        Err(error) if matches!(error.code, Code::Forbidden | Code::RepositoryNotFound) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

fn reading(aspect: Aspect, right: &str, read: Result<()>) -> Result<RightReport> {
    Ok(match refused(read)? {
        None => report(aspect, right, RightState::Proven, "read just now"),
        Some(error) => report(aspect, right, RightState::Missing, &error.hint),
    })
}

fn writing(probe: Probe, facts: &TokenFacts) -> Result<RightReport> {
    let Probe { aspect, right, by_role, read } = probe;
    if let Some(error) = refused(read)? {
        return Ok(report(aspect, right, RightState::Missing, &error.hint));
    }
    if !by_role {
        return Ok(report(
            aspect,
            right,
            RightState::Missing,
            "the account's role in the repository does not allow it",
        ));
    }
    let Some(scopes) = &facts.scopes else {
        return Ok(report(
            aspect,
            right,
            RightState::Unproven,
            "the host does not list what this token may write; the account's role allows it",
        ));
    };
    Ok(if scopes.iter().any(|scope| scope == "repo" || scope == "public_repo") {
        report(aspect, right, RightState::Proven, "by the token's scopes and the account's role")
    } else {
        report(aspect, right, RightState::Missing, "the token lacks the scope `repo`")
    })
}

fn workflow_files(facts: &TokenFacts, by_role: bool) -> RightReport {
    let right = "push workflow files";
    match &facts.scopes {
        _ if !by_role => {
            report(Aspect::Code, right, RightState::Missing, "the account's role in the repository does not allow it")
        }
        None => report(
            Aspect::Code,
            right,
            RightState::Unproven,
            "needs the permission Workflows (write), which shows only when one is pushed",
        ),
        Some(scopes) if scopes.iter().any(|scope| scope == "workflow") => {
            report(Aspect::Code, right, RightState::Proven, "by the token's scopes and the account's role")
        }
        Some(_) => report(Aspect::Code, right, RightState::Missing, "the token lacks the scope `workflow`"),
    }
}

fn report(aspect: Aspect, right: &str, state: RightState, detail: &str) -> RightReport {
    RightReport { aspect, right: right.to_owned(), state, detail: detail.to_owned() }
}
