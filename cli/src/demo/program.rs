//! Running Standin itself, git and the window inside the demo's world.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use standin_core::Result;
use tokio::process::Command;

use super::{World, failed};
use crate::output::lines::print;
use crate::signals::stop_asked;
use crate::start;

/// What a program said and how it ended.
pub struct Ended {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
}

/// Runs `standin` with these arguments, as a person in the clone would, and shows what it prints.
pub async fn standin(world: &World, arguments: &[&str]) -> Result<Ended> {
    print(&format!("  $ standin {}", arguments.join(" ")));
    let ended = run(world, &start::this_program()?, arguments, world.clone_path()).await?;
    for line in ended.stdout.lines() {
        print(&format!("  {line}"));
    }
    Ok(ended)
}

/// Runs `standin … --json` quietly and reads its answer.
pub async fn standin_json(world: &World, arguments: &[&str]) -> Result<serde_json::Value> {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let ended = run(world, &start::this_program()?, &all, world.clone_path()).await?;
    serde_json::from_str(&ended.stdout).map_err(|error| failed("standin's JSON cannot be read", error))
}

/// Runs git in a folder.
pub async fn git(world: &World, folder: &Path, arguments: &[&str]) -> Result<String> {
    let ended = run(world, OsStr::new("git"), arguments, folder).await?;
    if ended.status != 0 {
        return Err(failed(&format!("git {}", arguments.join(" ")), format!("exit status {}", ended.status)));
    }
    Ok(ended.stdout.trim().to_owned())
}

/// Opens the window on the demo's world and waits until it is closed.
pub async fn window(world: &World, window: &Path) -> Result<()> {
    print("The window opens on the same sandbox. Close it (or press Ctrl-C here) to end the demo.");
    let mut child = command(world, window, &[], world.clone_path(), true)
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("{} cannot be started", window.display()), error))?;
    tokio::select! {
        ended = child.wait() => {
            let status = ended.map_err(|error| failed("the window cannot be waited for", error))?;
            if status.success() { Ok(()) } else { Err(failed("the window ended badly", status)) }
        }
        _ = stop_asked() => child.kill().await.map_err(|error| failed("the window cannot be closed", error)),
    }
}

async fn run(world: &World, program: impl AsRef<OsStr>, arguments: &[&str], folder: &Path) -> Result<Ended> {
    let program = program.as_ref();
    let output = command(world, program, arguments, folder, false)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(&format!("{} cannot be started", program.to_string_lossy()), error))?;
    Ok(Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// A child in the demo's world: its own home, and of the user's environment only what programs need to run.
fn command(
    world: &World,
    program: impl AsRef<OsStr>,
    arguments: &[&str],
    folder: &Path,
    with_display: bool,
) -> Command {
    const NEEDED: &[&str] = &["PATH", "TMPDIR", "STANDIN_GH", "STANDIN_GIT", "SYSTEMROOT"];
    const DISPLAY: &[&str] = &[
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
        "GDK_BACKEND",
        "WEBKIT_DISABLE_DMABUF_RENDERER",
        "LIBGL_ALWAYS_SOFTWARE",
        "XDG_DATA_DIRS",
        "XCURSOR_THEME",
        "GTK_THEME",
    ];
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    let kept = NEEDED.iter().chain(if with_display { DISPLAY } else { &[] });
    for name in kept {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(world.environment());
    command
}
