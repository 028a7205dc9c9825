//! The demo's world: a sandbox with accounts and repositories, a clone of the primary with its `.env`, an archive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use standin_core::Result;
use standin_core::outside::{Clock as _, SystemClock};
use standin_sandbox::{Options, RepositorySpec, Sandbox, TokenKind, TokenSpec};
use tempfile::TempDir;

use super::{failed, program};

/// Who owns the primary.
pub const OWNER: &str = "ada";
/// Who owns the standby.
pub const BACKUP: &str = "ada-backup";
/// The name of both repositories.
pub const NAME: &str = "orchestrator";

/// How the world is made.
pub struct WorldOptions {
    /// How long the sandbox holds each request back.
    pub latency: Duration,
    /// Where its files are; a temporary folder where `None`.
    pub data: Option<PathBuf>,
}

/// The world. Its folder goes with it.
pub struct World {
    /// GitHub on this machine.
    pub sandbox: Sandbox,
    folder: PathBuf,
    clone: PathBuf,
    // Removes the folder when the world ends.
    _temporary: Option<TempDir>,
}

const CRON: &str = "name: Tick\non:\n  schedule:\n    - cron: '13,43 * * * *'\n  push:\njobs:\n  tick:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo tick\n";
const DEPLOY: &str = "name: Deploy site\non: [push]\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo deploy\n";
const TEST: &str =
    "name: Test\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo test\n";

impl World {
    /// Makes the world: about a second.
    pub async fn make(options: &WorldOptions) -> Result<Self> {
        let (folder, temporary) = match &options.data {
            Some(folder) => (folder.clone(), None),
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("standin-demo-")
                    .tempdir()
                    .map_err(|error| failed("no temporary folder", error))?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let sandbox = Sandbox::start(Options { latency: options.latency, ..Options::default() })
            .await
            .map_err(|error| failed("the sandbox does not start", error))?;
        let world = Self { clone: folder.join(NAME), sandbox, folder, _temporary: temporary };
        world.fill().await?;
        Ok(world)
    }

    async fn fill(&self) -> Result<()> {
        let made = |error: standin_sandbox::SandboxError| failed("the sandbox refuses the demo's accounts", error);
        let sandbox = &self.sandbox;
        for login in [OWNER, BACKUP] {
            sandbox.create_account(login);
            sandbox.create_repository(login, NAME, RepositorySpec::default()).await.map_err(made)?;
        }
        for folder in ["home", "gh", "state"] {
            std::fs::create_dir_all(self.folder.join(folder)).map_err(|error| failed("no folder", error))?;
        }
        sandbox.write_gh_config(&self.folder.join("gh")).map_err(|error| failed("no configuration for gh", error))?;
        sandbox.set_variable(OWNER, NAME, "DEPLOY_MODE", "full");
        sandbox.set_variable(OWNER, NAME, "MASTER_REPO", &format!("{OWNER}/{NAME}"));
        self.fill_clone().await?;
        self.write_env("re_demo_key")
    }

    async fn fill_clone(&self) -> Result<()> {
        let bare = self.archive();
        let archive = bare.to_string_lossy();
        program::git(self, &self.folder, &["init", "-q", "--bare", "-b", "main", &archive]).await?;
        program::git(self, &self.folder, &["init", "-q", "-b", "main", NAME]).await?;
        for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.com")] {
            program::git(self, &self.clone, &["config", key, value]).await?;
        }
        self.write("README.md", "# Orchestrator\n")?;
        self.write(".gitignore", ".env\n")?;
        self.write("state/current.json", "{\"meta\": {\"updated_at_iso\": \"2026-02-07T05:00:00Z\"}}\n")?;
        self.write(".github/workflows/cron.yml", CRON)?;
        self.write(".github/workflows/deploy-site.yml", DEPLOY)?;
        self.write(".github/workflows/test.yml", TEST)?;
        self.commit("Begin").await?;
        program::git(self, &self.clone, &["tag", "v1.0"]).await?;
        program::git(self, &self.clone, &["branch", "next"]).await?;
        let url = format!("{}/{OWNER}/{NAME}.git", self.sandbox.server_url());
        program::git(self, &self.clone, &["remote", "add", "origin", &url]).await?;
        self.publish().await
    }

