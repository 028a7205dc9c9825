//! REST access to GitHub: octocrab, and below it limits, conditional requests, careful repetition.
//!
//! [`Client`] speaks to one host with one token for one run. octocrab makes the requests and reads the answers ([`call`],
//! [`endpoints`]); what Standin promises about them lies in [`layers`] between it and the wire:
//!
//! - A request is repeated only where that cannot do harm: reads for passing faults; writes only after their effect
//!   was read back ([`Client::write`]), since a broken connection says nothing about what the host did.
//! - The host's limits are honoured: `retry-after`, else `x-ratelimit-reset`, as long as the run has the time; writes
//!   are paced for each token across the process ([`pace`]).
//! - An unchanged list costs a conditional request, which the host does not count ([`remember`]).
//! - The token goes to the configured host only: no redirect leads it elsewhere, no plain HTTP carries it off this
//!   machine, and nothing here prints it.
//!
//! Of octocrab's models those are used that hold for what GitHub and GitHub Enterprise leave out and add; the others are
//! a few fields of our own. The wire is reqwest, whose connections git's own HTTP shares; TLS is rustls with ring.
//!
//! What to do with secrets, variables and workflows is not decided here but in the rooms of these names.

mod answer;
mod call;
mod endpoints;
mod layers;
mod names;
mod once;
mod pace;
mod pool;
mod reason;
mod remember;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use octocrab::Octocrab;
use rand::RngExt as _;
use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use secrecy::SecretString;
use standin_state::config::Config;
use standin_state::model::{MirrorId, RepositoryId, Slug};
use tokio_util::sync::CancellationToken;

use crate::memory::Memory;
use crate::outside::Outside;
use crate::redact::Redactor;
use crate::totals::Totals;
use crate::{Code, Error, Result};

pub use answer::Answer;
pub(crate) use answer::Standing;
#[cfg(test)]
pub(crate) use answer::tests::answer;
pub use call::{Call, Wrote};
pub(crate) use endpoints::in_url;
pub use endpoints::{
    ActionsSettings, Contents, Disabled, FileContents, LookedAt, NewPullRequest, PullRequest, PullRequestSide,
    RepositoryInfo, RepositoryRights, SecretEntry, TokenFacts, User, Variable, Workflow, WorkflowRun,
    WorkflowStateWord,
};
pub use names::VALUE_LIMIT;
pub(crate) use names::{NAME_RULE, is_name};

use pace::TokenHash;

pub(crate) use pace::BURST;
pub(crate) use pool::connections;
pub(crate) use reason::told_in;
pub(crate) use remember::token_end;

/// The version of GitHub's API that is spoken here, and by the sentinel.
pub const API_VERSION: &str = "2022-11-28";

/// The host of slugs that name none.
pub const GITHUB_COM: &str = "github.com";

/// How long a look waits for the host's limits: what it would show by then, the limits themselves say.
pub(crate) const PATIENCE_OF_A_LOOK: Duration = Duration::from_secs(20);

/// Wait before the second try; doubled before each further one, with up to half of it taken off at random.
const FIRST_BACKOFF: Duration = Duration::from_millis(400);

/// REST access to one GitHub host with one token, for one run.
#[derive(Clone)]
pub struct Client {
    octocrab: Octocrab,
    shared: Arc<Shared>,
}

