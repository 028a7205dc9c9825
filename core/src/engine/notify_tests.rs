use standin_state::model::{Aspect, AspectReport, AspectStatus, Health, MasterHealth, MasterVerdict, RunId};

use super::*;
use crate::engine::EngineOptions;
use crate::notify::stage::{CANARY, Machine, Server};

/// An engine over this configuration, with one repository that has one mirror.
fn engine(machine: &Machine, lines: &str) -> Engine {
    let repository = "[[repository]]\nid = \"site\"\nsource = \"ada/site\"\n[[repository.mirror]]\nid = \"disk\"\ntype = \"git\"\n\
                      url = \"https://git.example/site.git\"\n";
    machine.configured(&format!("{lines}\n{repository}"));
    let options = EngineOptions {
        state_dir: machine.path("state"),
        load: machine.load(),
        outside: machine.outside.clone(),
        actor: "ann@laptop (test)".to_owned(),
    };
    Engine::open(options).unwrap().0
}

/// Two looks found that the master is so.
fn master(machine: &Machine, verdict: MasterVerdict, detail: &str) {
    let now = machine.outside.clock.now();
    let health = MasterHealth {
        place: MirrorId::source(),
        repo: "ada/site".to_owned(),
        verdict,
        cause: standin_state::model::MasterCause::Unclear,
        health: Health::Failed,
        detail: detail.to_owned(),
        hint: String::new(),
        since_iso: now.checked_sub(jiff::SignedDuration::from_mins(5)).unwrap(),
        last_health_check_iso: now,
    };
    machine.store.set_master_health(&"site".parse().unwrap(), Some(&health)).unwrap();
}

/// The mirror was synced now.
fn synced(machine: &Machine, status: AspectStatus) {
    let now = machine.outside.clock.now();
    let report = AspectReport::new(status).tried(now, None);
    let (site, disk): (RepositoryId, MirrorId) = ("site".parse().unwrap(), "disk".parse().unwrap());
    let run: RunId = "run-1".parse().unwrap();
    machine.store.finish_aspect(&run, &site, &disk, Aspect::Code, &report).unwrap();
}

fn places(server: &Server) -> String {
    format!(
        "[[notify]]\nname = \"phone\"\ntype = \"ntfy\"\nurl = \"{0}/topic\"\non = [\"master_down\"]\n[[notify]]\nname = \"all\"\n\
         type = \"webhook\"\nurl = \"{0}/hook\"\n",
        server.origin
    )
}

