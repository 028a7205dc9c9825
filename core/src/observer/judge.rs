//! The pure part: from what was seen of the master to a verdict. The sentinel's script has the same rules.

use std::time::Duration;

use jiff::Timestamp;
use standin_state::model::{MasterCause as Cause, MasterVerdict};

/// What the host answered to one question, as far as it says something about the one asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// As it should be.
    Fine,
    /// A server error.
    Ill(String),
    /// No answer at all.
    Silent(String),
    /// 404, 451, or 403 with a `block`: not there for this token.
    Absent(String),
    /// Any other 403, and whatever comes with `X-GitHub-SSO`: the token is kept out, which says nothing of what was asked
    /// for.
    Barred {
        /// The host's words, with the address that it told.
        words: String,
        /// What to do.
        advice: String,
    },
    /// 401: the token is not accepted.
    Refused(String),
    /// The host's limits, or the wait that they ask for.
    Limited(String),
    /// 409, as for a repository without a commit.
    Empty(String),
    /// Anything else.
    Odd(String),
}

/// What was seen in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The repository that is watched.
    pub master: String,
    /// What a standby answered; `None` where there is none that could be asked.
    pub control: Option<Reply>,
    /// What the repository answered.
    pub repository: Reply,
    /// What the repository is called now, where that is another name.
    pub renamed: Option<String>,
    /// Whom the token stands for; asked where the repository is absent.
    pub user: Option<Reply>,
    /// The default branch and its tip; asked where the repository answers.
    pub branch: Option<(String, Reply)>,
    /// The heartbeat, where one is configured and required.
    pub heartbeat: Option<Heartbeat>,
    /// What the master's own fence says; asked with a heartbeat.
    pub fence: MastersFence,
    /// The moment, by the host's clock.
    pub now: Timestamp,
}

/// What the master's own fence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MastersFence {
    /// Nothing against the master, as far as it is there at all.
    Silent,
    /// Another is master, at a higher epoch than any that is known.
    Elsewhere(String, u64),
    /// The host would not show it.
    Unread(Reply),
}

/// The heartbeat as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its file.
    pub path: String,
    /// The field that holds the time, with dots.
    pub field: String,
    /// How old it may be.
    pub max_age: Duration,
    /// What is at its path.
    pub found: Found,
    /// Whether it could be read as a heartbeat once.
    pub was_seen: bool,
    /// When its file was last committed; asked where it is no heartbeat now and was one.
    pub committed: Option<Timestamp>,
}

/// What is at the heartbeat's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File(Vec<u8>),
    /// Nothing, or no file.
    Nothing,
    /// It could not be asked.
    Unread(Reply),
}

/// The verdict, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: MasterVerdict,
    /// Why, in one word.
    pub cause: Cause,
    /// What was seen, for a person.
    pub detail: String,
    /// What to do about a token that is kept out.
    pub advice: Option<String>,
}

impl Judgement {
    /// The verdict follows from the cause.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { verdict: verdict(cause), cause, detail: detail.into(), advice: None }
    }
}

fn verdict(cause: Cause) -> MasterVerdict {
    match cause {
        Cause::Well | Cause::Renamed => MasterVerdict::Well,
        Cause::Ill | Cause::Silent | Cause::Damaged | Cause::Stale => MasterVerdict::Down,
        Cause::Gone => MasterVerdict::Gone,
        Cause::NotProven
        | Cause::NoComparison
        | Cause::HostIll
        | Cause::NoNetwork
        | Cause::TokenMissing
        | Cause::TokenRefused
        | Cause::TokenBarred
        | Cause::Limited
        | Cause::Replaced
        | Cause::Unclear => MasterVerdict::Unknown,
    }
}

/// What a reply that says nothing about what was asked for says about the asking.
fn cause(reply: &Reply) -> Cause {
    match reply {
        Reply::Refused(_) => Cause::TokenRefused,
        Reply::Barred { .. } => Cause::TokenBarred,
        Reply::Limited(_) => Cause::Limited,
        Reply::Fine | Reply::Ill(_) | Reply::Silent(_) | Reply::Absent(_) | Reply::Empty(_) | Reply::Odd(_) => {
            Cause::Unclear
        }
    }
}

