//! The way over ssh: sshd starts a small program instead of a shell, which asks the host what to do.
//!
//! The program sends what the client asked for and what it sends; the host answers in pieces of a channel, a length and
//! data.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::sync::Arc;

use git2::Repository;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::receive::{Answer, receive};
use super::{Shared, protocol};

/// For standard output.
const OUTPUT: u8 = 1;
/// For standard error.
const ERROR: u8 = 2;
/// The exit status, which ends it.
const EXIT: u8 = 3;
/// The repository that `git upload-pack` is to serve instead.
const SERVE: u8 = 4;

/// Serves connections until it is dropped.
pub(super) async fn serve(shared: &Arc<Shared>, listener: &UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // A client that goes away is no matter.
            let _ended = answer(&shared, stream).await;
        });
    }
}

async fn answer(shared: &Shared, stream: UnixStream) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    let mut command = String::new();
    reading.read_line(&mut command).await?;
    let is_push = command.starts_with("git-receive-pack");
    let met = shared.host().at_the_door(is_push);
    if let Some((_, lines)) = met {
        if is_push {
            shared.host().meet();
        }
        let words: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        say(&mut writing, ERROR, words.as_bytes()).await?;
        return say(&mut writing, EXIT, &[1]).await;
    }
    if !is_push {
        return say(&mut writing, SERVE, shared.repository.display().to_string().as_bytes()).await;
    }
    let refs = {
        let repository = Repository::open_bare(&shared.repository).map_err(std::io::Error::other)?;
        protocol::advertisement(&repository, &shared.host())
    };
    say(&mut writing, OUTPUT, &refs).await?;
    match receive(shared, &mut reading).await? {
        Answer::Report(report) => {
            say(&mut writing, OUTPUT, &report).await?;
            say(&mut writing, EXIT, &[0]).await
        }
        Answer::Empty => say(&mut writing, EXIT, &[0]).await,
        Answer::Cut => say(&mut writing, EXIT, &[128]).await,
    }
}

async fn say(writing: &mut tokio::net::unix::OwnedWriteHalf, channel: u8, data: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
    writing.write_all(&[channel]).await?;
    writing.write_all(&length.to_be_bytes()).await?;
    writing.write_all(data).await
}

/// What the program does that sshd starts: `socket` is the host's, `command` what the client asked for. Gives the exit
/// status.
///
/// # Errors
/// When the host cannot be reached, or goes away.
pub fn act_as_shell(socket: &Path, command: &str) -> std::io::Result<u8> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    writeln!(stream, "{command}")?;
    let mut sending = stream.try_clone()?;
    let mut feeding = None;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [channel, length @ ..] = head;
        let mut data = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut data)?;
        match channel {
            OUTPUT => {
                std::io::stdout().write_all(&data)?;
                std::io::stdout().flush()?;
                // Only now does the client send anything, and only to a host that listens.
                feeding.get_or_insert_with(|| {
                    let mut sending = sending.try_clone().expect("a socket can be shared");
                    std::thread::spawn(move || {
                        // The end of either side is the end of it.
                        let _copied = std::io::copy(&mut std::io::stdin(), &mut sending);
                        let _shut = sending.shutdown(std::net::Shutdown::Write);
                    })
                });
            }
            ERROR => std::io::stderr().write_all(&data)?,
            SERVE => {
                sending.flush()?;
                let path = String::from_utf8_lossy(&data).into_owned();
                let mut program = std::process::Command::new("git");
                program.args([
                    "-c",
                    "safe.directory=*",
                    "-c",
                    "uploadpack.allowAnySHA1InWant=true",
                    "upload-pack",
                    &path,
                ]);
                return Err(program.exec());
            }
            _ => return Ok(data.first().copied().unwrap_or(1)),
        }
    }
}
