//! The template with a repository's values in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use standin_state::config::{Config, MirrorConfig, RepositoryConfig, Source};
use standin_state::model::Slug;
use ts_rs::TS;

use crate::{Code, Error, Result};

const TEMPLATE: &str = include_str!("sentinel.yml");

/// The script, by topic, in the order in which it is put together.
const SCRIPT: [&str; 7] = [
    include_str!("script/1-ask.sh"),
    include_str!("script/2-memory.sh"),
    include_str!("script/3-fence.sh"),
    include_str!("script/4-judge.sh"),
    include_str!("script/5-promote.sh"),
    include_str!("script/6-recover.sh"),
    include_str!("script/7-main.sh"),
];

/// How deep the script stands in the file.
const INDENT: &str = "          ";

/// By which rules the script judges. Raised where what an older one does can harm; files without a number have the first.
/// The second: a policy that keeps the token out does not count as a master that is gone.
const RULES: u32 = 2;

/// Begins the line by which a rendered file is known again.
const MARK: &str = "# standin-sentinel: ";

/// A sentinel for one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The whole file.
    pub text: String,
    /// When it runs, as cron says it.
    pub cron: String,
    /// The repository that it watches.
    pub master: Slug,
}

/// How a file that was found compares to the one that would be rendered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum FileState {
    /// It is that file.
    Current,
    /// Standin rendered it from other values, such as another threshold.
    OtherValues,
    /// Another version of Standin rendered it.
    OtherVersion,
    /// Somebody changed it after it was rendered.
    Edited,
    /// Standin did not render it.
    Foreign,
    /// There is none.
    Missing,
}

/// Renders the sentinel of a repository.
///
/// # Errors
/// [`Code::Usage`] where the master is not on GitHub; [`Code::Configuration`] for a value that a workflow file cannot hold.
pub fn render(config: &Config, repository: &RepositoryConfig) -> Result<Rendered> {
    let Source::GitHub(master) = &repository.source else {
        return Err(Error::new(
            Code::Usage,
            format!(
                "the source of {} ({}) is not on GitHub, so no sentinel can watch it",
                repository.id,
                repository.source.display()
            ),
            "Name its repository on GitHub as `source` (in `.env`: `MIRROR_SOURCE=owner/name`).",
        ));
    };
    let cron = cron(master, repository.sentinel.interval.as_secs() / 60);
    let mut values = BTreeMap::from([
        ("cron", quoted("cron", &cron)?),
        ("name", quoted("source", &master.to_string())?),
        ("master_slug", quoted("source", &master.to_string())?),
        ("master_path", quoted("source", &master.path())?),
        ("script", script()),
    ]);
    let settings = &repository.sentinel;
    let heartbeat = repository.heartbeat.as_ref();
    let addresses = addresses(config, master);
    for (name, key, value) in [
        ("master_api_url", "api_url", addresses.0),
        ("master_server_url", "server_url", addresses.1),
        ("standby_names", "mirror", standby_names(repository)),
        ("threshold", "threshold", settings.threshold.to_string()),
        ("interval", "interval", settings.interval.as_secs().to_string()),
        ("heartbeat_path", "heartbeat path", heartbeat.map(|heartbeat| heartbeat.path.clone()).unwrap_or_default()),
        ("heartbeat_field", "heartbeat field", heartbeat.map(|heartbeat| heartbeat.field.clone()).unwrap_or_default()),
        (
            "heartbeat_max_age",
            "heartbeat max_age",
            heartbeat.map_or(0, |heartbeat| heartbeat.max_age.as_secs()).to_string(),
        ),
        ("keep_active", "keep_active", serde_json::json!(repository.keep_active).to_string()),
        ("auto_demotion", "auto_demotion", settings.auto_demotion.to_string()),
        ("gone_counts", "gone_counts", settings.gone_counts.to_string()),
        ("write_to_master", "write_to_master", settings.write_to_master.to_string()),
    ] {
        values.insert(name, quoted(key, &value)?);
    }
    let body = fill(TEMPLATE, &values)?;
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "# Rendered by Standin {version} for {master}; `standin sentinel install` writes it anew, and changes made here are lost.\n\
         {MARK}version={version} template={} rules={RULES} content={}\n{body}",
        &template_hash()[..12],
        hash(&body),
    );
    Ok(Rendered { text, cron, master: master.clone() })
}

