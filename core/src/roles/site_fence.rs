//! The fence of one repository that takes part in a role change: read, judged by [`machine`], moved by compare-and-swap.
//!
//! Each such repository is a [`MirrorContext`], the configured source as well: there its mirror has the id
//! [`standin_state::model::MirrorId::source`].

use standin_state::model::{Oid, RefName};

use crate::context::MirrorContext;
use crate::fence::{Document, Fence, OpenChange, ROLE_CHANGE};
use crate::git::{Cache, Remote};
use crate::mastership::machine::{self, Change, Move, Open, Refusal, Seen, Step};
use crate::mastership::seen;
use crate::mirror::{self, contact, fence_move, fence_read};
use crate::{Code, Error, Result};

/// How often a fence that moves meanwhile is read again.
const TRIES: usize = 4;

/// The fence as it stands there now.
///
/// # Errors
/// As [`fence_read::read`], and whatever keeps the repository from being listed.
pub(super) async fn read(site: &MirrorContext) -> Result<(Cache, Option<Fence>)> {
    let cache = mirror::cache(&site.source)?;
    let remote = mirror::mirror_remote(site, "git.fence")?;
    let mut tries = 1;
    loop {
        let listed = listed(site, &remote).await?;
        match fence_read::read(site, &remote, &cache, listed.as_ref()).await {
            Err(error) if error.code == Code::Raced && tries < TRIES => tries += 1,
            read => return Ok((cache, read?)),
        }
    }
}

/// Where the fence stands: one small request where the host has an API, since this is asked before every step.
async fn listed(site: &MirrorContext, remote: &Remote) -> Result<Option<Oid>> {
    let name = RefName::fence();
    if let Ok((slug, client)) = site.github()
        && let Some(oid) = client.ref_tip(slug, &name).await?
    {
        return Ok(Some(oid));
    }
    Ok(remote.list(&[name.as_str()]).await?.refs.get(&name).cloned())
}

/// Moves the fence as this step of the change wants it; a step that moves none finds it in order. A move that was made
/// already is none. `register` is the repository whose fence says who carries the change out; it is read last.
///
/// # Errors
/// [`Code::RoleChangeOpen`], [`Code::FencedOff`] or [`Code::TwoMasters`] where the change must stop; what git reports.
pub(super) async fn step(
    site: &MirrorContext,
    register: &MirrorContext,
    change: &Change,
    step: &Step,
    me: &str,
) -> Result<Asked> {
    let is_register = change.site_of(step) == change.register();
    let asked = What::Step { register: (!is_register).then_some(register), step };
    swap(site, change, me, asked, |_| {}).await
}

/// What the fences say to a step.
pub(super) enum Asked {
    /// It may be taken; a move of the fence is made.
    Go,
    /// Somebody else has acted at its site: there is nothing of ours to do there, and it stops nothing.
    PassOver(Error),
}

