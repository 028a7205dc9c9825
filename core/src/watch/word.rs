//! Who is told of what changed: after each round and each look, by one task at a time, which holds nothing up.

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::engine::{After, Engine, Telling};

/// Tells, and knows when there is something to tell again.
pub(super) struct Teller {
    engine: Engine,
    task: Option<JoinHandle<Option<Telling>>>,
    asked: Option<After>,
    next: Option<Timestamp>,
}

impl Teller {
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), task: None, asked: Some(After::Look), next: None }
    }

    /// Something has changed. A round says more than a look.
    pub fn ask(&mut self, after: After) {
        self.asked = match self.asked {
            Some(After::Round) => Some(After::Round),
            Some(After::Look) | None => Some(after),
        };
    }

    /// Begins to tell where that is asked for or due, unless it goes on.
    pub fn tell(&mut self) {
        if self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        if let Some(ended) = self.task.take() {
            // It has ended: this does not wait.
            if let Some(Ok(Some(telling))) = futures_util::FutureExt::now_or_never(ended) {
                self.next = telling.next_iso;
            }
        }
        let is_due = self.next.is_some_and(|next| next <= self.engine.now());
        let Some(after) = self.asked.take().or(is_due.then_some(After::Look)) else { return };
        self.next = None;
        let engine = self.engine.clone();
        self.task = Some(tokio::spawn(async move {
            match engine.tell_word(after).await {
                Ok(telling) => Some(telling),
                Err(error) => {
                    tracing::warn!(error = %error.message, "nobody could be told of what changed");
                    None
                }
            }
        }));
    }
}
