//! The ways, against servers on this machine that answer as they are told, and programs that do as they are told.

use std::path::Path;
use std::time::Instant;

use standin_state::model::NotifyEvent;

use super::*;
use crate::notify::stage::{CANARY, Machine, Server};
use crate::notify::word::Note;

async fn send(machine: &Machine, target: &NotifyTarget) -> Result<()> {
    Post::new(&machine.outside, &machine.store).within(Duration::from_secs(2)).send(target, &word()).await
}

fn word() -> Word {
    let note = Note {
        event: NotifyEvent::MasterDown,
        mirror: None,
        text: "ada/site is down: HTTP 503".to_owned(),
        since_iso: Some("2026-03-01T12:00:00Z".parse().unwrap()),
        command: Some("standin promote one".to_owned()),
    };
    Word::of(&"site".parse().unwrap(), vec![note], "2026-03-01T12:05:00Z".parse().unwrap())
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn ntfy_gets_what_its_documentation_asks_for() {
    let server = Server::answering(&["200 OK"]).await;
    let machine = Machine::new(&[("NTFY_TOKEN", CANARY)]);
    let target =
        machine.target(&format!("type = \"ntfy\"\nurl = \"{}/topic\"\ntoken_env = \"NTFY_TOKEN\"", server.origin));
    send(&machine, &target).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("POST /topic HTTP/1.1\r\n"), "{}", asked[0]);
    assert_eq!(header(&asked[0], "title"), Some("site: the master is down"));
    assert_eq!(header(&asked[0], "priority"), Some("5"));
    assert_eq!(header(&asked[0], "tags"), Some("rotating_light"));
    assert_eq!(header(&asked[0], "click"), None);
    assert_eq!(header(&asked[0], "authorization"), Some(format!("Bearer {CANARY}").as_str()));
    let text = "ada/site is down: HTTP 503 (since 2026-03-01T12:00:00Z)\n  → standin promote one";
    assert_eq!(body(&asked[0]), text);
}

#[tokio::test]
async fn a_webhook_gets_json_that_it_can_prove_to_be_ours() {
    let server = Server::answering(&["204 No Content"]).await;
    let machine = Machine::new(&[("HOOK_SECRET", "key"), ("OTHER", "x")]);
    let url = format!("url = \"{}/hook?x=1\"", server.origin);
    send(&machine, &machine.target(&format!("type = \"webhook\"\n{url}\ntoken_env = \"HOOK_SECRET\""))).await.unwrap();
    send(&machine, &machine.target(&format!("type = \"webhook\"\n{url}"))).await.unwrap();
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", asked[0]);
    assert_eq!(header(&asked[0], "content-type"), Some("application/json"));
    assert_eq!(header(&asked[0], "x-standin-event"), Some("master_down"));
    let signed = http::signature(&SecretString::from("key"), body(&asked[0]).as_bytes());
    assert_eq!(header(&asked[0], "x-standin-signature"), Some(signed.as_str()));
    assert_eq!(header(&asked[1], "x-standin-signature"), None, "without a secret there is nothing to prove");
    let json: serde_json::Value = serde_json::from_str(body(&asked[0])).unwrap();
    assert_eq!(header(&asked[0], "x-standin-delivery"), json["id"].as_str());
    assert_eq!((&json["schema"], &json["repository"], &json["urgent"]), (&1.into(), &"site".into(), &true.into()));
    assert_eq!(json["at_iso"], "2026-03-01T12:05:00Z");
    assert_eq!(json["events"][0]["event"], "master_down");
    assert_eq!(json["events"][0]["command"], "standin promote one");
}

