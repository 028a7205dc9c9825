//! The yes is for one file in one place, as it is read when it is used.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use git2::Repository;
use standin_tests::cli::Ran;

use super::scene::Scene;

const LOOT: &str = "MIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\n";

/// Whatever is typed there waits, and nothing happened.
fn waits(scene: &Scene, clone: &Path, what: &str) -> Ran {
    for command in [&["plan"][..], &["sync", "--yes"], &["health"], &["secret", "list"]] {
        let ran = scene.run(clone, command);
        assert_eq!(ran.code(), 3, "{what}: {command:?}: {ran:?}");
        scene.nothing_happened(&format!("{what}: {command:?}"));
    }
    scene.run(clone, &["plan"])
}

/// Whether what is typed there goes on. A keychain that is not there keeps nobody waiting.
fn goes_on(scene: &Scene, clone: &Path) -> bool {
    let none = [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")];
    !scene.run_with(clone, &["plan"], &none).all().contains("waits for your yes")
}

pub fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

/// A clone whose owner said yes to an archive of its own.
fn allowed(scene: &Scene) -> std::path::PathBuf {
    let clone = scene.strangers_clone("MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\n");
    let ran = scene.run(&clone, &["allow", "--yes"]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    clone
}

#[test]
fn a_file_that_was_replaced_after_the_yes_waits_and_shows_the_difference() {
    let scene = Scene::new();
    let clone = allowed(&scene);
    fs::write(clone.join(".env"), scene.text(LOOT, &clone)).unwrap();
    let told = waits(&scene, &clone, "replaced").all();
    assert!(told.contains("- writes mirror-1: ssh://git@127.0.0.1:1/x.git"), "{told}");
    assert!(told.contains(&format!("+ writes mirror-1: {}/x.git", scene.witness.host)), "{told}");
    // By a rename, as editors save, and by a link.
    fs::write(clone.join("new"), scene.text(&format!("{LOOT}MIRROR_2_REPO=mallory/loot\n"), &clone)).unwrap();
    fs::rename(clone.join("new"), clone.join(".env")).unwrap();
    waits(&scene, &clone, "renamed");
    fs::remove_file(clone.join(".env")).unwrap();
    symlink("tools/env", clone.join(".env")).unwrap();
    fs::write(clone.join("tools/env"), scene.text(LOOT, &clone)).unwrap();
    waits(&scene, &clone, "a link");
}

#[test]
fn a_branch_that_brings_another_file_waits() {
    let scene = Scene::new();
    let clone = scene.folder();
    scene.fill(&clone);
    fs::write(clone.join(".env"), "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\n").unwrap();
    git(&clone, &["checkout", "-q", "-b", "one"]);
    git(&clone, &["add", "-f", ".env"]);
    git(&clone, &["commit", "-q", "-m", "one"]);
    git(&clone, &["checkout", "-q", "-b", "two"]);
    fs::write(clone.join(".env"), scene.text(LOOT, &clone)).unwrap();
    git(&clone, &["commit", "-q", "-a", "-m", "two"]);
    git(&clone, &["checkout", "-q", "one"]);
    waits(&scene, &clone, "a tracked file");
    assert_eq!(scene.run(&clone, &["allow", "--yes"]).code(), 0);
    git(&clone, &["checkout", "-q", "two"]);
    waits(&scene, &clone, "another branch");
    git(&clone, &["checkout", "-q", "one"]);
    assert!(goes_on(&scene, &clone), "the same file again");
}

#[test]
fn a_link_to_a_file_that_was_allowed_elsewhere_waits() {
    let scene = Scene::new();
    let clone = scene.folder();
    scene.fill(&clone);
    symlink(scene.world.clone_path().join(".env"), clone.join(".env")).unwrap();
    let told = waits(&scene, &clone, "a link to the user's own").all();
    assert!(told.contains("since the file is a link to it"), "{told}");
}

#[test]
fn what_is_no_file_ends_nothing_and_hangs_nothing() {
    let scene = Scene::new();
    for (what, to) in
        [("nothing", "/dev/null"), ("without an end", "/dev/zero"), ("a folder", "tools"), ("itself", ".env")]
    {
        let clone = scene.folder();
        scene.fill(&clone);
        symlink(to, clone.join(".env")).unwrap();
        let ran = scene.run(&clone, &["plan"]);
        assert_eq!(ran.code(), 2, "{what}: {ran:?}");
        scene.nothing_happened(what);
    }
    let clone = scene.folder();
    scene.fill(&clone);
    assert!(Command::new("mkfifo").arg(clone.join(".env")).status().unwrap().success());
    assert_eq!(scene.run(&clone, &["plan"]).code(), 2);
    scene.nothing_happened("a pipe");
    let large = clone.join("large");
    fs::write(&large, format!("{}MIRROR_1_REPO=mallory/loot\n", "# a comment\n".repeat(500_000))).unwrap();
    fs::rename(&large, clone.join(".env")).unwrap();
    assert_eq!(scene.run(&clone, &["plan"]).code(), 2);
    scene.nothing_happened("a very large file");
}

#[test]
fn copied_moved_and_renamed_clones_wait() {
    let scene = Scene::new();
    let clone = allowed(&scene);
    let copy = scene.folder();
    assert!(Command::new("cp").arg("-a").arg(&clone).arg(&copy).status().unwrap().success());
    waits(&scene, &copy, "copied");
    let moved = scene.folder();
    fs::rename(&clone, &moved).unwrap();
    waits(&scene, &moved, "moved");
    fs::rename(&copy, &clone).unwrap();
    assert!(goes_on(&scene, &clone), "the same file in the same place");
    // Another clone in the place of one that was allowed.
    scene.forget();
    fs::remove_dir_all(&clone).unwrap();
    fs::rename(&moved, &clone).unwrap();
    Repository::open(&clone).unwrap().remote_set_url("origin", &format!("{}/other.git", scene.witness.host)).unwrap();
    waits(&scene, &clone, "another origin");
}

#[test]
fn a_clone_inside_one_that_was_allowed_waits() {
    let scene = Scene::new();
    let user = scene.world.clone_path();
    for (what, inner) in [("a submodule", user.join("vendor/lib")), ("deep inside", user.join("a/b/c"))] {
        fs::create_dir_all(inner.parent().unwrap()).unwrap();
        scene.fill(&inner);
        fs::write(inner.join(".env"), scene.text(LOOT, &inner)).unwrap();
        waits(&scene, &inner, what);
        waits(&scene, &inner.join("tools"), "a folder in it");
    }
    // A worktree of it, with a file of its own.
    let clone = scene.folder();
    scene.fill(&clone);
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "one"]);
    fs::write(clone.join(".env"), "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\n").unwrap();
    assert_eq!(scene.run(&clone, &["allow", "--yes"]).code(), 0);
    let tree = scene.folder();
    git(&clone, &["worktree", "add", "-q", "--detach", &tree.display().to_string()]);
    fs::write(tree.join(".env"), "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\n").unwrap();
    waits(&scene, &tree, "a worktree");
}

