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

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether a secret of this name belongs to one machine or one repository and never travels.
pub(crate) fn stays_here(name: &str) -> bool {
    ["MIRROR_", "GIT_SYNC_", "STANDIN_", "SENTINEL_"].iter().any(|prefix| has_prefix(name, prefix))
        || name.eq_ignore_ascii_case("MASTER_TOKEN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_sentinel_never_travel() {
        for name in ["STANDIN_TOKEN", "MASTER_TOKEN", "master_token", "MIRROR_1_TOKEN", "SENTINEL_X", "GIT_SYNC_ALPHA"]
        {
            assert!(stays_here(name), "{name}");
        }
        assert!(!stays_here("MIRRORED") && !stays_here("API_KEY"));
    }
}
