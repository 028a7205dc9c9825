//! The REST client against the sandbox: what is repeated, what is waited for, what is asked conditionally.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use standin_core::Code;
use standin_core::github::{Call, Client, Workflow};
use standin_core::memory::Memory;
use standin_core::outside::Clock;
use standin_core::outside::SystemClock;
use standin_core::state::config::{Config, GitHubHost};
use standin_core::totals::Totals;
use standin_sandbox::{ActionsPermissions, Effect, Fault, FaultMatcher, Options, SelectedActions, TokenSpec};
use standin_tests::standby::{STANDBY, Standby, commit, slug};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

async fn started() -> (Standby, Client) {
    let standby = Standby::start().await;
    let client = standby.context().await.github.expect("a client for the mirror");
    standby.sandbox.clear_requests();
    (standby, client)
}

fn status(status: u16) -> Effect {
    Effect::Status { status, retry_after: None }
}

#[tokio::test]
async fn a_read_that_fails_in_passing_is_tried_again_and_each_try_is_counted() {
    let standby = Standby::start().await;
    let ctx = standby.context().await;
    let client = ctx.github.as_ref().unwrap();
    for effect in [status(502), Effect::CutBefore, Effect::CutAfter] {
        standby.sandbox.clear_requests();
        let before = ctx.totals.snapshot().api_requests;
        standby.sandbox.add_fault(Fault::once(FaultMatcher::rest("GET", "/repos/*/*"), effect.clone()));
        let info = client.repository(&slug(STANDBY)).await.unwrap();
        assert_eq!(info.full_name, "backup/standby");
        assert!(info.permissions.admin && info.private);
        assert_eq!(standby.take_requests().len(), 2, "{effect:?}");
        assert_eq!(ctx.totals.snapshot().api_requests - before, 2, "{effect:?}");
    }
}

#[tokio::test]
async fn a_host_that_repeats_the_token_does_not_make_us_show_it() {
    let mut standby = Standby::start().await;
    standby.token = "ghp_CANARYcanary0123456789".to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut place = standby.place();
    place.api_url = format!("http://{}", listener.local_addr().unwrap());
    let echoing = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 8192];
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let header = request.lines().find(|line| line.to_lowercase().starts_with("authorization:")).unwrap();
            let token = header.rsplit(' ').next().unwrap();
            let body = json!({ "message": format!("refused: {header}"), "errors": [token] }).to_string();
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nX-Accepted-GitHub-Permissions: {token}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let ctx = place.context(&standby.repository, &standby.limits, standby.events.clone(), false).await;
    let error = ctx.github.as_ref().unwrap().repository(&slug(STANDBY)).await.unwrap_err();
    assert!(error.message.contains("Bearer *** (***)") && error.hint.contains("`***`"), "{error:?}");
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    echoing.abort();
}

#[tokio::test]
async fn a_read_that_keeps_failing_is_given_up_with_the_hosts_words() {
    let (standby, client) = started().await;
    standby.sandbox.add_fault(Fault::always(FaultMatcher::any(), status(503)));
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::HostFailed);
    assert!(error.retryable);
    assert!(error.message.starts_with("reading the repository backup/standby: "), "{}", error.message);
    assert!(error.message.ends_with("(503)"), "{}", error.message);
    assert_eq!(standby.take_requests().len(), 4);
}

#[tokio::test]
async fn an_unreachable_host_is_a_passing_network_error() {
    let (standby, client) = started().await;
    standby.sandbox.set_down(true);
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::Network);
    assert!(error.retryable);
}

#[tokio::test]
async fn a_host_that_never_answers_is_left_at_the_time_limit() {
    let mut standby = Standby::start().await;
    standby.limits.request = Duration::from_millis(300);
    let client = standby.context().await.github.unwrap();
    standby.sandbox.add_fault(Fault::always(FaultMatcher::any(), Effect::Hang));
    let start = Instant::now();
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::TimedOut);
    assert!(error.retryable);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_stop_ends_a_request_at_once() {
    let standby = Standby::start().await;
    let ctx = standby.context().await;
    standby.sandbox.add_fault(Fault::always(FaultMatcher::any(), Effect::Hang));
    let cancel = ctx.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    });
    let start = Instant::now();
    let error = ctx.github.as_ref().unwrap().repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn retry_after_is_honoured_also_by_the_tokens_other_requests() {
    let (standby, client) = started().await;
    let wait = Some(Duration::from_secs(2));
    let limits = [
        ("ONE", Effect::Status { status: 429, retry_after: wait }),
        ("TWO", Effect::SecondaryLimit { retry_after: wait }),
    ];
    for (name, effect) in limits {
        standby.sandbox.add_fault(Fault::once(FaultMatcher::rest("POST", "/repos/*/*/actions/variables"), effect));
        let start = Instant::now();
        let target = slug(STANDBY);
        let other = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            client.repository(&target).await.unwrap();
            start.elapsed()
        };
        let (written, other_at) = tokio::join!(client.create_variable(&target, name, "1"), other);
        written.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(2));
        assert!(other_at >= Duration::from_millis(1_900), "{other_at:?}");
    }
}

