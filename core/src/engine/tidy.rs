//! Keeping house after a sync: rescues that have had their time, packs of the cache, runs of long ago. What cannot be done now is
//! done after a later sync; nothing of it is worth failing a sync for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use crate::code::rescue;
use crate::source::SharedSource;

/// How long nothing is looked for in the history that could be forgotten.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// When the history was last looked through by this process.
#[derive(Debug, Default)]
pub(super) struct Looked(Mutex<Option<Timestamp>>);

impl Engine {
    /// Forgets old runs, once an hour at most.
    pub(super) fn forget_old_runs(&self) {
        let (config, now) = (self.config(), self.now());
        let history = &config.history;
        {
            let mut looked = self.shared.looked.0.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|at| now.duration_since(at).unsigned_abs() < PATIENCE) {
                return;
            }
            *looked = Some(now);
        }
        // A clock that stands before the time that is kept forgets nothing.
        let before = |kept: Duration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.shared.store.forget_runs(before(history.keep), before(history.keep_unchanged)) {
            tracing::warn!(error = %error.message, "old runs stay for now");
        }
    }
}

/// Tidies up behind the runs of one sync.
pub(super) async fn tidy(source: &SharedSource) {
    let Some(snapshot) = source.taken() else { return };
    let context = &source.context;
    if let Err(error) = rescue::expire(context, &snapshot) {
        tracing::warn!(error = %error.message, "old rescues stay for now");
    }
    // Only what came in makes packing worth a look.
    if context.totals.snapshot().bytes_received == 0 {
        return;
    }
    if let Err(error) = snapshot.cache.maintain(&context.git, &context.cancel).await {
        tracing::warn!(error = %error.message, "the cache stays unpacked for now");
    }
}
