//! Where a token comes from, and what is told about it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use standin_core::gh::TokioGh;
use standin_core::keychain::{Manner, OsKeychain, SessionKeychain};
use standin_core::outside::{Keychain, Outside};
use standin_core::state::config::Target;
use standin_core::state::model::Aspect;
use standin_core::tokens::{self, Place, RightState, TokenKind, TokenOrigin, TokenReport};
use standin_core::{Code, Error};
use standin_sandbox::{Effect, Fault, FaultMatcher, Level, RepositoryState, Role, TokenSpec};
use standin_tests::keyring::in_a_session;
use standin_tests::own_name;
use standin_tests::standby::{NoKeychain, PRIMARY, STANDBY, Standby};

fn mirror() -> Place {
    "mirror-1".parse().unwrap()
}

/// The outside with an environment of its own: nothing of the machine's gh or keychain.
fn outside(standby: &Standby, extra: &[(&str, &str)]) -> (Outside, Arc<SessionKeychain>) {
    let session = Arc::new(SessionKeychain::over(Arc::new(NoKeychain)));
    let mut environment: BTreeMap<String, String> = std::env::vars()
        .filter(|(name, _)| matches!(name.as_str(), "PATH" | "STANDIN_GH"))
        .chain([("HOME".to_owned(), standby.folder().display().to_string())])
        .collect();
    environment.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let environment = Arc::new(environment);
    let outside = Outside {
        gh: Arc::new(TokioGh::new(environment.clone())),
        keychain: session.clone(),
        environment,
        ..standby.place().outside(standby.events.clone())
    };
    (outside, session)
}

async fn find(standby: &Standby, outside: &Outside, place: &Place) -> Option<tokens::Token> {
    tokens::find(outside, &standby.config(), &standby.store(), &standby.repository, place).await.expect("an answer")
}

async fn check(standby: &mut Standby, token: String) -> TokenReport {
    standby.repository.mirrors[0].token = Some(SecretString::from(token));
    let (outside, _) = outside(standby, &[]);
    tokens::check(&outside, &standby.config(), &standby.store(), &standby.repository, &mirror())
        .await
        .expect("a report")
        .expect("a token")
}

/// gh signed in with this token, as its own configuration says.
fn signed_in(folder: &Path, token: &str) -> String {
    let gh = folder.join("users-gh");
    std::fs::create_dir_all(&gh).unwrap();
    std::fs::write(gh.join("hosts.yml"), format!("github.com:\n    oauth_token: {token}\n    user: someone\n"))
        .unwrap();
    gh.display().to_string()
}

#[tokio::test]
async fn the_environment_goes_before_what_was_kept_and_that_before_gh() {
    let mut standby = Standby::start().await;
    let of_gh = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
    let gh = signed_in(standby.folder(), &of_gh);
    let (outside, session) = outside(&standby, &[("GH_CONFIG_DIR", &gh)]);

    let found = find(&standby, &outside, &mirror()).await.expect("gh's");
    assert_eq!((found.origin, found.value.expose_secret()), (TokenOrigin::Gh, of_gh.as_str()));
    assert!(found.notice(&standby.repository, &mirror()).unwrap().message.contains("gh is signed in with"));

    // What was typed for another place is for that one.
    session.keep("orchestrator/mirror-1", "github.com/other/standby", SecretString::from("kept"));
    let refused = tokens::find(&outside, &standby.config(), &standby.store(), &standby.repository, &mirror()).await;
    let error = refused.expect_err("it was given for nothing");
    assert_eq!(error.code, Code::ConsentNeeded);
    assert!(error.message.contains("github.com/backup/standby"), "{error:?}");
    tokens::keep(&session, &standby.repository, &mirror(), &SecretString::from("kept")).unwrap();
    let found = find(&standby, &outside, &mirror()).await.expect("the kept one");
    assert_eq!((found.origin, found.value.expose_secret()), (TokenOrigin::Session, "kept"));
    assert_eq!(found.notice(&standby.repository, &mirror()), None);

    standby.repository.mirrors[0].token = Some(SecretString::from("configured"));
    let found = find(&standby, &outside, &mirror()).await.expect("the configured one");
    assert_eq!((found.origin, found.value.expose_secret()), (TokenOrigin::Environment, "configured"));
}

