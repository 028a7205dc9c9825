//! Bare repositories on disk: making one, opening one.

use std::path::Path;

use git2::{Repository, RepositoryInitOptions, RepositoryOpenFlags};

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
