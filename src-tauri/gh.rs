//! gh through tauri-plugin-shell. Found, checked and given its environment as core says; only the starting is ours.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use standin_core::Result;
use standin_core::gh::{OUTPUT_LIMIT, Program, base_environment, failure, folder};
use standin_core::outside::{Gh, GhCall, GhOutput};
use standin_core::processes::Group;
use tauri::AppHandle;
use tauri_plugin_shell::ShellExt as _;
use tauri_plugin_shell::process::{CommandChild, CommandEvent};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::Receiver;

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
            .get_or_try_init(|| {
                Program::find(&self.outside, |path, call| async move { self.run_program(&path, call).await })
            })
            .await
    }

    async fn run_program(&self, path: &Path, call: GhCall) -> Result<GhOutput> {
        let (events, child) = self
            .app
            .shell()
            .command(path)
            .args(&call.arguments)
            .current_dir(folder())
            .env_clear()
            .envs(base_environment(&self.outside))
            .envs(call.environment.iter().map(|(name, value)| (name, value.expose_secret())))
            .set_raw_out(true)
            .set_process_group(true)
            .spawn()
            .map_err(|error| failure::not_started(path, error))?;
        let mut group = Group::of(Some(child.pid()));
        let ended = tokio::time::timeout(call.time_limit, converse(events, child, call.input)).await;
        match ended {
            Ok(output) => {
                group.leave();
                output
            }
            Err(_) => Err(failure::timed_out(call.time_limit)),
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
                return Err(failure::not_heard(error));
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
