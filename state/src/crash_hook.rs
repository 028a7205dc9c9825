//! Named points around every durable write, at which tests end the process. `standin-core` sets the hook in builds
//! with its `crash-points` feature; otherwise passing a point does nothing.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&str)> = OnceLock::new();

/// Sets what is called at each point with its name, such as `store.begin_run.before`. The first call wins.
pub fn set(hook: fn(&str)) {
    // A second caller sets the same function.
    let _ = HOOK.set(hook);
}

/// Passes the point `{room}.{step}.{moment}`.
pub(crate) fn point(room: &str, step: &str, moment: &str) {
    if let Some(hook) = HOOK.get() {
        hook(&format!("{room}.{step}.{moment}"));
    }
}
