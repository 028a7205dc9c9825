//! `MIRROR_*` and `STANDIN_*`, from the process environment and from `.env`; the environment is the stronger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::draft::{MirrorDraft, Named, PullDraft, RepositoryDraft, SettingsDraft};
use super::env::EnvFile;
use super::mistakes::{Complaint, Given, Mistakes, closest, did_you_mean, list, shown};
use super::values;
use crate::model::{Aspect, MirrorType};

const FIELDS: &[&str] = &[
    "TYPE",
    "TOKEN",
    "REPO",
    "URL",
    "SSH_KEY_PATH",
    "SYNC_CODE",
    "SYNC_SECRETS",
    "SYNC_VARS",
    "SYNC_WORKFLOWS",
    "ENABLED",
    "PATH",
    "REFS",
    "INTERVAL",
    "TIMEOUT",
];
const REPOSITORY_WIDE: &[&str] = &["ENABLED", "SOURCE", "SOURCE_TOKEN", "SECRETS", "VARS"];
const SETTINGS: &[&str] = &[
    "SCHEDULE",
    "SYNC_INTERVAL",
    "LOOK_AT_SOURCE",
    "PARALLEL",
    "RUN_LIMIT",
    "REQUEST_LIMIT",
    "KEYCHAIN_LIMIT",
    "KEEP_RUNS",
    "KEEP_UNCHANGED_RUNS",
    "GITHUB_API_URL",
    "GITHUB_SERVER_URL",
    "GH_CONFIG_DIR",
    "CONFIG",
    "STATE_DIR",
];

/// What only the environment that Standin is started with can say.
const OF_THE_PROCESS: &[&str] = &["GIT", "GH", "ALLOW", "CONFIG", "STATE_DIR"];

/// More mirrors than anybody numbers.
const MIRRORS_LIMIT: usize = 500;

/// What a `.env` may set of the whole program.
const SETTINGS_OF_FILES: &[&str] = &[
    "STANDIN_SCHEDULE",
    "STANDIN_SYNC_INTERVAL",
    "STANDIN_LOOK_AT_SOURCE",
    "STANDIN_PARALLEL",
    "STANDIN_RUN_LIMIT",
    "STANDIN_REQUEST_LIMIT",
];

/// What a repository must not choose for whoever cloned it: why, and where it is said instead.
const NEVER_FROM_FILE: &[(&[&str], &str, &str)] = &[
    (
        &["STANDIN_GITHUB_API_URL", "STANDIN_GITHUB_SERVER_URL", "STANDIN_GH_CONFIG_DIR"],
        "where tokens are sent is never taken from a repository's own file",
        "Set it in the process environment, or as `[[host]]` in `standin.toml`, and remove the line.",
    ),
    (
        &["STANDIN_KEEP_RUNS", "STANDIN_KEEP_UNCHANGED_RUNS"],
        "how long the history of all repositories is kept is never taken from the file of one",
        "Set it in the process environment, or in `[history]` of `standin.toml`, and remove the line.",
    ),
];

struct Variable {
    value: String,
    place: String,
    base: PathBuf,
    from_file: bool,
}

impl Variable {
    /// Why it does not count where it stands, and the mend.
    fn is_misplaced(&self, key: &str) -> Option<(&'static str, &'static str)> {
        let never = NEVER_FROM_FILE.iter().find(|(keys, ..)| self.from_file && keys.contains(&key))?;
        Some((never.1, never.2))
    }
}

/// The variables that are meant for Standin. An empty value counts as not given.
#[derive(Default)]
pub(super) struct Variables {
    values: BTreeMap<String, Variable>,
    home: Option<PathBuf>,
}

