//! Asking a remote for its refs, by the shortest way that it has.
//!
//! Over HTTP that is one request of our own. A folder of this machine is listed by the very program that `git ls-remote` would
//! start there: one process instead of two, and no text made of its answer only to be read again. Whatever is not exactly
//! as expected there gives no answer, and `git ls-remote` is asked: it says what is wrong.

use futures_util::FutureExt as _;

use super::Listing;
use crate::git::address::Transport;
use crate::git::child::Input;
use crate::git::far_side;
use crate::git::http::{Packets, lines_of};
use crate::git::remote::{Doing, Prepared, Remote};
use crate::git::scratch::Scratch;
use crate::{Result, crash};

impl Remote {
    /// Lists the remote's refs that start with one of `prefixes`, and its `HEAD`.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`crate::Code`].
    pub async fn list(&self, prefixes: &[&str]) -> Result<Listing> {
        let what = format!("listing the refs of {}", self.address);
        if let Some(listing) = self.list_over_http(&what, prefixes).boxed().await? {
            return Ok(listing);
        }
        if let Some(listing) = self.list_in_folder(&what, prefixes).boxed().await? {
            return Ok(listing);
        }
        let folder = Scratch::make()?;
        // Outside of any repository: no configuration there can redirect the call.
        let nowhere = folder.path().join("none");
        let mut prepared = self.prepare(folder, &nowhere, "ls-remote")?;
        prepared.command.args(["--symref", "--", self.address.as_str()]);
        let ended = self.run(&what, Doing::List, prepared, Input::Nothing).await?;
        if !ended.status.success() {
            return Err(self.failure(&what, &ended.lines));
        }
        Ok(Listing::parse(&ended.stdout, prefixes))
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
        let prepared = Prepared { command, _desk: None, _folder: folder };
        let ended = self.run(what, Doing::List, prepared, Input::Nothing).await?;
        if !ended.status.success() {
            return Ok(None);
        }
        Ok(lines_of(Packets(&ended.stdout)).map(|lines| Listing::parse(&lines, prefixes)))
    }
}
