//! Faults on demand: which requests, from the how-manieth on, and what happens to them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::barred::Barred;
use crate::traffic::Kind;

/// A rule that makes requests go wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests.
    #[serde(default)]
    pub matcher: FaultMatcher,
    /// What happens to them.
    pub effect: Effect,
    /// So many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// So many matching requests are hit, then the rule rests; `None` hits all.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// Hits every matching request.
    pub fn always(matcher: FaultMatcher, effect: Effect) -> Self {
        Self { matcher, effect, skip: 0, times: None }
    }

    /// Hits the next matching request only.
    pub fn once(matcher: FaultMatcher, effect: Effect) -> Self {
        Self { times: Some(1), ..Self::always(matcher, effect) }
    }

    /// Hits only the `nth` matching request, counted from 1.
    pub fn nth(matcher: FaultMatcher, nth: u32, effect: Effect) -> Self {
        Self { skip: nth.saturating_sub(1), ..Self::once(matcher, effect) }
    }
}

/// Which requests a fault is about; an absent part matches everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultMatcher {
    /// Method in capitals.
    pub method: Option<String>,
    /// Glob over the path as in [`crate::RequestRecord::path`]: `*` stays within a segment, `**` does not.
    pub path: Option<String>,
    /// REST or git.
    pub kind: Option<Kind>,
    /// `owner/name` in any case: what is asked of this repository by REST and git, under the name that it was asked by.
    pub repository: Option<String>,
    /// Login of the account that asks.
    pub account: Option<String>,
}

impl FaultMatcher {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every REST request of this method and path.
    pub fn rest(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), kind: Some(Kind::Rest), ..Self::default() }
    }

    /// Every request about this repository, REST and git; see [`FaultMatcher::only`].
    pub fn repository(owner: &str, name: &str) -> Self {
        Self { repository: Some(format!("{owner}/{name}")), ..Self::default() }
    }

    /// The same, but only REST or only git.
    pub fn only(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Every git request whose path matches, such as `/owner/name.git/git-receive-pack`.
    pub fn git(path: &str) -> Self {
        Self { path: Some(path.to_owned()), kind: Some(Kind::Git), ..Self::default() }
    }
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Waits so long, on top of the general latency, then goes on.
    Latency(Duration),
    /// Answers with this status and has no other effect.
    Status {
        /// Such as 502, 403, 429.
        status: u16,
        /// Value of `retry-after`.
        retry_after: Option<Duration>,
    },
    /// Answers as GitHub does to those who make content too fast, and has no other effect.
    SecondaryLimit {
        /// Value of `retry-after`.
        retry_after: Option<Duration>,
    },
    /// Answers that the hourly limit of the account is spent, and has no other effect.
    RateLimit {
        /// 403 or 429, as GitHub gives either.
        status: u16,
        /// When there is a new budget, from now on the sandbox's clock.
        reset_after: Duration,
    },
    /// Keeps out the token that is shown, valid as it is, and has no other effect. Requests without one go on.
    Barred(Barred),
    /// Closes the connection without an answer (but an interim one, so that the client's HTTP library does not ask
    /// again by itself); nothing was done.
    CutBefore,
    /// Does what was asked, then closes the connection in the same way.
    CutAfter,
    /// Does nothing and never answers.
    Hang,
    /// Does what was asked and never answers.
    HangAfter,
    /// Takes a push in, does nothing of it, and says so in its report. Other requests are not about it.
    FailPush(PushFailure),
}

/// How the report of a push says that the host itself failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushFailure {
    /// Every ref says `Internal Server Error`.
    InternalServerError,
    /// Every ref says `failure`, below `fatal error in commit_refs`.
    CommitRefs,
}

/// Names a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FaultId(pub u64);

#[derive(Debug, Default)]
pub(crate) struct Faults {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    id: FaultId,
    fault: Fault,
    path: Option<PathPattern>,
    seen: u32,
    hits: u32,
}

/// What the faults say about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub latency: Duration,
    pub effect: Option<Effect>,
}

