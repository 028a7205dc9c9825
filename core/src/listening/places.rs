//! The places of connections: how many there are at once, and who gives way when another one comes.
//!
//! Whoever has not asked yet gives way first, the oldest of them; then who has asked for longest, once it had time enough. So
//! neither silence nor a body that never ends keeps others out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// How many connections there are at once.
const CONNECTIONS: usize = 32;
/// How long one that has asked keeps its place from others.
const PATIENCE: Duration = Duration::from_secs(2);

/// A place; it is free again when its connection has dropped it.
#[derive(Debug)]
pub(super) struct Place {
    since: Instant,
    has_asked: AtomicBool,
    /// Says when it is needed for another.
    pub gives_way: CancellationToken,
}

impl Place {
    /// The head of its request is whole.
    pub fn has_asked(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }
}

/// All places, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: VecDeque<Arc<Place>>,
}

impl Places {
    /// A place for one that came now. Where none is free, somebody gives way; until that may be asked of anybody, how long to
    /// wait at most.
    pub fn take(&mut self, now: Instant) -> Result<Arc<Place>, Duration> {
        // Its connection holds the other end of each.
        self.taken.retain(|place| Arc::strong_count(place) > 1);
        if self.taken.len() >= CONNECTIONS {
            let silent = self.taken.iter().position(|place| !place.has_asked.load(Ordering::Relaxed));
            let waited = |place: &Arc<Place>| now.saturating_duration_since(place.since);
            let oldest = self.taken.front().map(waited).unwrap_or_default();
            let at = silent.or((oldest >= PATIENCE).then_some(0)).ok_or(PATIENCE.saturating_sub(oldest))?;
            if let Some(place) = self.taken.remove(at) {
                place.gives_way.cancel();
            }
        }
        let place =
            Arc::new(Place { since: now, has_asked: AtomicBool::new(false), gives_way: CancellationToken::new() });
        self.taken.push_back(place.clone());
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_gives_way_then_who_asked_long_ago_and_nobody_else() {
        let (mut places, now) = (Places::default(), Instant::now());
        let mut held: Vec<Arc<Place>> = (0..CONNECTIONS).map(|_| places.take(now).unwrap()).collect();
        held.iter().for_each(|place| place.has_asked());
        assert_eq!(places.take(now).unwrap_err(), PATIENCE, "all have just asked");
        // One that went leaves its place.
        held.remove(3);
        let silent = places.take(now).unwrap();
        // The silent one is younger than all.
        held.push(places.take(now).unwrap());
        assert!(silent.gives_way.is_cancelled());
        assert!(held.iter().all(|place| !place.gives_way.is_cancelled()));
        held.last().unwrap().has_asked();
        held.push(places.take(now + PATIENCE).unwrap());
        let given: Vec<usize> = (0..held.len()).filter(|&at| held[at].gives_way.is_cancelled()).collect();
        assert_eq!(given, [0], "the oldest");
    }
}
