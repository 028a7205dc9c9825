//! The tower layers between octocrab and the wire, from the outside in: the address, what is remembered, the host's
//! limits, redirects, what is watched. Each is one function around what lies below it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, StatusCode, Url};
use secrecy::ExposeSecret as _;
use tower::layer::{Layer, layer_fn};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

use super::answer::Answer;
use super::call::Call;
use super::remember::{self, Kept};
use super::{API_VERSION, Shared, next_page, pace, pool};
use crate::redact::Redactor;
use crate::{Code, Error, Result, crash};

/// How often a request is sent at most, when it fails in passing.
pub(super) const TRIES: u32 = 4;
/// How long a host works on a request at most before it ends it by itself: ten seconds, as GitHub says.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Redirects within the host (a renamed repository) that are followed.
const REDIRECTS: u32 = 3;
/// Largest answer that is read, in bytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// What lies below a layer.
type Below = BoxCloneSyncService<Request, Answer, Failure>;

/// A request on its way, and the call that it is made for.
#[derive(Clone)]
struct Request {
    call: Call,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn is_read(&self) -> bool {
        self.call.method == Method::GET
    }
}

/// Why a request has no answer. octocrab hands it through as the source of its own error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) enum Failure {
    /// It was never sent.
    NotSent(Error),
    /// It may have been carried out.
    Unknown(Error),
    /// Nothing to try again for.
    Final(#[from] Error),
}

impl Failure {
    /// What octocrab's error stands for.
    pub(super) fn of(error: octocrab::Error, shared: &Shared, what: &str) -> Self {
        let error = match error {
            octocrab::Error::Service { source, .. } => match source.downcast::<Self>() {
                Ok(failure) => return *failure,
                Err(other) => other.to_string(),
            },
            octocrab::Error::Http { .. } if HeaderValue::from_str(shared.token.expose_secret()).is_err() => {
                let message = format!("the token for {} has characters that no token has", shared.host);
                let hint = "Store it again, without line breaks or spaces.";
                return Error::new(Code::Unauthorized, message, hint).about(shared.memory.mirror()).into();
            }
            other => other.to_string(),
        };
        Error::new(Code::Internal, format!("{what}: {error}"), "Please report this.").into()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(error) | Failure::Unknown(error) | Failure::Final(error) => error,
        }
    }
}

/// octocrab on top of the layers. It has no client, retries and redirects of its own (they are features of it), and
/// gives each request the token.
pub(super) fn octocrab(shared: &Arc<Shared>) -> Octocrab {
    let sender = Arc::clone(shared);
    let layers = ServiceBuilder::new()
        .layer(around(shared, remembered))
        .layer(around(shared, limited))
        .layer(around(shared, redirected))
        .layer(around(shared, watched))
        .service(Below::new(service_fn(move |request| sent(Arc::clone(&sender), request))));
    let base = Arc::clone(shared);
    let service = service_fn(move |request| addressed(Arc::clone(&base), request, layers.clone()));
    let auth = AuthState::AccessToken { token: shared.token.clone() };
    let Ok(octocrab) = OctocrabBuilder::new_empty().with_service(service).with_auth(auth).build();
    octocrab
}

/// A layer that is this function.
fn around<F>(shared: &Arc<Shared>, layer: fn(Arc<Shared>, Request, Below) -> F) -> impl Layer<Below, Service = Below>
where
    F: Future<Output = Result<Answer, Failure>> + Send + 'static,
{
    let shared = Arc::clone(shared);
    layer_fn(move |below: Below| {
        let shared = Arc::clone(&shared);
        Below::new(service_fn(move |request| layer(Arc::clone(&shared), request, below.clone())))
    })
}

/// What octocrab asks for lies below the API's address, also where that has a path.
async fn addressed(
    shared: Arc<Shared>,
    request: http::Request<OctoBody>,
    below: Below,
) -> Result<http::Response<Full<Bytes>>, BoxError> {
    let (mut parts, body) = request.into_parts();
    // GitHub wants a length of writes without a body; octocrab gives it to reads too.
    if parts.method == Method::GET {
        parts.headers.remove(CONTENT_LENGTH);
    }
    parts.headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    parts.headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
    let request = Request {
        call: parts.extensions.remove().unwrap_or_default(),
        url: shared.address(parts.uri.to_string().trim_start_matches('/'))?,
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    };
    Ok(below.oneshot(request).await?.into_response())
}

/// What did not change since it was kept costs a 304.
async fn remembered(shared: Arc<Shared>, mut request: Request, below: Below) -> Result<Answer, Failure> {
    if !request.call.remember {
        if let Some(etag) = request.call.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request.headers.insert(IF_NONE_MATCH, etag);
        }
        return below.oneshot(request).await;
    }
    let address = request.url.to_string();
    let kept = remember::kept(&shared.memory, &address);
    if let Some(etag) = kept.as_ref().and_then(|kept| HeaderValue::from_str(&kept.etag).ok()) {
        request.headers.insert(IF_NONE_MATCH, etag);
    }
    let answer = below.oneshot(request).await?;
    if let (StatusCode::NOT_MODIFIED, Some(kept)) = (answer.status, kept) {
        return Ok(kept.into_answer());
    }
    if answer.status.is_success()
        && let (Some(etag), Ok(body)) = (answer.header(ETAG.as_str()), str::from_utf8(&answer.body))
    {
        let next = next_page(&answer.headers).map(str::to_owned);
        remember::keep(&shared.memory, &address, &Kept { etag: etag.to_owned(), next, body: body.to_owned() })?;
    }
    Ok(answer)
}

