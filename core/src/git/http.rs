//! A remote over HTTP, asked without starting git: what takes one request and would cost git seven processes.
//!
//! The requests of all kinds are made here, and the one that lists all refs; a push of one small commit is in
//! [`super::http_push`]. Whatever is not exactly as expected (a refusal, a redirect, a server of another kind) gives no answer,
//! and git is asked instead: it knows every kind of server and says what is wrong.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::address::{Address, Transport};
use super::child::{self, MAX_OUTPUT};
use super::credential::DEFAULT_USER;
use super::listing::Listing;
use super::why::Sent;
use crate::github::connections;
use crate::{Code, Error, Result};

/// How long an answer may be that is only looked at for words.
const MAX_WORDS: usize = 64 << 10;
/// How many of its lines are kept.
const MAX_LINES: usize = 20;
/// GitHub answers only a name that starts with `git/`, and others none that looks like a git of old.
const USER_AGENT_OF_A_GIT: &str = concat!("git/2.0 (standin/", env!("CARGO_PKG_VERSION"), ")");

/// How a request is made, and when it is given up.
pub(super) struct Asking<'a> {
    /// What is being done, for messages.
    pub what: &'a str,
    pub address: &'a Address,
    pub credential: Option<&'a SecretString>,
    /// How long the host may go without a word.
    pub silent_limit: Duration,
    /// How long it may take to answer what it has to work on.
    pub work_limit: Duration,
    pub cancel: &'a CancellationToken,
}

impl Asking<'_> {
    /// The refs that the remote shows, those below `prefixes`; `None` where git must be asked.
    ///
    /// # Errors
    /// [`crate::Code::Cancelled`], and [`crate::Code::TimedOut`] when the host says nothing for too long.
    pub(super) async fn list(&self, prefixes: &[&str]) -> Result<Option<Listing>> {
        let body = self.unless_cancelled(self.refs_of("git-upload-pack")).await?;
        Ok(body.and_then(|body| as_listed(&body)).map(|lines| Listing::parse(&lines, prefixes)))
    }

    /// What `work` gives, or the end of it as soon as the call is cancelled.
    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(child::cancelled(self.what)),
            done = work => done,
        }
    }

    /// The advertisement of `service`; `None` for any other answer.
    ///
    /// # Errors
    /// As [`Asking::list`]; [`Code::HostFailed`] for an answer without a word, which git takes for an empty repository;
    /// [`Code::RepositoryNotFound`] with the new address of one that has moved.
    pub(super) async fn refs_of(&self, service: &str) -> Result<Option<Vec<u8>>> {
        let Some(request) = self.request(Method::GET, &format!("info/refs?service={service}")) else { return Ok(None) };
        let Ok(response) = self.in_time(request.send()).await? else { return Ok(None) };
        if let Some(address) = moved_to(&response, self.address, service) {
            return Err(self.moved(&address));
        }
        let is_meant = is_answer(&response, &format!("application/x-{service}-advertisement"));
        if !is_meant && response.status().as_u16() != 200 {
            return Ok(None);
        }
        match self.body(response, if is_meant { MAX_OUTPUT } else { MAX_WORDS }).await? {
            Ok(body) if body.trim_ascii().is_empty() => Err(no_git(self.what, self.address)),
            body => Ok(body.ok().filter(|_| is_meant)),
        }
    }

    /// Why a host sends a request away, asked by one without anything in it: git keeps the status alone. `sent` is what it was: for
    /// the refs that `service` shows, or for its work.
    ///
    /// # Errors
    /// As [`Asking::list`]; [`Code::RepositoryNotFound`] with the new address of a repository that has moved.
    pub(super) async fn words_to(&self, service: &str, sent: Sent) -> Result<Vec<String>> {
        let request = match sent {
            Sent::Refs => self.request(Method::GET, &format!("info/refs?service={service}")),
            Sent::Work => self
                .request(Method::POST, service)
                .map(|request| request.header(CONTENT_TYPE, format!("application/x-{service}-request")).body("0000")),
        };
        let Some(request) = request else { return Ok(Vec::new()) };
        let Ok(response) = self.in_time(request.send()).await? else { return Ok(Vec::new()) };
        if let Some(address) = moved_to(&response, self.address, service) {
            return Err(self.moved(&address));
        }
        if response.status().is_success() {
            return Ok(Vec::new());
        }
        let headers = response.headers().clone();
        Ok(self.body(response, MAX_WORDS).await?.map_or_else(|_| Vec::new(), |body| told(&headers, &body)))
    }

    fn moved(&self, address: &str) -> Error {
        Error::new(
            Code::RepositoryNotFound,
            format!("{}: the repository has moved to {address}", self.what),
            format!("Set {address} as its address. Standin does not follow by itself, since a token would go with it."),
        )
    }

    /// A request with the token; `None` where the address or the token is nothing for HTTP.
    pub(super) fn request(&self, method: Method, below: &str) -> Option<RequestBuilder> {
        if !matches!(self.address.transport, Transport::Https | Transport::Http) {
            return None;
        }
        let url = Url::parse(&format!("{}/{below}", self.address.as_str().trim_end_matches('/'))).ok()?;
        let request = connections(&url).ok()?.request(method, url);
        let request = request.header(USER_AGENT, USER_AGENT_OF_A_GIT).header("git-protocol", "version=0");
        let Some(token) = self.credential else { return Some(request) };
        let token = token.expose_secret();
        // Git is told no such token, and says so.
        if token.contains(['\n', '\r', '\0']) {
            return None;
        }
        Some(request.basic_auth(self.address.user.as_deref().unwrap_or(DEFAULT_USER), Some(token)))
    }

    /// The whole body, or why it did not come.
    pub(super) async fn body(&self, mut response: Response, limit: usize) -> Result<Result<Vec<u8>, String>> {
        let mut body = Vec::new();
        loop {
            match self.in_time(response.chunk()).await? {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(Ok(body)),
                Ok(Some(_)) => return Ok(Err(format!("the answer is longer than {} MiB", limit >> 20))),
                Err(error) => return Ok(Err(error.without_url().to_string())),
            }
        }
    }

    /// The answer to what the host has, as soon as its work on it is done.
    pub(super) async fn once_done<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let done = tokio::time::timeout(self.work_limit, work).await;
        done.map_err(|_| child::endless(self.what, self.work_limit))
    }

    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.silent_limit, work).await.map_err(|_| child::silent(self.what, self.silent_limit))
    }
}

