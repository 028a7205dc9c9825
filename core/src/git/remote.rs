//! Talking to one remote: listing, fetching, pushing. Every call is one git of its own, with its credential desk and a
//! private folder that are gone when it ends; over HTTP, what a request or two can do is done without it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::process::Command;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::address::{Address, Transport};
use super::child::{self, Call, Ended, Input};
use super::credential::{self, Desk};
use super::http_push::{Answered, Door, Parcel, Verdict};
use super::push::{self, Answer, PushOptions, PushReport, Update};
use super::scratch::Scratch;
use super::{Cache, GitProgram, Listing, failure, http, progress, ssh};
use crate::redact::Redactor;
use crate::run::Totals;
use crate::{Code, Error, Result, crash};

/// Hears how far git has come: what it is doing, how many are done, of how many.
pub type Progress = Arc<dyn Fn(&str, u64, Option<u64>) + Send + Sync>;

/// How many bytes of refspecs one fetch may have on its command line.
const MAX_REFSPEC_BYTES: usize = if cfg!(windows) { 20_000 } else { 400_000 };

/// How to reach a remote, and who hears about it.
#[derive(Clone)]
pub struct RemoteOptions {
    /// The token for `https`; given to the remote's exact scheme, host and port only.
    pub credential: Option<SecretString>,
    /// The key for `ssh`; `None` leaves the choice to ssh (agent, `~/.ssh/config`).
    pub ssh_key: Option<PathBuf>,
    /// Standin's own file of host keys; those of the user's ssh count as well.
    pub known_hosts: PathBuf,
    /// How long git may go without a word.
    pub silent_limit: Duration,
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
}

