//! `standin.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::draft::{MirrorDraft, Named, PullDraft, RepositoryDraft, SettingsDraft};
use super::mistakes::{Complaint, Given, Mistakes, did_you_mean, list, looks_secret, shown};
use super::notify::{self, Notify};
use super::updates::{self, Updates};
use super::{GitHubHost, Heartbeat, Rhythm, SentinelSettings, settings, values, variables};
use crate::model::Aspect;
use crate::reading;

/// A larger file is none that somebody wrote.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// All that the file says.
#[derive(Default)]
pub(super) struct FileDraft {
    pub settings: SettingsDraft,
    pub notify: Notify,
    pub updates: Updates,
    pub repositories: Vec<RepositoryDraft>,
}

/// Reads the file. Relative paths in it are relative to its folder. `instead` is what it would say, where that is asked.
pub(super) fn read(path: &Path, instead: Option<&str>, home: Option<&Path>, mistakes: &mut Mistakes) -> FileDraft {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let bytes = instead.map_or_else(|| reading::read(path, SIZE_LIMIT), |text| Ok(text.as_bytes().to_vec()));
    let bytes = bytes.and_then(|bytes| match bytes.len() > SIZE_LIMIT {
        true => Err(std::io::Error::other(format!("it is larger than {} MB", SIZE_LIMIT / 1024 / 1024))),
        false => Ok(bytes),
    });
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{} could not be read: {error}", path.display());
            mistakes.add(
                name,
                Complaint::new(message, "Name the file with `--config`, or make it readable as UTF-8 text."),
            );
            return FileDraft::default();
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match text.parse::<Table>() {
        Ok(table) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            Reader { folder, home, mistakes }.file(Fields::new(table, name))
        }
        Err(error) => {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let complaint = Complaint::new(
                format!("it is not TOML: {}", error.message().lines().next().unwrap_or_default()),
                "Mend that line; `[[repository]]` begins a repository, `[[repository.mirror]]` a mirror of it.",
            );
            mistakes.add(format!("{name} line {line}"), complaint);
            FileDraft::default()
        }
    }
}

struct Reader<'a> {
    folder: &'a Path,
    home: Option<&'a Path>,
    mistakes: &'a mut Mistakes,
}

/// What is said of a token that stands in the file, and which keys are taken for one.
pub(super) struct TokenHints {
    pub keys: &'static [&'static str],
    pub of_key: &'static str,
    pub of_value: &'static str,
}

const OF_REPOSITORIES: TokenHints = TokenHints {
    keys: &["token", "password", "secret_value"],
    of_key: "Remove the line and run `standin token set MIRROR` (or `source`), or put it into `.env` as `MIRROR_<n>_TOKEN` or \
             `MIRROR_SOURCE_TOKEN`. Where the file was shared, revoke the token.",
    of_value: "Remove it and run `standin token set MIRROR` (or `source`), or put it into `.env`. Where the file was shared, revoke the token.",
};

/// One table, from which known keys are taken out; what is left over at the end is a mistake.
pub(super) struct Fields {
    table: Table,
    place: String,
    known: Vec<&'static str>,
    hints: &'static TokenHints,
}

impl Fields {
    fn new(table: Table, place: impl Into<String>) -> Self {
        Self { table, place: place.into(), known: Vec::new(), hints: &OF_REPOSITORIES }
    }

    /// The same table, in which other tokens than those of repositories may stand by mistake.
    pub fn with_hints(self, hints: &'static TokenHints) -> Self {
        Self { hints, ..self }
    }

