//! Why the host refused: read in its headers and in the fields of its answer first, in its words last.
//!
//! GitHub says 403 for nearly everything, and most of it is about the token: its repository is well for everybody else. What
//! it says of a repository that is really gone is 404, 451, or 403 with a `block`.

use serde_json::Value;

use super::answer::Answer;
use crate::Code;

/// Why a request was refused with 403, 451, or whatever else comes with `X-GitHub-SSO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// An organization wants single sign-on, and the token is not authorized for it. The address where its owner does
    /// that, as far as it was told.
    SingleSignOn(Option<String>),
    /// An organization takes requests from listed addresses alone.
    AddressList,
    /// An organization or enterprise does not take such a token: its kind, its lifetime, the program that it was made for.
    TokenRule,
    /// The token's account was suspended.
    AccountSuspended,
    /// The host blocked the repository for everybody: why, and the address of its notice.
    Blocked { why: Option<String>, notice: Option<String> },
    /// The repository is being moved elsewhere.
    Locked,
    /// The repository is archived.
    Archived,
    /// A right is lacking, as far as can be told: which one.
    Right(String),
}

impl Reason {
    /// Reads it in a refusal; `None` for what is refused otherwise, such as a plain 404.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let status = answer.status.as_u16();
        if !answer.status.is_client_error() || status == 401 {
            return None;
        }
        if let Some(header) = answer.header("x-github-sso") {
            return Some(Self::SingleSignOn(address(header)));
        }
        let block = serde_json::from_slice::<Value>(&answer.body).ok().map(|body| body["block"].clone());
        let block = block.filter(Value::is_object);
        if status == 451 || (status == 403 && block.is_some()) {
            let text = |name: &str| block.as_ref().and_then(|block| block[name].as_str()).map(str::to_owned);
            return Some(Self::Blocked { why: text("reason"), notice: text("html_url") });
        }
        if status != 403 {
            return None;
        }
        Some(Self::told_in(&answer.message()).unwrap_or_else(|| Self::Right(lacking(answer))))
    }

    /// Reads it in the host's words alone, where they name it.
    fn told_in(words: &str) -> Option<Self> {
        let words = words.to_lowercase();
        let says = |all: &[&str]| all.iter().all(|part| words.contains(part));
        Some(if says(&["saml enforcement"]) || says(&["saml sso"]) {
            Self::SingleSignOn(None)
        } else if says(&["ip allow list"]) {
            Self::AddressList
        } else if says(&["forbids access via a"]) || says(&["oauth app access restrictions"]) {
            Self::TokenRule
        } else if says(&["account", "suspended"]) {
            Self::AccountSuspended
        } else if says(&["locked", "migration"]) {
            Self::Locked
        } else if says(&["archived"]) {
            Self::Archived
        } else {
            return None;
        })
    }

    /// The code of the error.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::SingleSignOn(_) | Self::AddressList | Self::TokenRule | Self::AccountSuspended => Code::TokenBarred,
            Self::Blocked { .. } => Code::RepositoryBlocked,
            Self::Locked | Self::Archived | Self::Right(_) => Code::Forbidden,
        }
    }

    /// What to do about it. `host` as slugs name it.
    pub(super) fn advice(&self, host: &str) -> String {
        match self {
            Self::SingleSignOn(Some(address)) => {
                format!("Authorize the token for the organization: open {address} (such an address works for an hour).")
            }
            Self::SingleSignOn(None) => {
                "Authorize the token for the organization: in the list of your tokens, `Configure SSO`.".to_owned()
            }
            Self::AddressList => {
                "Ask an owner of the organization to add the address that this is asked from to its IP \
                                  allow list, or ask from one that stands there."
                    .to_owned()
            }
            Self::TokenRule => {
                "Make a token that the organization takes (its kind and lifetime are in the host's words), or \
                                ask an owner of the organization to allow this one."
                    .to_owned()
            }
            Self::AccountSuspended => {
                format!("The token's account is suspended: ask {host}'s support, or take a token of another account.")
            }
            Self::Blocked { why, notice } => {
                let why = match why.as_deref() {
                    Some("dmca") => " after a notice of a copyright holder",
                    Some("tos") => " for a breach of its terms",
                    Some("sensitive_data") => " for sensitive data in it",
                    Some(_) => "",
                    None => " for legal reasons",
                };
                let notice = notice.as_deref().map(|notice| format!(" Its notice: {notice}")).unwrap_or_default();
                format!(
                    "{host} blocked the repository{why}; only its owner and {host}'s support can change that.{notice}"
                )
            }
            Self::Locked => {
                "The repository is locked while it is moved elsewhere: wait until that is through, or ask who \
                             moves it to unlock it."
                    .to_owned()
            }
            Self::Archived => "The repository is archived: unarchive it in its settings, then try again.".to_owned(),
            Self::Right(lacking) => lacking.clone(),
        }
    }
}

/// What another program's words, which are all that is left of the host's 403, say of a token that is kept out or a repository
/// that is locked or archived: the code and what to do. `None` for everything else.
pub(crate) fn told_in(words: &str) -> Option<(Code, String)> {
    Reason::told_in(words).map(|reason| (reason.code(), reason.advice("the host")))
}

/// The address in `required; url=…`.
fn address(header: &str) -> Option<String> {
    let address = header.split_once("url=")?.1.trim();
    (address.starts_with("https://") || address.starts_with("http://")).then(|| address.to_owned())
}

/// What is said about rights: the permission that the endpoint wants of a fine-grained token, the scopes of which a classic
/// one has none.
fn lacking(answer: &Answer) -> String {
    let told = |name: &str| answer.header(name).filter(|text| !text.trim().is_empty());
    if let Some(permission) = told("x-accepted-github-permissions") {
        return format!("The token lacks a permission: this needs `{permission}` on that repository.");
    }
    let scopes = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
    };
    let held = answer.header("x-oauth-scopes").map(scopes);
    let wanted = told("x-accepted-oauth-scopes").map(scopes).unwrap_or_default();
    match held {
        Some(held) if !wanted.is_empty() && !wanted.iter().any(|scope| held.iter().any(|held| covers(held, scope))) => {
            let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
            format!("The token has the scopes: {held}. This needs one of: {}.", wanted.join(", "))
        }
        Some(_) if !wanted.is_empty() => {
            "The token's scopes are enough: its account lacks the right for this in that repository.".to_owned()
        }
        _ => "The account or its token lacks the right for this in that repository.".to_owned(),
    }
}

/// Whether a scope gives all that another one gives: `repo` holds `public_repo` and `repo:status`, `admin:org` `read:org`.
fn covers(held: &str, wanted: &str) -> bool {
    let below = |scope: &str| match held.split_once(':') {
        None => scope.split_once(':').is_some_and(|(parent, _)| parent == held),
        Some(("admin", what)) => matches!(scope.split_once(':'), Some(("write" | "read", of)) if of == what),
        Some(("write", what)) => scope.split_once(':') == Some(("read", what)),
        Some(_) => false,
    };
    held == wanted || (held == "repo" && wanted == "public_repo") || below(wanted)
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