/// One remote. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    git: GitProgram,
    address: Address,
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
struct Prepared {
    command: Command,
    _desk: Option<Desk>,
    _folder: Scratch,
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
    /// another machine.
    pub fn new(git: &GitProgram, url: &str, options: RemoteOptions) -> Result<Self> {
        let address = Address::parse(url, git.home())?;
        if options.credential.is_some() && !address.is_private() {
            return Err(Error::new(
                Code::Configuration,
                format!("a token cannot go to `{address}`: everybody on the way could read it"),
                "Use an https address.",
            ));
        }
        Ok(Self { git: git.clone(), address, options })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Lists the remote's refs that start with one of `prefixes`, and its `HEAD`.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`Code`].
    pub async fn list(&self, prefixes: &[&str]) -> Result<Listing> {
        let what = format!("listing the refs of {}", self.address);
        if let Some(listing) = self.list_over_http(&what, prefixes).await? {
            return Ok(listing);
        }
        let folder = Scratch::make()?;
        // Outside of any repository: no configuration there can redirect the call.
        let nowhere = folder.path().join("none");
        let mut prepared = self.prepare(folder, &nowhere)?;
        prepared.command.args(["ls-remote", "--symref", "--", self.address.as_str()]);
        let ended = self.run(&what, "list", prepared, Input::Nothing).await?;
        if !ended.status.success() {
            return Err(self.failure(&what, &ended.lines));
        }
        Ok(Listing::parse(&ended.stdout, prefixes))
    }

    /// Whether the remote is reached over HTTP and needs nothing that only git knows: the proxies and certificates of the
    /// user's git configuration.
    fn is_plain_http(&self) -> bool {
        let over_http = matches!(self.address.transport, Transport::Https | Transport::Http);
        over_http && self.git.user_settings().is_empty()
    }

    fn asking<'a>(&'a self, what: &'a str) -> http::Asking<'a> {
        http::Asking {
            what,
            address: &self.address,
            credential: self.options.credential.as_ref(),
            silent_limit: self.options.silent_limit,
            cancel: &self.options.cancel,
        }
    }

    /// Lists with one request of our own; `None` where git must be asked.
    async fn list_over_http(&self, what: &str, prefixes: &[&str]) -> Result<Option<Listing>> {
        if !self.is_plain_http() {
            return Ok(None);
        }
        self.options.totals.git_calls.add(1);
        crash::point(&format!("{}.list.before", self.options.point));
        let listed = self.asking(what).list(prefixes).await;
        crash::point(&format!("{}.list.after", self.options.point));
        listed
    }

    /// Fetches `refspecs` (such as `+refs/heads/*:refs/heads/*`) into the cache: all refs of one call or none. With `prune`, refs
    /// of the refspecs' right sides that the remote has no more are removed.
    ///
    /// Only one pruning fetch runs at a time on a cache, since it rewrites the source's refs there. A cache that turns
    /// out to be damaged is remade once, unless it holds rescues.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`Code`]. [`Code::Storage`] for a damaged cache that cannot be remade.
    pub async fn fetch(&self, cache: &Cache, refspecs: &[String], prune: bool) -> Result<()> {
        let what = format!("fetching from {}", self.address);
        let _alone =
            if prune { Some(cache.lock_source(&self.options.cancel, self.options.silent_limit).await?) } else { None };
        let mut start = 0;
        while start < refspecs.len() {
            let mut bytes = 0;
            let fitting = refspecs[start..].iter().take_while(|refspec| {
                bytes += refspec.len() + 16;
                bytes <= MAX_REFSPEC_BYTES
            });
            let end = start + fitting.count().max(1);
            self.fetch_piece(&what, cache, &refspecs[start..end], prune).await?;
            start = end;
        }
        Ok(())
    }

    async fn fetch_piece(&self, what: &str, cache: &Cache, refspecs: &[String], prune: bool) -> Result<()> {
        let mut remade = false;
        let mut atomic = true;
        loop {
            let held = cache.hold(&self.options.cancel).await?;
            let mut prepared = self.prepare(Scratch::make()?, cache.path())?;
            prepared.command.args(["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"]);
            if prune {
                prepared.command.arg("--prune");
            }
            if atomic {
                prepared.command.arg("--atomic");
            }
            prepared.command.args(["--", self.address.as_str()]).args(refspecs);
            let ended = self.run(what, "fetch", prepared, Input::Held(held)).await?;
            if ended.lines.iter().any(|line| line.contains(failure::SHALLOW_ROOTS)) {
                return Err(self.failure(what, &ended.lines));
            }
            if ended.status.success() {
                return Ok(());
            }
            // A branch `a` that became `a/b` cannot be replaced in one transaction; in two steps it can.
            if atomic
                && prune
                && ended.lines.iter().any(|line| line.contains("cannot lock ref") || line.contains("cannot process"))
            {
                atomic = false;
                continue;
            }
            if failure::is_damage(&ended.lines) && cache.has_damage() && !remade {
                cache.remake(&self.options.cancel).await?;
                remade = true;
                continue;
            }
            return Err(self.failure(what, &ended.lines));
        }
    }

    /// Makes one push of `updates`, each with an exact lease on where it must stand now, and gives what the remote reports. Git's
    /// own record of the packets goes to `trace`.
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
        if !push::fits(updates) {
            return Err(Error::new(
                Code::Internal,
                format!("{} updates do not fit in one push", updates.len()),
                "Please report this.",
            ));
        }
        let what = format!("pushing to {}", self.address);
        if let [update] = updates
            && let Some(pushed) = self.push_over_http(&what, cache, update, options).await?
        {
            return self.reported(&what, pushed);
        }
        let mut prepared = self.prepare(Scratch::make()?, cache.path())?;
        let command = &mut prepared.command;
        command.args(["push", "--porcelain", "--progress", "--no-verify", "--no-follow-tags", "--no-signed"]);
        command.arg("--recurse-submodules=no");
        command.arg(if options.atomic { "--atomic" } else { "--no-atomic" });
        if options.dry_run {
            command.arg("--dry-run");
        }
        if let Some(trace) = trace {
            command.env("GIT_TRACE_PACKET", trace);
        }
        let (leases, refspecs): (Vec<String>, Vec<String>) = updates.iter().map(Update::arguments).unzip();
        command.args(leases).args(["--", self.address.as_str()]).args(refspecs);
        let ended = self.run(&what, if options.dry_run { "probe" } else { "push" }, prepared, Input::Nothing).await?;
        let answer = push::read_answer(&ended.stdout, &ended.lines, updates);
        self.reported(&what, Pushed { answer, lines: ended.lines, by_git: self.options.trusts_reports })
    }

