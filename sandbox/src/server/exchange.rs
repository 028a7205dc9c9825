//! One request: who asks, latency, faults, the work, the record.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{DATE, HOST, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

use super::{Body, Cut, full_body};
use crate::access::{self, Caller, SignInFailure};
use crate::barred::Barring;
use crate::clock::http_date;
use crate::faults::{Effect, Judged, PushFailure};
use crate::git;
use crate::limits::Quota;
use crate::rest::{self, Call, Refusal, Reply};
use crate::shared::Shared;
use crate::traffic::{Exchange, Kind, RequestRecord, Transport};
use crate::world::Repository;

/// Largest body that a REST request may have.
const REST_BODY_LIMIT: usize = 64 * 1024 * 1024;

type Waiting = oneshot::Sender<Result<Response<Body>, Cut>>;

/// A request on its way through the sandbox.
struct Arrival {
    parts: Parts,
    body: Incoming,
    kind: Kind,
    /// As on api.github.com, or below the server URL.
    path: String,
    /// What stands before `path` in links.
    base: String,
    caller: Result<Caller, SignInFailure>,
    /// How its token is kept out.
    barring: Option<Barring>,
}

/// Answers a request, with the world's time in `Date`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    transport: Transport,
    waiting: &mut Waiting,
) -> Result<Response<Body>, Cut> {
    let mut response = match is_elsewhere(shared, &request) {
        true => elsewhere(),
        false => judge(shared, request, transport, waiting).await?,
    };
    if let Ok(date) = HeaderValue::from_str(&http_date(shared.now())) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

async fn judge(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    transport: Transport,
    waiting: &mut Waiting,
) -> Result<Response<Body>, Cut> {
    let mut arrival = arrive(shared, request);
    let login = arrival.caller.as_ref().ok().and_then(|caller| caller.login.clone());
    let id = shared.traffic.begin(record(shared, &arrival, login.clone(), transport));
    let repository = repository_of(shared, arrival.kind, &arrival.path);
    let verdict = shared.faults.judge(&Judged {
        method: arrival.parts.method.as_str(),
        path: &arrival.path,
        kind: arrival.kind,
        repository: repository.as_deref(),
        account: login.as_deref(),
    });
    let wait = shared.latency() + verdict.latency;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    match verdict.effect {
        None | Some(Effect::Latency(_)) => work(shared, arrival, id, false).await,
        Some(Effect::FailPush(failure)) => {
            shared.traffic.finish(id, |record| record.faulted = true);
            Ok(work_git(shared, arrival, id, Some(failure)).await)
        }
        Some(Effect::Barred(how)) => {
            let is_barred = arrival.caller.as_ref().is_ok_and(|caller| caller.token.is_some());
            let organization = repository.as_deref().and_then(|slug| slug.split('/').next()).unwrap_or("octo-org");
            arrival.barring = is_barred.then(|| Barring { how, organization: organization.to_owned() });
            let response = work(shared, arrival, id, is_barred).await;
            shared.traffic.finish(id, |record| record.faulted = is_barred);
            response
        }
        Some(Effect::CutBefore) => {
            shared.traffic.finish(id, |record| record.faulted = true);
            Err(Cut)
        }
        Some(Effect::Hang) => {
            shared.traffic.finish(id, |record| record.faulted = true);
            waiting.closed().await;
            Err(Cut)
        }
        Some(effect @ (Effect::CutAfter | Effect::HangAfter)) => {
            if let Ok(response) = work(shared, arrival, id, true).await {
                // What streams must have been streamed for the effect to be whole.
                drop(response.into_body().collect().await);
            }
            shared.traffic.finish(id, |record| {
                record.faulted = true;
                record.status = None;
            });
            if effect == Effect::HangAfter {
                waiting.closed().await;
            }
            Err(Cut)
        }
        Some(Effect::Status { status, retry_after }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let refusal = Refusal::fault(status, retry_after);
            Ok(refuse(shared, &arrival, id, refusal))
        }
        Some(Effect::RateLimit { status, reset_after }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            let account = arrival.caller.as_ref().map_or(0, Caller::limit_key);
            let limit = shared.options.rate_limit_per_hour;
            let quota = Quota { resource: "core", limit, used: limit, reset: (shared.now() + reset_after).as_second() };
            Ok(refuse(shared, &arrival, id, Refusal::primary_limit(status, account).with_quota(&quota)))
        }
        Some(Effect::SecondaryLimit { retry_after }) => {
            let refusal = Refusal::secondary_limit(StatusCode::FORBIDDEN, retry_after);
            Ok(refuse(shared, &arrival, id, refusal))
        }
    }
}

/// True if somebody takes the sandbox for a proxy, as the steps of workflows do that ask for the internet.
fn is_elsewhere(shared: &Shared, request: &Request<Incoming>) -> bool {
    let own = shared.root_url.trim_start_matches("http://");
    request.method() == Method::CONNECT || request.uri().authority().is_some_and(|asked| asked.as_str() != own)
}

fn elsewhere() -> Response<Body> {
    let mut response = Response::new(full_body("The sandbox is all there is: nothing else can be reached from it.\n"));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// The repository that a path is about, as it is called there.
fn repository_of(shared: &Shared, kind: Kind, path: &str) -> Option<String> {
    let mut segments = path.trim_start_matches('/').split('/');
    let (owner, name) = match kind {
        Kind::Git => (segments.next()?, segments.next()?),
        Kind::Rest => match segments.next()? {
            "repos" => (segments.next()?, segments.next()?),
            "repositories" => {
                let id = segments.next()?.parse().ok()?;
                return shared.world().repository(id).map(Repository::slug);
            }
            _ => return None,
        },
    };
    Some(format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name)))
}

