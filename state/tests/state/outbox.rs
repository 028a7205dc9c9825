//! Word that is to be sent: what is told and what goes out are written together, and nothing is lost or left over.

use jiff::Timestamp;
use standin_state::error::{Code, Error};
use standin_state::model::{NotifyName, RepositoryId};
use standin_state::store::Store;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn site() -> RepositoryId {
    "site".parse().unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn error(message: &str) -> Error {
    Error::new(Code::HostFailed, message, "See to it.")
}

#[test]
fn what_is_told_and_what_goes_out_outlive_the_program() {
    let (dir, store) = store();
    let (phone, team): (NotifyName, NotifyName) = ("phone".parse().unwrap(), "team".parse().unwrap());
    assert_eq!(store.told(&site()).unwrap(), None);
    store.tell(&site(), "{\"a\":1}", Some("w1"), [(&phone, "one"), (&team, "one")], now()).unwrap();
    store.tell(&site(), "{\"a\":2}", None, [(&phone, "two")], now()).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.told(&site()).unwrap().as_deref(), Some("{\"a\":2}"));
    let all = store.outbox().unwrap();
    let shown: Vec<_> = all.iter().map(|one| (one.target.as_str(), one.message.as_str(), one.tries)).collect();
    assert_eq!(shown, [("phone", "one", 0), ("team", "one", 0), ("phone", "two", 0)], "in order");
    assert!(all.iter().all(|one| one.repository == site() && one.next == now()));
}

#[test]
fn words_that_a_face_shows_are_read_by_any_process_and_the_last_hundred_are_kept() {
    let (dir, store) = store();
    assert_eq!((store.last_word().unwrap(), store.words_after(0).unwrap()), (0, Vec::new()));
    let nowhere: [(&NotifyName, &str); 0] = [];
    for number in 1..=130 {
        store.tell(&site(), "{}", Some(&format!("word {number}")), nowhere, now()).unwrap();
    }
    store.tell(&site(), "{}", None, nowhere, now()).unwrap();
    let other = Store::open(dir.path()).unwrap();
    assert_eq!(other.last_word().unwrap(), 130);
    assert_eq!(other.words_after(128).unwrap(), [(129, "word 129".to_owned()), (130, "word 130".to_owned())]);
    let kept = other.words_after(0).unwrap();
    assert_eq!((kept.len(), kept[0].0), (100, 31));
    assert!(other.outbox().unwrap().is_empty(), "nothing is sent");
}

#[test]
fn a_message_that_arrived_is_gone_and_so_is_the_trouble() {
    let (_dir, store) = store();
    let phone: NotifyName = "phone".parse().unwrap();
    store.tell(&site(), "{}", None, [(&phone, "one"), (&phone, "two")], now()).unwrap();
    let first = store.outbox().unwrap().remove(0);
    let later: Timestamp = "2026-03-01T12:01:00Z".parse().unwrap();
    store.not_sent(&first, &error("HTTP 500"), Some(later), now()).unwrap();
    let again = store.outbox().unwrap().remove(0);
    assert_eq!((again.id, again.tries, again.next), (first.id, 1, later));
    let troubles = store.notify_troubles().unwrap();
    assert_eq!((troubles.len(), troubles[0].error.as_str(), troubles[0].waiting), (1, "HTTP 500", 2));
    store.sent(&again).unwrap();
    assert!(store.notify_troubles().unwrap().is_empty());
    let second = store.outbox().unwrap().remove(0);
    store.not_sent(&second, &error("HTTP 403"), None, later).unwrap();
    assert!(store.outbox().unwrap().is_empty(), "it was given up");
    assert_eq!(store.notify_troubles().unwrap()[0].waiting, 0);
}

#[test]
fn what_belongs_to_places_that_are_gone_is_swept() {
    let (_dir, store) = store();
    let (phone, team): (NotifyName, NotifyName) = ("phone".parse().unwrap(), "team".parse().unwrap());
    store.tell(&site(), "{}", None, [(&phone, "one"), (&team, "one")], now()).unwrap();
    for name in ["team", "ping_url"] {
        store.set_notify_trouble(name, Some(&error("x")), now()).unwrap();
    }
    store.keep_notify_targets(&["phone", "ping_url"]).unwrap();
    assert_eq!(store.outbox().unwrap().len(), 1);
    assert_eq!(store.notify_troubles().unwrap()[0].name, "ping_url");
    store.set_notify_trouble("ping_url", None, now()).unwrap();
    assert!(store.notify_troubles().unwrap().is_empty());
}
