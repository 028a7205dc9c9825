//! What is kept on this machine goes only where it was given for, though its name be the same.

use std::fs;

use standin_tests::cli::{Machine, Ran};
use standin_tests::keyring::in_a_session;

use super::scene::Scene;

const TOKEN: &str = "ghp_keptcanary00000000000000000000000000";
const VALUE: &str = "vault-canary-value";

#[test]
fn what_is_kept_goes_only_where_it_was_given_for() {
    in_a_session(module_path!(), "tokens_and_values_in_a_real_keychain", &["all"]);
}

#[test]
fn what_was_kept_before_anybody_wrote_down_what_for_asks_once() {
    in_a_session(module_path!(), "old_items_in_a_real_keychain", &["all"]);
}

/// A scene whose machine has the session's keychain.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] {
        let value = std::env::var(name).unwrap();
        scene.machine.environment.insert(name.to_owned(), value);
    }
    scene.machine.environment.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
    scene
}

fn given(scene: &Scene, arguments: &[&str], input: &str) -> Ran {
    Machine { folder: scene.world.clone_path(), ..scene.machine.clone() }.standin_with(arguments, input.as_bytes())
}

/// What a message says that `STANDIN_ALLOW` is to be.
fn hash_in(told: &str) -> String {
    told.split("STANDIN_ALLOW=").nth(1).and_then(|rest| rest.split(')').next()).unwrap().to_owned()
}

