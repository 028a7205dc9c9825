//! Changing `standin.toml` or a clone's `.env`: one [`Edit`], and the text that comes of it.
//!
//! The text is cut and mended where the edit speaks of it, and nowhere else: comments, order, blank lines, line ends and keys
//! that nobody knows stay byte for byte ([`in_toml`], [`in_env`]). What comes of it is read by the ordinary loader before
//! anything is written ([`draft`]), and written only where the file is what it was then ([`Edited::write`]).
//!
//! No token goes through here: neither file is given one.

mod difference;
mod draft;
mod in_env;
mod in_toml;
mod pieces;
mod place;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use draft::{Edited, draft, outline, read};
pub use in_env::{has_mirror as has_mirror_in_env, next_id as next_id_in_env, speaks_of_standin};
pub use in_toml::{Outline, OutlinedMirror};
pub(super) use place::is_named;
pub use place::{config_file, env_file_at_hand, whole_path};

use crate::model::{Aspect, MirrorId, MirrorType, RepositoryId};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, rename = "ConfigForm")]
pub enum Form {
    /// As `standin.toml`.
    Toml,
    /// As a clone's `.env`.
    Env,
}

/// One change of what is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "edit", rename_all = "snake_case")]
#[ts(export, rename = "ConfigEdit")]
pub enum Edit {
    /// A repository that is not there yet. A `.env` speaks of its own clone, so there is none to add in one.
    AddRepository {
        /// Its id.
        repository: RepositoryId,
        /// What is said of it, in this order.
        settings: Vec<Setting<RepositoryKey>>,
    },
    /// What is said of a repository.
    ChangeRepository {
        /// Its id. In a `.env` it is the clone's, whatever it is called.
        repository: RepositoryId,
        /// What is said now.
        changes: Vec<Change<RepositoryKey>>,
    },
    /// A repository with all its mirrors; in a `.env`, every `MIRROR_*`.
    RemoveRepository {
        /// Its id.
        repository: RepositoryId,
    },
    /// A mirror that is not there yet.
    AddMirror {
        /// The repository.
        repository: RepositoryId,
        /// The mirror: in a `.env` it is `mirror-<n>`.
        mirror: MirrorId,
        /// What it is.
        kind: MirrorType,
        /// What is said of it, in this order.
        settings: Vec<Setting<MirrorKey>>,
    },
    /// What is said of a mirror.
    ChangeMirror {
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
        /// What is said now.
        changes: Vec<Change<MirrorKey>>,
    },
    /// A mirror. In a `.env` its token goes too, as one of its lines.
    RemoveMirror {
        /// The repository.
        repository: RepositoryId,
        /// The mirror.
        mirror: MirrorId,
    },
    /// What is said of the whole program, in `standin.toml` alone.
    ChangeSettings {
        /// What is said now.
        changes: Vec<Change<SettingKey>>,
    },
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, rename = "ConfigSetting")]
pub struct Setting<K> {
    /// Of what.
    pub key: K,
    /// What.
    pub value: Given,
}

/// What is said from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, rename = "ConfigChange")]
pub struct Change<K> {
    /// Of what.
    pub key: K,
    /// What; `None` takes out what is said.
    pub value: Option<Given>,
}

/// A value that is not read yet: the loader says whether it can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(untagged)]
#[ts(export)]
pub enum Given {
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Several texts.
    Words(Vec<String>),
    /// A number.
    Number(u32),
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Given {
    /// What is kept in step, as it is written.
    pub fn aspects<'a>(aspects: impl IntoIterator<Item = &'a Aspect>) -> Self {
        Self::Words(aspects.into_iter().map(|aspect| aspect.as_str().to_owned()).collect())
    }
}

/// What can be said of a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum MirrorKey {
    /// What it is.
    Type,
    /// `owner/name`.
    Repo,
    /// Where git goes.
    Url,
    /// The private key.
    SshKeyPath,
    /// Whether hooks of a folder run.
    Hooks,
    /// What is kept in step.
    Sync,
    /// When it is synced by itself.
    Schedule,
    /// Whether it is switched on.
    Enabled,
    /// The folder of a copy.
    Path,
    /// The refspecs of a copy.
    Refs,
    /// Time between two pulls.
    Interval,
    /// How long one pull may take.
    Timeout,
}

/// What can be said of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RepositoryKey {
    /// Where its code comes from.
    Source,
    /// Its clone.
    Path,
    /// Its `.env`.
    EnvFile,
    /// Whether anything of it is synced.
    Enabled,
    /// When its mirrors are synced by themselves.
    Schedule,
    /// The secrets that travel.
    Secrets,
    /// The variables that travel.
    Variables,
}

