//! Questions to git about a repository of the user's on this machine, that change nothing and run nothing of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::GitProgram;
use super::child::{Call, Ended, Input, Patience};
use crate::{Code, Error, Result};

/// How long a question may take: a folder on a share may hang.
const LIMIT: Duration = Duration::from_secs(30);

/// What is set for Standin's own calls of git, so that its hook knows them.
pub(crate) const AT_WORK: &str = "STANDIN_AT_WORK";

/// Where git takes the hooks of a repository from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookPlace {
    /// Where its refs and objects are; linked work trees share it.
    pub common: PathBuf,
    /// The work tree, where it has one.
    pub work_tree: Option<PathBuf>,
    /// The folder that hooks are taken from now.
    pub folder: PathBuf,
    /// Which settings say so (`local`, `worktree`, `global`, `system`); `None` where it is git's own place.
    pub set_in: Option<String>,
}

impl HookPlace {
    /// Where git takes them from, where no setting says otherwise.
    pub fn own_folder(&self) -> PathBuf {
        self.common.join("hooks")
    }

    /// Whether repositories of the user's take their hooks from there that are not this one.
    pub fn is_shared(&self) -> bool {
        self.set_in.as_deref().is_some_and(|scope| matches!(scope, "global" | "system"))
    }
}

impl GitProgram {
    /// What stands in the branches and tags of a repository, as a hash: the same as long as none of them moves, however git keeps
    /// them. Of a bare repository the branch that `HEAD` names counts, too.
    ///
    /// # Errors
    /// [`Code::GitFailed`] where it cannot be read now; [`Code::TimedOut`]; [`Code::Cancelled`].
    pub(crate) async fn fingerprint_of_refs(&self, common: &Path, cancel: &CancellationToken) -> Result<[u8; 32]> {
        let ask = async |arguments: &[&str]| {
            self.run_local("reading the refs of a folder", common, arguments, Input::Nothing, LIMIT, cancel).await
        };
        let mut hash = Sha256::new();
        let format = "--format=%(objectname) %(refname)";
        hash.update(ask(&["for-each-ref", format, "refs/heads", "refs/tags", "refs/notes"]).await?);
        if ask(&["rev-parse", "--is-bare-repository"]).await?.starts_with(b"true") {
            // A HEAD that names a commit names no branch.
            hash.update(ask(&["rev-parse", "--symbolic-full-name", "HEAD"]).await.unwrap_or_default());
        }
        Ok(hash.finalize().into())
    }

    /// Where git, run by the user, takes the hooks of the repository at `folder` from.
    ///
    /// # Errors
    /// [`Code::GitFailed`] with git's words where it does not take the folder for a repository.
    pub(crate) async fn hook_place(&self, folder: &Path) -> Result<HookPlace> {
        let common = self.asked_by_user(folder, &["rev-parse", "--path-format=absolute", "--git-common-dir"]).await?;
        let common = path_of(said(folder, common)?);
        let is_bare = said(folder, self.asked_by_user(folder, &["rev-parse", "--is-bare-repository"]).await?)?;
        let work_tree = match is_bare.starts_with(b"true") {
            true => None,
            false => {
                let top =
                    self.asked_by_user(folder, &["rev-parse", "--path-format=absolute", "--show-toplevel"]).await?;
                Some(path_of(said(folder, top)?))
            }
        };
        let setting = ["config", "--show-scope", "-z", "--type=path", "--get", "core.hooksPath"];
        let setting = self.asked_by_user(folder, &setting).await?;
        let mut place = HookPlace { folder: common.join("hooks"), common, work_tree, set_in: None };
        // Where nothing is set, git says nothing and ends with 1.
        if setting.status.success() {
            let mut parts = setting.stdout.split(|byte| *byte == 0);
            let (scope, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let path = path_of(path.to_vec());
            if !path.as_os_str().is_empty() {
                // A hook is run in the work tree, else in the repository.
                place.folder = place.work_tree.as_ref().unwrap_or(&place.common).join(path);
                place.set_in = Some(String::from_utf8_lossy(scope).into_owned());
            }
        }
        Ok(place)
    }

    /// Whether git leaves a file out of what it shows as new in the work tree.
    ///
    /// # Errors
    /// As [`GitProgram::hook_place`].
    pub(crate) async fn ignores(&self, work_tree: &Path, file: &Path) -> Result<bool> {
        let mut command = self.as_user(work_tree, &["check-ignore", "-q", "--"]);
        command.arg(file);
        Ok(self.heard(command).await?.status.success())
    }

    async fn asked_by_user(&self, folder: &Path, arguments: &[&str]) -> Result<Ended> {
        self.heard(self.as_user(folder, arguments)).await
    }

    /// A call as the user's own, by their settings; of these the one that would run a program is switched off.
    fn as_user(&self, folder: &Path, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.beside(self.path());
        command.current_dir(folder).env("GIT_OPTIONAL_LOCKS", "0").args(["-c", "core.fsmonitor=false"]).args(arguments);
        command
    }

    async fn heard(&self, command: tokio::process::Command) -> Result<Ended> {
        let call = Call {
            what: "asking git about its hooks",
            command,
            input: Input::Nothing,
            patience: &Patience::only(LIMIT),
            cancel: &CancellationToken::new(),
            on_line: &mut |_| false,
        };
        call.run().await
    }
}

/// What git said, without the end of the line.
fn said(folder: &Path, ended: Ended) -> Result<Vec<u8>> {
    if !ended.status.success() {
        let words = ended.lines.first().map_or("git gave no reason", String::as_str);
        return Err(Error::new(
            Code::GitFailed,
            format!("git does not open {}: {words}", folder.display()),
            "Run `git status` there, and mend what it says.",
        ));
    }
    let mut said = ended.stdout;
    if said.last() == Some(&b'\n') {
        said.pop();
    }
    Ok(said)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}