#[test]
fn a_bare_repository_and_a_borrowed_one_wait() {
    let scene = Scene::new();
    let bare = scene.folder();
    Repository::init_bare(&bare).unwrap().remote("origin", "https://github.com/ada/orchestrator.git").unwrap();
    fs::write(bare.join(".env"), scene.text(LOOT, &bare)).unwrap();
    waits(&scene, &bare, "a bare repository");
    // A folder whose `.git` names the user's own clone.
    let borrowed = scene.folder();
    fs::create_dir(&borrowed).unwrap();
    let git_folder = scene.world.clone_path().join(".git");
    fs::write(borrowed.join(".git"), format!("gitdir: {}\n", git_folder.display())).unwrap();
    fs::write(borrowed.join(".env"), scene.text(LOOT, &borrowed)).unwrap();
    waits(&scene, &borrowed, "the user's own repository, borrowed");
}

#[test]
fn two_clones_of_one_repository_are_allowed_each_for_itself() {
    let scene = Scene::new();
    let twin = scene.folder();
    let repository = Repository::init(&twin).unwrap();
    let origin = format!("{}/ada/orchestrator.git", scene.world.sandbox.server_url());
    repository.remote("origin", &origin).unwrap();
    fs::write(twin.join(".env"), scene.text(LOOT, &twin)).unwrap();
    let told = waits(&scene, &twin, "the same repository").all();
    assert!(told.contains("ada/orchestrator, where this clone came from"), "{told}");
    // The user's own goes on.
    assert_eq!(scene.run(&scene.world.clone_path(), &["sync"]).code(), 0);
}

#[test]
fn an_edited_token_or_value_asks_nothing_and_a_changed_route_does() {
    let mut scene = Scene::new();
    let clone = scene.world.clone_path();
    scene.world.change_secret("RESEND_API_KEY");
    assert_eq!(scene.run(&clone, &["sync"]).code(), 0);
    scene.forget();
    scene.world.set("MIRROR_1_REPO", Some("mallory/loot"));
    waits(&scene, &clone, "a changed route");
    // Said once for a machine on which nobody can be asked.
    let told = scene.run(&clone, &["plan"]).all();
    let hash = told.split("STANDIN_ALLOW=").nth(1).and_then(|rest| rest.split(')').next()).unwrap().to_owned();
    let ran = scene.run_with(&clone, &["plan"], &[("STANDIN_ALLOW", &hash)]);
    assert!(!ran.all().contains("waits for your yes"), "{ran:?}");
    scene.forget();
    scene.world.set("MIRROR_1_REPO", Some("mallory/other"));
    let ran = scene.run_with(&clone, &["plan"], &[("STANDIN_ALLOW", &hash)]);
    assert_eq!(ran.code(), 3, "{ran:?}");
    scene.nothing_happened("the hash of another wish");
}

#[test]
fn a_no_ends_what_a_yes_began() {
    let scene = Scene::new();
    let clone = scene.world.clone_path();
    assert_eq!(scene.run(&clone, &["deny"]).code(), 0);
    let told = scene.run(&clone, &["status"]).all();
    assert!(told.contains("You denied what"), "{told}");
    for command in [&["plan"][..], &["sync"], &["health"]] {
        assert_eq!(scene.run(&clone, command).code(), 3);
        scene.nothing_happened("denied");
    }
    assert_eq!(scene.run(&clone, &["allow", "--yes"]).code(), 0);
    assert_eq!(scene.run(&clone, &["sync"]).code(), 0);
}