    pub fn place(&self, key: &str) -> String {
        format!("{}: `{key}`", self.place)
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    pub fn take_with<T>(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(Value) -> Result<T, Complaint>,
    ) -> Option<Given<T>> {
        let value = self.take(key)?;
        let place = self.place(key);
        mistakes.take(&place, read(value)).map(|value| Given::new(value, place))
    }

    pub fn text<T>(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<Given<T>> {
        let hint = self.hints.of_value;
        self.take_with(key, mistakes, |value| read(&string(value, hint)?))
    }

    pub fn boolean(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        self.yes_or_no(key, mistakes).map(|given| given.value)
    }

    pub fn yes_or_no(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Given<bool>> {
        self.take_with(key, mistakes, |value| match value {
            Value::Boolean(value) => Ok(value),
            other => Err(wrong_type(&other, "`true` or `false`, without quotes")),
        })
    }

    pub fn words(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Given<Vec<String>>> {
        let hint = self.hints.of_value;
        self.take_with(key, mistakes, |value| match value {
            Value::Array(items) => items.into_iter().map(|item| string(item, hint)).collect(),
            other => Err(wrong_type(&other, "a list such as `[\"one\", \"two\"]`")),
        })
    }

    fn tables(&mut self, key: &'static str, form: &str, mistakes: &mut Mistakes) -> Vec<Table> {
        let form = format!("tables that begin with `{form}`");
        let given = self.take_with(key, mistakes, |value| match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::Table(table) => Ok(table),
                    other => Err(wrong_type(&other, &form)),
                })
                .collect(),
            other => Err(wrong_type(&other, &form)),
        });
        given.map_or_else(Vec::new, |given| given.value)
    }

    fn table(&mut self, key: &'static str, place: String, mistakes: &mut Mistakes) -> Option<Self> {
        let given = self.take_with(key, mistakes, |value| match value {
            Value::Table(table) => Ok(table),
            other => Err(wrong_type(&other, "a table")),
        })?;
        Some(Self::new(given.value, place))
    }

    pub fn finish(self, mistakes: &mut Mistakes) {
        for key in self.table.keys() {
            let lower = key.to_ascii_lowercase();
            let place = self.place(key);
            if self.hints.keys.iter().any(|word| lower.ends_with(word)) {
                mistakes.add(
                    place,
                    Complaint::new(
                        "tokens and passwords do not belong into this file, which gets copied and committed",
                        self.hints.of_key,
                    ),
                );
                continue;
            }
            let hint = format!("{}Known here: {}.", did_you_mean(key, "", &self.known), list(&self.known));
            mistakes.add(place, Complaint::new("there is no such key", hint));
        }
    }
}

impl Reader<'_> {
    fn file(mut self, mut fields: Fields) -> FileDraft {
        let name = fields.place.clone();
        let mut draft = FileDraft::default();
        if let Some(mut schedule) = fields.table("schedule", format!("{name}, [schedule]"), self.mistakes) {
            draft.settings.schedule = schedule.boolean("enabled", self.mistakes);
            draft.settings.interval =
                schedule.text("interval", self.mistakes, values::duration).map(|given| given.value);
            draft.settings.look_at_source =
                schedule.text("look_at_source", self.mistakes, values::duration).map(|given| given.value);
            draft.notify.ping = schedule.text("ping_url", self.mistakes, notify::ping_address).map(|given| given.value);
            schedule.finish(self.mistakes);
        }
        if let Some(mut limits) = fields.table("limits", format!("{name}, [limits]"), self.mistakes) {
            draft.settings.parallel = limits
                .take_with("parallel", self.mistakes, |value| match value {
                    Value::Integer(count) => values::parallel(&count.to_string()),
                    other => Err(wrong_type(&other, "a number without quotes")),
                })
                .map(|given| given.value);
            draft.settings.run = limits.text("run", self.mistakes, values::duration).map(|given| given.value);
            draft.settings.request = limits.text("request", self.mistakes, values::duration).map(|given| given.value);
            limits.finish(self.mistakes);
        }
        if let Some(mut history) = fields.table("history", format!("{name}, [history]"), self.mistakes) {
            draft.settings.keep_runs = history.text("keep", self.mistakes, values::duration).map(|given| given.value);
            draft.settings.keep_unchanged_runs =
                history.text("keep_unchanged", self.mistakes, values::duration).map(|given| given.value);
            history.finish(self.mistakes);
        }
        self.notify(&mut fields, &mut draft.notify);
        if let Some(updates) = fields.table("updates", format!("{name}, [updates]"), self.mistakes) {
            draft.updates = updates::read(updates, self.mistakes);
        }
        for (position, table) in fields.tables("host", "[[host]]", self.mistakes).into_iter().enumerate() {
            let host = self.host(Fields::new(table, format!("{name}, [[host]] {}", position + 1)));
            draft.settings.hosts.extend(host);
        }
        for (position, table) in fields.tables("repository", "[[repository]]", self.mistakes).into_iter().enumerate() {
            let label = label(&table, position);
            let repository = self.repository(Fields::new(table, format!("{name}, [[repository]] {label}")));
            draft.repositories.push(repository);
        }
        fields.finish(self.mistakes);
        draft
    }