impl Variables {
    /// Puts the two layers together. Relative paths are relative to `current_dir` in the environment, and to `base`
    /// in the file.
    pub fn new(
        environment: Option<(&BTreeMap<String, String>, &Path)>,
        file: Option<(&EnvFile, &Path)>,
        home: Option<&Path>,
    ) -> Self {
        let mut values = BTreeMap::new();
        let ours = |key: &str| key.starts_with("MIRROR_") || key.starts_with("STANDIN_");
        if let Some((file, base)) = file {
            for (key, entry) in file
                .entries
                .iter()
                .filter(|(key, entry)| ours(&key.to_ascii_uppercase()) && !entry.value.trim().is_empty())
            {
                let place = format!("{} line {}, {key}", file.name(), entry.line);
                let value = entry.value.trim().to_owned();
                values.insert(key.clone(), Variable { value, place, base: base.to_owned(), from_file: true });
            }
        }
        if let Some((environment, current_dir)) = environment {
            for (key, value) in environment.iter().filter(|(key, value)| ours(key) && !value.trim().is_empty()) {
                let place = format!("environment, {key}");
                let value = value.trim().to_owned();
                values.insert(key.clone(), Variable { value, place, base: current_dir.to_owned(), from_file: false });
            }
        }
        Self { values, home: home.map(Path::to_owned) }
    }

    /// Whether a mirror is begun here: `MIRROR_<n>_…`.
    pub fn number_mirrors(&self) -> bool {
        self.values.keys().any(|key| numbered(key).is_some())
    }

    /// Whether there is any `MIRROR_*`.
    pub fn speak_of_mirrors(&self) -> bool {
        self.values.keys().any(|key| key.starts_with("MIRROR_"))
    }

    fn read<T>(
        &self,
        key: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(&Variable) -> Result<T, Complaint>,
    ) -> Option<Given<T>> {
        let variable = self.values.get(key).filter(|variable| variable.is_misplaced(key).is_none())?;
        let value = mistakes.take(&variable.place, read(variable))?;
        Some(Given::new(value, variable.place.clone()))
    }

    fn text<T>(
        &self,
        key: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        self.read(key, mistakes, |variable| read(&variable.value)).map(|given| given.value)
    }

    fn named(&self, key: &str) -> Option<Given<Named>> {
        let variable = self.values.get(key)?;
        let named = Named { text: variable.value.clone(), base: variable.base.clone(), from_clone: variable.from_file };
        Some(Given::new(named, variable.place.clone()))
    }

    /// `MIRROR_SOURCE`.
    pub fn source(&self) -> Option<Given<Named>> {
        self.named("MIRROR_SOURCE")
    }

    /// Whether the source is what the file says, and so may be what somebody else wrote.
    pub fn source_is_from_file(&self) -> bool {
        self.is_from_file("MIRROR_SOURCE")
    }

    /// Whether the source's token is the one in the file.
    pub fn source_token_is_from_file(&self) -> bool {
        self.is_from_file("MIRROR_SOURCE_TOKEN")
    }

