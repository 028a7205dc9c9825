//! ntfy, webhooks and the ping, over the connections that the whole process shares.
//!
//! Redirects are followed within the very host that the file names, and only those that keep what is sent as it is: nobody
//! else may choose where word, or a token, goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use standin_state::config::WebAddress;
use standin_state::model::NotifyEvent;
use std::time::Duration;

use super::redactor;
use crate::github::connections;
use crate::notify::word::Word;
use crate::redact::Redactor;
use crate::{Code, Error, Result};

/// Redirects that are followed.
const REDIRECTS: u32 = 3;
/// What is read of an answer that refuses, in bytes: enough for its words.
const SAID: usize = 2 * 1024;
/// What is shown of them, in characters.
const SHOWN: usize = 200;
/// Longest message of ntfy, in bytes, which makes an attachment of a longer one; less than it takes.
const NTFY_LIMIT: usize = 4_000;

/// Publishes to a topic, as <https://docs.ntfy.sh/publish/> has it.
pub(super) async fn ntfy(address: &WebAddress, token: Option<&SecretString>, word: &Word) -> Result<()> {
    let mut headers = HeaderMap::new();
    let (priority, tags) = manner(word);
    insert(&mut headers, "title", &header_text(&word.title))?;
    insert(&mut headers, "priority", priority)?;
    insert(&mut headers, "tags", tags)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(token) = token {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| odd_token())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let body = shortened(&word.text, NTFY_LIMIT).to_owned();
    exchange(Method::POST, address, headers, body.into(), &redactor(address, token)).await
}

/// Posts the message as JSON, signed where there is a secret.
pub(super) async fn webhook(address: &WebAddress, secret: Option<&SecretString>, word: &Word) -> Result<()> {
    let body = serde_json::to_vec(word).map_err(|error| not_written(&error))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    insert(&mut headers, "x-standin-event", &word.event_words())?;
    insert(&mut headers, "x-standin-delivery", &word.id)?;
    if let Some(secret) = secret {
        insert(&mut headers, "x-standin-signature", &signature(secret, &body))?;
    }
    exchange(Method::POST, address, headers, body.into(), &redactor(address, secret)).await
}

/// Asks an address, and wants nothing but that it takes it.
pub(super) async fn ping(address: &WebAddress) -> Result<()> {
    exchange(Method::GET, address, HeaderMap::new(), Bytes::new(), &redactor(address, None)).await
}

/// `sha256=` and the keyed hash of the body in hexadecimal digits, as GitHub signs its webhooks.
pub(super) fn signature(secret: &SecretString, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return String::new() };
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Priority and emoji: a master that is down wakes people; what is well again does not.
fn manner(word: &Word) -> (&'static str, &'static str) {
    let worst = word.events.iter().map(|note| match note.event {
        NotifyEvent::MasterDown => ("5", "rotating_light"),
        NotifyEvent::Promoted | NotifyEvent::Waits | NotifyEvent::Failed => ("4", "warning"),
        NotifyEvent::Stale | NotifyEvent::TokenEnds | NotifyEvent::SentinelAsleep => ("3", "warning"),
        NotifyEvent::MasterBack | NotifyEvent::Mended => ("3", "white_check_mark"),
    });
    worst.max_by_key(|(priority, _)| *priority).unwrap_or(("3", "wave"))
}

/// Sends, follows what may be followed, and says what came of it.
async fn exchange(
    method: Method,
    address: &WebAddress,
    headers: HeaderMap,
    body: Bytes,
    redactor: &Redactor,
) -> Result<()> {
    let host = address.origin();
    let first = Url::parse(address.whole().expose_secret()).map_err(|_| {
        Error::new(Code::Internal, format!("the address at {host} cannot be used"), "Please report this.")
    })?;
    let mut url = first.clone();
    for _ in 0..=REDIRECTS {
        let request = connections(&url)?.request(method.clone(), url.clone()).headers(headers.clone());
        let response = request.body(body.clone()).send().await.map_err(|error| broken(host, &error))?;
        if !response.status().is_redirection() {
            return answered(host, response, redactor).await;
        }
        url = next(&method, &first, &url, &response, host)?;
    }
    let hint = "Write the address that it leads to.";
    Err(Error::new(Code::UnexpectedAnswer, format!("{host} leads from one address to the next without end"), hint))
}

