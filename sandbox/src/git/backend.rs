//! `git http-backend` as a CGI child: environment, streams, and its certain end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use super::{Request, Service, text};
use crate::server::Body;
use crate::shared::Shared;

/// The size of a pack that GitHub takes, where the repository has no limit of its own.
const PACK_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// What GitHub's two programs call themselves; they are not git's own.
const AGENTS: [(Service, &str); 2] = [
    (Service::ReceivePack, "github/spokes-receive-pack-b8fc7a1a1b2e"),
    (Service::UploadPack, "git/github-6a5c2b1e9d40-Linux"),
];

/// The head of an answer must come within so many bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// A child that is killed, with all that it started, unless it was seen to end.
pub(super) struct ChildGroup {
    child: Child,
    group: Option<Pid>,
}

impl ChildGroup {
    /// Waits for its end.
    pub(super) async fn finish(&mut self) {
        match self.child.wait().await {
            Ok(status) => {
                if !status.success() {
                    tracing::debug!(%status, "git http-backend failed");
                }
                self.group = None;
            }
            Err(error) => tracing::warn!(%error, "cannot wait for git http-backend"),
        }
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        if let Some(group) = self.group
            && let Err(error) = killpg(group, Signal::SIGKILL)
        {
            tracing::debug!(%error, "cannot kill git http-backend");
        }
    }
}

/// A running backend.
pub(super) struct Backend {
    pub group: ChildGroup,
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
}

/// Starts the backend for a request; `push_dir` is set for pushes, whose hooks are in it.
pub(super) fn start(shared: &Shared, request: &Request, push_dir: Option<&Path>) -> std::io::Result<Backend> {
    let headers = &request.parts.headers;
    let text_of = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut command = Command::new(&shared.http_backend);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &shared.pushes_dir)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &shared.repositories_dir)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_HTTP_MAX_REQUEST_BUFFER", "1g")
        .env("REQUEST_METHOD", request.parts.method.as_str())
        .env("PATH_INFO", format!("/{}.git/{}", request.repository_id, request.endpoint))
        .env("QUERY_STRING", request.parts.uri.query().unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut settings = vec![("safe.directory", "*".into())];
    if let Some(push_dir) = push_dir {
        command.env("STANDIN_PUSH", push_dir);
        settings.push(("core.hooksPath", push_dir.join("hooks").into_os_string()));
        // Hidden refs are refused by the hook: git itself would let the others of an atomic push through.
        settings.push(("receive.hideRefs", "!refs/pull".into()));
        settings.push(("receive.maxInputSize", request.limits.pack_bytes.unwrap_or(PACK_BYTES_MAX).to_string().into()));
        if request.limits.pack_bytes.is_some() {
            // Small packs too go through `index-pack`, whose words are GitHub's.
            settings.push(("receive.unpackLimit", "1".into()));
        }
    }
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (index, (key, value)) in settings.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    if let Some((_, agent)) = AGENTS.iter().find(|(service, _)| *service == request.service) {
        command.env("GIT_USER_AGENT", agent);
    }
    if request.service == Service::ReceivePack {
        let login = request.caller.login.as_deref().unwrap_or_default();
        command.env("REMOTE_USER", login);
    }
    // No CONTENT_LENGTH: told one, http-backend asks an input that ended before it for more for ever, so one whose sandbox was
    // killed would never end. Without it, the end of the input is the end.
    for (header, variable) in [
        (CONTENT_TYPE, "CONTENT_TYPE"),
        (CONTENT_ENCODING, "HTTP_CONTENT_ENCODING"),
        (HeaderName::from_static("git-protocol"), "GIT_PROTOCOL"),
    ] {
        if let Some(value) = text_of(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let pipes = child.stdin.take().zip(child.stdout.take());
    let group = ChildGroup { child, group };
    let (stdin, stdout) = pipes.ok_or_else(|| std::io::Error::other("the child has no pipes"))?;
    Ok(Backend { group, stdin, stdout })
}

/// Hands the request's body to the child; an error if the client broke off.
pub(super) async fn feed(mut body: Incoming, mut stdin: ChildStdin, size: Arc<AtomicU64>) -> Result<(), hyper::Error> {
    let mut open = true;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        size.fetch_add(data.len() as u64, Ordering::Relaxed);
        // A child that has made up its mind stops reading; the rest of the body is let go.
        open = open && stdin.write_all(&data).await.is_ok();
    }
    Ok(())
}

/// The head of a CGI answer, and what of the body was read with it.
pub(super) async fn read_head(stdout: &mut ChildStdout) -> std::io::Result<(StatusCode, HeaderMap, BytesMut)> {
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > HEAD_LIMIT || stdout.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::Error::other("git http-backend gave no answer"));
        }
    };
    let head = buffer.split_to(end + 4);
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(&head).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            status = value
                .split(' ')
                .next()
                .and_then(|code| code.parse().ok())
                .and_then(|code| StatusCode::from_u16(code).ok())
                .unwrap_or(status);
        } else if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    Ok((status, headers, buffer))
}

/// Serves everything but the push itself: the answer streams.
pub(super) async fn serve(shared: &Arc<Shared>, request: Request) -> Response<Body> {
    let failed = |error: std::io::Error| {
        tracing::error!(%error, "git http-backend cannot serve");
        *text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    };
    let backend = match start(shared, &request, None) {
        Ok(backend) => backend,
        Err(error) => return failed(error),
    };
    let Backend { group, stdin, mut stdout } = backend;
    let mut feeding = Box::pin(feed(request.body, stdin, request.body_size));
    let mut fed = false;
    // The head may come before the body was taken, or wait for it.
    let head = {
        let head = read_head(&mut stdout);
        tokio::pin!(head);
        loop {
            tokio::select! {
                head = &mut head => break head,
                outcome = &mut feeding, if !fed => {
                    fed = true;
                    if let Err(error) = outcome {
                        return failed(std::io::Error::other(error));
                    }
                }
            }
        }
    };
    let (status, headers, rest) = match head {
        Ok(head) => head,
        Err(error) => return failed(error),
    };
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(8);
    let shutdown = shared.shutdown.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = pump(rest, stdout, group, sender) => {}
            () = async {
                if !fed && let Err(error) = feeding.await {
                    // The client broke off: the child goes with the pump.
                    tracing::debug!(%error, "a git request broke off");
                    return;
                }
                std::future::pending().await
            } => {}
        }
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let frame = receiver.recv().await?;
        Some((frame, receiver))
    });
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn pump(
    rest: BytesMut,
    mut stdout: ChildStdout,
    mut group: ChildGroup,
    sender: mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>,
) {
    let mut buffer = rest;
    loop {
        if !buffer.is_empty() {
            let chunk = buffer.split().freeze();
            if sender.send(Ok(Frame::data(chunk))).await.is_err() {
                // The client has gone: the child is killed with the group.
                return;
            }
        }
        buffer.reserve(32 * 1024);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                drop(sender.send(Err(error)).await);
                return;
            }
        }
    }
    group.finish().await;
}

/// Where the backend program is: in git's own folder, so that no second process is needed to find it.
pub(crate) fn find_backend(git: &Path) -> std::io::Result<PathBuf> {
    let output = std::process::Command::new(git).arg("--exec-path").stdin(Stdio::null()).output()?;
    let folder = String::from_utf8_lossy(&output.stdout);
    let program = Path::new(folder.trim()).join("git-http-backend");
    if program.is_file() {
        return Ok(program);
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!("{} is missing; install the whole of git", program.display()),
    ))
}
