//! What the rooms above are given to work with: a source, and one mirror of it in one run. Put together once; what a run
//! is, [`crate::run`] knows.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use standin_state::config::{Config, MirrorConfig, RepositoryConfig};
use standin_state::model::{Aspect, MirrorId, RunId, Slug};
use standin_state::store::{Change, ChangeOutcome, RecordedChange, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Notice};
use crate::git::GitProgram;
use crate::github::Client;
use crate::memory::Memory;
use crate::outside::Outside;
use crate::tokens::{self, Place, Token};
use crate::totals::Totals;
use crate::{Code, Error, Result};

/// Cancels something when its time is up; dropped before, it leaves no timer behind.
#[derive(Debug)]
pub struct TimeLimit(Option<JoinHandle<()>>);

impl TimeLimit {
    /// Cancels so long from now. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(cancel: &CancellationToken, limit: Duration) -> Self {
        let cancel = cancel.clone();
        Self(Some(tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            cancel.cancel();
        })))
    }

    /// No limit.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        if let Some(timer) = &self.0 {
            timer.abort();
        }
    }
}

/// The source of one repository, shared by all mirrors of one sync.
pub struct SourceContext {
    /// The repository.
    pub repository: Arc<RepositoryConfig>,
    /// Hosts and limits.
    pub config: Arc<Config>,
    /// The memory.
    pub store: Store,
    /// `<state-dir>/<repository>`: the cache, locks and JSON of this repository.
    pub folder: PathBuf,
    /// The outside.
    pub outside: Outside,
    /// The git program.
    pub git: GitProgram,
    /// The source's token, where one was found.
    pub token: Option<Token>,
    /// REST access to the source, where it is on GitHub and a token was found.
    pub github: Option<Client>,
    /// Ends everything when the user stops it or the time is up.
    pub cancel: CancellationToken,
    /// When the time is up, where that is not each run's own.
    pub limit: TimeLimit,
    /// What reading the source cost; added to the first run.
    pub totals: Arc<Totals>,
    /// How long requests wait for the host's limits; `None` as long as a run may take.
    pub patience: Option<Duration>,
    /// The role change that this is a part of; every other one that is open stops it.
    pub change: Option<String>,
}

impl SourceContext {
    /// What is remembered of the repository.
    pub fn memory(&self) -> Memory {
        Memory::new(&self.store, &self.repository.id, None, &self.outside.clock)
    }

    /// A client as it waits for limits here: no longer than the patience lasts, and not without a word.
    pub(crate) fn waiting(&self, client: &Client, mirror: &MirrorId) -> Client {
        client.waiting(&self.outside, &self.repository.id, Some(mirror), self.patience)
    }
}

/// One mirror in one run.
pub struct MirrorContext {
    /// The source.
    pub source: Arc<SourceContext>,
    /// The run.
    pub run: RunId,
    /// Whether the run stands in the history. What is done by hand (a decision, a restore) stands in the audit trail
    /// instead.
    pub in_history: bool,
    /// The mirror.
    pub mirror: Arc<MirrorConfig>,
    /// The mirror's token, where one was found.
    pub token: Option<Token>,
    /// REST access to the mirror, for `github` mirrors with a token.
    pub github: Option<Client>,
    /// Ends this run: the user, or the run's time limit.
    pub cancel: CancellationToken,
    /// What this run cost so far.
    pub totals: Arc<Totals>,
    /// Whether the user confirmed guards and new secret names.
    pub yes: bool,
}

