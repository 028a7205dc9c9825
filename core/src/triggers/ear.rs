//! Hearing webhooks: what is signed goes into the queue, what is not costs no write. Where, and within which bounds, requests come
//! in is [`crate::listening`]'s business.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use http::{Method, StatusCode};
use standin_state::store::NewTrigger;

use super::webhook::{BODY_LIMIT, Delivery, Webhooks};
use crate::Result;
use crate::listening::{self, Answer, Asked, Said, said};

/// The path that is listened to.
pub const PATH: &str = "/webhook";

/// Where a trigger is kept; what it fails with is not told to who sent it.
pub type Keep = dyn Fn(&NewTrigger) -> Result<()> + Send + Sync;

/// An ear for webhooks. It hears nothing before [`Ear::hear`].
pub struct Ear {
    webhooks: RwLock<Option<Arc<Webhooks>>>,
    keep: Arc<Keep>,
}

impl Ear {
    /// One that keeps there what it hears.
    pub fn new(keep: Arc<Keep>) -> Self {
        Self { webhooks: RwLock::default(), keep }
    }

    /// Judges by these what it hears from now on; without them it hears nothing.
    pub fn hear(&self, webhooks: Option<Webhooks>) {
        *self.webhooks.write().unwrap_or_else(PoisonError::into_inner) = webhooks.map(Arc::new);
    }

    fn webhooks(&self) -> Option<Arc<Webhooks>> {
        self.webhooks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Answer for Ear {
    async fn answer(&self, asked: Asked) -> Said {
        if asked.method() != Method::POST {
            return said(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let Some(webhooks) = self.webhooks() else { return said(StatusCode::SERVICE_UNAVAILABLE, "") };
        let (head, body) = asked.into_parts();
        let body = match listening::body(body, BODY_LIMIT).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match webhooks.judge(&head.headers, &body) {
            Ok(Delivery::Push(triggers)) => {
                let keep = self.keep.clone();
                // It waits for the disk.
                let kept =
                    tokio::task::spawn_blocking(move || triggers.iter().try_for_each(|trigger| keep(trigger))).await;
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
}
