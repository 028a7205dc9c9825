//! Running Standin itself, git and the window on a stage.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use standin_core::Result;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Stage, failed};
use crate::output::lines::print;
use crate::start;

/// What a program said and how it ended.
pub struct Ended {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, where it was heard.
    pub stderr: String,
}

impl Ended {
    /// Fails where the program did, with what it said.
    pub fn well(self, what: &str) -> Result<Self> {
        if self.status == 0 {
            return Ok(self);
        }
        let said = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        Err(failed(what, format!("exit status {}\n{}", self.status, said.trim())))
    }
}

/// Runs `standin` with these arguments, as a person in the clone would, and shows what it prints.
pub async fn standin(stage: &Stage, arguments: &[&str]) -> Result<Ended> {
    standin_with(stage, arguments, None).await
}

/// The same with something on standard input.
pub async fn standin_with(stage: &Stage, arguments: &[&str], input: Option<&str>) -> Result<Ended> {
    print(&format!("  $ standin {}", arguments.join(" ")));
    let program = start::this_program()?;
    let ended = run(stage, Run { input, ..Run::new(program.as_os_str(), arguments, stage.clone_path()) }).await?;
    for line in ended.stdout.lines() {
        print(&format!("  {line}"));
    }
    Ok(ended)
}

/// Runs `standin` quietly, and hears its standard error too.
pub async fn quietly(stage: &Stage, arguments: &[&str], input: Option<&str>) -> Result<Ended> {
    let program = start::this_program()?;
    let quiet = Run { input, hear_errors: true, ..Run::new(program.as_os_str(), arguments, stage.clone_path()) };
    run(stage, quiet).await
}

/// Runs `standin … --json` quietly and reads its answer.
pub async fn standin_json(stage: &Stage, arguments: &[&str]) -> Result<serde_json::Value> {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let ended = quietly(stage, &all, None).await?;
    serde_json::from_str(&ended.stdout)
        .map_err(|error| failed("standin's JSON cannot be read", format!("{error}: {}", ended.stderr.trim())))
}

/// Runs git in a folder.
pub async fn git(stage: &Stage, folder: &Path, arguments: &[&str]) -> Result<String> {
    git_with(stage, folder, arguments, &[], None).await
}

/// The same with further variables and something on standard input.
pub async fn git_with(
    stage: &Stage,
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: Option<&str>,
) -> Result<String> {
    let ended =
        run(stage, Run { input, variables, hear_errors: true, ..Run::new(OsStr::new("git"), arguments, folder) })
            .await?
            .well(&format!("git {}", arguments.join(" ")))?;
    Ok(ended.stdout.trim().to_owned())
}

/// Opens the window on the stage and waits until it is closed.
pub async fn window(stage: &Stage, window: &Path) -> Result<()> {
    print("The window opens on the same sandbox. Close it (or press Ctrl-C here) to end the demo.");
    let mut child = command(stage, &Run::new(window.as_os_str(), &[], stage.clone_path()), true)
        // What there is left to do is for whoever looks at it.
        .env("STANDIN_SCHEDULE", "false")
        .stdin(Stdio::null())
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
        _ = tokio::signal::ctrl_c() => child.kill().await.map_err(|error| failed("the window cannot be closed", error)),
    }
}

/// What is run.
struct Run<'a> {
    program: &'a OsStr,
    arguments: &'a [&'a str],
    folder: &'a Path,
    variables: &'a [(&'a str, &'a str)],
    input: Option<&'a str>,
    hear_errors: bool,
}

impl<'a> Run<'a> {
    fn new(program: &'a OsStr, arguments: &'a [&'a str], folder: &'a Path) -> Self {
        Self { program, arguments, folder, variables: &[], input: None, hear_errors: false }
    }
}

async fn run(stage: &Stage, what: Run<'_>) -> Result<Ended> {
    let name = what.program.to_string_lossy();
    let broke = |error: std::io::Error| failed(&format!("{name} cannot be run"), error);
    let mut child = command(stage, &what, false)
        .stdin(if what.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(if what.hear_errors { Stdio::piped() } else { Stdio::inherit() })
        .kill_on_drop(true)
        .spawn()
        .map_err(broke)?;
    if let (Some(input), Some(mut pipe)) = (what.input, child.stdin.take()) {
        // It may end before it has read everything.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(broke)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { status: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// A child on the stage: its own home, and of the user's environment only what programs need to run.
fn command(stage: &Stage, what: &Run<'_>, with_display: bool) -> Command {
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
    let mut command = Command::new(what.program);
    command.args(what.arguments).current_dir(what.folder).env_clear();
    let kept = NEEDED.iter().chain(if with_display { DISPLAY } else { &[] });
    for name in kept {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if !with_display {
        // Without it, the user's own session bus, and with it the keychain, would be found by its usual place.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/standin-rehearsal");
    }
    command.envs(stage.environment()).envs(what.variables.iter().copied());
    command
}
