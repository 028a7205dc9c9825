//! Working by itself: one process keeps the schedule of a state folder, looks at the masters and reads the configuration again
//! when that changes. A second process stands by and goes on where the first one ends.
//!
//! | file | what lives there |
//! |---|---|
//! | `round` | what is due at this moment, begun; what ended, written down |
//!
//! `standin watch` and the window both call [`keep`]. All that happens is told as events.

mod round;

use std::time::Duration;

use standin_state::lock::{MirrorLock, Refusal};
use tokio_util::sync::CancellationToken;

use self::round::Rounds;
use crate::engine::{ConfigurationStamp, Engine};
use crate::event::{Event, ScheduleNews};
use crate::{Error, Result};

/// How often it is looked whether something is due, and how long the syncs that go on may take to stop.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The time between two looks.
    pub tick: Duration,
    /// How long syncs that are stopped may take to come to a safe point.
    pub stopping: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { tick: Duration::from_secs(1), stopping: Duration::from_secs(20) }
    }
}

/// Keeps the schedule until `stop`, or stands by while another process does. Returns when what it had begun is at a safe point.
///
/// # Errors
/// [`crate::Code::Storage`] where the memory or the lock cannot be used.
pub async fn keep(engine: &Engine, pace: Pace, stop: &CancellationToken) -> Result<()> {
    let mut stands_by_for = None;
    while !stop.is_cancelled() {
        match engine.take_schedule() {
            Ok((lock, since)) => {
                engine.tell(&news(ScheduleNews::Kept, String::new()));
                let kept = Keeper::new(engine, since)?.run(pace, stop).await;
                engine.tell(&news(ScheduleNews::Left, String::new()));
                return released(lock, kept);
            }
            Err(Refusal::Held { holder }) => {
                if stands_by_for.as_ref() != Some(&holder) {
                    engine.tell(&news(ScheduleNews::StandsBy, holder.clone()));
                    stands_by_for = Some(holder);
                }
            }
            Err(Refusal::Failed(error)) => return Err(error),
        }
        pause(pace.tick, stop).await;
    }
    Ok(())
}

/// The lock is held until all is written down.
fn released(lock: MirrorLock, kept: Result<()>) -> Result<()> {
    drop(lock);
    kept
}

fn news(news: ScheduleNews, detail: String) -> Event {
    Event::Schedule { news, detail }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

struct Keeper<'a> {
    engine: &'a Engine,
    rounds: Rounds,
    stamp: ConfigurationStamp,
    is_paused: bool,
    /// The mistakes of a configuration that cannot be used, so that they are told once.
    broken: Option<Error>,
}

impl<'a> Keeper<'a> {
    fn new(engine: &'a Engine, since: jiff::Timestamp) -> Result<Self> {
        let stamp = engine.configuration_stamp()?;
        Ok(Self { engine, rounds: Rounds::new(engine, since), stamp, is_paused: false, broken: None })
    }

    async fn run(mut self, pace: Pace, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            self.read_configuration()?;
            if !self.paused()? {
                self.rounds.begin_what_is_due();
            }
            self.rounds.begin_looks();
            tokio::select! {
                () = pause(pace.tick, stop) => {}
                () = self.rounds.one_ended() => {}
            }
        }
        self.rounds.stop(pace.stopping).await;
        Ok(())
    }

    /// Reads the configuration again where it may have changed. One that has mistakes changes nothing: what was read last holds.
    fn read_configuration(&mut self) -> Result<()> {
        let now = self.engine.configuration_stamp()?;
        if now == self.stamp {
            return Ok(());
        }
        self.stamp = now;
        match self.engine.reload() {
            Ok(_) => {
                self.broken = None;
                self.rounds.forgive();
                self.engine.tell(&news(ScheduleNews::ConfigurationRead, String::new()));
                // What is read from may be another now.
                self.stamp = self.engine.configuration_stamp()?;
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
            let what = if is_paused { ScheduleNews::Paused } else { ScheduleNews::Resumed };
            self.engine.tell(&news(what, String::new()));
        }
        Ok(is_paused)
    }
}