#[tokio::test]
async fn ghs_token_is_used_only_where_its_account_may_push() {
    let standby = Standby::start().await;
    let strangers = standby.sandbox.create_token("mallory", TokenSpec::classic(&["repo"]));
    let gh = signed_in(standby.folder(), &strangers);
    let (outside, _) = outside(&standby, &[("GH_CONFIG_DIR", &gh)]);
    assert!(find(&standby, &outside, &mirror()).await.is_none(), "it cannot see the repository");
    standby.sandbox.add_collaborator(STANDBY.0, STANDBY.1, "mallory", Role::Read);
    assert!(find(&standby, &outside, &mirror()).await.is_none(), "it may only read");
    standby.sandbox.add_collaborator(STANDBY.0, STANDBY.1, "mallory", Role::Write);
    assert_eq!(find(&standby, &outside, &mirror()).await.unwrap().origin, TokenOrigin::Gh);
    assert!(find(&standby, &outside, &Place::Source).await.is_none(), "the source is another repository");
    standby.sandbox.revoke_token(&strangers);
    assert!(find(&standby, &outside, &mirror()).await.is_none(), "it is not accepted");
}

/// On the worst day the repository does not answer, and it takes a token to see why.
#[tokio::test]
async fn ghs_token_that_was_seen_to_fit_serves_while_the_repository_does_not_answer() {
    let standby = Standby::start().await;
    let of_gh = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
    let (outside, _) = outside(&standby, &[("GH_CONFIG_DIR", &signed_in(standby.folder(), &of_gh))]);
    let down = || {
        let ill = Effect::Status { status: 503, retry_after: None };
        standby.sandbox.add_fault(Fault::always(FaultMatcher::repository(STANDBY.0, STANDBY.1), ill));
    };
    down();
    let found = tokens::find(&outside, &standby.config(), &standby.store(), &standby.repository, &mirror()).await;
    assert_eq!(found.expect_err("nobody knows yet whose it is").code, Code::HostFailed);
    standby.sandbox.clear_faults();
    assert_eq!(find(&standby, &outside, &mirror()).await.expect("it fits").origin, TokenOrigin::Gh);
    down();
    assert_eq!(find(&standby, &outside, &mirror()).await.expect("it fitted").origin, TokenOrigin::Gh);
    standby.sandbox.clear_faults();
    standby.sandbox.set_repository_state(STANDBY.0, STANDBY.1, RepositoryState::Hidden);
    assert_eq!(find(&standby, &outside, &mirror()).await.expect("it fitted").origin, TokenOrigin::Gh);
    // Another token was never seen to fit, and one that is not accepted does not any more.
    let other = standby.sandbox.create_token("mallory", TokenSpec::classic(&["repo"]));
    signed_in(standby.folder(), &other);
    assert!(find(&standby, &outside, &mirror()).await.is_none(), "another's");
    signed_in(standby.folder(), &of_gh);
    standby.sandbox.revoke_token(&of_gh);
    assert!(find(&standby, &outside, &mirror()).await.is_none(), "it is not accepted");
}

/// A keychain that has what is asked for and does not give it.
struct Closed(Code);

#[async_trait]
impl Keychain for Closed {
    async fn get(&self, _account: &str) -> standin_core::Result<Option<SecretString>> {
        Err(Error::new(self.0, "the keychain is closed", "Open it."))
    }

    async fn set(&self, _account: &str, _value: &SecretString) -> standin_core::Result<()> {
        Err(Error::new(self.0, "the keychain is closed", "Open it."))
    }

    async fn remove(&self, _account: &str) -> standin_core::Result<bool> {
        Err(Error::new(self.0, "the keychain is closed", "Open it."))
    }
}

