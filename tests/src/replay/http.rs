//! The way over smart HTTP.

use std::process::Stdio;
use std::sync::Arc;

use git2::Repository;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::receive::{Answer, receive};
use super::{Front, Shared, protocol};

/// Serves connections until it is dropped.
pub(super) async fn serve(shared: &Arc<Shared>, listener: &TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { answer(&shared, request).await }
            });
            // A client that goes away is no matter, nor is one that was cut off.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// A connection that is to end without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut")
    }
}

impl std::error::Error for Cut {}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let endpoint = request.uri().path().strip_prefix("/owner/mirror.git/").unwrap_or_default().to_owned();
    let asks_for = request.uri().query().unwrap_or_default().to_owned();
    let is_push = endpoint == "git-receive-pack" || asks_for == "service=git-receive-pack";
    let met = shared.host().at_the_door(is_push);
    if let Some((status, lines)) = met {
        // A trouble at the door that lasts for some pushes only is over with the last that was sent away.
        if is_push {
            shared.host().meet();
        }
        let status = StatusCode::from_u16(status).unwrap();
        return Ok(response(status, "text/plain; charset=utf-8", as_text(&lines)));
    }
    let moved =
        { Some(shared.host()).filter(|host| is_push || !host.moved_for_pushes).and_then(|host| host.moved_to.clone()) };
    if let Some(address) = moved {
        let mut response = response(StatusCode::MOVED_PERMANENTLY, "text/html", Vec::new());
        let query = if asks_for.is_empty() { String::new() } else { format!("?{asks_for}") };
        let location = format!("{address}/{endpoint}{query}");
        response.headers_mut().insert(LOCATION, HeaderValue::from_str(&location).unwrap());
        return Ok(response);
    }
    if endpoint == "info/refs"
        && let Some(front) = { shared.host().front.clone().filter(|front| front.refs) }
    {
        return Ok(sent_away(&front));
    }
    let method = request.method().clone();
    Ok(match (&method, endpoint.as_str(), asks_for.as_str()) {
        (&Method::GET, "info/refs", "service=git-receive-pack") => {
            let repository = Repository::open_bare(&shared.repository).unwrap();
            let refs = protocol::advertisement(&repository, &shared.host());
            listing("git-receive-pack", &refs)
        }
        (&Method::GET, "info/refs", "service=git-upload-pack") => {
            let listed = Command::new("git")
                .args(["upload-pack", "--stateless-rpc", "--advertise-refs"])
                .arg(&shared.repository)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .stderr(Stdio::null())
                .output()
                .await;
            listing("git-upload-pack", &listed.unwrap().stdout)
        }
        (&Method::POST, "git-receive-pack", _) => {
            let body = request.into_body().collect().await.map_err(|_| Cut)?.to_bytes();
            let front = shared.host().front.clone().filter(|front| body.len() > front.over);
            if let Some(front) = front {
                shared.host().turned_away += 1;
                return Ok(sent_away(&front));
            }
            match receive(shared, body.as_ref()).await {
                Ok(Answer::Report(report)) => response(StatusCode::OK, "application/x-git-receive-pack-result", report),
                Ok(Answer::Empty) => response(StatusCode::OK, "application/x-git-receive-pack-result", Vec::new()),
                Ok(Answer::Cut) => return Err(Cut),
                Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string().into_bytes()),
            }
        }
        (&Method::POST, "git-upload-pack", _) => upload(shared, request).await,
        _ => response(StatusCode::NOT_FOUND, "text/plain", Vec::new()),
    })
}

fn listing(service: &str, refs: &[u8]) -> Response<Full<Bytes>> {
    let mut body = Vec::new();
    protocol::put(&mut body, format!("# service={service}\n").as_bytes());
    body.extend_from_slice(b"0000");
    body.extend_from_slice(refs);
    response(StatusCode::OK, &format!("application/x-{service}-advertisement"), body)
}

fn as_text(lines: &[impl AsRef<str>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect::<String>().into_bytes()
}

fn sent_away(front: &Front) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(front.status).unwrap();
    let (kind, body) = match front.json {
        true => {
            ("application/json; charset=utf-8", format!(r#"{{"message":"{}"}}"#, front.lines.join(" ")).into_bytes())
        }
        false => ("text/plain; charset=utf-8", as_text(&front.lines)),
    };
    let mut response = response(status, kind, body);
    if let Some(sso) = front.sso {
        response.headers_mut().insert("x-github-sso", HeaderValue::from_static(sso));
    }
    response
}

fn response(status: StatusCode, kind: &str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header(CONTENT_TYPE, kind);
    builder.body(Full::new(Bytes::from(body))).unwrap()
}

/// A fetch, served by git's own program for it.
async fn upload(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let encoding = request.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &shared.repository)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", "/git-upload-pack")
        .env("REQUEST_METHOD", "POST")
        .env("CONTENT_TYPE", "application/x-git-upload-pack-request")
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "uploadpack.allowAnySHA1InWant")
        .env("GIT_CONFIG_VALUE_0", "true");
    if let Some(encoding) = encoding {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeding = async move {
        // A program that has made up its mind stops reading.
        let _fed = stdin.write_all(&body).await;
    };
    let ((), output) = tokio::join!(feeding, child.wait_with_output());
    let output = output.unwrap().stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").map_or(output.len(), |end| end + 4);
    response(StatusCode::OK, "application/x-git-upload-pack-result", output[end..].to_vec())
}
