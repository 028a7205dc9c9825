//! A push: the `pre-receive` hook asks this program what to refuse, and git does the rest.
//!
//! The hook is a few lines of shell that talk through two named pipes in the push's own folder. When single refs are
//! to be refused, an `update` hook is put beside it before it is let go.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::{Response, StatusCode};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::backend::{self, Backend};
use super::policy::{self, Command, Judgement};
use super::report::Wording;
use super::{Request, report, text};
use crate::pushed::{self, Actor, RefChange};
use crate::server::{Body, full_body};
use crate::shared::Shared;

const PRE_RECEIVE: &str = r#"#!/bin/sh
exec 3>"$STANDIN_PUSH/ask"
printf '%s\n' "${GIT_QUARANTINE_PATH-}" >&3
cat >&3
printf 'end\n' >&3
exec 3>&-
read -r verdict <"$STANDIN_PUSH/answer"
if [ -f "$STANDIN_PUSH/remarks" ]; then cat "$STANDIN_PUSH/remarks" >&2; fi
exit "$verdict"
"#;

const UPDATE: &str = r#"#!/bin/sh
! grep -qxF -e "$1" "$STANDIN_PUSH/refused"
"#;

/// Puts the two hook programs into the folder of pushes, where each push links to them.
pub(crate) fn write_hooks(pushes_dir: &Path) -> io::Result<()> {
    for (name, program) in [("pre-receive", PRE_RECEIVE), ("update", UPDATE)] {
        let path = pushes_dir.join(name);
        fs::write(&path, program)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The folder of one push, removed with it.
struct PushDir {
    dir: TempDir,
    programs: PathBuf,
}

impl PushDir {
    fn create(pushes_dir: &Path) -> io::Result<(Self, pipe::Receiver, fs::File)> {
        let dir = tempfile::Builder::new().prefix("push-").tempdir_in(pushes_dir)?;
        let push = Self { dir, programs: pushes_dir.to_owned() };
        fs::create_dir(push.path("hooks"))?;
        push.link_hook("pre-receive")?;
        for name in ["ask", "answer"] {
            mkfifo(&push.path(name), Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        // Both ends are held open, so that neither side waits for the other to open.
        let ask = pipe::Receiver::from_file(push.open("ask")?)?;
        let answer = push.open("answer")?;
        Ok((push, ask, answer))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, name: &str) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).open(self.path(name))
    }

    fn link_hook(&self, name: &str) -> io::Result<()> {
        std::os::unix::fs::symlink(self.programs.join(name), self.path("hooks").join(name))
    }

    /// Prepares what the hooks read; gives the hook's exit status.
    fn prepare(&self, judgement: &Judgement) -> io::Result<u8> {
        if !judgement.remarks.is_empty() {
            fs::write(self.path("remarks"), judgement.remarks.join("\n") + "\n")?;
        }
        if judgement.refused_whole.is_some() {
            return Ok(1);
        }
        if !judgement.refused.is_empty() {
            let names: Vec<&str> = judgement.refused.keys().map(String::as_str).collect();
            fs::write(self.path("refused"), names.join("\n") + "\n")?;
            self.link_hook("update")?;
        }
        Ok(0)
    }
}

/// Receives a push and does what follows from it before the answer is given.
pub(super) async fn receive(shared: &Arc<Shared>, request: Request) -> Response<Body> {
    match try_receive(shared, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a push failed");
            *text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
        }
    }
}

async fn try_receive(shared: &Arc<Shared>, request: Request) -> io::Result<Response<Body>> {
    let (push, ask, mut answer) = PushDir::create(&shared.pushes_dir)?;
    let Backend { mut group, stdin, mut stdout } = backend::start(shared, &request, Some(push.dir.path()))?;
    let repository_id = request.repository_id;
    let pusher = policy::Pusher {
        caller: request.caller.clone(),
        default_branch: request.default_branch,
        repository_id,
        moved_to: request.moved_to,
        failure: request.failure,
    };
    let feeding = async { backend::feed(request.body, stdin, request.body_size).await.map_err(io::Error::other) };
    let reading = async {
        let (status, headers, mut body) = backend::read_head(&mut stdout).await?;
        while stdout.read_buf(&mut body).await? > 0 {}
        group.finish().await;
        Ok((status, headers, body))
    };
    let judging = async {
        let (quarantine, commands) = listen(ask).await?;
        let worker = Arc::clone(shared);
        let (commands, judgement) = tokio::task::spawn_blocking(move || {
            let judgement = policy::judge(&worker, &pusher, quarantine.as_deref(), &commands);
            (commands, judgement)
        })
        .await?;
        let judgement = judgement.map_err(io::Error::other)?;
        let verdict = push.prepare(&judgement)?;
        answer.write_all(format!("{verdict}\n").as_bytes())?;
        Ok::<_, io::Error>((commands, Wording { whole: judgement.refused_whole, refused: judgement.refused }))
    };
    tokio::pin!(feeding, reading, judging);
    let (mut fed, mut judged) = (false, None);
    let outcome: io::Result<_> = loop {
        tokio::select! {
            outcome = &mut reading => break outcome,
            outcome = &mut feeding, if !fed => {
                fed = true;
                outcome?;
            }
            outcome = &mut judging, if judged.is_none() => judged = Some(outcome?),
        }
    };
    let (status, headers, body) = outcome?;
    // No hook ran when git itself refused everything.
    let (commands, wording) = judged.unwrap_or_default();
    follow_up(shared, repository_id, commands, Actor::of(Some(&request.caller))).await?;
    let body = report::in_the_hosts_words(&body, &wording);
    let mut response = Response::new(full_body(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Reads what the hook says: the quarantine folder and the commands.
async fn listen(mut ask: pipe::Receiver) -> io::Result<(Option<PathBuf>, Vec<Command>)> {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\nend\n") {
        if ask.read_buf(&mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8_lossy(&heard);
    let mut lines = text.lines();
    let quarantine = lines.next().filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok((quarantine, lines.filter_map(Command::parse).collect()))
}

/// Finds out which refs moved and does what follows.
async fn follow_up(shared: &Arc<Shared>, repository_id: u64, commands: Vec<Command>, actor: Actor) -> io::Result<()> {
    let worker = Arc::clone(shared);
    tokio::task::spawn_blocking(move || {
        let Some(path) = worker.world().repository(repository_id).map(|repository| repository.path.clone()) else {
            return Ok(());
        };
        let git = super::open(&path)?;
        let now = |name: &str| git.refname_to_id(name).ok();
        let changes: Vec<RefChange> = commands
            .into_iter()
            .filter(|command| command.old != command.new && now(&command.name) == command.new)
            .map(|command| RefChange { name: command.name, old: command.old, new: command.new })
            .collect();
        pushed::refs_changed(&worker, repository_id, &changes, &actor)
    })
    .await?
    .map_err(io::Error::other)
}

/// Refused refs and their reasons.
pub(super) type Reasons = BTreeMap<String, String>;
