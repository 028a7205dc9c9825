//! Answering HTTP/1.1 on an address: who is accepted, for how long, and how it ends. What is answered stands elsewhere, by path.
//!
//! Everybody can reach it who reaches the address: so heads, bodies, connections and time have bounds, one request has a
//! connection of its own, and nobody holds a place by silence. It ends when it is told to: what is being answered is answered
//! to its end, for a moment.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Code, Error, Result};

/// How many connections there are at once; others wait to be accepted.
const CONNECTIONS: usize = 32;
/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// How long the head of a request may take, and how long its body may.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long what is being answered has, when it ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is asked.
pub type Asked = Request<Incoming>;
/// What is answered.
pub type Said = Response<Full<Bytes>>;

/// Answers what is asked at one path.
#[async_trait]
pub trait Answer: Send + Sync {
    /// Answers one request. What keeps it from that, it says itself.
    async fn answer(&self, asked: Asked) -> Said;
}

/// Who may reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only programs on this machine.
    ThisMachine,
    /// Whoever the network lets through.
    Anywhere,
}

/// What is answered where. All other paths are not found.
#[derive(Clone, Default)]
pub struct Paths {
    known: Vec<(&'static str, Arc<dyn Answer>)>,
}

impl Paths {
    /// The same with another path.
    #[must_use]
    pub fn with(mut self, path: &'static str, answer: Arc<dyn Answer>) -> Self {
        self.known.push((path, answer));
        self
    }

    async fn answer(&self, asked: Asked) -> Said {
        match self.known.iter().find(|(path, _)| *path == asked.uri().path()) {
            Some((_, answer)) => answer.answer(asked).await,
            None => said(StatusCode::NOT_FOUND, ""),
        }
    }
}

/// An address that is taken. Nobody is answered before [`Listener::run`].
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Whether an address may be listened at.
    ///
    /// # Errors
    /// [`Code::Usage`] for an address that is reached from further away than it may.
    pub fn check(address: SocketAddr, reach: Reach) -> Result<()> {
        if reach == Reach::ThisMachine && !address.ip().is_loopback() {
            return Err(Error::new(
                Code::Usage,
                format!("{address} can be reached from other machines, and what is sent there is not encrypted"),
                "Listen on 127.0.0.1 or [::1], and let a reverse proxy with TLS bring GitHub's requests there (docs/triggers.md).",
            ));
        }
        Ok(())
    }

    /// Takes the address.
    ///
    /// # Errors
    /// [`Code::Usage`] for an address that others reach, where only this machine may; [`Code::Network`] where it cannot be had,
    /// a passing one while another program has it.
    pub async fn bind(address: SocketAddr, reach: Reach) -> Result<Self> {
        Self::check(address, reach)?;
        let socket = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("{address} cannot be listened on: {error}");
            match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    Error::passing(Code::Network, message, "Choose another port, or end the program that has it.")
                }
                _ => Error::new(
                    Code::Network,
                    message,
                    "Choose an address of this machine, and a port that you may use.",
                ),
            }
        })?;
        Ok(Self { socket })
    }

    /// The address that it has.
    ///
    /// # Errors
    /// [`Code::Network`].
    pub fn address(&self) -> Result<SocketAddr> {
        self.socket.local_addr().map_err(|error| Error::new(Code::Network, error.to_string(), "Try again."))
    }

    /// Answers until `cancel` says so; when this returns, no connection is open any more.
    pub async fn run(self, paths: Paths, cancel: CancellationToken) {
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
                    let (paths, cancel) = (paths.clone(), cancel.clone());
                    open.spawn(async move {
                        let _place = place;
                        serve(stream, paths, cancel).await;
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

async fn serve(stream: TcpStream, paths: Paths, cancel: CancellationToken) {
    let answer = service_fn(move |asked| {
        let paths = paths.clone();
        async move { Ok::<_, Infallible>(paths.answer(asked).await) }
    });
    let mut server = http1::Builder::new();
    // One request a connection, so that nobody holds a place by silence.
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

/// All of a body of at most `limit` bytes.
///
/// # Errors
/// What is answered where it is larger, breaks off, or takes too long.
pub async fn body(body: Incoming, limit: usize) -> std::result::Result<Bytes, Said> {
    match tokio::time::timeout(TIME_LIMIT, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(said(StatusCode::PAYLOAD_TOO_LARGE, "")),
        Ok(Err(_)) => Err(said(StatusCode::BAD_REQUEST, "")),
        Err(_) => Err(said(StatusCode::REQUEST_TIMEOUT, "")),
    }
}

/// What is answered to whoever would do more than read, where there is only something to read.
pub fn only_read(asked: &Asked) -> Option<Said> {
    if matches!(*asked.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut refusal = said(StatusCode::METHOD_NOT_ALLOWED, "");
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(refusal)
}

/// A status with words.
pub fn said(status: StatusCode, words: impl Into<Bytes>) -> Said {
    let mut response = Response::new(Full::new(words.into()));
    *response.status_mut() = status;
    response
}
