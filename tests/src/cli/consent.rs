//! The yes of a person who wrote the `.env` that stands in the clone: tests that are about something else have said it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use standin_core::state::config::{self, ALLOW, Consents, LoadRequest};

/// The variable that says yes to all that the files ask for, as `standin` with these arguments would read them in `folder`.
pub fn yes(
    folder: &Path,
    environment: &BTreeMap<String, String>,
    arguments: &[&str],
) -> Option<(&'static str, String)> {
    let after = |option: &str| {
        let at = arguments.iter().position(|argument| *argument == option)?;
        arguments.get(at + 1).map(PathBuf::from)
    };
    let folder_of = |name: &str| environment.get(name).map(PathBuf::from);
    let home = folder_of("XDG_CONFIG_HOME").or_else(|| Some(folder_of("HOME")?.join(".config")))?;
    let request = LoadRequest {
        environment: environment.clone(),
        repo: after("--repo"),
        config_file: after("--config"),
        current_dir: folder.to_owned(),
        default_config_dir: home.join("standin"),
        repository: None,
        instead: None,
    };
    let loaded = config::load(&request, &Consents::new()).ok()?;
    let wishes = loaded.config.repositories.iter().filter_map(|repository| repository.consent.wish());
    let hashes: Vec<String> = wishes.map(|wish| wish.wish.hash()).collect();
    (!hashes.is_empty()).then(|| (ALLOW, hashes.join(",")))
}
