//! What goes wrong between two machines: hosts that hang, cut or refuse, keys and tokens that do not fit. The error says
//! which it was, and no process stays behind.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use standin_core::git::{Capabilities, GitProgram, PushOptions, PushResult, Remote, ssh};
use standin_core::{Code, Error};
use standin_sandbox::{Effect, Fault, FaultMatcher, TokenSpec};
use standin_tests::git::{Bench, Over, commit, none_left, processes_naming, set_ref, update, write_hook};
use tokio_util::sync::CancellationToken;

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

const ATOMIC: PushOptions = PushOptions { atomic: true, dry_run: false };

async fn list_error(bench: &Bench) -> Error {
    bench.remote().list(&["refs/"]).await.unwrap_err()
}

#[tokio::test]
async fn a_host_that_never_answers_is_given_up_after_the_silent_limit() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    sandbox.add_fault(Fault::always(FaultMatcher::git("**"), Effect::Hang));
    bench.options.silent_limit = Duration::from_secs(1);
    let started = Instant::now();
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::TimedOut, true), "{error:?}");
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_secs(10));
    assert!(none_left(&bench.url), "{:?}", processes_naming(&bench.url));
    bench.stop().await;
}

#[tokio::test]
async fn a_push_whose_answer_never_comes_is_read_back() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let updates = [update("refs/heads/main", None, Some(&first))];
    bench.options.silent_limit = Duration::from_secs(3);
    bench.options.work_limit = Duration::from_secs(3);
    let at_the_push = || FaultMatcher::git("/backup/there.git/git-receive-pack");
    for effect in [Effect::CutAfter, Effect::HangAfter] {
        let fault = sandbox.add_fault(Fault::always(at_the_push(), effect));
        let report = bench.remote().push(&bench.cache, &updates, ATOMIC).await.unwrap();
        assert!(report.is_done() && sandbox.fault_hits(fault) > 0, "{report:?}");
        sandbox.clear_faults();
        let listing = bench.remote().list(&["refs/heads/"]).await.unwrap();
        assert_eq!(listing.refs.values().next(), Some(&first));
        let emptied = git2::Repository::open_bare(&bench.there).unwrap();
        emptied.find_reference("refs/heads/main").unwrap().delete().unwrap();
    }
    // What did not arrive, or cannot be read, stays unknown and is worth another try.
    for (matcher, effect, code) in
        [(at_the_push(), Effect::CutBefore, Code::HostFailed), (FaultMatcher::git("**"), Effect::Hang, Code::TimedOut)]
    {
        sandbox.add_fault(Fault::always(matcher, effect));
        let error = bench.remote().push(&bench.cache, &updates, ATOMIC).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, true), "{error:?}");
        sandbox.clear_faults();
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_push_that_the_http_library_sends_twice_is_not_stale_by_its_own_doing() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let updates = [update("refs/heads/main", None, Some(&first)), update("refs/standin/fence", None, Some(&first))];
    let path = FaultMatcher::git("/backup/there.git/git-receive-pack");
    let fault = sandbox.add_fault(Fault::once(path, Effect::CutAfter));
    match bench.remote().push(&bench.cache, &updates, ATOMIC).await {
        Ok(report) => assert!(report.is_done(), "{report:?}"),
        Err(error) => assert!(matches!(error.code, Code::Network | Code::HostFailed), "{error:?}"),
    }
    assert_eq!(sandbox.fault_hits(fault), 1);
    assert_eq!(bench.there().len(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn a_connection_cut_before_the_effect_is_a_passing_fault() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let first = bench.commit("first", None);
    let updates = [update("refs/heads/main", None, Some(&first))];
    sandbox.add_fault(Fault::always(FaultMatcher::git("/backup/there.git/git-receive-pack"), Effect::CutBefore));
    let error = bench.remote().push(&bench.cache, &updates, ATOMIC).await.unwrap_err();
    sandbox.clear_faults();
    assert_eq!((error.code, error.retryable), (Code::HostFailed, true), "{error:?}");
    assert!(error.message.contains("after it had the whole push"), "{error:?}");
    assert!(bench.there().is_empty());
    assert!(bench.push(&updates).await.is_done());
    bench.stop().await;
}

#[tokio::test]
async fn host_faults_and_limits_have_their_codes() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    for (status, code, retryable) in [
        (500, Code::HostFailed, true),
        (503, Code::HostFailed, true),
        (429, Code::RateLimited, true),
        (403, Code::Forbidden, false),
        (404, Code::RepositoryNotFound, false),
        (301, Code::RepositoryNotFound, false),
    ] {
        sandbox.add_fault(Fault::always(FaultMatcher::git("**"), Effect::Status { status, retry_after: None }));
        let error = list_error(&bench).await;
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}: {error:?}");
        sandbox.clear_faults();
    }
    sandbox.set_down(true);
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::Network, true), "{error:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_cancelled_push_leaves_no_process_behind() {
    for over in [Over::Path, Over::Ssh] {
        let bench = Bench::new(over, helper()).await;
        // Unmistakable in a list of processes, and over by itself where the server's machine keeps it.
        let nap = format!("sleep 15.{}", bench.folder.path().metadata().unwrap().ino());
        write_hook(&bench.there, "pre-receive", &format!("exec {nap}"));
        let first = bench.commit("first", None);
        let (remote, cache) = (bench.remote(), bench.cache.clone());
        let pushing =
            tokio::spawn(
                async move { remote.push(&cache, &[update("refs/heads/main", None, Some(&first))], ATOMIC).await },
            );
        let deadline = Instant::now() + Duration::from_secs(20);
        while processes_naming(&nap).is_empty() {
            assert!(Instant::now() < deadline, "the hook never ran");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bench.options.cancel.cancel();
        let error = pushing.await.unwrap().unwrap_err();
        assert_eq!(error.code, Code::Cancelled, "{error:?}");
        // Over ssh the hook belongs to the server's machine; what runs on ours must be gone.
        let about = if over == Over::Path { nap } else { format!("-p {}", bench.sshd.as_ref().unwrap().port) };
        assert!(none_left(&about), "{:?}", processes_naming(&about));
        let lease = format!("--force-with-lease=refs/heads/main: -- {}", bench.url);
        assert!(none_left(&lease), "{:?}", processes_naming(&lease));
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_no_process_behind() {
    let bench = Bench::new(Over::Http, helper()).await;
    bench.sandbox.clone().unwrap().add_fault(Fault::always(FaultMatcher::git("**"), Effect::Hang));
    let outcome = tokio::time::timeout(Duration::from_millis(1_500), bench.remote().list(&["refs/"])).await;
    assert!(outcome.is_err(), "it hangs: {outcome:?}");
    assert!(none_left(&bench.url), "{:?}", processes_naming(&bench.url));
    bench.stop().await;
}

#[tokio::test]
async fn wrong_and_missing_tokens_are_told_apart() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    bench.options.credential = Some(SecretString::from("ghp_wrong".to_owned()));
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::Unauthorized, false), "{error:?}");
    assert!(!format!("{error:?}").contains("ghp_wrong"), "{error:?}");
    bench.options.credential = None;
    let error = list_error(&bench).await;
    assert_eq!(error.code, Code::TokenMissing, "{error:?}");
    // Whoever may read and not write learns so before anything is tried.
    let sandbox = bench.sandbox.clone().unwrap();
    sandbox.create_account("reader");
    sandbox.set_private("backup", "there", false);
    let token = sandbox.create_token("reader", TokenSpec::classic(&["repo"]));
    bench.options.credential = Some(SecretString::from(token));
    assert!(bench.remote().list(&["refs/"]).await.is_ok());
    let error = bench.remote().probe_push(&bench.cache).await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden, "{error:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_token_that_could_not_be_told_to_git_is_not_blamed_on_the_token() {
    let bench = Bench::new(Over::Http, Path::new("/nonexistent/standin")).await;
    let everything = ["+refs/heads/*:refs/heads/*".to_owned()];
    let error = bench.remote().fetch(&bench.cache, &everything).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::GitFailed, true), "{error:?}");
    assert!(error.message.contains("was given no answer"), "{error:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_list_over_http_is_one_request_and_starts_no_git() {
    // A helper that cannot be started: git would have no token.
    let bench = Bench::new(Over::Http, Path::new("/nonexistent/standin")).await;
    let sandbox = bench.sandbox.clone().unwrap();
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let tip = commit(&there, "one", None);
    set_ref(&there, "refs/heads/main", &tip);
    sandbox.clear_requests();
    let listing = bench.remote().list(&["refs/heads/"]).await.unwrap();
    assert_eq!(listing.refs.into_iter().collect::<Vec<_>>(), [("refs/heads/main".parse().unwrap(), tip)]);
    let statuses: Vec<_> = sandbox.requests().into_iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200)]);
    bench.stop().await;
}