#[tokio::test]
async fn a_keychain_that_does_not_give_a_token_is_told_and_ghs_is_not_taken_in_its_place() {
    let mut standby = Standby::start().await;
    let of_gh = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
    let gh = signed_in(standby.folder(), &of_gh);
    let (outside, _) = outside(&standby, &[("GH_CONFIG_DIR", &gh)]);
    assert_eq!(find(&standby, &outside, &mirror()).await.unwrap().origin, TokenOrigin::Gh, "without a keychain");
    for code in [Code::KeychainLocked, Code::KeychainFailed, Code::KeychainEmpty] {
        let outside = Outside { keychain: Arc::new(Closed(code)), ..outside.clone() };
        let found = tokens::find(&outside, &standby.config(), &standby.store(), &standby.repository, &mirror()).await;
        let error = found.unwrap_err();
        assert_eq!(error.code, code);
        assert_eq!(error.message, "the token of mirror-1 cannot be read: the keychain is closed");
        assert_eq!(error.hint, "Open it. Or put the token into MIRROR_1_TOKEN in `.env` or the environment.");
    }
    // A place that no token opens needs no keychain.
    let outside = Outside { keychain: Arc::new(Closed(Code::KeychainLocked)), ..outside };
    for url in ["/srv/archive.git", "ssh://git@example.com/n.git", "git@example.com:n.git"] {
        standby.repository.mirrors[0].target = Target::git(url);
        assert!(find(&standby, &outside, &mirror()).await.is_none(), "{url}");
    }
}

#[tokio::test]
async fn what_could_not_be_removed_is_not_advised_to_be_added() {
    let standby = Standby::start().await;
    let (outside, _) = outside(&standby, &[]);
    let error = tokens::remove(&outside, &standby.store(), &standby.repository, &mirror()).await.unwrap_err();
    assert_eq!(error.hint, "Nothing was removed. A token in `.env` or the environment is removed there.");
    let outside = Outside { keychain: Arc::new(Closed(Code::KeychainLocked)), ..outside };
    let error = tokens::remove(&outside, &standby.store(), &standby.repository, &mirror()).await.unwrap_err();
    assert!(error.hint.starts_with("Nothing was removed. Unlock the keychain"), "{}", error.hint);
}

#[tokio::test]
async fn without_any_token_there_is_none_and_the_error_names_both_ways() {
    let standby = Standby::start().await;
    let (outside, _) = outside(&standby, &[]);
    assert!(find(&standby, &outside, &mirror()).await.is_none());
    let error = tokens::missing(&standby.store(), &standby.repository, &mirror());
    assert_eq!(error.code, Code::TokenMissing);
    assert_eq!(error.message, "no token for mirror mirror-1 (backup/standby)");
    assert_eq!(
        error.hint,
        "Store one in the keychain with `standin token set mirror-1`, or put it into MIRROR_1_TOKEN in `.env` or the environment."
    );
    let error = tokens::missing(&standby.store(), &standby.repository, &Place::Source);
    assert!(error.hint.contains("MIRROR_SOURCE_TOKEN"));
}

#[cfg(unix)]
#[tokio::test]
async fn asking_gh_starts_no_bus_that_would_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let standby = Standby::start().await;
    let programs = standby.folder().join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    let (launcher, started) = (programs.join("dbus-launch"), standby.folder().join("started"));
    std::fs::write(&launcher, format!("#!/bin/sh\ntouch '{}'\nexit 1\n", started.display())).unwrap();
    std::fs::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let runtime = standby.folder().display().to_string();
    for extra in [vec![("PATH", path.as_str())], vec![("PATH", path.as_str()), ("XDG_RUNTIME_DIR", runtime.as_str())]] {
        let (outside, _) = outside(&standby, &extra);
        assert!(find(&standby, &outside, &mirror()).await.is_none());
        assert!(!started.exists(), "{extra:?}");
    }
}

#[tokio::test]
async fn without_a_keychain_nothing_is_written_and_the_variable_is_named() {
    let standby = Standby::start().await;
    let (outside, _) = outside(&standby, &[]);
    let token = SecretString::from("ghp_canary51");
    let error = tokens::set(&outside, &standby.store(), &standby.repository, &mirror(), &token).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainUnavailable);
    assert!(error.hint.starts_with("Nothing was written. Put the token into MIRROR_1_TOKEN"), "{}", error.hint);
    let error = tokens::set(&outside, &standby.store(), &standby.repository, &Place::Source, &token).await.unwrap_err();
    assert!(error.hint.contains("MIRROR_SOURCE_TOKEN"));
    assert!(find(&standby, &outside, &mirror()).await.is_none());
}