    fn notify(&mut self, fields: &mut Fields, notify: &mut Notify) {
        let name = fields.place.clone();
        if let Some(hours) = fields.table("quiet_hours", format!("{name}, [quiet_hours]"), self.mistakes) {
            notify.quiet_hours = notify::quiet_hours(hours, self.mistakes);
        }
        if let Some(desktop) = fields.table("desktop", format!("{name}, [desktop]"), self.mistakes) {
            notify.desktop = notify::desktop(desktop, self.mistakes).unwrap_or(std::mem::take(&mut notify.desktop));
        }
        let places = notify::Places { folder: self.folder, home: self.home };
        for (position, table) in fields.tables("notify", "[[notify]]", self.mistakes).into_iter().enumerate() {
            let place = format!("{name}, [[notify]] {}", label_of(&table, "name", position));
            let target = notify::target(Fields::new(table, place), &places, self.mistakes);
            notify.targets.extend(target);
        }
        notify::refuse_same_names(&name, &notify.targets, self.mistakes);
    }

    fn host(&mut self, mut fields: Fields) -> Option<GitHubHost> {
        let name = fields.text("name", self.mistakes, |text| {
            let good = text.contains(['.', ':']) && format!("{text}/owner/name").parse::<crate::model::Slug>().is_ok();
            good.then(|| text.to_ascii_lowercase()).ok_or_else(|| {
                Complaint::new(format!("{} is no name of a host", shown(text)), "Write it as in `ghe.example.com`.")
            })
        });
        let api_url = fields.text("api_url", self.mistakes, settings::host_url).map(|given| given.value);
        let server_url = fields.text("server_url", self.mistakes, settings::host_url).map(|given| given.value);
        let gh_config_dir = self.path(&mut fields, "gh_config_dir").map(|given| given.value);
        self.require(&fields, "name", name.is_some(), "Write the host, such as `name = \"ghe.example.com\"`.");
        fields.finish(self.mistakes);
        Some(settings::host(&name?.value, api_url, server_url, gh_config_dir))
    }

    fn repository(&mut self, mut fields: Fields) -> RepositoryDraft {
        let place = fields.place.clone();
        let id = fields.text("id", self.mistakes, parse_id).map(|given| given.value);
        self.require(&fields, "id", id.is_some(), "Write a short name, such as `id = \"site\"`.");
        let mut draft = RepositoryDraft {
            place: place.clone(),
            id,
            source: self.named(&mut fields, "source"),
            path: self.path(&mut fields, "path"),
            enabled: fields.boolean("enabled", self.mistakes),
            env_file: self.path(&mut fields, "env_file"),
            secrets: fields.words("secrets", self.mistakes),
            variables: fields.words("variables", self.mistakes),
            notes: fields.boolean("notes", self.mistakes).unwrap_or(false),
            rhythm: self.rhythm(&mut fields),
            ..RepositoryDraft::default()
        };
        if let Some(files) = fields.words("keep_active", self.mistakes) {
            for file in files.value {
                draft.keep_active.extend(self.mistakes.take(&files.place, workflow_file(&file)));
            }
        }
        if let Some(heartbeat) = fields.table("heartbeat", format!("{place}, heartbeat"), self.mistakes) {
            draft.heartbeat = self.heartbeat(heartbeat);
        }
        if let Some(sentinel) = fields.table("sentinel", format!("{place}, sentinel"), self.mistakes) {
            draft.sentinel = Some(self.sentinel(sentinel));
        }
        for (position, table) in fields.tables("mirror", "[[repository.mirror]]", self.mistakes).into_iter().enumerate()
        {
            let mirror = self.mirror(Fields::new(table, format!("{place}, mirror {}", position + 1)));
            draft.mirrors.push(mirror);
        }
        fields.finish(self.mistakes);
        draft
    }