fn judged(cause: Cause, detail: impl Into<String>) -> Judgement {
    Judgement::new(cause, detail)
}

/// Judges the master by one look.
///
/// *Down* and *gone* are said only where a standby could be read at the same time: else all of the host may be ill, or
/// the network here.
pub fn judge(seen: &Observation) -> Judgement {
    let judgement = by_itself(seen);
    if !matches!(judgement.verdict, MasterVerdict::Down | MasterVerdict::Gone) {
        return judgement;
    }
    if seen.control == Some(Reply::Fine) {
        return judgement;
    }
    let Judgement { cause, detail, .. } = judgement;
    match &seen.control {
        Some(Reply::Ill(words)) => judged(
            Cause::HostIll,
            format!("{detail}; but no standby can be read either ({words}): the host itself is ill"),
        ),
        Some(Reply::Silent(words)) => judged(
            if cause == Cause::Silent { Cause::NoNetwork } else { Cause::HostIll },
            format!(
                "{detail}; but no standby can be read either ({words}): the host itself is ill, or the network here"
            ),
        ),
        Some(Reply::Barred { words, advice }) => Judgement {
            advice: Some(advice.clone()),
            ..judged(Cause::NoComparison, format!("{detail}; but no standby could be read to compare with ({words})"))
        },
        Some(
            Reply::Absent(words)
            | Reply::Refused(words)
            | Reply::Limited(words)
            | Reply::Empty(words)
            | Reply::Odd(words),
        ) => judged(Cause::NoComparison, format!("{detail}; but no standby could be read to compare with ({words})")),
        Some(Reply::Fine) | None => judged(
            Cause::NoComparison,
            format!("{detail}; but there is no standby on GitHub that could be read to compare with"),
        ),
    }
}

fn by_itself(seen: &Observation) -> Judgement {
    let master = &seen.master;
    match &seen.repository {
        Reply::Fine => {}
        Reply::Ill(words) => return judged(Cause::Ill, format!("{master}: {words}")),
        Reply::Silent(words) => return judged(Cause::Silent, format!("{master}: {words}")),
        Reply::Absent(words) => {
            return match &seen.user {
                Some(Reply::Fine) => judged(Cause::Gone, format!("{master} is gone ({words}), and its token is valid")),
                Some(
                    Reply::Ill(why)
                    | Reply::Silent(why)
                    | Reply::Absent(why)
                    | Reply::Refused(why)
                    | Reply::Limited(why)
                    | Reply::Empty(why)
                    | Reply::Odd(why)
                    | Reply::Barred { words: why, .. },
                ) => judged(
                    Cause::NotProven,
                    format!(
                        "{master}: {words}, and its token is not proven valid ({why}): it may have lost its rights"
                    ),
                ),
                None => judged(Cause::NotProven, format!("{master}: {words}, and its token is not proven valid")),
            };
        }
        other => return unreadable(master, other),
    }
    let Some((name, branch)) = &seen.branch else {
        return judged(Cause::Unclear, format!("{master} does not answer as GitHub does"));
    };
    match branch {
        Reply::Fine => {}
        Reply::Ill(words) | Reply::Silent(words) => {
            return judged(Cause::Damaged, format!("{master} answers, but its branch {name} cannot be read ({words})"));
        }
        Reply::Empty(_) => return judged(Cause::Damaged, format!("{master} is empty")),
        other => return unreadable(&format!("the branch {name} of {master}"), other),
    }
    let judgement = match &seen.heartbeat {
        None => judged(Cause::Well, format!("{master} answers")),
        Some(heartbeat) => beats(seen, heartbeat),
    };
    match &seen.renamed {
        Some(name) if judgement.cause == Cause::Well => Judgement {
            advice: Some(format!("Write `{name}` as the source, before somebody else takes the old name.")),
            ..judged(Cause::Renamed, format!("{}, but is called {name} now", judgement.detail))
        },
        _ => judgement,
    }
}

