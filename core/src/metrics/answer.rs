//! The answer to whoever scrapes: gathered at most once a second, however many ask, and never by the task that keeps the schedule.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::Mutex;

use super::{Facts, Form, page};
use crate::listening::{Answer, Asked, Said, only_read, said};
use crate::{Code, Error, Result};

/// The path of the page.
pub const PATH: &str = "/metrics";
/// How long what was gathered is answered again.
const FRESH: Duration = Duration::from_secs(1);

/// Gathers what is known. It may wait for the disk.
pub type Gather = dyn Fn() -> Result<Facts> + Send + Sync;

/// The answer at [`PATH`].
pub struct MetricsAnswer {
    gather: Arc<Gather>,
    last: Mutex<Option<(Instant, Arc<Facts>)>>,
}

impl MetricsAnswer {
    /// One that shows what this gathers.
    pub fn new(gather: Arc<Gather>) -> Self {
        Self { gather, last: Mutex::default() }
    }

    async fn page(&self, form: Form) -> Result<String> {
        let facts = self.facts().await?;
        tokio::task::spawn_blocking(move || page(&facts, form)).await.map_err(|error| ended_by_a_bug(&error))?
    }

    /// Whoever asks meanwhile waits for the same.
    async fn facts(&self) -> Result<Arc<Facts>> {
        let mut last = self.last.lock().await;
        if let Some((_, facts)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(facts.clone());
        }
        let gather = self.gather.clone();
        let gathered = tokio::task::spawn_blocking(move || gather()).await.map_err(|error| ended_by_a_bug(&error))?;
        let facts = Arc::new(gathered?);
        *last = Some((Instant::now(), facts.clone()));
        Ok(facts)
    }
}

fn ended_by_a_bug(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, format!("the metrics were ended by a bug: {error}"), "Please report it.")
}

#[async_trait]
impl Answer for MetricsAnswer {
    async fn answer(&self, asked: Asked) -> Said {
        if let Some(refusal) = only_read(&asked) {
            return refusal;
        }
        let accept = asked.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let form = Form::accepted(accept);
        match self.page(form).await {
            Ok(page) => {
                let mut answer = said(StatusCode::OK, page);
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
                answer
            }
            Err(error) => {
                // Where the memory is, is nobody's business who asks.
                tracing::warn!(error = %error.message, "the metrics cannot be shown");
                said(StatusCode::SERVICE_UNAVAILABLE, "what is remembered cannot be read: the log says why")
            }
        }
    }
}