    fn mirror(&mut self, mut fields: Fields) -> MirrorDraft {
        let errors_before = self.mistakes.errors.len();
        let id = fields.text("id", self.mistakes, parse_id).map(|given| given.value);
        self.require(&fields, "id", id.is_some(), "Write a short name, such as `id = \"backup\"`.");
        let mut sync = BTreeMap::new();
        if let Some(words) = fields.words("sync", self.mistakes) {
            let known: Vec<&str> = Aspect::ALL.iter().map(|aspect| aspect.as_str()).collect();
            for aspect in Aspect::ALL {
                sync.insert(
                    *aspect,
                    Given::new(words.value.iter().any(|word| word == aspect.as_str()), words.place.clone()),
                );
            }
            for word in words.value.iter().filter(|word| !known.contains(&word.as_str())) {
                let hint = format!("{}Known are {}.", did_you_mean(word, "", &known), list(&known));
                let message = format!("{} is nothing that is kept in step", shown(word));
                self.mistakes.add(&words.place, Complaint::new(message, hint));
            }
        }
        let kind = fields.text("type", self.mistakes, variables::kind);
        let draft = MirrorDraft {
            place: fields.place.clone(),
            id,
            kind,
            repo: self.named(&mut fields, "repo"),
            url: self.named(&mut fields, "url"),
            ssh_key: self.path(&mut fields, "ssh_key_path"),
            hooks: fields.yes_or_no("hooks", self.mistakes),
            pull: PullDraft {
                path: self.named(&mut fields, "path"),
                refs: fields.words("refs", self.mistakes),
                interval: fields.text("interval", self.mistakes, values::duration),
                timeout: fields.text("timeout", self.mistakes, values::duration),
            },
            rhythm: self.rhythm(&mut fields),
            sync,
            enabled: fields.boolean("enabled", self.mistakes),
            token: None,
            faulty: false,
        };
        fields.finish(self.mistakes);
        MirrorDraft { faulty: self.mistakes.errors.len() > errors_before, ..draft }
    }

    fn rhythm(&mut self, fields: &mut Fields) -> Option<Rhythm> {
        fields.text("schedule", self.mistakes, Rhythm::parse).map(|given| given.value)
    }

    fn heartbeat(&mut self, mut fields: Fields) -> Option<Heartbeat> {
        let path = fields.text("path", self.mistakes, |text| {
            let inside =
                !text.is_empty() && !text.starts_with(['/', '\\']) && !text.split('/').any(|part| part == "..");
            inside.then(|| text.to_owned()).ok_or_else(|| {
                Complaint::new(
                    format!("{} is no file in the repository", shown(text)),
                    "Write it as in `state/current.json`.",
                )
            })
        });
        let field = fields.text("field", self.mistakes, |text| {
            let whole = text.split('.').all(|part| !part.trim().is_empty());
            whole.then(|| text.to_owned()).ok_or_else(|| {
                Complaint::new(
                    format!("{} names no field", shown(text)),
                    "Write it with dots, as in `meta.updated_at_iso`.",
                )
            })
        });
        self.require(&fields, "path", path.is_some(), "Write `path = \"state/current.json\"` or the like.");
        self.require(&fields, "field", field.is_some(), "Write `field = \"meta.updated_at_iso\"` or the like.");
        let max_age = fields.text("max_age", self.mistakes, values::duration).map(|given| given.value);
        fields.finish(self.mistakes);
        let max_age = max_age.unwrap_or(std::time::Duration::from_secs(2 * 60 * 60));
        Some(Heartbeat { path: path?.value, field: field?.value, max_age })
    }