#[tokio::test]
async fn each_place_is_told_what_it_wants_and_once() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["200 OK"]).await);
    let engine = engine(&machine, &places(&server));
    assert_eq!(engine.tell_word(After::Look).await.unwrap(), Telling::default(), "nothing is known yet");
    master(&machine, MasterVerdict::Down, "HTTP 503");
    let told = engine.tell_word(After::Look).await.unwrap();
    assert_eq!(told.words.len(), 1);
    assert_eq!(told.words[0].title, "site: the master is down");
    assert!(told.deliveries.iter().all(|delivery| delivery.arrived), "{told:?}");
    assert_eq!(server.asked().len(), 2);
    assert_eq!(engine.tell_word(After::Round).await.unwrap(), Telling::default());
    machine.clock.pass(11);
    master(&machine, MasterVerdict::Well, "");
    let told = engine.tell_word(After::Look).await.unwrap();
    let names: Vec<_> = told.deliveries.iter().map(|delivery| delivery.name.as_str()).collect();
    assert_eq!(names, ["all"], "the phone is woken by a master that is down alone");
    let (one, two) = (server.asked()[0].clone(), server.asked()[1].clone());
    let hook = if one.starts_with("POST /hook") { one } else { two };
    assert!(hook.contains(r#""event":"master_down""#), "{hook}");
}

#[tokio::test]
async fn without_a_place_it_is_decided_all_the_same_and_no_place_is_told_of_the_past() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["200 OK"]).await);
    let alone = engine(&machine, "");
    master(&machine, MasterVerdict::Down, "HTTP 503");
    let told = alone.tell_word(After::Look).await.unwrap();
    assert_eq!((told.words.len(), told.deliveries.len()), (1, 0), "for a face that shows it");
    let later = engine(&machine, &places(&server));
    machine.clock.pass(60);
    assert!(later.tell_word(After::Look).await.unwrap().words.is_empty());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn word_that_did_not_arrive_stands_in_the_status_until_it_does() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["500 Oh", "200 OK"]).await);
    let engine = engine(&machine, &format!("[[notify]]\ntype = \"webhook\"\nurl = \"{}/{CANARY}\"", server.origin));
    master(&machine, MasterVerdict::Gone, "HTTP 404");
    let told = engine.tell_word(After::Look).await.unwrap();
    assert!(!told.deliveries[0].arrived && told.next_iso.is_some(), "{told:?}");
    let status = engine.status(None).unwrap();
    let trouble = &status[0].notify[0];
    assert_eq!((trouble.name.as_str(), trouble.waiting), ("webhook", 1));
    assert_eq!(trouble.error, format!("{} answered HTTP 500", server.origin));
    assert!(!serde_json::to_string(&status).unwrap().contains(CANARY));
    assert_eq!(engine.notify_places().unwrap().places[0].trouble.as_ref(), Some(trouble));
    machine.clock.pass(2);
    let again = engine.tell_word(After::Look).await.unwrap();
    assert!(again.words.is_empty() && again.deliveries[0].arrived, "{again:?}");
    assert!(engine.status(None).unwrap()[0].notify.is_empty());
}

#[tokio::test]
async fn a_place_that_is_configured_no_more_leaves_nothing() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["500 Oh"]).await);
    let before = engine(&machine, &places(&server));
    master(&machine, MasterVerdict::Down, "HTTP 503");
    before.tell_word(After::Look).await.unwrap();
    let after = engine(&machine, "");
    assert!(after.status(None).unwrap()[0].notify.is_empty());
    after.tell_word(After::Look).await.unwrap();
    assert!(machine.store.outbox().unwrap().is_empty() && machine.store.notify_troubles().unwrap().is_empty());
}

#[tokio::test]
async fn the_ping_is_asked_after_a_round_in_which_all_is_in_step() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["200 OK", "500 Oh", "200 OK"]).await);
    let engine = engine(&machine, &format!("[schedule]\nping_url = \"{}/{CANARY}\"", server.origin));
    engine.tell_word(After::Round).await.unwrap();
    assert!(server.asked().is_empty(), "never synced");
    synced(&machine, AspectStatus::Ok);
    assert_eq!(engine.status(None).unwrap()[0].standing.word, StandingWord::InStep);
    engine.tell_word(After::Look).await.unwrap();
    assert!(server.asked().is_empty(), "a look is no round");
    engine.tell_word(After::Round).await.unwrap();
    assert!(server.asked()[0].starts_with(&format!("GET /{CANARY} ")), "{:?}", server.asked());
    engine.tell_word(After::Round).await.unwrap();
    let status = engine.status(None).unwrap();
    assert_eq!(status[0].notify[0].name, PING);
    assert!(!format!("{status:?}{:?}", engine.notify_places().unwrap()).contains(CANARY));
    engine.tell_word(After::Round).await.unwrap();
    assert!(engine.status(None).unwrap()[0].notify.is_empty());
    synced(&machine, AspectStatus::Failed);
    engine.tell_word(After::Round).await.unwrap();
    assert_eq!(server.asked().len(), 3, "it failed");
}

