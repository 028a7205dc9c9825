//! One request: sent, waited for, repeated where that is safe.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rand::RngExt as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderValue, IF_NONE_MATCH, LINK, LOCATION};
use reqwest::{Method, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Answer, Refused};
use super::remember::Kept;
use super::{API_VERSION, Client, pace, pool};
use crate::redact::Redactor;
use crate::{Code, Error, Result, crash};

/// How often a request is sent at most, when it fails in passing.
const TRIES: u32 = 4;
/// Wait before the second try; doubled before each further one, with up to half of it taken off at random.
const FIRST_BACKOFF: Duration = Duration::from_millis(400);
/// How long a host works on a request at most before it ends it by itself: ten seconds, as GitHub says.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Redirects within the host (a renamed repository) that are followed.
const REDIRECTS: u32 = 3;
/// Pages of one list; GitHub's own limits need far fewer.
const PAGES: u32 = 200;
/// Largest answer that is read, in bytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name of the endpoint, for crash points and logs: `put_variable`.
    pub name: &'static str,
    /// What is being done, for messages: `reading the secrets of owner/name`.
    pub what: String,
    /// Method.
    pub method: Method,
    /// Path below the API's address, with its query; without a leading slash.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
}

impl Call {
    /// A read.
    pub fn get(name: &'static str, what: impl Into<String>, path: impl Into<String>) -> Self {
        Self { name, what: what.into(), method: Method::GET, path: path.into(), body: None }
    }

    /// A write.
    pub fn write(
        name: &'static str,
        what: impl Into<String>,
        method: Method,
        path: impl Into<String>,
        body: Option<Value>,
    ) -> Self {
        Self { name, what: what.into(), method, path: path.into(), body }
    }
}

/// How a write was found to be done.
#[derive(Debug)]
pub enum Wrote {
    /// The host said so.
    Answered(Answer),
    /// The host's answer was lost; the effect was read back.
    ReadBack,
}

/// What became of a request.
enum Sent {
    Answered(Answer),
    /// It may have been carried out or not.
    Unknown(Error),
}

/// Why a request has no answer.
enum Failure {
    /// It was never sent.
    NotSent(Error),
    /// It may have been carried out.
    Unknown(Error),
    /// Nothing to try again for.
    Final(Error),
}

impl Client {
    /// Reads one resource.
    ///
    /// # Errors
    /// The host's refusal, or why it could not be asked; passing faults were tried again.
    pub async fn get(&self, call: &Call) -> Result<Answer> {
        let url = self.address(&call.path)?;
        match self.send(call, &url, None).await? {
            Sent::Answered(answer) => self.accept(call, answer),
            Sent::Unknown(error) => Err(error),
        }
    }

    /// Reads one resource for somebody who judges the host's answer, whether it is a refusal or not.
    ///
    /// # Errors
    /// Why there is no answer: no connection, trouble of the host, its limits. Passing faults were tried again.
    pub async fn ask(&self, call: &Call) -> Result<Answer> {
        match self.send(call, &self.address(&call.path)?, None).await? {
            Sent::Answered(answer) => Ok(answer),
            Sent::Unknown(error) => Err(error),
        }
    }

