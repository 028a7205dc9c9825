//! An upstream that is kept here: a bare repository that plain git can clone.
//!
//! 1. Look at the upstream's refs. Nothing is ever written there.
//! 2. Compare them with the copy's (`compare`); where a tip moves, its objects are brought first, since only they say
//!    whether it moves forward. No ref of the copy moves yet.
//! 3. Apply (`apply`): what would be lost is rescued in the copy, then all refs move in one step, then `HEAD`.
//!
//! The upstream wins, but for the guard: one that was wiped does not wipe the copy.

mod apply;
mod compare;
mod lfs;
mod plan;

use async_trait::async_trait;
use standin_state::config::PullTarget;
use standin_state::model::{AskId, Aspect, AspectReport, RefName};
use standin_state::store::{Decision, DecisionChoice, Rescue};

use super::{Asked, Check, Kind, Looked, Prepared, Tested};
use crate::code::{Resolved, Restored, in_the_way, rescue};
use crate::context::MirrorContext;
use crate::event::Event;
use crate::git::Listing;
use crate::mirror::{copy, copy_path, unknown_host_key, upstream_remote};
use crate::plan::Plan;
use crate::source::SharedSource;
use crate::workflows::switch::Mended;
use crate::{Code, Error, Result};

use plan::Ready;

/// The kind.
pub(super) struct Pull;

#[async_trait]
impl Kind for Pull {
    fn reads_source(&self) -> bool {
        false
    }

    async fn look(&self, ctx: &MirrorContext, _source: &SharedSource, asked: Asked) -> Result<Box<dyn Looked>> {
        let wants_code = asked.aspects.contains(&Aspect::Code) && ctx.mirror.sync.contains(&Aspect::Code);
        Ok(Box::new(Seen { listing: if wants_code { Some(list(ctx).await?) } else { None } }))
    }

    async fn test(&self, ctx: &MirrorContext) -> Result<Tested> {
        let mut tested = Tested::default();
        match list(ctx).await {
            Ok(listing) => {
                let found = format!("{} refs", listing.refs.len());
                tested.checks.push(Check::works("read the upstream", found));
            }
            Err(error) => {
                tested.host_key = unknown_host_key(ctx, &error).await;
                tested.checks.push(Check::failed("read the upstream", &error));
            }
        }
        let pull = target(ctx)?;
        let path = copy_path(&ctx.source.folder, &ctx.mirror.id, pull);
        let found = match path.exists() {
            true => copy(&ctx.source, &ctx.mirror.id, pull).map(|_| "a copy of this upstream"),
            false => Ok("the first sync makes it"),
        };
        tested.checks.push(match found {
            Ok(found) => Check::works("keep it here", format!("{}: {found}", path.display())),
            Err(error) => Check::failed("keep it here", &error),
        });
        Ok(tested)
    }

    async fn answer(&self, ctx: &MirrorContext, ask: &AskId, _choice: DecisionChoice) -> Result<Resolved> {
        Err(Error::new(
            Code::Usage,
            format!("there is nothing to decide about `{ask}`: mirror {} follows its upstream", ctx.mirror.id),
            format!(
                "What its plan waits for is confirmed with `standin sync --mirror {} --yes`; what goes is rescued first.",
                ctx.mirror.id
            ),
        ))
    }

    /// Under a name that the upstream does not have: there it stays until a person removes it.
    async fn restore(&self, ctx: &MirrorContext, rescue: &Rescue, to: Option<&RefName>) -> Result<Restored> {
        let (name, mirror) = (to.unwrap_or(&rescue.ref_name), &ctx.mirror.id);
        let copy = copy(&ctx.source, mirror, target(ctx)?)?;
        let standing = standing(&copy)?;
        let taken = standing
            .get(name)
            .map(|tip| format!("it is at {}", tip.short()))
            .or_else(|| in_the_way(&standing, name).next().map(|other| format!("`{other}` is in its way")));
        if let Some(taken) = taken {
            return Err(Error::new(
                Code::Usage,
                format!("`{name}` is taken in the copy of mirror `{mirror}`: {taken}"),
                format!("Choose a free name: `standin rescue restore {} --to refs/heads/NAME`.", rescue.id),
            ));
        }
        if name.as_str().starts_with("refs/standin/") {
            let message = format!("`{name}` is a name of Standin's own");
            return Err(Error::new(Code::Usage, message, "Give a name such as `refs/heads/restored`."));
        }
        rescue::bring(ctx, rescue, &copy).await?;
        // First the word that lets it stay, so that no sync in between takes it away.
        let decision = Decision {
            ask: name.into(),
            seen: rescue.oid.to_string(),
            choice: DecisionChoice::Leave,
            decided_iso: ctx.outside().clock.now(),
        };
        ctx.store().set_decision(&ctx.repository().id, mirror, &decision)?;
        copy.set_ref(name, &rescue.oid)?;
        Ok(Restored { name: name.clone(), oid: rescue.oid.clone() })
    }
}

/// What was seen of the upstream; `None` where the run leaves code out.
struct Seen {
    listing: Option<Listing>,
}

#[async_trait]
impl Looked for Seen {
    fn is_left_open(&self, _ctx: &MirrorContext) -> Result<bool> {
        Ok(false)
    }

    async fn mend(&mut self, _ctx: &MirrorContext) -> Result<Mended> {
        Ok(Mended::Nothing)
    }

    async fn prepare(self: Box<Self>, ctx: &MirrorContext, _source: &SharedSource) -> Result<Box<dyn Prepared>> {
        let ready = match self.listing {
            Some(listing) => Some(plan::ready(ctx, target(ctx)?, &listing).await?),
            None => None,
        };
        Ok(Box::new(ToApply { ready }))
    }
}

struct ToApply {
    ready: Option<Ready>,
}

#[async_trait]
impl Prepared for ToApply {
    fn plan(&self, ctx: &MirrorContext) -> Result<Plan> {
        plan::told(ctx, target(ctx)?, self.ready.as_ref().map(|ready| &ready.plan))
    }

    async fn apply(self: Box<Self>, ctx: &MirrorContext) -> Result<Vec<(Aspect, Result<AspectReport>)>> {
        match self.ready {
            Some(ready) => {
                let pull = target(ctx)?;
                ctx.event(&Event::AspectStarted {
                    run: ctx.run.clone(),
                    repository: ctx.repository().id.clone(),
                    mirror: ctx.mirror.id.clone(),
                    aspect: Aspect::Code,
                });
                Ok(vec![(Aspect::Code, Box::pin(apply::apply(ctx, pull, ready)).await)])
            }
            None => Ok(Vec::new()),
        }
    }
}

/// What the mirror pulls.
fn target(ctx: &MirrorContext) -> Result<&PullTarget> {
    ctx.mirror.target.pulled().ok_or_else(|| {
        let message = format!("mirror {} is no copy of an upstream", ctx.mirror.id);
        Error::new(Code::Usage, message, "Only mirrors of type `pull` are.")
    })
}

async fn list(ctx: &MirrorContext) -> Result<Listing> {
    let pull = target(ctx)?;
    let listed = upstream_remote(ctx, pull)?.list(&["refs/"]).await;
    listed.map_err(|error| error.during(format!("Reading the upstream `{}`", pull.upstream.display())))
}

/// The refs of a copy, but for what is Standin's own.
fn standing(copy: &crate::git::Cache) -> Result<crate::git::Refs> {
    let mut refs = copy.refs("refs/")?;
    refs.retain(|name, _| !name.as_str().starts_with("refs/standin/"));
    Ok(refs)
}
