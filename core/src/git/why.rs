//! Why a call of git's failed: its own words, and what the host says where git keeps no more of an answer than its status.

use futures_util::FutureExt as _;

use super::address::Transport;
use super::remote::Remote;
use super::{failure, words};
use crate::redact::Redactor;
use crate::{Code, Error, Result};

/// The services of a server, as they are asked for over HTTP.
pub(super) const PUSHING: &str = "git-receive-pack";
const FETCHING: &str = "git-upload-pack";

/// Which request of git's a host sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The one that asks for the refs.
    Refs,
    /// The one that carries a push, or asks for commits.
    Work,
}

impl Sent {
    /// The request that git's lines say was sent away for good. Statuses that speak for themselves, and those of a fault that
    /// passes, are none of these.
    pub(super) fn away(lines: &[String]) -> Option<Self> {
        let is_work = |line: &String| line.starts_with("error: RPC failed");
        let is_status = |status: &str| matches!(status.as_bytes().first(), Some(b'3' | b'4'));
        lines.iter().find_map(|line| {
            if is_work(line) {
                line.split_once("HTTP ").filter(|(_, status)| is_status(status)).map(|_| Self::Work)
            } else {
                let (_, status) = line.split_once("The requested URL returned error: ")?;
                let speaks = ["401", "404", "408", "410", "429"].iter().any(|known| status.starts_with(known));
                (is_status(status) && !speaks).then_some(Self::Refs)
            }
        })
    }
}

impl Remote {
    /// The error that git's `lines` tell of a call that asked for refs or commits.
    pub(super) async fn failure(&self, what: &str, mut lines: Vec<String>) -> Error {
        match self.add_words(what, FETCHING, &mut lines).await {
            Ok(()) => self.meant(what, &lines),
            Err(error) => error,
        }
    }

    /// Adds what the host says where it sent a request away by a status, which is all that git keeps of it.
    ///
    /// # Errors
    /// [`Code::Cancelled`]; [`Code::RepositoryNotFound`] with the new address of a repository that has moved. Nothing was done then.
    pub(super) async fn add_words(&self, what: &str, service: &str, lines: &mut Vec<String>) -> Result<()> {
        let Some(sent) = Sent::away(lines).filter(|_| self.is_plain_http()) else { return Ok(()) };
        let asking = self.asking(what);
        let words = match asking.unless_cancelled(asking.words_to(service, sent)).boxed().await {
            Err(error) if matches!(error.code, Code::Cancelled | Code::RepositoryNotFound) => return Err(error),
            words => words.unwrap_or_default(),
        };
        let redactor = Redactor::of(&self.options.credential);
        for line in words.iter().map(|line| redactor.text(line)) {
            if !lines.iter().any(|known| known.trim_end() == line) {
                lines.push(line);
            }
        }
        Ok(())
    }

    fn meant(&self, what: &str, lines: &[String]) -> Error {
        let has_token = self.options.credential.is_some();
        failure::classify(what, &self.address, lines, has_token).about(self.options.mirror.as_ref())
    }

    /// The error of a push whose answer is missing. A failure that is not understood counts as a broken connection, since
    /// the remote may have done it.
    pub(super) fn unknown_outcome(&self, what: &str, lines: &[String]) -> Error {
        let mut error = self.meant(what, lines);
        let is_broken = matches!(error.code, Code::GitFailed | Code::Network);
        if is_broken && lines.iter().any(|line| line.starts_with("Total ")) {
            // All was sent: so it is the server that broke off, and perhaps over one ref of it.
            let is_ssh = self.address.transport == Transport::Ssh;
            let told = words::host_words(lines, is_ssh).join("; ");
            let told = if told.is_empty() { told } else { format!(": {told}") };
            return Error::passing(
                Code::HostFailed,
                format!("{what}: {}{told}", words::UNANSWERED),
                format!(
                    "{} has a fault of its own, or its hooks end it; its log may say more. Try again later.",
                    self.address.host_shown()
                ),
            );
        }
        // Ids of another kind are seen before anything is sent.
        if error.code == Code::GitFailed && error.hint != failure::OTHER_HASH_HINT {
            error.code = Code::Network;
            error.retryable = true;
        }
        error
    }
}
