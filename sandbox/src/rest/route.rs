//! From method and path to endpoint, and what is the same for all endpoints: sign-in, limits, ETags, headers.

use hyper::header::{ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use super::call::Call;
use super::reply::{Refusal, Reply};
use super::{
    Answer, account, branches, commits, compare, contents, git_data, graphql, issues, jobs, permissions, pulls, refs,
    repositories, runs, secrets, variables, workflows,
};
use crate::access::{Caller, SignInFailure};
use crate::limits::Budget;
use crate::shared::Shared;
use crate::world::{Token, TokenKind};

/// What the tokens of a repository's jobs may ask in an hour.
const JOB_REQUESTS_PER_HOUR: u64 = 1_000;

/// API versions that can be asked for; the first is the default.
const API_VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Since when the first of them is deprecated, and when it ends.
const DEPRECATION: &str = "Tue, 10 Mar 2026 00:00:00 GMT";
const SUNSET: &str = "Fri, 10 Mar 2028 00:00:00 GMT";

/// Answers a REST or GraphQL request.
pub(crate) fn answer(shared: &Shared, call: Call) -> Reply {
    let caller = match &call.caller {
        Ok(caller) => caller.clone(),
        Err(SignInFailure::BadCredentials) => {
            return with_request_id(Refusal::bad_credentials().into());
        }
        Err(SignInFailure::Suspended) => {
            return with_request_id(Refusal::suspended_account().into());
        }
    };
    let version = call.header("x-github-api-version").unwrap_or(API_VERSIONS[0]).to_owned();
    if !API_VERSIONS.contains(&version.as_str()) {
        return with_request_id(Refusal::bad_request("Unsupported API version").into());
    }
    let budget = if call.path == "/graphql" { Budget::Graphql } else { Budget::Core };
    let per_hour = match caller.token.as_deref().and_then(Token::job_repository) {
        Some(_) => shared.options.rate_limit_per_hour.min(JOB_REQUESTS_PER_HOUR),
        None => shared.options.rate_limit_per_hour,
    };
    let key = caller.limit_key();
    let now = shared.now();
    let free = call.path == "/rate_limit";
    let spent = !free && shared.limits.quota(key, budget, per_hour, now, false).remaining() == 0;
    let reply = if spent {
        Refusal::primary_limit(StatusCode::FORBIDDEN, key).into()
    } else {
        content_limit(shared, &call, key).and_then(|()| dispatch(shared, &call)).unwrap_or_else(Reply::from)
    };
    let reply = conditional(&call, reply);
    let counts = !free && !spent && reply.status != StatusCode::NOT_MODIFIED;
    let quota = shared.limits.quota(key, budget, per_hour, now, counts);
    let mut reply = with_request_id(reply);
    reply.set_quota(&quota);
    reply.set("x-github-api-version-selected", &version);
    if version == API_VERSIONS[0] && shared.announces_sunset() {
        reply.set("deprecation", DEPRECATION);
        reply.set("sunset", SUNSET);
    }
    reply.set("x-github-media-type", "github.v3; format=json");
    token_headers(&caller, &call, &mut reply);
    reply
}

fn token_headers(caller: &Caller, call: &Call, reply: &mut Reply) {
    let Some(token) = caller.token.as_deref() else {
        return;
    };
    match &token.kind {
        TokenKind::Classic { scopes } => {
            reply.set("x-oauth-scopes", &scopes.join(", "));
            reply.set("x-accepted-oauth-scopes", accepted_scopes(call));
        }
        TokenKind::FineGrained { .. } | TokenKind::Job { .. } => {
            if let Some(need) = call.need.get() {
                reply.set("x-accepted-github-permissions", &need.accepted());
            }
        }
    }
    if let Some(end) = token.expires_at {
        let text = end.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        reply.set("github-authentication-token-expiration", &text);
    }
}

/// The scopes of which the host asks for one, as far as it says so: it was recorded to say nothing of most endpoints.
fn accepted_scopes(call: &Call) -> &'static str {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("DELETE", ["repos", _, _] | ["repositories", _]) => "delete_repo",
        (_, ["graphql"] | ["repos", _, _] | ["repositories", _]) | ("POST", ["user", "repos"]) => "repo",
        (_, ["repos", _, _, "git", "ref" | "refs" | "matching-refs", ..]) => "repo",
        _ => "",
    }
}