#[tokio::test]
async fn a_token_of_an_unknown_mirror_is_refused() {
    let standby = Standby::start().await;
    let (outside, _) = outside(&standby, &[]);
    let place: Place = "nobody".parse().unwrap();
    let error = tokens::set(&outside, &standby.store(), &standby.repository, &place, &SecretString::from("x"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}

#[tokio::test]
async fn a_classic_tokens_rights_are_proven_by_its_scopes() {
    let mut standby = Standby::start().await;
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(10 * 24 + 1);
    let token = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]).expiring(end));
    let report = check(&mut standby, token).await;
    assert_eq!((report.login.as_str(), report.kind), ("backup", TokenKind::Classic));
    assert_eq!((report.host.as_str(), report.repository.as_str()), ("github.com", "backup/standby"));
    assert_eq!(report.scopes, Some(vec!["repo".to_owned()]));
    assert_eq!(report.days_left, Some(10));
    assert!(report.notices.iter().any(|notice| notice.message == "the token for mirror-1 ends in 10 days"));
    let rights: Vec<(Aspect, &str, RightState)> =
        report.rights.iter().map(|right| (right.aspect, right.right.as_str(), right.state)).collect();
    assert_eq!(
        rights,
        [
            (Aspect::Code, "push branches and tags", RightState::Proven),
            (Aspect::Code, "push workflow files", RightState::Missing),
            (Aspect::Secrets, "write secrets", RightState::Proven),
            (Aspect::Variables, "write variables", RightState::Proven),
            (Aspect::Workflows, "switch workflows on and off", RightState::Proven),
            (Aspect::Workflows, "switch Actions off around a push", RightState::Proven),
        ]
    );
}

#[tokio::test]
async fn a_fine_grained_tokens_rights_are_unproven_or_missing() {
    let mut standby = Standby::start().await;
    let permissions = [("contents", Level::Write), ("secrets", Level::Write), ("actions", Level::Write)];
    let token = standby.sandbox.create_token(STANDBY.0, TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &permissions));
    let report = check(&mut standby, token.clone()).await;
    assert_eq!((report.kind, report.scopes.as_ref(), report.days_left), (TokenKind::FineGrained, None, None));
    let state = |right: &str| report.rights.iter().find(|report| report.right == right).unwrap().state;
    assert_eq!(state("write secrets"), RightState::Unproven);
    assert_eq!(state("switch workflows on and off"), RightState::Unproven);
    assert_eq!(state("write variables"), RightState::Missing);
    assert_eq!(state("switch Actions off around a push"), RightState::Missing);
    let detail = &report.rights.iter().find(|report| report.right == "write variables").unwrap().detail;
    assert!(detail.contains("actions_variables=read"), "{detail}");
    assert!(!serde_json::to_string(&report).unwrap().contains(&token));
}

#[tokio::test]
async fn a_role_that_is_too_small_shows_whatever_the_token() {
    let mut standby = Standby::start().await;
    let token = standby.sandbox.create_token("helper", TokenSpec::classic(&["repo", "workflow"]));
    standby.sandbox.add_collaborator(STANDBY.0, STANDBY.1, "helper", Role::Write);
    let report = check(&mut standby, token).await;
    let state = |right: &str| report.rights.iter().find(|report| report.right == right).unwrap().state;
    assert_eq!(state("push workflow files"), RightState::Proven);
    assert_eq!(state("switch Actions off around a push"), RightState::Missing);
}

#[tokio::test]
async fn a_check_writes_nothing_and_a_refused_token_is_an_error() {
    let mut standby = Standby::start().await;
    let token = standby.token.clone();
    standby.take_requests();
    check(&mut standby, token.clone()).await;
    assert!(standby.take_requests().iter().all(|request| request.starts_with("GET")));
    standby.sandbox.revoke_token(&token);
    let (outside, _) = outside(&standby, &[]);
    let error =
        tokens::check(&outside, &standby.config(), &standby.store(), &standby.repository, &mirror()).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
}

