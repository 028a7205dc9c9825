//! Listeners and connections: TCP on 127.0.0.1, the Unix socket for gh, and the control port.
//!
//! A request is worked on in a task of its own, so that what was fully asked is done even if the client hangs up. What
//! a request means is decided in [`crate::rest`] and [`crate::git`].

mod control;
mod exchange;
mod steering;

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

use crate::shared::Shared;
use crate::traffic::Transport;

/// Body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The connection shall be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(crate) struct Cut;

/// A body that is all there.
pub(crate) fn full_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Serves REST and git on TCP until the sandbox ends.
pub(crate) async fn serve_tcp(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a TCP connection");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        if *shared.down.borrow() {
            // A reset, as from a host that has nobody listening.
            if let Err(error) = stream.set_zero_linger() {
                tracing::debug!(%error, "cannot reset a connection");
            }
            continue;
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off Nagle's algorithm");
        }
        tokio::spawn(serve_connection(Arc::clone(&shared), stream, Transport::Tcp));
    }
}

/// Serves REST on the Unix socket until the sandbox ends.
pub(crate) async fn serve_unix(shared: Arc<Shared>, listener: UnixListener) {
    loop {
        let stream = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a socket connection");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        if *shared.down.borrow() {
            continue;
        }
        tokio::spawn(serve_connection(Arc::clone(&shared), stream, Transport::Unix));
    }
}

/// Serves the control interface until the sandbox ends; it stays up while the host is down.
pub(crate) async fn serve_control(shared: Arc<Shared>, listener: TcpListener, key: Arc<str>) {
    loop {
        let stream = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a control connection");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let shared = Arc::clone(&shared);
        let key = Arc::clone(&key);
        tokio::spawn(async move {
            let shutdown = shared.shutdown.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let shared = Arc::clone(&shared);
                let key = Arc::clone(&key);
                async move { Ok::<_, Infallible>(control::answer(&shared, &key, request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = connection => {}
            }
        });
    }
}

async fn serve_connection<S>(shared: Arc<Shared>, stream: S, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shutdown = shared.shutdown.clone();
    let mut down = shared.down.subscribe();
    let service =
        service_fn(move |request: Request<Incoming>| Box::pin(in_own_task(Arc::clone(&shared), request, transport)));
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let outcome = tokio::select! {
        () = shutdown.cancelled() => return,
        _ = down.wait_for(|down| *down) => return,
        outcome = poll_fn(|context| connection.poll_without_shutdown(context)) => outcome,
    };
    let mut stream = connection.into_parts().io.into_inner();
    let farewell: &[u8] = match outcome {
        // A word that means nothing, so that no HTTP library takes the connection for stale and quietly asks again.
        Err(error) if error.is_user() => b"HTTP/1.1 100 Continue\r\n\r\n",
        Err(error) => {
            tracing::debug!(%error, "a connection ended early");
            b""
        }
        Ok(()) => b"",
    };
    let ended = async {
        stream.write_all(farewell).await?;
        stream.shutdown().await
    };
    if let Err(error) = ended.await {
        tracing::debug!(%error, "the client closed first");
    }
}

async fn in_own_task(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    transport: Transport,
) -> Result<Response<Body>, Cut> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let shutdown = shared.shutdown.clone();
        let mut sender = sender;
        let outcome = tokio::select! {
            () = shutdown.cancelled() => Err(Cut),
            outcome = exchange::answer(&shared, request, transport, &mut sender) => outcome,
        };
        // The client may have gone; what it asked for is done.
        drop(sender.send(outcome));
    });
    receiver.await.unwrap_or(Err(Cut))
}