#[tokio::test]
async fn a_wait_beyond_the_runs_time_is_an_error_that_names_the_moment() {
    let (standby, client) = started().await;
    let effect = Effect::Status { status: 429, retry_after: Some(Duration::from_secs(u64::MAX)) };
    standby.sandbox.add_fault(Fault::once(FaultMatcher::any(), effect));
    let start = Instant::now();
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::RateLimited);
    assert_eq!(error.retry_after_seconds, Some(60 * 60), "no more than an hour is believed");
    assert!(error.message.contains("may go on at 20"), "{}", error.message);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_spent_hour_waits_for_its_reset() {
    let (standby, client) = started().await;
    standby.sandbox.set_rate_limit_used(STANDBY.0, 5_000);
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::RateLimited);
    let seconds = error.retry_after_seconds.unwrap();
    assert!((3_000..=3_601).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn one_token_is_paced_whoever_uses_it() {
    let mut standby = Standby::start().await;
    standby.limits.run = Duration::from_secs(5);
    let one = standby.context().await.github.unwrap();
    let two = standby.context().await.github.unwrap();
    one.pace(79).await.unwrap();
    two.create_variable(&slug(STANDBY), "LAST", "1").await.unwrap();
    let error = two.create_variable(&slug(STANDBY), "TOO_MANY", "1").await.unwrap_err();
    assert_eq!(error.code, Code::RateLimited);
    assert!((50..=60).contains(&error.retry_after_seconds.unwrap()));
    two.repository(&slug(STANDBY)).await.expect("reads are not paced");
    standby.token = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
    let another = standby.context().await.github.unwrap();
    another.create_variable(&slug(STANDBY), "OTHERS", "1").await.expect("another token has its own pace");
}

#[tokio::test]
async fn an_unchanged_list_costs_a_conditional_request_and_a_changed_one_is_read() {
    let (standby, client) = started().await;
    standby.sandbox.set_secret(STANDBY.0, STANDBY.1, "A", b"1");
    let first = client.secrets(&slug(STANDBY)).await.unwrap();
    // Another client, as of a later run, and of another process.
    let later = standby.context().await.github.unwrap();
    standby.sandbox.clear_requests();
    assert_eq!(later.secrets(&slug(STANDBY)).await.unwrap(), first);
    let requests = standby.sandbox.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].conditional, requests[0].status), (true, Some(304)));
    standby.sandbox.set_secret(STANDBY.0, STANDBY.1, "B", b"1");
    let names: Vec<String> = later.secrets(&slug(STANDBY)).await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["A", "B"]);
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_also_conditionally() {
    let standby = Standby::start_with(Options { page_size_max: 3, ..Options::default() }).await;
    let client = standby.context().await.github.unwrap();
    for number in 0..10 {
        standby.sandbox.set_secret(STANDBY.0, STANDBY.1, &format!("S{number}"), b"1");
        standby.sandbox.set_variable(STANDBY.0, STANDBY.1, &format!("V{number}"), "1");
    }
    standby.sandbox.clear_requests();
    for expected in [200, 304] {
        assert_eq!(client.secrets(&slug(STANDBY)).await.unwrap().len(), 10);
        let statuses: Vec<_> = standby.sandbox.requests().iter().map(|request| request.status).collect();
        assert_eq!(statuses, [Some(expected); 4]);
        standby.sandbox.clear_requests();
    }
    assert_eq!(client.variables(&slug(STANDBY)).await.unwrap().len(), 10);
}

#[tokio::test]
async fn values_of_variables_are_not_kept_on_this_machine() {
    let (standby, client) = started().await;
    standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "V", "canary-3f1c");
    client.variables(&slug(STANDBY)).await.unwrap();
    let database = std::fs::read(standby.state.join("standin.db")).unwrap();
    let wal = std::fs::read(standby.state.join("standin.db-wal")).unwrap_or_default();
    for bytes in [database, wal] {
        assert!(!bytes.windows(11).any(|window| window == b"canary-3f1c"));
    }
}

/// What happens to a write whose connection is cut before its effect, or after it.
async fn survives_cuts<F: AsyncFn(&Standby, &Client)>(method: &str, path: &str, write: F) {
    for (effect, sent) in [(Effect::CutAfter, 1), (Effect::CutBefore, 2), (status(502), 2), (Effect::HangAfter, 1)] {
        let mut standby = Standby::start().await;
        standby.limits.request = Duration::from_secs(2);
        let client = standby.context().await.github.unwrap();
        standby.sandbox.add_fault(Fault::once(FaultMatcher::rest(method, path), effect.clone()));
        standby.sandbox.clear_requests();
        write(&standby, &client).await;
        let requests = standby.take_requests();
        let writes = requests.iter().filter(|request| request.starts_with(method)).count();
        assert_eq!(writes, sent, "{effect:?}: {requests:?}");
        assert!(requests.iter().skip(1).any(|request| request.starts_with("GET")), "read back: {requests:?}");
    }
}