/// Where a redirect leads, if it is one that is followed.
fn next(method: &Method, first: &Url, url: &Url, response: &Response, host: &str) -> Result<Url> {
    let status = response.status();
    let refuse = |message: String| {
        Error::new(
            Code::UnexpectedAnswer,
            message,
            "If that is meant, write the address that it leads to into standin.toml.",
        )
    };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(next) = location.and_then(|location| url.join(location).ok()) else {
        return Err(refuse(format!("{host} answered HTTP {} and does not say where to", status.as_u16())));
    };
    if next.origin() != first.origin() {
        let elsewhere = next.origin().ascii_serialization();
        return Err(refuse(format!("{host} leads elsewhere, to {elsewhere}, where nothing is sent")));
    }
    // The others make another request of it, without what was to be told.
    let is_kept = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if !is_kept && *method != Method::GET {
        return Err(refuse(format!(
            "{host} moved the address (HTTP {}), and would lose what is sent",
            status.as_u16()
        )));
    }
    Ok(next)
}

/// What an answer says.
async fn answered(host: &str, mut response: Response, redactor: &Redactor) -> Result<()> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut said = Vec::new();
    while said.len() < SAID
        && let Ok(Some(chunk)) = response.chunk().await
    {
        said.extend_from_slice(&chunk);
    }
    said.truncate(SAID);
    let words = shown(&redactor.text(&String::from_utf8_lossy(&said)));
    let message = format!("{host} answered HTTP {}{words}", status.as_u16());
    let error = match status.as_u16() {
        401 => Error::new(
            Code::Unauthorized,
            message,
            "Its token is refused: give another with `standin notify token NAME`.",
        ),
        403 => Error::new(Code::Forbidden, message, "It may not be written there: see the rights of its token."),
        404 | 410 => Error::new(
            Code::UnexpectedAnswer,
            message,
            "See whether the address in standin.toml is still the right one.",
        ),
        408 | 425 | 500..=599 => Error::passing(Code::HostFailed, message, "It is tried again."),
        429 => Error::passing(Code::RateLimited, message, "It is tried again, later."),
        _ => {
            Error::new(Code::UnexpectedAnswer, message, "See what the place expects, and whether the address is right.")
        }
    };
    Err(match wait.filter(|_| error.retryable) {
        Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
        None => error,
    })
}

/// The words of an answer on one line; nothing of a page that is meant for a browser.
fn shown(text: &str) -> String {
    let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.starts_with('<') {
        return String::new();
    }
    let short: String = line.chars().take(SHOWN).collect();
    format!(": {short}")
}

/// What a broken exchange means.
fn broken(host: &str, error: &reqwest::Error) -> Error {
    let reason = root(error);
    if error.is_connect() {
        let hint = "It is tried again. Check the network and the address.";
        return Error::passing(Code::Network, format!("{host} cannot be reached: {reason}"), hint);
    }
    if error.is_builder() {
        return Error::new(Code::Internal, format!("{host}: {reason}"), "Please report this.");
    }
    Error::passing(Code::Network, format!("the connection to {host} broke: {reason}"), "It is tried again.")
}

/// The innermost reason, which has no address in it.
fn root(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    // reqwest's own words are the only ones that name the address.
    if std::ptr::addr_eq(reason, std::ptr::from_ref(error)) {
        "it gave no reason".to_owned()
    } else {
        reason.to_string()
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<()> {
    let value = HeaderValue::try_from(value)
        .map_err(|_| Error::new(Code::Internal, format!("`{name}` cannot be sent"), "Please report this."))?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// A text as a header may hold it: as it is, or as RFC 2047 writes other letters, which ntfy reads.
fn header_text(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && !text.contains("=?");
    if is_plain { text.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(text)) }
}

/// The beginning of a text that has at most so many bytes.
fn shortened(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn odd_token() -> Error {
    let hint = "Give it again with `standin notify token NAME`, without line breaks or spaces.";
    Error::new(Code::Unauthorized, "the token has characters that no token has", hint)
}

fn not_written(error: &serde_json::Error) -> Error {
    Error::new(Code::Internal, format!("the message cannot be written as JSON: {error}"), "Please report this.")
}