fn with_request_id(reply: Reply) -> Reply {
    let id = format!(
        "{:04X}:{:06X}:{:08X}",
        rand::random::<u16>(),
        rand::random::<u32>() & 0xFF_FFFF,
        rand::random::<u32>()
    );
    match HeaderValue::from_str(&id) {
        Ok(value) => reply.header(HeaderName::from_static("x-github-request-id"), value),
        Err(_) => reply,
    }
}

/// Refuses content that is made too fast.
fn content_limit(shared: &Shared, call: &Call, account: u64) -> Result<(), Refusal> {
    let Some(limit) = &shared.options.secondary_limit else {
        return Ok(());
    };
    let makes = match call.method {
        Method::GET | Method::HEAD => false,
        Method::POST if call.path == "/graphql" => graphql::is_mutation(&call.body),
        _ => true,
    };
    if !makes {
        return Ok(());
    }
    shared.limits.make_content(account, limit, shared.now()).map_err(|wait| {
        let status = StatusCode::from_u16(limit.status).unwrap_or(StatusCode::FORBIDDEN);
        Refusal::secondary_limit(status, Some(wait))
    })
}

/// Gives a GET answer its ETag, and 304 to those who have it already.
fn conditional(call: &Call, reply: Reply) -> Reply {
    if call.method != Method::GET || reply.status != StatusCode::OK {
        return reply;
    }
    let mut hash = Sha256::new();
    hash.update(&reply.body);
    if let Some(link) = reply.headers.get(LINK) {
        hash.update(link.as_bytes());
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    let known = call.headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',').map(|entry| entry.trim().trim_start_matches("W/")).any(|entry| entry == tag || entry == "*")
        })
    });
    let Ok(value) = HeaderValue::from_str(&format!("W/{tag}")) else {
        return reply;
    };
    if known {
        return Reply::empty(StatusCode::NOT_MODIFIED).header(ETAG, value);
    }
    reply.header(ETAG, value)
}

fn dispatch(shared: &Shared, call: &Call) -> Answer {
    if let Some(barring) = &call.barring {
        return Err(barring.refusal());
    }
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let method = call.method.as_str();
    let method = if method == "HEAD" { "GET" } else { method };
    match (method, segments.as_slice()) {
        ("GET", [""]) => account::root(call),
        ("GET", ["user"]) => account::current(shared, call),
        ("GET", ["users", login]) => account::user_by_login(shared, call, login),
        ("GET", ["orgs", login]) => account::organization(shared, call, login),
        ("GET", ["rate_limit"]) => account::rate_limit(shared, call),
        ("GET", ["meta"]) => account::meta(),
        ("GET", ["_logs", key]) => jobs::opened_log(shared, call, key),
        ("POST", ["graphql"]) => graphql::answer(shared, call),
        ("GET", ["user", "repos"]) => repositories::list_own(shared, call),
        ("POST", ["user", "repos"]) => repositories::create_own(shared, call),
        ("POST", ["orgs", login, "repos"]) => repositories::create_for_organization(shared, call, login),
        (_, ["repos", owner, name, rest @ ..]) => in_repository(shared, call, method, owner, name, rest),
        (_, ["repositories", id, rest @ ..]) => {
            let slug = id.parse().ok().and_then(|id| {
                let world = shared.world();
                let repository = world.repository(id)?;
                Some((repository.owner.clone(), repository.name.clone()))
            });
            let (owner, name) = slug.ok_or_else(Refusal::not_found)?;
            in_repository(shared, call, method, &owner, &name, rest)
        }
        _ => Err(Refusal::unknown_endpoint()),
    }
}