impl MirrorContext {
    /// The same run with a cancel of its own that comes after `limit`: to leave the mirror in order when the run was
    /// stopped. Needs a tokio runtime.
    pub fn for_clean_up(&self, limit: Duration) -> Self {
        let cancel = CancellationToken::new();
        let timer = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            timer.cancel();
        });
        Self {
            source: self.source.clone(),
            run: self.run.clone(),
            in_history: self.in_history,
            mirror: self.mirror.clone(),
            token: self.token.clone(),
            github: self.github.as_ref().map(|client| client.with_cancel(cancel.clone())),
            cancel,
            totals: self.totals.clone(),
            yes: self.yes,
        }
    }

    /// The mirror's repository on GitHub, and the client for it.
    ///
    /// # Errors
    /// [`Code::Usage`] for a mirror that is elsewhere, [`Code::TokenMissing`] for one without a token.
    pub fn github(&self) -> Result<(&Slug, &Client)> {
        let Some(slug) = self.mirror.slug() else {
            return Err(Error::new(
                Code::Usage,
                format!("mirror {} is no repository on GitHub", self.mirror.id),
                "Only mirrors of type `github` have secrets, variables and workflows.",
            ));
        };
        let missing = || tokens::missing(&self.source.store, self.repository(), &Place::Mirror(self.mirror.id.clone()));
        let client = self.github.as_ref().ok_or_else(missing)?;
        Ok((slug, client))
    }

    /// The repository that the mirror belongs to.
    pub fn repository(&self) -> &RepositoryConfig {
        &self.source.repository
    }

    /// What all runs remember.
    pub fn store(&self) -> &Store {
        &self.source.store
    }

    /// What is remembered of the mirror.
    pub fn memory(&self) -> Memory {
        Memory::new(self.store(), &self.repository().id, Some(&self.mirror.id), &self.outside().clock)
    }

    /// The outside.
    pub fn outside(&self) -> &Outside {
        &self.source.outside
    }

    /// Tells everyone.
    pub fn event(&self, event: &Event) {
        self.source.outside.progress.event(event);
    }

    /// Tells that a change was made or failed, and records it where the run stands in the history.
    ///
    /// # Errors
    /// [`Code::Storage`] when it could not be recorded.
    pub fn changed(&self, change: Change, outcome: ChangeOutcome) -> Result<()> {
        self.all_changed(vec![(change, outcome)])
    }

    /// Tells and records many changes at the cost of one write to the disk.
    ///
    /// # Errors
    /// As [`MirrorContext::changed`].
    pub fn all_changed(&self, changes: Vec<(Change, ChangeOutcome)>) -> Result<()> {
        let done = changes.iter().filter(|(_, outcome)| *outcome == ChangeOutcome::Done).count();
        self.totals.changes.add(done as u64);
        if self.in_history && !changes.is_empty() {
            let at_iso = self.outside().clock.now();
            let recorded: Vec<RecordedChange> = changes
                .iter()
                .map(|(change, outcome)| RecordedChange { change: change.clone(), outcome: outcome.clone(), at_iso })
                .collect();
            self.store().record_changes(&self.run, &recorded)?;
        }
        for (change, outcome) in changes {
            self.event(&Event::Change {
                run: self.run.clone(),
                repository: self.repository().id.clone(),
                mirror: self.mirror.id.clone(),
                change,
                outcome,
            });
        }
        Ok(())
    }

    /// Tells how far something long has come.
    pub fn progress(&self, aspect: Aspect, phase: &str, done: u64, total: Option<u64>) {
        self.event(&Event::Progress {
            repository: self.repository().id.clone(),
            mirror: Some(self.mirror.id.clone()),
            aspect,
            phase: phase.to_owned(),
            done,
            total,
        });
    }

    /// Tells something that is no failure.
    pub fn notice(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.event(&Event::Notice {
            repository: self.repository().id.clone(),
            mirror: Some(self.mirror.id.clone()),
            notice: Notice { message: message.into(), hint: hint.into() },
        });
    }
}

/// A new run id: the moment in hexadecimal milliseconds, then random digits, so that ids sort by time.
pub(crate) fn new_run_id() -> RunId {
    let now = jiff::Timestamp::now().as_millisecond();
    let random = rand::random::<u32>();
    format!("{now:x}-{random:08x}").parse().unwrap_or_else(|_| unreachable!("hexadecimal digits are a run id"))
}