#[tokio::test]
async fn a_created_variable_survives_cuts() {
    survives_cuts("POST", "/repos/*/*/actions/variables", async |standby, client| {
        client.create_variable(&slug(STANDBY), "V", "1").await.unwrap();
        assert_eq!(standby.sandbox.variable(STANDBY.0, STANDBY.1, "V").as_deref(), Some("1"));
    })
    .await;
}

#[tokio::test]
async fn an_updated_variable_survives_cuts() {
    survives_cuts("PATCH", "/repos/*/*/actions/variables/*", async |standby, client| {
        standby.sandbox.set_variable(STANDBY.0, STANDBY.1, "V", "old");
        client.update_variable(&slug(STANDBY), "V", "new").await.unwrap();
        assert_eq!(standby.sandbox.variable(STANDBY.0, STANDBY.1, "V").as_deref(), Some("new"));
    })
    .await;
}

#[tokio::test]
async fn switched_off_actions_survive_cuts() {
    survives_cuts("PUT", "/repos/*/*/actions/permissions", async |standby, client| {
        client.put_actions_permissions(&slug(STANDBY), &json!({"enabled": false})).await.unwrap();
        assert!(!standby.sandbox.actions_permissions(STANDBY.0, STANDBY.1).unwrap().enabled);
    })
    .await;
}

#[tokio::test]
async fn selected_actions_survive_cuts() {
    survives_cuts("PUT", "/repos/*/*/actions/permissions/selected-actions", async |standby, client| {
        let selected = ActionsPermissions { allowed_actions: "selected".to_owned(), ..ActionsPermissions::default() };
        standby.sandbox.set_actions_permissions(STANDBY.0, STANDBY.1, selected);
        let wanted = json!({"github_owned_allowed": true, "verified_allowed": false, "patterns_allowed": ["a/b@*"]});
        client.put_selected_actions(&slug(STANDBY), &wanted).await.unwrap();
        let expected = SelectedActions {
            github_owned_allowed: true,
            verified_allowed: false,
            patterns_allowed: vec!["a/b@*".to_owned()],
        };
        assert_eq!(standby.sandbox.selected_actions(STANDBY.0, STANDBY.1), Some(expected));
    })
    .await;
}

#[tokio::test]
async fn a_new_default_branch_survives_cuts() {
    survives_cuts("PATCH", "/repos/*/*", async |standby, client| {
        let path = standby.sandbox.repository_path(STANDBY.0, STANDBY.1);
        commit(&path, "refs/heads/main", &[]);
        commit(&path, "refs/heads/trunk", &[]);
        client.set_default_branch(&slug(STANDBY), "trunk").await.unwrap();
        assert_eq!(standby.sandbox.default_branch(STANDBY.0, STANDBY.1).as_deref(), Some("trunk"));
    })
    .await;
}

#[tokio::test]
async fn held_and_released_workflows_survive_cuts() {
    for (what, active) in [("disable", false), ("enable", true)] {
        survives_cuts("PUT", &format!("/repos/*/*/actions/workflows/*/{what}"), async |standby, client| {
            let path = standby.sandbox.repository_path(STANDBY.0, STANDBY.1);
            commit(&path, "refs/heads/main", &[(".github/workflows/a.yml", "on: push\njobs: {}\n")]);
            standby.sandbox.refresh_workflows(STANDBY.0, STANDBY.1).unwrap();
            let workflows: Vec<Workflow> = client.workflows(&slug(STANDBY)).await.unwrap();
            if active {
                standby.sandbox.set_workflow_state(
                    STANDBY.0,
                    STANDBY.1,
                    "a.yml",
                    standin_sandbox::WorkflowState::DisabledManually,
                );
                client.enable_workflow(&slug(STANDBY), &workflows[0]).await.unwrap();
            } else {
                client.disable_workflow(&slug(STANDBY), &workflows[0]).await.unwrap();
            }
            assert_eq!(client.workflow(&slug(STANDBY), workflows[0].id).await.unwrap().state.is_active(), active);
        })
        .await;
    }
}

