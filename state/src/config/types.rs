//! The merged configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::consent::Consent;
use super::mistakes::ConfigError;
use super::notify::Notify;
use super::pulled::PullTarget;
use super::rhythm::Rhythm;
use super::updates::Updates;
use crate::error::Error;
use crate::model::{Aspect, MirrorId, MirrorType, RepositoryId, Site, Slug};

/// Everything that is configured, after merging.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// When syncs run by themselves.
    pub schedule: Schedule,
    /// How much may happen at once, and for how long.
    pub limits: Limits,
    /// How long what happened is kept.
    pub history: History,
    /// Who is told of what changed (`[[notify]]`, `[quiet_hours]`, `[schedule] ping_url`; in `standin.toml` alone).
    pub notify: Notify,
    /// How the window's program comes by newer versions of itself (`[updates]`; in `standin.toml` alone).
    pub updates: Updates,
    /// Hosts with addresses of their own; the empty list means github.com as it is.
    pub hosts: Vec<GitHubHost>,
    /// What is looked after. The repository at hand, if there is one, comes first.
    pub repositories: Vec<RepositoryConfig>,
    /// The repository around the current folder (or `--repo`), if it is one of `repositories`.
    pub at_hand: Option<RepositoryId>,
}

/// When syncs run by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whether the schedule runs at all.
    pub enabled: bool,
    /// Time between syncs; the first is at the start.
    pub interval: Duration,
    /// Time between two looks whether a source on GitHub has moved (`[schedule] look_at_source`); `None` without such looks.
    pub look_at_source: Option<Duration>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(60 * 60), look_at_source: None }
    }
}

/// How much may happen at once, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many mirrors are synced at once (`[limits] parallel`, `STANDIN_PARALLEL`; 32 where nothing is said). A run spends
    /// nearly all of its time waiting for its host, so many of them share a small machine well; what does cost memory and
    /// processor time, the git programs that pack, has a bound of its own, lower than this.
    pub parallel: usize,
    /// How long one run of one mirror may take (`[limits] run`).
    pub run: Duration,
    /// How long one request, or the next word of a host that git waits for, may take (`[limits] request`). Work on this
    /// machine, and that of a server on a push, has the time of the run.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parallel: 32, run: Duration::from_secs(30 * 60), request: Duration::from_secs(60) }
    }
}

/// How long what happened is kept (`[history]`, `STANDIN_KEEP_RUNS`, `STANDIN_KEEP_UNCHANGED_RUNS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// How long a run is kept (`[history] keep`).
    pub keep: Duration,
    /// How long a run is kept that found nothing to do (`[history] keep_unchanged`).
    pub keep_unchanged: Duration,
}

impl Default for History {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { keep: day * 365, keep_unchanged: day * 30 }
    }
}

/// A GitHub host whose addresses are not the usual ones (`[[host]]`, or `STANDIN_GITHUB_*` for github.com).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubHost {
    /// The name in slugs; `github.com` for slugs without one.
    pub name: String,
    /// Where REST requests go (`api_url`), such as `https://ghe.example.com/api/v3`.
    pub api_url: String,
    /// Where git goes (`server_url`): `{server_url}/{owner}/{name}.git`.
    pub server_url: String,
    /// `GH_CONFIG_DIR` for gh against this host (`gh_config_dir`).
    pub gh_config_dir: Option<PathBuf>,
}

/// One repository that the user looks after.
#[derive(Clone, Debug)]
pub struct RepositoryConfig {
    /// The user's name of it.
    pub id: RepositoryId,
    /// Whether anything of it may be done.
    pub consent: Consent,
    /// What is wrong where a clone has a say in it: then nothing of it is done, and this is what is known without that.
    pub mistakes: Vec<ConfigError>,
    /// What is wrong with what its files say by now, while this, which they said before, still holds.
    pub newer_mistakes: Vec<ConfigError>,
    /// `MIRROR_ENABLED`: `false` stops every sync of it, by hand too.
    pub enabled: bool,
    /// Where the code comes from.
    pub source: Source,
    /// `MIRROR_SOURCE_TOKEN`, from the environment or `.env`.
    pub source_token: Option<SecretString>,
    /// The clone that Standin was started in or that the file names; none where the source is remote only.
    pub clone: Option<PathBuf>,
    /// The `.env` file, where there is one.
    pub env_file: Option<PathBuf>,
    /// Values that may be sent as secrets.
    pub secrets: SecretValues,
    /// Values that may be sent as variables.
    pub variables: VariableValues,
    /// Workflow file names (`test.yml`) that a `SLAVE` may keep running.
    pub keep_active: BTreeSet<String>,
    /// Whether `refs/notes/*` travel too.
    pub notes: bool,
    /// How the master shows that it is alive.
    pub heartbeat: Option<Heartbeat>,
    /// How the sentinel watches it (`[repository.sentinel]`).
    pub sentinel: SentinelSettings,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<MirrorConfig>,
    /// The configured mirror that is master and therefore the source here; `None` as it is configured. Only
    /// [`RepositoryConfig::turned_to`] sets it.
    pub master: Option<MirrorId>,
    /// The repository as it is configured, where [`RepositoryConfig::turned_to`] made this one of it.
    pub home: Option<Arc<RepositoryConfig>>,
}

