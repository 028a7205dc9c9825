//! `standin notify`, and what a change of master by hand leaves: the program as a person types it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use standin_core::state::model::RepositoryId;
use standin_core::state::store::{Fact, Store};
use standin_tests::cli::{Machine, World};
use standin_tests::keyring::in_a_session;
use standin_tests::stage::{REPOSITORY, Stage};

const CANARY: &str = "tk_CANARY0123456789canary";

/// A server on this machine that gives the same answer to everybody; it ends with this.
struct Server {
    origin: String,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (asked, ends): (Arc<Mutex<Vec<String>>>, Arc<AtomicBool>) = Default::default();
        let (heard, is_over) = (asked.clone(), ends.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let mut stream = stream.unwrap();
                heard.lock().unwrap().push(request(&mut stream));
                write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            }
        });
        Self { origin, asked, ends, thread: Some(thread) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // One more connection wakes it; where it has ended already, there is none.
        let _ = TcpStream::connect(self.origin.trim_start_matches("http://"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn request(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if count == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
            return text;
        }
    }
}

/// A machine whose `standin.toml` says this, in a clone whose `.env` nobody said yes to.
fn machine(world: &World, toml: &str) -> Machine {
    let path = world.folder().join("notify.toml");
    std::fs::write(&path, toml).unwrap();
    world.machine().with("STANDIN_CONFIG", path.display().to_string()).unasked()
}

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

#[test]
fn places_are_listed_and_tried_without_a_word_about_the_clone() {
    let world = world();
    let (took, refused) = (Server::answering("200 OK"), Server::answering("403 Forbidden"));
    let (well, ill) = (&took.origin, &refused.origin);
    let machine = machine(
        &world,
        &format!(
            "[schedule]\nping_url = \"{well}/{CANARY}\"\n[quiet_hours]\nfrom = \"22:00\"\nto = \"07:00\"\n[[notify]]\nname = \"phone\"\n\
             type = \"ntfy\"\nurl = \"{well}/topic\"\ntoken_env = \"NTFY_TOKEN\"\n[[notify]]\nname = \"team\"\ntype = \"webhook\"\n\
             url = \"{ill}/{CANARY}\"\non = [\"failed\", \"waits\"]\n"
        ),
    )
    .with("NTFY_TOKEN", CANARY);
    let listed = machine.standin(&["notify", "list"]);
    assert_eq!(listed.code(), 0, "{}", listed.all());
    for words in [
        format!("phone  ntfy  {well}"),
        "token      from NTFY_TOKEN".to_owned(),
        format!("team  webhook  {ill}"),
        "told of    waits, failed".to_owned(),
        "quiet from 22:00 to 07:00, but for a master that is down".to_owned(),
        format!("{well} is asked after each round in which all is in step"),
    ] {
        assert!(listed.stdout.contains(&words), "{words}: {}", listed.all());
    }
    let json = machine.json(&["notify", "list"]);
    assert_eq!(
        (&json["places"][0]["type"], &json["places"][0]["token"]["from"]),
        (&"ntfy".into(), &"environment".into())
    );

    let one = machine.standin(&["notify", "test", "phone"]);
    assert_eq!((one.code(), one.stdout.as_str()), (0, format!("✅ phone: {well} took it\n").as_str()), "{}", one.all());
    assert!(took.asked()[0].to_lowercase().contains(&format!("authorization: bearer {CANARY}").to_lowercase()));
    let all = machine.standin(&["notify", "test"]);
    assert_eq!(all.code(), 1, "{}", all.all());
    assert!(all.stdout.contains(&format!("❌ team: {ill} answered HTTP 403")), "{}", all.all());
    let json = machine.standin(&["notify", "test", "team", "--json"]);
    assert_eq!(json.code(), 1);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&json["deliveries"][0]["arrived"], &json["deliveries"][0]["error"]["code"]),
        (&false.into(), &"forbidden".into())
    );
    assert_eq!(machine.standin(&["notify", "test", "nobody"]).code(), 2);
    for said in std::fs::read_dir(&machine.said).unwrap() {
        let text = std::fs::read_to_string(said.unwrap().path()).unwrap();
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn without_a_place_a_test_is_a_mistake_and_a_list_is_not() {
    let world = world();
    let machine = machine(&world, "");
    let listed = machine.standin(&["notify", "list"]);
    assert_eq!(
        (listed.code(), listed.stdout.as_str()),
        (0, "nobody is told of anything: standin.toml has no [[notify]]\n")
    );
    let tried = machine.standin(&["notify", "test"]);
    assert_eq!(tried.code(), 2, "{}", tried.all());
    assert!(tried.stderr.contains("type = \"ntfy\""), "{}", tried.all());
}

#[test]
fn a_token_is_kept_in_the_real_keychain_for_one_host() {
    in_a_session(module_path!(), "kept", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session of its own"]
fn kept() {
    let world = world();
    let (one, other) = (Server::answering("200 OK"), Server::answering("200 OK"));
    let toml = |origin: &str| format!("[[notify]]\nname = \"phone\"\ntype = \"ntfy\"\nurl = \"{origin}/topic\"\n");
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let machine = machine(&world, &toml(&one.origin)).with("DBUS_SESSION_BUS_ADDRESS", bus);
    let set = machine.standin_with(&["notify", "token", "phone"], format!("{CANARY}\n").as_bytes());
    assert_eq!((set.code(), set.stdout.as_str()), (0, "stored the token of phone in the keychain\n"), "{}", set.all());
    assert_eq!(machine.standin(&["notify", "test"]).code(), 0);
    assert!(one.asked()[0].contains(CANARY));
    std::fs::write(world.folder().join("notify.toml"), toml(&other.origin)).unwrap();
    let refused = machine.standin(&["notify", "test"]);
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.stdout.contains("standin notify token phone"), "{}", refused.all());
    assert!(other.asked().is_empty(), "another host is sent nothing");
    assert_eq!(machine.standin(&["notify", "token", "phone", "--remove"]).code(), 0);
    assert_eq!(machine.standin(&["notify", "test"]).code(), 0, "without a token");
    assert!(!other.asked()[0].contains(CANARY));
}

#[test]
fn a_change_of_master_by_hand_is_known_to_have_been_one() {
    let stage = Stage::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let by_hand = || {
        let folder = stage.machine.json(&["status"]);
        let store = Store::open(&stage.machine.state).unwrap();
        let id: RepositoryId = REPOSITORY.parse().unwrap();
        (store.fact(&id, None, Fact::ChangedByHand).unwrap(), folder["epoch"].as_u64().unwrap())
    };
    assert_eq!(by_hand(), (None, 1));
    stage.promote();
    assert_eq!(by_hand(), (Some("2".to_owned()), 2));
    stage.demote();
    assert_eq!(by_hand(), (Some("3".to_owned()), 3));
}
