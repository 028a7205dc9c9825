//! What is wrong in one clone stops that one, and says what; what git says of another user's clone can be done.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use super::places::git;
use super::scene::Scene;

#[test]
fn a_broken_clone_is_told_and_the_others_go_on() {
    let scene = Scene::new();
    let (user, broken) = (scene.world.clone_path(), scene.strangers_clone("MIRROR_1_BOGUS=1\n"));
    let folder = scene.world.folder().join("home/.config/standin");
    fs::create_dir_all(&folder).unwrap();
    let repository =
        |id: &str, clone: &Path| format!("[[repository]]\nid = \"{id}\"\npath = \"{}\"\n", clone.display());
    let toml = repository("broken", &broken) + &repository("ada.orchestrator", &user);
    fs::write(folder.join("standin.toml"), toml).unwrap();
    for env in ["MIRROR_1_BOGUS=1\n", "MIRROR_SECRETS={{{{{{A}}}}}}\n", "MIRROR_1_REPO='open\n", ""] {
        fs::remove_file(broken.join(".env")).unwrap();
        fs::write(broken.join(".env"), env).unwrap();
        if env.is_empty() {
            // No file at all, which never ends.
            fs::remove_file(broken.join(".env")).unwrap();
            std::os::unix::fs::symlink("/dev/zero", broken.join(".env")).unwrap();
        }
        let ran = scene.run(&user, &["status", "--all"]);
        assert_eq!(ran.code(), 2, "{env}: {ran:?}");
        for part in ["broken", "❌", "ada.orchestrator", "in step"] {
            assert!(ran.all().contains(part), "{env}: {part}: {ran:?}");
        }
        let json = scene.run(&user, &["status", "--all", "--json"]).all();
        let reports: serde_json::Value = serde_json::from_str(&json).unwrap();
        let stopped = |report: &&serde_json::Value| report["error"]["code"] == "configuration";
        assert_eq!(reports["repositories"].as_array().unwrap().iter().filter(stopped).count(), 1, "{json}");
        for command in [&["plan"][..], &["sync"], &["status"]] {
            let ran = scene.run(&user, command);
            assert_eq!(ran.code(), 0, "{env}: {command:?}: {ran:?}");
        }
        scene.forget();
        for command in [&["plan"][..], &["sync"], &["allow", "--yes"], &["deny"], &["status"]] {
            let ran = scene.run(&broken, command);
            assert_eq!(ran.code(), 2, "{env}: {command:?}: {ran:?}");
            assert!(ran.all().contains(".env"), "{env}: {command:?}: {ran:?}");
            scene.nothing_happened(env);
        }
    }
}

/// Against the real git, which alone knows what it compares.
#[test]
fn the_hint_for_another_users_clone_is_what_git_wants() {
    let scene = Scene::new();
    let archive = scene.folder();
    git(scene.world.folder(), &["init", "-q", "--bare", &archive.display().to_string()]);
    let clone = scene.folder();
    git(scene.world.folder(), &["init", "-q", &clone.display().to_string()]);
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "x"]);
    fs::write(clone.join(".env"), format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={}\n", archive.display())).unwrap();
    assert_eq!(scene.run(&clone, &["allow", "--yes"]).code(), 0);
    if chown(clone.join(".git"), Some(12_345), None).is_err() || chown(&clone, Some(12_345), None).is_err() {
        // Only where this test may give a folder away.
        return;
    }
    let none = [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")];
    let told = scene.run_with(&clone, &["sync"], &none);
    assert_ne!(told.code(), 0, "{told:?}");
    let text = told.all();
    let command = text.split('`').find(|part| part.starts_with("git config --global --add safe.directory ")).unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    let status = std::process::Command::new(words[0])
        .args(&words[1..])
        .env("HOME", scene.world.folder().join("home"))
        .env_remove("GIT_CONFIG_GLOBAL")
        .env_remove("XDG_CONFIG_HOME")
        .status()
        .unwrap();
    assert!(status.success());
    let synced = scene.run_with(&clone, &["sync"], &none);
    assert_eq!(synced.code(), 0, "{command}: {synced:?}");
}
