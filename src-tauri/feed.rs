//! What happens, on its way to the page: stamped, gathered for a moment, and sent as one message.
//!
//! Core's progress must return at once, and a sync may report thousands of things a second; so events go into a
//! queue, and a task of its own sends them in bunches in which only the last progress of each bar is kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use standin_core::event::{Event, Stamped};
use standin_core::outside::{Clock as _, Progress, SystemClock};
use tauri::ipc::Channel;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long events are gathered. Shorter than anyone can see.
const GATHER: Duration = Duration::from_millis(40);

/// The near end: hears what happens.
pub struct Feed {
    queue: UnboundedSender<Stamped>,
    /// Told whenever something happened.
    pub changed: Arc<Notify>,
    page: Mutex<Option<Channel<Vec<Stamped>>>>,
}

/// The far end, for [`Feed::deliver`].
pub struct Queue(UnboundedReceiver<Stamped>);

impl Feed {
    /// A feed to which no page listens yet.
    pub fn new() -> (Self, Queue) {
        let (sender, receiver) = unbounded_channel();
        (Self { queue: sender, changed: Arc::default(), page: Mutex::default() }, Queue(receiver))
    }

    /// From now on this page hears what happens; one that listened before does not.
    pub fn subscribe(&self, page: Channel<Vec<Stamped>>) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
    }

    /// Brings everything to the page, until the program ends.
    pub async fn deliver(&self, Queue(mut queue): Queue) {
        let mut heard = Vec::new();
        while queue.recv_many(&mut heard, usize::MAX).await > 0 {
            tokio::time::sleep(GATHER).await;
            while let Ok(more) = queue.try_recv() {
                heard.push(more);
            }
            let page = self.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let bunch = bunch(std::mem::take(&mut heard));
            if let Some(page) = &page {
                // A page that is gone asks for the overview when it comes back.
                let _ = page.send(bunch);
            }
        }
    }
}

impl Progress for Feed {
    fn event(&self, event: &Event) {
        // The receiver lives as long as the program.
        let _ = self.queue.send(Stamped { at_iso: SystemClock.now(), event: event.clone() });
        self.changed.notify_one();
    }
}

fn bunch(heard: Vec<Stamped>) -> Vec<Stamped> {
    let mut events: Vec<Stamped> = Vec::new();
    for stamped in heard {
        match events.last_mut().filter(|last| same_bar(&last.event, &stamped.event)) {
            Some(last) => *last = stamped,
            None => events.push(stamped),
        }
    }
    events
}

/// Whether both report how far the same thing has come.
fn same_bar(one: &Event, other: &Event) -> bool {
    match (one, other) {
        (
            Event::Progress { repository, mirror, aspect, .. },
            Event::Progress { repository: other_repository, mirror: other_mirror, aspect: other_aspect, .. },
        ) => (repository, mirror, aspect) == (other_repository, other_mirror, other_aspect),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standin_core::state::model::Aspect;

    fn progress(repository: &str, done: u64) -> Stamped {
        let event = Event::Progress {
            repository: repository.parse().unwrap(),
            mirror: None,
            aspect: Aspect::Code,
            phase: "fetching".into(),
            done,
            total: None,
        };
        Stamped { at_iso: SystemClock.now(), event }
    }

    fn waiting() -> Stamped {
        let (repository, mirror) = ("one".parse().unwrap(), "mirror-1".parse().unwrap());
        Stamped { at_iso: SystemClock.now(), event: Event::RunWaiting { repository, mirror, holder: String::new() } }
    }

    #[test]
    fn of_progress_in_a_row_only_the_last_is_told_and_everything_else_in_order() {
        let events = bunch(vec![progress("one", 1), progress("one", 2), waiting(), progress("one", 3)]);
        let done: Vec<_> = events
            .iter()
            .map(|stamped| if let Event::Progress { done, .. } = stamped.event { Some(done) } else { None })
            .collect();
        assert_eq!(done, [Some(2), None, Some(3)]);
    }

    #[test]
    fn progress_of_one_repository_does_not_replace_that_of_another() {
        assert_eq!(bunch(vec![progress("one", 1), progress("two", 2)]).len(), 2);
    }
}
