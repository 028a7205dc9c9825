//! The push of one small commit over HTTP, which starts no git: it does and says what git's own push does and says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};
use standin_core::Code;
use standin_core::git::{PushOptions, PushReport, PushResult, Update};
use standin_core::state::model::Oid;
use standin_sandbox::{Effect, Fault, FaultMatcher, PushRefusal, TokenSpec};
use standin_tests::git::{Bench, Over, Recorder, set_ref, update};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const FENCE: &str = "refs/standin/fence";
const RECEIVE: &str = "/backup/there.git/git-receive-pack";
/// Without git where that is possible.
const ALONE: PushOptions = PushOptions { atomic: false, dry_run: false };
/// All or none: always by git.
const BY_GIT: PushOptions = PushOptions { atomic: true, dry_run: false };

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

async fn push(bench: &Bench, updates: &[Update], options: PushOptions) -> standin_core::Result<PushReport> {
    bench.remote().push(&bench.cache, updates, options).await
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn a_fence_is_made_and_moved_by_two_requests_each_and_no_program() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), helper());
    let bench = Bench::with(Over::Http, &recorder.helper, Some(&recorder.programs)).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let before = files(bench.folder.path().join("data").as_path());
    let programs = recorder.recorded();
    sandbox.clear_requests();
    for (old, new) in [(None, &first), (Some(&first), &second)] {
        let report = push(&bench, &[update(FENCE, old, Some(new))], ALONE).await.unwrap();
        assert!(report.is_done(), "{report:?}");
        assert_eq!(bench.there().get(FENCE), Some(new));
    }
    assert_eq!(recorder.recorded(), programs, "no program was started");
    let requests: Vec<_> = sandbox.requests().iter().map(|request| (request.method.clone(), request.status)).collect();
    let expected = ["GET", "POST", "GET", "POST"].map(|method| (method.to_owned(), Some(200)));
    assert_eq!(requests, expected);
    let totals = bench.options.totals.snapshot();
    assert_eq!(totals.git_calls, 2);
    assert!(totals.bytes_sent > 100 && totals.bytes_sent < 2_000, "{totals:?}");
    assert!(bench.phases.lock().unwrap().iter().any(|phase| phase == "Writing objects"));
    let after = files(bench.folder.path().join("data").as_path());
    assert_eq!(after, before, "nothing is left in the cache");
    // What stands there already is done, whatever the lease says; nothing is sent for it.
    let report = push(&bench, &[update(FENCE, Some(&first), Some(&second))], ALONE).await.unwrap();
    assert!(report.is_done(), "{report:?}");
    assert_eq!(sandbox.requests().iter().filter(|request| request.method == "POST").count(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_large_or_not_right_on_top_goes_by_git() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), helper());
    let bench = Bench::with(Over::Http, &recorder.helper, Some(&recorder.programs)).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let third = bench.commit("third", Some(&second));
    let large = bench.commit(&"0123456789abcdef".repeat(1 << 17), Some(&third));
    let other = bench.commit("other", None);
    let mut started = recorder.starts("git-remote-http");
    for (old, new) in [
        (None, Some(&second)),
        (Some(&second), Some(&other)),
        (Some(&other), Some(&third)),
        (Some(&third), Some(&large)),
        (Some(&large), None),
    ] {
        let report = push(&bench, &[update(FENCE, old, new)], ALONE).await.unwrap();
        assert!(report.is_done(), "{old:?} {new:?}: {report:?}");
        assert_eq!(bench.there().get(FENCE), new);
        let now = recorder.starts("git-remote-http");
        assert!(now > started, "git was started: {old:?} {new:?}");
        started = now;
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_stale_lease_sends_nothing() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let theirs = bench.commit("theirs", Some(&first));
    for standing in [None, Some(&theirs)] {
        if let Some(theirs) = standing {
            assert!(push(&bench, &[update(FENCE, None, Some(theirs))], BY_GIT).await.unwrap().is_done());
        }
        sandbox.clear_requests();
        let mut leases = vec![(Some(&first), &second)];
        leases.extend(standing.map(|_| (None, &first)));
        for (old, new) in leases {
            let updates = [update(FENCE, old, Some(new))];
            let report = push(&bench, &updates, ALONE).await.unwrap();
            assert_eq!(report.results.values().collect::<Vec<_>>(), [&PushResult::Stale], "{report:?}");
            assert!(sandbox.requests().iter().all(|request| request.method == "GET"));
            assert_eq!(push(&bench, &updates, BY_GIT).await.unwrap(), report, "as git says it");
        }
        assert_eq!(bench.there().get(FENCE), standing);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_same_words_as_by_git() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let refusal = PushRefusal {
        refs: FENCE.to_owned(),
        reason: "push declined due to repository rule violations".to_owned(),
        remote_lines: vec!["error: GH013: not this one".to_owned()],
    };
    assert!(sandbox.refuse_pushes("backup", "there", refusal));
    // In the way of the other: the server's transaction fails.
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let standing = standin_tests::git::commit(&there, "standing", None);
    set_ref(&there, "refs/heads/a/b", &standing);
    fs::write(bench.there.join("refs/heads/locked.lock"), "").unwrap();
    for name in [FENCE, "refs/heads/a", "refs/heads/locked", "refs/pull/1/head"] {
        let updates = [update(name, None, Some(&first))];
        let alone = push(&bench, &updates, ALONE).await.unwrap();
        let by_git = push(&bench, &updates, BY_GIT).await.unwrap();
        assert!(matches!(alone.results.values().next(), Some(PushResult::Refused { .. })), "{name}: {alone:?}");
        assert_eq!(alone, by_git, "{name}");
    }
    let alone = push(&bench, &[update(FENCE, None, Some(&first))], ALONE).await.unwrap();
    assert!(alone.messages.iter().any(|line| line.contains("GH013: not this one")), "{alone:?}");
    bench.stop().await;
}

#[tokio::test]
async fn failures_have_the_codes_that_git_gives_them() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let updates = [update(FENCE, None, Some(&first))];
    let everywhere = FaultMatcher::git("**");
    let at_the_push = FaultMatcher::git(RECEIVE);
    for (matcher, status) in [&everywhere, &at_the_push]
        .into_iter()
        .flat_map(|matcher| [301, 401, 403, 404, 429, 500, 503].map(|status| (matcher, status)))
    {
        sandbox.add_fault(Fault::always(matcher.clone(), Effect::Status { status, retry_after: None }));
        let alone = push(&bench, &updates, ALONE).await.unwrap_err();
        let by_git = push(&bench, &updates, BY_GIT).await.unwrap_err();
        sandbox.clear_faults();
        assert_eq!((alone.code, alone.retryable), (by_git.code, by_git.retryable), "{matcher:?} {status}: {alone:?}");
    }
    assert!(bench.there().is_empty());
    let right = bench.options.credential.replace(SecretString::from("ghp_wrong".to_owned()));
    let error = push(&bench, &updates, ALONE).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized, "{error:?}");
    assert!(!format!("{error:?}").contains("ghp_wrong"), "{error:?}");
    sandbox.create_account("reader");
    sandbox.set_private("backup", "there", false);
    bench.options.credential = Some(SecretString::from(sandbox.create_token("reader", TokenSpec::classic(&["repo"]))));
    assert_eq!(push(&bench, &updates, ALONE).await.unwrap_err().code, Code::Forbidden);
    bench.options.credential = Some(SecretString::from("one\nhost=evil".to_owned()));
    sandbox.clear_requests();
    assert_eq!(push(&bench, &updates, ALONE).await.unwrap_err().code, Code::Unauthorized);
    assert!(sandbox.requests().is_empty(), "what is no token goes to no host");
    bench.options.credential = right;
    assert!(push(&bench, &updates, ALONE).await.unwrap().is_done());
    bench.stop().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_and_never_tried_again_by_git() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let updates = [update(FENCE, None, Some(&first))];
    bench.options.silent_limit = Duration::from_secs(2);
    bench.options.work_limit = Duration::from_secs(2);
    for (effect, code, arrives) in [
        (Effect::CutBefore, Code::Network, false),
        (Effect::CutAfter, Code::Network, true),
        (Effect::Hang, Code::TimedOut, false),
        (Effect::HangAfter, Code::TimedOut, true),
    ] {
        let fault = sandbox.add_fault(Fault::always(FaultMatcher::git(RECEIVE), effect.clone()));
        match push(&bench, &updates, ALONE).await {
            Ok(report) => assert!(arrives && report.is_done(), "{effect:?}: {report:?}"),
            Err(error) => {
                assert!(!arrives, "{effect:?}: {error:?}");
                assert_eq!((error.code, error.retryable), (code, true), "{effect:?}: {error:?}");
            }
        }
        assert_eq!(sandbox.fault_hits(fault), 1, "{effect:?}");
        sandbox.clear_faults();
        let listing = bench.remote().list(&["refs/"]).await.unwrap();
        assert_eq!(listing.refs.values().next(), arrives.then_some(&first), "{effect:?}");
        if arrives {
            let there = git2::Repository::open_bare(&bench.there).unwrap();
            there.find_reference(FENCE).unwrap().delete().unwrap();
        }
    }
    bench.options.silent_limit = Duration::from_secs(60);
    let fault = sandbox.add_fault(Fault::always(FaultMatcher::git(RECEIVE), Effect::Hang));
    let pushing = tokio::spawn({
        let (remote, cache) = (bench.remote(), bench.cache.clone());
        async move { remote.push(&cache, &updates, ALONE).await }
    });
    while sandbox.fault_hits(fault) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.options.cancel.cancel();
    assert_eq!(pushing.await.unwrap().unwrap_err().code, Code::Cancelled);
    bench.stop().await;
}