    fn reported(&self, what: &str, pushed: Pushed) -> Result<Reported> {
        match pushed.answer {
            Answer::Known(report) => Ok(Reported { report, by_git: pushed.by_git }),
            Answer::Unknown => Err(self.unknown_outcome(what, &pushed.lines)),
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
        let answered = asking
            .send(letter, update, &mut |line| {
                let progress = progress::parse(line);
                progress.as_ref().inspect(|progress| heard(progress.phase, progress.done, progress.total)).is_some()
            })
            .await;
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

    /// A git that knows this remote's credentials and nothing of the user's configuration.
    fn prepare(&self, folder: Scratch, git_dir: &Path) -> Result<Prepared> {
        let settings = self.settings_file(&folder)?;
        let mut command = self.git.command(git_dir, settings.as_deref());
        command
            .current_dir(folder.path())
            .env("GIT_CEILING_DIRECTORIES", folder.path())
            .env("GIT_ALLOW_PROTOCOL", self.address.transport.word());
        let mut desk = None;
        match self.address.transport {
            Transport::Https | Transport::Http => {
                if let Some(token) = &self.options.credential
                    && let Some((open, path)) = Desk::open(folder.path(), &self.address, token)?
                {
                    command.env(credential::SOCKET_VARIABLE, path);
                    command.arg("-c").arg(credential::helper_setting(self.git.credential_helper()));
                    command.args(["-c", "http.proactiveAuth=basic"]);
                    desk = Some(open);
                }
            }
            Transport::Ssh => {
                command
                    .env("GIT_SSH_COMMAND", ssh::command(&self.options.known_hosts, self.options.ssh_key.as_deref())?)
                    .env("GIT_SSH_VARIANT", "ssh");
            }
            Transport::Git | Transport::File => {}
        }
        Ok(Prepared { command, _desk: desk, _folder: folder })
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

    async fn run(&self, what: &str, point: &str, prepared: Prepared, input: Input) -> Result<Ended> {
        let Prepared { command, _desk, _folder } = prepared;
        let mut bytes = Bytes::default();
        let heard = &self.options.progress;
        let mut on_line = |line: &str| {
            let Some(progress) = progress::parse(line) else { return false };
            match (progress.phase, progress.bytes) {
                ("Writing objects", Some(sent)) => bytes.sent = sent,
                ("Receiving objects" | "Unpacking objects", Some(received)) => bytes.received = received,
                _ => {}
            }
            heard(progress.phase, progress.done, progress.total);
            true
        };
        self.options.totals.git_calls.add(1);
        let _place = self.place(what).await?;
        crash::point(&format!("{}.{point}.before", self.options.point));
        let call = Call {
            what,
            command,
            input,
            silent_limit: self.options.silent_limit,
            cancel: &self.options.cancel,
            on_line: &mut on_line,
        };
        let ended = call.run().await;
        crash::point(&format!("{}.{point}.after", self.options.point));
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

    fn failure(&self, what: &str, lines: &[String]) -> Error {
        failure::classify(what, &self.address, lines, self.options.credential.is_some())
    }

    /// The error of a push whose answer is missing. A failure that is not understood counts as a broken connection, since
    /// the remote may have done it.
    fn unknown_outcome(&self, what: &str, lines: &[String]) -> Error {
        let mut error = self.failure(what, lines);
        if error.code == Code::GitFailed {
            error.code = Code::Network;
            error.retryable = true;
        }
        error
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}