/// What an answer other than the one that was asked for says to people, as lines that a host told: its text, and the address that
/// GitHub names for single sign-on.
pub(super) fn told(headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut lines = Vec::new();
    let body = match text("content-type").split(';').next().unwrap_or_default().trim() {
        "text/plain" => String::from_utf8_lossy(body).into_owned(),
        // The message of an API, as GitHub, GitLab and Gitea have it.
        kind if kind.ends_with("json") => {
            let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let message = ["message", "error", "error_description"].iter().find_map(|name| answer[name].as_str());
            message.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    };
    let shown = body.lines().map(str::trim).filter(|line| !line.is_empty()).take(MAX_LINES);
    lines.extend(shown.map(|line| format!("remote: {line}")));
    if let Some((_, address)) = text("x-github-sso").split_once("url=")
        && !lines.iter().any(|line| line.contains(address))
    {
        lines.push(format!("remote: Open {address} for single sign-on"));
    }
    lines
}

/// Where the repository is now, where the host sends a request for its refs on to another address.
fn moved_to(response: &Response, from: &Address, service: &str) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let base = Url::parse(from.as_str()).ok()?;
    let mut url = base.join(location).ok()?;
    // Any other, such as a page to log in at, is not the repository.
    let below = match url.query() {
        Some(query) if query == format!("service={service}") => "/info/refs",
        None | Some("") => &*format!("/{service}"),
        Some(_) => return None,
    };
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let path = url.path().strip_suffix(below)?.to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    (url.as_str() != base.as_str()).then(|| url.into())
}

/// The error of an answer that is none of a git server's, though it says that all is well.
pub(super) fn no_git(what: &str, address: &Address) -> Error {
    Error::passing(
        Code::HostFailed,
        format!("{what}: {} answered, but not as a git server does", address.host_shown()),
        "Something else may have answered: a proxy, the login page of a network, a page for maintenance. Nothing is concluded from \
         it. Open the address in a browser to see who answers; Standin tries again by itself.",
    )
}

/// Whether this is the answer that was asked for.
pub(super) fn is_answer(response: &Response, media_type: &str) -> bool {
    response.status().as_u16() == 200
        && response.headers().get(CONTENT_TYPE).is_some_and(|found| found.as_bytes() == media_type.as_bytes())
}

/// The advertisement of a server in the lines that `git ls-remote --symref` prints; `None` for anything that is not one,
/// or that is of a shallow repository.
fn as_listed(body: &[u8]) -> Option<Vec<u8>> {
    lines_of(after_announcement(body, "git-upload-pack")?)
}

