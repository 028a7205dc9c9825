//! Working by itself: one process keeps the schedule of a state folder, takes what sets a sync off, looks at the masters, and reads
//! the configuration again when that changes. A second process stands by and goes on where the first one ends.
//!
//! | file | what lives there |
//! |---|---|
//! | `round` | what is due or was asked for at this moment, begun; what ended, written down |
//! | `sources` | folders and hooks, watched for what asks for a sync |
//! | `doors` | the addresses at which webhooks, metrics and health are answered |
//! | `pulse` | whether the loop turns |
//! | `word` | who is told of what changed, after it changed |
//!
//! `standin watch` and the window both call [`keep`]. All that happens is told as events.

mod doors;
mod pulse;
mod round;
mod sources;
mod word;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_state::lock::{MirrorLock, Refusal};
use standin_state::store::NewTrigger;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::doors::Doors;
use self::pulse::Pulse;
use self::round::{Rounds, Through};
use self::sources::Sources;
use self::word::Teller;
use crate::engine::{After, ConfigurationStamp, Engine};
use crate::event::{Event, ScheduleNews};
use crate::triggers::watch::Seen;
use crate::{Code, Error, Result};

/// How often what git hooks left is swept into the queue without being seen.
const SWEEP: Duration = Duration::from_secs(30);

/// How it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// The time between two looks whether something is due.
    pub tick: Duration,
    /// How long syncs that are stopped may take to come to a safe point.
    pub stopping: Duration,
    /// Where GitHub's webhooks are listened for, if anywhere: an address of this machine alone.
    pub listen: Option<SocketAddr>,
    /// Where metrics and the health of this process are shown, if anywhere; also while it stands by.
    pub metrics: Option<SocketAddr>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { tick: Duration::from_secs(1), stopping: Duration::from_secs(20), listen: None, metrics: None }
    }
}

/// How whoever keeps a schedule is told what to do.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// To stop at the next safe point.
    pub stop: CancellationToken,
    /// To read the configuration again, though nothing of it seems to have changed.
    pub reload: Arc<Notify>,
}

/// Keeps the schedule until it is told to stop, or stands by while another process does. Returns when what it had begun is at a safe point.
///
/// # Errors
/// [`crate::Code::Storage`] where the memory or the lock cannot be used; what keeps webhooks from being listened for, or metrics from
/// being shown.
pub async fn keep(engine: &Engine, keeping: Keeping, calls: &Calls) -> Result<()> {
    let pulse = Arc::new(Pulse::new());
    let mut doors = Doors::new(engine, &keeping, &pulse);
    let kept = keep_or_stand_by(engine, keeping, calls, &pulse, &mut doors).await;
    doors.close().await;
    kept
}

async fn keep_or_stand_by(
    engine: &Engine,
    keeping: Keeping,
    calls: &Calls,
    pulse: &Pulse,
    doors: &mut Doors,
) -> Result<()> {
    let stop = &calls.stop;
    // Whoever stands by would else only fail at the moment that it is needed.
    doors.check().await?;
    let mut stands_by_for = None;
    let mut stamp = Some(engine.configuration_stamp()?);
    while !stop.is_cancelled() {
        pulse.beat();
        match engine.take_schedule() {
            // The lock is held until all is written down.
            Ok((lock, since)) => {
                engine.tell(&news(ScheduleNews::Kept, String::new()));
                doors.open(stands_by_for.is_some()).await?;
                pulse.set_kept(true);
                let kept = Keeper::new(engine, lock, since, keeping, stamp, pulse, doors).await?.run(calls).await;
                pulse.set_kept(false);
                engine.tell(&news(ScheduleNews::Left, String::new()));
                return kept;
            }
            Err(Refusal::Held { holder }) => {
                if stands_by_for.as_ref() != Some(&holder) {
                    engine.tell(&news(ScheduleNews::StandsBy, holder.clone()));
                    stands_by_for = Some(holder);
                }
                doors.open_standing_by().await?;
                stamp = read_standing_by(engine, stamp)?;
            }
            Err(Refusal::Failed(error)) => return Err(error),
        }
        pause(keeping.tick, stop).await;
    }
    Ok(())
}

/// What it shows while it stands by, and what it goes on with, is the configuration as it is by now. `None` where that has mistakes:
/// whoever keeps the schedule tells of them.
fn read_standing_by(engine: &Engine, known: Option<ConfigurationStamp>) -> Result<Option<ConfigurationStamp>> {
    let now = Some(engine.configuration_stamp()?);
    if now == known {
        return Ok(known);
    }
    match engine.reload_and_go_on() {
        // What is read from may be another now.
        Ok(_) => engine.configuration_stamp().map(Some),
        Err(_) => Ok(None),
    }
}

fn news(news: ScheduleNews, detail: String) -> Event {
    Event::Schedule { news, detail }
}

fn state_folder_gone() -> Error {
    Error::new(
        Code::Storage,
        "the state folder was removed or replaced while the schedule was kept",
        "Start it again. Fences on the mirrors that nobody remembers now are asked about by the next sync.",
    )
}

