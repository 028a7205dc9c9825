//! A remote over HTTP, asked without starting git: what takes one request and would cost git seven processes.
//!
//! Only the first request of the protocol is made here, the one that lists all refs. Whatever is not exactly as
//! expected (a refusal, a redirect, a server of another kind) gives no answer, and git is asked instead: it knows every
//! kind of server and says what is wrong.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::address::{Address, Transport};
use super::child::{self, MAX_OUTPUT};
use super::credential::DEFAULT_USER;
use super::listing::Listing;
use crate::Result;
use crate::github::connections;

/// How a request is made, and when it is given up.
pub(super) struct Asking<'a> {
    /// What is being done, for messages.
    pub what: &'a str,
    pub address: &'a Address,
    pub credential: Option<&'a SecretString>,
    /// How long the host may go without a word.
    pub silent_limit: Duration,
    pub cancel: &'a CancellationToken,
}

impl Asking<'_> {
    /// The refs that the remote shows, those below `prefixes`; `None` where git must be asked.
    ///
    /// # Errors
    /// [`crate::Code::Cancelled`], and [`crate::Code::TimedOut`] when the host says nothing for too long.
    pub(super) async fn list(&self, prefixes: &[&str]) -> Result<Option<Listing>> {
        let Some(url) = self.url("info/refs?service=git-upload-pack") else { return Ok(None) };
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(child::cancelled(self.what)),
            answer = self.get(url, "application/x-git-upload-pack-advertisement") => answer?,
        };
        Ok(answer.and_then(|body| as_listed(&body)).map(|lines| Listing::parse(&lines, prefixes)))
    }

    fn url(&self, below: &str) -> Option<Url> {
        if !matches!(self.address.transport, Transport::Https | Transport::Http) {
            return None;
        }
        Url::parse(&format!("{}/{below}", self.address.as_str().trim_end_matches('/'))).ok()
    }

    /// The body of the answer, if it is one of this type.
    async fn get(&self, url: Url, media_type: &str) -> Result<Option<Vec<u8>>> {
        let Ok(connections) = connections(&url) else { return Ok(None) };
        let mut request = connections.get(url).header("git-protocol", "version=0");
        if let Some(token) = self.credential {
            let user = self.address.user.as_deref().unwrap_or(DEFAULT_USER);
            request = request.basic_auth(user, Some(token.expose_secret()));
        }
        let Ok(mut response) = self.in_time(request.send()).await? else { return Ok(None) };
        let is_expected = response.status().as_u16() == 200
            && response.headers().get(CONTENT_TYPE).is_some_and(|found| found.as_bytes() == media_type.as_bytes());
        if !is_expected {
            return Ok(None);
        }
        let mut body = Vec::new();
        loop {
            match self.in_time(response.chunk()).await? {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_OUTPUT => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(Some(body)),
                Ok(Some(_)) | Err(_) => return Ok(None),
            }
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.silent_limit, work).await.map_err(|_| child::silent(self.what, self.silent_limit))
    }
}

/// The advertisement of a server in the lines that `git ls-remote --symref` prints; `None` for anything that is not one,
/// or that is of a shallow repository.
fn as_listed(body: &[u8]) -> Option<Vec<u8>> {
    let mut packets = Packets(body);
    if packets.next()?.trim_ascii_end() != b"# service=git-upload-pack" || !packets.next()?.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    loop {
        let packet = packets.next()?;
        if packet.is_empty() {
            return Some(lines);
        }
        let (line, capabilities) = match packet.iter().position(|&byte| byte == 0) {
            Some(end) => (&packet[..end], &packet[end + 1..]),
            None => (packet, &b""[..]),
        };
        for capability in capabilities.split(|&byte| matches!(byte, b' ' | b'\n')) {
            if let Some(target) = capability.strip_prefix(b"symref=HEAD:") {
                lines.extend_from_slice(b"ref: ");
                lines.extend_from_slice(target);
                lines.extend_from_slice(b"\tHEAD\n");
            }
        }
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
        lines.extend_from_slice(oid);
        lines.push(b'\t');
        lines.extend_from_slice(name);
        lines.push(b'\n');
    }
}

/// The packets of git's protocol, one after the other; a flush is an empty one.
struct Packets<'a>(&'a [u8]);

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
