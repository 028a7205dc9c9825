//! Large files that git LFS keeps outside the repository, brought to a copy by the `git-lfs` program where it is there.

use std::collections::HashSet;
use std::time::Duration;

use standin_state::model::Oid;

use super::address::Transport;
use super::child::Input;
use super::remote::{Doing, Remote};
use super::scratch::Scratch;
use super::{Cache, GitProgram};
use crate::{Result, crash};

/// What a `.gitattributes` has where git LFS keeps files.
const ATTRIBUTE: &[u8] = b"filter=lfs";
/// In place of ssh where the upstream is reached without it.
const NO_SSH: &str = "false";
/// How long git-lfs may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

impl Cache {
    /// Whether one of these tips keeps files in git LFS, as the `.gitattributes` at its root says.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub fn has_large_files(&self, tips: &[Oid]) -> Result<bool> {
        self.read(|repository| {
            let mut seen = HashSet::new();
            for tip in tips {
                let object = repository.find_object(git2::Oid::from_str(tip.as_str())?, None)?;
                let Ok(tree) = object.peel_to_tree() else { continue };
                let Some(entry) = tree.get_name(".gitattributes") else { continue };
                if seen.insert(entry.id())
                    && let Ok(file) = repository.find_blob(entry.id())
                    && file.content().windows(ATTRIBUTE.len()).any(|window| window == ATTRIBUTE)
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }
}

impl Remote {
    /// Brings the large files of all refs of a copy; `false` where there is no git-lfs.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`crate::Code`].
    pub async fn fetch_large_files(&self, copy: &Cache) -> Result<bool> {
        if !has_program(&self.git, copy, &self.options.cancel).await {
            return Ok(false);
        }
        let what = format!("fetching large files from {}", self.address);
        let held = copy.hold(&self.options.cancel).await?;
        let mut prepared = self.prepare(Scratch::make()?, copy.path(), "lfs")?;
        // Where the files are follows from the upstream's address. A `.lfsconfig` in it has no say: it could name another
        // repository, for which the token was not given, or another host.
        prepared.command.env("GIT_CONFIG_COUNT", "1");
        prepared.command.env("GIT_CONFIG_KEY_0", "lfs.url").env("GIT_CONFIG_VALUE_0", self.large_files_at());
        if self.address.transport != Transport::Ssh {
            prepared.command.env("GIT_SSH_COMMAND", NO_SSH);
        }
        prepared.command.args(["fetch", "--all", &self.repository_url()]);
        crash::point("git.upstream.lfs.before");
        let ended = self.run(&what, Doing::Fetch, prepared, Input::Held(held)).await?;
        if ended.status.success() { Ok(true) } else { Err(self.failure(&what, ended.lines).await) }
    }
}

impl Remote {
    /// The address as git-lfs takes it for a repository.
    fn repository_url(&self) -> String {
        let address = self.address.as_str();
        let is_path = self.address.transport == Transport::File && !address.starts_with("file:");
        if is_path { format!("file://{address}") } else { address.to_owned() }
    }

    /// Where the large files of the repository are, by the rule that git-lfs has for an address.
    fn large_files_at(&self) -> String {
        let url = self.repository_url();
        match self.address.transport {
            Transport::Https | Transport::Http => {
                let url = url.trim_end_matches('/');
                format!("{}.git/info/lfs", url.strip_suffix(".git").unwrap_or(url))
            }
            Transport::Ssh | Transport::Git | Transport::File => url,
        }
    }
}

async fn has_program(git: &GitProgram, copy: &Cache, cancel: &tokio_util::sync::CancellationToken) -> bool {
    let asked = git.run_local("asking git-lfs", copy.path(), &["lfs", "version"], Input::Nothing, ANSWER_LIMIT, cancel);
    asked.await.is_ok()
}
