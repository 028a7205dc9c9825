//! What the watcher's thread tells of, kept until it is looked: which targets were touched, and since when. However many events come,
//! it stays as small as the list of targets.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, EventKind};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::places::Places;
use super::watch::Pace;

/// What the watcher's thread tells: which targets were touched, and since when.
pub(super) struct Touched {
    state: Mutex<TouchedState>,
    pub wake: Notify,
}

pub(super) struct TouchedState {
    /// Of each target: since when, and the last time.
    since: Vec<Option<(Instant, Instant)>>,
    /// What is watched of each.
    pub places: Vec<Places>,
    /// Watched folders that are gone, or another one by now.
    pub lost: BTreeSet<PathBuf>,
    /// Whether there are more folders than watches.
    pub is_full: bool,
}

impl Touched {
    pub fn new(count: usize) -> Self {
        let state = TouchedState {
            since: vec![None; count],
            places: vec![Places::new(); count],
            lost: BTreeSet::new(),
            is_full: false,
        };
        Self { state: Mutex::new(state), wake: Notify::new() }
    }

    pub fn lock(&self) -> MutexGuard<'_, TouchedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn hear(&self, event: notify::Result<notify::Event>) {
        let mut state = self.lock();
        match event {
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => state.is_full = true,
            // Whatever it was, something may have been missed.
            Err(_) => state.touch_all(),
            Ok(event) if event.need_rescan() || event.paths.is_empty() => state.touch_all(),
            Ok(event) if is_of_reading(&event.kind) => return,
            Ok(event) => state.touch(&event),
        }
        drop(state);
        self.wake.notify_one();
    }
}

impl TouchedState {
    fn touch(&mut self, event: &notify::Event) {
        let now = Instant::now();
        for path in &event.paths {
            for (since, places) in self.since.iter_mut().zip(&self.places) {
                if places.iter().any(|(folder, place)| place.counts(folder, path)) {
                    *since = Some((since.map_or(now, |(first, _)| first), now));
                }
                let is_gone =
                    matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_)));
                if is_gone && places.contains_key(path) {
                    self.lost.insert(path.clone());
                }
            }
        }
    }

    fn touch_all(&mut self) {
        let now = Instant::now();
        for since in &mut self.since {
            *since = Some((since.map_or(now, |(first, _)| first), now));
        }
    }

    /// When the first of those that were touched is due.
    pub fn due(&self, pace: &Pace) -> Option<Instant> {
        self.since.iter().flatten().map(|(first, last)| (*last + pace.quiet).min(*first + pace.most)).min()
    }

    /// Those that are due, which are touched no more.
    pub fn take_due(&mut self, pace: &Pace) -> BTreeSet<usize> {
        let now = Instant::now();
        let mut due = BTreeSet::new();
        for (index, since) in self.since.iter_mut().enumerate() {
            if since.is_some_and(|(first, last)| (last + pace.quiet).min(first + pace.most) <= now) {
                *since = None;
                due.insert(index);
            }
        }
        due
    }
}

/// Reading is told as well; of all that is not writing only the end of a writing counts.
fn is_of_reading(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access != AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => false,
    }
}
