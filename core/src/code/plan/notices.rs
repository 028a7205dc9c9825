//! What to know before a sync: promises that are weaker on this mirror, names that cannot travel, files left behind.

use std::collections::BTreeSet;

use standin_state::config::GitTarget;
use standin_state::model::RefName;

use super::refs::case_twins;
use crate::Result;
use crate::code::Snapshot;
use crate::code::lfs::shown_bytes;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::fence::Fence;
use crate::git::address::Transport;
use crate::git::{Address, has_hooks};
use crate::mirror::MirrorView;
use crate::mirror::fence_hidden;
use crate::mirror::host_limits::HostLimit;
use crate::plan::{CodePlan, counted};

/// How many names one notice lists.
const LISTED: usize = 10;

/// Everything to know about this plan.
///
/// # Errors
/// [`crate::Code::Storage`].
pub(super) fn of(ctx: &MirrorContext, snapshot: &Snapshot, view: &MirrorView, plan: &CodePlan) -> Result<Vec<Notice>> {
    let mut notices = snapshot.notices.clone();
    notices.extend(promises(ctx, plan)?);
    notices.extend(names(snapshot, view));
    if let Some(lfs) = &plan.lfs {
        notices.push(Notice {
            message: format!(
                "{} kept by git LFS ({}) {} behind: only their pointers are mirrored",
                counted(usize::try_from(lfs.objects).unwrap_or(usize::MAX), "file"),
                shown_bytes(lfs.bytes),
                if lfs.objects == 1 { "stays" } else { "stay" }
            ),
            hint:
                "Copy them by hand until Standin does: `git lfs fetch --all` at the source, then `git lfs push --all` \
                   to the mirror."
                    .to_owned(),
        });
    }
    if !plan.refs.diverged.is_empty()
        && let Some(Fence { document, .. }) = &view.fence
        && let Some(epoch) = document.lost_mastership(&ctx.mirror.target.site(), view.least_epoch)
    {
        notices.push(notice(
            format!("Mirror `{}` was master in epoch {epoch} and has not handed back", ctx.mirror.id),
            format!("`standin demote {}` brings home what it committed then.", ctx.mirror.id),
        ));
    }
    notices.extend(hooks(ctx));
    if snapshot.refs.is_empty() && view.refs.is_empty() {
        notices.push(notice("The source has no commits yet; there is nothing to push", ""));
    }
    let default_branch = snapshot.default_branch(view.head.as_ref());
    if let Some(name) = default_branch
        && snapshot.default_branch.is_assumed_from(view.head.as_ref(), &snapshot.refs)
    {
        notices.push(notice(
            format!("Nothing tells which branch of the source is its default branch: `{}` counts as it", name.short()),
            "Where it is another one, say so in the source: `git config --global init.defaultBranch NAME`, or `git remote set-head origin NAME` \
             where it has an `origin`.",
        ));
    }
    if ctx.mirror.slug().is_none()
        && let (Some(source), Some(mirror)) = (default_branch, &view.head)
        && source != mirror
    {
        notices.push(notice(
            format!("The mirror's default branch is `{}`, the source's is `{}`", mirror.short(), source.short()),
            format!("Only the mirror's server can change it: `git symbolic-ref HEAD {source}` in the repository."),
        ));
    }
    Ok(notices)
}

/// Hooks of a folder that do not run, since nobody said that they are the user's.
fn hooks(ctx: &MirrorContext) -> Option<Notice> {
    let GitTarget { url, hooks, .. } = ctx.mirror.target.pushed_to()?;
    let is_folder = Address::parse(url, None).is_ok_and(|address| address.transport == Transport::File);
    (is_folder && !hooks && has_hooks(url)).then(|| {
        notice(
            format!("{url} has hooks, and they do not run: a folder may have come from somebody else"),
            "If they are yours and shall run, write `hooks = true` for this mirror in `standin.toml`.",
        )
    })
}

fn notice(message: impl Into<String>, hint: impl Into<String>) -> Notice {
    Notice { message: message.into(), hint: hint.into() }
}

