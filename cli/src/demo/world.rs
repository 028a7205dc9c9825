//! The demo's world: a sandbox with accounts and repositories, a clone of the primary with its `.env`, an archive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use standin_core::Result;
use standin_core::outside::{Clock as _, SystemClock};
use standin_core::state::config::SentinelSettings;
use standin_sandbox::{RepositorySpec, TokenKind, TokenSpec};

use crate::rehearsal::{Pair, SandboxRepository, Stage, StageOptions, failed, program};

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

/// The world.
pub struct World {
    /// Where it is.
    pub stage: Stage,
}

const CRON: &str = "name: Tick\non:\n  schedule:\n    - cron: '13,43 * * * *'\n  push:\njobs:\n  tick:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo tick\n";
const DEPLOY: &str = "name: Deploy site\non: [push]\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo deploy\n";
const TEST: &str =
    "name: Test\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo test\n";

impl World {
    /// Makes the world: about a second.
    pub async fn make(options: &WorldOptions) -> Result<Self> {
        let stage = Stage::open(StageOptions {
            prefix: "standin-demo-",
            latency: options.latency,
            data: options.data.clone(),
            clone: NAME.to_owned(),
            user: OWNER.to_owned(),
        });
        let world = Self { stage: stage.await? };
        world.fill().await?;
        Ok(world)
    }

    async fn fill(&self) -> Result<()> {
        let made = |error: standin_sandbox::SandboxError| failed("the sandbox refuses the demo's accounts", error);
        let sandbox = &self.stage.sandbox;
        for login in [OWNER, BACKUP] {
            sandbox.create_account(login);
            sandbox.create_repository(login, NAME, RepositorySpec::default()).await.map_err(made)?;
        }
        sandbox.set_variable(OWNER, NAME, "DEPLOY_MODE", "full");
        sandbox.set_variable(OWNER, NAME, "MASTER_REPO", &format!("{OWNER}/{NAME}"));
        self.fill_clone().await?;
        self.write_env("re_demo_key")
    }

    async fn fill_clone(&self) -> Result<()> {
        let bare = self.archive();
        let archive = bare.to_string_lossy();
        program::git(&self.stage, self.stage.folder(), &["init", "-q", "--bare", "-b", "main", &archive]).await?;
        program::git(&self.stage, self.stage.folder(), &["init", "-q", "-b", "main", NAME]).await?;
        for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.com")] {
            program::git(&self.stage, self.clone_path(), &["config", key, value]).await?;
        }
        self.stage.write("README.md", "# Orchestrator\n")?;
        self.stage.write(".gitignore", ".env\n")?;
        self.stage.write("state/current.json", "{\"meta\": {\"updated_at_iso\": \"2026-02-07T05:00:00Z\"}}\n")?;
        self.stage.write(".github/workflows/cron.yml", CRON)?;
        self.stage.write(".github/workflows/deploy-site.yml", DEPLOY)?;
        self.stage.write(".github/workflows/test.yml", TEST)?;
        self.commit("Begin").await?;
        program::git(&self.stage, self.clone_path(), &["tag", "v1.0"]).await?;
        program::git(&self.stage, self.clone_path(), &["branch", "next"]).await?;
        let url = format!("{}/{OWNER}/{NAME}.git", self.stage.sandbox.server_url());
        program::git(&self.stage, self.clone_path(), &["remote", "add", "origin", &url]).await?;
        self.publish().await
    }

    /// Writes the clone's `.env`; the value is one of its secrets.
    pub fn write_env(&self, key: &str) -> Result<()> {
        let token = |login: &str| {
            self.stage.sandbox.create_token(
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
        self.stage.write_private(".env", &text)
    }

    /// Changes one line of `.env` by its name.
    pub fn set_env(&self, name: &str, value: &str) -> Result<()> {
        let path = self.clone_path().join(".env");
        let text = std::fs::read_to_string(&path).map_err(|error| failed(".env cannot be read", error))?;
        let changed: Vec<String> = text
            .lines()
            .map(|line| if line.starts_with(&format!("{name}=")) { format!("{name}={value}") } else { line.to_owned() })
            .collect();
        self.stage.write_private(".env", &(changed.join("\n") + "\n"))
    }

    /// Commits everything in the clone; gives the commit.
    pub async fn commit(&self, message: &str) -> Result<String> {
        program::git(&self.stage, self.clone_path(), &["add", "--all"]).await?;
        program::git(&self.stage, self.clone_path(), &["commit", "-q", "--allow-empty", "-m", message]).await?;
        program::git(&self.stage, self.clone_path(), &["rev-parse", "HEAD"]).await
    }

    /// Brings the clone what the primary got meanwhile.
    pub async fn catch_up(&self) -> Result<()> {
        let primary = self.primary();
        let pull = ["pull", "-q", "--ff-only", &primary.to_string_lossy(), "main"];
        program::git(&self.stage, self.clone_path(), &pull).await.map(drop)
    }

    /// Pushes the clone to the primary, as its owner would (straight into the sandbox's folder).
    pub async fn publish(&self) -> Result<()> {
        let primary = self.primary();
        program::git(&self.stage, self.clone_path(), &["push", "-q", &primary.to_string_lossy(), "--all"]).await?;
        program::git(&self.stage, self.clone_path(), &["push", "-q", &primary.to_string_lossy(), "--tags"]).await?;
        Ok(())
    }

    /// Where the primary's repository is on disk.
    pub fn primary(&self) -> PathBuf {
        self.stage.path(&primary())
    }

    /// Where the standby's repository is on disk.
    pub fn standby(&self) -> PathBuf {
        self.stage.path(&standby())
    }

    /// Where the archive is on disk.
    pub fn archive(&self) -> PathBuf {
        self.stage.folder().join("archive.git")
    }

    /// The clone that Standin is started in.
    pub fn clone_path(&self) -> &Path {
        self.stage.clone_path()
    }

    /// The primary and its standby.
    pub fn pair(&self) -> Pair<'_> {
        let sentinel = SentinelSettings::default();
        Pair {
            stage: &self.stage,
            master: primary(),
            standby: standby(),
            mirror: "mirror-1".to_owned(),
            interval: sentinel.interval,
            threshold: sentinel.threshold,
        }
    }
}

fn primary() -> SandboxRepository {
    SandboxRepository { owner: OWNER.to_owned(), name: NAME.to_owned() }
}

fn standby() -> SandboxRepository {
    SandboxRepository { owner: BACKUP.to_owned(), name: NAME.to_owned() }
}
