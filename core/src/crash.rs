//! Named points at which a test ends the process, to show that nothing is lost by it.
//!
//! A point stands before and after every durable write, request and call of git or gh. In builds without the
//! `crash-points` feature (all that are shipped) [`point`] is empty. With it, `STANDIN_CRASH_LOG=FILE` appends the
//! name of each point passed, and `STANDIN_CRASH_AT=NAME#N` aborts the process at the N-th passing of NAME.

/// Passes the point `name`.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &str) {}

/// Passes the point `name`.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex};

    static PASSED: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);

    let mut passed = PASSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let count = passed.entry(name.to_owned()).or_default();
    *count += 1;
    let here = format!("{name}#{count}");
    if let Some(log) = std::env::var_os("STANDIN_CRASH_LOG") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
        if let Ok(mut file) = file {
            // A test that cannot read the log back fails by itself.
            let _ = writeln!(file, "{here}");
        }
    }
    if std::env::var("STANDIN_CRASH_AT").is_ok_and(|wanted| wanted == here) {
        std::process::abort();
    }
}
