//! Webhooks over a real connection: what is signed is in the queue, what is not is told nothing, and nobody holds it up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use standin_core::Code;
use standin_core::engine::Engine;
use standin_core::listening::{Listener, Paths, Reach};
use standin_core::state::model::Trigger;
use standin_core::triggers::ear::{Ear as Hears, PATH};
use standin_tests::local::Local;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "CANARY-webhook-0123456789abcdef";

struct Ear {
    address: std::net::SocketAddr,
    engine: Engine,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    local: Local,
}

async fn ear() -> Ear {
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &[]);
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = \"owner/site\"\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        local.mirror
    ));
    let engine = local.engine_with(&[("STANDIN_WEBHOOK_SECRET", SECRET)]);
    let hears = Hears::new(engine.keeper());
    hears.hear(Some(engine.webhooks().await.unwrap()));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Reach::ThisMachine).await.unwrap();
    let (address, cancel) = (listener.address().unwrap(), CancellationToken::new());
    let task = tokio::spawn(listener.run(Paths::default().with(PATH, Arc::new(hears)), cancel.clone()));
    Ear { address, engine, cancel, task, local }
}

/// What OpenSSL makes of it: another's arithmetic than ours.
pub(crate) fn sign(body: &str) -> String {
    let mut child = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET, "-hex"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    format!("sha256={}", text.trim().rsplit(' ').next().unwrap())
}

fn push(branch: &str) -> String {
    format!(
        r#"{{"ref": "refs/heads/{branch}", "repository": {{"full_name": "Owner/Site"}}, "pusher": {{"name": "ann\u001b[31m"}}}}"#
    )
}

fn request(body: &str, number: &str, signature: &str) -> String {
    format!(
        "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
         X-GitHub-Delivery: {number}\r\nX-Hub-Signature-256: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Ear {
    async fn say(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // It may be answered before all of it was read.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
    }

    async fn end(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("it ends").unwrap();
        assert!(TcpStream::connect(self.address).await.is_err(), "nobody listens any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_push_is_in_the_queue_and_a_flood_of_them_is_one() {
    let ear = ear().await;
    for number in 0..12 {
        let body = push(&format!("b{number}"));
        let (status, said) = ear.say(&request(&body, &format!("n{number}"), &sign(&body))).await;
        assert_eq!((status, said.as_str()), (202, "a sync is asked for"));
    }
    let queued = ear.engine.queued().unwrap();
    assert_eq!((queued.len(), queued[0].kind, queued[0].times), (1, Trigger::Webhook, 12));
    assert_eq!(queued[0].by, "ann [31m pushed refs/heads/b11 to Owner/Site");
    let body = push("b3");
    let (status, said) = ear.say(&request(&body, "n3", &sign(&body))).await;
    assert_eq!((status, said.as_str()), (200, "it was heard before"));
    assert_eq!(ear.engine.queued().unwrap()[0].times, 12);
    for entry in std::fs::read_dir(&ear.local.machine.state).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{:?}", entry.path());
    }
    ear.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_is_told_nothing_and_leaves_nothing() {
    let ear = ear().await;
    let body = push("main");
    let good = request(&body, "n", &sign(&body));
    for wrong in [
        request(&body, "n", &sign("another body")),
        request(&body, "n", "sha256=00"),
        good.replace("X-Hub-Signature-256", "X-Hub-Signature"),
        good.replace("refs/heads/main", "refs/heads/evil"),
        good.replace("X-GitHub-Event: push", "X-GitHub-Event: ping").replace("sha256=", "sha256=0"),
    ] {
        assert_eq!(ear.say(&wrong).await, (401, String::new()), "{wrong}");
    }
    assert_eq!(ear.say(&good.replace("POST", "PUT")).await.0, 405);
    assert_eq!(ear.say(&good.replace("/webhook", "/")).await, (404, String::new()));
    assert_eq!(ear.engine.queued().unwrap(), []);
    assert_eq!(ear.say(&good).await.0, 202, "and what is signed is still heard");
    ear.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_endless_requests_are_ended_and_hold_nobody_up() {
    let ear = ear().await;
    let large = "x".repeat(5 * 1024 * 1024);
    assert_eq!(ear.say(&request(&large, "n", "sha256=00")).await.0, 413);
    let head = format!("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "y".repeat(64 * 1024));
    assert!(matches!(ear.say(&head).await.0, 400 | 431 | 0));
    // All places but one are held by those that say nothing.
    let mut held = Vec::new();
    for _ in 0..31 {
        let mut stream = TcpStream::connect(ear.address).await.unwrap();
        stream.write_all(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n").await.unwrap();
        held.push(stream);
    }
    let body = push("main");
    let begin = Instant::now();
    assert_eq!(ear.say(&request(&body, "n", &sign(&body))).await.0, 202);
    assert!(begin.elapsed() < Duration::from_secs(5));
    // The one that says nothing is left in the end.
    let mut first = held.remove(0);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), first.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it was not ended");
    ear.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_kept_may_be_sent_again() {
    let ear = ear().await;
    let database = rusqlite::Connection::open(ear.local.machine.state.join("standin.db")).unwrap();
    database.execute_batch("ALTER TABLE triggers RENAME TO aside").unwrap();
    let body = push("main");
    let signed = request(&body, "n", &sign(&body));
    let (status, said) = ear.say(&signed).await;
    assert_eq!(status, 503);
    assert!(!said.contains("triggers"), "nothing of the reason: {said}");
    database.execute_batch("ALTER TABLE aside RENAME TO triggers").unwrap();
    assert_eq!(ear.say(&signed).await.0, 202);
    assert_eq!(ear.engine.queued().unwrap().len(), 1);
    ear.end().await;
}

#[tokio::test]
async fn addresses_that_others_reach_and_missing_secrets_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let error = Listener::bind(address.parse().unwrap(), Reach::ThisMachine).await.unwrap_err();
        assert_eq!(error.code, Code::Usage, "{address}");
    }
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &[]);
    let error = local.engine_with(&[("STANDIN_WEBHOOK_SECRET", SECRET)]).webhooks().await.unwrap_err();
    assert_eq!(
        (error.code, error.message.contains("no repository has a source on GitHub")),
        (Code::Configuration, true)
    );
    let error = local.engine_with(&[("STANDIN_WEBHOOK_SECRET", "short")]).webhooks().await.unwrap_err();
    assert_eq!(error.code, Code::Configuration);
    let error = local.engine().webhooks().await.unwrap_err();
    assert!(error.code == Code::Configuration && error.hint.contains("STANDIN_WEBHOOK_SECRET"), "{error:?}");
}
