//! Which keys of `.env` may travel as secrets or variables. Nothing is ever taken from the process environment.

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobSet};
use secrecy::SecretString;

use super::env::EnvFile;
use super::mistakes::{Complaint, Given, Mistakes, looks_secret, shown};
use super::patterns::{self, LIST_LIMIT, NamePatterns, PATTERNS_LIMIT};
use super::{RepositoryConfig, SecretValues, VariableValues};
use crate::error::{Code, Error};

/// GitHub's limit for one value, in bytes.
const VALUE_LIMIT: usize = 48 * 1024;

/// Names as the user listed them.
struct Patterns {
    plain: BTreeSet<String>,
    globs: GlobSet,
}

/// Selects the secrets: the listed ones, or, without a list, every key that may be meant to travel.
pub(super) fn secrets(
    listed: Option<&Given<Vec<String>>>,
    variables: &VariableValues,
    file: Option<&EnvFile>,
    mistakes: &mut Mistakes,
) -> SecretValues {
    let mut selected = SecretValues { listed: listed.is_some(), ..SecretValues::default() };
    let Some(listed) = listed else {
        let others: BTreeSet<&str> = variables.patterns.iter().map(String::as_str).collect();
        for (key, value, line) in entries(file) {
            if is_local_only(key) || variables.values.contains_key(key) || others.contains(key) {
                continue;
            }
            match check_name(key).and_then(|()| check_size(key, value)) {
                Ok(()) => drop(selected.values.insert(key.to_owned(), SecretString::from(value))),
                Err(complaint) => mistakes.notice(
                    format!("{line}: {}, so it does not travel", complaint.message),
                    format!("{} A list of names (`MIRROR_SECRETS`) ends this notice.", complaint.hint),
                ),
            }
        }
        return selected;
    };
    selected.patterns = listed.value.clone();
    let patterns = Patterns::read(listed, |_| true, mistakes);
    selected.missing = patterns.plain.clone();
    for (key, value, line) in entries(file) {
        let by_glob = || !is_local_only(key) && !variables.values.contains_key(key) && patterns.globs_match(key);
        if !patterns.plain.contains(key) && !by_glob() {
            continue;
        }
        if mistakes.take(&line, check_name(key).and_then(|()| check_size(key, value))).is_some() {
            selected.values.insert(key.to_owned(), SecretString::from(value));
        }
        selected.missing.remove(key);
    }
    refuse_twins(&listed.place, selected.values.keys().chain(&selected.missing), mistakes);
    selected
}

/// The names of values in a file that a list takes.
pub(super) fn names(listed: &Given<Vec<String>>, file: &EnvFile) -> BTreeSet<String> {
    let patterns = Patterns::read(listed, |_| true, &mut Mistakes::default());
    let keys = entries(Some(file)).map(|(key, ..)| key);
    keys.filter(|key| patterns.plain.contains(*key) || (!is_local_only(key) && patterns.globs_match(key)))
        .map(str::to_owned)
        .collect()
}

/// Selects the values of variables that stand in `.env`. A pattern of nothing but wildcards means the source's own
/// variables: it takes nothing from `.env`, whose other keys may be secrets.
pub(super) fn variables(
    listed: Option<&Given<Vec<String>>>,
    secrets: Option<&Given<Vec<String>>>,
    file: Option<&EnvFile>,
    mistakes: &mut Mistakes,
) -> VariableValues {
    let Some(listed) = listed else { return VariableValues::default() };
    let says_something = |glob: &Glob| glob.glob().contains(|character: char| character.is_ascii_alphanumeric());
    let patterns = Patterns::read(listed, says_something, mistakes);
    let secrets: BTreeSet<&str> = secrets.iter().flat_map(|names| &names.value).map(String::as_str).collect();
    let mut selected = VariableValues { patterns: listed.value.clone(), values: BTreeMap::new() };
    for (key, value, line) in entries(file) {
        let by_glob = || !is_local_only(key) && !secrets.contains(key) && patterns.globs_match(key);
        if (patterns.plain.contains(key) || by_glob())
            && mistakes.take(&line, check_name(key).and_then(|()| check_size(key, value))).is_some()
        {
            selected.values.insert(key.to_owned(), value.to_owned());
        }
    }
    refuse_twins(&listed.place, selected.values.keys().chain(&patterns.plain), mistakes);
    selected
}

impl RepositoryConfig {
    /// Says of names in the vault whether their secret is meant to travel: it is listed, or there is no list; and `.env`,
    /// which comes first, has no value for it. GitHub ignores the case of names.
    pub fn takes_from_vault(&self) -> impl Fn(&str) -> bool {
        let patterns = NamePatterns::new(&self.secrets.patterns);
        move |name| {
            let is = |known: &String| known.eq_ignore_ascii_case(name);
            let variables = &self.variables;
            if self.secrets.values.keys().any(is) || variables.values.keys().any(is) || stays_home(name) {
                return false;
            }
            if !self.secrets.listed {
                return !is_local_only(name) && !variables.patterns.iter().any(is);
            }
            self.secrets.patterns.iter().any(is) || (!is_local_only(name) && patterns.matches(name))
        }
    }

