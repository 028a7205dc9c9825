//! Talking to one remote: pushing, and what every call has in common. Every call is one git of its own, with
//! its credential server and a private folder that are gone when it ends; over HTTP, what a request or two can do is done
//! without it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use standin_state::model::MirrorId;
use tokio::process::Command;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::address::{Address, Transport};
use super::child::{self, Call, Ended, Input, Patience};
use super::credential::{self, CredentialServer};
use super::http_push::{Answered, Door, Parcel, Verdict};
use super::outbox::Outbox;
use super::progress::ProgressLine;
use super::push::{self, Answer, PushOptions, PushReport, Room, Update};
use super::scratch::Scratch;
use super::{Cache, GitProgram, far_side, foreign, http, progress, ssh, why};
use crate::redact::Redactor;
use crate::totals::Totals;
use crate::{Code, Error, Result, crash};

/// Hears how far git has come: what it is doing, how many are done, of how many.
pub type Progress = Arc<dyn Fn(&str, u64, Option<u64>) + Send + Sync>;

/// What is told while a push is with its server.
const CHECKING: &str = "Waiting for the server to check the push";
/// How long nothing is said before it is told who is at work, and how often that is told again.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How to reach a remote, and who hears about it.
#[derive(Clone)]
pub struct RemoteOptions {
    /// The token for `https`; given to the remote's exact scheme, host and port only.
    pub credential: Option<SecretString>,
    /// The key for `ssh`; `None` leaves the choice to ssh (agent, `~/.ssh/config`).
    pub ssh_key: Option<PathBuf>,
    /// Standin's own file of host keys; those of the user's ssh count as well.
    pub known_hosts: PathBuf,
    /// How long a host may go without a word.
    pub silent_limit: Duration,
    /// How long the work of git on this machine, and of a server on a push that it has, may take without a word.
    pub work_limit: Duration,
    /// Ends the call at once, with all its processes.
    pub cancel: CancellationToken,
    /// Counts calls and bytes.
    pub totals: Arc<Totals>,
    /// Hears how far git has come.
    pub progress: Progress,
    /// What the crash points of these calls start with, such as `git.mirror`.
    pub point: &'static str,
    /// Whether the server is git's own, or GitHub's, so that what it reports of a push is believed. Others are listed after
    /// each push.
    pub trusts_reports: bool,
    /// Which mirror it is; `None` for the source. What a person is told to do is said of that.
    pub mirror: Option<MirrorId>,
    /// Whether the hooks of a folder, and the programs that its settings name, run there.
    pub hooks: bool,
}

/// One remote. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    pub(super) git: GitProgram,
    pub(super) address: Address,
    pub(super) options: RemoteOptions,
}

/// What the remote's answer to a push says, and its lines.
struct Pushed {
    answer: Answer,
    lines: Vec<String>,
    by_git: bool,
}

/// What the remote reported of a push.
pub(super) struct Reported {
    pub(super) report: PushReport,
    /// It was told by a server that is git's own, or seen.
    pub(super) by_git: bool,
}

/// A call of git that is ready to be run, with what must live as long as it does.
pub(super) struct Prepared {
    pub(super) command: Command,
    pub(super) _server: Option<CredentialServer>,
    pub(super) _folder: Scratch,
}

/// What a call of git does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    List,
    Fetch,
    Push,
    Probe,
}

