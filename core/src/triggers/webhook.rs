//! What GitHub sends when somebody has pushed: whether it is from GitHub, and what it asks for.
//!
//! The body counts only if it is signed with the secret that both know; before that nothing in it is read, and whoever sent it is
//! told nothing. One that was heard before is not heard again, by its number and by its signature alike: the number is not signed.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use standin_state::model::{RepositoryId, Slug, Trigger};
use standin_state::store::NewTrigger;

use crate::{Code, Error, Result};

/// The variable with the secret.
pub const SECRET_VARIABLE: &str = "STANDIN_WEBHOOK_SECRET";
/// The keychain's entry with the secret.
pub const SECRET_ACCOUNT: &str = "webhook";
/// The largest body that is read, in bytes: GitHub sends up to 25 MB, of which pushes need a part; what is larger is looked at
/// by the schedule.
pub const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How many deliveries are remembered, so that none is heard twice.
const REMEMBERED: usize = 4096;
/// Characters that a secret must have: what is shorter is guessed.
const SECRET_LENGTH: usize = 16;

/// Judges deliveries. Cheap to share by reference.
pub struct Webhooks {
    secret: SecretString,
    /// Which repositories of ours have this source.
    sources: Vec<(RepositoryId, Slug)>,
    heard: Mutex<Heard>,
}

/// What became of a delivery that GitHub signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody pushed: what is asked for, for each repository with this source.
    Push(Vec<NewTrigger>),
    /// GitHub tries out the webhook.
    Ping,
    /// Nothing that asks for a sync; why.
    Nothing(&'static str),
}

/// Why a delivery is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not signed with the secret, or not at all. Nothing more is told.
    NotSigned,
    /// It is too large.
    TooLarge,
    /// It is signed, and is not what GitHub sends for a repository of ours; why.
    Unfit(&'static str),
    /// It is for a repository that is not configured.
    Unknown,
}

impl Refusal {
    /// The status that answers it.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotSigned => 401,
            Self::TooLarge => 413,
            Self::Unfit(_) => 400,
            Self::Unknown => 404,
        }
    }

    /// What is answered besides: nothing, to whoever did not sign.
    pub fn words(&self) -> &'static str {
        match self {
            Self::NotSigned | Self::TooLarge => "",
            Self::Unfit(why) => why,
            Self::Unknown => "no repository here has this source",
        }
    }
}

/// What of a push is read.
#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    name: String,
    repository: Repository,
    pusher: Option<Pusher>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Pusher {
    name: String,
}

/// The deliveries that were heard, the last ones.
#[derive(Default)]
struct Heard {
    known: HashSet<Vec<u8>>,
    order: VecDeque<Vec<u8>>,
}

impl Heard {
    /// Whether one of these marks was heard before; they are from now on.
    fn again<'m>(&mut self, marks: impl IntoIterator<Item = &'m [u8]>) -> bool {
        let mut is_known = false;
        for mark in marks {
            if !self.known.insert(mark.to_vec()) {
                is_known = true;
                continue;
            }
            self.order.push_back(mark.to_vec());
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        is_known
    }

    fn forget<'m>(&mut self, marks: impl IntoIterator<Item = &'m [u8]>) {
        for mark in marks {
            self.known.remove(mark);
            self.order.retain(|known| known != mark);
        }
    }
}

/// Whether a secret is long enough to be one.
///
/// # Errors
/// [`Code::Configuration`].
pub fn check_secret(secret: &SecretString) -> Result<()> {
    if secret.expose_secret().chars().count() >= SECRET_LENGTH {
        return Ok(());
    }
    Err(Error::new(
        Code::Configuration,
        format!("the secret of the webhook has fewer than {SECRET_LENGTH} characters"),
        "Make one with `openssl rand -hex 32`, give it to the webhook's settings at GitHub, and here to `standin webhook secret`.",
    ))
}

impl Webhooks {
    /// Judges deliveries for these sources by this secret.
    ///
    /// # Errors
    /// [`Code::Configuration`] for a secret that could be guessed.
    pub fn new(secret: SecretString, sources: Vec<(RepositoryId, Slug)>) -> Result<Self> {
        check_secret(&secret)?;
        Ok(Self { secret, sources, heard: Mutex::default() })
    }