    fn sentinel(&mut self, mut fields: Fields) -> SentinelSettings {
        let default = SentinelSettings::default();
        let threshold = fields.take_with("threshold", self.mistakes, |value| match value {
            Value::Integer(count) => values::threshold(count),
            other => Err(wrong_type(&other, "a number without quotes")),
        });
        let interval = fields.text("interval", self.mistakes, values::check_interval);
        let settings = SentinelSettings {
            threshold: threshold.map_or(default.threshold, |given| given.value),
            interval: interval.map_or(default.interval, |given| given.value),
            auto_demotion: fields.boolean("auto_demotion", self.mistakes).unwrap_or(default.auto_demotion),
            gone_counts: fields.boolean("gone_counts", self.mistakes).unwrap_or(default.gone_counts),
            write_to_master: fields.boolean("write_to_master", self.mistakes).unwrap_or(default.write_to_master),
        };
        fields.finish(self.mistakes);
        settings
    }

    /// Notes that a key is missing, unless it is there with a mistake of its own.
    fn require(&mut self, fields: &Fields, key: &str, is_there: bool, hint: &str) {
        let place = fields.place(key);
        if !is_there && !self.mistakes.errors.iter().any(|mistake| mistake.place == place) {
            self.mistakes.add(place, Complaint::new("it is missing", hint));
        }
    }

    fn named(&mut self, fields: &mut Fields, key: &'static str) -> Option<Given<Named>> {
        let base = self.folder.to_owned();
        fields.text(key, self.mistakes, |text| Ok(Named { text: text.to_owned(), base, from_clone: false }))
    }

    fn path(&mut self, fields: &mut Fields, key: &'static str) -> Option<Given<std::path::PathBuf>> {
        fields.text(key, self.mistakes, |text| values::path(text, self.folder, self.home))
    }
}

fn label(table: &Table, position: usize) -> String {
    label_of(table, "id", position)
}

fn label_of(table: &Table, key: &str, position: usize) -> String {
    match table.get(key) {
        Some(Value::String(id)) if !looks_secret(id) && id.len() <= 64 => id.escape_debug().to_string(),
        _ => (position + 1).to_string(),
    }
}

fn string(value: Value, hint: &str) -> Result<String, Complaint> {
    match value {
        Value::String(text) if looks_secret(&text) => {
            Err(Complaint::new("this looks like a token, and tokens do not belong into this file", hint))
        }
        Value::String(text) => Ok(text),
        other => Err(wrong_type(&other, "text in quotes")),
    }
}

pub(super) fn wrong_type(value: &Value, expected: &str) -> Complaint {
    let found = match value {
        Value::String(_) => "text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    Complaint::new(format!("this is {found}"), format!("Write {expected}."))
}

pub(super) fn parse_id<T: std::str::FromStr<Err = crate::model::NameError>>(text: &str) -> Result<T, Complaint> {
    text.parse().map_err(|error: crate::model::NameError| {
        Complaint::new(format!("{} cannot be used as an id", shown(text)), format!("Write {}.", error.expected))
    })
}

fn workflow_file(text: &str) -> Result<String, Complaint> {
    let file = text.strip_prefix(".github/workflows/").unwrap_or(text);
    if (file.ends_with(".yml") || file.ends_with(".yaml")) && !file.contains(['/', '\\']) {
        return Ok(file.to_owned());
    }
    Err(Complaint::new(format!("{} is no workflow file", shown(text)), "Write the file's name, such as `test.yml`."))
}