    fn is_from_file(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|variable| variable.from_file)
    }

    /// `MIRROR_ENABLED`.
    pub fn enabled(&self, mistakes: &mut Mistakes) -> Option<bool> {
        self.text("MIRROR_ENABLED", mistakes, values::boolean)
    }

    /// The settings of the whole program.
    pub fn settings(&self, mistakes: &mut Mistakes) -> SettingsDraft {
        // Only looked at here: the keychain is there before any configuration is read, and takes it from the environment.
        self.text("STANDIN_KEYCHAIN_LIMIT", mistakes, values::duration);
        SettingsDraft {
            schedule: self.text("STANDIN_SCHEDULE", mistakes, values::boolean),
            interval: self.text("STANDIN_SYNC_INTERVAL", mistakes, values::duration),
            look_at_source: self.text("STANDIN_LOOK_AT_SOURCE", mistakes, values::duration),
            parallel: self.text("STANDIN_PARALLEL", mistakes, values::parallel),
            run: self.text("STANDIN_RUN_LIMIT", mistakes, values::duration),
            request: self.text("STANDIN_REQUEST_LIMIT", mistakes, values::duration),
            keep_runs: self.text("STANDIN_KEEP_RUNS", mistakes, values::duration),
            keep_unchanged_runs: self.text("STANDIN_KEEP_UNCHANGED_RUNS", mistakes, values::duration),
            hosts: Vec::new(),
            github_api_url: self.text("STANDIN_GITHUB_API_URL", mistakes, super::settings::host_url),
            github_server_url: self.text("STANDIN_GITHUB_SERVER_URL", mistakes, super::settings::host_url),
            gh_config_dir: self
                .read("STANDIN_GH_CONFIG_DIR", mistakes, |variable| {
                    values::path(&variable.value, &variable.base, self.home.as_deref())
                })
                .map(|given| given.value),
        }
    }

    /// The repository that these variables describe.
    pub fn repository(&self, mistakes: &mut Mistakes) -> RepositoryDraft {
        self.refuse_unknown(mistakes);
        let mut numbers: BTreeMap<u32, ()> = BTreeMap::new();
        for key in self.values.keys() {
            if let Some((Ok(number), _)) = numbered(key) {
                numbers.insert(number, ());
            }
        }
        if numbers.len() > MIRRORS_LIMIT {
            let complaint = Complaint::new(
                format!("{} mirrors are numbered here, and {MIRRORS_LIMIT} are kept at most", numbers.len()),
                "Take some out, or keep them as repositories of their own in `standin.toml`.",
            );
            mistakes.add("MIRROR_<n>_…", complaint);
            numbers.clear();
        }
        let words = |variable: &Variable| Ok(values::words(&variable.value));
        RepositoryDraft {
            source: self.source(),
            source_token: self.text("MIRROR_SOURCE_TOKEN", mistakes, values::token),
            enabled: self.enabled(mistakes),
            secrets: self.read("MIRROR_SECRETS", mistakes, words),
            variables: self.read("MIRROR_VARS", mistakes, words),
            mirrors: numbers.into_keys().map(|number| self.mirror(number, mistakes)).collect(),
            ..RepositoryDraft::default()
        }
    }

    fn mirror(&self, number: u32, mistakes: &mut Mistakes) -> MirrorDraft {
        let errors_before = mistakes.errors.len();
        let key = |field: &str| format!("MIRROR_{number}_{field}");
        let aspects = [
            (Aspect::Code, "SYNC_CODE"),
            (Aspect::Secrets, "SYNC_SECRETS"),
            (Aspect::Variables, "SYNC_VARS"),
            (Aspect::Workflows, "SYNC_WORKFLOWS"),
        ];
        let sync = aspects
            .into_iter()
            .filter_map(|(aspect, field)| {
                let given = self.read(&key(field), mistakes, |variable| values::boolean(&variable.value))?;
                Some((aspect, given))
            })
            .collect();
        let layer = self
            .values
            .iter()
            .find(|(key, _)| matches!(numbered(key), Some((Ok(its), _)) if its == number))
            .map_or("environment", |(_, variable)| variable.place.split([' ', ',']).next().unwrap_or_default());
        MirrorDraft {
            place: format!("{layer}, MIRROR_{number}"),
            id: format!("mirror-{number}").parse().ok(),
            kind: self.read(&key("TYPE"), mistakes, |variable| kind(&variable.value)),
            repo: self.named(&key("REPO")),
            url: self.named(&key("URL")),
            ssh_key: self.read(&key("SSH_KEY_PATH"), mistakes, |variable| {
                values::path(&variable.value, &variable.base, self.home.as_deref())
            }),
            hooks: None,
            pull: PullDraft {
                path: self.named(&key("PATH")),
                refs: self.read(&key("REFS"), mistakes, |variable| Ok(values::words(&variable.value))),
                interval: self.read(&key("INTERVAL"), mistakes, |variable| values::duration(&variable.value)),
                timeout: self.read(&key("TIMEOUT"), mistakes, |variable| values::duration(&variable.value)),
            },
            rhythm: None,
            sync,
            enabled: self.text(&key("ENABLED"), mistakes, values::boolean),
            token: self.read(&key("TOKEN"), mistakes, |variable| values::token(&variable.value)),
            faulty: mistakes.errors.len() > errors_before,
        }
    }

    /// In a file every `MIRROR_*` is ours. In the environment other programs may have some, so there only what is
    /// numbered or close to one of ours is a mistake.
    fn refuse_unknown(&self, mistakes: &mut Mistakes) {
        for (key, variable) in &self.values {
            let upper = key.to_ascii_uppercase();
            if *key != upper {
                if upper.starts_with("MIRROR_") {
                    mistakes.add(
                        &variable.place,
                        Complaint::new(format!("`{key}` is not written in capitals"), format!("Write `{upper}`.")),
                    );
                }
                continue;
            }
            if let Some((why, mend)) = variable.is_misplaced(key) {
                mistakes.add(&variable.place, Complaint::new(why, mend));
                continue;
            }
            if let Some(rest) = key.strip_prefix("STANDIN_") {
                if variable.from_file && OF_THE_PROCESS.contains(&rest) {
                    mistakes.notice(
                        format!("{}: it counts only in the environment that Standin is started with", variable.place),
                        "Set it there, and remove the line.",
                    );
                } else if variable.from_file && !SETTINGS.contains(&rest) && closest(rest, SETTINGS).is_some() {
                    let hint = did_you_mean(rest, "STANDIN_", SETTINGS);
                    mistakes.notice(format!("{}: Standin knows no such variable", variable.place), hint.trim_end());
                }
                continue;
            }
            match numbered(key) {
                Some((Ok(_), field)) if FIELDS.contains(&field) => {}
                Some((Ok(number), field)) => mistakes.add(
                    &variable.place,
                    Complaint::new(
                        "there is no such variable",
                        format!(
                            "{}A mirror has {}.",
                            did_you_mean(field, &format!("MIRROR_{number}_"), FIELDS),
                            list(FIELDS)
                        ),
                    ),
                ),
                Some((Err(digits), field)) => mistakes.add(
                    &variable.place,
                    Complaint::new(
                        format!("`{digits}` is no number of a mirror"),
                        format!("Write `MIRROR_1_{field}`: a number from 0 on, without zeros before it."),
                    ),
                ),
                None => self.refuse_unnumbered(key, variable, mistakes),
            }
        }
    }

    fn refuse_unnumbered(&self, key: &str, variable: &Variable, mistakes: &mut Mistakes) {
        let rest = key.trim_start_matches("MIRROR_");
        if REPOSITORY_WIDE.contains(&rest) {
            return;
        }
        if rest == "ROLE" {
            if variable.from_file {
                mistakes.notice(
                    format!("{}: roles are not configured; Standin keeps them on the repositories", variable.place),
                    "Remove the line; it has no effect.",
                );
            }
            return;
        }
        let hint = if FIELDS.contains(&rest) {
            format!("Did you mean `MIRROR_1_{rest}`? ")
        } else {
            did_you_mean(rest, "MIRROR_", REPOSITORY_WIDE)
        };
        if variable.from_file || !hint.is_empty() {
            let known: Vec<String> = REPOSITORY_WIDE.iter().map(|word| format!("MIRROR_{word}")).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = format!("{hint}Besides the numbered ones there are {}.", list(&known));
            mistakes.add(&variable.place, Complaint::new("there is no such variable", hint));
        }
    }
}

