//! A remote that is a folder of this machine, listed by the very program that `git ls-remote` would start there: one process
//! instead of two, and no text made of its answer only to be read again. Whatever is not exactly as expected gives no
//! answer, and `git ls-remote` is asked: it says what is wrong.

use super::address::Transport;
use super::child::Input;
use super::far_side;
use super::http::{Packets, lines_of};
use super::listing::Listing;
use super::remote::{Doing, Prepared, Remote};
use super::scratch::Scratch;
use crate::Result;

impl Remote {
    /// Lists with one call of git's; `None` where the remote is no folder, and where `git ls-remote` must be asked.
    pub(super) async fn list_in_folder(&self, what: &str, prefixes: &[&str]) -> Result<Option<Listing>> {
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