/// What can be said of the whole program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum SettingKey {
    /// `[schedule] enabled`: yes or no.
    ScheduleEnabled,
    /// `[schedule] interval`: a length of time.
    ScheduleInterval,
    /// `[schedule] look_at_source`: a length of time.
    LookAtSource,
    /// `[limits] parallel`: a number.
    Parallel,
    /// `[limits] run`: a length of time.
    RunLimit,
    /// `[limits] request`: a length of time.
    RequestLimit,
    /// `[history] keep`: a length of time.
    KeepRuns,
    /// `[history] keep_unchanged`: a length of time.
    KeepUnchangedRuns,
    /// `[quiet_hours] from`: a time of the day.
    QuietFrom,
    /// `[quiet_hours] to`: a time of the day.
    QuietTo,
    /// `[desktop] notify`: what is shown as notifications.
    DesktopNotify,
    /// `[updates] check`: yes or no.
    UpdateCheck,
    /// `[updates] channel`: `stable` or `beta`.
    UpdateChannel,
}

impl SettingKey {
    /// The table that it stands in.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::ScheduleEnabled | Self::ScheduleInterval | Self::LookAtSource => "schedule",
            Self::Parallel | Self::RunLimit | Self::RequestLimit => "limits",
            Self::KeepRuns | Self::KeepUnchangedRuns => "history",
            Self::QuietFrom | Self::QuietTo => "quiet_hours",
            Self::DesktopNotify => "desktop",
            Self::UpdateCheck | Self::UpdateChannel => "updates",
        }
    }
}

impl Written for SettingKey {
    fn in_toml(self) -> &'static str {
        match self {
            Self::ScheduleEnabled => "enabled",
            Self::ScheduleInterval => "interval",
            Self::LookAtSource => "look_at_source",
            Self::Parallel => "parallel",
            Self::RunLimit => "run",
            Self::RequestLimit => "request",
            Self::KeepRuns => "keep",
            Self::KeepUnchangedRuns => "keep_unchanged",
            Self::QuietFrom => "from",
            Self::QuietTo => "to",
            Self::DesktopNotify => "notify",
            Self::UpdateCheck => "check",
            Self::UpdateChannel => "channel",
        }
    }

    fn in_env(self) -> Option<&'static str> {
        None
    }
}

/// A key as `standin.toml` and a `.env` write it.
pub(super) trait Written: Copy {
    /// In `standin.toml`.
    fn in_toml(self) -> &'static str;

    /// In a `.env`, behind `MIRROR_<n>_` or `MIRROR_`; `None` where a `.env` cannot say it.
    fn in_env(self) -> Option<&'static str>;
}

impl Written for MirrorKey {
    fn in_toml(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Repo => "repo",
            Self::Url => "url",
            Self::SshKeyPath => "ssh_key_path",
            Self::Hooks => "hooks",
            Self::Sync => "sync",
            Self::Schedule => "schedule",
            Self::Enabled => "enabled",
            Self::Path => "path",
            Self::Refs => "refs",
            Self::Interval => "interval",
            Self::Timeout => "timeout",
        }
    }

    fn in_env(self) -> Option<&'static str> {
        match self {
            Self::Type => Some("TYPE"),
            Self::Repo => Some("REPO"),
            Self::Url => Some("URL"),
            Self::SshKeyPath => Some("SSH_KEY_PATH"),
            Self::Enabled => Some("ENABLED"),
            Self::Path => Some("PATH"),
            Self::Refs => Some("REFS"),
            Self::Interval => Some("INTERVAL"),
            Self::Timeout => Some("TIMEOUT"),
            // Four lines of their own.
            Self::Sync => None,
            Self::Hooks | Self::Schedule => None,
        }
    }
}

impl Written for RepositoryKey {
    fn in_toml(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Path => "path",
            Self::EnvFile => "env_file",
            Self::Enabled => "enabled",
            Self::Schedule => "schedule",
            Self::Secrets => "secrets",
            Self::Variables => "variables",
        }
    }

    fn in_env(self) -> Option<&'static str> {
        match self {
            Self::Source => Some("SOURCE"),
            Self::Enabled => Some("ENABLED"),
            Self::Secrets => Some("SECRETS"),
            Self::Variables => Some("VARS"),
            Self::Path | Self::EnvFile | Self::Schedule => None,
        }
    }
}
