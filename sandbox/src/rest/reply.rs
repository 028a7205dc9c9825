//! Answers and refusals, in GitHub's form.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use crate::limits::Quota;
use crate::server::{Body, full_body};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// False when there is no such endpoint here.
    pub known: bool,
}

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn json(value: &Value) -> Self {
        Self::with_status(StatusCode::OK, value)
    }

    /// 201 with a JSON body.
    pub(crate) fn created(value: &Value) -> Self {
        Self::with_status(StatusCode::CREATED, value)
    }

    /// A JSON body with this status.
    pub(crate) fn with_status(status: StatusCode, value: &Value) -> Self {
        Self { body: Bytes::from(value.to_string()), ..Self::empty(status).header(CONTENT_TYPE, JSON) }
    }

    /// No body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), known: true }
    }

    /// 204.
    pub(crate) fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// 200 with these bytes.
    pub(crate) fn raw(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            body: bytes.into(),
            ..Self::empty(StatusCode::OK).header(CONTENT_TYPE, HeaderValue::from_static(media_type))
        }
    }

    /// The same with one header more.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same with a `Location`.
    pub(crate) fn location(self, url: &str) -> Self {
        match HeaderValue::from_str(url) {
            Ok(value) => self.header(LOCATION, value),
            Err(_) => self,
        }
    }

    /// Sets the `X-RateLimit-*` headers.
    pub(crate) fn set_quota(&mut self, quota: &Quota) {
        self.set("x-ratelimit-limit", &quota.limit.to_string());
        self.set("x-ratelimit-remaining", &quota.remaining().to_string());
        self.set("x-ratelimit-used", &quota.used.to_string());
        self.set("x-ratelimit-reset", &quota.reset.to_string());
        self.set("x-ratelimit-resource", quota.resource);
    }

    /// Sets a header, if its value can be one.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(full_body(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Reply>);

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        *refusal.0
    }
}

impl Refusal {
    /// This status with this message.
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self::with_fields(status, message, json!({}))
    }

    /// The same with further fields in the body.
    pub(crate) fn with_fields(status: StatusCode, message: &str, fields: Value) -> Self {
        let mut body = json!({"message": message});
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
            if !body.contains_key("documentation_url") {
                body.insert("documentation_url".to_owned(), DOCUMENTATION.into());
            }
            body.insert("status".to_owned(), status.as_str().into());
        }
        Self(Box::new(Reply::with_status(status, &body)))
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// There is no such endpoint here: GitHub's 404, marked in the record.
    pub(crate) fn unknown_endpoint() -> Self {
        let mut refusal = Self::not_found();
        refusal.0.known = false;
        refusal
    }

    pub(crate) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Bad credentials")
    }

    pub(crate) fn sign_in_first() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Requires authentication")
    }

    pub(crate) fn suspended_account() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Sorry. Your account was suspended")
    }

    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// What a job's token is told that may not.
    pub(crate) fn not_accessible_by_integration() -> Self {
        Self::forbidden("Resource not accessible by integration")
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    pub(crate) fn empty_repository() -> Self {
        Self::conflict("Git Repository is empty.")
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn problems_parsing_json() -> Self {
        Self::bad_request("Problems parsing JSON")
    }

    pub(crate) fn unprocessable(message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 422 with GitHub's list of what is wrong.
    pub(crate) fn validation(resource: &str, field: &str, message: &str) -> Self {
        Self::with_fields(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Validation Failed",
            json!({"errors": [
                {"resource": resource, "code": "custom", "field": field, "message": message}
            ]}),
        )
    }

    /// The answer that a fault gives.
    pub(crate) fn fault(status: StatusCode, retry_after: Option<Duration>) -> Self {
        let message = match status {
            StatusCode::UNAUTHORIZED => "Bad credentials",
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => "Repository access blocked",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::BAD_GATEWAY => "Server Error",
            StatusCode::SERVICE_UNAVAILABLE => "Service unavailable",
            other => other.canonical_reason().unwrap_or("Error"),
        };
        Self::new(status, message).retry_after(retry_after)
    }

    pub(crate) fn secondary_limit(status: StatusCode, retry_after: Option<Duration>) -> Self {
        Self::with_fields(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            json!({"documentation_url":
                "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}),
        )
        .retry_after(retry_after)
    }

    pub(crate) fn primary_limit(status: StatusCode, account: u64) -> Self {
        Self::with_fields(
            status,
            &format!("API rate limit exceeded for user ID {account}."),
            json!({"documentation_url":
                "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}),
        )
    }

    /// git could not do it; the reason goes to the log.
    pub(crate) fn from_git(error: &git2::Error) -> Self {
        if error.code() == git2::ErrorCode::NotFound {
            return Self::not_found();
        }
        tracing::error!(%error, "git failed behind an endpoint");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
    }

    fn retry_after(mut self, wait: Option<Duration>) -> Self {
        if let Some(wait) = wait {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            self.0.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        self
    }

    /// The same with the headers of a budget.
    pub(crate) fn with_quota(mut self, quota: &Quota) -> Self {
        self.0.set_quota(quota);
        self
    }

    /// The same with one header more.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }
}

impl From<git2::Error> for Refusal {
    fn from(error: git2::Error) -> Self {
        Self::from_git(&error)
    }
}
