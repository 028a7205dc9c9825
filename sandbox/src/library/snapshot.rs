//! What the sandbox remembers at a moment, to be put back: for tests that try many things from one beginning.

use crate::sandbox::Sandbox;
use crate::world::World;

/// What a sandbox remembered at a moment. What its repositories hold on disk is not in it: that belongs to whoever named
/// [`Options::data_dir`](crate::Options::data_dir).
pub struct Snapshot {
    world: World,
}

impl Sandbox {
    /// What it remembers now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { world: self.shared().world().clone() }
    }

    /// Remembers what it did then, and nothing that came after: no request, no fault, and nobody used up a limit. Only
    /// while nothing is asked of it and no run is carried out; the clock goes on.
    pub fn restore(&self, snapshot: &Snapshot) {
        let shared = self.shared();
        *shared.world() = snapshot.world.clone();
        shared.traffic.clear();
        shared.faults.clear();
        shared.limits.clear();
    }
}
