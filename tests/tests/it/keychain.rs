//! Keychains that are locked, slow, forgetful, restarted or broken: what is told is true, and nothing waits for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use standin_core::Code;
use standin_core::keychain::{Manner, OsKeychain};
use standin_core::outside::Keychain;
use standin_core::vault::Vault;
use standin_tests::keyring::service::{Dialog, Service};
use standin_tests::keyring::{in_a_session, on_a_bus};

const ACCOUNT: &str = "orchestrator/mirror-1";

fn keychain(manner: Manner, limit: &str) -> OsKeychain {
    OsKeychain::new(manner, &BTreeMap::from([("STANDIN_KEYCHAIN_LIMIT".to_owned(), limit.to_owned())]))
}

fn token(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn value(keychain: &OsKeychain) -> Option<String> {
    keychain.get(ACCOUNT).await.unwrap().map(|value| value.expose_secret().to_owned())
}

#[test]
fn a_keychain_that_does_not_answer_is_left_at_the_limit_and_later_ones_are_told_at_once() {
    on_a_bus(module_path!(), "hangs");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn hangs() {
    let service = Service::start().await;
    service.now().hangs = BTreeSet::from(["*"]);
    for manner in [Manner::MayAsk, Manner::Quiet] {
        let keychain = keychain(manner, "2s");
        let began = Instant::now();
        let error = keychain.get(ACCOUNT).await.unwrap_err();
        assert_eq!(error.code, Code::KeychainFailed, "{error}");
        assert!(error.message.starts_with("the keychain gave no answer within 2 seconds"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(7), "{manner:?} took {:?}", began.elapsed());
        let began = Instant::now();
        let error = keychain.get("orchestrator/source").await.unwrap_err();
        assert!(error.message.ends_with(&format!("reading `{ACCOUNT}`")), "{manner:?}: {error}");
        assert!(began.elapsed() < Duration::from_millis(500), "{manner:?} took {:?}", began.elapsed());
    }
    service.now().hangs.clear();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(value(&keychain(Manner::Quiet, "2s")).await, None);
}

#[test]
fn a_dialog_that_nobody_answers_is_raised_once_and_the_keychain_is_used_when_it_opens() {
    on_a_bus(module_path!(), "unanswered");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn unanswered() {
    let service = Service::start().await;
    let keychain = keychain(Manner::MayAsk, "1s");
    keychain.set(ACCOUNT, &token("kept")).await.unwrap();
    service.now().locked = true;
    let error = keychain.get(ACCOUNT).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainFailed, "{error}");
    for _ in 0..3 {
        let error = keychain.get(ACCOUNT).await.unwrap_err();
        assert!(error.message.starts_with("the keychain owes an answer since"), "{error}");
    }
    assert_eq!(service.now().dialogs, 1);
    service.now().locked = false;
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"));
    // A restart takes the dialog away with the program that raised it.
    service.now().locked = true;
    assert_eq!(keychain.get(ACCOUNT).await.unwrap_err().code, Code::KeychainFailed);
    let service = service.restart().await;
    service.now().dialog = Dialog::Unlocks;
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"));
}

#[test]
fn what_may_yet_be_stored_is_not_called_unwritten_and_what_is_there_is_stored() {
    on_a_bus(module_path!(), "slow");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn slow() {
    let service = Service::start().await;
    service.now().writes_in = Duration::from_secs(4);
    let keychain = keychain(Manner::Quiet, "1s");
    let error = keychain.set(ACCOUNT, &token("late")).await.unwrap_err();
    assert_eq!(error.code, Code::TimedOut, "{error}");
    assert!(error.hint.starts_with("It may yet be stored"), "{}", error.hint);
    assert!(!error.hint.contains("Nothing was written"), "{}", error.hint);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(value(&keychain).await.as_deref(), Some("late"));

    service.now().writes_in = Duration::ZERO;
    service.now().hangs = BTreeSet::from(["the answer of CreateItem"]);
    keychain.set("orchestrator/source", &token("unanswered")).await.unwrap();
    let found = keychain.get("orchestrator/source").await.unwrap().unwrap();
    assert_eq!(found.expose_secret(), "unanswered");

    service.now().hangs.clear();
    service.now().writes_in = Duration::from_secs(60);
    let set = tokio::spawn({
        let keychain = keychain.clone();
        async move { keychain.set(ACCOUNT, &token("in between")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    service.end().await;
    let error = set.await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::TimedOut, "{error}");
    assert!(error.message.starts_with("the keychain ended while it was asked: "), "{error}");
    assert!(error.hint.starts_with("It may yet be stored"), "{}", error.hint);
}

#[test]
fn where_nobody_sits_a_locked_keychain_is_reported_and_raises_no_dialog() {
    on_a_bus(module_path!(), "quiet");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn quiet() {
    let service = Service::start().await;
    service.now().dialog = Dialog::Unlocks;
    let keychain = keychain(Manner::MayAsk, "5s").quietly();
    keychain.set(ACCOUNT, &token("kept")).await.unwrap();
    service.now().locked = true;
    for error in [
        keychain.get(ACCOUNT).await.unwrap_err(),
        keychain.set(ACCOUNT, &token("other")).await.unwrap_err(),
        keychain.remove(ACCOUNT).await.unwrap_err(),
    ] {
        assert_eq!((error.code, error.message.as_str()), (Code::KeychainLocked, "the keychain is locked"));
    }
    service.now().has_nothing = true;
    assert_eq!(keychain.get(ACCOUNT).await.unwrap_err().code, Code::KeychainLocked);
    service.now().has_nothing = false;
    {
        let now = service.now();
        assert_eq!((now.dialogs, now.searches_while_locked), (0, 0));
    }
    service.now().locked = false;
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"), "it goes on when the keychain opens");
}

#[test]
fn a_dialog_is_told_as_it_ended() {
    on_a_bus(module_path!(), "dialogs");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn dialogs() {
    let service = Service::start().await;
    let keychain = keychain(Manner::MayAsk, "10s");
    keychain.set(ACCOUNT, &token("kept")).await.unwrap();
    service.now().locked = true;
    service.now().dialog = Dialog::Dismissed;
    for _ in 0..3 {
        let error = keychain.get(ACCOUNT).await.unwrap_err();
        assert_eq!(error.code, Code::KeychainLocked);
        assert_eq!(
            error.message,
            "the keychain asked to be unlocked, and its dialog was dismissed or could not be shown"
        );
    }
    assert_eq!(service.now().dialogs, 1, "those who ask right after are not asked again");
    tokio::time::sleep(Duration::from_secs(5)).await;
    service.now().dialog = Dialog::Unlocks;
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"));
}

#[test]
fn a_keychain_that_comes_late_or_comes_back_is_used() {
    on_a_bus(module_path!(), "comes_back");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn comes_back() {
    let keychain = keychain(Manner::MayAsk, "10s");
    for keychain in [&keychain, &keychain.quietly()] {
        let error = keychain.get(ACCOUNT).await.unwrap_err();
        assert_eq!(error.code, Code::KeychainUnavailable, "{error}");
        assert!(error.message.starts_with("the keychain cannot be used: this session has none: "), "{error}");
    }
    let service = Service::start().await;
    keychain.set(ACCOUNT, &token("kept")).await.unwrap();
    let service = service.restart().await;
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"), "its session is gone");
    let service = service.restart().await;
    keychain.set(ACCOUNT, &token("other")).await.unwrap();
    service.end().await;
    assert_eq!(keychain.get(ACCOUNT).await.unwrap_err().code, Code::KeychainUnavailable);
}

#[test]
fn an_empty_entry_is_no_token_and_a_vault_is_not_sealed_with_a_key_that_is_not_kept() {
    on_a_bus(module_path!(), "forgets");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn forgets() {
    let service = Service::start().await;
    let keychain = keychain(Manner::Quiet, "10s");
    keychain.set(ACCOUNT, &token("lost")).await.unwrap();
    service.empty();
    let error = keychain.get(ACCOUNT).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainEmpty, "{error}");
    assert_eq!(error.hint, "Store it again with `standin token set mirror-1`.");
    keychain.set(ACCOUNT, &token("again")).await.unwrap();
    assert_eq!(value(&keychain).await.as_deref(), Some("again"));

    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), Arc::new(keychain.clone()));
    let site = "site".parse().unwrap();
    // It answers, and is ended a while later, before it has written.
    let set = tokio::spawn({
        let vault = vault.clone();
        let site = "site".parse().unwrap();
        async move { vault.set(&site, "NAME", &token("value")).await }
    });
    while service.count() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    service.empty();
    let error = set.await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::KeychainFailed, "{error}");
    assert!(error.message.ends_with("the keychain does not keep what it is given"), "{error}");
    assert!(!vault.path().exists());
    vault.set(&site, "NAME", &token("value")).await.unwrap();
    assert_eq!(vault.values(&site).await.unwrap()["NAME"].expose_secret(), "value");
}

#[test]
fn the_keychains_own_reason_is_told_and_entries_of_one_name_have_a_way_out() {
    on_a_bus(module_path!(), "reasons");
}

#[tokio::test]
#[ignore = "started by the test above on a bus of its own"]
async fn reasons() {
    let words = "createDLGroup failed: maybe libqca-ossl is missing";
    let service = Service::start().await;
    service.now().refuses = Some(words);
    let keychain = keychain(Manner::MayAsk, "10s");
    let error = keychain.get(ACCOUNT).await.unwrap_err();
    assert_eq!((error.code, error.message), (Code::KeychainFailed, format!("the keychain refused: {words}")));
    service.now().refuses = None;

    keychain.set(ACCOUNT, &token("one")).await.unwrap();
    service.double().await;
    let error = keychain.get(ACCOUNT).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainFailed);
    let label = format!("keyring:{ACCOUNT}@standin");
    assert_eq!(
        error.message,
        format!("the keychain has 2 entries for `standin`, `{ACCOUNT}`: login/1 ({label}), login/2 ({label})")
    );
    assert_eq!(error.hint, "`standin token remove mirror-1` removes them all; then store the token again.");
    assert!(keychain.remove(ACCOUNT).await.unwrap());
    assert_eq!(service.count(), 0);
    keychain.set(ACCOUNT, &token("two")).await.unwrap();
    assert_eq!(value(&keychain).await.as_deref(), Some("two"));
}

#[test]
fn a_real_keychain_that_is_restarted_and_locked_is_told_from_one_without_the_entry() {
    in_a_session(module_path!(), "restarted", &["all"]);
}

#[tokio::test]
#[ignore = "started by the test above in a session with a keychain"]
async fn restarted() {
    let keychain = keychain(Manner::Quiet, "10s");
    keychain.set(ACCOUNT, &token("kept")).await.unwrap();
    assert_eq!(keychain.settles_in().await, Duration::ZERO);
    let daemon = |password: Option<&str>| {
        let script = r#"
            gnome-keyring-daemon --replace --components=secrets ${1:+--unlock} >/dev/null
        "#;
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, "sh"]).args(password.map(|_| "unlock"));
        command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        use std::io::Write as _;
        child.stdin.take().unwrap().write_all(password.unwrap_or_default().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    daemon(None);
    let error = keychain.get(ACCOUNT).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainLocked, "{error}");
    assert_eq!(keychain.set("orchestrator/other", &token("x")).await.unwrap_err().code, Code::KeychainLocked);
    assert!(keychain.get("orchestrator/other").await.unwrap().is_none(), "it finds what is there while it is locked");
    daemon(Some("pw\n"));
    assert_eq!(value(&keychain).await.as_deref(), Some("kept"));
}