/// Whether a variable of this name is a setting of the whole program that a `.env` may hold.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS_OF_FILES.contains(&name)
}

/// The number and field of `MIRROR_<n>_<field>`; the digits themselves where they are no proper number.
pub(super) fn numbered(key: &str) -> Option<(Result<u32, &str>, &str)> {
    let rest = key.strip_prefix("MIRROR_")?;
    let digits = &rest[..rest.find(|character: char| !character.is_ascii_digit())?];
    let field = rest[digits.len()..].strip_prefix('_')?;
    if digits.is_empty() {
        return None;
    }
    let proper = digits == "0" || !digits.starts_with('0');
    Some((digits.parse().ok().filter(|_| proper).ok_or(digits), field))
}

/// The type of a mirror, in any case.
pub(super) fn kind(text: &str) -> Result<MirrorType, Complaint> {
    let known: Vec<&str> = MirrorType::ALL.iter().map(|kind| kind.as_str()).collect();
    match text.to_ascii_lowercase().parse() {
        Ok(kind @ (MirrorType::GitHub | MirrorType::Git | MirrorType::Pull)) => Ok(kind),
        Ok(later) => Err(Complaint::new(
            format!("this version of Standin does not keep `{later}` mirrors yet"),
            "Take this mirror out for now; `github`, `git` and `pull` mirrors are kept.",
        )),
        Err(_) => Err(Complaint::new(
            format!("{} is no type of mirror", shown(text)),
            format!("{}The types are `github`, `git` and `pull`.", did_you_mean(text, "", &known)),
        )),
    }
}
