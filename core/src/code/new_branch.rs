//! Bringing a saved tip to the source, under a name of its own. Nothing there is moved.

use standin_state::model::{Oid, RefName};

use crate::context::SourceContext;
use crate::git::{Cache, PushOptions, PushResult, Update};
use crate::mirror::{explain_refusal, source_remote};
use crate::{Code, Error, Result};

/// Makes `base` at the source, or a name next to it where that is taken by another tip. Where the tip stands there
/// already nothing is done.
///
/// # Errors
/// [`Code::RefRefused`] in the host's words, or where both names are taken; [`Code::Raced`]; what git reports.
pub(crate) async fn at_source(source: &SourceContext, cache: &Cache, base: &str, tip: &Oid) -> Result<RefName> {
    let remote = source_remote(source, "git.source")?;
    let there = remote.list(&["refs/heads/", "refs/tags/"]).await?.refs;
    for candidate in [base.to_owned(), format!("{base}-{}", tip.short())] {
        let target: RefName = candidate.parse().map_err(|error| Error::new(Code::Usage, format!("{error}"), ""))?;
        match there.get(&target) {
            Some(known) if known == tip => return Ok(target),
            Some(_) => continue,
            None => {}
        }
        let update = Update { name: target.clone(), old: None, new: Some(tip.clone()) };
        let report = remote.push(cache, &[update], PushOptions { atomic: false, dry_run: false }).await?;
        return match report.results.get(&target) {
            Some(PushResult::Done) => Ok(target),
            Some(PushResult::Refused { reason }) => Err(explain_refusal(&target, reason, &report.messages)),
            Some(PushResult::Stale | PushResult::NotTried) | None => Err(Error::passing(
                Code::Raced,
                format!("Somebody made `{target}` at the source meanwhile"),
                "Try it again.",
            )),
        };
    }
    Err(Error::new(
        Code::RefRefused,
        format!("the source has other branches named `{base}` already"),
        "Rename or delete them there.",
    ))
}
