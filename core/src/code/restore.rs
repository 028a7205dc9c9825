//! Putting a rescued tip back on a mirror, with its workflows kept from running.

use serde::{Deserialize, Serialize};
use standin_state::model::{Oid, RefName};
use standin_state::store::ChangeAction;
use ts_rs::TS;

use super::apply::{Pushed, Pusher};
use super::plan::in_the_way;
use super::rescue;
use crate::context::MirrorContext;
use crate::mirror::{self, MirrorView, contact};
use crate::plan::RefChange;
use crate::workflows::guarded_push;
use crate::{Code, Error, Result};

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Restored {
    /// The ref on the mirror that points to the tip again.
    pub name: RefName,
    /// The tip, the very same as before.
    pub oid: Oid,
}

/// Puts a rescued tip back on the mirror that held it, or on another of the same repository, whichever `ctx` is of: under
/// its own name, or under `to`. The name must be free there; what
/// a restore puts there counts as the user's, so no later sync moves or deletes it. Workflows that come with it are kept
/// from running as in a sync.
///
/// # Errors
/// [`Code::NotFound`] for an unknown id or one of another repository, [`Code::Usage`] when the name is taken on the mirror,
/// [`Code::RefRefused`] in the host's words, [`Code::Raced`].
pub async fn restore(ctx: &MirrorContext, id: &str, to: Option<&RefName>) -> Result<Restored> {
    let rescue = rescue::find(ctx.store(), id)?;
    if rescue.repository != ctx.repository().id {
        return Err(Error::new(
            Code::NotFound,
            format!("Rescue `{id}` is of the repository `{}`", rescue.repository),
            "Restore it there.",
        ));
    }
    let name = to.unwrap_or(&rescue.ref_name);
    if !(name.is_branch() || name.is_tag() || name.as_str().starts_with("refs/notes/")) {
        return Err(Error::new(
            Code::Usage,
            format!("`{name}` is no branch or tag"),
            "Give a name such as `refs/heads/restored`.",
        ));
    }
    let mut view = mirror::look(ctx).await?;
    contact::refuse(ctx, &view).await?;
    let taken = view
        .refs
        .get(name)
        .map(|tip| format!("it is at {}", tip.short()))
        .or_else(|| in_the_way(&view.refs, name).next().map(|other| format!("`{other}` is in its way")));
    if let Some(taken) = taken {
        return Err(Error::new(
            Code::Usage,
            format!("`{name}` is taken on mirror `{}`: {taken}", ctx.mirror.id),
            format!("Choose a free name: `standin rescue restore {id} --to refs/heads/NAME`."),
        ));
    }
    let cache = view.cache.clone();
    rescue::bring(ctx, &rescue, &cache).await?;
    let change = RefChange {
        name: name.clone(),
        action: ChangeAction::Create,
        old: None,
        new: Some(rescue.oid.clone()),
        decision: None,
    };
    let workflows = cache.workflow_files(&rescue.oid)?.into_keys().collect();
    let guarded = guarded_push::before(ctx, &mut view, &workflows).await.map_err(|error| {
        error.during("Nothing was restored, since the workflows that would come with it could not be kept from running")
    })?;
    let put = put_back(ctx, &mut view, change).await;
    let ended = guarded_push::after(ctx, &mut view, guarded).await;
    put?;
    ended.map_err(|error| error.during(format!("`{name}` is restored, but its workflows are not in order")))?;
    Ok(Restored { name: name.clone(), oid: rescue.oid })
}

async fn put_back(ctx: &MirrorContext, view: &mut MirrorView, change: RefChange) -> Result<()> {
    let moved = Error::passing(
        Code::Raced,
        format!("`{}` or the fence of mirror `{}` moved meanwhile", change.name, ctx.mirror.id),
        "Another sync of this mirror is going on; restore again when it is through.",
    );
    let mut pusher = Pusher::for_users_refs(ctx)?;
    match pusher.push(view, vec![change]).await? {
        Pushed::Through => {}
        Pushed::Moved => return Err(moved),
    }
    match pusher.into_refused().pop() {
        Some(refused) => Err(refused.error),
        None => Ok(()),
    }
}
