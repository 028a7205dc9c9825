//! What waits to be sent: tried, tried again, given up.
//!
//! A message stays in the outbox until it arrived, so that a crash loses none; one whose end nobody knows is sent again, with
//! the same id. Each place has its own row of messages, in order, and all places are served side by side. A place that hangs or
//! fails is left alone for a while, longer each time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use standin_state::config::{Notify, NotifyTarget};
use standin_state::model::NotifyName;
use standin_state::store::Outgoing;

use super::send::Post;
use super::word::Word;
use crate::{Code, Error, Result};

/// Waits after a try that failed; the last one from then on.
const WAITS: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(15 * 60), Duration::from_secs(60 * 60)];
/// Tries until a message is given up: they take about a day. Counted and not timed, so that no clock that jumps loses one.
const TRIES: u32 = 26;
/// Longest wait that a place can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);
/// How long one place is served in one go.
const TURN: Duration = Duration::from_secs(40);

/// What became of one message at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The place.
    pub name: NotifyName,
    /// Where that is, as it may be shown.
    pub to: String,
    /// Whether it arrived.
    pub arrived: bool,
    /// Why not, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Delivery {
    /// What became of a message that was sent.
    pub(crate) fn of(target: &NotifyTarget, sent: Result<()>) -> Self {
        let (name, to) = (target.name.clone(), target.display());
        Self { name, to, arrived: sent.is_ok(), error: sent.err() }
    }
}

