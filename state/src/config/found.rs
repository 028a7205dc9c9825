//! Clones on this machine that could be looked after: found by looking into folders, one level deep, and nowhere else.
//!
//! Of each, the few small files are read that say where it came from; nothing in them decides anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::location::Surroundings;
use super::mistakes::Mistakes;
use super::origin::Clone;
use super::{Config, Source, validate};

/// More than that is no list that somebody reads.
const LISTED: usize = 50;
/// So many entries of one folder are looked at.
const LOOKED_AT: usize = 1000;

/// Where people keep clones, below their home.
const USUAL: &[&str] = &[
    "src",
    "code",
    "Code",
    "projects",
    "Projects",
    "dev",
    "Developer",
    "git",
    "repos",
    "work",
    "workspace",
    "GitHub",
    "Documents/GitHub",
    "source/repos",
];

/// A clone on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundClone {
    /// Its folder.
    pub folder: PathBuf,
    /// Where it came from; `None` where it names nothing that could be a source.
    pub source: Option<Source>,
}

/// The clone in a folder, or around it.
pub fn found_clone(config: &Config, home: Option<&Path>, folder: &Path) -> Option<FoundClone> {
    Clone::around(folder).map(|clone| found(&clone, config, home))
}

/// The clones in the usual folders below this home that came from somewhere, those first in which something happened last.
pub fn found_clones(config: &Config, home: &Path) -> Vec<FoundClone> {
    let mut seen: Vec<(SystemTime, FoundClone)> = Vec::new();
    for usual in USUAL {
        let entries = fs::read_dir(home.join(usual)).into_iter().flatten().flatten().take(LOOKED_AT);
        for folder in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
            let Some(clone) = Clone::at(&folder) else { continue };
            let found = found(&clone, config, Some(home));
            // Two names of one folder, as on a disk that takes `Code` for `code`.
            if found.source.is_some() && !seen.iter().any(|(_, known)| is_same(&known.folder, &found.folder)) {
                seen.push((last_used(&clone), found));
            }
        }
    }
    seen.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    seen.into_iter().map(|(_, found)| found).take(LISTED).collect()
}

fn found(clone: &Clone, config: &Config, home: Option<&Path>) -> FoundClone {
    let surroundings = Surroundings { hosts: &config.hosts, home };
    let origin = validate::origin_of(clone, &surroundings, &mut Mistakes::default());
    FoundClone { folder: clone.root.clone(), source: origin.map(Source::from) }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// When git last wrote there what each command writes.
fn last_used(clone: &Clone) -> SystemTime {
    let at = |name: &str| fs::metadata(clone.common().join(name)).and_then(|data| data.modified()).ok();
    ["index", "HEAD", "config"].into_iter().filter_map(at).max().unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Consents, LoadRequest, load};

    fn clone_at(folder: &Path, origin: &str) {
        fs::create_dir_all(folder.join(".git/objects")).unwrap();
        fs::create_dir_all(folder.join(".git/refs")).unwrap();
        fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let origin = if origin.is_empty() { String::new() } else { format!("[remote \"origin\"]\n\turl = {origin}\n") };
        fs::write(folder.join(".git/config"), origin).unwrap();
    }

    #[test]
    fn clones_are_found_one_level_deep_and_never_home_itself() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        clone_at(home, "https://github.com/ada/dotfiles");
        clone_at(&home.join("src/site"), "https://user:pass@github.com/ada/site.git");
        clone_at(&home.join("Documents/GitHub/app"), "git@github.com:ada/app.git");
        clone_at(&home.join("src/scratch"), "");
        clone_at(&home.join("src/group/deeper"), "https://github.com/ada/deeper");
        fs::create_dir_all(home.join("src/empty")).unwrap();
        fs::write(home.join("src/file"), "").unwrap();
        let request = LoadRequest {
            current_dir: home.join("src/empty"),
            default_config_dir: home.join(".config/standin"),
            ..LoadRequest::default()
        };
        let config = load(&request, &Consents::new()).unwrap().config;
        let mut found: Vec<String> =
            found_clones(&config, home).into_iter().map(|clone| clone.source.unwrap().display()).collect();
        found.sort();
        assert_eq!(found, ["ada/app", "ada/site"]);
        let around = found_clone(&config, Some(home), &home.join("src/site/.git")).unwrap();
        assert_eq!(around.folder, home.join("src/site"));
        let without = found_clone(&config, Some(home), &home.join("src/scratch")).unwrap();
        assert_eq!(without.source, None);
    }
}
