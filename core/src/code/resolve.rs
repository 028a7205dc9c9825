//! The user's choices: what to do with a ref that has diverged, and with a fence that is not the one we remember.
//!
//! `overwrite` and `leave` are remembered for the very tip that was seen; the next sync obeys them. `take` acts at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use standin_state::config::Source;
use standin_state::model::{AskId, Oid, RefName};
use standin_state::store::{Decision, DecisionChoice, RescueReason};

use super::{Snapshot, new_branch, rescue};
use crate::context::MirrorContext;
use crate::mirror::{self, MirrorView, cache, contact, fence_settle, look, mirror_remote};
use crate::{Code, Error, Result};

/// What was done about a choice.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
#[ts(export)]
pub struct Resolved {
    /// For a person.
    pub detail: String,
    /// Whether a sync has to follow for the choice to take effect.
    pub needs_sync: bool,
}

/// Carries out, or remembers, a choice for a ref of the mirror that has diverged or that only the mirror has. The fence
/// `refs/standin/fence` may be named too: `overwrite` puts back what we remember, or makes our source the master;
/// `take` accepts what is there.
///
/// # Errors
/// [`Code::Usage`] when there is nothing to choose, [`Code::Raced`] when the ref moves meanwhile; for `take`
/// [`Code::RefRefused`], [`Code::Forbidden`] and the like when the source cannot be written, [`Code::GuardHeld`] when the tip
/// brings workflows that would run at the source: the tip is rescued then.
pub async fn resolve(ctx: &MirrorContext, ask: &AskId, choice: DecisionChoice) -> Result<Resolved> {
    let Some(name) = &super::ref_of(ask) else {
        return Err(Error::new(
            Code::Usage,
            format!("`{ask}` is not a full ref name such as `refs/heads/main`"),
            format!("`standin plan --mirror {}` shows what waits for a decision.", ctx.mirror.id),
        ));
    };
    if *name == RefName::fence() {
        return resolve_fence(ctx, choice).await;
    }
    let view = look(ctx).await?;
    let snapshot = super::snapshot(&ctx.source).await?;
    // What comes from a stranger's repository would make it share a commit with the source.
    if choice == DecisionChoice::Take {
        contact::refuse(ctx, &view).await?;
    }
    let tip = undecided_tip(ctx, &snapshot, &view, name).await?;
    let mirror = &ctx.mirror.id;
    let resolved = match choice {
        DecisionChoice::Overwrite => Resolved {
            detail: format!("{name} on `{mirror}` ({}) will be rescued and overwritten by the next sync", tip.short()),
            needs_sync: true,
        },
        DecisionChoice::Leave => Resolved {
            detail: format!("{name} on `{mirror}` stays at {} until it moves", tip.short()),
            needs_sync: false,
        },
        DecisionChoice::Take => take(ctx, &snapshot, &view, name, &tip).await?,
    };
    let decision = Decision { ask: name.into(), seen: tip.to_string(), choice, decided_iso: ctx.outside().clock.now() };
    ctx.store().set_decision(&ctx.repository().id, mirror, &decision)?;
    Ok(resolved)
}

/// The mirror's tip of a ref for which there is something to choose.
async fn undecided_tip(
    ctx: &MirrorContext,
    snapshot: &Arc<Snapshot>,
    view: &MirrorView,
    name: &RefName,
) -> Result<Oid> {
    let mirror = &ctx.mirror.id;
    let Some(tip) = view.refs.get(name) else {
        return Err(Error::new(
            Code::Usage,
            format!("Mirror `{mirror}` has no `{name}`"),
            format!(
                "`standin plan --mirror {mirror}` shows the refs that wait for a decision; name one in full, such as `refs/heads/main`."
            ),
        ));
    };
    let planned = super::plan(ctx, snapshot, view).await?.refs;
    let open = planned.diverged.iter().any(|divergence| divergence.name == *name)
        || planned.left_alone.iter().any(|left| left.name == *name)
        || planned.changes.iter().any(|change| change.name == *name && change.decision.is_some());
    if open {
        return Ok(tip.clone());
    }
    Err(Error::new(
        Code::Usage,
        format!("`{name}` on mirror `{mirror}` has not diverged; there is nothing to decide"),
        format!("`standin sync --mirror {mirror}` brings it in step."),
    ))
}

