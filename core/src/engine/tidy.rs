//! Keeping house after a sync: rescues that have had their time, packs of the cache. What cannot be done now is done
//! after a later sync; nothing of it is worth failing a sync for.

use crate::code::rescue;
use crate::source::SharedSource;

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
