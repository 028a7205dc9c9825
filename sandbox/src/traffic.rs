//! What was asked of the sandbox: one record a request, and on demand the bodies.
//!
//! Authorization values are never kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

/// One request, as the sandbox saw it.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// Rises with each request.
    pub id: u64,
    /// When its head had been read.
    pub at: Timestamp,
    /// Until its answer was ready; `None` while it is under way.
    pub duration: Option<Duration>,
    /// TCP or the Unix socket.
    pub transport: Transport,
    /// REST or git.
    pub kind: Kind,
    /// Method in capitals.
    pub method: String,
    /// Path as on api.github.com for REST, below the server URL for git.
    pub path: String,
    /// Query without the question mark; empty when there is none.
    pub query: String,
    /// Status of the answer; `None` while under way and when the connection was cut.
    pub status: Option<u16>,
    /// Login of the account that the token stands for.
    pub account: Option<String>,
    /// It asked for an answer only if something changed.
    pub conditional: bool,
    /// Bytes of the request's body that were read.
    pub body_size: u64,
    /// False if the sandbox has no such endpoint and answered 404.
    pub known: bool,
    /// A fault decided the outcome.
    pub faulted: bool,
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// 127.0.0.1.
    Tcp,
    /// The socket for gh.
    Unix,
}

/// Which face of the host was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// REST and GraphQL.
    Rest,
    /// Clone, fetch and push.
    Git,
}

/// A REST request and its answer with their bodies, kept when `Options::record_bodies` is set.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// Id of the request's record.
    pub id: u64,
    /// Method in capitals.
    pub method: String,
    /// Path as on api.github.com.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// Body of the request.
    pub request_body: Vec<u8>,
    /// Status of the answer.
    pub status: u16,
    /// Media type of the answer, if it has a body.
    pub response_type: Option<String>,
    /// Body of the answer.
    pub response_body: Vec<u8>,
    /// A fault made the answer.
    pub faulted: bool,
}

/// The log of all requests.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    last_id: u64,
    records: BTreeMap<u64, (RequestRecord, Instant)>,
    exchanges: Vec<Exchange>,
}

impl Traffic {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request and gives its id.
    pub(crate) fn begin(&self, mut record: RequestRecord) -> u64 {
        let mut log = self.log();
        log.last_id += 1;
        let id = log.last_id;
        record.id = id;
        log.records.insert(id, (record, Instant::now()));
        id
    }

    /// Notes how a request ended; forgotten requests are left forgotten.
    pub(crate) fn finish(&self, id: u64, outcome: impl FnOnce(&mut RequestRecord)) {
        if let Some((record, started)) = self.log().records.get_mut(&id) {
            record.duration = Some(started.elapsed());
            outcome(record);
        }
    }

    pub(crate) fn keep(&self, exchange: Exchange) {
        self.log().exchanges.push(exchange);
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.log().records.values().map(|(record, _)| record.clone()).collect()
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.log().exchanges.clone()
    }

    pub(crate) fn clear(&self) {
        let mut log = self.log();
        log.records.clear();
        log.exchanges.clear();
    }
}