/// Brings a tip of the mirror to the source: as branch `rescue/<mirror>/<ref>`, or as a tag of that name where it is no
/// commit, which no branch can point to.
async fn take(
    ctx: &MirrorContext,
    snapshot: &Snapshot,
    view: &MirrorView,
    name: &RefName,
    tip: &Oid,
) -> Result<Resolved> {
    let endangered = rescue::Endangered { name, oid: tip, reason: RescueReason::Take };
    rescue::save(ctx, &mirror_remote(ctx, "git.mirror")?, &view.cache, &[endangered]).await?;
    refuse_foreign_workflows(ctx, snapshot, name, tip)?;
    let is_commit = view.cache.commit_of(tip)?.as_ref() == Some(tip);
    let kind = if is_commit { "heads" } else { "tags" };
    let base = format!("refs/{kind}/rescue/{}/{}", ctx.mirror.id, name.short().trim_start_matches("refs/"));
    let kept = rescue::id_of(ctx, name, tip);
    let target = new_branch::at_source(&ctx.source, &view.cache, &base, tip).await.map_err(|error| {
        let hint = format!(
            "{} The tip itself is safe as rescue `{kept}`. Allow Standin to write to the source (`standin token set source`), \
             or choose `overwrite` or `leave`.",
            error.hint
        );
        Error { hint: hint.trim_start().to_owned(), ..error.during("The tip could not be brought to the source") }
    })?;
    Ok(taken(&target))
}

/// Refuses a tip whose workflows are not those of the source's default branch: every branch that is pushed there may run
/// its own, with the source's secrets. A local repository runs none.
fn refuse_foreign_workflows(ctx: &MirrorContext, snapshot: &Snapshot, name: &RefName, tip: &Oid) -> Result<()> {
    if matches!(ctx.repository().source, Source::Path(_)) {
        return Ok(());
    }
    let known = match snapshot.default_tip(None) {
        Some(tip) => snapshot.cache.workflow_files(tip)?,
        None => BTreeMap::new(),
    };
    let files = snapshot.cache.workflow_files(tip)?;
    let foreign: Vec<&str> =
        files.iter().filter(|(path, blob)| known.get(*path) != Some(blob)).map(|(path, _)| path.as_str()).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let (mirror, id) = (&ctx.mirror.id, rescue::id_of(ctx, name, tip));
    Err(Error::new(
        Code::GuardHeld,
        format!(
            "{name} on `{mirror}` was not taken: it brings workflows that are not those of the source's default branch, and \
             they would run there with the source's secrets: {}",
            foreign.join(", ")
        ),
        format!(
            "The tip is safe as rescue `{id}`, and stays on the mirror. `standin rescue restore {id} --to refs/heads/NAME` \
             puts it on the mirror under a name of its own, where its workflows do not run: look at it there, and bring \
             to the source yourself what is good. Or choose `overwrite` or `leave`."
        ),
    ))
}

fn taken(target: &RefName) -> Resolved {
    Resolved {
        detail: format!(
            "the tip is at the source as `{}`: merge it there, or overwrite the mirror's",
            target.as_str().trim_start_matches("refs/heads/")
        ),
        needs_sync: false,
    }
}

/// Settles who holds the mirror, by the user's word.
async fn resolve_fence(ctx: &MirrorContext, choice: DecisionChoice) -> Result<Resolved> {
    let mirror = &ctx.mirror.id;
    match choice {
        DecisionChoice::Leave => Err(Error::new(
            Code::Usage,
            "A fence cannot be left: without one nobody knows who may write",
            format!("Choose `overwrite` or `take`, or switch mirror `{mirror}` off."),
        )),
        DecisionChoice::Take => {
            // Only our memory goes; what is there is read and checked as by a new machine.
            ctx.store().forget_fence(&ctx.repository().id, mirror)?;
            contact::forget(ctx)?;
            match look(ctx).await {
                Ok(MirrorView { fence: Some(fence), .. }) => Ok(Resolved {
                    detail: format!(
                        "the fence of `{mirror}` is accepted as it is: epoch {}, sequence {}",
                        fence.document.epoch, fence.document.sequence
                    ),
                    needs_sync: true,
                }),
                Ok(MirrorView { fence: None, .. }) => Ok(Resolved {
                    detail: format!("`{mirror}` counts as a new mirror; the next sync makes its fence"),
                    needs_sync: true,
                }),
                Err(error) if error.code == Code::FencedOff => {
                    Ok(Resolved { detail: format!("accepted. {}", error.message), needs_sync: false })
                }
                Err(error) => Err(error),
            }
        }
        DecisionChoice::Overwrite => {
            let listing = mirror::list(ctx).await?;
            let cache = cache(&ctx.source)?;
            let fence = fence_settle::overwrite(ctx, &cache, listing.refs.get(&RefName::fence())).await?;
            let document = &fence.document;
            Ok(Resolved {
                detail: format!(
                    "`{}` is master of `{mirror}` from epoch {}, sequence {} on",
                    document.master, document.epoch, document.sequence
                ),
                // Nothing is synced towards a master.
                needs_sync: document.master != ctx.mirror.target.site(),
            })
        }
    }
}