fn told(engine: &Engine, words: String) {
    engine.tell(&news(ScheduleNews::Told, words));
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

struct Keeper<'a> {
    engine: &'a Engine,
    /// Held until all is written down.
    lock: MirrorLock,
    keeping: Keeping,
    pulse: &'a Pulse,
    doors: &'a mut Doors,
    rounds: Rounds,
    sources: Sources,
    teller: Teller,
    /// What the configuration was read from; `None` where it is to be read again.
    stamp: Option<ConfigurationStamp>,
    is_paused: bool,
    /// When what git hooks left was last swept into the queue.
    swept: Instant,
    /// The mistakes of a configuration that cannot be used, so that they are told once.
    broken: Option<Error>,
    /// What asks for a sync and could not be put into the queue: the disk may be full.
    unkept: Vec<NewTrigger>,
}

impl<'a> Keeper<'a> {
    async fn new(
        engine: &'a Engine,
        lock: MirrorLock,
        since: Timestamp,
        keeping: Keeping,
        stamp: Option<ConfigurationStamp>,
        pulse: &'a Pulse,
        doors: &'a mut Doors,
    ) -> Result<Self> {
        Ok(Self {
            engine,
            lock,
            keeping,
            pulse,
            doors,
            rounds: Rounds::new(engine, since)?,
            sources: Sources::begin(engine).await?,
            teller: Teller::new(engine),
            stamp,
            is_paused: false,
            swept: Instant::now(),
            broken: None,
            unkept: Vec::new(),
        })
    }

    /// Reads the configuration again, and tells which repositories have mistakes since then.
    fn reload(engine: &Engine) -> Result<()> {
        for (repository, error) in engine.reload_and_go_on()? {
            engine.tell(&news(ScheduleNews::ConfigurationBroken, format!("{repository}: {error}")));
        }
        Ok(())
    }

    async fn run(mut self, Calls { stop, reload }: &Calls) -> Result<()> {
        while !stop.is_cancelled() {
            self.pulse.beat();
            if !self.lock.is_in_place() {
                self.rounds.stop(self.keeping.stopping).await;
                return Err(state_folder_gone());
            }
            self.read_configuration().await?;
            self.keep_what_was_not_kept();
            if !self.paused()? {
                self.rounds.begin_what_is_due();
                self.rounds.begin_what_is_asked_for();
            }
            self.rounds.begin_looks();
            self.sweep_now_and_then().await;
            self.teller.tell();
            tokio::select! {
                () = pause(self.keeping.tick, stop) => {}
                () = reload.notified() => self.stamp = None,
                seen = self.sources.next() => self.hear(seen),
                through = self.rounds.one_ended() => match through {
                    Through::Round => self.teller.ask(After::Round),
                    Through::Look => self.teller.ask(After::Look),
                }
            }
        }
        self.doors.close_ear().await;
        self.sources.stop().await;
        self.rounds.stop(self.keeping.stopping).await;
        Ok(())
    }

    fn hear(&mut self, seen: Seen) {
        let heard = match seen {
            Seen::Trigger(trigger) => {
                // Only what is there now is of interest, not how often it changed.
                if !self.unkept.contains(&trigger) {
                    self.unkept.push(trigger);
                }
                self.keep_what_was_not_kept();
                Ok(())
            }
            Seen::Drops => self.engine.sweep_drops().map(|notices| notices.iter().for_each(|notice| self.note(notice))),
            Seen::Notice(notice) => {
                self.note(&notice);
                Ok(())
            }
        };
        if let Err(error) = heard {
            // What a hook left lies there still.
            tracing::warn!(error = %error.message, "what asks for a sync could not be kept");
        }
    }

    /// Puts into the queue what asks for a sync; what cannot be put there now is tried again at the next round.
    fn keep_what_was_not_kept(&mut self) {
        let engine = self.engine;
        self.unkept.retain(|trigger| match engine.queue(trigger) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(error = %error.message, "what asks for a sync cannot be kept yet");
                true
            }
        });
    }

    /// A sweep that failed is not asked for again by whoever watches the folder, nor is an address that somebody else had.
    async fn sweep_now_and_then(&mut self) {
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            self.hear(Seen::Drops);
            self.doors.open_again().await;
        }
    }

    fn note(&self, notice: &crate::event::Notice) {
        told(self.engine, format!("{} {}", notice.message, notice.hint).trim_end().to_owned());
    }

    /// Reads the configuration again where it may have changed. One that has mistakes changes nothing: what was read last holds.
    async fn read_configuration(&mut self) -> Result<()> {
        let now = Some(self.engine.configuration_stamp()?);
        if now == self.stamp {
            return Ok(());
        }
        self.stamp = now;
        match Self::reload(self.engine) {
            Ok(()) => {
                self.broken = None;
                self.rounds.forgive();
                self.engine.tell(&news(ScheduleNews::ConfigurationRead, String::new()));
                self.sources.anew(self.engine).await?;
                self.doors.hear_anew().await;
                // What is read from may be another now.
                self.stamp = Some(self.engine.configuration_stamp()?);
            }
            Err(error) if self.broken.as_ref() != Some(&error) => {
                self.engine.tell(&news(ScheduleNews::ConfigurationBroken, error.to_string()));
                self.broken = Some(error);
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn paused(&mut self) -> Result<bool> {
        let is_paused = self.engine.is_schedule_paused()?;
        if is_paused != self.is_paused {
            self.is_paused = is_paused;
            self.rounds.forgive();
            let what = if is_paused { ScheduleNews::Paused } else { ScheduleNews::Resumed };
            self.engine.tell(&news(what, String::new()));
        }
        Ok(is_paused)
    }
}
