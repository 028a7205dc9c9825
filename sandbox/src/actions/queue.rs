//! `concurrency`: of the runs and jobs of a group one runs, one waits, and the newest that waits takes the place of an
//! older one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// All groups of one sandbox.
#[derive(Default)]
pub(super) struct Queue {
    groups: Arc<Mutex<HashMap<Key, Group>>>,
}

/// What `concurrency` asks for.
pub(super) struct Wish {
    pub group: String,
    /// Who runs in the group is cancelled.
    pub stops_running: bool,
}

/// A repository and the name of a group there, in any case.
type Key = (u64, String);

struct Group {
    running: Member,
    waiting: Option<Member>,
}

#[derive(Clone)]
struct Member {
    number: u64,
    /// Told when its turn has come.
    turn: Arc<Notify>,
    cancel: CancellationToken,
}

/// A place in a group, until it is dropped.
pub(super) struct Place {
    groups: Arc<Mutex<HashMap<Key, Group>>>,
    key: Key,
    member: Member,
}

fn locked(groups: &Mutex<HashMap<Key, Group>>) -> MutexGuard<'_, HashMap<Key, Group>> {
    groups.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Takes a place. Who waited in the group before is cancelled; who runs too, if that is wished.
    pub(super) fn enter(&self, repository_id: u64, wish: &Wish, number: u64, cancel: CancellationToken) -> Place {
        let key = (repository_id, wish.group.to_lowercase());
        let member = Member { number, turn: Arc::default(), cancel };
        let mut groups = locked(&self.groups);
        match groups.get_mut(&key) {
            None => {
                groups.insert(key.clone(), Group { running: member.clone(), waiting: None });
            }
            Some(group) => {
                if wish.stops_running {
                    group.running.cancel.cancel();
                }
                if let Some(older) = group.waiting.replace(member.clone()) {
                    older.cancel.cancel();
                }
            }
        }
        drop(groups);
        Place { groups: Arc::clone(&self.groups), key, member }
    }
}

impl Place {
    /// True if it is this one's turn.
    pub(super) fn is_running(&self) -> bool {
        locked(&self.groups).get(&self.key).is_some_and(|group| group.running.number == self.member.number)
    }

    /// Waits for the turn; false if it was cancelled before.
    pub(super) async fn wait(&self) -> bool {
        while !self.is_running() {
            tokio::select! {
                () = self.member.cancel.cancelled() => return false,
                () = self.member.turn.notified() => {}
            }
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut groups = locked(&self.groups);
        let Some(group) = groups.get_mut(&self.key) else {
            return;
        };
        if group.running.number != self.member.number {
            group.waiting.take_if(|waiting| waiting.number == self.member.number);
            return;
        }
        match group.waiting.take() {
            Some(next) => {
                group.running = next;
                group.running.turn.notify_one();
            }
            None => {
                groups.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_runs_one_waits_and_the_newest_replaces_the_one_that_waits() {
        let queue = Queue::default();
        let tokens: Vec<CancellationToken> = (0..4).map(|_| CancellationToken::new()).collect();
        let wish = |group: &str, stops_running| Wish { group: group.to_owned(), stops_running };
        let enter = |number: usize, stop| queue.enter(1, &wish("G", stop), number as u64, tokens[number].clone());
        let (first, second) = (enter(0, false), enter(1, false));
        assert!(first.is_running() && !second.is_running());
        let third = enter(2, false);
        assert!(tokens[1].is_cancelled() && !second.wait().await);
        drop(second);
        drop(first);
        assert!(third.wait().await);
        let fourth = enter(3, true);
        assert!(tokens[2].is_cancelled(), "who runs is cancelled when asked for");
        drop(third);
        assert!(fourth.wait().await);
        let other = queue.enter(2, &wish("g", false), 9, CancellationToken::new());
        assert!(other.is_running(), "another repository has its own groups");
    }
}