#[test]
fn the_signature_is_the_one_that_everybody_else_computes() {
    // RFC 4231, test case 2.
    let signed = http::signature(&SecretString::from("Jefe"), b"what do ya want for nothing?");
    assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_at_the_limit_and_may_be_tried_again() {
    let server = Server::answering(&[""]).await;
    let machine = Machine::new(&[]);
    let target = machine.target(&format!("type = \"webhook\"\nurl = \"{}/{CANARY}\"", server.origin));
    let began = Instant::now();
    let error = send(&machine, &target).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((error.code, error.retryable), (Code::TimedOut, true));
    assert!(error.message.contains(&server.origin) && !error.message.contains(CANARY), "{error:?}");
}

#[tokio::test]
async fn what_passes_may_be_tried_again_and_a_refusal_may_not() {
    let machine = Machine::new(&[("NTFY_TOKEN", CANARY)]);
    for (answer, code, passes, wait) in [
        ("500 Oh", Code::HostFailed, true, None),
        ("503 Busy\r\nretry-after: 90", Code::HostFailed, true, Some(90)),
        ("429 Slow\r\nretry-after: 30", Code::RateLimited, true, Some(30)),
        ("408 Late", Code::HostFailed, true, None),
        ("400 No", Code::UnexpectedAnswer, false, None),
        ("401 No", Code::Unauthorized, false, None),
        ("403 No\r\nretry-after: 30", Code::Forbidden, false, None),
        ("404 No", Code::UnexpectedAnswer, false, None),
    ] {
        let server = Server::answering(&[answer]).await;
        let target =
            machine.target(&format!("type = \"ntfy\"\nurl = \"{}/topic\"\ntoken_env = \"NTFY_TOKEN\"", server.origin));
        let error = send(&machine, &target).await.unwrap_err();
        assert_eq!(
            (error.code, error.retryable, error.retry_after_seconds),
            (code, passes, wait),
            "{answer}: {error:?}"
        );
        assert_eq!(server.asked().len(), 1, "{answer}: once, here");
    }
    let nobody = machine.target("type = \"webhook\"\nurl = \"http://127.0.0.1:9/hook\"");
    let error = send(&machine, &nobody).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Network, true), "{error:?}");
}