impl RepositoryConfig {
    /// Whether it may be synced by itself: what is switched off, waits for a yes or has mistakes is not; status says so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.enabled && self.consent.question().is_none() && self.mistakes.is_empty()
    }

    /// The same repository with one of its `github` mirrors as source, and the configured source among the mirrors under
    /// the id [`MirrorId::source`]. `None` where one of the two is not on GitHub, since only those have a role.
    #[must_use]
    pub fn turned_to(&self, id: &MirrorId) -> Option<Self> {
        let master = self.mirror(id)?;
        let (Target::GitHub(slug), Source::GitHub(home), None) = (&master.target, &self.source, &self.master) else {
            return None;
        };
        let home = MirrorConfig {
            id: MirrorId::source(),
            target: Target::GitHub(home.clone()),
            enabled: true,
            sync: master.sync.clone(),
            rhythm: master.rhythm.clone(),
            token: self.source_token.clone(),
        };
        let source = Source::GitHub(slug.clone());
        let others = self.mirrors.iter().filter(|mirror| mirror.id != *id).cloned();
        let others = others.map(|mirror| MirrorConfig { target: mirror.target.turned_to(&source), ..mirror });
        Some(Self {
            source: source.clone(),
            source_token: master.token.clone(),
            mirrors: std::iter::once(home).chain(others).collect(),
            master: Some(id.clone()),
            home: Some(Arc::new(self.clone())),
            ..self.clone()
        })
    }

    /// Every place that it is about, as it is shown: its mirrors, then its source.
    pub fn places(&self) -> impl Iterator<Item = (MirrorId, Site)> {
        let mirrors = self.mirrors.iter().map(|mirror| (mirror.id.clone(), mirror.target.site()));
        mirrors.chain([(MirrorId::source(), self.source.site())])
    }

    /// The mirror with this id.
    pub fn mirror(&self, id: &MirrorId) -> Option<&MirrorConfig> {
        self.mirrors.iter().find(|mirror| mirror.id == *id)
    }
}

/// Where the code of a repository comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository on GitHub.
    GitHub(Slug),
    /// Any other git URL (never with credentials in it).
    Url(String),
    /// A clone on this machine.
    Path(PathBuf),
}

/// Which secrets travel, and their values.
#[derive(Clone, Debug, Default)]
pub struct SecretValues {
    /// `true` where the user listed names (`secrets = […]`, `MIRROR_SECRETS`); `false` means that `values` are
    /// candidates, each of which needs a yes once for each mirror.
    pub listed: bool,
    /// Names and globs as the user listed them.
    pub patterns: Vec<String>,
    /// Plain names in `patterns` for which no value was found here.
    pub missing: BTreeSet<String>,
    /// The values, by name.
    pub values: BTreeMap<String, SecretString>,
    /// Names in `values` whose value is the vault's; the others stand in `.env`.
    pub from_vault: BTreeSet<String>,
    /// Why the vault, which is needed, could not be opened.
    pub vault_failure: Option<Error>,
}

/// Which variables travel, and the values known here.
#[derive(Clone, Debug, Default)]
pub struct VariableValues {
    /// Names and globs as the user listed them (`variables = […]`, `MIRROR_VARS`); with none, all of the
    /// source's own Actions variables travel.
    pub patterns: Vec<String>,
    /// Values from `.env` of listed names; the source's own Actions variables fill the rest.
    pub values: BTreeMap<String, String>,
}

/// How the master shows that it is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// A JSON file in the repository.
    pub path: String,
    /// The field that holds the time, with dots.
    pub field: String,
    /// How old it may be.
    pub max_age: Duration,
}

/// How the sentinel judges the master and what it may do (`[repository.sentinel]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelSettings {
    /// Failed checks in a row before a standby takes over; twice as many where the master is gone instead of down.
    pub threshold: u32,
    /// Time between two checks: a part of an hour, or whole hours that divide a day.
    pub interval: Duration,
    /// Whether it hands back by itself once the master is well again.
    pub auto_demotion: bool,
    /// Whether a master that is gone (404, 403, 451 for a valid token) counts at all.
    pub gone_counts: bool,
    /// Whether it pushes the standby's commits to the master when it hands back.
    pub write_to_master: bool,
}