#[tokio::test]
async fn an_expired_token_is_named_with_the_moment_that_the_host_once_told() {
    let mut standby = Standby::start().await;
    let end = jiff::Timestamp::now() + Duration::from_secs(2);
    standby.token = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]).expiring(end));
    standby.context().await.github.unwrap().repository(&slug(STANDBY)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let error = standby.context().await.github.unwrap().repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
    assert!(error.hint.contains("It was to expire at 20"), "{}", error.hint);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_by_reads_and_writes() {
    let (standby, client) = started().await;
    assert!(standby.sandbox.rename_repository(STANDBY.0, STANDBY.1, "moved"));
    let info = client.repository(&slug(STANDBY)).await.unwrap();
    assert_eq!(info.full_name, "backup/moved");
    client.create_variable(&slug(STANDBY), "V", "1").await.unwrap();
    assert_eq!(standby.sandbox.variable(STANDBY.0, "moved", "V").as_deref(), Some("1"));
}

/// A host that answers every request with these bytes.
async fn host(answer: String) -> (String, Arc<std::sync::atomic::AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let seen = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, count)
}

fn client_of(standby: &Standby, api_url: String) -> Client {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hosts =
        vec![GitHubHost { name: "github.com".to_owned(), api_url, server_url: String::new(), gh_config_dir: None }];
    Client::new(
        &Config { hosts, ..Config::default() },
        &slug(STANDBY),
        &SecretString::from("ghp_x"),
        Memory::new(&standby.store(), &standby.repository.id, None, &clock),
        Arc::new(Totals::default()),
        CancellationToken::new(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_request_is_what_the_host_needs_and_no_more() {
    let standby = Standby::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // A path with which the paths below it begin too.
    let client = client_of(&standby, format!("http://{}/re", listener.local_addr().unwrap()));
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 8192];
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        }
    });
    let common =
        ["accept: application/vnd.github+json", "authorization: Bearer ghp_x", "x-github-api-version: 2022-11-28"];
    let json = ["content-length: 10", "content-type: application/json"];
    for (method, body, own) in [
        (Method::GET, None, &[][..]),
        (Method::PUT, None, &["content-length: 0"]),
        (Method::POST, Some(json!({"a": "ü"})), &json),
    ] {
        let call = Call::write("any", "asking", method.clone(), "repos/o/n?b=c d", body.clone());
        client.write(&call, || Box::pin(async { Ok(false) })).await.unwrap();
        let request = requests.recv().await.unwrap();
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        assert_eq!(lines.next().unwrap(), format!("{method} /re/repos/o/n?b=c%20d HTTP/1.1"));
        let mut headers: Vec<_> = lines.filter(|line| !line.starts_with("host: ")).collect();
        headers.sort_unstable();
        let agent = concat!("user-agent: standin/", env!("CARGO_PKG_VERSION"));
        let mut expected: Vec<_> = common.iter().chain(own).copied().chain([agent]).collect();
        expected.sort_unstable();
        assert_eq!(headers, expected, "{method}");
        assert_eq!(sent, body.map(|body| body.to_string()).unwrap_or_default());
    }
    answering.abort();
}

#[tokio::test]
async fn a_token_that_is_none_is_named_as_such_and_goes_nowhere() {
    let mut standby = Standby::start().await;
    standby.token = "ghp_CANARY\ncanary".to_owned();
    let client = standby.context().await.github.unwrap();
    standby.sandbox.clear_requests();
    let error = client.repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
    assert!(error.message.contains("characters that no token has"), "{error:?}");
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    assert!(standby.take_requests().is_empty());
}

#[tokio::test]
async fn no_redirect_leads_the_token_to_another_host() {
    let standby = Standby::start().await;
    let (other, reached) = host("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: {other}/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let (first, _) = host(answer).await;
        let error = client_of(&standby, first).repository(&slug(STANDBY)).await.unwrap_err();
        assert_eq!(error.code, Code::UnexpectedAnswer, "{status}: {error:?}");
    }
    assert_eq!(reached.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused() {
    let standby = Standby::start().await;
    let (other, reached) = host("HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"secrets\": []}".to_owned()).await;
    let body = r#"{"secrets": []}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nlink: <{other}/p>; rel=\"next\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let (first, _) = host(answer).await;
    let error = client_of(&standby, first).secrets(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::UnexpectedAnswer);
    assert_eq!(reached.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_web_page_in_place_of_the_api_is_named_as_such() {
    let standby = Standby::start().await;
    let (page, _) = host("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>".to_owned()).await;
    let error = client_of(&standby, page).repository(&slug(STANDBY)).await.unwrap_err();
    assert_eq!(error.code, Code::UnexpectedAnswer);
    assert!(error.hint.contains("api_url"), "{}", error.hint);
}

#[tokio::test]
async fn the_token_is_in_nothing_that_can_be_printed() {
    let standby = Standby::start().await;
    let ctx = standby.context().await;
    let printed = format!("{:?} {:?}", ctx.github.as_ref().unwrap(), ctx.token.as_ref().unwrap());
    assert!(!printed.contains(&standby.token), "{printed}");
}