#[tokio::test]
async fn the_words_of_an_answer_are_told_without_what_is_secret_in_them() {
    let machine = Machine::new(&[("NTFY_TOKEN", CANARY)]);
    let said =
        format!("403 No\r\nconnection: close\r\n\r\nbad token {CANARY} for secret-topic-7\n\u{7}of /secret-topic-7");
    let server = Server::answering(&[&said]).await;
    let target = machine
        .target(&format!("type = \"ntfy\"\nurl = \"{}/secret-topic-7\"\ntoken_env = \"NTFY_TOKEN\"", server.origin));
    let error = send(&machine, &target).await.unwrap_err();
    assert_eq!(error.message, format!("{} answered HTTP 403: bad token *** for *** of /***", server.origin));
    let page = Server::answering(&["404 No\r\nconnection: close\r\n\r\n<html>a page</html>"]).await;
    let error =
        send(&machine, &machine.target(&format!("type = \"webhook\"\nurl = \"{}/x\"", page.origin))).await.unwrap_err();
    assert_eq!(error.message, format!("{} answered HTTP 404", page.origin));
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_host_and_never_to_another() {
    let machine = Machine::new(&[("HOOK_SECRET", CANARY)]);
    let send_to = async |server: &Server| {
        let target = machine
            .target(&format!("type = \"webhook\"\nurl = \"{}/old\"\ntoken_env = \"HOOK_SECRET\"", server.origin));
        send(&machine, &target).await
    };
    let here = Server::answering(&["308 Moved\r\nlocation: /new", "200 OK"]).await;
    send_to(&here).await.unwrap();
    let asked = here.asked();
    assert!(asked[1].starts_with("POST /new "), "{}", asked[1]);
    assert_eq!(
        (body(&asked[1]), header(&asked[1], "x-standin-signature")),
        (body(&asked[0]), header(&asked[0], "x-standin-signature"))
    );

    let other = Server::answering(&["200 OK"]).await;
    let leads = format!("307 Moved\r\nlocation: {}/{CANARY}", other.origin);
    let away = Server::answering(&[&leads]).await;
    let error = send_to(&away).await.unwrap_err();
    assert!(!error.retryable && error.message.contains(&other.origin), "{error:?}");
    assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    assert!(other.asked().is_empty(), "nothing was sent elsewhere");

    let lost = Server::answering(&["302 Found\r\nlocation: /new", "200 OK"]).await;
    assert!(!send_to(&lost).await.unwrap_err().retryable);
    assert_eq!(lost.asked().len(), 1, "a request without what is told is none");
    let circle = Server::answering(&["307 Moved\r\nlocation: /old"]).await;
    assert!(send_to(&circle).await.unwrap_err().message.contains("without end"));
    assert_eq!(circle.asked().len(), 4);
}

#[tokio::test]
async fn a_ping_is_asked_with_get_and_shows_no_more_than_its_host() {
    let server = Server::answering(&[
        "302 Found\r\nlocation: /ok",
        "200 OK",
        "500 No\r\nconnection: close\r\n\r\nno CANARY-path",
    ])
    .await;
    let machine = Machine::new(&[]);
    let ping = machine.configured(&format!("[schedule]\nping_url = \"{}/CANARY-path\"", server.origin)).ping.unwrap();
    let post = Post::new(&machine.outside, &machine.store).within(Duration::from_secs(2));
    post.ping(&ping).await.unwrap();
    assert!(server.asked()[0].starts_with("GET /CANARY-path HTTP/1.1"), "{:?}", server.asked());
    let error = post.ping(&ping).await.unwrap_err();
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
}

#[tokio::test]
async fn a_token_goes_to_the_host_that_it_was_given_for_and_to_no_other() {
    let (one, other) = (Server::answering(&["200 OK"]).await, Server::answering(&["200 OK"]).await);
    let machine = Machine::new(&[]);
    let target = |server: &Server| {
        machine.target(&format!("name = \"phone\"\ntype = \"ntfy\"\nurl = \"{}/topic\"", server.origin))
    };
    send(&machine, &target(&one)).await.unwrap();
    assert_eq!(header(&one.asked()[0], "authorization"), None, "none was given");

    let token = SecretString::from(format!("{CANARY}\n"));
    secret::set(&machine.outside, &machine.store, &target(&one), &token).await.unwrap();
    send(&machine, &target(&one)).await.unwrap();
    assert_eq!(header(&one.asked()[1], "authorization"), Some(format!("Bearer {CANARY}").as_str()));

    let error = send(&machine, &target(&other)).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::TokenMissing, false));
    assert!(error.message.contains(&one.origin) && error.message.contains(&other.origin), "{error:?}");
    assert!(other.asked().is_empty(), "nothing was sent, with or without a token");

    secret::set(&machine.outside, &machine.store, &target(&other), &token).await.unwrap();
    send(&machine, &target(&other)).await.unwrap();
    assert!(send(&machine, &target(&one)).await.is_err(), "it is the other's now");
    assert!(secret::remove(&machine.outside, &machine.store, &target(&one).name).await.unwrap());
    send(&machine, &target(&one)).await.unwrap();
    assert_eq!(header(&one.asked()[2], "authorization"), None);
}

#[tokio::test]
async fn a_token_that_was_promised_and_is_not_there_is_told_and_nothing_goes_out_without_it() {
    let server = Server::answering(&["200 OK"]).await;
    let machine = Machine::new(&[("NTFY_TOKEN", "  ")]);
    let target =
        machine.target(&format!("type = \"ntfy\"\nurl = \"{}/topic\"\ntoken_env = \"NTFY_TOKEN\"", server.origin));
    let error = send(&machine, &target).await.unwrap_err();
    assert_eq!(error.message, "NTFY_TOKEN, which holds the token of ntfy, is not set");
    assert!(server.asked().is_empty());
    let clear = machine.target("type = \"ntfy\"\nurl = \"http://ntfy.example/topic\"\ninsecure = true");
    let error = secret::set(&machine.outside, &machine.store, &clear, &SecretString::from(CANARY)).await.unwrap_err();
    assert_eq!(error.code, Code::Usage, "{error:?}");
}

