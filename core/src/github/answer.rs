//! What the host answered, and what a refusal means.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Collected, Full};
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reason::Reason;
use crate::redact::Redactor;
use crate::{Code, Error, Result};

/// The longest wait that is believed. GitHub's windows are an hour long; more would only keep a token silent.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// An answer of the host, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a refusal says about the repository that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is not there: 404, 451, or a 403 that says that it is blocked.
    Gone,
    /// Nothing: it is the token that was refused. The address that was told with it, and what to do.
    Barred { address: Option<String>, advice: String },
}

impl Answer {
    /// What was received. Of a refusal, whose words are shown, the token is taken out; other answers hold values that are
    /// compared and must stay as they are.
    pub(super) fn received(status: StatusCode, mut headers: HeaderMap, body: Vec<u8>, redactor: &Redactor) -> Self {
        if status.is_success() {
            return Self { status, headers, body };
        }
        for value in headers.values_mut() {
            let clean = value.to_str().map(|text| redactor.text(text));
            if let Some(clean) = clean.ok().and_then(|clean| HeaderValue::try_from(clean).ok()) {
                *value = clean;
            }
        }
        Self { status, headers, body: redactor.bytes(body) }
    }

    /// What octocrab handed out. Its body was read below octocrab, and is whole.
    pub(super) async fn of(response: http::Response<BoxBody<Bytes, octocrab::Error>>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body: body.into() }
    }

    /// For octocrab, to hand it out.
    pub(super) fn into_response(self) -> http::Response<Full<Bytes>> {
        let mut response = http::Response::new(Full::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// The body as a typed value.
    ///
    /// # Errors
    /// [`Code::UnexpectedAnswer`] when it does not fit.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| unfit(what, error))
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The moment in `GitHub-Authentication-Token-Expiration`.
    pub(super) fn token_expires(&self) -> Option<&str> {
        self.header("github-authentication-token-expiration")
    }

    /// The moment in `Sunset`: when the host ends the version of its API that was spoken.
    pub(super) fn sunset(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::parse(self.header("sunset")?).ok().map(|time| time.timestamp())
    }

    /// The host's own words.
    pub fn message(&self) -> String {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return self.status.canonical_reason().unwrap_or("no reason given").to_owned();
        };
        let mut text = body["message"].as_str().unwrap_or("no reason given").to_owned();
        let details: Vec<String> =
            body["errors"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(detail).collect();
        if !details.is_empty() {
            text = format!("{text} ({})", details.join("; "));
        }
        text
    }

    /// The host's refusal as it judges the repository and not the one who asks. `None` where it was no refusal.
    pub(crate) fn standing(&self, host: &str) -> Option<Standing> {
        let status = self.status.as_u16();
        match Reason::of(self) {
            Some(Reason::Blocked { .. }) => Some(Standing::Gone),
            Some(reason) => {
                let address = match &reason {
                    Reason::SingleSignOn(address) => address.clone(),
                    _ => None,
                };
                Some(Standing::Barred { address, advice: reason.advice(host) })
            }
            None => (status == 404).then_some(Standing::Gone),
        }
    }

    /// How long to be silent, where the answer says that a limit was hit. The request had no effect then.
    pub(super) fn limit_wait(&self, now: Timestamp) -> Option<Duration> {
        let status = self.status.as_u16();
        if status != 429 && status != 403 {
            return None;
        }
        if let Some(seconds) = self.header("retry-after").and_then(|text| text.trim().parse::<u64>().ok()) {
            return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
        }
        if self.header("x-ratelimit-remaining") == Some("0") {
            let reset = self.header("x-ratelimit-reset").and_then(|text| text.trim().parse::<i64>().ok());
            // One second more, since the header has no fractions and clocks differ.
            let seconds = reset.map_or(60, |reset| reset.saturating_sub(now.as_second()).saturating_add(1).max(1));
            return Some(Duration::from_secs(seconds.unsigned_abs()).min(LONGEST_WAIT));
        }
        let words = self.message().to_ascii_lowercase();
        let limited = status == 429 || ["rate limit", "abuse detection"].iter().any(|part| words.contains(part));
        limited.then_some(Duration::from_secs(60))
    }

    /// The refusal as an error with what to do about it: of what was being done, by the host as slugs name it, of a token
    /// that expires then, as far as the host ever said.
    pub(super) fn refusal(&self, what: &str, host: &str, token_expires: Option<String>) -> Error {
        let status = self.status.as_u16();
        let message = format!("{what}: {} ({status})", self.message());
        if let Some(reason) = Reason::of(self) {
            return Error::new(reason.code(), message, reason.advice(host));
        }
        match status {
            401 => {
                let when = token_expires.map_or_else(
                    || "It has expired or was revoked.".to_owned(),
                    |end| format!("It was to expire at {end}; else it was revoked."),
                );
                let hint = format!("{host} does not accept the token. {when} Make a new one.");
                Error::new(Code::Unauthorized, message, hint)
            }
            404 => Error::new(
                Code::RepositoryNotFound,
                message,
                "It does not exist, or the token cannot see it: check the name, and that the token covers this repository.",
            ),
            422 | 409 => Error::new(Code::UnexpectedAnswer, message, "Change what the message names, then sync again."),
            500..=599 => Error::passing(Code::HostFailed, message, format!("{host} has trouble; sync again later.")),
            300..=399 => Error::new(
                Code::UnexpectedAnswer,
                message,
                "The host wants to send the token elsewhere, which Standin does not do: correct `api_url`.",
            ),
            _ => Error::new(Code::UnexpectedAnswer, message, "Check `api_url` and the host's status page."),
        }
    }
}

/// The error for an answer that is not what was asked for.
pub(super) fn unfit(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::UnexpectedAnswer,
        format!("{what}: the host's answer does not fit its documentation: {why}"),
        "Check that `api_url` leads to GitHub's REST API and not to a web page or proxy.",
    )
}