impl Default for SentinelSettings {
    fn default() -> Self {
        Self {
            threshold: 3,
            interval: Duration::from_secs(30 * 60),
            auto_demotion: true,
            gone_counts: true,
            write_to_master: false,
        }
    }
}

/// One mirror.
#[derive(Clone, Debug)]
pub struct MirrorConfig {
    /// The user's name of it.
    pub id: MirrorId,
    /// What it is, and where.
    pub target: Target,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What is kept in step.
    pub sync: BTreeSet<Aspect>,
    /// When it is synced by itself (`schedule`, also of the repository); `None` where the schedule's interval holds.
    pub rhythm: Option<Rhythm>,
    /// `MIRROR_<n>_TOKEN`, from the environment or `.env`.
    pub token: Option<SecretString>,
}

impl MirrorConfig {
    /// When it is synced by itself.
    pub fn rhythm(&self, schedule: &Schedule) -> Rhythm {
        self.rhythm.clone().unwrap_or(Rhythm::Every(schedule.interval))
    }

    /// The repository on GitHub that it is: such a mirror has secrets, variables, workflows, a default branch that can be
    /// set, and a role.
    pub fn slug(&self) -> Option<&Slug> {
        self.target.slug()
    }

    /// The kind of mirror that it is.
    pub fn kind(&self) -> MirrorType {
        self.target.kind()
    }
}

/// What a mirror is, with what only that kind of mirror has. Whoever asks for one of the kinds names them all, so that a new
/// one does not compile before each place has said what it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A repository on GitHub.
    GitHub(Slug),
    /// Any other repository that git can push to.
    Git(GitTarget),
    /// A bare repository on this machine that an upstream is pulled into. Nothing is pushed, and it has no role.
    Pull(PullTarget),
}

/// A repository that git can push to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitTarget {
    /// Its URL or path (never with credentials in it).
    pub url: String,
    /// The private key for ssh URLs; the default is what ssh itself would use.
    pub ssh_key: Option<PathBuf>,
    /// Whether the hooks of a mirror that is a folder, and the programs that its own git settings name, run there (`hooks`,
    /// in `standin.toml` alone).
    pub hooks: bool,
}

impl Target {
    /// A repository that git can push to, with nothing said besides.
    pub fn git(url: impl Into<String>) -> Self {
        Self::Git(GitTarget { url: url.into(), ssh_key: None, hooks: false })
    }

    /// The kind of mirror.
    pub fn kind(&self) -> MirrorType {
        match self {
            Self::GitHub(_) => MirrorType::GitHub,
            Self::Git(_) => MirrorType::Git,
            Self::Pull(_) => MirrorType::Pull,
        }
    }

    /// The target as it may be shown.
    pub fn display(&self) -> String {
        match self {
            Self::GitHub(slug) => slug.to_string(),
            Self::Git(git) => git.url.clone(),
            Self::Pull(pull) => pull.display(),
        }
    }

    /// Where it is, to be compared.
    pub fn site(&self) -> Site {
        self.display().into()
    }

    /// The repository on GitHub that it is.
    pub fn slug(&self) -> Option<&Slug> {
        match self {
            Self::GitHub(slug) => Some(slug),
            Self::Git(_) | Self::Pull(_) => None,
        }
    }

    /// The repository that git pushes to and that Standin knows no more of.
    pub fn pushed_to(&self) -> Option<&GitTarget> {
        match self {
            Self::Git(git) => Some(git),
            Self::GitHub(_) | Self::Pull(_) => None,
        }
    }

    /// The upstream that is kept here, where it is such a mirror.
    pub fn pulled(&self) -> Option<&PullTarget> {
        match self {
            Self::Pull(pull) => Some(pull),
            Self::GitHub(_) | Self::Git(_) => None,
        }
    }

    /// The same mirror once `source` is the repository's source.
    fn turned_to(self, source: &Source) -> Self {
        match self {
            Self::Pull(pull) if pull.follows_source => Self::Pull(PullTarget { upstream: source.clone(), ..pull }),
            Self::GitHub(_) | Self::Git(_) | Self::Pull(_) => self,
        }
    }
}

impl Source {
    /// The source as it may be shown.
    pub fn display(&self) -> String {
        match self {
            Self::GitHub(slug) => slug.to_string(),
            Self::Url(url) => url.clone(),
            Self::Path(path) => path.display().to_string(),
        }
    }

    /// Where it is, to be compared.
    pub fn site(&self) -> Site {
        self.display().into()
    }
}