    /// Reads a list to its end, following the pages. With `remember`, pages that did not change cost a conditional
    /// request. `key` is the field that holds the items.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn list<T: DeserializeOwned>(&self, call: &Call, key: &str, remember: bool) -> Result<Vec<T>> {
        let mut next = Some(self.address(&call.path)?);
        let mut items = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next else { return Ok(items) };
            let page = self.page(call, &url, remember).await?;
            let mut body: Value = serde_json::from_str(&page.body).map_err(|error| self.odd(call, error))?;
            let page_items = match &mut body {
                Value::Array(_) => body,
                other => other.get_mut(key).map(Value::take).unwrap_or(Value::Null),
            };
            let page_items: Vec<T> = serde_json::from_value(page_items).map_err(|error| self.odd(call, error))?;
            items.extend(page_items);
            next = match page.next {
                Some(text) => Some(
                    self.same_host(&text, &url).ok_or_else(|| self.odd(call, "the next page is on another host"))?,
                ),
                None => None,
            };
        }
        Err(self.odd(call, "the list has no end"))
    }

    /// Writes, and finds out by `arrived` whether it was done when the answer is lost; writes again only if not.
    ///
    /// # Errors
    /// The host's refusal, or why the outcome is unknown.
    pub async fn write<'a>(
        &self,
        call: &Call,
        arrived: impl Fn() -> BoxFuture<'a, Result<bool>> + Send + Sync,
    ) -> Result<Wrote> {
        let url = self.address(&call.path)?;
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.send(call, &url, call.body.as_ref()).await? {
                Sent::Answered(answer) => return self.accept(call, answer).map(Wrote::Answered),
                Sent::Unknown(error) => error,
            };
            tracing::info!(call = call.name, error = %error.message, "answer lost, reading back");
            if arrived().await? {
                return Ok(Wrote::ReadBack);
            }
            if tried >= TRIES {
                return Err(error);
            }
            self.back_off(tried).await?;
        }
    }

    /// The full address of a path below the API's address.
    fn address(&self, path: &str) -> Result<Url> {
        self.shared
            .base
            .join(path)
            .ok()
            .filter(|url| same_origin(url, &self.shared.base))
            .ok_or_else(|| Error::new(Code::Internal, format!("`{path}` is no path of the API"), "Please report this."))
    }

    /// `text` as an address on the host that was asked.
    fn same_host(&self, text: &str, asked: &Url) -> Option<Url> {
        asked.join(text).ok().filter(|url| same_origin(url, &self.shared.base))
    }

    async fn page(&self, call: &Call, url: &Url, remember: bool) -> Result<Kept> {
        let memory = &self.shared.memory;
        let kept = remember.then(|| memory.get(url.as_str())).flatten();
        let etag = kept.as_ref().map(|kept| kept.etag.as_str());
        let answer = match self.send_conditional(call, url, etag).await? {
            Sent::Answered(answer) => answer,
            Sent::Unknown(error) => return Err(error),
        };
        if answer.status == StatusCode::NOT_MODIFIED
            && let Some(kept) = kept
        {
            return Ok(kept);
        }
        let answer = self.accept(call, answer)?;
        let etag = answer.header(ETAG.as_str()).map(str::to_owned);
        let next = answer.header(LINK.as_str()).and_then(next_page).map(str::to_owned);
        let body = String::from_utf8(answer.body).map_err(|error| self.odd(call, error))?;
        let page = Kept { etag: etag.clone().unwrap_or_default(), next, body };
        if remember && etag.is_some() {
            memory.set(url.as_str(), &page)?;
        }
        Ok(page)
    }

    fn odd(&self, call: &Call, why: impl std::fmt::Display) -> Error {
        let why = Redactor::of([&self.shared.token]).text(&why.to_string());
        Error::new(
            Code::UnexpectedAnswer,
            format!("{}: the host's answer does not fit its documentation: {why}", call.what),
            "Check that `api_url` leads to GitHub's REST API and not to a web page or proxy.",
        )
    }

    /// The answer, if it is a success.
    fn accept(&self, call: &Call, answer: Answer) -> Result<Answer> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(answer.refusal(&Refused {
            what: &call.what,
            host: &self.shared.host,
            token_expires: self.shared.memory.token_expiry(&self.shared.token_hash.short()),
        }))
    }

    async fn send(&self, call: &Call, url: &Url, body: Option<&Value>) -> Result<Sent> {
        self.send_until_answered(call, url, body, None).await
    }

    async fn send_conditional(&self, call: &Call, url: &Url, etag: Option<&str>) -> Result<Sent> {
        self.send_until_answered(call, url, None, etag).await
    }

    /// Sends until there is an answer that is not about limits. What fails before it was sent, and reads that fail in
    /// passing, are tried again; a write whose outcome is unknown is the caller's to look after.
    async fn send_until_answered(
        &self,
        call: &Call,
        url: &Url,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Sent> {
        let shared = &*self.shared;
        let is_read = call.method == Method::GET;
        let mut tried = 0;
        let mut limited = 0;
        loop {
            if is_read {
                shared.pace.reads(shared.deadline, &shared.cancel).await?;
            } else {
                shared.pace.writes(1, shared.deadline, &shared.cancel).await?;
            }
            tried += 1;
            let failure = match self.send_once(call, url, body, etag).await {
                Ok(answer) => {
                    if let Some(wait) = answer.limit_wait(shared.clock.now()) {
                        limited += 1;
                        shared.pace.silence_for(wait);
                        if limited >= TRIES || Instant::now() + wait > shared.deadline {
                            return Err(self.limited(call, wait));
                        }
                        continue;
                    }
                    if !answer.status.is_server_error() {
                        return Ok(Sent::Answered(answer));
                    }
                    let error = answer.refusal(&Refused { what: &call.what, host: &shared.host, token_expires: None });
                    Failure::Unknown(error)
                }
                Err(failure) => failure,
            };
            match failure {
                Failure::Final(error) => return Err(error),
                Failure::Unknown(error) if !is_read => return Ok(Sent::Unknown(error)),
                // A request that took the whole time limit is not tried again and again.
                Failure::Unknown(error) if tried >= TRIES || (error.code == Code::TimedOut && tried >= 2) => {
                    return Err(error);
                }
                Failure::NotSent(error) if tried >= TRIES => return Err(error),
                Failure::NotSent(_) | Failure::Unknown(_) => self.back_off(tried).await?,
            }
        }
    }

    fn limited(&self, call: &Call, wait: Duration) -> Error {
        let until = jiff::SignedDuration::try_from(wait)
            .ok()
            .and_then(|wait| self.shared.clock.now().checked_add(wait).ok())
            .map_or_else(|| "later".to_owned(), |until| format!("at {until:.0}"));
        Error::passing(
            Code::RateLimited,
            format!("{}: {} limits this token's requests; it may go on {until}", call.what, self.shared.host),
            "Sync again then; the schedule does so by itself.",
        )
        .retry_after(wait)
    }

    async fn back_off(&self, tried: u32) -> Result<()> {
        let full = FIRST_BACKOFF * 2_u32.saturating_pow(tried.saturating_sub(1)).min(16);
        let wait = full - full.mul_f64(rand::rng().random_range(0.0..0.5));
        tokio::select! {
            () = self.shared.cancel.cancelled() => Err(pace::cancelled()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Waits until a request under way is given up. A write that was sent may be carried out later than whatever
    /// follows, so its answer is waited for as long as the host itself takes at most.
    async fn given_up(&self, call: &Call) {
        self.shared.cancel.cancelled().await;
        if call.method != Method::GET {
            tokio::time::sleep(WRITE_LIMIT).await;
        }
    }

    /// Sends once, following redirects within the host.
    async fn send_once(
        &self,
        call: &Call,
        url: &Url,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            if self.shared.cancel.is_cancelled() {
                return Err(Failure::Final(pace::cancelled()));
            }
            point(call.name, "before");
            let answer = tokio::select! {
                () = self.given_up(call) => return Err(Failure::Final(pace::cancelled())),
                answer = self.exchange(call, &url, body, etag) => answer?,
            };
            point(call.name, "after");
            self.note_expiry(&answer).map_err(Failure::Final)?;
            if let Some(sunset) = answer.sunset() {
                self.shared.sunset.get_or_init(|| sunset);
            }
            let status = answer.status.as_u16();
            // 301 and 302 leave open whether a write keeps its method: only reads follow them.
            let follows = matches!(status, 307 | 308) || (call.method == Method::GET && matches!(status, 301 | 302));
            let target =
                answer.header(LOCATION.as_str()).filter(|_| follows).and_then(|text| self.same_host(text, &url));
            match target {
                Some(target) => url = target,
                None => return Ok(answer),
            }
        }
        Err(Failure::Final(self.odd(call, "redirects without end")))
    }

    async fn exchange(
        &self,
        call: &Call,
        url: &Url,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer, Failure> {
        let shared = &*self.shared;
        let connections = pool::connections(url).map_err(Failure::Final)?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", shared.token.expose_secret())).map_err(|_| {
                Failure::Final(Error::new(
                    Code::Unauthorized,
                    format!("the token for {} has characters that no token has", shared.host),
                    "Store it again with `standin token set MIRROR` (or `source`), without line breaks or spaces.",
                ))
            })?;
        authorization.set_sensitive(true);
        let mut request = connections
            .request(call.method.clone(), url.clone())
            .timeout(shared.request_limit)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", API_VERSION);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        shared.totals.api_requests.add(1);
        let mut response = request.send().await.map_err(|error| self.broken(call, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(call, &error))? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(Failure::Final(self.odd(call, "it is too long")));
            }
        }
        Ok(Answer::received(status, headers, body, &Redactor::of([&shared.token])))
    }

    /// What a broken exchange means: never sent, or nobody knows.
    fn broken(&self, call: &Call, error: &reqwest::Error) -> Failure {
        let host = &self.shared.host;
        if error.is_builder() {
            return Failure::Final(Error::new(
                Code::Internal,
                format!("{}: {}", call.what, root(error)),
                "Please report this.",
            ));
        }
        if error.is_connect() {
            let message = format!("{}: {host} cannot be reached: {}", call.what, root(error));
            return Failure::NotSent(Error::passing(
                Code::Network,
                message,
                "Check the network, the proxy settings and the host's status page.",
            ));
        }
        if error.is_timeout() {
            let limit = self.shared.request_limit.as_secs();
            let message = format!("{}: {host} gave no answer within {limit} seconds", call.what);
            return Failure::Unknown(Error::passing(
                Code::TimedOut,
                message,
                "Sync again later, or raise `[limits] request`.",
            ));
        }
        let message = format!("{}: the connection to {host} broke: {}", call.what, root(error));
        Failure::Unknown(Error::passing(Code::Network, message, "Sync again; what was under way is read back first."))
    }

    fn note_expiry(&self, answer: &Answer) -> Result<()> {
        match answer.token_expires() {
            Some(expires) => self.shared.memory.set_token_expiry(&self.shared.token_hash.short(), expires),
            None => Ok(()),
        }
    }
}

fn point(name: &str, when: &str) {
    if cfg!(feature = "crash-points") {
        crash::point(&format!("github.{name}.{when}"));
    }
}

/// The innermost reason, which says more than reqwest's own words and has no address in it.
fn root(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// The address with `rel="next"` in a `Link` header.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (address, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(|parameter| parameter.trim() == r#"rel="next""#).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let link =
            r#"<https://h/a?page=1>; rel="prev", <https://h/a?page=3>; rel="next", <https://h/a?page=9>; rel="last""#;
        assert_eq!(next_page(link), Some("https://h/a?page=3"));
        assert_eq!(next_page(r#"<https://h/a?page=1>; rel="prev""#), None);
    }
}
