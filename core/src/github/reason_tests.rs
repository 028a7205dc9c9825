//! The host's refusals, as they were recorded, and what Standin makes of them.

use super::*;
use crate::github::answer;

const ADDRESS: &str = "https://github.com/orgs/acme/sso?authorization_request=AZSC";

fn refused(words: &str) -> Answer {
    let body =
        serde_json::json!({"message": words, "documentation_url": "https://docs.github.com/rest", "status": "403"});
    // A classic token with all that is wanted: what it lacks is never a scope.
    let headers = [("x-oauth-scopes", "repo, workflow"), ("x-accepted-oauth-scopes", "repo")];
    answer(403, &headers, &body.to_string())
}

fn block(status: u16, reason: &str, notice: Option<&str>) -> Answer {
    let block = serde_json::json!({"reason": reason, "created_at": "2026-02-07T00:00:00Z", "html_url": notice});
    answer(status, &[], &serde_json::json!({"message": "Repository access blocked", "block": block}).to_string())
}

#[test]
fn each_refusal_gets_the_advice_that_follows_from_what_the_host_said() {
    let sso = [("x-github-sso", format!("required; url={ADDRESS}"))];
    let sso: Vec<(&str, &str)> = sso.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let saml = r#"{"message": "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization."}"#;
    let table = [
        ("single sign-on", answer(403, &sso, saml), Code::TokenBarred, ADDRESS),
        ("single sign-on, hidden", answer(404, &sso, r#"{"message": "Not Found"}"#), Code::TokenBarred, ADDRESS),
        ("single sign-on by its words", answer(403, &[], saml), Code::TokenBarred, "`Configure SSO`"),
        (
            "addresses",
            refused(
                "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
            ),
            Code::TokenBarred,
            "IP allow list",
        ),
        (
            "classic tokens",
            refused(
                "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
            ),
            Code::TokenBarred,
            "a token that the organization takes",
        ),
        (
            "long lives",
            refused(
                "The 'acme' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days.",
            ),
            Code::TokenBarred,
            "a token that the organization takes",
        ),
        (
            "OAuth apps",
            refused(
                "Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.",
            ),
            Code::TokenBarred,
            "ask an owner of the organization",
        ),
        ("account", refused("Sorry. Your account was suspended"), Code::TokenBarred, "account is suspended"),
        ("migration", refused("Repository has been locked for migration."), Code::Forbidden, "moved elsewhere"),
        ("archive", refused("Repository was archived so is read-only."), Code::Forbidden, "unarchive it"),
        ("terms", block(403, "tos", None), Code::RepositoryBlocked, "for a breach of its terms"),
        ("data", block(403, "sensitive_data", None), Code::RepositoryBlocked, "for sensitive data in it"),
        (
            "notice",
            block(451, "dmca", Some("https://github.com/github/dmca/x.md")),
            Code::RepositoryBlocked,
            "Its notice: https://github.com/github/dmca/x.md",
        ),
        ("law", answer(451, &[], "{}"), Code::RepositoryBlocked, "for legal reasons"),
        (
            "a block that is none",
            answer(403, &[], r#"{"message": "no", "block": null}"#),
            Code::Forbidden,
            "lacks the right",
        ),
        ("role", refused("Must have admin rights to Repository."), Code::Forbidden, "The token's scopes are enough"),
    ];
    for (name, answer, code, says) in table {
        let reason = Reason::of(&answer).expect(name);
        let advice = reason.advice("github.com");
        assert_eq!(reason.code(), code, "{name}");
        assert!(advice.contains(says), "{name}: {advice}");
        assert!(!advice.contains("This needs one of"), "{name}: {advice}");
    }
}

#[test]
fn what_is_no_refusal_of_the_kind_has_no_reason() {
    for answer in [
        answer(404, &[], r#"{"message": "Not Found"}"#),
        answer(401, &[("x-github-sso", "required")], "{}"),
        answer(422, &[], "{}"),
        answer(500, &[], "{}"),
        answer(200, &[("x-github-sso", "partial-results; organizations=21955855")], "[]"),
    ] {
        assert_eq!(Reason::of(&answer), None, "{answer:?}");
    }
}

#[test]
fn scopes_are_named_only_where_none_of_the_wanted_is_held() {
    let advice = |held: &str, wanted: &str| {
        let headers = [("x-oauth-scopes", held), ("x-accepted-oauth-scopes", wanted)];
        Reason::of(&answer(403, &headers, "{}")).unwrap().advice("github.com")
    };
    assert_eq!(advice("public_repo", "repo"), "The token has the scopes: public_repo. This needs one of: repo.");
    assert_eq!(
        advice("", "repo, public_repo"),
        "The token has the scopes: none. This needs one of: repo, public_repo."
    );
    for (held, wanted) in [
        ("repo", "repo"),
        ("repo, workflow", "public_repo"),
        ("repo", "repo:status"),
        ("admin:org", "read:org, user"),
        ("write:org", "read:org"),
    ] {
        assert!(advice(held, wanted).starts_with("The token's scopes are enough"), "{held}, {wanted}");
    }
    assert!(advice("read:org", "write:org").contains("This needs one of: write:org"));
    assert_eq!(advice("repo", ""), "The account or its token lacks the right for this in that repository.");
}
