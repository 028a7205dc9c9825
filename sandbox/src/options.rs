//! What a sandbox can be told before it starts, and why it may fail to.

use std::path::PathBuf;
use std::time::Duration;

use crate::world::Execute;

/// Settings of one sandbox; the defaults are GitHub's own limits, without latency.
#[derive(Debug, Clone)]
pub struct Options {
    /// Waited before each REST and git request is answered.
    pub latency: Duration,
    /// Largest page that a list gives; GitHub's is 100.
    pub page_size_max: usize,
    /// Requests an account may make in an hour.
    pub rate_limit_per_hour: u64,
    /// Content-making requests (POST, PUT, PATCH, DELETE) an account may make; `None` switches the limit off.
    pub secondary_limit: Option<SecondaryLimit>,
    /// Largest file that a push may bring, in bytes.
    pub file_size_limit: u64,
    /// Largest secret or variable value, in bytes.
    pub value_size_limit: usize,
    /// Secrets a repository may have.
    pub secret_count_limit: usize,
    /// Variables a repository may have.
    pub variable_count_limit: usize,
    /// Keep request and answer bodies of REST traffic, for [`crate::openapi`]. Sealed secrets stay sealed in them.
    pub record_bodies: bool,
    /// Where the bare repositories are put, in a new folder for each start that stays at the end; when absent, in a
    /// temporary folder that is removed.
    pub data_dir: Option<PathBuf>,
    /// Which workflows of new repositories are carried out; the others are only counted.
    pub execute: Execute,
    /// The program that the steps of workflows find as `gh`; when absent, whatever the search path has.
    pub gh_program: Option<PathBuf>,
    /// The program `git`; its `http-backend` serves clones and pushes.
    pub git_program: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            page_size_max: 100,
            rate_limit_per_hour: 5_000,
            secondary_limit: Some(SecondaryLimit::default()),
            file_size_limit: 100 * 1024 * 1024,
            value_size_limit: 48 * 1024,
            secret_count_limit: 100,
            variable_count_limit: 500,
            record_bodies: false,
            data_dir: None,
            execute: Execute::None,
            gh_program: None,
            git_program: PathBuf::from("git"),
        }
    }
}

/// How fast content may be made before the host says "secondary rate limit".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondaryLimit {
    /// Content-making requests in any 60 seconds.
    pub per_minute: usize,
    /// Content-making requests in any hour.
    pub per_hour: usize,
    /// The refusal's status: 403 or 429, as GitHub gives either.
    pub status: u16,
}

impl Default for SecondaryLimit {
    fn default() -> Self {
        Self { per_minute: 80, per_hour: 500, status: 403 }
    }
}

/// Why the sandbox could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A folder, file or socket could not be made.
    #[error("cannot prepare {what}: {source}")]
    Prepare {
        /// What was being made.
        what: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A bare repository could not be made or read.
    #[error("cannot use the repository {repository}: {source}")]
    Repository {
        /// Owner and name.
        repository: String,
        /// libgit2's reason.
        source: git2::Error,
    },
    /// The owner does not exist yet.
    #[error("there is no account {0}; create it with create_account first")]
    NoAccount(String),
    /// No such repository.
    #[error("there is no repository {0}; create it with create_repository first")]
    NoRepository(String),
    /// The owner already has a repository of that name.
    #[error("the repository {0} exists already")]
    RepositoryExists(String),
    /// The name cannot be used on GitHub.
    #[error("{0:?} is not a name that GitHub allows")]
    InvalidName(String),
    /// The host would not start that run.
    #[error("{workflow} cannot be started in {repository}: {reason}")]
    NotStarted {
        /// Owner and name.
        repository: String,
        /// Name or path of the workflow.
        workflow: String,
        /// The host's reason.
        reason: String,
    },
    /// Runs were waited for, but did not end.
    #[error("{0} runs have not ended within {1:?}")]
    StillRunning(usize, Duration),
    /// The server has been stopped.
    #[error("the sandbox has been stopped")]
    Stopped,
}