/// What this mirror's host cannot do, and which promise is weaker for it.
fn promises(ctx: &MirrorContext, plan: &CodePlan) -> Result<Vec<Notice>> {
    let mut notices = Vec::new();
    if !plan.fence.supported {
        notices.push(match HostLimit::HiddenFence.is_known(&ctx.memory())? {
            true => fence_hidden::notice(),
            false => no_fence(),
        });
    }
    if plan.fence.atomic {
        return Ok(notices);
    }
    notices.push(if HostLimit::ByHalf.is_believed(&ctx.memory())? {
        notice(
            "The mirror's host was seen to move some refs of a push and to refuse others, though it says that it moves all or none: \
             the fence is moved first, then each ref by itself",
            FULL_PROMISE,
        )
    } else if HostLimit::OneAPush.is_believed(&ctx.memory())? {
        notice(
            "The mirror's host takes one ref in a push: the fence is moved first, then each ref by itself",
            HIGHER_LIMIT,
        )
    } else {
        not_atomic(plan.fence.supported)
    });
    Ok(notices)
}

/// Who would move all or none.
const FULL_PROMISE: &str = "Another host, or a newer version of its server, gives the full promise.";
const HIGHER_LIMIT: &str = "A host that takes more, or a higher limit there, gives the full promise.";

/// The mirror's host refuses the fence.
pub(in crate::code) fn no_fence() -> Notice {
    notice(
        format!(
            "The mirror's host refuses `{}`: what we pushed is remembered on this machine only, and a second machine or \
             another master is noticed by its refs alone",
            RefName::fence()
        ),
        "Sync this mirror from one machine, or let its server take the ref.",
    )
}

/// The mirror's host has no atomic pushes.
pub(in crate::code) fn not_atomic(fence: bool) -> Notice {
    let weaker = if fence {
        "the fence is moved first, then each ref by itself; a writer that stopped in between may still move a ref that \
         nobody else moved meanwhile"
    } else {
        "each ref is moved by itself, and some may arrive without the others"
    };
    notice(
        format!("The mirror's host cannot move several refs all or none: {weaker}"),
        "A newer git on its server, or `receive.advertiseAtomic=true` there, gives the full promise.",
    )
}

/// The mirror's host says that its pushes are atomic, and they are not.
pub(in crate::code) fn by_half() -> Notice {
    notice(
        "The mirror's host moved some refs of a push and refused others, though it says that it moves all or none: from now on \
         the fence is moved first, then each ref by itself",
        format!("Nothing is lost by it: the fence was corrected at once. {FULL_PROMISE}"),
    )
}

/// The mirror's host takes one ref in a push.
pub(in crate::code) fn one_a_push() -> Notice {
    notice(
        "The mirror's host takes one ref in a push: from now on the fence is moved first, then each ref by itself",
        format!("Nothing is lost by it. {HIGHER_LIMIT}"),
    )
}

/// Names that some hosts cannot hold side by side, or that git does not accept.
fn names(snapshot: &Snapshot, view: &MirrorView) -> Vec<Notice> {
    let mut notices = Vec::new();
    let all: BTreeSet<&RefName> = snapshot.refs.keys().chain(view.refs.keys()).collect();
    let twins = case_twins(all);
    if !twins.is_empty() {
        let listed: Vec<String> = twins.iter().take(LISTED).map(|(one, other)| format!("{one} and {other}")).collect();
        notices.push(notice(
            format!("Names differ only in case: {}{}", listed.join(", "), more(twins.len())),
            "Servers on Windows or macOS may hold only one of them; rename one.",
        ));
    }
    if !view.unusable.is_empty() {
        notices.push(notice(
            format!(
                "The mirror has {} with names that git does not accept; they are left alone: {}",
                counted(view.unusable.len(), "ref"),
                view.unusable.join(", ")
            ),
            "",
        ));
    }
    notices
}

fn more(count: usize) -> String {
    if count > LISTED { format!(" and {} more", count - LISTED) } else { String::new() }
}