/// Sends what is due, to all places side by side.
///
/// # Errors
/// [`Code::Storage`]. What did not arrive is in the result.
pub(crate) async fn deliver(post: &Post<'_>, notify: &Notify) -> Result<Vec<Delivery>> {
    let all = post.store.outbox()?;
    let turns = notify.targets.iter().map(|target| {
        let waiting: Vec<&Outgoing> = all.iter().filter(|one| one.target == target.name).collect();
        turn(post, target, waiting)
    });
    Ok(join_all(turns).await.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// When something in the outbox is to be tried next.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn next(post: &Post<'_>) -> Result<Option<Timestamp>> {
    Ok(post.store.outbox()?.into_iter().map(|one| one.next).min())
}

/// Serves one place: the oldest first, until one does not arrive.
async fn turn(post: &Post<'_>, target: &NotifyTarget, waiting: Vec<&Outgoing>) -> Result<Vec<Delivery>> {
    let began = Instant::now();
    let mut deliveries = Vec::new();
    for outgoing in waiting {
        if !is_due(outgoing, post.outside.clock.now()) || began.elapsed() > TURN {
            break;
        }
        let sent = match serde_json::from_str::<Word>(&outgoing.message) {
            Ok(word) => post.send(target, &word).await,
            Err(error) => Err(Error::new(Code::Internal, format!("a message cannot be read any more: {error}"), "")),
        };
        let now = post.outside.clock.now();
        let again = sent.as_ref().err().and_then(|error| next_try(outgoing, error, now));
        match &sent {
            Ok(()) => post.store.sent(outgoing)?,
            Err(error) => {
                tracing::warn!(name = %target.name, error = %error.message, "word did not arrive");
                let error = if again.is_none() { given_up(error) } else { error.clone() };
                post.store.not_sent(outgoing, &error, again, now)?;
            }
        }
        deliveries.push(Delivery::of(target, sent));
        // What comes after it waits with it, so that nobody hears of the end first; without it the row goes on.
        if again.is_some() {
            break;
        }
    }
    Ok(deliveries)
}

/// One that is due in a future further off than any wait was put there by a clock that was wrong.
fn is_due(outgoing: &Outgoing, now: Timestamp) -> bool {
    let ahead = outgoing.next.as_second() - now.as_second();
    ahead <= 0 || ahead.unsigned_abs() > LONGEST_WAIT.as_secs()
}

/// When a message that did not arrive is tried again; `None` where that would help nobody.
fn next_try(outgoing: &Outgoing, error: &Error, now: Timestamp) -> Option<Timestamp> {
    if !error.retryable || outgoing.tries + 1 >= TRIES {
        return None;
    }
    let place = usize::try_from(outgoing.tries).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let asked = error.retry_after_seconds.map_or(Duration::ZERO, Duration::from_secs);
    now.checked_add(WAITS[place].max(asked).min(LONGEST_WAIT)).ok()
}

/// The error of a message that is tried no more.
fn given_up(error: &Error) -> Error {
    let mut hint = error.hint.clone();
    for promise in ["It is tried again, later.", "It is tried again."] {
        hint = hint.replace(promise, "").trim().to_owned();
    }
    Error { message: format!("a message was given up: {}", error.message), hint, ..error.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(tries: u32) -> Outgoing {
        Outgoing {
            id: 1,
            target: "phone".parse().unwrap(),
            repository: "site".parse().unwrap(),
            message: String::new(),
            tries,
            next: "2026-03-01T12:00:00Z".parse().unwrap(),
        }
    }

    fn wait(tries: u32, error: &Error) -> Option<i64> {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        next_try(&outgoing(tries), error, now).map(|next| next.duration_since(now).as_secs())
    }

    #[test]
    fn a_passing_fault_is_tried_for_about_a_day_and_any_other_not_again() {
        let passing = Error::passing(Code::Network, "", "");
        let waits: Vec<_> = (0..40).map_while(|tries| wait(tries, &passing)).collect();
        assert_eq!(&waits[..5], [60, 300, 900, 3_600, 3_600]);
        let hours = waits.iter().sum::<i64>() / 3_600;
        assert!((20..=24).contains(&hours), "{hours} hours");
        assert_eq!(wait(0, &Error::new(Code::Forbidden, "", "")), None);
    }

    #[test]
    fn a_place_that_asks_for_more_time_gets_it_within_reason() {
        let asks = |seconds| Error::passing(Code::RateLimited, "", "").retry_after(Duration::from_secs(seconds));
        assert_eq!(wait(0, &asks(5)), Some(60));
        assert_eq!(wait(0, &asks(600)), Some(600));
        assert_eq!(wait(0, &asks(u64::MAX)), Some(6 * 3_600));
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_no_message_back() {
        let at = |text: &str| is_due(&outgoing(1), text.parse().unwrap());
        assert!(at("2026-03-01T12:00:00Z"));
        assert!(!at("2026-03-01T11:59:00Z"));
        assert!(!at("2026-03-01T06:00:00Z"));
        assert!(at("2026-02-01T12:00:00Z"), "a month ahead");
    }

    #[cfg(unix)]
    mod delivered {
        use super::super::*;
        use crate::notify::stage::{Machine, Server};
        use crate::notify::word::Note;
        use standin_state::model::NotifyEvent;

        fn put(machine: &Machine, notify: &Notify, text: &str) -> String {
            let note =
                Note { event: NotifyEvent::Waits, mirror: None, text: text.to_owned(), since_iso: None, command: None };
            let now = machine.outside.clock.now();
            let word = Word::of(&"site".parse().unwrap(), vec![note], now);
            let json = serde_json::to_string(&word).unwrap();
            let messages = notify.targets.iter().map(|target| (&target.name, json.as_str()));
            machine.store.tell(&"site".parse().unwrap(), "{}", None, messages, now).unwrap();
            word.id
        }

        #[tokio::test]
        async fn a_place_that_hangs_holds_no_other_up() {
            let machine = Machine::new(&[]);
            let (hangs, well) = (Server::answering(&[""]).await, Server::answering(&["200 OK"]).await);
            let notify = machine.configured(&format!(
                "[[notify]]\nname = \"one\"\ntype = \"webhook\"\nurl = \"{}/x\"\n[[notify]]\nname = \"two\"\ntype = \"webhook\"\nurl = \"{}/x\"",
                hangs.origin, well.origin
            ));
            put(&machine, &notify, "first");
            put(&machine, &notify, "second");
            let began = Instant::now();
            let post = Post::new(&machine.outside, &machine.store).within(Duration::from_secs(1));
            let deliveries = deliver(&post, &notify).await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
            let arrived: Vec<_> = deliveries.iter().map(|one| (one.name.as_str(), one.arrived)).collect();
            assert_eq!(arrived, [("one", false), ("two", true), ("two", true)], "the second waits behind the first");
            assert_eq!(hangs.asked().len(), 1);
            let left = machine.store.outbox().unwrap();
            assert_eq!(
                left.iter().map(|one| (one.target.as_str(), one.tries)).collect::<Vec<_>>(),
                [("one", 1), ("one", 0)]
            );
        }

        #[tokio::test]
        async fn what_did_not_arrive_is_sent_again_in_order_and_with_the_same_id() {
            let machine = Machine::new(&[]);
            let server = Server::answering(&["500 Oh", "503 Oh\r\nretry-after: 1200", "200 OK"]).await;
            let notify = machine.configured(&format!("[[notify]]\ntype = \"webhook\"\nurl = \"{}/x\"", server.origin));
            let ids = [put(&machine, &notify, "first"), put(&machine, &notify, "second")];
            let post = Post::new(&machine.outside, &machine.store);
            // Not before its time: a minute after the first try, and then as long as was asked for.
            for (minutes, requests) in [(0, 1), (0, 1), (1, 2), (15, 2), (5, 4), (60, 4)] {
                machine.clock.pass(minutes);
                deliver(&post, &notify).await.unwrap();
                assert_eq!(server.asked().len(), requests, "{minutes}");
                let troubles = machine.store.notify_troubles().unwrap();
                assert_eq!(troubles.first().map(|trouble| trouble.waiting), (requests < 4).then_some(2));
            }
            let sent = server.asked();
            let sent: Vec<_> =
                sent.iter().map(|request| ids.iter().position(|id| request.contains(id)).unwrap()).collect();
            assert_eq!(sent, [0, 0, 0, 1]);
            assert!(machine.store.outbox().unwrap().is_empty());
        }

        #[tokio::test]
        async fn a_refusal_is_told_and_the_next_is_sent() {
            let machine = Machine::new(&[]);
            let server = Server::answering(&["403 No", "200 OK"]).await;
            let notify = machine.configured(&format!("[[notify]]\ntype = \"ntfy\"\nurl = \"{}/x\"", server.origin));
            put(&machine, &notify, "first");
            let post = Post::new(&machine.outside, &machine.store);
            deliver(&post, &notify).await.unwrap();
            let troubles = machine.store.notify_troubles().unwrap();
            let origin = &server.origin;
            assert_eq!(troubles[0].error, format!("a message was given up: {origin} answered HTTP 403"));
            assert_eq!(troubles[0].waiting, 0);
            put(&machine, &notify, "second");
            deliver(&post, &notify).await.unwrap();
            assert!(machine.store.notify_troubles().unwrap().is_empty(), "the next arrived");
        }
    }
}