/// Sends until there is an answer that is not about limits. What fails before it was sent, and reads that fail in
/// passing, are tried again; a write whose outcome is unknown is the caller's to look after.
async fn limited(shared: Arc<Shared>, request: Request, below: Below) -> Result<Answer, Failure> {
    let (is_read, what) = (request.is_read(), &request.call.what);
    let (mut tried, mut limited) = (0, 0);
    loop {
        if is_read {
            shared.pace.reads(&shared.waits).await?;
        } else {
            shared.pace.writes(1, &shared.waits).await?;
        }
        tried += 1;
        let failure = match below.clone().oneshot(request.clone()).await {
            Ok(answer) => {
                if let Some(wait) = answer.limit_wait(shared.waits.clock.now()) {
                    limited += 1;
                    shared.pace.silence_for(wait);
                    if limited >= TRIES || Instant::now() + wait > shared.waits.deadline {
                        return Err(shared.waits.too_long(wait).during(what).into());
                    }
                    continue;
                }
                if !answer.status.is_server_error() {
                    return Ok(answer);
                }
                Failure::Unknown(shared.refusal(what, &answer))
            }
            Err(failure) => failure,
        };
        let again = match &failure {
            Failure::Final(_) => false,
            Failure::NotSent(_) => tried < TRIES,
            // A request that took the whole time limit is not tried again and again.
            Failure::Unknown(error) => is_read && tried < if error.code == Code::TimedOut { 2 } else { TRIES },
        };
        if !again {
            return Err(failure);
        }
        shared.back_off(tried).await?;
    }
}

/// Follows redirects within the host.
async fn redirected(shared: Arc<Shared>, mut request: Request, below: Below) -> Result<Answer, Failure> {
    for _ in 0..=REDIRECTS {
        let answer = below.clone().oneshot(request.clone()).await?;
        let status = answer.status.as_u16();
        // 301 and 302 leave open whether a write keeps its method: only reads follow them.
        let follows = matches!(status, 307 | 308) || (request.is_read() && matches!(status, 301 | 302));
        let target = answer.header(LOCATION.as_str()).filter(|_| follows);
        match target.and_then(|text| shared.same_host(request.url.join(text))) {
            Some(target) => request.url = target,
            None => return Ok(answer),
        }
    }
    Err(shared.odd(&request.call.what, "redirects without end").into())
}

/// Crash points, the end by a stop, and what each answer says besides itself.
async fn watched(shared: Arc<Shared>, request: Request, below: Below) -> Result<Answer, Failure> {
    if shared.waits.cancel.is_cancelled() {
        return Err(pace::cancelled().into());
    }
    let (name, is_read) = (request.call.name, request.is_read());
    point(name, "before");
    let answer = tokio::select! {
        () = given_up(&shared, is_read) => return Err(pace::cancelled().into()),
        answer = below.oneshot(request) => answer?,
    };
    point(name, "after");
    let token = shared.token_hash.short();
    match answer.token_expires() {
        Some(expires) => remember::keep_token_expiry(&shared.memory, &token, expires)?,
        // A token without an end took the place of one that had one.
        None if answer.status.is_success() => remember::forget_other_token(&shared.memory, &token)?,
        None => {}
    }
    if let Some(sunset) = answer.sunset() {
        shared.sunset.get_or_init(|| sunset);
    }
    Ok(answer)
}

fn point(name: &str, when: &str) {
    if cfg!(feature = "crash-points") {
        crash::point(&format!("github.{name}.{when}"));
    }
}

/// Waits until a request under way is given up. A write that was sent may be carried out later than whatever
/// follows, so its answer is waited for as long as the host itself takes at most.
async fn given_up(shared: &Shared, is_read: bool) {
    shared.waits.cancel.cancelled().await;
    if !is_read {
        tokio::time::sleep(WRITE_LIMIT).await;
    }
}

/// Sends once over the process's connections: counted, within the time limit, and read up to a limit.
async fn sent(shared: Arc<Shared>, request: Request) -> Result<Answer, Failure> {
    let Request { call: Call { what, method, .. }, url, headers, body } = request;
    let mut request = pool::connections(&url)?.request(method, url).headers(headers).timeout(shared.request_limit);
    if !body.is_empty() {
        request = request.body(body);
    }
    shared.totals.api_requests.add(1);
    let broken = |error| broken(&shared, &what, &error);
    let mut response = request.send().await.map_err(broken)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_LIMIT {
            return Err(shared.odd(&what, "it is too long").into());
        }
    }
    Ok(Answer::received(status, headers, body, &Redactor::of([&shared.token])))
}

/// What a broken exchange means: never sent, or nobody knows.
fn broken(shared: &Shared, what: &str, error: &reqwest::Error) -> Failure {
    let host = &shared.host;
    if error.is_builder() {
        return Error::new(Code::Internal, format!("{what}: {}", root(error)), "Please report this.").into();
    }
    if error.is_connect() {
        let message = format!("{what}: {host} cannot be reached: {}", root(error));
        let hint = "Check the network, the proxy settings and the host's status page.";
        return Failure::NotSent(Error::passing(Code::Network, message, hint));
    }
    if error.is_timeout() {
        let message = format!("{what}: {host} gave no answer within {} seconds", shared.request_limit.as_secs());
        let hint = "Sync again later, or raise `[limits] request`.";
        return Failure::Unknown(Error::passing(Code::TimedOut, message, hint));
    }
    let message = format!("{what}: the connection to {host} broke: {}", root(error));
    Failure::Unknown(Error::passing(Code::Network, message, "Sync again; what was under way is read back first."))
}

/// The innermost reason, which says more than reqwest's own words and has no address in it.
fn root(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