/// What a client and its layers have in common.
#[derive(Clone)]
struct Shared {
    host: String,
    base: Url,
    token: SecretString,
    token_hash: TokenHash,
    pace: Arc<pace::Pace>,
    request_limit: Duration,
    waits: pace::Waits,
    totals: Arc<Totals>,
    memory: Memory,
    reads: Arc<once::Reads>,
    sunset: Arc<OnceLock<Timestamp>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("base", &self.shared.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the host of `slug`, for one run; waits for limits never last beyond `[limits] run` from now. It is
    /// made, used and dropped within one Tokio runtime, where octocrab keeps a task for it.
    ///
    /// # Errors
    /// [`Code::Configuration`] for an address that is no URL, has credentials in it, or would carry the token in
    /// plain text to another machine.
    pub fn new(
        config: &Config,
        slug: &Slug,
        token: &SecretString,
        memory: Memory,
        totals: Arc<Totals>,
        cancel: CancellationToken,
    ) -> Result<Self> {
        let host = slug.host.as_deref().unwrap_or(GITHUB_COM).to_ascii_lowercase();
        let base = base_url(config, &host)?;
        let token_hash = TokenHash::of(&base, token);
        let deadline = Instant::now() + config.limits.run;
        Ok(Self::of(Shared {
            waits: pace::Waits { host: host.clone(), clock: memory.clock().clone(), deadline, cancel, listener: None },
            host,
            base,
            token: token.clone(),
            pace: pace::of(&token_hash),
            token_hash,
            request_limit: config.limits.request,
            totals,
            memory,
            reads: Arc::default(),
            sunset: Arc::default(),
        }))
    }

    /// Names its token without telling it.
    pub(crate) fn token_hash(&self) -> String {
        self.shared.token_hash.short()
    }

    fn of(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { octocrab: layers::octocrab(&shared), shared }
    }

    /// The same client for work that goes on after the run was stopped: it listens to another cancel, and has at least
    /// a minute.
    #[must_use]
    pub fn with_cancel(&self, cancel: CancellationToken) -> Self {
        let waits = &self.shared.waits;
        let deadline = waits.deadline.max(Instant::now() + Duration::from_secs(60));
        self.with_waits(pace::Waits { deadline, cancel, ..waits.clone() })
    }

    /// The same client for what is done for this mirror, or for the repository: it says when it waits for the host's limits, and waits
    /// no longer than `patience` where there is one.
    #[must_use]
    pub fn waiting(
        &self,
        outside: &Outside,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
        patience: Option<Duration>,
    ) -> Self {
        let listener = pace::Listener {
            progress: outside.progress.clone(),
            repository: repository.clone(),
            mirror: mirror.cloned(),
            told: Arc::default(),
        };
        let known = &self.shared.waits;
        let deadline = patience.map_or(known.deadline, |patience| known.deadline.min(Instant::now() + patience));
        self.with_waits(pace::Waits { deadline, listener: Some(listener), ..known.clone() })
    }

    fn with_waits(&self, waits: pace::Waits) -> Self {
        Self::of(Shared { waits, ..(*self.shared).clone() })
    }

    /// The host as slugs name it, such as `github.com`.
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// When the host ends [`API_VERSION`], as far as it said so in an answer to this client (`Sunset`).
    pub fn api_sunset(&self) -> Option<Timestamp> {
        self.shared.sunset.get().copied()
    }

    /// Waits until `count` content-making requests may be sent with this client's token, and counts them as sent. For
    /// requests that somebody else (gh) makes; those of this client are counted by themselves.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when that would take longer than the run may, [`Code::Cancelled`].
    pub async fn pace(&self, count: usize) -> Result<()> {
        self.shared.pace.writes(count, &self.shared.waits).await
    }
}

impl Shared {
    /// The full address of a path below the API's address.
    fn address(&self, path: &str) -> Result<Url> {
        let address = self.same_host(self.base.join(path));
        address
            .ok_or_else(|| Error::new(Code::Internal, format!("`{path}` is no path of the API"), "Please report this."))
    }

    /// The address, if it is one of the API's host.
    fn same_host(&self, url: Result<Url, impl std::error::Error>) -> Option<Url> {
        url.ok().filter(|url| url.origin() == self.base.origin())
    }

    fn odd(&self, what: &str, why: impl std::fmt::Display) -> Error {
        answer::unfit(what, Redactor::of([&self.token]).text(&why.to_string()))
    }

    fn refusal(&self, what: &str, answer: &Answer) -> Error {
        let token_expires = remember::token_expiry(&self.memory, &self.token_hash.short());
        answer.refusal(what, &self.host, token_expires).about(self.memory.mirror())
    }

