//! Bare repositories on disk: making one, opening one.

use std::path::Path;
use std::time::Duration;

use git2::{ErrorCode, Repository, RepositoryInitOptions, RepositoryOpenFlags};

/// How often and how long another writer of the same ref is waited for.
const LOCK_ATTEMPTS: u32 = 200;
const LOCK_WAIT: Duration = Duration::from_millis(2);

/// What every repository of the sandbox is set to. Nothing is synced to disk: it is thrown away with the sandbox.
const CONFIG: &str = "\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	fsync = none
	logAllRefUpdates = false
[gc]
	auto = 0
[http]
	receivepack = true
[receive]
	advertiseAtomic = true
	advertisePushOptions = true
	autogc = false
	denyDeleteCurrent = ignore
	hideRefs = refs/pull
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
";

/// Makes an empty bare repository whose `HEAD` is this branch.
pub(crate) fn create_bare(path: &Path, default_branch: &str) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).mkpath(true).no_reinit(true).external_template(false).initial_head(default_branch);
    let repository = Repository::init_opts(path, &options)?;
    std::fs::write(repository.path().join("config"), CONFIG)
        .map_err(|error| git2::Error::from_str(&format!("cannot write the configuration: {error}")))
}

/// Opens a repository of the sandbox.
pub(crate) fn open(path: &Path) -> Result<Repository, git2::Error> {
    Repository::open_ext(
        path,
        RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_DOTGIT,
        std::iter::empty::<&Path>(),
    )
}

/// True if the repository has no ref at all. (libgit2's own answer depends on what the default branch is called.)
pub(crate) fn is_empty(repository: &Repository) -> Result<bool, git2::Error> {
    Ok(repository.references()?.next().is_none())
}

/// Changes a ref, again while another writer holds its lock. Blocks.
///
/// # Errors
/// libgit2's reason: `Modified` or `Exists` when the other writer was faster.
pub(crate) fn change_ref<T>(mut change: impl FnMut() -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    for _ in 1..LOCK_ATTEMPTS {
        match change() {
            Err(error) if error.code() == ErrorCode::Locked => std::thread::sleep(LOCK_WAIT),
            outcome => return outcome,
        }
    }
    change()
}