/// The same of an advertisement that no service was named before.
pub(super) fn lines_of(packets: Packets<'_>) -> Option<Vec<u8>> {
    let mut listed = Vec::new();
    let capabilities = read_refs(packets, |oid, name| {
        for piece in [oid, b"\t", name, b"\n"] {
            listed.extend_from_slice(piece);
        }
    })?;
    let heads = capabilities.iter().filter_map(|capability| capability.strip_prefix(b"symref=HEAD:"));
    let mut lines = heads.fold(Vec::new(), |lines, target| [&lines, &b"ref: "[..], target, b"\tHEAD\n"].concat());
    lines.append(&mut listed);
    Some(lines)
}

/// Reads the advertisement of `service`: hands each ref's id and name to `see`, and gives the capabilities. `None` for
/// anything that is not one, or that is of a shallow repository.
pub(super) fn read_advertisement<'a>(
    body: &'a [u8],
    service: &str,
    see: impl FnMut(&'a [u8], &'a [u8]),
) -> Option<Vec<&'a [u8]>> {
    read_refs(after_announcement(body, service)?, see)
}

fn after_announcement<'a>(body: &'a [u8], service: &str) -> Option<Packets<'a>> {
    let mut packets = Packets(body);
    let announced = packets.next()?.trim_ascii_end().strip_prefix(b"# service=")?;
    (announced == service.as_bytes() && packets.next()?.is_empty()).then_some(packets)
}

fn read_refs<'a>(mut packets: Packets<'a>, mut see: impl FnMut(&'a [u8], &'a [u8])) -> Option<Vec<&'a [u8]>> {
    let mut capabilities = Vec::new();
    loop {
        let packet = packets.next()?;
        if packet.is_empty() {
            return Some(capabilities);
        }
        let line = match packet.iter().position(|&byte| byte == 0) {
            Some(end) => {
                let words = packet[end + 1..].split(|&byte| matches!(byte, b' ' | b'\n'));
                capabilities.extend(words.filter(|word| !word.is_empty()));
                &packet[..end]
            }
            None => packet,
        };
        let line = line.trim_ascii_end();
        let space = line.iter().position(|&byte| byte == b' ')?;
        let (oid, name) = (&line[..space], &line[space + 1..]);
        // Instead of a first ref, where there is none.
        if name == b"capabilities^{}" {
            continue;
        }
        if !matches!(oid.len(), 40 | 64) || !oid.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        see(oid, name);
    }
}

/// The packets of git's protocol, one after the other; a flush is an empty one.
pub(super) struct Packets<'a>(pub &'a [u8]);

impl<'a> Iterator for Packets<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from_str_radix(std::str::from_utf8(self.0.get(..4)?).ok()?, 16).ok()?;
        let end = length.max(4);
        let packet = self.0.get(4..end)?;
        self.0 = &self.0[end..];
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    fn packet(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    fn advertisement(lines: &[String]) -> Vec<u8> {
        let lines: String = lines.iter().map(|line| packet(&format!("{line}\n"))).collect();
        format!("{}0000{lines}0000", packet("# service=git-upload-pack\n")).into_bytes()
    }

    #[test]
    fn an_advertisement_says_what_git_would_list() {
        let body = advertisement(&[
            format!("{A} HEAD\0multi_ack symref=HEAD:refs/heads/main object-format=sha1 agent=git/2.47"),
            format!("{A} refs/heads/main"),
            format!("{B} refs/tags/v1"),
            format!("{A} refs/tags/v1^{{}}"),
        ]);
        let listed = String::from_utf8(as_listed(&body).unwrap()).unwrap();
        assert_eq!(
            listed,
            format!(
                "ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n"
            )
        );
    }

    #[test]
    fn an_empty_repository_has_no_refs() {
        let zeros = "0".repeat(40);
        let body = advertisement(&[format!("{zeros} capabilities^{{}}\0multi_ack agent=git/2.47")]);
        assert_eq!(as_listed(&body).unwrap(), b"");
        let none = format!("{}00000000", packet("# service=git-upload-pack\n"));
        assert_eq!(as_listed(none.as_bytes()).unwrap(), b"");
    }

    #[test]
    fn what_is_no_advertisement_or_breaks_off_is_left_to_git() {
        let whole = advertisement(&[format!("{A} HEAD\0multi_ack"), format!("{A} refs/heads/main")]);
        for length in 0..whole.len() {
            assert!(as_listed(&whole[..length]).is_none(), "{length}");
        }
        let shallow = advertisement(&[format!("{A} HEAD\0multi_ack"), format!("shallow {A}")]);
        let newer = format!("{}0000{}0000", packet("# service=git-upload-pack\n"), packet("version 2\n"));
        for other in [&shallow[..], newer.as_bytes(), b"<html>", b"ffff", b"zzzz"] {
            assert!(as_listed(other).is_none());
        }
    }
}
