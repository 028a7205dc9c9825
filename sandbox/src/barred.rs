//! How GitHub keeps out a token that is valid: by single sign-on, a list of addresses, a rule for tokens, a lock. `GET /user`
//! is answered all the while, and the repository is well for everybody else.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::rest::Refusal;

/// What keeps a token out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barred {
    /// The organization wants single sign-on, and the token is not authorized for it.
    SingleSignOn,
    /// The organization takes requests from listed addresses alone.
    AddressList,
    /// The organization takes no classic tokens.
    ClassicToken,
    /// The organization takes no tokens that live so long.
    TokenLifetime,
    /// The token has no permission for it.
    Permission,
    /// The repository is being moved to another place.
    MigrationLock,
    /// Too much in a short time, in GitHub's older words: without `retry-after`.
    Abuse,
}

/// A request that is refused so.
#[derive(Debug, Clone)]
pub(crate) struct Barring {
    pub how: Barred,
    /// Login of the organization that says so.
    pub organization: String,
}

impl Barring {
    /// What REST answers.
    pub(crate) fn refusal(&self) -> Refusal {
        let Self { how, organization } = self;
        let (message, documentation) = match how {
            Barred::SingleSignOn => (
                "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to \
                 this organization."
                    .to_owned(),
                "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-sign-on/",
            ),
            Barred::AddressList => (
                format!(
                    "Although you appear to have the correct authorization credentials, the `{organization}` organization \
                     has an IP allow list enabled, and your IP address is not permitted to access this resource."
                ),
                "https://docs.github.com/rest",
            ),
            Barred::ClassicToken => (
                format!(
                    "`{organization}` forbids access via a personal access token (classic). Please use a GitHub App, OAuth \
                     App, or a personal access token with fine-grained permissions."
                ),
                "https://docs.github.com/rest",
            ),
            Barred::TokenLifetime => (self.lifetime(), "https://docs.github.com/rest"),
            Barred::Permission => {
                ("Resource not accessible by personal access token".to_owned(), "https://docs.github.com/rest")
            }
            Barred::MigrationLock => {
                ("Repository has been locked for migration.".to_owned(), "https://docs.github.com/rest")
            }
            Barred::Abuse => (
                "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.".to_owned(),
                "https://docs.github.com/rest/overview/resources-in-the-rest-api#abuse-rate-limits",
            ),
        };
        let refusal =
            Refusal::with_fields(StatusCode::FORBIDDEN, &message, json!({"documentation_url": documentation}));
        let header = HeaderValue::from_str(&format!("required; url={}", self.address()));
        match (how, header) {
            (Barred::SingleSignOn, Ok(value)) => refusal.header(HeaderName::from_static("x-github-sso"), value),
            _ => refusal,
        }
    }

    /// What git over HTTP answers: git shows it after `remote:`.
    pub(crate) fn lines(&self) -> String {
        let organization = &self.organization;
        match self.how {
            Barred::SingleSignOn => format!(
                "The '{organization}' organization has enabled or enforced SAML SSO.\n\
                 To access this repository, visit {} and try your request again.\n",
                self.address()
            ),
            Barred::AddressList => {
                "The repository owner has an IP allow list enabled, and 127.0.0.1 is not permitted to \
                                    access this repository.\n"
                    .to_owned()
            }
            Barred::ClassicToken => format!(
                "The '{organization}' organization forbids access via a personal access token (classic). Please use a \
                 GitHub App, OAuth App, or a personal access token with fine-grained permissions.\n"
            ),
            Barred::TokenLifetime => format!("{}\n", self.lifetime()),
            Barred::Permission => "Write access to repository not granted.\n".to_owned(),
            Barred::MigrationLock => "Repository has been locked for migration.\n".to_owned(),
            Barred::Abuse => {
                "You have triggered an abuse detection mechanism. Please wait a few minutes before you try \
                              again.\n"
                    .to_owned()
            }
        }
    }

    fn lifetime(&self) -> String {
        format!(
            "The '{}' organization forbids access via a fine-grained personal access tokens if the token's lifetime is \
             greater than 366 days. Please adjust your token's lifetime at the following URL: \
             https://github.com/settings/personal-access-tokens/12345678",
            self.organization
        )
    }

    /// Where the token's owner authorizes it.
    fn address(&self) -> String {
        format!(
            "https://github.com/orgs/{}/sso?authorization_request=AZSCKtL4U8yX1H3sCQIVnVgmjmon5fWx",
            self.organization
        )
    }
}
