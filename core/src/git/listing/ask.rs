//! Asking a remote for its refs, by the shortest way that it has.
//!
//! Over HTTP that is one request of our own. A folder of this machine is listed by the very program that `git ls-remote` would
//! start there: one process instead of two, and no text made of its answer only to be read again. Whatever is not exactly
//! as expected there gives no answer, and `git ls-remote` is asked: it says what is wrong.

use std::path::Path;

use futures_util::FutureExt as _;

use super::Listing;
use crate::git::address::Transport;
use crate::git::child::Input;
use crate::git::http::{Packets, lines_of, no_git};
use crate::git::remote::{Doing, Prepared, Remote};
use crate::git::scratch::Scratch;
use crate::git::{failure, far_side};
use crate::{Result, crash};

/// How long the ids of a repository are that uses SHA-256.
const SHA256_DIGITS: usize = 64;

impl Remote {
    /// Lists the remote's refs that start with one of `prefixes`, and its `HEAD`.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`crate::Code`].
    pub async fn list(&self, prefixes: &[&str]) -> Result<Listing> {
        let what = format!("listing the refs of {}", self.address);
        let listing = self.list_somehow(&what, prefixes).await?;
        let mut ids = listing.refs.values().chain(&listing.head_oid);
        if ids.any(|oid| oid.as_str().len() == SHA256_DIGITS) {
            return Err(failure::other_hash(&what));
        }
        Ok(listing)
    }

    async fn list_somehow(&self, what: &str, prefixes: &[&str]) -> Result<Listing> {
        if let Some(listing) = self.list_over_http(what, prefixes).boxed().await? {
            return Ok(listing);
        }
        if let Some(listing) = self.list_in_folder(what, prefixes).boxed().await? {
            return Ok(listing);
        }
        let listed = self.list_by_git(what, None).await?;
        if listed.is_empty() && matches!(self.address.transport, Transport::Https | Transport::Http) {
            self.check_that_git_answers(what).await?;
        }
        Ok(Listing::parse(&listed, prefixes))
    }

    /// What `git ls-remote` prints. Git's own record of the packets goes to `trace`.
    async fn list_by_git(&self, what: &str, trace: Option<&Path>) -> Result<Vec<u8>> {
        let folder = Scratch::make()?;
        // Outside of any repository: no configuration there can redirect the call.
        let nowhere = folder.path().join("none");
        let mut prepared = self.prepare(folder, &nowhere, "ls-remote")?;
        if let Some(trace) = trace {
            prepared.command.env("GIT_TRACE_PACKET", trace);
        }
        prepared.command.args(["--symref", "--", self.address.as_str()]);
        let ended = self.run(what, Doing::List, prepared, Input::Nothing).await?;
        if !ended.status.success() {
            return Err(self.failure(what, ended.lines).await);
        }
        Ok(ended.stdout)
    }

    /// Git takes an answer without a word for an empty repository. One packet of a git server shows that it is one.
    async fn check_that_git_answers(&self, what: &str) -> Result<()> {
        let folder = Scratch::make()?;
        let packets = folder.path().join("packets");
        self.list_by_git(what, Some(&packets)).await?;
        let packets = std::fs::read(&packets).unwrap_or_default();
        let packets = String::from_utf8_lossy(&packets);
        let is_said = |line: &str| line.contains("< # service=git-upload-pack") || line.contains("< version ");
        if packets.lines().any(is_said) { Ok(()) } else { Err(no_git(what, &self.address)) }
    }

    /// Lists with one request of our own; `None` where git must be asked.
    async fn list_over_http(&self, what: &str, prefixes: &[&str]) -> Result<Option<Listing>> {
        if !self.is_plain_http() {
            return Ok(None);
        }
        self.options.totals.git_calls.add(1);
        crash::point(&format!("{}.list.before", self.options.point));
        let listed = self.asking(what).list(prefixes).await;
        crash::point(&format!("{}.list.after", self.options.point));
        listed
    }

    /// Lists with one call of git's; `None` where the remote is no folder, and where `git ls-remote` must be asked.
    async fn list_in_folder(&self, what: &str, prefixes: &[&str]) -> Result<Option<Listing>> {
        if self.address.transport != Transport::File {
            return Ok(None);
        }
        let folder = Scratch::make()?;
        let nowhere = folder.path().join("none");
        let place = self.address.as_str();
        let mut command = self.git.command(&nowhere, None);
        command.current_dir(folder.path()).env("GIT_CEILING_DIRECTORIES", folder.path());
        if !self.options.hooks {
            command.envs(far_side::environment(self.git.version(), place));
        }
        command.args(["upload-pack", "--advertise-refs", "--"]).arg(far_side::folder(place));
        let prepared = Prepared { command, _server: None, _folder: folder };
        let ended = self.run(what, Doing::List, prepared, Input::Nothing).await?;
        if !ended.status.success() {
            return Ok(None);
        }
        Ok(lines_of(Packets(&ended.stdout)).map(|lines| Listing::parse(&lines, prefixes)))
    }
}
