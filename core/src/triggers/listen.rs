//! Listening for webhooks: HTTP/1.1 on an address of this machine alone, behind whatever brings GitHub's requests there.
//!
//! Everybody can reach it who reaches that: so headers, bodies, connections and time have bounds, and what is not signed costs
//! no write. It ends when it is told to: what is being heard is heard to its end, for a moment.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use standin_state::store::NewTrigger;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::webhook::{BODY_LIMIT, Delivery, Webhooks};
use crate::{Code, Error, Result};

/// The path that is listened to.
pub const PATH: &str = "/webhook";
/// How many connections there are at once; others wait to be accepted.
const CONNECTIONS: usize = 32;
/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// How long the head of a request may take, and how long its body may.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long what is being heard has, when it ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where a trigger is kept; what it fails with is not told to who sent it.
pub type Keep = dyn Fn(&NewTrigger) -> Result<()> + Send + Sync;

/// An open ear. Nothing is heard before [`Listener::run`].
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    /// [`Code::Usage`] for an address that other machines reach; [`Code::Network`] where it cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        Self::check(address)?;
        let socket = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("{address} cannot be listened on: {error}");
            Error::new(Code::Network, message, "Choose another port, or end the program that has it.")
        })?;
        Ok(Self { socket })
    }

    /// Whether an address may be listened at.
    ///
    /// # Errors
    /// [`Code::Usage`] for an address that other machines reach.
    pub fn check(address: SocketAddr) -> Result<()> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        Err(Error::new(
            Code::Usage,
            format!("{address} can be reached from other machines, and what is sent there is not encrypted"),
            "Listen on 127.0.0.1 or [::1], and let a reverse proxy with TLS bring GitHub's requests there (docs/triggers.md).",
        ))
    }

    /// The address that it has.
    ///
    /// # Errors
    /// [`Code::Network`].
    pub fn address(&self) -> Result<SocketAddr> {
        self.socket.local_addr().map_err(|error| Error::new(Code::Network, error.to_string(), "Try again."))
    }

    /// Listens until `cancel` says so; when this returns, no connection is open any more.
    pub async fn run(self, webhooks: Arc<Webhooks>, keep: Arc<Keep>, cancel: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            // The semaphore is never closed, so that a place always comes.
            let accepted = async {
                let place = places.clone().acquire_owned().await;
                (self.socket.accept().await, place)
            };
            let Some((accepted, place)) = cancel.run_until_cancelled(accepted).await else { break };
            while open.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    let (webhooks, keep, cancel) = (webhooks.clone(), keep.clone(), cancel.clone());
                    open.spawn(async move {
                        let _place = place;
                        serve(stream, webhooks, keep, cancel).await;
                    });
                }
                // No more files may be open: those that are end soon.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.socket);
        let all = async { while open.join_next().await.is_some() {} };
        // Whoever is not done by then is cut off.
        let _ = tokio::time::timeout(FAREWELL, all).await;
        open.shutdown().await;
    }
}

async fn serve(stream: TcpStream, webhooks: Arc<Webhooks>, keep: Arc<Keep>, cancel: CancellationToken) {
    let answer = service_fn(move |request| {
        let (webhooks, keep) = (webhooks.clone(), keep.clone());
        async move { Ok::<_, Infallible>(answer(request, &webhooks, keep).await) }
    });
    let mut server = http1::Builder::new();
    // One request a connection: GitHub opens one for each, and nobody holds a place by silence.
    server.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(TIME_LIMIT).max_buf_size(HEAD_LIMIT);
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), answer));
    // Its head, its body, and the answer that nobody may read.
    let ended = tokio::time::timeout(3 * TIME_LIMIT, async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = cancel.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    });
    if let Ok(Err(error)) = ended.await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(request: Request<Incoming>, webhooks: &Webhooks, keep: Arc<Keep>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return said(StatusCode::NOT_FOUND, "");
    }
    if request.method() != Method::POST {
        return said(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(TIME_LIMIT, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return said(StatusCode::PAYLOAD_TOO_LARGE, ""),
        Ok(Err(_)) => return said(StatusCode::BAD_REQUEST, ""),
        Err(_) => return said(StatusCode::REQUEST_TIMEOUT, ""),
    };
    match webhooks.judge(&head.headers, &body) {
        Ok(Delivery::Push(triggers)) => {
            // It waits for the disk.
            let kept = tokio::task::spawn_blocking(move || triggers.iter().try_for_each(|trigger| keep(trigger))).await;
            match kept {
                Ok(Ok(())) => said(StatusCode::ACCEPTED, "a sync is asked for"),
                failed => {
                    webhooks.unhear(&head.headers, &body);
                    tracing::error!(?failed, "a push was heard and could not be kept");
                    said(StatusCode::SERVICE_UNAVAILABLE, "it could not be kept: send it again")
                }
            }
        }
        Ok(Delivery::Ping) => said(StatusCode::OK, "Standin hears you"),
        Ok(Delivery::Nothing(why)) => said(StatusCode::OK, why),
        Err(refusal) => {
            tracing::info!(?refusal, "a delivery was refused");
            said(StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST), refusal.words())
        }
    }
}

fn said(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}
