//! Settings of the whole program: what holds now, and what is said from now on.

use std::path::Path;

use serde::Serialize;
use standin_state::config::edit::{self, Change, Edit, Form, SettingKey};
use standin_state::config::{Config, LoadRequest, length_as_written};
use standin_state::model::NotifyEvent;
use ts_rs::TS;

use super::{Engine, NotifyPlaces};
use crate::{Code, Error, Result};

/// What holds now, wherever it was said. Lengths of time are written as settings write them, such as `1h30m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(export)]
pub struct Settings {
    /// The file that a change is written into.
    pub file: String,
    /// Whether anything is synced by itself.
    pub schedule_enabled: bool,
    /// Time between two syncs of a mirror that says nothing else.
    pub schedule_interval: String,
    /// Time between two looks whether a source on GitHub has moved; `None` without such looks.
    pub look_at_source: Option<String>,
    /// How many mirrors are synced at once.
    pub parallel: usize,
    /// How long one run of one mirror may take.
    pub run_limit: String,
    /// How long one request may take.
    pub request_limit: String,
    /// How long a run is kept in the history.
    pub keep_runs: String,
    /// How long a run is kept that found nothing to do.
    pub keep_unchanged_runs: String,
    /// What is shown as notifications on this desktop.
    pub desktop_notify: Vec<NotifyEvent>,
    /// Who is told of what changed, and when nobody is woken.
    pub notify: NotifyPlaces,
    /// Where all that is remembered lies.
    pub state_dir: String,
    /// How many bytes that is.
    pub state_bytes: u64,
}

impl Engine {
    /// The settings as they hold now.
    ///
    /// # Errors
    /// [`Code::Storage`] when the memory cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        let config = self.config();
        let Config { schedule, limits, history, .. } = &*config;
        let state_dir = &self.shared.state_dir;
        Ok(Settings {
            file: edit::config_file(&self.shared.load).display().to_string(),
            schedule_enabled: schedule.enabled,
            schedule_interval: length_as_written(schedule.interval),
            look_at_source: schedule.look_at_source.map(length_as_written),
            parallel: limits.parallel,
            run_limit: length_as_written(limits.run),
            request_limit: length_as_written(limits.request),
            keep_runs: length_as_written(history.keep),
            keep_unchanged_runs: length_as_written(history.keep_unchanged),
            desktop_notify: config.notify.desktop.iter().copied().collect(),
            notify: self.notify_places()?,
            state_dir: state_dir.display().to_string(),
            state_bytes: bytes_below(state_dir, 0),
        })
    }

    /// Says something else from now on: in `standin.toml`, where everything else stays as it is.
    ///
    /// # Errors
    /// [`Code::Configuration`] for a value that cannot be used: nothing is written then; [`Code::Usage`] where the environment
    /// says otherwise and is stronger; [`Code::Raced`], [`Code::Storage`].
    pub fn set_settings(&self, changes: &[Change<SettingKey>]) -> Result<Settings> {
        let names: Vec<String> = changes.iter().map(|change| format!("{:?}", change.key)).collect();
        let set = self.write_settings(changes);
        self.audited("settings", None, None, names.join(", "), set)?;
        self.settings()
    }

    fn write_settings(&self, changes: &[Change<SettingKey>]) -> Result<()> {
        self.reload()?;
        let shared = &self.shared;
        let file = edit::config_file(&shared.load);
        let edits = [Edit::ChangeSettings { changes: changes.to_vec() }];
        let edited = edit::draft(&shared.load, &shared.store.consents()?, Form::Toml, &file, &edits)?;
        if edited.is_as_it_was() {
            return Ok(());
        }
        // The same file, read where nothing else says anything: where that makes a difference, another layer is stronger.
        let environment = shared.load.environment.iter().filter(|(name, _)| !name.starts_with("STANDIN_"));
        let alone = LoadRequest {
            environment: environment.map(|(name, value)| (name.clone(), value.clone())).collect(),
            repo: None,
            repository: None,
            config_file: Some(file.clone()),
            current_dir: Path::new("/").to_owned(),
            ..shared.load.clone()
        };
        let meant = edit::draft(&alone, &shared.store.consents()?, Form::Toml, &file, &edits)?.loaded.config;
        let is_overruled =
            |change: &Change<SettingKey>| held(&meant, change.key) != held(&edited.loaded.config, change.key);
        if let Some(Change { key, .. }) = changes.iter().find(|change| is_overruled(change)) {
            return Err(Error::new(
                Code::Usage,
                format!(
                    "{} would say so, and the environment of this program says otherwise: {}",
                    file.display(),
                    held(&self.config(), *key)
                ),
                "The environment is stronger than `standin.toml`: change it where Standin is started, or take it out there.",
            ));
        }
        edited.write()?;
        self.reload().map(drop)
    }
}

/// What holds of one setting, in words.
fn held(config: &Config, key: SettingKey) -> String {
    let Config { schedule, limits, history, notify, updates, .. } = config;
    let hours = notify.quiet_hours.as_ref();
    match key {
        SettingKey::ScheduleEnabled => schedule.enabled.to_string(),
        SettingKey::ScheduleInterval => length_as_written(schedule.interval),
        SettingKey::LookAtSource => schedule.look_at_source.map(length_as_written).unwrap_or_default(),
        SettingKey::Parallel => limits.parallel.to_string(),
        SettingKey::RunLimit => length_as_written(limits.run),
        SettingKey::RequestLimit => length_as_written(limits.request),
        SettingKey::KeepRuns => length_as_written(history.keep),
        SettingKey::KeepUnchangedRuns => length_as_written(history.keep_unchanged),
        SettingKey::QuietFrom => hours.map(|hours| hours.from.to_string()).unwrap_or_default(),
        SettingKey::QuietTo => hours.map(|hours| hours.to.to_string()).unwrap_or_default(),
        SettingKey::DesktopNotify => notify.desktop.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", "),
        SettingKey::UpdateCheck => updates.check.to_string(),
        SettingKey::UpdateChannel => updates.channel.to_string(),
    }
}

/// The bytes of all files below a folder. What cannot be read is not counted; links are not followed.
fn bytes_below(folder: &Path, depth: usize) -> u64 {
    if depth > 32 {
        return 0;
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, data)| if data.is_dir() { bytes_below(&path, depth + 1) } else { data.len() })
        .sum()
}