    async fn back_off(&self, tried: u32) -> Result<()> {
        let full = FIRST_BACKOFF * 2_u32.saturating_pow(tried.saturating_sub(1)).min(16);
        let wait = full - full.mul_f64(rand::rng().random_range(0.0..0.5));
        tokio::select! {
            () = self.waits.cancel.cancelled() => Err(pace::cancelled()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }
}

/// The address with `rel="next"` in the `Link` headers.
fn next_page(headers: &HeaderMap) -> Option<&str> {
    let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok()).flat_map(|link| link.split('<'));
    links.filter_map(|link| link.split_once('>')).find_map(|(address, rest)| {
        rest.split([';', ',']).any(|parameter| parameter.trim() == r#"rel="next""#).then_some(address)
    })
}

/// Where REST requests for this host go: as configured, else as GitHub and GitHub Enterprise have it.
fn base_url(config: &Config, host: &str) -> Result<Url> {
    let configured = config.hosts.iter().find(|known| known.name.eq_ignore_ascii_case(host));
    let text = match configured {
        Some(known) => known.api_url.clone(),
        None if host == GITHUB_COM => "https://api.github.com".to_owned(),
        None => format!("https://{host}/api/v3"),
    };
    let refuse = |why: &str, hint: &str| Error::new(Code::Configuration, format!("api_url of {host}: {why}"), hint);
    let mut base = Url::parse(&text)
        .map_err(|_| refuse("not a URL", "Give a full address such as `https://github.example.com/api/v3`."))?;
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() || base.fragment().is_some() {
        return Err(refuse(
            "has more than a host and a path",
            "Remove user, password and query; the token has its own place.",
        ));
    }
    match base.scheme() {
        "https" => {}
        "http" if pool::is_loopback(&base) => {}
        _ => {
            return Err(refuse(
                &format!("`{text}` would send the token unencrypted"),
                "Use `https://`; plain `http://` is allowed for this machine only.",
            ));
        }
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use standin_state::config::GitHubHost;

    use super::*;

    fn configured(api_url: &str) -> Result<Url> {
        let host = GitHubHost {
            name: "ghe.example.com".to_owned(),
            api_url: api_url.to_owned(),
            server_url: String::new(),
            gh_config_dir: None,
        };
        base_url(&Config { hosts: vec![host], ..Config::default() }, "ghe.example.com")
    }

    #[test]
    fn each_host_has_its_own_address() {
        let address = |host| base_url(&Config::default(), host).unwrap().to_string();
        assert_eq!(address("github.com"), "https://api.github.com/");
        assert_eq!(address("ghe.example.com"), "https://ghe.example.com/api/v3/");
        assert_eq!(configured("https://proxy.example.com/gh").unwrap().as_str(), "https://proxy.example.com/gh/");
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = |links: &[&'static str]| {
            let headers = links.iter().map(|link| (LINK, reqwest::header::HeaderValue::from_static(link)));
            next_page(&headers.collect()).map(str::to_owned)
        };
        let one = r#"<https://h/a?page=1>; rel="prev", <https://h/a?of=x,y&page=3>; rel="next", <https://h/a?page=9>; rel="last""#;
        assert_eq!(next(&[one]).as_deref(), Some("https://h/a?of=x,y&page=3"));
        assert_eq!(next(&[r#"<https://h/old>; rel="deprecation""#, one]).as_deref(), Some("https://h/a?of=x,y&page=3"));
        assert_eq!(next(&[r#"<https://h/a?page=1>; rel="prev""#]), None);
    }

    #[test]
    fn a_token_leaves_this_machine_only_encrypted() {
        for address in ["http://127.0.0.1:8080", "http://[::1]:8080/api", "http://localhost:1"] {
            assert!(configured(address).is_ok(), "{address}");
        }
        for address in [
            "http://ghe.example.com",
            "ftp://127.0.0.1",
            "http://127.0.0.1.example.com",
            "ghe",
            "https://u:p@ghe.example.com",
        ] {
            assert_eq!(configured(address).unwrap_err().code, Code::Configuration, "{address}");
        }
    }
}
