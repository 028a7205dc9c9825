//! Answering HTTP/1.1 on an address: who is accepted, for how long, and how it ends. What is answered stands elsewhere, by path.
//!
//! Everybody can reach it who reaches the address: so heads, bodies, connections and time have bounds, one request has a
//! connection of its own, and nobody holds a place by silence. It ends when it is told to: what is being answered is answered
//! to its end, for a moment.

mod places;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::places::{Place, Places};
use crate::{Code, Error, Result};

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
        let mut places = Places::default();
        let mut open = JoinSet::new();
        while let Some(accepted) = cancel.run_until_cancelled(self.socket.accept()).await {
            let stream = match accepted {
                Ok((stream, _)) => stream,
                // No more files may be open: those that are end soon.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = cancel.run_until_cancelled(place(&mut places, &mut open)).await else { break };
            open.spawn(serve(stream, paths.clone(), place, cancel.clone()));
        }
        drop(self.socket);
        let all = async { while open.join_next().await.is_some() {} };
        // Whoever is not done by then is cut off.
        let _ = tokio::time::timeout(FAREWELL, all).await;
        open.shutdown().await;
    }
}

/// A place, as soon as there is one.
async fn place(places: &mut Places, open: &mut JoinSet<()>) -> Arc<Place> {
    loop {
        while open.try_join_next().is_some() {}
        match places.take(Instant::now()) {
            Ok(place) => return place,
            Err(wait) => {
                let _ = tokio::time::timeout(wait, open.join_next()).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, paths: Paths, place: Arc<Place>, cancel: CancellationToken) {
    let asking = place.clone();
    let answer = service_fn(move |asked| {
        asking.has_asked();
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
            // Cut off, so that another can be answered.
            () = place.gives_way.cancelled() => Ok(()),
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    struct Reads;

    #[async_trait]
    impl Answer for Reads {
        async fn answer(&self, asked: Asked) -> Said {
            body(asked.into_body(), 100).await.map_or_else(|refusal| refusal, |_| said(StatusCode::OK, "read"))
        }
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn hundreds_that_never_end_their_heads_or_bodies_keep_nobody_out() {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Reach::ThisMachine).await.unwrap();
        let (address, cancel) = (listener.address().unwrap(), CancellationToken::new());
        let running = tokio::spawn(listener.run(Paths::default().with("/", Arc::new(Reads)), cancel.clone()));
        for unfinished in ["GET / HT", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"] {
            let mut held = Vec::new();
            for _ in 0..300 {
                held.push(say(address, unfinished).await);
            }
            let mut text = String::new();
            let answered = async {
                let mut stream = say(address, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nwhole").await;
                stream.read_to_string(&mut text).await.unwrap();
            };
            // Bodies have the time that anybody who asks has; 300 of them go by in groups of 32.
            tokio::time::timeout(Duration::from_secs(40), answered).await.expect(unfinished);
            assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("read"), "{text}");
        }
        cancel.cancel();
        running.await.unwrap();
    }
}
