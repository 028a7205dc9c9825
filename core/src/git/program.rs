//! Finding the git program, and the command line and environment that every call of it has.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::child::{Call, Input, Patience};
use super::environment;
use super::local::AT_WORK;
use crate::processes::on_path;
use crate::{Code, Error, Result};

/// A version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// The oldest git that keeps Standin's promises. 2.36 brought `core.fsync`, without which refs and packs of the cache
/// may be lost with the power; on the way there came what else is relied on: `--atomic` over HTTP (2.27),
/// `--no-write-fetch-head` (2.29), `fetch --atomic` (2.31) and `GIT_CONFIG_GLOBAL` (2.32).
/// `http.proactiveAuth` (2.46), which saves a round trip, is used where it is known and ignored where not.
pub const MINIMUM_VERSION: Version = Version(2, 36);

/// How many gits may talk to a remote at once, whatever number of runs goes on: each may hold a pack in memory.
const AT_ONCE: usize = 16;

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// Reads the answer of `git --version`, such as `git version 2.39.5 (Apple Git-154)`.
    fn parse(answer: &str) -> Option<Self> {
        let mut numbers = answer.trim().strip_prefix("git version ")?.split('.');
        let mut next = || numbers.next()?.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok();
        Some(Self(next()?, next()?))
    }
}

/// Settings that every call has. They are given on the command line, so that no file can weaken them.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "http.followRedirects=false",
    "credential.helper=",
    "credential.interactive=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.negotiate=false",
    "push.recurseSubmodules=no",
    "push.useForceIfIncludes=false",
    "fetch.recurseSubmodules=false",
    // Transferred objects are always checked against their ids, and refs for connectivity. The further checks of
    // `fsckObjects` also refuse harmless oddities of old history, which a mirror has to carry as they are.
    "transfer.fsckObjects=false",
    // One pack with one fsync rather than many loose objects, however small the transfer.
    "transfer.unpackLimit=1",
];

/// The git program, checked. Cheap to clone.
#[derive(Clone)]
pub struct GitProgram(Arc<Inner>);

struct Inner {
    program: PathBuf,
    version: Version,
    environment: BTreeMap<String, String>,
    credential_helper: PathBuf,
    user_settings: String,
    first_branch: Option<String>,
    places: Semaphore,
}

impl fmt::Debug for GitProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GitProgram")
            .field("program", &self.0.program)
            .field("version", &self.0.version)
            .finish()
    }
}

impl GitProgram {
    /// Finds git: `STANDIN_GIT`, else the first on `PATH`, and checks its version.
    ///
    /// `environment` is the environment that this program was started with; children see only a few variables of it.
    /// `credential_helper` is the program that git starts to ask for a token: one whose `main` calls
    /// [`super::credential::answer_if_asked`] first. Of the user's git configuration only proxies, certificates and trusted
    /// folders are kept (see `environment::keeps_setting`).
    ///
    /// # Errors
    /// [`Code::GitMissing`] when there is none or it is older than [`MINIMUM_VERSION`].
    pub async fn find(environment: &BTreeMap<String, String>, credential_helper: &Path) -> Result<Self> {
        let program = match environment.get("STANDIN_GIT").filter(|program| !program.is_empty()) {
            Some(program) => PathBuf::from(program),
            None => environment.get("PATH").and_then(|path| on_path("git", OsStr::new(path))).ok_or_else(|| {
                Error::new(
                    Code::GitMissing,
                    "git is not installed: there is none on PATH",
                    format!("Install git {MINIMUM_VERSION} or later, or set STANDIN_GIT to its path."),
                )
            })?,
        };
        let mut seen = environment::for_children(environment);
        seen.insert(AT_WORK.to_owned(), "1".to_owned());
        let mut inner = Inner {
            program,
            version: MINIMUM_VERSION,
            environment: seen,
            credential_helper: credential_helper.to_owned(),
            user_settings: String::new(),
            first_branch: None,
            places: Semaphore::new(AT_ONCE),
        };
        let unusable = |why: String| {
            Error::new(
                Code::GitMissing,
                format!("git at `{}` cannot be used: {why}", inner.program.display()),
                format!("Install git {MINIMUM_VERSION} or later, or set STANDIN_GIT to its path."),
            )
        };
        let answer = inner.ask(&["--version"]).await.map_err(|error| unusable(error.message))?;
        let version = Version::parse(&answer).ok_or_else(|| unusable(format!("`{}` is no version", answer.trim())))?;
        if version < MINIMUM_VERSION {
            return Err(unusable(format!("it is version {version}, and {MINIMUM_VERSION} is needed")));
        }
        inner.version = version;
        // The stronger last, as git reads them. A file that does not exist is no failure.
        let (system, global) = tokio::join!(
            inner.ask(&["config", "--system", "--list", "-z"]),
            inner.ask(&["config", "--global", "--list", "-z", "--includes"])
        );
        let listed: Vec<String> = [system, global].into_iter().flatten().collect();
        let settings: Vec<_> = listed.iter().flat_map(|listed| environment::kept_settings(listed)).collect();
        inner.first_branch =
            listed.iter().filter_map(|listed| environment::setting(listed, "init.defaultbranch")).next_back();
        inner.user_settings = environment::settings_file(&settings);
        Ok(Self(Arc::new(inner)))
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0.program
    }

