//! Git over smart HTTP: signing in, rights, then `git http-backend` as a CGI child.
//!
//! Pushes go through a hook that asks this program which refs to refuse (`hook.rs`, `policy.rs`); the reasons are put
//! into the report (`report.rs`). Objects and refs are read and written elsewhere through libgit2 ([`open`]).

mod backend;
mod hook;
mod policy;
mod report;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use crate::access::{self, Caller, Denied, Need, SignInFailure};
use crate::barred::Barring;
use crate::faults::PushFailure;
use crate::server::{Body, full_body};
use crate::shared::Shared;
use crate::world::{Found, PushLimits, RepositoryState, TokenKind};

pub(crate) use backend::find_backend;
pub(crate) use hook::write_hooks;
pub(crate) use policy::{NewCommits, Update, glob_matches, refusal_of_update, workflow_reason};
pub(crate) use store::{change_ref, create_bare, is_empty, open};

/// A git request, not yet read.
pub(crate) struct GitRequest {
    pub parts: Parts,
    pub body: Incoming,
    /// Below the server URL, such as `/owner/name.git/info/refs`.
    pub path: String,
    pub caller: Result<Caller, SignInFailure>,
    /// How the report of a push shall fail.
    pub failure: Option<PushFailure>,
    /// How the caller's token is kept out.
    pub barring: Option<Barring>,
}

/// The two services of smart HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    UploadPack,
    ReceivePack,
}

/// A request for a service of a repository.
struct Request {
    service: Service,
    repository_id: u64,
    default_branch: String,
    caller: Caller,
    parts: Parts,
    body: Incoming,
    /// Below the repository's folder, such as `info/refs`.
    endpoint: &'static str,
    /// Bytes of the body that were read.
    body_size: Arc<AtomicU64>,
    /// The address that the repository has now, if it was asked for by an old one.
    moved_to: Option<String>,
    limits: PushLimits,
    failure: Option<PushFailure>,
}

/// Answers a git request; also says how many bytes of its body were read.
pub(crate) async fn answer(shared: &Arc<Shared>, request: GitRequest) -> (Response<Body>, u64) {
    let body_size = Arc::new(AtomicU64::new(0));
    let response = match admit(shared, request, Arc::clone(&body_size)) {
        Err(refusal) => *refusal,
        Ok(request) if request.service == Service::ReceivePack && request.parts.method == Method::POST => {
            hook::receive(shared, request).await
        }
        Ok(request) => backend::serve(shared, request).await,
    };
    (response, body_size.load(Ordering::Relaxed))
}

type Refused = Box<Response<Body>>;

fn admit(shared: &Shared, request: GitRequest, body_size: Arc<AtomicU64>) -> Result<Request, Refused> {
    let not_found = || text(StatusCode::NOT_FOUND, "Repository not found.\n");
    let segments: Vec<&str> = request.path.trim_start_matches('/').splitn(3, '/').collect();
    let [owner, name, endpoint] = segments.as_slice() else {
        return Err(not_found());
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    let query = request.parts.uri.query().unwrap_or_default();
    let (service, endpoint) = match (&request.parts.method, *endpoint, query) {
        (&Method::GET, "info/refs", "service=git-upload-pack") => (Service::UploadPack, "info/refs"),
        (&Method::GET, "info/refs", "service=git-receive-pack") => (Service::ReceivePack, "info/refs"),
        (&Method::POST, "git-upload-pack", _) => (Service::UploadPack, "git-upload-pack"),
        (&Method::POST, "git-receive-pack", _) => (Service::ReceivePack, "git-receive-pack"),
        (&Method::GET, "info/refs", _) => {
            return Err(text(StatusCode::FORBIDDEN, "Please upgrade your git client.\n"));
        }
        _ => return Err(text(StatusCode::NOT_FOUND, "Not Found\n")),
    };
    let caller = match request.caller {
        Ok(caller) => caller,
        Err(SignInFailure::BadCredentials) => {
            return Err(sign_in(
                "Invalid username or token. Password authentication is not supported for Git operations.\n",
            ));
        }
        Err(SignInFailure::Suspended) => {
            return Err(text(StatusCode::FORBIDDEN, "Your account is suspended. Please check your email.\n"));
        }
    };
    if let Some(barring) = &request.barring {
        return Err(text(StatusCode::FORBIDDEN, &barring.lines()));
    }
    let world = shared.world();
    let found = world.find(owner, name);
    let id = match found {
        Some(Found::Here(id) | Found::Moved(id)) => id,
        None if caller.token.is_none() => return Err(sign_in("")),
        None => return Err(not_found()),
    };
    let Some(repository) = world.repository(id) else {
        return Err(not_found());
    };
    let need = match service {
        Service::UploadPack => Need::read("contents"),
        Service::ReceivePack => Need::write("contents"),
    };
    access::check(&world, repository, &caller, &need).map_err(|denied| match denied {
        Denied::NotFound if caller.token.is_some() => not_found(),
        Denied::NotFound | Denied::SignInFirst => sign_in(""),
        Denied::Archived => text(StatusCode::FORBIDDEN, "This repository was archived so it is read-only.\n"),
        Denied::Role | Denied::Permission | Denied::Integration => {
            let fine_grained =
                caller.token.as_deref().is_some_and(|token| matches!(token.kind, TokenKind::FineGrained { .. }));
            let message = if fine_grained {
                "Write access to repository not granted.\n".to_owned()
            } else {
                format!(
                    "Permission to {}.git denied to {}.\n",
                    repository.slug(),
                    caller.login.as_deref().unwrap_or_default()
                )
            };
            text(StatusCode::FORBIDDEN, &message)
        }
    })?;
    match repository.state {
        RepositoryState::Live => {}
        RepositoryState::Hidden => return Err(not_found()),
        RepositoryState::Blocked => {
            return Err(text(StatusCode::FORBIDDEN, "Access to this repository has been disabled by GitHub staff.\n"));
        }
        RepositoryState::TakenDown => {
            return Err(text(
                StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
                "Repository unavailable due to DMCA takedown.\n",
            ));
        }
    }
    let moved_to =
        matches!(found, Some(Found::Moved(_))).then(|| format!("{}/{}.git", shared.server_url(), repository.slug()));
    // Who reads is sent on; a push is served under the old name, and told of the new one.
    if let (Some(url), Service::UploadPack, &Method::GET) = (&moved_to, service, &request.parts.method) {
        return Err(redirect(&format!("{url}/{endpoint}?{query}")));
    }
    Ok(Request {
        service,
        repository_id: id,
        default_branch: repository.default_branch.clone(),
        caller,
        parts: request.parts,
        body: request.body,
        endpoint,
        body_size,
        moved_to,
        limits: repository.push_limits,
        failure: request.failure,
    })
}

/// A plain answer, whose text git shows after `remote:`.
fn text(status: StatusCode, message: &str) -> Refused {
    let mut response = Response::new(full_body(message.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Box::new(response)
}

fn sign_in(message: &str) -> Refused {
    let mut response = text(StatusCode::UNAUTHORIZED, message);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"GitHub\""));
    response
}

fn redirect(url: &str) -> Refused {
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(LOCATION, url);
    }
    response
}
