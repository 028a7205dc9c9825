//! The processes of a job, and their certain end.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

/// Marks every process of a job, also one that left its group, as GitHub's runner does.
pub(super) const MARK: &str = "RUNNER_TRACKING_ID";
/// How long a step that is to stop has after the interrupt, and after the termination signal; GitHub's own.
const AFTER_INTERRUPT: Duration = Duration::from_millis(7_500);
const AFTER_TERMINATE: Duration = Duration::from_millis(2_500);
/// How long what a step leaves running may still write to its log.
const AFTER_END: Duration = Duration::from_millis(500);
/// How often processes that bear the mark are looked for at the end; each round finds those started meanwhile.
const ROUNDS: u32 = 20;

/// A running step: a process group of its own, one stream of output.
pub(super) struct Process {
    child: Child,
    group: Pid,
    output: pipe::Receiver,
}

/// The groups of all steps of a job; they are killed when this is dropped, with all that bears the job's mark.
pub(super) struct Groups {
    groups: Vec<Pid>,
    mark: String,
}

impl Groups {
    pub(super) fn new(mark: String) -> Self {
        Self { groups: Vec::new(), mark }
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Forgets groups that nothing is left of, so that their numbers can be somebody else's.
    pub(super) fn forget_ended(&mut self) {
        self.groups.retain(|group| killpg(*group, None).is_ok());
    }

    /// Starts a program in a group of its own, with this environment and no other.
    pub(super) fn start(
        &mut self,
        program: &str,
        arguments: &[OsString],
        dir: &Path,
        environment: &[(String, OsString)],
    ) -> std::io::Result<Process> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        // Both writing ends are the child's alone from here on.
        drop(command);
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw)
            .ok_or_else(|| std::io::Error::other("the step has no process"))?;
        self.groups.push(group);
        Ok(Process { child, group, output: pipe::Receiver::from_owned_fd(reader.into())? })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.groups {
            signal(*group, Signal::SIGKILL);
        }
        for _ in 0..ROUNDS {
            let marked = marked(&self.mark);
            if marked.is_empty() {
                return;
            }
            for process in marked {
                if let Err(error) = kill(process, Signal::SIGKILL) {
                    tracing::debug!(%error, "a process of a job has ended by itself");
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        tracing::warn!("processes of a job may be left");
    }
}

impl Process {
    /// What it writes next, and `None` at the end.
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<Option<()>> {
        Ok((self.output.read_buf(buffer).await? > 0).then_some(()))
    }

    /// Waits for its end. Reading goes on beside: see [`Process::read_or_end`].
    pub(super) async fn read_or_end(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<Progress> {
        tokio::select! {
            biased;
            read = self.output.read_buf(buffer) => match read? {
                0 => Ok(Progress::Ended(self.child.wait().await?)),
                _ => Ok(Progress::Wrote),
            },
            ended = self.child.wait() => Ok(Progress::Ended(ended?)),
        }
    }

    /// Reads what is left after the end, not for long if something still holds the stream.
    pub(super) async fn drain(&mut self, buffer: &mut Vec<u8>) {
        let reading = async { while let Ok(Some(())) = self.read(buffer).await {} };
        if tokio::time::timeout(AFTER_END, reading).await.is_err() {
            tracing::debug!("a step left something running that holds its output");
        }
    }

    /// Asks it to stop, then makes it stop.
    pub(super) async fn stop(&mut self, buffer: &mut Vec<u8>) {
        for (sent, patience) in [(Signal::SIGINT, AFTER_INTERRUPT), (Signal::SIGTERM, AFTER_TERMINATE)] {
            signal(self.group, sent);
            let ending = async {
                loop {
                    match self.read_or_end(buffer).await {
                        Ok(Progress::Wrote) => {}
                        Ok(Progress::Ended(_)) | Err(_) => return,
                    }
                }
            };
            if tokio::time::timeout(patience, ending).await.is_ok() {
                break;
            }
        }
        signal(self.group, Signal::SIGKILL);
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "cannot wait for a step");
        }
    }
}

/// What a step did.
pub(super) enum Progress {
    Wrote,
    Ended(ExitStatus),
}

fn signal(group: Pid, sent: Signal) {
    if let Err(error) = killpg(group, sent) {
        tracing::debug!(%error, "a step's group has ended by itself");
    }
}

/// Processes whose environment has the mark; none where the system does not show environments.
fn marked(mark: &str) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let wanted = format!("{MARK}={mark}");
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            std::fs::read(format!("/proc/{process}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()))
        })
        .map(Pid::from_raw)
        .collect()
}