/// What a file that was found is, beside the one that would be rendered now.
pub fn compare(found: &str, rendered: &Rendered) -> FileState {
    let found = found.replace("\r\n", "\n");
    if found == rendered.text {
        return FileState::Current;
    }
    let Some((mark, body)) = marked(&found) else {
        return FileState::Foreign;
    };
    let field = |name: &str| field(mark, name);
    match (field("template"), field("content")) {
        (Some(_), Some(content)) if content != hash(body) => FileState::Edited,
        (Some(template), Some(_)) if template != &template_hash()[..12] => FileState::OtherVersion,
        (Some(_), Some(_)) if field("version") != Some(env!("CARGO_PKG_VERSION")) => FileState::OtherVersion,
        (Some(_), Some(_)) => FileState::OtherValues,
        _ => FileState::Foreign,
    }
}

/// Whether a file that was found, changed by hand or not, judges by rules that were given up since.
pub fn is_overtaken(found: &str) -> bool {
    marked(found).is_some_and(|(mark, _)| {
        let rules = field(mark, "rules").and_then(|number| number.trim_end().parse().ok()).unwrap_or(1);
        rules < RULES
    })
}

/// The marked line and what stands below it.
fn marked(found: &str) -> Option<(&str, &str)> {
    found.split_once(MARK).and_then(|(_, rest)| rest.split_once('\n'))
}

/// A value of the marked line.
fn field<'m>(mark: &'m str, name: &str) -> Option<&'m str> {
    mark.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Puts each value in the place of its name, in one pass: a value that looks like a name stays as it is.
fn fill(template: &str, values: &BTreeMap<&str, String>) -> Result<String> {
    let mut text = String::with_capacity(template.len() * 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        match after.split_once("}}") {
            Some((name, behind)) if values.contains_key(name) => {
                text.push_str(&values[name]);
                rest = behind;
            }
            // GitHub's own expressions.
            _ if before.ends_with('$') => {
                text.push_str("{{");
                rest = after;
            }
            _ => {
                return Err(Error::new(
                    Code::Internal,
                    "the sentinel's template names a value that there is none of",
                    "",
                ));
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// The text as a YAML scalar in double quotes, ASCII alone.
fn quoted(key: &str, text: &str) -> Result<String> {
    if text.chars().any(char::is_control) || text.contains("${{") {
        return Err(Error::new(
            Code::Configuration,
            format!("`{key}` cannot stand in a workflow file: {text:?}"),
            "Use a value without control characters and without `${{`, which GitHub would take for an expression.",
        ));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ' '..='~' => quoted.push(character),
            other => quoted.push_str(&format!("\\U{:08X}", u32::from(other))),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

fn script() -> String {
    let mut text = String::new();
    for line in SCRIPT.join("\n").lines() {
        if !text.is_empty() {
            text.push('\n');
            text.push_str(if line.is_empty() { "" } else { INDENT });
        }
        text.push_str(line);
    }
    text
}

/// Where REST and git of the master's host are.
fn addresses(config: &Config, master: &Slug) -> (String, String) {
    let host = master.host.as_deref().unwrap_or(crate::github::GITHUB_COM);
    match config.hosts.iter().find(|known| known.name.eq_ignore_ascii_case(host)) {
        Some(known) => {
            (known.api_url.trim_end_matches('/').to_owned(), known.server_url.trim_end_matches('/').to_owned())
        }
        None if host == crate::github::GITHUB_COM => {
            ("https://api.github.com".to_owned(), "https://github.com".to_owned())
        }
        None => (format!("https://{host}/api/v3"), format!("https://{host}")),
    }
}

/// How standbys on hosts of their own are called in the fence, by the name that they know themselves by.
fn standby_names(repository: &RepositoryConfig) -> String {
    let names: serde_json::Map<String, serde_json::Value> = repository
        .mirrors
        .iter()
        .filter_map(MirrorConfig::slug)
        .filter(|slug| slug.host.is_some())
        .map(|slug| (slug.path().to_lowercase(), slug.to_string().into()))
        .collect();
    serde_json::Value::Object(names).to_string()
}

/// A schedule of this repository's own: at odd minutes, so never when the hour or its half strikes.
fn cron(master: &Slug, minutes: u64) -> String {
    let digest = Sha256::digest(master.to_string().to_lowercase().as_bytes());
    let (one, other) = (u64::from(digest[0]) << 8 | u64::from(digest[1]), u64::from(digest[2]));
    let list = |start: u64, step: u64, end: u64| {
        let times: Vec<String> = (0..end / step).map(|turn| (start + turn * step).to_string()).collect();
        times.join(",")
    };
    if minutes < 60 {
        let start = one % (minutes / 2) * 2 + 1;
        return format!("{} * * * *", list(start, minutes, 60));
    }
    let (minute, hours) = (one % 30 * 2 + 1, minutes / 60);
    if hours == 1 {
        return format!("{minute} * * * *");
    }
    format!("{minute} {} * * *", list(other % hours, hours, 24))
}

fn template_hash() -> String {
    hash(&format!("{TEMPLATE}{}", SCRIPT.concat()))
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