#[tokio::test]
async fn no_secret_that_is_known_leaves_in_a_message_or_stays_in_the_memory() {
    let (machine, server) = (Machine::new(&[("HOOK_SECRET", CANARY)]), Server::answering(&["500 Oh"]).await);
    let url = format!(
        "[[notify]]\ntype = \"webhook\"\nurl = \"{}/PATH-{CANARY}\"\ntoken_env = \"HOOK_SECRET\"",
        server.origin
    );
    let engine = engine(&machine, &url);
    master(&machine, MasterVerdict::Down, &format!("a host that repeats {CANARY} to whoever asks"));
    let told = engine.tell_word(After::Look).await.unwrap();
    assert_eq!(told.deliveries.len(), 1);
    assert!(told.words[0].text.contains("repeats *** to whoever asks"), "{told:?}");
    assert!(!format!("{told:?}").contains(CANARY));
    let request = server.asked()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(!body.contains(CANARY) && head.matches(CANARY).count() == 1, "only in the address: {request}");
    for entry in machine.store.outbox().unwrap() {
        assert!(!entry.message.contains(CANARY));
    }
    machine.store.set_master_health(&"site".parse().unwrap(), None).unwrap();
    let text = format!("{:?}{:?}", machine.store.notify_troubles(), machine.store.told(&"site".parse().unwrap()));
    assert!(!text.contains(CANARY), "{text}");
}

#[tokio::test]
async fn two_that_tell_at_once_tell_it_once() {
    let (machine, server) = (Machine::new(&[]), Server::answering(&["200 OK"]).await);
    let engine = engine(&machine, &format!("[[notify]]\ntype = \"webhook\"\nurl = \"{}/x\"", server.origin));
    master(&machine, MasterVerdict::Down, "HTTP 503");
    let (one, two) = tokio::join!(engine.tell_word(After::Look), engine.tell_word(After::Look));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.words.len() + two.words.len(), 1);
    assert!(one.busy != two.busy, "{one:?} {two:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_test_goes_out_at_once_and_says_what_failed() {
    let machine = Machine::new(&[]);
    let (well, ill) = (Server::answering(&["200 OK"]).await, Server::answering(&["404 No"]).await);
    let engine = engine(
        &machine,
        &format!(
            "[quiet_hours]\nfrom = \"00:00\"\nto = \"23:59\"\n[[notify]]\nname = \"well\"\ntype = \"webhook\"\nurl = \"{}/x\"\n[[notify]]\n\
         name = \"ill\"\ntype = \"ntfy\"\nurl = \"{}/x\"\n",
            well.origin, ill.origin
        ),
    );
    let all = engine.notify_test(None).await.unwrap();
    assert_eq!(
        all.iter().map(|one| (one.name.as_str(), one.arrived)).collect::<Vec<_>>(),
        [("well", true), ("ill", false)]
    );
    assert!(well.asked()[0].contains("\r\nx-standin-event: test\r\n"), "{:?}", well.asked());
    assert!(well.asked()[0].contains(r#""repository":null"#), "{:?}", well.asked());
    assert!(machine.store.outbox().unwrap().is_empty() && machine.store.notify_troubles().unwrap().is_empty());
    let one = engine.notify_test(Some(&"well".parse().unwrap())).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(engine.notify_test(Some(&"other".parse().unwrap())).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_token_is_kept_by_name_and_never_shown() {
    let machine = Machine::new(&[]);
    let lines = "[[notify]]\nname = \"phone\"\ntype = \"ntfy\"\nurl = \"https://ntfy.example/topic\"\n";
    let one = engine(&machine, lines);
    let phone: NotifyName = "phone".parse().unwrap();
    one.notify_token_set(&phone, &SecretString::from(CANARY)).await.unwrap();
    assert_eq!(one.notify_places().unwrap().places[0].token, SecretFrom::Keychain);
    let kept = machine.outside.keychain.get("notify/phone").await.unwrap();
    assert!(kept.is_some());
    let moved = engine(&machine, &lines.replace("ntfy.example", "ntfy.other"));
    assert_eq!(moved.notify_places().unwrap().places[0].token, SecretFrom::GivenForAnother);
    assert!(moved.notify_token_remove(&phone).await.unwrap());
    assert!(!moved.notify_token_remove(&phone).await.unwrap());
    let trail = format!("{:?}", moved.audit(&Default::default()).unwrap());
    assert!(trail.contains("notify_token_set") && !trail.contains(CANARY), "{trail}");
}
