//! The process's connections to hosts.
//!
//! One pool for all clients, so that many mirrors share connections (HTTP/2 where the host offers it). Requests to
//! this machine never go through a proxy, since they may be unencrypted.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use crate::{Code, Error, Result};

/// Longest wait for a connection; the limit of the whole request may be shorter.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

static ELSEWHERE: LazyLock<Result<reqwest::Client>> = LazyLock::new(|| build(false));
static THIS_MACHINE: LazyLock<Result<reqwest::Client>> = LazyLock::new(|| build(true));

/// The connections for requests to `url`.
pub(crate) fn connections(url: &Url) -> Result<&'static reqwest::Client> {
    let pool = if is_loopback(url) { &THIS_MACHINE } else { &ELSEWHERE };
    pool.as_ref().map_err(Clone::clone)
}

/// Whether `url` leads to this very machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

fn build(this_machine: bool) -> Result<reqwest::Client> {
    // Another part of the program may have chosen a provider before; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("standin/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true);
    if this_machine {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Error::new(
            Code::Internal,
            format!("HTTPS cannot be prepared: {error}"),
            "Check that the system's certificates are installed (package `ca-certificates`).",
        )
    })
}
