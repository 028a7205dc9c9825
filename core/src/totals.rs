//! What a run costs: requests, calls and bytes, counted where they happen.

use std::sync::atomic::{AtomicU64, Ordering};

use standin_state::store::RunTotals;

/// Counts what a run costs. Shared by everything that asks the outside for it.
#[derive(Debug, Default)]
pub struct Totals {
    /// Changes made.
    pub changes: Counter,
    /// REST requests sent.
    pub api_requests: Counter,
    /// Calls of gh.
    pub gh_calls: Counter,
    /// Calls of git that talked to a remote.
    pub git_calls: Counter,
    /// Bytes of packs sent.
    pub bytes_sent: Counter,
    /// Bytes of packs received.
    pub bytes_received: Counter,
}

/// One count.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `amount` more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Totals {
    /// The counts as they are now.
    pub fn snapshot(&self) -> RunTotals {
        RunTotals {
            changes: self.changes.get(),
            api_requests: self.api_requests.get(),
            gh_calls: self.gh_calls.get(),
            git_calls: self.git_calls.get(),
            bytes_sent: self.bytes_sent.get(),
            bytes_received: self.bytes_received.get(),
        }
    }
}
