//! A sandbox with its temporary folder, and the environment that keeps programs inside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use standin_core::Result;
use standin_sandbox::{Options, Sandbox};
use tempfile::TempDir;

use super::failed;

/// How a stage is made.
pub struct StageOptions {
    /// Begins the name of its temporary folder.
    pub prefix: &'static str,
    /// How long the sandbox holds each request back.
    pub latency: Duration,
    /// Where its files are; a temporary folder where `None`.
    pub data: Option<PathBuf>,
    /// The name of the folder that Standin is started in.
    pub clone: String,
    /// Who acts there.
    pub user: String,
}

/// Where a rehearsal takes place. Its folder goes with it.
pub struct Stage {
    /// GitHub on this machine.
    pub sandbox: Sandbox,
    folder: PathBuf,
    clone: PathBuf,
    user: String,
    // Removes the folder when the stage ends.
    _temporary: Option<TempDir>,
}

/// A repository in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRepository {
    /// Whose it is.
    pub owner: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for SandboxRepository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

impl Stage {
    /// An empty sandbox and the folders that programs need.
    pub async fn open(options: StageOptions) -> Result<Self> {
        let (folder, temporary) = match options.data {
            Some(folder) => (folder, None),
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix(options.prefix)
                    .tempdir()
                    .map_err(|error| failed("no temporary folder", error))?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        for name in ["home", "gh", "state"] {
            std::fs::create_dir_all(folder.join(name)).map_err(|error| failed("no folder", error))?;
        }
        let gh_program = std::env::var_os("STANDIN_GH").map(PathBuf::from);
        let sandbox = Sandbox::start(Options { latency: options.latency, gh_program, ..Options::default() })
            .await
            .map_err(|error| failed("the sandbox does not start", error))?;
        sandbox.write_gh_config(&folder.join("gh")).map_err(|error| failed("no configuration for gh", error))?;
        let clone = folder.join(options.clone);
        std::fs::create_dir_all(&clone).map_err(|error| failed("no folder", error))?;
        Ok(Self { clone, sandbox, folder, user: options.user, _temporary: temporary })
    }

    /// The folder of the stage.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that Standin is started in.
    pub fn clone_path(&self) -> &Path {
        &self.clone
    }

    /// Where a repository of the sandbox is on disk.
    pub fn path(&self, repository: &SandboxRepository) -> PathBuf {
        self.sandbox.repository_path(&repository.owner, &repository.name)
    }

    /// Writes a file into the clone.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.clone.join(name);
        let folder = path.parent().unwrap_or(&self.clone);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| failed(&format!("{name} cannot be written"), error))
    }

    /// Writes a file into the clone that only its owner may read.
    pub fn write_private(&self, name: &str, text: &str) -> Result<()> {
        self.write(name, text)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(self.clone.join(name), std::fs::Permissions::from_mode(0o600))
                .map_err(|error| failed(&format!("{name} cannot be made private"), error))?;
        }
        Ok(())
    }

    /// The variables that make a program part of this stage.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("XDG_CONFIG_HOME".to_owned(), path("home/.config")),
            ("XDG_DATA_HOME".to_owned(), path("home/.local/share")),
            ("USER".to_owned(), self.user.clone()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()),
            ("STANDIN_STATE_DIR".to_owned(), path("state")),
            ("STANDIN_GITHUB_API_URL".to_owned(), self.sandbox.api_url()),
            ("STANDIN_GITHUB_SERVER_URL".to_owned(), self.sandbox.server_url()),
            ("STANDIN_GH_CONFIG_DIR".to_owned(), path("gh")),
        ])
    }

    /// Ends the sandbox.
    pub async fn stop(self) {
        self.sandbox.stop().await;
    }
}
