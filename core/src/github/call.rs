//! Calls: one request each, lists to their last page, and writes that are read back where their answer is lost.

use futures_util::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use octocrab::{FromResponse, Page};
use reqwest::Method;
use reqwest::header::LINK;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Answer;
use super::layers::{Failure, TRIES};
use super::{Client, next_page};
use crate::{Error, Result};

/// Pages of one list; GitHub's own limits need far fewer.
const PAGES: u32 = 200;

/// An answer as octocrab hands it out.
type Response = http::Response<BoxBody<bytes::Bytes, octocrab::Error>>;

/// A request to be sent.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Name of the endpoint, for crash points and logs: `put_variable`.
    pub name: &'static str,
    /// What is being done, for messages: `reading the secrets of owner/name`.
    pub what: String,
    /// Method.
    pub method: Method,
    /// Path below the API's address, with its query; without a leading slash.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
    /// The ETag of an answer that is known: where nothing changed since, the answer is a 304 without a body.
    pub etag: Option<String>,
    /// Whether the answer is kept, so that asking again costs a conditional request where nothing changed.
    pub remember: bool,
}

impl Call {
    /// A read.
    pub fn get(name: &'static str, what: impl Into<String>, path: impl Into<String>) -> Self {
        Self::write(name, what, Method::GET, path, None)
    }

    /// A write.
    pub fn write(
        name: &'static str,
        what: impl Into<String>,
        method: Method,
        path: impl Into<String>,
        body: Option<Value>,
    ) -> Self {
        Self { name, what: what.into(), method, path: path.into(), body, etag: None, remember: false }
    }
}

/// How a write was found to be done.
#[derive(Debug)]
pub enum Wrote {
    /// The host said so.
    Answered(Answer),
    /// The host's answer was lost; the effect was read back.
    ReadBack,
}

impl Client {
    /// Reads one resource.
    ///
    /// # Errors
    /// The host's refusal, or why it could not be asked; passing faults were tried again.
    pub async fn get(&self, call: &Call) -> Result<Answer> {
        Ok(Answer::of(self.accepted(call).await?).await)
    }

    /// Reads one resource for somebody who judges the host's answer, whether it is a refusal or not.
    ///
    /// # Errors
    /// Why there is no answer: no connection, trouble of the host, its limits. Passing faults were tried again.
    pub async fn ask(&self, call: &Call) -> Result<Answer> {
        Ok(Answer::of(self.send(call).await?).await)
    }

    /// The host's refusal as an error with what to do about it.
    pub(super) fn refused(&self, what: &str, answer: &Answer) -> Error {
        self.shared.refusal(what, answer)
    }

    /// Reads one resource as octocrab reads this type.
    pub(super) async fn read<T: FromResponse>(&self, call: &Call) -> Result<T> {
        self.read_in(call, self.accepted(call).await?).await
    }

    /// Reads a list to its end, following the pages.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn list<T: DeserializeOwned>(&self, call: &Call) -> Result<Vec<T>> {
        Ok(self.pages::<Page<T>>(call).await?.into_iter().flatten().collect())
    }

    /// The pages of a list, as octocrab reads this type.
    pub(super) async fn pages<P: FromResponse>(&self, call: &Call) -> Result<Vec<P>> {
        let mut call = call.clone();
        let mut pages = Vec::new();
        for _ in 0..PAGES {
            let asked = self.shared.address(&call.path)?;
            let mut response = self.accepted(&call).await?;
            let next =
                next_page(response.headers()).map(|next| self.shared.base.make_relative(&asked.join(next).ok()?));
            // A `Page` knows the first `Link` only, and writes to standard error about relations that it does not know.
            response.headers_mut().remove(LINK);
            pages.push(self.read_in(&call, response).await?);
            match next {
                Some(Some(path)) => call.path = path,
                Some(None) => return Err(self.shared.odd(&call.what, "the next page is on another host")),
                None => return Ok(pages),
            }
        }
        Err(self.shared.odd(&call.what, "the list has no end"))
    }

    /// Writes, and finds out by `arrived` whether it was done when the answer is lost; writes again only if not.
    ///
    /// # Errors
    /// The host's refusal, or why the outcome is unknown.
    pub async fn write<'a>(
        &self,
        call: &Call,
        arrived: impl Fn() -> BoxFuture<'a, Result<bool>> + Send + Sync,
    ) -> Result<Wrote> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.send(call).await {
                Ok(response) => return Ok(Wrote::Answered(Answer::of(self.accept(call, response).await?).await)),
                Err(Failure::Unknown(error)) => error,
                Err(failure) => return Err(failure.into()),
            };
            tracing::info!(call = call.name, error = %error.message, "answer lost, reading back");
            if arrived().await? {
                return Ok(Wrote::ReadBack);
            }
            if tried >= TRIES {
                return Err(error);
            }
            self.shared.back_off(tried).await?;
        }
    }

    /// The answer, if it is a success.
    async fn accepted(&self, call: &Call) -> Result<Response> {
        self.accept(call, self.send(call).await?).await
    }

    /// octocrab's own error for a refusal has no room for all that GitHub says with it, such as `block`.
    async fn accept(&self, call: &Call, response: Response) -> Result<Response> {
        if response.status().is_success() {
            return Ok(response);
        }
        let answer = Answer::of(response).await;
        let (status, request) = (answer.status.as_u16(), answer.header("x-github-request-id"));
        tracing::debug!(call = call.name, status, request, "refused");
        Err(self.shared.refusal(&call.what, &answer))
    }

    async fn read_in<T: FromResponse>(&self, call: &Call, response: Response) -> Result<T> {
        T::from_response(response).await.map_err(|error| match error {
            // It says nothing but its name.
            octocrab::Error::Other { source, .. } => self.shared.odd(&call.what, source),
            other => self.shared.odd(&call.what, other),
        })
    }

    /// One request through octocrab: its raw call, since only this one takes what the layers are told.
    async fn send(&self, call: &Call) -> Result<Response, Failure> {
        // A path as octocrab takes it, with all that a URL does not take escaped.
        let path = self.shared.address(&call.path)?;
        let path = format!("/{}", self.shared.base.make_relative(&path).unwrap_or_default());
        let request = http::Request::builder().method(call.method.clone()).uri(path);
        let sent = async {
            let request = self.octocrab.build_request(request.extension(call.clone()), call.body.as_ref())?;
            self.octocrab.execute(request).await
        };
        sent.await.map_err(|error| Failure::of(error, &self.shared, &call.what))
    }
}
