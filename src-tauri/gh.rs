//! gh through tauri-plugin-shell. Found, checked and given its environment as core says; only the starting is ours.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use standin_core::gh::{Program, base_environment};
use standin_core::outside::{Gh, GhCall, GhOutput};
use standin_core::{Code, Error, Result};
use tauri::AppHandle;
use tauri_plugin_shell::ShellExt as _;
use tauri_plugin_shell::process::{CommandChild, CommandEvent};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::Receiver;

/// How long `gh --version` may take.
const VERSION_LIMIT: Duration = Duration::from_secs(20);
/// Most that is kept of either output, in bytes; gh says little.
const OUTPUT_LIMIT: usize = 1024 * 1024;

/// gh as the desktop runs it.
pub struct ShellGh {
    app: AppHandle,
    outside: Arc<BTreeMap<String, String>>,
    program: OnceCell<Program>,
}

impl ShellGh {
    /// gh as this environment leads to it; looked for and checked when it is first needed.
    pub fn new(app: AppHandle, outside: Arc<BTreeMap<String, String>>) -> Self {
        Self { app, outside, program: OnceCell::new() }
    }

    async fn program(&self) -> Result<&Program> {
        self.program
            .get_or_try_init(|| async {
                let path = Program::locate(&self.outside)?;
                let call = GhCall {
                    arguments: vec!["--version".to_owned()],
                    input: None,
                    environment: BTreeMap::new(),
                    time_limit: VERSION_LIMIT,
                };
                let output = self.run_program(&path, call).await?;
                Program::checked(path, &output.stdout)
            })
            .await
    }

    async fn run_program(&self, path: &Path, call: GhCall) -> Result<GhOutput> {
        let (events, child) = self
            .app
            .shell()
            .command(path)
            .args(&call.arguments)
            .env_clear()
            .envs(base_environment(&self.outside))
            .envs(call.environment.iter().map(|(name, value)| (name, value.expose_secret())))
            .set_raw_out(true)
            .set_process_group(true)
            .spawn()
            .map_err(|error| {
                Error::new(
                    Code::GhMissing,
                    format!("{} could not be started: {error}", path.display()),
                    "Install a current gh (https://cli.github.com), or name it in STANDIN_GH.",
                )
            })?;
        let group = Group::of(&child);
        let ended = tokio::time::timeout(call.time_limit, converse(events, child, call.input)).await;
        match ended {
            Ok(output) => {
                group.leave();
                output
            }
            Err(_) => Err(Error::passing(
                Code::TimedOut,
                format!("gh did not end within {} seconds and was stopped", call.time_limit.as_secs()),
                "The host hangs or is very slow. Try again later, or raise `[limits] request`.",
            )),
        }
    }
}

#[async_trait]
impl Gh for ShellGh {
    async fn run(&self, call: GhCall) -> Result<GhOutput> {
        let program = self.program().await?;
        self.run_program(&program.path, call).await
    }
}

/// Writes the input, closes it, and listens until gh has ended.
async fn converse(
    mut events: Receiver<CommandEvent>,
    mut child: CommandChild,
    input: Option<SecretString>,
) -> Result<GhOutput> {
    // A pipe takes a little at a time, so the writing waits on a thread of its own. Dropping the child closes it.
    let write = tokio::task::spawn_blocking(move || {
        if let Some(input) = input {
            // gh may end before it has read everything; it then says why on standard error.
            let _ = child.write(input.expose_secret().as_bytes());
        }
    });
    let (mut stdout, mut stderr, mut status) = (Vec::new(), Vec::new(), None);
    while let Some(event) = events.recv().await {
        match event {
            CommandEvent::Stdout(bytes) => keep(&mut stdout, &bytes),
            CommandEvent::Stderr(bytes) => keep(&mut stderr, &bytes),
            CommandEvent::Terminated(end) => status = end.code,
            CommandEvent::Error(error) => {
                return Err(Error::passing(
                    Code::GhFailed,
                    format!("gh could not be listened to: {error}"),
                    "Try again.",
                ));
            }
            _ => {}
        }
    }
    // The thread ends with the pipe, which gh has closed by ending.
    let _ = write.await;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(GhOutput { status, stdout: text(stdout), stderr: text(stderr) })
}

fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    let room = OUTPUT_LIMIT.saturating_sub(kept.len());
    kept.extend_from_slice(&more[..more.len().min(room)]);
}

/// gh with whatever it started; ended when dropped, so that a run that is given up leaves nothing behind.
struct Group(Option<u32>);

impl Group {
    fn of(child: &CommandChild) -> Self {
        Self(Some(child.pid()))
    }

    /// It ended by itself.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.take() {
            platform::end(id);
        }
    }
}

#[cfg(unix)]
mod platform {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    pub(super) fn end(id: u32) {
        if let Ok(id) = i32::try_from(id) {
            // A group that is gone already needs no signal.
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::os::windows::process::CommandExt as _;
    use std::process::Command;

    const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    pub(super) fn end(id: u32) {
        // A process that is gone already needs no ending.
        let _ = Command::new("taskkill")
            .args(["/T", "/F", "/PID", &id.to_string()])
            .creation_flags(CREATE_NO_WINDOW)
            .status();
    }
}