#[tokio::test]
async fn a_program_gets_json_on_standard_input_and_nothing_of_our_environment_that_is_secret() {
    let machine = Machine::new(&[("MIRROR_1_TOKEN", CANARY), ("SSH_AUTH_SOCK", CANARY), ("LANG", "C.UTF-8")]);
    let out = machine.path("out").display().to_string();
    let program =
        machine.script(&format!("cat > {out}.json; env > {out}.env; pwd > {out}.pwd; echo \"$1|$2\" > {out}.args"));
    let target = machine.target(&format!("type = \"command\"\ncommand = [\"{program}\", \"a b\", \"$HOME; x\"]"));
    send(&machine, &target).await.unwrap();
    let read = |end: &str| std::fs::read_to_string(format!("{out}.{end}")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("json")).unwrap();
    assert_eq!(json["events"][0]["event"], "master_down");
    assert_eq!(read("args").trim(), "a b|$HOME; x", "there is no shell between");
    assert_eq!(Path::new(read("pwd").trim()), std::fs::canonicalize(machine.path("home")).unwrap());
    let environment = read("env");
    assert!(!environment.contains(CANARY), "{environment}");
    for line in [
        "STANDIN_EVENT=master_down",
        "STANDIN_REPOSITORY=site",
        "STANDIN_TITLE=site: the master is down",
        "LANG=C.UTF-8",
    ] {
        assert!(environment.lines().any(|known| known == line), "{line}: {environment}");
    }
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_children() {
    let machine = Machine::new(&[]);
    let out = machine.path("pids").display().to_string();
    // It does not end when it is asked to, and neither does what it started.
    let program = machine.script(&format!(
        "trap '' TERM\n(trap '' TERM; echo $$ >> {out}; sh -c 'echo $$ >> {out}; exec sleep 300') &\nsleep 300"
    ));
    let target = machine.target(&format!("type = \"command\"\ncommand = [\"{program}\"]"));
    let began = Instant::now();
    let error = send(&machine, &target).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!((error.code, error.retryable), (Code::TimedOut, true));
    let pids = std::fs::read_to_string(&out).unwrap();
    assert_eq!(pids.lines().count(), 2, "{pids}");
    for pid in pids.lines() {
        // One that was ended takes a moment to be gone.
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_dead = |state: &str| state.is_empty() || state.rsplit(')').next().unwrap().trim().starts_with('Z');
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_dead(&state()) {
            assert!(Instant::now() < deadline, "{pid} is left: {}", state());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn what_a_program_leaves_running_holds_nothing_up() {
    let machine = Machine::new(&[]);
    let program = machine.script("sleep 5 &\nexit 0");
    let began = Instant::now();
    send(&machine, &machine.target(&format!("type = \"command\"\ncommand = [\"{program}\"]"))).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_program_that_fails_is_told_with_its_last_words_and_one_that_is_not_there_is_told_so() {
    let machine = Machine::new(&[]);
    let program = machine.script("echo first >&2; echo 'no route to host' >&2; exit 7");
    let error =
        send(&machine, &machine.target(&format!("type = \"command\"\ncommand = [\"{program}\"]"))).await.unwrap_err();
    assert_eq!((error.message, error.retryable), (format!("{program} ended with status 7: no route to host"), true));
    for (words, said) in [("no-such-program-here", "on PATH"), ("/nonexistent/told", "cannot be started")] {
        let target = machine.target(&format!("type = \"command\"\ncommand = [\"{words}\"]"));
        let error = send(&machine, &target).await.unwrap_err();
        assert!(!error.retryable && error.message.contains(said), "{error:?}");
    }
}
