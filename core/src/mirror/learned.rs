//! What a mirror's host was found not to do, and when: hosts are mended and updated, so after a day it is asked again.

use jiff::{SignedDuration, Timestamp};

use standin_state::config::{MirrorConfig, Target};
use standin_state::model::RepositoryId;
use standin_state::store::Store;

use crate::Result;
use crate::context::MirrorContext;
use crate::git::Address;
use crate::git::address::Transport;

/// The fact and word for a host that refuses the fence.
pub(crate) const NO_FENCE: (&str, &str) = ("fence", "refused");
/// The fact and word for a host that does not move several refs all or none.
pub(crate) const NOT_ATOMIC: (&str, &str) = ("atomic", "no");

/// The fact and word for a host that says it moves several refs all or none, and was seen to move some without the others.
pub(crate) const BY_HALF: (&str, &str) = ("atomic", "half");
/// The fact and word for a host that refused a push as a whole in words for a fault that passes. Where it does so again, it may be one
/// ref that it means.
pub(crate) const PASSING: (&str, &str) = ("passing", "told");
/// The fact and word for a host that takes one ref in a push, so that none goes with the fence.
pub(crate) const ONE_A_PUSH: (&str, &str) = ("atomic", "one");
/// The fact for the program that answers a mirror's pushes, such as `git/2.47.3`; `?` where it does not tell.
pub(crate) const SERVER: &str = "server";

/// How long most of it is believed.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);
/// How long it is believed of a host that it moves refs by half, or takes one in a push: only a refused push could show that it does no
/// more.
const HALF_BELIEVED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Remembers that it was found now.
///
/// # Errors
/// [`crate::Code::Storage`], as for all of these.
pub(crate) fn remember(ctx: &MirrorContext, (key, word): (&str, &str)) -> Result<()> {
    set(ctx, key, &format!("{word} {}", ctx.outside().clock.now()))
}

/// Whether it was found, however long ago.
pub(crate) fn is_known(ctx: &MirrorContext, fact: (&str, &str)) -> Result<bool> {
    Ok(since(ctx, fact)?.is_some())
}

/// Whether it was found so lately that it still holds.
pub(crate) fn is_believed(ctx: &MirrorContext, fact: (&str, &str)) -> Result<bool> {
    let now = ctx.outside().clock.now();
    let believed = if matches!(fact, BY_HALF | ONE_A_PUSH) { HALF_BELIEVED } else { BELIEVED };
    Ok(since(ctx, fact)?.is_some_and(|since| since <= now && now.duration_since(since) < believed))
}

/// Whether the mirror's host moves several refs all or none, as far as is known.
pub(crate) fn is_atomic(ctx: &MirrorContext) -> Result<bool> {
    Ok(!is_believed(ctx, NOT_ATOMIC)? && !is_believed(ctx, BY_HALF)? && !is_believed(ctx, ONE_A_PUSH)?)
}

/// Whether what a mirror's server reports of a push is believed: where it is git's own program, or GitHub's. Others were seen to
/// report what they did not do.
pub(crate) fn trusts_reports(store: &Store, repository: &RepositoryId, mirror: &MirrorConfig) -> Result<bool> {
    let is_path = |url: &str| Address::parse(url, None).is_ok_and(|address| address.transport == Transport::File);
    match &mirror.target {
        // Nothing is pushed to a copy.
        Target::GitHub(_) | Target::Pull(_) => Ok(true),
        Target::Git(git) if is_path(&git.url) => Ok(true),
        Target::Git(_) => {
            Ok(store.fact(repository, Some(&mirror.id), SERVER)?.is_some_and(|name| name.starts_with("git/")))
        }
    }
}

/// Forgets it: it is not so any more.
pub(crate) fn forget(ctx: &MirrorContext, fact: (&str, &str)) -> Result<()> {
    if is_known(ctx, fact)? {
        ctx.store().set_fact(&ctx.repository().id, Some(&ctx.mirror.id), fact.0, None)?;
    }
    Ok(())
}

/// Makes what was found be tried at the next occasion.
pub(crate) fn doubt(ctx: &MirrorContext, fact: (&str, &str)) -> Result<()> {
    if is_known(ctx, fact)? { set(ctx, fact.0, fact.1) } else { Ok(()) }
}

/// When it was found; long ago where that is not known.
fn since(ctx: &MirrorContext, (key, word): (&str, &str)) -> Result<Option<Timestamp>> {
    let fact = ctx.store().fact(&ctx.repository().id, Some(&ctx.mirror.id), key)?;
    let Some(rest) = fact.as_deref().and_then(|fact| fact.strip_prefix(word)) else { return Ok(None) };
    Ok(Some(rest.trim().parse().unwrap_or(Timestamp::MIN)))
}

fn set(ctx: &MirrorContext, key: &str, value: &str) -> Result<()> {
    ctx.store().set_fact(&ctx.repository().id, Some(&ctx.mirror.id), key, Some(value))
}