    /// Writes the clone's `.env`; the value is one of its secrets.
    pub fn write_env(&self, key: &str) -> Result<()> {
        let token = |login: &str| {
            self.sandbox.create_token(
                login,
                TokenSpec {
                    kind: TokenKind::Classic { scopes: vec!["repo".to_owned(), "workflow".to_owned()] },
                    expires_at: Some(SystemClock.now() + Duration::from_secs(60 * 60 * 24 * 90)),
                },
            )
        };
        let (source, backup) = (token(OWNER), token(BACKUP));
        let text = format!(
            "# The demo's secrets: made up, and known to nobody but the sandbox.\n\
             RESEND_API_KEY={key}\n\
             TWILIO_AUTH_TOKEN=\"demo $ token # with odd letters\"\n\
             DEPLOY_MODE=full\n\
             \n\
             MIRROR_ENABLED=true\n\
             MIRROR_SOURCE_TOKEN={source}\n\
             MIRROR_SECRETS=RESEND_API_KEY,TWILIO_*\n\
             MIRROR_VARS=DEPLOY_MODE,MASTER_REPO\n\
             \n\
             MIRROR_1_TYPE=github\n\
             MIRROR_1_REPO={BACKUP}/{NAME}\n\
             MIRROR_1_TOKEN={backup}\n\
             \n\
             MIRROR_2_TYPE=git\n\
             MIRROR_2_URL={}\n",
            self.archive().display()
        );
        self.write_private(".env", &text)
    }

    /// Changes one line of `.env` by its name.
    pub fn set_env(&self, name: &str, value: &str) -> Result<()> {
        let path = self.clone.join(".env");
        let text = std::fs::read_to_string(&path).map_err(|error| failed(".env cannot be read", error))?;
        let changed: Vec<String> = text
            .lines()
            .map(|line| if line.starts_with(&format!("{name}=")) { format!("{name}={value}") } else { line.to_owned() })
            .collect();
        self.write_private(".env", &(changed.join("\n") + "\n"))
    }

    /// Writes a file into the clone.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.clone.join(name);
        let folder = path.parent().unwrap_or(&self.clone);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| failed(&format!("{name} cannot be written"), error))
    }

    fn write_private(&self, name: &str, text: &str) -> Result<()> {
        self.write(name, text)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(self.clone.join(name), std::fs::Permissions::from_mode(0o600))
                .map_err(|error| failed(&format!("{name} cannot be made private"), error))?;
        }
        Ok(())
    }

    /// Commits everything in the clone; gives the commit.
    pub async fn commit(&self, message: &str) -> Result<String> {
        program::git(self, &self.clone, &["add", "--all"]).await?;
        program::git(self, &self.clone, &["commit", "-q", "--allow-empty", "-m", message]).await?;
        program::git(self, &self.clone, &["rev-parse", "HEAD"]).await
    }

    /// Pushes the clone to the primary, as its owner would (straight into the sandbox's folder).
    pub async fn publish(&self) -> Result<()> {
        let primary = self.primary();
        program::git(self, &self.clone, &["push", "-q", &primary.to_string_lossy(), "--all"]).await?;
        program::git(self, &self.clone, &["push", "-q", &primary.to_string_lossy(), "--tags"]).await?;
        Ok(())
    }

    /// Where the primary's repository is on disk.
    pub fn primary(&self) -> PathBuf {
        self.sandbox.repository_path(OWNER, NAME)
    }

    /// Where the standby's repository is on disk.
    pub fn standby(&self) -> PathBuf {
        self.sandbox.repository_path(BACKUP, NAME)
    }

    /// Where the archive is on disk.
    pub fn archive(&self) -> PathBuf {
        self.folder.join("archive.git")
    }

    /// The clone that Standin is started in.
    pub fn clone_path(&self) -> &Path {
        &self.clone
    }

    /// The variables that make a program part of this world.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("XDG_CONFIG_HOME".to_owned(), path("home/.config")),
            ("XDG_DATA_HOME".to_owned(), path("home/.local/share")),
            ("USER".to_owned(), OWNER.to_owned()),
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
