//! Child processes: found on PATH, put into a group of their own, ended together with whatever they started.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The first program of this name on a search path.
pub(crate) fn on_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path).map(|folder| folder.join(&name)).find(|file| is_program(file))
}

/// Whether it is a file that can be run.
#[cfg(unix)]
pub(crate) fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Whether it is a file.
#[cfg(not(unix))]
pub(crate) fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// Puts a child that is not started yet at the head of a new process group. On Windows, which has no such groups, it keeps
/// a console window from flashing up beside the application.
pub(crate) fn own_group(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(platform::CREATE_NO_WINDOW);
}

/// A child that heads a group of its own, with whatever it started. Ended at once when dropped, so that a call that is
/// given up leaves nothing behind.
pub struct Group(Option<u32>);

impl Group {
    /// The group of the child with this id; `None` for one that has ended.
    pub fn of(child: Option<u32>) -> Self {
        Self(child)
    }

    /// The child ended by itself: the group is nobody's concern any more.
    pub fn leave(&mut self) {
        self.0 = None;
    }

    /// Asks all of it to end, where the system has a way to ask; the group stays this one's concern.
    pub fn ask_to_end(&self) {
        if let Some(id) = self.0 {
            platform::ask_to_end(id);
        }
    }

    /// Ends all of it at once.
    pub(crate) fn end(&mut self) {
        if let Some(id) = self.0.take() {
            platform::end(id);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
mod platform {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    pub(super) fn ask_to_end(id: u32) {
        send(id, Signal::SIGTERM);
    }

    pub(super) fn end(id: u32) {
        send(id, Signal::SIGKILL);
    }

    fn send(id: u32, signal: Signal) {
        if let Ok(id) = i32::try_from(id) {
            // A group that is gone already needs no signal.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::os::windows::process::CommandExt as _;
    use std::process::Command;

    pub(super) const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    /// Programs without a window cannot be asked.
    pub(super) fn ask_to_end(_id: u32) {}

    pub(super) fn end(id: u32) {
        // A process that is gone already needs no ending.
        let _ = Command::new("taskkill")
            .args(["/T", "/F", "/PID", &id.to_string()])
            .creation_flags(CREATE_NO_WINDOW)
            .output();
    }
}
