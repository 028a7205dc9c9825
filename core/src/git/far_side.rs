//! The other side of a remote that is a folder of this machine.
//!
//! git starts its own program there, `git receive-pack` or `git upload-pack`, as the user, and that program obeys what the
//! repository in the folder says: its hooks, and settings that name programs. Whoever made the folder is not asked here, and
//! it may have come with a clone. So it is started with settings of ours, which come before those of the folder, unless the
//! user wrote `hooks = true` for the mirror.
//!
//! | what could run | why it does not |
//! |---|---|
//! | hooks: `pre-receive`, `update`, `proc-receive`, `reference-transaction`, `post-*`, `push-to-checkout` | `core.hooksPath` |
//! | `hook.*.command` (git 2.54 and later) | switched off by event, and each by its name |
//! | filters and `core.fsmonitor`, where a push updates a work tree (`updateInstead`) | a checked-out branch is not pushed to |
//! | `core.alternateRefsCommand` | `true` instead, which lists nothing: it only spares sending what is there |
//! | `gc.recentObjectsHook` and whatever else cleaning up may start | nothing is cleaned up |
//! | `core.sshCommand`, `remote.*.uploadpack`, `ext::` of a partial clone that lacks objects | no transport is allowed |
//! | `uploadpack.packObjectsHook` | git itself takes it from the user's own configuration alone, of which none is seen |

use std::path::{Path, PathBuf};

use super::foreign;
use super::program::Version;
use crate::processes::is_program;

/// What the program on the other side is told, before the folder's own settings.
const SETTINGS: [(&str, &str); 7] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.alternateRefsCommand", "true"),
    ("receive.autogc", "false"),
    ("receive.denyCurrentBranch", "refuse"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];
/// From this version on, settings can be hooks.
const SETTINGS_ARE_HOOKS: Version = Version(2, 54);
/// What can happen in a repository that is pushed to or read.
const EVENTS: [&str; 9] = [
    "pre-receive",
    "update",
    "proc-receive",
    "reference-transaction",
    "post-receive",
    "post-update",
    "push-to-checkout",
    "pre-auto-gc",
    "post-index-change",
];

/// The command that serves the folder at `place`: `service` is `receive-pack` or `upload-pack`. A shell reads it; git puts the
/// folder behind it.
pub(super) fn command(git: &Path, version: Version, service: &str, place: &str) -> String {
    let variables = environment(version, place);
    let told: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("{} {} {service}", told.join(" "), quoted(&git.to_string_lossy()))
}

/// What the program that serves the folder at `place` is started with.
pub(super) fn environment(version: Version, place: &str) -> Vec<(String, String)> {
    let mut settings: Vec<(String, &str)> = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    if version >= SETTINGS_ARE_HOOKS {
        let named = hooks_in_settings(&folder(place));
        let all = EVENTS.into_iter().map(str::to_owned).chain(named);
        settings.extend(all.map(|name| (format!("hook.{name}.enabled"), "false")));
    }
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut variables = vec![
        variable("GIT_NO_LAZY_FETCH", "1"),
        variable("GIT_ALLOW_PROTOCOL", "none"),
        variable("GIT_CONFIG_COUNT", &settings.len().to_string()),
    ];
    for (number, (key, value)) in settings.iter().enumerate() {
        variables.push(variable(&format!("GIT_CONFIG_KEY_{number}"), key));
        variables.push(variable(&format!("GIT_CONFIG_VALUE_{number}"), value));
    }
    variables
}

/// The names of the hooks that stand in the settings of the repository in a folder. A repository that cannot be read has
/// none that git would read.
fn hooks_in_settings(folder: &Path) -> Vec<String> {
    let with_end = PathBuf::from(format!("{}.git", folder.display()));
    let opened = [folder, &with_end].into_iter().find_map(|folder| foreign::open(folder).ok().flatten());
    let Some(config) = opened.and_then(|repository| repository.config().ok()) else { return Vec::new() };
    let mut names = Vec::new();
    if let Ok(mut entries) = config.entries(Some("^hook\\.")) {
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.name().ok().and_then(|key| key.strip_prefix("hook.")?.rsplit_once('.'));
            names.extend(name.map(|(name, _)| name.to_owned()));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Whether the repository in the folder at `place` has hooks that would run when it is pushed to.
pub(crate) fn has_hooks(place: &str) -> bool {
    let folder = folder(place);
    let with_end = PathBuf::from(format!("{}.git", folder.display()));
    [folder.join(".git"), folder, with_end].iter().any(|git_dir| {
        let hooks = git_dir.join("hooks");
        EVENTS.iter().any(|event| is_program(&hooks.join(event)))
    })
}

/// The folder that an address without a host names.
pub(crate) fn folder(place: &str) -> PathBuf {
    PathBuf::from(place.strip_prefix("file://").unwrap_or(place))
}

/// A text as a shell takes it whole.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_that_are_settings_are_switched_off_by_name_from_the_git_on_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path().join("a.git")).unwrap();
        let mut text = std::fs::read_to_string(repository.path().join("config")).unwrap();
        text.push_str("[hook \"it's = odd\"]\n\tevent = update\n\tcommand = touch x\n[include]\n\tpath = more\n");
        std::fs::write(repository.path().join("config"), text).unwrap();
        std::fs::write(repository.path().join("more"), "[hook \"more\"]\n\tcommand = touch y\n").unwrap();
        for place in ["a.git", "a"] {
            let place = format!("file://{}", folder.path().join(place).display());
            let command = command(Path::new("/bin/git"), Version(2, 54), "receive-pack", &place);
            for name in ["'hook.it'\\''s = odd.enabled'", "'hook.more.enabled'", "'hook.update.enabled'"] {
                assert!(command.contains(name), "{name}: {command}");
            }
            assert!(command.ends_with("'/bin/git' receive-pack"), "{command}");
        }
        let command = command(Path::new("/bin/git"), Version(2, 53), "upload-pack", "/nowhere");
        assert!(!command.contains("'hook."), "{command}");
    }
}
