//! Actions secrets of a `github` mirror: which are to be sent, and sending them through gh.
//!
//! The host never gives a value back. What we know is which names it has, when each was last written, and a keyed
//! fingerprint of the value that we sent last: together they say what to send, and an unchanged secret costs nothing
//! but its line in one list. Values go to gh on standard input and nowhere else. Nothing is ever removed.

mod apply;
mod carry;
mod fingerprint;
mod plan;
mod send;

pub use apply::apply;
pub use plan::plan;
pub(crate) use plan::{are_sent, fingerprints};

use std::collections::BTreeMap;

use secrecy::SecretString;
use standin_state::model::Slug;

use crate::context::MirrorContext;
use crate::github::Client;
use crate::{Error, Result};

/// Secrets a repository may have.
pub const COUNT_LIMIT: usize = 100;

/// Sets secrets of the mirror that are no part of a sync. Gives those that gh did not say to be set, and why.
///
/// # Errors
/// What stops all of it: no gh, no time left, cancelled.
pub(crate) async fn set(
    ctx: &MirrorContext,
    slug: &Slug,
    client: &Client,
    secrets: &[(&str, &SecretString)],
) -> Result<BTreeMap<String, Error>> {
    send::send(ctx, slug, client, secrets).await.map(|sent| sent.doubtful)
}
