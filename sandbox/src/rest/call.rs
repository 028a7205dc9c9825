//! A REST request, taken apart.

use std::cell::Cell;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::reply::Refusal;
use crate::access::{Caller, Need, SignInFailure};
use crate::barred::Barring;

/// A REST request, read in full.
pub(crate) struct Call {
    pub method: Method,
    /// As on api.github.com, not decoded.
    pub path: String,
    /// Decoded segments of the path.
    pub segments: Vec<String>,
    query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub caller: Result<Caller, SignInFailure>,
    /// Base of the REST URLs in answers, without a slash at the end.
    pub base: String,
    /// What the endpoint asks of its caller, once it is known.
    pub need: Cell<Option<Need>>,
    /// How the caller's token is kept out.
    pub barring: Option<Barring>,
}

impl Call {
    pub(crate) fn new(
        parts: &Parts,
        path: String,
        base: String,
        caller: Result<Caller, SignInFailure>,
        body: Bytes,
    ) -> Self {
        let segments = path.trim_matches('/').split('/').map(|segment| percent_decode(segment, false)).collect();
        let query = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (percent_decode(name, true), percent_decode(value, true))
            })
            .collect();
        Self {
            method: parts.method.clone(),
            path,
            segments,
            query,
            headers: parts.headers.clone(),
            body,
            caller,
            base,
            need: Cell::new(None),
            barring: None,
        }
    }

    /// A query parameter, if it is there and not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All query parameters but the page, to be repeated in links.
    pub(crate) fn query_without_page(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .iter()
            .filter(|(name, _)| name != "page" && name != "per_page")
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A request header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The JSON body.
    ///
    /// # Errors
    /// 400 when it is no JSON, 422 when it is not of the expected shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let value: serde_json::Value =
            serde_json::from_slice(&self.body).map_err(|_| Refusal::problems_parsing_json())?;
        if !value.is_object() {
            return Err(Refusal::bad_request("Body should be a JSON object"));
        }
        serde_json::from_value(value).map_err(|error| Refusal::unprocessable(&format!("Invalid request.\n\n{error}.")))
    }

    /// The JSON body; an absent one is an empty object.
    pub(crate) fn json_or_empty<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return serde_json::from_str("{}")
                .map_err(|error| Refusal::unprocessable(&format!("Invalid request.\n\n{error}.")));
        }
        self.json()
    }

    /// A URL of this interface.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Decodes `%41`; in queries `+` is a space.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut ahead = rest.clone();
                let digit = |next: Option<u8>| char::from(next?).to_digit(16);
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        bytes.push((high * 16 + low) as u8);
                        rest = ahead;
                    }
                    _ => bytes.push(byte),
                }
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encodes all but the characters that may stand in a path segment or query value, and `/`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_coding_goes_both_ways() {
        let name = "heads/Ünïcode & 100%+x";
        assert_eq!(percent_decode(&percent_encode(name), false), name);
        assert_eq!(percent_decode("a+b%2Bc", true), "a b+c");
        assert_eq!(percent_decode("100%", false), "100%");
    }
}
