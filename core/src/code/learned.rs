//! What a mirror's host was found not to do, and when: hosts are mended and updated, so after a day it is asked again.

use jiff::{SignedDuration, Timestamp};

use crate::Result;
use crate::run::MirrorContext;

/// The fact and word for a host that refuses the fence.
pub(crate) const NO_FENCE: (&str, &str) = ("fence", "refused");
/// The fact and word for a host that does not move several refs all or none.
pub(crate) const NOT_ATOMIC: (&str, &str) = ("atomic", "no");

/// How long it is believed.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

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

/// Whether it was found less than a day ago.
pub(crate) fn is_believed(ctx: &MirrorContext, fact: (&str, &str)) -> Result<bool> {
    let now = ctx.outside().clock.now();
    Ok(since(ctx, fact)?.is_some_and(|since| since <= now && now.duration_since(since) < BELIEVED))
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