#[tokio::test]
async fn the_sources_token_needs_only_to_read() {
    let mut standby = Standby::start().await;
    let permissions = [("contents", Level::Read), ("actions_variables", Level::Read), ("actions", Level::Read)];
    let spec = TokenSpec::fine_grained(PRIMARY.0, &[PRIMARY.1], &permissions);
    standby.repository.source_token = Some(SecretString::from(standby.sandbox.create_token(PRIMARY.0, spec)));
    let (outside, _) = outside(&standby, &[]);
    let report =
        tokens::check(&outside, &standby.config(), &standby.store(), &standby.repository, &Place::Source).await;
    let report = report.unwrap().unwrap();
    assert_eq!(report.place, "source");
    assert!(report.rights.iter().all(|right| right.state == RightState::Proven), "{:?}", report.rights);
}

#[tokio::test]
async fn a_gh_that_is_missing_or_too_old_says_what_to_install() {
    let standby = Standby::start().await;
    let old = standby.folder().join("old-gh");
    std::fs::write(&old, "#!/bin/sh\necho 'gh version 2.23.0 (2023-02-27 Debian 2.23.0)'\n").unwrap();
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (program, message) in [
        (old.display().to_string(), format!("{} is gh 2.23.0, which is too old", old.display())),
        ("/nonexistent/gh".to_owned(), "/nonexistent/gh could not be started".to_owned()),
    ] {
        let environment = BTreeMap::from([("STANDIN_GH".to_owned(), program)]);
        let error = TokioGh::new(Arc::new(environment)).program().await.unwrap_err();
        assert_eq!(error.code, Code::GhMissing);
        assert!(error.message.starts_with(&message), "{}", error.message);
        assert!(error.hint.contains("2.32.0"));
    }
}

// With a keychain: this very test again, in a session of its own with a real gnome-keyring.

const INSIDE: &str = "STANDIN_TEST_KEYRING";

#[test]
fn tokens_are_kept_in_a_real_keychain_and_survive_the_process() {
    in_a_session(module_path!(), "inside_a_session_with_a_keychain", &["set", "get", "remove"]);
}

#[tokio::test]
#[ignore = "started by the test above in a session of its own"]
async fn inside_a_session_with_a_keychain() {
    let keychain = OsKeychain::new(Manner::Quiet, &BTreeMap::new());
    let account = "orchestrator/mirror-1";
    match std::env::var(INSIDE).unwrap().as_str() {
        "set" => {
            assert!(keychain.get(account).await.unwrap().is_none());
            keychain.set(account, &SecretString::from("first")).await.unwrap();
            keychain.set(account, &SecretString::from("ghp_second")).await.unwrap();
            keychain.set("orchestrator/source", &SecretString::from("other")).await.unwrap();
        }
        "get" => {
            assert_eq!(keychain.get(account).await.unwrap().unwrap().expose_secret(), "ghp_second");
            let mut standby = Standby::start().await;
            standby.repository.mirrors[0].token = None;
            let (outside, _) = outside(&standby, &[]);
            let outside = Outside { keychain: Arc::new(keychain), ..outside };
            standby.store().bind([(account, "github.com/backup/standby")]).unwrap();
            let found = find(&standby, &outside, &mirror()).await.unwrap();
            assert_eq!((found.origin, found.value.expose_secret()), (TokenOrigin::Keychain, "ghp_second"));
        }
        "remove" => {
            assert!(keychain.remove(account).await.unwrap());
            assert!(!keychain.remove(account).await.unwrap());
            assert!(keychain.get(account).await.unwrap().is_none());
            assert_eq!(keychain.get("orchestrator/source").await.unwrap().unwrap().expose_secret(), "other");
        }
        other => panic!("no step {other}"),
    }
}

#[test]
fn a_session_without_a_keychain_is_told_from_an_empty_one() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &own_name(module_path!(), "inside_a_session_without_a_keychain"), "--ignored"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started by the test above in a session of its own"]
async fn inside_a_session_without_a_keychain() {
    for manner in [Manner::MayAsk, Manner::Quiet] {
        let keychain = OsKeychain::new(manner, &BTreeMap::new());
        let error = keychain.get("orchestrator/source").await.unwrap_err();
        assert_eq!(error.code, Code::KeychainUnavailable, "{error}");
        let error = keychain.set("orchestrator/source", &SecretString::from("x")).await.unwrap_err();
        assert_eq!(error.code, Code::KeychainUnavailable, "{error}");
    }
}
