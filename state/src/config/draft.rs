//! What one layer says, before the layers are put together: everything optional, each value with its place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::mistakes::Given;
use super::{GitHubHost, Heartbeat, Rhythm, SentinelSettings};
use crate::model::{Aspect, MirrorId, MirrorType, RepositoryId};

/// What a place is called in the configuration, and the folder that relative paths start from.
#[derive(Clone)]
pub(super) struct Named {
    pub text: String,
    pub base: PathBuf,
    /// The clone's own `.env` says so, which somebody else may have written.
    pub from_clone: bool,
}

/// Settings of the whole program.
#[derive(Clone, Default)]
pub(super) struct SettingsDraft {
    pub schedule: Option<bool>,
    pub interval: Option<Duration>,
    pub look_at_source: Option<Duration>,
    pub parallel: Option<usize>,
    pub run: Option<Duration>,
    pub request: Option<Duration>,
    pub keep_runs: Option<Duration>,
    pub keep_unchanged_runs: Option<Duration>,
    pub hosts: Vec<GitHubHost>,
    /// `STANDIN_GITHUB_*`: parts of the host github.com.
    pub github_api_url: Option<String>,
    pub github_server_url: Option<String>,
    pub gh_config_dir: Option<PathBuf>,
}

/// A repository as one layer has it.
#[derive(Clone, Default)]
pub(super) struct RepositoryDraft {
    pub place: String,
    pub id: Option<RepositoryId>,
    pub source: Option<Given<Named>>,
    pub path: Option<Given<PathBuf>>,
    pub source_token: Option<SecretString>,
    pub enabled: Option<bool>,
    pub env_file: Option<Given<PathBuf>>,
    pub secrets: Option<Given<Vec<String>>>,
    pub variables: Option<Given<Vec<String>>>,
    pub keep_active: Vec<String>,
    pub notes: bool,
    pub rhythm: Option<Rhythm>,
    pub heartbeat: Option<Heartbeat>,
    pub sentinel: Option<SentinelSettings>,
    pub mirrors: Vec<MirrorDraft>,
}

/// A mirror as one layer has it.
#[derive(Clone, Default)]
pub(super) struct MirrorDraft {
    pub place: String,
    pub id: Option<MirrorId>,
    pub kind: Option<Given<MirrorType>>,
    pub repo: Option<Given<Named>>,
    pub url: Option<Given<Named>>,
    pub ssh_key: Option<Given<PathBuf>>,
    pub hooks: Option<Given<bool>>,
    pub pull: PullDraft,
    pub rhythm: Option<Rhythm>,
    pub sync: BTreeMap<Aspect, Given<bool>>,
    pub enabled: Option<bool>,
    pub token: Option<Given<SecretString>>,
    /// Something of it was a mistake, so what is missing may not be missing.
    pub faulty: bool,
}

/// What only a mirror that pulls has.
#[derive(Clone, Default)]
pub(super) struct PullDraft {
    pub path: Option<Given<Named>>,
    pub refs: Option<Given<Vec<String>>>,
    pub interval: Option<Given<Duration>>,
    pub timeout: Option<Given<Duration>>,
}

impl PullDraft {
    fn over(self, weaker: Self) -> Self {
        Self {
            path: self.path.or(weaker.path),
            refs: self.refs.or(weaker.refs),
            interval: self.interval.or(weaker.interval),
            timeout: self.timeout.or(weaker.timeout),
        }
    }
}

impl MirrorDraft {
    /// This layer's fields, and the weaker layer's where this one says nothing. The mirror keeps the weaker one's
    /// name, which the user chose.
    pub fn over(self, weaker: Self) -> Self {
        let names_target = self.repo.is_some() || self.url.is_some();
        let mut sync = weaker.sync;
        sync.extend(self.sync);
        Self {
            place: if names_target { self.place } else { weaker.place },
            id: weaker.id.or(self.id),
            kind: self.kind.or(weaker.kind),
            repo: if names_target { self.repo } else { weaker.repo },
            url: if names_target { self.url } else { weaker.url },
            ssh_key: self.ssh_key.or(weaker.ssh_key),
            hooks: self.hooks.or(weaker.hooks),
            pull: self.pull.over(weaker.pull),
            rhythm: self.rhythm.or(weaker.rhythm),
            sync,
            enabled: self.enabled.or(weaker.enabled),
            token: self.token.or(weaker.token),
            faulty: self.faulty || weaker.faulty,
        }
    }
}