fn packet(data: &[u8]) -> Vec<u8> {
    [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
}

/// A host that shows an empty repository and answers every push as it is told: status, more of the head, body.
struct Odd {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Odd {
    async fn start(status: &str, head: &str, body: &[u8]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/backup/there.git", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let capabilities = format!("{} capabilities^{{}}\0report-status side-band-64k\n", "0".repeat(40));
        let shown =
            [&packet(b"# service=git-receive-pack\n")[..], b"0000", &packet(capabilities.as_bytes()), b"0000"].concat();
        let show = answer("200 OK", "Content-Type: application/x-git-receive-pack-advertisement\r\n", &shown);
        let reply = answer(status, head, body);
        let hearing = Arc::clone(&heard);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = whole_request(&mut stream).await;
                let bytes = if request.starts_with("GET ") { &show } else { &reply };
                hearing.lock().unwrap().push(request);
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, heard, serving }
    }

    fn posts(&self) -> usize {
        self.heard.lock().unwrap().iter().filter(|request| request.starts_with("POST ")).count()
    }
}

fn answer(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn whole_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or_default() {
                break;
            }
        }
        let mut buffer = [0; 8192];
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const RESULT: &str = "Content-Type: application/x-git-receive-pack-result\r\n";

async fn push_to(bench: &mut Bench, odd: &Odd, first: &Oid) -> standin_core::Result<PushReport> {
    bench.url.clone_from(&odd.url);
    push(bench, &[update(FENCE, None, Some(first))], ALONE).await
}

#[tokio::test]
async fn an_answer_that_is_no_report_is_an_unknown_outcome() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let first = bench.commit("first", None);
    for (head, body) in [
        (RESULT, &b""[..]),
        (RESULT, b"0000"),
        (RESULT, b"<html>oops</html>"),
        (RESULT, b"ffff\x01"),
        (RESULT, b"\x00\xff\xfe\x01garbage\xff"),
        ("Content-Type: text/html\r\n", b"000eunpack ok\n"),
    ] {
        let odd = Odd::start("200 OK", head, body).await;
        let error = push_to(&mut bench, &odd, &first).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (Code::Network, true), "{error:?}");
        assert_eq!(odd.posts(), 1, "it is not tried by git as well");
        odd.serving.abort();
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_sends_a_push_elsewhere_is_not_followed() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let first = bench.commit("first", None);
    let elsewhere = Odd::start("200 OK", RESULT, b"").await;
    let odd =
        Odd::start("307 Temporary Redirect", &format!("Location: {}/git-receive-pack\r\n", elsewhere.url), b"").await;
    let error = push_to(&mut bench, &odd, &first).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::RepositoryNotFound, false), "{error:?}");
    assert!(elsewhere.heard.lock().unwrap().is_empty());
    assert_eq!(odd.posts(), 1);
    elsewhere.serving.abort();
    odd.serving.abort();
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_repeats_the_token_does_not_make_us_show_it() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let token = bench.options.credential.clone().unwrap().expose_secret().to_owned();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    let first = bench.commit("first", None);
    let refused = format!("ng {FENCE} {token} {basic}\n");
    let report = [&packet(b"unpack ok\n")[..], &packet(refused.as_bytes()), b"0000"].concat();
    let in_band = |number: u8, data: &[u8]| packet(&[&[number], data].concat());
    let told = in_band(2, format!("{token} {basic}\n").as_bytes());
    let body = [&told[..], &in_band(1, &report), b"0000"].concat();
    let odd = Odd::start("200 OK", RESULT, &body).await;
    let report = push_to(&mut bench, &odd, &first).await.unwrap();
    let shown = format!("{report:?}");
    assert!(matches!(report.results.values().next(), Some(PushResult::Refused { .. })), "{shown}");
    assert!(shown.matches("***").count() >= 4, "{shown}");
    assert!(!shown.contains(&token) && !shown.contains(&basic[24..basic.len() - 4]), "{shown}");
    // The same where its word is missing.
    let odd_again = Odd::start("200 OK", RESULT, &[&told[..], b"0000"].concat()).await;
    let error = push_to(&mut bench, &odd_again, &first).await.unwrap_err();
    assert!(error.message.contains("***") && !format!("{error:?}").contains(&token), "{error:?}");
    // The token came in its header alone.
    let heard = odd.heard.lock().unwrap().join("\n");
    assert!(heard.contains(&basic) && !heard.contains(&token), "{heard}");
    assert!(heard.lines().all(|line| !line.contains(&basic) || line.to_lowercase().starts_with("authorization: ")));
    odd.serving.abort();
    odd_again.serving.abort();
    bench.stop().await;
}