/// Takes a change over that was left open, at its register, with what `change` becomes of the fence that is moved.
///
/// # Errors
/// As [`step`]; [`Code::NotFound`] where none is open.
pub(super) async fn take_over(
    register: &MirrorContext,
    me: &str,
    becomes: impl Fn(&Document, &Seen) -> Result<Change>,
) -> Result<Change> {
    let mut tries = 1;
    loop {
        let (cache, fence) = read(register).await?;
        let Some(fence) = fence else {
            return Err(refused(register, &Refusal::Closed));
        };
        let now = seen(&fence.document);
        let change = becomes(&fence.document, &now)?;
        let to = match machine::take_over(&change, me, &now) {
            Move::Write(to) => to,
            Move::Already => return Ok(change),
            Move::Refused(refusal) => return Err(refused(register, &refusal)),
        };
        let moved = fence_move::commit(&cache, Some(&fence), document(register, &change, me, Some(&fence), &to)?)?;
        match fence_move::push(register, &cache, &moved, Some(&fence.oid)).await {
            Ok(()) => {
                fence_move::remember(register, &cache, &moved)?;
                return Ok(change);
            }
            Err(error) if error.code == Code::Raced && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Writes something else into the fence while the change is ours there.
///
/// # Errors
/// As [`step`].
pub(super) async fn note(
    site: &MirrorContext,
    change: &Change,
    me: &str,
    note: impl FnMut(&mut Document),
) -> Result<()> {
    swap(site, change, me, What::Note, note).await.map(|_| ())
}

async fn seen_at(site: &MirrorContext) -> Result<Option<Seen>> {
    Ok(read(site).await?.1.map(|fence| seen(&fence.document)))
}

/// What a fence is moved for.
#[derive(Clone, Copy)]
enum What<'a> {
    /// A step. `register` is the repository whose fence is read after this one; `None` where it is this one.
    Step { register: Option<&'a MirrorContext>, step: &'a Step },
    /// Something else to be written into a fence that is ours.
    Note,
}

/// Read, judge, write if nothing moved in between; again if something did.
async fn swap(
    site: &MirrorContext,
    change: &Change,
    me: &str,
    what: What<'_>,
    mut note: impl FnMut(&mut Document),
) -> Result<Asked> {
    let mut tries = 1;
    loop {
        let (cache, fence) = read(site).await?;
        let now = fence.as_ref().map(|fence| seen(&fence.document));
        let to = match judge(change, me, what, now.as_ref()).await? {
            Judged { to: Move::Already, .. } => return Ok(Asked::Go),
            Judged { to: Move::Refused(refusal), stops: false } => return Ok(Asked::PassOver(refused(site, &refusal))),
            Judged { to: Move::Refused(refusal), .. } => return Err(refused(site, &refusal)),
            Judged { to: Move::Write(to), .. } => to,
        };
        if fence.is_none() {
            contact::look_and_refuse(site).await?;
        }
        let mut document = document(site, change, me, fence.as_ref(), &to)?;
        note(&mut document);
        let moved = fence_move::commit(&cache, fence.as_ref(), document)?;
        match fence_move::push(site, &cache, &moved, fence.as_ref().map(|fence| &fence.oid)).await {
            Ok(()) => {
                fence_move::remember(site, &cache, &moved)?;
                return Ok(Asked::Go);
            }
            Err(error) if error.code == Code::Raced && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// What is to be done with a fence, and whether a refusal stops the change.
struct Judged {
    to: Move,
    stops: bool,
}

async fn judge(change: &Change, me: &str, what: What<'_>, here: Option<&Seen>) -> Result<Judged> {
    let What::Step { register, step } = what else {
        let to = match (machine::still_ours(change, me, here), here) {
            (Ok(()), Some(here)) => Move::Write(Seen { sequence: here.sequence + 1, ..here.clone() }),
            (Err(refusal), _) => Move::Refused(refusal),
            (Ok(()), None) => Move::Already,
        };
        return Ok(Judged { to, stops: true });
    };
    let there = match register {
        Some(register) => seen_at(register).await?,
        None => here.cloned(),
    };
    if let Err(refusal) = machine::may_take(change, step, me, there.as_ref()) {
        return Ok(Judged { to: Move::Refused(refusal), stops: true });
    }
    Ok(Judged { to: machine::fence_move(change, step, me, here), stops: !change.passes_over(step) })
}

/// The document that says `to`; everything else stays as it was.
fn document(site: &MirrorContext, change: &Change, me: &str, fence: Option<&Fence>, to: &Seen) -> Result<Document> {
    let now = site.outside().clock.now();
    let before = fence.map(|fence| &fence.document);
    let mut document = match before {
        Some(document) => document.next(me, now),
        None => Document::before_first(to.epoch, &to.master, me, now).next(me, now),
    };
    let here = site.mirror.target.site();
    if to.master == here {
        document.unreturned = None;
    } else if !change.sides().contains(&here) {
        document.follow(&to.master, to.epoch, &here);
    }
    document.epoch = to.epoch;
    document.sequence = to.sequence;
    document.master.clone_from(&to.master);
    document.temporary = to.is_temporary;
    let was_open = before.and_then(|document| document.open_change.as_ref());
    let since_iso = was_open
        .filter(|open| open.settings["id"].as_str() == Some(change.id.as_str()))
        .map_or(now, |open| open.since_iso);
    document.open_change = match &to.open {
        None => None,
        // A change of another kind, on a mirror that takes no part, is not ours to touch.
        Some(Open { change: None, .. }) => before.and_then(|document| document.open_change.clone()),
        Some(Open { change: Some(_), writer }) => Some(OpenChange {
            kind: ROLE_CHANGE.to_owned(),
            writer: writer.clone(),
            since_iso,
            settings: serde_json::to_value(change)
                .map_err(|error| Error::new(Code::Internal, format!("a role change is no JSON: {error}"), ""))?,
        }),
    };
    Ok(document)
}

/// What stops a change, for a person.
fn refused(site: &MirrorContext, refusal: &Refusal) -> Error {
    let here = site.mirror.target.site();
    match refusal {
        Refusal::OtherChange { writer } => Error::new(
            Code::RoleChangeOpen,
            format!("another change is open on {here}, begun by {writer}"),
            "`standin status` shows it and how to go on with it or take it back.",
        ),
        Refusal::TakenOver { writer } => Error::new(
            Code::RoleChangeOpen,
            format!("{writer} has taken this role change over on {here}; nothing more is done from here"),
            "Follow it there, or take it over again with `--resume` or `--rollback`.",
        ),
        Refusal::HigherEpoch { epoch, master } => Error::new(
            Code::FencedOff,
            format!(
                "{here} says that {master} is master since epoch {epoch}: somebody else changed the master meanwhile"
            ),
            "`standin status` shows who is master now; nothing more was done from here.",
        ),
        Refusal::TwoMasters { master } => Error::new(
            Code::TwoMasters,
            format!(
                "{here} says that {master} was made master in the same epoch by somebody who did not see this change"
            ),
            "Take this change back with `--rollback`, or decide for one master with `standin promote MIRROR`.",
        ),
        Refusal::Closed => Error::new(
            Code::RoleChangeOpen,
            format!("the role change is no longer open on {here}: somebody else ended it"),
            "`standin status` shows who is master now; nothing more was done from here.",
        ),
    }
}
