//! Keychains for tests: a session of its own with a real gnome-keyring, and a bus of its own for a [`service::Service`]
//! that behaves as badly as a test wants.
//!
//! Where the keychain is stands in the environment of a process, so both run the calling test program again.

pub mod service;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::own_name;

const STEP: &str = "STANDIN_TEST_KEYRING";

/// Runs `test` of this module of the calling test program, which is ignored otherwise, in a new session with an unlocked
/// keychain; once for each step, with the step in `STANDIN_TEST_KEYRING`. Fails unless each passes.
pub fn in_a_session(module: &str, test: &str, steps: &[&str]) {
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
        .arg(own_name(module, test))
        .args(steps)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("XDG_DATA_HOME", home.path())
        // Of its own, so that what is left behind there can be seen.
        .env("TMPDIR", home.path())
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("DISPLAY")
        .output()
        .expect("dbus-run-session is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("1 passed").count(), steps.len(), "{said}");
}

/// A message bus that nothing is on and that starts nothing; it ends with this.
struct Bus {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Bus {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let configuration = folder.path().join("bus.conf");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
                "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/></policy></busconfig>"#,
            folder.path().join("bus").display()
        );
        std::fs::write(&configuration, text).expect("the folder is ours");
        let mut child = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        said.read_line(&mut address).expect("the bus says its address");
        Self { child, address: address.trim().to_owned(), folder }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `test` of this module of the calling test program, which is ignored otherwise, on a bus of its own; the test may put
/// a [`service::Service`] there.
pub fn on_a_bus(module: &str, test: &str) {
    let bus = Bus::start();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", own_name(module, test).as_str(), "--ignored", "--nocapture"])
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .env("HOME", bus.folder.path())
        .env("XDG_RUNTIME_DIR", bus.folder.path())
        .env(STEP, "bus")
        .env_remove("DISPLAY")
        .output()
        .expect("this program runs again");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
