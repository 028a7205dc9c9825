//! A session of its own with a real gnome-keyring, for tests that need a keychain.

use std::process::Command;

/// Runs `test` of the calling test program, which is ignored otherwise, in a new session with an unlocked keychain; once
/// for each step, with the step in `STANDIN_TEST_KEYRING`. Fails unless each passes.
pub fn in_a_session(test: &str, steps: &[&str]) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let script = r#"
        printf 'pw\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
        test=$1; shift
        for step in "$@"; do
            STANDIN_TEST_KEYRING=$step "$0" --exact "$test" --ignored || exit 1
        done
    "#;
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .arg(std::env::current_exe().expect("this program"))
        .arg(test)
        .args(steps)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .output()
        .expect("dbus-run-session is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("1 passed").count(), steps.len(), "{said}");
}