impl Faults {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) -> FaultId {
        let path = fault.matcher.path.as_deref().map(PathPattern::new);
        let mut table = self.table();
        table.last_id += 1;
        let id = FaultId(table.last_id);
        table.rules.push(Rule { id, fault, path, seen: 0, hits: 0 });
        id
    }

    pub(crate) fn remove(&self, id: FaultId) -> bool {
        let mut table = self.table();
        let before = table.rules.len();
        table.rules.retain(|rule| rule.id != id);
        table.rules.len() < before
    }

    pub(crate) fn clear(&self) {
        self.table().rules.clear();
    }

    pub(crate) fn hits(&self, id: FaultId) -> u32 {
        self.table().rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    /// Counts this request against every rule. Latencies add up; of the other effects the oldest rule's wins.
    pub(crate) fn judge(&self, request: &Judged<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        for rule in &mut self.table().rules {
            if !rule.matches(request) {
                continue;
            }
            let is_latency = matches!(rule.fault.effect, Effect::Latency(_));
            if !is_latency && verdict.effect.is_some() {
                continue;
            }
            rule.seen += 1;
            let spent = rule.fault.times.is_some_and(|times| rule.hits >= times);
            if rule.seen <= rule.fault.skip || spent {
                continue;
            }
            rule.hits += 1;
            match &rule.fault.effect {
                Effect::Latency(wait) => verdict.latency += *wait,
                effect => verdict.effect = Some(effect.clone()),
            }
        }
        verdict
    }
}

/// The parts of a request that faults look at.
pub(crate) struct Judged<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub kind: Kind,
    /// `owner/name` as in the path.
    pub repository: Option<&'a str>,
    pub account: Option<&'a str>,
}

impl Judged<'_> {
    fn is_push(&self) -> bool {
        self.kind == Kind::Git && self.method == "POST" && self.path.ends_with("/git-receive-pack")
    }
}

impl Rule {
    fn matches(&self, request: &Judged<'_>) -> bool {
        let matcher = &self.fault.matcher;
        matcher.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
            && matcher.kind.is_none_or(|kind| kind == request.kind)
            && matcher
                .account
                .as_deref()
                .is_none_or(|login| request.account.is_some_and(|account| account.eq_ignore_ascii_case(login)))
            && matcher
                .repository
                .as_deref()
                .is_none_or(|wanted| request.repository.is_some_and(|asked| asked.eq_ignore_ascii_case(wanted)))
            && self.path.as_ref().is_none_or(|pattern| pattern.is_match(request.path))
            && (!matches!(self.fault.effect, Effect::FailPush(_)) || request.is_push())
    }
}

#[derive(Debug)]
enum PathPattern {
    Glob(GlobMatcher),
    /// What is no valid glob is taken literally.
    Literal(String),
}

impl PathPattern {
    fn new(pattern: &str) -> Self {
        match GlobBuilder::new(pattern).literal_separator(true).build() {
            Ok(glob) => Self::Glob(glob.compile_matcher()),
            Err(_) => Self::Literal(pattern.to_owned()),
        }
    }

    fn is_match(&self, path: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.is_match(path),
            Self::Literal(text) => text == path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(path: &str) -> Judged<'_> {
        Judged { method: "PUT", path, kind: Kind::Rest, repository: Some("a/b"), account: Some("alice") }
    }

    #[test]
    fn nth_hits_one_request_only() {
        let faults = Faults::default();
        let id = faults.add(Fault::nth(FaultMatcher::rest("put", "/repos/*/*/actions/secrets/*"), 2, Effect::CutAfter));
        let hit = |path| faults.judge(&judged(path)).effect.is_some();
        assert!(!hit("/repos/a/b/actions/secrets/X"));
        assert!(!hit("/repos/a/b/actions/variables/X"));
        assert!(hit("/repos/a/b/actions/secrets/X"));
        assert!(!hit("/repos/a/b/actions/secrets/X"));
        assert_eq!(faults.hits(id), 1);
    }

    #[test]
    fn latencies_add_up_and_leave_room_for_another_effect() {
        let faults = Faults::default();
        let wait = Effect::Latency(Duration::from_millis(5));
        faults.add(Fault::always(FaultMatcher::any(), wait.clone()));
        faults.add(Fault::always(FaultMatcher::any(), wait));
        faults.add(Fault::once(FaultMatcher::any(), Effect::Hang));
        let verdict = faults.judge(&judged("/user"));
        assert_eq!(verdict.latency, Duration::from_millis(10));
        assert_eq!(verdict.effect, Some(Effect::Hang));
        assert_eq!(faults.judge(&judged("/user")).effect, None);
    }
}
