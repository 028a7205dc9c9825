//! What happens, on its way to the page: stamped, gathered for a moment, and sent as one message.
//!
//! Core's progress must return at once, and a sync may report thousands of things a second; so events go into a
//! queue, and a task of its own sends them in bunches in which only the last progress of each bar is kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use standin_core::event::{Event, Stamped};
use standin_core::outside::{Clock as _, Progress, SystemClock};
use tauri::ipc::Channel;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::wire::Message;

/// How long events are gathered. Shorter than anyone can see.
const GATHER: Duration = Duration::from_millis(40);

enum Heard {
    Event(Box<Stamped>),
    /// To be told after everything that was heard before it.
    Message(Message),
}

/// The near end: hears what happens.
pub struct Feed {
    queue: UnboundedSender<Heard>,
    page: Mutex<Option<Channel<Message>>>,
}

/// The far end, for [`Feed::deliver`].
pub struct Queue(UnboundedReceiver<Heard>);

impl Feed {
    /// A feed to which no page listens yet.
    pub fn new() -> (Self, Queue) {
        let (sender, receiver) = unbounded_channel();
        (Self { queue: sender, page: Mutex::default() }, Queue(receiver))
    }

    /// From now on this page hears what happens; one that listened before does not.
    pub fn subscribe(&self, page: Channel<Message>) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
    }

    /// Tells the page something that is no event of core, in its turn.
    pub fn tell(&self, message: Message) {
        self.hear(Heard::Message(message));
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
            for message in bunches(std::mem::take(&mut heard)) {
                if let Some(page) = &page {
                    // A page that is gone asks for the overview when it comes back.
                    let _ = page.send(message);
                }
            }
        }
    }

    fn hear(&self, heard: Heard) {
        // The receiver lives as long as the program.
        let _ = self.queue.send(heard);
    }
}

impl Progress for Feed {
    fn event(&self, event: &Event) {
        self.hear(Heard::Event(Box::new(Stamped { at_iso: SystemClock.now(), event: event.clone() })));
    }
}

fn bunches(heard: Vec<Heard>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut events: Vec<Stamped> = Vec::new();
    for one in heard {
        match one {
            Heard::Event(stamped) => {
                if let Some(last) = events.last_mut().filter(|last| same_bar(&last.event, &stamped.event)) {
                    *last = *stamped;
                } else {
                    events.push(*stamped);
                }
            }
            Heard::Message(message) => {
                if !events.is_empty() {
                    messages.push(Message::Events { events: std::mem::take(&mut events) });
                }
                messages.push(message);
            }
        }
    }
    if !events.is_empty() {
        messages.push(Message::Events { events });
    }
    messages
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

    fn progress(repository: &str, done: u64) -> Heard {
        let event = Event::Progress {
            repository: repository.parse().unwrap(),
            mirror: None,
            aspect: Aspect::Code,
            phase: "fetching".into(),
            done,
            total: None,
        };
        Heard::Event(Box::new(Stamped { at_iso: SystemClock.now(), event }))
    }

    fn finished() -> Heard {
        let event = Event::SyncFinished { repository: "one".parse().unwrap(), synced: 1, failed: 0, blocked: 0 };
        Heard::Event(Box::new(Stamped { at_iso: SystemClock.now(), event }))
    }

    #[test]
    fn of_progress_in_a_row_only_the_last_is_told_and_everything_else_in_order() {
        let messages = bunches(vec![progress("one", 1), progress("one", 2), finished(), progress("one", 3)]);
        let [Message::Events { events }] = messages.as_slice() else { panic!("one bunch: {messages:?}") };
        let done: Vec<_> = events
            .iter()
            .map(|stamped| if let Event::Progress { done, .. } = stamped.event { Some(done) } else { None })
            .collect();
        assert_eq!(done, [Some(2), None, Some(3)]);
    }

    #[test]
    fn progress_of_one_repository_does_not_replace_that_of_another() {
        let messages = bunches(vec![progress("one", 1), progress("two", 2)]);
        let [Message::Events { events }] = messages.as_slice() else { panic!("one bunch: {messages:?}") };
        assert_eq!(events.len(), 2);
    }
}
