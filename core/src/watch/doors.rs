//! The addresses at which this process answers: metrics and health for as long as it lives, webhooks while it keeps the schedule.
//! Both may have one address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::pulse::{self, HealthAnswer, Pulse};
use super::{Keeping, told};
use crate::engine::Engine;
use crate::listening::{Listener, Paths, Reach};
use crate::metrics::{self, MetricsAnswer};
use crate::triggers::ear::{self, Ear};
use crate::{Error, Result};

/// How long whoever kept the schedule until now may take to leave its addresses.
const HANDOVER: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const AGAIN: Duration = Duration::from_millis(100);

/// All of them.
pub(super) struct Doors {
    engine: Engine,
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    pulse: Arc<Pulse>,
    ear: Arc<Ear>,
    of_process: Option<Door>,
    of_keeper: Option<Door>,
    /// Why something could not be opened, as it was told.
    told: Option<Error>,
}

/// An address at which somebody is answered.
struct Door {
    task: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Doors {
    pub fn new(engine: &Engine, keeping: &Keeping, pulse: &Arc<Pulse>) -> Self {
        Self {
            engine: engine.clone(),
            listen: keeping.listen,
            metrics: keeping.metrics,
            pulse: pulse.clone(),
            ear: Arc::new(Ear::new(engine.keeper())),
            of_process: None,
            of_keeper: None,
            told: None,
        }
    }

    /// Opens what is open as long as the process lives. While it stands by, an address that another program has is asked for
    /// again at the next call: it may be the one that keeps the schedule.
    ///
    /// # Errors
    /// As [`Listener::bind`], but for an address that is taken.
    pub async fn open_standing_by(&mut self) -> Result<()> {
        match self.open_of_process(Duration::ZERO).await {
            Err(error) if error.retryable => {
                self.tell_closed(error);
                Ok(())
            }
            opened => opened,
        }
    }

    /// Whether all could be opened, as far as that can be told while another process has the addresses: whoever stands by would
    /// else fail at the moment that it is needed.
    ///
    /// # Errors
    /// As [`Listener::check`]; as [`Engine::webhooks`].
    pub async fn check(&self) -> Result<()> {
        let Some(address) = self.listen else { return Ok(()) };
        Listener::check(address, Reach::ThisMachine)?;
        self.engine.webhooks().await.map(drop)
    }

    /// Opens all, for who keeps the schedule from now on. `is_handover` says whether another did until now: then the schedule is
    /// kept in any case, what cannot be opened is told, and [`Doors::open_again`] tries it again.
    ///
    /// # Errors
    /// As [`Listener::bind`]; as [`Engine::webhooks`].
    pub async fn open(&mut self, is_handover: bool) -> Result<()> {
        if !is_handover {
            return self.open_all(Duration::ZERO).await;
        }
        if let Err(error) = self.open_all(HANDOVER).await {
            self.tell_closed(error);
        }
        Ok(())
    }

    /// Opens what could not be opened before.
    pub async fn open_again(&mut self) {
        if self.told.is_none() {
            return;
        }
        match self.open_all(Duration::ZERO).await {
            Ok(()) => self.told = None,
            Err(error) => self.tell_closed(error),
        }
    }

    fn tell_closed(&mut self, error: Error) {
        if self.told.as_ref() != Some(&error) {
            told(&self.engine, format!("nobody is answered yet: {} {}", error.message, error.advice()));
            self.told = Some(error);
        }
    }

    async fn open_all(&mut self, patience: Duration) -> Result<()> {
        self.open_of_process(patience).await?;
        let Some(address) = self.listen else { return Ok(()) };
        let webhooks = self.engine.webhooks().await?;
        if !self.is_shared() && self.of_keeper.is_none() {
            let listener = bind(address, Reach::ThisMachine, patience).await?;
            self.of_keeper = Some(Door::open(listener, Paths::default().with(ear::PATH, self.ear.clone())));
        }
        self.ear.hear(Some(webhooks));
        Ok(())
    }

    /// Judges webhooks by another configuration. Where none can be judged any more, that is said, and all else goes on.
    pub async fn hear_anew(&mut self) {
        if self.listen.is_none() {
            return;
        }
        match self.engine.webhooks().await {
            Ok(webhooks) => self.ear.hear(Some(webhooks)),
            Err(error) => {
                self.ear.hear(None);
                self.tell_closed(error);
            }
        }
    }

    /// Hears no more webhooks.
    pub async fn close_ear(&mut self) {
        self.ear.hear(None);
        if let Some(door) = self.of_keeper.take() {
            door.close().await;
        }
    }

    /// Closes all.
    pub async fn close(mut self) {
        self.close_ear().await;
        if let Some(door) = self.of_process.take() {
            door.close().await;
        }
    }

    fn is_shared(&self) -> bool {
        self.listen.is_some() && self.listen == self.metrics
    }

    async fn open_of_process(&mut self, patience: Duration) -> Result<()> {
        let Some(address) = self.metrics.filter(|_| self.of_process.is_none()) else { return Ok(()) };
        // Webhooks have a secret to lose, metrics do not.
        let reach = if self.is_shared() { Reach::ThisMachine } else { Reach::Anywhere };
        let listener = bind(address, reach, patience).await?;
        told(&self.engine, format!("metrics at http://{}{}", listener.address()?, metrics::PATH));
        self.of_process = Some(Door::open(listener, self.paths()));
        Ok(())
    }

    fn paths(&self) -> Paths {
        let (engine, pulse) = (self.engine.clone(), self.pulse.clone());
        let metrics = MetricsAnswer::new(Arc::new(move || engine.metrics(pulse.is_kept())));
        let health = HealthAnswer { pulse: self.pulse.clone() };
        let paths = Paths::default().with(metrics::PATH, Arc::new(metrics)).with(pulse::PATH, Arc::new(health));
        if self.is_shared() { paths.with(ear::PATH, self.ear.clone()) } else { paths }
    }
}

impl Door {
    fn open(listener: Listener, paths: Paths) -> Self {
        let cancel = CancellationToken::new();
        Self { task: tokio::spawn(listener.run(paths, cancel.clone())), cancel }
    }

    async fn close(self) {
        self.cancel.cancel();
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

/// Takes an address, and waits so long for a program that has it.
async fn bind(address: SocketAddr, reach: Reach, patience: Duration) -> Result<Listener> {
    let end = Instant::now() + patience;
    loop {
        match Listener::bind(address, reach).await {
            Err(error) if error.retryable && Instant::now() < end => tokio::time::sleep(AGAIN).await,
            bound => return bound,
        }
    }
}