fn arrive(shared: &Shared, request: Request<Incoming>) -> Arrival {
    let (parts, body) = request.into_parts();
    let caller = access::sign_in(&shared.world(), &parts.headers);
    let raw = parts.uri.path();
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, path, base) = if let Some(rest) = raw.strip_prefix("/git/") {
        (Kind::Git, format!("/{rest}"), shared.server_url())
    } else if raw == "/api/graphql" {
        (Kind::Rest, "/graphql".to_owned(), format!("https://{host}/api/v3"))
    } else if let Some(rest) = raw.strip_prefix("/api/v3") {
        let path = if rest.is_empty() { "/" } else { rest };
        (Kind::Rest, path.to_owned(), format!("https://{host}/api/v3"))
    } else if host == "api.github.com" {
        (Kind::Rest, raw.to_owned(), "https://api.github.com".to_owned())
    } else {
        (Kind::Rest, raw.to_owned(), shared.root_url.clone())
    };
    Arrival { parts, body, kind, path, base, caller, barring: None }
}

fn record(shared: &Shared, arrival: &Arrival, account: Option<String>, transport: Transport) -> RequestRecord {
    let headers = &arrival.parts.headers;
    RequestRecord {
        id: 0,
        at: shared.now(),
        duration: None,
        transport,
        kind: arrival.kind,
        method: arrival.parts.method.to_string(),
        path: arrival.path.clone(),
        query: arrival.parts.uri.query().unwrap_or_default().to_owned(),
        status: None,
        account,
        conditional: [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH].iter().any(|name| headers.contains_key(name)),
        body_size: 0,
        known: true,
        faulted: false,
    }
}

async fn work(shared: &Arc<Shared>, arrival: Arrival, id: u64, faulted: bool) -> Result<Response<Body>, Cut> {
    match arrival.kind {
        Kind::Rest => work_rest(shared, arrival, id, faulted).await,
        Kind::Git => Ok(work_git(shared, arrival, id, None).await),
    }
}

async fn work_git(shared: &Arc<Shared>, arrival: Arrival, id: u64, failure: Option<PushFailure>) -> Response<Body> {
    let Arrival { parts, body, path, caller, barring, .. } = arrival;
    let request = git::GitRequest { parts, body, path, caller, failure, barring };
    let (response, body_size) = git::answer(shared, request).await;
    shared.traffic.finish(id, |record| {
        record.status = Some(response.status().as_u16());
        record.body_size = body_size;
    });
    response
}

async fn work_rest(shared: &Arc<Shared>, arrival: Arrival, id: u64, faulted: bool) -> Result<Response<Body>, Cut> {
    let limited = http_body_util::Limited::new(arrival.body, REST_BODY_LIMIT);
    // A body that broke off was not asked for in full: nothing happens.
    let body = limited.collect().await.map_err(|error| {
        tracing::debug!(%error, "a request's body broke off");
        Cut
    })?;
    let mut call = Call::new(&arrival.parts, arrival.path, arrival.base, arrival.caller, body.to_bytes());
    call.barring = arrival.barring;
    let exchange = shared.options.record_bodies.then(|| Exchange {
        id,
        method: call.method.to_string(),
        path: call.path.clone(),
        query: arrival.parts.uri.query().unwrap_or_default().to_owned(),
        request_body: call.body.to_vec(),
        status: 0,
        response_type: None,
        response_body: Vec::new(),
        faulted,
    });
    let body_size = call.body.len() as u64;
    let worker = Arc::clone(shared);
    let reply = tokio::task::spawn_blocking(move || rest::answer(&worker, call)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "an endpoint failed");
        Reply::from(Refusal::fault(StatusCode::INTERNAL_SERVER_ERROR, None))
    });
    shared.traffic.finish(id, |record| {
        record.status = Some(reply.status.as_u16());
        record.body_size = body_size;
        record.known = reply.known;
    });
    if let Some(mut exchange) = exchange {
        exchange.status = reply.status.as_u16();
        exchange.response_type = reply.content_type().map(str::to_owned);
        exchange.response_body = reply.body.to_vec();
        shared.traffic.keep(exchange);
    }
    Ok(reply.into_response())
}

fn refuse(shared: &Shared, arrival: &Arrival, id: u64, refusal: Refusal) -> Response<Body> {
    let reply = Reply::from(refusal);
    shared.traffic.finish(id, |record| {
        record.status = Some(reply.status.as_u16());
        record.faulted = true;
    });
    let mut response = reply.into_response();
    if arrival.kind == Kind::Git {
        *response.body_mut() = full_body("The service is not available.\n");
    }
    response
}