#[tokio::test]
async fn one_proactive_request_less_than_asking_twice() {
    let bench = Bench::new(Over::Http, helper()).await;
    let sandbox = bench.sandbox.clone().unwrap();
    sandbox.clear_requests();
    bench.remote().fetch(&bench.cache, &["+refs/heads/*:refs/heads/*".to_owned()]).await.unwrap();
    let statuses: Vec<_> = sandbox.requests().into_iter().map(|request| request.status).collect();
    let asked_twice = statuses.contains(&Some(401));
    assert_eq!(asked_twice, bench.git.version() < standin_core::git::Version(2, 46), "{statuses:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_token_never_travels_in_the_open() {
    let bench = Bench::new(Over::Path, helper()).await;
    let mut options = bench.options.clone();
    options.credential = Some(SecretString::from("canary".to_owned()));
    for url in ["http://example.com/o/n.git", "git://example.com/n.git"] {
        let error = Remote::new(&bench.git, url, options.clone()).unwrap_err();
        assert_eq!(error.code, Code::Configuration, "{error:?}");
    }
    assert!(Remote::new(&bench.git, "http://127.0.0.1:9/o/n.git", options).is_ok());
    bench.stop().await;
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_until_it_was_accepted() {
    let bench = Bench::new(Over::Ssh, helper()).await;
    fs::remove_file(&bench.options.known_hosts).unwrap();
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::HostKeyUnknown, false), "{error:?}");
    assert!(error.message.contains("is not known yet") && error.hint.contains("--accept-host-key"), "{error:?}");
    let key = ssh::scan_host_key(&bench.git, &bench.url, &CancellationToken::new()).await.unwrap();
    let server = bench.sshd.as_ref().unwrap();
    assert_eq!(format!("{}\n", key.line), server.known_hosts_line());
    let shown = std::process::Command::new("ssh-keygen")
        .arg("-lf")
        .arg(bench.folder.path().join("sshd/host_key.pub"))
        .output()
        .unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().contains(&key.fingerprint), "{}", key.fingerprint);
    ssh::accept(&bench.options.known_hosts, &key).unwrap();
    bench.remote().list(&["refs/"]).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_changed_host_key_is_refused() {
    let mut bench = Bench::new(Over::Ssh, helper()).await;
    bench.remote().list(&["refs/"]).await.unwrap();
    bench.sshd.as_mut().unwrap().change_host_key();
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::HostKeyChanged, false), "{error:?}");
    assert!(error.message.contains("is not the one that was accepted before"), "{error:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_key_that_the_host_does_not_take_is_told() {
    let mut bench = Bench::new(Over::Ssh, helper()).await;
    let other = bench.folder.path().join("other key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other).status();
    assert!(made.unwrap().success());
    bench.options.ssh_key = Some(other);
    let error = list_error(&bench).await;
    assert_eq!((error.code, error.retryable), (Code::Unauthorized, false), "{error:?}");
    bench.stop().await;
}

#[tokio::test]
async fn hosts_and_repositories_that_are_not_there_are_told() {
    let mut bench = Bench::new(Over::Ssh, helper()).await;
    let here = bench.url.clone();
    let missing = bench.folder.path().join("missing.git");
    for (url, code) in [
        (missing.display().to_string(), Code::RepositoryNotFound),
        (format!("file://{}", missing.display()), Code::RepositoryNotFound),
        (here.replace("there.git", "missing.git"), Code::RepositoryNotFound),
        ("http://127.0.0.1:9/o/n.git".to_owned(), Code::Network),
        ("ssh://git@127.0.0.1:9/n.git".to_owned(), Code::Network),
        ("git://127.0.0.1:9/n.git".to_owned(), Code::Network),
    ] {
        bench.url = url;
        let error = list_error(&bench).await;
        assert_eq!(error.code, code, "{}: {error:?}", bench.url);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_writer_in_between_makes_the_lease_stale_at_the_server_too() {
    let bench = Bench::new(Over::Path, helper()).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    bench.push(&[update("refs/heads/main", None, Some(&first))]).await;
    // The hook runs between the comparison on our side and the transaction on the other: somebody is quicker.
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let theirs = commit(&there, "theirs", Some(&first));
    set_ref(&there, "refs/somebody/has", &theirs);
    write_hook(
        &bench.there,
        "pre-receive",
        &format!("unset GIT_QUARANTINE_PATH; exec git update-ref refs/heads/main {theirs}"),
    );
    let fence = bench.commit("fence", None);
    let updates =
        [update("refs/heads/main", Some(&first), Some(&second)), update("refs/standin/fence", None, Some(&fence))];
    let report = bench.push(&updates).await;
    let results: Vec<_> = report.results.values().cloned().collect();
    let sunk = PushResult::Refused { reason: "atomic transaction failed".to_owned() };
    assert_eq!(results, [PushResult::Stale, sunk], "{report:?}");
    assert_eq!(bench.there().get("refs/heads/main"), Some(&theirs));
    assert!(!bench.there().contains_key("refs/standin/fence"));
    bench.stop().await;
}

#[tokio::test]
async fn an_old_or_missing_git_is_told_with_what_is_needed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let environment = |path: &Path| [("PATH".to_owned(), path.display().to_string())].into();
    let error = GitProgram::find(&environment(folder.path()), helper()).await.unwrap_err();
    assert_eq!(error.code, Code::GitMissing, "{error:?}");
    let old = folder.path().join("git");
    fs::write(&old, "#!/bin/sh\necho git version 2.25.1\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let error = GitProgram::find(&environment(folder.path()), helper()).await.unwrap_err();
    assert_eq!(error.code, Code::GitMissing);
    assert!(error.message.contains("it is version 2.25, and 2.36 is needed"), "{error:?}");
}

#[tokio::test]
async fn a_shallow_source_is_told() {
    let bench = Bench::new(Over::Path, helper()).await;
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let first = commit(&there, "first", None);
    let second = commit(&there, "second", Some(&first));
    set_ref(&there, "refs/heads/main", &second);
    fs::write(bench.there.join("shallow"), format!("{second}\n")).unwrap();
    let error = bench.fetch_all(&["refs/heads/"]).await.unwrap_err();
    assert!(error.hint.contains("--unshallow"), "{error:?}");
    assert!(bench.cache.refs("refs/").unwrap().is_empty());
    let Capabilities { atomic, agent, fence } = bench.remote().probe_push(&bench.cache).await.unwrap();
    assert_eq!(fence, None);
    assert!(atomic && agent.is_some_and(|agent| agent.starts_with("git/")));
    bench.stop().await;
}