fn in_repository(shared: &Shared, call: &Call, method: &str, owner: &str, name: &str, rest: &[&str]) -> Answer {
    let at = (shared, call, owner, name);
    match (method, rest) {
        ("GET", []) => repositories::get(at),
        ("PATCH", []) => repositories::update(at),
        ("DELETE", []) => repositories::delete(at),
        ("GET", ["readme"]) => contents::readme(at),
        ("GET", ["contents"]) => contents::get(at, ""),
        ("GET", ["contents", path @ ..]) => contents::get(at, &path.join("/")),
        ("PUT", ["contents", path @ ..]) => contents::put(at, &path.join("/")),
        ("DELETE", ["contents", path @ ..]) => contents::delete(at, &path.join("/")),
        ("GET", ["commits"]) => commits::list(at),
        ("GET", ["commits", reference @ ..]) => commits::get(at, &reference.join("/")),
        ("GET", ["compare", basehead @ ..]) => compare::compare(at, &basehead.join("/")),
        ("GET", ["branches"]) => branches::list(at),
        ("GET", ["branches", branch @ ..]) => branches::get(at, &branch.join("/")),
        ("GET", ["git", "ref", reference @ ..]) => refs::get(at, &reference.join("/")),
        ("GET", ["git", "matching-refs", prefix @ ..]) => refs::matching(at, &prefix.join("/")),
        ("POST", ["git", "refs"]) => refs::create(at),
        ("PATCH", ["git", "refs", reference @ ..]) => refs::update(at, &reference.join("/")),
        ("DELETE", ["git", "refs", reference @ ..]) => refs::delete(at, &reference.join("/")),
        ("POST", ["git", "blobs"]) => git_data::create_blob(at),
        ("GET", ["git", "blobs", sha]) => git_data::blob(at, sha),
        ("POST", ["git", "trees"]) => git_data::create_tree(at),
        ("GET", ["git", "trees", sha @ ..]) => git_data::tree(at, &sha.join("/")),
        ("POST", ["git", "commits"]) => git_data::create_commit(at),
        ("GET", ["git", "commits", sha]) => git_data::commit(at, sha),
        ("POST", ["git", "tags"]) => git_data::create_tag(at),
        ("GET", ["git", "tags", sha]) => git_data::tag(at, sha),
        ("GET", ["pulls"]) => pulls::list(at),
        ("POST", ["pulls"]) => pulls::create(at),
        ("GET", ["pulls", number]) => pulls::get(at, number),
        ("PATCH", ["pulls", number]) => pulls::update(at, number),
        ("GET", ["issues"]) => issues::list(at),
        ("POST", ["issues"]) => issues::create(at),
        ("GET", ["issues", number]) => issues::get(at, number),
        ("PATCH", ["issues", number]) => issues::update(at, number),
        ("GET", ["check-runs", id, "annotations"]) => jobs::annotations(at, id),
        (_, ["actions", rest @ ..]) => in_actions(at, method, rest),
        _ => Err(Refusal::unknown_endpoint()),
    }
}

fn in_actions(at: super::rights::At<'_>, method: &str, rest: &[&str]) -> Answer {
    match (method, rest) {
        ("GET", ["secrets"]) => secrets::list(at),
        ("GET", ["secrets", "public-key"]) => secrets::public_key(at),
        ("GET", ["secrets", secret]) => secrets::get(at, secret),
        ("PUT", ["secrets", secret]) => secrets::put(at, secret),
        ("DELETE", ["secrets", secret]) => secrets::delete(at, secret),
        ("GET", ["variables"]) => variables::list(at),
        ("POST", ["variables"]) => variables::create(at),
        ("GET", ["variables", variable]) => variables::get(at, variable),
        ("PATCH", ["variables", variable]) => variables::update(at, variable),
        ("DELETE", ["variables", variable]) => variables::delete(at, variable),
        ("GET", ["workflows"]) => workflows::list(at),
        ("GET", ["workflows", id]) => workflows::get(at, id),
        ("PUT", ["workflows", id, "enable"]) => workflows::enable(at, id),
        ("PUT", ["workflows", id, "disable"]) => workflows::disable(at, id),
        ("POST", ["workflows", id, "dispatches"]) => workflows::dispatch(at, id),
        ("GET", ["workflows", id, "runs"]) => runs::list_of_workflow(at, id),
        ("GET", ["runs"]) => runs::list(at),
        ("GET", ["runs", id]) => runs::get(at, id),
        ("POST", ["runs", id, "cancel"]) => runs::cancel(at, id, false),
        ("POST", ["runs", id, "force-cancel"]) => runs::cancel(at, id, true),
        ("GET", ["runs", id, "jobs"]) => jobs::list(at, id),
        ("GET", ["runs", id, "attempts", attempt, "jobs"]) => jobs::list_of_attempt(at, id, attempt),
        ("GET", ["runs", id, "artifacts"]) => jobs::artifacts(at, id),
        ("GET", ["runs", id, "logs"]) => jobs::logs_of_run(at, id),
        ("GET", ["jobs", id]) => jobs::get(at, id),
        ("GET", ["jobs", id, "logs"]) => jobs::log_of_job(at, id),
        ("GET", ["permissions"]) => permissions::get(at),
        ("PUT", ["permissions"]) => permissions::put(at),
        ("GET", ["permissions", "selected-actions"]) => permissions::get_selected(at),
        ("PUT", ["permissions", "selected-actions"]) => permissions::put_selected(at),
        ("GET", ["permissions", "workflow"]) => permissions::get_workflow(at),
        ("PUT", ["permissions", "workflow"]) => permissions::put_workflow(at),
        _ => Err(Refusal::unknown_endpoint()),
    }
}
