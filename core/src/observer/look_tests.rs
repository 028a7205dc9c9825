//! What the host's answers say of the one asked for: the table that the sentinel's script has as well.

use super::*;
use crate::Error;
use crate::github::answer;

const SAML: &str = r#"{"message": "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization."}"#;
const ADDRESS: &str = "https://github.com/orgs/acme/sso?authorization_request=AZSC";

fn said(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    reply("github.com", &Ok(answer(status, headers, body)))
}

#[test]
fn gone_is_404_and_451_and_a_403_with_a_block() {
    let block = r#"{"message": "Repository access blocked", "block": {"reason": "tos", "html_url": null}}"#;
    for (status, body) in [(404, r#"{"message": "Not Found"}"#), (451, block), (451, "{}"), (403, block)] {
        assert!(matches!(said(status, &[], body), Reply::Absent(_)), "{status} {body}");
    }
}

#[test]
fn every_other_403_and_all_that_asks_for_single_sign_on_is_the_tokens_matter() {
    let sso = format!("required; url={ADDRESS}");
    let sso = [("x-github-sso", sso.as_str())];
    let block = r#"{"message": "Repository access blocked", "block": {"reason": "tos"}}"#;
    for (status, body) in [(403, SAML), (404, r#"{"message": "Not Found"}"#), (451, "{}"), (403, block)] {
        let Reply::Barred { words, advice } = said(status, &sso, body) else { panic!("{status} {body}") };
        assert!(
            words.starts_with(&format!("HTTP {status} ")) && words.ends_with(&format!("; open {ADDRESS}")),
            "{words}"
        );
        assert!(advice.contains(ADDRESS), "{advice}");
    }
    for words in [
        "Resource protected by organization SAML enforcement.",
        "the `acme` organization has an IP allow list enabled",
        "`acme` forbids access via a personal access token (classic).",
        "Resource not accessible by personal access token",
        "Repository has been locked for migration.",
        "something that nobody has heard of yet",
    ] {
        for body in [serde_json::json!({"message": words}), serde_json::json!({"message": words, "block": null})] {
            let Reply::Barred { words: told, .. } = said(403, &[], &body.to_string()) else { panic!("{words}") };
            assert_eq!(told, format!("HTTP 403 {words}"));
        }
    }
    assert!(matches!(said(403, &[], "<html>"), Reply::Barred { .. }), "a proxy's page");
}

#[test]
fn other_answers_are_what_they_were() {
    let sso = [("x-github-sso", "partial-results; organizations=21955855")];
    assert_eq!(said(200, &sso, "{}"), Reply::Fine);
    assert_eq!(said(204, &[], ""), Reply::Fine);
    assert!(matches!(said(401, &[], "{}"), Reply::Refused(_)));
    assert!(matches!(said(409, &[], "{}"), Reply::Empty(_)));
    assert!(matches!(said(422, &[], "{}"), Reply::Odd(_)));
    let broke = |code| reply("github.com", &Err(Error::new(code, "looking at a/b: it broke", "")));
    assert_eq!(broke(Code::HostFailed), Reply::Ill("it broke".to_owned()));
    for code in [Code::Network, Code::TimedOut] {
        assert_eq!(broke(code), Reply::Silent("it broke".to_owned()), "{code:?}");
    }
    let limited = reply("github.com", &Err(Error::new(Code::RateLimited, "looking at a/b: wait", "")));
    assert_eq!(limited, Reply::Limited("wait".to_owned()));
}