/// What the stranger's host got.
fn sent(scene: &Scene) -> String {
    scene.witness.seen().into_iter().filter(|seen| !seen.starts_with("ran ")).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn tokens_and_values_in_a_real_keychain() {
    let mut scene = scene();
    scene.world.set("MIRROR_1_TOKEN", None);
    assert_eq!(given(&scene, &["allow", "--yes"], "").code(), 0);
    assert_eq!(given(&scene, &["token", "set", "mirror-1"], TOKEN).code(), 0);
    assert_eq!(given(&scene, &["token", "set", "source"], TOKEN).code(), 0);
    scene.world.secrets.remove("RESEND_API_KEY");
    scene.world.write_env();
    assert_eq!(given(&scene, &["allow", "--yes"], "").code(), 0);
    assert_eq!(given(&scene, &["secret", "set", "RESEND_API_KEY"], VALUE).code(), 0);
    scene.forget();

    // The stranger's clone passes for the user's repository, and its owner says yes to the file alone.
    let env = "MIRROR_SOURCE=ada/orchestrator\nMIRROR_SOURCE_TOKEN=ghp_x\nMIRROR_SECRETS=*\nMIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\nMIRROR_7_REPO=mallory/loot\nMIRROR_7_TOKEN=ghp_x\n";
    let clone = scene.strangers_clone(env);
    let whole = hash_in(&scene.run(&clone, &["plan"]).all());
    let (hash, of_what_is_kept) = whole.split_once(',').unwrap();
    let session: Vec<(&str, &str)> = vec![("STANDIN_ALLOW", hash)];
    for command in
        [&["plan"][..], &["sync", "--yes"], &["mirror", "test", "mirror-1"], &["token", "check"], &["health"]]
    {
        let ran = scene.run_with(&clone, command, &session);
        assert!(!ran.all().contains(TOKEN) && !ran.all().contains(VALUE), "{ran:?}");
        assert!(!sent(&scene).to_lowercase().contains("authorization"), "{command:?}: {ran:?}");
    }
    let ran = scene.run_with(&clone, &["sync", "--mirror", "mirror-1"], &session);
    let both = ["which you allowed for github.com/ada-backup/orchestrator", &format!("to {}/x", scene.witness.host)];
    assert!(both.iter().all(|place| ran.all().contains(place)), "{ran:?}");
    let value = scene.world.sandbox.secret_value("mallory", "loot", "RESEND_API_KEY");
    assert_eq!(value, None, "a value of the vault");

    // The one hash that is shown is for all that is shown with it, where nobody can be asked.
    scene.run_with(&clone, &["sync", "--mirror", "mirror-1"], &[("STANDIN_ALLOW", of_what_is_kept)]);
    assert!(!sent(&scene).contains("GET /x.git"), "without a yes to the file: {}", sent(&scene));
    scene.run_with(&clone, &["sync", "--mirror", "mirror-1"], &[("STANDIN_ALLOW", &whole)]);
    assert!(sent(&scene).contains("GET /x.git"), "the witness sees");
    scene.forget();

    // The question of `allow` names both places; after that yes it goes.
    let asked = scene.run(&clone, &["allow"]);
    assert_eq!(asked.code(), 3, "{asked:?}");
    assert!(both.iter().all(|place| asked.all().contains(place)), "{asked:?}");
    assert!(asked.all().contains("the value of RESEND_API_KEY in your vault"), "{asked:?}");
    assert_eq!(scene.run(&clone, &["allow", "--yes"]).code(), 0);
    scene.run(&clone, &["sync", "--mirror", "mirror-1"]);
    assert!(sent(&scene).contains("GET /x.git"), "the witness sees");

    // The user's own repository never noticed.
    assert!(!given(&scene, &["plan"], "").all().contains("which you allowed for"));
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn old_items_in_a_real_keychain() {
    let mut scene = scene();
    let token = scene.world.token.clone();
    scene.world.set("MIRROR_1_TOKEN", None);
    assert_eq!(given(&scene, &["allow", "--yes"], "").code(), 0);
    assert_eq!(given(&scene, &["token", "set", "mirror-1"], &token).code(), 0);
    assert_eq!(given(&scene, &["sync"], "").code(), 0);
    // Another memory, as before there was one of such things.
    let state = scene.world.folder().join("another-state");
    fs::create_dir(&state).unwrap();
    scene.machine.environment.insert("STANDIN_STATE_DIR".to_owned(), state.display().to_string());
    scene.machine.environment.insert("STANDIN_ALLOW".to_owned(), String::new());
    let whole = hash_in(&given(&scene, &["plan"], "").all());
    let hash = whole.split(',').next().unwrap().to_owned();
    scene.machine.environment.insert("STANDIN_ALLOW".to_owned(), hash);
    let ran = given(&scene, &["sync", "--mirror", "mirror-1"], "");
    assert_eq!(ran.code(), 3, "{ran:?}");
    assert!(ran.all().contains("which was kept before Standin wrote down what for"), "{ran:?}");
    let asked = given(&scene, &["allow", "--yes"], "");
    assert_eq!(asked.code(), 0, "{asked:?}");
    assert!(asked.all().contains("to github.com/ada-backup/orchestrator"), "{asked:?}");
    let ran = given(&scene, &["sync", "--mirror", "mirror-1"], "");
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!(given(&scene, &["allow"], "").all().trim(), "nothing waits for a yes");

    // The mirror is another place by now, and its owner says that the file may say so; the token was given for the first.
    scene.world.set("MIRROR_1_REPO", Some("ada-backup/elsewhere"));
    scene.machine.environment.insert("STANDIN_ALLOW".to_owned(), String::new());
    let waits = given(&scene, &["plan", "--mirror", "mirror-1"], "").all();
    let hash = hash_in(&waits).split(',').next().unwrap().to_owned();
    scene.machine.environment.insert("STANDIN_ALLOW".to_owned(), hash);
    let status = given(&scene, &["status"], "");
    assert_eq!(status.code(), 3, "{status:?}");
    assert!(status.all().contains("until then it goes to no other place"), "{status:?}");
    assert_eq!(given(&scene, &["plan", "--mirror", "mirror-1"], "").code(), 3, "as the plan says");
    let denied = given(&scene, &["deny"], "");
    assert_eq!(denied.code(), 0, "{denied:?}");
    assert!(denied.all().contains("goes to no other place"), "the no is to what is asked, not to the file: {denied:?}");
    let status = given(&scene, &["status"], "");
    assert!(status.all().contains("You denied"), "{status:?}");
    // A no that was said here is stronger than a yes that is said everywhere.
    let whole = hash_in(&waits);
    scene.machine.environment.insert("STANDIN_ALLOW".to_owned(), whole);
    assert_eq!(given(&scene, &["plan", "--mirror", "mirror-1"], "").code(), 3);
    let denied = given(&scene, &["deny"], "");
    assert!(denied.all().contains("nothing of what"), "said again, it takes back the yes to the file: {denied:?}");
}