impl Doing {
    /// The name of its crash points.
    fn point(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Fetch => "fetch",
            Self::Push => "push",
            Self::Probe => "probe",
        }
    }

    /// What goes on once nothing more has to come from, or go to, the host; `None` where there is nothing.
    fn work(self) -> Option<&'static str> {
        match self {
            Self::List | Self::Probe => None,
            Self::Fetch => Some("Checking what came"),
            Self::Push => Some(CHECKING),
        }
    }

    /// Whether git says by this line that the host has, or gave, everything: the pack is out, or in. A push of deletes alone
    /// has no pack, and its host stays one whose word is awaited.
    fn ends_transfer(self, line: &str, progress: Option<&ProgressLine<'_>>) -> bool {
        match self {
            Self::List => false,
            Self::Push | Self::Probe => line.starts_with("Total "),
            // The same words after `remote:` are the host's own.
            Self::Fetch => progress.filter(|_| !line.starts_with("remote:")).is_some_and(|progress| {
                progress.phase == "Resolving deltas"
                    || (progress.phase == "Receiving objects" && Some(progress.done) == progress.total)
            }),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Bytes {
    sent: u64,
    received: u64,
}

impl Remote {
    /// A remote at `url`; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Code::Configuration`] for an address that is not allowed, and for a token that would travel over plain `http` to
    /// another machine; [`Code::TimedOut`] for a folder whose settings cannot be read.
    pub fn new(git: &GitProgram, url: &str, options: RemoteOptions) -> Result<Self> {
        let address = Address::parse(url, git.home())?;
        if options.credential.is_some() && !address.is_private() {
            return Err(Error::new(
                Code::Configuration,
                format!("a token cannot go to `{address}`: everybody on the way could read it"),
                "Use an https address.",
            ));
        }
        if address.transport == Transport::File {
            // Git reads its settings at every call, and would wait as long.
            foreign::open(&far_side::folder(address.as_str()))?;
        }
        Ok(Self { git: git.clone(), address, options })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the remote is reached over HTTP and needs nothing that only git knows: the proxies and certificates of the
    /// user's git configuration.
    pub(super) fn is_plain_http(&self) -> bool {
        let over_http = matches!(self.address.transport, Transport::Https | Transport::Http);
        over_http && self.git.user_settings().is_empty()
    }

    pub(super) fn asking<'a>(&'a self, what: &'a str) -> http::Asking<'a> {
        http::Asking {
            what,
            address: &self.address,
            credential: self.options.credential.as_ref(),
            silent_limit: self.options.silent_limit,
            work_limit: self.options.work_limit,
            cancel: &self.options.cancel,
        }
    }

    /// Cuts updates into pieces that one push can carry each, when `reserved` (the fence) goes along with every piece and
    /// the remote has `standing` refs before the first.
    pub fn pieces(&self, updates: &[Update], reserved: &[Update], standing: usize) -> Vec<Range<usize>> {
        push::split_updates(updates, reserved, Room::by(self.address.transport), standing)
    }

    /// Makes one push of `updates`, each with an exact lease on where it must stand now, and gives what the remote reports. Git's
    /// own record of the packets goes to `trace`. See [`Remote::pieces`] for many.
    ///
    /// # Errors
    /// [`Code::TimedOut`], [`Code::Network`], [`Code::HostFailed`] and [`Code::Cancelled`]: what the remote did is unknown. Other
    /// codes: nothing was pushed.
    pub(super) async fn push_once(
        &self,
        cache: &Cache,
        updates: &[Update],
        options: PushOptions,
        trace: Option<&Path>,
    ) -> Result<Reported> {
        if updates.is_empty() {
            return Ok(Reported { report: PushReport::default(), by_git: true });
        }
        if !push::fits(updates, Room::by(self.address.transport)) {
            return Err(Error::new(
                Code::Internal,
                format!("{} updates do not fit in one push", updates.len()),
                "Please report this.",
            ));
        }
        let what = format!("pushing to {}", self.address);
        if let [update] = updates
            && let Some(pushed) = self.push_over_http(&what, cache, update, options).boxed().await?
        {
            return self.reported(&what, updates, pushed);
        }
        let folder = Scratch::make()?;
        let outbox = Outbox::make(folder.path(), cache, &self.address, updates)?;
        let mut prepared = self.prepare(folder, &outbox.git_dir, "push")?;
        let command = &mut prepared.command;
        command.args(["--porcelain", "--progress", "--no-verify", "--no-follow-tags", "--no-signed"]);
        command.arg("--recurse-submodules=no");
        command.arg(if options.atomic { "--atomic" } else { "--no-atomic" });
        if options.dry_run {
            command.arg("--dry-run");
        }
        if let Some(trace) = trace {
            command.env("GIT_TRACE_PACKET", trace);
        }
        command.args(outbox.arguments);
        let ended =
            self.run(&what, if options.dry_run { Doing::Probe } else { Doing::Push }, prepared, Input::Nothing).await?;
        let mut lines = ended.lines;
        let answer = push::read_answer(&ended.stdout, &lines, updates);
        if matches!(answer, Answer::Unknown) {
            self.add_words(&what, why::PUSHING, &mut lines).await?;
        }
        self.reported(&what, updates, Pushed { answer, lines, by_git: self.options.trusts_reports })
    }

    fn reported(&self, what: &str, updates: &[Update], pushed: Pushed) -> Result<Reported> {
        match pushed.answer {
            Answer::Known(report) => Ok(Reported { report, by_git: pushed.by_git }),
            Answer::Unknown => match push::refused_by_status(&pushed.lines, updates) {
                Some(report) => Ok(Reported { report, by_git: pushed.by_git }),
                None => Err(self.unknown_outcome(what, &pushed.lines)),
            },
        }
    }

    /// Pushes one small commit by two requests of our own, and gives the answer with its lines. `None` where git must be
    /// asked; nothing was sent then.
    async fn push_over_http(
        &self,
        what: &str,
        cache: &Cache,
        update: &Update,
        options: PushOptions,
    ) -> Result<Option<Pushed>> {
        if options.atomic || options.dry_run || !self.is_plain_http() {
            return Ok(None);
        }
        let Some(parcel) = Parcel::of(cache, update) else { return Ok(None) };
        let _place = self.place(what).await?;
        let asking = self.asking(what);
        let Some(door) = asking.knock(update, &parcel).await? else { return Ok(None) };
        self.options.totals.git_calls.add(1);
        let letter = match door {
            Door::Closed(result) => {
                let results = [(update.name.clone(), result)].into();
                let answer = Answer::Known(PushReport { results, ..PushReport::default() });
                // Read from the remote's own list.
                return Ok(Some(Pushed { answer, lines: Vec::new(), by_git: true }));
            }
            Door::Open(letter) => letter,
        };
        let by_git = letter.by_git || self.options.trusts_reports;
        let heard = &self.options.progress;
        heard("Writing objects", parcel.objects, Some(parcel.objects));
        crash::point(&format!("{}.push.before", self.options.point));
        let mut hears = |line: &str| {
            let progress = progress::parse(line);
            progress.as_ref().inspect(|progress| heard(progress.phase, progress.done, progress.total)).is_some()
        };
        let began = Instant::now();
        let quiet = || Some((CHECKING, began.elapsed().as_secs()));
        let answered = self.telling_of(quiet, asking.send(letter, update, &mut hears).boxed()).await;
        crash::point(&format!("{}.push.after", self.options.point));
        self.options.totals.bytes_sent.add(parcel.pack.len() as u64);
        let Answered { verdict, lines } = answered?;
        let redactor = Redactor::of(&self.options.credential);
        let lines: Vec<String> = lines.iter().map(|line| redactor.text(line)).collect();
        let answer = match verdict {
            Verdict::Taken => push::read_report(update, None, &lines),
            Verdict::Refused(reason) => push::read_report(update, Some(&redactor.text(&reason)), &lines),
            Verdict::Unknown => Answer::Unknown,
        };
        Ok(Some(Pushed { answer, lines, by_git }))
    }

    /// A place among the calls that may talk to a remote at once.
    async fn place(&self, what: &str) -> Result<Option<SemaphorePermit<'_>>> {
        tokio::select! {
            biased;
            () = self.options.cancel.cancelled() => Err(child::cancelled(what)),
            place = self.git.place() => Ok(place),
        }
    }

    /// A git that is about to `push`, or to do something else with the remote, such as `fetch`. It knows this remote's
    /// credentials and nothing of the user's configuration, and on this machine nothing runs on the other side but git.
    pub(super) fn prepare(&self, folder: Scratch, git_dir: &Path, subcommand: &str) -> Result<Prepared> {
        let settings = self.settings_file(&folder)?;
        let mut command = self.git.command(git_dir, settings.as_deref());
        command
            .current_dir(folder.path())
            .env("GIT_CEILING_DIRECTORIES", folder.path())
            .env("GIT_ALLOW_PROTOCOL", self.address.transport.word());
        let mut server = None;
        match self.address.transport {
            Transport::Https | Transport::Http => {
                if let Some(token) = &self.options.credential
                    && let Some((open, path)) = CredentialServer::open(folder.path(), &self.address, token)?
                {
                    command.env(credential::SOCKET_VARIABLE, path);
                    command.arg("-c").arg(credential::helper_setting(self.git.credential_helper()));
                    command.args(["-c", "http.proactiveAuth=basic"]);
                    server = Some(open);
                }
            }
            Transport::Ssh => {
                command
                    .env("GIT_SSH_COMMAND", ssh::command(&self.options.known_hosts, self.options.ssh_key.as_deref())?)
                    .env("GIT_SSH_VARIANT", "ssh");
            }
            Transport::Git | Transport::File => {}
        }
        let (service, settings): (_, &[&str]) = match subcommand {
            // What git notes in the outbox is gone with it.
            "push" => ("receive-pack", &["-c", "core.fsync=none"]),
            _ => ("upload-pack", &[]),
        };
        command.args(settings).arg(subcommand);
        if self.address.transport == Transport::File && !self.options.hooks && subcommand != "lfs" {
            let (git, version) = (self.git.path(), self.git.version());
            let served = far_side::command(git, version, service, self.address.as_str());
            command.arg(format!("--{service}={served}"));
        }
        Ok(Prepared { command, _server: server, _folder: folder })
    }

    /// The user's proxies and certificates, where there are any, in a file: a proxy's address may hold a password, which
    /// must not stand in an argument.
    fn settings_file(&self, folder: &Scratch) -> Result<Option<PathBuf>> {
        let settings = self.git.user_settings();
        if settings.is_empty() {
            return Ok(None);
        }
        let path = folder.path().join("gitconfig");
        std::fs::write(&path, settings).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("cannot write `{}`: {error}", path.display()),
                "Check the folder for temporary files (TMPDIR).",
            )
        })?;
        Ok(Some(path))
    }

    /// Runs git. In a box: what every step of a sync would carry about otherwise is large.
    pub(super) fn run<'a>(
        &'a self,
        what: &'a str,
        doing: Doing,
        prepared: Prepared,
        input: Input,
    ) -> BoxFuture<'a, Result<Ended>> {
        self.run_heard(what, doing, prepared, input).boxed()
    }

    async fn run_heard(&self, what: &str, doing: Doing, prepared: Prepared, input: Input) -> Result<Ended> {
        let Prepared { command, _server, _folder } = prepared;
        let mut bytes = Bytes::default();
        let heard = &self.options.progress;
        let patience = Patience::new(self.options.silent_limit, self.options.work_limit);
        if self.address.transport == Transport::File {
            // There is no host: all of it is work on this machine.
            patience.begin_work();
        }
        let began = Instant::now();
        // When the last word of progress came, in milliseconds since the beginning.
        let last_word = AtomicU64::new(0);
        let mut on_line = |line: &str| {
            let progress = progress::parse(line);
            if doing.ends_transfer(line, progress.as_ref()) {
                patience.begin_work();
            }
            let Some(progress) = progress else { return false };
            match (progress.phase, progress.bytes) {
                ("Writing objects", Some(sent)) => bytes.sent = sent,
                ("Receiving objects" | "Unpacking objects", Some(received)) => bytes.received = received,
                _ => {}
            }
            heard(progress.phase, progress.done, progress.total);
            last_word.store(milliseconds(began), Ordering::Relaxed);
            true
        };
        self.options.totals.git_calls.add(1);
        let _place = self.place(what).await?;
        crash::point(&format!("{}.{}.before", self.options.point, doing.point()));
        let call =
            Call { what, command, input, patience: &patience, cancel: &self.options.cancel, on_line: &mut on_line };
        let quiet = || {
            let seconds = milliseconds(began).saturating_sub(last_word.load(Ordering::Relaxed)) / 1_000;
            doing.work().filter(|_| patience.is_work()).map(|work| (work, seconds))
        };
        let ended = self.telling_of(quiet, call.run().boxed()).await;
        crash::point(&format!("{}.{}.after", self.options.point, doing.point()));
        self.options.totals.bytes_sent.add(bytes.sent);
        self.options.totals.bytes_received.add(bytes.received);
        let mut ended = ended?;
        let redactor = Redactor::of(&self.options.credential);
        for line in &mut ended.lines {
            *line = redactor.text(line);
        }
        ended.stdout = redactor.bytes(ended.stdout);
        Ok(ended)
    }

    /// Does `work`, and while it takes long tells again and again who is at it, and for how many seconds: what `quiet` says.
    async fn telling_of<T>(&self, quiet: impl Fn() -> Option<(&'static str, u64)>, work: impl Future<Output = T>) -> T {
        let signs_of_life = async {
            loop {
                tokio::time::sleep(SIGN_OF_LIFE).await;
                if let Some((who, seconds)) = quiet().filter(|(_, seconds)| *seconds > 0) {
                    (self.options.progress)(who, seconds, None);
                }
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            never = signs_of_life => never,
        }
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}