/// For an answer that says nothing about the master's health.
fn unreadable(what: &str, reply: &Reply) -> Judgement {
    let detail = match reply {
        Reply::Refused(words) => format!("the token for the master is not accepted ({words})"),
        Reply::Limited(words) => format!("the host limits the requests of the master's token ({words})"),
        Reply::Fine => format!("{what} answers oddly"),
        Reply::Barred { words, advice } => {
            let detail = format!("{what} could not be read, as the host keeps its token out ({words})");
            return Judgement { advice: Some(advice.clone()), ..judged(cause(reply), detail) };
        }
        Reply::Ill(words) | Reply::Silent(words) | Reply::Absent(words) | Reply::Empty(words) | Reply::Odd(words) => {
            format!("{what} could not be read ({words})")
        }
    };
    judged(cause(reply), detail)
}

fn beats(seen: &Observation, heartbeat: &Heartbeat) -> Judgement {
    let (master, path) = (&seen.master, &heartbeat.path);
    let text = match &heartbeat.found {
        Found::File(text) => text,
        Found::Nothing => return no_heartbeat(seen, heartbeat, "it is not there"),
        Found::Unread(Reply::Ill(words) | Reply::Silent(words)) => {
            return judged(Cause::Damaged, format!("{path} of {master}: {words}"));
        }
        Found::Unread(other) => return unreadable(&format!("{path} of {master}"), other),
    };
    let beat = match beat(text, &heartbeat.field) {
        Ok(beat) => beat,
        Err(why) => return no_heartbeat(seen, heartbeat, &why),
    };
    let (age, most) = (seen.now.as_second() - beat.as_second(), seconds(heartbeat.max_age));
    if age < -most {
        judged(Cause::Unclear, format!("the heartbeat of {master} is in the future: {beat:.0}"))
    } else if age > most {
        stale(seen, format!("the heartbeat of {master} is stale: {beat:.0}, {} minutes ago", age / 60))
    } else {
        judged(Cause::Well, format!("{master} answers, its heartbeat is {} minutes old", age.max(0) / 60))
    }
}

/// The moment that a heartbeat tells, or why it tells none.
///
/// # Errors
/// Why it is no heartbeat.
pub fn beat(text: &[u8], field: &str) -> Result<Timestamp, String> {
    let document: serde_json::Value = serde_json::from_slice(text).map_err(|_| "it is not JSON".to_owned())?;
    let value = field.split('.').try_fold(&document, |value, name| value.as_object()?.get(name));
    let text = match value {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => return Err(format!("it has no field {field}")),
    };
    moment(&text).ok_or_else(|| {
        let shown: String = text.chars().filter(|character| !character.is_control()).take(80).collect();
        format!("{field} is not a time ({shown})")
    })
}

/// ISO 8601, in UTC where it names no offset, or seconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    if (9..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_second(text.parse().ok()?).ok();
    }
    if text.contains('[') {
        return None;
    }
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.contains(':').then(|| text.parse().ok())??;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// A heartbeat that cannot be read says nothing, as it may never have been one. One that was read before, and whose
/// file nobody has committed since for too long, is as good as stale.
fn no_heartbeat(seen: &Observation, heartbeat: &Heartbeat, why: &str) -> Judgement {
    let what = format!("{} of {} is no heartbeat: {why}", heartbeat.path, seen.master);
    match heartbeat.committed.filter(|_| heartbeat.was_seen) {
        Some(committed) if seen.now.as_second() - committed.as_second() > seconds(heartbeat.max_age) => {
            let minutes = (seen.now.as_second() - committed.as_second()) / 60;
            stale(seen, format!("{what}, and it was last committed {minutes} minutes ago"))
        }
        _ => judged(Cause::Unclear, what),
    }
}

/// A master that handed over stops beating too: its own fence tells, unless the token is kept out of it.
fn stale(seen: &Observation, detail: String) -> Judgement {
    match &seen.fence {
        MastersFence::Elsewhere(other, epoch) => {
            judged(Cause::Replaced, format!("{} is no longer the master: {other} is (epoch {epoch})", seen.master))
        }
        MastersFence::Unread(reply @ (Reply::Barred { .. } | Reply::Refused(_) | Reply::Limited(_))) => {
            unreadable(&format!("the fence of {}", seen.master), reply)
        }
        MastersFence::Silent | MastersFence::Unread(_) => judged(Cause::Stale, detail),
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