fn detail(error: &Value) -> Option<String> {
    if let Some(text) = error.as_str() {
        return Some(text.to_owned());
    }
    if let Some(text) = error["message"].as_str() {
        return Some(text.to_owned());
    }
    Some(format!("{} {}", error["field"].as_str()?, error["code"].as_str()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// For the tests of all who judge answers.
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body: body.into() }
    }

    fn refusal(answer: &Answer) -> Error {
        answer.refusal("reading the secrets of o/n", "github.com", None)
    }

    #[test]
    fn a_refusal_has_the_hosts_own_words_and_names_the_missing_right() {
        let error = refusal(&answer(
            403,
            &[("x-accepted-github-permissions", "secrets=read")],
            r#"{"message": "Resource not accessible by personal access token"}"#,
        ));
        assert_eq!(error.code, Code::Forbidden);
        assert_eq!(error.message, "reading the secrets of o/n: Resource not accessible by personal access token (403)");
        assert_eq!(error.hint, "The token lacks a permission: this needs `secrets=read` on that repository.");
        let error = refusal(&answer(
            403,
            &[("x-oauth-scopes", "public_repo"), ("x-accepted-oauth-scopes", "repo")],
            r#"{"message": "Must have admin rights to Repository."}"#,
        ));
        assert!(error.hint.contains("scopes: public_repo. This needs one of: repo."), "{}", error.hint);
    }

    #[test]
    fn a_validation_error_lists_what_is_wrong() {
        let error = refusal(&answer(
            422,
            &[],
            r#"{"message": "Validation Failed", "errors": [{"field": "name", "code": "invalid"}, "too long"]}"#,
        ));
        assert_eq!(error.message, "reading the secrets of o/n: Validation Failed (name invalid; too long) (422)");
    }

    #[test]
    fn limits_are_told_from_missing_rights() {
        let now = Timestamp::from_second(1_000).unwrap();
        let wait = |status, headers: &[(&str, &str)], body: &str| answer(status, headers, body).limit_wait(now);
        assert_eq!(wait(429, &[("retry-after", "7")], ""), Some(Duration::from_secs(7)));
        assert_eq!(
            wait(403, &[("retry-after", "7"), ("x-ratelimit-remaining", "0")], ""),
            Some(Duration::from_secs(7))
        );
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")];
        assert_eq!(wait(403, &spent, "{}"), Some(Duration::from_secs(31)));
        let secondary = r#"{"message": "You have exceeded a secondary rate limit."}"#;
        assert_eq!(wait(403, &[], secondary), Some(Duration::from_secs(60)));
        let abuse = r#"{"message": "You have triggered an abuse detection mechanism. Please wait a few minutes."}"#;
        assert_eq!(wait(403, &[], abuse), Some(Duration::from_secs(60)));
        assert_eq!(wait(403, &[], r#"{"message": "Forbidden"}"#), None);
        assert_eq!(wait(500, &[("retry-after", "7")], ""), None);
    }

    #[test]
    fn waits_beyond_an_hour_are_not_believed() {
        let now = Timestamp::from_second(1_000).unwrap();
        let most = u64::MAX.to_string();
        assert_eq!(answer(429, &[("retry-after", &most)], "").limit_wait(now), Some(LONGEST_WAIT));
        let never = i64::MAX.to_string();
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*never)];
        assert_eq!(answer(403, &spent, "").limit_wait(now), Some(LONGEST_WAIT));
    }

    #[test]
    fn only_what_may_pass_is_retryable() {
        for (status, code, retryable) in [
            (401, Code::Unauthorized, false),
            (404, Code::RepositoryNotFound, false),
            (403, Code::Forbidden, false),
            (451, Code::RepositoryBlocked, false),
            (500, Code::HostFailed, true),
            (503, Code::HostFailed, true),
            (301, Code::UnexpectedAnswer, false),
        ] {
            let error = refusal(&answer(status, &[], "{}"));
            assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        }
    }
}