    /// Adds a value from the vault.
    pub fn add_from_vault(&mut self, name: &str, value: SecretString) {
        let secrets = &mut self.secrets;
        secrets.missing.retain(|missing| !missing.eq_ignore_ascii_case(name));
        secrets.from_vault.insert(name.to_owned());
        secrets.values.insert(name.to_owned(), value);
    }
}

/// The name of a secret as GitHub writes it, in capitals.
///
/// # Errors
/// [`Code::Usage`] for what cannot be a name there, and for names of Standin's own settings, which never travel.
pub fn secret_name(text: &str) -> Result<String, Error> {
    let usage = |complaint: Complaint| Error::new(Code::Usage, complaint.message, complaint.hint);
    check_name(text).map_err(usage)?;
    if is_local_only(text) {
        let message = format!("{} is Standin's own and never travels", shown(text));
        return Err(Error::new(Code::Usage, message, "Choose another name."));
    }
    Ok(text.to_ascii_uppercase())
}

impl Patterns {
    /// Reads a list, and of its patterns those that are `taken`.
    fn read(listed: &Given<Vec<String>>, taken: impl Fn(&Glob) -> bool, mistakes: &mut Mistakes) -> Self {
        let mut patterns = Self { plain: BTreeSet::new(), globs: GlobSet::empty() };
        let count = listed.value.iter().filter(|text| patterns::is_pattern(text)).count();
        for (count, limit, what) in
            [(listed.value.len(), LIST_LIMIT, "names and patterns"), (count, PATTERNS_LIMIT, "patterns")]
        {
            if count > limit {
                let message = format!("{count} {what} are listed here, and {limit} are read at most");
                mistakes.add(&listed.place, Complaint::new(message, "List what travels from this repository alone."));
                return patterns;
            }
        }
        let mut globs = Vec::new();
        for text in &listed.value {
            if stays_home(text) {
                let message = format!("{} is Standin's own and never travels", shown(text));
                mistakes.add(&listed.place, Complaint::new(message, "Take it out of the list."));
            } else if !patterns::is_pattern(text) {
                if mistakes.take(&listed.place, check_name(text)).is_some() {
                    patterns.plain.insert(text.clone());
                }
            } else {
                globs.extend(mistakes.take(&listed.place, patterns::parse(text, false)).filter(&taken));
            }
        }
        patterns.globs = mistakes.take(&listed.place, patterns::compile(globs)).unwrap_or_default();
        patterns
    }

    fn globs_match(&self, name: &str) -> bool {
        self.globs.is_match(name)
    }
}

/// Keys with a value (GitHub refuses empty ones), and where each stands.
fn entries(file: Option<&EnvFile>) -> impl Iterator<Item = (&str, &str, String)> {
    file.into_iter().flat_map(|file| {
        let given = file.entries.iter().filter(|(_, entry)| !entry.value.is_empty());
        given.map(|(key, entry)| {
            (key.as_str(), entry.value.as_str(), format!("{} line {}, {key}", file.name(), entry.line))
        })
    })
}

/// Settings of this machine, which are never taken by a pattern or as a candidate.
fn is_local_only(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    stays_home(&name) || name.starts_with("GITHUB_")
}

/// Whether a secret or variable of this name belongs to one machine or one repository and is never sent, even when listed:
/// Standin's settings and the sentinel's own secrets.
pub fn stays_home(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["MIRROR_", "SENTINEL_", "STANDIN_", "GIT_SYNC_"].iter().any(|prefix| name.starts_with(prefix))
        || name == "MASTER_TOKEN"
}

/// GitHub's rules for names of secrets and variables.
fn check_name(name: &str) -> Result<(), Complaint> {
    let complaint = |why: &str| {
        Complaint::new(
            format!("{} cannot be a name on GitHub: {why}", shown(name)),
            "Names are made of letters, digits and `_`, do not begin with a digit, nor with `GITHUB_`.",
        )
    };
    if looks_secret(name) {
        return Err(Complaint::new(
            "this looks like a token where a name should be",
            "Write the names here; each value stands in `.env` on a line of its own, `NAME=value`.",
        ));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(complaint("it has other characters than letters, digits and `_`"));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(complaint("it begins with a digit"));
    }
    if name.to_ascii_uppercase().starts_with("GITHUB_") {
        return Err(complaint("GitHub keeps `GITHUB_…` for itself"));
    }
    Ok(())
}

fn check_size(name: &str, value: &str) -> Result<(), Complaint> {
    if value.len() <= VALUE_LIMIT {
        return Ok(());
    }
    Err(Complaint::new(
        format!("{name} has {} bytes, and GitHub takes at most {VALUE_LIMIT}", value.len()),
        "Keep large values encrypted in a file of the repository, and only their key as a secret.",
    ))
}

/// Names that differ only in their case are one name on GitHub.
fn refuse_twins<'a>(place: &str, names: impl Iterator<Item = &'a String>, mistakes: &mut Mistakes) {
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in names {
        if let Some(twin) = seen.insert(name.to_ascii_uppercase(), name)
            && twin != name
        {
            let message = format!("`{twin}` and `{name}` are one name on GitHub, which ignores case");
            mistakes.add(place, Complaint::new(message, "Keep one of them."));
        }
    }
}