    /// The program that git asks for a token.
    pub(super) fn credential_helper(&self) -> &Path {
        &self.0.credential_helper
    }

    /// The home folder that children see.
    pub(super) fn home(&self) -> Option<&Path> {
        self.0.environment.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(Path::new)
    }

    /// A place among the gits that may talk to a remote at once. The semaphore is never closed, so that one always comes.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.0.places.acquire().await.ok()
    }

    /// The name that the user's git gives to the first branch of a new repository, where the user chose one.
    pub(crate) fn first_branch(&self) -> Option<&str> {
        self.0.first_branch.as_deref()
    }

    /// What is kept of the user's git configuration, as the text of a configuration file.
    pub(super) fn user_settings(&self) -> &str {
        &self.0.user_settings
    }

    /// Another program (ssh, ssh-keyscan) with the environment that git's children have.
    pub(crate) fn beside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.0.environment);
        command
    }

    /// A call of git on the repository at `git_dir`, for work of our own: no configuration of the user or of the
    /// machine, no hooks, no questions, and `global_settings`, where given, as the user's configuration.
    pub(super) fn command(&self, git_dir: &Path, global_settings: Option<&Path>) -> Command {
        let mut command = Command::new(&self.0.program);
        command
            .env_clear()
            .envs(&self.0.environment)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", global_settings.unwrap_or(Path::new("/dev/null")))
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .arg("--git-dir")
            .arg(git_dir);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    /// Runs a local command on the repository at `git_dir`.
    ///
    /// # Errors
    /// [`Code::Cancelled`], [`Code::TimedOut`] after `silent_limit` without a word, [`Code::GitFailed`] with git's words.
    pub(super) async fn run_local(
        &self,
        what: &str,
        git_dir: &Path,
        arguments: &[&str],
        input: Input,
        silent_limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>> {
        let mut command = self.command(git_dir, None);
        command.current_dir(git_dir).env("GIT_ALLOW_PROTOCOL", "none").args(arguments);
        let patience = Patience::only(silent_limit);
        let call = Call { what, command, input, patience: &patience, cancel, on_line: &mut |_| false };
        let ended = call.run().await?;
        if ended.status.success() {
            return Ok(ended.stdout);
        }
        Err(Error::new(
            Code::GitFailed,
            format!("{what}: {}", ended.lines.last().map_or("git gave no reason", String::as_str)),
            "Check the disk and the rights of Standin's data folder.",
        ))
    }
}

impl Inner {
    /// A short question to git itself, outside of any repository.
    async fn ask(&self, arguments: &[&str]) -> Result<String> {
        let folder = self.program.parent().filter(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.environment).current_dir(folder).args(arguments);
        let call = Call {
            what: "asking git",
            command,
            input: Input::Nothing,
            patience: &Patience::only(Duration::from_secs(20)),
            cancel: &CancellationToken::new(),
            on_line: &mut |_| false,
        };
        let ended = call.run().await?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let words = ended.lines.first().map_or("it ended with an error", String::as_str);
        Err(Error::new(Code::GitMissing, words, "Check the installation of git."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        assert_eq!(Version::parse("git version 2.47.3\n"), Some(Version(2, 47)));
        assert_eq!(Version::parse("git version 2.39.5 (Apple Git-154)"), Some(Version(2, 39)));
        assert_eq!(Version::parse("git version 2.46.0.windows.1"), Some(Version(2, 46)));
        assert_eq!(Version::parse("git version 3.0-rc1"), Some(Version(3, 0)));
        assert_eq!(Version::parse("hub version 2.1"), None);
        assert!(Version(2, 9) < MINIMUM_VERSION && Version(3, 0) > MINIMUM_VERSION);
    }
}