    /// What a delivery asks for.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Refusal> {
        if body.len() > BODY_LIMIT {
            return Err(Refusal::TooLarge);
        }
        let signature = self.signature(headers, body).ok_or(Refusal::NotSigned)?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match text("x-github-event") {
            Some("ping") => return Ok(Delivery::Ping),
            Some("push") => {}
            Some(_) => return Ok(Delivery::Nothing("only pushes are listened to")),
            None => return Err(Refusal::Unfit("it names no event")),
        }
        let number = text("x-github-delivery").filter(|number| (1..=128).contains(&number.len()));
        let number = number.ok_or(Refusal::Unfit("it has no number of a delivery"))?;
        if !text("content-type").is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
            return Err(Refusal::Unfit("set the content type of the webhook to application/json"));
        }
        let push: Push =
            serde_json::from_slice(body).map_err(|_| Refusal::Unfit("it is no push as GitHub sends it"))?;
        let triggers = self.triggers(&push, text("x-github-enterprise-host"))?;
        if !travels(&push.name) {
            return Ok(Delivery::Nothing("this ref does not travel"));
        }
        if self.lock().again([number.as_bytes(), &signature]) {
            return Ok(Delivery::Nothing("it was heard before"));
        }
        Ok(Delivery::Push(triggers))
    }

    /// Forgets that a delivery was heard, because what it asks for could not be kept: GitHub may send it again.
    pub fn unhear(&self, headers: &HeaderMap, body: &[u8]) {
        let number = headers.get("x-github-delivery").map(http::HeaderValue::as_bytes);
        let signature = self.signature(headers, body);
        self.lock().forget(number.into_iter().chain(signature.as_deref()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signature, if it is the secret's.
    fn signature(&self, headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
        let mut given = headers.get_all("x-hub-signature-256").iter();
        let text = given.next()?.to_str().ok()?.strip_prefix("sha256=")?;
        // Two of them, of which one may be right, are none.
        let signature = given.next().is_none().then(|| bytes_of(text))??;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()).ok()?;
        mac.update(body);
        // In constant time.
        mac.verify_slice(&signature).ok()?;
        Some(signature)
    }

    fn triggers(&self, push: &Push, host: Option<&str>) -> Result<Vec<NewTrigger>, Refusal> {
        let name = match host.filter(|host| !host.is_empty()) {
            Some(host) => format!("{host}/{}", push.repository.full_name),
            None => push.repository.full_name.clone(),
        };
        let slug: Slug = name.parse().map_err(|_| Refusal::Unfit("it names no repository"))?;
        let who = push.pusher.as_ref().map_or("somebody", |pusher| pusher.name.as_str());
        let what = if push.deleted { "deleted" } else { "pushed" };
        let by = format!("{who} {what} {} to {slug}", push.name);
        let same = self.sources.iter().filter(|(_, source)| is_same(source, &slug));
        let triggers: Vec<_> = same.map(|(id, _)| NewTrigger::of_all(id.clone(), Trigger::Webhook, &by)).collect();
        if triggers.is_empty() { Err(Refusal::Unknown) } else { Ok(triggers) }
    }
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Webhooks").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// Whether these are one repository: GitHub ignores the case of its names.
fn is_same(one: &Slug, other: &Slug) -> bool {
    one.to_string().eq_ignore_ascii_case(&other.to_string())
}

fn travels(name: &str) -> bool {
    ["refs/heads/", "refs/tags/", "refs/notes/"].iter().any(|prefix| name.starts_with(prefix))
}

/// The bytes of a SHA-256 in hexadecimal digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32).map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";

    fn webhooks() -> Webhooks {
        let source = |id: &str, slug: &str| (id.parse().unwrap(), slug.parse().unwrap());
        let sources =
            vec![source("site", "Owner/Site"), source("twin", "owner/site"), source("ghe", "ghe.example.com/o/n")];
        Webhooks::new(SecretString::from(SECRET), sources).unwrap()
    }

    fn sign(body: &[u8], secret: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("sha256={digits}")
    }

    fn push(repository: &str, name: &str) -> String {
        format!(r#"{{"ref": "{name}", "repository": {{"full_name": "{repository}"}}, "pusher": {{"name": "ann"}}}}"#)
    }

    /// The headers of a push that is signed well, changed by `change`.
    fn headers(body: &str, number: &str, change: &[(&'static str, Option<&str>)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let signature = sign(body.as_bytes(), SECRET);
        for (name, value) in [
            ("x-hub-signature-256", signature.as_str()),
            ("x-github-event", "push"),
            ("x-github-delivery", number),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        for (name, value) in change {
            match value {
                Some(value) => drop(headers.insert(*name, value.parse().unwrap())),
                None => drop(headers.remove(*name)),
            }
        }
        headers
    }

    fn judged(webhooks: &Webhooks, body: &str, change: &[(&'static str, Option<&str>)]) -> Result<Delivery, Refusal> {
        webhooks.judge(&headers(body, "1", change), body.as_bytes())
    }

    #[test]
    fn githubs_own_example_is_signed() {
        let mut headers = HeaderMap::new();
        let example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        headers.insert("x-hub-signature-256", example.parse().unwrap());
        assert!(webhooks().signature(&headers, b"Hello, World!").is_some());
        assert!(webhooks().signature(&headers, b"Hello, World.").is_none());
    }

    #[test]
    fn a_push_asks_for_a_sync_of_each_repository_with_this_source() {
        let Ok(Delivery::Push(triggers)) = judged(&webhooks(), &push("owner/site", "refs/heads/main"), &[]) else {
            panic!("no push")
        };
        let ids: Vec<&str> = triggers.iter().map(|trigger| trigger.repository.as_str()).collect();
        assert_eq!(ids, ["site", "twin"]);
        assert_eq!(triggers[0].kind, Trigger::Webhook);
        assert_eq!(triggers[0].by(), "ann pushed refs/heads/main to owner/site");
        let host = [("x-github-enterprise-host", Some("ghe.example.com"))];
        assert!(matches!(judged(&webhooks(), &push("O/N", "refs/tags/v1"), &host), Ok(Delivery::Push(_))));
        assert_eq!(judged(&webhooks(), &push("o/n", "refs/tags/v1"), &[]), Err(Refusal::Unknown));
    }

    #[test]
    fn what_is_not_signed_is_refused_and_told_nothing_whatever_it_says() {
        let body = push("owner/site", "refs/heads/main");
        let (good, wrong) = (sign(body.as_bytes(), SECRET), sign(body.as_bytes(), "another secret of 20"));
        let digits = good.strip_prefix("sha256=").unwrap();
        let upper = format!("SHA256={digits}");
        for signature in [
            None,
            Some(""),
            Some("sha256="),
            Some(digits),
            Some(&upper),
            Some(&wrong),
            Some(&good[..70]),
            Some("sha256=ä"),
        ] {
            let mut headers = headers(&body, "1", &[("x-hub-signature-256", None)]);
            if let Some(signature) = signature {
                let value = http::HeaderValue::from_bytes(signature.as_bytes()).unwrap();
                headers.insert("x-hub-signature-256", value);
            }
            let refusal = webhooks().judge(&headers, body.as_bytes()).unwrap_err();
            assert_eq!((refusal.status(), refusal.words()), (401, ""), "{signature:?}");
        }
        let mut two = headers(&body, "1", &[]);
        two.append("x-hub-signature-256", wrong.parse().unwrap());
        assert_eq!(webhooks().judge(&two, body.as_bytes()), Err(Refusal::NotSigned));
        // Not even that another event would be passed over.
        let ping = [("x-github-event", Some("ping")), ("x-hub-signature-256", Some(wrong.as_str()))];
        assert_eq!(judged(&webhooks(), &body, &ping), Err(Refusal::NotSigned));
    }

    #[test]
    fn what_is_signed_and_no_push_is_told_apart() {
        let body = push("owner/site", "refs/heads/main");
        let event = |event| judged(&webhooks(), &body, &[("x-github-event", event)]);
        assert_eq!(event(Some("ping")), Ok(Delivery::Ping));
        assert_eq!(event(Some("issues")), Ok(Delivery::Nothing("only pushes are listened to")));
        assert!(matches!(event(None), Err(Refusal::Unfit(_))));
        assert!(matches!(judged(&webhooks(), "{}", &[]), Err(Refusal::Unfit(_))));
        assert!(matches!(judged(&webhooks(), "\u{0}", &[]), Err(Refusal::Unfit(_))));
        assert!(matches!(judged(&webhooks(), &body, &[("x-github-delivery", None)]), Err(Refusal::Unfit(_))));
        let form = [("content-type", Some("application/x-www-form-urlencoded"))];
        assert!(matches!(judged(&webhooks(), &body, &form), Err(Refusal::Unfit(_))));
        assert_eq!(judged(&webhooks(), &push("other/site", "refs/heads/main"), &[]), Err(Refusal::Unknown));
        assert!(matches!(judged(&webhooks(), &push("../../etc", "refs/heads/main"), &[]), Err(Refusal::Unfit(_))));
        let pull = push("owner/site", "refs/pull/1/head");
        assert_eq!(judged(&webhooks(), &pull, &[]), Ok(Delivery::Nothing("this ref does not travel")));
        let large = " ".repeat(BODY_LIMIT + 1);
        assert_eq!(judged(&webhooks(), &large, &[]), Err(Refusal::TooLarge));
    }

    #[test]
    fn a_delivery_is_heard_once_also_under_another_number_and_the_memory_has_a_bound() {
        let webhooks = webhooks();
        let body = push("owner/site", "refs/heads/main");
        let hear = |body: &str, number: &str| webhooks.judge(&headers(body, number, &[]), body.as_bytes());
        assert!(matches!(hear(&body, "1"), Ok(Delivery::Push(_))));
        let again = Ok(Delivery::Nothing("it was heard before"));
        assert_eq!(hear(&body, "1"), again);
        assert_eq!(hear(&body, "2"), again, "the number is not signed");
        assert_eq!(hear(&push("owner/site", "refs/heads/next"), "1"), again);
        webhooks.unhear(&headers(&body, "1", &[]), body.as_bytes());
        assert!(matches!(hear(&body, "1"), Ok(Delivery::Push(_))), "GitHub sends again what could not be kept");
        for number in 0..REMEMBERED {
            let body = push("owner/site", &format!("refs/heads/{number}"));
            assert!(matches!(hear(&body, &format!("n{number}")), Ok(Delivery::Push(_))));
        }
        let heard = webhooks.lock();
        assert_eq!((heard.known.len(), heard.order.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused_and_none_is_shown() {
        let error = Webhooks::new(SecretString::from("CANARY"), Vec::new()).unwrap_err();
        assert_eq!(error.code, Code::Configuration);
        assert!(!format!("{error:?} {:?}", webhooks()).contains("CANARY"));
        assert!(!format!("{:?}", webhooks()).contains("Secret"));
    }
}
