//! Taking a push in: its commands, its objects, the host's judgement, the answer.

use std::process::Stdio;

use git2::Repository;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::Shared;
use super::host::Mishap;
use super::protocol;
use super::records::PushRecord;

/// What a host answers to a push.
pub(super) enum Answer {
    /// The report.
    Report(Vec<u8>),
    /// Nothing: the connection ends.
    Cut,
    /// Nothing was asked for.
    Empty,
}

/// Reads a push to its end and does what the host's table says.
pub(super) async fn receive(shared: &Shared, mut input: impl AsyncRead + Unpin) -> std::io::Result<Answer> {
    let request = protocol::read_request(&mut input).await?;
    if request.asked.is_empty() {
        return Ok(Answer::Empty);
    }
    if request.asked.iter().any(|asked| asked.new.is_some()) {
        unpack(shared, &mut input).await?;
    }
    let delay = shared.host().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut host = shared.host();
    let mishap = host.meet();
    let (record, unpacked) = match mishap.clone() {
        None | Some(Mishap::CutAfter | Mishap::Door { .. }) => {
            let repository = Repository::open_bare(&shared.repository).map_err(std::io::Error::other)?;
            (host.judge(&repository, request.asked, request.atomic), "ok".to_owned())
        }
        Some(Mishap::Report { reason, remarks }) => {
            (refused(request.asked, request.atomic, &reason, remarks), "ok".into())
        }
        Some(Mishap::Unpack { unpacked, reason, remarks }) => {
            (refused(request.asked, request.atomic, &reason, remarks), unpacked)
        }
    };
    drop(host);
    let answer = protocol::answer(&record, &unpacked, request.side_band);
    shared.pushes.lock().unwrap().push(record);
    Ok(if mishap == Some(Mishap::CutAfter) { Answer::Cut } else { Answer::Report(answer) })
}

fn refused(asked: Vec<super::Asked>, atomic: bool, reason: &str, remarks: Vec<String>) -> PushRecord {
    let report = asked.iter().map(|asked| (asked.name.clone(), Some(reason.to_owned()))).collect();
    PushRecord { asked, atomic, report, remarks, taken: Vec::new() }
}

/// Takes the objects in; git itself finds their end.
async fn unpack(shared: &Shared, input: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(&shared.repository)
        .args(["-c", "core.fsync=none", "unpack-objects", "-q"])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            read = input.read(&mut buffer) => {
                let read = read?;
                if read == 0 {
                    drop(stdin);
                    break child.wait().await?;
                }
                // It stops reading where the pack ends.
                if stdin.write_all(&buffer[..read]).await.is_err() {
                    break child.wait().await?;
                }
            }
        }
    };
    if status.success() { Ok(()) } else { Err(std::io::Error::other("the objects of a push could not be unpacked")) }
}
