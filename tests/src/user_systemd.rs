//! A systemd of one user, apart from the machine's: in a mount namespace of its own, with a `/run` of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::{Machine, finish};

/// Where systemd lies on Debian and its relatives.
const SYSTEMD: &str = "/usr/lib/systemd/systemd";
/// The user's folder below `/run`, in the namespace.
const RUNTIME: &str = "/run/user-under-test";

/// The user's systemd. It is ended when dropped, with all that it runs.
pub struct UserSystemd {
    child: Child,
}

impl UserSystemd {
    /// Starts one for the user of a machine; `None`, with a word on standard error, where this system has no systemd or allows
    /// no namespace.
    pub fn start(machine: &Machine) -> Option<Self> {
        let script = format!(
            "mount -t tmpfs none /run && mkdir -p /run/systemd/system {RUNTIME} && chmod 700 {RUNTIME} && exec {SYSTEMD} --user"
        );
        if !PathBuf::from(SYSTEMD).exists() {
            eprintln!("skipped: there is no {SYSTEMD} here");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        command.env_clear().envs(&machine.environment).env("XDG_RUNTIME_DIR", RUNTIME);
        command.env("SYSTEMD_LOG_TARGET", "null").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut started = Self { child: command.spawn().ok()? };
        let mut is_there = None;
        finish("the user's systemd", Duration::from_secs(30), || {
            if started.child.try_wait().unwrap().is_some() {
                is_there = Some(false);
            } else if started.systemctl(machine, &["is-system-running"]).0 {
                is_there = Some(true);
            }
            is_there.is_some()
        });
        if is_there == Some(false) {
            eprintln!("skipped: no user's systemd can be started in a namespace here");
            return None;
        }
        Some(started)
    }

    /// The same machine, on which all runs beside this systemd.
    #[must_use]
    pub fn beside(&self, machine: &Machine) -> Machine {
        let runner = machine.folder.join("beside-systemd");
        let id = self.child.id();
        let text = format!(
            "#!/bin/sh\nexec nsenter --mount=/proc/{id}/ns/mnt --wdns=\"$PWD\" -- {:?} \"$@\"\n",
            machine.program
        );
        std::fs::write(&runner, text).unwrap();
        std::fs::set_permissions(&runner, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Machine { program: runner, ..machine.with("XDG_RUNTIME_DIR", RUNTIME) }
    }

    /// `systemctl --user` with these arguments: whether it went well, and what it said.
    pub fn systemctl(&self, machine: &Machine, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.child.id())).args(["--", "systemctl", "--user"]);
        command.args(arguments).env_clear().envs(&machine.environment).env("XDG_RUNTIME_DIR", RUNTIME);
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for UserSystemd {
    fn drop(&mut self) {
        // Its number is below what a process can have.
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // Asked so, it ends its units first.
        let _ = kill(id, Signal::SIGTERM);
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while std::time::Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
