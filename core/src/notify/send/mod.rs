//! The three ways in which a message gets to a place, and the ping.

mod command;
mod http;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config::{NotifyMeans, NotifyTarget, WebAddress};
use standin_state::store::Store;

use super::secret;
use super::word::Word;
use crate::outside::Outside;
use crate::redact::Redactor;
use crate::{Code, Error, Result};

/// How long one message may take, whatever the way.
const LIMIT: Duration = Duration::from_secs(20);
/// Shorter parts of an address are words that stand in any text.
const SHORTEST_PART: usize = 6;

/// What sending needs.
#[derive(Clone)]
pub(crate) struct Post<'a> {
    pub(crate) outside: &'a Outside,
    pub(crate) store: &'a Store,
    limit: Duration,
}

impl<'a> Post<'a> {
    pub(crate) fn new(outside: &'a Outside, store: &'a Store) -> Self {
        Self { outside, store, limit: LIMIT }
    }

    #[cfg(test)]
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends a message to a place, once.
    ///
    /// # Errors
    /// Why it did not arrive, as far as that is known: one that took too long may have. Never a token, and of an address only
    /// the host. It is retryable where the same may work later.
    pub(crate) async fn send(&self, target: &NotifyTarget, word: &Word) -> Result<()> {
        let sending = async {
            let token = secret::find(self.outside, self.store, target).await?;
            match &target.means {
                NotifyMeans::Ntfy(address) => http::ntfy(address, token.as_ref(), word).await,
                NotifyMeans::Webhook(address) => http::webhook(address, token.as_ref(), word).await,
                NotifyMeans::Command(command) => command::run(self.outside, command, word, self.limit).await,
            }
        };
        // A command has its own watch, so that it ends with all that it started; the rest has this one.
        let slack = if target.address().is_some() { Duration::ZERO } else { Duration::from_secs(5) };
        match tokio::time::timeout(self.limit + slack, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(silent(&target.display(), self.limit)),
        }
    }

    /// Asks the address that waits for a sign of life.
    ///
    /// # Errors
    /// As [`Post::send`].
    pub(crate) async fn ping(&self, address: &WebAddress) -> Result<()> {
        match tokio::time::timeout(self.limit, http::ping(address)).await {
            Ok(asked) => asked,
            Err(_) => Err(silent(address.origin(), self.limit)),
        }
    }
}

fn silent(who: &str, limit: Duration) -> Error {
    Error::passing(
        Code::TimedOut,
        format!("{who} gave no answer within {} seconds", limit.as_secs_f32()),
        "It is tried again. If it stays so, see whether it is well.",
    )
}

/// Takes out of words from outside what must not be shown of a place: its token, and all of its address but the host.
fn redactor(address: &WebAddress, token: Option<&SecretString>) -> Redactor {
    let whole = address.whole().expose_secret();
    let rest = whole.strip_prefix(address.origin()).unwrap_or(whole);
    let parts = rest.split(['/', '?', '&', '=']).filter(|part| part.len() >= SHORTEST_PART);
    let parts: Vec<SecretString> = parts.chain([rest.trim_start_matches('/')]).map(SecretString::from).collect();
    Redactor::of(parts.iter().chain([address.whole()]).chain(token))
}

#[cfg(all(test, unix))]
mod tests;
